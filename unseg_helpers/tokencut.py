"""TokenCut: a normalized cut of the graph whose edges are either 1 or nearly 0.

The steps are those of the published code [1]_: a binary graph, its second eigenvector, a split at the mean, and the
choice of the object's side. Notation: grid h x w, n = h * w nodes, d features.

References
----------
.. [1] Y. Wang, X. Shen, S. X. Hu, Y. Yuan, J. L. Crowley, D. Vaufreydaz, "Self-supervised transformers for unsupervised
   object discovery using normalized cut", CVPR 2022.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unseg_helpers import affinity as aff
from unseg_helpers import spectral
from unseg_helpers.spectral import Localization

if TYPE_CHECKING:
    from unseg_helpers.features import PatchFeatures

__all__ = ["binary_affinity", "tokencut"]


def binary_affinity(features: ArrayLike, *, tau: float = 0.2, eps: float = 1e-5) -> NDArray[np.float32]:
    """Edges of weight 1 where two patches are alike, of weight eps elsewhere.

    The weak edges keep the graph in one part: without them the second eigenvector of a graph in three or more parts
    would be any of many.

    Parameters
    ----------
    features : array of shape (n, d) or (h, w, d)
        Of any length; only angles count.
    tau : float
        The edge is 1 where the cosine is above tau, -1 to 1.
    eps : float
        0 to 1. Below 1e-7 float32 cannot tell a row's sum with it from one without it.

    Returns
    -------
    array of shape (n, n), float32
        Symmetric; the diagonal is 1.

    Raises
    ------
    ValueError
        If an argument is not as described.

    Examples
    --------
    >>> binary_affinity([[1.0, 0.0], [1.0, 1.0], [-1.0, 0.0]], eps=0.25)
    array([[1.  , 1.  , 0.25],
           [1.  , 1.  , 0.25],
           [0.25, 0.25, 1.  ]], dtype=float32)
    """
    _check(tau, eps)
    x = aff.normalize(features)
    A = x @ x.T
    np.greater(A, tau, out=A)  # 1 and 0, in place
    np.maximum(A, np.float32(eps), out=A)
    np.fill_diagonal(A, 1)
    return A


def tokencut(
    features: PatchFeatures | ArrayLike, *, tau: float = 0.2, eps: float = 1e-5, device: str = "cpu", seed: int = 0
) -> Localization:
    """Find the one object that stands out, by a normalized cut.

    The graph is split in two at the *mean* of its second eigenvector. The patch with the largest absolute value is
    surely on the object, so its side is the object's; of that side the part that hangs together with it is kept.

    Parameters
    ----------
    features : PatchFeatures or array of shape (h, w, d)
        From ``features.extract``; the keys, if it shall be as published.
    tau, eps
        As in `binary_affinity`.
    device, seed
        As in `spectral.eigenvectors`.

    Returns
    -------
    Localization
        ``mask`` the 4-connected part that holds ``seed``; ``score`` the eigenvector minus its mean, positive on the
        object's side. Where all patches are alike, the mask is empty, the score 0, and the box the whole image.

    Raises
    ------
    ValueError
        If an argument is not as described, or the grid has a single patch.

    Examples
    --------
    >>> features = np.zeros((3, 4, 2)) + [1.0, 0.1]
    >>> features[1, 1:3] = [0.1, 1.0]
    >>> found = tokencut(features)
    >>> found.box, found.seed
    ((1, 1, 3, 2), (1, 1))
    """
    grid, covered = spectral._as_features(features)
    h, w = grid.shape[:2]
    if h * w == 1:
        raise ValueError("features is a grid of one patch: there is nothing to cut; use a larger image")
    v = spectral._second(binary_affinity(grid, tau=tau, eps=eps), device, seed).reshape(h, w)
    if not v.any():
        return Localization(v > 0, v, spectral.object_box(v > 0, spectral._patch(grid, (h, w), covered)), None)
    seed_patch = _peak(v)
    score = v - v.mean()
    if not score[seed_patch] > 0:
        score = -score
    mask = spectral.component_at(score > 0, seed_patch)
    return Localization(mask, score, spectral.object_box(mask, spectral._patch(grid, (h, w), covered)), seed_patch)


def _peak(v: NDArray) -> tuple[int, int]:
    """The patch with the largest absolute value; of those equal but for rounding the first."""
    size = np.abs(v).ravel()
    row, column = np.unravel_index(np.flatnonzero(size >= size.max() * (1 - 1e-5))[0], v.shape)
    return int(row), int(column)


def _check(tau: float, eps: float) -> None:
    if not (np.ndim(tau) == 0 and -1 <= tau <= 1):
        raise ValueError(f"tau is a cosine, so it must be between -1 and 1, got {tau!r}")
    if not (np.ndim(eps) == 0 and 0 <= eps <= 1):
        raise ValueError(f"eps must be between 0 and 1, got {eps!r}")
