"""Grade many submissions, here one after another; `autograder.cluster` grades them on many processes.

Seeds are drawn before anything is graded. So neither the order nor the place of grading changes a report, and a
submission whose worker was lost is graded again on the same inputs.
"""

from __future__ import annotations

import atexit
import hashlib
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from . import grading
from . import submission as submissions
from .cells import without_outputs
from .course import Course, CourseError
from .provenance import checks_version, provenance
from .report import Report
from .sandbox import Pool, SandboxUnavailable, harden, why_not
from .submission import BadSubmission, Source

LARGE = 5_000_000  # bytes from which a notebook's outputs are dropped before it waits or travels


@dataclass(frozen=True)
class Order:
    """How submissions are to be graded."""

    course: Course
    lesson: str | None = None  # found from each one's content when None
    isolated: bool = True


@dataclass(frozen=True)
class Job:
    """One submission to grade."""

    place: int  # in the list of all
    source: Source
    seed: int


@dataclass(frozen=True)
class Task:
    """A job with its bytes: plain values that travel to another process or machine."""

    place: int
    name: str
    seed: int
    data: bytes
    sha256: str  # of the file as it was handed in
    gpu: bool = False


def prepare(job: Job, order: Order) -> Task | Report:
    """Read a submission; a report if it cannot be read."""
    try:
        data = job.source.load()
    except BadSubmission as error:
        return Report(job.source.name, error=str(error), seed=job.seed, provenance=provenance(None))
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        if len(data) > LARGE and job.source.name.lower().endswith(".ipynb"):
            data = without_outputs(data)
        return Task(job.place, job.source.name, job.seed, data, sha256, _needs_gpu(data, job.source.name, order))
    except BadSubmission as error:
        return Report(job.source.name, error=str(error), seed=job.seed, sha256=sha256, provenance=provenance(None))


def _needs_gpu(data: bytes, name: str, order: Order) -> bool:
    """Whether its lesson asks for a GPU. Most courses have no such lesson: then nothing is read to find out."""
    lessons = {id for id, plan in order.course.lessons.items() if getattr(plan.view, "gpu", False)}
    if not lessons:
        return False
    try:
        return submissions.find_lesson(submissions.read(data, name), order.course, order.lesson).id in lessons
    except BadSubmission:
        return False  # its report needs none


def grade(task: Task, order: Order, pool: Pool | None = None) -> Report:
    """Grade one submission of many: whatever happens, there is a report.

    Raises
    ------
    SandboxUnavailable, CourseError
        Nothing can be graded until an instructor mends this.
    """
    try:
        return grading.grade(
            task.data,
            task.name,
            order.course,
            lesson=order.lesson,
            seed=task.seed,
            isolated=order.isolated,
            pool=pool,
            sha256=task.sha256,
        )
    except (SandboxUnavailable, CourseError):
        raise
    except Exception as error:  # our own fault: say so, cost nobody anything
        return ungraded(task, f"the grader failed ({type(error).__name__}: {error})")


def ungraded(task: Task, why: str) -> Report:
    """The report of a submission that we failed to grade: it has no score, which is not 0."""
    error = f"could not be graded, {why}; it has no score yet, and that is not the submission's fault"
    return Report(task.name, error=error, graded=False, seed=task.seed, sha256=task.sha256, provenance=provenance(None))


def grade_here(jobs: Iterable[Job], order: Order) -> Iterator[tuple[int, Report]]:
    """Places and reports, one after another in this process."""
    jobs = list(jobs)
    with Pool() as pool:
        for job in jobs:
            task = prepare(job, order)
            warm = pool if len(jobs) > 1 else None  # for one submission a parent only takes time
            yield job.place, task if isinstance(task, Report) else grade(task, order, warm)


def grade_there(task: Task, order: Order) -> Report:
    """What a worker process runs."""
    return grade(task, order, _pool())


def get_ready(order: Order) -> None:
    """What a worker process does first: import what checks need, so that grading itself is quick.

    Raises
    ------
    SandboxUnavailable
        If nothing can be isolated there.
    """
    harden()
    if order.isolated and (missing := why_not()):
        raise SandboxUnavailable(f"on {socket.gethostname()}, {missing}")
    for plan in order.course.lessons.values():
        with suppress(Exception):  # who grades this lesson will hear of it
            plan.lesson()
            checks_version(plan)


@cache
def _pool() -> Pool:
    """The warm sandboxes of this worker process, until it ends."""
    pool = Pool()
    atexit.register(pool.close)
    return pool
