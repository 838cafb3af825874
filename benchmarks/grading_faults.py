"""Grade many submissions while their worker processes are killed: none may be lost, none graded twice.

Runs ``unseg grade --workers`` as an instructor would, kills one of its worker processes with SIGKILL again and again,
and then counts what is in the result file and in the journal.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOLUTION = ROOT / "solutions" / "02_kmeans.py"
UNSEG = [sys.executable, "-c", "from autograder.cli import main; main()"]


def run(
    n: int = 200,
    workers: int = 2,
    every: float = 5.0,
    *,
    seed: int = 0,
    solution: Path = SOLUTION,
    echo: Callable[[str], object] = lambda text: None,
) -> dict:
    """Grade ``n`` right submissions with ``workers`` processes, of which one is killed each ``every`` seconds.

    Parameters
    ----------
    seed : chooses which worker is killed
    solution : a script that earns all points
    echo : gets a line for each kill

    Returns
    -------
    dict
        ``lost``, ``twice`` (results of one submission in the journal beyond the first), ``wrong`` (without all
        points), ``ungraded`` (given up after two lost workers): all 0 where everything works. ``kills``, ``seconds``.
    """
    rng = random.Random(seed)
    names = [f"student{i:03}.py" for i in range(n)]
    with tempfile.TemporaryDirectory() as folder:
        handed_in, result = Path(folder, "handed_in"), Path(folder, "grades.json")
        handed_in.mkdir()
        for i, name in enumerate(names):
            text = solution.read_text(encoding="utf-8")
            (handed_in / name).write_text(f"{text}\n# %%\n# handed in by student {i}\n", encoding="utf-8")
        started = time.monotonic()
        with open(Path(folder, "log"), "w+") as log:
            command = [*UNSEG, "grade", str(handed_in), "--json", str(result), "--workers", str(workers)]
            process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
            try:
                journal, kills = _kill_workers(process, result, every, rng, echo)
            finally:
                process.kill()
                process.wait()
            log.seek(0)
            said = log.read().splitlines()[-5:]
        seconds = time.monotonic() - started
        reports = json.loads(result.read_text(encoding="utf-8")) if result.exists() else []
        noted = [json.loads(line)["submission"] for line in journal.read_bytes().splitlines()] if journal else []
    graded = Counter(r["submission"] for r in reports)
    wrong = [r for r in reports if r["score"] is not None and r["score"] != r["max_score"]]
    return {
        "submissions": n,
        "workers": workers,
        "every_seconds": every,
        "kills": kills,
        "seconds": round(seconds, 1),
        "exit_status": process.returncode,
        "lost": len(set(names) - set(graded)),
        "twice": sum(count - 1 for count in Counter(noted).values()) + sum(count - 1 for count in graded.values()),
        "noted": len(noted),
        "ungraded": sum(r["score"] is None for r in reports),
        "wrong": len(wrong),
        "wrong_seeds": {r["seed"]: r["score"] for r in wrong},
        "said": said,
    }


def _kill_workers(
    process: subprocess.Popen, result: Path, every: float, rng: random.Random, echo: Callable[[str], object]
) -> tuple[Path | None, int]:
    """Until grading ends; a second name of the journal, which outlives it, and the number of kills."""
    part, kept = result.with_name(f"{result.name}.part"), result.with_name("journal")
    kills, next_kill = 0, None
    while process.poll() is None:
        time.sleep(0.05)
        if not kept.exists() and part.exists():
            os.link(part, kept)
            next_kill = time.monotonic() + every  # from the first result on
        if next_kill is not None and time.monotonic() >= next_kill:
            if workers := _workers(process.pid):
                os.kill(victim := rng.choice(workers), 9)
                kills += 1
                echo(f"killed worker {victim} (number {kills}); {len(kept.read_bytes().splitlines())} graded")
            next_kill += every
    return kept if kept.exists() else None, kills


def _workers(pid: int) -> list[int]:
    """Worker processes of a grading process."""
    import psutil

    try:
        children = psutil.Process(pid).children()
        return [c.pid for c in children if "multiprocessing.spawn" in " ".join(c.cmdline())]
    except psutil.NoSuchProcess:
        return []


def is_perfect(result: dict) -> bool:
    """Whether nothing was lost, graded twice, given up or wrong."""
    return not any(result[key] for key in ("lost", "twice", "ungraded", "wrong", "exit_status"))


if __name__ == "__main__":
    outcome = run(*(int(word) for word in sys.argv[1:3]), echo=print)
    print(json.dumps(outcome, indent=1))
    sys.exit(not is_perfect(outcome))
