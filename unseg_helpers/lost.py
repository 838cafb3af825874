"""LOST: an object grows from the patch that resembles the fewest others.

No eigenvectors: a similarity matrix, a count, and two rows of rules [1]_. Notation: grid h x w, n = h * w patches, d
features; A (n, n) the products of the features, *not* normalized.

References
----------
.. [1] O. Siméoni, G. Puy, H. V. Vo, S. Roburin, S. Gidaris, A. Bursuc, P. Pérez, R. Marlet, J. Ponce, "Localizing
   objects with self-supervised transformers and no labels", BMVC 2021.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from unseg_helpers import affinity as aff
from unseg_helpers import spectral
from unseg_helpers.spectral import Localization

if TYPE_CHECKING:
    from unseg_helpers.features import PatchFeatures

__all__ = ["lost"]


def lost(features: PatchFeatures | ArrayLike, *, k: int = 100) -> Localization:
    """Find the one object that stands out, from a seed.

    The degree of a patch is the number of other patches with which its product is positive. Objects are smaller than
    their surroundings, so the patch of the lowest degree is the *seed*. Its companions are those of the k patches of
    lowest degree whose product with it is positive. A patch belongs to the object where the sum of its products with
    the seed and all companions is positive; the part that hangs together with the seed is kept.

    Parameters
    ----------
    features : PatchFeatures or array of shape (h, w, d)
        From ``features.extract``; the keys, if it shall be as published. Not normalized: long ones count for more.
    k : int
        How many patches of lowest degree may be companions, at least 1. More than n mean all.

    Returns
    -------
    Localization
        ``mask`` the 4-connected part that holds ``seed``; ``score`` the sum of products, positive on the object and on
        what resembles it elsewhere.

    Raises
    ------
    ValueError
        If an argument is not as described, or all features are 0. A patch whose features are 0 is never the seed.

    Notes
    -----
    As in the published code, whose real products are summed; the paper's equations have 0 and 1. Of patches of equal
    degree the first in reading order comes first, so that a second run gives the same.

    Examples
    --------
    >>> features = np.zeros((3, 4, 2)) + [1.0, -0.2]
    >>> features[1, 1:3] = [-0.2, 1.0]
    >>> found = lost(features)
    >>> found.box, found.seed
    ((1, 1, 3, 2), (1, 1))
    """
    if not (np.ndim(k) == 0 and k == int(k) and k >= 1):
        raise ValueError(f"k must be a whole number of at least 1, got {k!r}")
    grid, covered = spectral._as_features(features)
    h, w = grid.shape[:2]
    x = aff._as_rows(grid)
    size = np.abs(x).max()
    if size == 0:
        raise ValueError("features are all 0; were they computed?")
    x = x / size  # no product overflows; signs and ranks stay
    A = x @ x.T
    alike = A > 0
    degree = np.count_nonzero(alike, axis=1) - alike.diagonal()  # without the patch itself
    degree[~alike.diagonal()] = h * w  # features of 0 resemble nothing, but are no object
    order = np.argsort(degree, kind="stable")
    seed = order[0]
    companions = order[: int(k)]
    companions = companions[alike[seed, companions]]  # with the seed itself
    score = A[companions].sum(axis=0, dtype=np.float64).reshape(h, w)
    seed_patch = (int(seed // w), int(seed % w))
    mask = spectral.component_at(score > 0, seed_patch)
    return Localization(
        mask, score * float(size) ** 2, spectral.object_box(mask, spectral._patch(grid, (h, w), covered)), seed_patch
    )
