"""Checks and named mistakes of lesson 02, k-means.

Points are drawn fresh for each submission, so thresholds and "must differ" conditions hold for every seed: where a
random input could hide a mistake, the input is drawn again until it cannot. No check can be passed by a table of
answers: each one asks at least one question that no other seed has asked. SciPy is not imported here, because the
import alone takes longer than all these checks together.

Notation: n points, d features, k clusters; x (n, d), centers (k, d), labels (n,).
"""

from __future__ import annotations

from functools import cache

import numpy as np

from autograder import expect
from autograder.checks.common import draw_seed, label_map, read_wrongly, renamed
from autograder.lesson import Lesson
from unseg_helpers import datasets, features, metrics

lesson = Lesson("02_kmeans")


# --- The truth: short and plain, written apart from the solution and from unseg_helpers ---


def sq_dist(x, centers):
    """(n, d), (k, d) -> (n, k), in float64 and without the expansion, so exact far from the origin."""
    x = np.asarray(x, dtype=float)
    gaps = (x - center for center in np.asarray(centers, dtype=float))
    return np.array([np.einsum("nd,nd->n", gap, gap) for gap in gaps]).T


def nearest(x, centers):
    return sq_dist(x, centers).argmin(axis=1)


def total(x, centers, labels):
    return float(((np.asarray(x, dtype=float) - centers[labels]) ** 2).sum())


def means(x, labels, k, empty=np.nan):
    """Means of the clusters; rows of empty ones are filled with `empty`."""
    return by_cluster(np.asarray(x, dtype=float), labels, k, lambda points: points.mean(axis=0), empty)


def by_cluster(x, labels, k, summary, empty=np.nan):
    """`summary` of the points of each cluster; rows of empty ones are filled with `empty`, without a warning."""
    centers = np.full((k, x.shape[1]), empty, dtype=float)
    for j in np.flatnonzero(np.bincount(labels)):
        centers[j] = summary(x[labels == j])
    return centers


def moved(x, labels, k):
    """The update of the task: means, and the points farthest from their own mean for the empty clusters."""
    centers = means(x, labels, k)
    empty = np.flatnonzero(np.isnan(centers[:, 0]))
    if len(empty):
        own = ((x - centers[labels]) ** 2).sum(axis=1)
        centers[empty] = x[np.argsort(-own, kind="stable")[: len(empty)]]
    return centers


def lloyd(x, centers, max_iter=100):
    sq = sq_dist(x, centers)
    labels, history = sq.argmin(axis=1), [float(sq.min(axis=1).sum())]
    for _ in range(max_iter):
        centers = moved(x, labels, len(centers))
        sq = sq_dist(x, centers)
        old, labels = labels, sq.argmin(axis=1)
        history.append(float(sq.min(axis=1).sum()))
        if (old == labels).all():
            break
    return labels, centers, history


def seeded(x, k, rng, weight=lambda sq: sq, keep=np.minimum):
    """k-means++; the mistakes swap how a distance becomes a probability and which distance is kept."""
    picked = [rng.integers(len(x))]
    sq = sq_dist(x, x[picked])[:, 0]
    for _ in range(1, k):
        p = weight(sq)
        picked.append(rng.choice(len(x), p=p / p.sum()))
        sq = keep(sq, sq_dist(x, x[picked[-1:]])[:, 0])
    return x[picked]


# --- squared_distances ---


@lesson.check("squared_distances", points=5)
def every_pair(student, rng):
    """Squared distance of every point to every center."""
    x, centers = rng.normal(size=(7, 3)), rng.normal(size=(4, 3))
    result = student.squared_distances(x, centers)
    expect.shape(result, (7, 4), hint="one row for each point, one column for each center")
    expect.close(result, sq_dist(x, centers), rtol=1e-4, atol=1e-5, hint="|x|² - 2 x·c + |c|², no root at the end")


@lesson.check("squared_distances", points=2)
def any_sizes(student, rng):
    """One point, one center, one feature, or more centers than points."""
    for n, k, d in [(2, 5, 3), (6, 1, 4), (3, 3, 3), (4, 2, 1), (1, 1, 1)]:
        x, centers = rng.normal(size=(n, d)), rng.normal(size=(k, d))
        result = student.squared_distances(x, centers)
        expect.shape(result, (n, k), name=f"the result for n={n}, k={k}, d={d}")
        expect.close(result, sq_dist(x, centers), rtol=1e-4, atol=1e-5, name=f"the result for n={n}, k={k}, d={d}")


@lesson.check("squared_distances", points=3)
def far_from_the_origin(student, rng):
    """Exact and never negative for float32 points far from the origin."""
    # True distances are 0 to about 40. Plain float32 expansion is off by 0.25 and more (|x|² is 3e6, its last bit
    # 0.25); after the shift the error is below 1e-4 over 1000 seeds.
    x = (1000 + rng.normal(size=(40, 3))).astype(np.float32)
    result = student.squared_distances(x, x[:10])
    expect.shape(result, (40, 10))
    hint = "float32 has 7 digits: subtract x.mean(axis=0) from x and from centers before you expand the square"
    expect.finite(result, hint=hint)
    expect.at_least(np.min(result), 0, what="the smallest squared distance", hint=hint)
    expect.close(result, sq_dist(x, x[:10]), rtol=1e-3, atol=1e-3, hint=hint)
    expect.inputs_unchanged(student)


@lesson.mistake(
    "squared_distances",
    "the root is taken: these are distances, not squared ones",
    see="x = [[0, 0]], center = [[3, 4]]: the answer is 25, not 5",
)
def rooted(x, centers):
    return np.sqrt(sq_dist(x, centers))


@lesson.mistake(
    "squared_distances",
    "the square is forgotten: differences are summed as they are, without a sign",
    see="x = [[0, 0]], center = [[3, 4]]: the answer is 25, not 7",
)
def manhattan(x, centers):
    return np.abs(x[:, None] - centers).sum(axis=2)


@lesson.mistake(
    "squared_distances",
    "the cross term has the wrong sign (+ 2 x·c)",
    see="the distance of a point to itself must be 0: print squared_distances(x, x).diagonal()",
)
def wrong_sign(x, centers):
    return (x**2).sum(axis=1)[:, None] + 2 * x @ centers.T + (centers**2).sum(axis=1)


@lesson.mistake(
    "squared_distances",
    "the cross term has lost its factor 2",
    see="the distance of a point to itself must be 0: print squared_distances(x, x).diagonal()",
)
def no_factor_two(x, centers):
    return (x**2).sum(axis=1)[:, None] - x @ centers.T + (centers**2).sum(axis=1)


@lesson.mistake(
    "squared_distances",
    "|c|² is missing",
    see="x = [[0, 0]], center = [[3, 4]]: the answer is 25, not 0",
)
def no_center_term(x, centers):
    return (x**2).sum(axis=1)[:, None] - 2 * x @ centers.T


@lesson.mistake(
    "squared_distances",
    "the result is transposed: centers in rows, points in columns",
    see="print(squared_distances(x, centers).shape): it must be (number of points, number of centers)",
)
def transposed(x, centers):
    return sq_dist(x, centers).T


@lesson.mistake(
    "squared_distances",
    "the mean over the features is taken instead of the sum",
    see="x = [[0, 0]], center = [[3, 4]]: the answer is 25, not 12.5",
)
def mean_over_features(x, centers):
    return sq_dist(x, centers) / x.shape[1]


@lesson.mistake(
    "squared_distances",
    "the sum runs over the centers instead of over the features (axis 1 of the (n, k, d) array)",
    see="print(squared_distances(x, centers).shape): it must not depend on the number of features",
)
def summed_over_centers(x, centers):
    return ((x[:, None] - centers[None]) ** 2).sum(axis=1)


@lesson.mistake(
    "squared_distances",
    "the mean is subtracted from x, but not from the centers",
    see="the distance of a point to itself must be 0: print squared_distances(x, x).diagonal()",
)
def only_x_shifted(x, centers):
    return sq_dist(x - x.mean(axis=0), centers)


@lesson.mistake(
    "squared_distances",
    "digits are lost far from the origin: huge numbers are subtracted in float32",
    see="x = np.float32([[1000.1, 1000.2]]); print(squared_distances(x, x)): it must be 0, never negative",
)
def cancelled(x, centers):
    return (x**2).sum(axis=1)[:, None] - 2 * x @ centers.T + (centers**2).sum(axis=1)


# --- assign ---


@lesson.check("assign", points=5, uses=("squared_distances",))
def nearest_center(student, rng):
    """Each point gets the number of its nearest center."""
    x, centers = rng.normal(size=(50, 3)), rng.normal(size=(6, 3))
    labels = student.assign(x, centers)
    expect.shape(labels, (50,), name="the labels", hint="one label for each point: argmin along axis 1, the centers")
    expect.equal(labels, nearest(x, centers), name="the labels", hint="argmin over the squared distances")


@lesson.check("assign", points=3, uses=("squared_distances",))
def numbers_from_zero(student, rng):
    """Integers from 0, for one center and for more centers than points too."""
    # Centers of very different length, so that forgetting |c|² shows. All calls first, then the verdict on the values:
    # for a single center several mistakes look alike.
    cases = []
    for n, k in [(40, 5), (5, 1), (4, 9), (1, 3)]:
        x, centers = rng.normal(size=(n, 2)), rng.normal(size=(k, 2)) * rng.uniform(0.2, 3, size=(k, 1))
        name = f"the labels of {n} point{'s' * (n > 1)} and {k} center{'s' * (k > 1)}"
        cases.append((name, nearest(x, centers), student.assign(x, centers)))
        expect.shape(cases[-1][2], (n,), name=name)
    for name, expected, labels in cases:
        expect.integer(labels, name=name, hint="labels are used as indices: np.zeros(n, dtype=int)")
        expect.equal(labels, expected, name=name)
    expect.inputs_unchanged(student)


@lesson.mistake(
    "assign",
    "argmin over the wrong axis: the nearest point of each center",
    see="print(assign(x, centers).shape): it must be the number of points, not of centers",
)
def argmin_over_points(x, centers):
    return sq_dist(x, centers).argmin(axis=0)


@lesson.mistake(
    "assign",
    "argmin without an axis: one number for the whole table",
    see="print(assign(x, centers)): it must be one label for each point",
)
def argmin_of_all(x, centers):
    return sq_dist(x, centers).argmin()


@lesson.mistake(
    "assign",
    "argmax: each point goes to its farthest center",
    see="assign(centers, centers) must be 0, 1, 2, ...: each center is nearest to itself",
)
def argmax(x, centers):
    return sq_dist(x, centers).argmax(axis=1)


@lesson.mistake(
    "assign",
    "min instead of argmin: distances are returned, not labels",
    see="print(assign(x, centers).dtype): labels are integers",
)
def minimum(x, centers):
    return sq_dist(x, centers).min(axis=1)


@lesson.mistake(
    "assign",
    "labels start at 1",
    see="assign(centers, centers) must be 0, 1, 2, ...; centers[labels] fails otherwise",
)
def from_one(x, centers):
    return nearest(x, centers) + 1


@lesson.mistake(
    "assign",
    "the largest x·c is taken: that is the nearest center only where all centers are equally long",
    see="assign(np.array([[1.0, 0.0]]), np.array([[1.0, 0.0], [9.0, 0.0]])) must be [0]",
)
def largest_product(x, centers):
    return (x @ centers.T).argmax(axis=1)


# --- inertia ---


def clustered(rng, n=40, k=4, d=3):
    """Points, centers, and labels that are not those of the nearest centers."""
    x, centers = rng.normal(size=(n, d)), rng.normal(size=(k, d))
    return x, centers, np.concatenate([np.arange(k), rng.integers(k, size=n - k)])


@lesson.check("inertia", points=4)
def sum_of_squares(student, rng):
    """The sum of squared distances, each point to its nearest center."""
    x, centers, _ = clustered(rng)
    labels = nearest(x, centers)
    value = student.inertia(x, centers, labels)
    expect.scalar(value, name="the inertia")
    expect.close(
        np.reshape(value, ()),
        total(x, centers, labels),
        rtol=1e-4,
        name="the inertia",
        hint="((x - centers[labels]) ** 2) has shape (n, d); sum all of it",
    )


@lesson.check("inertia", points=4)
def uses_the_given_labels(student, rng):
    """The labels that are given count, even where another center is nearer."""
    for n, k, d in [(40, 4, 3), (9, 3, 1)]:
        x, centers, labels = clustered(rng, n, k, d)
        value = student.inertia(x, centers, labels)
        expect.scalar(value, name="the inertia")
        expect.close(
            np.reshape(value, ()),
            total(x, centers, labels),
            rtol=1e-4,
            name="the inertia for labels that are not the nearest",
            hint="centers[labels] is the center of each point's own label",
        )
    expect.inputs_unchanged(student)


@lesson.mistake(
    "inertia",
    "the mean is taken instead of the sum over the points",
    see="twice the same points must give twice the inertia",
)
def mean_inertia(x, centers, labels):
    return total(x, centers, labels) / len(x)


@lesson.mistake(
    "inertia",
    "the mean of all n·d squares is taken instead of their sum",
    see="x = [[0, 0]], center = [[3, 4]], label 0: the answer is 25, not 12.5",
)
def mean_of_everything(x, centers, labels):
    return total(x, centers, labels) / x.size


@lesson.mistake(
    "inertia",
    "the root of the sum is returned",
    see="x = [[0, 0]], center = [[3, 4]], label 0: the answer is 25, not 5",
)
def root_inertia(x, centers, labels):
    return np.sqrt(total(x, centers, labels))


@lesson.mistake(
    "inertia",
    "distances are summed, not their squares",
    see="x = [[0, 0], [0, 0]], center = [[3, 4]], labels 0, 0: the answer is 50, not 10",
)
def sum_of_distances(x, centers, labels):
    return np.linalg.norm(x - centers[labels], axis=1).sum()


@lesson.mistake(
    "inertia",
    "the labels are ignored: each point is measured to its nearest center",
    see="x = [[0.0]], centers = [[0.0], [4.0]], label 1: the answer is 16, not 0",
)
def nearest_inertia(x, centers, labels):
    return sq_dist(x, centers).min(axis=1).sum()


@lesson.mistake(
    "inertia",
    "the distances to all centers are summed, not only those to the own center",
    see="a second center far away must not change the inertia of points with label 0",
)
def inertia_to_all(x, centers, labels):
    return sq_dist(x, centers).sum()


@lesson.mistake(
    "inertia",
    "one number for each point is returned instead of their sum",
    see="print(np.shape(inertia(x, centers, labels))): it must be ()",
)
def unsummed_inertia(x, centers, labels):
    return ((x - centers[labels]) ** 2).sum(axis=1)


# --- update ---


def with_empty(rng, k, empty, n=30, d=3):
    """Points and labels that leave the clusters `empty` without points; no point 0 by accident."""
    used = np.setdiff1d(np.arange(k), empty)
    while True:
        labels = rng.permutation(np.concatenate([used, used, rng.choice(used, size=n - 2 * len(used))]))
        x = rng.normal(size=(n, d))
        own = ((x - means(x, labels, k)[labels]) ** 2).sum(axis=1)
        if own.argmin() > 0 and own.argmax() > 0:
            return x, labels


@lesson.check("update", points=6)
def means_of_the_clusters(student, rng):
    """Each center is the mean of its points."""
    x, labels = with_empty(rng, k=4, empty=[])
    centers = student.update(x, labels, 4)
    expect.shape(centers, (4, 3), name="the centers", hint="one row for each cluster, one column for each feature")
    expect.close(
        centers, moved(x, labels, 4), rtol=1e-4, atol=1e-6, name="the centers", hint="x[labels == j].mean(axis=0)"
    )


@lesson.check("update", points=4)
def one_empty_cluster(student, rng):
    """An empty cluster takes the point that is farthest from the mean of its own cluster."""
    for empty in (1, 4):  # in the middle, and the last one, where labels.max() + 1 is not k
        x, labels = with_empty(rng, k=5, empty=[empty])
        centers = student.update(x, labels, 5)
        expect.shape(centers, (5, 3), name="the centers", hint="k rows, also when the last cluster is empty")
        expect.finite(centers, name="the centers", hint="the mean of no points is NaN: treat empty clusters apart")
        expect.close(
            centers,
            moved(x, labels, 5),
            rtol=1e-4,
            atol=1e-6,
            name=f"the centers (cluster {empty} is empty)",
            hint="distance of each point to the mean of its own cluster; the farthest point becomes the empty center",
        )


@lesson.check("update", points=4)
def two_empty_clusters(student, rng):
    """Two empty clusters take the two farthest points."""
    while True:  # two far points that are not neighbors: unseg_helpers.kmeans, which keeps them apart, takes the same
        x, labels = with_empty(rng, k=6, empty=[2, 5])
        expected = moved(x, labels, 6)
        own = ((x - expected[labels]) ** 2).sum(axis=1)
        if ((expected[2] - expected[5]) ** 2).sum() > np.sort(own)[-2]:
            break
    centers = student.update(x, labels, 6)
    expect.shape(centers, (6, 3), name="the centers")
    expect.finite(centers, name="the centers", hint="the mean of no points is NaN: treat empty clusters apart")
    used = [0, 1, 3, 4]
    centers = np.asarray(centers)
    expect.close(centers[used], expected[used], rtol=1e-4, atol=1e-6, name="the centers that have points")
    # Which of the two takes which point does not matter for k-means, so it does not matter here.
    expect.same_rows(
        centers[[2, 5]],
        expected[[2, 5]],
        atol=1e-4,
        name="the centers of the empty clusters",
        hint="the first takes the farthest point, the second the next one; the means stay as they are",
    )
    expect.inputs_unchanged(student)


def filled(x, labels, k, rows):
    """Means, with the empty clusters filled by `rows`."""
    centers = means(x, labels, k)
    empty = np.isnan(centers[:, 0])
    centers[empty] = np.broadcast_to(rows, centers.shape)[: empty.sum()]
    return centers


@lesson.mistake(
    "update",
    "the mean has no axis: each center is one number, repeated",
    see="print(update(x, labels, k)): the columns must differ; mean(axis=0) keeps the features apart",
)
def mean_of_all_numbers(x, labels, k):
    return by_cluster(x, labels, k, lambda points: points.mean())


@lesson.mistake(
    "update",
    "all centers are the mean of all points: the labels are not used",
    see="print(update(x, labels, k)): the rows must differ",
)
def global_mean(x, labels, k):
    return np.tile(x.mean(axis=0), (k, 1))


@lesson.mistake(
    "update",
    "the sum of the points is returned, not their mean",
    see="update of two equal points must be that point",
)
def sums(x, labels, k):
    return np.stack([x[labels == j].sum(axis=0) for j in range(k)])


@lesson.mistake(
    "update",
    "the sums are divided by n instead of by the size of each cluster",
    see="update of two points in two clusters must give these two points",
)
def divided_by_n(x, labels, k):
    return sums(x, labels, k) / len(x)


@lesson.mistake(
    "update",
    "the median is taken instead of the mean",
    see="update(np.array([[0.0], [0.0], [3.0]]), np.array([0, 0, 0]), 1) must be [[1.0]]",
)
def medians(x, labels, k):
    return by_cluster(x, labels, k, lambda points: np.median(points, axis=0))


@lesson.mistake(
    "update",
    "an empty cluster becomes NaN: the mean of no points",
    see="update(np.array([[0.0], [2.0]]), np.array([0, 0]), 2) must have no NaN",
)
def empty_is_nan(x, labels, k):
    return means(x, labels, k)


@lesson.mistake(
    "update",
    "an empty cluster becomes the zero vector",
    see="update(np.array([[5.0], [7.0]]), np.array([0, 0]), 2): 0 is not among the points",
)
def empty_is_zero(x, labels, k):
    return means(x, labels, k, empty=0.0)


@lesson.mistake(
    "update",
    "an empty cluster takes the first point",
    see="update(np.array([[3.0], [0.0], [9.0]]), np.array([0, 0, 0]), 2) must be [[4.0], [9.0]]",
)
def empty_is_first_point(x, labels, k):
    return filled(x, labels, k, x[0])


@lesson.mistake(
    "update",
    "an empty cluster takes the mean of all points",
    see="update(np.array([[3.0], [0.0], [9.0]]), np.array([0, 0, 0]), 2) must be [[4.0], [9.0]]",
)
def empty_is_global_mean(x, labels, k):
    return filled(x, labels, k, x.mean(axis=0))


@lesson.mistake(
    "update",
    "an empty cluster takes the point nearest to its own mean (argmin) instead of the farthest",
    see="update(np.array([[3.0], [0.0], [9.0]]), np.array([0, 0, 0]), 2) must be [[4.0], [9.0]]",
)
def empty_is_nearest(x, labels, k):
    own = ((x - means(x, labels, k)[labels]) ** 2).sum(axis=1)
    return filled(x, labels, k, x[own.argmin()])


@lesson.mistake(
    "update",
    "two empty clusters take the same point",
    see="update(np.array([[0.0], [3.0], [9.0]]), np.zeros(3, int), 3) must be [[4.0], [9.0], [0.0]]",
)
def empty_twice_the_same(x, labels, k):
    own = ((x - means(x, labels, k)[labels]) ** 2).sum(axis=1)
    return filled(x, labels, k, x[own.argmax()])


@lesson.mistake(
    "update",
    "there are labels.max() + 1 centers, not k: an empty last cluster is lost",
    see="update(np.array([[0.0], [2.0]]), np.array([0, 0]), 2).shape must be (2, 1)",
)
def k_from_labels(x, labels, k):
    return moved(x, labels, int(labels.max()) + 1)


# --- plus_plus ---


def rows_of(seeds, x, *, once=True):
    """Which row of x each seed is, each row at most once."""
    expect.finite(seeds, name="the seeds")
    off = np.abs(np.asarray(seeds, dtype=float)[:, None] - x).max(axis=2)  # (k, n)
    rounding = 1e-6 * (1 + np.abs(x).max())  # float32 is precise enough
    expect.true(off.min(axis=1).max() < rounding, "a seed is not a row of x", hint="x[index]: seeds are points")
    rows = off.argmin(axis=1)
    expect.true(
        not once or len(set(rows.tolist())) == len(rows), "the same point was drawn twice", hint="its D² is 0 by then"
    )
    return rows


@lesson.check("plus_plus", points=3, uses=("squared_distances",))
def seeds_are_points(student, rng):
    """k different rows of x, others for another rng."""
    # All calls first, then the verdict: several draws together tell the mistakes apart.
    x, draws = rng.normal(size=(30, 3)), []
    for k in (1, 5, 12, 12):
        draws.append(student.plus_plus(x, k, draw_seed(rng)))
        expect.shape(draws[-1], (k, 3), name=f"the seeds for k={k}", hint="return the rows of x, not their indices")
    for seeds in draws:
        rows_of(seeds, x)
    expect.true(
        not np.array_equal(draws[-2], draws[-1]),
        "two different generators gave the same 12 seeds",
        hint="the seeds are drawn: use the argument rng",
    )
    expect.inputs_unchanged(student)


def four_of(student, x, seed):
    seeds = student.plus_plus(x, 4, seed)
    expect.shape(seeds, (4, x.shape[1]), name="the seeds", hint="return the rows of x, not their indices")
    return seeds


@lesson.check("plus_plus", points=3, uses=("squared_distances",))
def repeatable(student, rng):
    """The same rng gives the same seeds, another one gives others."""
    # Six correct draws of 4 ordered rows out of 60 agree with probability below 1e-30.
    x, seed = rng.normal(size=(60, 2)), draw_seed(rng)
    first, again = four_of(student, x, seed), four_of(student, x, seed)
    expect.close(again, first, name="the seeds of a second call with the same rng", hint="draw from rng, nothing else")
    others = [four_of(student, x, draw_seed(rng)) for _ in range(5)]
    for seeds in (first, *others):
        rows_of(seeds, x)
    expect.true(
        not all(np.array_equal(first, other) for other in others),
        "six different generators gave the same seeds",
        hint="use the argument rng; a generator made inside the function starts the same way every time",
    )


@lesson.check("plus_plus", points=4, uses=("squared_distances",))
def never_where_a_seed_is(student, rng):
    """A place that has a seed is not drawn again."""
    # Six places, 10 apart, with ten points each within 1e-4: D² is next to 0 at a place with a seed, so k-means++ finds
    # all six (five draws miss one with probability 1e-8 together). Uniform drawing does in 1 draw of 65, looking at the
    # last seed only in 1 of 26: five draws in a row never. No two points are equal, and the unit changes: whoever
    # draws from np.unique(x, axis=0) draws uniformly.
    place, unit = rng.permutation(np.repeat(np.arange(6), 10)), np.exp(rng.normal())
    places = rng.permutation(np.arange(6))[:, None] * 10.0 + rng.normal(size=(6, 2))
    x = unit * (places[place] + rng.uniform(-5e-5, 5e-5, size=(60, 2)))
    draws = []
    for _ in range(5):
        draws.append(student.plus_plus(x, 6, draw_seed(rng)))
        expect.shape(draws[-1], (6, 2), name="the seeds", hint="return the rows of x, not their indices")
    for seeds in draws:
        hint = "D² is the distance to the nearest seed so far: keep np.minimum"
        found = len(set(place[rows_of(seeds, x)].tolist()))
        expect.true(found == 6, f"6 seeds for 6 places far from each other lie at only {found} of them", hint=hint)


CALLS, SEEDS = 16, 24  # calls; seeds of each
WORST = np.sqrt(np.log(2e8) / (2 * CALLS * (SEEDS - 1)))  # 0.161


def galaxy(rng, n=400, places=100):
    """Points in small groups at places of all scales: the farther out, the fewer, so that each scale has as much D²."""
    angle, reach = rng.uniform(0, 2 * np.pi, size=places), (1 - rng.random(places)) ** -0.5  # P(reach > r) = 1 / r²
    at = np.stack([np.cos(angle), np.sin(angle)], axis=1) * np.minimum(reach, 30)[:, None]
    x = at[rng.integers(places, size=n)] + 0.01 * rng.normal(size=(n, 2))
    return (x + rng.normal(size=2)) * np.exp(rng.normal())


def shares(x, rows, rng):
    """For each seed but the first: how much of the total D² the points nearer to the seeds so far hold, 0 to 1.

    A seed takes up an interval as wide as its probability; the place in it is drawn. So whatever the points, for
    k-means++ these are independent and uniform between 0 and 1.
    """
    sq, result = np.full(len(x), np.inf), []
    for old, new in zip(rows[:-1], rows[1:], strict=True):
        sq = np.minimum(sq, sq_dist(x, x[[old]])[:, 0])
        nearer = sq[sq < sq[new]].sum()
        result.append((nearer + rng.random() * sq[new]) / sq.sum())
    return result


@lesson.check("plus_plus", points=4, uses=("squared_distances",))
def drawn_by_squared_distance(student, rng):
    """The first seed is any point, the next one is drawn proportional to D²."""
    # Kolmogorov's test over the 368 `shares` of 16 calls: their largest gap to the uniform law is above e with
    # probability 2 exp(-2 n e²) at most (Massart), so right solutions miss 0.161 once in 100 million. Measured (40
    # seeds each): right .02 to .08; by D .28 and more, by D⁴ .29, by the distance to the last seed only .40, to the
    # first .41, to the middle of all points .37; uniform .63, always the farthest .94, now and then the farthest .26.
    within, first = [], set()
    for _ in range(CALLS):
        x = galaxy(rng)
        seeds = student.plus_plus(x, SEEDS, draw_seed(rng))
        expect.shape(seeds, (SEEDS, 2), name="the seeds", hint="return the rows of x, not their indices")
        rows = rows_of(seeds, x, once=False)  # rounding in float32 may leave a D² above 0; one seed in 368 is no matter
        within += shares(x, rows, rng)
        first.add(int(rows[0]))
    # 16 rows of 400 drawn blindly are fewer than 9 with probability 2e-10.
    expect.true(len(first) > 8, f"{CALLS} calls began with only {len(first)} rows", hint="rng.integers(n)")
    within, n = np.sort(within), len(within)
    gap = np.maximum(np.arange(1, n + 1) / n - within, within - np.arange(n) / n)
    worst = int(gap.argmax())
    expect.true(
        gap[worst] < WORST,
        f"of {n} seeds {worst + 1} are among the near points that together hold {within[worst]:.0%} of the total D² "
        f"(about {n * within[worst]:.0f} should be)",
        hint="probabilities proportional to the squared distance, not to the distance, and not always the farthest",
    )


@lesson.mistake(
    "plus_plus",
    "all seeds are drawn uniformly",
    see="three far blobs, k = 3: plus_plus should nearly always hit each of them",
)
def uniform_seeds(x, k, rng):
    return x[rng.choice(len(x), size=k, replace=False)]


@lesson.mistake(
    "plus_plus",
    "all seeds are drawn uniformly, and may repeat",
    see="x of 3 points, k = 3: all three must be drawn, every time",
)
def uniform_repeated(x, k, rng):
    return x[rng.integers(len(x), size=k)]


@lesson.mistake(
    "plus_plus",
    "the probabilities are proportional to D, not to D²",
    see="x = [[0.0], [1.0], [3.0]], first seed 0: the others have probabilities 0.1 and 0.9, not 0.25 and 0.75",
)
def by_distance(x, k, rng):
    return seeded(x, k, rng, weight=np.sqrt)


@lesson.mistake(
    "plus_plus",
    "the squared distances are squared once more",
    see="x = [[0.0], [1.0], [3.0]], first seed 0: the others have probabilities 0.1 and 0.9, not 0.01 and 0.99",
)
def by_fourth_power(x, k, rng):
    return seeded(x, k, rng, weight=np.square)


@lesson.mistake(
    "plus_plus",
    "always the farthest point is taken, nothing is drawn",
    see="call plus_plus with many different rng: one outlier must not be a seed every time",
)
def always_farthest(x, k, rng):
    return seeded(x, k, rng, weight=lambda sq: (np.arange(len(sq)) == sq.argmax()).astype(float))


@lesson.mistake(
    "plus_plus",
    "D² is the distance to the last seed only, not to the nearest one",
    see="three far blobs, k = 3: the third seed falls into the blob of the first one half of the time",
)
def last_seed_only(x, k, rng):
    return seeded(x, k, rng, keep=lambda old, new: new)


@lesson.mistake(
    "plus_plus",
    "D² is the distance to the first seed only: it is never brought up to date",
    see="three far blobs, k = 3: second and third seed often fall into the same blob",
)
def first_seed_only(x, k, rng):
    return seeded(x, k, rng, keep=lambda old, new: old)


@lesson.mistake(
    "plus_plus",
    "D² is the distance to the farthest seed (maximum) instead of the nearest",
    see="print D² after the second seed: it must be 0 at both seeds",
)
def farthest_seed(x, k, rng):
    return seeded(x, k, rng, keep=np.maximum)


@lesson.mistake(
    "plus_plus",
    "the argument rng is not used: a generator is made inside the function",
    see="plus_plus(x, k, np.random.default_rng(1)) and ...default_rng(2) must give different seeds",
)
def own_generator(x, k, rng):
    return seeded(x, k, np.random.default_rng(0))


@lesson.mistake(
    "plus_plus",
    "the first seed is always the first point",
    see="call plus_plus(x, 1, rng) with a few rng: any row of x may come",
)
def starts_with_first(x, k, rng):
    picked = [0]
    sq = sq_dist(x, x[picked])[:, 0]
    for _ in range(1, k):
        picked.append(rng.choice(len(x), p=sq / sq.sum()))
        sq = np.minimum(sq, sq_dist(x, x[picked[-1:]])[:, 0])
    return x[picked]


# --- kmeans ---


def never_close(x, start, steps):
    """No point is ever about as near to a second center: rounding, as in float32, cannot change a label."""
    centers = start
    for _ in range(steps):
        sq = np.sort(sq_dist(x, centers), axis=1)
        if (sq[:, 1] - sq[:, 0]).min() < 1e-5:
            return False
        centers = moved(x, sq_dist(x, centers).argmin(axis=1), len(centers))
    return True


def slow_case(rng):
    """Points without groups and a poor start: at least 8 iterations, no empty cluster on the way, no close calls."""
    while True:
        x = rng.uniform(size=(150, 2))
        start = x[np.argsort(x.sum(axis=1))[:5]]  # all five in one corner
        labels, centers, history = lloyd(x, start)
        # Stopping early must lose at least two iterations, or the check could not see it.
        stopped = early_stop(x, start)
        slow = 8 <= len(history) - 1 <= 60 and len(stopped[2]) < len(history) - 2 and len(np.unique(labels)) == 5
        if slow and never_close(x, start, len(history)):
            return x, start, labels, centers, history


def parts(result):
    """labels, centers, history of a student's kmeans, as far as shapes can be trusted later."""
    order = "return labels, centers, history, in this order"
    labels, centers, history = expect.items(result, 3, name="the result of kmeans", hint=order)
    labels, centers = expect.array(labels, name="labels"), expect.array(centers, name="centers")
    seen = f"labels have shape {labels.shape} and centers {centers.shape}; expected one axis and two"
    expect.true(labels.ndim == 1 and centers.ndim == 2, seen, hint=order)
    return labels, centers, history


PARTS = ("squared_distances", "assign", "inertia", "update")


@lesson.check("kmeans", points=6, uses=PARTS)
def converges(student, rng):
    """It runs until no label changes."""
    x, start, labels, centers, _ = slow_case(rng)
    got_labels, got_centers, _ = parts(student.kmeans(x, start))
    expect.shape(got_centers, (5, 2), name="the centers")
    hint = "repeat update and assign until the labels stay the same, starting from the given centers"
    expect.equal(got_labels, labels, name="the labels", hint=hint)
    expect.close(got_centers, centers, rtol=1e-4, atol=1e-6, name="the centers", hint=hint)


@lesson.check("kmeans", points=3, uses=PARTS)
def at_most_max_iter(student, rng):
    """It makes at most max_iter updates, and the labels belong to the centers that it returns."""
    x, start, *_ = slow_case(rng)
    limits, results = (1, 3, 100), []  # all calls first: only together they tell the mistakes apart
    for max_iter in limits:
        results.append(parts(student.kmeans(x, start, max_iter)))
        expect.shape(results[-1][1], start.shape, name=f"the centers (max_iter={max_iter})")
    for max_iter, (got_labels, got_centers, _) in zip(limits, results, strict=True):
        labels, centers, _ = lloyd(x, start, max_iter)
        hint = f"max_iter={max_iter} means at most {max_iter} update{'s' * (max_iter > 1)}, each followed by assign"
        expect.close(got_centers, centers, rtol=1e-4, atol=1e-6, name=f"the centers (max_iter={max_iter})", hint=hint)
        what = f"the labels (max_iter={max_iter})"
        expect.equal(got_labels, labels, name=what, hint="assign once more after the last update")
    expect.inputs_unchanged(student)


@lesson.check("kmeans", points=4, uses=PARTS)
def history_falls(student, rng):
    """The history starts with the inertia of the start, never rises, and ends with that of the result."""
    x, start, _, _, expected = slow_case(rng)
    labels, centers, history = parts(student.kmeans(x, start))
    history = expect.array(history, name="history")
    seen = f"history has shape {history.shape}; expected a list of at most 101 numbers"
    expect.true(history.ndim == 1 and 0 < len(history) <= 101, seen)
    history = history.astype(float)
    expect.finite(history, name="history")
    expect.close(history[0], expected[0], rtol=1e-4, name="the first inertia", hint="that of the start centers")
    rise = np.diff(history).max(initial=0.0)
    expect.at_most(rise, 1e-6 * history[0], what="the largest rise of the inertia", hint="is an update mixed up?")
    expect.shape(labels, (len(x),), name="the labels")
    expect.shape(centers, start.shape, name="the centers")
    expect.true(np.isin(labels, np.arange(len(start))).all(), "a label is not one of 0..k-1")
    own = total(x, centers.astype(float), labels.astype(int))
    expect.close(history[-1], own, rtol=1e-4, name="the last inertia", hint="that of the labels and centers returned")
    # One entry more or less than our own is a matter of taste.
    hint = "one entry after each assignment, and stop as soon as no label has changed"
    low, high = len(expected) - 1, len(expected) + 1
    expect.between(len(history), low, high, what="the length of the history", hint=hint)
    longer, shorter = (history, expected) if len(history) > len(expected) else (expected, history)
    tastes = [np.delete(longer, i) for i in range(len(longer))] if len(longer) > len(shorter) else [longer]
    if not any(np.allclose(taste, shorter, rtol=1e-4) for taste in tastes):
        expect.close(history[: len(expected)], expected[: len(history)], rtol=1e-4, name="the history", hint=hint)


@lesson.check("kmeans", points=3, uses=PARTS)
def no_cluster_is_lost(student, rng):
    """A start center that is nearest to no point comes back."""
    # A triangle of groups with sides of 6 to 10, turned and moved, its points in any order.
    middles = np.array([[0.0, 0.0], [8.0, 0.0], [4.0, 7.0]]) + rng.uniform(-0.7, 0.7, size=(3, 2))
    turn, _ = np.linalg.qr(rng.normal(size=(2, 2)))
    middles = rng.permutation(middles) @ turn + rng.uniform(-20, 20, size=2)
    x = middles[rng.permutation(np.repeat(np.arange(3), 20))] + rng.normal(0, 0.5, size=(60, 2))
    away = 100 * turn[0] * rng.choice([-1, 1])
    start = rng.permutation([middles[0], middles[1], middles.mean(axis=0) + away]) + rng.normal(size=(3, 2)) * 0.1
    labels, centers, _ = lloyd(x, start)
    got_labels, got_centers, _ = parts(student.kmeans(x, start))
    expect.shape(got_labels, (60,), name="the labels")
    expect.finite(got_centers, name="the centers", hint="an empty cluster has no mean: your update must fill it")
    used = len(np.unique(got_labels))
    expect.true(used == 3, f"only {used} of 3 clusters have points at the end", hint="call your update with k")
    expect.same_partition(got_labels, labels)
    expect.same_rows(got_centers, centers, atol=1e-3, name="the centers")


@lesson.mistake(
    "kmeans",
    "the centers never move: update is not called, or its result is thrown away",
    see="print the centers in the loop: they must change; update returns new ones",
)
def never_updates(x, centers, max_iter=100):
    labels = nearest(x, centers)
    return labels, centers, [total(x, centers, labels)] * 2


@lesson.mistake(
    "kmeans",
    "only one iteration: a return inside the loop, or no loop",
    see="print(len(history)): from a poor start it takes many steps",
)
def one_iteration(x, centers, max_iter=100):
    return lloyd(x, centers, 1)


@lesson.mistake(
    "kmeans",
    "the labels are those from before the last update",
    see="with max_iter=1: np.array_equal(labels, assign(x, centers)) must be True",
)
def stale_labels(x, centers, max_iter=100):
    labels, history = None, []
    for _ in range(max_iter):
        old, labels = labels, nearest(x, centers)
        history.append(total(x, centers, labels))
        if old is not None and (old == labels).all():
            break
        centers = moved(x, labels, len(centers))
    return labels, centers, history


@lesson.mistake(
    "kmeans",
    "the given start centers are not used: it starts from the first k points",
    see="kmeans(x, start, 0)[1] must be start",
)
def own_start(x, centers, max_iter=100):
    return lloyd(x, x[: len(centers)].copy(), max_iter)


@lesson.mistake(
    "kmeans",
    "it never stops early: max_iter rounds, whatever the labels do",
    see="print(history): the same number over and over",
)
def never_stops(x, centers, max_iter=100):
    labels = nearest(x, centers)
    history = [total(x, centers, labels)]
    for _ in range(max_iter):
        centers = moved(x, labels, len(centers))
        labels = nearest(x, centers)
        history.append(total(x, centers, labels))
    return labels, centers, history


@lesson.mistake(
    "kmeans",
    "it stops too early: when the inertia falls by less than 1 %, though labels still change",
    see="np.array_equal(labels, assign(x, update(x, labels, k))) must be True at the end",
)
def early_stop(x, centers, max_iter=100):
    labels = nearest(x, centers)
    history = [total(x, centers, labels)]
    for _ in range(max_iter):
        centers = moved(x, labels, len(centers))
        labels = nearest(x, centers)
        history.append(total(x, centers, labels))
        if history[-1] > 0.99 * history[-2]:
            break
    return labels, centers, history


@lesson.mistake(
    "kmeans",
    "max_iter is not used",
    see="len(kmeans(x, start, 1)[2]) must be 2",
)
def no_limit(x, centers, max_iter=100):
    return lloyd(x, centers, 10_000)


# --- elbow ---


def chord_choice(inertias, ks):
    """The rule itself, by distances at a right angle in axes scaled to 1 (the same choice without scaling)."""
    t = (ks - ks[0]) / (ks[-1] - ks[0])
    y = (inertias - inertias[-1]) / (inertias[0] - inertias[-1])
    return int(ks[np.argmax(1 - t - y)])


def curve(rng, ks, place):
    """A falling, convex curve with its elbow at ks[place], where the rivals see none, and a clear winner; or None."""
    # From nearly a power law to one with sharp bends, and not all at the elbow.
    falls = rng.gamma(rng.uniform(0.3, 3), size=len(ks) - 2)
    slopes = 50 * np.exp(-np.cumsum([0, *(rng.uniform(1.5, 5) * falls / falls.sum())]))
    fall = np.concatenate([[0], np.cumsum(slopes * np.diff(ks))])
    inertias = (fall[-1] * (1 + rng.uniform(0.02, 0.3)) - fall) * rng.uniform(0.5, 500)
    below = np.interp(ks, ks[[0, -1]], inertias[[0, -1]]) - inertias
    clear = below[place] > 1.03 * np.delete(below, place).max()
    return inertias if clear and all(rival(inertias, ks) != ks[place] for rival in ELBOW_RIVALS) else None


def thresholds(inertias, ks, place):
    """For other rules that students try: between which limits (low, high) a fixed threshold would find the elbow."""
    drops = inertias[:-1] - inertias[1:]
    slopes = drops / np.diff(ks)
    # "The last k that is reached by at least so much ..." of the first slope, of the first drop, of all drops, of the
    # inertia before; "the first k that leaves at most so much ..." of the inertia, of what can be gained.
    measures = [
        slopes / slopes[0],
        drops / drops[0],
        drops / drops.sum(),
        drops / inertias[:-1],
        inertias[:-1] / inertias[0],
        (inertias[:-1] - inertias[-1]) / drops.sum(),
    ]
    return [(m[place], m[place - 1]) for m in measures]


def curves(rng, draw_ks, also=lambda inertias, ks: True):
    """Four curves, each with its elbow at another place of the list; no fixed place and no fixed threshold is right."""
    while True:
        result, limits = [], []
        for place in rng.permutation([2, 3, 4, 5]).tolist():
            while True:
                ks = draw_ks(place + int(rng.integers(4, 8)))
                inertias = curve(rng, ks, place)
                if inertias is not None and also(inertias, ks):
                    break
            result.append((ks, inertias))
            limits.append(thresholds(inertias, ks, place))
        low, high = np.array(limits).max(axis=0)[:, 0], np.array(limits).min(axis=0)[:, 1]
        if (low >= high).all():
            return result


def judge_elbow(student, drawn, hint):
    """All curves are asked before the first is judged, so that a mistake shows its whole pattern."""
    chosen = []
    for ks, inertias in drawn:
        chosen.append(student.elbow(inertias, ks))
        expect.scalar(chosen[-1], name=f"the chosen k (ks are {', '.join(map(str, ks))})")
    for k, (ks, inertias) in zip(chosen, drawn, strict=True):
        name = f"the chosen k (ks are {', '.join(map(str, ks))})"
        expect.close(np.reshape(k, ()), chord_choice(inertias, ks), name=name, hint=hint)


@lesson.check("elbow", points=6)
def farthest_from_the_chord(student, rng):
    """The k whose point is farthest from the chord."""
    hint = "chord = straight line between the ends of the curve; ks[np.argmax(chord - inertias)]"
    judge_elbow(student, curves(rng, lambda m: np.arange(m) + int(rng.integers(1, 7))), hint)


@lesson.check("elbow", points=4)
def uneven_steps(student, rng):
    """Also when the ks are not evenly spaced."""
    differs = lambda inertias, ks: evenly_spaced(inertias, ks) != chord_choice(inertias, ks)  # noqa: E731
    drawn = []
    while not all(any(evenly_spaced(y, ks) != rival(y, ks) for ks, y in drawn) for rival in ELBOW_RIVALS):
        drawn = curves(rng, lambda m: np.cumsum(rng.integers(1, 9, size=m)), also=differs)
    judge_elbow(student, drawn, "the height of the chord depends on k, not on the place in the list")
    expect.inputs_unchanged(student)


@lesson.mistake(
    "elbow",
    "the place in the list is returned, not the k",
    see="elbow must return one of ks: print(elbow(inertias, ks) in ks)",
)
def index_of_elbow(inertias, ks):
    return int(np.flatnonzero(ks == chord_choice(inertias, ks))[0])


@lesson.mistake(
    "elbow",
    "the k with the smallest inertia is chosen: that is always the largest k",
    see="add a larger k at the end of the list: the choice must not simply follow it",
)
def smallest_inertia(inertias, ks):
    return int(ks[np.argmin(inertias)])


@lesson.mistake(
    "elbow",
    "the k after the largest drop is chosen",
    see="inertias 100, 50, 20, 15, 12, 10 for k = 1..6: the elbow is at 3, the largest drop ends at 2",
)
def largest_drop(inertias, ks):
    return int(ks[np.argmin(np.diff(inertias)) + 1])


@lesson.mistake(
    "elbow",
    "the k before the largest drop is chosen",
    see="inertias 100, 50, 20, 15, 12, 10 for k = 1..6: the elbow is at 3, the largest drop starts at 1",
)
def before_largest_drop(inertias, ks):
    return int(ks[np.argmin(np.diff(inertias))])


@lesson.mistake(
    "elbow",
    "the k after the elbow is chosen (one off)",
    see="plots.elbow_plot(ks, inertias, chosen=elbow(inertias, ks)) and look at the bend",
)
def one_after(inertias, ks):
    return int(ks[np.flatnonzero(ks == chord_choice(inertias, ks))[0] + 1])


@lesson.mistake(
    "elbow",
    "the ks are taken as evenly spaced",
    see="print the chord at each k: from k = 1 to 9 it must be half-way down at k = 5",
)
def evenly_spaced(inertias, ks):
    return int(ks[np.argmax(np.linspace(inertias[0], inertias[-1], len(ks)) - inertias)])


def sharpest_bend(inertias, ks):
    """The largest second difference."""
    return int(ks[np.argmax(np.diff(np.diff(inertias) / np.diff(ks))) + 1])


def steepest_change(inertias, ks):
    """The largest ratio of the slopes before and after."""
    slopes = np.diff(inertias) / np.diff(ks)
    return int(ks[np.argmax(slopes[:-1] / slopes[1:]) + 1])


# Choices that must differ from the elbow on every curve.
ELBOW_RIVALS = (
    index_of_elbow,
    smallest_inertia,
    largest_drop,
    before_largest_drop,
    one_after,
    sharpest_bend,
    steepest_change,
)


# --- pixel_features ---


def tiny_photo(rng, h, w):
    """Random colors; no two channels alike."""
    return rng.integers(0, 256, size=(h, w, 3)).astype(np.uint8)


def truth_features(image, position):
    """(h, w, 3) -> (h*w, 5), zeros for the position when its weight is 0."""
    x = features.pixel_features(image, position=position, dtype=np.float64)
    return np.pad(x, ((0, 0), (0, 5 - x.shape[1])))


@lesson.check("pixel_features", points=4)
def color_between_0_and_1(student, rng):
    """Three columns with red, green and blue between 0 and 1."""
    image = tiny_photo(rng, 6, 9)
    x = expect.array(student.pixel_features(image, 0.0))
    if x.shape == (54, 3):  # leaving out two columns of zeros is as good
        x = np.pad(x, ((0, 0), (0, 2)))
    expect.shape(x, (54, 5), hint="one row for each pixel, in reading order: image.reshape(-1, 3)")
    expected = truth_features(image, 0.0)
    expect.close(x[:, :3], expected[:, :3], rtol=1e-4, atol=1e-5, name="the colors", hint="divide uint8 by 255")
    expect.close(x[:, 3:], expected[:, 3:], atol=1e-5, name="the position for position=0", hint="0 times anything is 0")


@lesson.check("pixel_features", points=6)
def row_and_column(student, rng):
    """Row and column over max(h, w), times the weight, for wide and for tall images."""
    for h, w in [(5, 8), (9, 4)]:
        image, weight = tiny_photo(rng, h, w), float(rng.uniform(0.3, 2))
        x = student.pixel_features(image, weight)
        expect.shape(x, (h * w, 5), name=f"the features of a {h} x {w} image", hint="red, green, blue, row, column")
        expected = truth_features(image, weight)
        got = np.asarray(x)
        size = f"for a {h} x {w} image and position={weight:.2f}"
        expect.close(got[:, :3], expected[:, :3], rtol=1e-4, atol=1e-5, name=f"the colors {size}")
        expect.close(
            got[:, 3:],
            expected[:, 3:],
            rtol=1e-4,
            atol=1e-5,
            name=f"row and column {size}",
            hint="row / max(h, w) * position, then column / max(h, w) * position",
        )
    expect.inputs_unchanged(student)


@lesson.mistake(
    "pixel_features",
    "the colors are not scaled: they run from 0 to 255",
    see="print(pixel_features(image, 1.0).max(axis=0)): the position has no weight beside such colors",
)
def unscaled_color(image, position):
    return truth_features(image, position) * [255, 255, 255, 1, 1]


@lesson.mistake(
    "pixel_features",
    "row and column are not scaled: they count pixels",
    see="print(pixel_features(image, 1.0).max(axis=0)): no entry may be above 1",
)
def unscaled_position(image, position):
    return truth_features(image, position) * [1, 1, 1, max(image.shape[:2]), max(image.shape[:2])]


@lesson.mistake(
    "pixel_features",
    "row and column are each divided by their own length: a step down counts more than a step to the right",
    see="on a wide image, pixel_features(image, 1.0)[:, 3].max() must be smaller than [:, 4].max()",
)
def own_lengths(image, position):
    h, w = image.shape[:2]
    return truth_features(image, position) * [1, 1, 1, max(h, w) / h, max(h, w) / w]


@lesson.mistake(
    "pixel_features",
    "row and column are swapped",
    see="the second pixel is in the first row: pixel_features(image, 1.0)[1, 3] must be 0",
)
def swapped_position(image, position):
    return truth_features(image, position)[:, [0, 1, 2, 4, 3]]


@lesson.mistake(
    "pixel_features",
    "the colors are in the order blue, green, red",
    see="a red image: pixel_features(image, 0)[0] must begin with 1, 0, 0",
)
def bgr(image, position):
    return truth_features(image, position)[:, [2, 1, 0, 3, 4]]


@lesson.mistake(
    "pixel_features",
    "the pixels come column by column instead of row by row",
    see="pixel_features(image, 0)[1, :3] * 255 must be image[0, 1], not image[1, 0]",
)
def column_order(image, position):
    order = np.arange(image.shape[0] * image.shape[1]).reshape(image.shape[:2])
    return truth_features(image, position)[order.T.ravel()]


@lesson.mistake(
    "pixel_features",
    "the weight `position` is not used",
    see="pixel_features(image, 0.0)[:, 3:] must be 0",
)
def weight_ignored(image, position):
    return truth_features(image, 1.0)


@lesson.mistake(
    "pixel_features",
    "the position is left out",
    see="print(pixel_features(image, 1.0).shape): there must be 5 columns",
)
def no_position(image, position):
    return truth_features(image, 0.0)[:, :3]


# --- segment ---


TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])


def quarters(rng, h, w, *, contrast, noise, k=4, off=(0.1, 0.2)):
    """Four rectangles of k colors, cut beside the middle, `contrast` from gray in each channel: image uint8, truth."""
    # Cut well beside the middle, so that four equal quarters, which need no look at the image, are a poor answer.
    row, column = (int(n * (0.5 + rng.choice([-1, 1]) * rng.uniform(*off))) for n in (h, w))
    truth = 2 * (np.arange(h)[:, None] >= row) + (np.arange(w) >= column)
    truth = rng.permutation(np.arange(4) % k)[truth]
    corners = rng.permutation(TETRAHEDRON) * rng.choice([-1, 1], size=3)
    image = (0.5 + contrast * corners)[truth] + rng.normal(0, noise, size=(h, w, 3))
    return np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8), truth


def wide_and_tall(rng, h, w):
    return [(h, w), (w, h)][:: rng.choice([-1, 1])]


SEGMENT_PARTS = (*PARTS, "plus_plus", "kmeans", "pixel_features")


@lesson.check("segment", points=2, uses=SEGMENT_PARTS)
def clear_cut(student, rng, show):
    """Regions of two and of three colors are found exactly, in wide and in tall images."""
    # Without noise the regions are the best clustering by far for any position weight up to 1. One run from k-means++
    # ends elsewhere with probability .005 at weight 0.5, .02 at 0.8, .04 at 1.0 for k = 3, and below .004 for k = 2
    # (600 seeds each), so the best of four runs at weight 0.8 does once in 6 million. With four colors it would be .04,
    # and .06 with rectangles as unequal as those of the mosaic: once in 80,000. Four segments are asked below.
    for (h, w), k in zip(wide_and_tall(rng, 24, 36), rng.permutation([2, 3]).tolist(), strict=True):
        image, truth = quarters(rng, h, w, contrast=0.5, noise=0.0, k=k, off=(0.05, 0.1))
        seed = draw_seed(rng)
        labels = label_map(student.segment(image, k, seed), (h, w), k)
        wrong = metrics.covering(truth, labels) < 1
        if wrong:
            show(f"Regions of {k} colors", image=image, yours=renamed(truth, labels), expected=truth)
        hint = (
            "numbers go along the rows: labels.reshape(h, w)" if read_wrongly(truth, labels) else f"k-means with k={k}"
        )
        expect.same_partition(labels, truth, hint=hint)
        again = student.segment(image, k, seed)
        expect.equal(again, labels, name="a second call with the same rng", hint="draw from rng, nothing else")


@lesson.check("segment", points=4, uses=SEGMENT_PARTS)
def noisy_mosaic(student, rng, show):
    """Position helps where noise hides the color."""
    # Mean covering of two mosaics, RGB, best of 4 runs, 50 seeds (weight 0.8: 200 seeds): color only .69 (.67 to .71),
    # weight 0.3 .71, 0.5 .76 (from .74), 0.8 .83 (from .81), 0.9 .86; one run at 0.8 .83 (from .69); position only .58
    # (.52 to .64); without a look at the image, four equal quarters .59 (.48 to .71). The result counts, not the way:
    # four far colors of the blurred image get .99.
    scores = []
    for h, w in wide_and_tall(rng, 44, 64):
        image, truth = quarters(rng, h, w, contrast=0.22, noise=0.22)
        labels = label_map(student.segment(image, 4, draw_seed(rng)), (h, w), 4)
        scores.append(metrics.covering(truth, labels))
    show("Noisy mosaic", image=image, yours=renamed(truth, labels), expected=truth)
    hint = "color alone cannot see through the noise: use the position, with more weight"
    return expect.ramp(np.mean(scores), zero=0.71, full=0.76, what="the mean covering of 2 mosaics", hint=hint)


# What is cut out of the photos, as it stands: the regions that make up the thing.
THINGS = {
    "flower": ("petals", "center"),
    "coffee": ("cup", "coffee"),
    "china": ("roofs", "walls and terraces"),
    "camera": ("clothes and gloves", "hair", "face"),
}


@cache
def cutout(name):
    """A thing about 48 pixels high: its pixels as differences from its mean color (h, w, 3), and which are its own."""
    sample = datasets.photo(name)
    own = np.isin(sample.truth, [sample.labels.index(region) for region in THINGS[name]])
    rows, columns = np.flatnonzero(own.any(axis=1)), np.flatnonzero(own.any(axis=0))
    step = max(1, len(rows) // 48)
    crop = np.s_[rows[0] : rows[-1] + 1 : step, columns[0] : columns[-1] + 1 : step]
    own, pixels = own[crop], sample.image[crop] / 255
    return pixels - pixels[own].mean(axis=0), own


def four_colors(rng):
    """Corners of a tetrahedron, turned at random around middle gray: any two are 0.77 apart (RGB from 0 to 1)."""
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return 0.5 + 0.47 * rng.permutation(TETRAHEDRON / np.sqrt(3)) @ turn


def collage(rng, h=54, w=72, things=2):
    """Things out of photos on a ground of two parts, in fresh colors, sizes and places: image uint8, truth.

    Whoever knows all photos and their masks by heart knows nothing about it.
    """
    colors = four_colors(rng)
    y, x = (np.indices((h, w)) + 0.5) / h - np.reshape([0.5, 0.5 * w / h], (2, 1, 1))  # from the middle, in heights
    turn = rng.uniform(0, 2 * np.pi)
    truth = (np.cos(turn) * y + np.sin(turn) * x > rng.uniform(-0.12, 0.12)).astype(int)
    waves = sum(rng.normal(size=3) * np.cos(a * y + b * x + c)[..., None] for a, b, c in 6 * rng.normal(size=(3, 3)))
    image = colors[truth] + 0.05 * waves
    turn = rng.uniform(-1, 1)
    place = np.array([0.22 * np.sin(turn), 0.37 * np.cos(turn)])  # of one thing; the other one is opposite
    for label, name in enumerate(rng.choice(list(THINGS), size=things, replace=False), start=2):
        relief, own = cutout(str(name))
        at = place + rng.uniform(-0.04, 0.04, size=2)
        place = -place
        angle, flip, size = rng.uniform(-0.5, 0.5), rng.choice([-1, 1]), rng.uniform(0.55, 0.7)
        # Where each pixel of the collage lies in the cutout: turned, flipped and scaled about its middle.
        dy, dx = (y - at[0]) * len(own) / size, (x - at[1]) * len(own) / size * flip
        row = np.rint(np.cos(angle) * dy - np.sin(angle) * dx + own.shape[0] / 2).astype(int)
        column = np.rint(np.sin(angle) * dy + np.cos(angle) * dx + own.shape[1] / 2).astype(int)
        covered = (row >= 0) & (row < own.shape[0]) & (column >= 0) & (column < own.shape[1])
        covered[covered] = own[row[covered], column[covered]]
        image[covered] = colors[label] + 0.5 * relief[row[covered], column[covered]]
        truth[covered] = label
    image += rng.normal(0, 0.19, size=image.shape)
    return np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8), truth


@lesson.check("segment", points=4, uses=SEGMENT_PARTS)
def collages(student, rng, show):
    """Things cut out of photos are found on a fresh ground."""
    # Mean covering of three collages, RGB, best of 4 runs, 40 seeds (weight 0.8: 60 seeds): color only .87 (.82 to
    # .90), weight 0.3 .88 (from .84), 0.5 .90 (from .86), 0.8 .92 (from .89), 0.9 .92 (from .90); one run at 0.8 .91
    # (from .77); k-means++ seeds only .61 (.48 to .76), two segments .62 (.57 to .67), position only .46 (.39 to .56);
    # without a look at the image, one segment .33, two disks on two halves .50 (.34 to .65). One collage has one thing
    # only, so that k is 3.
    scores = []
    for things in rng.permutation([1, 2, 2]).tolist():
        image, truth = collage(rng, things=things)
        labels = label_map(student.segment(image, 2 + things, draw_seed(rng)), truth.shape, 2 + things)
        scores.append(metrics.covering(truth, labels))
        show(f"Collage: covering {scores[-1]:.2f}", image=image, yours=renamed(truth, labels), expected=truth)
    hint = "color and position, both between 0 and 1; several runs, and the one with the smallest inertia"
    return expect.ramp(np.mean(scores), zero=0.65, full=0.85, what="the mean covering of 3 collages", hint=hint)


def segmented(image, k, rng, *, position=0.8, color=True, steps=100, runs=4):
    """The usual way to segment, as one row of labels; each mistake changes one thing."""
    x = truth_features(image, position)[:, 0 if color else 3 :]
    results = [lloyd(x, seeded(x, k, rng), steps) for _ in range(runs)]
    return min(results, key=lambda r: r[2][-1])[0]


@lesson.mistake(
    "segment",
    "reshaped to (w, h) instead of (h, w)",
    see="print(segment(image, k, rng).shape, image.shape) for an image that is not square",
)
def reshaped_width_first(image, k, rng):
    return segmented(image, k, rng).reshape(image.shape[1], image.shape[0])


@lesson.mistake(
    "segment",
    "right shape, wrong order: reshaped to (w, h) and then transposed",
    see="plots.panels([image, segment(image, k, rng)]): the segments look like woven stripes",
)
def woven(image, k, rng):
    return segmented(image, k, rng).reshape(image.shape[1], image.shape[0]).T


@lesson.mistake(
    "segment",
    "the labels are returned as one long row, not as an image",
    see="print(segment(image, k, rng).shape): it must be image.shape[:2]",
)
def flat_labels(image, k, rng):
    return segmented(image, k, rng)


@lesson.mistake(
    "segment",
    "color only: the position is left out, or has no weight beside colors from 0 to 255",
    see="print(pixel_features(image, weight).max(axis=0)): colors and position must be of about the same size",
)
def color_only(image, k, rng):
    return segmented(image, k, rng, position=0.0).reshape(image.shape[:2])


@lesson.mistake(
    "segment",
    "the color is left out: position only",
    see="plots.panels([image, segment(image, k, rng)]): the segments are cells that ignore the photo",
)
def position_only(image, k, rng):
    return segmented(image, k, rng, color=False).reshape(image.shape[:2])


@lesson.mistake(
    "segment",
    "k-means is not run: pixels are assigned to the k-means++ seeds",
    see="print the history: it must have more than one entry",
)
def seeds_only(image, k, rng):
    return segmented(image, k, rng, steps=0, runs=1).reshape(image.shape[:2])


@lesson.mistake(
    "segment",
    "k is not used: there are always 2 segments",
    see="np.unique(segment(image, 5, rng)) must have 5 values",
)
def always_two(image, k, rng):
    return segmented(image, 2, rng).reshape(image.shape[:2])


@lesson.mistake(
    "segment",
    "k is not used: there are always 4 segments",
    see="np.unique(segment(image, 5, rng)) must have 5 values",
)
def always_four(image, k, rng):
    return segmented(image, 4, rng).reshape(image.shape[:2])
