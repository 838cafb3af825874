"""What grading costs: wall seconds, CPU seconds and memory, and how much of it is not the student's own computation.

Every case runs in processes of its own, which this one watches from outside; rounds alternate between the cases.

- Wall: from the order to the last report. "From nothing" is the command ``unseg grade`` from its start to its end. The
  other cases run in a judge that has imported its checks and graded once; warm ones have their pool by then.
- CPU: of all processes below the judge and itself, looked at every 20 ms in ``/proc``. What a process used after the
  last look is lost, at most 20 ms each. The kernel's own sum leaves out workers that are killed with their name space.
- Peak: the largest sum over these processes of their share of memory (PSS: what n processes share counts 1/n for
  each), in a round of its own, because looking at it slows them. Where the kernel hides that from a plain user, whole
  resident memory stands in, which is more.
- Student: their own computation, that is, what the same calls with the same inputs take when the functions are called
  in one process, without any copy. Overhead is the rest of the wall time, in each round.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[1]
SEED = 20260217  # every round grades the same inputs
MANY = 20
LOOK_SECONDS = 0.02
END_SECONDS = 300  # for one case
BUSY = 1.0  # processes that wanted to run before, as the system counts them
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


class WrongGrade(AssertionError):
    """A correct submission did not get all points: nothing was measured."""


@dataclass(frozen=True)
class Case:
    """One way to grade, with its goals in seconds. ``how``: command, workers, cold, warm."""

    name: str
    lesson: str
    n: int
    how: str
    overhead: float | None = None
    wall: float | None = None


CASES = {
    case.name: case
    for case in (
        Case("1 from nothing", "02_kmeans", 1, "command", overhead=1.0),
        Case("1 cold", "02_kmeans", 1, "cold", overhead=1.0),
        Case("1 warm", "02_kmeans", 1, "warm", overhead=0.25),
        Case("20 cold", "02_kmeans", MANY, "cold"),
        Case("20 warm", "02_kmeans", MANY, "warm"),
        Case("20 from nothing, 2 workers", "02_kmeans", MANY, "workers", wall=10.0),
        Case("1 with torch, cold", "00_torch", 1, "cold"),
        Case("1 with torch, warm", "00_torch", 1, "warm", overhead=0.5),
    )
}
NEEDS = {"00_torch": "torch", "workers": "distributed"}


def available() -> dict[str, Case]:
    """Cases whose packages are installed."""
    return {
        name: case
        for name, case in CASES.items()
        if all(find_spec(NEEDS[key]) for key in (case.lesson, case.how) if key in NEEDS)
    }


def run(
    *,
    names: tuple[str, ...] | None = None,
    rounds: int = 5,
    memory: bool = True,
    echo: Callable[[str], Any] = lambda text: None,
) -> dict[str, Any]:
    """Measure cases and judge them by their goals.

    Parameters
    ----------
    rounds : of each case with one submission; those with many get a third of them
    memory : one more round of each for its peak
    echo : gets the lines of a table

    Raises
    ------
    WrongGrade
        If a correct submission loses points.
    """
    from benchmarks import record

    cases = [available()[name] for name in names or available()]
    load = os.getloadavg()[0]
    times: dict[str, list[dict[str, float]]] = {case.name: [] for case in cases}
    with _folder() as folder:
        for i in range(rounds):
            own = {lesson: _own_seconds(folder, lesson) for lesson in dict.fromkeys(c.lesson for c in cases)}
            for case in cases:
                if case.n == 1 or i % 3 == 0:
                    times[case.name].append(measure(case, folder) | {"own": own[case.lesson]})
        peaks = {case.name: measure(case, folder, memory=True)["peak"] for case in cases if memory}
    rows = [_row(case, times[case.name], peaks.get(case.name)) for case in cases]
    echo(table(rows, load))
    environment = record.environment(("unseg", "numpy", "scipy", "torch"))
    return {"benchmark": "grading", **environment, "seed": SEED, "load_before": load, "rows": rows}


def _row(case: Case, times: list[dict[str, float]], peak: float | None) -> dict[str, Any]:
    return {
        "case": case.name,
        "lesson": case.lesson,
        "submissions": case.n,
        "rounds": len(times),
        "wall_seconds": median(t["wall"] for t in times),
        "cpu_seconds": median(t["cpu"] for t in times),
        "peak_bytes": peak,
        "student_seconds": median(case.n * t["own"] for t in times),
        "overhead_seconds": median(t["wall"] - case.n * t["own"] for t in times),
        "goals": {"overhead_seconds": case.overhead, "wall_seconds": case.wall},
    }


def verdicts(row: dict[str, Any]) -> list[str]:
    """What became of the goals of a row."""
    words = {"overhead_seconds": "overhead", "wall_seconds": "wall"}
    return [
        f"{words[what]} under {goal:g} s: {'reached' if row[what] < goal else 'MISSED'}"
        for what, goal in row["goals"].items()
        if goal is not None
    ]


def table(rows: list[dict[str, Any]], load: float) -> str:
    """The rows as lines for a terminal."""
    busy = f" (above {BUSY:g}: it does other work, and these times are too long)" if load > BUSY else ""
    lines = [f"grading: medians of {max(r['rounds'] for r in rows)} rounds; load of this machine: {load:.1f}{busy}"]
    lines.append(
        f"  {'correct submissions':<28} {'wall':>9} {'CPU':>9} {'peak':>9} {'student':>9} {'overhead':>9}  goal"
    )
    for row in rows:
        peak = f"{row['peak_bytes'] / 2**20:.0f} MiB" if row["peak_bytes"] else "-"
        wall, cpu, student, overhead = (row[f"{what}_seconds"] for what in ("wall", "cpu", "student", "overhead"))
        lines.append(
            f"  {row['case']:<28} {wall:>7.2f} s {cpu:>7.2f} s {peak:>9} {student:>7.2f} s {overhead:>7.2f} s  "
            f"{'; '.join(verdicts(row))}".rstrip()
        )
    return "\n".join(lines)


def measure(case: Case, folder: Path, *, memory: bool = False) -> dict[str, float]:
    """Grade once in processes of its own: ``wall``, ``cpu`` and, if asked for, ``peak``."""
    files = sorted(map(str, (folder / case.lesson).iterdir()))[: case.n]
    if case.how in ("command", "workers"):
        workers = ["--workers", "2"] if case.how == "workers" else []
        code = "from autograder.cli import main; main()"
        command = [sys.executable, "-c", code, "grade", *files, "--seed", str(SEED), "--json", "-", *workers]
        with _started(command) as process, Watch(process.pid, memory=memory) as watch:
            text = process.stdout.read()
            process.wait()
        scores = [report["score"] for report in _reports(json.loads(text))]
    else:
        with _started([sys.executable, "-m", __name__, case.lesson, case.how, *files]) as process:
            process.stdout.readline()  # ready
            with Watch(process.pid, memory=memory) as watch:
                process.stdin.write(b"go\n")
                process.stdin.flush()
                scores = json.loads(process.stdout.readline())
    if scores != [100.0] * case.n:
        raise WrongGrade(f"{case.name}: correct submissions got {scores}")
    return {"wall": watch.wall, "cpu": watch.cpu, "peak": watch.peak}


def _reports(read: Any) -> list[dict[str, Any]]:
    return (
        read["reports"] if isinstance(read, dict) and "reports" in read else read if isinstance(read, list) else [read]
    )


@contextmanager
def _started(command: list[str]) -> Iterator[subprocess.Popen]:
    """A process that talks, and that is gone afterwards."""
    environment = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with tempfile.TemporaryFile() as errors:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": errors}
        process = subprocess.Popen(command, env=environment, cwd=ROOT, **pipes)
        clock = threading.Timer(END_SECONDS, process.kill)
        clock.start()
        try:
            with process:
                yield process
        except (json.JSONDecodeError, BrokenPipeError):
            errors.seek(0)
            text = errors.read().decode(errors="replace")[-2000:]
            raise RuntimeError(f"{' '.join(command[1:4])} ... gave no result: {text}") from None
        finally:
            clock.cancel()


class Watch:
    """Looks at a process and all below it until the context is left: ``wall``, ``cpu`` seconds, ``peak`` bytes."""

    def __init__(self, root: int, *, memory: bool):
        self._root, self._memory = root, memory
        self._used: dict[tuple[int, int], float] = {}  # by process (number and start): CPU seconds at the last look
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.peak = 0

    def __enter__(self) -> Watch:
        self._before = {key: seconds for _, key, seconds in _tree(self._root)}
        self._started = time.perf_counter()
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.wall = time.perf_counter() - self._started
        self._end.set()
        self._thread.join()
        self.cpu = sum(seconds - self._before.get(key, 0.0) for key, seconds in self._used.items())

    def _watch(self) -> None:
        while True:
            is_last = self._end.wait(LOOK_SECONDS)
            tree = list(_tree(self._root))
            self._used.update({key: seconds for _, key, seconds in tree})
            if self._memory:
                self.peak = max(self.peak, sum(_memory(pid) for pid, _, _ in tree))
            if is_last:
                return


def _tree(root: int) -> Iterator[tuple[int, tuple[int, int], float]]:
    """Number, number with start, and CPU seconds of a process and of all below it."""
    found, below = {}, {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                values = file.read().rpartition(b")")[2].split()  # the name before it may hold anything
        except OSError:  # it has ended meanwhile
            continue
        pid, parent, start = int(name), int(values[1]), int(values[19])
        found[pid] = (pid, (pid, start), (int(values[11]) + int(values[12])) / TICKS)
        below.setdefault(parent, []).append(pid)
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        if pid in found:
            yield found[pid]
        waiting += below.get(pid, ())


def _memory(pid: int) -> int:
    """Bytes: the proportional share, or resident memory where that is hidden."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * PAGE
    except OSError:
        return 0


@contextmanager
def _folder() -> Iterator[Path]:
    """Folders by lesson with copies of its solution."""
    from benchmarks import torch_lesson

    sources = {"02_kmeans": (ROOT / "solutions" / "02_kmeans.py").read_text(encoding="utf-8")}
    sources[torch_lesson.PLAN.id] = torch_lesson.SOLUTION
    with tempfile.TemporaryDirectory() as name:
        for lesson, source in sources.items():
            folder = Path(name, lesson)
            folder.mkdir()
            for i in range(MANY):
                (folder / f"student_{i:02d}.py").write_text(source, encoding="utf-8")
        yield Path(name)


def _course(lesson: str):
    from autograder import course
    from benchmarks import torch_lesson

    return torch_lesson.COURSE if lesson == torch_lesson.PLAN.id else course.load(ROOT)


def _own_seconds(folder: Path, lesson: str) -> float:
    """Seconds of a student's own computation, in a process of its own."""
    file = min((folder / lesson).iterdir())
    with _started([sys.executable, "-m", __name__, lesson, "own", str(file)]) as process:
        return json.loads(process.stdout.read())


def own_seconds(lesson: str, file: Path) -> float:
    """What the functions take for all calls of the checks, in this process; the median of three rounds."""
    from autograder import submission as submissions
    from autograder.grading import run_all
    from autograder.sandbox.inside.define import define
    from autograder.student import LocalStudent

    plan = _course(lesson)[lesson]
    definitions = submissions.definitions(submissions.read(file.read_bytes(), file.name), [t.name for t in plan.tasks])
    namespace: dict[str, Any] = {"__name__": "submission"}
    define(namespace, **definitions, hidden=[])
    spent = 0.0

    def timed(function: Callable) -> Callable:
        def call(*args, **kwargs):
            nonlocal spent
            started = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                spent += time.perf_counter() - started

        return call

    functions = {t.name: timed(namespace[t.name]) for t in plan.tasks}
    seconds = []
    for _ in range(4):  # the first one imports
        spent = 0.0
        scores = sum(result.points for result in run_all(plan, LocalStudent(functions), SEED))
        if scores != plan.max_score:
            raise WrongGrade(f"{lesson}: the solution got {scores}")
        seconds.append(spent)
    return median(seconds[1:])


def judge(lesson: str, how: str, files: list[Path]) -> None:
    """The judge in its process: gets ready, says so, waits for the order, grades, and tells the scores."""
    from autograder.grading import grade
    from autograder.sandbox import Pool

    course = _course(lesson)
    with Pool() if how == "warm" else nullcontext() as pool:

        def score(file: Path) -> float:
            return grade(file.read_bytes(), file.name, course, lesson=lesson, seed=SEED, pool=pool).score

        score(files[0])
        print("ready", flush=True)
        sys.stdin.readline()
        print(json.dumps([score(file) for file in files]), flush=True)


def main() -> None:
    """The child process of one case."""
    lesson, how, *rest = sys.argv[1:]
    if how == "own":
        print(json.dumps(own_seconds(lesson, Path(rest[0]))))
    else:
        judge(lesson, how, [Path(name) for name in rest])


if __name__ == "__main__":
    main()
