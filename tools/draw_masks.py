"""Draw the ground-truth masks of the course's photos: outlines by hand, borders snapped to the image.

    python tools/draw_masks.py [NAME ...]     draws unseg_helpers/datasets/masks/NAME.png from tools/outlines/NAME.txt
    python tools/draw_masks.py --check        writes nothing; fails if a shipped mask differs from its outlines

An outline file names the regions, then lists shapes from back to front: a later shape covers an earlier one.

    region 1 hair                    label and name; label 0 is what no shape covers
    shape 1 snap=3                   the outline of a part of region 1; its points "x,y" follow until the next keyword
    disk 1 snap=2                    an ellipse: "cx,cy rx,ry" and the angle in degrees (clockwise)
    line 1 width=6                   a stroke along the points

Within ``snap`` pixels of its outline, the border of a shape moves to the strongest color edge: a watershed of the Lab
gradient, seeded by what lies safely inside and outside. ``snap=0`` keeps the outline, for borders that a person sees
and a gradient does not. ``over=0,2`` paints only over these labels. ``darker=90`` (``brighter=90``) keeps only pixels
below (above) this gray value of 0 to 255: leaves before the sky, lace, lattice. ``smooth`` is the blur, in pixels,
that evens out the border afterwards.

Coordinates are those of an image viewer: (x, y) from the top left corner; the middle of the first pixel is (0.5, 0.5).
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage import color, draw, filters, morphology, segmentation

from unseg_helpers.datasets import PHOTO_NAMES
from unseg_helpers.plots import PALETTE

OUTLINES = Path(__file__).with_name("outlines")
MASKS = Path(__file__).resolve().parents[1] / "unseg_helpers" / "datasets" / "masks"
MIN_AREA = 40  # pixels; a smaller patch is a slip of the drawing and goes to the region around it
MAX_CHANGED = 0.001  # share of pixels that may differ in --check: another version of SciPy may round edges otherwise


@dataclass
class Shape:
    kind: str
    label: int
    snap: float = 0.0
    smooth: float = 0.7
    width: float = 1.0
    darker: float | None = None
    brighter: float | None = None
    over: tuple[int, ...] | None = None
    points: list[tuple[float, float]] = field(default_factory=list)


def read_outlines(path: Path) -> tuple[dict[int, str], list[Shape]]:
    """Region names and shapes of an outline file."""
    regions, shapes = {}, []
    for number, raw in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        words = raw.partition("#")[0].split()
        try:
            if not words:
                continue
            if words[0] == "region":
                regions[int(words[1])] = " ".join(words[2:])
            elif words[0] in ("shape", "disk", "line"):
                options = dict(word.split("=") for word in words[2:])
                over = options.pop("over", None)
                shape = Shape(words[0], int(words[1]), **{name: float(value) for name, value in options.items()})
                shape.over = tuple(int(label) for label in over.split(",")) if over else None
                shapes.append(shape)
            else:
                shapes[-1].points += [tuple(float(v) for v in word.split(",")) for word in words]
        except (ValueError, TypeError, IndexError) as error:
            raise ValueError(f"{path.name}, line {number}: cannot read {raw!r} ({error})") from error
    return regions, shapes


def rasterize(shape: Shape, size: tuple[int, int]) -> np.ndarray:
    """The drawn shape as a bool mask (h, w), before its border is refined."""
    if shape.kind == "disk":
        (cx, cy), (rx, ry), *rest = shape.points
        angle = np.deg2rad(rest[0][0]) if rest else 0.0
        y, x = np.mgrid[: size[0], : size[1]]
        dx, dy = x + 0.5 - cx, y + 0.5 - cy
        u, v = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
        return (u / rx) ** 2 + (v / ry) ** 2 <= 1
    points = np.array(shape.points)[:, ::-1] - 0.5  # (row, column) of pixel centers
    if shape.kind == "shape":
        return draw.polygon2mask(size, points)
    mask = np.zeros(size, bool)
    for (r0, c0), (r1, c1) in zip(points, points[1:], strict=False):
        across = np.array([c1 - c0, r0 - r1]) / max(np.hypot(c1 - c0, r1 - r0), 1e-9) * shape.width / 2
        corners = [(r0, c0) + across, (r1, c1) + across, (r1, c1) - across, (r0, c0) - across]
        mask |= draw.polygon2mask(size, np.array(corners))
    return mask


def refine(mask: np.ndarray, edges: np.ndarray, shape: Shape) -> np.ndarray:
    """Move the border of ``mask`` to the strongest edge within ``shape.snap`` pixels, then even it out."""
    # The frame of the photo is no border: a shape that touches it continues outside.
    pad = int(np.ceil(shape.snap)) + 3
    mask = np.pad(mask, pad, mode="edge")
    if shape.snap:
        edges = np.pad(edges, pad, mode="edge")
        inside = ndimage.distance_transform_edt(mask) > shape.snap
        outside = ndimage.distance_transform_edt(~mask) > shape.snap
        thin = mask & ~morphology.dilation(inside, morphology.disk(int(shape.snap) + 2))
        seeds = np.where(inside | thin, 1, 0) + np.where(outside, 2, 0)
        mask = segmentation.watershed(edges, seeds) == 1
    if shape.smooth:
        mask = ndimage.gaussian_filter(mask.astype(float), shape.smooth) > 0.5
    return mask[pad:-pad, pad:-pad]


def drop_specks(labels: np.ndarray) -> np.ndarray:
    """Give each patch below MIN_AREA pixels to the nearest pixel's region."""
    keep = np.ones(labels.shape, bool)
    for label in np.unique(labels):
        keep &= (labels != label) | morphology.remove_small_objects(labels == label, max_size=MIN_AREA - 1)
    nearest = ndimage.distance_transform_edt(~keep, return_distances=False, return_indices=True)
    return labels[tuple(nearest)]


def draw_mask(image: np.ndarray, shapes: list[Shape]) -> np.ndarray:
    """Paint all shapes on an empty label map of the image's size."""
    lab = ndimage.gaussian_filter(color.rgb2lab(image), (0.7, 0.7, 0))
    edges = np.sqrt(sum(filters.sobel(lab[..., c]) ** 2 for c in range(3)))
    gray = color.rgb2gray(image) * 255
    labels = np.zeros(image.shape[:2], np.uint8)
    for shape in shapes:
        mask = rasterize(shape, labels.shape)
        if shape.darker is not None:
            mask &= gray < shape.darker
        if shape.brighter is not None:
            mask &= gray > shape.brighter
        mask = refine(mask, edges, shape)
        if shape.over is not None:
            mask &= np.isin(labels, shape.over)
        labels[mask] = shape.label
    return drop_specks(labels)


def load_photo(info: dict) -> tuple[np.ndarray, str]:
    """The photo (h, w, 3) that photos.json tells of, and the SHA-256 of its file."""
    package, _, rest = info["file"].partition("/")
    path = Path(importlib.import_module(package).__file__).parent / rest
    with Image.open(path) as picture:
        return np.array(picture.convert("RGB")), hashlib.sha256(path.read_bytes()).hexdigest()


def save_mask(labels: np.ndarray, path: Path) -> None:
    """Write the label map as a palette PNG: the values are the labels, the colors are for whoever looks at it."""
    picture = Image.fromarray(labels)
    picture.putpalette(PALETTE[: int(labels.max()) + 1].tobytes())
    picture.save(path, optimize=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="photos to draw (all when left out)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a shipped mask differs")
    options = parser.parse_args()
    index_path = MASKS / "photos.json"
    index = json.loads(index_path.read_text(encoding="utf-8"))
    stale = []
    for name in options.names or PHOTO_NAMES:
        info = index["photos"][name]
        image, sha256 = load_photo(info)
        regions, shapes = read_outlines(OUTLINES / f"{name}.txt")
        labels = draw_mask(image, shapes)
        if sorted(regions) != np.unique(labels).tolist():
            raise SystemExit(f"{name}: named regions {sorted(regions)}, drawn labels {np.unique(labels).tolist()}")
        if options.check:
            with Image.open(MASKS / f"{name}.png") as shipped:
                changed = float((np.array(shipped) != labels).mean())
            print(f"{name}: {changed:.3%} of the pixels differ")
            if changed > MAX_CHANGED or info["sha256"] != sha256 or info["regions"] != list(regions.values()):
                stale.append(name)
            continue
        info["sha256"] = sha256
        info["regions"] = [regions[label] for label in sorted(regions)]
        save_mask(labels, MASKS / f"{name}.png")
        print(f"{name}: {len(regions)} regions, {(MASKS / f'{name}.png').stat().st_size} bytes")
    if options.check:
        if stale:
            print(f"not as drawn: {', '.join(stale)}; run python tools/draw_masks.py", file=sys.stderr)
        return int(bool(stale))
    index_path.write_text(json.dumps(index, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
