"""The speed benchmark of k-means: same problem for all, same answers, honest verdicts. No timing is judged here."""

import json

import numpy as np
import pytest

from benchmarks import kmeans_speed, record
from unseg_helpers import datasets, kmeans


@pytest.fixture
def small_case():
    rng = np.random.default_rng(0)
    raw = rng.integers(0, 256, (3000, 3), dtype=np.uint8)
    return kmeans_speed.Case("small", raw.astype(np.float32), 4, raw)


def test_every_contender_solves_the_same_problem(small_case):
    """From the same centers, after the same number of steps, all reach the inertia of the plain float64 loop."""
    rows = kmeans_speed.measure(small_case, rounds=1, memory=False)
    assert [row["method"] for row in rows] == list(kmeans_speed.available())
    expected = rows[0]["inertia"]
    for row in rows:
        assert row["inertia"] == pytest.approx(expected, rel=1e-4), row["method"]
        assert row["seconds"] > 0
        assert row["n"] == 3000 and row["d"] == 3 and row["k"] == 4
    assert min(row["ratio_to_ours"] for row in rows if row["method"] in kmeans_speed.OURS) == 1


def test_first_centers_lie_between_the_colors(small_case):
    start = kmeans_speed.first_centers(small_case, seed=0)
    assert start.shape == (4, 3)
    assert (start != np.round(start)).any(axis=1).all()


def test_first_step_counts_like_ours(small_case):
    """n assignments each: with n = 2, all have moved the centers once and labelled by them."""
    start = kmeans_speed.first_centers(small_case, seed=0)
    once = kmeans.update(small_case.x, kmeans.assign(small_case.x, start), 4)
    expected = kmeans.assign(small_case.x, once)
    for name in ("faiss", "OpenCV"):
        if name in kmeans_speed.available():
            labels, _, _ = kmeans_speed.PEERS[name](small_case.x, start, 2)
            assert (labels == expected).mean() > 0.999, name


def row(method, seconds, inertia=1.0, peak=10, d=3):
    return {
        "case": "c",
        "method": method,
        "d": d,
        "seconds": seconds,
        "inertia": inertia,
        "peak_bytes": peak,
        "float32_bytes": 10,
    }


def test_verdict_on_a_photo_is_against_the_fastest():
    goal = kmeans_speed.judge([row("unseg", 2.0), row("scikit-learn Lloyd", 3.0), row("faiss", 1.0)])
    assert (goal["rival"], goal["ratio"], goal["fast"]) == ("faiss", 2.0, False)
    assert "MISSED" in kmeans_speed.verdict(goal)


def test_verdict_on_features_is_against_scikit_learn_with_its_own_limit():
    rows = [row("unseg", 1.2, d=384), row("scikit-learn Lloyd", 1.0, d=384), row("faiss", 0.1, d=384)]
    goal = kmeans_speed.judge(rows)
    assert goal["rival"] == "scikit-learn Lloyd" and goal["fast"] and goal["limit"] == 1.2


def test_verdict_sees_higher_inertia_and_too_much_memory():
    goal = kmeans_speed.judge([row("unseg", 1, inertia=1.001, peak=30), row("scikit-learn Lloyd", 2)])
    assert not goal["low"] and not goal["small"]
    goal = kmeans_speed.judge([row("unseg", 1, peak=29), row("scikit-learn Lloyd", 2)])
    assert goal["low"] and goal["small"]


def test_without_bsds_a_photo_of_the_same_size_stands_in(monkeypatch):
    def missing(split):
        raise datasets.MissingDataset("not here")

    monkeypatch.setattr(kmeans_speed.datasets, "bsds300", missing)
    kmeans_speed._image.cache_clear()
    try:
        for name in kmeans_speed.PHOTOS:
            case = kmeans_speed.photo_case(name, position=False)
            assert "stand-in" in case.name
            assert case.x.shape == (154_401, 3)
    finally:
        kmeans_speed._image.cache_clear()


def test_peak_memory_of_a_fresh_process():
    peak = kmeans_speed.peak_bytes("25098-lab-xy", "unseg", 0, 3)
    assert 154_401 * 5 * 4 < peak < 3 * 154_401 * 5 * 4


def test_record_names_date_machine_and_versions(tmp_path):
    environment = record.environment(("numpy", "faiss"))
    assert environment["versions"]["numpy"] == np.__version__
    assert environment["machine"]["cores"] >= 1
    target = tmp_path / "new" / "result.json"
    record.write_json(environment, target)
    assert json.loads(target.read_text()) == environment
    assert [path.name for path in target.parent.iterdir()] == ["result.json"]
