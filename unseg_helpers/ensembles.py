"""Ensembles: cluster what another method has segmented, or let several segmentations vote.

`gmm_kmeans` is the two-stage method of the scene-segmentation paper: a first method segments the image, every segment
is painted with its mean color, and k-means clusters the painted image. Any first stage will do; in `cnn_kmeans` it is
the network that is trained on the image. The second stage can only merge segments of the first. The other order,
k-means first, is ``start_labels`` of `unseg_helpers.kanezaki.fit`.

`co_association` is a vote [1]_: two places belong together as often as the given segmentations say so. Superpixels
keep it small, and merging only what touches keeps regions in one piece.

Notation: an image has h rows and w columns; s superpixels or segments; m label maps.

References
----------
.. [1] A. L. N. Fred, A. K. Jain, "Combining multiple clusterings using evidence accumulation", IEEE Transactions on
   Pattern Analysis and Machine Intelligence 27, 2005.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unseg_helpers import _regions, gmm
from unseg_helpers import kmeans as km
from unseg_helpers.features import pixel_features

if TYPE_CHECKING:
    from unseg_helpers.kanezaki import Recipe

__all__ = ["recluster", "gmm_kmeans", "cnn_kmeans", "members", "co_association"]

RngLike = np.random.Generator | int | None


# ---- two stages -------------------------------------------------------------------------------------------------


def recluster(
    image: ArrayLike,
    labels: ArrayLike,
    k: int,
    *,
    space: Literal["rgb", "lab"] = "rgb",
    position: float = 0.0,
    n_init: int = 1,
    max_iter: int = 100,
    rng: RngLike = None,
) -> NDArray[np.int32]:
    """Paint every segment with its mean color, then cluster the painted image with k-means.

    All pixels of a segment are then equal, so k-means sees each segment once, with its area as the weight.

    Parameters
    ----------
    image : array of shape (h, w, 3)
        RGB, uint8 or floating point between 0 and 1.
    labels : array of shape (h, w), integer
        The first segmentation; any integers.
    k : int
        Number of clusters wanted, at least 1. With k segments or fewer, each keeps to itself.
    space : "rgb" or "lab"
        In which the mean color is taken.
    position : float
        Weight of the mean position of a segment, as in `unseg_helpers.features.pixel_features`.
    n_init, max_iter, rng
        As in `unseg_helpers.kmeans.kmeans`.

    Returns
    -------
    array of shape (h, w), int32
        0 to k - 1.

    Raises
    ------
    ValueError
        If the labels do not fit the image.
    TypeError
        If the labels are not integers.

    Examples
    --------
    >>> image = np.array([[[0, 0, 0], [20, 20, 20], [200, 200, 200]]], dtype=np.uint8)
    >>> new = recluster(image, [[5, 6, 7]], 2, rng=0)
    >>> new[0, 0] == new[0, 1] != new[0, 2]
    np.True_
    """
    x = pixel_features(image, space=space, position=position, dtype=np.float64)
    k = km._as_count(k, "k")
    _, segment = np.unique(_as_label_map(labels, np.shape(image)[:2]), return_inverse=True)
    segment = segment.ravel()
    painted, area = _means(x, segment)
    if k >= len(area):
        new = np.arange(len(area), dtype=np.int32)
    else:
        new = km.kmeans(painted, k, weights=area, n_init=n_init, max_iter=max_iter, rng=rng).labels
    return new[segment].reshape(np.shape(image)[:2])


def gmm_kmeans(
    image: ArrayLike,
    k: int,
    *,
    k_first: int | None = None,
    first: Callable[[NDArray], ArrayLike] | ArrayLike | None = None,
    kind: gmm.Kind = "full",
    space: Literal["rgb", "lab"] = "rgb",
    position: float = 0.0,
    n_init: int = 1,
    max_iter: int = 100,
    rng: RngLike = None,
) -> NDArray[np.int32]:
    """Segment with a Gaussian mixture, then cluster the segmented image with k-means.

    Parameters
    ----------
    image : array of shape (h, w, 3)
        RGB, uint8 or floating point between 0 and 1.
    k : int
        Number of segments wanted.
    k_first : int, optional
        Components of the mixture; by default 2 k. With no more than k, the second stage changes nothing.
    first : function or array of shape (h, w), integer, optional
        Another first stage: ``first(image)`` gives its label map, or this is it.
    kind, n_init, max_iter
        Of the mixture, as in `unseg_helpers.gmm.fit`; the last two of k-means as well.
    space, position
        Features of both stages.
    rng : Generator, int or None
        Draws the starts.

    Returns
    -------
    array of shape (h, w), int32
        0 to k - 1.

    Examples
    --------
    >>> image = np.zeros((2, 4, 3), np.uint8)
    >>> image[:, 2:] = 255
    >>> labels = gmm_kmeans(image, 2, k_first=2, rng=0)
    >>> labels[0, 0] == labels[1, 1] != labels[0, 2] == labels[1, 3]
    np.True_
    """
    rng = np.random.default_rng(rng)
    k = km._as_count(k, "k")
    options = {"space": space, "position": position, "n_init": n_init, "max_iter": max_iter, "rng": rng}
    if first is None:
        k_first = 2 * k if k_first is None else km._as_count(k_first, "k_first")
        labels = gmm.segment(image, k_first, kind=kind, **options)
    elif k_first is not None:
        raise ValueError("k_first belongs to the mixture; with another first stage, leave it out")
    else:
        labels = first(image) if callable(first) else first
    return recluster(image, labels, k, **options)


def cnn_kmeans(
    image: ArrayLike,
    k: int,
    *,
    recipe: str | Recipe = "kim2020",
    size: int | None = None,
    train_iter: int | None = None,
    device: str = "auto",
    dtype: Literal["float32", "bfloat16"] = "float32",
    space: Literal["rgb", "lab"] = "rgb",
    position: float = 0.0,
    n_init: int = 1,
    max_iter: int = 100,
    rng: RngLike = None,
) -> NDArray[np.int32]:
    """Segment with the network that is trained on the image, then cluster the segmented image with k-means.

    It is `gmm_kmeans` with `unseg_helpers.kanezaki.segment` as its first stage. The network is meant to leave more
    segments than k: with no more than k, the second stage changes nothing.

    Parameters
    ----------
    image : array of shape (h, w, 3)
        RGB, uint8 or floating point between 0 and 1.
    k : int
        Number of segments wanted.
    recipe, size, device, dtype
        As in `unseg_helpers.kanezaki.segment`.
    train_iter : int, optional
        Most steps of training, in place of the recipe's.
    space, position, n_init, max_iter
        Of the second stage, as in `recluster`.
    rng : Generator, int or None
        Draws the network's seed and the start of k-means.

    Returns
    -------
    array of shape (h, w), int32
        0 to k - 1.

    Raises
    ------
    ValueError
        If an argument is not as described.
    ModuleNotFoundError
        If torch is not installed.

    Examples
    --------
    >>> from unseg_helpers.kanezaki import Recipe
    >>> image = np.zeros((6, 8, 3), np.uint8)
    >>> image[:, 4:] = 255
    >>> labels = cnn_kmeans(image, 2, recipe=Recipe(channels=8, layers=1), train_iter=3, device="cpu", rng=0)
    >>> labels[0, 0] == labels[2, 2] != labels[2, 5] == labels[3, 6]
    np.True_
    """
    from unseg_helpers import kanezaki

    rng = np.random.default_rng(rng)
    k = km._as_count(k, "k")
    seed = int(rng.integers(2**31))
    first = kanezaki.segment(image, recipe, size=size, max_iter=train_iter, seed=seed, device=device, dtype=dtype)
    return gmm_kmeans(image, k, first=first, space=space, position=position, n_init=n_init, max_iter=max_iter, rng=rng)


# ---- a vote -----------------------------------------------------------------------------------------------------

MEMBERS = (  # (method, k, weight of the position): a few colors and many, with and without position
    ("kmeans", 4, 0.0),
    ("kmeans", 8, 0.0),
    ("kmeans", 5, 0.5),
    ("kmeans", 8, 0.5),
    ("gmm", 4, 0.0),
    ("gmm", 6, 0.0),
    ("gmm", 4, 0.5),
    ("gmm", 8, 0.5),
)


def members(image: ArrayLike, *, smooth: float = 0.0, rng: RngLike = None) -> list[NDArray[np.int32]]:
    """Segmentations that differ from one another, for `co_association`: four of k-means, four of mixtures.

    Parameters
    ----------
    image : array of shape (h, w, 3)
    smooth : float
        As in `unseg_helpers.features.pixel_features`.
    rng : Generator, int or None
        Draws the starts.

    Returns
    -------
    list of arrays of shape (h, w), int32
        In Lab, with the settings of ``MEMBERS``.
    """
    rng = np.random.default_rng(rng)
    methods = {"kmeans": km.segment, "gmm": gmm.segment}
    return [methods[name](image, k, position=position, smooth=smooth, rng=rng) for name, k, position in MEMBERS]


def co_association(
    label_maps: Sequence[ArrayLike],
    k: int,
    *,
    image: ArrayLike | None = None,
    superpixels: ArrayLike | None = None,
    n_superpixels: int = 1600,
    color: float = 0.5,
) -> NDArray[np.int32]:
    """Let several segmentations vote, and merge neighbors until k regions are left.

    For two superpixels, the vote is how often a pixel of the one and a pixel of the other have the same label, mean
    over the label maps: the product of their label histograms. Of all regions that touch, the two with the smallest
    distance, 1 - vote + color times the distance of their mean Lab colors, are merged, again and again. The vote of
    two regions is the mean over all their pairs of pixels (average link), which is again a product of histograms.

    Parameters
    ----------
    label_maps : sequence of arrays of shape (h, w), integer
        At least one.
    k : int
        Number of regions wanted; with fewer superpixels, each is a region.
    image : array of shape (h, w, 3), optional
        Needed for the superpixels (SLIC of scikit-image), if they are not given, and for the colors.
    superpixels : array of shape (h, w), integer, optional
        What is merged; any integers. A superpixel in several pieces counts as one.
    n_superpixels : int
        About how many SLIC makes. They should be small: an edge that a superpixel misses is lost.
    color : float
        Weight of the color, at least 0; Lab divided by 100. 0 needs no image.

    Returns
    -------
    array of shape (h, w), int32
        0 to k - 1, by area: 0 is the largest region.

    Raises
    ------
    ValueError
        If shapes do not fit, or the image is missing where it is needed.
    TypeError
        If labels are not integers.

    Examples
    --------
    >>> one, other = [[0, 0, 1, 1]], [[0, 0, 0, 1]]
    >>> co_association([one, other], 2, superpixels=[[0, 1, 2, 3]], color=0)  # the third goes with the fourth as often
    array([[0, 0, 0, 1]], dtype=int32)
    """
    if len(label_maps) == 0:
        raise ValueError("label_maps must hold at least one label map, got none")
    k = km._as_count(k, "k")
    if not (np.ndim(color) == 0 and np.isfinite(color) and color >= 0):
        raise ValueError(f"color must be a finite number of at least 0, got {color!r}")
    if image is None and (superpixels is None or color > 0):
        needed = "superpixels" if superpixels is None else "color above 0"
        raise ValueError(f"{needed} needs the image: give image=..., or superpixels=... and color=0")
    shape = np.shape(image)[:2] if image is not None else np.shape(superpixels)
    if superpixels is None:
        superpixels = _slic(image, km._as_count(n_superpixels, "n_superpixels"))
    _, place = np.unique(_as_label_map(superpixels, shape, "superpixels"), return_inverse=True)
    place = place.reshape(shape)
    votes = _histograms([_as_label_map(labels, shape, "each of label_maps") for labels in label_maps], place)
    area = np.bincount(place.ravel()).astype(np.float64)
    colors = np.zeros((len(area), 1))
    if color > 0:
        colors = color * _means(pixel_features(image, space="lab", dtype=np.float64), place.ravel())[0]
    region = _merge(votes, colors, area, _regions.touching(place), k)
    return region[place]


def _slic(image: ArrayLike, n: int) -> NDArray[np.integer]:
    from skimage.segmentation import slic

    return slic(np.asarray(image), n_segments=n, compactness=10, start_label=0)


def _means(x: NDArray, segment: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean of the rows of each segment (s, d), and how many they are (s,)."""
    area = np.bincount(segment).astype(np.float64)
    return np.stack([np.bincount(segment, column) for column in x.T], axis=1) / area[:, None], area


def _histograms(label_maps: list[NDArray], place: NDArray) -> NDArray[np.float64]:
    """One row for each superpixel: the share of each label of each map, such that a product is the mean vote."""
    parts = []
    for labels in label_maps:
        _, labels = np.unique(labels, return_inverse=True)
        n_labels = int(labels.max()) + 1
        table = np.bincount(place.ravel() * n_labels + labels.ravel(), minlength=(int(place.max()) + 1) * n_labels)
        table = table.reshape(-1, n_labels)
        parts.append(table / table.sum(axis=1, keepdims=True))
    return np.concatenate(parts, axis=1) / np.sqrt(len(label_maps))


def _merge(votes: NDArray, colors: NDArray, area: NDArray, pairs: NDArray, k: int) -> NDArray[np.int32]:
    """Merge the two nearest neighbors until k regions are left: the region of each superpixel, (s,)."""
    votes, colors, area = votes.copy(), colors.copy(), area.copy()
    s = len(area)
    parent, version = np.arange(s), np.zeros(s, int)
    neighbors = _regions.neighbors_of(pairs, s)

    def entry(a: int, b: int) -> tuple:
        gap = colors[a] - colors[b]
        distance = 1 - votes[a] @ votes[b] + np.sqrt(gap @ gap)
        return round(float(distance), 12), a, b, version[a], version[b]  # rounded: ties go by number on any machine

    heap = [entry(a, b) for a, b in pairs.tolist()]
    heapq.heapify(heap)
    left = s
    while left > k and heap:
        _, a, b, version_a, version_b = heapq.heappop(heap)
        if version[a] != version_a or version[b] != version_b:
            continue  # one of them has grown since
        total = area[a] + area[b]
        votes[a] = (area[a] * votes[a] + area[b] * votes[b]) / total
        colors[a] = (area[a] * colors[a] + area[b] * colors[b]) / total
        area[a], parent[b] = total, a
        version[a] += 1
        version[b] = -1  # gone
        neighbors[a] = (neighbors[a] | neighbors[b]) - {a, b}
        for c in neighbors[a]:
            neighbors[c].discard(b)
            neighbors[c].add(a)
            heapq.heappush(heap, entry(min(a, c), max(a, c)))
        left -= 1
    parent = _regions.roots(parent)
    roots = np.unique(parent)
    by_area = roots[np.argsort(-area[roots], kind="stable")]
    number = np.empty(s, np.int32)
    number[by_area] = np.arange(len(roots))
    return number[parent]


# ---- what the caller may get wrong ------------------------------------------------------------------------------


def _as_label_map(labels: ArrayLike, shape: tuple[int, ...], name: str = "labels") -> NDArray[np.integer]:
    labels = np.asarray(labels)
    if labels.shape != tuple(shape) or labels.ndim != 2 or labels.size == 0:
        raise ValueError(f"{name} must have shape (h, w) = {tuple(shape)}, as the image, got {labels.shape}")
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(f"{name} must be integers, got {labels.dtype}; use labels.astype(int)")
    return labels
