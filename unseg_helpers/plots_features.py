"""Pictures of patch features: heat maps, patch grids, crops, two diagrams, and sentences that describe maps.

Notation: an image of H x W pixels is cut into a *grid* of h x w patches; d features for each patch. ``heat``,
``enlarge``, ``lay_over``, ``patch_lines``, ``self_similarity``, ``patch_labels`` and ``random_crops`` need NumPy only;
matplotlib is imported by the functions that draw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unseg_helpers import plots

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# From black over blue, pink and orange to white: lightness rises all the way, so that the order is seen without colors,
# and the way leads from blue to yellow, which eyes that lack red or green tell apart.
_STOPS = np.array(
    [[0, 0, 0], [26, 32, 96], [74, 64, 160], [168, 88, 150], [226, 128, 84], [244, 194, 86], [255, 252, 222]]
)

MARK = (0, 230, 255)  # frame of a chosen patch: no heat has this color


class Crop(NamedTuple):
    """A rectangle of an image: rows y0 to y1 and columns x0 to x1 (ends not included), and what it is for."""

    y0: int
    x0: int
    y1: int
    x1: int
    kind: str


def heat_colors(n: int = 256) -> NDArray[np.uint8]:
    """Colors of the heat maps, from the lowest value (black) to the highest (nearly white).

    Parameters
    ----------
    n : int
        How many, at least 2.

    Returns
    -------
    array of shape (n, 3), uint8

    Raises
    ------
    ValueError
        If ``n`` is below 2.

    Examples
    --------
    >>> heat_colors(3).tolist()
    [[0, 0, 0], [168, 88, 150], [255, 252, 222]]
    """
    if n < 2:
        raise ValueError(f"n must be 2 or more, got {n}")
    at = np.linspace(0, len(_STOPS) - 1, n)
    colors = [np.interp(at, np.arange(len(_STOPS)), _STOPS[:, channel]) for channel in range(3)]
    return np.rint(np.stack(colors, axis=1)).astype(np.uint8)


def heat(values: ArrayLike, *, low: float | None = None, high: float | None = None) -> NDArray[np.uint8]:
    """Turn a map of numbers into a picture: black for the lowest value, then blue, pink, orange, white.

    Parameters
    ----------
    values : array of shape (h, w)
        Finite numbers.
    low, high : float, optional
        Values of black and of white; the smallest and the largest value when None. Give both to compare maps.

    Returns
    -------
    array of shape (h, w, 3), uint8
        Values outside are drawn as the ends. A constant map without ``low`` and ``high`` is black.

    Raises
    ------
    ValueError
        If ``values`` is not a finite (h, w) array, or ``high`` is not above ``low``.

    Examples
    --------
    >>> heat([[0.0, 1.0]])[0].tolist()
    [[0, 0, 0], [255, 252, 222]]
    """
    values = _map(values)
    if low is not None and high is not None and not high > low:
        raise ValueError(f"high must be above low, got low={low} and high={high}")
    bottom = float(values.min()) if low is None else float(low)
    top = float(values.max()) if high is None else float(high)
    share = np.clip((values - bottom) / (top - bottom), 0, 1) if top > bottom else np.zeros_like(values)
    return heat_colors()[np.rint(255 * share).astype(np.intp)]


def enlarge(grid: ArrayLike, size: tuple[int, int]) -> NDArray:
    """Paint each patch of a grid over the pixels that it covers, without smoothing.

    Parameters
    ----------
    grid : array of shape (h, w) or (h, w, c)
        One value or one color for each patch.
    size : (H, W)
        Pixels of the result, such as ``PatchFeatures.image_size``.

    Returns
    -------
    array of shape (H, W) or (H, W, c)

    Raises
    ------
    ValueError
        If ``grid`` has neither two nor three axes, or ``size`` is smaller than the grid.

    Examples
    --------
    >>> enlarge([[1, 2]], (2, 4)).tolist()
    [[1, 1, 2, 2], [1, 1, 2, 2]]
    """
    grid = np.asarray(grid)
    if grid.ndim not in (2, 3) or grid.size == 0:
        raise ValueError(f"grid must have shape (h, w) or (h, w, c), got {grid.shape}")
    h, w = grid.shape[:2]
    height, width = (int(side) for side in size)
    if height < h or width < w:
        raise ValueError(f"size must be at least that of the grid, ({h}, {w}), got {(height, width)}")
    rows = np.arange(height) * h // height
    columns = np.arange(width) * w // width
    return grid[rows[:, None], columns]


def lay_over(
    image: ArrayLike,
    values: ArrayLike,
    *,
    low: float | None = None,
    high: float | None = None,
    alpha: float = 0.7,
) -> NDArray[np.uint8]:
    """Lay the heat map of a patch grid over the photo in gray.

    Parameters
    ----------
    image : uint8 array of shape (H, W, 3)
        What the grid covers: cut the photo to ``PatchFeatures.image_size`` first.
    values : array of shape (h, w)
        One number for each patch.
    low, high : float, optional
        As in ``heat``.
    alpha : float
        Weight of the heat, from 0 (photo only) to 1 (heat only).

    Returns
    -------
    array of shape (H, W, 3), uint8

    Raises
    ------
    ValueError
        If a shape is wrong or ``alpha`` is outside [0, 1].

    Examples
    --------
    >>> lay_over(np.full((2, 2, 3), 100, np.uint8), [[0.0, 1.0]], alpha=0.5)[0].tolist()
    [[50, 50, 50], [178, 176, 161]]
    """
    image = _photo(image)
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be between 0 and 1, got {alpha}")
    colors = enlarge(heat(values, low=low, high=high), image.shape[:2])
    gray = image @ np.array([0.299, 0.587, 0.114])  # weights of television: how light a color looks
    return np.rint((1 - alpha) * gray[..., None] + alpha * colors).astype(np.uint8)


def patch_lines(
    image: ArrayLike,
    grid: tuple[int, int],
    *,
    chosen: Sequence[tuple[int, int]] = (),
    lines: bool = True,
) -> NDArray[np.uint8]:
    """Draw the borders of the patches into a photo, and a bright frame around chosen ones.

    Parameters
    ----------
    image : uint8 array of shape (H, W, 3)
    grid : (h, w)
        Numbers of patches.
    chosen : sequence of (row, column)
        Patches to frame.
    lines : bool
        Draw the borders of all patches.

    Returns
    -------
    array of shape (H, W, 3), uint8

    Raises
    ------
    ValueError
        If the image is no photo, has fewer pixels than patches, or a chosen patch is outside the grid.
    """
    drawn = _photo(image).copy()
    (height, width), (h, w) = drawn.shape[:2], grid
    if not (1 <= h <= height and 1 <= w <= width):
        raise ValueError(f"grid must have 1 to {height} rows and 1 to {width} columns of patches, got {tuple(grid)}")
    # Row i of the grid begins at the first pixel y with y h // H = i, as in `enlarge`.
    rows = -(-np.arange(h + 1) * height // h)
    columns = -(-np.arange(w + 1) * width // w)
    if lines:
        drawn[rows[1:-1]] = 255
        drawn[:, columns[1:-1]] = 255
    thick = max(1, round(min(height / h, width / w) / 5))
    for row, column in chosen:
        if not (0 <= row < h and 0 <= column < w):
            raise ValueError(f"chosen patch ({row}, {column}) is outside the grid of {h} x {w}; it is (row, column)")
        y0, y1, x0, x1 = rows[row], rows[row + 1], columns[column], columns[column + 1]
        inside = drawn[y0:y1, x0:x1].copy()
        frame = slice(max(0, y0 - thick), y1 + thick), slice(max(0, x0 - thick), x1 + thick)
        drawn[frame] = MARK
        drawn[y0:y1, x0:x1] = inside
    return drawn


def self_similarity(features: ArrayLike, patch: tuple[int, int]) -> NDArray[np.float64]:
    """Cosine between one patch and each patch of the same image.

    Parameters
    ----------
    features : array of shape (h, w, d)
    patch : (row, column)

    Returns
    -------
    array of shape (h, w)
        Between -1 and 1; 1 at the patch itself. A patch whose features are all 0 is at 0 from all.

    Raises
    ------
    ValueError
        If ``features`` is not (h, w, d) or the patch is outside.

    Examples
    --------
    >>> self_similarity([[[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]]], (0, 0)).round(2).tolist()
    [[1.0, 0.0, 0.71]]
    """
    unit = unit_rows(features)
    h, w = unit.shape[:2]
    row, column = patch
    if not (0 <= row < h and 0 <= column < w):
        raise ValueError(f"patch must be (row, column) in a grid of {h} x {w}, got {tuple(patch)}")
    return np.clip(unit @ unit[row, column], -1, 1)


def unit_rows(features: ArrayLike) -> NDArray[np.float64]:
    """Divide the features of each patch by their length; all-zero ones stay zero: (h, w, d) -> (h, w, d).

    Parameters
    ----------
    features : array of shape (h, w, d)

    Returns
    -------
    array of shape (h, w, d), float64

    Raises
    ------
    ValueError
        If ``features`` is not (h, w, d) or not finite.

    Examples
    --------
    >>> unit_rows([[[3.0, 4.0]]]).tolist()
    [[[0.6, 0.8]]]
    """
    x = np.asarray(features, dtype=np.float64)
    if x.ndim != 3 or x.size == 0:
        raise ValueError(f"features must have shape (h, w, d), got {x.shape}; rows of patches need .reshape(h, w, -1)")
    if not np.isfinite(x).all():
        raise ValueError("features must be finite, got NaN or infinity")
    length = np.linalg.norm(x, axis=2, keepdims=True)
    return x / np.where(length > 0, length, 1.0)


def patch_labels(labels: ArrayLike, grid: tuple[int, int]) -> NDArray[np.int64]:
    """The label that most pixels of each patch have: (H, W) -> (h, w); the smallest of several that are as frequent.

    Parameters
    ----------
    labels : integer array of shape (H, W)
        At least 0.
    grid : (h, w)

    Returns
    -------
    array of shape (h, w)

    Raises
    ------
    ValueError
        If ``labels`` is not such an array, or smaller than the grid.

    Examples
    --------
    >>> patch_labels([[0, 0, 3], [0, 1, 3]], (1, 1)).tolist()
    [[0]]
    """
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.dtype.kind not in "iub" or labels.size == 0 or labels.min() < 0:
        raise ValueError(f"labels must be integers from 0 of shape (H, W), got {labels.dtype} of {labels.shape}")
    (height, width), (h, w) = labels.shape, grid
    if not (1 <= h <= height and 1 <= w <= width):
        raise ValueError(f"grid must have 1 to {height} rows and 1 to {width} columns, got {tuple(grid)}")
    k = int(labels.max()) + 1
    cell = (np.arange(height) * h // height)[:, None] * w + np.arange(width) * w // width  # as in `enlarge`
    counts = np.bincount((cell * k + labels).ravel(), minlength=h * w * k).reshape(h, w, k)
    return counts.argmax(axis=2)


def random_crops(
    size: tuple[int, int],
    *,
    n_global: int = 2,
    n_local: int = 6,
    scale: tuple[float, float, float] = (0.05, 0.4, 1.0),
    rng: np.random.Generator | int | None = None,
) -> list[Crop]:
    """Draw the rectangles of a multi-crop: a few large ones, and many small ones.

    The share of the area is uniform between its limits, the ratio of the sides between 3/4 and 4/3; what does not fit
    into the image is drawn anew.

    Parameters
    ----------
    size : (H, W)
        Of the image, in pixels.
    n_global, n_local : int
        How many of each.
    scale : (smallest, between, largest)
        Local crops have a share of the area from ``smallest`` to ``between``, global ones from there to ``largest``.
    rng : Generator, int or None

    Returns
    -------
    list of Crop
        Global ones first.

    Raises
    ------
    ValueError
        If the limits do not rise within 0..1.

    Examples
    --------
    >>> [crop.kind for crop in random_crops((60, 90), n_local=1, rng=0)]
    ['global', 'global', 'local']
    """
    smallest, between, largest = scale
    if not 0 < smallest < between < largest <= 1:
        raise ValueError(f"scale must rise within 0..1 as (0.05, 0.4, 1.0) does, got {tuple(scale)}")
    height, width = size
    rng = np.random.default_rng(rng)
    crops = []
    for kind, count, low, high in (("global", n_global, between, largest), ("local", n_local, smallest, between)):
        for _ in range(count):
            for _ in range(100):
                area = rng.uniform(low, high) * height * width
                ratio = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
                h, w = round(np.sqrt(area / ratio)), round(np.sqrt(area * ratio))
                if 1 <= h <= height and 1 <= w <= width:
                    break
            else:  # a very long image: the largest square that fits
                h = w = min(height, width)
            y, x = int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1))
            crops.append(Crop(y, x, y + h, x + w, kind))
    return crops


def draw_crops(image: ArrayLike, crops: Sequence[Crop], *, width: float = 7.0) -> Figure:
    """Draw the crops of one photo: where they are, and what each network sees of it.

    Parameters
    ----------
    image : uint8 array of shape (H, W, 3)
    crops : sequence of Crop
        Solid frames for "global" ones, dashed for "local" ones.
    width : float
        Of the figure, in inches.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    ValueError
        If there is no crop, or the image is no photo.
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    image = _photo(image)
    if not crops:
        raise ValueError("crops is empty; draw some with random_crops(image.shape[:2])")
    wide = [crop for crop in crops if crop.kind == "global"]
    small = [crop for crop in crops if crop.kind != "global"]
    columns = max(len(small) + 1 >> 1, 1)
    fig = plt.figure(figsize=(width, 0.42 * width), layout="constrained")
    left, middle, right = fig.subfigures(1, 3, width_ratios=(1.55, 0.9, 0.45 * columns))
    ax = left.subplots()
    plots._show(ax, image, "one photo, many views")
    for crop in crops:
        color, dash = (plots.PALETTE[0], "-") if crop.kind == "global" else (plots.PALETTE[1], "--")
        box = (crop.x0, crop.y0), crop.x1 - crop.x0, crop.y1 - crop.y0
        ax.add_patch(Rectangle(*box, fill=False, edgecolor="black", linewidth=2.4))  # a rim, for any background
        ax.add_patch(Rectangle(*box, fill=False, edgecolor=color / 255, linewidth=1.4, linestyle=dash))
    for part, some, cols, title in (
        (middle, wide, 1, "global: both networks"),
        (right, small, columns, "local: student only"),
    ):
        if not some:
            continue
        rows = -(-len(some) // cols)
        axes = part.subplots(rows, cols, squeeze=False).ravel()
        part.suptitle(title, fontsize=9)
        for ax in axes:
            ax.set_axis_off()
        for ax, crop in zip(axes, some, strict=False):
            ax.imshow(image[crop.y0 : crop.y1, crop.x0 : crop.x1], aspect="auto", interpolation="bilinear")
            ax.set_box_aspect(1)  # every crop is resized to a square
    return fig


def draw_vit(image: ArrayLike, grid: tuple[int, int] = (4, 6), *, width: float = 7.0) -> Figure:
    """Draw the way of a photo through a vision transformer: patches, tokens, blocks, and the four facets.

    Parameters
    ----------
    image : uint8 array of shape (H, W, 3)
    grid : (h, w)
        Patches of the drawing; far fewer than a real network has, so that they are seen.
    width : float
        In inches.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    ValueError
        If the image is no photo, or smaller than the grid.
    """
    import matplotlib.pyplot as plt

    image = _photo(image)
    cut = patch_lines(image, grid)
    (h, w), (height, wide) = grid, image.shape[:2]
    rows, columns = -(-np.arange(h + 1) * height // h), -(-np.arange(w + 1) * wide // w)
    fig, ax = plt.subplots(figsize=(width, 0.44 * width), layout="constrained")
    ax.set(xlim=(0, 100), ylim=(0, 44), aspect="equal")
    ax.set_axis_off()
    tall = 22 * height / wide
    ax.imshow(cut, extent=(0, 22, 22 - tall / 2, 22 + tall / 2), interpolation="bilinear", zorder=2)
    ax.text(11, 23.5 + tall / 2, f"{h} × {w} patches", ha="center", fontsize=8)

    shown = [(r, c) for r in range(h) for c in range(w)][:3] + [(h - 1, w - 1)]
    boxes = [("CLS", None), *((f"patch {i + 1}" if i < 3 else "last patch", at) for i, at in enumerate(shown))]
    for i, (name, at) in enumerate(boxes):
        y = 34 - 7.2 * i - (2.2 if i == 4 else 0)
        if at is not None:
            piece = image[rows[at[0]] : rows[at[0] + 1], columns[at[1]] : columns[at[1] + 1]]
            ax.imshow(piece, extent=(27, 32, y, y + 5), zorder=2, aspect="auto")
        _box(ax, 35.5, y, 9, 5, name, 1 if at is not None else 0, size=6.5)
        if at is not None:
            _arrow(ax, 32.2, y + 2.5, 35.2, y + 2.5)
        _arrow(ax, 44.8, y + 2.5, 48.2, y + 2.5)
    ax.text(40, 10.2, "⋮", ha="center", va="center", fontsize=9)
    ax.text(37.5, 41.6, "tokens, with positions", ha="center", fontsize=8)
    for i, name in enumerate(("block 1", "…", "last block")):
        _box(ax, 48.5 + 9.2 * i, 3.2, 7.6, 36, name, 2, size=7, turn=90)
        if i:
            _arrow(ax, 47.0 + 9.2 * i, 21.2, 48.3 + 9.2 * i, 21.2)
    ax.text(61.5, 41.6, "attention, small network", ha="center", fontsize=8)
    for i, (name, color) in enumerate((("query", 4), ("key", 5), ("value", 6), ("token", 7))):
        y = 32 - 9.4 * i
        _box(ax, 82, y, 17, 6, name, color, size=8)
        _arrow(ax, 74.8, y + 3, 81.7, y + 3)
    ax.text(90.5, 41.6, "four facets", ha="center", fontsize=8)
    return fig


def draw_dino(*, width: float = 7.0) -> Figure:
    """Draw the loop of DINO: two views, student and teacher, centering, sharpening, loss, and what flows back.

    Parameters
    ----------
    width : float
        In inches.

    Returns
    -------
    matplotlib Figure
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(width, 0.36 * width), layout="constrained")
    ax.set(xlim=(0, 100), ylim=(0, 36), aspect="equal")
    ax.set_axis_off()
    _box(ax, 0, 14, 10, 8, "photo", None)
    for y, name, color, view in (
        (25, "student\n$g_s$", 1, "any view\n$x'$"),
        (3, "teacher\n$g_t$", 0, "global\nview $x$"),
    ):
        _box(ax, 15, y, 13, 8, view, None)
        _box(ax, 33, y, 15, 8, name, color)
        _arrow(ax, 28.2, y + 4, 32.8, y + 4)
    _arrow(ax, 10.2, 19.5, 14.8, 27.5)
    _arrow(ax, 10.2, 16.5, 14.8, 8.5)
    _box(ax, 53, 3, 12, 8, "center\n$-\\,c$", 6)
    _box(ax, 70, 3, 13, 8, "sharpen\n$\\div\\,\\tau_t$", 3)
    _box(ax, 70, 25, 13, 8, "soften\n$\\div\\,\\tau_s$", 3)
    _arrow(ax, 48.2, 29, 69.8, 29)
    _arrow(ax, 48.2, 7, 52.8, 7)
    _arrow(ax, 65.2, 7, 69.8, 7)
    _box(ax, 85, 14, 15, 8, "cross-entropy\n$H(p_t, p_s)$", 2)
    _arrow(ax, 83.2, 29, 91, 22.3)
    _arrow(ax, 83.2, 7, 91, 13.7)
    ax.text(90, 29.5, "$p_s$", fontsize=9)
    ax.text(90, 6.0, "$p_t$", fontsize=9)
    _arrow(ax, 40.5, 24.8, 40.5, 11.2, dashed=True)
    ax.text(41.6, 18, "moving average\nof the weights", fontsize=7.5, va="center")
    _arrow(ax, 84.8, 19, 48.2, 26.2, color=plots.PALETTE[5] / 255)
    ax.text(71, 16.6, "gradient: to the student only", fontsize=7.5, ha="center", va="center")
    return fig


def training_log(path: str | Path) -> dict[str, NDArray[np.float64]]:
    """Read the log of a training run: one column for each name in its first line.

    Parameters
    ----------
    path : path
        A file of comma-separated numbers with a line of names, such as ``log.csv`` of ``minidino.train``.

    Returns
    -------
    dict of name -> array of shape (rows,)

    Raises
    ------
    ValueError
        If the file has no rows of numbers below its names, or a row of another length.
    """
    import csv

    with open(path, newline="") as file:
        names, *rows = [row for row in csv.reader(file) if row]
    if not rows or any(len(row) != len(names) for row in rows):
        raise ValueError(f"{path} must have a line of names, and below it rows of {len(names)} numbers each")
    columns = np.array(rows, dtype=np.float64).T
    return dict(zip(names, columns, strict=True))


def draw_training(log: Mapping[str, ArrayLike], *, n_outputs: int, width: float = 7.0) -> Figure:
    """Draw a run of DINO: its loss, the two entropies that show a collapse, and the accuracy of nearest neighbors.

    Parameters
    ----------
    log : dict of name -> array of shape (rows,)
        With "epochs", "loss", "teacher_entropy", "used_entropy" and "knn" (NaN where it was not measured).
    n_outputs : int
        K, outputs of the head: entropies are at most log K nats.
    width : float
        In inches.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    ValueError
        If a column is missing.
    """
    import matplotlib.pyplot as plt

    wanted = ("epochs", "loss", "teacher_entropy", "used_entropy", "knn")
    missing = [name for name in wanted if name not in log]
    if missing:
        raise ValueError(f"log has no column {missing[0]!r}; it has {', '.join(map(repr, log))}")
    epochs, loss, single, mean, knn = (np.asarray(log[name], dtype=np.float64) for name in wanted)
    fig, axes = plt.subplots(1, 3, figsize=(width, 0.36 * width), layout="constrained")
    line = {"linewidth": 1.6, "markersize": 3}
    axes[0].plot(epochs, loss, "o-", color=plots.PALETTE[4] / 255, **line)
    axes[0].set(title="loss, nats")
    axes[1].plot(epochs, mean, "s--", color=plots.PALETTE[2] / 255, label="of the mean answer", **line)
    axes[1].plot(epochs, single, "o-", color=plots.PALETTE[5] / 255, label="of a single answer", **line)
    axes[1].axhline(np.log(n_outputs), color="black", linestyle=":", linewidth=0.8)
    axes[1].set(title="entropy, nats", ylim=(0, 1.25 * np.log(n_outputs)))
    axes[1].legend(frameon=False, fontsize=7, loc="upper right", ncols=1)
    seen = np.isfinite(knn)
    axes[2].plot(epochs[seen], 100 * knn[seen], "o-", color=plots.PALETTE[6] / 255, **line)
    axes[2].set(title="k-NN accuracy, %")
    for ax in axes:
        ax.set_xlabel("epoch", fontsize=8)
        ax.set_xlim(0, 1.03 * epochs.max())
        ax.title.set_fontsize(9)
        ax.tick_params(labelsize=7)
        ax.spines[["top", "right"]].set_visible(False)
    return fig


def alt_heat(values: ArrayLike, what: str = "Heat map") -> str:
    """Describe a map of numbers in one sentence: its range, where it is highest, and how much of it is high.

    Parameters
    ----------
    values : array of shape (h, w)
    what : str
        How the sentence begins.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If ``values`` is not a finite (h, w) array.

    Examples
    --------
    >>> alt_heat([[0.0, 0.1, 0.0], [0.0, 0.2, 1.0]], "Similarity")
    'Similarity, 3 x 2 patches, from 0 to 1: highest at the right of the bottom; 17 % of the patches are in the upper half of the range.'
    """  # noqa: E501 - a doctest shows the sentence whole
    values = _map(values)
    h, w = values.shape
    row, column = np.unravel_index(values.argmax(), values.shape)
    down = ("top", "middle", "bottom")[min(int(3 * row / h), 2)] if h > 2 else ("top", "bottom")[int(row)]
    across = ("left", "center", "right")[min(int(3 * column / w), 2)]
    low, high = float(values.min()), float(values.max())
    share = float((values > (low + high) / 2).mean())
    return (
        f"{what}, {w} x {h} patches, from {low:.2g} to {high:.2g}: highest at the {across} of the {down}; "
        f"{plots._percent(share)} of the patches are in the upper half of the range."
    )


# What the functions above share


def _map(values: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"values must have shape (h, w), got {values.shape}; take one feature with [..., i]")
    if not np.isfinite(values).all():
        raise ValueError("values must be finite, got NaN or infinity")
    return values


def _photo(image: ArrayLike) -> NDArray[np.uint8]:
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0 or image.dtype != np.uint8:
        raise ValueError(f"image must be uint8 of shape (H, W, 3), got {image.dtype} of {image.shape}")
    return image


def _box(ax: Axes, x: float, y: float, w: float, h: float, text: str, color: int | None, *, size=8, turn=0) -> None:
    """A labelled box, pale in the color of the palette with this number (gray for None) with a dark outline."""
    from matplotlib.patches import FancyBboxPatch

    strong = np.array([0.5, 0.5, 0.5]) if color is None else plots.PALETTE[color] / 255
    pale = 1 - 0.35 * (1 - strong)
    style = "round,pad=0,rounding_size=1"
    ax.add_patch(
        FancyBboxPatch((x, y), w, h, boxstyle=style, facecolor=pale, edgecolor=strong, linewidth=1.3, zorder=2)
    )
    ax.text(x + w / 2, y + h / 2, text, ha="center", va="center", fontsize=size, rotation=turn, zorder=3)


def _arrow(ax: Axes, x0: float, y0: float, x1: float, y1: float, *, dashed: bool = False, color="0.25") -> None:
    line = {
        "arrowstyle": "-|>",
        "color": color,
        "lw": 1.2,
        "linestyle": "--" if dashed else "-",
        "shrinkA": 0,
        "shrinkB": 0,
    }
    ax.annotate("", xy=(x1, y1), xytext=(x0, y0), arrowprops=line, zorder=4)
