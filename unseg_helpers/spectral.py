"""Segments from the eigenvectors of a graph of patches.

The file reads in the order in which it is used: eigenvectors, their sign, one object, several segments, an image, a
set of images.

Notation: grid h x w, n = h * w nodes, k eigenvectors; (D - W) v = mu D v with the degrees D.

References
----------
J. Shi, J. Malik, "Normalized cuts and image segmentation", IEEE Transactions on Pattern Analysis and Machine
Intelligence 22, 2000.
L. Melas-Kyriazi, C. Rupprecht, I. Laina, A. Vedaldi, "Deep spectral methods: a surprisingly strong baseline for
unsupervised semantic segmentation and localization", CVPR 2022.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import cache
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unseg_helpers import _lanczos
from unseg_helpers import affinity as aff
from unseg_helpers._device import of_torch, resolve

if TYPE_CHECKING:
    from unseg_helpers.features import PatchFeatures

__all__ = [
    "Spectrum",
    "Localization",
    "eigenvectors",
    "eigenvectors_batch",
    "fix_sign",
    "foreground",
    "largest_component",
    "component_at",
    "object_box",
    "eigengap",
    "segments",
    "localize",
    "segment",
    "foreground_mask",
    "semantic",
    "classes_of_segments",
]

Solver = Literal["auto", "lanczos", "lobpcg", "dense"]
Method = Literal["spectral", "tokencut", "lost"]
DENSE = 200  # nodes up to which LAPACK is as quick as anything
LARGE = 1e15  # roots of degrees up to which float32 is no risk
ALIKE = 1 - 1e-6  # a second value above this: the graph has no parts at all
ONE_THREAD = 1000  # nodes from which a second BLAS thread helps
DEVICE_BYTES = 2 << 30  # of W on a GPU at a time


class Spectrum(NamedTuple):
    """The first eigenvectors of a graph.

    Attributes
    ----------
    values : array of shape (k,), float64
        Growing, 0 to 2; the first is 0.
    vectors : array of shape (n, k), float64
        One column for each value; the first is constant. D-orthonormal: vectors.T @ D @ vectors = I. Signs are those
        of `fix_sign`.
    """

    values: NDArray[np.float64]
    vectors: NDArray[np.float64]


class Localization(NamedTuple):
    """Where the one object of an image is.

    Attributes
    ----------
    mask : array of shape (h, w), bool
        Patches of the object.
    score : array of shape (h, w), float64
        The eigenvector, positive on the object's side; for "lost" how many of the seeds each patch resembles.
    box : (x0, y0, x1, y1), int
        Around the mask; x1 and y1 are exclusive. In pixels of the original image if the features were `PatchFeatures`,
        in patches if they were an array.
    seed : (row, column) or None
        The patch that the method started from; None for "spectral".
    """

    mask: NDArray[np.bool_]
    score: NDArray[np.float64]
    box: tuple[int, int, int, int]
    seed: tuple[int, int] | None


def eigenvectors(W, k: int = 2, *, solver: Solver = "auto", device: str = "cpu", seed: int = 0) -> Spectrum:
    """The k vectors with the smallest values of (D - W) v = mu D v (Shi and Malik 2000).

    They are D^-1/2 times the eigenvectors of D^-1/2 W D^-1/2 with the largest values, which is how they are found:
    a float32 product with W at a time, in float64 where values are too near for float32.

    Values that are equal have a space of vectors; any basis of it may come back. So of a graph in three or more parts
    without edges between them the second vector is only known to be constant on each part.

    Parameters
    ----------
    W : array or sparse array of shape (n, n)
        Affinities: symmetric, not negative, finite.
    k : int
        How many, the constant one included; 1 <= k <= n.
    solver : "auto", "lanczos", "lobpcg" or "dense"
        "dense": all of W in float64, O(n^3) time. "lanczos" and "lobpcg" iterate, and ask "dense" should they not
        converge. "auto": "dense" up to 200 nodes or for more than a quarter of all vectors, else "lanczos".
    device : str
        "cpu", "cuda", "mps", or "auto" for the best there is; all but "cpu" need PyTorch, and use "lanczos".
    seed : int
        Draws the first vector of the iteration. The result depends on it by rounding only, if values are not equal.

    Returns
    -------
    Spectrum
        Values (k,) growing from 0, and vectors (n, k). A node without edges has degree 1, and 0 in all vectors whose
        value is not 1.

    Raises
    ------
    ValueError
        If W is not square, not symmetric, all 0, or holds negative numbers, NaN or infinity; if k is not 1 to n, or the
        solver is not known.

    Examples
    --------
    Two pairs of nodes with a weak edge between them: the second vector tells the pairs apart.

    >>> W = np.array([[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.1, 0.0], [0.0, 0.1, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]])
    >>> values, vectors = eigenvectors(W)
    >>> values.round(3)
    array([0.   , 0.046])
    >>> vectors[:, 1] > 0
    array([False, False,  True,  True])
    """
    if solver not in ("auto", "lanczos", "lobpcg", "dense"):
        raise ValueError(f'solver must be "auto", "lanczos", "lobpcg" or "dense", got {solver!r}')
    device = resolve(device)
    if device != "cpu" and solver in ("auto", "lanczos"):
        return eigenvectors_batch([W], k, device=device, seed=seed)[0]
    W = aff._as_affinity(W)
    n = W.shape[0]
    k = _as_k(k, n)
    if solver == "auto":
        solver = "dense" if n <= DENSE or 4 * k > n else "lanczos"
    with _threads(n):
        root, known = _roots(aff._sums(W))
        if solver == "lanczos" and 1 < k < n and isinstance(W, np.ndarray) and root.max() < LARGE:
            found = _by_lanczos(W.astype(np.float32, copy=False), root, known, k, seed)
            if found is not None:
                return _spectrum(*found, root, known)
        W = W.astype(np.float64)  # and its sums: values that are too near for float32 need both
        root, known = _roots(aff._sums(W))
        found = None
        if k == 1:
            found = np.empty(0), np.empty((0, n))
        elif solver == "lanczos" and k < n:
            found = _by_lanczos(W, root, known, k, seed)
        elif solver == "lobpcg" and 5 * k < n:  # SciPy's needs some more nodes than vectors
            found = _by_lobpcg(W, root, known, k, seed)
        if found is None:
            found = _by_dense(W, root, known, k)
    return _spectrum(*found, root, known)


def eigenvectors_batch(Ws: Sequence, k: int = 2, *, device: str = "cpu", seed: int = 0) -> list[Spectrum]:
    """`eigenvectors` of several graphs, of several sizes.

    On the CPU one after the other: a graph of some hundred nodes fills a core. On a GPU all of one size together;
    graphs whose values are too near for float32, few there are, are solved on the CPU.

    Parameters
    ----------
    Ws : sequence of arrays of shape (n, n)
    k, device, seed
        As in `eigenvectors`.

    Returns
    -------
    list of Spectrum

    Raises
    ------
    ValueError
        As `eigenvectors`, with the number of the graph.
    """
    device = resolve(device)
    checked = []
    for i, W in enumerate(Ws):
        try:
            W = aff._as_affinity(W)
            _roots(aff._sums(W))
        except (TypeError, ValueError) as error:
            raise type(error)(f"graph {i}: {error}") from None
        checked.append((W, _as_k(k, W.shape[0])))
    if device == "cpu":
        return [eigenvectors(W, k, seed=seed) for W, k in checked]
    result: list[Spectrum | None] = [None] * len(checked)
    for n in {W.shape[0] for W, _ in checked}:
        same = [i for i, (W, _) in enumerate(checked) if W.shape[0] == n]
        if n > k + 1 and k > 1:
            for i, spectrum in zip(same, _on_device([checked[i][0] for i in same], k, device, seed), strict=True):
                result[i] = spectrum
    return [eigenvectors(W, k, seed=seed) if r is None else r for r, (W, k) in zip(result, checked, strict=True)]


def fix_sign(v: ArrayLike) -> NDArray[np.floating]:
    """Choose the sign of an eigenvector so that it is the same wherever it is computed.

    An object is mostly smaller than its surroundings, so its side is made the positive one: the vector is negated where
    between 50 % and 100 % of the entries, both excluded, are positive. This is the rule of Deep Spectral Methods. Where
    it would leave both v and -v as they are, we choose: one of a single sign becomes positive, else the side with
    fewer entries becomes positive, and with equally many the first entry (that is not 0) becomes negative.

    Parameters
    ----------
    v : array of any shape
        One eigenvector: (n,), or (h, w).

    Returns
    -------
    array of the same shape
        v or -v, so ``fix_sign(-v)`` is ``fix_sign(v)``.

    Examples
    --------
    >>> fix_sign([1.0, 2.0, 3.0, -1.0])
    array([-1., -2., -3.,  1.])
    >>> fix_sign([-1.0, -2.0])
    array([1., 2.])
    """
    v = np.asarray(v)
    if v.size == 0 or not np.issubdtype(v.dtype, np.number) or not np.isfinite(v).all():
        raise ValueError("v must hold finite numbers, at least one; an eigenvector has no NaN or infinity")
    if not np.issubdtype(v.dtype, np.floating):
        v = v.astype(np.float64)
    positive, negative = np.count_nonzero(v > 0), np.count_nonzero(v < 0)
    if v.size in (positive, negative):
        return -v if negative else v.copy()
    half = v.size / 2
    if positive > half or (negative <= half and positive > negative):
        return -v
    if positive == negative and positive and v.flat[np.flatnonzero(v)[0]] > 0:
        return -v
    return v.copy()


# ---- one object -------------------------------------------------------------------------------------------------


def foreground(v: ArrayLike) -> NDArray[np.bool_]:
    """The object's patches: where the second eigenvector is above 0, after `fix_sign`.

    The threshold is 0, not the mean (that is TokenCut's).

    Parameters
    ----------
    v : array of shape (h, w)

    Returns
    -------
    array of shape (h, w), bool

    Examples
    --------
    >>> foreground([[0.1, 0.2, -0.9], [0.1, 0.3, 0.2]])
    array([[False, False,  True],
           [False, False, False]])
    """
    return fix_sign(_as_grid(v, "v")) > 0


def largest_component(mask: ArrayLike) -> NDArray[np.bool_]:
    """The largest part of a mask that hangs together by the sides of its cells (4-connected).

    Of equally large ones the first in reading order is taken; an empty mask stays empty.

    Parameters
    ----------
    mask : array of shape (h, w), bool

    Returns
    -------
    array of shape (h, w), bool

    Examples
    --------
    >>> largest_component([[True, False, True], [False, False, True]])
    array([[False, False,  True],
           [False, False,  True]])
    """
    from scipy.ndimage import label

    parts, count = label(_as_mask(mask))
    if count == 0:
        return parts > 0
    return parts == 1 + np.bincount(parts.ravel())[1:].argmax()


def component_at(mask: ArrayLike, seed: tuple[int, int]) -> NDArray[np.bool_]:
    """The 4-connected part of a mask that holds a given cell; empty where the mask does not hold it.

    Parameters
    ----------
    mask : array of shape (h, w), bool
    seed : (row, column)

    Returns
    -------
    array of shape (h, w), bool

    Examples
    --------
    >>> component_at([[True, False, True], [False, False, True]], (0, 0))
    array([[ True, False, False],
           [False, False, False]])
    """
    from scipy.ndimage import label

    parts, _ = label(_as_mask(mask))
    return (parts == parts[seed]) & (parts > 0)


def object_box(mask: ArrayLike, patch: float | tuple[float, float] = 1) -> tuple[int, int, int, int]:
    """The smallest box around a mask.

    Parameters
    ----------
    mask : array of shape (h, w), bool
        Give it `largest_component` of a mask to get the box of one object. An empty mask gets the whole grid.
    patch : float or (height, width)
        Side of a patch in pixels; of two sides, height first.

    Returns
    -------
    (x0, y0, x1, y1) : int
        In pixels, rounded; x1 and y1 are exclusive, so x1 - x0 is the width.

    Examples
    --------
    >>> object_box([[False, False, False], [False, True, True]], 8)
    (8, 8, 24, 16)
    """
    mask = _as_mask(mask)
    sides = np.broadcast_to(np.asarray(patch, dtype=np.float64), (2,))
    if not (np.isfinite(sides).all() and (sides > 0).all()):
        raise ValueError(f"patch must be a positive number or (height, width), got {patch!r}")
    if not mask.any():
        mask = np.ones_like(mask)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    (y0, y1), (x0, x1) = (
        (part[0] * side, (part[-1] + 1) * side) for part, side in zip((rows, columns), sides, strict=True)
    )
    return round(x0), round(y0), round(x1), round(y1)


def localize(
    features: PatchFeatures | ArrayLike,
    image: ArrayLike | None = None,
    *,
    method: Method = "spectral",
    color_weight: float = 0.0,
    resolution: tuple[int, int] | None = None,
    device: str = "cpu",
    seed: int = 0,
    **options,
) -> Localization:
    """Find the one object that stands out.

    "spectral" is Deep Spectral Methods: the graph of `affinity.affinity`, its second eigenvector, `foreground`, and the
    box of the `largest_component`. The others are `tokencut.tokencut` and `lost.lost`.

    Parameters
    ----------
    features : PatchFeatures or array of shape (h, w, d)
        From ``features.extract``; the keys, if it shall be as published.
    image : array of shape (H, W, 3) or None
        The photo, for a color weight above 0. It is cut to ``image_size`` if the features are PatchFeatures.
    method : "spectral", "tokencut" or "lost"
    color_weight, resolution
        As in `affinity.affinity`; for "spectral" only.
    device, seed
        As in `eigenvectors`.
    options
        ``tau`` and ``eps`` of "tokencut", ``k`` of "lost".

    Returns
    -------
    Localization
        For "spectral" the mask is all of the foreground; its box is that of the largest component. Where all patches
        are alike, nothing stands out: the mask is empty (not for "lost"), the score 0, and the box the whole image.

    Raises
    ------
    ValueError
        If an argument is not as described, or all patches have the features 0.
    TypeError
        If an option is not one of the method.

    Examples
    --------
    >>> features = np.zeros((3, 4, 2)) + [1.0, 0.1]
    >>> features[1, 1:3] = [0.1, 1.0]
    >>> found = localize(features)
    >>> found.box, int(found.mask.sum())
    ((1, 1, 3, 2), 2)
    """
    if method not in ("spectral", "tokencut", "lost"):
        raise ValueError(f'method must be "spectral", "tokencut" or "lost", got {method!r}')
    if method != "spectral":
        from unseg_helpers.lost import lost
        from unseg_helpers.tokencut import tokencut

        if color_weight or resolution is not None:
            raise ValueError(f'color_weight and resolution are options of method="spectral", got method={method!r}')
        return (
            tokencut(features, device=device, seed=seed, **options)
            if method == "tokencut"
            else lost(features, **options)
        )
    if options:
        raise TypeError(f'method="spectral" has no option {", ".join(options)}')
    grid, covered = _as_features(features)
    W = aff.affinity(grid, _cut(image, covered), color_weight=color_weight, resolution=resolution)
    h, w = resolution or grid.shape[:2]
    if h * w == 1:
        raise ValueError(
            "features is a grid of one patch: there is nothing to tell the object from; use a larger image"
        )
    score = _second(W, device, seed).reshape(h, w)
    mask = foreground(score)
    return Localization(mask, score, object_box(largest_component(mask), _patch(grid, (h, w), covered)), None)


def _second(W, device: str, seed: int) -> NDArray[np.float64]:
    """The second eigenvector; 0 where all nodes are alike, for then any vector would be one."""
    values, vectors = eigenvectors(W, 2, device=device, seed=seed)
    return vectors[:, 1] if values[1] < ALIKE else np.zeros(len(vectors))


# ---- several segments -------------------------------------------------------------------------------------------


def eigengap(values: ArrayLike) -> int:
    """How many segments the eigenvalues ask for: those before the largest gap.

    If a graph falls into n parts with weak edges between them, the first n values are near 0, and a gap follows. The
    gap after the first value, which is always 0, is not counted, so there are at least two segments.

    Parameters
    ----------
    values : array of shape (k,), k >= 3
        Growing, the first one included.

    Returns
    -------
    int
        2 to k - 1.

    Examples
    --------
    >>> eigengap([0.0, 0.01, 0.02, 0.5, 0.6])
    3
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or len(values) < 3 or not np.isfinite(values).all():
        raise ValueError(f"values must be at least 3 finite eigenvalues, the first included, got shape {values.shape}")
    gaps = np.diff(values)
    if (gaps < -1e-9).any():
        raise ValueError("values must grow, as eigenvectors gives them")
    return 2 + int(gaps[1:].argmax())


def segments(vectors: ArrayLike, n: int | None = None, *, seed: int = 0) -> NDArray[np.int32]:
    """Cluster the patches of an image by their entries in the eigenvectors.

    Parameters
    ----------
    vectors : array of shape (h, w, k), k >= 2
        Eigenvectors on the grid, the first (constant) one included; it is left out: the patches are points with the
        k - 1 entries of the others.
    n : int or None
        Number of segments, at most h * w. None: 4, as published; see `eigengap` for a number from the image.
    seed : int
        For k-means, the best of 10 starts.

    Returns
    -------
    array of shape (h, w), int32
        0 for the segment that has most of the border of the image, the background; then by falling size. Fewer than n
        segments if fewer patches differ.

    Raises
    ------
    ValueError
        If an argument is not as described.

    Examples
    --------
    >>> v = np.zeros((3, 4, 2))
    >>> v[1, 1:3, 1] = 1
    >>> segments(v, 2)
    array([[0, 0, 0, 0],
           [0, 1, 1, 0],
           [0, 0, 0, 0]], dtype=int32)
    """
    from unseg_helpers.kmeans import kmeans

    vectors = np.asarray(vectors, dtype=np.float64)
    if vectors.ndim != 3 or vectors.shape[2] < 2 or vectors.size == 0:
        raise ValueError(
            f"vectors must have shape (h, w, k) with the constant one and at least one more, got {vectors.shape}"
        )
    h, w = vectors.shape[:2]
    n = 4 if n is None else n
    if not (n == int(n) and 1 <= n <= h * w):
        raise ValueError(f"n must be between 1 and the number of patches, {h * w}, got {n!r}")
    points = vectors[..., 1:].reshape(h * w, -1)
    differ = len(np.unique(points, axis=0))
    labels = kmeans(points, min(int(n), differ), n_init=10, rng=seed).labels.reshape(h, w)
    return _background_first(labels)


def segment(
    image: ArrayLike,
    n: int | None = None,
    *,
    backbone="minidino",
    k: int = 5,
    color_weight: float = 0.0,
    refine: str | None = None,
    device: str = "auto",
    seed: int = 0,
    **extract,
) -> NDArray[np.int32]:
    """Segment an image without being told what is in it.

    Parameters
    ----------
    image : array of shape (H, W, 3)
        RGB, uint8 or floating point between 0 and 1.
    n : int or None
        Number of segments. None: from the `eigengap` of the k values.
    backbone, device, extract
        For `unseg_helpers.features.extract`.
    k : int
        How many eigenvectors, the constant one included, at least 2; 3 if n is None.
    color_weight : float
        As in `affinity.affinity`.
    refine : None, "guided", "bilateral" or "crf"
        How the pixels between the centers of the patches are told apart, see `postprocess.refine`. None: by
        interpolation.
    seed : int
        For eigenvectors and k-means.

    Returns
    -------
    array of shape (H, W), int32
        0 is the background; see `segments`.

    Raises
    ------
    ValueError
        If an argument is not as described, or the image has too few patches.
    unseg_helpers.backbones.BackboneUnavailable
        If the backbone is not here.
    """
    from unseg_helpers import features as feats

    image = np.asarray(image)
    described = feats.extract(image, backbone, device=device, **extract)
    labels = _segment_grid(described, image, n, k, color_weight, str(device), seed)
    return _to_pixels(labels, image, described.image_size, refine)


def foreground_mask(
    image: ArrayLike,
    *,
    backbone="minidino",
    method: Method = "spectral",
    color_weight: float = 0.0,
    refine: str | None = None,
    device: str = "auto",
    seed: int = 0,
    **extract,
) -> NDArray[np.bool_]:
    """The pixels of the object that stands out.

    Parameters
    ----------
    image : array of shape (H, W, 3)
        RGB, uint8 or floating point between 0 and 1.
    backbone, device, extract
        For `unseg_helpers.features.extract`.
    method, color_weight, seed
        As in `localize`.
    refine : None, "guided", "bilateral" or "crf"
        See `postprocess.refine`. None: the mask of the patches is interpolated.

    Returns
    -------
    array of shape (H, W), bool

    Raises
    ------
    ValueError, unseg_helpers.backbones.BackboneUnavailable
        As `segment`.
    """
    from unseg_helpers import features as feats

    image = np.asarray(image)
    described = feats.extract(image, backbone, device=device, **extract)
    found = localize(described, image, method=method, color_weight=color_weight, device=str(device), seed=seed)
    return _to_pixels(found.mask.astype(np.int32), image, described.image_size, refine) > 0


def semantic(
    images: Sequence[ArrayLike],
    n_classes: int,
    *,
    backbone="minidino",
    n: int | None = None,
    k: int = 5,
    color_weight: float = 0.0,
    refine: str | None = None,
    device: str = "auto",
    seed: int = 0,
    **extract,
) -> list[NDArray[np.int32]]:
    """Segment a set of images with classes that mean the same in all of them.

    Each image is segmented alone. Each segment but the background is described by the mean of the normalized features
    of its patches, normalized; the descriptions of all images are clustered. (The paper describes a segment by the CLS
    token of its box, which costs one more pass of the network for each segment.) Classes have numbers, not names:
    `unseg_helpers.metrics` matches them with true ones.

    Parameters
    ----------
    images : sequence of arrays of shape (H, W, 3)
    n_classes : int
        The background included, at least 2.
    backbone, device, extract
        For `unseg_helpers.features.extract`.
    n, k, color_weight, refine, seed
        As in `segment`.

    Returns
    -------
    list of arrays of shape (H, W), int32
        0 for the background, then 1 to n_classes - 1.

    Raises
    ------
    ValueError, unseg_helpers.backbones.BackboneUnavailable
        As `segment`, or if there are fewer segments than classes.
    """
    from unseg_helpers import features as feats

    if not (n_classes == int(n_classes) and n_classes >= 2):
        raise ValueError(f"n_classes must be a whole number of at least 2, the background included, got {n_classes!r}")
    images = [np.asarray(image) for image in images]
    if not images:
        raise ValueError("images must hold at least one image")
    described = feats.extract(images, backbone, device=device, **extract)
    grids = [
        _segment_grid(d, image, n, k, color_weight, str(device), seed)
        for d, image in zip(described, images, strict=True)
    ]
    grids = classes_of_segments([d.features for d in described], grids, n_classes, seed=seed)
    return [
        _to_pixels(grid, image, d.image_size, refine) for grid, image, d in zip(grids, images, described, strict=True)
    ]


def classes_of_segments(
    features: Sequence[ArrayLike], labels: Sequence[ArrayLike], n_classes: int, *, seed: int = 0
) -> list[NDArray[np.int32]]:
    """Give segments of several images classes: the middle part of `semantic`.

    Parameters
    ----------
    features : sequence of arrays of shape (h, w, d)
        Sizes may differ.
    labels : sequence of arrays of shape (h, w), int
        Segments of each image, 0 the background.
    n_classes : int
        The background included, at least 2.
    seed : int
        For k-means, the best of 10 starts.

    Returns
    -------
    list of arrays of shape (h, w), int32
        0 stays 0; all else becomes 1 to n_classes - 1.

    Raises
    ------
    ValueError
        If an argument is not as described, or there are fewer segments than classes.

    Examples
    --------
    >>> features = [np.array([[[1.0, 0.0], [0.0, 1.0]]]), np.array([[[0.0, 2.0], [1.0, 0.0]]])]
    >>> one, other = classes_of_segments(features, [[[1, 2]], [[1, 2]]], 3)
    >>> bool(one[0, 0] == other[0, 1] != one[0, 1] == other[0, 0])
    True
    """
    from unseg_helpers.kmeans import kmeans

    labels = [np.asarray(grid) for grid in labels]
    rows, owners = [], []
    for i, (x, grid) in enumerate(zip(features, labels, strict=True)):
        if np.shape(x)[:2] != grid.shape:
            raise ValueError(f"image {i}: features {np.shape(x)} and labels {grid.shape} must have the same grid")
        x = aff.normalize(x).reshape(*grid.shape, -1)
        for label in np.unique(grid[grid > 0]):
            rows.append(x[grid == label].mean(axis=0))
            owners.append((i, label))
    if len(rows) < n_classes - 1:
        raise ValueError(
            f"the images have {len(rows)} segments besides the background, too few for {n_classes} classes; "
            "give more images, or a larger n"
        )
    classes = kmeans(aff.normalize(rows), int(n_classes) - 1, n_init=10, rng=seed).labels
    result = [np.zeros(grid.shape, np.int32) for grid in labels]
    for (i, label), found in zip(owners, classes, strict=True):
        result[i][labels[i] == label] = 1 + found
    return result


def _segment_grid(described, image, n, k, color_weight, device, seed) -> NDArray[np.int32]:
    """Segments of the patches: (h, w)."""
    h, w = described.features.shape[:2]
    least = 3 if n is None else 2
    if not (k == int(k) and k >= least):
        raise ValueError(f"k must be a whole number of at least {least}, got {k!r}")
    if h * w < k or (n is not None and h * w < n):
        raise ValueError(
            f"the image has {h} x {w} patches, too few for {max(k, n or 0)} (k or n); enlarge it with size"
        )
    W = aff.affinity(described.features, _cut(image, described.image_size), color_weight=color_weight)
    spectrum = eigenvectors(W, int(k), device=device, seed=seed)
    n = eigengap(spectrum.values) if n is None else n
    return segments(spectrum.vectors.reshape(h, w, -1), n, seed=seed)


def _to_pixels(labels: NDArray, image: NDArray, covered: tuple[int, int], refine: str | None) -> NDArray[np.int32]:
    """Labels of patches (h, w) -> of the pixels (H, W): the label with the largest share, after interpolation."""
    from unseg_helpers import postprocess as post

    part = image[: covered[0], : covered[1]]
    best = np.full(covered, -np.inf)
    result = np.zeros(covered, np.int32)
    for label in np.unique(labels):
        share = post.refine(labels == label, part, refine)
        result[share > best] = label
        np.maximum(best, share, out=best)
    missing = [(0, full - done) for full, done in zip(image.shape[:2], covered, strict=True)]
    return np.pad(result, missing, mode="edge")


def _background_first(labels: NDArray) -> NDArray[np.int32]:
    """Number segments anew: 0 for the one with most of the border, then by falling size."""
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    sizes = np.bincount(labels.ravel())
    on_border = np.bincount(border, minlength=len(sizes))
    background = np.lexsort((-sizes, -on_border))[0]
    order = np.argsort(-sizes, kind="stable")
    order = np.concatenate([[background], order[order != background]])
    order = order[sizes[order] > 0]
    number = np.zeros(len(sizes), np.int32)
    number[order] = np.arange(len(order))
    return number[labels]


# ---- how eigenvectors are found ---------------------------------------------------------------------------------


def _roots(sums: NDArray) -> tuple[NDArray, NDArray]:
    """D^1/2, and the unit vector of the value 0: D^1/2 1, but 0 for nodes without edges."""
    without = sums < aff.TINY
    if without.all():
        raise ValueError("W is all 0: no patch is like another one, not even itself; are all features 0?")
    root = np.sqrt(np.where(without, 1.0, sums))
    known = np.where(without, 0.0, root)
    return root, known / np.linalg.norm(known)


def _product(W, root: NDArray) -> Callable[[NDArray], NDArray]:
    """x -> D^-1/2 W D^-1/2 x, for x (n,) or (n, c), in the type of W."""
    scale = (1 / root).astype(W.dtype)
    if isinstance(W, np.ndarray) and not (W.flags.c_contiguous or W.flags.f_contiguous):
        W = np.ascontiguousarray(W)

    def multiply(x):
        s = scale if x.ndim == 1 else scale[:, None]
        return s * (W @ (s * x))

    return multiply


def _by_lanczos(W, root: NDArray, known: NDArray, k: int, seed: int) -> tuple[NDArray, NDArray] | None:
    """1 - mu (k - 1,) and D^1/2 v (k - 1, n), without the known one; None if they are not to be trusted."""
    theta, vectors, trusted = _lanczos.largest(_product(W, root), known[None].astype(W.dtype), k - 1, seed=seed)
    return (theta, vectors.astype(np.float64)) if trusted else None


def _by_lobpcg(W, root: NDArray, known: NDArray, k: int, seed: int) -> tuple[NDArray, NDArray] | None:
    """As `_by_lanczos`, by SciPy's block method (Knyazev 2001)."""
    from scipy.sparse.linalg import LinearOperator, lobpcg

    n = len(root)
    multiply = _product(W, root)
    operator = LinearOperator((n, n), matvec=lambda x: multiply(x.ravel()), matmat=multiply, dtype=np.float64)
    start = np.random.default_rng(seed).standard_normal((n, k + 1))  # two more than wanted: they help to converge
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whether it converged is seen below
        theta, vectors = lobpcg(operator, start, Y=known[:, None], tol=1e-7, maxiter=400)
    order = np.argsort(-theta)[: k - 1]
    theta, vectors = theta[order], vectors[:, order]
    residual = np.linalg.norm(multiply(vectors) - vectors * theta, axis=0).max()
    return (theta, vectors.T) if residual < 1e-5 else None


def _by_dense(W, root: NDArray, known: NDArray, k: int) -> tuple[NDArray, NDArray]:
    """As `_by_lanczos`, by LAPACK on the whole matrix."""
    from scipy.linalg import eigh

    n = len(root)
    S = (W if isinstance(W, np.ndarray) else W.toarray()) / root[:, None] / root
    S -= 3 * known[:, None] * known  # moves its value from 1 to -2, below all others
    theta, vectors = eigh(S, subset_by_index=[n - k + 1, n - 1], overwrite_a=True, check_finite=False)
    return theta[::-1], vectors[:, ::-1].T


def _on_device(Ws: list, k: int, device: str, seed: int) -> list[Spectrum | None]:
    """Graphs of one size with PyTorch, as many at a time as fit; None for those that are not to be trusted."""
    import torch

    device = of_torch(device)
    n = Ws[0].shape[0]
    result: list[Spectrum | None] = []
    step = max(1, DEVICE_BYTES // (4 * n * n))
    for first in range(0, len(Ws), step):
        part = Ws[first : first + step]
        pairs = [_roots(aff._sums(W)) for W in part]
        roots, knowns = np.stack([p[0] for p in pairs]), np.stack([p[1] for p in pairs])
        dense = [
            torch.from_numpy(np.ascontiguousarray(W if isinstance(W, np.ndarray) else W.toarray(), np.float32))
            for W in part
        ]
        scale, known = (torch.from_numpy(x.astype(np.float32)).to(device) for x in (1 / roots, knowns))
        stacked = torch.stack([W.to(device) for W in dense])
        theta, vectors, trusted = _lanczos.largest_batch(stacked, scale, known, k - 1, seed=seed)
        theta, vectors = theta.cpu().double().numpy(), vectors.cpu().double().numpy()
        for i in range(len(part)):
            result.append(_spectrum(theta[i], vectors[i], roots[i], knowns[i]) if trusted[i] else None)
    return result


def _spectrum(theta: NDArray, vectors: NDArray, root: NDArray, known: NDArray) -> Spectrum:
    """Values 1 - theta, and D^-1/2 times the vectors with signs fixed, the known one first."""
    u = np.vstack([known, vectors])
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    v = u / root
    values = np.append(0.0, np.clip(1 - theta, 0, 2))
    return Spectrum(values, np.stack([fix_sign(row) for row in v], axis=1))


@cache
def _controller():
    """The linear algebra libraries; looking for them takes a millisecond."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _threads(n: int):
    """One thread for small graphs: waking others up takes longer than what they do."""
    return _controller().limit(limits=1, user_api="blas") if n < ONE_THREAD else nullcontext()


# ---- what the caller may get wrong ------------------------------------------------------------------------------


def _as_k(k: int, n: int) -> int:
    if not (np.ndim(k) == 0 and k == int(k) and 1 <= k <= n):
        raise ValueError(f"k must be between 1 and the number of nodes, {n}, got {k!r}")
    return int(k)


def _as_grid(v: ArrayLike, name: str) -> NDArray:
    v = np.asarray(v)
    if v.ndim != 2 or v.size == 0:
        raise ValueError(
            f"{name} must have shape (h, w), got {v.shape}; bring it to the grid with {name}.reshape(h, w)"
        )
    return v


def _as_mask(mask: ArrayLike) -> NDArray[np.bool_]:
    mask = _as_grid(mask, "mask")
    if mask.dtype != bool:
        raise TypeError(f"mask must be bool, got {mask.dtype}; compare it with a threshold first")
    return mask


def _as_features(features) -> tuple[NDArray, tuple[int, int] | None]:
    """The grid (h, w, d), and the size in pixels that it covers; None for a plain array."""
    covered = getattr(features, "image_size", None)
    grid = np.asarray(features if covered is None else features.features)
    if grid.ndim != 3 or grid.size == 0:
        raise ValueError(
            f"features must have shape (h, w, d), got {grid.shape}; bring rows to the grid with reshape(h, w, -1)"
        )
    return grid, covered


def _patch(features: NDArray, grid: tuple[int, int], covered: tuple[int, int] | None) -> tuple[float, float]:
    """Height and width of a cell of the grid, in pixels of the image, or in patches if there is no image."""
    whole = covered or features.shape[:2]
    return whole[0] / grid[0], whole[1] / grid[1]


def _cut(image: ArrayLike | None, covered: tuple[int, int] | None) -> NDArray | None:
    """The part of the image that the grid covers; a plain array covers all of it."""
    if image is None or covered is None:
        return image
    return np.asarray(image)[: covered[0], : covered[1]]
