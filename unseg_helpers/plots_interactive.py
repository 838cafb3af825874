"""Interactive figures that need no kernel: everything a reader can choose is computed before the page is built.

Each function returns a plotly ``Figure`` whose states are frames; a slider and two buttons move between them. In a
notebook the figure shows itself. In a page of the book, ``embed(figure)`` writes it as HTML that takes plotly's
script from the book's own ``_static`` folder, reads the figure aloud as text, and listens to the arrow keys.

Notation: n points, d features, k clusters, h x w pixels; J is the inertia. Needs plotly (``pip install unseg[book]``).
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unseg_helpers import features, kmeans, metrics, plots

if TYPE_CHECKING:
    import plotly.graph_objects as go

MAX_POINTS = 800  # points that a scatter plot draws; more make the page heavy and the picture no clearer
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "pentagon", "hexagon", "triangle-down", "star")
NOT_YET = "#9a9a9a"  # points before their first assignment
INK = "#222222"


def kmeans_stepper(
    x: ArrayLike,
    k: int,
    *,
    init: ArrayLike | None = None,
    max_steps: int = 12,
    space: str = "lab",
    position: float = 0.0,
    max_side: int = 120,
    title: str = "k-means, one half-step at a time",
    rng: np.random.Generator | int | None = None,
) -> go.Figure:
    """Step through Lloyd's iteration: assign, move, assign, move, while the objective falls.

    Parameters
    ----------
    x : array of shape (n, 2), or uint8 image of shape (h, w, 3)
        Points of the plane: the figure shows them with the cells of the centers. Or a photo: it is made smaller, its
        pixels become points, and the figure shows the segments beside the two features that vary most.
    k : int
        Number of clusters, from 1 to the number of points.
    init : array of shape (k, d), optional
        First centers; drawn with k-means++ when None.
    max_steps : int
        Stop after this many iterations even when labels still change.
    space, position
        For a photo: as in ``features.pixel_features``.
    max_side : int
        For a photo: longer side in pixels after reduction.
    title : str
    rng : Generator, int or None
        Draws the first centers.

    Returns
    -------
    plotly Figure
        ``layout.meta`` holds ``alt`` (one text for the whole figure) and ``steps`` (one for each frame).

    Raises
    ------
    ValueError
        If ``x`` is neither (n, 2) nor (h, w, 3), or ``init`` is not (k, d).

    Examples
    --------
    >>> figure = kmeans_stepper([[0.0, 0.0], [2.0, 0.0], [9.0, 0.0], [11.0, 0.0]], 2, init=[[0.0, 0.0], [2.0, 0.0]])
    >>> print(*figure.layout.meta["steps"], sep="\\n")
    Start: 2 centers, no point has a cluster yet.
    Step 1, assign: every point takes its nearest center. J = 130.
    Step 1, move: the centers go to the means. J = 44.67.
    Step 2, assign: 1 of 4 points changes its cluster. J = 20.22.
    Step 2, move: the centers go to the means. J = 4.
    Step 3, assign: no point changes its cluster: k-means has converged. J = 4.
    """
    go = _plotly()
    x = np.asarray(x)
    image = None
    if x.ndim == 3:
        image = _shrunk(x, max_side)
        x = features.pixel_features(image, space=space, position=position, dtype=np.float64)
    elif x.ndim != 2 or x.shape[1] != 2:
        raise ValueError(f"x must have shape (n, 2) or be an (h, w, 3) image, got {x.shape}")
    x = x.astype(np.float64)
    rng = np.random.default_rng(rng)
    centers = kmeans.plus_plus(x, k, rng=rng) if init is None else np.array(init, dtype=np.float64)
    if centers.shape != (k, x.shape[1]):
        raise ValueError(f"init must have shape (k, d) = ({k}, {x.shape[1]}), got {centers.shape}")
    states = _half_steps(x, centers, max_steps)

    names = _feature_names(x.shape[1], None if image is None else space)
    shown_axes = np.sort(np.argsort(-x.var(axis=0))[:2]) if image is not None else np.array([0, 1])
    if len(x) > MAX_POINTS:  # every m-th pixel of a shuffled order, so that no row of the photo is preferred
        shown = np.random.default_rng(0).permutation(len(x))[:MAX_POINTS]
    else:
        shown = np.arange(len(x))
    points = x[shown][:, shown_axes]
    low, high = points.min(axis=0), points.max(axis=0)
    pad = 0.08 * np.where(high > low, high - low, 1.0)
    low, high = low - pad, high + pad

    fig = _figure([0.0, 0.52, 0.64, 1.0] if image is None else [0.0, 0.30, 0.39, 0.67, 0.78, 1.0], title)
    plane = "" if image is None else "2"
    chart = "2" if image is None else "3"
    js = [state.objective for state in states if state.objective is not None]

    moving: list[go.BaseTraceType] = []  # the traces that differ from frame to frame
    frames = []
    for i, state in enumerate(states):
        traces: list[Any] = []
        if image is None:
            traces.append(_cells(state.cells, low, high, k))
        else:
            labels = None if state.labels is None else state.labels.reshape(image.shape[:2])
            traces.append(_picture_trace(image if labels is None else plots.colorize(labels)))
        own = None if state.labels is None else state.labels[shown]
        traces.append(_points(points, own, k, plane))
        traces.append(_trails(states[: i + 1], shown_axes, plane))
        traces.append(_centers(state.centers[:, shown_axes], plane))
        past = [s.objective for s in states[: i + 1] if s.objective is not None]
        traces.append(_objective(past, chart))
        if i == 0:
            moving = traces
            traces = list(traces)
        # A frame holds what changes; the points stay where they are, only their color and shape are new.
        traces[1] = go.Scatter(marker=traces[1].marker)
        frames.append(go.Frame(name=state.name, data=traces, layout={"annotations": [_status(state.text)]}))
    fig.add_traces(moving)
    for frame in frames:
        frame.traces = list(range(len(moving)))
    fig.frames = frames

    if image is not None:
        _image_axes(fig, "", image.shape[:2])
    fig.update_layout(
        {
            f"xaxis{plane}": {"title": _axis(names[shown_axes[0]]), "range": [low[0], high[0]], "zeroline": False},
            f"yaxis{plane}": {"title": _axis(names[shown_axes[1]]), "range": [low[1], high[1]], "zeroline": False},
            f"xaxis{chart}": {
                "title": _axis("half-step"),
                "range": [0.5, max(len(js), 2) + 0.5],
                "dtick": _tick(len(js)),
            },
            f"yaxis{chart}": {"title": _axis("objective J"), "range": [0, 1.08 * max(js)], "zeroline": False},
        }
    )
    if image is None and _comparable(high - low):
        fig.update_layout(xaxis={"constrain": "domain"}, yaxis={"scaleanchor": "x", "constrain": "domain"})
    ended = "until no label changes" if states[-1].converged else f"for {max_steps} steps"
    alt = (
        f"Interactive figure: k-means with k = {k} on "
        f"{f'{len(x)} points of the plane' if image is None else f'the {len(x)} pixels of a small photo'}, {ended}. "
        f"The objective J falls from {js[0]:.4g} to {js[-1]:.4g} in {len(js)} half-steps."
    )
    return _finish(fig, [state.text for state in states], alt, "half-step: ")


def segments_by_k(
    image: ArrayLike,
    ks: Sequence[int],
    *,
    truth: ArrayLike | None = None,
    space: str = "lab",
    position: float = 0.0,
    n_init: int = 1,
    max_side: int = 200,
    title: str = "How many clusters?",
    rng: np.random.Generator | int | None = None,
) -> go.Figure:
    """Slide over the number of clusters: the segments, the inertia, and the covering of a ground truth.

    Parameters
    ----------
    image : uint8 array of shape (h, w, 3)
    ks : sequence of int
        Numbers of clusters, rising.
    truth : integer array of shape (h, w), optional
        Ground truth; with it the chart shows ``metrics.covering`` too.
    space, position
        As in ``features.pixel_features``.
    n_init : int
        Restarts for each k.
    max_side : int
        Longer side in pixels after reduction.
    title : str
    rng : Generator, int or None

    Returns
    -------
    plotly Figure
        One frame for each k. Inertia is drawn as a share of the inertia of one cluster, so that it fits a covering.

    Raises
    ------
    ValueError
        If ``ks`` is empty, or ``truth`` is not of the size of ``image``.
    """
    ks = [int(k) for k in ks]
    if not ks:
        raise ValueError("ks is empty; expected numbers of clusters such as range(2, 9)")
    image = np.asarray(image)
    small, small_truth = _shrunk(image, max_side), None
    if truth is not None:
        truth = np.asarray(truth)
        if truth.shape != image.shape[:2]:
            raise ValueError(f"truth must have the size of image, {image.shape[:2]}, got {truth.shape}")
        small_truth = _shrunk(truth, max_side)
    x = features.pixel_features(small, space=space, position=position)
    rng = np.random.default_rng(rng)
    maps, inertias = [], []
    for k in ks:
        result = kmeans.kmeans(x, k, n_init=n_init, rng=rng)
        maps.append(result.labels.reshape(small.shape[:2]))
        inertias.append(result.inertia)
    total = float(((x - x.mean(axis=0, dtype=np.float64)) ** 2).sum()) or 1.0  # inertia of one cluster
    curves = {"inertia, share of k = 1": [value / total for value in inertias]}
    if small_truth is not None:
        curves["covering of the truth"] = [metrics.covering(small_truth, labels) for labels in maps]
    return label_slider(small, maps, at=ks, name="k", curves=curves, title=title, max_side=max_side)


def label_slider(
    image: ArrayLike,
    maps: Sequence[ArrayLike],
    *,
    at: Sequence[float],
    name: str,
    curves: Mapping[str, Sequence[float]] | None = None,
    title: str = "",
    max_side: int = 200,
) -> go.Figure:
    """Slide through segmentations of one image: photo, segments in their mean colors, and scores.

    Parameters
    ----------
    image : uint8 array of shape (h, w, 3)
    maps : list of integer arrays of shape (h, w)
        One segmentation for each position of the slider.
    at : list of numbers
        What the slider stands at: the value of the parameter `name` that gave each map, rising.
    name : str
        Name of the parameter, such as "k".
    curves : dict of name -> list of numbers, optional
        Scores between 0 and 1, one value for each map.
    title : str
    max_side : int
        Longer side in pixels after reduction.

    Returns
    -------
    plotly Figure

    Raises
    ------
    ValueError
        If the numbers of maps, values and scores differ, or a map is not of the size of ``image``.
    """
    go = _plotly()
    image = np.asarray(image)
    maps = [np.asarray(labels) for labels in maps]
    curves = {key: [float(value) for value in values] for key, values in (curves or {}).items()}
    for what, length in {"at": len(at), **{f"curves[{key!r}]": len(values) for key, values in curves.items()}}.items():
        if length != len(maps):
            raise ValueError(f"{what} has {length} values for {len(maps)} maps; expected one for each map")
    if not maps:
        raise ValueError("maps is empty; expected at least one label map")
    for i, labels in enumerate(maps):
        if labels.shape != image.shape[:2]:
            raise ValueError(f"maps[{i}] has shape {labels.shape}, expected that of image: {image.shape[:2]}")
    image = _shrunk(image, max_side)
    maps = [_shrunk(labels, max_side) for labels in maps]
    at = [float(value) for value in at]

    fig = _figure([0.0, 0.31, 0.34, 0.65, 0.74, 1.0] if curves else [0.0, 0.48, 0.52, 1.0], title)
    fig.add_trace(_picture_trace(image))
    texts, shown, frames = [], [], []  # the same words for the ear, and in lines for the eye
    for i, labels in enumerate(maps):
        drawn = plots.colorize(labels, image)
        drawn[plots.boundaries(labels)] = 255
        traces = [_picture_trace(drawn, "2")]
        for j, values in enumerate(curves.values()):
            traces.append(_curve_mark(at[i], values[i], j))
        count = len(np.unique(labels))
        said = [f"{name} = {at[i]:g}: {count} segment{'s' if count != 1 else ''}"]
        said += [f"{key}: {values[i]:.2f}" for key, values in curves.items()]
        texts.append("; ".join(said) + ".")
        shown.append("; ".join(said) + "." if len(said) <= 3 else _in_lines(said))
        frames.append(go.Frame(name=f"{at[i]:g}", data=traces, layout={"annotations": [_status(shown[-1])]}))
    for j, (key, values) in enumerate(curves.items()):
        fig.add_trace(_curve(at, values, key, j))
    first_moving = len(fig.data)
    fig.add_traces(frames[0].data)
    for frame in frames:
        frame.traces = list(range(first_moving, first_moving + len(frame.data)))
    fig.frames = frames
    _image_axes(fig, "", image.shape[:2])
    _image_axes(fig, "2", image.shape[:2])
    if curves:
        top = max(1.0, max(max(values) for values in curves.values()))
        # From below: the panels, the lines that say the scores, the legend beside the title.
        panel = fig.layout.height - fig.layout.margin.t - fig.layout.margin.b  # pixels
        status = 16 + 19 * (shown[0].count("<br>") + 1)
        above = max(status + 21 * len(curves) + 10, fig.layout.margin.t)
        fig.update_layout(
            xaxis3={"title": _axis(name), "dtick": _tick(at[-1] - at[0]) if len(at) > 1 else 1},
            yaxis3={"range": [0, 1.04 * top], "zeroline": False},
            showlegend=True,
            legend={"x": 1.0, "y": 1 + status / panel, "xanchor": "right", "yanchor": "bottom"},
            margin={"t": above},
            height=panel + above + fig.layout.margin.b,
        )
    said = " ".join(
        f"{key[0].upper()}{key[1:]} goes from {values[0]:.2f} to {values[-1]:.2f}." for key, values in curves.items()
    )
    alt = (
        f"Interactive figure: a photo, {image.shape[1]} x {image.shape[0]} pixels, beside its segments for "
        f"{name} from {at[0]:g} to {at[-1]:g}. {said}"
    ).strip()
    return _finish(fig, texts, alt, f"{name} = ", first=shown[0])


# --- In a page of the book -------------------------------------------------------------------------------------------


class Embedded:
    """HTML of a figure; the last value of a notebook cell of the book."""

    def __init__(self, html: str) -> None:
        self.html = html

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return f"Embedded({len(self.html)} characters of HTML)"


def embed(fig: go.Figure, *, alt: str | None = None, script: str = "_static/plotly.min.js") -> Embedded:
    """Write a figure as HTML for a static page that loads nothing from elsewhere.

    The script is loaded once for each page, relative to the root of the book (Sphinx writes it into the page as
    ``data-content_root``); ``plotly_script()`` is the file to be put there. The figure can be reached with the Tab
    key; the left and right arrow keys step through its frames, and a live region says what each shows.

    Parameters
    ----------
    fig : plotly Figure
        With ``layout.meta`` as the functions of this module write it, or any other figure.
    alt : str, optional
        Text for readers who cannot see the figure; taken from ``fig.layout.meta["alt"]`` when None.
    script : str
        Path of plotly's script below the root of the book.

    Returns
    -------
    Embedded
        Shows itself in a notebook cell.

    Raises
    ------
    ValueError
        If there is no text: neither ``alt`` nor ``layout.meta["alt"]``.
    """
    import html
    import zlib

    meta = fig.layout.meta or {}
    alt = alt or meta.get("alt")
    if not alt:
        raise ValueError("alt is missing: give embed(fig, alt=...) one sentence that says what the figure shows")
    data = fig.to_json().replace("</", "<\\/")
    name = f"unseg-plot-{zlib.crc32(data.encode()):08x}"  # from the content: the page does not change by itself
    fill = {
        "NAME": name,
        "ALT": html.escape(alt, quote=True),
        "HEIGHT": str(int(fig.layout.height or 470)),
        "FIGURE": data,
        "STEPS": json.dumps(list(meta.get("steps", ()))).replace("</", "<\\/"),
        "SCRIPT": json.dumps(script),
    }
    page = _PAGE
    for key in ("NAME", "ALT", "HEIGHT", "SCRIPT", "STEPS", "FIGURE"):  # FIGURE last: it may hold anything
        page = page.replace(f"@{key}@", fill[key])
    return Embedded(page)


def plotly_script() -> str:
    """Path of the plotly script inside the installed package; the book copies it into ``_static``.

    Returns
    -------
    str
        File name of ``plotly.min.js``.
    """
    from pathlib import Path

    _plotly()
    import plotly

    return str(Path(plotly.__file__).parent / "package_data" / "plotly.min.js")


_PAGE = """<div class="unseg-plot" style="overflow-x:auto">
<div id="@NAME@" role="group" tabindex="0" aria-label="@ALT@" aria-describedby="@NAME@-now"
 style="min-width:560px;height:@HEIGHT@px"></div>
<div id="@NAME@-now" aria-live="polite"
 style="position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)"></div>
<noscript>@ALT@ (The figure needs JavaScript.)</noscript>
<script>
(function () {
  var steps = @STEPS@, at = 0;
  function draw() {
    var box = document.getElementById("@NAME@"), said = document.getElementById("@NAME@-now");
    var figure = JSON.parse(document.getElementById("@NAME@-data").textContent);
    var frames = figure.frames || [];
    window.Plotly.newPlot(box, {data: figure.data, layout: figure.layout, frames: frames,
      config: {displayModeBar: false, responsive: true}}).then(function () {
      box.dataset.ready = "true";
      said.textContent = steps[0] || "";
      box.on("plotly_animatingframe", function (event) {
        at = frames.findIndex(function (frame) { return frame.name === event.name; });
        said.textContent = steps[at] || "";
      });
      box.addEventListener("keydown", function (event) {
        var to = at + {ArrowRight: 1, ArrowLeft: -1}[event.key];
        if (!(to >= 0 && to < frames.length)) { return; }
        event.preventDefault();
        window.Plotly.animate(box, [frames[to].name],
          {mode: "immediate", frame: {duration: 0, redraw: true}, transition: {duration: 0}});
      });
    });
  }
  function load() {
    if (window.Plotly) { return draw(); }
    if (!window.unsegPlotlyLoads) {
      window.unsegPlotlyLoads = new Promise(function (done) {
        var tag = document.createElement("script");
        tag.src = (document.documentElement.dataset.content_root || "./") + @SCRIPT@;
        tag.onload = done;
        document.head.appendChild(tag);
      });
    }
    window.unsegPlotlyLoads.then(draw);
  }
  if (document.readyState === "loading") { document.addEventListener("DOMContentLoaded", load); } else { load(); }
})();
</script>
<script type="application/json" id="@NAME@-data">@FIGURE@</script>
</div>
"""


# --- The run of k-means that is drawn --------------------------------------------------------------------------------


class _State:
    """What one frame shows: `cells` are the centers whose nearest-center cells are drawn."""

    def __init__(self, name, text, labels, centers, cells, objective, converged=False):
        self.name, self.text, self.labels, self.centers = name, text, labels, centers
        self.cells, self.objective, self.converged = cells, objective, converged


def _half_steps(x: NDArray, centers: NDArray, max_steps: int) -> list[_State]:
    k = len(centers)
    text = f"Start: {k} center{'s' if k != 1 else ''}, no point has a cluster yet."
    states = [_State("start", text, None, centers, None, None)]
    labels = None
    for step in range(1, max_steps + 1):
        new = kmeans.assign(x, centers)
        j = kmeans.inertia(x, centers, new)
        changed = len(x) if labels is None else int((new != labels).sum())
        if labels is None:
            said = "every point takes its nearest center"
        elif changed == 0:
            said = "no point changes its cluster: k-means has converged"
        else:
            said = f"{changed} of {len(x)} points change{'s' if changed == 1 else ''} {_their(changed)} cluster"
        text = f"Step {step}, assign: {said}. J = {j:.4g}."
        states.append(_State(f"{step} assign", text, new, centers, centers, j, changed == 0))
        labels = new
        if changed == 0:
            break
        before, moved = centers, kmeans.update(x, labels, k)
        # A center that nothing can be given to (fewer distinct points than clusters) stays where it is.
        centers = np.where(np.isfinite(moved).all(axis=1, keepdims=True), moved, before)
        j = kmeans.inertia(x, centers, labels)
        empty = k - len(np.unique(labels))
        said = f" ({empty} had no points)" if empty else ""
        text = f"Step {step}, move: the centers go to the means{said}. J = {j:.4g}."
        states.append(_State(f"{step} move", text, labels, centers, before, j))
    return states


def _their(count: int) -> str:
    return "its" if count == 1 else "their"


# --- Traces ----------------------------------------------------------------------------------------------------------


def _plotly():
    try:
        import plotly.graph_objects as go
    except ImportError as error:
        raise ImportError("interactive figures need plotly; install it with: pip install 'unseg[book]'") from error
    return go


def _hex(color: ArrayLike) -> str:
    return "#" + bytes(np.asarray(color, dtype=np.uint8)).hex()


def _colors(k: int) -> list[str]:
    return [_hex(color) for color in plots.palette(k)]


def _points(points: NDArray, labels: NDArray | None, k: int, axis: str):
    go = _plotly()
    if labels is None:
        marker: dict[str, Any] = {"color": NOT_YET, "symbol": "circle"}
    else:  # color and shape say the same, so that color is never needed
        colors, symbols = _colors(k), [SYMBOLS[i % len(SYMBOLS)] for i in range(k)]
        marker = {"color": [colors[i] for i in labels], "symbol": [symbols[i] for i in labels]}
    size = 7 if len(points) <= 400 else 5
    return go.Scatter(
        x=_rounded(points[:, 0]),
        y=_rounded(points[:, 1]),
        mode="markers",
        # A thin dark rim keeps the pale colors of the palette visible on white.
        marker={"size": size, "line": {"color": INK, "width": 0.4}, **marker},
        hoverinfo="skip",
        showlegend=False,
        xaxis=f"x{axis}",
        yaxis=f"y{axis}",
    )


def _centers(centers: NDArray, axis: str):
    return _plotly().Scatter(
        x=_rounded(centers[:, 0]),
        y=_rounded(centers[:, 1]),
        mode="markers",
        marker={
            "size": 15,
            "symbol": "x",
            "color": _colors(len(centers)),
            "line": {"color": INK, "width": 1.5},
        },
        hovertemplate="center %{pointNumber}: %{x:.3f}, %{y:.3f}<extra></extra>",
        showlegend=False,
        xaxis=f"x{axis}",
        yaxis=f"y{axis}",
    )


def _trails(states: Sequence[_State], axes: NDArray, axis: str):
    """The way each center came, one line each; None lifts the pen between lines."""
    way = np.stack([state.centers[:, axes] for state in states])  # (steps, k, 2)
    way = way[np.r_[True, (way[1:] != way[:-1]).any(axis=(1, 2))]]
    x: list[float | None] = []
    y: list[float | None] = []
    for line in way.transpose(1, 0, 2):
        x += [*_rounded(line[:, 0]), None]
        y += [*_rounded(line[:, 1]), None]
    return _plotly().Scatter(
        x=x,
        y=y,
        mode="lines",
        line={"color": INK, "width": 1.5},
        hoverinfo="skip",
        showlegend=False,
        xaxis=f"x{axis}",
        yaxis=f"y{axis}",
    )


def _cells(centers: NDArray | None, low: NDArray, high: NDArray, k: int, side: int = 90):
    """The plane in pale colors of the nearest center; empty before the first assignment."""
    go = _plotly()
    xs, ys = np.linspace(low[0], high[0], side), np.linspace(low[1], high[1], side)
    colors = _colors(k)
    scale = [[edge, colors[i]] for i in range(k) for edge in (i / k, (i + 1) / k)]
    if centers is None:
        nearest = np.zeros((side, side), dtype=np.uint8)
    else:
        grid = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)
        nearest = kmeans.assign(grid, centers).reshape(side, side).astype(np.uint8)
    return go.Heatmap(
        z=nearest,
        x0=float(xs[0]),
        dx=float(xs[1] - xs[0]),
        y0=float(ys[0]),
        dy=float(ys[1] - ys[0]),
        zmin=-0.5,
        zmax=k - 0.5,
        colorscale=scale,
        opacity=0.0 if centers is None else 0.22,
        showscale=False,
        hoverinfo="skip",
    )


def _objective(values: Sequence[float], axis: str):
    sizes = [7] * len(values)
    if sizes:
        sizes[-1] = 13
    return _plotly().Scatter(
        x=list(range(1, len(values) + 1)),
        y=[float(f"{value:.6g}") for value in values],
        mode="lines+markers",
        line={"color": _hex(plots.PALETTE[4])},
        marker={"size": sizes, "color": _hex(plots.PALETTE[4])},
        hovertemplate="J = %{y:.4g}<extra></extra>",
        showlegend=False,
        xaxis=f"x{axis}",
        yaxis=f"y{axis}",
    )


_CURVE_STYLES = (  # color, dash, symbol: all three differ, so that no reader needs the color
    (4, "solid", "circle"),
    (5, "dash", "diamond"),
    (2, "dot", "square"),
    (6, "dashdot", "triangle-up"),
    (7, "longdash", "x"),
    (0, "longdashdot", "triangle-down"),
)


def _curve(at: Sequence[float], values: Sequence[float], name: str, j: int):
    color, dash, symbol = _CURVE_STYLES[j % len(_CURVE_STYLES)]
    return _plotly().Scatter(
        x=list(at),
        y=[round(value, 4) for value in values],
        name=name,
        mode="lines+markers",
        line={"color": _hex(plots.PALETTE[color]), "dash": dash},
        marker={"symbol": symbol, "size": 6},
        hovertemplate="%{y:.3f}<extra>%{fullData.name}</extra>",
        xaxis="x3",
        yaxis="y3",
    )


def _curve_mark(at: float, value: float, j: int):
    color, _, symbol = _CURVE_STYLES[j % len(_CURVE_STYLES)]
    return _plotly().Scatter(
        x=[at],
        y=[round(value, 4)],
        mode="markers",
        marker={
            "symbol": symbol,
            "size": 15,
            "color": _hex(plots.PALETTE[color]),
            "line": {"color": INK, "width": 1.5},
        },
        hoverinfo="skip",
        showlegend=False,
        xaxis="x3",
        yaxis="y3",
    )


def _picture_trace(picture: NDArray, axis: str = ""):
    return _plotly().Image(source=png_uri(picture), hoverinfo="skip", xaxis=f"x{axis}", yaxis=f"y{axis}")


def png_uri(picture: NDArray[np.uint8]) -> str:
    """Write an image as a data URI: a palette PNG when it has at most 256 colors, which is exact and small.

    Parameters
    ----------
    picture : uint8 array of shape (h, w, 3)

    Returns
    -------
    str

    Examples
    --------
    >>> png_uri(np.zeros((2, 2, 3), dtype=np.uint8))[:22]
    'data:image/png;base64,'
    """
    from PIL import Image

    colors, index = np.unique(picture.reshape(-1, 3), axis=0, return_inverse=True)
    if len(colors) <= 256:
        encoded = Image.fromarray(index.reshape(picture.shape[:2]).astype(np.uint8), mode="P")
        encoded.putpalette(colors.tobytes())
    else:
        encoded = Image.fromarray(picture)
    buffer = io.BytesIO()
    encoded.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


# --- Layout ----------------------------------------------------------------------------------------------------------


def _figure(columns: Sequence[float], title: str):
    """A figure with panels side by side; `columns` are left and right edges, two for each panel, in 0..1."""
    layout: dict[str, Any] = {}
    for i, (left, right) in enumerate(zip(columns[::2], columns[1::2], strict=True)):
        number = "" if i == 0 else str(i + 1)
        line = {"showline": True, "linecolor": "#bbbbbb", "gridcolor": "#eeeeee"}
        layout[f"xaxis{number}"] = {"domain": [left, right], "anchor": f"y{number}", **line}
        layout[f"yaxis{number}"] = {"domain": [0.0, 1.0], "anchor": f"x{number}", **line}
    return _plotly().Figure(
        layout={
            **layout,
            "template": "none",
            "title": {"text": title, "x": 0.0, "xanchor": "left", "y": 0.98, "yanchor": "top", "font": {"size": 16}},
            "height": 470,
            # Room below for the slider: plotly would make it by itself, but draws pictures at NaN while it does.
            "margin": {"l": 60, "r": 20, "t": 74, "b": 165},
            "paper_bgcolor": "white",
            "plot_bgcolor": "white",
            "font": {"color": INK, "size": 13},
            "showlegend": False,
        }
    )


def _axis(text: str) -> dict[str, Any]:
    return {"text": text, "standoff": 8, "font": {"size": 13}}


def _image_axes(fig: go.Figure, number: str, shape: tuple[int, int]) -> None:
    h, w = shape
    hidden = {"visible": False, "fixedrange": True}
    fig.update_layout(
        {
            f"xaxis{number}": {**hidden, "range": [-0.5, w - 0.5], "constrain": "domain"},
            f"yaxis{number}": {
                **hidden,
                "range": [h - 0.5, -0.5],
                "scaleanchor": f"x{number}",
                "constrain": "domain",
            },
        }
    )


def _status(text: str) -> dict[str, Any]:
    """The sentence above the panels that says what this frame shows."""
    place = {"x": 0.0, "y": 1.0, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom"}
    return {"text": text, "showarrow": False, "yshift": 12, "font": {"size": 14}, "align": "left", **place}


def _in_lines(said: Sequence[str]) -> str:
    """The first on a line of its own, the others three in a line."""
    rest = said[1:]
    return "<br>".join([said[0], *("; ".join(rest[i : i + 3]) for i in range(0, len(rest), 3))])


def _finish(fig: go.Figure, texts: Sequence[str], alt: str, prefix: str, *, first: str | None = None):
    """Add the slider, the buttons and the words; `first` is what the status line shows at the start."""
    jump = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}, "transition": {"duration": 0}}
    play = {
        "mode": "immediate",
        "fromcurrent": True,
        "frame": {"duration": 900, "redraw": True},
        "transition": {"duration": 0},
    }
    names = [frame.name for frame in fig.frames]
    fig.update_layout(
        annotations=[_status(first or texts[0])],
        meta={"alt": alt, "steps": list(texts)},
        sliders=[
            {
                "active": 0,
                "x": 0.27,
                "len": 0.73,
                "y": -0.27,
                "pad": {"t": 6, "b": 0},
                "currentvalue": {"prefix": prefix, "xanchor": "left"},
                "steps": [{"method": "animate", "label": name, "args": [[name], jump]} for name in names],
            }
        ],
        updatemenus=[
            {
                "type": "buttons",
                "direction": "left",
                "showactive": False,
                "x": 0.0,
                "xanchor": "left",
                "y": -0.27,
                "yanchor": "top",
                "pad": {"t": 22},
                "buttons": [
                    {"label": "Play", "method": "animate", "args": [None, play]},
                    {"label": "Pause", "method": "animate", "args": [[None], jump]},
                ],
            }
        ],
    )
    return fig


# --- Small helpers ---------------------------------------------------------------------------------------------------


def _shrunk(array: NDArray, max_side: int) -> NDArray:
    """Reduce (h, w[, 3]) by a whole factor: the mean of each block of an image, the middle of a label map."""
    if max_side < 1:
        raise ValueError(f"max_side must be at least 1, got {max_side}")
    factor = -(-max(array.shape[:2]) // max_side)
    if factor == 1:
        return array
    h, w = (size // factor for size in array.shape[:2])
    if h == 0 or w == 0:
        raise ValueError(f"an image of {array.shape[:2]} pixels cannot be reduced to max_side={max_side}")
    if array.ndim == 2:
        return array[factor // 2 :: factor, factor // 2 :: factor][:h, :w]
    blocks = array[: h * factor, : w * factor].reshape(h, factor, w, factor, array.shape[2])
    return np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)


def _feature_names(d: int, space: str | None) -> list[str]:
    if space is None:
        return [f"x{'₁₂'[i]}" for i in range(d)]
    color = ["L*", "a*", "b*"] if space == "lab" else ["red", "green", "blue"]
    return [*(f"{name} (scaled)" for name in color), "row (weighted)", "column (weighted)"][:d]


def _rounded(values: NDArray) -> list[float]:
    """Five digits: a third of the page's size, and far finer than a pixel of the screen."""
    return [float(f"{value:.5g}") for value in values]


def _comparable(span: NDArray) -> bool:
    return bool(0.5 <= span[0] / span[1] <= 2.0)


def _tick(length: float) -> float:
    """A tick distance of 1, 2 or 5 times a power of ten that gives at most eight ticks."""
    step = 10.0 ** np.floor(np.log10(max(length, 1e-9) / 8))
    return float(next(step * m for m in (1, 2, 5, 10) if length / (step * m) <= 8))
