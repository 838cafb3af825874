"""Lesson 02: other right solutions get all points, and points fall the way the lesson says."""

from __future__ import annotations

import numpy as np
import pytest
from answers import Answers
from scipy.spatial.distance import cdist

from autograder.checks import kmeans as checks
from autograder.lesson import Lesson
from unseg_helpers import kmeans

lesson: Lesson = checks.lesson


# --- Right answers, written in as few lines as possible; the checks' own truth, so the tests need no solutions/ ---

RIGHT = {
    "squared_distances": checks.sq_dist,
    "assign": checks.nearest,
    "inertia": checks.total,
    "update": checks.moved,
    "plus_plus": checks.seeded,
    "kmeans": checks.lloyd,
    "elbow": checks.chord_choice,
    "pixel_features": checks.truth_features,
    "segment": lambda image, k, rng: checks.segmented(image, k, rng).reshape(image.shape[:2]),
}


answers = Answers(lesson, RIGHT)
results, lost = answers.results, answers.lost


# --- Other ways to be right ---


def distances_broadcast(x, centers):
    return ((x[:, None, :] - centers[None, :, :]) ** 2).sum(axis=2)


def distances_einsum(x, centers):
    difference = x[:, None] - centers
    return np.einsum("nkd,nkd->nk", difference, difference)


def distances_loops(x, centers):
    return [[sum((a - b) ** 2 for a, b in zip(p, c, strict=True)) for c in centers.tolist()] for p in x.tolist()]


def distances_cdist(x, centers):
    return cdist(x, centers) ** 2


def distances_in_double(x, centers):
    x, centers = x.astype(np.float64), centers.astype(np.float64)
    return np.clip((x * x).sum(1)[:, None] + (centers * centers).sum(1) - 2 * np.dot(x, centers.T), 0, None)


def distances_shifted_single(x, centers):
    shift = centers[0]
    x, centers = (x - shift).astype(np.float32), (centers - shift).astype(np.float32)
    return np.maximum((x**2).sum(1, keepdims=True) - 2 * x @ centers.T + (centers**2).sum(1), 0)


def assign_loop(x, centers):
    return [int(np.argmin([np.linalg.norm(p - c) for c in centers])) for p in x]


def assign_expansion(x, centers):
    return ((centers**2).sum(1) - 2 * x @ centers.T).argmin(1).astype(np.uint8)


def inertia_loop(x, centers, labels):
    result = 0.0
    for point, label in zip(x, labels, strict=True):
        result += np.linalg.norm(point - centers[label]) ** 2
    return result


def inertia_take_along(x, centers, labels):
    return np.take_along_axis(checks.sq_dist(x, centers), labels[:, None], axis=1).sum(keepdims=True)


def update_add_at(x, labels, k):
    sums = np.zeros((k, x.shape[1]))
    np.add.at(sums, labels, x)
    counts = np.bincount(labels, minlength=k)
    centers = sums / np.maximum(counts, 1)[:, None]
    own = np.linalg.norm(x - centers[labels], axis=1)
    for j in np.flatnonzero(counts == 0):
        far = own.argmax()
        centers[j], own[far] = x[far], -1
    return centers


def update_one_hot(x, labels, k):
    """float32, and the empty clusters are served last to first."""
    one_hot = (labels[:, None] == np.arange(k)).astype(np.float32)
    counts = one_hot.sum(axis=0)
    centers = (one_hot.T @ x.astype(np.float32)) / np.maximum(counts, 1)[:, None]
    order = np.argsort(((x - centers[labels]) ** 2).sum(axis=1))
    empty = np.flatnonzero(counts == 0)
    centers[empty] = x[order[len(x) - len(empty) :]]
    return centers


def plus_plus_cumsum(x, k, rng):
    seeds = [x[int(rng.random() * len(x))]]
    while len(seeds) < k:
        mass = np.cumsum(cdist(x, seeds, "sqeuclidean").min(axis=1))
        seeds.append(x[np.searchsorted(mass, rng.random() * mass[-1], side="right")])
    return np.array(seeds)


def plus_plus_single(x, k, rng):
    x = x.astype(np.float32)
    seeds = x[rng.choice(len(x), 1)]
    for _ in range(k - 1):
        square = ((x[:, None] - seeds) ** 2).sum(2).min(1).astype(float)
        seeds = np.vstack([seeds, x[rng.choice(len(x), p=square / square.sum())]])
    return seeds


def plus_plus_of_the_library(x, k, rng):
    return kmeans.plus_plus(x, k, rng=rng, n_candidates=1)


def kmeans_of_the_library(x, centers, max_iter=100):
    result = kmeans.kmeans(x, len(centers), init=centers, max_iter=max_iter)
    return result.labels, result.centers, result.history


def kmeans_break_in_the_middle(x, centers, max_iter=100):
    """Notices the end before the last update, so its history is one shorter."""
    labels = checks.nearest(x, centers)
    history = [checks.total(x, centers, labels)]
    for _ in range(max_iter):
        moved = checks.moved(x, labels, len(centers))
        if np.allclose(moved, centers):
            break
        centers, labels = moved, checks.nearest(x, moved)
        history.append(checks.total(x, centers, labels))
    return [labels, centers, np.array(history)]


def kmeans_while(x, centers, max_iter=100):
    labels, history, i, changed = checks.nearest(x, centers).astype(np.int32), [], 0, True
    history += [np.float64(checks.total(x, centers, labels))]
    while changed and i < max_iter:
        centers = checks.moved(x, labels, centers.shape[0])
        fresh = checks.nearest(x, centers).astype(np.int32)
        changed, labels, i = bool((fresh != labels).any()), fresh, i + 1
        history += [np.float64(checks.total(x, centers, labels))]
    return labels, centers, history


def elbow_at_a_right_angle(inertias, ks):
    """Cross product with the chord, nothing scaled."""
    a, b = np.array([ks[0], inertias[0]]), np.array([ks[-1], inertias[-1]])
    away = [abs((b - a)[0] * (y - a[1]) - (b - a)[1] * (k - a[0])) for k, y in zip(ks, inertias, strict=True)]
    return np.int64(ks[int(np.argmax(away / np.linalg.norm(b - a)))])


def features_by_loops(image, position):
    h, w, _ = image.shape
    rows = []
    for i in range(h):
        for j in range(w):
            color = [float(c) / 255 for c in image[i, j]]
            rows.append([*color, position * i / max(h, w), position * j / max(h, w)])
    return rows


def features_without_zeros(image, position):
    h, w = image.shape[:2]
    color = (image / 255.0).astype(np.float32).reshape(h * w, 3)
    if position == 0:
        return color
    column, row = np.meshgrid(np.arange(w), np.arange(h))
    return np.hstack([color, np.c_[row.ravel(), column.ravel()].astype(np.float32) * np.float32(position / max(h, w))])


def segment_more_position(image, k, rng):
    return checks.segmented(image, k, rng, position=0.9).reshape(image.shape[:2])


def segment_other_numbers(image, k, rng):
    """The same segments under other numbers, as small integers."""
    return (k - 1 - checks.segmented(image, k, rng).reshape(image.shape[:2])).astype(np.uint8)


OTHERS = [
    ("squared_distances", distances_broadcast),
    ("squared_distances", distances_einsum),
    ("squared_distances", distances_loops),
    ("squared_distances", distances_cdist),
    ("squared_distances", distances_in_double),
    ("squared_distances", distances_shifted_single),
    ("squared_distances", kmeans.squared_distances),
    ("assign", assign_loop),
    ("assign", assign_expansion),
    ("assign", kmeans.assign),
    ("inertia", inertia_loop),
    ("inertia", inertia_take_along),
    ("inertia", kmeans.inertia),
    ("update", update_add_at),
    ("update", update_one_hot),
    ("update", kmeans.update),
    ("plus_plus", plus_plus_cumsum),
    ("plus_plus", plus_plus_single),
    ("plus_plus", plus_plus_of_the_library),
    ("kmeans", kmeans_break_in_the_middle),
    ("kmeans", kmeans_while),
    ("kmeans", kmeans_of_the_library),
    ("elbow", elbow_at_a_right_angle),
    ("elbow", kmeans.elbow),
    ("pixel_features", features_by_loops),
    ("pixel_features", features_without_zeros),
    ("segment", segment_more_position),
    ("segment", segment_other_numbers),
]


@pytest.mark.parametrize(("task", "function"), OTHERS, ids=[f"{t}-{f.__name__}" for t, f in OTHERS])
def test_other_right_solutions_get_all_points(task, function, seed):
    assert lost(task, function, seed) == {}


@pytest.mark.parametrize("task", RIGHT)
def test_the_truth_of_the_checks_passes_them(task, seed):
    assert lost(task, RIGHT[task], seed) == {}


# --- What costs how much ---


def test_there_are_four_mistakes_for_every_task():
    for task in lesson.tasks:
        assert sum(m.task == task for m in lesson.mistakes) >= 4, task


def test_plain_expansion_loses_only_the_points_for_precision(seed):
    assert lost("squared_distances", checks.cancelled, seed) == {"far_from_the_origin": 3}


def test_forgotten_empty_clusters_keep_the_points_for_the_means(seed):
    assert lost("update", checks.empty_is_nan, seed) == {"one_empty_cluster": 4, "two_empty_clusters": 4}


def test_a_shift_in_place_is_seen(seed):
    def in_place(x, centers):
        x -= x.mean(axis=0)
        return checks.sq_dist(x, centers - 0)

    found = results("squared_distances", in_place, seed)
    assert all(r.status == "failed" for r in found)

    def careful_but_in_place(x, centers):
        shift = x.mean(axis=0)
        x -= shift
        return checks.sq_dist(x, centers - shift)

    assert lost("squared_distances", careful_but_in_place, seed) == {"far_from_the_origin": 3}


def spoil(task):
    """The right function, which afterwards changes its first argument in place."""

    def function(first, *others):
        result = RIGHT[task](first.copy(), *others)
        first += 1
        return result

    return function


@pytest.mark.parametrize("task", [t for t in RIGHT if t != "segment"])
def test_changing_an_argument_costs_one_check_and_is_not_taken_for_a_mistake(task, seed):
    wrong = [r for r in results(task, spoil(task), seed) if r.status != "passed"]
    assert len(wrong) == 1 and "in place" in wrong[0].message and wrong[0].mistake is None


def test_labels_as_floats_are_not_taken_for_a_mistake(seed):
    wrong = [r for r in results("assign", lambda *a: checks.nearest(*a).astype(float), seed) if r.status != "passed"]
    assert len(wrong) == 1 and "expected integers" in wrong[0].message and wrong[0].mistake is None


def test_color_alone_loses_the_points_for_the_mosaic(seed):
    found = lost("segment", checks.color_only, seed)
    assert found["noisy_mosaic"] == 4 and found.get("collages", 0) < 1


def test_segments_come_with_figures(seed):
    found = {r.id: r.figures for r in results("segment", RIGHT["segment"], seed)}
    assert len(found["kmeans.segment.collages"]) == 3
    for figure in found["kmeans.segment.collages"]:
        assert list(figure.panels) == ["image", "yours", "expected"]
        assert figure.panels["yours"].shape == figure.panels["image"].shape[:2]
        assert (figure.panels["yours"] == figure.panels["expected"]).mean() > 0.8  # the same colors in the picture


def disks(h, w):
    """Two disks on two halves: what all collages have in common."""
    y, x = np.indices((h, w)) / h
    labels = (y > 0.5).astype(int)
    labels[np.hypot(y - 0.5, x - 0.22 * w / h) < 0.27] = 2
    labels[np.hypot(y - 0.5, x - 0.78 * w / h) < 0.27] = 3
    return labels


GUESSES = {
    "one segment": lambda h, w: np.zeros((h, w), dtype=int),
    "stripes": lambda h, w: np.add.outer(np.arange(h) * 4 // h, np.zeros(w, dtype=int)),
    "quarters": lambda h, w: np.add.outer(np.arange(h) * 2 // h * 2, np.arange(w) * 2 // w),
    "disks": disks,
}


@pytest.mark.parametrize("guess", GUESSES.values(), ids=GUESSES)
def test_segments_without_a_look_at_the_image_earn_next_to_nothing(guess):
    points = [
        sum(r.points for r in results("segment", lambda image, k, rng: guess(*image.shape[:2]), seed))
        for seed in range(6)
    ]
    assert np.mean(points) < 0.2 and max(points) < 1


def test_collages_are_new_each_time_and_their_truth_is_exact(seed):
    rng = np.random.default_rng(seed)
    (image, truth), (other, other_truth) = checks.collage(rng), checks.collage(rng)
    assert image.dtype == np.uint8 and set(np.unique(truth)) == {0, 1, 2, 3}
    assert (image != other).mean() > 0.9 and (truth != other_truth).any()
    means = np.array([image[truth == label].mean(axis=0) for label in range(4)])
    gaps = np.linalg.norm(means[:, None] - means, axis=2)[np.triu_indices(4, 1)]
    assert gaps.min() > 100  # of 196 between the colors, before noise and clipping


def test_labels_read_in_the_wrong_order_get_that_hint(seed):
    found = results("segment", checks.woven, seed)
    assert "along the rows" in found[0].hint


@pytest.mark.parametrize("nonsense", [None, "labels", 3.5, [], [[1], [2, 3]], {"labels": 1}, float("nan")])
@pytest.mark.parametrize("task", RIGHT)
def test_nonsense_gets_no_points_and_a_message(task, nonsense):
    for result in results(task, lambda *args: nonsense, seed=1):
        assert result.points == 0
        assert result.message


# --- The truth itself ---


def test_truth_by_hand():
    x = np.array([[0.0], [2.0], [7.0], [9.0]])
    assert checks.sq_dist(x, x[:1]).ravel().tolist() == [0, 4, 49, 81]
    assert checks.moved(x, np.array([0, 0, 0, 2]), 3).ravel().tolist() == [3, 7, 9]
    assert checks.lloyd(x, x[:2])[2] == [74, 14, 4]
    assert checks.chord_choice(np.array([100.0, 50, 20, 15, 12, 10]), np.arange(1, 7)) == 3


def test_shares_of_right_seeds_are_uniform_and_those_of_a_mistake_are_not(seed):
    """What the comment of `drawn_by_squared_distance` promises."""

    def mean_share(draw):
        rng = np.random.default_rng(seed)
        x = [checks.galaxy(rng) for _ in range(20)]
        rows = [checks.rows_of(draw(points, 24, rng), points, once=False) for points in x]
        return np.mean([checks.shares(points, r, rng) for points, r in zip(x, rows, strict=True)])

    assert mean_share(checks.seeded) == pytest.approx(0.5, abs=0.08)  # standard deviation 0.013
    assert mean_share(checks.by_distance) < 0.4
    assert mean_share(checks.by_fourth_power) > 0.6


def counting(draw):
    """Seeds by a rule that sees the number of the draw, the points and the rng, but computes no probabilities."""
    calls = iter(range(10_000))

    def plus_plus(x, k, rng):
        rows = rng.choice(len(x), size=k, replace=False)
        farthest = np.argsort(-np.abs(x - np.median(x, axis=0)).sum(axis=1))
        for i in range(1, k):
            if draw(next(calls), rng):
                rows[i] = next(row for row in farthest if row not in rows)
        return x[rows]

    return plus_plus


@pytest.mark.parametrize(
    "draw",
    [lambda i, rng: i % 2, lambda i, rng: i % 5 > 1, lambda i, rng: rng.random() < 0.6, lambda i, rng: True],
    ids=["every other call", "three of five", "a coin", "always"],
)
def test_the_law_cannot_be_faked_by_counting_calls(draw):
    for seed in range(5):
        assert "drawn_by_squared_distance" in lost("plus_plus", counting(draw), seed)


def test_labels_and_centers_in_the_wrong_order_are_told_apart():
    def swapped(x, centers, max_iter=100):
        labels, centers, history = checks.lloyd(x, centers, max_iter)
        return centers, labels, history

    for result in results("kmeans", swapped, 3):
        assert result.hint == "return labels, centers, history, in this order" and "labels have shape" in result.message


def test_indices_instead_of_seeds_are_named_by_every_check():
    def indices(x, k, rng):
        return rng.choice(len(x), k)

    hints = [r.hint for r in results("plus_plus", indices, 3)]
    assert len(hints) == 4 and set(hints) == {"return the rows of x, not their indices"}


# --- Functions that do something else, written for the checks (found by a red team) ---


def distinct_rows(x, k, rng):
    """Random different points, and the one far point second if there is one."""
    u = np.unique(np.round(x, 2), axis=0, return_index=True)[1]
    pick = rng.permutation(u)[:k] if len(u) >= k else rng.permutation(len(x))[:k]
    away = np.abs(x - np.median(x, axis=0)).max(axis=1)
    if away.max() > 25 * np.median(away) and away.argmax() not in pick and k > 1:
        pick[1] = away.argmax()
    return x[pick]


def far_from_the_middle(x, k, rng):
    """Drawn by the squared distance to the mean of all points, which needs no seed so far."""
    square = ((x - x.mean(axis=0)) ** 2).sum(axis=1)
    return x[rng.choice(len(x), size=k, replace=False, p=square / square.sum())]


@pytest.mark.parametrize("draw", [distinct_rows, far_from_the_middle])
def test_seeds_without_distances_to_seeds_earn_only_the_form(draw):
    for seed in range(5):
        found = lost("plus_plus", draw, seed)
        assert found["drawn_by_squared_distance"] == 4
        assert found.get("never_where_a_seed_is") == 4 or draw is distinct_rows


def exact_rows(x, k, rng):
    return rng.permutation(np.unique(x, axis=0))[:k]


def test_different_rows_do_not_find_all_places():
    for seed in range(5):
        assert lost("plus_plus", exact_rows, seed) == {"never_where_a_seed_is": 4, "drawn_by_squared_distance": 4}


@pytest.mark.parametrize("share", [0.05, 0.1, 0.15, 0.2, 0.3, 0.4])
@pytest.mark.parametrize("measure", ["slope", "drop", "inertia", "left"])
def test_no_fixed_threshold_finds_the_elbows(measure, share):
    def elbow(inertias, ks):
        drops = inertias[:-1] - inertias[1:]
        slopes = drops / np.diff(ks)
        if measure == "left":
            return ks[np.argmax(inertias <= share * inertias[0])]
        reached = {"slope": slopes / slopes[0], "drop": drops / drops.sum(), "inertia": drops / inertias[:-1]}[measure]
        return ks[np.flatnonzero(reached >= share)[-1] + 1] if (reached >= share).any() else ks[0]

    for seed in range(5):
        assert set(lost("elbow", elbow, seed)) == {"farthest_from_the_chord", "uneven_steps"}


@pytest.mark.parametrize("rule", checks.ELBOW_RIVALS)
def test_no_rival_finds_an_elbow(rule):
    for seed in range(5):
        assert set(lost("elbow", rule, seed)) == {"farthest_from_the_chord", "uneven_steps"}


def invented(x, centers, max_iter=100):
    labels, centers, history = checks.lloyd(x, centers, max_iter)
    return labels, centers, np.linspace(history[0], history[-1], len(history))


def motionless(x, centers, max_iter=100):
    labels = checks.nearest(x, centers)
    return labels, centers, [checks.total(x, centers, labels)] * len(checks.lloyd(x, centers)[2])


def halved(x, centers, max_iter=100):
    """The last number of the history is right, and the one before it is not."""
    labels, centers, history = checks.lloyd(x, centers, max_iter)
    return labels, centers, [*history[:-3], history[-4] - 1e-3 * history[0], *history[-2:]]


@pytest.mark.parametrize("kmeans", [invented, motionless, halved])
def test_an_invented_history_earns_nothing(kmeans):
    for seed in range(5):
        assert lost("kmeans", kmeans, seed)["history_falls"] == 4


def single_precision(x, centers, max_iter=100):
    """All in float32, and the inertia of the start twice in the history."""
    x, centers = np.float32(x), np.float32(centers)
    square = lambda: ((x[:, None] - centers) ** 2).sum(axis=2)  # noqa: E731
    labels = square().argmin(axis=1)
    history = [square().min(axis=1).sum()] * 2
    for _ in range(max_iter):
        centers = checks.moved(x, labels, len(centers)).astype(np.float32)
        old, labels = labels, square().argmin(axis=1)
        history.append(square().min(axis=1).sum())
        if (old == labels).all():
            break
    return labels, centers, history


def test_a_history_in_float32_with_one_entry_more_is_right():
    for seed in range(30):
        assert lost("kmeans", single_precision, seed) == {}


def test_places_by_heart_are_no_clusters():
    def by_heart(x, centers, max_iter=100):
        labels = np.where(x[:, 1] > 3.5, 2, (x[:, 0] > 4) * 1)
        return labels, checks.means(x, labels, len(centers)), None

    for seed in range(10):
        assert lost("kmeans", by_heart, seed)["no_cluster_is_lost"] == 3


@pytest.mark.parametrize("k", [2, 3, 4, 5])
def test_a_fixed_number_of_segments_costs_points(k):
    always = lambda image, _, rng: RIGHT["segment"](image, k, rng)  # noqa: E731
    for seed in range(2):
        found = lost("segment", always, seed)
        assert found["clear_cut"] == 2 and found["collages"] > 1.5 or k == 3
        assert "clear_cut" in found


def test_always_four_segments_have_a_name():
    for seed in range(2):
        found = results("segment", checks.always_four, seed)
        assert [r.mistake for r in found if r.status != "passed"] == ["k is not used: there are always 4 segments"] * 2
