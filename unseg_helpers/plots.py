"""Pictures of segmentations: overlays, panels, legends, k-means step by step, and sentences that describe them.

Notation: h, w height and width; n points, d features, k clusters. A *label map* is an integer (h, w) array; a value
keeps its color in every picture, so that panels can be compared. ``colorize``, ``boundaries`` and ``blend`` need
NumPy only; matplotlib is imported by the functions that draw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

# The first eight are the colors of Okabe and Ito (2008), black last. The others were found by a greedy search over
# an RGB grid: each is as far as possible, in CIELAB, from all before it, for normal vision and for simulated
# protanopia and deuteranopia (Machado et al. 2009; tritanopia, which is rare, with a lower weight). Any two differ by
# at least 17 in CIELAB under deuteranopia, which is what the eight of Okabe and Ito reach among themselves.
_COLORS = (
    ("orange", "E69F00"),
    ("sky blue", "56B4E9"),
    ("bluish green", "009E73"),
    ("yellow", "F0E442"),
    ("blue", "0072B2"),
    ("vermilion", "D55E00"),
    ("pink", "CC79A7"),
    ("black", "000000"),
    ("violet", "7700FF"),
    ("mint", "AAFFAA"),
    ("navy", "000077"),
    ("dark olive", "443300"),
    ("plum", "771155"),
    ("pale gray", "DDEEEE"),
    ("lavender", "8866FF"),
    ("crimson", "DD0044"),
    ("indigo", "6611BB"),
    ("tan", "DDAA66"),
    ("sea green", "77DDAA"),
    ("periwinkle", "7799FF"),
    ("lime", "DDEE77"),
    ("purple", "991188"),
    ("pale blue", "AADDFF"),
    ("maroon", "771133"),
)

PALETTE = np.array([list(bytes.fromhex(code)) for _, code in _COLORS], dtype=np.uint8)  # (24, 3)
PALETTE.setflags(write=False)
PALETTE_NAMES = tuple(name for name, _ in _COLORS)

IGNORED_COLOR = np.array([128, 128, 128], dtype=np.uint8)  # labels below 0: "not looked at"

# Plain names for colors that come from a photo, where the names of the palette would mislead.
_PLAIN_NAMES = {
    "black": (0, 0, 0),
    "dark gray": (70, 70, 70),
    "gray": (128, 128, 128),
    "light gray": (190, 190, 190),
    "white": (255, 255, 255),
    "dark red": (110, 20, 20),
    "red": (210, 40, 40),
    "pink": (235, 160, 180),
    "dark brown": (70, 45, 25),
    "brown": (130, 85, 50),
    "beige": (215, 190, 150),
    "orange": (235, 140, 40),
    "yellow": (240, 220, 70),
    "dark green": (30, 70, 35),
    "olive": (120, 120, 50),
    "green": (60, 150, 60),
    "light green": (160, 215, 150),
    "teal": (40, 130, 130),
    "dark blue": (25, 40, 100),
    "blue": (50, 100, 190),
    "light blue": (150, 195, 230),
    "purple": (125, 70, 150),
}


def palette(n: int) -> NDArray[np.uint8]:
    """Give n colors: the 24 of ``PALETTE``, then lighter and darker rounds of the same.

    Parameters
    ----------
    n : int
        How many colors, n >= 0. Beyond 24 neighbors may look alike; draw boundaries as well.

    Returns
    -------
    array of shape (n, 3), uint8
        Color i is the same for every n.

    Raises
    ------
    ValueError
        If ``n`` is negative.

    Examples
    --------
    >>> palette(2).tolist()
    [[230, 159, 0], [86, 180, 233]]
    """
    if n < 0:
        raise ValueError(f"n must be 0 or more, got {n}")
    index = np.arange(n)
    return _palette_at(index)


def colorize(labels: ArrayLike, image: ArrayLike | None = None, *, background: int | None = None) -> NDArray[np.uint8]:
    """Turn a label map into a color image.

    Parameters
    ----------
    labels : int or bool array of shape (h, w)
        Values below 0 become gray ("ignored").
    image : uint8 array of shape (h, w, 3), optional
        When given, each segment gets its mean color in this photo instead of a color of the palette.
    background : int, optional
        This label is drawn near black, so that the other segments stand out.

    Returns
    -------
    array of shape (h, w, 3), uint8

    Raises
    ------
    ValueError
        If ``labels`` is not a 2-D integer array or ``image`` has another size.

    Examples
    --------
    >>> colorize([[0, 1]]).tolist()
    [[[230, 159, 0], [86, 180, 233]]]
    >>> colorize([[5, 5]], [[[10, 0, 0], [20, 0, 0]]]).tolist()
    [[[15, 0, 0], [15, 0, 0]]]
    """
    labels = _label_map(labels)
    values, which = np.unique(labels, return_inverse=True)
    which = which.reshape(-1)  # (h*w,), positions in values
    if image is None:
        colors = _palette_at(values)
    else:
        photo = _photo(image, like=labels).reshape(-1, 3)
        size = np.bincount(which, minlength=len(values))  # (k,)
        total = np.stack([np.bincount(which, photo[:, c], len(values)) for c in range(3)], axis=1)
        colors = np.rint(total / np.maximum(size, 1)[:, None]).astype(np.uint8)
    colors[values < 0] = IGNORED_COLOR
    if background is not None:
        colors[values == background] = (32, 32, 32)
    return colors[which].reshape(*labels.shape, 3)


def boundaries(labels: ArrayLike, *, thick: bool = False) -> NDArray[np.bool_]:
    """Mark the pixels whose right or lower neighbor has another label.

    Parameters
    ----------
    labels : int or bool array of shape (h, w)
    thick : bool
        Mark both sides of a border: lines of two pixels that stay visible in a small figure.

    Returns
    -------
    bool array of shape (h, w)

    Raises
    ------
    ValueError
        If ``labels`` is not a 2-D integer array.

    Examples
    --------
    >>> boundaries([[0, 0, 1, 1]]).astype(int).tolist()
    [[0, 1, 0, 0]]
    >>> boundaries([[0, 0, 1, 1]], thick=True).astype(int).tolist()
    [[0, 1, 1, 0]]
    """
    labels = _label_map(labels)
    edge = np.zeros(labels.shape, dtype=bool)
    right = labels[:, 1:] != labels[:, :-1]  # (h, w-1)
    below = labels[1:] != labels[:-1]  # (h-1, w)
    edge[:, :-1] |= right
    edge[:-1] |= below
    if thick:
        edge[:, 1:] |= right
        edge[1:] |= below
    return edge


def blend(
    image: ArrayLike, labels: ArrayLike, *, alpha: float = 0.5, line: tuple[int, int, int] | None = (255, 255, 255)
) -> NDArray[np.uint8]:
    """Lay the colors of a label map over a photo and draw the borders.

    Parameters
    ----------
    image : uint8 array of shape (h, w, 3) or (h, w)
    labels : int or bool array of shape (h, w)
    alpha : float
        Weight of the colors, from 0 (photo with borders only) to 1 (colors only).
    line : RGB triple or None
        Color of the borders; None draws none.

    Returns
    -------
    array of shape (h, w, 3), uint8
        Where segments are mere specks, no borders are drawn, or nothing else would be seen.

    Raises
    ------
    ValueError
        If the sizes differ or ``alpha`` is outside [0, 1].

    Examples
    --------
    >>> blend([[[100, 100, 100]]], [[0]], alpha=0.5).tolist()
    [[[165, 130, 50]]]
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be between 0 and 1, got {alpha}")
    labels = _label_map(labels)
    photo = _photo(image, like=labels).astype(np.float32)
    mixed = np.rint((1 - alpha) * photo + alpha * colorize(labels)).astype(np.uint8)
    if line is not None:
        # In a thicket of specks the lines would hide everything: draw only where a window holds few border pixels. A
        # straight border fills 1/7 of a 7 x 7 window, three that meet about 1/4, salt and pepper more than 2/5.
        thin = boundaries(labels)
        mixed[boundaries(labels, thick=True) & (_window_mean(thin, 3) < 0.35)] = line
    return mixed


def overlay(
    image: ArrayLike,
    labels: ArrayLike,
    *,
    ax: Axes | None = None,
    alpha: float = 0.5,
    title: str | None = None,
) -> Axes:
    """Draw a segmentation over its photo.

    Parameters
    ----------
    image : uint8 array of shape (h, w, 3) or (h, w)
    labels : int or bool array of shape (h, w)
    ax : matplotlib Axes, optional
        Where to draw; a new figure when None.
    alpha : float
        Weight of the colors, from 0 (borders only) to 1 (colors only).
    title : str, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        If the sizes differ or ``alpha`` is outside [0, 1].
    """
    picture = blend(image, labels, alpha=alpha)
    if ax is None:
        ax = _new_axes(picture.shape[:2])
    return _show(ax, picture, title)


def panels(
    pictures: Mapping[str, ArrayLike] | Sequence[ArrayLike],
    *,
    cols: int | None = None,
    titles: Sequence[str] | None = None,
    width: float = 9.0,
    borders: bool = False,
) -> Figure:
    """Show photos and label maps side by side.

    Parameters
    ----------
    pictures : dict of title -> array, or list of arrays
        (h, w, 3) arrays are photos; 2-D integer or bool arrays are label maps; 2-D float arrays are gray images,
        scaled from their smallest to their largest value. For a gray uint8 photo pass ``image / 255``.
    cols : int, optional
        Panels in a row; all in one row up to 4, otherwise 3 or 4 in a row.
    titles : list of str, optional
        Titles for a list of arrays.
    width : float
        Width of the figure in inches.
    borders : bool
        Draw thin white borders inside label maps (for many segments; noisy maps are easier to read without).

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    ValueError
        If there is nothing to show, the number of titles differs, or an array is not an image or a label map.
    """
    names, arrays = _named(pictures, titles)
    count = len(arrays)
    if cols is None:
        cols = count if count <= 4 else (3 if count in (5, 6, 9) else 4)
    if cols < 1:
        raise ValueError(f"cols must be 1 or more, got {cols}")
    cols = min(cols, count)
    rows = -(-count // cols)

    drawn = [
        _picture(array, borders, name or f"picture {i}")
        for i, (name, array) in enumerate(zip(names, arrays, strict=True))
    ]
    tallest = max(shape[0] / shape[1] for shape in (np.shape(picture) for picture in drawn))
    fig, axes = _subplots(rows, cols, width, tallest, any(names))
    for ax, name, picture in zip(axes[:count], names, drawn, strict=True):
        _show(ax, picture, name)
    for ax in axes[count:]:
        ax.set_axis_off()
    return fig


def legend(
    labels: ArrayLike,
    names: Sequence[str] | Mapping[int, str] | None = None,
    *,
    ax: Axes | None = None,
    image: ArrayLike | None = None,
    max_entries: int = 24,
    **options: object,
) -> Legend:
    """Name the clusters of a label map, largest first, with the share of pixels of each.

    Parameters
    ----------
    labels : int or bool array of shape (h, w)
    names : list or dict of label -> name, optional
        "cluster 3" for a label without a name.
    ax : matplotlib Axes, optional
        Where to draw; to the right of the current axes when None.
    image : uint8 array of shape (h, w, 3), optional
        Show the mean colors of the clusters instead of the colors of the palette.
    max_entries : int
        Smaller clusters than these are summed up in one last line.
    **options
        For ``Axes.legend``: ``loc``, ``ncols``, ``fontsize`` ...

    Returns
    -------
    matplotlib Legend

    Raises
    ------
    ValueError
        If ``labels`` is not a 2-D integer array.
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import Patch

    labels = _label_map(labels)
    ax = plt.gca() if ax is None else ax
    segments = _segments(labels, image)
    handles = []
    for value, share, color in segments[:max_entries]:
        text = f"{_name(value, names)} · {_percent(share)}"
        handles.append(Patch(facecolor=color / 255, edgecolor="0.4", linewidth=0.5, label=text))
    if len(segments) > max_entries:
        text = f"{len(segments) - max_entries} more · {_percent(sum(share for _, share, _ in segments[max_entries:]))}"
        handles.append(Patch(facecolor="none", label=text))
    settings = {"loc": "center left", "bbox_to_anchor": (1.02, 0.5), "frameon": False} | options
    return ax.legend(handles=handles, **settings)


def kmeans_steps(
    x: ArrayLike,
    steps: Sequence[tuple[ArrayLike, ArrayLike]],
    *,
    shape: tuple[int, int] | None = None,
    axes: tuple[int, int] = (0, 1),
    inertias: Sequence[float] | None = None,
    cols: int | None = None,
    max_points: int = 3000,
) -> Figure:
    """Draw the iterations of k-means, one panel each.

    Without ``shape`` the points are scattered over two of their features, with the centers as large marks and a
    line from where each center was one step before. With ``shape`` the points are pixels and each panel is the
    label map.

    Parameters
    ----------
    x : array of shape (n, d)
        The points.
    steps : list of (labels (n,), centers (k, d))
        One pair for each iteration to draw.
    shape : (h, w), optional
        Size of the image whose pixels the points are, h * w = n.
    axes : (int, int)
        The two features of the scatter plot.
    inertias : list of float, optional
        Written into the titles.
    cols : int, optional
        Panels in a row.
    max_points : int
        Draw at most about this many points (every m-th), to keep the figure quick.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    ValueError
        If ``steps`` is empty, its sizes do not fit ``x``, or ``shape`` does not hold n pixels.
    """
    x = np.asarray(x)
    if x.ndim != 2:
        raise ValueError(
            f"x must have shape (n, d), got {x.shape}; for an (h, w, d) image use x.reshape(-1, x.shape[-1])"
        )
    if len(steps) == 0:
        raise ValueError("steps is empty; expected a list of (labels, centers), one for each iteration")
    if inertias is not None and len(inertias) != len(steps):
        raise ValueError(f"inertias has {len(inertias)} values for {len(steps)} steps; expected one for each step")
    pairs = [(np.asarray(labels), np.asarray(centers)) for labels, centers in steps]
    for i, (labels, centers) in enumerate(pairs):
        if labels.shape != (len(x),) or centers.ndim != 2 or centers.shape[1] != x.shape[1]:
            raise ValueError(
                f"steps[{i}] has labels {labels.shape} and centers {centers.shape}; "
                f"expected ({len(x)},) and (k, {x.shape[1]}) for x of shape {x.shape}"
            )
    titles = [f"step {i}" for i in range(len(pairs))]
    if inertias is not None:
        titles = [f"{title} · inertia {value:.4g}" for title, value in zip(titles, inertias, strict=True)]

    if shape is not None:
        if int(np.prod(shape)) != len(x):
            raise ValueError(f"shape {tuple(shape)} holds {int(np.prod(shape))} pixels, but x has {len(x)} points")
        return panels([labels.reshape(shape) for labels, _ in pairs], titles=titles, cols=cols)

    if x.shape[1] < 2:
        raise ValueError("x has one feature; a scatter plot needs two (give shape=(h, w) to draw label maps)")
    cols = min(cols or 3, len(pairs))
    fig, drawn = _subplots(-(-len(pairs) // cols), cols, 9.0, 0.85, True)
    seen = x[:: max(1, len(x) // max_points)][:, list(axes)]
    for i, (ax, (labels, centers)) in enumerate(zip(drawn[: len(pairs)], pairs, strict=True)):
        part = labels[:: max(1, len(x) // max_points)]
        colors = _palette_at(np.arange(len(centers)))
        ax.scatter(*seen.T, c=_palette_at(part) / 255, s=9, alpha=0.6, linewidths=0)
        here = centers[:, list(axes)]  # (k, 2)
        if i and pairs[i - 1][1].shape == centers.shape:
            before = pairs[i - 1][1][:, list(axes)]
            for a, b in zip(before, here, strict=True):
                ax.annotate("", xy=b, xytext=a, arrowprops={"arrowstyle": "-", "color": "0.15", "lw": 1.2})
        ax.scatter(*here.T, c=colors / 255, s=130, marker="D", edgecolors="white", linewidths=3.0, zorder=3)
        ax.scatter(*here.T, c=colors / 255, s=130, marker="D", edgecolors="black", linewidths=1.4, zorder=4)
        ax.set_title(titles[i], fontsize=10)
        ax.tick_params(labelsize=8)
    for ax in drawn[len(pairs) :]:
        ax.set_axis_off()
    return fig


def elbow_plot(
    ks: ArrayLike,
    inertias: ArrayLike,
    chosen: int | None = None,
    *,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw inertia over the number of clusters, the chord between the ends, and the chosen k.

    Parameters
    ----------
    ks : array of shape (m,)
        Numbers of clusters, rising.
    inertias : array of shape (m,)
    chosen : int, optional
        One of ``ks``, to be marked.
    ax : matplotlib Axes, optional
    title : str, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        If the lengths differ, there are fewer than two, or ``chosen`` is not among ``ks``.
    """
    import matplotlib.pyplot as plt

    ks, inertias = _curve(ks, inertias, chosen)
    if ax is None:
        _, ax = plt.subplots(figsize=(5.2, 3.4), layout="constrained")
    line = PALETTE[4] / 255
    ax.plot(ks[[0, -1]], inertias[[0, -1]], "--", color="0.55", linewidth=1, label="chord")
    ax.plot(ks, inertias, "o-", color=line, markersize=5, label="inertia")
    if chosen is not None:
        at = inertias[ks == chosen][0]
        ax.plot([chosen], [at], "D", color=PALETTE[5] / 255, markersize=10, zorder=3, label=f"chosen: k = {chosen}")
    ax.set_xlabel("number of clusters k")
    ax.set_ylabel("inertia")
    ax.set_ylim(bottom=0)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False)
    if title:
        ax.set_title(title)
    return ax


def alt_text(
    labels: ArrayLike,
    *,
    names: Sequence[str] | Mapping[int, str] | None = None,
    image: ArrayLike | None = None,
    what: str = "Label map",
    max_segments: int = 5,
) -> str:
    """Describe a label map in one sentence, for readers who cannot see the figure.

    Parameters
    ----------
    labels : int or bool array of shape (h, w)
    names : list or dict of label -> name, optional
    image : uint8 array of shape (h, w, 3), optional
        Describe the segments by their mean color in this photo instead of by their color in the figure.
    what : str
        How the sentence begins.
    max_segments : int
        Describe this many of the largest segments, and count the rest.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If ``labels`` is not a 2-D integer array.

    Examples
    --------
    >>> alt_text([[0, 0, 0, 1]])
    'Label map, 4 x 1 pixels, 2 segments: orange 75 %, sky blue 25 %.'
    >>> alt_text([[0, 0, 0, 1]], names=["sky", "rock"], what="Truth")
    'Truth, 4 x 1 pixels, 2 segments: sky (orange) 75 %, rock (sky blue) 25 %.'
    """
    labels = _label_map(labels)
    segments = _segments(labels, image)
    parts = []
    for value, share, color in segments[:max_segments]:
        word = color_name(color, in_photo=image is not None)
        named = f"{_name(value, names)} ({word})" if names is not None else word
        parts.append(f"{named} {_percent(share)}")
    if len(segments) > max_segments:
        rest = sum(share for _, share, _ in segments[max_segments:])
        parts.append(f"{len(segments) - max_segments} more {_percent(rest)}")
    h, w = labels.shape
    count = f"{len(segments)} segment" + ("s" if len(segments) != 1 else "")
    return f"{what}, {w} x {h} pixels, {count}: {', '.join(parts)}."


def alt_panels(pictures: Mapping[str, ArrayLike] | Sequence[ArrayLike], *, titles: Sequence[str] | None = None) -> str:
    """Describe a figure drawn by ``panels``: each panel by its title and what it holds.

    Parameters
    ----------
    pictures, titles
        As for ``panels``.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        As ``panels``.

    Examples
    --------
    >>> alt_panels({"photo": np.zeros((4, 6, 3), np.uint8), "k = 2": [[0, 1]]})
    '2 panels. 1, "photo": photo, 6 x 4 pixels, on average black. 2, "k = 2": label map, 2 x 1 pixels, 2 segments: orange 50 %, sky blue 50 %.'
    """  # noqa: E501 - a doctest shows the sentence whole
    names, arrays = _named(pictures, titles)
    sentences = []
    for i, (name, array) in enumerate(zip(names, arrays, strict=True)):
        array = np.asarray(array)
        if array.ndim == 2 and array.dtype.kind in "iub":
            said = alt_text(array, what="label map", max_segments=3)
        else:
            picture = np.asarray(_picture(array, False, name or f"picture {i}"))
            h, w = picture.shape[:2]
            mean = color_name(np.atleast_1d(picture.reshape(h * w, -1).mean(axis=0)), in_photo=True)
            kind = "photo" if array.ndim == 3 else "gray image"
            said = f"{kind}, {w} x {h} pixels, on average {mean}."
        sentences.append(f'{i + 1}, "{name}": {said}' if name else f"{i + 1}: {said}")
    count = f"{len(arrays)} panel" + ("s" if len(arrays) != 1 else "")
    return f"{count}. " + " ".join(sentences)


def alt_elbow(ks: ArrayLike, inertias: ArrayLike, chosen: int | None = None) -> str:
    """Describe an elbow plot in one sentence.

    Parameters
    ----------
    ks, inertias, chosen
        As for ``elbow_plot``.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        As ``elbow_plot``.

    Examples
    --------
    >>> alt_elbow([1, 2, 3], [100.0, 20.0, 15.0], 2)
    'Curve of inertia over k from 1 to 3: it falls from 100 to 15; k = 2 is marked, where 20 % of the first value is left.'
    """  # noqa: E501 - a doctest shows the sentence whole
    ks, inertias = _curve(ks, inertias, chosen)
    moves = "falls" if inertias[-1] < inertias[0] else "goes"
    said = (
        f"Curve of inertia over k from {ks[0]:g} to {ks[-1]:g}: it {moves} from {inertias[0]:.4g} to {inertias[-1]:.4g}"
    )
    if chosen is not None:
        left = inertias[ks == chosen][0] / inertias[0] if inertias[0] else 0.0
        said += f"; k = {chosen} is marked, where {_percent(left)} of the first value is left"
    return said + "."


def color_name(color: ArrayLike, *, in_photo: bool = False) -> str:
    """Name a color in plain words.

    Parameters
    ----------
    color : array of shape (3,) or (1,)
        RGB, or gray, from 0 to 255.
    in_photo : bool
        Use everyday names ("dark green") instead of the names of the palette ("bluish green").

    Returns
    -------
    str

    Examples
    --------
    >>> color_name([230, 159, 0]), color_name([25, 72, 30], in_photo=True)
    ('orange', 'dark green')
    """
    color = np.broadcast_to(np.asarray(color, dtype=float), (3,))
    if in_photo:
        names, table = list(_PLAIN_NAMES), np.array(list(_PLAIN_NAMES.values()), dtype=float)
    elif (color == IGNORED_COLOR).all():
        return "gray"
    else:
        names, table = list(PALETTE_NAMES), PALETTE.astype(float)
    # "Redmean": weighted RGB distance, close enough to perceived difference to pick a word.
    red = (color[0] + table[:, 0]) / 2
    weights = np.stack([2 + red / 256, np.full(len(table), 4.0), 2 + (255 - red) / 256], axis=1)
    return names[int((weights * (table - color) ** 2).sum(axis=1).argmin())]


# What the functions above share


def _palette_at(values: NDArray) -> NDArray[np.uint8]:
    """Colors (len(values), 3) of label values; each further round of the palette is lighter or darker."""
    values = np.asarray(values, dtype=np.int64)
    colors = PALETTE[values % len(PALETTE)].astype(np.float64)
    rounds = np.maximum(values, 0) // len(PALETTE)
    target = np.where(rounds % 2 == 1, 255.0, 72.0)[:, None]
    depth = np.minimum(0.35 * ((rounds + 1) // 2), 0.8)[:, None]
    return np.rint((1 - depth) * colors + depth * target).astype(np.uint8)


def _window_mean(mask: NDArray[np.bool_], radius: int) -> NDArray[np.float64]:
    """Mean over the window of 2 radius + 1 pixels around each pixel, by an integral image; (h, w) -> (h, w)."""
    side = 2 * radius + 1
    padded = np.pad(mask.astype(np.int64), radius, mode="edge")
    total = np.pad(padded, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    return (total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]) / side**2


def _label_map(labels: ArrayLike) -> NDArray:
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.size == 0:
        raise ValueError(
            f"labels must be a label map of shape (h, w), got {labels.shape}; "
            "flat labels of pixels need labels.reshape(h, w)"
        )
    if labels.dtype.kind == "b":
        return labels.astype(np.uint8)
    if labels.dtype.kind not in "iu":
        raise ValueError(f"labels must hold integers, got {labels.dtype}; use labels.astype(int)")
    return labels


def _photo(image: ArrayLike, *, like: NDArray) -> NDArray[np.uint8]:
    image = _rgb(image, "image")
    if image.shape[:2] != like.shape:
        raise ValueError(f"image is {image.shape[0]} x {image.shape[1]}, labels {like.shape[0]} x {like.shape[1]}")
    return image


def _rgb(image: ArrayLike, name: str) -> NDArray[np.uint8]:
    """An (h, w, 3) uint8 image from uint8, from integers 0..255 or from floats 0..1, with or without colors."""
    image = np.asarray(image)
    if image.ndim == 2:
        image = np.repeat(image[:, :, None], 3, axis=2)
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"{name} must have shape (h, w, 3), got {image.shape}; drop an alpha channel with [..., :3]")
    if image.dtype == np.uint8:
        return image
    low, high = image.min(), image.max()
    top = 1.0 if image.dtype.kind == "f" else 255
    if not (low >= 0 and high <= top + 1e-6):
        raise ValueError(
            f"{name} of {image.dtype} must lie in 0..{top:g}, got {low:.4g}..{high:.4g}; "
            "for values in 0..255 use .astype(np.uint8)"
        )
    return np.rint(np.clip(image * (255.0 / top), 0, 255)).astype(np.uint8)


def _picture(array: ArrayLike, borders: bool, name: str) -> NDArray:
    """What imshow draws: uint8, (h, w, 3) or (h, w) for a gray image."""
    array = np.asarray(array)
    if array.ndim == 2 and array.dtype.kind in "iub":
        colored = colorize(array)
        if borders:
            colored[boundaries(array)] = 255
        return colored
    if array.ndim == 2 and array.dtype.kind == "f" and array.size:
        low, high = float(np.nanmin(array)), float(np.nanmax(array))
        return np.rint(255 * (array - low) / (high - low or 1.0)).astype(np.uint8)
    return _rgb(array, name)


def _named(
    pictures: Mapping[str, ArrayLike] | Sequence[ArrayLike], titles: Sequence[str] | None
) -> tuple[list[str], list[ArrayLike]]:
    if isinstance(pictures, Mapping):
        names, arrays = [str(name) for name in pictures], list(pictures.values())
    else:
        arrays = list(pictures)
        names = [""] * len(arrays) if titles is None else [str(title) for title in titles]
    if not arrays:
        raise ValueError("pictures is empty; expected at least one image or label map")
    if len(names) != len(arrays):
        raise ValueError(f"titles has {len(names)} entries for {len(arrays)} pictures; expected one for each")
    return names, arrays


def _segments(labels: NDArray, image: ArrayLike | None) -> list[tuple[int, float, NDArray[np.uint8]]]:
    """(label, share of pixels, color in the figure) of each segment, largest first, ties by label."""
    values, first, counts = np.unique(labels, return_index=True, return_counts=True)
    colors = colorize(labels, image).reshape(-1, 3)[first]
    order = np.argsort(-counts, kind="stable")
    return [(int(values[i]), counts[i] / labels.size, colors[i]) for i in order]


def _name(value: int, names: Sequence[str] | Mapping[int, str] | None) -> str:
    if value < 0:
        return "ignored"
    if isinstance(names, Mapping):
        return str(names.get(value, f"cluster {value}"))
    if names is not None and value < len(names):
        return str(names[value])
    return f"cluster {value}"


def _percent(share: float) -> str:
    return "under 1 %" if 0 < share < 0.01 else f"{100 * share:.0f} %"


def _curve(ks: ArrayLike, inertias: ArrayLike, chosen: int | None) -> tuple[NDArray, NDArray]:
    ks, inertias = np.asarray(ks), np.asarray(inertias, dtype=float)
    if ks.ndim != 1 or ks.shape != inertias.shape or len(ks) < 2:
        raise ValueError(f"ks and inertias must have one length of 2 or more, got {ks.shape} and {inertias.shape}")
    if chosen is not None and chosen not in ks:
        raise ValueError(f"chosen={chosen} is not among ks={ks.tolist()}")
    return ks, inertias


def _new_axes(shape: tuple[int, int]) -> Axes:
    import matplotlib.pyplot as plt

    height, width = shape
    _, ax = plt.subplots(figsize=(5.0, max(1.2, 5.0 * height / width) + 0.3), layout="constrained")
    return ax


def _subplots(rows: int, cols: int, width: float, aspect: float, titled: bool) -> tuple[Figure, NDArray]:
    """A grid of axes whose panels have the given height / width, without wasted space."""
    import matplotlib.pyplot as plt

    panel = width / cols
    height = rows * (panel * aspect + (0.32 if titled else 0.05))
    fig, axes = plt.subplots(rows, cols, figsize=(width, max(height, 1.2)), squeeze=False, layout="constrained")
    return fig, axes.ravel()


def _show(ax: Axes, picture: NDArray, title: str | None) -> Axes:
    # Nearest neighbor: smoothing would invent colors, and so labels, between segments.
    ax.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    if title:
        ax.set_title(title, fontsize=10)
    return ax
