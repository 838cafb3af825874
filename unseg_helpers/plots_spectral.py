"""Pictures of graphs and their eigenvectors: signed maps, heat maps, boxes, small graphs, spectra.

Notation: h x w patches; H x W pixels; a *box* is (x0, y0, x1, y1) in pixels, x to the right, y down, x1 and y1
exclusive. Zero is white in a signed map and black in a heat map. ``signed_colors``, ``heat_colors``, ``enlarge``,
``patch_box``, ``draw_box`` and ``cut_out`` need NumPy only; matplotlib is imported by the functions that draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unseg_helpers import plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NEGATIVE, POSITIVE = plots.PALETTE[4], plots.PALETTE[5]  # blue and vermilion: told apart by every kind of color vision
GROUND = (35, 60, 150)  # what is not in a mask fades to this blue
_HEAT = np.array([[0, 0, 0], [60, 15, 90], [175, 50, 90], [245, 140, 45], [255, 245, 200]], dtype=np.float64)


def signed_colors(values: ArrayLike, *, limit: float | None = None) -> NDArray[np.uint8]:
    """Paint an array of numbers with a sign: blue below zero, white at zero, vermilion above.

    Parameters
    ----------
    values : array of any shape
        Finite numbers, such as an eigenvector of shape (h, w).
    limit : float, optional
        Absolute value that gets the full color; larger ones get it too. The largest absolute value when None.

    Returns
    -------
    array of shape (\\*values.shape, 3), uint8

    Raises
    ------
    ValueError
        If a value is not finite, or ``limit`` is not positive.

    Examples
    --------
    >>> signed_colors([-2.0, 0.0, 1.0]).tolist()
    [[0, 114, 178], [255, 255, 255], [234, 174, 128]]
    """
    v = _finite(values)
    if limit is None:
        limit = float(np.abs(v).max(initial=0.0)) or 1.0
    if not limit > 0:
        raise ValueError(f"limit must be above 0, got {limit}")
    share = np.clip(v / limit, -1, 1)[..., None]
    full = np.where(share < 0, NEGATIVE, POSITIVE).astype(np.float64)
    return np.rint(255 + np.abs(share) * (full - 255)).astype(np.uint8)


def heat_colors(values: ArrayLike, *, low: float = 0.0, high: float | None = None) -> NDArray[np.uint8]:
    """Paint an array of numbers from black over red and orange to pale yellow, lighter where larger.

    Parameters
    ----------
    values : array of any shape
        Finite numbers, such as a row of an affinity matrix of shape (h, w).
    low : float
        What is black; smaller values are black too.
    high : float, optional
        What is pale yellow; larger values are so too. The largest value when None.

    Returns
    -------
    array of shape (\\*values.shape, 3), uint8

    Raises
    ------
    ValueError
        If a value is not finite, or ``high`` is not above ``low``.

    Examples
    --------
    >>> heat_colors([0.0, 0.5, 1.0]).tolist()
    [[0, 0, 0], [175, 50, 90], [255, 245, 200]]
    """
    v = _finite(values)
    if high is None:
        largest = float(v.max(initial=low))
        high = largest if largest > low else low + 1.0
    if not high > low:
        raise ValueError(f"high must be above low={low}, got {high}")
    at = np.clip((v - low) / (high - low), 0, 1) * (len(_HEAT) - 1)
    below = np.minimum(at.astype(int), len(_HEAT) - 2)
    part = (at - below)[..., None]
    return np.rint((1 - part) * _HEAT[below] + part * _HEAT[below + 1]).astype(np.uint8)


def enlarge(grid: ArrayLike, image_size: tuple[int, int]) -> NDArray:
    """Spread a map of patches over the pixels, every pixel with the value of its patch: the blocks stay visible.

    Parameters
    ----------
    grid : array of shape (h, w) or (h, w, c)
        Any type.
    image_size : (int, int)
        H and W in pixels, at least h and w.

    Returns
    -------
    array of shape (H, W) or (H, W, c)
        Of the type of ``grid``. Where H is no multiple of h, some patches have a row of pixels more than others.

    Raises
    ------
    ValueError
        If ``grid`` has another number of axes, or more patches than the image has pixels.

    Examples
    --------
    >>> enlarge([[1, 2]], (2, 4)).tolist()
    [[1, 1, 2, 2], [1, 1, 2, 2]]
    """
    grid = np.asarray(grid)
    height, width = image_size
    if grid.ndim not in (2, 3) or grid.size == 0:
        raise ValueError(f"grid must have shape (h, w) or (h, w, c), got {grid.shape}; a vector needs .reshape(h, w)")
    h, w = grid.shape[:2]
    if height < h or width < w:
        raise ValueError(f"image_size must be at least (h, w) = ({h}, {w}), got {(height, width)}")
    rows = np.arange(height) * h // height
    cols = np.arange(width) * w // width
    return grid[rows[:, None], cols]


def patch_box(at: tuple[int, int], grid_size: tuple[int, int], image_size: tuple[int, int]) -> tuple[int, ...]:
    """Pixels of one patch, as a box.

    Parameters
    ----------
    at : (int, int)
        Row and column of the patch.
    grid_size : (int, int)
        h and w.
    image_size : (int, int)
        H and W in pixels.

    Returns
    -------
    (int, int, int, int)
        x0, y0, x1, y1 in pixels, x1 and y1 exclusive.

    Raises
    ------
    ValueError
        If there is no such patch.

    Examples
    --------
    >>> patch_box((0, 2), (2, 4), (16, 32))
    (16, 0, 24, 8)
    """
    (row, col), (h, w), (height, width) = at, grid_size, image_size
    if not (0 <= row < h and 0 <= col < w):
        raise ValueError(f"at must be a row below {h} and a column below {w}, got {tuple(at)}")
    # -(-a // b): the first pixel of a patch in `enlarge`, where patches are not all of one size
    edges = [-(-i * height // h) for i in (row, row + 1)], [-(-j * width // w) for j in (col, col + 1)]
    return int(edges[1][0]), int(edges[0][0]), int(edges[1][1]), int(edges[0][1])


def draw_box(
    image: ArrayLike, box: Sequence[int], *, color: Sequence[int] = (255, 255, 255), width: int = 2
) -> NDArray[np.uint8]:
    """Draw the outline of a box into a copy of a photo, with a dark rim so that it is seen on any ground.

    Parameters
    ----------
    image : uint8 array of shape (H, W, 3)
    box : (int, int, int, int)
        x0, y0, x1, y1 in pixels, x1 and y1 exclusive; cut to the image.
    color : RGB triple
    width : int
        Thickness of the line in pixels, at least 1; it lies inside the box, the rim of one pixel outside and inside.

    Returns
    -------
    array of shape (H, W, 3), uint8

    Raises
    ------
    ValueError
        If ``image`` is no uint8 photo, the box is empty, or ``width`` is below 1.

    Examples
    --------
    >>> draw_box(np.full((3, 3, 3), 9, np.uint8), (1, 1, 2, 2), width=1)[:, :, 0].tolist()
    [[0, 0, 0], [0, 255, 0], [0, 0, 0]]
    """
    drawn = _photo(image).copy()
    x0, y0, x1, y1 = (int(value) for value in box)
    if not (x0 < x1 and y0 < y1):
        raise ValueError(f"box must be (x0, y0, x1, y1) with x0 < x1 and y0 < y1, got {tuple(box)}")
    if width < 1:
        raise ValueError(f"width must be at least 1, got {width}")
    for inset, thickness, paint in ((-1, width + 2, (0, 0, 0)), (0, width, color)):
        left, top, right, bottom = x0 + inset, y0 + inset, x1 - inset, y1 - inset
        outside = _inside(drawn.shape[:2], left, top, right, bottom)
        inner = _inside(drawn.shape[:2], left + thickness, top + thickness, right - thickness, bottom - thickness)
        drawn[outside & ~inner] = paint
    return drawn


def cut_out(
    image: ArrayLike, mask: ArrayLike, *, keep: float = 0.3, ground: Sequence[int] = GROUND
) -> NDArray[np.uint8]:
    """Show a photo inside a mask, and tint it elsewhere: in a color that few objects have, dark or bright.

    Parameters
    ----------
    image : uint8 array of shape (H, W, 3)
    mask : array of shape (H, W)
        Bool, or float from 0 to 1 for a soft mask.
    keep : float
        How much of the photo is left where the mask is 0, from 0 (the tint only) to 1 (the photo only).
    ground : RGB triple
        The tint.

    Returns
    -------
    array of shape (H, W, 3), uint8

    Raises
    ------
    ValueError
        If the sizes differ, or a value lies outside 0..1.

    Examples
    --------
    >>> cut_out(np.full((1, 2, 3), 100, np.uint8), [[True, False]], keep=0.5, ground=(0, 0, 0))[0, :, 0].tolist()
    [100, 50]
    """
    photo = _photo(image)
    mask = _finite(mask)
    if mask.shape != photo.shape[:2]:
        raise ValueError(
            f"mask must have the size of image, {photo.shape[:2]}, got {mask.shape}; "
            "a mask of patches needs enlarge(mask, image_size)"
        )
    if not 0 <= keep <= 1 or (mask.size and not (mask.min() >= 0 and mask.max() <= 1)):
        raise ValueError(f"keep and mask must lie in 0..1, got keep={keep} and mask {mask.min():.4g}..{mask.max():.4g}")
    share = keep + (1 - keep) * mask[..., None]  # of the photo
    return np.rint(share * photo + (1 - share) * np.asarray(ground, dtype=np.float64)).astype(np.uint8)


def draw_graph(
    w: ArrayLike,
    places: ArrayLike,
    *,
    values: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    sides: ArrayLike | None = None,
    weights: bool = False,
    ax: Axes | None = None,
    title: str | None = None,
    size: float = 420.0,
) -> Axes:
    """Draw a weighted graph: thicker lines for larger weights, nodes in signed colors, cut edges dashed.

    Parameters
    ----------
    w : array of shape (n, n)
        Symmetric, not negative. The diagonal is not drawn.
    places : array of shape (n, 2)
        x and y of each node.
    values : array of shape (n,), optional
        Paint the nodes with ``signed_colors``; white when None.
    names : list of str, optional
        Text in each node; 1, 2, ... when None.
    sides : bool array of shape (n,), optional
        A bipartition: edges between its sides are dashed, and the nodes of the True side are squares.
    weights : bool
        Write the weight beside each edge.
    ax : matplotlib Axes, optional
    title : str, optional
    size : float
        Area of a node in square points.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        If ``w`` is not symmetric, or a shape does not fit it.
    """
    w, places = _finite(w), np.asarray(places, dtype=np.float64)
    n = len(w)
    if w.shape != (n, n) or not np.allclose(w, w.T) or (w < 0).any():
        raise ValueError(f"w must be a symmetric (n, n) array of weights >= 0, got shape {w.shape}")
    if places.shape != (n, 2):
        raise ValueError(f"places must have shape (n, 2) = ({n}, 2), got {places.shape}")
    values = None if values is None else _finite(values)
    for name, given in {"values": values, "names": names, "sides": sides}.items():
        if given is not None and np.shape(given) != (n,):
            raise ValueError(f"{name} must have one entry for each of {n} nodes, got shape {np.shape(given)}")
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(3.6, 2.6), layout="constrained")
    side = np.zeros(n, bool) if sides is None else np.asarray(sides, bool)
    names = [str(i + 1) for i in range(n)] if names is None else list(names)
    colors = np.full((n, 3), 255, np.uint8) if values is None else signed_colors(values)
    heaviest = (w - np.diag(w.diagonal())).max(initial=0.0) or 1.0
    for i, j in zip(*np.nonzero(np.triu(w, 1)), strict=True):
        ax.plot(
            *places[[i, j]].T,
            color="0.25",
            linewidth=0.6 + 3.4 * w[i, j] / heaviest,
            linestyle=(0, (2, 1.6)) if side[i] != side[j] else "-",
            zorder=1,
        )
        if weights:
            middle = places[[i, j]].mean(axis=0)
            box = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
            ax.text(*middle, f"{w[i, j]:g}", ha="center", va="center", fontsize=7, bbox=box, zorder=2)
    for marker, some in (("o", ~side), ("s", side)):
        ax.scatter(
            *places[some].T, s=size, c=colors[some] / 255, marker=marker, edgecolors="black", linewidths=1.2, zorder=3
        )
    for place, name, color in zip(places, names, colors, strict=True):
        dark = color @ (0.299, 0.587, 0.114) < 140
        ax.text(*place, name, ha="center", va="center", fontsize=8, color="white" if dark else "black", zorder=4)
    ax.margins(0.18)
    ax.set_axis_off()
    if title:
        ax.set_title(title, fontsize=9)
    return ax


def draw_spectrum(
    values: ArrayLike,
    *,
    chosen: int | None = None,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw eigenvalues in their order, and the gap that chooses a number of segments.

    Parameters
    ----------
    values : array of shape (k,)
        Eigenvalues, ascending.
    chosen : int, optional
        Number of segments: the gap between eigenvalue number `chosen` and the next is shaded.
    ax : matplotlib Axes, optional
    title : str, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        If the values do not ascend, or ``chosen`` has no gap among them.
    """
    values = _finite(values)
    if values.ndim != 1 or len(values) < 2 or (np.diff(values) < -1e-6).any():
        raise ValueError(f"values must be 2 or more eigenvalues in ascending order, got shape {values.shape}")
    if chosen is not None and not 1 <= chosen < len(values):
        raise ValueError(f"chosen must be between 1 and {len(values) - 1} for {len(values)} eigenvalues, got {chosen}")
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(3.4, 2.6), layout="constrained")
    number = np.arange(1, len(values) + 1)
    ax.plot(number, values, "o", color=NEGATIVE / 255, markersize=5)
    if chosen is not None:
        low, high = values[chosen - 1], values[chosen]
        ax.axhspan(low, high, color=POSITIVE / 255, alpha=0.25, linewidth=0)
        ax.annotate(
            f"gap after {chosen}", (len(values), (low + high) / 2), fontsize=8, ha="right", va="center", color="black"
        )
    ax.set(xlabel="number", ylabel="eigenvalue μ")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=7)
    if title:
        ax.set_title(title, fontsize=9)
    return ax


def _inside(shape: tuple[int, int], x0: int, y0: int, x1: int, y1: int) -> NDArray[np.bool_]:
    """Pixels of a box that may reach beyond the image or be empty."""
    mask = np.zeros(shape, bool)
    mask[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = True
    return mask


def _photo(image: ArrayLike) -> NDArray[np.uint8]:
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"image must be uint8 of shape (H, W, 3), got {image.dtype} of shape {image.shape}")
    return image


def _finite(values: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(values, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("values must be finite, got NaN or infinity")
    return values
