"""The eigenvectors of a graph of patches, ours against the published ways of finding them: time, likeness, memory.

Features of 784, 900 and 3,600 patches with d = 384 (a photo of 480 x 480 pixels has 900 patches of 16 pixels or 3,600
of 8) are drawn: regions with a common part, smooth changes within them, and noise. All get the same graph in the type
that they want; the graph itself is timed apart.

- *TokenCut*: the dense ``eigh(D - A, D, subset_by_index=[1, 2])`` in float64, on its own binary graph; for k vectors
  the subset is [1, k - 1], for k = 2 as published.
- *Deep Spectral*: ``eigsh(D - W, k, M=D, sigma=0)`` in float64, shift and invert.
- *scikit-learn*: ``SpectralClustering`` with as many components, k-means included, for want of a way around it.
- *ours* on the graph of Deep Spectral, and on that of TokenCut.

Ours uses one BLAS thread below 1,000 nodes; the others use what is the default, or one ("one thread"), and the better
of both counts. The fastest of several rounds in which they take turns counts. The reference for the likeness is LAPACK
in float64: the least cosine, up to sign, between a vector of ours and the reference's, and, where values are so near
that any basis of their space is right, between the space and the vector.

On a GPU, 64 graphs of 900 patches at once are timed as well.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from unseg_helpers import affinity, spectral, tokencut

SIZES = {"784": (28, 28), "900": (30, 30), "3600": (60, 60)}
KS = (2, 5, 20)
D = 384
REST = 0.03  # seconds between two runs: threads of the last one may still wait for work
COSINE = 0.9999
SAME_VALUE = 1e-5  # eigenvalues nearer than this are one space
OURS, OURS_BINARY = "unseg", "unseg (binary)"
TOKENCUT, DEEP, SKLEARN = "TokenCut", "Deep Spectral", "scikit-learn"
GOALS = {("900", TOKENCUT): 4.0, ("3600", TOKENCUT): 40.0, ("3600", DEEP): 8.0}  # times faster, second vector
BATCH = 64


@dataclass(frozen=True)
class Case:
    """Patches of one made-up image."""

    name: str
    features: NDArray[np.float32]  # (h, w, d)

    @property
    def n(self) -> int:
        return self.features.shape[0] * self.features.shape[1]


def features_case(name: str, d: int = D, *, seed: int = 0) -> Case:
    """Four regions of irregular shape, each with its own mean, smooth changes, noise, and a part that all share."""
    from scipy.ndimage import gaussian_filter

    h, w = SIZES[name]
    rng = np.random.default_rng(seed)
    fields = np.stack([gaussian_filter(rng.normal(size=(h, w)), h / 6) for _ in range(4)])
    smooth = gaussian_filter(rng.normal(size=(h, w, d)), (2, 2, 0))
    x = rng.normal(size=(4, d))[fields.argmax(axis=0)]
    x = x + 0.6 * smooth / smooth.std() + 0.5 * rng.normal(size=(h, w, d)) + 0.5 * rng.normal(size=d)
    return Case(name, x.astype(np.float32))


# ---- contenders: what each is given (not timed), and the call that is timed -----------------------------------------


def graph_of(case: Case, method: str) -> NDArray[np.float32]:
    """The graph that a method works on."""
    if method in (TOKENCUT, OURS_BINARY):
        return tokencut.binary_affinity(case.features)
    return affinity.affinity(case.features)


def ours(W, k: int):
    found = spectral.eigenvectors(W, k)
    return found.values, found.vectors


def dense_generalized(W, k: int):
    """TokenCut's call: from float64 W, D and the difference are made within it, as there."""
    from scipy.linalg import eigh

    d = np.diag(W.sum(axis=1))
    values, vectors = eigh(d - W, d, subset_by_index=[1, max(2, k - 1)])
    return np.append(0.0, values[: k - 1]), np.column_stack([np.ones(len(W)), vectors[:, : k - 1]])


def shift_invert(W, k: int):
    """Deep Spectral's call."""
    from scipy.sparse.linalg import eigsh

    d = np.diag(W.sum(axis=1))
    values, vectors = eigsh(d - W, k=k, M=d, sigma=0, which="LM", v0=np.random.default_rng(0).normal(size=len(W)))
    order = np.argsort(values)
    return values[order], vectors[:, order]


def clustering(W, k: int):
    """scikit-learn's: labels only, so no values and no vectors."""
    from sklearn.cluster import SpectralClustering

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        SpectralClustering(k, affinity="precomputed", n_init=1, random_state=0).fit(W)
    return None


CONTENDERS: dict[str, tuple[Callable, type]] = {
    OURS: (ours, np.float32),
    OURS_BINARY: (ours, np.float32),
    TOKENCUT: (dense_generalized, np.float64),
    DEEP: (shift_invert, np.float64),
    SKLEARN: (clustering, np.float64),
}


def given(case: Case, method: str) -> NDArray:
    """The graph in the type that the method wants."""
    return graph_of(case, method).astype(CONTENDERS[method][1])


# ---- how alike the vectors are ---------------------------------------------------------------------------------------


def reference(W: NDArray, k: int) -> tuple[NDArray, NDArray, NDArray]:
    """LAPACK in float64, k + 1 values of (D - W) v = mu D v, D^1/2 v as columns, and the degrees."""
    from scipy.linalg import eigh

    W = W.astype(np.float64)
    d = W.sum(axis=1)
    root = np.sqrt(d)
    n = len(W)
    theta, vectors = eigh(W / root[:, None] / root, subset_by_index=[n - k - 1, n - 1])
    return 1 - theta[::-1], vectors[:, ::-1], d


def least_cosine(vectors: NDArray, expected: tuple[NDArray, NDArray, NDArray], k: int) -> float:
    """The least cosine, in the metric D, between each vector and the space of the values near its own."""
    values, wanted, d = expected
    found = vectors[:, :k] * np.sqrt(d)[:, None]
    found = found / np.linalg.norm(found, axis=0)
    cosines = []
    for i in range(1, k):
        near = np.abs(values - values[i]) < SAME_VALUE
        cosines.append(np.linalg.norm(wanted[:, near].T @ found[:, i]))
    return float(min(cosines))


# ---- measuring -------------------------------------------------------------------------------------------------------


@cache
def _controller():
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _seconds(call: Callable, W: NDArray, k: int, one_thread: bool) -> tuple[float, object]:
    with _controller().limit(limits=1, user_api="blas") if one_thread else nullcontext():
        begin = time.perf_counter()
        result = call(W, k)
        return time.perf_counter() - begin, result


def measure(case: Case, ks: tuple[int, ...] = KS, *, rounds: int = 5, memory: bool = True) -> list[dict]:
    """One row for each contender and number of vectors."""
    rows = []
    graphs = {method: given(case, method) for method in CONTENDERS}
    expected = {m: reference(graphs[m], max(ks)) for m in (OURS, OURS_BINARY)}
    expected |= {DEEP: expected[OURS], TOKENCUT: expected[OURS_BINARY]}
    small = np.ones((64, 64)) + np.eye(64)
    for call, dtype in CONTENDERS.values():  # not measured: libraries are loaded
        call(small.astype(dtype), 2)
    for k in ks:
        times: dict[str, list[float]] = {m: [] for m in CONTENDERS}
        results = {}
        for _ in range(rounds):
            for method, (call, _) in CONTENDERS.items():
                for one_thread in (False,) if method in (OURS, OURS_BINARY) else (False, True):
                    time.sleep(REST)
                    seconds, results[method] = _seconds(call, graphs[method], k, one_thread)
                    times[method].append(seconds)
        for method, result in results.items():
            mine = OURS_BINARY if method == TOKENCUT else OURS
            rows.append(
                {
                    "case": f"{case.n:,} patches, {k} vectors",
                    "size": case.name,
                    "n": case.n,
                    "d": case.features.shape[2],
                    "k": k,
                    "method": method,
                    "seconds": min(times[method]),
                    "median_seconds": float(np.median(times[method])),
                    "ratio_to_ours": min(times[method])
                    / min(times[mine if method not in (OURS, OURS_BINARY) else method]),
                    "cosine": None if result is None else least_cosine(result[1], expected[method], k),
                    "peak_bytes": peak_bytes(case.name, method, k) if memory and k == min(ks) else None,
                }
            )
    return rows


def measure_affinity(case: Case, *, rounds: int = 5) -> list[dict]:
    """The time of the graphs, apart from that of the eigenvectors."""
    h, w = case.features.shape[:2]
    image = np.random.default_rng(0).random((4 * h, 4 * w, 3)).astype(np.float32)
    builders = {
        "features": lambda: affinity.affinity(case.features),
        "features and color": lambda: affinity.affinity(case.features, image, color_weight=1.0),
        "binary": lambda: tokencut.binary_affinity(case.features),
    }
    rows = []
    for name, build in builders.items():
        build()
        times = []
        for _ in range(rounds):
            time.sleep(REST)
            begin = time.perf_counter()
            build()
            times.append(time.perf_counter() - begin)
        rows.append({"size": case.name, "n": case.n, "graph": name, "seconds": min(times), "bytes": 4 * case.n**2})
    return rows


def peak_bytes(name: str, method: str, k: int) -> int | None:
    """Memory that one solve takes at its peak besides its graph, in a fresh process; None where nobody tells.

    Counted from the process' peak of resident memory, for SciPy's factors are not NumPy's arrays.
    """
    command = [sys.executable, "-m", "benchmarks.spectral_speed", "peak", name, method, str(k)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
        return json.loads(done.stdout)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired, json.JSONDecodeError):
        return None


def _peak_here(name: str, method: str, k: int) -> int | None:
    call, dtype = CONTENDERS[method]
    W = given(features_case(name), method)
    small = np.ones((64, 64)) + np.eye(64)
    call(small.astype(dtype), 2)  # libraries and threads are there
    before = _resident("VmRSS")
    if before is None or not _forget_peak():
        return None
    call(W, k)
    return max(0, _resident("VmHWM") - before)


def _resident(field: str) -> int | None:
    """VmRSS (now) or VmHWM (peak) of this process in bytes; None where there is no Linux."""
    try:
        with open("/proc/self/status", encoding="utf-8") as status:
            line = next(line for line in status if line.startswith(field))
    except (OSError, StopIteration):
        return None
    return 1024 * int(line.split()[1])


def _forget_peak() -> bool:
    """Set the peak back to what is resident now."""
    try:
        with open("/proc/self/clear_refs", "w", encoding="utf-8") as file:
            file.write("5")
    except OSError:
        return False
    return True


def measure_batch(*, count: int = BATCH, rounds: int = 3, device: str = "cuda", name: str = "900") -> dict | None:
    """A batch of graphs on a GPU and one after the other on the CPU; None without a GPU."""
    try:
        import torch
    except ModuleNotFoundError:
        return None
    if device == "cuda" and not torch.cuda.is_available():
        return None
    Ws = [affinity.affinity(features_case(name, seed=i).features) for i in range(count)]
    seconds = {}
    for where in (device, "cpu"):
        spectral.eigenvectors_batch(Ws[:2], 2, device=where)
        times = []
        for _ in range(rounds):
            begin = time.perf_counter()
            found = spectral.eigenvectors_batch(Ws, 2, device=where)
            times.append(time.perf_counter() - begin)
        seconds[where] = min(times)
    expected = reference(Ws[0], 2)
    return {
        "n": SIZES[name][0] * SIZES[name][1],
        "count": count,
        "k": 2,
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "device_seconds": seconds[device],
        "cpu_seconds": seconds["cpu"],
        "cosine": least_cosine(found[0].vectors, expected, 2),
    }


# ---- judging and showing ---------------------------------------------------------------------------------------------


def judge(rows: list[dict]) -> list[dict]:
    """Which goals the rows of one case reach: speed of the second vector, likeness of all."""
    name = rows[0]["size"]
    verdicts = []
    for (size, method), goal in GOALS.items():
        row = next((r for r in rows if r["method"] == method and r["k"] == 2), None)
        if size == name and row is not None:
            ratio = row["ratio_to_ours"]
            verdicts.append(
                {"size": name, "against": method, "times_faster": ratio, "goal": goal, "reached": ratio >= goal}
            )
    cosine = min(r["cosine"] for r in rows if r["method"] in (OURS, OURS_BINARY))
    verdicts.append({"size": name, "cosine": cosine, "goal": COSINE, "reached": cosine > COSINE})
    return verdicts


def table(rows: list[dict], graphs: list[dict]) -> str:
    """The rows of one case as text."""
    first = rows[0]
    lines = [f"{first['n']:,} patches, d = {first['d']}"]
    lines += [f"  graph, {g['graph']:<22} {g['seconds'] * 1e3:>9.1f} ms  {g['bytes'] / 1e6:>7.1f} MB" for g in graphs]
    lines.append(f"  {'method':<16} {'k':>3} {'ms':>9} {'median':>9} {'of ours':>8} {'cosine':>11} {'peak MB':>8}")
    for row in rows:
        cosine = "-" if row["cosine"] is None else f"{row['cosine']:.8f}"
        peak = "-" if row["peak_bytes"] is None else f"{row['peak_bytes'] / 1e6:.1f}"
        lines.append(
            f"  {row['method']:<16} {row['k']:>3} {row['seconds'] * 1e3:>9.1f} {row['median_seconds'] * 1e3:>9.1f} "
            f"{row['ratio_to_ours']:>8.1f} {cosine:>11} {peak:>8}"
        )
    return "\n".join(lines)


def verdict(goal: dict) -> str:
    """One goal as text."""
    reached = "reached" if goal["reached"] else "MISSED"
    if "cosine" in goal:
        return f"  cosine with LAPACK in float64 at least {goal['cosine']:.8f} (goal: above {goal['goal']}): {reached}"
    return (
        f"  second vector {goal['times_faster']:.1f} times faster than {goal['against']} "
        f"(goal: at least {goal['goal']:g}): {reached}"
    )


def run(
    *,
    names: tuple[str, ...] = tuple(SIZES),
    ks: tuple[int, ...] = KS,
    rounds: int = 5,
    memory: bool = True,
    echo: Callable[[str], object] = print,
) -> dict:
    """Measure, show, and give back a record for JSON."""
    from benchmarks import record

    rows, graphs, goals = [], [], []
    for name in names:
        case = features_case(name)
        new_graphs, new = measure_affinity(case, rounds=rounds), measure(case, ks, rounds=rounds, memory=memory)
        rows += new
        graphs += new_graphs
        echo(table(new, new_graphs))
        for goal in judge(new):
            goals.append(goal)
            echo(verdict(goal))
        echo("")
    batch = measure_batch()
    if batch is None:
        echo(f"a batch of {BATCH} on a GPU: not measured here, no CUDA device")
    else:
        echo(
            f"{batch['count']} graphs of {batch['n']} patches: {batch['device_seconds'] * 1e3:.1f} ms on "
            f"{batch['device']}, {batch['cpu_seconds'] * 1e3:.1f} ms on the CPU; cosine {batch['cosine']:.8f}"
        )
    return {
        "benchmark": "spectral",
        **record.environment(("unseg", "numpy", "scipy", "scikit-learn", "torch")),
        "rounds": rounds,
        "graphs": graphs,
        "rows": rows,
        "goals": goals,
        "batch": batch,
    }


if __name__ == "__main__":
    if sys.argv[1:2] == ["peak"]:
        print(json.dumps(_peak_here(sys.argv[2], sys.argv[3], int(sys.argv[4]))))
    else:
        run()
