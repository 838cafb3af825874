"""The benchmark of seeds: one mean for each seed, parts that are found again, verdicts by hand."""

import json

import numpy as np
import pytest

from benchmarks import quality, seeds
from unseg_helpers import datasets


@pytest.fixture
def study(monkeypatch):
    """Two images and k-means with two settings."""
    rng = np.random.default_rng(0)
    samples = [
        datasets.Sample(f"image-{i}", rng.integers(0, 256, (12, 16, 3), dtype=np.uint8), np.arange(192).reshape(12, 16))
        for i in range(2)
    ]
    samples = [datasets.Sample(s.name, s.image, (s.truth % 3).astype(np.uint8)) for s in samples]
    monkeypatch.setitem(quality.DATASETS, "two", quality.Dataset(lambda: samples, "for this test"))
    made = seeds.Study("kmeans", {seeds.BASE: {}, "k 2": {"k": 2}}, 2, "for this test")
    monkeypatch.setitem(seeds.STUDIES, "two", made)


def test_each_seed_is_a_run_of_quality(study):
    result = seeds.run("two", dataset="two", seeds=2, first_seed=3)
    assert result["seeds"] == [3, 4] and result["images"] == "image-0 image-1"
    assert [(row["variant"], row["who"]) for row in result["rows"]] == [
        (variant, who) for variant in (seeds.BASE, "k 2") for who in ("unseg", "scikit-learn")
    ]
    for row in result["rows"]:
        for i, seed in enumerate(result["seeds"]):
            alone = quality.run("two", "kmeans", seed=seed, settings=seeds.STUDIES["two"].variants[row["variant"]])
            expected = [np.mean(values) for values in alone["per_image"][row["who"]]["covering"]]
            assert row["scores"]["covering"][i] == pytest.approx(expected, abs=1e-4)
    json.dumps(result, allow_nan=False)
    assert "k 2, scikit-learn" in seeds.table(result)


def test_a_study_goes_on_where_it_was(study, tmp_path, monkeypatch):
    first = seeds.run("two", dataset="two", seeds=2, parts=tmp_path)
    assert len(list(tmp_path.iterdir())) == 4
    measured = []
    run = quality.run
    monkeypatch.setattr(quality, "run", lambda *a, **k: measured.append(k["seed"]) or run(*a, **k))
    assert seeds.run("two", dataset="two", seeds=2, parts=tmp_path)["rows"] == first["rows"] and measured == []
    seeds.run("two", dataset="two", seeds=3, parts=tmp_path)
    assert measured == [2, 2]  # the new seed of both variants
    seeds.run("two", dataset="two", seeds=1, limit=1, parts=tmp_path)  # other images: nothing of it can be used
    assert measured == [2, 2, 0, 0]


def test_what_the_seeds_say_by_hand():
    row = {"scores": {"covering": [[0.2, 0.4], [0.4, 0.6], [0.3, 0.5]], "variation_of_information": [[1.0, 3.0]]}}
    covering = seeds.over_seeds(row, "covering")
    assert covering == pytest.approx([0.3, 0.5, 0.4])
    assert seeds.over_seeds(row, "covering", [1]) == pytest.approx([0.4, 0.6, 0.5])
    assert seeds.spread(covering) == pytest.approx(0.1)
    assert seeds.spread(seeds.over_seeds(row, "variation_of_information")) is None
    found = seeds.difference(covering, np.array([0.2, 0.3, 0.4]), "covering")  # .1, .2, 0
    assert found["mean"] == pytest.approx(0.1) and found["standard_error"] == pytest.approx(0.1 / 3**0.5)
    assert seeds.difference(np.array([1.0]), np.array([1.5]), "variation_of_information")["mean"] == 0.5


@pytest.mark.parametrize(("name", "options", "message"), [("one", {}, "study must be"), ("cnn", {"seeds": 0}, "seeds")])
def test_what_cannot_be_measured_is_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        seeds.run(name, **options)


def test_every_variant_changes_one_setting_of_a_method():
    from dataclasses import fields

    from unseg_helpers.kanezaki import Recipe

    for study in seeds.STUDIES.values():
        known = set(quality.METHODS[study.method].settings) | {field.name for field in fields(Recipe)}
        for variant, changes in study.variants.items():
            assert len(changes) == (variant != seeds.BASE) and set(changes) <= known
