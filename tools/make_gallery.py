"""Draw book/images/gallery.png, the picture of the README and of the book's first page.

    python tools/make_gallery.py

Nine photos of the course in three rows. A slanted cut divides each: the photo on the left, the regions of its mask on
the right, in the course's color-blind-safe colors with white borders; the background is darkened.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from unseg_helpers.datasets import photo
from unseg_helpers.plots import PALETTE

TARGET = Path(__file__).resolve().parents[1] / "book" / "images" / "gallery.png"
MAX_BYTES = 400_000
WIDTH, GAP, COLUMNS = 1200, 9, 3
TILE = np.array(((WIDTH - (COLUMNS - 1) * GAP) // COLUMNS * 3 // 4, (WIDTH - (COLUMNS - 1) * GAP) // COLUMNS))  # h, w
FINE = 4  # the regions are drawn this many times larger, then reduced: no stairs in the borders
LINE = 1.6  # width of the borders in pixels
ALPHA = 0.7  # weight of the colors over the photo
SLANT = 0.16  # how far the cut leans, as a share of the tile's height

# Left and upper edge and width of each photo's 4:3 window, in pixels of the photo.
WINDOWS = {
    "astronaut": (0, 0, 512),
    "china": (45, 15, 540),
    "chelsea": (30, 0, 400),
    "coffee": (40, 0, 533),
    "coins": (0, 10, 384),
    "flower": (120, 70, 390),
    "camera": (0, 40, 512),
    "rocket": (80, 112, 420),
    "hopper": (30, 0, 470),
}


def window(array: np.ndarray, left: int, top: int, width: int, scale: int, how: Image.Resampling) -> np.ndarray:
    """Cut the window out of a photo or mask and bring it to ``scale`` times the size of a tile."""
    height = width * int(TILE[0]) / int(TILE[1])
    size = (int(TILE[1]) * scale, int(TILE[0]) * scale)
    return np.array(Image.fromarray(array).resize(size, how, box=(left, top, left + width, top + height)))


def even_out(labels: np.ndarray, sigma: float) -> np.ndarray:
    """Round the stairs of an enlarged label map: each pixel takes the label with the most weight around it."""
    best, smooth = np.zeros(labels.shape, np.float32), labels.copy()
    for value in np.unique(labels):
        weight = ndimage.gaussian_filter((labels == value).astype(np.float32), sigma)
        smooth[weight > best] = value
        best = np.maximum(best, weight)
    return smooth


def reduce(fine: np.ndarray) -> np.ndarray:
    """Mean over FINE x FINE blocks: (FINE h, FINE w, ...) -> (h, w, ...)."""
    h, w = TILE
    return fine.reshape(h, FINE, w, FINE, *fine.shape[2:]).mean(axis=(1, 3))


def tile(name: str) -> np.ndarray:
    """One photo, cut in two: (h, w, 3) uint8."""
    sample = photo(name)
    picture = window(sample.image, *WINDOWS[name], 1, Image.Resampling.LANCZOS).astype(np.float32)
    labels = window(sample.truth, *WINDOWS[name], FINE, Image.Resampling.NEAREST)
    scale = labels.shape[1] / WINDOWS[name][2]  # fine pixels for each pixel of the photo
    labels = even_out(labels, 0.6 * scale)

    # Regions in colors, background dark, both from the same photo so that its shading shines through.
    colors = reduce(PALETTE[(labels.astype(int) - 1) % len(PALETTE)].astype(np.float32))
    share = reduce((labels > 0).astype(np.float32))[..., None]
    gray = picture.mean(axis=2, keepdims=True)
    regions = share * ((1 - ALPHA) * gray + ALPHA * colors) + (1 - share) * 0.4 * gray

    edge = np.zeros(labels.shape, bool)
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    edge[1:] |= labels[1:] != labels[:-1]
    line = reduce((ndimage.distance_transform_edt(~edge) < LINE * FINE / 2).astype(np.float32))[..., None]
    regions = regions + line * (255 - regions)

    h, w = TILE
    rows, columns = np.mgrid[:h, :w] + 0.5
    from_cut = columns - w / 2 + SLANT * (rows - h / 2)  # pixels right of the cut
    right = np.clip(from_cut + 0.5, 0, 1)[..., None]
    both = picture + right * (regions - picture)
    cut = np.clip(2.5 - abs(from_cut), 0, 1)[..., None]
    return np.rint(both + cut * (255 - both)).clip(0, 255).astype(np.uint8)


def main() -> int:
    h, w = TILE
    rows = -(-len(WINDOWS) // COLUMNS)
    sheet = np.full((rows * h + (rows - 1) * GAP, COLUMNS * w + (COLUMNS - 1) * GAP, 3), 255, np.uint8)
    for i, name in enumerate(WINDOWS):
        top, left = i // COLUMNS * (h + GAP), i % COLUMNS * (w + GAP)
        sheet[top : top + h, left : left + w] = tile(name)
    # 256 colors, moved to the means of their pixels by k-means: a third of the bytes. No dithering: noise costs bytes.
    small = Image.fromarray(sheet).quantize(256, Image.Quantize.MEDIANCUT, kmeans=1, dither=Image.Dither.NONE)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    small.save(TARGET, optimize=True)
    size = TARGET.stat().st_size
    print(f"{TARGET.name}: {small.width} x {small.height} pixels, {size / 1000:.0f} kB")
    if size > MAX_BYTES:
        print(f"larger than {MAX_BYTES / 1000:.0f} kB", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
