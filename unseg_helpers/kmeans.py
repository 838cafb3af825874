"""K-means by Lloyd's iteration, seeded with k-means++.

The file reads in the order in which the algorithm is built: distances, the two steps (assign, update), the objective,
the seeding, the loop, the choice of k, and the segmentation of an image. The functions of the two steps are written
to be read; the loop asks `_kmeans_fast.Points`, which gives the same answers sooner.

Notation: n points, d features, k clusters; x (n, d), centers (k, d), labels (n,), weights (n,).

References
----------
S. P. Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information Theory 28, 1982.
D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unseg_helpers import _kmeans_fast as fast
from unseg_helpers._device import of_torch, resolve

__all__ = [
    "KMeansResult",
    "squared_distances",
    "assign",
    "update",
    "inertia",
    "plus_plus",
    "kmeans",
    "elbow",
    "silhouette",
    "choose_k",
    "segment",
]

RngLike = np.random.Generator | int | None


class KMeansResult(NamedTuple):
    """What `kmeans` found.

    Attributes
    ----------
    labels : array of shape (n,), int32
        Number of the nearest center, 0 to k - 1.
    centers : array of shape (k, d)
        float32 if x was, else float64.
    inertia : float
        Sum of the squared distances to the nearest center (times the weights).
    n_iter : int
        Number of steps; the last one changed no label, unless ``max_iter`` ended the loop.
    history : tuple of float
        Inertia after each assignment. It never rises, and its last entry is ``inertia``.
    """

    labels: NDArray[np.int32]
    centers: NDArray[np.floating]
    inertia: float
    n_iter: int
    history: tuple[float, ...]


# ---- the two steps, and what they lower -------------------------------------------------------------------------


def squared_distances(x: ArrayLike, centers: ArrayLike) -> NDArray[np.floating]:
    """Squared Euclidean distance of each point to each center.

    By :math:`|x - c|^2 = |x|^2 - 2 x \\cdot c + |c|^2`: one matrix product, and no (n, k, d) array. The difference
    loses digits when the points are far from the origin, so both are first shifted by the mean of the centers.

    Parameters
    ----------
    x : array of shape (n, d)
    centers : array of shape (k, d)

    Returns
    -------
    array of shape (n, k)
        At least 0; float32 if both are float32, else float64.

    Raises
    ------
    ValueError
        If one of them is not 2-D, is empty, holds NaN or infinity, or their d differ.

    Examples
    --------
    >>> squared_distances([[0.0, 0.0], [3.0, 4.0]], [[0.0, 0.0], [2.0, 0.0]])
    array([[ 0.,  4.],
           [25., 17.]])
    """
    x, centers = _as_points(x), _as_points(centers, "centers")
    if x.shape[1] != centers.shape[1]:
        raise ValueError(
            f"x and centers must have the same number of features, got {x.shape[1]} and {centers.shape[1]}; "
            "were the centers computed from other features?"
        )
    dtype = np.result_type(x.dtype, centers.dtype, np.float32)
    shift = centers.mean(axis=0, dtype=np.float64).astype(dtype)
    x, centers = x - shift, centers - shift
    x_sq = (x**2).sum(axis=1, keepdims=True)  # (n, 1)
    c_sq = (centers**2).sum(axis=1)  # (k,)
    return np.maximum(x_sq - 2 * x @ centers.T + c_sq, 0)  # rounding may leave -1e-16 for a zero


def assign(x: ArrayLike, centers: ArrayLike) -> NDArray[np.intp]:
    """First step: the number of the nearest center for each point; of equally near ones the first.

    Parameters
    ----------
    x : array of shape (n, d)
    centers : array of shape (k, d)

    Returns
    -------
    array of shape (n,)
        0 to k - 1.

    Examples
    --------
    >>> assign([[0.0], [5.0]], [[0.0], [4.0]])
    array([0, 1])
    """
    x, centers = _as_points(x), _as_points(centers, "centers").astype(np.float64)
    labels = np.empty(len(x), np.intp)
    block = max(1, 2**20 // len(centers))  # rows at a time: the (n, k) array of a large photo would fill the memory
    for start in range(0, len(x), block):
        labels[start : start + block] = squared_distances(x[start : start + block], centers).argmin(axis=1)
    return labels


def update(x: ArrayLike, labels: ArrayLike, k: int, *, weights: ArrayLike | None = None) -> NDArray[np.float64]:
    """Second step: the mean of the points of each cluster.

    A cluster without points has no mean. It takes the point that is farthest from its own center: no label has
    changed yet, so the inertia is as before, and the next assignment can only lower it. Several empty clusters take
    one point after the other, each time the one farthest from all centers it could go to.

    Parameters
    ----------
    x : array of shape (n, d)
    labels : array of shape (n,), integer
        0 to k - 1.
    k : int
        Number of clusters.
    weights : array of shape (n,), optional
        Each point counts like ``weights`` points at its place; at least 0. By default all are 1.

    Returns
    -------
    array of shape (k, d), float64
        float64 also for float32 points: sums over many thousand pixels need the digits.

    Raises
    ------
    ValueError
        If the shapes do not fit, a label is not in 0 to k - 1, or weights are negative or all zero.
    TypeError
        If labels are not integers.

    Examples
    --------
    >>> update([[0.0], [2.0], [9.0]], [0, 0, 1], 2)
    array([[1.],
           [9.]])
    >>> update([[0.0], [2.0], [9.0]], [0, 0, 0], 2)  # cluster 1 is empty: 9 is farthest from 11 / 3
    array([[3.66666667],
           [9.        ]])
    """
    x = _as_points(x).astype(np.float64)
    k = _as_count(k, "k")
    labels = _as_labels(labels, len(x), k)
    weights = np.ones(len(x)) if weights is None else _as_weights(weights, len(x))

    mass = np.bincount(labels, weights, minlength=k)  # (k,)
    sums = np.stack([np.bincount(labels, weights * column, minlength=k) for column in x.T], axis=1)  # (k, d)
    empty = mass == 0
    centers = sums / np.where(empty, 1, mass)[:, None]
    if empty.any():
        distance = ((x - centers[labels]) ** 2).sum(axis=1)  # (n,) to the own center
        distance[weights == 0] = 0  # a point without weight would leave the cluster empty
        for j in np.flatnonzero(empty):
            centers[j] = x[distance.argmax()]
            distance = np.minimum(distance, ((x - centers[j]) ** 2).sum(axis=1))
    return centers


def inertia(
    x: ArrayLike, centers: ArrayLike, labels: ArrayLike | None = None, *, weights: ArrayLike | None = None
) -> float:
    """What both steps lower: the sum of the squared distances to the own centers.

    Parameters
    ----------
    x : array of shape (n, d)
    centers : array of shape (k, d)
    labels : array of shape (n,), integer, optional
        Own center of each point; by default the nearest one.
    weights : array of shape (n,), optional

    Returns
    -------
    float
        In squared feature units.

    Examples
    --------
    >>> inertia([[0.0], [2.0], [9.0]], [[1.0], [9.0]])
    2.0
    """
    x, centers = _as_points(x), _as_points(centers, "centers")
    labels = assign(x, centers) if labels is None else _as_labels(labels, len(x), len(centers))
    distance = ((x.astype(np.float64) - centers[labels]) ** 2).sum(axis=1)
    return float(distance.sum() if weights is None else _as_weights(weights, len(x)) @ distance)


# ---- where to start ---------------------------------------------------------------------------------------------


def plus_plus(
    x: ArrayLike,
    k: int,
    *,
    rng: RngLike = None,
    n_candidates: int | None = None,
    weights: ArrayLike | None = None,
) -> NDArray[np.floating]:
    """Choose k of the points as first centers, far from one another (k-means++).

    The first is drawn evenly, each further one with a probability in proportion to its squared distance to the
    nearest center so far. The expected inertia is then at most 8 (ln k + 2) times the smallest possible [1]_. The
    greedy variant draws several candidates each time and keeps the one that leaves the least inertia.

    Parameters
    ----------
    x : array of shape (n, d)
    k : int
        1 <= k <= n.
    rng : Generator, int or None
        Draws the candidates. An int makes the result repeatable.
    n_candidates : int, optional
        Candidates for each center; 1 is the original method. By default 2 + floor(ln k), as in scikit-learn.
    weights : array of shape (n,), optional
        A point is drawn as if it were there ``weights`` times.

    Returns
    -------
    array of shape (k, d)
        Rows of x. With fewer than k different points some rows repeat.

    Raises
    ------
    ValueError
        As `kmeans`.

    References
    ----------
    .. [1] D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.

    Examples
    --------
    >>> sorted(plus_plus([[0.0], [0.0], [9.0]], 2, rng=0).ravel().tolist())
    [0.0, 9.0]
    """
    x, k, weights = _checked(x, k, weights)
    if weights is not None and not weights.all():
        x, weights = x[weights > 0], weights[weights > 0]
    return _plus_plus(fast.Points(x, weights), k, np.random.default_rng(rng), n_candidates)


def _plus_plus(points: fast.Points, k: int, rng: np.random.Generator, n_candidates: int | None) -> NDArray[np.floating]:
    """`plus_plus` for prepared points."""
    n_candidates = 2 + int(np.log(k)) if n_candidates is None else _as_count(n_candidates, "n_candidates")
    weights = points.weights
    n = points.m

    def draw(mass, size):
        """Row numbers, each with a probability in proportion to its mass."""
        up_to = np.cumsum(mass, dtype=np.float64)
        return np.minimum(np.searchsorted(up_to, rng.random(size) * up_to[-1], side="right"), n - 1)

    chosen = [int(rng.integers(n) if weights is None else draw(weights, 1)[0])]
    closest = points.squared_distances_to(chosen[0])  # (n,) to the nearest center so far
    while len(chosen) < k:
        mass = closest if weights is None else closest * weights
        if not mass.any():  # every point already lies at a center
            chosen += rng.choice(n, k - len(chosen)).tolist()
            break
        candidates = draw(mass, n_candidates)
        best = points.potentials(candidates, closest).argmin() if n_candidates > 1 else 0
        chosen.append(int(candidates[best]))
        closest = np.minimum(closest, points.squared_distances_to(chosen[-1]), out=closest)
    return points.rows(np.array(chosen))


# ---- the loop ---------------------------------------------------------------------------------------------------


def kmeans(
    x: ArrayLike,
    k: int,
    *,
    init: Literal["k-means++"] | ArrayLike = "k-means++",
    n_init: int = 1,
    max_iter: int = 100,
    weights: ArrayLike | None = None,
    rng: RngLike = None,
    device: str = "cpu",
    callback: Callable[[int, NDArray, NDArray, float], object] | None = None,
) -> KMeansResult:
    """Split points into k groups around their means.

    Lloyd's iteration: assign each point to its nearest center, move each center to the mean of its points, until no
    label changes. Neither step can raise the inertia, so the loop ends, in a minimum that depends on the start.
    Each step costs O(n k d) time at most, and O(n) memory besides x. An empty cluster takes the point farthest from
    its center (see `update`); when there are fewer different points than k, some clusters stay empty and keep their
    centers.

    Parameters
    ----------
    x : array of shape (n, d)
        One row for each pixel or patch; flatten an (h, w, d) image first. float32 is computed in float32 (with sums
        and close decisions in float64), and so is uint8, the fastest for colors; all else in float64.
    k : int
        Number of clusters, 1 <= k <= n.
    init : "k-means++" or array of shape (k, d)
        How to start: with `plus_plus` (greedy), or at these centers.
    n_init : int
        Number of starts; the result with the lowest inertia is kept. One start if `init` is an array.
    max_iter : int
        Upper bound on the steps; the loop stops sooner once no label changes.
    weights : array of shape (n,), optional
        Each point counts like ``weights`` points at its place; at least 0, and more than 0 for at least k points.
    rng : Generator, int or None
        Draws the k-means++ seeds. An int makes the result repeatable.
    device : str
        ``"cpu"``: NumPy. ``"cuda"``, ``"cuda:1"`` or ``"mps"``: PyTorch on that device, in blocks where x does not
        fit. ``"auto"``: CUDA, then MPS, then NumPy. ``"cpu:torch"``: PyTorch on the processor (to compare, to test).
    callback : function, optional
        Called as ``callback(step, centers, labels, inertia)`` after each assignment, with step = 1, 2, ...; the
        centers are those that the labels belong to.

    Returns
    -------
    KMeansResult
        Labels (n,), centers (k, d), inertia (squared feature units), number of steps, inertia after each assignment.
        The labels always belong to the centers.

    Raises
    ------
    ValueError
        If ``x`` is not 2-D, holds NaN or infinity, or has fewer than k rows, or another argument is out of range.
    ModuleNotFoundError
        If the device needs PyTorch and it is not installed.

    References
    ----------
    .. [1] S. P. Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information Theory 28, 1982.
    .. [2] D. Arthur and S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.

    Examples
    --------
    >>> result = kmeans([[0.0], [2.0], [9.0]], 2, rng=0)
    >>> result.inertia
    2.0
    >>> sorted(result.centers.ravel().tolist())
    [1.0, 9.0]
    """
    x, k, weights = _checked(x, k, weights)
    n_init, max_iter = _as_count(n_init, "n_init"), _as_count(max_iter, "max_iter")
    rng = np.random.default_rng(rng)
    start = _as_start(init, k, x.shape[1])
    used = np.ones(len(x), bool) if weights is None else weights > 0
    if used.all():
        points = _points(x, weights, device)
    else:  # points without weight get a label in the end, but take no part
        points = _points(x[used], weights[used], device)

    best = None
    for _ in range(n_init if start is None else 1):
        centers = _plus_plus(points, k, rng, None) if start is None else start
        result = _lloyd(points, centers, max_iter, callback)
        if best is None or result.inertia < best.inertia:
            best = result
    if not used.all():
        best = best._replace(labels=assign(x, best.centers).astype(np.int32))
    return best._replace(centers=best.centers.astype(np.float32 if x.dtype == np.float32 else np.float64))


def _lloyd(points: fast.Points, centers: NDArray, max_iter: int, callback: Callable | None) -> KMeansResult:
    """Assign and update until no label changes."""
    points.forget()
    history = []

    def assign_all() -> int:
        n_changed = points.assign(centers)
        history.append(points.inertia(centers))
        if callback is not None:
            callback(len(history), centers.copy(), points.labels(), history[-1])
        return n_changed

    for step in range(1, max_iter + 1):  # noqa: B007
        if assign_all() == 0:
            break
        centers = points.means(centers)
    else:
        assign_all()  # the labels shall belong to the centers
    return KMeansResult(points.labels(), np.asarray(centers), history[-1], step, tuple(history))


def _points(x: NDArray, weights: NDArray | None, device: str) -> fast.Points | fast.TorchPoints:
    """Where to compute."""
    device = resolve(device)
    if device == "cpu":
        return fast.Points(x, weights)
    return fast.TorchPoints(x, weights, of_torch(device))


# ---- how many clusters ------------------------------------------------------------------------------------------


def elbow(inertias: ArrayLike, ks: ArrayLike) -> int:
    """The k at which the curve of the inertia bends most.

    Both axes are scaled to 0..1; the elbow is the point with the largest distance below the chord from the first to
    the last point of the curve.

    Parameters
    ----------
    inertias : array of shape (m,)
        Inertia for each k.
    ks : array of shape (m,), integer
        At least three, growing.

    Returns
    -------
    int
        One of ``ks``; the first one if the curve does not fall at all.

    Raises
    ------
    ValueError
        If the lengths differ, there are fewer than three, or ``ks`` does not grow.

    Examples
    --------
    >>> elbow([100, 20, 15, 12, 10], [1, 2, 3, 4, 5])
    2
    """
    inertias, ks = np.asarray(inertias, dtype=np.float64), np.asarray(ks)
    if inertias.ndim != 1 or inertias.shape != ks.shape:
        raise ValueError(f"inertias and ks must be two lists of one length, got shapes {inertias.shape} and {ks.shape}")
    if len(ks) < 3:
        raise ValueError(f"an elbow needs at least 3 values of k, got {len(ks)}")
    if not (np.diff(ks) > 0).all():
        raise ValueError(f"ks must grow, got {ks.tolist()}")
    if not np.isfinite(inertias).all():
        raise ValueError("inertias holds NaN or infinity")
    drop = inertias[0] - inertias[-1]
    if drop <= 0:
        return int(ks[0])
    right = (ks - ks[0]) / (ks[-1] - ks[0])  # 0 to 1
    down = (inertias[0] - inertias) / drop  # 0 to 1
    return int(ks[(down - right).argmax()])  # the distance to the chord, times sqrt(2)


def silhouette(x: ArrayLike, labels: ArrayLike, *, n_sample: int = 2000, rng: RngLike = None) -> float:
    """How much nearer points are to their own cluster than to the next one, on average.

    With a the mean distance of a point to the others of its cluster and b that to the nearest other cluster, its
    silhouette is (b - a) / max(a, b), between -1 and 1 [1]_. All pairs of n points cost O(n^2 d), so a sample is
    used. Computed by scikit-learn.

    Parameters
    ----------
    x : array of shape (n, d)
    labels : array of shape (n,), integer
    n_sample : int
        Number of points drawn, if there are more.
    rng : Generator, int or None
        Draws the sample.

    Returns
    -------
    float
        -1 to 1; larger is better.

    Raises
    ------
    ValueError
        If the points drawn lie in one cluster only, or each in its own.

    References
    ----------
    .. [1] P. J. Rousseeuw, "Silhouettes", Journal of Computational and Applied Mathematics 20, 1987.

    Examples
    --------
    >>> round(silhouette([[0.0], [1.0], [10.0], [11.0]], [0, 0, 1, 1]), 4)
    0.8997
    """
    from sklearn.metrics import silhouette_score

    x = _as_points(x)
    labels = _as_labels(labels, len(x), None)
    n_sample = _as_count(n_sample, "n_sample")
    if n_sample < len(x):
        drawn = np.random.default_rng(rng).choice(len(x), n_sample, replace=False)
        x, labels = x[drawn], labels[drawn]
    n_labels = len(np.unique(labels))
    if not 2 <= n_labels < len(x):
        raise ValueError(
            f"the silhouette needs at least 2 clusters and fewer clusters than points, got {n_labels} clusters "
            f"among {len(x)} points"
        )
    return float(silhouette_score(x, labels))


def choose_k(
    x: ArrayLike,
    ks: Sequence[int],
    *,
    method: Literal["elbow", "silhouette"] = "elbow",
    n_init: int = 1,
    n_sample: int = 2000,
    rng: RngLike = None,
) -> int:
    """Run k-means for each k and choose one.

    Parameters
    ----------
    x : array of shape (n, d)
    ks : sequence of int
        Growing; at least 3 of them for the elbow, all at least 2 for the silhouette.
    method : "elbow" or "silhouette"
        `elbow` of the inertias, or the largest `silhouette`.
    n_init : int
        Starts for each k.
    n_sample : int
        For the silhouette.
    rng : Generator, int or None
        Draws seeds and samples.

    Returns
    -------
    int
        One of ``ks``.

    Raises
    ------
    ValueError
        If the method is not known or ``ks`` does not suit it.

    Examples
    --------
    >>> x = np.array([[0, 0], [0, 1], [9, 0], [9, 1], [0, 9], [1, 9]])  # three corners, two points each
    >>> choose_k(x, range(1, 6), rng=0), choose_k(x, range(2, 6), method="silhouette", rng=0)
    (3, 3)
    """
    ks = [_as_count(k, "each of ks") for k in ks]
    if method not in ("elbow", "silhouette"):
        raise ValueError(f'method must be "elbow" or "silhouette", got {method!r}')
    if not ks or ks != sorted(set(ks)):
        raise ValueError(f"ks must grow, got {ks}")
    if method == "elbow" and len(ks) < 3:
        raise ValueError(f"an elbow needs at least 3 values of k, got {len(ks)}")
    if method == "silhouette" and ks[0] < 2:
        raise ValueError("the silhouette compares clusters: ks must start at 2 or more, got 1")
    rng = np.random.default_rng(rng)
    results = [kmeans(x, k, n_init=n_init, rng=rng) for k in ks]
    if method == "elbow":
        return elbow([result.inertia for result in results], ks)
    sample_seed = int(rng.integers(2**31))  # the same points for each k: their scores can be compared
    scores = [silhouette(x, result.labels, n_sample=n_sample, rng=sample_seed) for result in results]
    return ks[int(np.argmax(scores))]


# ---- an image ---------------------------------------------------------------------------------------------------


def segment(
    image: ArrayLike,
    k: int,
    *,
    space: Literal["rgb", "lab"] = "lab",
    position: float = 0.5,
    lightness: float = 1.0,
    smooth: float = 0.0,
    n_init: int = 1,
    max_iter: int = 100,
    rng: RngLike = None,
    device: str = "cpu",
) -> NDArray[np.int32]:
    """Segment an image: pixels of similar color near one another.

    On training images of BSDS300 ``position=0.25, lightness=0.5, smooth=0.01`` fit people's segmentations best: a
    blur, so that a texture counts as one color, less weight for lightness, so that shadows divide less, and a little
    position.

    Parameters
    ----------
    image : array of shape (h, w, 3)
        RGB, uint8 or floating point between 0 and 1.
    k : int
        Number of segments.
    space, position, lightness, smooth
        As in `unseg_helpers.features.pixel_features`.
    n_init, max_iter, rng, device
        As in `kmeans`.

    Returns
    -------
    array of shape (h, w), int32
        Segment of each pixel, 0 to k - 1. A segment is one cluster; it may consist of several patches.

    Examples
    --------
    >>> image = np.zeros((2, 4, 3), np.uint8)
    >>> image[:, 2:] = 255
    >>> labels = segment(image, 2, rng=0)
    >>> labels[0, 0] == labels[1, 1] != labels[0, 2] == labels[1, 3]
    np.True_
    """
    from unseg_helpers.features import pixel_features

    x = pixel_features(image, space=space, position=position, lightness=lightness, smooth=smooth)
    labels = kmeans(x, k, n_init=n_init, max_iter=max_iter, rng=rng, device=device).labels
    return labels.reshape(np.shape(image)[:2])


# ---- what the caller may get wrong ------------------------------------------------------------------------------


def _as_points(x: ArrayLike, name: str = "x") -> NDArray:
    """A finite array of rows: (n, d), of an integer or floating point type."""
    x = np.asarray(x)
    if x.ndim != 2:
        hint = ""
        if x.ndim == 3:
            hint = f"; for an (h, w, d) image use {name}.reshape(-1, {name}.shape[-1])"
        elif x.ndim == 1:
            hint = f"; for n numbers use {name}.reshape(-1, 1)"
        shape = "(n, d)" if name == "x" else "(k, d)"
        raise ValueError(f"{name} must have shape {shape}, got {x.shape}{hint}")
    if x.size == 0:
        raise ValueError(f"{name} must have at least one row and one column, got shape {x.shape}")
    if x.dtype == bool:
        x = x.astype(np.uint8)
    if not (np.issubdtype(x.dtype, np.integer) or np.issubdtype(x.dtype, np.floating)):
        raise TypeError(f"{name} must hold real numbers, got {x.dtype}")
    if x.dtype.itemsize > 8:
        x = x.astype(np.float64)
    if np.issubdtype(x.dtype, np.floating):
        with np.errstate(over="ignore", invalid="ignore"):
            seems_finite = np.isfinite(x.sum())  # one pass without a temporary array; finite numbers may overflow
        if not seems_finite and not np.isfinite(x).all():
            bad = int((~np.isfinite(x)).any(axis=1).sum())
            raise ValueError(
                f"{name} holds NaN or infinity in {bad} of {len(x)} rows; "
                f"to drop them use {name}[np.isfinite({name}).all(axis=1)]"
            )
    return x


def _as_count(value: int, name: str) -> int:
    try:
        value = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value}")
    return value


def _as_labels(labels: ArrayLike, n: int, k: int | None) -> NDArray[np.integer]:
    labels = np.asarray(labels)
    if labels.shape != (n,):
        hint = "; flatten a label map with labels.ravel()" if labels.ndim == 2 else ""
        raise ValueError(f"labels must have shape ({n},), one for each row of x, got {labels.shape}{hint}")
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(f"labels must be integers, got {labels.dtype}; use labels.astype(int)")
    if k is not None and not (labels.min() >= 0 and labels.max() < k):
        raise ValueError(f"labels must be between 0 and k-1={k - 1}, got {labels.min()} to {labels.max()}")
    return labels


def _as_weights(weights: ArrayLike, n: int) -> NDArray[np.float64]:
    weights = np.asarray(weights, dtype=np.float64)
    if weights.shape != (n,):
        raise ValueError(f"weights must have shape ({n},), one for each row of x, got {weights.shape}")
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise ValueError("weights must be finite, at least 0, and not all 0")
    return weights


def _checked(x: ArrayLike, k: int, weights: ArrayLike | None) -> tuple[NDArray, int, NDArray | None]:
    """Points, number of clusters and weights that belong together."""
    x = _as_points(x)
    try:
        k = operator.index(k)
    except TypeError:
        raise TypeError(f"k must be an integer, got {k!r}") from None
    if not 1 <= k <= len(x):
        raise ValueError(f"k must be between 1 and n={len(x)}, the number of points, got {k}")
    if weights is not None:
        weights = _as_weights(weights, len(x))
        positive = int((weights > 0).sum())
        if k > positive:
            raise ValueError(f"k must be at most the number of points with a weight above 0, {positive}, got {k}")
    return x, k, weights


def _as_start(init: str | ArrayLike, k: int, d: int) -> NDArray | None:
    """The given centers, or None where they are to be drawn."""
    if isinstance(init, str):
        if init != "k-means++":
            raise ValueError(f'init must be "k-means++" or an array of shape ({k}, {d}), got {init!r}')
        return None
    centers = _as_points(init, "init").astype(np.float64)
    if centers.shape != (k, d):
        raise ValueError(f"init must have shape (k, d) = ({k}, {d}), got {centers.shape}")
    return centers
