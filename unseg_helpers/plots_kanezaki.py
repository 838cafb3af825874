"""Pictures of a network that trains on one image: its parts, its label counts, its changes, and scribbles.

`label_counts` trains by `kanezaki.fit`, or with parts of the normalization switched off to see what they are for; it
needs torch. All others need NumPy, and matplotlib where they draw.

Notation: an image has h rows and w columns; q channels, as many as there may be labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unseg_helpers import plots
from unseg_helpers.plots_features import _arrow, _box

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from unseg_helpers.kanezaki import Recipe

Norm = Literal["learned", "shift", "scale", "fixed", "hidden", "none"]
NORMS = {
    "learned": "as published",
    "shift": "shift, no scale",
    "scale": "scale, no shift",
    "fixed": "no scale, no shift",
    "hidden": "response not normalized",
    "none": "no normalization",
}


class Counts(NamedTuple):
    """How the labels of a network fared.

    Attributes
    ----------
    labels : int array of shape (steps,)
        Number of labels before each update.
    largest : array of shape (steps,)
        Share of the pixels that the most frequent label has, 0 to 1.
    last : int array of shape (h, w)
        Channel of each pixel in the last step.
    """

    labels: NDArray[np.int64]
    largest: NDArray[np.float64]
    last: NDArray[np.int32]


def label_counts(image: ArrayLike, recipe: Recipe, *, norm: Norm = "learned", steps: int = 60, seed: int = 0) -> Counts:
    """Train with normalization switched off in parts, and count labels; there is no stopping by their number.

    As published, the network is trained by `kanezaki.fit`, which ends where one label is left; that number then counts
    for all later steps.

    Parameters
    ----------
    image : uint8 array of shape (h, w, 3)
    recipe : Recipe
        Channels, layers, learning rate, momentum and continuity count; the optimizer is SGD.
    norm : str
        "learned": batch norm after every convolution, as published. "shift", "scale": the last one learns only the
        one of the two. "fixed": it learns neither, so that each channel of the response has mean 0 and variance 1.
        "hidden": there is no last one. "none": there is none at all.
    steps : int
        At least 1.
    seed : int
        Draws the first weights.

    Returns
    -------
    Counts

    Raises
    ------
    ValueError
        If ``norm`` is unknown, ``steps`` is below 1, or the image is no photo.
    """
    if norm not in NORMS:
        raise ValueError(f"norm must be one of {', '.join(NORMS)}, got {norm!r}")
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    image = _photo(image)
    from unseg_helpers import kanezaki

    if norm == "learned":
        maps: list[NDArray] = []
        recipe = replace(recipe, optimizer="sgd", lr_step=None, superpixels=None, min_labels=1, max_iter=steps)
        kanezaki.fit(image, recipe, seed=seed, device="cpu", callback=lambda step, labels, row: maps.append(labels))
        maps += [maps[-1]] * (steps - len(maps))
    else:
        maps = list(islice(_without(image, recipe, norm, seed), steps))
    sizes = [np.unique(labels, return_counts=True)[1] for labels in maps]
    labels = np.array([len(size) for size in sizes])
    largest = np.array([size.max() / size.sum() for size in sizes])
    return Counts(labels, largest, maps[-1].astype(np.int32))


def _without(image: NDArray[np.uint8], recipe: Recipe, norm: Norm, seed: int) -> Iterator[NDArray[np.int64]]:
    """The labels before each update of a network that `kanezaki.build` would not build."""
    import torch

    from unseg_helpers import kanezaki

    parts = list(kanezaki.build(recipe, seed=seed))
    if norm in ("shift", "fixed"):
        parts[-1].weight.requires_grad_(False)
    if norm in ("scale", "fixed"):
        parts[-1].bias.requires_grad_(False)
    if norm == "hidden":
        parts = parts[:-1]
    elif norm == "none":
        parts = [part for part in parts if not isinstance(part, torch.nn.BatchNorm2d)]
    network = torch.nn.Sequential(*parts)
    x = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)[None])).float() / 255
    learned = [weights for weights in network.parameters() if weights.requires_grad]
    descent = torch.optim.SGD(learned, lr=recipe.lr, momentum=recipe.momentum)
    while True:
        response = network(x)
        found = kanezaki.targets(response)
        yield found.numpy()
        loss = recipe.similarity * kanezaki.similarity_loss(response, found)
        loss = loss + recipe.continuity * kanezaki.continuity_loss(response)
        descent.zero_grad()
        loss.backward()
        descent.step()


def shrink(array: ArrayLike, max_side: int) -> NDArray:
    """Reduce an image or a label map by a whole factor, so that a network trains in a second.

    Parameters
    ----------
    array : uint8 array of shape (h, w, 3), or integer array of shape (h, w)
        Of an image each block becomes its mean; of a label map the pixel in its middle is kept.
    max_side : int
        The longer side is at most this many pixels afterwards.

    Returns
    -------
    array of shape (h // f, w // f[, 3])

    Raises
    ------
    ValueError
        If ``max_side`` is below 1, or a side would vanish.

    Examples
    --------
    >>> shrink(np.arange(12).reshape(2, 6), 3).tolist()
    [[7, 9, 11]]
    """
    from unseg_helpers.plots_interactive import _shrunk

    return _shrunk(np.asarray(array), max_side)


def changes(response: ArrayLike) -> NDArray[np.float64]:
    """Where the continuity loss comes from: what each pixel differs by from those below and to the right.

    The mean over channels of the absolute differences; the two directions are added, and a missing neighbor counts 0.

    Parameters
    ----------
    response : array of shape (q, h, w)

    Returns
    -------
    array of shape (h, w)

    Raises
    ------
    ValueError
        If the response has another number of axes.

    Examples
    --------
    >>> changes([[[0.0, 1.0], [0.0, 5.0]]]).tolist()
    [[1.0, 4.0], [5.0, 0.0]]
    """
    response = np.asarray(response, dtype=np.float64)
    if response.ndim != 3:
        raise ValueError(f"response must have shape (q, h, w), got {response.shape}; of (1, q, h, w) take [0]")
    found = np.zeros(response.shape[1:])
    found[:-1] += np.abs(np.diff(response, axis=1)).mean(axis=0)
    found[:, :-1] += np.abs(np.diff(response, axis=2)).mean(axis=0)
    return found


def scribbles(
    size: tuple[int, int], strokes: Sequence[tuple[int, Sequence[tuple[float, float]]]], *, radius: float = 1.0
) -> NDArray[np.int64]:
    """Draw strokes into a map for `kanezaki.fit`: the label of a stroke where it is, -1 elsewhere.

    Parameters
    ----------
    size : (h, w)
    strokes : list of (label, points)
        Points are (row, column) in shares of the height and the width, 0 to 1; lines join them. A later stroke covers
        an earlier one.
    radius : float
        Half the thickness, in pixels, at least 0.5.

    Returns
    -------
    array of shape (h, w), int64

    Raises
    ------
    ValueError
        If a label is negative, a stroke has no points, or a point lies outside the image.

    Examples
    --------
    >>> scribbles((3, 4), [(2, [(0.5, 0.0), (0.5, 0.5)])], radius=0.5).tolist()
    [[-1, -1, -1, -1], [2, 2, 2, -1], [-1, -1, -1, -1]]
    """
    h, w = size
    if radius < 0.5:
        raise ValueError(f"radius must be at least 0.5 pixels, got {radius}")
    drawn = np.full((h, w), -1, np.int64)
    row, column = np.mgrid[:h, :w]
    for label, points in strokes:
        if label < 0:
            raise ValueError(f"labels of strokes must be at least 0, got {label}")
        points = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        if len(points) == 0:
            raise ValueError("a stroke has no points; expected at least one (row, column)")
        if not ((points >= 0) & (points <= 1)).all():
            raise ValueError(f"points must be shares of the image between 0 and 1, got {points.tolist()}")
        points = points * (h - 1, w - 1)
        for (y0, x0), (y1, x1) in zip(points[:-1], points[1:], strict=True) if len(points) > 1 else [(points[0],) * 2]:
            length = (y1 - y0) ** 2 + (x1 - x0) ** 2
            along = ((row - y0) * (y1 - y0) + (column - x0) * (x1 - x0)) / (length or 1.0)
            along = np.clip(along, 0, 1)  # the nearest point of the line between its ends
            near = np.hypot(row - y0 - along * (y1 - y0), column - x0 - along * (x1 - x0)) <= radius
            drawn[near] = label
    return drawn


def paint_scribbles(image: ArrayLike, drawn: ArrayLike) -> NDArray[np.uint8]:
    """The photo, paler, with strokes in the colors of their labels.

    Parameters
    ----------
    image : uint8 array of shape (h, w, 3)
    drawn : integer array of shape (h, w)
        As `scribbles` gives it; negative where nothing is drawn.

    Returns
    -------
    array of shape (h, w, 3), uint8

    Raises
    ------
    ValueError
        If the sizes differ.

    Examples
    --------
    >>> paint_scribbles(np.zeros((1, 2, 3), np.uint8), [[-1, 0]]).tolist()
    [[[64, 64, 64], [230, 159, 0]]]
    """
    image, drawn = _photo(image), np.asarray(drawn)
    if drawn.shape != image.shape[:2]:
        raise ValueError(f"drawn must have the size of image, {image.shape[:2]}, got {drawn.shape}")
    painted = np.rint(0.75 * image.astype(np.float64) + 0.25 * 255).astype(np.uint8)
    there = drawn >= 0
    painted[there] = plots.colorize(np.where(there, drawn, 0))[there]
    return painted


def draw_network(*, layers: int = 2, channels: int = 100, width: float = 7.0) -> Figure:
    """Draw the network and its loop: photo, blocks, response, targets, both losses, and where gradients go.

    Parameters
    ----------
    layers : int
        Blocks of a 3 x 3 convolution, ReLU and batch norm.
    channels : int
        q.
    width : float
        In inches.

    Returns
    -------
    matplotlib Figure
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(width, 0.44 * width), layout="constrained")
    ax.set(xlim=(0, 100), ylim=(0, 44), aspect="equal")
    ax.set_axis_off()
    _box(ax, 1, 29, 13, 10, "photo\n3 × h × w", None, size=9)
    _box(ax, 18, 25, 17, 18, f"conv 3 × 3\nReLU\nbatch norm\n{layers} times", 1, size=9)
    _box(ax, 39, 27, 15, 14, "conv 1 × 1\nbatch norm", 0, size=9)
    _box(ax, 58, 29, 16, 10, f"response r\n{channels} × h × w", 2, size=9)
    _box(ax, 86, 29, 13, 10, "labels t\nh × w", 6, size=9)
    for start, stop in ((14.2, 17.7), (35.2, 38.7), (54.2, 57.7), (74.2, 85.7)):
        _arrow(ax, start, 34, stop, 34)
    ax.text(79.5, 35, "argmax", ha="center", fontsize=9)
    _box(ax, 49, 3, 22, 10, "μ × continuity loss\nneighbors alike", 4, size=9)
    _box(ax, 77, 3, 22, 10, "similarity loss\ncross-entropy to t", 5, size=9)
    ax.text(74, 8, "+", ha="center", va="center", fontsize=14)
    _arrow(ax, 63, 28.8, 63, 13.3)
    _arrow(ax, 69, 28.8, 81, 13.3)
    _arrow(ax, 92.5, 28.8, 92.5, 13.3, dashed=True)
    ax.text(93.5, 20.5, "no\ngra-\ndient", fontsize=8, va="center")
    _arrow(ax, 48.7, 8, 26.5, 24.7, color=plots.PALETTE[5] / 255)
    ax.text(26, 9, "gradient of the sum,\nto all weights", fontsize=9, ha="center", va="center")
    return fig


def draw_counts(
    runs: Mapping[str, Sequence[int]],
    *,
    least: int | None = None,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw the number of labels over the steps, one line for each run, on a logarithmic axis.

    Parameters
    ----------
    runs : dict of name -> sequence of int
        Label counts of at least 1.
    least : int, optional
        A dotted line at the number at which training stops.
    ax : matplotlib Axes, optional
    title : str, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        If there is no run, or a count is below 1.
    """
    if not runs:
        raise ValueError("runs is empty; expected {name: label counts}")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import NullFormatter, ScalarFormatter

    if ax is None:
        _, ax = plt.subplots(figsize=(5.0, 3.0), layout="constrained")
    styles = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
    order = (4, 5, 2, 6, 0, 7, 11, 8)
    top = 1
    for i, (name, counts) in enumerate(runs.items()):
        counts = np.asarray(counts)
        if counts.ndim != 1 or counts.size == 0 or counts.min() < 1:
            raise ValueError(f"runs[{name!r}] must hold label counts of at least 1, got {counts.tolist()}")
        color = plots.PALETTE[order[i % len(order)]] / 255
        ax.plot(np.arange(1, len(counts) + 1), counts, linestyle=styles[i % 5], color=color, linewidth=1.6, label=name)
        top = max(top, int(counts.max()))
    if least is not None:
        ax.axhline(least, color="black", linestyle=":", linewidth=0.8)
    ax.set_yscale("log")
    ax.set_yticks([tick for tick in (1, 2, 3, 5, 10, 20, 30, 50, 100) if tick <= top])
    ax.yaxis.set_major_formatter(ScalarFormatter())
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set(xlabel="step", ylabel="labels", ylim=(0.9, 1.15 * top))
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=8)
    if title:
        ax.set_title(title, fontsize=10)
    return ax


def _photo(image: ArrayLike) -> NDArray[np.uint8]:
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0 or image.dtype != np.uint8:
        raise ValueError(f"image must be uint8 of shape (h, w, 3), got {image.dtype} of {image.shape}")
    return image
