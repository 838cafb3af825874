"""Our k-means against scikit-learn (Lloyd and Elkan), faiss and OpenCV: time, inertia, memory.

One run on the same points for all: the same initial centers and the same number of iterations, default threads,
the fastest of several rounds in which all take turns (another process on the cores only ever adds time; the median
tells how much). The inertia of each result is computed anew, in float64, by one function.

- A *photo*: all 154,401 pixels of BSDS images 3096 and 25098, k = 8, as RGB (0 to 255) and as Lab + half the
  position. The others need float32; we take the bytes as they are, and float32 as well.
- *Features*: 40,000 x 384 float32, 16 overlapping clouds, k = 16.

The first centers are k-means++ seeds moved by one step: between seeds of whole RGB values many pixels lie exactly
halfway, and then rounding alone decides who goes where.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from unseg_helpers import datasets, features, kmeans

PHOTOS = ("3096", "25098")
STAND_INS = {"3096": "coffee", "25098": "astronaut"}  # without BSDS: photos of scikit-image, cut to the same size
PHOTO_LIMIT = 1.0  # our time at most so many times the fastest other's on a photo ...
FEATURES_LIMIT = 1.2  # ... and so many times scikit-learn's on the features
MEMORY_LIMIT = 3.0  # bytes taken at the peak besides the input, for each byte of float32 input
SAME_INERTIA = 1e-6  # relative: float32 rounding
REST = 0.03  # seconds between two runs: threads of the last one may still wait for work


@dataclass(frozen=True)
class Case:
    """One k-means problem."""

    name: str
    x: NDArray[np.float32]  # (n, d), what the others get
    k: int
    raw: NDArray[np.uint8] | None = None  # (n, d), the bytes, where there are any

    @property
    def is_photo(self) -> bool:
        return self.x.shape[1] < 10


# ---- contenders: (x, first centers, number of assignments) -> (labels, centers, iterations) ------------------------


def ours(x, start, n_iter):
    result = kmeans.kmeans(x, len(start), init=start, max_iter=n_iter)
    return result.labels, result.centers, result.n_iter


def scikit_learn(algorithm: str) -> Callable:
    def run(x, start, n_iter):
        from sklearn.cluster import KMeans

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the last step changed nothing
            model = KMeans(len(start), init=start, n_init=1, max_iter=n_iter, tol=0, algorithm=algorithm).fit(x)
        return model.labels_, model.cluster_centers_, model.n_iter_

    return run


def faiss(x, start, n_iter):
    import faiss

    # All points in all iterations: by default faiss draws 256 points for each center. Its loop updates n - 1 times,
    # and the search below is the last assignment.
    model = faiss.Kmeans(
        x.shape[1], len(start), niter=max(n_iter - 1, 1), max_points_per_centroid=len(x), min_points_per_centroid=1
    )
    model.train(x, init_centroids=start)
    labels = model.index.search(x, 1)[1].ravel()
    return labels, model.centroids, n_iter


def opencv(x, start, n_iter):
    import cv2

    # It starts from labels, not from centers: the first assignment is made for it, outside the measured time.
    labels = _first_labels(x, start)
    criteria = (cv2.TERM_CRITERIA_MAX_ITER, max(n_iter - 1, 1), 0.0)
    _, labels, centers = cv2.kmeans(x, len(start), labels.copy(), criteria, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    return labels.ravel(), centers, n_iter


_LABELS: dict[tuple[int, int], NDArray[np.int32]] = {}


def _first_labels(x, start):
    key = (id(x), id(start))
    if key not in _LABELS:
        _LABELS[key] = kmeans.assign(x, start).astype(np.int32)[:, None]
    return _LABELS[key]


OURS = {"unseg (bytes)": ours, "unseg": ours}
PEERS = {
    "scikit-learn Lloyd": scikit_learn("lloyd"),
    "scikit-learn Elkan": scikit_learn("elkan"),
    "faiss": faiss,
    "OpenCV": opencv,
}
CONTENDERS = OURS | PEERS
MODULES = {"faiss": "faiss", "OpenCV": "cv2"}


def available() -> dict[str, Callable]:
    """The contenders that are installed here."""
    from importlib.util import find_spec

    return {name: run for name, run in CONTENDERS.items() if name not in MODULES or find_spec(MODULES[name])}


# ---- cases ---------------------------------------------------------------------------------------------------------


@cache
def _image(name: str) -> tuple[str, NDArray[np.uint8]]:
    """BSDS photo, or a stand-in of the same size: (name, image)."""
    try:
        return f"BSDS {name}", datasets.bsds300("all")[name].image
    except datasets.MissingDataset:
        image = datasets.photo(STAND_INS[name]).image
        height, width = (481, 321) if name == "25098" else (321, 481)
        tiles = (-(-height // image.shape[0]), -(-width // image.shape[1]), 1)
        return f"{STAND_INS[name]} (stand-in for BSDS {name})", np.tile(image, tiles)[:height, :width].copy()


def photo_case(name: str, *, position: bool) -> Case:
    """All pixels of a photo."""
    title, image = _image(name)
    if position:
        return Case(f"{title}, Lab + position", features.pixel_features(image, space="lab", position=0.5), 8)
    raw = image.reshape(-1, 3)
    return Case(f"{title}, RGB", raw.astype(np.float32), 8, raw)


def features_case(n: int = 40_000, d: int = 384, k: int = 16, *, seed: int = 0) -> Case:
    """Overlapping clouds of different density, like the patch features of many photos."""
    rng = np.random.default_rng(seed)
    middles = rng.normal(size=(k, d)) * (6 / np.sqrt(d))
    spread = 0.5 * rng.gamma(2, 0.5, size=(n, 1))
    x = (middles[rng.integers(k, size=n)] + spread * rng.normal(size=(n, d))).astype(np.float32)
    return Case("features", x, k)


CASES: dict[str, Callable[[], Case]] = {
    "3096-rgb": lambda: photo_case("3096", position=False),
    "25098-rgb": lambda: photo_case("25098", position=False),
    "3096-lab-xy": lambda: photo_case("3096", position=True),
    "25098-lab-xy": lambda: photo_case("25098", position=True),
    "features": features_case,
}


def first_centers(case: Case, seed: int) -> NDArray[np.float32]:
    """K-means++ seeds after one step: (k, d)."""
    return kmeans.kmeans(case.x, case.k, max_iter=1, rng=seed).centers


# ---- measuring -----------------------------------------------------------------------------------------------------


def measure(case: Case, *, seed: int = 0, rounds: int = 15, memory: bool = True, key: str | None = None) -> list[dict]:
    """One row for each contender; `key` is the name of the case in CASES, needed for the memory."""
    start = first_centers(case, seed)
    n_iter = kmeans.kmeans(case.x, case.k, init=start, max_iter=300).n_iter
    entries = {
        name: (run, case.raw if name == "unseg (bytes)" else case.x)
        for name, run in available().items()
        if name != "unseg (bytes)" or case.raw is not None
    }
    times: dict[str, list[float]] = {name: [] for name in entries}
    results = {}
    for name, (run, x) in entries.items():  # not measured: libraries are loaded, first labels made
        results[name] = run(x, start, n_iter)
    for _ in range(rounds):
        for name, (run, x) in entries.items():
            time.sleep(REST)
            begin = time.perf_counter()
            run(x, start, n_iter)
            times[name].append(time.perf_counter() - begin)

    fastest_of_ours = min(min(times[name]) for name in entries if name in OURS)
    rows = []
    for name, (labels, centers, iterations) in results.items():
        rows.append(
            {
                "case": case.name,
                "method": name,
                "n": len(case.x),
                "d": case.x.shape[1],
                "k": case.k,
                "seconds": min(times[name]),
                "median_seconds": float(np.median(times[name])),
                "ratio_to_ours": min(times[name]) / fastest_of_ours,
                "iterations": int(iterations),
                "inertia": kmeans.inertia(case.x, centers, np.asarray(labels).astype(np.intp)),
                "peak_bytes": peak_bytes(key, name, seed, n_iter) if memory and key else None,
                "input_bytes": entries[name][1].nbytes,
                "float32_bytes": case.x.nbytes,
            }
        )
    return rows


def judge(rows: list[dict]) -> dict:
    """Which goals the rows of one case reach."""
    mine = min((row for row in rows if row["method"] in OURS), key=lambda row: row["seconds"])
    others = [row for row in rows if row["method"] in PEERS]
    photo = mine["d"] < 10
    rival = min(
        (row for row in others if photo or row["method"] == "scikit-learn Lloyd"), key=lambda row: row["seconds"]
    )
    ratio = mine["seconds"] / rival["seconds"]
    lowest = min(row["inertia"] for row in others)
    peaks = [row["peak_bytes"] for row in rows if row["method"] in OURS and row["peak_bytes"] is not None]
    return {
        "case": mine["case"],
        "rival": rival["method"],
        "ratio": ratio,
        "limit": PHOTO_LIMIT if photo else FEATURES_LIMIT,
        "fast": ratio < PHOTO_LIMIT if photo else ratio <= FEATURES_LIMIT,
        "low": all(row["inertia"] <= lowest * (1 + SAME_INERTIA) for row in rows if row["method"] in OURS),
        "memory_ratio": max(peaks) / mine["float32_bytes"] if peaks else None,
        "small": max(peaks) < MEMORY_LIMIT * mine["float32_bytes"] if peaks else None,
    }


def peak_bytes(key: str, method: str, seed: int, n_iter: int) -> int | None:
    """Memory that one run takes at its peak besides its input, in a fresh process; None where nobody tells.

    Ours is counted by tracemalloc. For the libraries in C it is the growth of the process (Linux), which leaves out
    what fits into memory freed before: a lower bound.
    """
    command = [sys.executable, "-m", "benchmarks.kmeans_speed", "peak", key, method, str(seed), str(n_iter)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None
    return json.loads(done.stdout)


def _peak_here(key: str, method: str, seed: int, n_iter: int) -> int | None:
    case = CASES[key]()
    x = case.raw if method == "unseg (bytes)" else case.x
    start = first_centers(case, seed)
    run = CONTENDERS[method]
    if method == "OpenCV":
        _first_labels(x, start)
    run(x[:5000].copy(), start, n_iter)  # libraries and threads are there
    if method in OURS:  # NumPy reports every array, also one that fits into memory freed before
        tracemalloc.start()
        run(x, start, n_iter)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # sets the highest value so far back to the present one
        before = _status("VmRSS")
        run(x, start, n_iter)
        return max(0, _status("VmHWM") - before)
    except OSError:
        return None


def _status(field: str) -> int:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(field))


# ---- showing -------------------------------------------------------------------------------------------------------


def table(rows: list[dict]) -> str:
    """The rows of one case as text."""
    first = rows[0]
    lines = [
        f"{first['case']}: n = {first['n']:,}, d = {first['d']}, k = {first['k']}",
        f"  {'method':<20} {'ms':>8} {'median':>8} {'times ours':>11} {'steps':>6} {'inertia':>16} {'peak MB':>8}",
    ]
    for row in sorted(rows, key=lambda row: row["seconds"]):
        peak = "-" if row["peak_bytes"] is None else f"{row['peak_bytes'] / 1e6:.1f}"
        lines.append(
            f"  {row['method']:<20} {row['seconds'] * 1e3:>8.1f} {row['median_seconds'] * 1e3:>8.1f} "
            f"{row['ratio_to_ours']:>11.2f} {row['iterations']:>6} {row['inertia']:>16.8g} {peak:>8}"
        )
    return "\n".join(lines)


def verdict(goal: dict) -> str:
    """The goals of one case as text."""
    parts = [
        f"time {goal['ratio']:.2f} of {goal['rival']} (goal: {'below' if goal['limit'] == 1 else 'at most'} "
        f"{goal['limit']:g}): {'reached' if goal['fast'] else 'MISSED'}",
        f"inertia equal or lower: {'reached' if goal['low'] else 'MISSED'}",
    ]
    if goal["small"] is not None:
        parts.append(
            f"peak memory {goal['memory_ratio']:.1f} times the float32 input (goal: below {MEMORY_LIMIT:g}): "
            f"{'reached' if goal['small'] else 'MISSED'}"
        )
    return "  " + "; ".join(parts)


def run(
    *,
    names: tuple[str, ...] = tuple(CASES),
    seed: int = 0,
    rounds: int = 15,
    memory: bool = True,
    echo: Callable[[str], object] = print,
) -> dict:
    """Measure, show, and give back a record for JSON."""
    from benchmarks import record

    missing = [name for name in CONTENDERS if name not in available()]
    if missing:
        echo(f"Not installed, so not measured: {', '.join(missing)} (pip install 'unseg[bench]')")
    rows, goals = [], []
    for name in names:
        case = CASES[name]()
        new = measure(case, seed=seed, rounds=rounds, memory=memory, key=name)
        rows += new
        goals.append(judge(new))
        echo(table(new))
        echo(verdict(goals[-1]) + "\n")
    if memory:
        echo("Peak: memory besides the input. Ours is counted by tracemalloc; the others are seen from outside, as the")
        echo("growth of the process, which leaves out what fits into memory freed before.")
    packages = ("unseg", "numpy", "scipy", "scikit-learn", "faiss", "opencv")
    return {
        "benchmark": "kmeans",
        **record.environment(packages),
        "seed": seed,
        "rounds": rounds,
        "rows": rows,
        "goals": goals,
    }


if __name__ == "__main__":
    if sys.argv[1:2] == ["peak"]:
        print(json.dumps(_peak_here(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))))
    else:
        run()
