"""A lesson's checks and named mistakes, and how one check is run.

A check is a plain function ``(student, rng)`` or ``(student, rng, show)`` in ``autograder/checks/<topic>.py``::

    lesson = Lesson("02_kmeans")

    @lesson.check("assign", points=8)
    def assigns_to_nearest_center(student, rng):
        "Each point goes to its nearest center."
        ...

It calls the student's functions, states what it expects (`expect`), and returns nothing (all points) or a
`Credit` (part of them).
"""

from __future__ import annotations

import inspect
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import expect
from .expect import Credit, Unmet
from .sandbox import SandboxUnavailable
from .sandbox.inside import wire
from .sandbox.inside.wire import Rng
from .student import Call, Student, StudentError

__all__ = ["Check", "CheckResult", "Figure", "Lesson", "Mistake", "Rng"]

MAX_STUMBLE = 200  # characters of an exception of our own: it may quote what a student returned


@dataclass(frozen=True)
class Check:
    """One thing that can be right or wrong. ``points`` is its share of the task's points."""

    id: str
    task: str
    title: str
    points: float
    function: Callable
    uses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mistake:
    """A wrong implementation of a task that students really write."""

    task: str
    name: str
    function: Callable
    see: str  # how a student can see it


@dataclass(frozen=True)
class Figure:
    """Pictures side by side: uint8 RGB images or integer label maps, by title."""

    title: str
    panels: dict[str, np.ndarray]


@dataclass
class CheckResult:
    """How one check ended. ``status``: passed, partial, failed, error, missing, timeout or crash."""

    id: str
    task: str
    title: str
    points: float
    max_points: float
    status: str
    message: str = ""
    hint: str | None = None
    mistake: str | None = None
    see: str | None = None
    seconds: float = 0.0
    figures: list[Figure] = field(default_factory=list)

    @property
    def feedback(self) -> tuple[str, str | None, str | None]:
        """What it says: checks of a task that fail for one reason often say the same."""
        return self.message, self.hint, self.mistake


class Lesson:
    """Checks and mistakes of one lesson, in the order in which they are written."""

    def __init__(self, id: str):
        self.id = id
        self.topic = id.split("_", 1)[1]
        self.checks: list[Check] = []
        self.mistakes: list[Mistake] = []

    def check(self, task: str, *, points: float, uses: Sequence[str] = ()) -> Callable[[Callable], Callable]:
        """Register a check of a task. ``uses`` names other student functions that it also runs."""

        def register(function: Callable) -> Callable:
            title = (inspect.getdoc(function) or function.__name__.replace("_", " ")).splitlines()[0].rstrip(".")
            name = f"{self.topic}.{task}.{function.__name__}"
            if any(c.id == name for c in self.checks):
                raise ValueError(f"two checks are called {name}")
            others = (uses,) if isinstance(uses, str) else tuple(uses)
            self.checks.append(Check(name, task, title, float(points), function, tuple(u for u in others if u != task)))
            return function

        return register

    def mistake(self, task: str, name: str, *, see: str) -> Callable[[Callable], Callable]:
        """Register a wrong implementation of a task under the name that reports show."""

        def register(function: Callable) -> Callable:
            if any(m.task == task and m.name == name for m in self.mistakes):
                raise ValueError(f"two mistakes of {task} are called {name!r}")
            self.mistakes.append(Mistake(task, name, function, see))
            return function

        return register

    @property
    def tasks(self) -> list[str]:
        """Task names in order of their first check."""
        return list(dict.fromkeys(c.task for c in self.checks))

    def recognise(self, task: str, calls: Sequence[Call]) -> Mistake | None:
        """The mistake of this task that gives just what the student's function gave, on every recorded call."""
        own = [c for c in calls if c.name == task]
        if not own or any(c.error in ("timeout", "crash", "refused", "Missing", "NotImplementedError") for c in own):
            return None
        if any(c.result is None or isinstance(c.result, str) for c in own if c.error is None):
            return None  # no mistake returns that, so none needs to be run
        for mistake in self.mistakes:
            if mistake.task == task and all(_gives(mistake.function, c) for c in own):
                return mistake
        return None


def run_check(check: Check, student: Student, seed: int, lesson: Lesson, *, scale: float = 1.0) -> CheckResult:
    """Run one check on a student's functions.

    Parameters
    ----------
    seed : int
        The submission's secret seed. Each check draws from its own stream, so their order does not matter.
    scale : float
        Points in the syllabus for one point in the check file.
    """
    rng = np.random.default_rng([seed, zlib.crc32(check.id.encode())])
    figures: list[Figure] = []
    extra = [_recorder(figures)] if len(inspect.signature(check.function).parameters) > 2 else []
    student._fresh()
    started = time.perf_counter()
    fraction, status, message, hint = 0.0, "failed", "", None
    try:
        with np.errstate(all="ignore"):  # NaN and overflow are judged, not printed
            outcome = check.function(student, rng, *extra)
        credit = outcome if isinstance(outcome, Credit) else Credit(1.0, "")
        fraction, message, hint = credit.fraction, credit.message, credit.hint
        status = "passed" if fraction >= 1 else "partial" if fraction > 0 else "failed"
    except Unmet as unmet:
        message, hint = str(unmet), unmet.hint
    except StudentError as error:
        message, hint = str(error), error.hint
        status = {"missing": "missing", "stub": "missing"}.get(error.kind, error.kind)
        status = "error" if status == "refused" else status
    except wire.WireError as error:
        message = f"the check could not send its input: {error}"
    except SandboxUnavailable:
        raise  # this machine's fault: it may cost no student a point
    except Exception as error:  # our own check stumbled, nearly always over a result of the wrong kind
        message = f"{_last(student)} could not be judged ({type(error).__name__}: {str(error)[:MAX_STUMBLE]})"
        hint = "does it return what the task asks for, in this order and of this type?"
    result = CheckResult(
        id=check.id,
        task=check.task,
        title=check.title,
        points=round(fraction * check.points * scale, 4),
        max_points=round(check.points * scale, 4),
        status=status,
        message=message,
        hint=None if status == "passed" else hint,
        seconds=round(time.perf_counter() - started, 4),
        figures=figures,
    )
    if status not in ("passed", "missing", "timeout", "crash"):
        mistake = lesson.recognise(check.task, student._calls)
        if mistake is not None:
            result.mistake, result.see = mistake.name, mistake.see
    return result


def _recorder(figures: list[Figure]) -> Callable[..., None]:
    def show(title: str, **panels: Any) -> None:
        kept = {}
        for name, picture in panels.items():
            if not isinstance(picture, np.ndarray):
                continue
            is_labels = picture.ndim == 2 and picture.dtype.kind in "biu"
            is_image = picture.ndim == 3 and picture.shape[2] == 3 and picture.dtype == np.uint8
            if (is_labels or is_image) and 0 < picture.size < 4_000_000:
                kept[name.replace("_", " ")] = picture.copy()
        if kept:
            figures.append(Figure(title, kept))

    return show


def _last(student: Student) -> str:
    return f"the result of {student._calls[-1].name}" if student._calls else "the result"


def _gives(function: Callable, recorded: Call) -> bool:
    args, kwargs = recorded.arguments()
    try:
        with np.errstate(all="ignore"):
            result = wire.copy(function(*args, **kwargs))
    except Exception as error:
        return type(error).__name__ == recorded.error
    return recorded.error is None and _same(result, recorded.result)


def _same(a: Any, b: Any) -> bool:
    """Equal up to rounding; numbers and arrays of one element are the same thing."""
    if isinstance(a, (list, dict)) != isinstance(b, (list, dict)):
        if isinstance(a, list) and any(np.ndim(part) for part in a if isinstance(part, np.ndarray)):
            return False  # a tuple of arrays and one array of them: another form is another mistake
        many, one = (a, b) if isinstance(a, (list, dict)) else (b, a)
        if not isinstance(many, list) or np.shape(one)[:1] != (len(many),):
            return False
        try:
            return _same(expect.array(a), expect.array(b))
        except Unmet:
            return False
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(_same(u, v) for u, v in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    if isinstance(a, dict) or isinstance(b, dict):
        return False
    if a is None or b is None or isinstance(a, str) or isinstance(b, str):
        return type(a) is type(b) and a == b
    x, y = np.asarray(a), np.asarray(b)
    if x.shape != y.shape or x.dtype.kind not in "biuf" or y.dtype.kind not in "biuf":
        return False
    return bool(np.allclose(x.astype(float), y.astype(float), rtol=1e-5, atol=1e-8, equal_nan=True))
