"""The cells of a submitted notebook or script, from its bytes. Nothing is executed here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from . import apart

MAX_FILE_BYTES = 300_000_000  # outputs of a notebook may be large; they are dropped
MAX_CODE_BYTES = 500_000  # code cells together; a long exercise has 50,000
MAX_TEXT_BYTES = 50_000  # of a markdown or raw cell, to be looked at for code
MAX_KEPT_BYTES = 20_000_000  # of a large notebook without its outputs: code and texts
LARGE_BYTES = 5_000_000  # a notebook of this size is read without its outputs, in a process with limits
SIMPLE_BYTES = 3_000  # less code than this is read at once; more is first tried in a process with limits
SUFFIXES = (".ipynb", ".py")


class BadSubmission(ValueError):
    """A file that cannot be graded; the message says why and what to do."""


@dataclass(frozen=True)
class Cell:
    """The source of a cell, or of neighbors that are read as one."""

    numbers: tuple[int, ...]  # counting all cells from 1, as in Jupyter
    source: str
    grade_id: str | None = None
    kind: str = "code"
    book: str = ""  # " of the exercise" where it is not the student's own

    @property
    def number(self) -> int:
        return self.numbers[0]

    @property
    def label(self) -> str:
        """What people call it."""
        words = [str(n) for n in self.numbers]
        return f"cell {words[0]}" if len(words) == 1 else f"cells {', '.join(words[:-1])} and {words[-1]}"

    @property
    def file(self) -> str:
        """What a traceback calls it."""
        return f"<{self.label}{self.book}>"


def read_cells(data: bytes, name: str) -> list[Cell]:
    """Cells of an ``.ipynb`` or ``.py`` file given as bytes; those that are no code only where they may hold some.

    Raises
    ------
    BadSubmission
        If it is none, is empty, or is too large.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise BadSubmission(f"{name} is neither a notebook (.ipynb) nor a script (.py)")
    if not data.strip():
        raise BadSubmission(f"{name} is empty; save the notebook and submit it again")
    if len(data) > MAX_FILE_BYTES:
        raise BadSubmission(f"{name} has {len(data):,} bytes; at most {MAX_FILE_BYTES:,} are read: clear the outputs")
    if suffix == ".py":
        _refuse_long(len(data) // 4, name)  # before it takes four bytes a character
    try:
        is_large = len(data) > LARGE_BYTES and suffix == ".ipynb"
        text = (without_outputs(data) if is_large else data).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadSubmission(f"{name} is not text in UTF-8: is it really a {suffix} file?") from None
    if suffix == ".py":
        _refuse_long(len(text), name)
    found = list(_percent_cells(_clean(text)) if suffix == ".py" else _notebook_cells(text, name))
    cells = [c for c in found if c.kind == "code" or _may_be_code(c.source)]
    if not any(c.source.strip() for c in cells):
        raise BadSubmission(f"{name} has no code cell")
    _refuse_bombs(cells, name)
    return cells


def _refuse_long(size: int, name: str) -> None:
    if size > MAX_CODE_BYTES:
        raise BadSubmission(f"{name} holds {size:,} characters of code; at most {MAX_CODE_BYTES:,} are graded")


def without_outputs(data: bytes) -> bytes:
    """A large notebook without its outputs."""
    kept = apart.DROP_OUTPUTS(data)
    if kept is None or len(kept) > MAX_KEPT_BYTES:
        raise BadSubmission("the notebook is large and cannot be read: clear its outputs, save it, submit it again")
    return kept


def _refuse_bombs(cells: list[Cell], name: str) -> None:
    """Refuse code that takes Python too much time or memory to read, however it does that."""
    code, others = [c.source for c in cells if c.kind == "code"], [c.source for c in cells if c.kind != "code"]
    if sum(map(len, code + others)) < SIMPLE_BYTES:
        return
    count = apart.COUNT_STATEMENTS(json.dumps([code, *([source] for source in others)]).encode())
    if count is None or int(count) > apart.MAX_STATEMENTS:
        raise BadSubmission(f"{name} holds code that is too long or too deeply nested to be read")


# ---- Formats ----


def _notebook_cells(text: str, name: str) -> Iterator[Cell]:
    """Cells of a notebook of format 3 to 4.5, or of what other tools have made of one."""
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", "nested too deeply")
        raise BadSubmission(
            f"{name} is not a notebook: its JSON breaks off or is damaged ({reason}). Download or save it again"
        ) from None
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not cells and isinstance(notebook, dict) and isinstance(notebook.get("worksheets"), list):
        sheets = [s for s in notebook["worksheets"] if isinstance(s, dict)]  # nbformat 3
        cells = [c for s in sheets if isinstance(s.get("cells"), list) for c in s["cells"]]
    if not isinstance(cells, list):
        raise BadSubmission(f"{name} is JSON, but not a notebook: it has no cells")
    size = 0
    for number, cell in enumerate(cells, 1):
        if not isinstance(cell, dict):
            continue
        kind, source = cell.get("cell_type"), _joined(cell.get("source", cell.get("input")))
        grade_id = metadata.get("grade_id") if isinstance(metadata := cell.get("metadata"), dict) else None
        kind = kind if isinstance(kind, str) else "code" if "outputs" in cell else "plain"
        if kind == "code":
            size += len(source) + 20  # a limit on the number of cells, too
            _refuse_long(size, name)
        yield Cell((number,), _clean(source), grade_id if isinstance(grade_id, str) else None, kind)


def _joined(source: Any) -> str:
    """A cell's source, which is a string, or a list of lines with or without their ends."""
    if not isinstance(source, list):
        return source if isinstance(source, str) else ""
    lines = [line for line in source if isinstance(line, str)]
    return ("" if any("\n" in line or "\r" in line for line in lines) else "\n").join(lines)


_PERCENT = re.compile(r"^#\s?%%(?=\s|$)(?P<rest>.*)$", re.MULTILINE)
_KIND = re.compile(r"\[(markdown|md|raw)\]")
_GRADE_ID = re.compile(r'grade_id="([^"]+)"')


def _percent_cells(text: str) -> Iterator[Cell]:
    """Cells of a ``py:percent`` script; a plain script is one cell."""
    marks = list(_PERCENT.finditer(text))
    starts = [0, *(m.start() for m in marks)]
    for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(text)], strict=True)):
        source = text[start:end]
        head = source.split("\n", 1)[0] if number else ""
        found, kind = _GRADE_ID.search(head), _KIND.search(head)
        if kind:
            source = _without_marks(source)
        yield Cell(
            (number,), source, found[1] if found else None, kind[1].replace("md", "markdown") if kind else "code"
        )


def _without_marks(source: str) -> str:
    """Text of a markdown cell without the comment marks, if all its lines have them."""
    head, *lines = source.split("\n")
    if all(line.startswith("#") for line in lines if line.strip()):
        lines = [line.removeprefix("#").removeprefix(" ") for line in lines]
    return "\n".join([head, *lines])


def _clean(source: str) -> str:
    """With one kind of line ends, and nothing in it that cannot be part of a file."""
    source = source.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").lstrip("\ufeff")
    return source.encode("utf-8", "replace").decode()  # half a character, as "\ud800"


_LOOKS_LIKE_CODE = re.compile(r"^(?:(?:async def|def|class|import|from)\s|@|\w[^\n]*=)", re.MULTILINE)


def _may_be_code(source: str) -> bool:
    """Whether a cell of text may be a code cell that got another type. Fenced code in a text is meant as text."""
    return len(source) < MAX_TEXT_BYTES and "```" not in source and bool(_LOOKS_LIKE_CODE.search(source))
