"""Figures of a report as small PNG files inside the page."""

from __future__ import annotations

import base64
import io

import numpy as np

MAX_SIDE = 320  # pixels on the page


def data_uri(panel: np.ndarray) -> str:
    """An RGB image or a label map as a ``data:`` address."""
    from PIL import Image

    from unseg_helpers.plots import colorize

    picture = panel if panel.ndim == 3 else colorize(np.unique(panel, return_inverse=True)[1].reshape(panel.shape))
    image = Image.fromarray(np.ascontiguousarray(picture, dtype=np.uint8))
    smaller = MAX_SIDE / max(image.size)
    size = (max(1, round(image.width * smaller)), max(1, round(image.height * smaller)))
    is_photo_made_smaller = panel.ndim == 3 and smaller < 1  # pixels of small images, and labels, stay sharp
    image = image.resize(size, Image.Resampling.BICUBIC if is_photo_made_smaller else Image.Resampling.NEAREST)
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
