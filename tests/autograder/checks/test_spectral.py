"""Lesson 05: other right solutions get all points, and points fall the way the lesson says."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import scipy.linalg
import scipy.ndimage
import scipy.sparse.linalg
from answers import Answers
from scipy.spatial import cKDTree

from autograder.checks import spectral as checks
from autograder.lesson import Lesson

lesson: Lesson = checks.lesson


# --- Right answers, written in as few lines as possible; the checks' own truth, so the tests need no solutions/ ---


def laplacian(w):
    return checks.degrees_of(w), np.diag(checks.degrees_of(w)) - w


RIGHT = {
    "feature_affinity": checks.affinity_of,
    "color_affinity": lambda image, neighbors: checks.with_affinity(checks.psi_of(image), neighbors),
    "laplacian": laplacian,
    "eigenvectors": checks.spectrum,
    "foreground": checks.chosen_side,
    "upsample": checks.enlarged,
    "object_box": lambda mask, patch: checks.box_of(checks.largest_part(mask), patch),
    "segments": lambda vectors, n, rng: checks.with_background(checks.clustered(vectors, n, rng)),
    "find_object": checks.eigen_mask,
}


answers = Answers(lesson, RIGHT)
results, lost = answers.results, answers.lost


# --- Other ways to be right ---


def affinity_loop(features):
    f = [row / np.sqrt(row @ row) for row in features.astype(float)]
    return [[max(float(a @ b), 0.0) for b in f] for a in f]


def affinity_single(features):
    f = features.astype(np.float32)
    w = f @ f.T
    lengths = np.sqrt(w.diagonal())
    w = w / lengths / lengths[:, None]
    return np.where(w > 0, w, 0)


def color_tree(image, neighbors):
    """Hue by the standard library, neighbors by a tree."""
    h, w = image.shape[:2]
    rows = []
    for y in range(h):
        for x in range(w):
            hue, s, v = colorsys.rgb_to_hsv(*(image[y, x] / 255))
            rows.append([np.cos(2 * np.pi * hue), np.sin(2 * np.pi * hue), s, v, x / (w - 1), y / (h - 1)])
    nearest = cKDTree(rows).query(rows, k=neighbors + 1)[1][:, 1:]
    a = scipy.sparse.csr_array(
        (np.ones(nearest.size), (np.repeat(np.arange(h * w), neighbors), nearest.ravel())), shape=(h * w, h * w)
    )
    return [np.float32(rows), (a + a.T).toarray().astype(int)]


def laplacian_lists(w):
    d = w.astype(np.float32).sum(axis=0)
    return [float(value) for value in d], (d * np.eye(len(w)) - w).tolist()


def eigen_dense(w, k):
    d, matrix = laplacian(w)
    values, vectors = scipy.linalg.eigh(matrix, np.diag(d))
    return values[:k], -vectors[:, :k]


def eigen_lanczos(w, k):
    """In float32, as vectors of length 1."""
    w = w.astype(np.float32)
    root = 1 / np.sqrt(w.sum(axis=1))
    start = np.random.default_rng(0).normal(size=len(w))
    values, u = scipy.sparse.linalg.eigsh(root[:, None] * w * root, k=k, which="LA", v0=start)
    order = np.argsort(-values)
    v = (root[:, None] * u)[:, order]
    return 1 - values[order], v / np.linalg.norm(v, axis=0)


def eigen_shift_invert(w, k):
    """The published call, which needs a shift a little below 0 for a singular matrix."""
    d, matrix = laplacian(w)
    start = np.random.default_rng(0).normal(size=len(w))
    values, vectors = scipy.sparse.linalg.eigsh(matrix, k=k, sigma=-1e-3, M=np.diag(d), v0=start)
    order = np.argsort(values)
    return values[order], vectors[:, order]


def eigen_of_the_walk(w, k):
    """Eigenvectors of D^-1 W, which is not symmetric: where values repeat, the vectors are not orthogonal."""
    values, vectors = np.linalg.eig(w / checks.degrees_of(w)[:, None])
    order = np.argsort(-values.real)[:k]
    return 1 - values[order].real, vectors[:, order].real


def eigen_turned(w, k):
    """Other vectors of the same plane where a value comes twice, and one much longer than the others."""
    values, vectors = checks.spectrum(w, k)
    if k == 3 and values[2] - values[1] < 1e-6:
        vectors[:, 1:] = vectors[:, 1:] @ [[0.6, 0.8], [-0.8, 0.6]]
    vectors[:, -1] *= -1000
    return values, vectors


def foreground_counted(v):
    share = np.count_nonzero(v > 0) / v.size
    return (-v > 0 if share > 0.5 and share < 1 else v > 0).astype(np.uint8)


def upsample_repeat(mask, patch, height, width):
    full = np.repeat(np.repeat(mask, patch, axis=0), patch, axis=1)
    return np.pad(full, ((0, height - full.shape[0]), (0, width - full.shape[1])), mode="edge").astype(float)


def upsample_kron(mask, patch, height, width):
    full = np.kron(mask.astype(int), np.ones((patch, patch), dtype=int))
    rows, columns = (np.arange(n).clip(max=m - 1) for n, m in ((height, full.shape[0]), (width, full.shape[1])))
    return full[np.ix_(rows, columns)]


def box_slices(mask, patch):
    labels, count = scipy.ndimage.label(mask)
    if not count:
        return 0, 0, mask.shape[1] * patch, mask.shape[0] * patch
    sizes = scipy.ndimage.sum_labels(mask, labels, range(1, count + 1))
    y, x = scipy.ndimage.find_objects(labels)[int(np.argmax(sizes))]
    return [x.start * patch, y.start * patch, x.stop * patch, y.stop * patch]


def segments_one_start(vectors, n, rng):
    """All vectors, the constant one too, five starts, and other numbers for the objects."""
    h, w, k = vectors.shape
    labels = checks.with_background(checks.grouped(vectors.reshape(-1, k), n, rng, starts=5).reshape(h, w))
    return np.where(labels > 0, n - labels, 0).astype(np.uint8)


def find_with_color(features, image, patch):
    """A little of the color graph."""
    h, w, _ = features.shape
    small = image[: h * patch, : w * patch].reshape(h, patch, w, patch, 3).mean(axis=(1, 3))
    graph = checks.knn_of(checks.psi_of(small), 20)
    return checks.eigen_mask(features, image, patch, affinity=lambda f: checks.affinity_of(f) + 0.05 * graph)


def find_single(features, image, patch):
    h, w, _ = features.shape
    _, vectors = eigen_lanczos(affinity_single(features.reshape(h * w, -1)), 2)
    return upsample_kron(foreground_counted(vectors[:, 1].reshape(h, w)), patch, *image.shape[:2])


OTHERS = [
    ("feature_affinity", affinity_loop),
    ("feature_affinity", affinity_single),
    ("color_affinity", color_tree),
    ("laplacian", laplacian_lists),
    ("eigenvectors", eigen_dense),
    ("eigenvectors", eigen_lanczos),
    ("eigenvectors", eigen_shift_invert),
    ("eigenvectors", eigen_of_the_walk),
    ("eigenvectors", eigen_turned),
    ("foreground", foreground_counted),
    ("upsample", upsample_repeat),
    ("upsample", upsample_kron),
    ("object_box", box_slices),
    ("segments", segments_one_start),
    ("find_object", find_with_color),
    ("find_object", find_single),
]


@pytest.mark.parametrize(("task", "function"), OTHERS, ids=[f"{t}-{f.__name__}" for t, f in OTHERS])
def test_other_right_solutions_get_all_points(task, function, seed):
    assert lost(task, function, seed) == {}


@pytest.mark.parametrize("task", RIGHT)
def test_the_truth_of_the_checks_passes_them(task, seed):
    assert lost(task, RIGHT[task], seed) == {}


# --- What costs how much ---


PARTLY = [
    ("feature_affinity", checks.negatives_kept, {"no_negative_weights": 3, "any_number_of_patches": 2}),
    ("color_affinity", checks.own_neighbor, {"edges_to_the_nearest": 4, "weights_are_counts": 4}),
    ("color_affinity", checks.larger_direction, {"weights_are_counts": 4}),
    ("laplacian", checks.symmetric_laplacian, {"degree_minus_weight": 5}),
    ("foreground", checks.zero_counts, {"special_vectors": 2}),
    ("foreground", checks.negated_when_all_positive, {"special_vectors": 2}),
    ("foreground", checks.sign_by_sum, {"signs_are_counted": 4, "special_vectors": 2}),
    ("upsample", checks.rest_empty, {"rest_of_the_image": 4}),
    ("upsample", checks.stretched, {"rest_of_the_image": 4}),
    ("object_box", checks.around_everything, {"only_the_largest_part": 4}),
    ("object_box", checks.corners_connect, {"only_the_largest_part": 4}),
    ("segments", checks.no_background, {"background_is_zero": 5}),
    ("find_object", checks.stretched_mask, {"clear_objects": 2}),
]


@pytest.mark.parametrize(("task", "function", "expected"), PARTLY, ids=[f"{t}-{f.__name__}" for t, f, _ in PARTLY])
def test_a_single_slip_costs_only_its_own_check(task, function, expected, seed):
    found = lost(task, function, seed)
    assert {name: points for name, points in found.items() if name in expected} == expected
    assert sum(found.values()) - sum(expected.values()) < 2


@pytest.mark.parametrize("task", RIGHT)
def test_changing_an_argument_costs_one_check_and_is_not_taken_for_a_mistake(task):
    def spoil(first, *others):
        result = RIGHT[task](first.copy(), *others)
        first[:] = ~first if first.dtype == bool else first + 1
        return result

    wrong = [r for r in results(task, spoil, 1) if r.status != "passed"]
    assert len(wrong) == 1 and "in place" in wrong[0].message and wrong[0].mistake is None


# --- Points for something else ---


def test_vectors_given_twice_are_not_two(seed):
    def twice(w, k):
        values, vectors = checks.spectrum(w, k)
        vectors[:, -1] = vectors[:, -2]
        return values, vectors

    assert "repeated_values" in lost("eigenvectors", twice, seed)


def without_looking(axes):
    def find(features, image, patch):
        h, w = image.shape[:2]
        y, x = np.indices((h, w)) + 0.5
        return ((2 * y / h - 1) / axes) ** 2 + ((2 * x / w - 1) / axes) ** 2 < 1

    return find


def by_color(n):
    """k-means of the colors of the patches; what has most of the border is not the object."""

    def find(features, image, patch):
        h, w, _ = features.shape
        small = image[: h * patch, : w * patch].reshape(h, patch, w, patch, 3).mean(axis=(1, 3))
        labels = checks.grouped(small.reshape(-1, 3) / 255, n, np.random.default_rng(0), 3).reshape(h, w)
        return checks.enlarged(checks.with_background(labels) > 0, patch, *image.shape[:2])

    return find


TRIVIAL = {
    "all": lambda features, image, patch: np.ones(image.shape[:2], dtype=bool),
    "nothing": lambda features, image, patch: np.zeros(image.shape[:2], dtype=bool),
    "ellipse": without_looking(0.7),
    "small ellipse": without_looking(0.5),
    "two colors": by_color(2),
    "three colors": by_color(3),
    "color graph": checks.color_only,
}


@pytest.mark.parametrize("function", TRIVIAL.values(), ids=TRIVIAL)
def test_trivial_answers_earn_next_to_nothing(function):
    """The ramps of `find_object`: recalibrate them with what this prints if features or scenes change."""
    points = [sum(r.points for r in results("find_object", function, seed)) for seed in range(4)]
    print(points)
    assert np.mean(points) < 0.5 and max(points) < 1.5  # of 10


def test_pictures_are_new_each_time_and_found_by_the_reference(seed):
    rng = np.random.default_rng(seed)
    for kind in checks.MAKERS:
        one, other = checks.pictures(rng, kind, 2)
        assert one.image.dtype == np.uint8 and one.image.shape[:2] == one.truth.shape
        assert one.truth.shape[0] % checks.PATCH and one.truth.shape[1] % checks.PATCH
        assert 0.1 < one.truth.mean() < 0.42
        assert one.image.shape != other.image.shape or (one.image != other.image).mean() > 0.5
        assert checks.iou(checks.found(one), one.truth) >= checks.LEAST[kind]


def test_masks_come_with_figures():
    found = {r.id: r.figures for r in results("find_object", RIGHT["find_object"], 2)}
    for name in ("things_in_scenes", "things_in_photos"):
        figures = found[f"spectral.find_object.{name}"]
        assert len(figures) == 4
        assert all(list(figure.panels) == ["image", "yours", "expected"] for figure in figures)


@pytest.mark.parametrize("nonsense", [None, "labels", 3.5, [], [[1], [2, 3]], {"labels": 1}, float("nan")])
@pytest.mark.parametrize("task", RIGHT)
def test_nonsense_gets_no_points_and_a_message(task, nonsense):
    for result in results(task, lambda *args: nonsense, seed=1):
        assert result.points == 0
        assert result.message


# --- The truth itself ---


def test_truth_by_hand():
    assert checks.affinity_of([[3, 4], [6, 8], [-1, 0]]).round(9).tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    lone = np.array([[1, 1, 0], [0, 0, 1]], dtype=bool)
    assert checks.box_of(checks.largest_part(lone), 4).tolist() == [0, 0, 8, 4]
    assert checks.box_of(checks.largest_part(lone, corners=True), 4).tolist() == [0, 0, 12, 8]
    assert checks.enlarged(np.array([[1, 2]]), 2, 3, 5).tolist() == 3 * [[1, 1, 2, 2, 2]]
    assert checks.chosen_side(np.array([[1.0, 1.0, -9.0]])).tolist() == [[False, False, True]]
    assert checks.border_of(np.arange(12).reshape(3, 4)).tolist() == [0, 1, 2, 3, 8, 9, 10, 11, 4, 7]


def test_the_truth_agrees_with_scipy(seed):
    rng = np.random.default_rng(seed)
    w = checks.clear_graph(rng, [5, 8, 6], 3)
    values, vectors = checks.spectrum(w, 3)
    d = checks.degrees_of(w)
    assert values == pytest.approx(scipy.linalg.eigh(np.diag(d) - w, np.diag(d), eigvals_only=True)[:3], abs=1e-9)
    assert vectors.T @ np.diag(d) @ vectors == pytest.approx(np.eye(3), abs=1e-9)
    assert checks.residual(values, vectors, w).max() < 1e-9
    mask = rng.random(size=(7, 9)) < 0.5
    assert checks.components(mask).tolist() == scipy.ndimage.label(mask)[0].tolist()


def test_the_degrees_of_the_graphs_differ(seed):
    """So that whoever forgets D is far off."""
    rng = np.random.default_rng(seed)
    for w in (checks.clear_graph(rng, [7, 5], 2), checks.triplets(rng, 5)):
        assert checks.residual(*checks.plain_spectrum(w, 2), w).max() > 0.05
