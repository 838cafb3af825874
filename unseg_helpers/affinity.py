"""Affinities: how alike two patches are, as a graph with one node for each patch.

The file reads in the order in which the graph is built: likeness of features, likeness of color, both together, then
degrees and Laplacians. What to do with the graph is in `spectral`.

Notation: a grid of h x w patches, n = h * w nodes in reading order, d features; W (n, n) symmetric and not negative.

References
----------
L. Melas-Kyriazi, C. Rupprecht, I. Laina, A. Vedaldi, "Deep spectral methods: a surprisingly strong baseline for
unsupervised semantic segmentation and localization", CVPR 2022.
Q. Chen, D. Li, C.-K. Tang, "KNN matting", IEEE Transactions on Pattern Analysis and Machine Intelligence 35, 2013.
U. von Luxburg, "A tutorial on spectral clustering", Statistics and Computing 17, 2007.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = [
    "normalize",
    "feature_affinity",
    "color_features",
    "knn_affinity",
    "affinity",
    "degrees",
    "laplacian",
    "resample",
]

NEIGHBORS = (20, 10)  # in each list of nearest neighbors, the patch itself included
POSITION_WEIGHTS = (2.0, 0.1)  # of the position, for each list
TINY = 1e-12  # a degree below this counts as 0


def normalize(features: ArrayLike) -> NDArray[np.float32]:
    """Divide the features of each patch by their length.

    Parameters
    ----------
    features : array of shape (n, d) or (h, w, d)
        Of any length; a row of zeros stays zero.

    Returns
    -------
    array of shape (n, d), float32

    Raises
    ------
    ValueError
        If ``features`` is neither (n, d) nor (h, w, d), is empty, or holds NaN or infinity.

    Examples
    --------
    >>> normalize([[3.0, 4.0], [0.0, 0.0]])
    array([[0.6, 0.8],
           [0. , 0. ]], dtype=float32)
    """
    x = _as_rows(features)
    largest = np.abs(x).max(axis=1, keepdims=True)  # divided by first, so that no square overflows or vanishes
    x = np.divide(x, largest, out=np.zeros_like(x), where=largest > 0)
    length = np.sqrt(np.einsum("ij,ij->i", x, x))[:, None]
    return np.divide(x, length, out=x, where=length > 0)


def feature_affinity(features: ArrayLike) -> NDArray[np.float32]:
    """Cosine of the angle between the features of each two patches, 0 where it is negative: W_feat.

    Costs O(n^2 d) time and 4 n^2 bytes: 52 MB for 3,600 patches. The diagonal, each patch with itself, is part of it.

    Parameters
    ----------
    features : array of shape (n, d) or (h, w, d)
        Of any length; see `normalize`.

    Returns
    -------
    array of shape (n, n), float32
        Symmetric, 0 to 1 up to rounding; the diagonal is 1, but 0 for a patch whose features are all 0.

    Raises
    ------
    ValueError
        As `normalize`.

    Examples
    --------
    >>> feature_affinity([[2.0, 0.0], [3.0, 4.0], [-1.0, 0.0]])
    array([[1. , 0.6, 0. ],
           [0.6, 1. , 0. ],
           [0. , 0. , 1. ]], dtype=float32)
    """
    x = normalize(features)
    W = x @ x.T
    return np.maximum(W, 0, out=W)


def color_features(image: ArrayLike, grid: tuple[int, int], *, position: float = 1.0) -> NDArray[np.float32]:
    """Color and place of each patch: psi = (cos H, sin H, S, V, x, y) [1]_.

    The hue H is an angle, so its cosine and sine are taken: red at 359 degrees is near red at 1 degree. A gray has no
    hue; it counts as red with saturation S = 0. V is the largest of red, green and blue.

    Parameters
    ----------
    image : array of shape (H, W, 3)
        RGB, uint8 or floating point between 0 and 1: the part of the photo that the grid covers. It is shrunk to the
        grid: each patch gets its mean color.
    grid : (h, w)
        Number of rows and columns of patches.
    position : float
        Weight of x and y, at least 0. Without it they are 0 in the first column or row and 1 in the last.

    Returns
    -------
    array of shape (h * w, 6), float32
        One row for each patch, in reading order.

    Raises
    ------
    ValueError, TypeError
        If the image, the grid or the weight is not as described.

    References
    ----------
    .. [1] L. Melas-Kyriazi et al., "Deep spectral methods", CVPR 2022, section 3.

    Examples
    --------
    >>> image = np.array([[[255, 0, 0], [255, 255, 255]]], dtype=np.uint8)  # red, white
    >>> color_features(image, (1, 2))
    array([[1., 0., 1., 1., 0., 0.],
           [1., 0., 0., 1., 1., 0.]], dtype=float32)
    """
    from skimage.color import rgb2hsv

    from unseg_helpers.features import _as_rgb

    h, w = _as_size(grid, "grid")
    if not (np.ndim(position) == 0 and np.isfinite(position) and position >= 0):
        raise ValueError(f"position must be a finite number of at least 0, got {position!r}")
    small = resample(_as_rgb(image, np.dtype(np.float32)), (h, w)).clip(0, 1)
    hue, saturation, value = np.moveaxis(rgb2hsv(small), -1, 0)
    angle = 2 * np.pi * hue
    y, x = np.meshgrid(np.linspace(0, 1, h), np.linspace(0, 1, w), indexing="ij")
    psi = np.stack([np.cos(angle), np.sin(angle), saturation, value, position * x, position * y], axis=-1)
    return psi.reshape(h * w, 6).astype(np.float32)


def knn_affinity(
    psi: ArrayLike,
    *,
    neighbors: Sequence[int] = NEIGHBORS,
    position_weights: Sequence[float] = POSITION_WEIGHTS,
    weights: Literal["count", "distance"] = "count",
) -> csr_array:
    """Edges to the nearest neighbors in color and place: W_knn, sparse.

    Two lists of neighbors are made for each patch [1]_: one that stays near, as the position counts 2, and one that
    may reach across the image, as it counts 0.1 [2]_. Each list is a directed graph A; W_knn is the sum of A + A^T.

    Parameters
    ----------
    psi : array of shape (n, c), c > 2
        From `color_features`; the last two columns are the position.
    neighbors : sequence of int
        Length of each list, at least 1. A patch is its own nearest neighbor, so it is in its list. A list longer than
        n is cut to n.
    position_weights : sequence of float
        What the position is multiplied with for each list, at least 0.
    weights : "count" or "distance"
        "count": an edge counts 1 for each list, and each direction, in which it occurs, as in the published code [2]_.
        "distance": each of these counts ``max(0, 1 - |psi_i - psi_j|)``, with the position unweighted [2]_.

    Returns
    -------
    csr_array of shape (n, n), float32
        Symmetric. With "count", all sums of rows together are ``2 * sum(neighbors) * n``.

    Raises
    ------
    ValueError
        If an argument is not as described.

    References
    ----------
    .. [1] Q. Chen, D. Li, C.-K. Tang, "KNN matting", IEEE PAMI 35, 2013.
    .. [2] L. Melas-Kyriazi et al., "Deep spectral methods", CVPR 2022: section 3 has distances, the code has counts.

    Examples
    --------
    >>> psi = [[0, 0, 0], [0.1, 0, 0], [5, 1, 1]]  # one color, then x and y
    >>> knn_affinity(psi, neighbors=[2], position_weights=[1.0]).toarray()
    array([[2., 2., 0.],
           [2., 2., 1.],
           [0., 1., 2.]], dtype=float32)
    """
    from scipy.sparse import coo_array
    from scipy.spatial import cKDTree

    psi = np.asarray(psi, dtype=np.float64)
    if psi.ndim != 2 or psi.shape[1] < 3 or len(psi) == 0:
        raise ValueError(f"psi must have shape (n, c) with a position in the last two columns, got {psi.shape}")
    if not np.isfinite(psi).all():
        raise ValueError("psi holds NaN or infinity")
    if weights not in ("count", "distance"):
        raise ValueError(f'weights must be "count" or "distance", got {weights!r}')
    if len(neighbors) != len(position_weights) or len(neighbors) == 0:
        raise ValueError(
            f"neighbors and position_weights must have one entry for each list, got {neighbors} and {position_weights}"
        )
    n = len(psi)
    rows, columns = [], []
    for count, weight in zip(neighbors, position_weights, strict=True):
        if not (count == int(count) and count >= 1):
            raise ValueError(f"neighbors must be whole numbers of at least 1, got {neighbors}")
        if not (np.isfinite(weight) and weight >= 0):
            raise ValueError(f"position_weights must be finite and at least 0, got {position_weights}")
        count = min(int(count), n)
        points = psi.copy()
        points[:, -2:] *= weight
        nearest = cKDTree(points).query(points, k=[*range(1, count + 1)])[1]  # (n, count)
        rows.append(np.repeat(np.arange(n), count))
        columns.append(nearest.ravel())
    i, j = np.concatenate(rows), np.concatenate(columns)
    if weights == "count":
        values = np.ones(len(i), np.float32)
    else:
        values = np.maximum(1 - np.linalg.norm(psi[i] - psi[j], axis=1), 0).astype(np.float32)
    lists = coo_array((values, (i, j)), shape=(n, n)).tocsr()  # entries that occur twice are added
    return (lists + lists.T).tocsr()


def affinity(
    features: ArrayLike,
    image: ArrayLike | None = None,
    *,
    color_weight: float = 0.0,
    resolution: tuple[int, int] | None = None,
) -> NDArray[np.float32]:
    """The graph of an image: W = W_feat / max(W_feat) + color_weight * W_knn, as Deep Spectral Methods build it [1]_.

    W_feat is dense, so W is; the few entries of W_knn are added in place.

    Parameters
    ----------
    features : array of shape (h, w, d)
        Of the patches, such as ``extract(image).features``.
    image : array of shape (H, W, 3) or None
        RGB, uint8 or floating point between 0 and 1: the part of the photo that the grid covers (cut it to
        ``image_size`` of the features). Only needed for a color weight above 0.
    color_weight : float
        Lambda of the paper, at least 0. The published commands use 0, the published function's default is 10.
    resolution : (h, w) or None
        Grid on which the graph is built. Features are interpolated to it (`resample`), and the image is shrunk to it.
        None: the grid of the features.

    Returns
    -------
    array of shape (n, n), float32
        With n = h * w of the resolution.

    Raises
    ------
    ValueError
        If ``features`` is not (h, w, d), an argument is not as described, or the image is missing.

    References
    ----------
    .. [1] L. Melas-Kyriazi et al., "Deep spectral methods", CVPR 2022, section 3.

    Examples
    --------
    >>> affinity([[[1.0, 0.0], [3.0, 4.0]]])
    array([[1. , 0.6],
           [0.6, 1. ]], dtype=float32)
    """
    features = np.asarray(features)
    if features.ndim != 3:
        raise ValueError(
            f"features must have shape (h, w, d), got {features.shape}; "
            "for rows without a grid use feature_affinity and knn_affinity"
        )
    if not (np.ndim(color_weight) == 0 and np.isfinite(color_weight) and color_weight >= 0):
        raise ValueError(f"color_weight must be a finite number of at least 0, got {color_weight!r}")
    if color_weight > 0 and image is None:
        raise ValueError("color_weight above 0 needs the image; give it as the second argument")
    if resolution is not None:
        features = resample(features, _as_size(resolution, "resolution"))
    W = feature_affinity(features)
    largest = W.max()
    if largest > 0:
        W /= largest
    if color_weight > 0:
        color = knn_affinity(color_features(image, features.shape[:2])).tocoo()
        W[color.coords] += np.float32(color_weight) * color.data
    return W


def degrees(W) -> NDArray[np.float64]:
    """How much each node is connected with: the sums of the rows.

    Parameters
    ----------
    W : array or sparse array of shape (n, n)
        Affinities: symmetric, not negative, finite.

    Returns
    -------
    array of shape (n,), float64
        1 for a node without edges (a sum below 1e-12), so that it can be divided by.

    Raises
    ------
    ValueError
        If W is not square, not symmetric, or holds negative numbers, NaN or infinity.

    Examples
    --------
    >>> degrees([[0.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    array([2., 3., 1.])
    """
    d = _sums(_as_affinity(W))
    return np.where(d < TINY, 1.0, d)


def laplacian(W, kind: Literal["unnormalized", "symmetric", "random-walk"] = "unnormalized"):
    """Graph Laplacian of affinities (von Luxburg 2007, section 3).

    Parameters
    ----------
    W : array or sparse array of shape (n, n)
        Affinities: symmetric, not negative, finite.
    kind : "unnormalized", "symmetric" or "random-walk"
        D - W, I - D^-1/2 W D^-1/2, or I - D^-1 W, with the `degrees` D. The last one is not symmetric; its
        eigenvectors are those of (D - W) v = mu D v.

    Returns
    -------
    array or csr_array of shape (n, n), float64
        Sparse if W is.

    Raises
    ------
    ValueError
        As `degrees`, or if the kind is not known.

    Examples
    --------
    >>> laplacian([[0.0, 2.0], [2.0, 2.0]])
    array([[ 2., -2.],
           [-2.,  2.]])
    >>> laplacian([[0.0, 2.0], [2.0, 2.0]], "random-walk")
    array([[ 1. , -1. ],
           [-0.5,  0.5]])
    """
    from scipy.sparse import diags_array, issparse

    if kind not in ("unnormalized", "symmetric", "random-walk"):
        raise ValueError(f'kind must be "unnormalized", "symmetric" or "random-walk", got {kind!r}')
    W = _as_affinity(W).astype(np.float64)
    d = degrees(W)
    left, right = {
        "unnormalized": (np.ones_like(d), np.ones_like(d)),
        "symmetric": (d**-0.5, d**-0.5),
        "random-walk": (1 / d, np.ones_like(d)),
    }[kind]
    diagonal = d * left * right
    if issparse(W):
        return (diags_array(diagonal) - diags_array(left) @ W @ diags_array(right)).tocsr()
    L = W * -left[:, None] * right
    L[np.diag_indices_from(L)] += diagonal
    return L


def resample(array: ArrayLike, size: tuple[int, int]) -> NDArray[np.floating]:
    """Bring an image or a grid of features to another size.

    Each axis for itself: where it grows, values are interpolated linearly between the centers of the cells (and
    repeated beyond the outermost centers); where it shrinks, the values that a new cell covers are averaged by area.

    Parameters
    ----------
    array : array of shape (h, w) or (h, w, d)
    size : (rows, columns)
        At least 1 each.

    Returns
    -------
    array of shape (rows, columns) or (rows, columns, d)
        float32 for float32 and smaller types, else float64.

    Raises
    ------
    ValueError
        If the array is neither (h, w) nor (h, w, d), is empty, or the size is not as described.

    Examples
    --------
    >>> resample([[0.0, 1.0]], (1, 4))
    array([[0.  , 0.25, 0.75, 1.  ]])
    >>> resample([[0.0, 1.0, 5.0]], (1, 1))
    array([[2.]])
    """
    array = np.asarray(array)
    if array.ndim not in (2, 3) or array.size == 0:
        raise ValueError(f"array must have shape (h, w) or (h, w, d), got {array.shape}")
    rows, columns = _as_size(size, "size")
    dtype = np.result_type(array.dtype, np.float32)
    array = array.astype(dtype, copy=False)
    h, w = array.shape[:2]
    if rows != h:
        array = np.tensordot(_weights(h, rows).astype(dtype), array, axes=1)
    if columns != w:
        array = np.moveaxis(np.tensordot(array, _weights(w, columns).astype(dtype), axes=(1, 1)), -1, 1)
    return np.ascontiguousarray(array)


def _weights(n: int, m: int) -> NDArray[np.float64]:
    """What each of n cells adds to each of m cells of the same axis: (m, n), rows sum to 1."""
    weights = np.zeros((m, n))
    if m >= n:
        at = np.clip((np.arange(m) + 0.5) * n / m - 0.5, 0, n - 1)  # centers of the new cells
        low = np.minimum(at.astype(int), n - 1)
        high = np.minimum(low + 1, n - 1)
        np.add.at(weights, (np.arange(m), low), 1 - (at - low))
        np.add.at(weights, (np.arange(m), high), at - low)
        return weights
    edges = np.arange(m + 1) * n / m
    low, high = edges[:-1, None], edges[1:, None]
    cells = np.arange(n)
    return np.clip(np.minimum(high, cells + 1) - np.maximum(low, cells), 0, None) * m / n


# ---- what the caller may get wrong ------------------------------------------------------------------------------


def _as_rows(features: ArrayLike) -> NDArray[np.float32]:
    """(n, d) or (h, w, d) -> (n, d) float32, finite."""
    x = np.asarray(features)
    if x.ndim not in (2, 3) or x.size == 0:
        raise ValueError(f"features must have shape (n, d) or (h, w, d), not empty, got {x.shape}")
    if np.iscomplexobj(x) or x.dtype == object:
        raise TypeError(f"features must be real numbers, got {x.dtype}")
    with np.errstate(over="ignore"):  # what is too large becomes infinity, and is refused
        x = x.reshape(-1, x.shape[-1]).astype(np.float32, copy=False)
    if not np.isfinite(x).all():
        bad = int((~np.isfinite(x).all(axis=1)).sum())
        raise ValueError(f"features holds NaN or infinity (or numbers too large for float32) in {bad} of {len(x)} rows")
    return x


def _as_size(size: tuple[int, int], name: str) -> tuple[int, int]:
    try:
        h, w = size
        whole = h == int(h) and w == int(w) and h >= 1 and w >= 1
    except (TypeError, ValueError):
        whole = False
    if not whole:
        raise ValueError(f"{name} must be two whole numbers of at least 1, (rows, columns), got {size!r}")
    return int(h), int(w)


def _as_affinity(W):
    """Checked, as a floating point array or csr_array of shape (n, n)."""
    from scipy.sparse import csr_array, issparse

    sparse = issparse(W)
    W = csr_array(W) if sparse else np.asarray(W)
    if W.ndim != 2 or W.shape[0] != W.shape[1] or W.shape[0] == 0:
        raise ValueError(f"W must have shape (n, n), one row and one column for each patch, got {W.shape}")
    if W.dtype == object or np.issubdtype(W.dtype, np.complexfloating):
        raise TypeError(f"W must hold real numbers, got {W.dtype}")
    if W.dtype not in (np.float32, np.float64):
        W = W.astype(np.float32 if W.dtype.itemsize < 4 else np.float64)
    values = W.data if sparse else W
    low = values.min(initial=0)  # NaN if there is one
    if not (low >= 0 and np.isfinite(_sums(W).sum())):
        if not np.isfinite(values).all():
            raise ValueError("W holds NaN or infinity; look at the features it was made from")
        if low >= 0:
            raise ValueError(f"W holds numbers up to {values.max():.3g}, too large to add up; divide it by its maximum")
        raise ValueError(f"W must not be negative, got {low:.3g}; set negative likeness to 0 with np.maximum(W, 0)")
    if sparse:
        gap = abs(W - W.T).max()
    else:  # a sample: comparing all would take longer than finding the eigenvectors
        i, j = np.random.default_rng(0).integers(len(W), size=(2, 4096))
        gap = np.abs(W[i, j] - W[j, i]).max()
    if gap > 1e-4 * values.max(initial=0):
        raise ValueError(f"W must be symmetric, but W and W.T differ by {gap:.3g}; use (W + W.T) / 2")
    return W


def _sums(W) -> NDArray[np.float64]:
    """Sums of the rows. NumPy adds pairwise: float32 is exact to about 1e-7; float64 takes 7 times as long."""
    return np.asarray(W.sum(axis=1)).ravel().astype(np.float64)
