"""Features: what a pixel, or a patch of pixels, looks like as a row of numbers.

Notation: an image has h rows and w columns; n = h * w pixels; d features for each pixel. For patches, h and w count
the rows and columns of the grid of patches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

if TYPE_CHECKING:
    import torch

    from unseg_helpers.backbones import Backbone

__all__ = ["PatchFeatures", "attention", "extract", "pca_map", "pixel_features"]

Facet = Literal["key", "query", "value", "token"]
FACETS = ("key", "query", "value", "token")


class PatchFeatures(NamedTuple):
    """Features of the patches of an image.

    Attributes
    ----------
    features : float32 array of shape (h, w, d)
        One row of d numbers for each patch; not normalized.
    patch : int
        Side of a patch in pixels of the image as the network saw it (see ``size`` of `extract`).
    image_size : tuple of 2 ints
        Rows and columns of the part of the *original* image that the grid covers, from its upper left corner. What is
        left at the lower and the right side is less than a patch.
    """

    features: NDArray[np.float32]
    patch: int
    image_size: tuple[int, int]


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


def extract(
    images: ArrayLike | Sequence[ArrayLike],
    backbone: str | Backbone = "minidino",
    *,
    facet: Facet = "key",
    layer: int = -1,
    size: int | None = None,
    device: str | torch.device = "auto",
    batch: int = 8,
    cache: bool = True,
) -> PatchFeatures | list[PatchFeatures]:
    """Describe each patch of an image by what a vision transformer says about it.

    Parameters
    ----------
    images : array of shape (H, W, 3), or a sequence of such arrays
        RGB, uint8 or floating point between 0 and 1. Sizes may differ within a sequence.
    backbone : str or Backbone
        One of `unseg_helpers.backbones.NAMES`, or what `unseg_helpers.backbones.load` gave.
    facet : "key", "query", "value" or "token"
        Which of the numbers of a patch. The first three are outputs of the attention layer's qkv product with all heads
        side by side, before a rotation that encodes position (DINOv3 has one); "token" is what leaves the block,
        brought to unit scale by the network's last LayerNorm.
    layer : int
        Which block; -1 is the last, 0 the first.
    size : int, optional
        The image is resized so that its short side has this many pixels. None: ``Backbone.size``.
    device : "auto", "cpu", "cuda", "mps" or torch.device
        ``"auto"`` takes CUDA, then MPS, then the CPU. On CUDA the network computes in mixed precision.
    batch : int
        Images of equal size that are computed together.
    cache : bool
        Keep the result in the cache folder (``UNSEG_CACHE`` names it), and take it from there the next time.

    Returns
    -------
    PatchFeatures, or a list of them
        One for one image, a list for a sequence.

    Raises
    ------
    ValueError
        If an image is not (H, W, 3) or smaller than a patch, or an option is not known.
    TypeError
        If an image is neither uint8 nor floating point.
    unseg_helpers.backbones.BackboneUnavailable
        If the backbone's weights, or torch and timm, are not here; the message says what to do.

    Notes
    -----
    Keys as features: Amir et al. [1]_. The image is resized (bicubic), then cut at the lower and right side to whole
    patches. Without torch, "minidino" is computed with NumPy, to the same numbers within rounding.

    References
    ----------
    .. [1] S. Amir, Y. Gandelsman, S. Bagon and T. Dekel, "Deep ViT features as dense visual descriptors", 2021,
       arXiv:2112.05814, section 3.

    Examples
    --------
    >>> image = np.zeros((65, 100, 3), dtype=np.uint8)
    >>> found = extract(image, size=65, cache=False)  # size=65: as it is
    >>> found.features.shape, found.patch, found.image_size
    ((8, 12, 192), 8, (64, 96))
    """
    if facet not in FACETS:
        raise ValueError(f"facet must be one of {', '.join(FACETS)}, got {facet!r}")
    images, single = _as_images(images)
    grids, outline, covered = _described(images, backbone, facet, layer, size, device, batch, cache)
    found = [PatchFeatures(grid, outline.patch, part) for grid, part in zip(grids, covered, strict=True)]
    return found[0] if single else found


def attention(
    images: ArrayLike | Sequence[ArrayLike],
    backbone: str | Backbone = "minidino",
    *,
    size: int | None = None,
    device: str | torch.device = "auto",
    batch: int = 8,
    cache: bool = True,
) -> NDArray[np.float32] | list[NDArray[np.float32]]:
    """What the CLS token looks at in the last block, one map for each head [1]_.

    Parameters
    ----------
    images, backbone, size, device, batch, cache
        As of `extract`.

    Returns
    -------
    float32 array of shape (heads, h, w), or a list of them
        Each patch's share of the attention of CLS. What a head gives to CLS itself and to registers is left out, so a
        map sums to at most 1.

    Raises
    ------
    ValueError, TypeError, unseg_helpers.backbones.BackboneUnavailable
        As of `extract`.

    References
    ----------
    .. [1] M. Caron et al., "Emerging properties in self-supervised vision transformers", ICCV 2021, figure 1.

    Examples
    --------
    >>> attention(np.zeros((64, 96, 3), dtype=np.uint8), size=64, cache=False).shape
    (3, 8, 12)
    """
    images, single = _as_images(images)
    maps, _, _ = _described(images, backbone, "attention", -1, size, device, batch, cache)
    return maps[0] if single else maps


def pca_map(
    features: NDArray[np.floating] | Sequence[NDArray[np.floating]], n: int = 3
) -> NDArray[np.float32] | list[NDArray[np.float32]]:
    """Show patch features as colors: their n strongest principal components, each stretched to 0..1.

    Parameters
    ----------
    features : array of shape (h, w, d), or a sequence of such arrays
        A sequence is fitted together, so that one color means the same in all its maps.
    n : int
        Number of components, 1 <= n <= d.

    Returns
    -------
    float32 array of shape (h, w, n), or a list of them
        In 0..1, all maps of a sequence on one scale; 0 where a component does not vary. The sign of a component is
        such that the largest of its d loadings is positive.

    Raises
    ------
    ValueError
        If an array is not (h, w, d), depths differ, values are not finite, or n is out of range.

    Examples
    --------
    >>> pca_map(np.array([[[0.0, 0.0], [4.0, 0.0], [1.0, 0.0]]]), n=1)[..., 0]
    array([[0.  , 1.  , 0.25]], dtype=float32)
    """
    single = isinstance(features, np.ndarray) and features.ndim != 4
    grids = [np.asarray(grid) for grid in ([features] if single else features)]
    if not grids:
        raise ValueError("features must hold at least one array of shape (h, w, d), got none")
    for grid in grids:
        if grid.ndim != 3 or grid.size == 0:
            raise ValueError(f"features must have shape (h, w, d), got {grid.shape}; pass the .features of extract")
        if grid.shape[2] != grids[0].shape[2]:
            raise ValueError(f"features must agree in d, got {grids[0].shape[2]} and {grid.shape[2]}")
    d = grids[0].shape[2]
    if not 1 <= n <= d:
        raise ValueError(f"n must be between 1 and d={d}, got {n}")
    rows = np.concatenate([grid.reshape(-1, d) for grid in grids]).astype(np.float64)  # (all patches, d)
    if not np.isfinite(rows).all():
        raise ValueError("features must be finite, got NaN or infinity")

    rows -= rows.mean(axis=0)
    _, vectors = np.linalg.eigh(rows.T @ rows)  # ascending
    axes = vectors[:, : -n - 1 : -1]  # (d, n), strongest first
    largest = np.abs(axes).argmax(axis=0)
    axes = axes * np.where(axes[largest, np.arange(n)] < 0, -1, 1)
    values = rows @ axes  # (all patches, n)
    low = values.min(axis=0)
    extent = values.max(axis=0) - low
    flat = extent <= 1e-9 * max(np.abs(rows).max(), 1e-300)  # no more than rounding
    values = np.where(flat, 0, (values - low) / np.where(flat, 1, extent)).astype(np.float32)

    ends = np.cumsum([grid.shape[0] * grid.shape[1] for grid in grids])
    parts = np.split(values, ends[:-1])
    maps = [part.reshape(*grid.shape[:2], n) for part, grid in zip(parts, grids, strict=True)]
    return maps[0] if single else maps


# How extract and attention work --------------------------------------------------------------------------------------


def _described(
    images: list[NDArray[np.uint8]],
    backbone: str | Backbone,
    what: str,
    layer: int,
    size: int | None,
    device: str | torch.device,
    batch: int,
    cache: bool,
) -> tuple[list[NDArray[np.float32]], Backbone, list[tuple[int, int]]]:
    """One array for each image, from the cache or from the network, which is loaded only when it is needed."""
    from unseg_helpers import _cache, backbones

    if isinstance(layer, bool) or not isinstance(layer, (int, np.integer)):
        raise ValueError(f"layer must be an integer, got {layer!r}")
    for name, value in (("batch", batch), ("size", size)):
        if value is not None and not (isinstance(value, (int, np.integer)) and value >= 1):
            raise ValueError(f"{name} must be an integer of at least 1, got {value!r}")
    outline = backbones.outline(backbone) if isinstance(backbone, str) else backbone
    shown = [_fit(image, outline.patch, size or outline.size) for image in images]
    pixels = [part for part, _ in shown]
    covered = [part for _, part in shown]

    settings = (1, what, int(layer), outline.digest, outline.patch, outline.prefix, outline.mean, outline.std)
    found: list[NDArray[np.float32] | None] = [None] * len(images)
    keys = [_cache.key(image, *settings) for image in pixels] if cache else []

    def look_up(suffix: str) -> list[int]:
        for index, key in enumerate(keys):
            if found[index] is None and (entry := _cache.get(key + suffix)) is not None:
                found[index] = entry["grid"]
        return [index for index, grid in enumerate(found) if grid is None]

    open_ = look_up("")  # float32: good enough for everyone, and needs no torch
    if open_:
        run, suffix = _runner(backbone, outline, what, int(layer), device)
        if suffix:
            open_ = look_up(suffix)
        for group in _batches(open_, pixels, batch):
            for index, grid in zip(group, run(np.stack([pixels[index] for index in group])), strict=True):
                found[index] = grid
                if cache:
                    _cache.put(keys[index] + suffix, {"grid": grid})
    return found, outline, covered


def _batches(open_: list[int], pixels: list[NDArray[np.uint8]], batch: int) -> Iterator[list[int]]:
    """Images of one size together, at most `batch` at a time; a progress bar where it takes long and someone looks."""
    from tqdm import tqdm

    by_shape: dict[tuple[int, ...], list[int]] = {}
    for index in open_:
        by_shape.setdefault(pixels[index].shape, []).append(index)
    with tqdm(total=len(open_), unit="image", delay=2, leave=False, disable=None) as bar:
        for indices in by_shape.values():
            for start in range(0, len(indices), batch):
                group = indices[start : start + batch]
                yield group
                bar.update(len(group))


def _as_images(images: ArrayLike | Sequence[ArrayLike]) -> tuple[list[NDArray[np.uint8]], bool]:
    """Images as uint8, and whether it was one."""
    single = not isinstance(images, (list, tuple)) and np.ndim(images) != 4
    listed = [images] if single else list(images)
    ready = []
    for image in listed:
        image = np.asarray(image)
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            image = (_as_rgb(image, np.dtype(np.float32)) * 255).round().astype(np.uint8)
        ready.append(image)
    return ready, single


def _fit(image: NDArray[np.uint8], patch: int, size: int | None) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Resize to a short side of `size`, cut to whole patches; and how much of the original that is."""
    height, width = image.shape[:2]
    short = min(height, width)
    rows, columns = height, width
    if size is not None and size != short:
        from PIL import Image

        rows, columns = (max(1, round(side * size / short)) for side in (height, width))
        image = np.asarray(Image.fromarray(image).resize((columns, rows), Image.Resampling.BICUBIC))
    if min(rows, columns) < patch:
        raise ValueError(
            f"image must have at least {patch} x {patch} pixels, one patch of this backbone; got {rows} x {columns}. "
            f"Enlarge it with size={4 * patch}"
        )
    cut_rows, cut_columns = rows - rows % patch, columns - columns % patch
    covered = (round(cut_rows * height / rows), round(cut_columns * width / columns))
    return np.ascontiguousarray(image[:cut_rows, :cut_columns]), covered


Run = Callable[[NDArray[np.uint8]], list[NDArray[np.float32]]]


def _runner(
    backbone: str | Backbone, outline: Backbone, what: str, layer: int, device: str | torch.device
) -> tuple[Run, str]:
    """What computes a batch (b, H, W, 3), and a suffix for the cache where it is not computed in float32."""
    from unseg_helpers import backbones

    if outline.model is None and outline.name == "minidino" and not backbones.has_torch():
        from unseg_helpers.minidino import numpy_vit

        def run(batch: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
            return [np.array(getattr(numpy_vit.forward(image, layer=layer), what), np.float32) for image in batch]

        return run, ""

    if isinstance(backbone, str):
        backbone = _loaded(backbone, outline.digest, str(backbones.choose_device(device)))
    elif device != "auto":
        backbone.model.to(backbones.choose_device(device))
    from unseg_helpers import _vit

    return _vit.runner(backbone, what, layer)


@lru_cache(maxsize=2)  # the network that was used last is likely to be used next
def _loaded(name: str, digest: str, device: str) -> Backbone:
    from unseg_helpers import backbones

    return backbones.load(name, device=device)


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
