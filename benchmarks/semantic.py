"""How well frames of driving videos are divided into classes without labels: as many clusters as there are classes.

All frames are clustered together, so that a cluster means the same in each. Each cluster is then named after the
class that it fits, one to one (Hungarian method on IoU over all pixels), and scored: mean IoU over the classes, and
accuracy. Pixels without a class are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks import foreground
from benchmarks.quality import image_seed
from unseg_helpers import affinity, backbones, datasets, kmeans, metrics, spectral
from unseg_helpers import features as features_module

COLOR, NONE = foreground.COLOR, foreground.NONE
UNLABELED = 11
N_CLASSES = 11
SEEDS = 3  # k-means starts anew for each; the spread over them is told

# Each third frame of the training part is there to choose settings on; the test part is measured.
DATASETS: dict[str, Callable[[], Sequence[datasets.Sample]]] = {
    "camvid": lambda: datasets.camvid("test"),
    "camvid-tune": lambda: datasets.camvid("train")[::9],
}

Grid = features_module.PatchFeatures


@dataclass(frozen=True)
class Method:
    label: Callable[..., list[NDArray[np.integer]]]  # (grids, segments of each, seed) -> (h, w) labels of each
    needs_segments: bool
    about: str


def describe(image: NDArray, name: str, network: backbones.Backbone | None = None) -> Grid:
    """Features of the patches; color is Lab and not scaled by image, since it is compared between images."""
    if name in (COLOR, NONE):
        import cv2

        grid = foreground.color_grid(image)
        small = cv2.resize(image, grid[::-1], interpolation=cv2.INTER_AREA)
        x = features_module.pixel_features(small, space="lab", position=1.0)
        if name == NONE:
            x = x[:, 3:]
        return Grid(x.reshape(*grid, -1), foreground.COLOR_PATCH, image.shape[:2])
    found = features_module.extract(image, network or name, **foreground.EXTRACT.get(name, {}))
    return found._replace(features=affinity.normalize(found.features).reshape(found.features.shape))


def patches_together(grids: Sequence[Grid], segments: None, seed: int) -> list[NDArray]:
    """K-means on the patches of all images."""
    x = np.concatenate([grid.features.reshape(-1, grid.features.shape[-1]) for grid in grids])
    labels = kmeans.kmeans(x, N_CLASSES, rng=seed).labels
    return split(labels, [grid.features.shape[:2] for grid in grids])


def segments_of(grid: Grid, image: NDArray, *, seed: int, k: int, n: int, color_weight: float) -> NDArray[np.integer]:
    """n spectral segments of one image, by k eigenvectors."""
    rows, columns = grid.image_size
    w = affinity.affinity(grid.features, image[:rows, :columns], color_weight=color_weight)
    vectors = spectral.eigenvectors(w, k, seed=seed).vectors.reshape(*grid.features.shape[:2], k)
    return spectral.segments(vectors, n, seed=seed)


def segments_together(grids: Sequence[Grid], segments: Sequence[NDArray], seed: int) -> list[NDArray]:
    """As published: what has most of the border is the background, and the backgrounds of all images are one class."""
    return spectral.classes_of_segments([grid.features for grid in grids], segments, N_CLASSES, seed=seed)


def all_segments_together(grids: Sequence[Grid], segments: Sequence[NDArray], seed: int) -> list[NDArray]:
    """The same without a background: a street has no object that stands out. A segment counts by its size."""
    means, sizes = [], []
    for grid, labels in zip(grids, segments, strict=True):
        for label in range(labels.max() + 1):
            means.append(grid.features[labels == label].mean(axis=0))
            sizes.append(np.count_nonzero(labels == label))
    x = np.stack(means).astype(np.float64)
    classes = kmeans.kmeans(x, N_CLASSES, n_init=5, weights=np.array(sizes, dtype=np.float64), rng=seed).labels
    starts = np.cumsum([0, *(labels.max() + 1 for labels in segments)])
    return [classes[start + labels] for start, labels in zip(starts[:-1], segments, strict=True)]


def split(labels: NDArray, shapes: Sequence[tuple[int, int]]) -> list[NDArray]:
    """Labels of all patches, one after the other, back to one grid for each image."""
    ends = np.cumsum([h * w for h, w in shapes])[:-1]
    return [part.reshape(shape) for part, shape in zip(np.split(labels, ends), shapes, strict=True)]


SEGMENTS = {"k": 8, "n": 8, "color_weight": 0.0}  # of each frame; chosen on camvid-tune
METHODS = {
    "kmeans": Method(patches_together, False, "k-means on the patches of all frames"),
    "spectral": Method(
        segments_together, True, "segments of each frame; those of all frames clustered, but for the backgrounds"
    ),
    "spectral-all": Method(all_segments_together, True, "segments of each frame; those of all frames clustered"),
}


def on_image(labels: NDArray, covered: tuple[int, int], shape: tuple[int, int]) -> NDArray[np.integer]:
    """Labels of the nearest patch for each pixel."""
    index = [
        np.minimum((np.arange(size) * count) // part, count - 1)
        for size, count, part in zip(shape, labels.shape, covered, strict=True)
    ]
    return labels[np.ix_(*index)]


def run(
    dataset: str,
    features: str,
    *,
    methods: Sequence[str] | None = None,
    weights: str | None = None,
    limit: int | None = None,
    seed: int = 0,
    progress: Callable[[Sequence], Iterable] = iter,
) -> dict:
    """Measure methods on one kind of features; gives back a record for JSON. `weights` as in `foreground.run`.

    Raises
    ------
    ValueError
        If the data set, the features or a method is not known.
    MissingDataset, BackboneUnavailable
        If the data set or the weights of the network are not on this machine.
    """
    if dataset not in DATASETS:
        raise ValueError(f"dataset must be one of {', '.join(DATASETS)}, got {dataset!r}")
    if features not in foreground.FEATURES:
        raise ValueError(f"features must be one of {', '.join(foreground.FEATURES)}, got {features!r}")
    methods = tuple(methods or (METHODS if features != NONE else ("kmeans",)))
    if wrong := set(methods) - set(METHODS):
        raise ValueError(f"methods must be among {', '.join(METHODS)}, got {', '.join(sorted(wrong))}")
    network = foreground.load(features, weights)
    samples = DATASETS[dataset]()[:limit]
    images, truths, grids = [], [], []
    for sample in progress(samples):
        images.append(sample.image)
        truths.append(sample.truth)
        grids.append(describe(sample.image, features, network))
    truth = np.stack(truths)
    segments = None
    if any(METHODS[name].needs_segments for name in methods):
        segments = [
            segments_of(grid, image, seed=image_seed(seed, str(i)), **SEGMENTS)
            for i, (grid, image) in enumerate(zip(grids, images, strict=True))
        ]
    rows = []
    for name in methods:
        found = {"miou": [], "accuracy": []}
        for s in range(seed, seed + SEEDS):
            maps = METHODS[name].label(grids, segments, s)
            pred = np.stack([on_image(m, g.image_size, t.shape) for m, g, t in zip(maps, grids, truths, strict=True)])
            found["miou"].append(metrics.matched_miou(truth, pred, ignore=UNLABELED))
            found["accuracy"].append(metrics.matched_accuracy(truth, pred, ignore=UNLABELED))
        rows.append(
            {
                "method": name,
                "about": METHODS[name].about,
                "settings": SEGMENTS if METHODS[name].needs_segments else {},
                **{key: {"mean": float(np.mean(v)), "least": min(v), "most": max(v)} for key, v in found.items()},
            }
        )
    return {
        "benchmark": "semantic",
        **foreground.noted(weights, foreground.PACKAGES),
        "dataset": dataset,
        "features": features,
        "extract": foreground.EXTRACT.get(features, {}),
        "digest": network.digest if network else None,
        "n_classes": N_CLASSES,
        "seeds": list(range(seed, seed + SEEDS)),
        "n_images": len(samples),
        "rows": rows,
    }


def table(result: dict) -> str:
    """The means as text."""
    lines = [
        f"{result['features']} on {result['n_images']} frames of {result['dataset']}, "
        f"{result['n_classes']} clusters, seeds {result['seeds']}",
        f"  {'':<12}{'mIoU':>24}{'accuracy':>24}",
    ]
    for row in result["rows"]:
        cells = [f"{row[s]['mean']:.3f} ({row[s]['least']:.3f} to {row[s]['most']:.3f})" for s in ("miou", "accuracy")]
        lines.append(f"  {row['method']:<12}" + "".join(f"{cell:>24}" for cell in cells))
    return "\n".join(lines)
