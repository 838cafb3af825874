"""Checks and named mistakes of lesson 05, spectral clustering.

Graphs, grids, images and features are drawn fresh for each submission. Half of the usual mistakes leave a mean IoU as
it is or even raise it, so the parts are judged against closed forms: affinity entries, degrees, the residual
(D - W) v - mu D v, boxes. Grids are not square, images are no multiple of the patch, degrees differ, and objects are
tiny, huge or in a corner. Where a random input could hide a mistake, it is drawn again until it cannot.

What a right solution may choose for itself costs nothing: the solver, float32, the sign and the length of an
eigenvector, which vectors span the space of a repeated eigenvalue, the numbers of the segments. SciPy is not imported
here, because the import alone takes longer than most checks.

Notation: n patches or pixels, (h, w) patches of the grid, (H, W) pixels of the image, p pixels the side of a patch;
W (n, n) affinity, d (n,) degrees, D their diagonal matrix, mu (k,) eigenvalues, v (n, k) eigenvectors.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np

from autograder import expect
from autograder.checks.common import draw_seed, label_map, read_wrongly, renamed
from autograder.lesson import Lesson
from unseg_helpers import datasets

lesson = Lesson("05_spectral")


# --- The truth: short and plain, written apart from the solution and from unseg_helpers ---


def affinity_of(features):
    """Cosines of all pairs of rows, negative ones set to 0: (n, d) -> (n, n)."""
    f = np.asarray(features, dtype=float)
    f = f / np.sqrt((f**2).sum(axis=1))[:, None]
    return np.clip(f @ f.T, 0, None)


def hsv(image):
    """Hue as a share of the full turn, saturation, value: (h, w, 3) uint8 -> three (h, w) in 0..1."""
    rgb = np.asarray(image, dtype=float) / 255
    high, low = rgb.max(axis=2), rgb.min(axis=2)
    span = np.where(high > low, high - low, 1)
    r, g, b = np.moveaxis(rgb, 2, 0)
    sextant = np.select(
        [high == low, high == r, high == g], [0 * r, ((g - b) / span) % 6, (b - r) / span + 2], (r - g) / span + 4
    )
    return sextant / 6, np.where(high > 0, (high - low) / np.where(high > 0, high, 1), 0), high


def psi_of(image):
    """(cos H, sin H, S, V, x, y) of each pixel: (h, w, 3) -> (h*w, 6)."""
    hue, saturation, value = hsv(image)
    y, x = np.meshgrid(*(np.linspace(0, 1, side) for side in hue.shape), indexing="ij")
    turn = 2 * np.pi * hue
    return np.stack([np.cos(turn), np.sin(turn), saturation, value, x, y], axis=-1).reshape(-1, 6)


def sq_dist(x):
    return ((x[:, None] - x) ** 2).sum(axis=2)


def directed(psi, neighbors):
    """1 at (i, j) where j is one of the nearest other rows of row i."""
    sq = sq_dist(psi)
    np.fill_diagonal(sq, np.inf)
    nearest = np.argsort(sq, axis=1)[:, :neighbors]
    a = np.zeros(sq.shape)
    np.put_along_axis(a, nearest, 1.0, axis=1)
    return a


def knn_of(psi, neighbors):
    a = directed(psi, neighbors)
    return a + a.T


def degrees_of(w):
    return w.sum(axis=1)


def spectrum(w, k=None):
    """Values and D-normalized vectors of (D - W) v = mu D v, ascending, by the symmetric normalized affinity."""
    d = degrees_of(w)
    root = 1 / np.sqrt(d)
    values, vectors = np.linalg.eigh(root[:, None] * w * root)
    return 1 - values[::-1][:k], root[:, None] * vectors[:, ::-1][:, :k]


def chosen_side(v):
    """The published rule: the smaller side is the object, a vector of one sign stays as it is."""
    return (v < 0) if 0.5 < (v > 0).mean() < 1 else (v > 0)


def enlarged(grid, patch, height, width):
    """Each pixel gets the value of its patch; what is beyond the last patch, that of the nearest one."""
    rows = np.minimum(np.arange(height) // patch, grid.shape[0] - 1)
    columns = np.minimum(np.arange(width) // patch, grid.shape[1] - 1)
    return grid[rows[:, None], columns]


def components(mask, corners=False):
    """Connected components, numbered from 1 in reading order of their first patch: (h, w) bool -> (h, w) integers."""
    h, w = mask.shape
    labels = np.zeros((h, w), dtype=int)
    steps = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if abs(i) + abs(j) == 1 or (corners and i and j)]
    for start in np.argwhere(mask).tolist():
        if labels[tuple(start)]:
            continue
        number, todo = labels.max() + 1, [tuple(start)]
        labels[tuple(start)] = number
        while todo:
            i, j = todo.pop()
            for y, x in ((i + a, j + b) for a, b in steps):
                if 0 <= y < h and 0 <= x < w and mask[y, x] and not labels[y, x]:
                    labels[y, x] = number
                    todo.append((y, x))
    return labels


def largest_part(mask, corners=False):
    """The connected component with the most patches; an empty mask stays empty."""
    labels = components(mask, corners)
    return labels == 1 + np.bincount(labels[mask] - 1).argmax() if mask.any() else mask


def box_of(part, patch):
    """Bounding box of all that is True; of everything where nothing is."""
    part = part if part.any() else np.ones_like(part)
    rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) * patch


def grouped(x, k, rng, starts=10, steps=20):
    """k-means with some k-means++ seedings, the best of them: labels (n,)."""
    best, least = None, np.inf
    for _ in range(starts):
        centers = x[rng.integers(len(x), size=1)]
        for _ in range(1, k):
            sq = ((x[:, None] - centers) ** 2).sum(axis=2).min(axis=1)
            centers = np.vstack([centers, x[rng.choice(len(x), p=sq / sq.sum())]])
        for _ in range(steps):
            labels = ((centers**2).sum(axis=1) - 2 * x @ centers.T).argmin(axis=1)
            centers = np.array([x[labels == j].mean(axis=0) if (labels == j).any() else centers[j] for j in range(k)])
        spread = ((x - centers[labels]) ** 2).sum()
        if spread < least:
            best, least = labels, spread
    return best


def border_of(labels):
    """The values along the border of the grid, each patch once."""
    return np.concatenate([labels[0], labels[-1], labels[1:-1, 0], labels[1:-1, -1]])


def first_is(labels, zero):
    """The same segments, with the numbers 0 and `zero` exchanged."""
    swap = np.arange(labels.max() + 1)
    swap[[0, zero]] = zero, 0
    return swap[labels]


def iou(mask, truth):
    return float((mask & truth).sum() / (mask | truth).sum())


# --- Inputs ---


def uneven(rng, *shape):
    """Rows of very different length."""
    return rng.normal(size=shape) * np.exp(rng.uniform(-1.5, 1.5, size=(*shape[:-1], 1)))


def grid_size(rng, low=5, high=9):
    """(h, w) of a grid that is clearly not square, wide or tall."""
    small = int(rng.integers(low, high + 1))
    return tuple([small, small + int(rng.integers(2, 5))][:: rng.choice([-1, 1])])


def blocks(rng, sizes, within=(0.4, 1.0), between=(0.0, 0.12), spread=1.2):
    """A weighted graph of some dense groups; its degrees differ by a factor of three and more."""
    group = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    same = group[:, None] == group
    while True:
        w = np.where(same, rng.uniform(*within, size=same.shape), rng.uniform(*between, size=same.shape))
        w = (w + w.T) / 2
        weight = np.exp(rng.uniform(-spread, spread, size=len(w)))
        w = w * weight[:, None] * weight
        d = degrees_of(w)
        if d.max() > 3 * d.min():
            return w, group


# --- feature_affinity ---


@lesson.check("feature_affinity", points=5)
def cosine_of_every_pair(student, rng):
    """Each entry is the cosine of two patches, however long their features are."""
    # Features without negative numbers have no negative cosines: these come next.
    cases = []
    for n, d in [(7, 4), (5, 9)]:
        features = np.abs(uneven(rng, n, d)).astype(np.float32)
        cases.append((n, d, student.feature_affinity(features), affinity_of(features)))
    for n, d, got, expected in cases:
        name = f"the affinity of {n} patches with {d} features"
        expect.shape(got, (n, n), name=name, hint="one row and one column for each patch: f @ f.T")
        hint = "divide each row by its own length: np.linalg.norm(features, axis=1, keepdims=True)"
        expect.close(got, expected, rtol=1e-3, atol=1e-3, name=name, hint=hint)


@lesson.check("feature_affinity", points=3)
def no_negative_weights(student, rng):
    """Negative cosines become 0."""
    cases = []
    for n, d in [(9, 3), (6, 5)]:
        features = uneven(rng, n, d).astype(np.float32)
        cases.append((n, d, student.feature_affinity(features), affinity_of(features)))
    for n, d, got, expected in cases:
        name = f"the affinity of {n} patches with {d} features of both signs"
        expect.shape(got, (n, n), name=name)
        expect.at_least(np.min(got), 0, what=f"the smallest entry of {name}", hint="np.maximum(w, 0)")
        expect.close(got, expected, rtol=1e-3, atol=1e-3, name=name)
    expect.inputs_unchanged(student)


@lesson.check("feature_affinity", points=2)
def any_number_of_patches(student, rng):
    """One patch, one feature, as many patches as features."""
    cases = []
    for n, d in [(4, 4), (1, 5), (6, 1), (2, 12), (1, 1)]:
        features = uneven(rng, n, d)
        cases.append((n, d, student.feature_affinity(features), affinity_of(features)))
    for n, d, got, expected in cases:
        name = f"the affinity for n={n}, d={d}"
        expect.shape(got, (n, n), name=name)
        expect.close(got, expected, rtol=1e-3, atol=1e-3, name=name)


@lesson.mistake(
    "feature_affinity",
    "the rows are not normalized: long features have large weights",
    see="feature_affinity(10 * features) must be feature_affinity(features), and each patch has affinity 1 to itself",
)
def not_normalized(features):
    return np.maximum(features @ features.T, 0)


@lesson.mistake(
    "feature_affinity",
    "the columns are normalized, not the rows (axis 0: over the patches)",
    see="print(feature_affinity(features).diagonal()): all of it must be 1",
)
def columns_normalized(features):
    f = features / np.linalg.norm(features, axis=0)
    return np.maximum(f @ f.T, 0)


@lesson.mistake(
    "feature_affinity",
    "divided by the length of the whole array, not of each row",
    see="print(feature_affinity(features).diagonal()): all of it must be 1",
)
def one_norm_for_all(features):
    f = features / np.linalg.norm(features)
    return np.maximum(f @ f.T, 0)


@lesson.mistake(
    "feature_affinity",
    "divided by the squared length",
    see="feature_affinity(np.array([[2.0]])) must be [[1.0]], not [[0.25]]",
)
def squared_norm(features):
    f = features / (features**2).sum(axis=1, keepdims=True)
    return np.maximum(f @ f.T, 0)


@lesson.mistake(
    "feature_affinity",
    "negative cosines are kept",
    see="feature_affinity(np.array([[1.0], [-1.0]]))[0, 1] must be 0, not -1",
)
def negatives_kept(features):
    f = features / np.linalg.norm(features, axis=1, keepdims=True)
    return f @ f.T


@lesson.mistake(
    "feature_affinity",
    "the absolute value is taken: opposite features count as alike",
    see="feature_affinity(np.array([[1.0], [-1.0]]))[0, 1] must be 0, not 1",
)
def absolute_cosines(features):
    return np.abs(negatives_kept(features))


@lesson.mistake(
    "feature_affinity",
    "negative features are set to 0, before the product: that is not the same as negative cosines",
    see="features [[3, -4], [0, -1]] have a cosine of 0.8, not 0",
)
def features_clipped(features):
    f = features / np.linalg.norm(features, axis=1, keepdims=True)
    f = np.maximum(f, 0)
    return f @ f.T


@lesson.mistake(
    "feature_affinity",
    "f.T @ f instead of f @ f.T: features are compared with features",
    see="print(feature_affinity(features).shape): it must be (n, n) for n patches",
)
def features_by_features(features):
    f = features / np.linalg.norm(features, axis=1, keepdims=True)
    return np.maximum(f.T @ f, 0)


@lesson.mistake(
    "feature_affinity",
    "the diagonal is set to 0: a patch is as like itself as can be",
    see="print(feature_affinity(features).diagonal()): all of it must be 1",
)
def no_self_affinity(features):
    w = affinity_of(features)
    np.fill_diagonal(w, 0)
    return w


# --- color_affinity ---


def colorful(rng, h, w, neighbors=None):
    """An image of random strong colors; if `neighbors` is given, which these are is clear for each pixel."""
    while True:
        image = rng.integers(0, 256, size=(h, w, 3)).astype(np.uint8)
        _, saturation, _ = hsv(image)
        image[saturation < 0.15] = [200, 60, 20] if rng.random() < 0.5 else [20, 60, 200]
        if neighbors is None:
            return image
        sq = sq_dist(psi_of(image))
        np.fill_diagonal(sq, np.inf)
        sq.sort(axis=1)
        if (sq[:, neighbors] - sq[:, neighbors - 1]).min() > 1e-5:
            return image


def psi_and_affinity(student, image, neighbors):
    """What the student returns: psi of the right shape, and the affinity as it is."""
    order = "return psi, w, in this order"
    psi, w = expect.items(student.color_affinity(image, neighbors), 2, name="the result", hint=order)
    return psi, w


COLUMNS = ("cos H", "sin H", "S", "V", "x", "y")


def same_columns(psi, expected, which, name, hint):
    psi = np.asarray(psi)
    for column in which:
        what = f"column {column} ({COLUMNS[column]}) of {name}"
        expect.close(psi[:, column], expected[:, column], rtol=1e-3, atol=2e-3, name=what, hint=hint)


def judge_psi(student, rng, which, hint):
    cases = []
    for h, w in (grid_size(rng, 4, 6), grid_size(rng, 4, 6)):
        image = colorful(rng, h, w)
        cases.append((h, w, psi_and_affinity(student, image, 3)[0], psi_of(image)))
    for h, w, psi, expected in cases:
        name = f"psi of an image of {h} x {w} pixels"
        expect.shape(psi, (h * w, 6), name=name, hint="one row for each pixel, six columns: cos H, sin H, S, V, x, y")
        same_columns(psi, expected, which, name, hint)


@lesson.check("color_affinity", points=4)
def color_on_a_circle(student, rng):
    """Hue as a point of the circle, saturation and value from 0 to 1."""
    hint = "skimage.color.rgb2hsv gives H from 0 to 1 for the full turn: np.cos(2 * np.pi * H)"
    judge_psi(student, rng, range(4), hint)


@lesson.check("color_affinity", points=4)
def place_of_each_pixel(student, rng):
    """Column and row, from 0 at the first to 1 at the last, for wide and for tall images."""
    judge_psi(
        student,
        rng,
        (4, 5),
        "x = column / (w - 1), y = row / (h - 1), as np.linspace(0, 1, w) has them; pixels row by row",
    )
    expect.inputs_unchanged(student)


@lesson.check("color_affinity", points=4)
def edges_to_the_nearest(student, rng):
    """Each pixel is connected to its nearest others, in both directions, and never to itself."""
    cases = []
    for (h, w), neighbors in zip([(5, 8), (7, 4)], rng.permutation([3, 4, 5])[:2].tolist(), strict=True):
        image = colorful(rng, h, w, neighbors)
        cases.append((h * w, neighbors, psi_and_affinity(student, image, neighbors)[1], psi_of(image)))
    for n, neighbors, got, psi in cases:
        name = f"w for {neighbors} neighbors"
        expect.shape(got, (n, n), name=name, hint="one row and one column for each pixel")
        expect.finite(got, name=name)
        got = np.asarray(got).astype(float)
        expect.equal(
            got.diagonal(), np.zeros(n), name=f"the diagonal of {name}", hint="a pixel is not its own neighbor"
        )
        expected = knn_of(psi, neighbors)
        expect.equal(got > 0, expected > 0, name=f"{name} > 0", hint="the nearest others of each row, then w + w.T")


@lesson.check("color_affinity", points=4)
def weights_are_counts(student, rng):
    """A weight is 2 where each is among the nearest of the other, 1 where only one is, for any number of neighbors."""
    cases = []
    for (h, w), neighbors in [((4, 6), 1), ((6, 5), int(rng.integers(6, 10)))]:
        image = colorful(rng, h, w, neighbors)
        cases.append((neighbors, psi_and_affinity(student, image, neighbors)[1], knn_of(psi_of(image), neighbors)))
    for neighbors, got, expected in cases:
        expect.equal(got, expected, name=f"w for {neighbors} neighbors", hint="a + a.T, with a[i, j] = 1 or 0")


def with_affinity(psi, neighbors):
    return psi, knn_of(psi, neighbors)


@lesson.mistake(
    "color_affinity",
    "the hue is not turned into radians: cos(H) of an H between 0 and 1",
    see="green has the hue 1/3, so cos(2 pi / 3) = -0.5: color_affinity(green, 1)[0][0, 0] must be -0.5",
)
def hue_not_in_radians(image, neighbors):
    psi = psi_of(image)
    hue = hsv(image)[0].ravel()
    psi[:, 0], psi[:, 1] = np.cos(hue), np.sin(hue)
    return with_affinity(psi, neighbors)


@lesson.mistake(
    "color_affinity",
    "the hue is taken as it is, without cos and sin: two reds, H = 0.01 and H = 0.99, are far apart",
    see="print(color_affinity(image, 3)[0].shape): there must be 6 columns",
)
def hue_as_a_number(image, neighbors):
    psi = psi_of(image)
    return with_affinity(np.column_stack([hsv(image)[0].ravel(), psi[:, 2:]]), neighbors)


@lesson.mistake(
    "color_affinity",
    "half a turn only: cos(pi H) instead of cos(2 pi H)",
    see="green has the hue 1/3, so cos(2 pi / 3) = -0.5: color_affinity(green, 1)[0][0, 0] must be -0.5",
)
def half_a_turn(image, neighbors):
    psi = psi_of(image)
    turn = np.pi * hsv(image)[0].ravel()
    psi[:, 0], psi[:, 1] = np.cos(turn), np.sin(turn)
    return with_affinity(psi, neighbors)


@lesson.mistake(
    "color_affinity",
    "RGB is used instead of HSV",
    see="a red pixel: color_affinity(red, 1)[0][0] must begin with 1, 0, 1, 1",
)
def rgb_kept(image, neighbors):
    psi = psi_of(image)
    return with_affinity(np.column_stack([image.reshape(-1, 3) / 255, psi[:, 4:]]), neighbors)


@lesson.mistake(
    "color_affinity",
    "x and y are swapped",
    see="the second pixel is in column 1 of row 0: psi[1, 4] must be 1 / (w - 1), and psi[1, 5] must be 0",
)
def x_and_y_swapped(image, neighbors):
    return with_affinity(psi_of(image)[:, [0, 1, 2, 3, 5, 4]], neighbors)


@lesson.mistake(
    "color_affinity",
    "x and y count pixels: they must run from 0 to 1",
    see="print(color_affinity(image, 3)[0].max(axis=0)): no entry may be above 1",
)
def position_in_pixels(image, neighbors):
    h, w = image.shape[:2]
    return with_affinity(psi_of(image) * [1, 1, 1, 1, w - 1, h - 1], neighbors)


@lesson.mistake(
    "color_affinity",
    "x and y are divided by w and h: the last column has not the value 1",
    see="print(color_affinity(image, 3)[0].max(axis=0)): x and y must reach 1",
)
def ends_before_one(image, neighbors):
    h, w = image.shape[:2]
    return with_affinity(psi_of(image) * [1, 1, 1, 1, (w - 1) / w, (h - 1) / h], neighbors)


@lesson.mistake(
    "color_affinity",
    "x and y are both divided by max(h, w), as in exercise 2: here each runs from 0 to 1",
    see="print(color_affinity(image, 3)[0].max(axis=0)): x and y must reach 1",
)
def same_unit(image, neighbors):
    h, w = image.shape[:2]
    return with_affinity(psi_of(image) * [1, 1, 1, 1, (w - 1) / max(h, w), (h - 1) / max(h, w)], neighbors)


@lesson.mistake(
    "color_affinity",
    "the position is left out",
    see="print(color_affinity(image, 3)[0].shape): there must be 6 columns",
)
def no_position(image, neighbors):
    return with_affinity(psi_of(image)[:, :4], neighbors)


@lesson.mistake(
    "color_affinity",
    "each pixel counts as its own nearest neighbor, so that one of the others is missing",
    see="print(color_affinity(image, 3)[1].diagonal()): all of it must be 0",
)
def own_neighbor(image, neighbors):
    psi = psi_of(image)
    a = np.zeros((len(psi), len(psi)))
    np.put_along_axis(a, np.argsort(sq_dist(psi), axis=1)[:, :neighbors], 1.0, axis=1)
    return psi, a + a.T


@lesson.mistake(
    "color_affinity",
    "only one direction: w is not symmetric",
    see="w = color_affinity(image, 3)[1]; print(abs(w - w.T).max()): it must be 0",
)
def one_direction(image, neighbors):
    psi = psi_of(image)
    return psi, directed(psi, neighbors)


@lesson.mistake(
    "color_affinity",
    "only mutual neighbors are connected: both directions are multiplied, not added",
    see="each row of w must have at least `neighbors` entries above 0: print((w > 0).sum(axis=1))",
)
def mutual_only(image, neighbors):
    psi = psi_of(image)
    a = directed(psi, neighbors)
    return psi, a * a.T


@lesson.mistake(
    "color_affinity",
    "the larger of both directions is taken, not their sum",
    see="print(np.unique(w)): there must be a 2, where each is among the nearest of the other",
)
def larger_direction(image, neighbors):
    psi = psi_of(image)
    a = directed(psi, neighbors)
    return psi, np.maximum(a, a.T)


@lesson.mistake(
    "color_affinity",
    "the mean of both directions is taken, not their sum",
    see="print(np.unique(w)): the values must be 0, 1 and 2",
)
def mean_of_directions(image, neighbors):
    psi, w = with_affinity(psi_of(image), neighbors)
    return psi, w / 2


@lesson.mistake(
    "color_affinity",
    "the farthest pixels are connected, not the nearest",
    see="two halves of different color must hardly be connected: print(w[:n // 2, n // 2:].sum())",
)
def farthest(image, neighbors):
    psi = psi_of(image)
    a = np.zeros((len(psi), len(psi)))
    np.put_along_axis(a, np.argsort(sq_dist(psi), axis=1)[:, -neighbors:], 1.0, axis=1)
    return psi, a + a.T


# --- laplacian ---


def weighted(rng, n):
    """A graph with self-loops, missing edges and degrees that differ."""
    w = blocks(rng, [n - n // 3, n // 3], between=(-0.1, 0.1))[0]
    return np.maximum(w, 0)


@lesson.check("laplacian", points=3)
def degrees_are_row_sums(student, rng):
    """The degree of a patch is the sum of its weights, that to itself included."""
    calls = [(w, student.laplacian(w)) for w in (weighted(rng, 7), weighted(rng, 10), affinity_of(uneven(rng, 6, 4)))]
    for w, result in calls:
        d, _ = expect.items(result, 2, name="the result", hint="return d, L, in this order")
        name = f"the degrees for n={len(w)}"
        expect.shape(d, (len(w),), name=name, hint="a vector: the matrix D is np.diag(d)")
        expect.close(d, degrees_of(w), rtol=1e-4, atol=1e-5, name=name, hint="w.sum(axis=1)")


@lesson.check("laplacian", points=5)
def degree_minus_weight(student, rng):
    """L = D - W."""
    calls = [(w, student.laplacian(w)) for w in (weighted(rng, 8), weighted(rng, 11), affinity_of(uneven(rng, 5, 4)))]
    for w, result in calls:
        _, laplacian = expect.items(result, 2, name="the result", hint="return d, L, in this order")
        name = f"the Laplacian for n={len(w)}"
        expect.shape(laplacian, w.shape, name=name)
        expect.finite(laplacian, name=name)
        hint = "np.diag(d) - w: each row of it sums to 0"
        expect.close(laplacian, np.diag(degrees_of(w)) - w, rtol=1e-4, atol=1e-5, name=name, hint=hint)
    expect.inputs_unchanged(student)


@lesson.mistake(
    "laplacian",
    "W - D instead of D - W",
    see="the diagonal must not be negative: print(laplacian(w)[1].diagonal())",
)
def weight_minus_degree(w):
    d = degrees_of(w)
    return d, w - np.diag(d)


@lesson.mistake(
    "laplacian",
    "D + W instead of D - W",
    see="each row must sum to 0: print(laplacian(w)[1].sum(axis=1))",
)
def degree_plus_weight(w):
    d = degrees_of(w)
    return d, np.diag(d) + w


@lesson.mistake(
    "laplacian",
    "edges are counted, not weighted: the degree is the sum of the weights",
    see="laplacian(0.5 * w)[0] must be half of laplacian(w)[0]",
)
def counted_edges(w):
    d = (w > 0).sum(axis=1).astype(float)
    return d, np.diag(d) - w


@lesson.mistake(
    "laplacian",
    "the mean of each row is taken, not its sum",
    see="each row of L must sum to 0: print(laplacian(w)[1].sum(axis=1))",
)
def mean_degree(w):
    d = w.mean(axis=1)
    return d, np.diag(d) - w


@lesson.mistake(
    "laplacian",
    "the degree leaves out the weight to oneself, but W has it: the rows do not sum to 0",
    see="each row of L must sum to 0: print(laplacian(w)[1].sum(axis=1))",
)
def degree_without_self(w):
    d = degrees_of(w) - w.diagonal()
    return d, np.diag(d) - w


@lesson.mistake(
    "laplacian",
    "the degrees come as a matrix: d must be a vector",
    see="print(laplacian(w)[0].shape): it must be (n,)",
)
def degree_matrix(w):
    d = np.diag(degrees_of(w))
    return d, d - w


@lesson.mistake(
    "laplacian",
    "this is the symmetric normalized Laplacian, I - D^-1/2 W D^-1/2",
    see="each row of L must sum to 0: print(laplacian(w)[1].sum(axis=1))",
)
def symmetric_laplacian(w):
    d = degrees_of(w)
    root = 1 / np.sqrt(d)
    return d, np.eye(len(w)) - root[:, None] * w * root


@lesson.mistake(
    "laplacian",
    "this is the random walk Laplacian, I - D^-1 W",
    see="laplacian(2 * w)[1] must be twice laplacian(w)[1]",
)
def walk_laplacian(w):
    d = degrees_of(w)
    return d, np.eye(len(w)) - w / d[:, None]


@lesson.mistake(
    "laplacian",
    "d is subtracted from each column: np.diag is missing",
    see="print(laplacian(w)[1]): beside the diagonal it must be -w",
)
def degree_not_diagonal(w):
    d = degrees_of(w)
    return d, d - w


# --- eigenvectors ---


def solved(result, w, k, name):
    """The student's values (k,) and vectors (n, k), each vector with v^T D v = 1; their own length does not count."""
    order = "return values, vectors, in this order"
    values, vectors = expect.items(result, 2, name=f"the result {name}", hint=order)
    expect.shape(values, (k,), name=f"the values {name}", hint="the k smallest, that of the constant vector included")
    hint = "one vector in each column, the constant one included: vectors[:, :k]"
    expect.shape(vectors, (len(w), k), name=f"the vectors {name}", hint=hint)
    expect.finite(values, name=f"the values {name}")
    expect.finite(vectors, name=f"the vectors {name}")
    values, vectors = np.asarray(values, dtype=float), np.asarray(vectors, dtype=float)
    top = np.abs(vectors).max(axis=0)
    expect.true(bool((top > 0).all()), f"a vector {name} is 0 everywhere", hint="no vector of zeros is an eigenvector")
    vectors = vectors / top  # before squares are taken: they may be huge
    return values, vectors / np.sqrt((degrees_of(w)[:, None] * vectors**2).sum(axis=0))


def residual(values, vectors, w):
    """|(D - W) v - mu D v| in units of |D v|, for each column."""
    d = degrees_of(w)
    off = d[:, None] * vectors - w @ vectors - values * d[:, None] * vectors
    return np.linalg.norm(off, axis=0) / np.linalg.norm(d[:, None] * vectors, axis=0)


def judge_eigen(values, vectors, w, k, name):
    """Values, residuals, and k directions; in float32 these are off by 1e-5, a mistake by 0.05 and more."""
    expected, _ = spectrum(w, k)
    hint = "the smallest eigenvalues of (D - W) v = mu D v; the first is 0: scipy.linalg.eigh(L, np.diag(d))"
    expect.close(values, expected, rtol=0, atol=2e-3, name=f"the values {name}", hint=hint)
    worst = float(residual(values, vectors, w).max())
    hint = "look at (L @ v - mu * d * v): it must be 0. With D^-1/2 W D^-1/2, take its vectors times D^-1/2"
    expect.at_most(worst, 5e-3, what=f"the largest |L v - mu D v| / |D v| {name}", hint=hint)
    scaled = np.sqrt(degrees_of(w))[:, None] * vectors
    least = float(np.linalg.svd(scaled, compute_uv=False).min())
    hint = "k different vectors: one of them is given twice, or mixed from the others"
    expect.at_least(least, 0.05, what=f"how different the vectors are (smallest singular value) {name}", hint=hint)


def clear_graph(rng, sizes, k):
    """A graph with unequal degrees whose k smallest eigenvalues are well apart, and apart from the next one."""
    while True:
        w, _ = blocks(rng, sizes)
        if np.diff(spectrum(w, k + 1)[0]).min() > 0.02:
            return w


@lesson.check("eigenvectors", points=6, uses=("laplacian",))
def generalized_problem(student, rng):
    """The two smallest eigenvalues and vectors of (D - W) v = mu D v, where degrees differ."""
    cases = []
    for sizes in ([7, 5], [6, 11]):
        w = clear_graph(rng, sizes, 2)
        cases.append((w, student.eigenvectors(w, 2)))
    for w, result in cases:
        name = f"for n={len(w)}, k=2"
        judge_eigen(*solved(result, w, 2, name), w, 2, name)


@lesson.check("eigenvectors", points=5, uses=("laplacian",))
def as_many_as_asked(student, rng):
    """k vectors in the order of their values: the constant one first, all others orthogonal to it."""
    cases = []
    for sizes, k in zip([[5, 8, 6], [9, 4, 5, 6]], rng.permutation([3, 4]).tolist(), strict=True):
        w = clear_graph(rng, sizes, k)
        cases.append((w, k, student.eigenvectors(w, k)))
    for w, k, result in cases:
        name = f"for n={len(w)}, k={k}"
        values, vectors = solved(result, w, k, name)
        expect.close(values, np.sort(values), rtol=0, atol=1e-4, name=f"the values {name}", hint="smallest first")
        spread = float(np.ptp(vectors[:, 0]) / np.abs(vectors[:, 0]).max())
        hint = "(D - W) 1 = 0: the vector of the eigenvalue 0 has the same value for each patch"
        expect.at_most(spread, 0.01, what=f"how much the first vector varies {name}", hint=hint)
        d = degrees_of(w)
        worst = float(np.abs(d @ vectors[:, 1:]).max() / np.sqrt(d.sum()))
        expect.at_most(worst, 0.01, what=f"the largest |v^T D 1| {name}", hint="sum(d * v) must be 0 for all others")
        judge_eigen(values, vectors, w, k, name)
    expect.inputs_unchanged(student)


def triplets(rng, size):
    """Three copies of one group, each tied to the others in the same way: the second eigenvalue comes twice."""
    while True:
        a = blocks(rng, [size])[0]
        b = 0.06 * blocks(rng, [size])[0]
        w = np.kron(np.eye(3), a) + np.kron(1 - np.eye(3), b)
        order = rng.permutation(3 * size)
        w = w[order][:, order]
        values = spectrum(w, 4)[0]
        if values[1] - values[0] > 0.02 and values[3] - values[2] > 0.05:
            return w


@lesson.check("eigenvectors", points=5, uses=("laplacian",))
def repeated_values(student, rng):
    """A value that comes twice has two vectors; any two that span their space are right."""
    cases = []
    for size in rng.permutation([5, 6, 7])[:2].tolist():
        w = triplets(rng, size)
        cases.append((w, student.eigenvectors(w, 3)))
    for w, result in cases:
        name = f"for a graph of three equal groups, n={len(w)}, k=3"
        judge_eigen(*solved(result, w, 3, name), w, 3, name)


def plain_spectrum(w, k):
    values, vectors = np.linalg.eigh(np.diag(degrees_of(w)) - w)
    return values[:k], vectors[:, :k]


@lesson.mistake(
    "eigenvectors",
    "D is forgotten: these solve (D - W) v = mu v",
    see="print(L @ v - mu * d * v): it must be 0 in each row",
)
def without_d(w, k):
    return plain_spectrum(w, k)


@lesson.mistake(
    "eigenvectors",
    "the vectors of the symmetric normalized Laplacian are not mapped back: multiply each row by 1 / sqrt(d)",
    see="print(vectors[:, 0]): the first vector must be constant",
)
def not_mapped_back(w, k):
    values, vectors = spectrum(w, k)
    return values, np.sqrt(degrees_of(w))[:, None] * vectors


@lesson.mistake(
    "eigenvectors",
    "mapped back with sqrt(d) instead of 1 / sqrt(d)",
    see="print(vectors[:, 0]): the first vector must be constant",
)
def mapped_the_wrong_way(w, k):
    values, vectors = spectrum(w, k)
    return values, degrees_of(w)[:, None] * vectors


@lesson.mistake(
    "eigenvectors",
    "the wrong end of the spectrum: the largest eigenvalues",
    see="print(values): the first one must be 0",
)
def largest_values(w, k):
    values, vectors = spectrum(w)
    return values[::-1][:k], vectors[:, ::-1][:, :k]


@lesson.mistake(
    "eigenvectors",
    "the constant vector is left out: the k values begin with the second",
    see="print(values): the first one must be 0, and eigenvectors(w, 2)[1][:, 1] the one that cuts",
)
def constant_dropped(w, k):
    values, vectors = spectrum(w, k + 1)
    return values[1:], vectors[:, 1:]


@lesson.mistake(
    "eigenvectors",
    "largest first: the k smallest are there, in the wrong order",
    see="print(values): they must rise",
)
def descending(w, k):
    values, vectors = spectrum(w, k)
    return values[::-1], vectors[:, ::-1]


@lesson.mistake(
    "eigenvectors",
    "the first k rows of the matrix of vectors are taken, not its first k columns",
    see="print(vectors.shape): it must be (n, k)",
)
def rows_not_columns(w, k):
    values, vectors = spectrum(w)
    return values[:k], vectors[:k]


@lesson.mistake(
    "eigenvectors",
    "the vectors come as rows, (k, n): transpose them",
    see="print(vectors.shape): it must be (n, k)",
)
def vectors_as_rows(w, k):
    values, vectors = spectrum(w, k)
    return values, vectors.T


@lesson.mistake(
    "eigenvectors",
    "the values are those of D^-1 W, 1 - mu instead of mu",
    see="print(values): the first one must be 0, not 1",
)
def values_of_the_walk(w, k):
    values, vectors = spectrum(w, k)
    return 1 - values, vectors


@lesson.mistake(
    "eigenvectors",
    "these are the eigenvectors of the affinity itself, not of its Laplacian",
    see="print(values): the first one must be 0",
)
def of_the_affinity(w, k):
    values, vectors = np.linalg.eigh(w)
    return values[::-1][:k], vectors[:, ::-1][:, :k]


@lesson.mistake(
    "eigenvectors",
    "vectors and values are returned in the wrong order",
    see="values, vectors = eigenvectors(w, k); print(values.shape): it must be (k,)",
)
def swapped_parts(w, k):
    values, vectors = spectrum(w, k)
    return vectors, values


@lesson.mistake(
    "eigenvectors",
    "k is not used: there are always 2 vectors",
    see="eigenvectors(w, 4)[1].shape must be (n, 4)",
)
def always_two(w, k):
    return spectrum(w, 2)


# --- foreground ---


def skewed(rng, h, w, share, peak=False):
    """Values with `share` of them positive, for which zero, mean and median say different things: (h, w).

    The sum has the sign of the more frequent side; the largest absolute value has that of the other one if `peak`.
    """
    n = h * w
    while True:
        positive = np.arange(n) < round(share * n)
        often = positive == (share > 0.5)
        size = rng.uniform(0.05, 1, size=n) * np.where(often, 1.0, 0.8)
        if peak:
            size[np.flatnonzero(~often)[0]] = 1.2
        v = rng.permutation(np.where(positive, size, -size)).reshape(h, w)
        right = chosen_side(v)
        others = [v > np.mean(v), v > np.median(v), v < np.mean(v), v < np.median(v)]
        if min(np.count_nonzero(side != right) for side in others) >= 2 and (v.sum() > 0) == (share > 0.5):
            return v


def contrary(rng, h, w, share):
    """Few large values of one sign, many small ones of the other: the sum says the opposite of the count."""
    v = skewed(rng, h, w, share)
    minor = chosen_side(v)
    v[minor] *= 1.5 * np.abs(v[~minor]).sum() / np.abs(v[minor]).sum()
    return v


def judge_masks(student, vectors, hint):
    calls = [(v, student.foreground(v)) for v in vectors]
    for v, mask in calls:
        name = f"the mask of a {v.shape[0]} x {v.shape[1]} grid with {(v > 0).mean():.0%} positive values"
        expect.shape(mask, v.shape, name=name, hint="a mask of the same shape: compare the array with a number")
        expect.equal(mask, chosen_side(v), name=name, hint=hint)


@lesson.check("foreground", points=4)
def smaller_side(student, rng):
    """Whatever the sign of the vector, the object is the side with fewer patches."""
    few, many = rng.uniform(0.1, 0.4, size=2)
    one, other = skewed(rng, *grid_size(rng), few, peak=True), skewed(rng, *grid_size(rng), 1 - many)
    hint = "if more than half of the entries are positive, negate v; then v > 0"
    judge_masks(student, [one, other, -other, -one], hint)


@lesson.check("foreground", points=4)
def signs_are_counted(student, rng):
    """The rule counts signs: how large the values are does not matter, and the threshold is 0."""
    vectors = []
    for share in rng.permutation([0.15, 0.35, 0.65, 0.85]):
        vectors.append(contrary(rng, *grid_size(rng), share))
    vectors += [skewed(rng, *grid_size(rng), share) for share in (0.3, 0.7)]
    judge_masks(student, vectors, "count: (v > 0).mean() > 0.5; the threshold is 0, neither mean nor median")


@lesson.check("foreground", points=2)
def special_vectors(student, rng):
    """One patch only, zeros, and a vector that is positive everywhere."""
    h, w = grid_size(rng)
    lone = -rng.uniform(0.1, 1, size=(h, w))
    lone[rng.integers(h), rng.integers(w)] = 2.0
    zeros = skewed(rng, w, h, 0.3)
    zeros[rng.random(size=zeros.shape) < 0.2] = 0.0
    everywhere = rng.uniform(0.1, 1, size=(h, w))
    hint = "zero is not positive; a vector that is positive everywhere is not negated: 0.5 < share < 1"
    few = contrary(rng, h, w, 0.85)  # large values
    judge_masks(student, [lone, -lone, zeros, everywhere, -everywhere, few, -few], hint)
    expect.inputs_unchanged(student)


@lesson.mistake(
    "foreground",
    "the sign is not chosen: v > 0, as the solver happened to give it",
    see="foreground(v) and foreground(-v) must be the same mask",
)
def no_sign_rule(v):
    return v > 0


@lesson.mistake(
    "foreground",
    "the larger side is chosen, not the smaller one",
    see="print(foreground(v).mean()): it must not be above 0.5 where v has both signs",
)
def larger_side(v):
    return ~chosen_side(v) if (v > 0).any() and (v < 0).any() else v > 0


@lesson.mistake(
    "foreground",
    "the threshold is the mean of v, not 0",
    see="np.array_equal(foreground(v), v > 0) must be True where less than half of v is positive",
)
def mean_threshold(v):
    v = -v if 0.5 < (v > 0).mean() < 1 else v
    return v > v.mean()


@lesson.mistake(
    "foreground",
    "the threshold is the median of v, not 0: half of the image is always object",
    see="print(foreground(v).mean()): it must not always be about 0.5",
)
def median_threshold(v):
    v = -v if 0.5 < (v > 0).mean() < 1 else v
    return v > np.median(v)


@lesson.mistake(
    "foreground",
    "the sign is chosen by the sum of v, not by the number of positive entries",
    see="v = np.array([[9.0, -1.0, -1.0]]): the mask must be True at the 9 only",
)
def sign_by_sum(v):
    return v < 0 if v.sum() > 0 and not (v > 0).all() else v > 0


@lesson.mistake(
    "foreground",
    "the sign is chosen by the entry with the largest absolute value",
    see="v = np.array([[1.0, 1.0, 1.0, -2.0, -2.0, 3.0]]): more than half is positive, so the object is where v is -2",
)
def sign_by_peak(v):
    return v > 0 if v.flat[np.abs(v).argmax()] > 0 else v < 0


@lesson.mistake(
    "foreground",
    "a vector that is positive everywhere is negated, too: nothing is left",
    see="foreground(np.ones((2, 3))) must be True everywhere",
)
def negated_when_all_positive(v):
    return v < 0 if (v > 0).mean() > 0.5 else v > 0


@lesson.mistake(
    "foreground",
    ">= instead of >: patches with the value 0 become object",
    see="foreground(np.array([[1.0, 0.0, -1.0, -1.0]])) must be True once",
)
def zero_counts(v):
    v = -v if 0.5 < (v > 0).mean() < 1 else v
    return v >= 0


@lesson.mistake(
    "foreground",
    "the vector itself is returned, with the right sign: compare it with 0",
    see="print(foreground(v).dtype): it must be bool",
)
def not_thresholded(v):
    return -v if 0.5 < (v > 0).mean() < 1 else v


# --- upsample ---


def patchy(rng, h, w):
    """A bool grid without equal neighbors of rows or columns at the far ends, and labels."""
    while True:
        mask = rng.random(size=(h, w)) < 0.5
        if (mask[-1] != mask[-2]).any() and (mask[:, -1] != mask[:, -2]).any() and mask[-1].any() and mask[:, -1].any():
            return mask


def judge_upsampled(student, cases, hint):
    calls = [(case, student.upsample(*case)) for case in cases]
    for (grid, patch, height, width), got in calls:
        name = f"the mask of a {grid.shape[0]} x {grid.shape[1]} grid, patch {patch}, for {height} x {width} pixels"
        expect.shape(got, (height, width), name=name, hint=hint)
        expect.equal(got, enlarged(grid, patch, height, width), name=name, hint=hint)


@lesson.check("upsample", points=4)
def each_patch_a_square(student, rng):
    """Each patch becomes a square of pixels, where the image is a multiple of the patch."""
    cases = []
    for patch in rng.permutation([2, 3, 4, 5])[:3].tolist():
        h, w = grid_size(rng, 3, 6)
        cases.append((patchy(rng, h, w), patch, h * patch, w * patch))
    judge_upsampled(student, cases, "np.repeat along axis 0, then along axis 1")


@lesson.check("upsample", points=4)
def rest_of_the_image(student, rng):
    """Rows and columns beyond the last patch get the value of the nearest patch; labels stay labels."""
    cases = []
    for patch in rng.permutation([3, 4, 5, 6])[:3].tolist():
        h, w = grid_size(rng, 3, 6)
        down, right = (int(rest) for rest in rng.permutation(np.arange(patch))[:2])
        cases.append((patchy(rng, h, w), patch, h * patch + down, w * patch + right))
    grid, patch, height, width = cases[0]
    labels = np.where(grid, 1 + rng.integers(4, size=grid.shape), 0)
    h, w = grid.shape
    # The largest rest there is, and none: the pixels are those of the patch, not of an image that was stretched.
    cases = [
        (labels, patch, height, width),
        (cases[1][0], cases[1][1], *((s + 1) * cases[1][1] - 1 for s in cases[1][0].shape)),
        cases[2],
    ]
    judge_upsampled(
        student, cases, 'np.pad(..., mode="edge") down and to the right, or the index min(y // patch, h - 1)'
    )
    expect.inputs_unchanged(student)


@lesson.mistake(
    "upsample",
    "the rest of the image is missing: the mask is a multiple of the patch",
    see="print(upsample(mask, patch, height, width).shape): it must be (height, width)",
)
def rest_missing(mask, patch, height, width):
    return np.repeat(np.repeat(mask, patch, axis=0), patch, axis=1)


@lesson.mistake(
    "upsample",
    "the mask is stretched over the whole image: patches move away from where they were",
    see="upsample(mask, 4, 9, 9)[4] must be the second row of patches, not still the first",
)
def stretched(mask, patch, height, width):
    h, w = mask.shape
    rows, columns = np.arange(height) * h // height, np.arange(width) * w // width
    return mask[rows[:, None], columns]


@lesson.mistake(
    "upsample",
    "the rest of the image is filled with 0, not with the nearest patch",
    see="upsample(np.ones((1, 1)), 2, 3, 3) must be 1 everywhere",
)
def rest_empty(mask, patch, height, width):
    full = np.zeros((height, width), dtype=mask.dtype)
    full[: mask.shape[0] * patch, : mask.shape[1] * patch] = rest_missing(mask, patch, height, width)
    return full


@lesson.mistake(
    "upsample",
    "the whole mask is repeated like a tile, not each patch",
    see="upsample(np.array([[1, 0]]), 2, 2, 4)[0] must be 1, 1, 0, 0",
)
def tiled(mask, patch, height, width):
    full = np.tile(mask, (patch, patch))
    return np.pad(full, ((0, height - len(full)), (0, width - full.shape[1])), mode="edge")


@lesson.mistake(
    "upsample",
    "height and width are swapped",
    see="print(upsample(mask, patch, 10, 20).shape): it must be (10, 20)",
)
def sides_swapped(mask, patch, height, width):
    return enlarged(mask.T, patch, width, height)


@lesson.mistake(
    "upsample",
    "right shape, wrong place: the enlarged mask is transposed and then reshaped",
    see="plots.panels([mask, upsample(mask, patch, height, width)]): both must look alike",
)
def reshaped_transpose(mask, patch, height, width):
    return enlarged(mask, patch, height, width).T.reshape(height, width)


@lesson.mistake(
    "upsample",
    "the rest of the image is filled from the other end, as if the image were repeated",
    see="upsample(np.array([[1, 0]]), 2, 2, 5)[0] must be 1, 1, 0, 0, 0",
)
def wrapped(mask, patch, height, width):
    full = rest_missing(mask, patch, height, width)
    return np.pad(full, ((0, height - len(full)), (0, width - full.shape[1])), mode="wrap")


# --- object_box ---


def with_parts(rng, h, w, sizes, corner=False):
    """A mask with rectangles of these sizes, (rows, columns), that do not touch; the first is drawn into a corner."""
    while True:
        mask, taken = np.zeros((h, w), dtype=bool), np.zeros((h + 2, w + 2), dtype=bool)
        for number, (rows, columns) in enumerate(sizes):
            y, x = int(rng.integers(h - rows + 1)), int(rng.integers(w - columns + 1))
            if corner and number == 0:
                y, x = (int(rng.choice([0, most])) for most in (h - rows, w - columns))
            if taken[y + 1 : y + rows + 1, x + 1 : x + columns + 1].any():
                break
            mask[y : y + rows, x : x + columns] = True
            taken[y : y + rows + 2, x : x + columns + 2] = True
        else:
            return mask


def judge_boxes(student, cases, hint):
    calls = [(mask, patch, student.object_box(mask, patch)) for mask, patch in cases]
    for mask, patch, got in calls:
        h, w = mask.shape
        name = f"the box (x0, y0, x1, y1) for a {h} x {w} grid with {int(mask.sum())} object patches, patch {patch}"
        expect.shape(got, (4,), name=name, hint="four numbers: x0, y0, x1, y1")
        expect.equal(got, box_of(largest_part(mask), patch), name=name, hint=hint)


def patch_side(rng):
    return int(rng.choice([7, 8, 14, 16]))


@lesson.check("object_box", points=4)
def around_the_object(student, rng):
    """The box of one object in pixels: left, top, and the first column and row that are not in it any more."""
    h, w = grid_size(rng, 6, 9)
    cases = [
        (with_parts(rng, h, w, [(2, 4)]), patch_side(rng)),
        (with_parts(rng, w, h, [(3, 2)], corner=True), patch_side(rng)),
        (with_parts(rng, h, w, [(h - 1, w - 1)]), patch_side(rng)),  # more than half of the image
    ]
    hint = "first column, first row, last column + 1, last row + 1, all times the patch"
    judge_boxes(student, cases, hint)


def scattered(rng):
    """A mask of several parts, for which each way to choose one gives another box; one patch touches at a corner."""
    while True:
        h, w = grid_size(rng, 7, 9)
        mask = with_parts(rng, h, w, [(1, 1), (3, 2), (2, 1), (1, 2)], corner=True)
        x0, y0, x1, y1 = box_of(largest_part(mask), 1).tolist()
        y, x = int(rng.choice([y0 - 1, y1])), int(rng.choice([x0 - 1, x1]))
        if not (0 <= y < h and 0 <= x < w):
            continue
        mask[y, x] = True
        ways = [largest_part(mask), largest_part(mask, corners=True), components(mask) == 1, ~mask, mask]
        if len({tuple(box_of(way, 1).tolist()) for way in ways}) == len(ways):
            return mask


@lesson.check("object_box", points=4)
def only_the_largest_part(student, rng):
    """Of several parts the one with the most patches counts; patches that touch at a corner only are not connected."""
    cases = [(scattered(rng), patch_side(rng)) for _ in range(2)]
    hint = "scipy.ndimage.label(mask) numbers the parts that share a side; np.bincount counts their patches"
    judge_boxes(student, cases, hint)
    expect.inputs_unchanged(student)


@lesson.check("object_box", points=2)
def one_patch_or_none(student, rng):
    """An object of one patch, and an empty mask, whose box is the whole grid."""
    h, w = grid_size(rng)
    lone = np.zeros((h, w), dtype=bool)
    lone[rng.integers(1, h - 1), rng.integers(1, w - 1)] = True
    last = np.zeros((w, h), dtype=bool)
    last[-1, -1] = True
    cases = [(mask, patch_side(rng)) for mask in (lone, last, np.zeros((h, w), dtype=bool))]
    judge_boxes(student, cases, "one patch has the box x, y, x + 1, y + 1, times the patch; an empty mask: all patches")


@lesson.mistake(
    "object_box",
    "the last row and column are left out: x1 and y1 need a + 1",
    see="an object of one patch must have a box of patch x patch pixels, not of 0 x 0",
)
def inclusive_end(mask, patch):
    x0, y0, x1, y1 = box_of(largest_part(mask), 1)
    return (np.array([x0, y0, x1 - 1, y1 - 1]) * patch).tolist()


@lesson.mistake(
    "object_box",
    "1 is added after the multiplication: a pixel instead of a patch",
    see="an object of one patch must have a box of patch x patch pixels, not of 1 x 1",
)
def one_pixel_more(mask, patch):
    x0, y0, x1, y1 = box_of(largest_part(mask), 1)
    return [int(v) for v in (x0 * patch, y0 * patch, (x1 - 1) * patch + 1, (y1 - 1) * patch + 1)]


@lesson.mistake(
    "object_box",
    "rows before columns: y0, x0, y1, x1",
    see="a mask of 2 rows and 9 columns with one patch at the right end: x0 must be larger than y0",
)
def rows_first(mask, patch):
    return box_of(largest_part(mask), patch)[[1, 0, 3, 2]]


@lesson.mistake(
    "object_box",
    "the box is in patches, not in pixels",
    see="object_box(mask, 8) must be 8 times object_box(mask, 1)",
)
def in_patches(mask, patch):
    return box_of(largest_part(mask), 1)


@lesson.mistake(
    "object_box",
    "the box is around all parts, not only around the largest",
    see="one patch more, far away, must not change the box of an object of six",
)
def around_everything(mask, patch):
    return box_of(mask, patch)


@lesson.mistake(
    "object_box",
    "the first part is taken, not the largest",
    see="one patch in the upper left corner must not be taken for an object of six patches elsewhere",
)
def first_part(mask, patch):
    return box_of(components(mask) == 1, patch)


@lesson.mistake(
    "object_box",
    "patches that touch at a corner only are connected: 8 neighbors instead of 4",
    see="mask = np.array([[1, 1, 0], [0, 0, 1]]): the box with patch 1 is 0, 0, 2, 1",
)
def corners_connect(mask, patch):
    return box_of(largest_part(mask, corners=True), patch)


@lesson.mistake(
    "object_box",
    "width and height are returned in place of x1 and y1",
    see="for an object at the right end, x1 must be the width of the grid in pixels",
)
def width_and_height(mask, patch):
    x0, y0, x1, y1 = box_of(largest_part(mask), patch)
    return [int(v) for v in (x0, y0, x1 - x0, y1 - y0)]


@lesson.mistake(
    "object_box",
    "the background takes part: label 0 is counted as if it were an object",
    see="print(np.bincount(labels.ravel())): the first number counts the background",
)
def background_counts(mask, patch):
    labels = components(mask)
    return box_of(labels == np.bincount(labels.ravel()).argmax(), patch)


# --- segments ---


def regions(rng, h, w, n):
    """n regions of a grid, 0 to n - 1: one along most of the border, a larger one inside, one in a corner, others."""
    while True:
        truth = np.zeros((h, w), dtype=int)
        truth[1:-1, 1:-1] = 1
        if n > 2:  # the largest region touches the border, another one less or not at all
            truth[0, 1:8] = 1
            truth = truth[:: rng.choice([-1, 1]), :: rng.choice([-1, 1])].copy()
        for label in range(2, n):
            rows, columns = int(rng.integers(2, 4)), int(rng.integers(2, 5))
            y, x = int(rng.integers(h - rows + 1)), int(rng.integers(w - columns + 1))
            if label == 2:
                y, x = (int(rng.choice([0, most])) for most in (h - rows, w - columns))
            truth[y : y + rows, x : x + columns] = label
        counts = np.bincount(truth.ravel(), minlength=n)
        edge = np.bincount(border_of(truth), minlength=n)
        others = edge[1:].max()
        if counts.min() >= 4 and edge[0] > 1.5 * others and counts[1] > 1.1 * counts[0]:
            if n == 2 or (edge[1] > edge[2:].min() and edge[2] > 0):
                return truth


def embedding(rng, truth, n, noise=0.04):
    """Vectors (h, w, n) as the eigenvectors of a graph of n groups: the first constant, the others by group.

    Two groups have the same value in the second vector, so that it alone cannot tell them apart.
    """
    while True:
        corners = np.linalg.qr(rng.normal(size=(n, n)))[0][:, 1:]  # n points of n - 1 coordinates
        if n > 2:
            one, other = rng.permutation(n)[:2]
            corners[one, 0] = corners[other, 0]
        gaps = np.sqrt(sq_dist(corners)) + 9 * np.eye(n)
        second = np.abs(corners[:, 0, None] - corners[:, 0])
        if gaps.min() > 0.7 and (n == 2 or np.sort(second[np.triu_indices(n, 1)])[1] > 0.2):
            break
    vectors = corners[truth] + noise * rng.normal(size=(*truth.shape, n - 1))
    constant = np.ones((*truth.shape, 1))
    return np.concatenate([constant, vectors], axis=2) / np.sqrt(truth.size)


def judge_segments(student, rng, counts, show=None):
    cases = []
    for n in counts:
        h, w = grid_size(rng, 9, 11)
        truth = regions(rng, h, w, n)
        vectors = embedding(rng, truth, n)
        cases.append((truth, n, student.segments(vectors, n, draw_seed(rng))))
    for truth, n, labels in cases:
        labels = label_map(labels, truth.shape, n)
        if show is not None and (labels != truth).any():
            show(f"{n} segments", yours=renamed(truth, labels), expected=truth)
        hint = "numbers go along the rows: labels.reshape(h, w)" if read_wrongly(truth, labels) else None
        hint = hint or "k-means with several starts on vectors.reshape(h * w, -1)"
        expect.same_partition(labels, truth, name=f"the {n} segments of a {h} x {w} grid", hint=hint)
    return [(truth, n, np.asarray(labels)) for truth, n, labels in cases]


@lesson.check("segments", points=7)
def groups_of_patches(student, rng, show):
    """Patches with nearly the same values in all vectors are one segment, for any number of segments."""
    judge_segments(student, rng, rng.permutation([2, 3, 4]).tolist(), show)
    expect.inputs_unchanged(student)


@lesson.check("segments", points=5)
def background_is_zero(student, rng):
    """The segment with the most patches on the border is number 0, even where another one is larger."""
    for truth, n, labels in judge_segments(student, rng, rng.permutation([2, 3, 3, 4]).tolist()):
        name = f"the background of {n} segments (labels == 0)"
        hint = "count labels on the border only: first and last row, first and last column; then exchange two numbers"
        expect.equal(labels == 0, truth == 0, name=name, hint=hint)


def clustered(vectors, n, rng, starts=10):
    """k-means of the vectors without the constant one: labels (h, w) without a background."""
    h, w, k = vectors.shape
    return grouped(vectors.reshape(h * w, k)[:, 1:], n, rng, starts).reshape(h, w)


def with_background(labels):
    return first_is(labels, np.bincount(border_of(labels)).argmax())


@lesson.mistake(
    "segments",
    "the numbers are as k-means gave them: the background is not 0",
    see="np.bincount(labels on the border): label 0 must be the most frequent",
)
def no_background(vectors, n, rng):
    labels = clustered(vectors, n, rng)
    edge, size = (np.bincount(values, minlength=n) for values in (border_of(labels), labels.ravel()))
    others = [edge.argmax(), size.argmax(), edge.argmin()][: 1 if n < 4 else 3]  # that is not what other mistakes give
    return first_is(labels, next(zero for zero in range(n) if zero not in others))


@lesson.mistake(
    "segments",
    "the largest segment becomes 0, not the one with the most patches on the border",
    see="an object that fills the image up to a thin border must not become 0",
)
def largest_is_background(vectors, n, rng):
    labels = clustered(vectors, n, rng)
    return first_is(labels, np.bincount(labels.ravel()).argmax())


@lesson.mistake(
    "segments",
    "the segment with the fewest patches on the border becomes 0",
    see="np.bincount(labels on the border): label 0 must be the most frequent",
)
def least_border(vectors, n, rng):
    labels = clustered(vectors, n, rng)
    return first_is(labels, np.bincount(border_of(labels), minlength=n).argmin())


@lesson.mistake(
    "segments",
    "only the second vector is clustered: segments that it does not tell apart are mixed",
    see="plots.panels({'second': vectors[..., 1], 'third': vectors[..., 2]}): each shows another object",
)
def second_vector_only(vectors, n, rng):
    return with_background(clustered(vectors[..., :2], n, rng))


@lesson.mistake(
    "segments",
    "n is not used: there are always 2 segments",
    see="np.unique(segments(vectors, 4, rng)) must have 4 values",
)
def always_two_segments(vectors, n, rng):
    return with_background(clustered(vectors, 2, rng))


@lesson.mistake(
    "segments",
    "reshaped to (w, h) instead of (h, w)",
    see="print(segments(vectors, n, rng).shape, vectors.shape) for a grid that is not square",
)
def segments_width_first(vectors, n, rng):
    h, w, _ = vectors.shape
    return with_background(clustered(vectors, n, rng)).reshape(w, h)


@lesson.mistake(
    "segments",
    "the labels are returned as one long row, not as a grid",
    see="print(segments(vectors, n, rng).shape): it must be vectors.shape[:2]",
)
def flat_segments(vectors, n, rng):
    return with_background(clustered(vectors, n, rng)).ravel()


@lesson.mistake(
    "segments",
    "labels start at 1",
    see="print(segments(vectors, 3, rng).max()): it must be 2",
)
def segments_from_one(vectors, n, rng):
    return with_background(clustered(vectors, n, rng)) + 1


@lesson.mistake(
    "segments",
    "each patch gets the number of the vector in which it is largest: that is no clustering",
    see="print(np.bincount(labels.ravel())): the constant vector wins often, and it says nothing",
)
def largest_vector(vectors, n, rng):
    return with_background(vectors[..., :n].argmax(axis=2))


# --- find_object ---


PATCH = 8  # pixels


class Picture(NamedTuple):
    """An image with its object, and what a network might say about its patches."""

    image: np.ndarray  # (H, W, 3) uint8
    truth: np.ndarray  # (H, W) bool
    features: np.ndarray  # (h, w, d) float32


def share(truth):
    """How much of each patch is object: (H, W) -> (h, w)."""
    h, w = (side // PATCH for side in truth.shape)
    return truth[: h * PATCH, : w * PATCH].reshape(h, PATCH, w, PATCH).mean(axis=(1, 3))


def wavy(rng, h, w, count, turns=6.0):
    """Fields between -1 and 1 that change slowly: (count, h, w)."""
    y, x = np.indices((h, w)) / max(h, w)
    waves = rng.normal(size=(count, 4, 3)) * [turns, turns, 3]
    return np.array([np.tanh(1.5 * sum(np.cos(a * y + b * x + c) for a, b, c in four)) for four in waves])


def described(rng, truth, *, d=32, vary=0.75, noise=0.35):
    """Features (h, w, d) as of a network that knows objects.

    The ground has one direction and the object another; both vary from place to place in directions of their own, the
    ground more, which leads k-means astray. Patches at the edge are mixtures. All have noise, and lengths that differ.
    """
    part = share(truth)[..., None]  # (h, w, 1)
    h, w, _ = part.shape
    axes = np.sqrt(d) * np.linalg.qr(rng.normal(size=(d, d)))[0]
    waves = wavy(rng, h, w, 3)
    ground = axes[0] + vary * np.einsum("khw,kd->hwd", waves[:2], axes[2:4])
    thing = axes[1] + 0.5 * waves[2][..., None] * axes[4]
    x = part * thing + (1 - part) * ground + noise * rng.normal(size=(h, w, d))
    return (x * np.exp(rng.uniform(-0.7, 0.7, size=(h, w, 1)))).astype(np.float32)


def second_vector(features, which=1):
    h, w, d = features.shape
    return spectrum(affinity_of(features.reshape(-1, d)), which + 1)[1][:, which].reshape(h, w)


def found(picture):
    return enlarged(chosen_side(second_vector(picture.features)), PATCH, *picture.truth.shape)


def odd_size(rng, low=10, high=12):
    """(H, W) of an image that is wide or tall, and a multiple of the patch in neither direction."""
    return tuple(side * PATCH + int(rng.integers(1, PATCH)) for side in grid_size(rng, low, high))


def fitting(truth):
    """An object of a size for which the rule of the smaller side is made, that the grid can show."""
    best = enlarged(share(truth) > 0.5, PATCH, *truth.shape)
    return 0.12 < truth.mean() < 0.4 and iou(best, truth) > 0.68


def of_scene(rng):
    """A procedural scene with two to four things."""
    while True:
        scene = datasets.scene(int(rng.integers(2**31)), size=odd_size(rng), n_objects=int(rng.integers(2, 5)))
        if fitting(scene.foreground):
            return scene.image, scene.foreground


# What counts as the object of a photo: all regions but these.
GROUNDS = {
    "astronaut": ("backdrop", "flag", "shuttle model", "pedestal"),
    "camera": ("sky", "lawn", "buildings, trees and snow"),
    "china": ("sky", "trees", "lake", "far shore"),
    "coffee": ("table", "floor"),
    "flower": ("leaves", "second flower", "bud"),
}


@cache
def photo_with_object(name):
    sample = datasets.photo(name)
    ground = [sample.labels.index(region) for region in GROUNDS[name]]
    return sample.image, ~np.isin(sample.truth, ground)


def of_photo(rng):
    """A piece of a photo, turned, scaled, perhaps mirrored; its object has the colors of the ground."""
    while True:
        image, own = photo_with_object(str(rng.choice(list(GROUNDS))))
        h, w = odd_size(rng)
        y, x = np.indices((h, w)) - np.reshape([(h - 1) / 2, (w - 1) / 2], (2, 1, 1))
        scale, turn, flip = rng.uniform(2, 4.5), rng.uniform(-0.4, 0.4), rng.choice([-1, 1])
        at = rng.uniform(0.25, 0.75, size=2) * own.shape
        row = np.rint(at[0] + scale * (np.cos(turn) * y - np.sin(turn) * x)).astype(int)
        column = np.rint(at[1] + flip * scale * (np.sin(turn) * y + np.cos(turn) * x)).astype(int)
        if min(row.min(), column.min()) < 0 or row.max() >= own.shape[0] or column.max() >= own.shape[1]:
            continue
        truth = own[row, column]
        if fitting(truth):
            return camouflaged(image[row, column], truth), truth


def camouflaged(image, truth):
    """Both sides get the mean and the spread of the color of the ground: only features know the object."""
    result = np.array(image, dtype=float)
    ground = result[~truth]
    own = result[truth]
    result[truth] = (own - own.mean(axis=0)) / (own.std(axis=0) + 1) * ground.std(axis=0) + ground.mean(axis=0)
    return np.rint(np.clip(result, 0, 255)).astype(np.uint8)


def of_rectangles(rng):
    """Two rectangles of whole patches, one in a corner; the colors do not show them: (H, W, 3), (H, W)."""
    height, width = odd_size(rng, 8, 10)
    h, w = height // PATCH, width // PATCH
    while True:
        grid = with_parts(rng, h, w, [(3, 3), (2, 4)], corner=True)
        if 0.1 < grid.mean() < 0.4 and (grid[-1].any() or grid[:, -1].any()):
            truth = enlarged(grid, PATCH, height, width)
            # One color that grows darker to one side: a graph of it is connected, and its cut is far from the truth.
            slope = np.linspace(*rng.permutation([0.6, 1.0]), width)[None, :, None]
            image = slope * rng.integers(60, 220, size=3) + rng.normal(0, 10, size=(height, width, 3))
            return np.clip(image, 0, 255).astype(np.uint8), truth


MAKERS = {"scene": of_scene, "photo": of_photo, "rectangles": of_rectangles}
LEAST = {"scene": 0.6, "photo": 0.7, "rectangles": 1.0}  # IoU of the reference with each picture that is asked


@lru_cache(maxsize=64)
def picture(kind, seed):
    """Drawn again until the second eigenvector finds the object, and that of the colors does not: one for each seed."""
    rng = np.random.default_rng(seed)
    clear = {"vary": 0.3, "noise": 0.15} if kind == "rectangles" else {}
    while True:
        image, truth = MAKERS[kind](rng)
        one = Picture(image, truth, described(rng, truth, **clear))
        if iou(found(one), truth) >= LEAST[kind] and iou(color_only(one.features, image, PATCH), truth) < 0.4:
            return one


def pictures(rng, kind, count):
    return [picture(kind, int(seed)) for seed in rng.integers(2**31, size=count)]


def object_mask(mask, truth):
    """The student's mask as an (H, W) bool array."""
    expect.shape(mask, truth.shape, name="the mask", hint="one value for each pixel of the image: upsample")
    mask = np.asarray(mask)
    expect.true(bool(((mask == 0) | (mask == 1)).all()), "the mask has other values than True and False", hint="v > 0")
    return mask.astype(bool)


def seen(show, one, mask, title):
    show(title, image=one.image, yours=mask, expected=one.truth)


FIND_PARTS = ("feature_affinity", "laplacian", "eigenvectors", "foreground", "upsample")


@lesson.check("find_object", points=2, uses=FIND_PARTS)
def clear_objects(student, rng, show):
    """Rectangles of patches are found to the pixel, in wide and in tall images of odd sizes."""
    calls = [(one, student.find_object(one.features, one.image, PATCH)) for one in pictures(rng, "rectangles", 3)]
    for one, mask in calls:
        mask = object_mask(mask, one.truth)
        if (mask != one.truth).any():
            seen(show, one, mask, "Clear objects")
        name = "the mask of two rectangles"
        expect.equal(mask, one.truth, name=name, hint="affinity, eigenvectors(w, 2)[1][:, 1], foreground, upsample")
    expect.inputs_unchanged(student)


def judge_found(student, rng, show, kind, what, zero):
    # Mean IoU of 4 pictures, 12 draws; scenes, then photos. The second eigenvector .71 (.67 to .77), .84 (from
    # .80), what the grid allows .74, .86; with 0.05 of the color graph .70 (from .66), .84; with 0.2 of it .66
    # (from .54), .83; cut at the mean .74, .86, plain Laplacian .74, .86, TokenCut's graph .71, .85 (so no score
    # sees these: the tasks before do). k-means of the normalized features .42 (.20 to .69), .78 (.53 to .89), with
    # three groups .32, .41; first principal component .39, .71; cut at the median .41 (to .50), .57 (to .64).
    # Without the features: groups of colors .20 (to .30), .25 (to .30), the color graph .14, .19, an ellipse in the
    # middle .25 (to .30), .27 (to .33), all .20, .29. No score depends on mini-DINO's weights. If the features or
    # scenes change: the numbers are the means of `iou(answer, one.truth)` over `pictures(rng, kind, 48)`; `pytest
    # tests/autograder/checks/test_spectral.py -k trivial -s` prints the points of trivial answers.
    calls = [(one, student.find_object(one.features, one.image, PATCH)) for one in pictures(rng, kind, 4)]
    scores = []
    for one, mask in calls:
        mask = object_mask(mask, one.truth)
        scores.append(iou(mask, one.truth))
        seen(show, one, mask, f"{what}: IoU {scores[-1]:.2f}")
    hint = "the second eigenvector of the affinity of the features, its smaller side, enlarged patch by patch"
    full = LEAST[kind] - 0.02
    return expect.ramp(np.mean(scores), zero=zero, full=full, what="the mean IoU of 4 objects", hint=hint)


@lesson.check("find_object", points=4, uses=FIND_PARTS)
def things_in_scenes(student, rng, show):
    """Things in drawn scenes, some of them in the colors of what is behind them."""
    return judge_found(student, rng, show, "scene", "Scene", zero=0.5)


@lesson.check("find_object", points=4, uses=FIND_PARTS)
def things_in_photos(student, rng, show):
    """Things in pieces of photos."""
    return judge_found(student, rng, show, "photo", "Photo", zero=0.62)


def eigen_mask(features, image, patch, *, which=1, side=chosen_side, affinity=affinity_of):
    """The usual way to find the object; each mistake changes one thing."""
    h, w, d = features.shape
    _, vectors = spectrum(affinity(features.reshape(-1, d)), which + 1)
    return enlarged(side(vectors[:, which].reshape(h, w)), patch, *image.shape[:2])


@lesson.mistake(
    "find_object",
    "the ground is returned, not the object: the larger side",
    see="print(find_object(features, image, patch).mean()): it must be below 0.5",
)
def ground_found(features, image, patch):
    return ~eigen_mask(features, image, patch)


@lesson.mistake(
    "find_object",
    "the third eigenvector is used, not the second",
    see="the second is vectors[:, 1]; plots.panels shows what vectors[:, 2] cuts off",
)
def third_vector(features, image, patch):
    return eigen_mask(features, image, patch, which=2)


@lesson.mistake(
    "find_object",
    "the first eigenvector is used: it is constant, and its signs say nothing",
    see="print(np.ptp(vectors[:, 0])): nothing but rounding; the second is vectors[:, 1]",
)
def first_vector(features, image, patch):
    return np.ones(image.shape[:2], dtype=bool)


@lesson.mistake(
    "find_object",
    "the vector at the other end of the spectrum is used, that of the largest eigenvalue",
    see="print(values): they must rise from 0",
)
def last_vector(features, image, patch):
    return eigen_mask(features, image, patch, which=features.shape[0] * features.shape[1] - 1)


@lesson.mistake(
    "find_object",
    "the threshold is the median: half of the image is object",
    see="print(find_object(features, image, patch).mean()): it must not always be about 0.5",
)
def cut_at_median(features, image, patch):
    return eigen_mask(features, image, patch, side=median_threshold)


@lesson.mistake(
    "find_object",
    "the vector is reshaped to (w, h) and then transposed",
    see="plots.panels([image, find_object(features, image, patch)]): the object is torn into stripes",
)
def woven_vector(features, image, patch):
    h, w, _ = features.shape
    return eigen_mask(features, image, patch, side=lambda v: chosen_side(v).reshape(w, h).T)


@lesson.mistake(
    "find_object",
    "the mask has one value for each patch: it is not enlarged to the image",
    see="print(find_object(features, image, patch).shape, image.shape)",
)
def mask_of_patches(features, image, patch):
    h, w, d = features.shape
    return chosen_side(spectrum(affinity_of(features.reshape(-1, d)), 2)[1][:, 1].reshape(h, w))


@lesson.mistake(
    "find_object",
    "the mask is stretched over the whole image, but the grid ends with the last full patch",
    see="the right and lower edges of objects must be at multiples of the patch",
)
def stretched_mask(features, image, patch):
    small = mask_of_patches(features, image, patch)
    return stretched(small, patch, *image.shape[:2])


@lesson.mistake(
    "find_object",
    "the rest of the image beyond the last full patch is left empty",
    see="objects that touch the lower or right border must reach it",
)
def rest_left_empty(features, image, patch):
    return rest_empty(mask_of_patches(features, image, patch), patch, *image.shape[:2])


@lesson.mistake(
    "find_object",
    "only the color is used, not the features",
    see="find_object(features, 0 * image, patch) must find the same object",
)
def color_only(features, image, patch):
    h, w, _ = features.shape
    small = image[: h * patch, : w * patch].reshape(h, patch, w, patch, 3).mean(axis=(1, 3))
    graph = knn_of(psi_of(small), 20)
    return eigen_mask(features, image, patch, affinity=lambda _: graph)
