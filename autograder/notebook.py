"""``check("kmeans.assign")`` in a notebook: the checks of one task, on the functions defined so far."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from . import course as courses
from .course import CourseError
from .grading import PUBLIC_SEED, run_all
from .report import Report, number
from .student import LocalStudent


class Feedback:
    """What `check` shows: a panel in Jupyter, text elsewhere."""

    def __init__(self, report: Report):
        self.report = report

    def __repr__(self) -> str:
        from .report import terminal

        tasks = [terminal.render_task(task, results) for task, results in self.report.tasks().items()]
        if len(tasks) > 1:
            tasks.append(f"  total: {number(self.report.score)} / {number(self.report.max_score)} points")
        return "\n".join(tasks)

    def _repr_html_(self) -> str:
        from .report import html

        return html.feedback(self.report)


def check(what: str) -> None:
    """Check a task (``"kmeans.assign"``) or a whole lesson (``"kmeans"``) of this notebook and show the feedback.

    The inputs are the same at every call; grading draws fresh ones.

    Raises
    ------
    ValueError
        If there is no such lesson or task; the message lists those that there are.
    """
    feedback = feedback_for(what, _namespace())
    if _in_ipython():
        from IPython.display import display

        display(feedback)
    else:
        print(feedback)


def feedback_for(what: str, namespace: Mapping[str, Any]) -> Feedback:
    """The feedback of `check` on the functions of a namespace."""
    course = courses.load()
    topic, _, task = str(what).partition(".")
    try:
        plan = course[topic]
    except CourseError as error:
        raise ValueError(str(error)) from None
    names = [t.name for t in plan.tasks]
    if task and task not in names:
        raise ValueError(f"there is no task {what!r}; {plan.topic} has {', '.join(names)}")
    results = run_all(plan, LocalStudent(namespace), PUBLIC_SEED, [task] if task else None)
    report = Report(plan.id, plan.id, plan.title, sum(r.max_points for r in results), results)
    return Feedback(report)


def _in_ipython() -> bool:
    return "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None


def _namespace() -> Mapping[str, Any]:
    """The notebook's names; in a script, those of the caller's module."""
    if _in_ipython():
        return sys.modules["IPython"].get_ipython().user_ns
    return sys._getframe(2).f_globals
