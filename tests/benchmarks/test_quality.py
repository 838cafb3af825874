"""The quality benchmark: same numbers on the second run, every annotator, rows that a lesson can add."""

import numpy as np
import pytest

from benchmarks import quality
from unseg_helpers import datasets, metrics


@pytest.fixture
def two_annotators(monkeypatch):
    """A data set of two images; the first annotator sees halves, the second one segment."""
    rng = np.random.default_rng(0)
    samples = []
    for i in range(2):
        image = np.zeros((20, 30, 3), np.uint8)
        image[:, 15:] = 200
        image += rng.integers(0, 20, image.shape, dtype=np.uint8)
        halves = np.repeat([[1] * 15 + [2] * 15], 20, axis=0)
        samples.append(datasets.Sample(f"image-{i}", image, np.stack([halves, np.ones_like(halves)]).astype(np.uint8)))
    monkeypatch.setitem(quality.DATASETS, "two", quality.Dataset(lambda: samples, "for this test"))
    return samples


def test_every_annotator_by_hand(two_annotators):
    result = quality.run("two", "kmeans", settings={"k": 2})
    for image in result["per_image"]["unseg"]:
        assert image["covering"] == [1.0, 0.5]
        assert image["best_cluster"] == [1.0, 0.5]
        assert image["variation_of_information"] == pytest.approx([0.0, 1.0])  # bits
    assert result["means"]["unseg"]["covering"] == {"mean_annotator": 0.75, "best_annotator": 1.0}
    assert result["means"]["unseg"]["variation_of_information"] == {"mean_annotator": 0.5, "best_annotator": 0.0}
    assert result["n_images"] == 2


def test_second_run_gives_the_same_numbers():
    first, second = (quality.run("scenes", "kmeans", limit=2, seed=3) for _ in range(2))
    for key in ("means", "per_image", "settings", "seed", "dataset", "method", "n_images"):
        assert first[key] == second[key]


def test_an_image_scores_the_same_whatever_the_limit():
    one, two = (quality.run("scenes", "kmeans", limit=limit)["per_image"]["unseg"] for limit in (1, 2))
    assert one[0] == two[0]


def test_another_seed_draws_other_seeds():
    assert quality.image_seed(0, "a") != quality.image_seed(1, "a") != quality.image_seed(1, "b")


def test_a_new_method_is_one_row(two_annotators, monkeypatch):
    def everything(image, *, seed, label):
        return np.full(image.shape[:2], label)

    method = quality.Method(
        everything, {}, {"label": 0}, "one segment", {"two": {"easy": {"covering": 0.7}, "hard": {"covering": 0.9}}}
    )
    monkeypatch.setitem(quality.METHODS, "one", method)
    result = quality.run("two", "one")
    assert result["means"]["unseg"]["covering"]["mean_annotator"] == 0.75  # (1/2 + 1) / 2
    text = quality.table(result)
    assert "easy: covering 0.750 of 0.7 reached" in text
    assert "hard: covering 0.750 of 0.9 MISSED" in text


def test_progress_sees_every_image(two_annotators):
    seen = []

    def progress(samples):
        for sample in samples:
            seen.append(sample.name)
            yield sample

    quality.run("two", "kmeans", settings={"k": 2}, progress=progress)
    assert seen == ["image-0", "image-1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dataset": "imagenet", "method": "kmeans"}, "dataset must be one of bsds300, photos, scenes"),
        ({"dataset": "scenes", "method": "magic"}, "method must be one of kmeans"),
        ({"dataset": "scenes", "method": "kmeans", "limit": 0}, "limit must be at least 1, got 0"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        quality.run(**arguments)


def test_bsds_list_starts_with_every_third_test_image(data_dir):
    samples, pack = quality.bsds300_every_third_first(), datasets.bsds300("test")
    names = [pack[i].name for i in range(len(pack))]
    assert [sample.name for sample in samples[:30]] == names[0:90:3]
    assert sorted(sample.name for sample in samples) == sorted(names)


@pytest.mark.parametrize("method", ["kmeans", "kmeans-smooth"])
def test_kmeans_reaches_its_goals_on_bsds(data_dir, monkeypatch, method):
    """Measured: best cluster .58 / .64, mean .39 / .48, covering .374 / .424; see benchmarks/results."""
    fewer = {name: quality.METRICS[name] for name in ("best_cluster", "mean_cluster", "covering")}
    monkeypatch.setattr(quality, "METRICS", fewer)
    monkeypatch.setitem(
        quality.METHODS,
        method,
        quality.Method(quality.kmeans_ours, {}, quality.METHODS[method].settings, "", quality.KMEANS_GOALS),
    )
    result = quality.run("bsds300", method, limit=30)
    for name, value in result["goals"]["must reach"].items():
        assert result["means"]["unseg"][name]["mean_annotator"] >= value, name


def test_metrics_are_those_of_the_library():
    assert quality.METRICS["boundary_f"] is metrics.boundary_f
    assert quality.LOWER_IS_BETTER <= set(quality.METRICS)
