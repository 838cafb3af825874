"""The quality benchmark: same numbers on the second run, every annotator, rows that a lesson can add."""

import dataclasses

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
    found = result["per_image"]["unseg"]
    assert result["images"] == "image-0 image-1"
    assert found["covering"] == found["best_cluster"] == [[1.0, 0.5], [1.0, 0.5]]  # image by image
    assert found["variation_of_information"] == [[0.0, 1.0], [0.0, 1.0]]  # bits
    assert result["means"]["unseg"]["covering"] == {
        "mean_annotator": 0.75,
        "standard_error": 0.0,
        "best_annotator": 1.0,
    }
    assert result["means"]["unseg"]["variation_of_information"]["best_annotator"] == 0.0
    assert result["n_images"] == 2
    assert result["gains"]["scikit-learn"]["covering"] == {"mean": 0.0, "standard_error": 0.0}


def test_standard_errors_by_hand():
    columns = {"covering": [[0.1, 0.3], [0.4], [0.9, 0.9]], "variation_of_information": [[1.0, 3.0], [2.0], [5.0, 1.0]]}
    means = quality.means(columns)
    # image means .2 .4 .9: mean .5, sum of squares .26, so sqrt(.26 / 2 / 3)
    assert means["covering"]["mean_annotator"] == pytest.approx(0.5)
    assert means["covering"]["standard_error"] == pytest.approx((0.26 / 6) ** 0.5)
    assert means["covering"]["best_annotator"] == pytest.approx((0.3 + 0.4 + 0.9) / 3)
    assert means["variation_of_information"]["best_annotator"] == pytest.approx((1 + 2 + 1) / 3)  # less is kinder
    assert quality.means({"covering": [[0.5]]})["covering"]["standard_error"] is None


def test_gains_are_taken_image_by_image_and_positive_is_better():
    ours = {"covering": [[0.2], [0.8]], "variation_of_information": [[1.0], [4.0]]}
    theirs = {"covering": [[0.1], [0.7]], "variation_of_information": [[2.0], [5.0]]}
    found = quality.gains(ours, theirs)
    assert found["covering"]["mean"] == pytest.approx(0.1)
    assert found["covering"]["standard_error"] == pytest.approx(0)  # images differ much, the gains do not
    assert found["variation_of_information"]["mean"] == 1.0


def test_people_are_scored_against_one_another(two_annotators):
    result = quality.run("two", "people")
    # halves against one segment: covering 1/2 either way; VI one bit
    assert result["per_image"]["people"]["covering"] == [[0.5, 0.5], [0.5, 0.5]]
    assert result["per_image"]["people"]["variation_of_information"] == [[1.0, 1.0], [1.0, 1.0]]
    assert result["gains"] == {}
    assert "covering" in quality.table(result)


def test_people_need_two_annotators():
    with pytest.raises(ValueError, match="at least two annotators.*got 1"):
        quality.run("scenes", "people", limit=1)


def test_second_run_gives_the_same_numbers():
    first, second = (quality.run("scenes", "kmeans", limit=2, seed=3) for _ in range(2))
    for key in ("means", "per_image", "settings", "seed", "dataset", "method", "n_images"):
        assert first[key] == second[key]


def test_an_image_scores_the_same_whatever_the_limit():
    one, two = (quality.run("scenes", "kmeans", limit=limit)["per_image"]["unseg"] for limit in (1, 2))
    assert all(one[name] == two[name][:1] for name in quality.METRICS)


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
        ({"dataset": "imagenet", "method": "kmeans"}, "dataset must be one of bsds300, bsds300-all"),
        ({"dataset": "scenes", "method": "magic"}, "method must be one of one-segment, people, kmeans"),
        ({"dataset": "scenes", "method": "kmeans", "limit": 0}, "limit must be at least 1, got 0"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        quality.run(**arguments)


def test_bsds_list_starts_with_every_third_test_image(data_dir):
    listed, pack = quality.bsds300_every_third_first(), datasets.bsds300("test")
    assert listed.names[:30] == list(pack.ids[0:90:3]) == list(quality.GOALS_30)
    assert sorted(listed.names) == sorted(pack.ids)
    assert listed[1].name == listed[:5][1].name == pack.ids[3]


def test_lists_of_bsds_are_what_they_say(data_dir):
    train, everything = datasets.bsds300("train"), datasets.bsds300("all")
    fourth = quality.bsds300_train_every_fourth_first().names
    assert fourth[:50] == list(train.ids[::4]) and sorted(fourth) == sorted(train.ids)
    five = quality.paper_five()
    assert [sample.name for sample in five] == ["25098", "3096", "35058", "22090", "23025"]
    assert {sample.name for sample in five} <= set(everything.ids)
    every = quality.DATASETS["bsds300-all"].load()
    assert len(every) == 300 and set(every.names) == set(everything.ids)
    assert set(every.names[:35]) == {*quality.PAPER_FIVE, *quality.GOALS_30}
    assert [sample.name for sample in every[:2]] == ["25098", "3096"]


# ---- the rows of METHODS --------------------------------------------------------------------------------------------


@pytest.fixture
def halves():
    """A gray image of two halves, with noise."""
    rng = np.random.default_rng(5)
    image = np.full((24, 36, 3), 60, np.uint8)
    image[:, 18:] = 190
    return image + rng.integers(0, 30, image.shape, dtype=np.uint8), np.repeat([[0] * 18 + [1] * 18], 24, axis=0)


SMALL_NETWORK = {"channels": 8, "max_iter": 100, "min_labels": 2, "continuity": 10.0}


@pytest.mark.parametrize("method", [name for name, row in quality.METHODS.items() if row.settings])
def test_every_method_and_its_peers_find_two_halves(halves, method):
    image, truth = halves
    row = quality.METHODS[method]
    for segmenter in (row.ours, *row.peers.values()):
        two = {name: 2 for name in ("k", "n_vectors") if name in row.settings}
        if "recipe" in row.settings:
            two |= SMALL_NETWORK
        if "cnn" in row.settings:
            two["cnn"] = row.settings["cnn"] | SMALL_NETWORK
        pred = segmenter(image, seed=0, **(row.settings | two))
        assert pred.shape == truth.shape and np.issubdtype(pred.dtype, np.integer)
        assert metrics.matched_accuracy(truth, pred) > 0.95


def test_blur_takes_single_pixels_out(halves):
    image, truth = halves
    image = image.copy()
    image[10, 5] = 200  # one pixel of the other half's gray
    options = {"k": 2, "n_init": 1, "kind": "full", "space": "rgb", "position": 0.0}
    plain, blurred = (quality.gmm_ours(image, seed=0, blur=blur, **options) for blur in (0.0, 0.05))
    assert plain[10, 5] != plain[10, 4] and blurred[10, 5] == blurred[10, 4]
    assert metrics.matched_accuracy(truth, blurred) == 1.0


def test_every_row_says_what_it_is_and_its_goals_can_be_measured():
    for name, row in quality.METHODS.items():
        assert row.about and (row.ours or name == "people")
        for goals in row.goals.values():
            assert {metric for goal in goals.values() for metric in goal} <= set(quality.METRICS)


def only_ours(monkeypatch, method, names=("best_cluster", "mean_cluster", "covering")):
    """Leave out the peers and the slow metrics."""
    monkeypatch.setattr(quality, "METRICS", {name: quality.METRICS[name] for name in names})
    monkeypatch.setitem(quality.METHODS, method, dataclasses.replace(quality.METHODS[method], peers={}))


@pytest.mark.parametrize("method", ["kmeans", "kmeans-smooth", "gmm"])  # the slower ones: from the files of results
def test_method_reaches_its_goals_on_bsds(data_dir, monkeypatch, method):
    """What was measured is in benchmarks/results, and chapter 10 shows it beside the goals."""
    only_ours(monkeypatch, method)
    result = quality.run("bsds300", method, limit=30)
    for name, value in result["goals"]["must reach"].items():
        assert result["means"]["unseg"][name]["mean_annotator"] >= value, name


def test_mixture_of_the_paper_is_near_its_five_values(data_dir, monkeypatch):
    only_ours(monkeypatch, "gmm-paper")
    result = quality.run("paper-five", "gmm-paper")
    found = [np.mean(values) for values in result["per_image"]["unseg"]["best_cluster"]]
    assert found == pytest.approx([0.63, 0.78, 0.36, 0.72, 0.69], abs=0.08)


def test_metrics_are_those_of_the_library():
    assert quality.METRICS["boundary_f"] is metrics.boundary_f
    assert quality.LOWER_IS_BETTER <= set(quality.METRICS)
