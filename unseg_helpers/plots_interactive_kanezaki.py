"""Interactive figures of chapter 06: labels while a network trains, and what scribbles change.

Every state is computed before the page is built; see `plots_interactive`. Needs plotly (``pip install unseg[book]``),
not torch: the states are given.

Notation: h x w pixels; a label is the number of a channel and keeps its color.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unseg_helpers import metrics, plots, plots_kanezaki
from unseg_helpers import plots_interactive as base

if TYPE_CHECKING:
    import plotly.graph_objects as go


def label_stepper(
    image: ArrayLike,
    steps: Sequence[tuple[int, ArrayLike, tuple[int, float, float]]],
    *,
    at: Sequence[int] | None = None,
    least: int | None = None,
    title: str = "Labels while the network trains",
) -> go.Figure:
    """Step or play through a training: the labels, and the curve of their number.

    Parameters
    ----------
    image : uint8 array of shape (h, w, 3)
        At the size of training.
    steps : list of (step, labels (h, w), (number of labels, similarity loss, continuity loss))
        What the callback of `kanezaki.fit` was given, in its order; it may be collected by
        ``callback=lambda *step: steps.append(step)``.
    at : sequence of int, optional
        Which steps to show; all when None.
    least : int, optional
        A line at the number of labels at which training stops.
    title : str

    Returns
    -------
    plotly Figure
        ``layout.meta`` holds ``alt`` (one text for the whole figure) and ``steps`` (one for each frame).

    Raises
    ------
    ValueError
        If there is no step, a step that is asked for is missing, or labels do not have the size of the image.

    Examples
    --------
    >>> two = [(1, [[0, 1]], (2, 0.7, 0.4)), (2, [[1, 1]], (1, 0.5, 0.1))]
    >>> figure = label_stepper(np.zeros((1, 2, 3), np.uint8), two)
    >>> print(*figure.layout.meta["steps"], sep="\\n")
    Step 1: 2 labels. Similarity loss 0.700, continuity loss 0.400.
    Step 2: 1 label. Similarity loss 0.500, continuity loss 0.100.
    """
    go = base._plotly()
    image = plots_kanezaki._photo(image)
    if not steps:
        raise ValueError("steps is empty; expected what the callback of kanezaki.fit was given")
    known = {int(step): (np.asarray(labels), row) for step, labels, row in steps}
    at = list(known) if at is None else [int(step) for step in at]
    missing = [step for step in at if step not in known]
    if missing or not at:
        raise ValueError(f"at must name steps between {min(known)} and {max(known)}, got {missing or at}")
    for step in at:
        if known[step][0].shape != image.shape[:2]:
            raise ValueError(f"labels of step {step} have shape {known[step][0].shape}, expected {image.shape[:2]}")

    fig = base._figure([0.0, 0.31, 0.34, 0.65, 0.74, 1.0], title)
    fig.add_trace(base._picture_trace(image))
    numbers, counts = list(known), [int(row[0]) for _, row in known.values()]
    fig.add_trace(
        go.Scatter(
            x=numbers,
            y=counts,
            mode="lines",
            line={"color": base._hex(plots.PALETTE[4])},
            hovertemplate="step %{x}: %{y} labels<extra></extra>",
            xaxis="x3",
            yaxis="y3",
        )
    )
    texts, frames = [], []
    for step in at:
        labels, (count, similarity, continuity) = known[step]
        plural = "" if count == 1 else "s"
        texts.append(
            f"Step {step}: {count} label{plural}. Similarity loss {similarity:.3f}, continuity loss {continuity:.3f}."
        )
        traces = [base._picture_trace(plots.colorize(labels), "2"), _mark(step, int(count))]
        shown = texts[-1].replace(". Sim", ".<br>Sim")
        frames.append(go.Frame(name=str(step), data=traces, layout={"annotations": [base._status(shown)]}))
    fig.add_traces(frames[0].data)
    for frame in frames:
        frame.traces = [2, 3]
    fig.frames = frames
    base._image_axes(fig, "", image.shape[:2])
    base._image_axes(fig, "2", image.shape[:2])
    top = max(counts)
    fig.update_layout(
        xaxis3={"title": base._axis("step"), "range": [0, max(numbers) + 1], "zeroline": False},
        yaxis3={"title": base._axis("labels"), "range": [0, 1.08 * top], "zeroline": False},
        margin={"t": 96},
        height=450,
    )
    if least is not None:
        line = {"type": "line", "xref": "x3", "yref": "y3", "line": {"color": base.INK, "width": 1, "dash": "dot"}}
        fig.update_layout(shapes=[{**line, "x0": 0, "x1": max(numbers) + 1, "y0": least, "y1": least}])
    alt = (
        f"Interactive figure: a photo of {image.shape[1]} x {image.shape[0]} pixels, the labels that a network gives "
        f"it in steps {at[0]} to {at[-1]} of its training, and the number of labels, which goes from {counts[0]} "
        f"to {counts[-1]}."
    )
    return base._finish(fig, texts, alt, "step: ", first=texts[0].replace(". Sim", ".<br>Sim"))


def scribble_explorer(
    image: ArrayLike,
    runs: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    truth: ArrayLike | None = None,
    title: str = "What a few strokes change",
) -> go.Figure:
    """Slide over sets of scribbles: the strokes on the photo, and the labels that came of them.

    Parameters
    ----------
    image : uint8 array of shape (h, w, 3)
    runs : dict of name -> (scribbles (h, w), labels (h, w))
        Names stand below the slider and the chart: short ones, such as "none" and "2". Scribbles are negative where
        nothing is drawn. Labels are drawn in the colors of the palette, so those that were drawn should have the
        numbers of their strokes.
    truth : integer array of shape (h, w), optional
        With it a chart shows covering and matched mean IoU.
    title : str

    Returns
    -------
    plotly Figure
        ``layout.meta`` holds ``alt`` and ``steps``.

    Raises
    ------
    ValueError
        If there is no run, or a map has not the size of the image.

    Examples
    --------
    >>> figure = scribble_explorer(np.zeros((1, 2, 3), np.uint8), {"one": ([[0, -1]], [[0, 1]])}, truth=[[0, 1]])
    >>> figure.layout.meta["steps"]
    ['Strokes: one. 2 segments. Covering 1.00, mean IoU 1.00.']
    """
    go = base._plotly()
    image = plots_kanezaki._photo(image)
    if not runs:
        raise ValueError("runs is empty; expected {name: (scribbles, labels)}")
    truth = None if truth is None else np.asarray(truth)
    maps = {name: (np.asarray(drawn), np.asarray(labels)) for name, (drawn, labels) in runs.items()}
    checked = [(name, part) for name, pair in maps.items() for part in pair]
    for name, part in [*checked, *([] if truth is None else [("truth", truth)])]:
        if part.shape != image.shape[:2]:
            raise ValueError(f"{name} has a map of shape {part.shape}, expected that of image: {image.shape[:2]}")
    scores: dict[str, list[float]] = {}
    if truth is not None:
        scores["covering"] = [metrics.covering(truth, labels) for _, labels in maps.values()]
        scores["mean IoU"] = [metrics.matched_miou(truth, labels) for _, labels in maps.values()]
    at = list(range(len(maps)))

    fig = base._figure([0.0, 0.33, 0.36, 0.69, 0.78, 1.0] if scores else [0.0, 0.48, 0.52, 1.0], title)
    texts, frames = [], []
    for i, (name, (drawn, labels)) in enumerate(maps.items()):
        count = len(np.unique(labels))
        said = f"Strokes: {name}. {count} segment{'s' if count != 1 else ''}."
        if scores:
            said += f" Covering {scores['covering'][i]:.2f}, mean IoU {scores['mean IoU'][i]:.2f}."
        texts.append(said)
        traces = [base._picture_trace(plots_kanezaki.paint_scribbles(image, drawn)), _segments_trace(image, labels)]
        traces += [base._curve_mark(at[i], values[i], j) for j, values in enumerate(scores.values())]
        frames.append(go.Frame(name=name, data=traces, layout={"annotations": [base._status(said)]}))
    for j, (key, values) in enumerate(scores.items()):
        fig.add_trace(base._curve(at, values, key, j))
    first = len(fig.data)
    fig.add_traces(frames[0].data)
    for frame in frames:
        frame.traces = list(range(first, first + len(frame.data)))
    fig.frames = frames
    base._image_axes(fig, "", image.shape[:2])
    base._image_axes(fig, "2", image.shape[:2])
    if scores:
        fig.update_layout(
            xaxis3={
                "title": base._axis("strokes"),
                "tickvals": at,
                "ticktext": list(maps),
                "range": [-0.4, len(at) - 0.6],
                "zeroline": False,
            },
            yaxis3={"range": [0, 1.04], "zeroline": False},
            showlegend=True,
            legend={"x": 1.0, "y": 1.09, "xanchor": "right", "yanchor": "bottom", "font": {"size": 12}},
            margin={"t": 96},
        )
    alt = (
        f"Interactive figure: a photo with scribbles beside the segments that a network made with their help, for "
        f"{len(maps)} sets of strokes: {', '.join(maps)}."
    )
    if scores:
        alt += f" Covering goes from {scores['covering'][0]:.2f} to {scores['covering'][-1]:.2f}."
    return base._finish(fig, texts, alt, "strokes: ")


def _segments_trace(image: NDArray[np.uint8], labels: NDArray):
    # Without lines: at the size of training, a few dozen pixels, they would cover what they enclose.
    return base._picture_trace(plots.blend(image, labels, alpha=0.75, line=None), "2")


def _mark(step: int, count: int):
    return base._plotly().Scatter(
        x=[step],
        y=[count],
        mode="markers",
        marker={"size": 14, "color": base._hex(plots.PALETTE[4]), "line": {"color": base.INK, "width": 1.5}},
        hoverinfo="skip",
        xaxis="x3",
        yaxis="y3",
    )
