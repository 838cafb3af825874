"""Features: what a pixel looks like as a row of numbers.

Notation: an image has h rows and w columns; n = h * w pixels; d features for each pixel.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

__all__ = ["pixel_features"]


def pixel_features(
    image: ArrayLike,
    *,
    space: Literal["rgb", "lab"] = "rgb",
    position: float = 0.0,
    lightness: float = 1.0,
    smooth: float = 0.0,
    dtype: DTypeLike = np.float32,
) -> NDArray[np.floating]:
    """Describe each pixel by its color and, if wanted, by where it is.

    Parameters
    ----------
    image : array of shape (h, w, 3)
        RGB, either uint8 or floating point between 0 and 1.
    space : "rgb" or "lab"
        ``"rgb"``: red, green and blue divided by 255, so 0 to 1. ``"lab"``: CIELAB (D65) with L, a and b each
        divided by 100, so L is 0 to 1 and a, b about -1 to 1; equal distances look about equally different [1]_.
    position : float
        Weight of the position, at least 0. With 0 there is no position and d = 3. Otherwise d = 5: row and column,
        each divided by ``max(h, w)`` (so that a step down counts like a step to the right) and multiplied by
        ``position``.
    lightness : float
        Factor for L, at least 0; less than 1 makes light and shadow on one surface more alike. Only with "lab".
    smooth : float
        Standard deviation of a Gaussian that blurs the color, as a part of ``max(h, w)``: 0.01 is 5 pixels in an
        image of 500. Texture then counts less than the color of its surroundings.
    dtype : floating point type
        Type of the result.

    Returns
    -------
    array of shape (h * w, d)
        One row for each pixel, in reading order: ``labels.reshape(h, w)`` leads back to the image.

    Raises
    ------
    ValueError
        If ``image`` is not (h, w, 3), is empty or holds values outside its range, or an option is not known.
    TypeError
        If ``image`` is neither uint8 nor floating point, or ``dtype`` is not a floating point type.

    References
    ----------
    .. [1] CIE 15:2004, "Colorimetry", 3rd edition.

    Examples
    --------
    >>> image = np.array([[[255, 0, 0], [0, 255, 0]]], dtype=np.uint8)  # one row: red, green
    >>> pixel_features(image, position=1.0)
    array([[1. , 0. , 0. , 0. , 0. ],
           [0. , 1. , 0. , 0. , 0.5]], dtype=float32)
    """
    dtype = np.dtype(dtype)
    if not np.issubdtype(dtype, np.floating):
        raise TypeError(f"dtype must be a floating point type such as np.float32, got {dtype}")
    if space not in ("rgb", "lab"):
        raise ValueError(f'space must be "rgb" or "lab", got {space!r}')
    for name, value in (("position", position), ("lightness", lightness), ("smooth", smooth)):
        if not (np.ndim(value) == 0 and np.isfinite(value) and value >= 0):
            raise ValueError(f"{name} must be a finite number of at least 0, got {value!r}")
    if space != "lab" and lightness != 1:
        raise ValueError(f'lightness needs space="lab", got space={space!r} and lightness={lightness!r}')
    rgb = _as_rgb(image, dtype)  # (h, w, 3), 0 to 1

    if space == "rgb":
        color = rgb
    else:
        from skimage.color import rgb2lab

        color = rgb2lab(rgb) / dtype.type(100)
        color[..., 0] *= lightness
    h, w = color.shape[:2]
    if smooth:
        from scipy.ndimage import gaussian_filter

        color = gaussian_filter(color, sigma=smooth * max(h, w), axes=(0, 1), mode="nearest")
    if position == 0:
        return np.array(color, dtype=dtype).reshape(h * w, 3)

    x = np.empty((h * w, 5), dtype=dtype)
    x[:, :3] = color.reshape(h * w, 3)
    row, column = np.mgrid[:h, :w]
    x[:, 3] = row.ravel() * (position / max(h, w))
    x[:, 4] = column.ravel() * (position / max(h, w))
    return x


def _as_rgb(image: ArrayLike, dtype: np.dtype) -> NDArray[np.floating]:
    """Check an image and bring it to 0..1: (h, w, 3) uint8 or float -> (h, w, 3) of `dtype`."""
    image = np.asarray(image)
    if image.ndim == 2:
        raise ValueError(
            f"image must have shape (h, w, 3), got {image.shape}; for a gray image use np.dstack([image] * 3)"
        )
    if image.ndim != 3 or image.shape[2] != 3:
        hint = "; drop the alpha channel with image[..., :3]" if image.ndim == 3 and image.shape[2] == 4 else ""
        raise ValueError(f"image must have shape (h, w, 3), got {image.shape}{hint}")
    if image.size == 0:
        raise ValueError(f"image must have at least one pixel, got shape {image.shape}")
    if image.dtype == np.uint8:
        return image.astype(dtype) / dtype.type(255)
    if not np.issubdtype(image.dtype, np.floating):
        raise TypeError(f"image must be uint8 (0 to 255) or floating point (0 to 1), got {image.dtype}")
    low, high = image.min(), image.max()
    if not (low >= 0 and high <= 1):  # also true for NaN
        raise ValueError(
            f"a floating point image must lie between 0 and 1, got values from {low:g} to {high:g}; "
            "divide by 255 or convert it with image.astype(np.uint8)"
        )
    return image.astype(dtype, copy=False)
