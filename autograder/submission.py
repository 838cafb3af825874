"""A submitted notebook or script, and the choice of the definitions that are graded. Nothing is executed here.

Graded are the functions and classes named by the tasks, with the imports, constants and other functions that they
use. Plots and experiments around them are left out. What cannot be read costs only the statement that it stands in.
"""

from __future__ import annotations

import difflib
import hashlib
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import PurePosixPath
from typing import Any

from . import parsing
from .cells import BadSubmission, Cell, read_cells
from .choosing import choose
from .course import Course, LessonPlan
from .sources import Source as Source
from .sources import find as find
from .statements import Statement, analyze

MAX_NOTES = 30


@dataclass
class Submission:
    """The cells of one file."""

    name: str
    cells: list[Cell]  # code
    sha256: str
    stem: str
    notes: list[str] = field(default_factory=list)  # what the student should know
    texts: list[Cell] = field(default_factory=list)  # markdown and raw cells that may be code all the same

    @cached_property
    def parsed(self) -> list[tuple[Cell, list[Statement], str | None]]:
        """Each cell, halves of one put together, with its statements and why a part cannot be read.

        Done once: reading code takes time.
        """
        with _without_warnings():
            return [
                _analyzed([self.cells[i] for i in reading.cells], reading)
                for reading in parsing.read_cells([c.source for c in self.cells])
            ]

    @property
    def statements(self) -> list[Statement]:
        """Top-level statements of all code cells, in order."""
        return [s for _, statements, _ in self.parsed for s in statements]

    @cached_property
    def retyped(self) -> list[list[Statement]]:
        """Statements of each cell that is no code cell but holds Python."""
        with _without_warnings():
            return [statements for cell in self.texts if (statements := _retyped(cell))]


def read(data: bytes, name: str) -> Submission:
    """The cells of an ``.ipynb`` or ``.py`` file given as bytes.

    Raises
    ------
    BadSubmission
        If it is none, is empty, or is too large.
    """
    cells = read_cells(data, name)
    code, texts = [c for c in cells if c.kind == "code"], [c for c in cells if c.kind != "code"]
    stem = PurePosixPath(name.replace("\\", "/")).stem
    return Submission(name, code, hashlib.sha256(data).hexdigest(), stem, texts=texts)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Python warns of a stranger's code, with pieces of it, where the judge's messages go."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _analyzed(cells: list[Cell], reading: parsing.Reading) -> tuple[Cell, list[Statement], str | None]:
    numbers = tuple(c.number for c in cells)
    grade_id = next((c.grade_id for c in cells if c.grade_id), None)
    cell = replace(cells[0], numbers=numbers, source=reading.text, grade_id=grade_id)
    statements, problem = [], reading.problem
    for node, first, source in reading.statements():
        try:
            statements.append(analyze(cell, node, first, source))
        except SyntaxError as error:
            problem = problem or f"{error.msg[:200]}, line {first - 1 + (error.lineno or 1)}"
        except parsing.UNREADABLE as error:
            problem = problem or f"{type(error).__name__}, line {first}"
    return cell, statements, problem and f"{cell.label} cannot be read ({problem})"


def _retyped(cell: Cell) -> list[Statement]:
    """What a markdown or raw cell holds; prose that is no Python holds nothing, even if a line of it is."""
    for reading in parsing.read_cells([cell.source]):
        statements = _analyzed([cell], reading)[1]
        if reading.problem is None or any(s.defines for s in statements):
            return statements
    return []


@lru_cache(maxsize=64)
def given(plan: LessonPlan) -> Submission | None:
    """The exercise as handed out without its exercise cells: imports and helpers. None where it is not there."""
    try:
        released = read(plan.released.encode(), f"{plan.id}.ipynb")
    except BadSubmission:  # nothing, or damaged, which is no student's fault
        return None
    cells = [replace(c, book=" of the exercise") for c in released.cells if not c.grade_id]
    return replace(released, cells=cells, texts=[])


def find_lesson(submission: Submission, course: Course, chosen: str | None = None) -> LessonPlan:
    """The lesson that a submission belongs to: as told, else by ``grade_id``, functions, or file name.

    Raises
    ------
    BadSubmission
        If none fits, or if it clearly belongs to another lesson than the one that was told.
    """
    names = {name for s in sum(submission.retyped, submission.statements) for name in s.binds}
    ids = {c.grade_id for c in [*submission.cells, *submission.texts] if c.grade_id}

    def evidence(plan: LessonPlan) -> tuple[int, int, int]:
        by_id = sum(f"{plan.topic}.{t.name}" in ids for t in plan.tasks)
        return by_id, sum(t.name in names for t in plan.tasks), int(submission.stem.startswith(plan.id.split("_")[0]))

    best = max(course.lessons.values(), key=evidence, default=None)
    found = best is not None and any(evidence(best)[:2])
    if chosen is None:
        if not found:
            raise BadSubmission(
                f"{submission.name} defines no function of any lesson; is it the right file? "
                f"(--lesson says which one it is; lessons: {', '.join(course.lessons)})"
            )
        return best
    plan = course[chosen]
    if found and not any(evidence(plan)[:2]):
        raise BadSubmission(f"{submission.name} looks like lesson {best.id}, not {plan.id}")
    return plan


def definitions(submission: Submission, tasks: Iterable[str], given: Submission | None = None) -> dict[str, Any]:
    """What the sandbox has to run, as plain values; notes for the student are added to ``submission.notes``.

    Parameters
    ----------
    given : the exercise as handed out (`given`), for names that the submission does not bind

    Returns
    -------
    dict
        ``cells``: sources by file name, for tracebacks; ``statements``: in order, the ``cell`` and its first ``line``,
        the ``source`` and the ``names`` that it binds; ``keep``: names that stay a function when a later statement
        gives them another value.
    """
    keep = list(tasks)
    lent = [s for s in given.statements if not s.binds & set(keep)] if given else []
    code, notes = [], []  # cells that are surely code, and others: `k = 3` may stand in a text as well
    for cell in submission.retyped:
        (code if any(s.defines or s.is_import for s in cell) else notes).extend(cell)
    run = choose([submission.statements, code, lent, notes], keep)
    submission.notes += [*_unread(submission), *_repeated(submission, keep), *_second_hand(run)]
    return {
        "cells": {s.cell.file: s.cell.source for s in run},
        "statements": [
            {"cell": s.cell.file, "line": s.line, "source": s.source, "names": sorted(s.binds)} for s in run
        ],
        "keep": keep,
    }


def _unread(submission: Submission) -> list[str]:
    notes = [
        f"{problem}; {'the rest of it' if statements else 'nothing in it'} is graded"
        for _, statements, problem in submission.parsed
        if problem
    ]
    return notes[:MAX_NOTES]


def _repeated(submission: Submission, tasks: list[str]) -> list[str]:
    notes = []
    for name in tasks:
        found = [s for s in submission.statements if name in s.defines]
        if len({s.source.strip() for s in found}) > 1:
            cells = list(dict.fromkeys(s.cell.number for s in found))
            where = f"cells {listed(cells)}" if len(cells) > 1 else found[0].cell.label
            notes.append(f"{name} is defined {len(found)} times ({where}); the last one is graded")
    return notes


def _second_hand(run: list[Statement]) -> list[str]:
    """Which cells of the wrong type, and which parts of the exercise as handed out, were used."""
    retyped = {s.cell.number: s.cell for s in run if s.cell.kind != "code"}
    notes = [f"{c.label} is a {c.kind} cell; its code is graded all the same" for _, c in sorted(retyped.items())]
    names = sorted({name for s in run if s.cell.book for name in s.binds})
    if names:
        notes.append(f"your notebook does not define {listed(names)}: taken from the exercise as handed out")
    return notes[:MAX_NOTES]


def misnamed(submission: Submission, plan: LessonPlan) -> dict[str, str]:
    """Tasks whose cell defines another name than the task's function, by task."""
    result = {}
    for cell, statements, _ in submission.parsed:
        topic, _, task = (cell.grade_id or "").partition(".")
        if topic != plan.topic or task not in {t.name for t in plan.tasks}:
            continue
        names = [n for s in statements for n in sorted(s.defines)]
        if names and task not in names:
            result[task] = f"its cell (number {cell.number}) defines {listed(names)} instead"
    tasks = {t.name for t in plan.tasks}
    found = {n: s.cell.number for s in submission.statements for n in s.defines}
    others = {n.lower(): n for n in sorted(found.keys() - tasks)}
    for task in tasks - result.keys() - found.keys():  # where an editor has dropped the ids of the cells
        for near in difflib.get_close_matches(task, others, 1, cutoff=0.8):
            result[task] = f"cell {found[others[near]]} defines {others[near]}"
    return result


def unreadable(submission: Submission, plan: LessonPlan) -> dict[str, str]:
    """Tasks whose cell is not Python, by task."""
    result = {}
    for cell, _, problem in submission.parsed:
        topic, _, task = (cell.grade_id or "").partition(".")
        if topic == plan.topic and problem:
            result[task] = f"its {problem}"
    return result


def listed(values: Iterable[Any]) -> str:
    """In words: a, b and c."""
    words = [str(v) for v in values]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
