"""How well each method segments the images of a data set, against every annotator.

A method is one row of METHODS, a data set one row of DATASETS: a new lesson adds a row. Each row of METHODS holds our
method and the same by others, on the same features; all see the same images in one loop. A second run with the same
seed gives the same numbers, and an image has the same scores in every data set that holds it.

Settings are chosen on BSDS300's training images (``bsds300-train``); the course's goals refer to its test images.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from unseg_helpers import affinity, datasets, ensembles, features, gmm, kanezaki, kmeans, metrics, postprocess, spectral
from unseg_helpers.datasets.packs import BSDS300_TEST

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
DIGITS = 4  # of each score in a record: far below what one annotator differs from the next, and small files


# ---- data sets -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Dataset:
    """Images with label maps of one or more annotators."""

    load: Callable[[], Sequence[datasets.Sample]]
    about: str


PAPER_FIVE = ("25098", "3096", "35058", "22090", "23025")  # the images that the scene-segmentation paper prints
GOALS_30 = BSDS300_TEST[0:90:3]  # the images that the course's goals refer to: every third test image
FIFTY = tuple(dict.fromkeys([*PAPER_FIVE, *GOALS_30, *BSDS300_TEST]))[:50]  # where training each image takes long


class Listed(Sequence):
    """Samples of a pack in an order of one's own, read when they are asked for."""

    def __init__(self, pack, names: Iterable[str]):
        self.pack, self.names = pack, list(dict.fromkeys(names))

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Listed(self.pack, self.names[index])
        return self.pack[self.names[index]]


def bsds300_every_third_first() -> Listed:
    """The 100 test images, every third one first: a limit of 30 is the list that the course's goals refer to."""
    pack = datasets.bsds300("test")
    return Listed(pack, [name for first in range(3) for name in pack.ids[first::3]])


def bsds300_train_every_fourth_first() -> Listed:
    """The 200 training images, every fourth one first: a limit of 50 is the list on which settings were chosen."""
    pack = datasets.bsds300("train")
    return Listed(pack, [name for first in range(4) for name in pack.ids[first::4]])


def paper_five() -> Listed:
    """The five images of BSDS300 for which the scene-segmentation paper prints its scores, in its order."""
    return Listed(datasets.bsds300("all"), PAPER_FIVE)


def bsds300_goals_first() -> Listed:
    """All 300 images: those of the paper, those that the goals refer to, the other test images, the training images."""
    pack = datasets.bsds300("all")
    return Listed(pack, [*PAPER_FIVE, *GOALS_30, *datasets.bsds300("test").ids, *pack.ids])


def _scenes() -> list[datasets.Sample]:
    return [
        datasets.Sample(f"scene-{i}", scene.image, scene.instances)
        for i, scene in enumerate(datasets.scenes(30, seed=0))
    ]


DATASETS = {
    "bsds300": Dataset(bsds300_every_third_first, "BSDS300 test images, every third one first; 4 to 9 annotators"),
    "bsds300-all": Dataset(
        bsds300_goals_first,
        "all 300 images of BSDS300; the first 35 are paper-five and the 30 test images of the goals",
    ),
    "bsds300-train": Dataset(bsds300_train_every_fourth_first, "BSDS300 training images, every fourth one first"),
    "paper-five": Dataset(paper_five, "the five images of BSDS300 that the scene-segmentation paper shows"),
    "photos": Dataset(datasets.photos, "photographs of this package, with its own masks"),
    "scenes": Dataset(_scenes, "procedural scenes with exact object instances"),
}


# ---- methods -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Method:
    """Our method, the same by others, and what is to be reached."""

    ours: Segmenter | None  # None: nobody segments, the annotators are scored against one another
    peers: dict[str, Segmenter]
    settings: dict
    about: str
    goals: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)  # data set -> name -> metric -> value


def one_segment(image: NDArray, *, seed: int) -> NDArray[np.integer]:
    return np.zeros(image.shape[:2], dtype=np.int32)


def kmeans_ours(image: NDArray, *, seed: int, k: int, n_init: int, **options) -> NDArray[np.integer]:
    return kmeans.segment(image, k, n_init=n_init, rng=seed, **options)


def kmeans_scikit_learn(image: NDArray, *, seed: int, k: int, n_init: int, **options) -> NDArray[np.integer]:
    from sklearn.cluster import KMeans

    x = features.pixel_features(image, **options)
    model = KMeans(k, n_init=n_init, max_iter=100, tol=0, random_state=seed)
    return model.fit(x).labels_.reshape(image.shape[:2])


def gmm_ours(
    image: NDArray, *, seed: int, k: int, n_init: int, kind: str, blur: float = 0.0, **options
) -> NDArray[np.integer]:
    """`gmm.segment`; with `blur`, a part of the longer side, responsibilities are blurred before the largest wins."""
    if not blur:
        return gmm.segment(image, k, kind=kind, n_init=n_init, rng=seed, **options)
    from scipy.ndimage import gaussian_filter

    soft = gmm.segment(image, k, kind=kind, n_init=n_init, rng=seed, soft=True, **options)
    sigma = blur * max(image.shape[:2])
    return gaussian_filter(soft, sigma=sigma, axes=(0, 1), mode="nearest").argmax(axis=2).astype(np.int32)


def gmm_scikit_learn(
    image: NDArray, *, seed: int, k: int, n_init: int, kind: str, floor: float, **options
) -> NDArray[np.integer]:
    """scikit-learn's mixture with the same floor, its own stopping rule, and as many steps as ours may take."""
    from sklearn.mixture import GaussianMixture

    x = features.pixel_features(image, dtype=np.float64, **options)
    ridge = floor * float(x.var(axis=0).mean())
    model = GaussianMixture(k, covariance_type=kind, n_init=n_init, max_iter=100, reg_covar=ridge, random_state=seed)
    return model.fit_predict(x).reshape(image.shape[:2])


def gmm_kmeans_ours(image: NDArray, *, seed: int, k: int, k_first: int, space: str, **options) -> NDArray[np.integer]:
    """A mixture of k_first Gaussians; every segment painted with its mean color; k-means on the painted image."""
    first = gmm_ours(image, seed=seed, k=k_first, space=space, **options)
    return ensembles.recluster(image, first, k, space=space, n_init=5, rng=seed)


def gmm_kmeans_scikit_learn(
    image: NDArray, *, seed: int, k: int, k_first: int, space: str, **options
) -> NDArray[np.integer]:
    """The same two steps with scikit-learn's mixture and k-means."""
    from sklearn.cluster import KMeans

    first = gmm_scikit_learn(image, seed=seed, k=k_first, space=space, **options)
    x = features.pixel_features(image, space=space, dtype=np.float64)
    segments, of = np.unique(first.ravel(), return_inverse=True)
    if len(segments) <= k:
        return first
    means = np.stack([x[of == segment].mean(axis=0) for segment in range(len(segments))])
    model = KMeans(k, n_init=5, random_state=seed).fit(means, sample_weight=np.bincount(of))
    return model.labels_[of].reshape(first.shape)


def cnn_ours(
    image: NDArray,
    *,
    seed: int,
    recipe: str,
    size: int,
    max_iter: int,
    dtype: str,
    least: float = 0.0,
    start_labels: NDArray | None = None,
    **changes,
) -> NDArray[np.integer]:
    """A network trained on the image; `changes` are to the recipe."""
    made = replace(kanezaki.RECIPES[recipe], **changes)
    options = {"size": size, "max_iter": max_iter, "dtype": dtype, "least": least, "start_labels": start_labels}
    return kanezaki.segment(image, made, seed=seed, device="cpu", **options)


def cnn_as_published(
    image: NDArray, *, seed: int, recipe: str, size: int, max_iter: int, dtype: str, **changes
) -> NDArray[np.integer]:
    """The published loop written plainly, from the same weights, at the same size, in float32."""
    from skimage.transform import resize

    from benchmarks import kanezaki_speed

    h, w = image.shape[:2]
    small = (round(h * size / max(h, w)), round(w * size / max(h, w)))
    photo = (resize(image, small, anti_aliasing=True) * 255).round().astype(np.uint8)
    made = replace(kanezaki.RECIPES[recipe], **changes)
    case = kanezaki_speed.Case("", photo, made)
    labels = kanezaki_speed.plainly(case, max_iter, "cpu", seed).labels
    rows, columns = (np.arange(n) * m // n for n, m in zip((h, w), small, strict=True))
    return labels[rows[:, None], columns]


def cnn_kmeans_ours(image: NDArray, *, seed: int, k: int, space: str, position: float, **options) -> NDArray:
    """The network's segments painted with their mean color; k-means on the painted image."""
    first = cnn_ours(image, seed=seed, **options)
    return ensembles.recluster(image, first, k, space=space, position=position, n_init=5, rng=seed)


def kmeans_cnn_ours(image: NDArray, *, seed: int, k: int, position: float, **options) -> NDArray[np.integer]:
    """The clusters of k-means are the targets of the network's first steps."""
    start = kmeans.segment(image, k, position=position, rng=seed)
    return cnn_ours(image, seed=seed, start_labels=start, **options)


def co_association_ours(
    image: NDArray, *, seed: int, smooth: float, cnn: dict | None = None, **options
) -> NDArray[np.integer]:
    """Four k-means and four mixtures, if wanted a network too, vote on which superpixels belong together."""
    votes = ensembles.members(image, smooth=smooth, rng=seed)
    if cnn is not None:
        votes.append(cnn_ours(image, seed=seed, **cnn))
    return ensembles.co_association(votes, image=image, **options)


def spectral_ours(
    image: NDArray, *, seed: int, k: int, n_vectors: int, features: str, color_weight: float
) -> NDArray[np.integer]:
    """k segments of the patches by their entries in the first eigenvectors; each pixel takes the nearest's label."""
    from benchmarks import foreground

    patches = foreground.describe(image, features, **foreground.EXTRACT.get(features, {}))
    rows, columns = patches.image_size
    w = affinity.affinity(patches.features, image[:rows, :columns], color_weight=color_weight)
    vectors = spectral.eigenvectors(w, n_vectors, seed=seed).vectors.reshape(*patches.features.shape[:2], n_vectors)
    labels = spectral.segments(vectors, k, seed=seed)
    shares = [postprocess.upsample(labels == label, (rows, columns)) for label in range(labels.max() + 1)]
    return foreground.padded(np.argmax(shares, axis=0).astype(np.int32), image.shape[:2])


GOALS = {  # the first 30 images of `bsds300`, mean over annotators
    "kmeans": {
        "must reach": {"best_cluster": 0.54, "mean_cluster": 0.36, "covering": 0.36},
        "ambitious": {"best_cluster": 0.60, "covering": 0.42},
    },
    "gmm": {
        "must reach": {"best_cluster": 0.62, "covering": 0.41},
        "ambitious": {"best_cluster": 0.69, "covering": 0.46},
    },
    "cnn": {
        "must reach": {"best_cluster": 0.57, "covering": 0.39},
        "ambitious": {"best_cluster": 0.67, "covering": 0.45},
    },
    "ensemble": {"ambitious": {"best_cluster": 0.79, "covering": 0.50}},
}
KMEANS_GOALS, GMM_GOALS, CNN_GOALS, ENSEMBLE_GOALS = (
    {"bsds300": GOALS[name]} for name in ("kmeans", "gmm", "cnn", "ensemble")
)
_KMEANS_PEERS, _GMM_PEERS = {"scikit-learn": kmeans_scikit_learn}, {"scikit-learn": gmm_scikit_learn}
_TWO_STEP_PEERS = {"scikit-learn": gmm_kmeans_scikit_learn}
_LAB4 = {"k": 4, "space": "lab"}
_KMEANS_COLOR = _LAB4 | {"n_init": 3, "position": 0.0}
_GMM_FIRST = {"n_init": 1, "space": "lab", "position": 0.5, "smooth": 0.005, "kind": "full", "floor": 0.01}
_CNN_SIZE = {"size": 120, "max_iter": 200, "dtype": "bfloat16"}
_CNN = {"recipe": "kim2020", **_CNN_SIZE, "continuity": 10.0, "min_labels": 2}
_CNN_PAPER = {"recipe": "shukla", **_CNN_SIZE}
_VOTE = {"k": 12, "smooth": 0.005, "n_superpixels": 1600, "color": 0.5}
_SPECTRAL = {"k": 5, "n_vectors": 10, "color_weight": 0.0}
_GMM_COLOR = _LAB4 | {"n_init": 1, "position": 0.0, "kind": "full", "floor": 0.01}

METHODS = {
    # What a score means: nothing done, and what people reach.
    "one-segment": Method(one_segment, {}, {}, "the whole image as one segment: what a score gives for nothing"),
    "people": Method(None, {}, {}, "each annotator scored against the others of the same image"),
    # k-means
    "kmeans": Method(
        kmeans_ours,
        _KMEANS_PEERS,
        {"k": 4, "n_init": 3, "space": "lab", "position": 0.5},
        "k-means on Lab color and position, as kmeans.segment does by default, but the best of 3 starts",
        KMEANS_GOALS,
    ),
    "kmeans-smooth": Method(
        kmeans_ours,
        _KMEANS_PEERS,
        {"k": 3, "n_init": 3, "space": "lab", "position": 0.25, "lightness": 0.5, "smooth": 0.01},
        "k-means on blurred Lab color with less lightness; settings chosen on training images of BSDS300",
        KMEANS_GOALS,
    ),
    "kmeans-paper": Method(
        kmeans_ours,
        _KMEANS_PEERS,
        {"k": 4, "n_init": 1, "space": "rgb", "position": 0.0},
        "k-means on RGB, one start: the features and k of gmm-paper, which starts from it",
    ),
    "kmeans-color": Method(kmeans_ours, {}, _KMEANS_COLOR, "kmeans without position"),
    "kmeans-color-smooth": Method(
        kmeans_ours, {}, _KMEANS_COLOR | {"smooth": 0.01}, "kmeans without position, on blurred color"
    ),
    # Gaussian mixtures
    "gmm": Method(
        gmm_ours,
        _GMM_PEERS,
        _LAB4 | {"n_init": 1, "position": 0.5, "kind": "full", "floor": 0.01},
        "a mixture of full Gaussians on Lab color and position, as gmm.segment does by default",
        GMM_GOALS,
    ),
    "gmm-smooth": Method(
        gmm_ours,
        _GMM_PEERS,
        _LAB4 | {"n_init": 3, "position": 0.5, "smooth": 0.005, "kind": "full", "floor": 0.01},
        "the same on slightly blurred Lab color, the best of 3 starts; settings chosen on training images of BSDS300",
        GMM_GOALS,
    ),
    "gmm-paper": Method(
        gmm_ours,
        _GMM_PEERS,
        {"k": 4, "n_init": 1, "space": "rgb", "position": 0.0, "kind": "spherical", "floor": 1e-6},
        "spherical Gaussians on RGB, one start: the setting nearest to what the scene-segmentation paper prints",
    ),
    "gmm-low-floor": Method(
        gmm_ours,
        {},
        _LAB4 | {"n_init": 1, "position": 0.5, "kind": "full", "floor": 1e-6},
        "gmm with the floor that gmm.fit has by default",
    ),
    "gmm-color": Method(gmm_ours, {}, _GMM_COLOR, "gmm without position"),
    "gmm-color-smooth": Method(gmm_ours, {}, _GMM_COLOR | {"smooth": 0.005}, "gmm without position, on blurred color"),
    "gmm-color-blur": Method(
        gmm_ours,
        {},
        _GMM_COLOR | {"blur": 0.02},
        "gmm without position, its responsibilities blurred before the labels",
    ),
    # Networks trained on one image
    "cnn": Method(
        cnn_ours,
        {},
        _CNN | {"least": 0.02},
        "a network trained on the image with twice the published weight of continuity; labels of less than a fiftieth "
        "of the image are merged; settings chosen on ten training images of BSDS300",
        CNN_GOALS,
    ),
    "cnn-published": Method(
        cnn_ours,
        {"as published": cnn_as_published},
        {"recipe": "kim2020", **_CNN_SIZE, "dtype": "float32"},
        "the network as in the authors' demo, 200 steps at a quarter of the size, weight of continuity 5",
        CNN_GOALS,
    ),
    "cnn-paper": Method(
        cnn_ours, {}, _CNN_PAPER, "the network trained as the scene-segmentation paper says, at a quarter of the size"
    ),
    # Eigenvectors of a graph of patches
    "spectral-color": Method(
        spectral_ours,
        {},
        _SPECTRAL | {"features": "color+position"},
        "spectral segments of color and position of patches",
    ),
    "spectral-minidino": Method(
        spectral_ours, {}, _SPECTRAL | {"features": "minidino"}, "spectral segments of the features of mini-DINO"
    ),
    # Ensembles
    "gmm-first": Method(gmm_ours, {}, _GMM_FIRST | {"k": 6}, "the first step of gmm+kmeans alone"),
    "gmm+kmeans": Method(
        gmm_kmeans_ours,
        _TWO_STEP_PEERS,
        _GMM_FIRST | {"k": 4, "k_first": 6},
        "k-means on the mean colors of the segments of gmm-first; settings chosen on training images of BSDS300",
        ENSEMBLE_GOALS,
    ),
    "gmm+kmeans-paper": Method(
        gmm_kmeans_ours,
        _TWO_STEP_PEERS,
        {"k": 4, "k_first": 8, "n_init": 1, "space": "rgb", "position": 0.0, "kind": "spherical", "floor": 1e-6},
        "k-means on the image that a mixture segmented, with the features of gmm-paper",
    ),
    "cnn-first": Method(cnn_ours, {}, _CNN, "the first step of cnn+kmeans alone: cnn without merging"),
    "cnn+kmeans": Method(
        cnn_kmeans_ours,
        {},
        _CNN | {"k": 4, "space": "lab", "position": 0.5},
        "k-means on mean color and place of the segments of cnn-first; settings chosen on ten training images of "
        "BSDS300",
        ENSEMBLE_GOALS,
    ),
    "cnn+kmeans-paper": Method(
        cnn_kmeans_ours,
        {},
        _CNN_PAPER | {"k": 4, "space": "rgb", "position": 0.0},
        "k-means on the image that cnn-paper segmented",
    ),
    "kmeans+cnn": Method(
        kmeans_cnn_ours,
        {},
        _CNN | {"k": 8, "position": 0.5},
        "cnn-first, its targets in the first 30 steps from k-means with eight clusters",
    ),
    "ensemble": Method(
        co_association_ours,
        {},
        _VOTE,
        "four k-means and four mixtures vote, neighboring superpixels merge until k regions are left; settings chosen "
        "on 60 training images of BSDS300",
        ENSEMBLE_GOALS,
    ),
    "ensemble+cnn": Method(
        co_association_ours, {}, _VOTE | {"cnn": _CNN}, "the same with the network as a ninth voter", ENSEMBLE_GOALS
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


def agreement(truths: NDArray) -> dict[str, list[float]]:
    """Every metric of each annotator, taken as a prediction, on average over the other annotators."""
    if len(truths) < 2:
        raise ValueError(f"people need at least two annotators to be scored against one another, got {len(truths)}")
    each = [scores(np.delete(truths, i, axis=0), one) for i, one in enumerate(truths)]
    return {name: [float(np.mean(values[name])) for values in each] for name in METRICS}


Columns = dict[str, list[list[float]]]  # metric -> image -> annotator


def of_images(columns: Columns, *, annotators: str = "mean") -> dict[str, NDArray[np.float64]]:
    """One number for each image: the mean over its annotators, or that of the kindest ("best")."""
    reduced = {}
    for name, rows in columns.items():
        kindest = np.min if name in LOWER_IS_BETTER else np.max
        reduce = {"mean": np.mean, "best": kindest}[annotators]
        reduced[name] = np.array([reduce(row) for row in rows], dtype=np.float64)
    return reduced


def standard_error(values: NDArray[np.float64]) -> float | None:
    """Of the mean over images that were drawn at random; None for a single image."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None


def means(columns: Columns) -> dict[str, dict[str, float | None]]:
    """Mean over the images, of the mean over annotators and of the kindest annotator, and the standard error."""
    mean, best = of_images(columns), of_images(columns, annotators="best")
    return {
        name: {
            "mean_annotator": float(mean[name].mean()),
            "standard_error": standard_error(mean[name]),
            "best_annotator": float(best[name].mean()),
        }
        for name in columns
    }


def gains(ours: Columns, theirs: Columns) -> dict[str, dict[str, float | None]]:
    """How much better ours is on the same images, metric by metric: mean of the differences, and its standard error.

    Positive is better, also where lower scores are better. The standard error is that of the differences of pairs:
    much less than that of either mean, because images differ more than methods do.
    """
    ours, theirs = of_images(ours), of_images(theirs)
    found = {}
    for name in ours:
        gain = theirs[name] - ours[name] if name in LOWER_IS_BETTER else ours[name] - theirs[name]
        found[name] = {"mean": float(gain.mean()), "standard_error": standard_error(gain)}
    return found


def is_behind(gain: dict) -> bool:
    """Worse by more than one standard error of the differences."""
    return gain["mean"] < -(gain["standard_error"] or 0.0)


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
    samples = DATASETS[dataset].load()[:limit]
    segmenters = {"unseg": row.ours, **row.peers} if row.ours else {"people": None}
    per_image: dict[str, Columns] = {who: {name: [] for name in METRICS} for who in segmenters}
    seconds = dict.fromkeys(segmenters, 0.0)
    for sample in progress(samples):
        truths = sample.truth if sample.truth.ndim == 3 else sample.truth[None]
        for who, segmenter in segmenters.items():
            begin = time.perf_counter()
            pred = segmenter(sample.image, seed=image_seed(seed, sample.name), **settings) if segmenter else None
            seconds[who] += time.perf_counter() - begin
            for name, values in (agreement(truths) if pred is None else scores(truths, pred)).items():
                per_image[who][name].append([round(value, DIGITS) for value in values])

    ours, *peers = segmenters
    return {
        "benchmark": "quality",
        **record.environment(("unseg", "numpy", "scipy", "scikit-learn", "scikit-image", "torch")),
        "dataset": dataset,
        "method": method,
        "about": row.about,
        "settings": settings,
        "seed": seed,
        "n_images": len(samples),
        "means": {who: means(columns) for who, columns in per_image.items()},
        "gains": {peer: gains(per_image[ours], per_image[peer]) for peer in peers},
        "seconds_per_image": {who: round(total / len(samples), 3) for who, total in seconds.items()},
        "goals": row.goals.get(dataset, {}),
        "images": " ".join(sample.name for sample in samples),
        "per_image": per_image,
    }


def table(result: dict) -> str:
    """The means as text: mean over annotators with its standard error / kindest annotator; then ours minus theirs."""
    names = list(result["means"])
    settings = "".join(f"{key}={value}, " for key, value in result["settings"].items())
    lines = [
        f"{result['method']} on {result['n_images']} images of {result['dataset']} ({settings}seed {result['seed']})",
        "mean over annotators, its standard error / kindest annotator",
        f"  {'':<26}" + "".join(f"{name:>22}" for name in names),
    ]
    for metric in METRICS:
        cells = [result["means"][name][metric] for name in names]
        texts = [f"{plus_minus(c['mean_annotator'], c['standard_error'])} / {c['best_annotator']:.3f}" for c in cells]
        arrow = " (lower is better)" if metric in LOWER_IS_BETTER else ""
        lines.append(f"  {metric:<26}" + "".join(f"{text:>22}" for text in texts) + arrow)
    times = [f"{result['seconds_per_image'][name] * 1e3:.0f} ms" for name in names]
    lines.append(f"  {'time for an image':<26}" + "".join(f"{text:>22}" for text in times))
    for peer, found in result["gains"].items():
        behind = [
            f"{metric} {plus_minus(gain['mean'], gain['standard_error'])}"
            for metric, gain in found.items()
            if is_behind(gain)
        ]
        text = f"behind in {', '.join(behind)}" if behind else "not behind in any metric by more than a standard error"
        lines.append(f"  image by image against {peer}: {text}")
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


def plus_minus(value: float, error: float | None) -> str:
    """0.612 ±.009"""
    return f"{value:.3f}" + (f" ±{error:.3f}".replace("±0.", "±.") if error is not None else "")
