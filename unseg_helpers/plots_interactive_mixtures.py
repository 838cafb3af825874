"""Interactive figure of chapter 03: the EM algorithm, one half-step at a time.

Everything is computed before the page is built; see `plots_interactive`. Needs plotly (``pip install unseg[book]``).

Notation: n points, d features, k components; q are the responsibilities of the last E step, F the bound on the mean
log-likelihood in nats for each point.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unseg_helpers import features, gmm, plots
from unseg_helpers import plots_interactive as base
from unseg_helpers.plots_mixtures import ellipse, mixed_colors

if TYPE_CHECKING:
    import plotly.graph_objects as go

SYMBOLS = (
    0,
    1,
    2,
    5,
    13,
    14,
    6,
    17,
)  # plotly's numbers of `plots_interactive.SYMBOLS`: a number is short, and drawn often
RADII = (1.0, 2.0)
MAX_POINTS = 500  # drawn; each frame holds the color and the shape of each


def bound(x: ArrayLike, responsibilities: ArrayLike, mixture: gmm.Mixture) -> float:
    """The lower bound F(q, mixture) on the mean log-likelihood [1]_.

    F = mean_i sum_j q_ij (log weight_j + log N(x_i | mean_j, covariance_j) - log q_ij); it equals the mean
    log-likelihood if and only if q are the responsibilities under this mixture.

    Parameters
    ----------
    x : array of shape (n, d)
    responsibilities : array of shape (n, k)
        Any q: at least 0, each row sums to 1.
    mixture : Mixture

    Returns
    -------
    float
        Nats for each point.

    References
    ----------
    .. [1] R. Neal and G. Hinton, "A view of the EM algorithm that justifies incremental, sparse, and other variants",
       Learning in Graphical Models, 1998.

    Examples
    --------
    >>> one = gmm.Mixture(np.ones(1), np.zeros((1, 1)), np.ones((1, 1, 1)))
    >>> round(bound([[0.0]], [[1.0]], one), 4)  # one component: no doubt, F is the log-likelihood
    -0.9189
    """
    q = np.asarray(responsibilities, dtype=np.float64)
    joint = gmm.log_densities(x, mixture) + np.log(mixture.weights)  # (n, k)
    some = q > 0  # 0 log 0 = 0, and 0 times minus infinity as well
    return float((q[some] * (joint[some] - np.log(q[some]))).sum() / len(q))


def em_stepper(
    x: ArrayLike,
    k: int,
    *,
    init: gmm.Mixture | None = None,
    kind: gmm.Kind = "full",
    iterations: Sequence[int] = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30),
    space: str = "lab",
    max_side: int = 120,
    title: str = "EM, one half-step at a time",
    rng: np.random.Generator | int | None = None,
) -> go.Figure:
    """Step through EM: responsibilities, parameters, responsibilities, parameters, while the likelihood rises.

    Points have the mixed colors of their responsibilities and the shape of the component that has most of them. The
    chart shows the log-likelihood and the bound: an E step lifts the bound to the log-likelihood, an M step lifts both.

    Parameters
    ----------
    x : array of shape (n, 2), or uint8 image of shape (h, w, 3)
        Points of the plane; or a photo, which is made smaller, and shown in mixed colors beside the two features that
        vary most.
    k : int
        Number of components, from 1 to the number of points.
    init : Mixture, optional
        Where to start; when None, means at random points, each with the covariance of all points.
    kind : "full", "diag", "spherical" or "tied"
        Of the covariances.
    iterations : sequence of int
        Which iterations to show, each with its E and its M step; those between run unseen. Rising, from 1.
    space : "lab" or "rgb"
        Features of a photo, without position.
    max_side : int
        For a photo: longer side in pixels after reduction.
    title : str
    rng : Generator, int or None
        Draws the start.

    Returns
    -------
    plotly Figure
        ``layout.meta`` holds ``alt`` (one text for the whole figure) and ``steps`` (one for each frame).

    Raises
    ------
    ValueError
        If ``x`` is neither (n, 2) nor (h, w, 3), ``init`` has other sizes, or ``iterations`` does not rise from 1.

    Examples
    --------
    >>> start = gmm.Mixture(np.full(2, 0.5), np.array([[0.0, 0.0], [4.0, 0.0]]), np.stack([np.eye(2)] * 2))
    >>> x = [[-1.0, 0.0], [1.0, 1.0], [0.0, -1.0], [9.0, 0.0], [11.0, 1.0], [10.0, -1.0]]
    >>> figure = em_stepper(x, 2, init=start, iterations=(1, 2))
    >>> figure.layout.meta["steps"][0]
    'Start: 2 components, log-likelihood -12.19.'
    """
    go = base._plotly()
    x = np.asarray(x)
    image = None
    if x.ndim == 3:
        image = base._shrunk(x, max_side)
        x = features.pixel_features(image, space=space, dtype=np.float64)
    elif x.ndim != 2 or x.shape[1] != 2:
        raise ValueError(f"x must have shape (n, 2) or be an (h, w, 3) image, got {x.shape}")
    x = x.astype(np.float64)
    iterations = [int(t) for t in iterations]
    if not iterations or iterations[0] < 1 or iterations != sorted(set(iterations)):
        raise ValueError(f"iterations must rise from 1 or more, got {tuple(iterations)}")
    if init is None:
        init = _random_start(x, k, kind, np.random.default_rng(rng))
    if np.shape(init.means) != (k, x.shape[1]):
        raise ValueError(f"init must have means of shape (k, d) = ({k}, {x.shape[1]}), got {np.shape(init.means)}")
    states = _half_steps(x, init, kind, iterations)

    names = base._feature_names(x.shape[1], None if image is None else space)
    axes = np.sort(np.argsort(-x.var(axis=0))[:2]) if image is not None else np.array([0, 1])
    shown = np.random.default_rng(0).permutation(len(x))[:MAX_POINTS]
    points = x[shown][:, axes]
    low, high = points.min(axis=0), points.max(axis=0)
    pad = 0.1 * np.where(high > low, high - low, 1.0)
    low, high = low - pad, high + pad

    fig = base._figure([0.0, 0.50, 0.64, 1.0] if image is None else [0.0, 0.30, 0.39, 0.67, 0.79, 1.0], title)
    plane = "" if image is None else "2"
    chart = "2" if image is None else "3"
    frames, moving = [], []
    for i, state in enumerate(states):
        traces: list[Any] = []
        if image is not None:
            picture = image if state.q is None else _few_colors(mixed_colors(state.q).reshape(image.shape))
            traces.append(base._picture_trace(picture))
        traces.append(_points(points, None if state.q is None else state.q[shown], plane))
        traces += _outlines(state.mixture, axes, plane)
        traces += _curves(states[: i + 1], chart)
        if i == 0:
            moving = list(traces)
        at = 0 if image is None else 1  # a frame holds what changes: the points stay, their color and shape are new
        traces[at] = go.Scatter(marker=traces[at].marker)
        frames.append(go.Frame(name=state.name, data=traces, layout={"annotations": [base._status(state.text)]}))
    fig.add_traces(moving)
    for frame in frames:
        frame.traces = list(range(len(moving)))
    fig.frames = frames

    values = [v for state in states for v in (state.log_likelihood, state.bound) if v is not None]
    room = 0.08 * (max(values) - min(values) or 1.0)
    if image is not None:
        base._image_axes(fig, "", image.shape[:2])
    fig.update_layout(
        {
            f"xaxis{plane}": {"title": base._axis(names[axes[0]]), "range": [low[0], high[0]], "zeroline": False},
            f"yaxis{plane}": {"title": base._axis(names[axes[1]]), "range": [low[1], high[1]], "zeroline": False},
            f"xaxis{chart}": {
                "title": base._axis("iteration"),
                "range": [-0.3, iterations[-1] + 0.6],
                "dtick": base._tick(iterations[-1]),
                "zeroline": False,
            },
            f"yaxis{chart}": {
                "title": base._axis("nats for each point"),
                "range": [min(values) - room, max(values) + room],
                "zeroline": False,
            },
            "showlegend": True,
            "legend": {"x": 1.0, "y": 0.04, "xanchor": "right", "yanchor": "bottom", "font": {"size": 12}},
        }
    )
    if image is None and base._comparable(high - low):
        fig.update_layout(xaxis={"constrain": "domain"}, yaxis={"scaleanchor": "x", "constrain": "domain"})
    of = f"{len(x)} points of the plane" if image is None else f"the {len(x)} pixels of a small photo"
    alt = (
        f"Interactive figure: EM with {k} {kind} components on {of}. In {iterations[-1]} iterations the mean "
        f"log-likelihood rises from {states[0].log_likelihood:.4g} to {states[-1].log_likelihood:.4g} nats; the bound "
        "touches it after each E step."
    )
    return base._finish(fig, [state.text for state in states], alt, "half-step: ")


class _State:
    """What one frame shows; `bound` is None before the first E step."""

    def __init__(self, name, text, at, q, mixture, log_likelihood, bound):
        self.name, self.text, self.at, self.q, self.mixture = name, text, at, q, mixture
        self.log_likelihood, self.bound = log_likelihood, bound


def _random_start(x: NDArray, k: int, kind: gmm.Kind, rng: np.random.Generator) -> gmm.Mixture:
    if not 1 <= k <= len(x):
        raise ValueError(f"k must be between 1 and n={len(x)}, the number of points, got {k}")
    d = x.shape[1]
    cov = np.cov(x.T).reshape(d, d) + 1e-6 * max(x.var(axis=0).mean(), 1e-12) * np.eye(d)
    covariances = {
        "full": np.stack([cov] * k),
        "diag": np.stack([cov.diagonal()] * k),
        "spherical": np.full(k, cov.diagonal().mean()),
        "tied": cov,
    }
    if kind not in covariances:
        raise ValueError(f'kind must be "full", "diag", "spherical" or "tied", got {kind!r}')
    return gmm.Mixture(np.full(k, 1 / k), x[rng.choice(len(x), k, replace=False)], covariances[kind], kind)


def _half_steps(x: NDArray, mixture: gmm.Mixture, kind: gmm.Kind, iterations: list[int]) -> list[_State]:
    k = len(mixture.weights)
    log_likelihood = gmm.score(x, mixture)
    text = f"Start: {k} component{'s' if k != 1 else ''}, log-likelihood {log_likelihood:.4g}."
    states = [_State("start", text, 0.0, None, mixture, log_likelihood, None)]
    for t in range(1, iterations[-1] + 1):
        q, log_likelihood = gmm.e_step(x, mixture)
        if t in iterations:
            unsure = (q.max(axis=1) < 0.9).mean()
            text = (
                f"Iteration {t}, E step: responsibilities; {100 * unsure:.0f} % of the points are in doubt "
                f"(none above 0.9).<br>The bound touches the log-likelihood, {log_likelihood:.4g}."
            )
            states.append(_State(f"{t} E", text, t - 0.5, q, mixture, log_likelihood, log_likelihood))
        mixture = gmm.m_step(x, q, kind=kind)
        if t in iterations:
            new, lifted = gmm.score(x, mixture), bound(x, q, mixture)
            text = (
                f"Iteration {t}, M step: weights, means and covariances are new.<br>The bound rises to {lifted:.4g}, "
                f"the log-likelihood to {new:.4g}."
            )
            states.append(_State(f"{t} M", text, float(t), q, mixture, new, lifted))
    return states


def _few_colors(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """At most 256 colors, chosen for this picture: a third of the size, and hardly a visible difference."""
    from PIL import Image

    return np.asarray(Image.fromarray(picture).quantize(256).convert("RGB"))


def _points(points: NDArray, q: NDArray | None, axis: str):
    marker: dict[str, Any] = {"color": base.NOT_YET, "symbol": 0}
    if q is not None:
        marker = {
            "color": [base._hex(color) for color in mixed_colors(q)],
            "symbol": [SYMBOLS[j % len(SYMBOLS)] for j in q.argmax(axis=1)],
        }
    return base._plotly().Scatter(
        x=base._rounded(points[:, 0]),
        y=base._rounded(points[:, 1]),
        mode="markers",
        marker={"size": 7 if len(points) <= 400 else 5, "line": {"color": base.INK, "width": 0.4}, **marker},
        hoverinfo="skip",
        showlegend=False,
        xaxis=f"x{axis}",
        yaxis=f"y{axis}",
    )


def _outlines(mixture: gmm.Mixture, axes: NDArray, axis: str) -> list[Any]:
    """A dark rim of all ellipses, one colored line for each component, and the means, larger with more weight."""
    go = base._plotly()
    place = {"hoverinfo": "skip", "showlegend": False, "xaxis": f"x{axis}", "yaxis": f"y{axis}"}
    lines = []
    for mean, covariance in zip(mixture.means, mixture.full_covariances(), strict=True):
        x: list[float | None] = []
        y: list[float | None] = []
        for radius in RADII:
            outline = ellipse(mean[axes], covariance[np.ix_(axes, axes)], radius=radius, n=49)
            x += [*base._rounded(outline[:, 0]), None]  # None lifts the pen
            y += [*base._rounded(outline[:, 1]), None]
        lines.append((x, y))
    rim_x = [value for x, _ in lines for value in x]
    rim_y = [value for _, y in lines for value in y]
    traces: list[Any] = [go.Scatter(x=rim_x, y=rim_y, mode="lines", line={"color": base.INK, "width": 4.5}, **place)]
    colors = base._colors(len(lines))
    for (x, y), color in zip(lines, colors, strict=True):
        traces.append(go.Scatter(x=x, y=y, mode="lines", line={"color": color, "width": 2.5}, **place))
    traces.append(
        go.Scatter(
            x=base._rounded(mixture.means[:, axes[0]]),
            y=base._rounded(mixture.means[:, axes[1]]),
            mode="markers",
            marker={
                "symbol": "x",
                "size": [round(8 + 14 * float(np.sqrt(w)), 1) for w in mixture.weights],
                "color": colors,
                "line": {"color": base.INK, "width": 1.5},
            },
            **place,
        )
    )
    return traces


def _curves(states: Sequence[_State], axis: str) -> list[Any]:
    go = base._plotly()
    traces = []
    for name, index, dash, symbol in (("log-likelihood", 4, "solid", "circle"), ("bound", 5, "dash", "diamond")):
        pairs = [(s.at, s.log_likelihood if index == 4 else s.bound) for s in states]
        pairs = [(at, value) for at, value in pairs if value is not None]
        sizes = [6] * len(pairs)
        if sizes:
            sizes[-1] = 11
        traces.append(
            go.Scatter(
                x=[at for at, _ in pairs],
                y=[float(f"{value:.6g}") for _, value in pairs],
                name=name,
                mode="lines+markers",
                line={"color": base._hex(plots.PALETTE[index]), "dash": dash, "width": 2},
                marker={"size": sizes, "symbol": symbol, "color": base._hex(plots.PALETTE[index])},
                hovertemplate="%{y:.4f}<extra>%{fullData.name}</extra>",
                xaxis=f"x{axis}",
                yaxis=f"y{axis}",
            )
        )
    return traces
