"""Checks and named mistakes of lesson 01, grouping and how to score it.

Most tasks take the table of counts, not the label maps: a slip in the first task costs nothing in the fourth.
Inputs are drawn until the truth and the mistakes all give different answers (`telling`), so every seed catches and
names every mistake. No check can be passed by a table of answers: each one asks at least one question that no other
seed has asked. SciPy is not imported here, because the import alone takes longer than all these checks together.

Notation: S true segments, K clusters, table (S, K) of counts.
"""

from __future__ import annotations

from functools import cache
from itertools import permutations

import numpy as np

from autograder import expect
from autograder.lesson import Lesson
from autograder.student import StudentError
from unseg_helpers import datasets

lesson = Lesson("01_grouping")


# --- Inputs that tell the mistakes apart -----------------------------------------------------------------------------


def telling(rng, task, truth, draw, *, quiet=(), also=lambda *inputs: True):
    """Draw inputs until the truth and the task's mistakes, except the quiet ones, all answer differently."""
    functions = [truth, *(m.function for m in lesson.mistakes if m.task == task and m.function not in quiet)]
    for _ in range(2000):
        inputs = draw(rng)
        answers = [_answer(function, inputs) for function in functions]
        if also(*inputs) and not any(_alike(a, b) for i, a in enumerate(answers) for b in answers[:i]):
            return inputs
    raise RuntimeError(f"no input tells the mistakes of {task} apart")


def _answer(function, inputs):
    with np.errstate(all="ignore"):
        result = function(*inputs)
    return [np.asarray(part, dtype=float) for part in (result if isinstance(result, tuple) else (result,))]


def _alike(a, b):
    return len(a) == len(b) and all(
        u.shape == v.shape and np.allclose(u, v, rtol=1e-3, atol=1e-3, equal_nan=True)
        for u, v in zip(a, b, strict=True)
    )


def blocks(rng, shape, n):
    """Label map of n straight-edged cells around random points; every label occurs."""
    points = np.stack([rng.permutation(side)[:n] for side in shape], axis=1)  # (n, 2)
    at = np.stack(np.indices(shape), axis=-1)  # (h, w, 2)
    return ((at[:, :, None] - points) ** 2).sum(axis=-1).argmin(axis=-1)  # each point is in its own cell


def counts(rng, n_true, n_pred, empty=0.0):
    """Table of counts in which every row and column has pixels; a share of the cells is empty."""
    while True:
        table = rng.integers(1, 40, size=(n_true, n_pred)) * rng.integers(1, 4, size=(n_true, 1))
        table[rng.random(table.shape) < empty] = 0
        if table.any(axis=0).all() and table.any(axis=1).all():
            return table


def number(value, expected, *, name, hint):
    """One number, as a float or as an array of one element."""
    got = expect.array(value, name=name)
    if got.size != 1:
        raise expect.Unmet(f"{name} has shape {got.shape}; expected one number", hint)
    expect.close(got.reshape(()), expected, rtol=1e-5, name=name, hint=hint)


# --- The truth: short and plain, written apart from the solution and from unseg_helpers ------------------------------


def true_confusion(true, pred):
    rows, columns = int(true.max()) + 1, int(pred.max()) + 1
    pairs = np.ravel_multi_index((true.ravel(), pred.ravel()), (rows, columns))
    return np.bincount(pairs, minlength=rows * columns).reshape(rows, columns)


def unions(table):
    return table.sum(axis=1, keepdims=True) + table.sum(axis=0) - table


def true_iou(table):
    return np.where(unions(table) > 0, table / np.maximum(unions(table), 1), 0.0)


@cache
def all_pairings(n_rows, n_cols):
    """Every way to give each row a column of its own: (ways, n_rows)."""
    return np.array(list(permutations(range(n_cols), n_rows)))


def matching(weight, maximize=True):
    """Rows and columns of the best pairs, one to one. All are tried: these tables are small."""
    if weight.shape[0] > weight.shape[1]:
        return matching(weight.T, maximize)[::-1]
    rows, ways = np.arange(len(weight)), all_pairings(*weight.shape)
    sums = weight[rows, ways].sum(axis=1)
    return rows, ways[sums.argmax() if maximize else sums.argmin()]


def paired(table, weight, maximize=True):
    """IoU of the best pairs by some weight."""
    return true_iou(table)[matching(weight, maximize)]


def true_miou(table):
    return paired(table, true_iou(table)).sum() / np.count_nonzero(table.sum(axis=1))


def true_best(table):
    iou = true_iou(table)
    return table.sum(axis=0), iou.argmax(axis=0), iou.max(axis=0)


def true_covering(table):
    return (table.sum(axis=1) * true_iou(table).max(axis=1)).sum() / table.sum()


def entropy(table):
    p = table[table > 0] / table.sum()
    return -(p * np.log2(p)).sum()


def true_vi(table):
    return 2 * entropy(table) - entropy(table.sum(axis=1)) - entropy(table.sum(axis=0))


def true_boundary_map(labels):
    padded = np.pad(labels, ((0, 1), (0, 1)), mode="edge")
    return (labels != padded[1:, :-1]) | (labels != padded[:-1, 1:]) | (labels != padded[1:, 1:])


def near(pixels, radius, distance=np.hypot):
    """Places within the radius of a pixel: the map, laid down once at each place of a disk."""
    reach, (h, w) = int(radius), pixels.shape
    padded, result = np.pad(pixels, reach), np.zeros((h, w), dtype=bool)
    for y, x in np.ndindex(2 * reach + 1, 2 * reach + 1):
        if distance(y - reach, x - reach) <= radius:
            result |= padded[y : y + h, x : x + w]
    return result


def hits(edges, others, radius):
    """Share of the edge pixels with one of the others within the radius."""
    return near(others, radius)[edges].mean()


def harmonic(precision, recall):
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def true_boundary_f(true_edges, pred_edges, radius):
    if not true_edges.any() or not pred_edges.any():
        return float(true_edges.any() == pred_edges.any())
    return harmonic(hits(pred_edges, true_edges, radius), hits(true_edges, pred_edges, radius))


def ranked(truths, candidates, score=true_covering, reduce=np.mean, sign=-1):
    scores = np.array([reduce([score(true_confusion(t, c)) for t in truths]) for c in candidates])
    return scores, np.argsort(sign * scores)


# --- confusion -------------------------------------------------------------------------------------------------------


@lesson.check("confusion", points=5)
def counts_every_pair(student, rng):
    """Pixels of every pair of labels."""
    draw = lambda rng: (blocks(rng, (12, 15), 3), blocks(rng, (12, 15), 5))  # noqa: E731
    true, pred = telling(rng, "confusion", true_confusion, draw, quiet=(overflow, squeezed))
    table = student.confusion(true, pred)
    expect.shape(table, (3, 5), hint="one row for each true label, one column for each cluster")
    expect.equal(table, true_confusion(true, pred), hint="the key of a pixel is true * K + pred, with K columns")
    expect.inputs_unchanged(student)


@lesson.check("confusion", points=3)
def labels_that_do_not_occur(student, rng):
    """A label without pixels has a row of zeros."""

    def draw(rng):
        true, pred = blocks(rng, (9, 14), 4), blocks(rng, (9, 14), 3)
        return np.array([0, 1, 3, 4])[true], np.array([0, 2, 5])[pred]

    true, pred = telling(rng, "confusion", true_confusion, draw, quiet=(overflow,))
    table = student.confusion(true, pred)
    hint = "sizes are the largest labels plus one; np.bincount needs minlength=S * K when the last pairs are empty"
    expect.shape(table, (5, 6), hint=hint)
    expect.equal(table, true_confusion(true, pred), hint=hint)


@lesson.check("confusion", points=2)
def labels_of_one_byte(student, rng):
    """Labels of type uint8, as they come from PNG files."""

    def draw(rng):
        true, pred = blocks(rng, (40, 50), 21), blocks(rng, (40, 50), 25)
        return true.astype(np.uint8), pred.astype(np.uint8)

    true, pred = telling(rng, "confusion", true_confusion, draw, quiet=(squeezed,))
    hint = "uint8 ends at 255, then it starts again at 0: true.astype(int) before you multiply"
    try:
        table = student.confusion(true, pred)
    except StudentError as error:  # keys or sizes that overflow often end so
        error.hint = error.hint or (hint if error.type in ("ValueError", "IndexError") else None)
        raise
    expect.shape(table, (21, 25), hint=hint)
    expect.equal(table, true_confusion(true, pred), hint=hint)


@lesson.mistake(
    "confusion",
    "rows and columns are exchanged: true labels belong in rows",
    see="confusion(np.array([0, 0]), np.array([0, 1])) has one row and two columns",
)
def transposed(true, pred):
    return true_confusion(true, pred).T


@lesson.mistake(
    "confusion",
    "table[true, pred] += 1 adds 1 once for each pair, however often the pair occurs",
    see="print(table.sum()): it must be the number of pixels; np.add.at or np.bincount count every pixel",
)
def each_pair_once(true, pred):
    return (true_confusion(true, pred) > 0).astype(int)


@lesson.mistake(
    "confusion",
    "the true label is multiplied by the number of rows instead of the number of columns, so that pairs share a key",
    see="with 3 true labels and 5 clusters the pairs (0, 4) and (1, 1) must not have the same key",
)
def rows_as_stride(true, pred):
    n_true, n_pred = int(true.max()) + 1, int(pred.max()) + 1
    key = true.astype(int) * n_true + pred
    return np.bincount(key.ravel(), minlength=n_true * n_pred)[: n_true * n_pred].reshape(n_true, n_pred)


@lesson.mistake(
    "confusion",
    "the table is square: rows and columns are counted separately",
    see="3 true labels and 5 clusters make a table of shape (3, 5)",
)
def square(true, pred):
    table = true_confusion(true, pred)
    return np.pad(table, [(0, max(table.shape) - side) for side in table.shape])


@lesson.mistake(
    "confusion",
    "shares are returned instead of counts",
    see="print(table.sum()): it must be the number of pixels, not 1",
)
def shares(true, pred):
    return true_confusion(true, pred) / true.size


@lesson.mistake(
    "confusion",
    "labels without pixels have no row, so later labels slip into the wrong one",
    see="confusion(np.array([0, 2]), np.array([0, 0])) has three rows; the middle one is 0",
)
def squeezed(true, pred):
    return true_confusion(np.unique(true, return_inverse=True)[1], np.unique(pred, return_inverse=True)[1])


@lesson.mistake(
    "confusion",
    "keys overflow: they are computed in uint8, which ends at 255",
    see="print((np.uint8([20]) * 25 + 20)): it must be 520; convert with .astype(int) first",
)
def overflow(true, pred):
    n_true, n_pred = int(true.max()) + 1, int(pred.max()) + 1
    key = (true.astype(int) * n_pred + pred).astype(true.dtype)
    return np.bincount(key.ravel(), minlength=n_true * n_pred).reshape(n_true, n_pred)


# --- iou_matrix ------------------------------------------------------------------------------------------------------


@lesson.check("iou_matrix", points=7)
def overlap_over_union(student, rng):
    """Intersection over union of every pair."""
    draw = lambda rng: (counts(rng, 4, 5, empty=0.2),)  # noqa: E731
    (table,) = telling(rng, "iou_matrix", true_iou, draw, quiet=(zero_by_zero,))
    iou = student.iou_matrix(table)
    expect.shape(iou, table.shape)
    expect.close(
        iou, true_iou(table), rtol=1e-5, hint="|A ∪ B| = |A| + |B| - |A ∩ B|; sizes are sums of rows and columns"
    )
    expect.inputs_unchanged(student)


@lesson.check("iou_matrix", points=3)
def pairs_without_pixels(student, rng):
    """Labels that do not occur have IoU 0."""

    def draw(rng):
        table = np.zeros((6, 5), dtype=int)
        rows, cols = rng.permutation(6)[:4], rng.permutation(5)[:3]
        table[np.ix_(rows, cols)] = counts(rng, 4, 3, empty=0.2)
        return (table,)

    (table,) = telling(rng, "iou_matrix", true_iou, draw)
    iou = student.iou_matrix(table)
    expect.shape(iou, table.shape)
    hint = "0 / 0 is NaN: divide by np.maximum(union, 1), an empty union has no common pixels anyway"
    expect.finite(iou, hint=hint)
    expect.close(iou, true_iou(table), rtol=1e-5, hint=hint)


@lesson.mistake(
    "iou_matrix",
    "the union counts the common pixels twice: subtract the intersection once",
    see="iou_matrix(np.array([[7]])) must be 1: the two segments are the same",
)
def common_twice(table):
    return table / np.maximum(table.sum(axis=1, keepdims=True) + table.sum(axis=0), 1)


@lesson.mistake(
    "iou_matrix",
    "this is the Dice coefficient 2 |A ∩ B| / (|A| + |B|), not the IoU",
    see="half of a segment, nothing else: iou_matrix(np.array([[5], [5]])) must be 0.5, not 0.67",
)
def dice(table):
    return 2 * common_twice(table)


@lesson.mistake(
    "iou_matrix",
    "the intersection is divided by the true segment alone: that is the recall",
    see="one cluster over two halves: iou_matrix(np.array([[5], [5]])) must be 0.5, not 1",
)
def recall(table):
    return table / np.maximum(table.sum(axis=1, keepdims=True), 1)


@lesson.mistake(
    "iou_matrix",
    "the intersection is divided by the cluster alone: that is the precision",
    see="one segment in two halves: iou_matrix(np.array([[5, 5]])) must be 0.5, not 1",
)
def precision(table):
    return table / np.maximum(table.sum(axis=0), 1)


@lesson.mistake(
    "iou_matrix",
    "// divides and drops what is behind the decimal point; / keeps it",
    see="print(iou_matrix(np.array([[5, 5]]))): it must be 0.5 twice, not 0",
)
def whole_numbers(table):
    return table // np.maximum(unions(table), 1)


@lesson.mistake(
    "iou_matrix",
    "labels that do not occur give 0 / 0, which is NaN",
    see="print(iou_matrix(np.array([[3, 0], [0, 0]]))): three of the four values are 0",
)
def zero_by_zero(table):
    with np.errstate(invalid="ignore"):
        return table / unions(table)


# --- matched_miou ----------------------------------------------------------------------------------------------------

MIOU_HINT = "rows, cols = linear_sum_assignment(iou, maximize=True), then the sum of iou[rows, cols] over the classes"


@lesson.check("matched_miou", points=6, uses=("iou_matrix",))
def best_pairs(student, rng):
    """As many clusters as classes."""
    draw = lambda rng: (counts(rng, 4, 4),)  # noqa: E731
    (table,) = telling(rng, "matched_miou", true_miou, draw, quiet=(pairs_only, longer_side, absent_classes))
    number(student.matched_miou(table), true_miou(table), name="the mean IoU", hint=MIOU_HINT)


@lesson.check("matched_miou", points=3, uses=("iou_matrix",))
def more_and_fewer_clusters(student, rng):
    """More clusters than classes, and fewer."""
    quiet = {6: (pairs_only, absent_classes), 3: (longer_side, absent_classes)}
    hint = "divide by the number of true classes: a class without a cluster counts as 0, a spare cluster not at all"
    for n_true, n_pred in rng.permutation([(4, 6), (5, 3)]).tolist():
        draw = lambda rng, shape=(n_true, n_pred): (counts(rng, *shape),)  # noqa: E731
        (table,) = telling(rng, "matched_miou", true_miou, draw, quiet=quiet[n_pred])
        name = f"the mean IoU of {n_true} classes and {n_pred} clusters"
        number(student.matched_miou(table), true_miou(table), name=name, hint=hint)


@lesson.check("matched_miou", points=3, uses=("iou_matrix",))
def classes_that_do_not_occur(student, rng):
    """Classes without pixels do not count."""

    def with_empty_row(rng, n_pred):
        draw = lambda rng: (np.insert(counts(rng, 4, n_pred), rng.integers(5), 0, axis=0),)  # noqa: E731
        quiet = (pairs_only, longer_side)  # each of them is right, or gives what absent_classes gives
        return telling(rng, "matched_miou", true_miou, draw, quiet=quiet)[0]

    # Two calls before the verdict: with few clusters dividing by the longer side, with many dividing by the number of
    # pairs is the same as counting the absent class. No mistake is the same as another on both.
    tables = [with_empty_row(rng, n_pred) for n_pred in (4, 6)]
    values = [student.matched_miou(table) for table in tables]
    hint = "count the classes with pixels: (table.sum(axis=1) > 0).sum(); an empty row adds 0 to the sum anyway"
    for table, value in zip(tables, values, strict=True):
        name = f"the mean IoU of 4 classes (and one without pixels) and {table.shape[1]} clusters"
        number(value, true_miou(table), name=name, hint=hint)


@lesson.mistake(
    "matched_miou",
    "the worst pairs are chosen: linear_sum_assignment minimizes unless you say maximize=True",
    see="matched_miou(np.diag([5, 5])) must be 1",
)
def minimized(table):
    return paired(table, true_iou(table), maximize=False).sum() / np.count_nonzero(table.sum(axis=1))


@lesson.mistake(
    "matched_miou",
    "every class takes its best cluster, so one cluster can serve several classes",
    see="one cluster for two classes: matched_miou(np.array([[5], [5]])) must be 0.25, not 0.5",
)
def cluster_used_twice(table):
    return true_iou(table).max(axis=1).sum() / np.count_nonzero(table.sum(axis=1))


@lesson.mistake(
    "matched_miou",
    "clusters are matched by shared pixels instead of IoU",
    see="matched_miou(np.array([[40, 29], [10, 0]])) must be 0.31, with the pairs (0, 1) and (1, 0)",
)
def matched_by_count(table):
    return paired(table, table).sum() / np.count_nonzero(table.sum(axis=1))


@lesson.mistake(
    "matched_miou",
    "nothing is matched: cluster i is compared with class i, but the numbers of clusters mean nothing",
    see="matched_miou(np.array([[0, 5], [5, 0]])) must be 1: renaming the clusters makes it perfect",
)
def not_matched(table):
    return true_iou(table).diagonal().sum() / np.count_nonzero(table.sum(axis=1))


@lesson.mistake(
    "matched_miou",
    "classes without a cluster are left out of the mean; they must count as 0",
    see="one cluster for two classes: matched_miou(np.array([[5], [5]])) must be 0.25, not 0.5",
)
def pairs_only(table):
    return paired(table, true_iou(table)).mean()


@lesson.mistake(
    "matched_miou",
    "the sum is divided by the larger side of the table; only true classes count",
    see="one class, cut in two: matched_miou(np.array([[5, 5]])) must be 0.5, not 0.25",
)
def longer_side(table):
    return paired(table, true_iou(table)).sum() / max(table.shape)


@lesson.mistake(
    "matched_miou",
    "classes without a single pixel are counted as 0; they must be left out",
    see="matched_miou(np.array([[5], [0]])) must be 1: there is only one class in this image",
)
def absent_classes(table):
    return paired(table, true_iou(table)).sum() / len(table)


# --- best_match_table ------------------------------------------------------------------------------------------------


def no_ties(table):
    """The two best segments of each cluster differ, by IoU and by count."""
    return all((np.diff(np.sort(t, axis=0)[-2:], axis=0) > 1e-4).all() for t in (true_iou(table), table))


@lesson.check("best_match_table", points=7, uses=("iou_matrix",))
def best_segment_of_each_cluster(student, rng):
    """The best segment of each cluster and its IoU."""
    draw = lambda rng: (counts(rng, 4, 6, empty=0.1),)  # noqa: E731
    (table,) = telling(rng, "best_match_table", true_best, draw, also=no_ties)
    _, segment, iou = expect.items(student.best_match_table(table), 3, hint="return size, segment, iou")
    _, expected_segment, expected_iou = true_best(table)
    hint = "one entry for each cluster: argmax and max of the IoU matrix along axis 0"
    expect.shape(iou, (6,), name="iou", hint=hint)
    expect.close(iou, expected_iou, rtol=1e-5, name="iou", hint=hint)
    expect.equal(segment, expected_segment, name="segment", hint=hint)


@lesson.check("best_match_table", points=3)
def size_of_each_cluster(student, rng):
    """The pixels of each cluster."""
    draw = lambda rng: (counts(rng, 5, 4, empty=0.1),)  # noqa: E731
    (table,) = telling(rng, "best_match_table", true_best, draw, also=no_ties)
    size, _, _ = expect.items(student.best_match_table(table), 3, hint="return size, segment, iou")
    expect.equal(size, table.sum(axis=0), name="size", hint="the sum of the cluster's column")


@lesson.check("best_match_table", points=2, uses=("iou_matrix",))
def both_readings(student, rng):
    """Maximum and mean over the clusters, for many clusters and for one."""
    hint = "iou.max() and iou.mean() are the two readings of the paper"
    # Many first: with a single segment or cluster the IoU is a mere share of the pixels.
    (many,) = telling(rng, "best_match_table", true_best, lambda rng: (counts(rng, 3, 5),), also=no_ties)
    one = counts(rng, 5, 1)
    while not no_ties(one):
        one = counts(rng, 5, 1)
    for table in (many, one):
        n_true, n_pred = table.shape
        _, _, iou = expect.items(student.best_match_table(table), 3, hint="return size, segment, iou")
        expect.shape(iou, (n_pred,), name=f"iou for {n_true} segments and {n_pred} clusters", hint=hint)
        expected = true_best(table)[2]
        for what, got in [("max", np.max(iou)), ("mean", np.mean(iou))]:
            number(got, getattr(expected, what)(), name=f"iou.{what}()", hint=hint)


@lesson.mistake(
    "best_match_table",
    "the best cluster of each segment, instead of the best segment of each cluster (wrong axis)",
    see="print(len(iou)): it must be the number of clusters, table.shape[1]",
)
def per_segment(table):
    iou = true_iou(table)
    return table.sum(axis=1), iou.argmax(axis=1), iou.max(axis=1)


@lesson.mistake(
    "best_match_table",
    "the segment with the most common pixels is taken; the one with the largest IoU may be another",
    see="best_match_table(np.array([[10, 90], [9, 0]])): the first cluster fits segment 1 better",
)
def best_by_count(table):
    segment = table.argmax(axis=0)
    return table.sum(axis=0), segment, true_iou(table)[segment, np.arange(table.shape[1])]


@lesson.mistake(
    "best_match_table",
    "the common pixels are divided by the cluster alone: that is the purity, not the IoU",
    see="cut a segment in two: best_match_table(np.array([[5, 5]])) has IoU 0.5, not 1",
)
def purity(table):
    share = table / table.sum(axis=0)
    return table.sum(axis=0), share.argmax(axis=0), share.max(axis=0)


@lesson.mistake(
    "best_match_table",
    "size is the number of common pixels, not the number of pixels of the cluster",
    see="the sizes of all clusters must add up to the number of pixels, table.sum()",
)
def size_of_overlap(table):
    _, segment, iou = true_best(table)
    return table[segment, np.arange(table.shape[1])], segment, iou


@lesson.mistake(
    "best_match_table",
    "size is that of the best segment, not that of the cluster",
    see="the sizes of all clusters must add up to the number of pixels, table.sum()",
)
def size_of_segment(table):
    _, segment, iou = true_best(table)
    return table.sum(axis=1)[segment], segment, iou


@lesson.mistake(
    "best_match_table",
    "the right three arrays in the wrong order: iou, segment, size",
    see="print(best_match_table(np.array([[3, 0], [3, 9]]))[0]): the sizes 6 and 9 come first",
)
def from_last_to_first(table):
    return true_best(table)[::-1]


# --- covering --------------------------------------------------------------------------------------------------------

COVERING_HINT = "for each true segment its best IoU (axis 1), times its share of the pixels, summed"


@lesson.check("covering", points=7, uses=("iou_matrix",))
def weighted_by_area(student, rng):
    """Best IoU of each true segment, weighted by its area."""
    draw = lambda rng: (counts(rng, 4, 6, empty=0.2),)  # noqa: E731
    (table,) = telling(rng, "covering", true_covering, draw)
    number(student.covering(table), true_covering(table), name="the covering", hint=COVERING_HINT)


@lesson.check("covering", points=3, uses=("iou_matrix",))
def laws_of_covering(student, rng):
    """Fewer clusters than segments; 1 for a perfect answer; the share's square for one cluster."""
    draw = lambda rng: (counts(rng, 5, 3, empty=0.2),)  # noqa: E731
    (table,) = telling(rng, "covering", true_covering, draw)
    number(student.covering(table), true_covering(table), name="the covering", hint=COVERING_HINT)
    perfect = np.diag(rng.integers(1, 50, size=4))[:, rng.permutation(4)]
    number(student.covering(perfect), 1.0, name="the covering by the true segments, renamed", hint=COVERING_HINT)
    alone = counts(rng, 4, 1)
    name = "the covering of 4 segments by one cluster"
    number(student.covering(alone), ((alone / alone.sum()) ** 2).sum(), name=name, hint=COVERING_HINT)


@lesson.mistake(
    "covering",
    "all segments count alike; each must count by its area",
    see="covering(np.array([[18, 0], [0, 1], [0, 1]])) is 0.95: the two halves are small",
)
def unweighted(table):
    return true_iou(table).max(axis=1).mean()


@lesson.mistake(
    "covering",
    "the clusters are covered by the true segments; it must be the other way round",
    see="one cluster for everything: covering(np.array([[3], [1]])) is 0.625, not 0.75",
)
def other_way_round(table):
    return true_covering(table.T)


@lesson.mistake(
    "covering",
    "the weighted sum is not divided by the number of pixels",
    see="covering(np.diag([5, 5])) must be 1: the covering of a perfect answer",
)
def not_divided(table):
    return true_covering(table) * table.sum()


@lesson.mistake(
    "covering",
    "the common pixels are divided by the true segment alone, so one big cluster covers everything perfectly",
    see="one cluster for everything: covering(np.array([[3], [1]])) is 0.625, not 1",
)
def covering_by_recall(table):
    return table.max(axis=1).sum() / table.sum()


@lesson.mistake(
    "covering",
    "each cluster may cover only one segment; the covering lets every segment take its best cluster",
    see="one cluster for everything: covering(np.array([[3], [1]])) is 0.625, not 0.5625",
)
def covering_by_pairs(table):
    rows, cols = matching(true_iou(table))
    return (table.sum(axis=1)[rows] * true_iou(table)[rows, cols]).sum() / table.sum()


# --- variation_of_information ----------------------------------------------------------------------------------------

VI_HINT = "2 H(both) - H(true) - H(pred), with log2; p = table / table.sum()"


@lesson.check("variation_of_information", points=8)
def both_conditional_entropies(student, rng):
    """Both conditional entropies, in bits, for a table without zeros."""
    draw = lambda rng: (counts(rng, 3, 5),)  # noqa: E731
    (table,) = telling(rng, "variation_of_information", true_vi, draw, quiet=(zero_log_zero,))
    number(student.variation_of_information(table), true_vi(table), name="VI", hint=VI_HINT)


@lesson.check("variation_of_information", points=4)
def pairs_that_do_not_meet(student, rng):
    """Pairs without common pixels add nothing."""
    draw = lambda rng: (np.insert(counts(rng, 4, 4, empty=0.4), 2, 0, axis=0),)  # noqa: E731
    (table,) = telling(rng, "variation_of_information", true_vi, draw, also=lambda table: (table == 0).sum() > 5)
    value = student.variation_of_information(table)
    hint = "0 · log 0 counts as 0, but NumPy makes NaN of it: keep only p = p[p > 0] before the logarithm"
    expect.finite(value, name="VI", hint=hint)
    number(value, true_vi(table), name="VI", hint=hint)


@lesson.check("variation_of_information", points=2)
def distance_of_partitions(student, rng):
    """Zero for the same partition, and alike in both directions."""
    draw = lambda rng: (counts(rng, 3, 4),)  # noqa: E731
    (table,) = telling(rng, "variation_of_information", true_vi, draw, quiet=(zero_log_zero,))
    there, back = student.variation_of_information(table), student.variation_of_information(table.T)
    number(back, expect.scalar(there, name="VI"), name="VI of the transposed table", hint="VI is symmetric")
    same = np.diag(rng.integers(5, 50, size=4))[:, rng.permutation(4)]
    value = expect.scalar(student.variation_of_information(same), name="VI of a partition and itself, renamed")
    expect.between(value, -1e-9, 1e-9, what="VI of a partition and itself, renamed", hint=VI_HINT)
    number(student.variation_of_information(table), true_vi(table), name="VI", hint=VI_HINT)


@lesson.mistake(
    "variation_of_information",
    "the natural logarithm gives nats; here the unit is the bit: np.log2",
    see="one segment cut into equal halves: variation_of_information(np.array([[5, 5]])) is 1, not 0.69",
)
def nats(table):
    return true_vi(table) * np.log(2)


@lesson.mistake(
    "variation_of_information",
    "only H(true | pred) is counted: cutting segments into pieces would cost nothing",
    see="variation_of_information(np.array([[5, 5]])) is 1, not 0",
)
def only_merging(table):
    return entropy(table) - entropy(table.sum(axis=0))


@lesson.mistake(
    "variation_of_information",
    "only H(pred | true) is counted: merging segments would cost nothing",
    see="variation_of_information(np.array([[5], [5]])) is 1, not 0",
)
def only_splitting(table):
    return entropy(table) - entropy(table.sum(axis=1))


@lesson.mistake(
    "variation_of_information",
    "this is the mutual information: large where the two agree, while VI is then small",
    see="variation_of_information(np.diag([5, 5])) is 0, not 1",
)
def mutual_information(table):
    return entropy(table.sum(axis=0)) + entropy(table.sum(axis=1)) - entropy(table)


@lesson.mistake(
    "variation_of_information",
    "the entropy of the pairs counts once; it must count twice: 2 H(both) - H(true) - H(pred)",
    see="variation_of_information(np.diag([5, 5])) is 0, not -1",
)
def joint_once(table):
    return -mutual_information(table)


@lesson.mistake(
    "variation_of_information",
    "0 · log 0 became NaN",
    see="print(variation_of_information(np.diag([5, 5]))): it is 0",
)
def zero_log_zero(table):
    return true_vi(table) if (table > 0).all() else np.nan


# --- boundary_map ----------------------------------------------------------------------------------------------------


@lesson.check("boundary_map", points=5)
def right_and_below(student, rng, show):
    """Pixels that differ from the pixel to the right or below."""

    def draw(rng):
        # Stripes times stripes: no pixel differs from its diagonal neighbor alone.
        rows = np.repeat(np.arange(3), rng.integers(2, 7, size=3))
        cols = np.repeat(np.arange(4), rng.integers(2, 7, size=4))
        return (rng.permutation(12)[rows[:, None] * 4 + cols],)

    (labels,) = telling(rng, "boundary_map", true_boundary_map, draw, quiet=(no_diagonal,))
    compare_edges(student, show, labels, "compare labels[:, :-1] with labels[:, 1:], and labels[:-1] with labels[1:]")


@lesson.check("boundary_map", points=3)
def diagonal_too(student, rng, show):
    """Pixels that differ from the pixel diagonally below right only."""
    (labels,) = telling(rng, "boundary_map", true_boundary_map, lambda rng: (blocks(rng, (30, 40), 6),))
    hint = "labels[:-1, :-1] != labels[1:, 1:] compares each pixel with the one diagonally below right"
    compare_edges(student, show, labels, hint)
    flat = np.full((5, 8), int(rng.integers(9)))
    expect.equal(student.boundary_map(flat), np.zeros((5, 8)), name="the map of one single segment", hint=hint)


def compare_edges(student, show, labels, hint):
    edges, expected = student.boundary_map(labels), true_boundary_map(labels)
    expect.shape(edges, labels.shape, hint="start with np.zeros(labels.shape, dtype=bool) and fill in parts of it")
    if (expect.array(edges) != expected).any():
        show("Your boundary beside the expected one", segments=labels, yours=np.asarray(edges) != 0, expected=expected)
    expect.equal(edges, expected, name="the boundary map", hint=hint)
    expect.inputs_unchanged(student)


@lesson.mistake(
    "boundary_map",
    "np.roll wraps around: the left border of the image is compared with the right one",
    see="boundary_map(np.array([[0, 0, 1]])): the last pixel has no neighbor to the right, so it is False",
)
def rolled(labels):
    return (
        (labels != np.roll(labels, -1, axis=0))
        | (labels != np.roll(labels, -1, axis=1))
        | (labels != np.roll(labels, (-1, -1), axis=(0, 1)))
    )


@lesson.mistake(
    "boundary_map",
    "only steps to a larger label are found (np.diff(...) > 0); labels are names, and any difference counts",
    see="boundary_map(np.array([[5, 2]])) must have one True",
)
def only_upwards(labels):
    padded = np.pad(labels, ((0, 1), (0, 1)), mode="edge")
    return (labels < padded[1:, :-1]) | (labels < padded[:-1, 1:]) | (labels < padded[1:, 1:])


@lesson.mistake(
    "boundary_map",
    "both sides of a boundary are marked; mark only the pixel above or to the left of it",
    see="boundary_map(np.array([[0, 0, 1, 1]])) has a single True, at index 1",
)
def both_sides(labels):
    edges = true_boundary_map(labels)
    edges[1:] |= labels[1:] != labels[:-1]
    edges[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    edges[1:, 1:] |= labels[1:, 1:] != labels[:-1, :-1]
    return edges


@lesson.mistake(
    "boundary_map",
    "only neighbors in the same row are compared",
    see="boundary_map(np.array([[0], [1]])) must have one True",
)
def only_in_rows(labels):
    edges = np.zeros(labels.shape, dtype=bool)
    edges[:, :-1] = labels[:, :-1] != labels[:, 1:]
    return edges


@lesson.mistake(
    "boundary_map",
    "the last row and column are cut off",
    see="print(boundary_map(labels).shape): it must be labels.shape",
)
def cropped(labels):
    return true_boundary_map(labels)[:-1, :-1]


@lesson.mistake(
    "boundary_map",
    "the diagonal neighbor is forgotten",
    see="boundary_map(np.array([[0, 0], [0, 1]])) has three True",
)
def no_diagonal(labels):
    padded = np.pad(labels, ((0, 1), (0, 1)), mode="edge")
    return (labels != padded[1:, :-1]) | (labels != padded[:-1, 1:])


# --- boundary_f ------------------------------------------------------------------------------------------------------


def two_drawings(rng):
    """Boundaries of one image drawn twice: moved a little, with one more segment, and not quite alike."""
    labels = blocks(rng, (36, 48), 6)
    moved = np.roll(labels, rng.integers(-4, 5, size=2), axis=(0, 1))
    extra = blocks(rng, (36, 48), 3)
    moved = np.where(extra == 0, moved + 10, moved)
    return true_boundary_map(labels), true_boundary_map(moved)


@lesson.check("boundary_f", points=8)
def within_the_radius(student, rng, show):
    """Harmonic mean of precision and recall, some pixels of displacement allowed."""
    radius = int(rng.integers(3, 5))  # disk and diamond of radius 2 hold the same pixels
    draw = lambda rng: (*two_drawings(rng), radius)  # noqa: E731
    true_edges, pred_edges, _ = telling(rng, "boundary_f", true_boundary_f, draw, quiet=(nothing_by_nothing,))
    expected = true_boundary_f(true_edges, pred_edges, radius)
    value = student.boundary_f(true_edges, pred_edges, radius)
    hint = "distance_transform_edt(~true_edges)[pred_edges] <= radius are the hits among the predicted pixels"
    overlay = true_edges + 2 * pred_edges  # 0 nothing, 1 true only, 2 predicted only, 3 both
    show(f"F should be {expected:.2f} with radius {radius}", true=true_edges, predicted=pred_edges, together=overlay)
    number(value, expected, name="F", hint=hint)
    expect.inputs_unchanged(student)


@lesson.check("boundary_f", points=4)
def images_without_boundaries(student, rng):
    """1 when neither image has a boundary, 0 when only one has."""
    radius = int(rng.integers(3, 8))
    edges, none = true_boundary_map(blocks(rng, (12, 16), 3)), np.zeros((12, 16), dtype=bool)
    # Far apart: precision and recall are both 0, and so is F.
    left, right = np.zeros((2, 12, 20 + radius), dtype=bool)
    left[:, 1], right[:, -3] = True, True
    # Lines in pairs, side by side within the radius or just not: precision, recall and F are the same share. Most
    # mistakes get that right, and no one who does not look at the boundaries, and at the radius.
    lengths = rng.integers(5, 60, size=3)
    true_lines, pred_lines = np.zeros((2, 75, 60), dtype=bool)
    for i, (length, gap) in enumerate(zip(lengths, (2, radius - 1, radius + 1), strict=True)):
        true_lines[25 * i + 8, :length], pred_lines[25 * i + 8 + gap, :length] = True, True
    turned = int(rng.integers(4))
    true_lines, pred_lines = (np.rot90(lines, turned).copy() for lines in (true_lines, pred_lines))
    first = "treat it first: if not true_edges.any() or not pred_edges.any(): ..."
    cases = [
        (edges, none, 0.0, "F without a predicted boundary", first),
        (none, edges, 0.0, "F without a true boundary", first),
        (none, none, 1.0, "F without any boundary", first),
        (left, right, 0.0, "F of boundaries far from each other", "precision + recall is 0: do not divide by it"),
        (true_lines, pred_lines, lengths[:2].sum() / lengths.sum(), "F of lines of which some lie side by side", first),
    ]
    for i in rng.permutation(len(cases)):
        true_edges, pred_edges, expected, what, hint = cases[i]
        number(student.boundary_f(true_edges, pred_edges, radius), expected, name=what, hint=hint)


@lesson.mistake(
    "boundary_f",
    "the distance transform measures from the wrong pixels: it gives distances to the next False, so invert the map",
    see="print(distance_transform_edt(~true_edges)[true_edges]): distances of the boundary to itself are all 0",
)
def not_inverted(true_edges, pred_edges, radius):
    if not true_edges.any() or not pred_edges.any():
        return float(true_edges.any() == pred_edges.any())
    return harmonic(hits(pred_edges, ~true_edges, radius), hits(true_edges, ~pred_edges, radius))


@lesson.mistake(
    "boundary_f",
    "the radius is not used: only exactly common pixels count",
    see="move a boundary by one pixel: with radius 2 F must stay at 1",
)
def no_tolerance(true_edges, pred_edges, radius):
    return true_boundary_f(true_edges, pred_edges, 0)


@lesson.mistake(
    "boundary_f",
    "precision and recall are averaged; F is their harmonic mean 2 P R / (P + R)",
    see="with P = 1 and R = 0.5 F is 0.67, not 0.75",
)
def arithmetic(true_edges, pred_edges, radius):
    if not true_edges.any() or not pred_edges.any():
        return float(true_edges.any() == pred_edges.any())
    return (hits(pred_edges, true_edges, radius) + hits(true_edges, pred_edges, radius)) / 2


@lesson.mistake(
    "boundary_f",
    "this is the precision alone: a method that draws one safe line would win",
    see="leave out half of the predicted boundary: F must fall",
)
def precision_alone(true_edges, pred_edges, radius):
    if not true_edges.any() or not pred_edges.any():
        return float(true_edges.any() == pred_edges.any())
    return hits(pred_edges, true_edges, radius)


@lesson.mistake(
    "boundary_f",
    "this is the recall alone: a method that draws boundaries everywhere would win",
    see="pred_edges = np.ones_like(true_edges): F must be small",
)
def recall_alone(true_edges, pred_edges, radius):
    if not true_edges.any() or not pred_edges.any():
        return float(true_edges.any() == pred_edges.any())
    return hits(true_edges, pred_edges, radius)


@lesson.mistake(
    "boundary_f",
    "pixels exactly at the radius are left out: use <=, not <",
    see="move a straight boundary by 2 pixels: with radius 2 F must stay at 1",
)
def strictly_below(true_edges, pred_edges, radius):
    return true_boundary_f(true_edges, pred_edges, radius - 1e-9)


@lesson.mistake(
    "boundary_f",
    "the neighborhood is a diamond (binary_dilation step by step), not a disk",
    see="two pixels apart in both directions is a distance of 2.8, within a radius of 3",
)
def diamond(true_edges, pred_edges, radius):
    if not true_edges.any() or not pred_edges.any():
        return float(true_edges.any() == pred_edges.any())
    near_true, near_pred = (near(edges, radius, lambda y, x: abs(y) + abs(x)) for edges in (true_edges, pred_edges))
    return harmonic(near_true[pred_edges].mean(), near_pred[true_edges].mean())


@lesson.mistake(
    "boundary_f",
    "an image without boundaries gives 0 / 0, which is NaN",
    see="print(boundary_f(none, none, 2)) for none = np.zeros((9, 9), bool): it is 1",
)
def nothing_by_nothing(true_edges, pred_edges, radius):
    if not true_edges.any() or not pred_edges.any():
        return np.nan
    return true_boundary_f(true_edges, pred_edges, radius)


# --- rank ------------------------------------------------------------------------------------------------------------


def gallery(rng, n):
    """A scene: its image, three annotators who look ever closer (foreground, objects, parts), n segmentations.

    These are n of twelve, so that their order differs from seed to seed. A guess that needs no truth (`blind_orders`)
    hits it in 1 of 7 galleries at best; such galleries are not asked about. The best mix of two guesses hits 1 of 14
    others.
    """
    scene = datasets.scene(int(rng.integers(2**31)), size=(72, 108), n_objects=int(rng.integers(3, 6)))
    truths = np.stack([scene.foreground, scene.instances, scene.parts]).astype(np.int64)  # (3, h, w)
    h, w = scene.foreground.shape
    rows, cols = np.indices((h, w))
    gray = scene.image.mean(axis=2)

    def grid():
        n_rows, n_cols = rng.integers([1, 2], [4, 6])
        return rows * n_rows // h * n_cols + cols * n_cols // w

    def moved():
        # Which of them lies where the truth is, is not to be seen without the truth.
        angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(1, 30)
        y, x = rows + round(reach * np.sin(angle)), cols + round(reach * np.cos(angle))
        return truths[rng.integers(3)][np.clip(y, 0, h - 1), np.clip(x, 0, w - 1)]

    def merged(labels):
        """Some labels become one, at random."""
        return rng.integers(labels.max() + 1, size=labels.max() + 1)[labels]

    candidates = [
        np.zeros((h, w), dtype=int),  # one segment
        blocks(rng, (h, w), int(rng.integers(2, 9))),
        grid(),
        (gray // rng.uniform(30, 110)).astype(int),
        (gray // rng.uniform(60, 110)).astype(int) * 100 + grid(),
        *(moved() for _ in range(3)),
        *(merged(moved()) for _ in range(2)),
        *(moved() * 100 + grid() for _ in range(2)),
    ]
    compact = [np.unique(candidates[i], return_inverse=True)[1].reshape(h, w) for i in rng.permutation(12)[:n]]
    return scene.image, truths, np.stack([rng.permutation(one.max() + 1)[one] for one in compact])


def blind_orders(candidates):
    """Guesses at the order that need no truth: few segments, short boundaries, one large segment, what others say."""
    sizes = [np.bincount(one.ravel()) for one in candidates]
    edges = [np.count_nonzero(true_boundary_map(one)) for one in candidates]
    alike = ranked(candidates, candidates)[0]
    guesses = np.array([[len(n) for n in sizes], edges, [-n.max() for n in sizes], [entropy(n) for n in sizes], -alike])
    return np.argsort(guesses, axis=1, kind="stable").tolist()


def telling_gallery(rng, annotators=3, n=6):
    image = None

    def draw(rng):
        nonlocal image
        image, truths, candidates = gallery(rng, n)
        return truths[np.sort(rng.permutation(3)[:annotators])], candidates

    def also(truths, candidates):
        scores, order = ranked(truths, candidates)
        return np.diff(np.sort(scores)).min() > 0.005 and order.tolist() not in blind_orders(candidates)

    truths, candidates = telling(rng, "rank", ranked, draw, also=also)
    return image, truths, candidates


@lesson.check("rank", points=7, uses=("confusion", "covering", "iou_matrix"))
def mean_over_annotators(student, rng):
    """Covering of each candidate, averaged over the annotators."""
    _, truths, candidates = telling_gallery(rng, annotators=2, n=int(rng.integers(5, 8)))  # not always 3 and 6
    scores, _ = expect.items(student.rank(truths, candidates), 2, hint="return scores, order")
    hint = "for each candidate the mean of covering(confusion(truth, candidate)) over all truths"
    expect.shape(scores, (len(candidates),), name="scores", hint=hint)
    expect.close(scores, ranked(truths, candidates)[0], rtol=1e-5, name="scores", hint=hint)
    expect.inputs_unchanged(student)


@lesson.check("rank", points=5, uses=("confusion", "covering", "iou_matrix"))
def best_first(student, rng, show):
    """The order of the candidates, best first."""
    image, truths, candidates = telling_gallery(rng)
    _, order = expect.items(student.rank(truths, candidates), 2, hint="return scores, order")
    hint = "np.argsort sorts from small to large: np.argsort(-scores) puts the best first"
    expect.shape(order, (len(candidates),), name="order", hint=hint)
    places = expect.array(order).astype(int).tolist()
    complete = sorted(places) == list(range(len(candidates)))
    expect.true(complete, f"order is {places}; expected each index 0..{len(candidates) - 1} once", hint=hint)
    expected = ranked(truths, candidates)[1]
    show(
        "First and last in your ranking",
        photo=image,
        objects=truths[1],
        parts=truths[2],
        your_best=candidates[places[0]],
        your_worst=candidates[places[-1]],
        expected_best=candidates[expected[0]],
    )
    expect.equal(order, expected, name="order", hint=hint)


@lesson.mistake(
    "rank",
    "only the first annotator is asked",
    see="score two annotators that differ: the result must change with the second",
)
def first_annotator(truths, candidates):
    return ranked(truths[:1], candidates)


@lesson.mistake(
    "rank",
    "the kindest annotator decides; here the scores are averaged over all annotators",
    see="compare with the mean by hand for one candidate: np.mean([covering(...), covering(...), ...])",
)
def kindest_annotator(truths, candidates):
    return ranked(truths, candidates, reduce=np.max)


@lesson.mistake(
    "rank",
    "the worst comes first: np.argsort sorts from small to large",
    see="print(scores[order]): the numbers must fall",
)
def worst_first(truths, candidates):
    return ranked(truths, candidates, sign=1)


@lesson.mistake(
    "rank",
    "true and predicted are exchanged: the candidates are covered by the truth",
    see="confusion(truth, candidate) has the truth in its rows",
)
def exchanged(truths, candidates):
    return ranked(truths, candidates, score=lambda table: true_covering(table.T))


@lesson.mistake(
    "rank",
    "order holds ranks (argsort of the argsort), not indices of candidates",
    see="candidates[order[0]] must be the best candidate",
)
def ranks(truths, candidates):
    scores, order = ranked(truths, candidates)
    return scores, np.argsort(order)


@lesson.mistake(
    "rank",
    "the scores are summed over the annotators; take their mean",
    see="a perfect candidate has the score 1, however many annotators there are",
)
def summed(truths, candidates):
    return ranked(truths, candidates, reduce=np.sum)
