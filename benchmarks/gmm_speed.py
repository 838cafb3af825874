"""Our Gaussian mixture against scikit-learn's: time, likelihood, memory.

One run on the same points for both: the same first mixture, kind of covariance, number that is added to the variances
and number of EM steps; default threads; the fastest of several rounds in which they take turns (another process on
the cores only ever adds time; the median tells how much). The likelihood of each result is computed anew by one
function.

- A *photo*: all 154,401 pixels of BSDS images 25098 and 3096 as RGB (0 to 255), k = 5, 20 steps. scikit-learn gets
  them as float64. We take those as well, and the bytes as they are.
- *Features*: 40,000 x 64, 16 overlapping clouds, k = 16, 10 steps.

Both make one more E step at the end, for the labels.
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

import numpy as np
from numpy.typing import NDArray

from benchmarks import kmeans_speed
from unseg_helpers import gmm, kmeans

GOAL = 10.0  # times faster than scikit-learn, on a photo with full covariances
SAME_LIKELIHOOD = 1e-5  # relative
MEMORY_LIMIT = 3.0  # bytes taken at the peak besides the input, for each byte of the responsibilities, n k 8
FLOOR = 1e-6
OURS = ("unseg (bytes)", "unseg")
PEER = "scikit-learn"


@dataclass(frozen=True)
class Case:
    """One mixture problem."""

    name: str
    x: NDArray[np.float64]  # (n, d)
    k: int
    kind: gmm.Kind
    n_iter: int
    raw: NDArray[np.uint8] | None = None  # (n, d), the bytes, where there are any
    goal: float | None = None  # times faster than scikit-learn

    @property
    def responsibility_bytes(self) -> int:
        """Size of one number for each point and component."""
        return len(self.x) * self.k * 8


# ---- contenders: (case, points, first mixture) -> (mixture, steps) -------------------------------------------------


def ours(case: Case, x: NDArray, start: gmm.Mixture) -> tuple[gmm.Mixture, int]:
    result = gmm.fit(x, case.k, kind=case.kind, init=start, max_iter=case.n_iter, tol=0, floor=FLOOR)
    return result.mixture, result.n_iter


def scikit_learn(case: Case, x: NDArray, start: gmm.Mixture) -> tuple[gmm.Mixture, int]:
    from sklearn.mixture import GaussianMixture

    invert = np.linalg.inv if case.kind in ("full", "tied") else np.reciprocal
    model = GaussianMixture(
        case.k,
        covariance_type=case.kind,
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=invert(start.covariances),
        reg_covar=FLOOR * case.x.var(axis=0).mean(),
        max_iter=case.n_iter,
        tol=0,
        init_params="random",  # what is drawn is replaced by the first mixture; k-means would take longer
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not come to rest
        model.fit_predict(x)
    return gmm.Mixture(model.weights_, model.means_, model.covariances_, case.kind), model.n_iter_


CONTENDERS: dict[str, Callable] = {"unseg (bytes)": ours, "unseg": ours, PEER: scikit_learn}


def points(case: Case, method: str) -> NDArray | None:
    """What a contender gets; None where there are no bytes."""
    return case.raw if method == "unseg (bytes)" else case.x


# ---- cases ---------------------------------------------------------------------------------------------------------


def photo_case(name: str, kind: gmm.Kind) -> Case:
    """All pixels of a photo, or of a stand-in of the same size where BSDS is missing."""
    title, image = kmeans_speed._image(name)
    raw = image.reshape(-1, 3)
    goal = GOAL if kind == "full" else None
    return Case(f"{title}, RGB, {kind}", raw.astype(np.float64), 5, kind, 20, raw, goal)


def features_case(n: int = 40_000, d: int = 64, k: int = 16, *, seed: int = 0) -> Case:
    """Overlapping clouds, each stretched in its own directions."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(k, size=n)
    x = rng.normal(size=(n, d))
    for j in range(k):
        stretch = np.eye(d) + rng.normal(size=(d, d)) * (0.5 / np.sqrt(d))
        x[labels == j] = x[labels == j] @ stretch + rng.normal(size=d) * (6 / np.sqrt(d))
    return Case("features, full", x, k, "full", 10)


CASES: dict[str, Callable[[], Case]] = {
    "25098-full": lambda: photo_case("25098", "full"),
    "25098-diag": lambda: photo_case("25098", "diag"),
    "3096-full": lambda: photo_case("3096", "full"),
    "features-full": features_case,
}


def first_mixture(case: Case, seed: int) -> gmm.Mixture:
    """From the clusters after a few steps of k-means."""
    labels = kmeans.kmeans(case.x, case.k, max_iter=3, rng=seed).labels
    return gmm.from_labels(case.x, labels, case.k, kind=case.kind, floor=FLOOR)


# ---- measuring -----------------------------------------------------------------------------------------------------


def measure(case: Case, *, seed: int = 0, rounds: int = 5, memory: bool = True, key: str | None = None) -> list[dict]:
    """One row for each contender; `key` is the name of the case in CASES, needed for the memory."""
    start = first_mixture(case, seed)
    entries = {name: (run, points(case, name)) for name, run in CONTENDERS.items() if points(case, name) is not None}
    times: dict[str, list[float]] = {name: [] for name in entries}
    results = {}
    for run, x in entries.values():  # not measured: libraries are loaded
        run(case, x[: 20 * case.k * case.x.shape[1]], start)
    for _ in range(rounds):
        for name, (run, x) in entries.items():
            time.sleep(kmeans_speed.REST)
            begin = time.perf_counter()
            results[name] = run(case, x, start)
            times[name].append(time.perf_counter() - begin)

    rows = []
    for name, (mixture, n_iter) in results.items():
        rows.append(
            {
                "case": case.name,
                "method": name,
                "n": len(case.x),
                "d": case.x.shape[1],
                "k": case.k,
                "kind": case.kind,
                "goal": case.goal,
                "seconds": min(times[name]),
                "median_seconds": float(np.median(times[name])),
                "times_faster": min(times[PEER]) / min(times[name]),
                "iterations": int(n_iter),
                "log_likelihood": gmm.score(case.x, mixture),
                "peak_bytes": peak_bytes(key, name, seed) if memory and key else None,
                "responsibility_bytes": case.responsibility_bytes,
            }
        )
    return rows


def judge(rows: list[dict]) -> dict:
    """Which goals the rows of one case reach; the slower of ours counts."""
    peer = next(row for row in rows if row["method"] == PEER)
    mine = [row for row in rows if row["method"] in OURS]
    ratio = min(row["times_faster"] for row in mine)
    gap = max(abs(row["log_likelihood"] - peer["log_likelihood"]) for row in mine) / abs(peer["log_likelihood"])
    peaks = [row["peak_bytes"] for row in mine if row["peak_bytes"] is not None]
    return {
        "case": peer["case"],
        "times_faster": ratio,
        "goal": peer["goal"],
        "fast": None if peer["goal"] is None else ratio >= peer["goal"],
        "likelihood_gap": gap,
        "same": gap < SAME_LIKELIHOOD and len({row["iterations"] for row in rows}) == 1,
        "memory_ratio": max(peaks) / peer["responsibility_bytes"] if peaks else None,
        "small": max(peaks) < MEMORY_LIMIT * peer["responsibility_bytes"] if peaks else None,
    }


def peak_bytes(key: str, method: str, seed: int) -> int | None:
    """Memory that one run takes at its peak besides its input, in a fresh process; None where nobody tells.

    Counted by tracemalloc for all: scikit-learn's mixture is NumPy as well.
    """
    command = [sys.executable, "-m", "benchmarks.gmm_speed", "peak", key, method, str(seed)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None
    return json.loads(done.stdout)


def _peak_here(key: str, method: str, seed: int) -> int:
    case = CASES[key]()
    x, start, run = points(case, method), first_mixture(case, seed), CONTENDERS[method]
    run(case, x[: 20 * case.k * x.shape[1]], start)  # libraries and threads are there
    tracemalloc.start()
    run(case, x, start)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


# ---- showing -------------------------------------------------------------------------------------------------------


def table(rows: list[dict]) -> str:
    """The rows of one case as text."""
    first = rows[0]
    lines = [
        f"{first['case']}: n = {first['n']:,}, d = {first['d']}, k = {first['k']}",
        f"  {'method':<15} {'ms':>8} {'median':>8} {'faster':>7} {'steps':>6} {'log-likelihood':>18} {'peak MB':>8}",
    ]
    for row in sorted(rows, key=lambda row: row["seconds"]):
        peak = "-" if row["peak_bytes"] is None else f"{row['peak_bytes'] / 1e6:.1f}"
        lines.append(
            f"  {row['method']:<15} {row['seconds'] * 1e3:>8.1f} {row['median_seconds'] * 1e3:>8.1f} "
            f"{row['times_faster']:>7.1f} {row['iterations']:>6} {row['log_likelihood']:>18.12f} {peak:>8}"
        )
    return "\n".join(lines)


def verdict(goal: dict) -> str:
    """The goals of one case as text."""
    faster = f"{goal['times_faster']:.1f} times faster than {PEER}"
    if goal["goal"] is not None:
        faster += f" (goal: at least {goal['goal']:g}): {'reached' if goal['fast'] else 'MISSED'}"
    parts = [
        faster,
        f"likelihood differs by {goal['likelihood_gap']:.1g} (goal: below {SAME_LIKELIHOOD:g}, after as many steps): "
        f"{'reached' if goal['same'] else 'MISSED'}",
    ]
    if goal["small"] is not None:
        parts.append(
            f"peak memory {goal['memory_ratio']:.1f} times the responsibilities (goal: below {MEMORY_LIMIT:g}): "
            f"{'reached' if goal['small'] else 'MISSED'}"
        )
    return "  " + "; ".join(parts)


def run(
    *,
    names: tuple[str, ...] = tuple(CASES),
    seed: int = 0,
    rounds: int = 5,
    memory: bool = True,
    echo: Callable[[str], object] = print,
) -> dict:
    """Measure, show, and give back a record for JSON."""
    from benchmarks import record

    rows, goals = [], []
    for name in names:
        case = CASES[name]()
        new = measure(case, seed=seed, rounds=rounds, memory=memory, key=name)
        rows += new
        goals.append(judge(new))
        echo(table(new))
        echo(verdict(goals[-1]) + "\n")
    return {
        "benchmark": "gmm",
        **record.environment(("unseg", "numpy", "scipy", "scikit-learn")),
        "seed": seed,
        "rounds": rounds,
        "rows": rows,
        "goals": goals,
    }


if __name__ == "__main__":
    if sys.argv[1:2] == ["peak"]:
        print(json.dumps(_peak_here(sys.argv[2], sys.argv[3], int(sys.argv[4]))))
    else:
        run()
