"""Grade one submission: from bytes to `Report`."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import deque
from collections.abc import Iterable

from . import apart
from . import submission as submissions
from .course import Course, LessonPlan
from .lesson import CheckResult, run_check
from .provenance import provenance
from .report import Report
from .sandbox import Pool
from .student import SandboxStudent, Student
from .submission import BadSubmission

PUBLIC_SEED = 0  # inputs of `check(...)` and `unseg check`, which a student may run again and again


def new_seed() -> int:
    """A secret seed for one submission; below 2**53, so that every JSON reader keeps it exact."""
    return secrets.randbits(52)


def grade(
    data: bytes,
    name: str,
    course: Course,
    *,
    lesson: str | None = None,
    seed: int | None = None,
    isolated: bool = True,
    pool: Pool | None = None,
    sha256: str | None = None,
) -> Report:
    """Grade the bytes of one notebook or script.

    Parameters
    ----------
    lesson : id of the lesson; found from the content when None
    seed : draws the hidden inputs; a fresh secret one when None
    isolated : run student code in the sandbox; False only for one's own code
    pool : gives warm workers, which pays for more than one submission; each sandbox starts cold without
    sha256 : of the file as it was handed in, where ``data`` is without its outputs

    Returns
    -------
    Report
        Bad input gives a report whose ``error`` says what is wrong.

    Raises
    ------
    SandboxUnavailable
        If ``isolated`` and this machine lacks the means: nothing can be graded here.
    CourseError
        If course.yml names checks, packages or modules that are not there.
    """
    started = time.perf_counter()
    report = Report(name, seed=new_seed() if seed is None else seed, provenance=provenance(None))
    report.sha256 = hashlib.sha256(data).hexdigest() if sha256 is None else sha256
    try:
        submission = submissions.read(data, name)
        if pool is not None:  # more will follow
            apart.COUNT_STATEMENTS.get_ready()
        plan = submissions.find_lesson(submission, course, lesson)
        report.lesson, report.title, report.max_score = plan.id, plan.title, plan.max_score
        definitions = submissions.definitions(submission, [t.name for t in plan.tasks], submissions.given(plan))
        report.notes = submission.notes
        if isolated:
            plan.refuse_bad_view()
        report.provenance = provenance(plan)
        student = SandboxStudent(
            definitions, view=plan.view, limits=plan.limits, isolated=isolated, pool=pool, seed=report.seed
        )
        try:
            student.prepare()  # before the checks are imported, on a core of its own
            report.checks = run_all(plan, student, report.seed)
            report.notes += _failed_definitions(plan, student)
        finally:
            student.close()
        _explain_missing(
            report.checks, submissions.misnamed(submission, plan), submissions.unreadable(submission, plan)
        )
    except BadSubmission as error:
        report.error = str(error)
    report.seconds = time.perf_counter() - started
    return report


def run_all(plan: LessonPlan, student: Student, seed: int, tasks: Iterable[str] | None = None) -> list[CheckResult]:
    """Run the checks of a lesson, or of some of its tasks."""
    lesson = plan.lesson()
    wanted = {t.name for t in plan.tasks} if tasks is None else set(tasks)
    checks = [check for check in lesson.checks if check.task in wanted]
    waiting, results = deque(checks), {}
    while waiting:
        check = waiting.popleft()
        if check.id not in results and student.slow & {check.task, *check.uses}:
            results[check.id] = None  # last of all: a loop that never ends takes no other task's time
            waiting.append(check)
            continue
        results[check.id] = run_check(check, student, seed, lesson, scale=plan.scale(check.task))
    order = [t.name for t in plan.tasks]
    results = sorted((results[check.id] for check in checks), key=lambda r: order.index(r.task))
    _explain_uses({c.id: c.uses for c in lesson.checks}, results)
    return results


def _explain_uses(uses: dict[str, tuple[str, ...]], results: list[CheckResult]) -> None:
    """Point from a check that failed to the student's own functions below it that failed too."""
    passed = {r.task for r in results} - {r.task for r in results if r.points < r.max_points}
    known = {r.task for r in results}
    for result in results:
        broken = [u for u in uses[result.id] if u in known and u not in passed]
        if result.status not in ("passed", "missing") and broken:
            pass_, mend = ("does not pass its own", "that") if len(broken) == 1 else ("do not pass their own", "them")
            first = f"this also runs your {submissions.listed(broken)}, which {pass_} checks yet: mend {mend} first"
            result.hint = f"{result.hint}; {first}" if result.hint else first


def _explain_missing(results: list[CheckResult], misnamed: dict[str, str], unreadable: dict[str, str]) -> None:
    for result in results:
        if result.status == "missing" and result.task in misnamed:
            result.hint = f"{misnamed[result.task]}: give the function the name {result.task}"
        elif result.status == "missing" and result.task in unreadable:
            result.hint = unreadable[result.task]


def _failed_definitions(plan: LessonPlan, student: SandboxStudent) -> list[str]:
    tasks = {t.name for t in plan.tasks}
    return [f"{name}: {failed['reason']}" for name, failed in sorted(student.failed.items()) if name in tasks]
