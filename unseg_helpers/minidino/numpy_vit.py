"""Mini-DINO's vision transformer in NumPy: the whole network on one page, and features where there is no PyTorch.

Notation: an image is cut into h x w patches; t = 1 + h w tokens, of which the first is CLS; d = 192 features of a
token; a = 3 heads of attention of d / a features each.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erf

from unseg_helpers.backbones import IMAGENET_MEAN, IMAGENET_STD
from unseg_helpers.minidino import DEPTH, GRID, HEADS, PATCH, WEIGHTS

__all__ = ["Facets", "forward", "interpolation", "load_weights", "patchify"]

MEAN = np.array(IMAGENET_MEAN, np.float32)  # what all published DINO networks subtract
STD = np.array(IMAGENET_STD, np.float32)

Weights = dict[str, NDArray[np.float32]]


class Facets(NamedTuple):
    """What one block knows about each patch."""

    query: NDArray[np.float32]
    """(h, w, d), heads side by side."""
    key: NDArray[np.float32]
    """(h, w, d), heads side by side."""
    value: NDArray[np.float32]
    """(h, w, d), heads side by side."""
    token: NDArray[np.float32]
    """(h, w, d), what leaves the block, brought to unit scale by the network's last LayerNorm."""
    attention: NDArray[np.float32]
    """(a, h, w), how much the CLS token attends to each patch, for each head; with that to itself the sum is 1."""


@functools.cache
def _shipped() -> Weights:
    from safetensors.numpy import load_file

    weights = {name: value.astype(np.float32) for name, value in load_file(WEIGHTS).items()}
    for value in weights.values():
        value.flags.writeable = False  # they are shared
    return weights


def load_weights() -> Weights:
    """The weights that the course ships, by timm's names, 32-bit and writable; 2.7 million numbers.

    Examples
    --------
    >>> load_weights()["blocks.0.attn.qkv.weight"].shape
    (576, 192)
    """
    return {name: value.copy() for name, value in _shipped().items()}


def forward(image: ArrayLike, *, layer: int = -1, weights: Weights | None = None) -> Facets:
    """Patch features of one photo.

    Parameters
    ----------
    image : array of shape (H, W, 3)
        uint8, or floats in 0..1. Rows and columns beyond the last whole patch are cut off.
    layer : int
        Which of the 6 blocks, -6 <= layer < 6; negative ones count from the end.
    weights : dict or None
        As from `load_weights`; None takes those that the course ships.

    Returns
    -------
    Facets
        On a grid of (H // 8, W // 8) patches.

    Raises
    ------
    ValueError
        If the image is no color photo of at least 8 x 8 pixels, or there is no such layer.

    References
    ----------
    A. Dosovitskiy et al., "An image is worth 16x16 words", ICLR 2021; M. Caron et al., "Emerging properties in
    self-supervised vision transformers", ICCV 2021.

    Examples
    --------
    >>> forward(np.zeros((30, 41, 3))).key.shape
    (3, 5, 192)
    """
    if not -DEPTH <= layer < DEPTH:
        raise ValueError(
            f"layer must be between {-DEPTH} and {DEPTH - 1}, got {layer}; this network has {DEPTH} blocks"
        )
    weights = _shipped() if weights is None else weights
    rows = patchify(image)  # (h, w, 192)
    h, w = rows.shape[:2]

    patches = _linear(
        rows.reshape(h * w, -1), _flat(weights["patch_embed.proj.weight"]), weights["patch_embed.proj.bias"]
    )
    places = weights["pos_embed"][0]  # (1 + 12 * 12, d)
    grid = places[1:].reshape(GRID, GRID, -1)
    grid = np.einsum("ip,jq,pqd->ijd", interpolation(h, GRID), interpolation(w, GRID), grid, optimize=True)
    cls = weights["cls_token"][0] + places[:1]
    x = np.concatenate([cls, patches + grid.reshape(h * w, -1)]).astype(np.float32)  # (t, d)

    for i in range(layer % DEPTH + 1):
        block = {name.removeprefix(f"blocks.{i}."): v for name, v in weights.items() if name.startswith(f"blocks.{i}.")}
        x, facets, attention = _block(x, block)
    token = _norm(x, weights["norm.weight"], weights["norm.bias"])
    maps = (part[1:].reshape(h, w, -1) for part in (*facets, token))
    return Facets(*maps, attention[:, 0, 1:].reshape(HEADS, h, w))


def patchify(image: ArrayLike) -> NDArray[np.float32]:
    """(H, W, 3) photo -> (H // 8, W // 8, 3 * 8 * 8), normalized; each row is ordered by channel, then y, then x.

    Raises
    ------
    ValueError
        If the image is no color photo of at least 8 x 8 pixels, or holds floats outside 0..1.
    """
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or min(image.shape[:2]) < PATCH:
        raise ValueError(f"image must have shape (H, W, 3) of at least {PATCH} x {PATCH} pixels, got {image.shape}")
    if image.dtype == np.uint8:
        image = image.astype(np.float32) / 255
    elif not (np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1):
        raise ValueError("image must hold uint8, or floats in 0..1; divide photos in 0..255 by 255")
    h, w = image.shape[0] // PATCH, image.shape[1] // PATCH
    image = (image[: h * PATCH, : w * PATCH].astype(np.float32) - MEAN) / STD
    return image.reshape(h, PATCH, w, PATCH, 3).transpose(0, 2, 4, 1, 3).reshape(h, w, -1)


def interpolation(size: int, old: int) -> NDArray[np.float32]:
    """Matrix (size, old) that resamples `old` values to `size` by cubic convolution, anti-aliased when it shrinks.

    Keys' kernel with a = -1/2, half-pixel centers, weights at the border renormalized: what PyTorch does for
    ``mode="bicubic", antialias=True``.

    Examples
    --------
    >>> interpolation(2, 2)
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    scale = old / size
    support = max(scale, 1.0)  # in old samples
    centers = (np.arange(size) + 0.5) * scale
    u = np.abs((np.arange(old) + 0.5 - centers[:, None]) / support)
    near, far = (1.5 * u - 2.5) * u * u + 1, ((-0.5 * u + 2.5) * u - 4) * u + 2
    kernel = np.where(u < 1, near, np.where(u < 2, far, 0.0))
    return (kernel / kernel.sum(axis=1, keepdims=True)).astype(np.float32)


def _block(x: NDArray, p: Weights) -> tuple[NDArray, tuple[NDArray, NDArray, NDArray], NDArray]:
    """One transformer block: (t, d) -> (t, d), with query, key, value (t, d) and attention (a, t, t)."""
    t, d = x.shape
    qkv = _linear(_norm(x, p["norm1.weight"], p["norm1.bias"]), p["attn.qkv.weight"], p["attn.qkv.bias"])
    query, key, value = np.split(qkv, 3, axis=1)
    q, k, v = (part.reshape(t, HEADS, d // HEADS).transpose(1, 0, 2) for part in (query, key, value))  # (a, t, d / a)
    scores = q @ k.transpose(0, 2, 1) / np.float32(np.sqrt(d / HEADS))
    scores = np.exp(scores - scores.max(axis=2, keepdims=True))
    attention = scores / scores.sum(axis=2, keepdims=True)
    mixed = (attention @ v).transpose(1, 0, 2).reshape(t, d)
    x = x + _linear(mixed, p["attn.proj.weight"], p["attn.proj.bias"])
    hidden = _linear(_norm(x, p["norm2.weight"], p["norm2.bias"]), p["mlp.fc1.weight"], p["mlp.fc1.bias"])
    hidden = hidden * (1 + erf(hidden / np.float32(np.sqrt(2)))) / 2  # GELU
    return x + _linear(hidden, p["mlp.fc2.weight"], p["mlp.fc2.bias"]), (query, key, value), attention


def _linear(x: NDArray, weight: NDArray, bias: NDArray) -> NDArray:
    return x @ weight.T + bias


def _norm(x: NDArray, weight: NDArray, bias: NDArray) -> NDArray:
    """LayerNorm over the features of each token."""
    x = x - x.mean(axis=1, keepdims=True)
    return x / np.sqrt((x**2).mean(axis=1, keepdims=True) + np.float32(1e-6)) * weight + bias


def _flat(kernel: NDArray) -> NDArray:
    """(d, 3, 8, 8) -> (d, 192): a convolution whose step is its size is a product with each patch."""
    return kernel.reshape(len(kernel), -1)
