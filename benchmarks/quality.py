"""How well each method segments the images of a data set, against every annotator.

A method is one row of METHODS, a data set one row of DATASETS: a new lesson adds a row. Each row of METHODS holds our
method and the same by others, on the same features; all see the same images in one loop. A second run with the same
seed gives the same numbers.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from unseg_helpers import datasets, features, kmeans, metrics

Segmenter = Callable[..., NDArray[np.integer]]  # (image, seed=..., **settings) -> (h, w) labels

METRICS: dict[str, Callable[[NDArray, NDArray], float]] = {
    "best_cluster": metrics.best_cluster_iou,
    "mean_cluster": metrics.mean_cluster_iou,
    "covering": metrics.covering,
    "matched_miou": metrics.matched_miou,
    "variation_of_information": metrics.variation_of_information,
    "boundary_f": metrics.boundary_f,
}
LOWER_IS_BETTER = {"variation_of_information"}


# ---- data sets -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Dataset:
    """Images with label maps of one or more annotators."""

    load: Callable[[], Sequence[datasets.Sample]]
    about: str


def bsds300_every_third_first() -> list[datasets.Sample]:
    """The 100 test images, every third one first: a limit of 30 is the list that the course's goals refer to."""
    pack = datasets.bsds300("test")
    return [pack[i] for first in range(3) for i in range(first, len(pack), 3)]


def _scenes() -> list[datasets.Sample]:
    return [
        datasets.Sample(f"scene-{i}", scene.image, scene.instances)
        for i, scene in enumerate(datasets.scenes(30, seed=0))
    ]


DATASETS = {
    "bsds300": Dataset(bsds300_every_third_first, "BSDS300 test images, every third one first; 4 to 9 annotators"),
    "photos": Dataset(datasets.photos, "photographs of this package, with its own masks"),
    "scenes": Dataset(_scenes, "procedural scenes with exact object instances"),
}


# ---- methods -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Method:
    """Our method, the same by others, and what is to be reached."""

    ours: Segmenter
    peers: dict[str, Segmenter]
    settings: dict
    about: str
    goals: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)  # data set -> name -> metric -> value


def kmeans_ours(image: NDArray, *, seed: int, k: int, n_init: int, **options) -> NDArray[np.integer]:
    return kmeans.segment(image, k, n_init=n_init, rng=seed, **options)


def kmeans_scikit_learn(image: NDArray, *, seed: int, k: int, n_init: int, **options) -> NDArray[np.integer]:
    from sklearn.cluster import KMeans

    x = features.pixel_features(image, **options)
    model = KMeans(k, n_init=n_init, max_iter=100, tol=0, random_state=seed)
    return model.fit(x).labels_.reshape(image.shape[:2])


KMEANS_GOALS = {  # the 30 images of BSDS300, mean over annotators
    "bsds300": {
        "must reach": {"best_cluster": 0.54, "mean_cluster": 0.36, "covering": 0.36},
        "ambitious": {"best_cluster": 0.60, "covering": 0.42},
    }
}

METHODS = {
    "kmeans": Method(
        kmeans_ours,
        {"scikit-learn": kmeans_scikit_learn},
        {"k": 4, "n_init": 3, "space": "lab", "position": 0.5},
        "k-means on Lab color and position, as kmeans.segment does by default, but the best of 3 starts",
        KMEANS_GOALS,
    ),
    "kmeans-smooth": Method(
        kmeans_ours,
        {"scikit-learn": kmeans_scikit_learn},
        {"k": 3, "n_init": 3, "space": "lab", "position": 0.25, "lightness": 0.5, "smooth": 0.01},
        "k-means on blurred Lab color with less lightness; settings chosen on training images of BSDS300",
        KMEANS_GOALS,
    ),
}


# ---- measuring -----------------------------------------------------------------------------------------------------


def scores(truths: NDArray, pred: NDArray) -> dict[str, list[float]]:
    """Every metric against every annotator: {metric: [a values]}."""
    return {
        name: [float(value) for value in metrics.against_annotators(metric, truths, pred, reduce=None)]
        for name, metric in METRICS.items()
    }


def image_seed(seed: int, name: str) -> int:
    """A seed for one image that does not depend on which others are measured."""
    return int(np.random.default_rng([seed, zlib.crc32(name.encode())]).integers(2**31))


def means(images: Iterable[dict]) -> dict[str, dict[str, float]]:
    """Mean over the images, of the mean over annotators and of the kindest annotator."""
    images = list(images)
    table = {}
    for name in METRICS:
        kindest = min if name in LOWER_IS_BETTER else max
        table[name] = {
            "mean_annotator": float(np.mean([np.mean(image[name]) for image in images])),
            "best_annotator": float(np.mean([kindest(image[name]) for image in images])),
        }
    return table


def run(
    dataset: str,
    method: str,
    *,
    limit: int | None = None,
    seed: int = 0,
    settings: dict | None = None,
    progress: Callable[[Sequence], Iterable] = iter,
) -> dict:
    """Measure one method, and its peers, on one data set; gives back a record for JSON.

    Raises
    ------
    ValueError
        If the data set or the method is not known, or the limit is less than 1.
    MissingDataset
        If the data set is not on this machine.
    """
    from benchmarks import record

    if dataset not in DATASETS:
        raise ValueError(f"dataset must be one of {', '.join(DATASETS)}, got {dataset!r}")
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    row = METHODS[method]
    settings = row.settings | (settings or {})
    samples = list(DATASETS[dataset].load())[:limit]
    segmenters = {"unseg": row.ours, **row.peers}
    per_image: dict[str, list[dict]] = {name: [] for name in segmenters}
    seconds = dict.fromkeys(segmenters, 0.0)
    for sample in progress(samples):
        truths = sample.truth if sample.truth.ndim == 3 else sample.truth[None]
        for name, segmenter in segmenters.items():
            begin = time.perf_counter()
            pred = segmenter(sample.image, seed=image_seed(seed, sample.name), **settings)
            seconds[name] += time.perf_counter() - begin
            per_image[name].append({"image": sample.name, **scores(truths, pred)})

    return {
        "benchmark": "quality",
        **record.environment(("unseg", "numpy", "scipy", "scikit-learn", "scikit-image")),
        "dataset": dataset,
        "method": method,
        "settings": settings,
        "seed": seed,
        "n_images": len(samples),
        "means": {name: means(images) for name, images in per_image.items()},
        "seconds_per_image": {name: total / len(samples) for name, total in seconds.items()},
        "goals": row.goals.get(dataset, {}),
        "per_image": per_image,
    }


def table(result: dict) -> str:
    """The means as text: mean over annotators / kindest annotator."""
    names = list(result["means"])
    settings = ", ".join(f"{key}={value}" for key, value in result["settings"].items())
    lines = [
        f"{result['method']} on {result['n_images']} images of {result['dataset']} ({settings}; seed {result['seed']})",
        "mean over annotators / kindest annotator",
        f"  {'':<26}" + "".join(f"{name:>16}" for name in names),
    ]
    for metric in METRICS:
        cells = [result["means"][name][metric] for name in names]
        pairs = [f"{cell['mean_annotator']:.3f} / {cell['best_annotator']:.3f}" for cell in cells]
        arrow = " (lower is better)" if metric in LOWER_IS_BETTER else ""
        lines.append(f"  {metric:<26}" + "".join(f"{pair:>16}" for pair in pairs) + arrow)
    times = [f"{result['seconds_per_image'][name] * 1e3:.0f} ms" for name in names]
    lines.append(f"  {'time for an image':<26}" + "".join(f"{text:>16}" for text in times))
    for name, goal in result["goals"].items():
        reached = {metric: result["means"]["unseg"][metric]["mean_annotator"] for metric in goal}
        text = ", ".join(
            f"{metric} {reached[metric]:.3f} of {value:g} {'reached' if reached[metric] >= value else 'MISSED'}"
            for metric, value in goal.items()
        )
        lines.append(f"  {name}: {text}")
    if result["goals"] and result["n_images"] != 30:
        lines.append("  (the goals refer to the first 30 images: --limit 30)")
    return "\n".join(lines)
