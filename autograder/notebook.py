"""``check("kmeans.assign")`` in a notebook: the checks of one task, on the functions defined so far."""

from __future__ import annotations

import dis
import sys
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any

from . import course as courses
from .course import CourseError
from .grading import PUBLIC_SEED, run_all
from .report import Report, number
from .sandbox import View
from .sandbox.inside.calls import describe
from .sandbox.view import modules
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
        return "\n".join([*tasks, *terminal.render_notes(self.report)])

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
    KeyboardInterrupt
        If the student stops it; the message names the line.
    """
    try:
        feedback = feedback_for(what, _namespace())
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(_stopped(stop)) from None
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
        near = [f'check("{p.topic}.{what}")' for p in course.lessons.values() for t in p.tasks if t.name == what]
        raise ValueError(f"{error}; do you mean {near[0]}?" if near else str(error)) from None
    names = [t.name for t in plan.tasks]
    if task and task not in names:
        raise ValueError(f"there is no task {what!r}; {plan.topic} has {', '.join(names)}")
    tasks = [task] if task else names
    results = run_all(plan, LocalStudent(namespace), PUBLIC_SEED, tasks)
    notes = _left_out(plan.view, tasks, namespace)
    return Feedback(Report(plan.id, plan.id, plan.title, sum(r.max_points for r in results), results, notes))


def _stopped(stop: KeyboardInterrupt) -> str:
    """Where the student stopped a check that took too long."""
    where = describe(stop)["where"]
    if not where:
        return "you stopped the check"
    return f"you stopped the check in {where['function']}, line {where['line']} of its cell: {where['code']}"


def _left_out(view: View, tasks: list[str], namespace: Mapping[str, Any]) -> list[str]:
    """A note for each package that the tasks' functions use here but will not find when they are graded."""
    notes = {}
    waiting = list(tasks)
    seen: set[str] = set()
    while waiting:
        name = waiting.pop(0)
        function = namespace.get(name)
        if name in seen or not isinstance(function, FunctionType) or function.__module__ != "__main__":
            continue
        seen.add(name)
        for used, is_import in _names(function.__code__):
            value = namespace.get(used)
            if not is_import and isinstance(value, FunctionType) and value.__module__ == "__main__":
                waiting.append(used)
                continue
            module = used if is_import else _module(value)
            if module and not _is_there(module, view):
                source = ".".join(module.split(".")[:2])
                what = used if is_import or used == source else f"{used} (from {source})"
                text = f"{name} uses {what}, which is not there when this lesson is graded: it would fail then"
                notes.setdefault((name, used), text)
    return list(notes.values())


def _names(code: CodeType) -> Iterator[tuple[str, bool]]:
    """Global names and modules that a function's code asks for, and whether it imports them itself."""
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "IMPORT_NAME"):
            yield step.argval, step.opname == "IMPORT_NAME"
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)


def _module(value: Any) -> str | None:
    name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    return name if isinstance(name, str) else None


def _is_there(module: str, view: View) -> bool:
    top = module.split(".")[0]
    if top in sys.stdlib_module_names or top == "__main__":
        return True
    if top == "unseg_helpers":
        return module == top or module.split(".")[1] in view.helpers
    if any(f"{module}.".startswith(f"{hidden}.") for hidden in view.hidden):
        return False
    try:
        return top in modules(view.packages)
    except LookupError:  # a package of the lesson is not installed here
        return True


def _in_ipython() -> bool:
    return "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None


def _namespace() -> Mapping[str, Any]:
    """The notebook's names; in a script, those of the caller's module."""
    if _in_ipython():
        return sys.modules["IPython"].get_ipython().user_ns
    return sys._getframe(2).f_globals
