import inspect
import io
import re
import zipfile
from functools import partial
from itertools import permutations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from unseg_helpers import metrics

SCORES = (
    metrics.matched_accuracy,
    metrics.matched_miou,
    metrics.best_cluster_iou,
    metrics.mean_cluster_iou,
    metrics.covering,
    metrics.variation_of_information,
    metrics.ari,
    metrics.nmi,
)  # of partitions: (true, pred, *, ignore) -> float, blind to the names of the labels
TABLES = (metrics.confusion, metrics.iou_matrix, metrics.match, metrics.best_match_table)

by_name = pytest.mark.parametrize("score", SCORES, ids=lambda f: f.__name__)


# --- The slow, plain versions ----------------------------------------------------------------------------------------


def plain_iou(a, b):
    return np.sum(a & b) / max(np.sum(a | b), 1)


def plain_table(true, pred):
    """{(s, k): IoU} of the labels that occur."""
    return {(s, k): plain_iou(true == s, pred == k) for s in np.unique(true) for k in np.unique(pred)}


def plain_best_pairing(weight, segments, clusters):
    """Every one-to-one pairing; the largest sum of weights wins."""
    if len(segments) > len(clusters):
        return max(sum(weight[s, k] for s, k in zip(p, clusters, strict=False)) for p in permutations(segments))
    return max(sum(weight[s, k] for s, k in zip(segments, p, strict=False)) for p in permutations(clusters))


def plain_covering(true, pred):
    iou = plain_table(true, pred)
    return sum(np.mean(true == s) * max(iou[s, k] for k in np.unique(pred)) for s in np.unique(true))


def entropy(labels):
    p = np.unique(labels, return_counts=True)[1] / len(labels)
    return -(p * np.log2(p)).sum()


def plain_vi(true, pred):
    """2 H(both) - H(true) - H(pred)."""
    both = true.astype(np.int64) * 1000 + pred
    return 2 * entropy(both) - entropy(true) - entropy(pred)


def noise(seed, n_true=4, n_pred=5, shape=(12, 9)):
    rng = np.random.default_rng(seed)
    return rng.integers(0, n_true, size=shape), rng.integers(0, n_pred, size=shape)


# --- Confusion and IoU -----------------------------------------------------------------------------------------------


def test_confusion_counts_like_two_loops(seed):
    true, pred = noise(seed)
    expected = np.zeros((4, 5), int)
    for s, k in zip(true.ravel(), pred.ravel(), strict=True):
        expected[s, k] += 1
    np.testing.assert_array_equal(metrics.confusion(true, pred), expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int32, np.uint64, np.int64])
def test_keys_do_not_wrap_around_in_small_integers(dtype):
    true, pred = np.array([20, 20, 12], dtype), np.array([20, 0, 4], dtype)  # 20 * 21 + 20 = 440 > 255
    table = metrics.confusion(true, pred)
    assert table.shape == (21, 21)
    assert table[20, 20] == table[20, 0] == table[12, 4] == 1
    assert table.sum() == 3


def test_tables_of_several_images_add_up_to_the_pooled_one(seed):
    maps = [noise(seed + i, n_true=3 + i, n_pred=6 - i) for i in range(3)]
    total = sum(metrics.confusion(t, p, shape=(5, 6)) for t, p in maps)
    pooled = metrics.confusion(np.stack([t for t, _ in maps]), np.stack([p for _, p in maps]), shape=(5, 6))
    np.testing.assert_array_equal(total, pooled)


def test_iou_matrix_like_masks(seed):
    true, pred = noise(seed)
    got = metrics.iou_matrix(true, pred)
    for (s, k), value in plain_table(true, pred).items():
        assert got[s, k] == pytest.approx(value)


def test_absent_labels_have_no_pixels_and_iou_zero():
    true, pred = np.array([0, 3]), np.array([2, 2])
    assert metrics.confusion(true, pred).tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0], [0, 0, 1]]
    assert metrics.iou_matrix(true, pred)[1:3].tolist() == [[0.0] * 3] * 2


# --- Matchings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_true", "n_pred"), [(4, 4), (5, 3), (2, 6), (3, 1), (1, 4)])
def test_matching_is_the_best_of_all_pairings(seed, n_true, n_pred):
    true, pred = noise(seed, n_true, n_pred)
    segments, clusters = np.unique(true), np.unique(pred)
    count = {(s, k): np.sum((true == s) & (pred == k)) for s in segments for k in clusters}
    best_count = plain_best_pairing(count, segments, clusters)
    best_iou = plain_best_pairing(plain_table(true, pred), segments, clusters)
    assert metrics.matched_accuracy(true, pred) == pytest.approx(best_count / true.size)
    assert metrics.matched_miou(true, pred) == pytest.approx(best_iou / len(segments))


def test_counts_and_iou_disagree_by_hand():
    #            cluster 0   cluster 1
    # class 0           40          29      by count 40 + 0 = 40 beats 29 + 10 = 39
    # class 1           10           0      by IoU   40/79 = .506 loses against 29/69 + 10/50 = .620
    true = np.repeat([0, 0, 1], [40, 29, 10])
    pred = np.repeat([0, 1, 0], [40, 29, 10])
    assert metrics.match(true, pred, by="count")[1].tolist() == [0, 1]
    assert metrics.match(true, pred, by="iou")[1].tolist() == [1, 0]
    assert metrics.matched_accuracy(true, pred) == pytest.approx(40 / 79)
    assert metrics.matched_accuracy(true, pred, by="iou") == pytest.approx(39 / 79)
    assert metrics.matched_miou(true, pred) == pytest.approx((29 / 69 + 10 / 50) / 2)
    assert metrics.matched_miou(true, pred, by="count") == pytest.approx(40 / 79 / 2)


def test_fewer_clusters_than_classes_leave_classes_at_zero():
    true = np.repeat([0, 1, 2, 3, 4], 2)
    pred = np.repeat([0, 1, 2], [2, 2, 6])
    assert metrics.matched_miou(true, pred) == pytest.approx((1 + 1 + 1 / 3 + 0 + 0) / 5)
    assert metrics.matched_accuracy(true, pred) == pytest.approx(6 / 10)


def test_extra_clusters_keep_their_pixels_from_the_classes():
    true = np.repeat([0, 1], 6)
    pred = np.array([0, 0, 0, 0, 2, 3, 1, 1, 1, 4, 5, 5])
    assert metrics.matched_miou(true, pred) == pytest.approx((4 / 6 + 3 / 6) / 2)
    assert metrics.matched_accuracy(true, pred) == pytest.approx(7 / 12)


def test_match_names_labels_that_occur_only():
    rows, cols = metrics.match(np.array([2, 2, 9, 9]), np.array([5, 5, 7, 7]))
    assert (rows.tolist(), cols.tolist()) == ([2, 9], [5, 7])


def test_relabel_gives_the_truth_back_after_any_renaming(seed):
    true, _ = noise(seed)
    names = np.random.default_rng(seed).permutation(40)[:4]
    np.testing.assert_array_equal(metrics.relabel(true, names[true]), true)


def test_relabel_keeps_the_partition_when_clusters_are_left_over(seed):
    true, pred = noise(seed, n_true=3, n_pred=6)
    new = metrics.relabel(true, pred)
    assert metrics.variation_of_information(pred, new) == 0
    assert sorted(np.unique(new)) == list(range(6))
    assert np.mean(new == true) == pytest.approx(metrics.matched_accuracy(true, pred, by="iou"))


def test_unknown_way_to_match():
    with pytest.raises(ValueError, match='"iou" or "count", got \'pixels\''):
        metrics.match([0, 1], [0, 1], by="pixels")


# --- Best matches and covering ---------------------------------------------------------------------------------------


def test_best_match_table_like_masks(seed):
    true, pred = noise(seed)
    iou, table = plain_table(true, pred), metrics.best_match_table(true, pred)
    assert table.cluster.tolist() == np.unique(pred).tolist()
    for k, size, s, value in zip(table.cluster, table.size, table.segment, table.iou, strict=True):
        assert size == np.sum(pred == k)
        assert value == pytest.approx(iou[s, k])
        assert value == pytest.approx(max(iou[t, k] for t in np.unique(true)))
    assert metrics.best_cluster_iou(true, pred) == table.best == table.iou.max()
    assert metrics.mean_cluster_iou(true, pred) == table.mean == table.iou.mean()


def test_readings_of_the_paper_by_hand():
    true = np.repeat([1, 2], [6, 4])
    pred = np.repeat([0, 1, 2], [6, 2, 2])  # one cluster fits, two halve the other segment
    table = metrics.best_match_table(true, pred)
    assert table.iou.tolist() == [1.0, 0.5, 0.5]
    assert table.segment.tolist() == [1, 2, 2]
    assert metrics.best_cluster_iou(true, pred) == 1.0
    assert metrics.mean_cluster_iou(true, pred) == pytest.approx(2 / 3)
    assert metrics.covering(true, pred) == pytest.approx(0.6 * 1 + 0.4 * 0.5)
    assert str(table).splitlines()[1].split() == ["0", "6", "1", "1.00"]


def test_covering_like_masks(seed):
    true, pred = noise(seed)
    assert metrics.covering(true, pred) == pytest.approx(plain_covering(true, pred))


def test_covering_is_about_the_true_segments():
    true, pred = np.array([0, 0, 0, 1]), np.array([5, 5, 5, 5])
    assert metrics.covering(true, pred) == pytest.approx(10 / 16)
    assert metrics.covering(pred, true) == pytest.approx(3 / 4)


# --- Variation of information, ARI, NMI ------------------------------------------------------------------------------


def test_vi_like_entropies(seed):
    true, pred = noise(seed)
    assert metrics.variation_of_information(true, pred) == pytest.approx(plain_vi(true.ravel(), pred.ravel()))


def test_vi_is_the_sum_of_the_two_parts_of_scikit_image(seed):
    skimage_metrics = pytest.importorskip("skimage.metrics")
    true, pred = noise(seed)
    parts = skimage_metrics.variation_of_information(true, pred, ignore_labels=())
    assert metrics.variation_of_information(true, pred) == pytest.approx(sum(parts))


def test_vi_is_a_metric_on_partitions(seed):
    (a, b), (c, d) = noise(seed), noise(seed + 1)
    vi = metrics.variation_of_information
    for x, y, z in permutations((a, b, c, d), 3):
        assert vi(x, x) == 0
        assert vi(x, y) > 0
        assert vi(x, y) == pytest.approx(vi(y, x))
        assert vi(x, y) + vi(y, z) >= vi(x, z) - 1e-12
        assert vi(x, y) <= np.log2(x.size)


def test_vi_is_largest_between_one_segment_and_single_pixels():
    assert metrics.variation_of_information(np.zeros(64, int), np.arange(64)) == pytest.approx(6.0)


def test_independent_labels_share_nothing():
    rows, cols = np.indices((8, 8))
    assert metrics.nmi(rows, cols) == pytest.approx(0.0, abs=1e-12)
    assert metrics.ari(rows, cols) < 0.01
    assert metrics.variation_of_information(rows, cols) == pytest.approx(6.0)  # 3 bits each way


def test_ari_counts_pairs(seed):
    true, pred = noise(seed, shape=(5, 6))
    t, p = true.ravel(), pred.ravel()
    i, j = np.triu_indices(len(t), 1)
    same_t, same_p = t[i] == t[j], p[i] == p[j]
    both, chance = np.sum(same_t & same_p), same_t.sum() * same_p.sum() / len(i)
    expected = (both - chance) / ((same_t.sum() + same_p.sum()) / 2 - chance)
    assert metrics.ari(true, pred) == pytest.approx(expected)


def test_nmi_from_entropies(seed):
    true, pred = (labels.ravel() for labels in noise(seed))
    h_true, h_pred = entropy(true), entropy(pred)
    shared = (h_true + h_pred - plain_vi(true, pred)) / 2
    assert metrics.nmi(true, pred) == pytest.approx(shared / ((h_true + h_pred) / 2))


# --- Laws for all scores of partitions -------------------------------------------------------------------------------


@by_name
def test_names_of_the_labels_do_not_matter(score, seed):
    true, pred = noise(seed)
    rng = np.random.default_rng(seed)
    new_true, new_pred = rng.permutation(9)[true], rng.permutation(9)[pred]
    assert score(new_true, new_pred) == pytest.approx(score(true, pred))


@by_name
def test_places_of_the_pixels_do_not_matter(score, seed):
    true, pred = noise(seed)
    order = np.random.default_rng(seed).permutation(true.size)
    assert score(true.ravel()[order], pred.ravel()[order]) == pytest.approx(score(true, pred))


@by_name
def test_the_truth_itself_is_perfect(score, seed):
    true, pred = noise(seed)
    perfect = 0.0 if score is metrics.variation_of_information else 1.0
    assert score(true, true + 3) == pytest.approx(perfect, abs=1e-12)
    assert score(true, pred) != pytest.approx(perfect, abs=0.05)


@by_name
def test_ignored_pixels_could_as_well_be_cut_out(score, seed):
    true, pred = noise(seed)
    holes = np.random.default_rng(seed).random(true.shape) < 0.3
    marked = np.where(holes, 255, true).astype(np.uint8)
    pred = np.where(holes, 9, pred)  # a cluster that lives only where nobody looks
    assert score(marked, pred, ignore=255) == pytest.approx(score(true[~holes], pred[~holes]))
    marked = np.where(holes, -1, true)
    assert score(marked, pred, ignore=-1) == pytest.approx(score(true[~holes], pred[~holes]))


@by_name
def test_an_image_that_is_ignored_altogether_scores_nan(score):
    assert np.isnan(score(np.full((3, 3), 255, np.uint8), np.arange(9).reshape(3, 3), ignore=255))


def test_tables_of_an_image_that_is_ignored_altogether_are_empty():
    true, pred = np.full((3, 3), 255, np.uint8), np.ones((3, 3), np.uint8)
    assert metrics.confusion(true, pred, ignore=255).shape == (0, 0)
    assert metrics.confusion(true, pred, ignore=255, shape=(2, 3)).tolist() == [[0] * 3] * 2
    assert metrics.iou_matrix(true, pred, ignore=255).shape == (0, 0)
    assert [len(x) for x in metrics.match(true, pred, ignore=255)] == [0, 0]
    assert len(metrics.best_match_table(true, pred, ignore=255).iou) == 0
    assert np.isnan(metrics.foreground_iou(true, pred, ignore=255))


@by_name
def test_inputs_are_left_alone(score, seed):
    true, pred = noise(seed)
    before = true.copy(), pred.copy()
    score(true, pred, ignore=1)
    np.testing.assert_array_equal(true, before[0])
    np.testing.assert_array_equal(pred, before[1])


# --- Boundaries ------------------------------------------------------------------------------------------------------


def blocks(seed, shape=(40, 50), n=5):
    """Label map of compact segments."""
    rng = np.random.default_rng(seed)
    centers = rng.random((n, 2)) * shape
    points = np.stack(np.indices(shape), axis=-1)[:, :, None]
    return ((points - centers) ** 2).sum(-1).argmin(-1)


def test_boundary_map_by_hand():
    labels = np.array([[1, 1, 2], [1, 1, 2], [3, 3, 3]])
    thick = [[0, 1, 0], [1, 1, 1], [0, 0, 0]]
    assert metrics.boundary_map(labels, thin=False).astype(int).tolist() == thick
    assert not metrics.boundary_map(np.ones((4, 4), int)).any()


def test_thinning_keeps_a_subset_of_the_lines(seed):
    labels = blocks(seed)
    thick, thin = metrics.boundary_map(labels, thin=False), metrics.boundary_map(labels)
    assert not (thin & ~thick).any()
    assert 0 < thin.sum() < thick.sum()


def test_one_to_one_matching_is_the_largest_there_is(seed):
    rng = np.random.default_rng(seed)
    for m, n in ((30, 40), (1, 7), (25, 25), (12, 3)):
        a, b = rng.integers(0, 20, (m, 2)), rng.integers(0, 20, (n, 2))
        near = np.linalg.norm(a[:, None] - b[None], axis=2) <= 2.5
        size = near[linear_sum_assignment(near, maximize=True)].sum()
        hit_a, hit_b = metrics._largest_matching(a, b, 2.5)
        assert hit_a.sum() == hit_b.sum() == size
        assert (near.any(axis=1) | ~hit_a).all() and (near.any(axis=0) | ~hit_b).all()


def test_nearest_pairing_like_all_distances(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 30, (20, 2)), rng.integers(0, 30, (25, 2))
    near = np.linalg.norm(a[:, None] - b[None], axis=2) <= 3
    hit_a, hit_b = metrics._nearest(a, b, 3)
    assert hit_a.tolist() == near.any(axis=1).tolist()
    assert hit_b.tolist() == near.any(axis=0).tolist()


def test_a_line_moved_within_and_beyond_the_tolerance():
    true, near, far = np.zeros((3, 60, 80), int)  # diagonal 100: tolerance .03 is 3 pixels
    true[:, 40:], near[:, 43:], far[:, 44:] = 1, 1, 1
    assert metrics.boundary_f(true, near, tolerance=0.03) == 1.0
    assert metrics.boundary_f(true, far, tolerance=0.03) == 0.0


def test_a_doubled_line_is_paid_once_only_with_one_to_one_partners():
    true, double = np.zeros((2, 60, 80), int)
    true[:, 40:] = 1
    double[:, 39:41], double[:, 41:] = 1, 2  # lines in columns 38 and 40, around the true one in column 39
    exact = metrics.boundary_scores(true, double, tolerance=0.02)
    loose = metrics.boundary_scores(true, double, tolerance=0.02, one_to_one=False)
    assert exact.recall == loose.recall == loose.precision == 1.0
    assert exact.precision == 0.5
    assert exact.f == pytest.approx(2 / 3)


def test_boundary_scores_grow_with_the_tolerance_and_pairing_freely_is_never_worse(seed):
    true, pred = blocks(seed), blocks(seed + 1)
    last = -1.0
    for tolerance in (0.0, 0.01, 0.03, 0.1):
        exact = metrics.boundary_scores(true, pred, tolerance=tolerance)
        loose = metrics.boundary_scores(true, pred, tolerance=tolerance, one_to_one=False)
        assert last <= exact.f <= loose.f + 1e-12
        assert exact.precision <= loose.precision and exact.recall <= loose.recall
        last = exact.f
    assert metrics.boundary_scores(true, true + 4) == (1.0, 1.0, 1.0)


def test_precision_and_recall_change_places(seed):
    true, pred = blocks(seed), blocks(seed + 1, n=8)
    f, precision, recall = metrics.boundary_scores(true, pred, tolerance=0.02)
    assert metrics.boundary_scores(pred, true, tolerance=0.02) == pytest.approx((f, recall, precision))


def test_no_boundaries():
    flat, split = np.zeros((20, 20), int), np.zeros((20, 20), int)
    split[:, 10:] = 1
    assert metrics.boundary_scores(flat, flat) == (1.0, 1.0, 1.0)
    assert metrics.boundary_scores(split, flat) == (0.0, 0.0, 0.0)
    assert metrics.boundary_scores(flat, split) == (0.0, 0.0, 0.0)


def test_several_annotators_confirm_together():
    truths = np.zeros((2, 60, 80), int)
    truths[0, :, 20:], truths[1, :, 60:] = 1, 1
    pred = np.digitize(np.indices((60, 80))[1], [20, 60])  # both lines
    assert metrics.boundary_scores(truths, pred) == (1.0, 1.0, 1.0)
    assert metrics.boundary_scores(truths[0], pred) == pytest.approx((2 / 3, 0.5, 1.0))
    one_line = truths[0]
    assert metrics.boundary_scores(truths, one_line) == pytest.approx((2 / 3, 1.0, 0.5))


@pytest.mark.parametrize("tolerance", [4, -0.1, np.array([0.1])])
def test_tolerance_is_a_fraction(tolerance):
    with pytest.raises(ValueError, match="fraction of the image diagonal"):
        metrics.boundary_f(np.zeros((4, 4), int), np.zeros((4, 4), int), tolerance=tolerance)


def test_boundaries_need_an_image_plane():
    with pytest.raises(ValueError, match=r"pred \(h, w\), got \(16,\) and \(16,\)"):
        metrics.boundary_f(np.zeros(16, int), np.zeros(16, int))
    with pytest.raises(ValueError, match=r"got \(4, 5\) and \(5, 4\)"):
        metrics.boundary_f(np.zeros((4, 5), int), np.zeros((5, 4), int))
    with pytest.raises(ValueError, match=r"labels must have shape \(h, w\)"):
        metrics.boundary_map(np.zeros(16, int))


# --- Foreground and annotators ---------------------------------------------------------------------------------------


def test_foreground_iou_like_masks(seed):
    true, pred = (labels > 2 for labels in noise(seed))
    expected = plain_iou(true, pred)
    assert metrics.foreground_iou(true, pred) == pytest.approx(expected)
    assert metrics.foreground_iou(true * np.uint8(255), pred.astype(int)) == pytest.approx(expected)


def test_foreground_iou_of_empty_masks():
    empty, full = np.zeros((3, 3), bool), np.ones((3, 3), bool)
    assert metrics.foreground_iou(empty, empty) == 1.0
    assert metrics.foreground_iou(empty, full) == metrics.foreground_iou(full, empty) == 0.0


def test_foreground_accuracy_like_masks(seed):
    true, pred = (labels > 2 for labels in noise(seed))
    same = sum(t == p for t, p in zip(true.ravel(), pred.ravel(), strict=True)) / true.size
    assert metrics.foreground_accuracy(true, pred) == pytest.approx(same)
    assert metrics.foreground_accuracy(true * np.uint8(255), pred.astype(int)) == pytest.approx(same)
    assert metrics.foreground_accuracy(true, ~true) == 0.0


def test_foreground_accuracy_leaves_out_what_is_ignored():
    true, pred = np.array([0, 1, 9, 9]), np.array([0, 0, 0, 1])
    assert metrics.foreground_accuracy(true, pred, ignore=9) == 0.5
    assert np.isnan(metrics.foreground_accuracy(np.full(3, 9), np.zeros(3, int), ignore=9))


def plain_f(true, score, beta2, levels):
    """Precision and recall of one mask after the other."""
    values = []
    for i in range(levels):
        mask = score > i / levels
        hit = (mask & true).sum()
        precision, recall = hit / max(mask.sum(), 1), hit / max(true.sum(), 1)
        values.append((1 + beta2) * precision * recall / (beta2 * precision + recall) if hit else 0.0)
    return values


def test_f_curve_is_that_of_one_mask_after_the_other(seed):
    rng = np.random.default_rng(seed)
    true = rng.random((9, 11)) < 0.3
    score = np.clip(0.5 * true + 0.7 * rng.random(true.shape) - 0.1, 0, 1)
    for beta2, levels in ((0.3, 255), (1.0, 7)):
        got = metrics.f_curve(true, score, beta2=beta2, levels=levels)
        np.testing.assert_allclose(got, plain_f(true, score, beta2, levels))


def test_f_curve_of_a_mask_is_flat_and_that_of_nothing_is_zero(seed):
    true, pred = (labels > 2 for labels in noise(seed))
    hit = (true & pred).sum()
    expected = 1.3 * hit / (0.3 * true.sum() + pred.sum())
    np.testing.assert_allclose(metrics.f_curve(true, pred), expected)
    assert not metrics.f_curve(true, np.zeros(true.shape)).any()
    assert not metrics.f_curve(np.zeros((2, 2), bool), np.zeros((2, 2))).any()
    np.testing.assert_allclose(metrics.f_curve(true, true), 1.0)


def test_more_weight_on_recall_costs_masks_that_miss_much(seed):
    rng = np.random.default_rng(seed)
    true, score = rng.random(400) < 0.5, rng.random(400)
    careful = metrics.f_curve(true, score, beta2=0.1)[-20:]
    assert (metrics.f_curve(true, score, beta2=10)[-20:] <= careful).all()


def test_max_f_has_one_threshold_for_all_images():
    true = np.array([1, 0])
    bright, dark = np.array([0.9, 0.6]), np.array([0.3, 0.1])  # each is perfect at a threshold of its own
    assert metrics.max_f([true], [bright]) == metrics.max_f([true], [dark]) == 1.0
    # at .6 to .9 the dark image is empty; at .1 to .3 the bright one is all foreground: F = 1.3 / (0.3 + 2)
    assert metrics.max_f([true, true], [bright, dark]) == pytest.approx((1 + 1.3 / 2.3) / 2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: metrics.f_curve(np.zeros((2, 3), int), np.zeros((3, 2))), "same shape"),
        (lambda: metrics.f_curve(np.zeros(0, int), np.zeros(0)), "a pixel"),
        (lambda: metrics.f_curve([0, 1], [0.0, 1.5]), "between 0 and 1, got values from 0 to 1.5"),
        (lambda: metrics.f_curve([0, 1], [0.0, np.nan]), "between 0 and 1"),
        (lambda: metrics.f_curve([0, 1], [0.0, 1.0], beta2=0), "beta2 must be above 0"),
        (lambda: metrics.f_curve([0, 1], [0.0, 1.0], levels=0), "levels at least 1"),
        (lambda: metrics.max_f([[0, 1]], []), "one pair for each image, got 1 and 0"),
        (lambda: metrics.max_f([], []), "got 0 and 0"),
    ],
)
def test_f_refuses(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_annotators_one_by_one(seed):
    truths = np.stack([noise(seed + i, n_true=2 + i)[0] for i in range(4)])
    _, pred = noise(seed)
    for metric in (metrics.covering, metrics.variation_of_information, partial(metrics.matched_miou, by="count")):
        each = [metric(truth, pred) for truth in truths]
        assert metrics.against_annotators(metric, truths, pred, reduce=None).tolist() == each
        assert metrics.against_annotators(metric, truths, pred) == pytest.approx(np.mean(each))
        best = min(each) if metric is metrics.variation_of_information else max(each)
        assert metrics.against_annotators(metric, list(truths), pred, reduce="best") == best
    smallest = metrics.against_annotators(partial(metrics.variation_of_information), truths, pred, reduce="best")
    assert smallest == metrics.against_annotators(metrics.variation_of_information, truths, pred, reduce="best")


def test_options_reach_the_metric(seed):
    true, pred = noise(seed)
    got = metrics.against_annotators(metrics.covering, true[None], pred, ignore=0)
    assert got == metrics.covering(true, pred, ignore=0)


def test_annotators_refused():
    flat = np.zeros((4, 4), int)
    with pytest.raises(ValueError, match=r"write truths\[None\]"):
        metrics.against_annotators(metrics.covering, flat, flat)
    with pytest.raises(ValueError, match="at least one annotator"):
        metrics.against_annotators(metrics.covering, [], flat)
    with pytest.raises(ValueError, match='"mean", "best" or None'):
        metrics.against_annotators(metrics.covering, flat[None], flat, reduce="max")


# --- What may not come in --------------------------------------------------------------------------------------------

EVERY = (*SCORES, *TABLES, metrics.foreground_iou)


@pytest.mark.parametrize("function", EVERY, ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    ("true", "pred", "error", "text"),
    [
        (np.zeros((4, 6), int), np.zeros((6, 4), int), ValueError, "transposed"),
        (np.zeros((4, 6), int), np.zeros(24, int), ValueError, "labels.reshape(h, w)"),
        (np.zeros((4, 6), int), np.zeros((4, 6, 3), np.uint8), ValueError, "color image"),
        (np.zeros((5, 4, 6), int), np.zeros((4, 6), int), ValueError, "against_annotators"),
        (np.zeros((4, 6), int), np.zeros((2, 3), int), ValueError, "nearest-neighbor"),
        (np.zeros((0, 6), int), np.zeros((0, 6), int), ValueError, "empty"),
        (np.zeros(4), np.zeros(4, int), TypeError, "true must hold integer labels, got dtype float64"),
        (np.zeros(4, int), np.full(4, np.nan), TypeError, "pred must hold integer labels"),
        (np.zeros(2, int), np.array(["sky", "sea"]), TypeError, "pred must hold integer labels, got dtype <U3"),
        (np.array([0, -1]), np.array([0, 1]), ValueError, "pass ignore=-1"),
        (np.array([0, 1]), np.array([0, -2]), ValueError, "pred holds the negative label -2"),
    ],
)
def test_bad_input_is_named(function, true, pred, error, text):
    with pytest.raises(error, match=re.escape(text)):
        function(true, pred)


def test_ids_instead_of_labels_are_refused_before_memory_runs_out():
    ids = np.array([0, 2_000_000_000])
    with pytest.raises(ValueError, match=re.escape("np.unique(labels, return_inverse=True)[1]")):
        metrics.covering(ids, ids)


def test_shape_too_small_for_the_labels():
    with pytest.raises(ValueError, match=r"pred holds label 4, but shape=\(2, 4\) has room for 0..3"):
        metrics.confusion([0, 1], [4, 0], shape=(2, 4))


@pytest.mark.parametrize("function", EVERY, ids=lambda f: f.__name__)
def test_true_comes_first_and_the_rest_by_name(function):
    parameters = list(inspect.signature(function).parameters.values())
    assert [p.name for p in parameters[:2]] == ["true", "pred"]
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters[2:])


# --- Real annotators -------------------------------------------------------------------------------------------------


def test_people_agree_on_bsds(data_dir):
    """Over 34 images people reach covering .72, VI 1.17 bits, boundary F .78; these are 12, so the bounds are wide."""
    archive = data_dir / "bsds500" / "bsds500_val.zip"
    if not archive.is_file():
        pytest.skip("bsds500_val.zip is not there")
    ids = (data_dir / "bsds500" / "bsds300_iids_test.txt").read_text().split()[::8][:12]
    scores = {"covering": [], "vi": [], "f": [], "one segment": []}
    with zipfile.ZipFile(archive) as z:
        for name in ids:
            truths = np.load(io.BytesIO(z.read(f"gt/{name}.npz")))["segs"]
            person, others = truths[0], truths[1:]
            scores["covering"].append(metrics.against_annotators(metrics.covering, others, person))
            scores["vi"].append(metrics.against_annotators(metrics.variation_of_information, others, person))
            scores["f"].append(metrics.boundary_f(others, person))
            scores["one segment"].append(metrics.against_annotators(metrics.covering, others, np.zeros_like(person)))
    mean = {name: np.mean(values) for name, values in scores.items()}
    assert 0.62 < mean["covering"] < 0.82
    assert 0.8 < mean["vi"] < 1.6
    assert 0.70 < mean["f"] < 0.88
    assert mean["one segment"] < 0.4
