"""Read a submitted notebook or script, and choose the definitions that are graded. Nothing is executed here.

Graded are the functions and classes named by the tasks, with the imports, constants and other functions that they
use. Plots and experiments around them are left out. A cell that cannot be parsed costs only what it defines.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import symtable
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from .course import Course, LessonPlan

MAX_FILE_BYTES = 300_000_000  # outputs of a notebook may be large; they are dropped
MAX_CODE_BYTES = 2_000_000  # code cells together
MAX_FILES = 5_000  # submissions in one zip or folder
SUFFIXES = (".ipynb", ".py")


class BadSubmission(ValueError):
    """A file that cannot be graded; the message says why and what to do."""


@dataclass(frozen=True)
class Cell:
    """A code cell, with magics and shell lines blanked so that line numbers stay."""

    number: int  # counting all cells from 1, as in Jupyter
    source: str
    grade_id: str | None

    @property
    def file(self) -> str:
        return f"<cell {self.number}>"


@dataclass
class Submission:
    """Code cells of one file."""

    name: str
    cells: list[Cell]
    sha256: str
    stem: str
    notes: list[str] = field(default_factory=list)  # what the student should know


@dataclass(frozen=True)
class _Statement:
    """A top-level statement: what it binds, and which global names it needs."""

    cell: Cell
    index: int
    binds: frozenset[str]
    needs: frozenset[str]
    now: frozenset[str]  # of these, needed while it runs, not only when its function is called
    is_definition: bool
    is_import: bool
    star: bool = False


def read(data: bytes, name: str) -> Submission:
    """Code cells of an ``.ipynb`` or ``.py`` file given as bytes.

    Raises
    ------
    BadSubmission
        If it is none, is empty, or is too large.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    stem = PurePosixPath(name.replace("\\", "/")).stem
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise BadSubmission(f"{name} is neither a notebook (.ipynb) nor a script (.py)")
    if not data.strip():
        raise BadSubmission(f"{name} is empty; save the notebook and submit it again")
    if len(data) > MAX_FILE_BYTES:
        raise BadSubmission(f"{name} has {len(data):,} bytes; at most {MAX_FILE_BYTES:,} are read: clear the outputs")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadSubmission(f"{name} is not text in UTF-8: is it really a {suffix} file?") from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    cells = list(_percent_cells(text) if suffix == ".py" else _notebook_cells(text, name))
    size = sum(len(c.source) for c in cells)
    if size > MAX_CODE_BYTES:
        raise BadSubmission(f"{name} holds {size:,} characters of code; at most {MAX_CODE_BYTES:,} are graded")
    if not any(c.source.strip() for c in cells):
        raise BadSubmission(f"{name} has no code cell")
    return Submission(name, cells, sha256, stem)


def _notebook_cells(text: str, name: str) -> Iterator[Cell]:
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", "nested too deeply")
        raise BadSubmission(
            f"{name} is not a notebook: its JSON breaks off or is damaged ({reason}). Download or save it again"
        ) from None
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if cells is None and isinstance(notebook, dict) and isinstance(notebook.get("worksheets"), list):
        sheets = [s for s in notebook["worksheets"] if isinstance(s, dict)]  # nbformat 3
        cells = [c for s in sheets for c in s.get("cells") or []]
    if not isinstance(cells, list):
        raise BadSubmission(f"{name} is JSON, but not a notebook: it has no cells")
    for number, cell in enumerate(cells, 1):
        if not isinstance(cell, dict) or cell.get("cell_type") != "code":
            continue
        source = cell.get("source", cell.get("input", ""))
        if isinstance(source, list):
            source = "".join(part for part in source if isinstance(part, str))
        metadata = cell.get("metadata")
        grade_id = metadata.get("grade_id") if isinstance(metadata, dict) else None
        if isinstance(source, str):
            yield Cell(number, _clean(source), grade_id if isinstance(grade_id, str) else None)


_PERCENT = re.compile(r"^# %%(?P<rest>.*)$", re.MULTILINE)
_GRADE_ID = re.compile(r'grade_id="([^"]+)"')


def _percent_cells(text: str) -> Iterator[Cell]:
    """Cells of a ``py:percent`` script; a plain script is one cell."""
    marks = list(_PERCENT.finditer(text))
    starts = [0, *(m.start() for m in marks)]
    for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(text)], strict=True)):
        head = text[start:end].split("\n", 1)[0]
        if "[markdown]" in head or "[raw]" in head:
            continue
        found = _GRADE_ID.search(head)
        yield Cell(number, _clean(text[start:end]), found.group(1) if found else None)


def _clean(source: str) -> str:
    """Blank magics and shell lines; keep every line's number."""
    source = source.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    lines = source.split("\n")
    first = next((i for i, line in enumerate(lines) if line.strip()), None)
    if first is not None and lines[first].startswith("%%"):
        python = re.match(r"%%(time|timeit|capture|prun|python3?)\b", lines[first])
        return "\n".join([""] * (first + 1) + lines[first + 1 :]) if python else ""
    return "\n".join(_blank(line) for line in lines)


def _blank(line: str) -> str:
    bare = line.lstrip()
    if bare.startswith(("%", "!")) or re.match(r"\w+\s*=\s*[%!]\w", bare):
        return line[: len(line) - len(bare)] + "pass"
    return line if not re.match(r"^[\w.]+\?{1,2}$|^\?{1,2}[\w.]+$", bare.rstrip()) else ""


def find_lesson(submission: Submission, course: Course, chosen: str | None = None) -> LessonPlan:
    """The lesson that a submission belongs to: as told, else by ``grade_id``, functions, or file name.

    Raises
    ------
    BadSubmission
        If none fits, or if it clearly belongs to another lesson than the one that was told.
    """
    names = {name for s in _statements(submission.cells, []) for name in s.binds}
    ids = {c.grade_id for c in submission.cells if c.grade_id}

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


def definitions(submission: Submission, tasks: Iterable[str]) -> dict[str, Any]:
    """What the sandbox has to run, as plain values; notes for the student are added to ``submission.notes``.

    Returns
    -------
    dict
        ``cells``: source by file name; ``statements``: in order, which statement of which cell binds which names.
    """
    notes = submission.notes
    statements = list(_statements(submission.cells, notes))
    bound_by: dict[str, list[int]] = {}
    for i, statement in enumerate(statements):
        for name in statement.binds:
            bound_by.setdefault(name, []).append(i)
    chosen = {i for i, s in enumerate(statements) if s.star}
    wanted = [(name, len(statements)) for name in tasks]
    seen: set[tuple[str, int]] = set()
    while wanted:
        name, before = wanted.pop()
        if (name, before) in seen:
            continue
        seen.add((name, before))
        binders = bound_by.get(name, [])
        earlier = [i for i in binders if i < before] or binders
        if not earlier:
            continue
        i = earlier[-1]
        chosen.add(i)
        # What runs at once needs the names as they are then; the body of a function needs the last ones.
        wanted += [(n, i if n in statements[i].now else len(statements)) for n in statements[i].needs]
    for name in tasks:
        cells = [statements[i].cell.number for i in bound_by.get(name, []) if statements[i].is_definition]
        if len(cells) > 1:
            notes.append(f"{name} is defined {len(cells)} times (cells {_list(cells)}); the last one is graded")
    run = [statements[i] for i in sorted(chosen)]
    return {
        "cells": {s.cell.file: s.cell.source for s in run},
        "statements": [{"cell": s.cell.file, "index": s.index, "names": sorted(s.binds)} for s in run],
    }


def misnamed(submission: Submission, plan: LessonPlan) -> dict[str, str]:
    """Tasks whose cell defines another name than the task's function, by task."""
    result = {}
    for cell in submission.cells:
        topic, _, task = (cell.grade_id or "").partition(".")
        if topic != plan.topic or task not in {t.name for t in plan.tasks}:
            continue
        names = [n for s in _statements([cell], []) if s.is_definition for n in sorted(s.binds)]
        if names and task not in names:
            result[task] = f"its cell (number {cell.number}) defines {_list(names)} instead"
    return result


def _statements(cells: Iterable[Cell], notes: list[str]) -> Iterator[_Statement]:
    for cell in cells:
        try:
            tree = ast.parse(cell.source, cell.file)
            lines = cell.source.splitlines(keepends=True)
            found = [_analyse(cell, i, node, lines) for i, node in enumerate(tree.body)]
        except SyntaxError as error:
            notes.append(
                f"cell {cell.number} cannot be read ({error.msg}, line {error.lineno}); nothing in it is graded"
            )
        except (ValueError, RecursionError, MemoryError) as error:
            notes.append(f"cell {cell.number} cannot be read ({type(error).__name__}); nothing in it is graded")
        else:
            yield from found


def _analyse(cell: Cell, index: int, node: ast.stmt, lines: list[str]) -> _Statement:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        names = frozenset((a.asname or a.name).split(".")[0] for a in node.names if a.name != "*")
        return _Statement(cell, index, names, frozenset(), frozenset(), False, True, not names)
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    source = "".join(lines[first - 1 : node.end_lineno])
    if len(source.splitlines()) == 1:  # two statements may share a line
        source = ast.unparse(node)
    try:
        table = symtable.symtable(source, cell.file, "exec")
    except SyntaxError:  # half a line, as in `a = 1; def ...`
        table = symtable.symtable(ast.unparse(node), cell.file, "exec")
    binds = frozenset(s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported())
    now = {s.get_name() for s in table.get_symbols() if s.is_referenced()}
    later = {s.get_name() for t in _inner(table) for s in t.get_symbols() if s.is_global() and s.is_referenced()}
    is_definition = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    if isinstance(node, ast.ClassDef):  # a class body runs at once
        later, now = later - now, now | later
    if is_definition and not isinstance(node, ast.ClassDef):
        now = now - {node.name}
    if isinstance(node, ast.AugAssign):
        now = now | binds
    return _Statement(cell, index, binds, frozenset(now | later), frozenset(now), is_definition, False)


def _inner(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    for child in table.get_children():
        yield child
        yield from _inner(child)


def _list(values: Iterable[Any]) -> str:
    words = [str(v) for v in values]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


@dataclass(frozen=True)
class Source:
    """One submission of a batch, not yet read."""

    name: str
    path: Path
    member: str | None = None  # name inside a zip

    def load(self) -> bytes:
        """Its bytes.

        Raises
        ------
        BadSubmission
            If it is gone, unreadable or too large.
        """
        try:
            if self.member is None:
                if self.path.stat().st_size > MAX_FILE_BYTES:
                    raise BadSubmission(f"{self.name} is larger than {MAX_FILE_BYTES:,} bytes: clear its outputs")
                return self.path.read_bytes()
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as stream:
                data = stream.read(MAX_FILE_BYTES + 1)  # the size that the archive announces may be a lie
        except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, zipfile.zlib.error) as error:
            raise BadSubmission(f"{self.name} cannot be read: {error}") from None
        return data


def find(paths: Iterable[Path]) -> list[Source]:
    """Submissions in files, folders and zips of folders, in order of their names.

    Raises
    ------
    BadSubmission
        If a path is not there, or a zip is not one. What is inside a good zip is looked at one by one, later.
    """
    sources: list[Source] = []
    for path in paths:
        if path.is_dir():
            files = sorted(p for p in path.rglob("*") if _counts(p.relative_to(path).as_posix()) and p.is_file())
            sources += [Source(p.relative_to(path).as_posix(), p) for p in files if not p.is_symlink()]
        elif path.suffix.lower() == ".zip" and path.is_file():
            sources += _in_zip(path)
        elif path.exists():
            sources.append(Source(path.name, path))
        else:
            raise BadSubmission(f"{path} is not there")
    if len(sources) > MAX_FILES:
        raise BadSubmission(f"{len(sources):,} submissions; at most {MAX_FILES:,} at once")
    return sources


def _in_zip(path: Path) -> list[Source]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(i.filename for i in archive.infolist() if not i.is_dir() and _counts(i.filename))
    except (zipfile.BadZipFile, OSError) as error:
        raise BadSubmission(f"{path.name} is not a zip file that can be read: {error}") from None
    return [Source(f"{path.name}/{n}", path, n) for n in names]


def _counts(name: str) -> bool:
    parts = PurePosixPath(name).parts
    hidden = any(p.startswith(".") or p in ("__MACOSX", "__pycache__") for p in parts)
    return not hidden and PurePosixPath(name).suffix.lower() in SUFFIXES
