"""The syllabus: ``course.yml`` as checked, typed values."""

from __future__ import annotations

import datetime
import os
import sysconfig
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from .lesson import Lesson
from .sandbox import Limits, View

FILE = "course.yml"


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

    @property
    def topic(self) -> str:
        return self.id.split("_", 1)[1]

    @property
    def max_score(self) -> float:
        return sum(t.points for t in self.tasks)

    def lesson(self) -> Lesson:
        """Its checks; refused when they do not cover the tasks of the syllabus."""
        lesson = import_module(self.checks if "." in self.checks else f"autograder.checks.{self.checks}").lesson
        planned = {t.name for t in self.tasks}
        if planned != set(lesson.tasks):
            missing, extra = sorted(planned - set(lesson.tasks)), sorted(set(lesson.tasks) - planned)
            raise CourseError(f"{FILE}, {self.id}: tasks without checks {missing}, checks without a task {extra}")
        return lesson

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
    path = (root or find_root()) / FILE
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CourseError(f"{path} is not there; set UNSEG_COURSE to the course's folder") from None
    except yaml.YAMLError as error:
        raise CourseError(f"{path} is not YAML: {error}") from None
    try:
        lessons = {str(k): _plan(str(k), v) for k, v in data["lessons"].items()}
        return Course(str(data["title"]), str(data["repository"]).rstrip("/"), lessons)
    except (KeyError, TypeError, AttributeError) as error:
        raise CourseError(f"{path}: an entry is missing or of the wrong kind: {error!r}") from None


def _plan(id: str, entry: dict[str, Any]) -> LessonPlan:
    tasks = tuple(Task(str(k), float(v["points"]), int(v["minutes"])) for k, v in entry["tasks"].items())
    if not tasks or any(t.points <= 0 for t in tasks):
        raise CourseError(f"{FILE}, {id}: every lesson has tasks, and every task more than 0 points")
    names = {"packages", "helpers", "hidden"}
    view = View(**{k: tuple(entry.get(k) or ()) for k in names})
    deadline = entry.get("deadline")
    if deadline is not None and not (isinstance(deadline, datetime.datetime) and deadline.tzinfo):
        raise CourseError(f"{FILE}, {id}: deadline must be a time with its zone, as in 2026-12-01T23:59:00+01:00")
    try:
        limits = Limits(**(entry.get("limits") or {}))
    except TypeError as error:
        raise CourseError(f"{FILE}, {id}: limits: {error}") from None
    return LessonPlan(id, str(entry["title"]), tasks, str(entry["checks"]), view, limits, deadline)
