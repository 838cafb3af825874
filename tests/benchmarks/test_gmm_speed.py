"""The speed benchmark of mixtures: same problem for both, same answers, honest verdicts. No timing is judged here."""

import numpy as np
import pytest

from benchmarks import gmm_speed
from unseg_helpers import gmm


@pytest.mark.parametrize("kind", ["full", "diag", "spherical", "tied"])
def test_both_solve_the_same_problem(kind):
    rng = np.random.default_rng(0)
    raw = rng.integers(0, 256, (3000, 3), dtype=np.uint8)
    case = gmm_speed.Case("small", raw.astype(np.float64), 4, kind, 6, raw)
    rows = gmm_speed.measure(case, rounds=1, memory=False)
    assert [row["method"] for row in rows] == ["unseg (bytes)", "unseg", "scikit-learn"]
    for row in rows:
        assert row["iterations"] == 6 and row["seconds"] > 0
        assert row["log_likelihood"] == pytest.approx(rows[-1]["log_likelihood"], rel=1e-8)
    assert rows[-1]["times_faster"] == 1
    goal = gmm_speed.judge(rows)
    assert goal["same"] and goal["fast"] is None and goal["small"] is None
    assert "times faster" in gmm_speed.verdict(goal) and "unseg (bytes)" in gmm_speed.table(rows)


def test_features_have_no_bytes():
    case = gmm_speed.features_case(n=500, d=6, k=3)
    assert case.raw is None and case.x.shape == (500, 6)
    assert [row["method"] for row in gmm_speed.measure(case, rounds=1, memory=False)] == ["unseg", "scikit-learn"]


def test_first_mixture_fits_the_case():
    case = gmm_speed.features_case(n=500, d=6, k=3)
    start = gmm_speed.first_mixture(case, 0)
    assert (start.k, start.d, start.kind) == (3, 6, "full")
    assert gmm.score(case.x, start) < 0


def row(method, faster, likelihood=-10.0, peak=20, iterations=5, goal=10.0):
    return {
        "case": "c",
        "method": method,
        "goal": goal,
        "times_faster": faster,
        "log_likelihood": likelihood,
        "iterations": iterations,
        "peak_bytes": peak,
        "responsibility_bytes": 10,
    }


def test_verdict_takes_the_slower_of_ours():
    goal = gmm_speed.judge([row("unseg (bytes)", 30), row("unseg", 9), row("scikit-learn", 1, peak=99)])
    assert goal["times_faster"] == 9 and not goal["fast"] and goal["same"] and goal["small"]
    assert "MISSED" in gmm_speed.verdict(goal)


def test_verdict_sees_another_likelihood_other_steps_and_too_much_memory():
    peer = row("scikit-learn", 1)
    assert not gmm_speed.judge([row("unseg", 20, likelihood=-10.001), peer])["same"]
    assert not gmm_speed.judge([row("unseg", 20, iterations=4), peer])["same"]
    goal = gmm_speed.judge([row("unseg", 20, peak=30), peer])
    assert not goal["small"] and goal["fast"]


def test_photo_case_has_the_size_of_the_goal():
    case = gmm_speed.photo_case("25098", "full")
    assert case.x.shape == (154_401, 3) and case.k == 5 and case.n_iter == 20 and case.goal == 10


def test_peak_memory_of_a_fresh_process():
    peak = gmm_speed.peak_bytes("25098-diag", "unseg", 0)
    assert 154_401 * 8 < peak < 3 * 154_401 * 5 * 8
