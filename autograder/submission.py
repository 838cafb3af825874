"""Read a submitted notebook or script, and choose the definitions that are graded. Nothing is executed here.

Graded are the functions and classes named by the tasks, with the imports, constants and other functions that they
use. Plots and experiments around them are left out. A cell that cannot be parsed costs only what it defines.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import json
import lzma
import re
import subprocess
import symtable
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from .course import Course, LessonPlan

MAX_FILE_BYTES = 300_000_000  # outputs of a notebook may be large; they are dropped
MAX_CODE_BYTES = 2_000_000  # code cells together
MAX_STATEMENTS = 20_000  # at the top level, all cells together
MAX_NOTES = 30
SIMPLE_BYTES = 20_000  # less code than this is read at once; more is first tried in a process with limits
MAX_FILES = 5_000  # submissions in one zip or folder
_UNZIP_ERRORS = (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, zlib.error, lzma.LZMAError)
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

    @cached_property
    def parsed(self) -> list[tuple[Cell, list[_Statement], str | None]]:
        """Each cell with its statements, and why it has none if it cannot be read. Done once: code may be a bomb."""
        return [(cell, *_statements(cell)) for cell in self.cells]

    @property
    def statements(self) -> list[_Statement]:
        """Top-level statements of all cells that can be read, in order."""
        return [s for _, statements, _ in self.parsed for s in statements]


@dataclass(frozen=True)
class _Statement:
    """A top-level statement: what it binds, and which global names it needs."""

    cell: Cell
    index: int
    binds: frozenset[str]
    needs: frozenset[str]
    now: frozenset[str]  # of these, needed while it runs, not only when its function is called
    is_definition: bool
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
        text = (_without_outputs(data) if len(data) > 5_000_000 and suffix == ".ipynb" else data).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadSubmission(f"{name} is not text in UTF-8: is it really a {suffix} file?") from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if suffix == ".py":
        _refuse_long(len(text), name)
    cells = list(_percent_cells(text) if suffix == ".py" else _notebook_cells(text, name))
    if not any(c.source.strip() for c in cells):
        raise BadSubmission(f"{name} has no code cell")
    _refuse_bombs(cells, name)
    return Submission(name, cells, sha256, stem)


def _refuse_long(size: int, name: str) -> None:
    if size > MAX_CODE_BYTES:
        raise BadSubmission(f"{name} holds {size:,} characters of code; at most {MAX_CODE_BYTES:,} are graded")


_WITH_LIMITS = """
import sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
except (ImportError, ValueError):  # not on this system
    pass
"""
_DROP_OUTPUTS = """
import json
try:
    book = json.loads(sys.stdin.buffer.read())
    book.get
except (ValueError, RecursionError, AttributeError):
    sys.exit(print("{"))  # damaged: the caller says so
sheets = [book, *(book.get("worksheets") or [])]
for cell in (c for s in sheets for c in s.get("cells") or []):
    cell.pop("outputs", None), cell.pop("attachments", None)
kept = {k: book[k] for k in ("cells", "worksheets") if k in book}
sys.stdout.write(json.dumps(kept))
"""
_TRY_TO_READ = """
import ast, json, symtable
count, peak = 0, 0
for source in json.load(sys.stdin):
    try:
        count += len(ast.parse(source).body)
        symtable.symtable(source, "", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
try:  # not ru_maxrss, which starts with the size of the process that started this one
    peak = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
except (OSError, IndexError):
    pass
print(count if peak < 600_000 else 10**9)
"""


def _apart(code: str, data: bytes, *, seconds: int, memory: int) -> bytes | None:
    """Output of code of ours in a process with limits; None if it fails or hits them."""
    head = _WITH_LIMITS.replace("MEMORY", str(memory)).replace("SECONDS", str(seconds))
    command = [sys.executable, "-I", "-S", "-c", head + code]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=2 * seconds)
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.returncode == 0 else None


def _without_outputs(data: bytes) -> bytes:
    """A large notebook without its outputs. Ten bytes of JSON can take a hundred of memory, so it has a limit."""
    kept = _apart(_DROP_OUTPUTS, data, seconds=30, memory=2_500_000_000)
    if kept is None:
        raise BadSubmission("the notebook is large and cannot be read: clear its outputs, save it, submit it again")
    return kept


def _refuse_bombs(cells: list[Cell], name: str) -> None:
    """Refuse code that takes Python too much time or memory to read, however it does that."""
    sources = [c.source for c in cells]
    if sum(map(len, sources)) < SIMPLE_BYTES:
        return
    count = _apart(_TRY_TO_READ, json.dumps(sources).encode(), seconds=4, memory=1_000_000_000)
    if count is None or int(count) > MAX_STATEMENTS:
        raise BadSubmission(f"{name} holds code that is too long or too deeply nested to be read")


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
        cells = [c for s in sheets if isinstance(s.get("cells"), list) for c in s["cells"]]
    if not isinstance(cells, list):
        raise BadSubmission(f"{name} is JSON, but not a notebook: it has no cells")
    size = 0
    for number, cell in enumerate(cells, 1):
        if not isinstance(cell, dict) or cell.get("cell_type") != "code":
            continue
        source = cell.get("source", cell.get("input", ""))
        if isinstance(source, list):
            source = "".join(part for part in source if isinstance(part, str))
        metadata = cell.get("metadata")
        grade_id = metadata.get("grade_id") if isinstance(metadata, dict) else None
        if isinstance(source, str):
            size += len(source) + 20  # a limit on the number of cells, too
            _refuse_long(size, name)
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
    names = {name for s in submission.statements for name in s.binds}
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
        ``cells``: source by file name; ``statements``: in order, which statement of which cell binds which names;
        ``keep``: names that stay a function when a later statement gives them another value.
    """
    notes = submission.notes
    statements = submission.statements
    unread = [f"{problem}; nothing in it is graded" for _, _, problem in submission.parsed if problem]
    notes += unread[:MAX_NOTES]
    bound_by: dict[str, list[int]] = {}
    for i, statement in enumerate(statements):
        for name in statement.binds:
            bound_by.setdefault(name, []).append(i)
    chosen = {i for i, s in enumerate(statements) if s.star}
    keep = list(tasks)
    wanted = [(name, len(statements)) for name in keep]
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
        last = [earlier[-1]]
        if name in keep and not statements[last[0]].is_definition:  # `inertia = inertia(x, c, l)`: maybe no function
            last += [i for i in earlier if statements[i].is_definition][-1:]
        for i in last:
            chosen.add(i)
            # What runs at once needs the names as they are then; the body of a function needs the last ones.
            wanted += [(n, i if n in statements[i].now else len(statements)) for n in statements[i].needs]
    for name in keep:
        cells = [statements[i].cell.number for i in bound_by.get(name, []) if statements[i].is_definition]
        if len(cells) > 1:
            notes.append(f"{name} is defined {len(cells)} times (cells {_list(cells)}); the last one is graded")
    run = [statements[i] for i in sorted(chosen)]
    return {
        "cells": {s.cell.file: s.cell.source for s in run},
        "statements": [{"cell": s.cell.file, "index": s.index, "names": sorted(s.binds)} for s in run],
        "keep": keep,
    }


def misnamed(submission: Submission, plan: LessonPlan) -> dict[str, str]:
    """Tasks whose cell defines another name than the task's function, by task."""
    result = {}
    for cell, statements, _ in submission.parsed:
        topic, _, task = (cell.grade_id or "").partition(".")
        if topic != plan.topic or task not in {t.name for t in plan.tasks}:
            continue
        names = [n for s in statements if s.is_definition for n in sorted(s.binds)]
        if names and task not in names:
            result[task] = f"its cell (number {cell.number}) defines {_list(names)} instead"
    tasks = {t.name for t in plan.tasks}
    found = {n: s.cell.number for s in submission.statements if s.is_definition for n in s.binds}
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


def _statements(cell: Cell) -> tuple[list[_Statement], str | None]:
    """Statements of a cell, or none and the reason."""
    try:
        tree = ast.parse(cell.source, cell.file)
        lines = [line + "\n" for line in cell.source.split("\n")]  # as Python counts them: no form feeds, no U+2028
        return [_analyse(cell, i, node, lines) for i, node in enumerate(tree.body)], None
    except SyntaxError as error:
        reason = f"{error.msg[:200]}, line {error.lineno}"
    except (ValueError, RecursionError, MemoryError) as error:
        reason = type(error).__name__
    return [], f"cell {cell.number} cannot be read ({reason})"


def _analyse(cell: Cell, index: int, node: ast.stmt, lines: list[str]) -> _Statement:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        names = frozenset((a.asname or a.name).split(".")[0] for a in node.names if a.name != "*")
        return _Statement(cell, index, names, frozenset(), frozenset(), False, not names)
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    if first == node.end_lineno:  # two statements may share a line
        source = ast.unparse(node)
    else:
        source = "".join(lines[first - 1 : node.end_lineno])
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
    return _Statement(cell, index, binds, frozenset(now | later), frozenset(now), is_definition)


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
    member: zipfile.ZipInfo | None = None  # inside a zip
    problem: str | None = None  # why there is nothing to read

    def load(self) -> bytes:
        """Its bytes.

        Raises
        ------
        BadSubmission
            If it is gone, unreadable or too large.
        """
        if self.problem is not None:
            raise BadSubmission(self.problem)
        try:
            if self.member is None:
                if self.path.stat().st_size > MAX_FILE_BYTES:
                    raise BadSubmission(f"{self.name} is larger than {MAX_FILE_BYTES:,} bytes: clear its outputs")
                return self.path.read_bytes()
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as stream:
                data = stream.read(MAX_FILE_BYTES + 1)  # the size that the archive announces may be a lie
        except (OSError, *_UNZIP_ERRORS) as error:
            raise BadSubmission(f"{self.name} cannot be read: {error}") from None
        return data


def find(paths: Iterable[Path], skipped: list[str] | None = None) -> list[Source]:
    """Submissions in files, folders and zips, in order of their names.

    A folder's zips are opened too. Names are relative to the folder or zip that was asked for, unless two would be
    the same: then all begin with its path.

    Parameters
    ----------
    skipped : gets the names of files in folders and zips that are no submission

    Raises
    ------
    BadSubmission
        If a path is not there, or nothing but zips that cannot be read. What is inside is looked at one by one, later.
    """
    skipped = [] if skipped is None else skipped
    found: list[tuple[str, Source]] = []  # with the name to use if short ones clash
    for path in dict.fromkeys(paths):
        if path.is_dir():
            here = _in_folder(path, skipped)
            found += [(f"{path.as_posix()}/{s.name}", s) for s in here]
        elif path.suffix.lower() == ".zip" and path.is_file():
            here = _in_zip(path, path.name, skipped)
            found += [(f"{path.parent.as_posix()}/{s.name}", s) for s in here]
        elif path.is_file():
            found.append((path.as_posix(), Source(path.name, path)))
        else:
            raise BadSubmission(f"{path} is {'neither a file nor a folder' if path.exists() else 'not there'}")
    if len(found) > MAX_FILES:
        raise BadSubmission(f"{len(found):,} submissions; at most {MAX_FILES:,} at once")
    if found and all(s.problem for _, s in found):
        raise BadSubmission(found[0][1].problem)
    is_clear = len({s.name for _, s in found}) == len(found)
    return [s if is_clear else replace(s, name=full) for full, s in found]


def _in_folder(folder: Path, skipped: list[str]) -> list[Source]:
    sources: list[Source] = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if _is_hidden(name) or not (path.is_symlink() or path.is_file()):
            continue
        if path.is_symlink():
            skipped.append(f"{name} (a link)")
        elif path.suffix.lower() == ".zip":
            sources += _in_zip(path, name, skipped)
        elif path.suffix.lower() in SUFFIXES:
            sources.append(Source(name, path))
        else:
            skipped.append(name)
    return sources


def _in_zip(path: Path, name: str, skipped: list[str]) -> list[Source]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = {i.filename: i for i in archive.infolist()}  # of two with one name the last, as unzipping would
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        return [Source(name, path, problem=f"{name} is not a zip file that can be read: {error}")]
    sources: list[Source] = []
    named = [(filename.replace("\\", "/").lstrip("/"), member) for filename, member in members.items()]
    for inner, member in sorted(named, key=lambda pair: pair[0]):
        full = f"{name}/{inner}"
        if inner.endswith("/") or _is_hidden(inner):
            continue
        if inner.lower().endswith(".zip"):
            sources.append(
                Source(full, path, problem=f"{full} is a zip inside a zip: unpack {name} and grade the folder")
            )
        elif inner.lower().endswith(SUFFIXES):
            sources.append(Source(full, path, member))
        else:
            skipped.append(full)
    return sources


def _is_hidden(name: str) -> bool:
    """Whether no person wrote it: hidden files and folders, caches, and what macOS adds to a zip."""
    parts = PurePosixPath(name).parts
    return any((p.startswith(".") and p != "..") or p in ("__MACOSX", "__pycache__") for p in parts)
