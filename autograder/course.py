"""The syllabus: ``course.yml`` as checked, typed values."""

from __future__ import annotations

import dataclasses
import datetime
import difflib
import math
import os
import re
import sysconfig
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from .lesson import Lesson
from .sandbox import Limits, View
from .sandbox.view import closure

FILE = "course.yml"
MIN_MEMORY_MB = 256
LESSON_ID = re.compile(r"\d\d_[a-z][a-z0-9_]*")


class CourseError(ValueError):
    """Something in course.yml does not fit; the message says where."""


@dataclass(frozen=True)
class Task:
    """One task: the function that a student writes."""

    name: str
    points: float
    minutes: int


@dataclass(frozen=True)
class LessonPlan:
    """One lesson of the syllabus."""

    id: str  # 02_kmeans
    title: str
    tasks: tuple[Task, ...]
    checks: str  # module in autograder.checks, or any importable one by its dotted name
    view: View
    limits: Limits
    deadline: datetime.datetime | None = None
    released: str = field(default="", repr=False)  # its notebook as handed out: gives what a student has deleted

    @property
    def topic(self) -> str:
        return self.id.split("_", 1)[1]

    @property
    def max_score(self) -> float:
        return sum(t.points for t in self.tasks)

    def lesson(self) -> Lesson:
        """Its checks; refused when they do not cover the tasks of the syllabus."""
        name = self.checks if "." in self.checks else f"autograder.checks.{self.checks}"
        try:
            lesson = import_module(name).lesson
        except ModuleNotFoundError as error:
            if error.name and not name.startswith(error.name):  # something that the checks import
                raise
            raise CourseError(f"{FILE}, {self.id}: checks: there is no module {name}") from None
        planned = {t.name for t in self.tasks}
        if planned != set(lesson.tasks):
            missing, extra = sorted(planned - set(lesson.tasks)), sorted(set(lesson.tasks) - planned)
            raise CourseError(f"{FILE}, {self.id}: tasks without checks {missing}, checks without a task {extra}")
        return lesson

    def refuse_bad_view(self) -> None:
        """Raise CourseError where packages or hidden modules are not there, before that costs a student points."""
        try:
            installed = closure(self.view.packages)
        except LookupError as error:
            raise CourseError(f"{FILE}, {self.id}: packages: {error}") from None
        for module in self.view.hidden:
            top, *rest = module.split(".")
            spec = find_spec(top)
            roots = spec.submodule_search_locations if spec and installed else None
            if roots and not any(Path(root, *rest).is_dir() for root in roots):
                raise CourseError(f"{FILE}, {self.id}: hidden: {module} is no folder of {top}")

    def scale(self, task: str) -> float:
        """Points in the syllabus for one point in the check file: an instructor may weigh tasks differently."""
        own = sum(c.points for c in self.lesson().checks if c.task == task)
        return next(t.points for t in self.tasks if t.name == task) / own


@dataclass(frozen=True)
class Course:
    """The whole syllabus."""

    title: str
    repository: str  # https://github.com/owner/name
    lessons: dict[str, LessonPlan]

    def __getitem__(self, id: str) -> LessonPlan:
        if id in self.lessons:
            return self.lessons[id]
        short = [plan for key, plan in self.lessons.items() if id in (plan.topic, key.split("_")[0])]
        if len(short) == 1:
            return short[0]
        raise CourseError(f"there is no lesson {id!r}; {FILE} has {', '.join(self.lessons)}")


def find_root() -> Path:
    """The folder of course.yml: ``UNSEG_COURSE``, this folder or one above it, or the source tree."""
    if named := os.environ.get("UNSEG_COURSE"):
        return Path(named)
    here = Path.cwd()
    for folder in (here, *here.parents, Path(__file__).parents[1]):
        if (folder / FILE).is_file():
            return folder
    return Path(sysconfig.get_path("data")) / "share" / "unseg"  # where an installed package keeps its copy


@cache
def load(root: Path | None = None) -> Course:
    """Read and check the syllabus.

    Raises
    ------
    CourseError
        If the file is missing, is not YAML, or an entry does not fit.
    """
    root = root or find_root()
    path = root / FILE
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CourseError(f"{path} is not there; set UNSEG_COURSE to the course's folder") from None
    except (OSError, UnicodeDecodeError) as error:
        raise CourseError(f"{path} cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise CourseError(f"{path} is not YAML: {error}") from None
    top = _entry(data, path, needed=("title", "repository", "lessons"))
    lessons = {str(k): _plan(str(k), v, root) for k, v in _mapping(top["lessons"], f"{path}: lessons").items()}
    return Course(str(top["title"]), str(top["repository"]).rstrip("/"), lessons)


def _plan(id: str, value: Any, root: Path) -> LessonPlan:
    here = f"{FILE}, {id}"
    if not LESSON_ID.fullmatch(id):
        raise CourseError(f"{here}: a lesson is called by two digits and a topic, as in 02_kmeans")
    lists = ("packages", "helpers", "hidden")
    entry = _entry(value, here, needed=("title", "checks", "tasks"), others=(*lists, "gpu", "limits", "deadline"))
    tasks = tuple(_task(str(k), v, f"{here}, {k}") for k, v in _mapping(entry["tasks"] or {}, f"{here}: tasks").items())
    if not tasks:
        raise CourseError(f"{here}: every lesson has tasks")
    for key in lists:
        names = entry.get(key) or []
        if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
            raise CourseError(f"{here}: {key} must be a list of names, as in [numpy, scipy]")
    if not isinstance(gpu := entry.get("gpu", False), bool):
        raise CourseError(f"{here}: gpu must be true or false, not {gpu!r}")
    view = View(**{key: tuple(entry.get(key) or ()) for key in lists}, gpu=gpu)
    deadline = entry.get("deadline")
    if deadline is not None and not (isinstance(deadline, datetime.datetime) and deadline.tzinfo):
        raise CourseError(f"{here}: deadline must be a time with its zone, as in 2026-12-01T23:59:00+01:00")
    given = _mapping(entry.get("limits") or {}, f"{here}: limits")
    try:
        limits = Limits(**given)
    except TypeError as error:
        known = ", ".join(f.name for f in dataclasses.fields(Limits))
        raise CourseError(f"{here}: limits: {error}; there are {known}") from None
    for key, number in given.items():
        _positive(number, f"{here}: limits: a {key} of more than 0")
        if not key.endswith(("seconds", "cores")) and not isinstance(number, int):
            raise CourseError(f"{here}: limits: {key} must be a whole number, not {number!r}")
    if limits.memory_mb < MIN_MEMORY_MB:
        raise CourseError(f"{here}: limits: Python and NumPy alone need a memory_mb of {MIN_MEMORY_MB}")
    released = _text(root / "notebooks" / f"{id}.ipynb")
    return LessonPlan(id, str(entry["title"]), tasks, str(entry["checks"]), view, limits, deadline, released)


def _text(file: Path) -> str:
    """Content of a file; nothing where it is not there or not readable."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _task(name: str, value: Any, here: str) -> Task:
    entry = _entry(value, here, needed=("points", "minutes"))
    points, minutes = (_positive(entry[unit], f"{here}: more than 0 {unit}") for unit in ("points", "minutes"))
    return Task(name, float(points), int(minutes))


def _mapping(value: Any, here: str | Path) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise CourseError(f"{here}: of the wrong kind, entries with names are expected and not {value!r}")
    return value


def _entry(value: Any, here: str | Path, *, needed: tuple[str, ...], others: tuple[str, ...] = ()) -> dict[str, Any]:
    """A mapping with all needed keys and no unknown one: a typo must not switch something off in silence."""
    entry = _mapping(value, here)
    for key in entry:
        if key not in (*needed, *others):
            near = difflib.get_close_matches(str(key), (*needed, *others), 1)
            advice = f"; is it {near[0]!r}?" if near else f"; there are {', '.join((*needed, *others))}"
            raise CourseError(f"{here}: unknown entry {str(key)!r}{advice}")
    for key in needed:
        if key not in entry:
            raise CourseError(f"{here}: {key!r} is missing")
    return entry


def _positive(value: Any, expected: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise CourseError(f"{expected} expected, not {value!r}")
    return value
