"""One step of the CNN that trains on one image: ours against the published algorithm written plainly.

The photo is BSDS image 3096 at 481 x 321 pixels (a stand-in of the same size where BSDS is missing), with 100 channels
and three convolutions (two of 3 x 3, one of 1 x 1). Both start from the same weights and make the same number of steps
with SGD 0.1, momentum 0.9 and mu = 5. They take turns. A run counts by the median of its steps, for a single step may
be lucky and find its memory ready; of the runs the fastest counts, for another process only ever adds time.

- *plainly*: what the authors' demo does in a step: losses by autograd, L1 against an array of zeros, and the labels
  brought to NumPy to be counted.
- *ours*: `unseg_helpers.kanezaki.fit` in float32, and with convolutions in bfloat16.

All make the same loss curve: float32 to rounding, bfloat16 to two percent. The peak of memory is that of the whole
process, libraries included. Where there is a CUDA device, all run there once more.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks import kmeans_speed
from unseg_helpers import kanezaki
from unseg_helpers.plots_kanezaki import shrink

RECIPE = replace(kanezaki.RECIPES["kim2020"], channels=100, layers=2, min_labels=1)
PLAIN = "plainly"
OURS = {"unseg": "float32", "unseg (bf16)": "bfloat16"}
GOALS = {"unseg": 2.2, "unseg (bf16)": 3.0}  # times faster, on a CPU
SAME_LOSS = {"unseg": 1e-3, "unseg (bf16)": 0.02}  # largest difference of the loss in any step, relative
MEMORY_LIMIT = 2.4 * 2**30  # bytes
SIDES = {"full": 1, "half": 2, "third": 3}  # every so many pixels of the photo; the goals are for the full size


@dataclass(frozen=True)
class Case:
    """One photo and what is done with it."""

    name: str
    image: NDArray[np.uint8]  # (h, w, 3)
    recipe: kanezaki.Recipe = RECIPE
    goal: bool = False


@dataclass(frozen=True)
class Trained:
    """What a contender did."""

    rows: list[kanezaki.Row]
    seconds: list[float]  # of each step but the first, which also makes the arrays
    labels: NDArray[np.integer]  # (h, w), after the last update


def photo_case(side: str) -> Case:
    """A photo at one of the sizes."""
    title, image = kmeans_speed._image("3096")
    every = SIDES[side]
    small = shrink(image, -(-max(image.shape[:2]) // every))
    return Case(f"{title}, {small.shape[1]} x {small.shape[0]}", small, goal=every == 1)


# ---- contenders: (case, steps, device, seed) -> Trained ------------------------------------------------------------


def plainly(case: Case, steps: int, device: str, seed: int) -> Trained:
    """The published loop (Kim, Kanezaki and Tanaka 2020) with nothing done for speed."""
    import torch

    recipe = case.recipe
    h, w = case.image.shape[:2]
    q = recipe.channels
    data = torch.from_numpy(case.image.transpose(2, 0, 1).astype(np.float32)[None] / 255).to(device)
    network = torch.nn.Sequential(
        *(torch.nn.ReLU() if isinstance(part, torch.nn.ReLU) else part for part in kanezaki.build(recipe, seed=seed))
    ).to(device)
    optimizer = torch.optim.SGD(network.parameters(), lr=recipe.lr, momentum=recipe.momentum)
    entropy, l1 = torch.nn.CrossEntropyLoss(), torch.nn.L1Loss()
    no_change_down = torch.zeros(h - 1, w, q, device=device)
    no_change_across = torch.zeros(h, w - 1, q, device=device)
    rows, ends = [], []
    for _ in range(steps):
        optimizer.zero_grad()
        response = network(data)[0].permute(1, 2, 0).contiguous().view(-1, q)
        grid = response.reshape(h, w, q)
        continuity = l1(grid[1:] - grid[:-1], no_change_down) + l1(grid[:, 1:] - grid[:, :-1], no_change_across)
        target = torch.max(response, 1)[1]
        n_labels = len(np.unique(target.cpu().numpy()))
        similarity = entropy(response, target)
        loss = recipe.similarity * similarity + recipe.continuity * continuity
        loss.backward()
        optimizer.step()
        rows.append((n_labels, similarity.item(), continuity.item()))
        ends.append(time.perf_counter())
        if n_labels <= recipe.min_labels:
            break
    with torch.no_grad():
        labels = network(data)[0].argmax(dim=0).cpu().numpy()
    return Trained(rows, np.diff(ends).tolist(), labels)


def ours(case: Case, steps: int, device: str, seed: int, dtype: str) -> Trained:
    ends: list[float] = []
    result, _ = kanezaki.fit(
        case.image,
        case.recipe,
        max_iter=steps,
        seed=seed,
        device=device,
        dtype=dtype,
        callback=lambda *_: ends.append(time.perf_counter()),
    )
    return Trained(list(result.history), np.diff(ends).tolist(), result.labels)


def train(method: str, case: Case, steps: int, device: str, seed: int) -> Trained:
    """Let a contender make some steps."""
    if method == PLAIN:
        return plainly(case, steps, device, seed)
    return ours(case, steps, device, seed, OURS[method])


# ---- measuring -------------------------------------------------------------------------------------------------------


def measure(
    case: Case,
    *,
    steps: int = 8,
    rounds: int = 3,
    seed: int = 0,
    device: str = "cpu",
    memory: bool = True,
    side: str | None = None,
) -> list[dict]:
    """One row for each contender; `side` is the name of the case's size, needed for the memory."""
    methods = (PLAIN, *OURS)
    found: dict[str, list[Trained]] = {method: [] for method in methods}
    small = replace(case, image=case.image[:16, :16])
    for method in methods:  # not measured: libraries are loaded
        train(method, small, 2, device, seed)
    for _ in range(rounds):
        for method in methods:
            found[method].append(train(method, case, steps, device, seed))
    fastest = {method: min(float(np.median(one.seconds)) for one in runs) for method, runs in found.items()}
    plain = total(found[PLAIN][0].rows, case.recipe)
    rows = []
    for method, runs in found.items():
        loss = total(runs[0].rows, case.recipe)
        rows.append(
            {
                "case": case.name,
                "device": device,
                "method": method,
                "pixels": int(case.image.shape[0] * case.image.shape[1]),
                "channels": case.recipe.channels,
                "layers": case.recipe.layers,
                "steps": steps,
                "goal": GOALS.get(method) if case.goal and device == "cpu" else None,
                "seconds": fastest[method],
                "median_seconds": float(np.median([s for one in runs for s in one.seconds])),
                "times_faster": fastest[PLAIN] / fastest[method],
                "loss": loss.tolist(),
                "labels": [row[0] for row in runs[0].rows],
                "loss_gap": float((np.abs(loss - plain) / np.abs(plain)).max()),
                "peak_bytes": peak_bytes(side, method, seed) if memory and side and device == "cpu" else None,
            }
        )
    return rows


def total(rows: list[kanezaki.Row], recipe: kanezaki.Recipe) -> NDArray[np.float64]:
    """The loss of each step."""
    return np.array([recipe.similarity * similar + recipe.continuity * change for _, similar, change in rows])


def judge(rows: list[dict]) -> list[dict]:
    """Which goals ours reach in the rows of one case and device."""
    verdicts = []
    for row in rows:
        if row["method"] == PLAIN:
            continue
        verdicts.append(
            {
                "case": row["case"],
                "device": row["device"],
                "method": row["method"],
                "times_faster": row["times_faster"],
                "goal": row["goal"],
                "fast": None if row["goal"] is None else row["times_faster"] >= row["goal"],
                "loss_gap": row["loss_gap"],
                "same": row["loss_gap"] <= SAME_LOSS[row["method"]],
                "peak_bytes": row["peak_bytes"],
                "small": None if row["peak_bytes"] is None else row["peak_bytes"] < MEMORY_LIMIT,
            }
        )
    return verdicts


def peak_bytes(side: str, method: str, seed: int, steps: int = 3) -> int | None:
    """Most memory that a fresh process has resident while it trains; None where nobody tells."""
    command = [sys.executable, "-m", "benchmarks.kanezaki_speed", "peak", side, method, str(seed), str(steps)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
        return json.loads(done.stdout)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired, json.JSONDecodeError):
        return None


def _peak_here(side: str, method: str, seed: int, steps: int) -> int | None:
    from benchmarks.spectral_speed import _resident

    train(method, photo_case(side), steps, "cpu", seed)
    return _resident("VmHWM")


# ---- showing ---------------------------------------------------------------------------------------------------------


def table(rows: list[dict]) -> str:
    """The rows of one case and device as text."""
    first = rows[0]
    lines = [
        f"{first['case']} on {first['device']}: {first['channels']} channels, {first['layers'] + 1} convolutions",
        f"  {'method':<14} {'ms a step':>10} {'median':>8} {'faster':>7} {'loss':>9} {'gap':>8} {'labels':>7} "
        f"{'peak GiB':>9}",
    ]
    for row in rows:
        peak = "-" if row["peak_bytes"] is None else f"{row['peak_bytes'] / 2**30:.2f}"
        lines.append(
            f"  {row['method']:<14} {row['seconds'] * 1e3:>10.0f} {row['median_seconds'] * 1e3:>8.0f} "
            f"{row['times_faster']:>7.2f} {row['loss'][-1]:>9.4f} {row['loss_gap']:>8.1g} {row['labels'][-1]:>7} "
            f"{peak:>9}"
        )
    return "\n".join(lines)


def verdict(goal: dict) -> str:
    """The goals of one of ours as text."""

    def word(reached: bool) -> str:
        return "reached" if reached else "MISSED"

    faster = f"{goal['method']}: {goal['times_faster']:.2f} times faster than written plainly"
    if goal["goal"] is not None:
        faster += f" (goal: at least {goal['goal']:g}): {word(goal['fast'])}"
    parts = [
        faster,
        f"loss differs by {goal['loss_gap']:.1g} (goal: at most {SAME_LOSS[goal['method']]:g}): {word(goal['same'])}",
    ]
    if goal["small"] is not None:
        parts.append(
            f"peak memory {goal['peak_bytes'] / 2**30:.2f} GiB (goal: below {MEMORY_LIMIT / 2**30:g}): "
            f"{word(goal['small'])}"
        )
    return "  " + "; ".join(parts)


def devices() -> tuple[str, ...]:
    """Where it can be measured."""
    import torch

    return ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)


def run(
    *,
    names: tuple[str, ...] = ("full",),
    steps: int = 8,
    rounds: int = 3,
    seed: int = 0,
    memory: bool = True,
    echo: Callable[[str], object] = print,
) -> dict:
    """Measure, show, and give back a record for JSON."""
    from benchmarks import record

    rows, goals = [], []
    for side in names:
        case = photo_case(side)
        for device in devices():
            new = measure(case, steps=steps, rounds=rounds, seed=seed, device=device, memory=memory, side=side)
            rows += new
            echo(table(new))
            for goal in judge(new):
                goals.append(goal)
                echo(verdict(goal))
            echo("")
    return {
        "benchmark": "kanezaki",
        **record.environment(("unseg", "numpy", "torch")),
        "seed": seed,
        "steps": steps,
        "rounds": rounds,
        "rows": rows,
        "goals": goals,
    }


if __name__ == "__main__":
    if sys.argv[1:2] == ["peak"]:
        print(json.dumps(_peak_here(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))))
    else:
        run()
