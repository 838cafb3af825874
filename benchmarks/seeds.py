"""How much the scores of a method depend on its seed, and on one setting at a time.

A study is a row of STUDIES: a method of `benchmarks.quality`, and variants of it that differ in one setting. Each
variant is run with several seeds on the same images. What a seed changes is told by the spread over the seeds of the
mean over all images; it is not the spread over images, which is much larger and the same for all variants.

A study takes long. With a folder for its parts it can be stopped and goes on where it was, and two processes at a time
share the work.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import quality, record

BASE = "as in the tables"


@dataclass(frozen=True)
class Study:
    """A method, and what is changed of its settings."""

    method: str
    variants: dict[str, dict]
    limit: int
    about: str


STUDIES = {
    "cnn": Study(
        "cnn",
        {
            BASE: {},
            "mu 1": {"continuity": 1.0},
            "mu 5": {"continuity": 5.0},
            "mu 20": {"continuity": 20.0},
            "1 layer": {"layers": 1},
            "3 layers": {"layers": 3},
            "25 channels": {"channels": 25},
            "50 channels": {"channels": 50},
        },
        10,
        "weight of continuity, depth and width of the network that is trained on one image",
    ),
    "cnn-published": Study(
        "cnn-published", {BASE: {}}, 50, "our network beside the published loop, from the same first weights"
    ),
    "cnn-fifty": Study("cnn", {BASE: {}}, 50, "the network of the tables on the images of cnn-published"),
}


def run(
    name: str,
    *,
    dataset: str = "bsds300-all",
    limit: int | None = None,
    seeds: int = 5,
    first_seed: int = 0,
    workers: int = 1,
    parts: Path | None = None,
    progress: Callable[[Iterable, int], Iterable] = lambda done, total: done,
) -> dict:
    """Measure a study; gives back a record for JSON.

    Parameters
    ----------
    name : str
        A study.
    dataset : str
        A data set of `benchmarks.quality`.
    limit : int, optional
        Only so many images, in place of the study's.
    seeds : int
        How many seeds, from `first_seed` on.
    workers : int
        Processes that measure at a time.
    parts : Path, optional
        Folder that keeps what each variant and seed has found. What is there already is not measured again.
    progress : function
        Wraps what is done, as tqdm does, and is told how much there is.

    Raises
    ------
    ValueError
        If the study is not known, or there would be no seed.
    MissingDataset
        If the data set is not on this machine.
    """
    if name not in STUDIES:
        raise ValueError(f"study must be one of {', '.join(STUDIES)}, got {name!r}")
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, got {seeds}")
    study = STUDIES[name]
    limit = limit or study.limit
    numbers = list(range(first_seed, first_seed + seeds))
    tasks = [(variant, seed) for seed in numbers for variant in study.variants]
    found: dict[tuple[str, int], dict] = {}
    arguments = {
        (variant, seed): (
            dataset,
            study.method,
            limit,
            seed,
            study.variants[variant],
            _path(parts, name, variant, seed),
        )
        for variant, seed in tasks
    }
    if workers == 1:
        for task in progress(tasks, len(tasks)):
            found[task] = _part(*arguments[task])
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            running = {pool.submit(_part, *arguments[task]): task for task in tasks}
            for future in progress(as_completed(running), len(tasks)):
                found[running[future]] = future.result()

    first = found[tasks[0]]
    rows = [
        {
            "variant": variant,
            "who": who,
            "settings": found[variant, numbers[0]]["settings"],
            "seconds_per_image": float(np.mean([found[variant, s]["seconds_per_image"][who] for s in numbers])),
            "scores": {
                metric: [
                    quality.of_images(found[variant, s]["per_image"][who])[metric].round(quality.DIGITS).tolist()
                    for s in numbers
                ]
                for metric in quality.METRICS
            },
        }
        for variant in study.variants
        for who in first["per_image"]
    ]
    return {
        "benchmark": "seeds",
        **record.environment(("unseg", "numpy", "scipy", "scikit-image", "torch")),
        "study": name,
        "method": study.method,
        "about": study.about,
        "dataset": dataset,
        "seeds": numbers,
        "n_images": first["n_images"],
        "images": first["images"],
        "rows": rows,
    }


def _path(parts: Path | None, name: str, variant: str, seed: int) -> Path | None:
    return None if parts is None else Path(parts) / f"{name}-{re.sub(r'[^a-z0-9]+', '-', variant)}-{seed}.json"


def _part(dataset: str, method: str, limit: int, seed: int, changes: dict, path: Path | None) -> dict:
    """One variant with one seed: from its file, if that is of the same settings and images, or measured."""
    if path is not None and path.is_file():
        settings = quality.METHODS[method].settings | changes
        wanted = {"dataset": dataset, "method": method, "seed": seed, "settings": settings}
        wanted["images"] = " ".join(sample.name for sample in quality.DATASETS[dataset].load()[:limit])
        kept = json.loads(path.read_text(encoding="utf-8"))
        if {key: kept.get(key) for key in wanted} == wanted:
            return kept
    result = quality.run(dataset, method, limit=limit, seed=seed, settings=changes)
    if path is not None:
        record.write_json(result, path)
    return result


# ---- what the seeds say -----------------------------------------------------------------------------------------


def over_seeds(row: dict, metric: str, images: Sequence[int] | None = None) -> NDArray[np.float64]:
    """For each seed, the mean of a score over all images, or over those at the given places."""
    scores = np.array(row["scores"][metric])  # (seeds, images)
    return (scores if images is None else scores[:, list(images)]).mean(axis=1)


def spread(values: NDArray[np.float64]) -> float | None:
    """Standard deviation over the seeds; None for a single one."""
    return float(values.std(ddof=1)) if len(values) > 1 else None


def difference(ours: NDArray[np.float64], theirs: NDArray[np.float64], metric: str) -> dict[str, float | None]:
    """How much better ours is, seed by seed: mean and its standard error. Positive is better, for VI too."""
    gain = theirs - ours if metric in quality.LOWER_IS_BETTER else ours - theirs
    return {"mean": float(gain.mean()), "standard_error": quality.standard_error(gain)}


def table(result: dict) -> str:
    """As text: for each variant the mean over images and seeds, and its spread over seeds; then ours minus theirs."""
    n = len(result["seeds"])
    lines = [
        f"{result['study']}: {result['n_images']} images of {result['dataset']}, {n} seeds",
        "mean over images, then over seeds; behind ± its standard deviation over seeds",
        f"  {'':<34}" + "".join(f"{metric:>26}" for metric in quality.METRICS) + f"{'s an image':>12}",
    ]
    for row in result["rows"]:
        name = row["variant"] if row["who"] == "unseg" else f"{row['variant']}, {row['who']}"
        values = [over_seeds(row, metric) for metric in quality.METRICS]
        texts = [quality.plus_minus(float(v.mean()), spread(v)) for v in values]
        lines.append(f"  {name:<34}" + "".join(f"{t:>26}" for t in texts) + f"{row['seconds_per_image']:>12.1f}")
    for row in result["rows"]:
        if row["who"] == "unseg":
            continue
        ours = next(r for r in result["rows"] if r["variant"] == row["variant"] and r["who"] == "unseg")
        for metric in quality.METRICS:
            gain = difference(over_seeds(ours, metric), over_seeds(row, metric), metric)
            verdict = "BEHIND by more than one standard error" if quality.is_behind(gain) else "not behind"
            lines.append(
                f"  {metric}, seed by seed against {row['who']}: "
                f"{quality.plus_minus(gain['mean'], gain['standard_error'])}: {verdict}"
            )
    return "\n".join(lines)
