"""Our metrics against the plain loop over pairs of masks that papers' code often has.

Both are measured in one run on one label map of BSDS size (481 x 321, 20 true segments, 30 clusters), and their values
are compared before any time is printed.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from unseg_helpers import metrics

SHAPE, N_TRUE, N_PRED = (481, 321), 20, 30
GOAL = 20  # times faster than the loop


def voronoi(rng: np.random.Generator, n: int, shape: tuple[int, int] = SHAPE) -> NDArray[np.uint8]:
    """Label map with n compact segments, all of them present."""
    seeds = np.stack([rng.permutation(side)[:n] for side in shape], axis=1)  # (n, 2)
    rows, cols = np.indices(shape)
    distances = [(rows - r) ** 2 + (cols - c) ** 2 for r, c in seeds]
    return np.argmin(distances, axis=0).astype(np.uint8)


def naive_iou_matrix(true: NDArray, pred: NDArray) -> NDArray[np.float64]:
    """(S, K), two masks for every pair."""
    result = np.zeros((true.max() + 1, pred.max() + 1))
    for s in range(len(result)):
        for k in range(result.shape[1]):
            a, b = true == s, pred == k
            result[s, k] = np.logical_and(a, b).sum() / np.logical_or(a, b).sum()
    return result


def naive_mean_cluster_iou(true: NDArray, pred: NDArray) -> float:
    return float(naive_iou_matrix(true, pred).max(axis=0).mean())


def naive_covering(true: NDArray, pred: NDArray) -> float:
    sizes = np.array([(true == s).sum() for s in range(true.max() + 1)])
    return float(sizes @ naive_iou_matrix(true, pred).max(axis=1) / true.size)


def naive_matched_miou(true: NDArray, pred: NDArray) -> float:
    iou = naive_iou_matrix(true, pred)
    return float(iou[linear_sum_assignment(-iou)].sum() / len(iou))


def naive_variation_of_information(true: NDArray, pred: NDArray) -> float:
    bits = 0.0
    for s in range(true.max() + 1):
        for k in range(pred.max() + 1):
            a, b = true == s, pred == k
            both = np.logical_and(a, b).mean()
            if both:
                bits -= both * (np.log2(both / a.mean()) + np.log2(both / b.mean()))
    return float(bits)


PAIRS = {
    "iou_matrix": (metrics.iou_matrix, naive_iou_matrix),
    "mean_cluster_iou": (metrics.mean_cluster_iou, naive_mean_cluster_iou),
    "covering": (metrics.covering, naive_covering),
    "matched_miou": (metrics.matched_miou, naive_matched_miou),
    "variation_of_information": (metrics.variation_of_information, naive_variation_of_information),
}


def _seconds(function: Callable, *args: NDArray, repeats: int) -> float:
    """Fastest of several runs: another process on the cores only ever adds time."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function(*args)
        times.append(time.perf_counter() - start)
    return min(times)


def run(*, seed: int = 0, repeats: int = 30, naive_repeats: int = 3) -> list[dict[str, str | float]]:
    """Rows with the metric, seconds of the loop, seconds of ours, and their ratio."""
    rng = np.random.default_rng(seed)
    true, pred = voronoi(rng, N_TRUE), voronoi(rng, N_PRED)
    rows = []
    for name, (fast, naive) in PAIRS.items():
        np.testing.assert_allclose(fast(true, pred), naive(true, pred), rtol=1e-9)
        loop = _seconds(naive, true, pred, repeats=naive_repeats)
        ours = _seconds(fast, true, pred, repeats=repeats)
        rows.append({"metric": name, "loop_seconds": loop, "our_seconds": ours, "ratio": loop / ours})
    return rows


def main() -> None:
    print(f"{SHAPE[0]} x {SHAPE[1]} pixels, {N_TRUE} true segments x {N_PRED} clusters; goal: {GOAL} times faster")
    for row in run():
        print(
            f"{row['metric']:26s} loop {row['loop_seconds'] * 1e3:7.1f} ms   ours {row['our_seconds'] * 1e3:6.2f} ms   "
            f"{row['ratio']:5.0f} times faster"
        )


if __name__ == "__main__":
    main()
