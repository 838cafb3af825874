"""Interactive figure of chapter 05: choose the weight of color, the eigenvector and the threshold.

Every state is computed before the page is built; see `plots_interactive`. The three choices change different things of
the same traces (numbers, visibility, color range), so they combine without a script of their own. Needs plotly
(``pip install unseg[book]``).

Notation: h x w patches, H x W pixels; lambda weighs color against features; vectors are numbered from 1, the constant
one included, as in the text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unseg_helpers import plots, plots_spectral
from unseg_helpers import plots_interactive as base

if TYPE_CHECKING:
    import plotly.graph_objects as go

UNITS = 100  # vectors are drawn as whole hundredths of their largest absolute value: a quarter of the page's size


def spectral_explorer(
    image: ArrayLike,
    spectra: Mapping[float, tuple[ArrayLike, ArrayLike]],
    grid: tuple[int, int],
    *,
    truth: ArrayLike | None = None,
    thresholds: Sequence[float] = (-0.5, -0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3, 0.5),
    max_side: int = 240,
    title: str = "Weight of color, eigenvector, threshold",
) -> go.Figure:
    """Choose lambda, eigenvector and threshold: the vector, the photo cut out by it, and scores over the threshold.

    Parameters
    ----------
    image : uint8 array of shape (H, W, 3)
        The part of the photo that the grid covers.
    spectra : dict of lambda -> (values (k,), vectors (h * w, k))
        Such as ``Spectrum`` of ``spectral.eigenvectors``: ascending, with the constant vector first, which is not
        shown; 2 <= k, the same for each lambda.
    grid : (int, int)
        h and w.
    truth : bool array of shape (H, W), optional
        Foreground; with it the chart shows the IoU of the patches above the threshold.
    thresholds : sequence of float
        Rising, between -1 and 1: shares of the largest absolute value of a vector. 0 must be among them.
    max_side : int
        Longer side of the photo in pixels after reduction.
    title : str

    Returns
    -------
    plotly Figure
        One frame for each lambda; ``layout.meta`` holds ``alt`` and ``steps`` (one text for each frame).

    Raises
    ------
    ValueError
        If there is no spectrum, a vector does not fit the grid, or the thresholds do not rise through 0.

    Examples
    --------
    >>> vectors = np.array([[0.5, 0.5], [0.5, 0.5], [0.5, -0.5], [0.5, -0.5]])
    >>> figure = spectral_explorer(np.zeros((4, 4, 3), np.uint8), {0.0: ([0.0, 0.2], vectors)}, (2, 2))
    >>> figure.layout.meta["steps"]
    ['λ = 0. Eigenvalue of vector 2:<br>0.200.']
    """
    go = base._plotly()
    image = np.asarray(image)
    thresholds = [float(t) for t in thresholds]
    if thresholds != sorted(set(thresholds)) or 0.0 not in thresholds or not -1 < thresholds[0] <= thresholds[-1] < 1:
        raise ValueError(f"thresholds must rise within -1..1 and hold 0.0, got {thresholds}")
    if not spectra:
        raise ValueError("spectra is empty; expected {lambda: (values, vectors)}")
    if truth is not None and np.shape(truth) != image.shape[:2]:
        raise ValueError(f"truth must have the size of image, {image.shape[:2]}, got {np.shape(truth)}")
    states = {float(weight): _State(*pair, grid) for weight, pair in spectra.items()}
    count = {state.maps.shape[2] for state in states.values()}
    if len(count) != 1:
        raise ValueError(f"spectra must have one number of vectors, got {sorted(c + 1 for c in count)}")
    k = count.pop()
    # The truth is compared on the full photo, and both are made smaller only to be drawn.
    curves = {weight: _curves(state.maps, thresholds, truth) for weight, state in states.items()}
    small = base._shrunk(image, max_side)

    fig = base._figure([0.0, 0.33, 0.36, 0.69, 0.76, 1.0], title)
    fig.add_trace(base._picture_trace(small, "2"))
    first, start = next(iter(states)), thresholds.index(0.0)
    frames, of_vector = [], [[] for _ in range(k)]  # positions of the traces of each vector
    for weight, state in states.items():
        data: list[Any] = []
        for j in range(k):
            data.append(go.Heatmap(z=state.maps[:, :, j]))
            data.append(go.Heatmap(z=state.maps[:, :, j]))
            data += [go.Scatter(y=[round(float(y), 3) for y in values[j]]) for values in curves[weight].values()]
        said = ", ".join(f"{value:.3f}" for value in state.values[1:])
        last = f"s 2 to {k + 1}" if k > 1 else " 2"
        text = f"λ = {weight:g}. Eigenvalue{'s' if k > 1 else ''} of vector{last}:<br>{said}."
        frames.append((text, go.Frame(name=f"{weight:g}", data=data, layout={"annotations": [base._status(text)]})))
    shown = _Shown(small.shape[:2], grid, thresholds, start)
    for j in range(k):
        at = len(fig.data)
        fig.add_trace(shown.map(states[first].maps[:, :, j], visible=j == 0))
        fig.add_trace(shown.mask(states[first].maps[:, :, j], visible=j == 0))
        for number, (name, values) in enumerate(curves[first].items()):
            fig.add_trace(shown.curve(values[j], name, number, visible=j == 0))
        of_vector[j] = list(range(at, len(fig.data)))
    moving = [trace for traces in of_vector for trace in traces]
    for _, frame in frames:
        frame.traces = moving
    fig.frames = [frame for _, frame in frames]

    base._image_axes(fig, "", small.shape[:2])
    base._image_axes(fig, "2", small.shape[:2])
    names = list(curves[first])
    fig.update_layout(
        xaxis3={
            "title": base._axis("threshold"),
            "range": [thresholds[0] - 0.05, thresholds[-1] + 0.05],
            "zeroline": False,
        },
        yaxis3={"range": [0, 1.05], "zeroline": False},
        height=590,
        shapes=[shown.line()],
        margin={"t": 96, "b": 285},
        showlegend=True,
        legend={"x": 1.0, "y": 1.02, "xanchor": "right", "yanchor": "bottom", "font": {"size": 12}},
    )
    alt = (
        f"Interactive figure: eigenvectors 2 to {k + 1} of one photo, {grid[0]} x {grid[1]} patches, drawn as a map, "
        f"the photo cut out where the chosen vector is above the threshold, and a chart of "
        f"{' and '.join(name for name in names)} over the threshold. Choices: λ from {min(states):g} to "
        f"{max(states):g}, the vector, the threshold."
    )
    texts = [text for text, _ in frames]
    _controls(fig, of_vector, shown)
    fig.update_layout(annotations=[base._status(texts[0])], meta={"alt": alt, "steps": texts})
    return fig


class _State:
    """Vectors of one lambda as whole numbers: maps is int8 of shape (h, w, k - 1), from -100 to 100."""

    def __init__(self, values: ArrayLike, vectors: ArrayLike, grid: tuple[int, int]):
        h, w = grid
        self.values, vectors = np.asarray(values, dtype=np.float64), np.asarray(vectors, dtype=np.float64)
        if vectors.ndim != 2 or vectors.shape[1] < 2 or vectors.shape[0] != h * w:
            raise ValueError(f"vectors must have shape (h * w, k) = ({h * w}, 2 or more), got {vectors.shape}")
        if self.values.shape != vectors.shape[1:]:
            raise ValueError(
                f"values must have one entry for each of {vectors.shape[1]} vectors, got {self.values.shape}"
            )
        vectors = vectors[:, 1:]
        largest = np.abs(vectors).max(axis=0)
        maps = np.rint(UNITS * vectors / np.where(largest > 0, largest, 1.0)).astype(np.int8)
        self.maps: NDArray[np.int8] = maps.reshape(h, w, -1)


class _Shown:
    """The traces of one vector; `start` is the position of the first threshold shown."""

    def __init__(self, size: tuple[int, int], grid: tuple[int, int], thresholds: list[float], start: int):
        self.thresholds, self.start = thresholds, start
        (height, width), (h, w) = size, grid
        step_x, step_y = width / w, height / h
        # Centers of the patches in pixels of the small photo, whose first pixel has its center at 0.
        self.place = {"x0": step_x / 2 - 0.5, "dx": step_x, "y0": step_y / 2 - 0.5, "dy": step_y}

    def range_of(self, threshold: float) -> tuple[float, float]:
        """zmin and zmax so that the middle of the color scale lies just above the threshold."""
        middle = round(UNITS * threshold) + 0.5
        return middle - 2 * UNITS, middle + 2 * UNITS

    def map(self, z: NDArray, *, visible: bool):
        negative, positive = (base._hex(color) for color in (plots_spectral.NEGATIVE, plots_spectral.POSITIVE))
        return base._plotly().Heatmap(
            z=z,
            **self.place,
            zmin=-UNITS,
            zmax=UNITS,
            colorscale=[[0, negative], [0.5, "#ffffff"], [1, positive]],
            showscale=False,
            hovertemplate="%{z}<extra></extra>",
            visible=visible,
            xaxis="x",
            yaxis="y",
        )

    def mask(self, z: NDArray, *, visible: bool):
        low, high = self.range_of(self.thresholds[self.start])
        red, green, blue = plots_spectral.GROUND
        dark, clear = f"rgba({red},{green},{blue},0.75)", "rgba(0,0,0,0)"
        return base._plotly().Heatmap(
            z=z,
            **self.place,
            zmin=low,
            zmax=high,
            colorscale=[[0, dark], [0.5, dark], [0.5, clear], [1, clear]],
            showscale=False,
            hoverinfo="skip",
            visible=visible,
            xaxis="x2",
            yaxis="y2",
        )

    def curve(self, values: Sequence[float], name: str, number: int, *, visible: bool):
        color, dash, symbol = base._CURVE_STYLES[number]
        color = base._hex(plots.PALETTE[color])
        return base._plotly().Scatter(
            x=self.thresholds,
            y=[round(float(y), 3) for y in values],
            name=name,
            mode="lines+markers",
            line={"color": color, "dash": dash},
            marker={"symbol": symbol, "size": 6, "color": color},
            hovertemplate="%{y:.2f}<extra>%{fullData.name}</extra>",
            visible=visible,
            xaxis="x3",
            yaxis="y3",
        )

    def line(self) -> dict[str, Any]:
        """The threshold in the chart, as a shape of the layout."""
        at = self.thresholds[self.start]
        place = {"xref": "x3", "yref": "y3", "x0": at, "x1": at, "y0": 0, "y1": 1.05}
        return {"type": "line", "line": {"color": base.INK, "width": 2}, **place}


def _curves(maps: NDArray[np.int8], thresholds: list[float], truth: ArrayLike | None) -> dict[str, list[list[float]]]:
    """Name -> for each vector, a value at each threshold."""
    h, w, k = maps.shape
    masks = [maps > round(UNITS * t) for t in thresholds]  # each (h, w, k)
    curves = {"share of the photo": [[float(mask[:, :, j].mean()) for mask in masks] for j in range(k)]}
    if truth is not None:
        truth = np.asarray(truth, dtype=bool)
        # How many pixels of the truth each patch holds, so that IoU in pixels needs no enlarged mask.
        patch = plots_spectral.enlarge(np.arange(h * w).reshape(h, w), truth.shape).ravel()
        size = np.bincount(patch, minlength=h * w).reshape(h, w)
        inside = np.bincount(patch, truth.ravel(), h * w).reshape(h, w)
        curves["IoU with the truth"] = [
            [
                float(inside[mask[:, :, j]].sum() / max(size[mask[:, :, j]].sum() + inside[~mask[:, :, j]].sum(), 1))
                for mask in masks
            ]
            for j in range(k)
        ]
    return curves


def _controls(fig: go.Figure, of_vector: list[list[int]], shown: _Shown) -> None:
    """A slider of frames for lambda, buttons for the vector, a slider for the threshold."""
    jump = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}, "transition": {"duration": 0}}
    traces = [trace for own in of_vector for trace in own]
    masks = [own[1] for own in of_vector]
    buttons = [
        {
            "label": f"vector {j + 2}",
            "method": "restyle",
            "args": [{"visible": [trace in own for trace in traces]}, traces],
        }
        for j, own in enumerate(of_vector)
    ]
    steps = []
    for threshold in shown.thresholds:
        low, high = shown.range_of(threshold)
        moved = {"shapes[0].x0": threshold, "shapes[0].x1": threshold}
        args = [{"zmin": low, "zmax": high}, moved, masks]
        steps.append({"method": "update", "label": f"{threshold:g}", "args": args})
    wide = {"x": 0.0, "len": 1.0, "pad": {"t": 0, "b": 0}}
    fig.update_layout(
        updatemenus=[
            {
                "type": "buttons",
                "direction": "left",
                "showactive": True,
                "active": 0,
                "x": 0.0,
                "xanchor": "left",
                "y": -0.2,
                "yanchor": "top",
                "buttons": buttons,
            }
        ],
        sliders=[
            {
                **wide,
                "active": 0,
                "y": -0.42,
                "currentvalue": {"prefix": "weight of color λ = ", "xanchor": "left"},
                "steps": [
                    {"method": "animate", "label": frame.name, "args": [[frame.name], jump]} for frame in fig.frames
                ],
            },
            {
                **wide,
                "active": shown.start,
                "y": -0.86,
                "currentvalue": {"prefix": "threshold = ", "xanchor": "left"},
                "steps": steps,
            },
        ],
    )
