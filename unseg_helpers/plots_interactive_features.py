"""Interactive figures of chapter 04: DINO's loss with parts switched off, and the self-similarity of any patch.

The first is stepped through like those of `plots_interactive`, and needs plotly. The second holds the cosine of every
pair of patches, so a reader can point at any of them; it draws by itself, without plotly and without a network.

Notation: a grid of h x w patches, n = h * w; K outputs of the head; T steps; G groups of points.
"""

from __future__ import annotations

import base64
import html
import io
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unseg_helpers import plots_features, plots_interactive

if TYPE_CHECKING:
    import plotly.graph_objects as go

MAX_PATCHES = 1024  # of an explorer: the page holds n (n + 1) / 2 bytes for each kind of features
SETTINGS = {  # name -> (center, sharpen)
    "both": (True, True),
    "centering only": (True, False),
    "sharpening only": (False, True),
    "neither": (False, False),
}


class Distillation(NamedTuple):
    """A run of `self_distillation`.

    Attributes
    ----------
    entropy : array of shape (T,)
        Mean entropy of the teacher's answers in nats: 0 when each is certain, log K when each is uniform.
    divergence : array of shape (T,)
        Mean KL divergence of the student's answers from the teacher's in nats: 0 when nothing is left to learn.
    outputs : array of shape (T, G, K)
        Mean answer of the teacher to the points of each group.
    told_apart : float
        Mutual information between group and mean answer at the end, over log G: 1 when each group has answers of its
        own, 0 when all have the same.
    """

    entropy: NDArray[np.float64]
    divergence: NDArray[np.float64]
    outputs: NDArray[np.float64]
    told_apart: float


def self_distillation(
    *,
    center: bool = True,
    sharpen: bool = True,
    noise: float = 0.5,
    steps: int = 300,
    n_groups: int = 4,
    n_outputs: int = 8,
    teacher_temp: float = 0.04,
    student_temp: float = 0.1,
    momentum: float = 0.9,
    seed: int = 0,
) -> Distillation:
    """DINO without images [1]_: points of the plane in groups, a view is a point with noise, networks have one layer.

    Student and teacher are linear maps of the same 24 random waves and a constant. The student learns by plain
    gradient descent, the teacher's weights and the center are moving averages.

    Parameters
    ----------
    center : bool
        Subtract the running mean of the teacher's outputs.
    sharpen : bool
        Give the teacher ``teacher_temp``; otherwise it has the student's.
    noise : float
        Standard deviation of a view around the point of its group; the groups lie on a circle of radius 1.
    steps, n_groups, n_outputs : int
        T, G and K.
    teacher_temp, student_temp : float
        Temperatures of the softmax, above 0.
    momentum : float
        Of both moving averages, from 0 (take the new value) to 1 (keep the old one).
    seed : int

    Returns
    -------
    Distillation

    Raises
    ------
    ValueError
        If a temperature is not positive or ``momentum`` is outside [0, 1].

    References
    ----------
    .. [1] M. Caron et al., "Emerging properties in self-supervised vision transformers", ICCV 2021.

    Examples
    --------
    >>> {name: round(self_distillation(center=c, sharpen=s).told_apart, 1) for name, (c, s) in SETTINGS.items()}
    {'both': 0.5, 'centering only': 0.0, 'sharpening only': 0.0, 'neither': 0.0}
    """
    if not (teacher_temp > 0 and student_temp > 0):
        raise ValueError(f"temperatures must be above 0, got teacher {teacher_temp} and student {student_temp}")
    if not 0 <= momentum <= 1:
        raise ValueError(f"momentum must be between 0 and 1, got {momentum}")
    rng = np.random.default_rng(seed)
    angle = 2 * np.pi * np.arange(n_groups) / n_groups
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)  # (G, 2)
    n_waves, n_points = 24, 256
    direction, phase = rng.normal(size=(2, n_waves)), rng.uniform(-np.pi, np.pi, n_waves)

    def seen(points):  # (n, 2) -> (n, 25): what both networks see of a view
        waves = np.cos(points @ direction + phase) * np.sqrt(2 / n_waves)
        return np.concatenate([np.ones((len(points), 1)), waves], axis=1)

    student = 0.03 * rng.normal(size=(n_waves + 1, n_outputs))
    teacher, middle = student.copy(), np.zeros(n_outputs)
    temp = teacher_temp if sharpen else student_temp
    entropy, divergence, outputs = np.empty(steps), np.empty(steps), np.empty((steps, n_groups, n_outputs))
    for t in range(steps):
        group = np.arange(n_points) % n_groups
        views = [seen(circle[group] + noise * rng.normal(size=(n_points, 2))) for _ in range(2)]
        # [one step]
        raw = [view @ teacher for view in views]
        p_t = [softmax((z - middle * center) / temp) for z in raw]
        p_s = [softmax(view @ student / student_temp) for view in views]
        gradient = sum(views[j].T @ (p_s[j] - p_t[i]) for i, j in ((0, 1), (1, 0))) / (2 * n_points)
        student = student - gradient
        teacher = momentum * teacher + (1 - momentum) * student
        middle = momentum * middle + (1 - momentum) * np.concatenate(raw).mean(axis=0)
        # [end of the step]
        log_t, log_s = (np.log(np.maximum(p, 1e-300)) for p in (p_t[0], p_s[1]))
        entropy[t] = -(p_t[0] * log_t).sum(axis=1).mean()
        divergence[t] = (p_t[0] * (log_t - log_s)).sum(axis=1).mean()
        outputs[t] = [p_t[0][group == g].mean(axis=0) for g in range(n_groups)]
    return Distillation(entropy, divergence, outputs, _information(outputs[-1]))


def softmax(a: NDArray) -> NDArray[np.float64]:
    """Exponentials divided by their sum over the last axis, of any finite numbers.

    Examples
    --------
    >>> softmax(np.array([1000.0, 1000.0])).tolist()
    [0.5, 0.5]
    """
    e = np.exp(a - a.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def collapse_stepper(
    at: Sequence[int] = (1, 3, 6, 10, 20, 40, 80, 150, 300),
    *,
    title: str = "What the teacher answers, with parts of DINO switched off",
    **options: float,
) -> go.Figure:
    """Step through `self_distillation` in its four settings: mean answers to each group, as four heat maps
    (black: 0, white: 1).

    Parameters
    ----------
    at : sequence of int
        Which steps to show, rising from 1.
    title : str
    **options
        For ``self_distillation``, except ``center``, ``sharpen`` and ``steps``.

    Returns
    -------
    plotly Figure
        ``layout.meta`` holds ``alt`` (one text for the whole figure) and ``steps`` (one for each frame).

    Raises
    ------
    ValueError
        If ``at`` does not rise from 1 or more.

    Examples
    --------
    >>> collapse_stepper((1, 30)).layout.meta["steps"][0][:25]
    'Step 1. Entropy: both 1.7'
    """
    go = plots_interactive._plotly()
    at = [int(step) for step in at]
    if not at or at[0] < 1 or at != sorted(set(at)):
        raise ValueError(f"at must rise from 1 or more, got {tuple(at)}")
    runs = {
        name: self_distillation(center=center, sharpen=sharpen, steps=at[-1], **options)
        for name, (center, sharpen) in SETTINGS.items()
    }
    n_groups, n_outputs = runs["both"].outputs.shape[1:]
    fig = plots_interactive._figure([0.0, 0.22, 0.26, 0.48, 0.52, 0.74, 0.78, 1.0], title)
    colors = plots_features.heat_colors(9)
    scale = [[i / 8, plots_interactive._hex(color)] for i, color in enumerate(colors)]
    texts, shown, frames = [], [], []
    for step in at:
        traces = []
        for i, run in enumerate(runs.values()):
            number = "" if i == 0 else str(i + 1)
            traces.append(
                go.Heatmap(
                    z=np.round(run.outputs[step - 1], 3),
                    zmin=0,
                    zmax=1,
                    colorscale=scale,
                    showscale=False,
                    hovertemplate="group %{y}, output %{x}: %{z:.2f}<extra></extra>",
                    x=list(range(1, n_outputs + 1)),
                    y=list(range(1, n_groups + 1)),
                    xaxis=f"x{number}",
                    yaxis=f"y{number}",
                )
            )
        said = [f"{name} {run.entropy[step - 1]:.2f}" for name, run in runs.items()]
        texts.append(f"Step {step}. Entropy: {', '.join(said)}.")
        shown.append(f"Step {step}. Entropy of an answer:<br>{'; '.join(said)}.")
        frames.append(
            go.Frame(name=str(step), data=traces, layout={"annotations": [plots_interactive._status(shown[-1])]})
        )
    fig.add_traces(frames[0].data)
    for frame in frames:
        frame.traces = list(range(len(runs)))
    fig.frames = frames
    for i, name in enumerate(runs):
        number = "" if i == 0 else str(i + 1)
        fig.update_layout(
            {
                f"xaxis{number}": {"title": plots_interactive._axis(f"<b>{name}</b>"), "dtick": 1, "showgrid": False},
                f"yaxis{number}": {"dtick": 1, "showgrid": False, "showticklabels": i == 0, "autorange": "reversed"},
            }
        )
    fig.update_layout(yaxis={"title": plots_interactive._axis("group")}, margin={"t": 96})
    ends = ", ".join(f"{name} {100 * run.told_apart:.0f} %" for name, run in runs.items())
    alt = (
        f"Interactive figure: four heat maps of the teacher's mean answer, {n_outputs} outputs for each of {n_groups} "
        f"groups, for steps {at[0]} to {at[-1]}. Of what the groups differ in, the answers tell at the end: {ends}."
    )
    return plots_interactive._finish(fig, texts, alt, "step: ", first=shown[0])


def similarity_explorer(
    image: ArrayLike,
    features: Mapping[str, ArrayLike],
    *,
    truth: ArrayLike | None = None,
    start: tuple[int, int] | None = None,
    top: int = 20,
    max_side: int = 360,
    title: str = "Point at a patch",
) -> plots_interactive.Embedded:
    """Show how similar each patch is to the one that a reader points at, for several kinds of features.

    A click, a finger or the arrow keys choose the patch. Black is the lowest hundredth of all cosines of that kind of
    features, white is 1.

    Parameters
    ----------
    image : uint8 array of shape (H, W, 3)
        What the grid covers: cut the photo to ``PatchFeatures.image_size`` first.
    features : dict of name -> array of shape (h, w, d)
        All of the same grid, d may differ.
    truth : integer array of shape (H, W), optional
        Ground truth; with it the figure says how many of the most similar patches lie in the chosen patch's region.
    start : (row, column), optional
        The first patch; the middle of the grid when None.
    top : int
        How many of the most similar patches are counted.
    max_side : int
        Longer side of the photo in pixels after reduction.
    title : str

    Returns
    -------
    Embedded
        HTML that shows itself in a notebook cell and in the book.

    Raises
    ------
    ValueError
        If shapes do not fit, or the grid has more than ``MAX_PATCHES`` patches.
    """
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"image must be uint8 of shape (H, W, 3), got {image.dtype} of {image.shape}")
    if not features:
        raise ValueError("features is empty; expected names with arrays of shape (h, w, d)")
    unit = {name: plots_features.unit_rows(x) for name, x in features.items()}
    grids = {x.shape[:2] for x in unit.values()}
    if len(grids) > 1:
        raise ValueError(f"all features must have one grid, got {sorted(grids)}")
    h, w = grids.pop()
    n = h * w
    if n > MAX_PATCHES:
        raise ValueError(f"the grid has {n} patches, more than {MAX_PATCHES}; extract with a smaller size")
    if not 1 <= top < n:
        raise ValueError(f"top must be between 1 and n-1={n - 1}, got {top}")
    row, column = (h // 2, w // 2) if start is None else start
    if not (0 <= row < h and 0 <= column < w):
        raise ValueError(f"start must be (row, column) in a grid of {h} x {w}, got {(row, column)}")
    regions = None
    if truth is not None:
        truth = np.asarray(truth)
        if truth.shape != image.shape[:2] or truth.dtype.kind not in "iub":
            raise ValueError(f"truth must hold integers of shape {image.shape[:2]}, got {truth.dtype} of {truth.shape}")
        regions = plots_features.patch_labels(truth, (h, w)).ravel().tolist()

    upper = np.triu_indices(n)
    maps = []
    for name, x in unit.items():
        rows = x.reshape(n, -1)
        cosine = np.clip(rows @ rows.T, -1, 1)[upper]
        maps.append(
            {
                "name": name,
                "low": round(float(np.quantile(cosine, 0.01)), 3),
                "data": base64.b64encode(np.rint(127.5 * (cosine + 1)).astype(np.uint8).tobytes()).decode("ascii"),
            }
        )
    names = " and ".join(unit)
    alt = (
        f"Interactive figure: a photo of {h} rows and {w} columns of patches. Point at a patch, or use the arrow keys: "
        f"heat maps show how similar all others are to it, by {names}."
    )
    small = plots_interactive._shrunk(image, max_side)
    data = {
        "h": h, "w": w, "at": [int(row), int(column)], "top": top, "regions": regions, "maps": maps,
        "photo": _jpeg_uri(small), "size": [small.shape[1], small.shape[0]],
        "colors": ["#" + bytes(color).hex() for color in plots_features.heat_colors(64)],
        "mark": "#" + bytes(plots_features.MARK).hex(),
    }  # fmt: skip
    text = json.dumps(data).replace("</", "<\\/")
    page = _EXPLORER
    for key, value in {
        "NAME": f"unseg-similarity-{zlib.crc32(text.encode()):08x}",
        "TITLE": html.escape(title),
        "ALT": html.escape(alt, quote=True),
        "DATA": text,  # last: it may hold anything
    }.items():
        page = page.replace(f"@{key}@", value)
    return plots_interactive.Embedded(page)


def _information(outputs: NDArray) -> float:
    """I(group; output) / log G of mean answers (G, K), groups equally frequent."""
    mean = outputs.mean(axis=0)
    ratio = np.where(outputs > 0, outputs, 1) / np.where(outputs > 0, mean, 1)
    return float((outputs * np.log(ratio)).sum(axis=1).mean() / np.log(len(outputs)))


def _jpeg_uri(image: NDArray[np.uint8]) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


# The photo and one canvas for each kind of features; the triangle of cosines is read row by row.
_EXPLORER = """<div class="unseg-similarity" style="background:#fff;color:#222;border-radius:4px;padding:10px">
<div id="@NAME@" role="group" tabindex="0" aria-label="@ALT@" aria-describedby="@NAME@-now">
<div style="font-weight:600">@TITLE@</div>
<div class="panels" style="display:flex;flex-wrap:wrap;gap:10px;margin:6px 0"></div>
<div id="@NAME@-now" aria-live="polite" style="font-size:0.92em;min-height:3.2em"></div>
<noscript>@ALT@ (The figure needs JavaScript.)</noscript>
</div>
<script type="application/json" id="@NAME@-data">@DATA@</script>
<script>
(function () {
  function draw() {
    var box = document.getElementById("@NAME@"), said = document.getElementById("@NAME@-now");
    if (!box || box.dataset.ready) { return; }
    var data = JSON.parse(document.getElementById("@NAME@-data").textContent);
    var h = data.h, w = data.w, n = h * w, at = data.at.slice(), photo = new Image();
    var holder = box.querySelector(".panels"), width = data.size[0], height = data.size[1];
    function panel(name) {
      var one = document.createElement("div"), label = document.createElement("div");
      var canvas = document.createElement("canvas");
      one.style.cssText = "flex:1 1 200px;max-width:360px;min-width:0";
      label.style.cssText = "font-size:0.88em";
      label.textContent = name;
      canvas.width = width; canvas.height = height;
      canvas.style.cssText = "width:100%;display:block;cursor:crosshair;touch-action:manipulation";
      function choose(event) {
        var place = canvas.getBoundingClientRect();
        go(Math.floor((event.clientY - place.top) / place.height * h),
           Math.floor((event.clientX - place.left) / place.width * w));
      }
      canvas.addEventListener("pointerdown", choose);
      canvas.addEventListener("pointermove", function (event) { if (event.buttons) { choose(event); } });
      one.appendChild(label); one.appendChild(canvas); holder.appendChild(one);
      return canvas.getContext("2d");
    }
    var first = panel("photo"), maps = data.maps.map(function (map) {
      var text = atob(map.data), bytes = new Uint8Array(text.length);
      for (var i = 0; i < text.length; i++) { bytes[i] = text.charCodeAt(i); }
      return {name: map.name, low: map.low, bytes: bytes, pen: panel(map.name)};
    });
    function cosine(map, i, j) {
      var a = Math.min(i, j), b = Math.max(i, j);
      return map.bytes[a * n - a * (a - 1) / 2 + b - a] / 127.5 - 1;
    }
    function frame(pen) {
      var x = at[1] * width / w, y = at[0] * height / h;
      pen.lineWidth = 4; pen.strokeStyle = "#000"; pen.strokeRect(x, y, width / w, height / h);
      pen.lineWidth = 2; pen.strokeStyle = data.mark; pen.strokeRect(x, y, width / w, height / h);
    }
    function show() {
      var here = at[0] * w + at[1], words = [];
      first.drawImage(photo, 0, 0, width, height);
      frame(first);
      maps.forEach(function (map) {
        var values = [], order = [];
        for (var j = 0; j < n; j++) {
          var value = cosine(map, here, j), share = (value - map.low) / (1 - map.low), row = Math.floor(j / w);
          values.push(value);
          if (j !== here) { order.push(j); }
          map.pen.fillStyle = data.colors[Math.max(0, Math.min(63, Math.round(63 * share)))];
          var x0 = Math.round(j % w * width / w), y0 = Math.round(row * height / h);
          map.pen.fillRect(x0, y0, Math.round((j % w + 1) * width / w) - x0, Math.round((row + 1) * height / h) - y0);
        }
        frame(map.pen);
        order.sort(function (a, b) { return values[b] - values[a]; });
        var near = order.slice(0, data.top), text = map.name + ": ";
        if (data.regions) {
          var same = near.filter(function (j) { return data.regions[j] === data.regions[here]; }).length;
          text += same + " of the " + data.top + " most similar patches lie in the same true region";
        } else {
          text += "the " + data.top + " most similar patches are above " + values[near[near.length - 1]].toFixed(2);
        }
        words.push(text);
      });
      said.textContent = "Patch in row " + (at[0] + 1) + ", column " + (at[1] + 1) + ". " + words.join("; ") + ".";
    }
    function go(row, column) {
      at = [Math.max(0, Math.min(h - 1, row)), Math.max(0, Math.min(w - 1, column))];
      show();
    }
    box.addEventListener("keydown", function (event) {
      var move = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]}[event.key];
      if (!move) { return; }
      event.preventDefault();
      go(at[0] + move[0], at[1] + move[1]);
    });
    photo.onload = function () { show(); box.dataset.ready = "true"; };
    photo.src = data.photo;
  }
  if (document.readyState === "loading") { document.addEventListener("DOMContentLoaded", draw); } else { draw(); }
})();
</script>
</div>
"""
