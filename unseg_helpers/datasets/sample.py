"""The value that every data set hands out: an image, its truth and what the truth's numbers mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Sample:
    """One image with its ground truth.

    Attributes
    ----------
    name : str
        Name inside its data set, for example ``"astronaut"`` or ``"25098"``.
    image : uint8 array of shape (h, w, 3)
        RGB.
    truth : array
        Label map (h, w), a stack (a, h, w) with one map for each of a annotators, or a 0-d class index:
        each data set says which.
    labels : tuple of str
        Name of each truth value, ``labels[value]``; empty where the values have no names.
    """

    name: str
    image: NDArray[np.uint8]
    truth: NDArray
    labels: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Sample({self.name!r}, image {self.image.shape}, truth {self.truth.shape} {self.truth.dtype})"
