"""How well each method finds the one object of a photo, without labels: foreground IoU, maximal F and accuracy.

A method is one row of METHODS, features are one row of FEATURES, a data set is one row of DATASETS. A method gets the
features of the patches and gives back a soft mask on their grid: 0 to 1, the object above one half. It is scored twice:
upsampled as it is, and after `postprocess.refine` with the photo as guide.

Every seventh image of ECSSD (``ecssd-tune``) is there to choose settings on; ``ecssd`` is the rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality import image_seed, plus_minus, standard_error
from unseg_helpers import affinity, backbones, datasets, gmm, kmeans, metrics, postprocess, spectral
from unseg_helpers import features as features_module

SCORES = ("iou", "max_f", "accuracy")
DIGITS = 4
PACKAGES = ("unseg", "numpy", "scipy", "scikit-image", "opencv", "torch")
TUNING_STEP = 7  # every so many images of ECSSD are for choosing settings
FRAME_STEP = 4  # every so many frames of a video: the next one looks the same


# ---- data sets -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Dataset:
    """Photos with one mask each; the means are over groups first (frames of one video), then over what is left."""

    load: Callable[[], Sequence[datasets.Sample]]
    about: str
    group: Callable[[str], str] = str  # name of an image -> name of its group


class Chosen(Sequence):
    """Some images of a pack, read when they are asked for."""

    def __init__(self, pack: Sequence[datasets.Sample], indices: Iterable[int]):
        self.pack, self.indices = pack, list(indices)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return Chosen(self.pack, self.indices[index])
        return self.pack[self.indices[index]]


def ecssd_tuning() -> Chosen:
    pack = datasets.ecssd()
    return Chosen(pack, range(0, len(pack), TUNING_STEP))


def ecssd_measured() -> Chosen:
    pack = datasets.ecssd()
    return Chosen(pack, [i for i in range(len(pack)) if i % TUNING_STEP])


def davis() -> Chosen:
    pack = datasets.davis16()
    return Chosen(pack, [i for i, name in enumerate(pack.ids) if int(name.rpartition("/")[2]) % FRAME_STEP == 0])


DATASETS = {
    "ecssd": Dataset(ecssd_measured, "ECSSD without every seventh image"),
    "ecssd-tune": Dataset(ecssd_tuning, "every seventh image of ECSSD, on which settings were chosen"),
    "davis16": Dataset(
        davis, "every fourth frame of DAVIS 2016, averaged by video", lambda name: name.partition("/")[0]
    ),
    "photos": Dataset(lambda: single_objects(), "photographs of this package, the largest object of each"),
}


def single_objects() -> list[datasets.Sample]:
    """Photos of this package, the largest segment that does not rule the border taken as the object."""
    found = []
    for sample in datasets.photos():
        labels, counts = np.unique(sample.truth, return_counts=True)
        shares = [border_share(sample.truth == label) for label in labels]
        inner = [i for i, share in enumerate(shares) if share < 0.5]
        if inner:
            best = labels[max(inner, key=lambda i: counts[i])]
            found.append(datasets.Sample(sample.name, sample.image, sample.truth == best, ("background", "object")))
    return found


# ---- features ------------------------------------------------------------------------------------------------------

NONE, COLOR = "none", "color+position"
FEATURES = {
    NONE: "no features: what a mask in the middle of the image gets",
    COLOR: "psi = (cos H, sin H, S, V, x, y) of each patch, each column with mean 0 and variance 1",
    **{name: f"patches of the network {name}" for name in backbones.NAMES},
}
COLOR_SIZE, COLOR_PATCH = 160, 8  # short side of the photo and side of a patch, in pixels


def describe(
    image: NDArray, name: str, network: backbones.Backbone | None = None, **options
) -> features_module.PatchFeatures | None:
    """Features of the patches of one image, by name; a network that is loaded need not be looked for again."""
    if name == NONE:
        return None
    if name != COLOR:
        return features_module.extract(image, network or name, **options)
    grid = color_grid(image)
    psi = affinity.color_features(image, grid)  # (n, 6)
    psi = (psi - psi.mean(axis=0)) / np.maximum(psi.std(axis=0), 1e-6)
    return features_module.PatchFeatures(psi.reshape(*grid, -1), COLOR_PATCH, image.shape[:2])


def color_grid(image: NDArray) -> tuple[int, int]:
    """Rows and columns of patches for color: squares, as nearly as the whole image allows."""
    scale = COLOR_SIZE / min(image.shape[:2]) / COLOR_PATCH
    return tuple(max(1, round(side * scale)) for side in image.shape[:2])


def load(features: str, weights: str | None = None) -> backbones.Backbone | None:
    """The network of these features; None where there is none."""
    if features in backbones.NAMES:
        return backbones.load(features, weights=weights)
    if weights is not None:
        raise ValueError(f"weights are for the features of a network, got {weights!r} for {features!r}")
    return None


def noted(weights: str | None, packages: Sequence[str]) -> dict:
    """`record.environment`; a file of weights is noted by its name, since its folder is this machine's own."""
    from benchmarks import record

    found = record.environment(packages)
    if weights is not None:
        found["command"] = found["command"].replace(str(weights), Path(weights).name)
    return found


# ---- methods -------------------------------------------------------------------------------------------------------

Finder = Callable[..., NDArray[np.floating]]  # ((h, w, d), image, seed=..., **settings) -> (h, w) soft mask


@dataclass(frozen=True)
class Method:
    find: Finder
    about: str
    needs_features: bool = True


def border_share(mask: NDArray[np.bool_]) -> float:
    """Part of the outermost pixels or patches that belongs to the mask."""
    return float(np.concatenate([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]]).mean())


def by_border(soft: NDArray[np.floating]) -> NDArray[np.floating]:
    """The border rule: of two sides, split at one half, the one with less of the border is the object."""
    return 1 - soft if border_share(soft > 0.5) > border_share(soft <= 0.5) else soft


def squashed(v: NDArray[np.floating]) -> NDArray[np.float64]:
    """A score around 0 as a soft mask around one half: each side is divided by its own mean, and cut at 0 and 1.

    The eigenvector of a small object is large on it and hardly below 0 elsewhere. Interpolated as it is, it would be
    above 0 for most of the way to the next patch.
    """
    v = np.asarray(v, dtype=np.float64)
    soft = np.full(v.shape, 0.5)
    for side in (v > 0, v < 0):
        if side.any():
            soft[side] += 0.5 * np.clip(v[side] / np.abs(v[side]).mean(), -1, 1)
    return soft


def reduced(patches: NDArray[np.floating], d: int | None) -> NDArray[np.float64]:
    """The first d principal components (n, d); None or a larger d keeps all. Rows are normalized before."""
    x = patches.reshape(-1, patches.shape[-1]).astype(np.float64)
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    if d is None or d >= x.shape[1]:
        return x
    x = x - x.mean(axis=0)
    _, vectors = np.linalg.eigh(x.T @ x)
    return x @ vectors[:, ::-1][:, :d]


def center(patches: None, image: NDArray, *, seed: int, shape: str, radius: float) -> NDArray[np.floating]:
    """An ellipse or a box in the middle; the radius is a part of half the height and half the width."""
    y, x = (np.abs(2 * (np.arange(n) + 0.5) / n - 1) for n in image.shape[:2])
    distance = np.hypot(y[:, None], x) if shape == "ellipse" else np.maximum(y[:, None], x)
    return (distance < radius).astype(float)


def two_means(patches: NDArray, image: NDArray, *, seed: int, d: int | None) -> NDArray[np.floating]:
    labels = kmeans.kmeans(reduced(patches, d), 2, n_init=3, rng=seed).labels
    return by_border(labels.reshape(patches.shape[:2]).astype(float))


def two_gaussians(
    patches: NDArray, image: NDArray, *, seed: int, d: int | None, kind: str, floor: float
) -> NDArray[np.floating]:
    x = reduced(patches, d)
    mixture = gmm.fit(x, 2, kind=kind, floor=floor, rng=seed).mixture
    return by_border(gmm.e_step(x, mixture)[0][:, 1].reshape(patches.shape[:2]))


def cut(
    patches: NDArray, image: NDArray, *, seed: int, color_weight: float, rule: str = "smaller"
) -> NDArray[np.floating]:
    """The second eigenvector; the object is where it is positive, by the published rule or by that of the border."""
    found = spectral.localize(patches, image if color_weight else None, color_weight=color_weight, seed=seed)
    soft = squashed(found.score)
    return by_border(soft) if rule == "border" else soft


def gaussian_cut(patches: NDArray, image: NDArray, *, seed: int, width: float, position: float) -> NDArray[np.floating]:
    """The same on exp(-|x - y|^2 / 2 width^2) of Lab color and position: an affinity made for color."""
    import cv2

    h, w = patches.shape[:2]
    small = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA)
    x = features_module.pixel_features(small, space="lab", position=position)
    w_color = np.exp(-kmeans.squared_distances(x, x) / (2 * width**2)) + 1e-6  # no patch without a neighbor
    v = spectral.eigenvectors(w_color, 2, seed=seed).vectors[:, 1]
    return by_border(squashed(v.reshape(h, w)))


def token_cut(patches: NDArray, image: NDArray, *, seed: int, tau: float = 0.2) -> NDArray[np.floating]:
    return spectral.localize(patches, method="tokencut", tau=tau).mask.astype(float)


def lowest_degree(patches: NDArray, image: NDArray, *, seed: int, k: int = 100) -> NDArray[np.floating]:
    return spectral.localize(patches, method="lost", k=k).mask.astype(float)


METHODS = {
    "center-ellipse": Method(center, "an ellipse in the middle, always the same", needs_features=False),
    "center-box": Method(center, "a box in the middle, always the same", needs_features=False),
    "kmeans": Method(two_means, "k-means with two clusters; the object has less of the border"),
    "gmm": Method(two_gaussians, "a mixture of two Gaussians; the object has less of the border"),
    "spectral": Method(cut, "second eigenvector of W_feat; the object is the smaller side, as published"),
    "spectral-tuned": Method(cut, "second eigenvector of W_feat + lambda W_knn; the object has less of the border"),
    "spectral-gaussian": Method(gaussian_cut, "second eigenvector of a Gaussian affinity of Lab color and position"),
    "tokencut": Method(token_cut, "TokenCut"),
    "lost": Method(lowest_degree, "LOST"),
}

# Chosen on ecssd-tune; tau of TokenCut and k of LOST are the published ones.
DEFAULTS = {
    "center-ellipse": {"shape": "ellipse", "radius": 0.63},
    "center-box": {"shape": "box", "radius": 0.58},
    "kmeans": {"d": None},
    "gmm": {"d": 8, "kind": "full", "floor": 0.01},
    "spectral": {"color_weight": 0.0},
    "spectral-tuned": {"color_weight": 1.0, "rule": "border"},
    "tokencut": {"tau": 0.2},
    "lost": {"k": 100},
}
SETTINGS: dict[str, dict[str, dict]] = {
    COLOR: {"spectral-gaussian": {"width": 0.14, "position": 0.2}},
    "minidino": {"spectral-tuned": {"color_weight": 3.0}},
}
REFINE = {"method": "bilateral"}  # as TokenCut does
EXTRACT: dict[str, dict] = {}  # options of `features.extract` by backbone; without an entry its defaults

GOAL = {"method": "spectral-tuned", "gain": 0.10}  # mini-DINO over color and position, foreground IoU on ECSSD


def settings(features: str, method: str) -> dict:
    """Those of the method, those for these features above them."""
    return DEFAULTS.get(method, {}) | SETTINGS.get(features, {}).get(method, {})


def methods_for(features: str) -> tuple[str, ...]:
    """Those that are measured on these features."""
    if features == NONE:
        return tuple(name for name, row in METHODS.items() if not row.needs_features)
    return tuple(
        name
        for name, row in METHODS.items()
        if row.needs_features and (name != "spectral-gaussian" or features == COLOR)
    )


# ---- measuring -----------------------------------------------------------------------------------------------------


def on_image(soft: NDArray, patches: features_module.PatchFeatures | None, shape: tuple[int, int]) -> NDArray:
    """A soft mask on the grid, interpolated to the pixels; what the grid does not reach gets the nearest value."""
    if soft.shape == shape:
        return soft
    covered = patches.image_size
    return padded(postprocess.upsample(soft, covered), shape)


def padded(a: NDArray, shape: tuple[int, int]) -> NDArray:
    return np.pad(a, [(0, shape[i] - a.shape[i]) for i in (0, 1)], mode="edge")


def refined(soft: NDArray, patches: features_module.PatchFeatures | None, image: NDArray, **options) -> NDArray:
    """The same after post-processing."""
    rows, columns = patches.image_size if patches else image.shape[:2]
    return padded(postprocess.refine(soft, image[:rows, :columns], **options), image.shape[:2])


def one_score(true: NDArray[np.bool_], soft: NDArray) -> tuple[float, float, NDArray]:
    mask = soft > 0.5
    return (
        metrics.foreground_iou(true, mask),
        metrics.foreground_accuracy(true, mask),
        metrics.f_curve(true, np.clip(soft, 0, 1)),
    )


def measure(
    samples: Iterable[datasets.Sample],
    features: str,
    methods: Sequence[str],
    *,
    network: backbones.Backbone | None,
    seed: int,
    extract: dict,
    refine: dict,
) -> Iterator[tuple[str, str, str, tuple[float, float, NDArray], float]]:
    """(image, method, "plain" or "refined", scores, seconds) one after the other."""
    for sample in samples:
        begin = time.perf_counter()
        patches = describe(sample.image, features, network, **extract)
        yield sample.name, "", "features", (), time.perf_counter() - begin
        for name in methods:
            begin = time.perf_counter()
            soft = METHODS[name].find(
                patches.features if patches else None,
                sample.image,
                seed=image_seed(seed, sample.name),
                **settings(features, name),
            )
            plain = on_image(soft, patches, sample.truth.shape)
            seconds = time.perf_counter() - begin
            yield sample.name, name, "plain", one_score(sample.truth, plain), seconds
            if METHODS[name].needs_features:
                begin = time.perf_counter()
                smooth = refined(soft, patches, sample.image, **refine)
                yield sample.name, name, "refined", one_score(sample.truth, smooth), time.perf_counter() - begin


def summary(iou: Sequence[float], accuracy: Sequence[float], curves: NDArray, groups: Sequence[str]) -> dict:
    """Means over groups of the means over their images; standard errors over groups."""
    of = np.array(groups)
    names = list(dict.fromkeys(groups))
    by_group = [np.flatnonzero(of == name) for name in names]
    means = {
        key: np.array([np.mean(np.asarray(v)[i]) for i in by_group])
        for key, v in (("iou", iou), ("accuracy", accuracy))
    }
    curve = np.mean([curves[i].mean(axis=0) for i in by_group], axis=0)  # (levels,)
    found = {key: {"mean": float(v.mean()), "standard_error": standard_error(v)} for key, v in means.items()}
    return found | {"max_f": {"mean": float(curve.max()), "threshold": float(curve.argmax() / len(curve))}}


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
    """Measure methods on one kind of features and one data set; gives back a record for JSON.

    `weights` is the file of a network's weights, if it is not where `backbones.load` looks.

    Raises
    ------
    ValueError
        If the data set, the features or a method is not known, or the limit is less than 1.
    MissingDataset, BackboneUnavailable
        If the data set or the weights of the network are not on this machine.
    """
    if dataset not in DATASETS:
        raise ValueError(f"dataset must be one of {', '.join(DATASETS)}, got {dataset!r}")
    if features not in FEATURES:
        raise ValueError(f"features must be one of {', '.join(FEATURES)}, got {features!r}")
    methods = tuple(methods or methods_for(features))
    if wrong := set(methods) - set(methods_for(features)):
        raise ValueError(f"on {features} there are {', '.join(methods_for(features))}, got {', '.join(sorted(wrong))}")
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    extract = EXTRACT.get(features, {})
    network = load(features, weights)
    row = DATASETS[dataset]
    samples = row.load()[:limit]
    names: list[str] = []
    scores: dict[tuple[str, str], list[tuple[float, float, NDArray]]] = {}
    seconds: dict[tuple[str, str], float] = {}
    for image, method, step, found, spent in measure(
        progress(samples), features, methods, network=network, seed=seed, extract=extract, refine=REFINE
    ):
        seconds[method, step] = seconds.get((method, step), 0.0) + spent
        if step == "features":
            names.append(image)
        else:
            scores.setdefault((method, step), []).append(found)
    groups = [row.group(name) for name in names]
    rows = []
    for (method, step), found in scores.items():
        iou, accuracy, curves = zip(*found, strict=True)
        rows.append(
            {
                "method": method,
                "refined": step == "refined",
                "settings": settings(features, method),
                **summary(iou, accuracy, np.array(curves), groups),
                "seconds_per_image": round(seconds[method, step] / len(names), 4),
                "per_image": [round(value, DIGITS) for value in iou],
            }
        )
    return {
        "benchmark": "foreground",
        **noted(weights, PACKAGES),
        "dataset": dataset,
        "about": row.about,
        "features": features,
        "extract": extract,
        "digest": network.digest if network else None,
        "refine": REFINE,
        "seed": seed,
        "n_images": len(names),
        "n_groups": len(set(groups)),
        "seconds_per_image_for_features": round(seconds["", "features"] / len(names), 4),
        "images": " ".join(names),
        "rows": rows,
    }


def table(result: dict) -> str:
    """The means as text."""
    lines = [
        f"{result['features']} on {result['n_images']} images of {result['dataset']} (seed {result['seed']})",
        f"  {'':<28}{'IoU':>14}{'maximal F':>12}{'accuracy':>10}{'ms':>8}",
    ]
    for row in result["rows"]:
        name = row["method"] + (" + " + result["refine"]["method"] if row["refined"] else "")
        iou = plus_minus(row["iou"]["mean"], row["iou"]["standard_error"])
        lines.append(
            f"  {name:<28}{iou:>14}{row['max_f']['mean']:>12.3f}{row['accuracy']['mean']:>10.3f}"
            f"{1e3 * row['seconds_per_image']:>8.1f}"
        )
    return "\n".join(lines)
