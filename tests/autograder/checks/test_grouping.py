"""Lesson 01: other right solutions get all points, every mistake is named, and a small slip costs little."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest

from autograder.checks import grouping as checks
from autograder.lesson import run_check
from autograder.student import LocalStudent
from unseg_helpers import metrics

lesson = checks.lesson

RIGHT = {
    "confusion": checks.true_confusion,
    "iou_matrix": checks.true_iou,
    "matched_miou": checks.true_miou,
    "best_match_table": checks.true_best,
    "covering": checks.true_covering,
    "variation_of_information": checks.true_vi,
    "boundary_map": checks.true_boundary_map,
    "boundary_f": checks.true_boundary_f,
    "rank": checks.ranked,
}


def results(namespace, seed, task=None):
    return [run_check(c, LocalStudent(namespace), seed, lesson) for c in lesson.checks if task in (None, c.task)]


def lost(task, function, seed):
    """Points that a function loses, by check, and the mistakes that the report names."""
    failed = [r for r in results({**RIGHT, task: function}, seed, task) if r.status != "passed"]
    return {r.id.rsplit(".", 1)[1]: r.max_points - r.points for r in failed}, {r.mistake for r in failed}


# --- Written the long way: lists and loops, other types, other conventions of NumPy ---


def confusion(true, pred):
    table = [[0] * (int(pred.max()) + 1) for _ in range(int(true.max()) + 1)]
    for s, k in zip(true.ravel().tolist(), pred.ravel().tolist(), strict=True):
        table[s][k] += 1
    return table


def iou_matrix(table):
    table = np.asarray(table)
    result = []
    for s in range(table.shape[0]):
        unions = [table[s].sum() + table[:, k].sum() - table[s, k] for k in range(table.shape[1])]
        result.append([float(n / union) if union else 0.0 for n, union in zip(table[s], unions, strict=True)])
    return result


def matched_miou(table):
    iou = np.array(iou_matrix(table))
    iou = iou if iou.shape[0] <= iou.shape[1] else iou.T
    best = max(sum(iou[range(len(iou)), list(p)]) for p in permutations(range(iou.shape[1]), len(iou)))
    return np.array([best / sum(row.any() for row in table)])  # an array of one element counts as a number


def best_match_table(table):
    columns = np.array(iou_matrix(table)).T.tolist()
    return [[int(n) for n in table.sum(0)], [c.index(max(c)) for c in columns], [max(c) for c in columns]]


def covering(table):
    shares = np.asarray(table).sum(1) / np.sum(table)
    return float(sum(share * max(row) for share, row in zip(shares, iou_matrix(table), strict=True)))


def variation_of_information(table):
    p, bits = table / table.sum(), 0.0
    for s, k in np.argwhere(p > 0):
        bits -= p[s, k] * (math.log2(p[s, k] / p[s].sum()) + math.log2(p[s, k] / p[:, k].sum()))
    return bits


def boundary_map(labels):
    h, w = labels.shape
    edges = np.zeros((h, w), dtype=np.uint8)
    for r in range(h):
        for c in range(w):
            edges[r, c] = len({int(v) for v in labels[r : r + 2, c : c + 2].ravel()} - {int(labels[r, c])}) > 0
    return edges


def boundary_f(true_edges, pred_edges, radius):
    a, b = np.argwhere(true_edges).tolist(), np.argwhere(pred_edges).tolist()
    if not a or not b:
        return int(a == b)
    precision, recall = (
        sum(any(math.dist(p, q) <= radius for q in y) for p in x) / len(x) for x, y in ((b, a), (a, b))
    )
    return 2 / (1 / precision + 1 / recall) if precision and recall else 0


def rank(truths, candidates):
    scores = [sum(covering(confusion(t, c)) for t in truths) / len(truths) for c in candidates]
    return scores, sorted(range(len(scores)), key=lambda i: -scores[i])


LOOPS = {name: globals()[name] for name in RIGHT}


@pytest.mark.parametrize("namespace", [RIGHT, LOOPS], ids=["truth", "loops"])
def test_right_solutions_get_all_points(namespace, seed):
    assert [(r.id, r.message) for r in results(namespace, seed) if r.status != "passed"] == []


def test_truth_of_the_checks_is_the_library_s(seed):
    rng = np.random.default_rng(seed)
    true, pred = checks.blocks(rng, (20, 30), 5), checks.blocks(rng, (20, 30), 7)
    table = metrics.confusion(true, pred)
    np.testing.assert_array_equal(checks.true_confusion(true, pred), table)
    np.testing.assert_allclose(checks.true_iou(table), metrics.iou_matrix(true, pred))
    assert checks.true_miou(table) == pytest.approx(metrics.matched_miou(true, pred))
    assert checks.true_covering(table) == pytest.approx(metrics.covering(true, pred))
    assert checks.true_vi(table) == pytest.approx(metrics.variation_of_information(true, pred))
    best = metrics.best_match_table(true, pred)
    for ours, theirs in zip(checks.true_best(table), (best.size, best.segment, best.iou), strict=True):
        np.testing.assert_allclose(ours, theirs)
    np.testing.assert_array_equal(checks.true_boundary_map(pred), metrics.boundary_map(pred, thin=False))
    scores, order = checks.ranked(np.stack([true, pred]), np.stack([pred, true // 2]))
    expected = [metrics.against_annotators(metrics.covering, [true, pred], c) for c in (pred, true // 2)]
    np.testing.assert_allclose(scores, expected)
    assert order.tolist() == [0, 1]


@pytest.mark.parametrize("mistake", lesson.mistakes, ids=lambda m: f"{m.task}-{m.function.__name__}")
def test_mistakes_are_caught_and_named(mistake, seed):
    points, names = lost(mistake.task, mistake.function, seed)
    assert points
    assert names == {mistake.name}


@pytest.mark.parametrize(
    ("task", "mistake", "kept"),
    [
        ("confusion", checks.overflow, 8),
        ("confusion", checks.squeezed, 7),
        ("iou_matrix", checks.zero_by_zero, 7),
        ("matched_miou", checks.pairs_only, 6),
        ("matched_miou", checks.longer_side, 6),
        ("matched_miou", checks.absent_classes, 9),
        ("best_match_table", checks.size_of_overlap, 9),
        ("variation_of_information", checks.zero_log_zero, 8),
        ("boundary_map", checks.no_diagonal, 5),
        ("boundary_f", checks.nothing_by_nothing, 8),
        ("rank", checks.worst_first, 7),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_slip_at_the_rim_costs_only_the_rim(task, mistake, kept, seed):
    assert sum(r.points for r in results({**RIGHT, task: mistake}, seed, task)) == kept


def test_pictures_come_with_boundaries_and_rankings(seed):
    shown = {r.task: [f.panels for f in r.figures] for r in results(RIGHT, seed) if r.figures}
    assert set(shown) == {"boundary_f", "rank"}
    assert {"photo", "your best", "expected best"} <= set(shown["rank"][0])
    wrong = results({**RIGHT, "boundary_map": checks.rolled}, seed, "boundary_map")
    assert all({"segments", "yours", "expected"} == set(r.figures[0].panels) for r in wrong)


@pytest.mark.parametrize("answer", [None, "sky", 0.5, [1.0, [2.0]], np.zeros((0, 3)), np.full((3, 5), np.nan), {}])
def test_any_answer_is_judged_without_a_crash(answer):
    namespace = {name: lambda *args: answer for name in RIGHT}
    for result in results(namespace, 0):
        assert result.status in ("failed", "passed", "error")
        assert result.points == 0 or result.max_points <= 5
        assert "could not be judged" not in result.message, result


def test_one_array_of_three_rows_is_not_taken_for_another_mistake():
    found = results(
        {**RIGHT, "best_match_table": lambda table: np.array(checks.true_best(table))}, 1, "best_match_table"
    )
    assert {r.mistake for r in found} == {None} and {r.hint for r in found} == {"return size, segment, iou"}


def test_sizes_that_overflow_have_the_hint_on_bytes():
    def confusion(true, pred):
        n_true, n_pred = true.max() + 1, pred.max() + 1
        keys = (true * n_pred + pred).ravel()
        with np.errstate(over="ignore"):
            return np.bincount(keys, minlength=n_true * n_pred).reshape(n_true, n_pred)

    found = {r.id.rsplit(".", 1)[1]: r for r in results({**RIGHT, "confusion": confusion}, 1, "confusion")}
    assert [name for name, r in found.items() if r.status != "passed"] == ["labels_of_one_byte"]
    assert "cannot reshape" in found["labels_of_one_byte"].message and "uint8 ends" in found["labels_of_one_byte"].hint


# --- Functions that do something else, written for the checks (found by a red team) ---


def blind(key):
    def rank(truths, candidates):
        return np.zeros(len(candidates)), np.argsort([key(c, candidates) for c in candidates], kind="stable")

    return rank


def edges(labels):
    return np.count_nonzero(labels[:, 1:] != labels[:, :-1])


def by_heart(truths, candidates):
    """Tells six kinds of candidates by the number of segments and the edges, in an order that was once always right."""
    n, rough = candidates.reshape(len(candidates), -1).max(axis=1), np.array([edges(c) for c in candidates])
    s = np.argsort(n, kind="stable")
    moved, gray = s[1:3] if rough[s[1]] < rough[s[2]] else s[2:0:-1]
    return np.zeros(6), np.array([moved, s[0], gray, s[4], s[3], s[5]])


BLIND = {
    "by heart": by_heart,
    "few segments": blind(lambda c, all: c.max()),
    "one large segment": blind(lambda c, all: -np.bincount(c.ravel()).max()),
    "even segments last": blind(lambda c, all: checks.entropy(np.bincount(c.ravel()))),
    "like the others": blind(lambda c, all: -checks.ranked(all, c[None])[0][0]),
    "few edges": blind(lambda c, all: np.count_nonzero(checks.true_boundary_map(c))),
}


@pytest.mark.parametrize("rank", BLIND.values(), ids=BLIND)
def test_no_order_is_right_without_a_look_at_the_truths(rank):
    assert sum(lost("rank", rank, seed)[0].get("best_first", 0) < 5 for seed in range(8)) <= 1


def test_orders_of_candidates_differ():
    kinds = set()
    for seed in range(10):
        _, truths, candidates = checks.telling_gallery(np.random.default_rng(seed))
        segments = candidates.reshape(6, -1).max(axis=1)
        kinds.add(tuple(np.argsort(np.argsort(segments, kind="stable"))[checks.ranked(truths, candidates)[1]]))
    assert len(kinds) > 7


@pytest.mark.parametrize("reach", [0, 1, 2, None], ids=["none", "one", "two", "one step up and down"])
def test_boundaries_without_the_radius_lose_the_lines(reach):
    def boundary_f(true_edges, pred_edges, radius):
        if reach is not None:
            return checks.true_boundary_f(true_edges, pred_edges, reach)
        if not true_edges.any() or not pred_edges.any():
            return float(true_edges.any() == pred_edges.any())
        grown = [e | np.roll(e, 1, axis=0) | np.roll(e, -1, axis=0) for e in (true_edges, pred_edges)]
        return checks.harmonic(grown[0][pred_edges].mean(), grown[1][true_edges].mean())

    kept = [lost("boundary_f", boundary_f, seed)[0].get("images_without_boundaries", 0) < 4 for seed in range(10)]
    assert sum(kept) == 0 or reach == 2 and sum(kept) < 6  # 2 is right where the radius happens to be 3


def test_shares_of_pixels_are_no_iou(seed):
    points, _ = lost("best_match_table", lambda t: (t.sum(axis=0), None, t.max(axis=0) / t.sum()), seed)
    assert points["both_readings"] == 2


def test_a_fixed_number_of_annotators_loses_the_mean(seed):
    points, _ = lost("rank", lambda t, c: checks.ranked(t, c, reduce=lambda scores: np.sum(scores) / 3), seed)
    assert points == {"mean_over_annotators": 7}
