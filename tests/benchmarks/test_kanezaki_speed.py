"""The speed benchmark of the CNN: same weights, same loss curve, honest verdicts. No timing is judged here."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks import kanezaki_speed as speed


@pytest.fixture(scope="module")
def small():
    rng = np.random.default_rng(0)
    image = np.repeat(np.repeat(rng.integers(0, 256, (4, 5, 3)), 6, axis=0), 5, axis=1).astype(np.uint8)
    return speed.Case("small", image, replace(speed.RECIPE, channels=10))


def test_all_train_the_same_network(small):
    rows = speed.measure(small, steps=4, rounds=1, memory=False)
    assert [row["method"] for row in rows] == [speed.PLAIN, *speed.OURS]
    for row in rows:
        assert row["seconds"] > 0 and row["peak_bytes"] is None and row["goal"] is None
        assert len(row["loss"]) == len(row["labels"]) == 4
    assert rows[0]["times_faster"] == 1 and rows[0]["loss_gap"] == 0
    assert rows[1]["loss_gap"] < 1e-3 and rows[2]["loss_gap"] < 0.1
    goals = speed.judge(rows)
    assert [goal["method"] for goal in goals] == list(speed.OURS) and goals[0]["same"]
    assert "plainly" in speed.table(rows) and "loss differs" in speed.verdict(goals[0])


def row(method, faster=1.0, gap=0.0, peak=None, goal=None):
    return {
        "case": "c",
        "device": "cpu",
        "method": method,
        "times_faster": faster,
        "loss_gap": gap,
        "peak_bytes": peak,
        "goal": goal,
    }


def test_verdict():
    goals = speed.judge(
        [row(speed.PLAIN), row("unseg", 2.19, 0.01, 2**30, 2.2), row("unseg (bf16)", 3.0, 0.01, 3 * 2**30, 3.0)]
    )
    assert not goals[0]["fast"] and not goals[0]["same"] and goals[0]["small"]
    assert goals[1]["fast"] and goals[1]["same"] and not goals[1]["small"]
    assert "MISSED" in speed.verdict(goals[0]) and "3.00 times faster" in speed.verdict(goals[1])
    (goal,) = speed.judge([row("unseg", 2.0)])
    assert goal["fast"] is None and goal["small"] is None and "goal: at least" not in speed.verdict(goal)


def test_cases_have_the_sizes_of_the_goals():
    case = speed.photo_case("full")
    assert sorted(case.image.shape[:2]) == [321, 481] and case.goal
    assert (case.recipe.channels, case.recipe.layers) == (100, 2)
    half = speed.photo_case("half")
    assert sorted(half.image.shape[:2]) == [160, 240] and not half.goal


def test_peak_of_a_process_that_fails_is_unknown():
    assert speed.peak_bytes("no such size", "unseg", 0) is None
