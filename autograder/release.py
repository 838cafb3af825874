"""Make student notebooks from ``solutions/NN_topic.py``: answers out, a set-up cell in, the same bytes every time."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from .course import LESSON_ID, Course, LessonPlan

BEGIN, END = "# BEGIN SOLUTION", "# END SOLUTION"
STUB = 'raise NotImplementedError("your code here")'
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}

SETUP = """\
# Run this cell first. On Colab it installs the course (about a minute);
# elsewhere it only looks whether the course is there.
import importlib.util
import sys

course = "unseg @ git+{repository}"
if importlib.util.find_spec("unseg_helpers") is None:
    if "google.colab" not in sys.modules:
        raise ModuleNotFoundError(f"not installed here: pip install '{{course}}'")
    %pip install --quiet "$course"
"""


class ReleaseError(ValueError):
    """A solution file that cannot be released; the message names file and line."""


@dataclass
class _Cell:
    """A cell of a percent script with the line numbers of the file."""

    kind: str  # code or markdown
    start: int  # line of its marker, from 1
    lines: list[str]
    tags: set[str] = field(default_factory=set)
    grade_id: str | None = None

    @property
    def lines_text(self) -> str:
        """Text of a markdown cell, nothing of a code cell."""
        return "\n".join(self.lines) if self.kind == "markdown" else ""


_MARK = re.compile(r"^# %%(?:\s+\[(?P<kind>markdown|md|raw)\])?(?P<rest>.*)$")
_ID = re.compile(r'\bgrade_id="(?P<id>[^"]*)"')
_POINTS = re.compile(r"^# #+ .*\((?P<points>\d+(\.\d+)?) points?\)", re.MULTILINE)
_TAGS = re.compile(r"\btags=\[(?P<tags>[^\]]*)\]")


def build(source: str, plan: LessonPlan, course: Course, *, file: str) -> str:
    """The student notebook of one solution file, as JSON text.

    Raises
    ------
    ReleaseError
        For markers without a partner, nested markers, duplicate, missing or unknown ``grade_id``.
    """
    cells = _cells(source, file)
    bodies = [_strip(cell, file) for cell in cells]
    _check_ids(cells, plan, file)
    released = []
    for cell, body in zip(cells, bodies, strict=True):
        if "solution" in cell.tags:
            continue
        if cell.kind == "markdown":
            released.append(_new_cell("markdown", _markdown(body), cell))
        elif "".join(body).strip():
            released.append(_new_cell("code", "\n".join(body).strip("\n"), cell))
    if not released:
        raise ReleaseError(f"{file}: there is nothing to release")
    if plan.deadline is not None:
        released[0]["source"] += f"\n\nDue {plan.deadline:%A, %d %B %Y, %H:%M (%Z)}."
    setup = new_code_cell(SETUP.format(repository=course.repository).strip(), metadata={"tags": ["setup"]})
    released.insert(1, setup)
    _give_ids(released)
    metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}, "unseg": {"lesson": plan.id}}
    notebook = new_notebook(cells=released, metadata=metadata)
    nbformat.validate(notebook)
    text = nbformat.writes(notebook, version=4, indent=1) + "\n"
    if found := leaks(source, text):
        raise ReleaseError(f"{file}: this line of a solution would be released: {found[0]!r}")
    return text


def write(root: Path, course: Course, *, check: bool = False) -> list[Path]:
    """Write ``notebooks/`` for every lesson of the syllabus; returns what was out of date.

    With ``check`` nothing is written. An error in any solution leaves all notebooks as they are. A notebook that is
    called like a lesson but belongs to none is out of date as well; it is never removed, it may be somebody's work.
    """
    changed = []
    texts: dict[Path, str] = {}
    for plan in course.lessons.values():
        path = root / "solutions" / f"{plan.id}.py"
        if not path.is_file():
            raise ReleaseError(f"{path.name} is not in solutions/, but course.yml has lesson {plan.id}")
        try:
            source = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            line = path.read_bytes()[: error.start].count(b"\n") + 1
            raise ReleaseError(f"solutions/{path.name}:{line}: not text in UTF-8") from None
        texts[root / "notebooks" / f"{plan.id}.ipynb"] = build(source, plan, course, file=f"solutions/{path.name}")
    for target, text in texts.items():
        if not target.is_file() or target.read_text(encoding="utf-8") != text:
            changed.append(target)
            if not check:
                target.parent.mkdir(exist_ok=True)
                target.write_text(text, encoding="utf-8")
    stray = [p for p in sorted((root / "notebooks").glob("*.ipynb")) if p not in texts and LESSON_ID.fullmatch(p.stem)]
    return changed + stray


def leaks(source: str, released: str) -> list[str]:
    """Lines that stand only inside solutions of the source, and yet in the released text."""
    inside, outside, is_solution = [], set(), False
    for cell in _cells(source, "source"):
        for line in cell.lines:
            bare = line.strip()
            if bare == BEGIN:
                is_solution = True
            elif bare == END:
                is_solution = False
            elif is_solution or "solution" in cell.tags:
                inside.append(bare.removeprefix("# ") if cell.kind == "markdown" else bare)
            else:
                outside.add(bare.removeprefix("# ") if cell.kind == "markdown" else bare)
    notebook = nbformat.reads(released, as_version=4)
    lines = {line.strip() for cell in notebook.cells for line in cell.source.split("\n")}
    return [line for line in inside if len(line) > 3 and line not in outside and line in lines]


def _cells(source: str, file: str) -> list[_Cell]:
    cells: list[_Cell] = []
    for number, line in enumerate(source.replace("\r\n", "\n").split("\n"), 1):
        mark = _MARK.match(line)
        if mark:
            rest, kind = mark["rest"], mark["kind"]
            if kind == "raw":
                raise ReleaseError(f"{file}:{number}: raw cells are not used here")
            tags, found = _TAGS.search(rest), _ID.search(rest)
            cells.append(
                _Cell(
                    kind="markdown" if kind else "code",
                    start=number,
                    lines=[],
                    tags=set(re.findall(r'"([^"]+)"', tags["tags"])) if tags else set(),
                    grade_id=found["id"] if found else None,
                )
            )
        elif cells:
            cells[-1].lines.append(line)
        elif line.strip() and not line.startswith("#"):
            raise ReleaseError(f"{file}:{number}: code before the first '# %%'")
    return cells


def _check_ids(cells: list[_Cell], plan: LessonPlan, file: str) -> None:
    seen: dict[str, int] = {}
    points = {f"{plan.topic}.{t.name}": t.points for t in plan.tasks}
    heading: tuple[int, str] | None = None  # line, and the points that it promises
    known = {f"{plan.topic}.{t.name}" for t in plan.tasks}
    for cell in cells:
        if promised := _POINTS.search(cell.lines_text):
            heading = cell.start, promised["points"]
        if ("exercise" in cell.tags) != (cell.grade_id is not None):
            raise ReleaseError(f'{file}:{cell.start}: the tag "exercise" and a grade_id belong together')
        if cell.grade_id is None:
            continue
        if cell.grade_id in seen:
            raise ReleaseError(
                f"{file}:{cell.start}: grade_id {cell.grade_id} stands at line {seen[cell.grade_id]} too"
            )
        if cell.grade_id not in known:
            raise ReleaseError(f"{file}:{cell.start}: grade_id {cell.grade_id} is no task of {plan.id} in course.yml")
        if not any(line.strip() == BEGIN for line in cell.lines):
            raise ReleaseError(f"{file}:{cell.start}: an exercise without {BEGIN!r}")
        if heading and float(heading[1]) != points[cell.grade_id]:
            line, promised = heading
            raise ReleaseError(
                f"{file}:{line}: the heading promises {promised} points for {cell.grade_id}, "
                f"course.yml gives {points[cell.grade_id]:g}"
            )
        heading = None
        seen[cell.grade_id] = cell.start
    if missing := known - set(seen):
        raise ReleaseError(f"{file}: no cell for {', '.join(sorted(missing))}, which course.yml has")


def _strip(cell: _Cell, file: str) -> list[str]:
    """The cell's lines with each solution replaced by a line that says it is missing."""
    kept: list[str] = []
    begun: int | None = None
    for number, line in enumerate(cell.lines, cell.start + 1):
        bare = line.strip()
        if bare == BEGIN:
            if begun is not None:
                raise ReleaseError(f"{file}:{number}: {BEGIN!r} inside the one of line {begun}")
            begun = number
            kept.append(line[: len(line) - len(line.lstrip())] + STUB)
        elif bare == END:
            if begun is None:
                raise ReleaseError(f"{file}:{number}: {END!r} without a beginning")
            begun = None
        elif BEGIN.lower() in line.lower() or END.lower() in line.lower():
            raise ReleaseError(f"{file}:{number}: a marker must stand alone in its line, written {BEGIN!r} or {END!r}")
        elif begun is None:
            kept.append(line)
    if begun is not None:
        raise ReleaseError(f"{file}:{begun}: {BEGIN!r} without an end in its cell")
    return kept


def _markdown(lines: list[str]) -> str:
    return "\n".join(line[2:] if line.startswith("# ") else line.removeprefix("#") for line in lines).strip("\n")


def _new_cell(kind: str, source: str, cell: _Cell) -> nbformat.NotebookNode:
    metadata = {"tags": sorted(cell.tags)} if cell.tags else {}
    if cell.grade_id:
        metadata["grade_id"] = cell.grade_id
    return (new_markdown_cell if kind == "markdown" else new_code_cell)(source, metadata=metadata)


def _give_ids(cells: list[nbformat.NotebookNode]) -> None:
    """Ids from the content, so that a new cell does not rename the others."""
    used: set[str] = set()
    for cell in cells:
        name = cell.metadata.get("grade_id", "").replace(".", "-").replace("_", "-")
        base = name or hashlib.sha256(cell.source.encode()).hexdigest()[:12]
        cell["id"], count = base, 1
        while cell["id"] in used:
            count += 1
            cell["id"] = f"{base}-{count}"
        used.add(cell["id"])
