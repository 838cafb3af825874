"""Interactive figures of chapter 01: how the scores of a segmentation move when it is cut finer or displaced.

Each function computes all positions of its slider, scores them, and hands them to `plots_interactive.label_slider`.
Needs plotly (``pip install unseg[book]``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from unseg_helpers import metrics, plots
from unseg_helpers.plots_interactive import label_slider

if TYPE_CHECKING:
    import plotly.graph_objects as go

REGION_SCORES = {  # name in the legend -> score between 0 and 1
    "best cluster": metrics.best_cluster_iou,
    "covering": metrics.covering,
    "matched mean IoU": metrics.matched_miou,
    "mean over clusters": metrics.mean_cluster_iou,
}


def oversegmentation(
    image: ArrayLike,
    truth: ArrayLike,
    *,
    counts: Sequence[int] = (1, 2, 4, 8, 12, 16, 32, 64, 128, 256, 512),
    title: str = "",
    max_side: int = 256,
) -> go.Figure:
    """Slide from one segment to hundreds and watch which scores notice.

    The segments are SLIC superpixels [1]_, which give about as many pieces as one asks for and know nothing of objects.

    Parameters
    ----------
    image : uint8 array of shape (h, w, 3)
    truth : integer array of shape (h, w)
        Drawn as white outlines on the photo.
    counts : sequence of ints
        How many segments to ask SLIC for, each at least 1. The figure shows how many it made; a number that it made
        before is left out.
    title : str
    max_side : int
        Longer side of the pictures in pixels. The scores come from the full size.

    Returns
    -------
    plotly Figure
        The adjusted Rand index and the variation of information (in bits) stand in the text above the pictures only.

    Raises
    ------
    ValueError
        If ``counts`` is empty or holds a number below 1, or the sizes of image and truth differ.

    References
    ----------
    .. [1] R. Achanta et al., "SLIC superpixels compared to state-of-the-art superpixel methods", IEEE TPAMI 34, 2012.
    """
    image, truth = np.asarray(image), np.asarray(truth)
    _check_same_size(image, truth)
    if not len(counts) or min(counts) < 1:
        raise ValueError(f"counts must hold numbers of segments, each at least 1, got {tuple(counts)}")
    from skimage.segmentation import slic

    maps = {}
    for count in sorted(set(counts)):
        one = np.zeros(truth.shape, int)
        labels = slic(image, n_segments=count, compactness=12, start_label=0) if count > 1 else one
        maps.setdefault(len(np.unique(labels)), labels)
    made = sorted(maps)
    curves = {name: [score(truth, maps[n]) for n in made] for name, score in REGION_SCORES.items()}
    fig = label_slider(
        plots.blend(image, truth, alpha=0.0),
        [maps[n] for n in made],
        at=made,
        name="segments",
        curves=curves,
        title=title,
        max_side=max_side,
    )
    fig.update_layout(xaxis3={"type": "log", "dtick": 1, "title": {"text": "number of segments"}})
    texts = []
    for i, n in enumerate(made):
        bits, rand = metrics.variation_of_information(truth, maps[n]), metrics.ari(truth, maps[n])
        shown = [f"{name} {values[i]:.2f}" for name, values in curves.items()]
        first = f"{n} segment{'s' if n > 1 else ''}: {shown[0]}, {shown[1]},"
        texts.append(f"{first}<br>{', '.join(shown[2:])}, ARI {rand:.2f}, VI {bits:.1f} bits")
    peaks = ", ".join(f"{name} {max(values):.2f} at {made[int(np.argmax(values))]}" for name, values in curves.items())
    alt = (
        f"Interactive figure: a photo with the true outlines, cut into {made[0]} to {made[-1]} superpixels, and the "
        f"scores of each cut. Not all scores are best at the same number of segments: {peaks}."
    )
    return _say(fig, texts, alt)


def displacement(
    image: ArrayLike,
    mask: ArrayLike,
    *,
    pixels: Sequence[int] = tuple(range(13)),
    tolerance: float = 0.0075,
    title: str = "",
    max_side: int = 256,
) -> go.Figure:
    """Push a correct mask to the right, pixel by pixel: a region score fades, a boundary score falls off a cliff.

    Parameters
    ----------
    image : uint8 array of shape (h, w, 3)
    mask : bool or integer array of shape (h, w)
        The truth: foreground is what is not 0.
    pixels : sequence of ints
        Displacements in pixels of the image, each from 0 to w - 1.
    tolerance : float
        That of the boundary score, as a fraction of the diagonal.
    title : str
    max_side : int
        Longer side of the pictures in pixels. The scores come from the full size.

    Returns
    -------
    plotly Figure

    Raises
    ------
    ValueError
        If ``pixels`` is empty or out of range, or the sizes of image and mask differ.
    """
    image, mask = np.asarray(image), np.asarray(mask) != 0
    _check_same_size(image, mask)
    at = sorted(set(pixels))
    if not at or at[0] < 0 or at[-1] >= mask.shape[1]:
        raise ValueError(f"pixels must hold displacements from 0 to {mask.shape[1] - 1}, got {tuple(pixels)}")
    # Repeat the first column: a mask that touches the left edge goes on beyond it and gets no new boundary there.
    maps = [np.pad(mask, ((0, 0), (p, 0)), mode="edge")[:, : mask.shape[1]].astype(int) for p in at]
    curves = {
        "IoU of the foreground": [metrics.foreground_iou(mask, moved) for moved in maps],
        "boundary F": [metrics.boundary_f(mask, moved, tolerance=tolerance) for moved in maps],
    }
    fig = label_slider(image, maps, at=at, name="pixels", curves=curves, title=title, max_side=max_side)
    reach = tolerance * np.hypot(*mask.shape)
    fig.update_layout(xaxis3={"title": {"text": "displacement in pixels"}, "range": [at[0] - 0.5, at[-1] + 0.5]})
    texts = [
        f"{p} pixel{'s' if p != 1 else ''} to the right (tolerance {reach:.1f}): "
        + ", ".join(f"{name} {values[i]:.2f}" for name, values in curves.items())
        for i, p in enumerate(at)
    ]
    alt = (
        f"Interactive figure: a correct mask pushed to the right by up to {at[-1]} pixels. IoU of the foreground falls "
        f"evenly; boundary F stays high up to the tolerance of {reach:.1f} pixels and then drops."
    )
    return _say(fig, texts, alt)


def _check_same_size(image, labels) -> None:
    if image.ndim != 3 or image.shape[:2] != labels.shape:
        raise ValueError(
            "image and labels must have shapes (h, w, 3) and (h, w) of equal size, "
            f"got {image.shape} and {labels.shape}"
        )


def _say(fig, texts: Sequence[str], alt: str):
    """Put the pictures above the curves, and our own sentences above both, for the eye and for a screen reader."""
    for frame, text in zip(fig.frames, texts, strict=True):
        frame.layout.annotations[0].text = text
    fig.layout.annotations[0].text = texts[0]
    fig.layout.meta = {"alt": alt, "steps": [text.replace("<br>", " ") for text in texts]}
    # Three panels side by side would be tiny in a column of text.
    top, bottom = [0.42, 1.0], [0.0, 0.36]
    fig.update_layout(
        xaxis_domain=[0.0, 0.49],
        xaxis2_domain=[0.51, 1.0],
        xaxis3_domain=[0.0, 0.66],
        yaxis_domain=top,
        yaxis2_domain=top,
        yaxis3={"domain": bottom, "title": {"text": "score"}},
        height=800,
        margin_t=96,
        legend={"x": 0.69, "y": 0.36, "xanchor": "left", "yanchor": "top"},
    )
    fig.layout.sliders[0].y = fig.layout.updatemenus[0].y = -0.13
    return fig
