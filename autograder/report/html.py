"""Reports as self-contained HTML: one page per submission, an index for many, and the feedback in a notebook."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from . import Report, number, plain
from .files import write_whole
from .pictures import data_uri

FOLDER = Path(__file__).parent


@cache
def _templates():
    import jinja2

    loader = jinja2.FileSystemLoader(FOLDER)
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"number": number, "plain": plain, "picture": data_uri}
    environment.globals["style"] = (FOLDER / "style.css").read_text(encoding="utf-8")
    return environment


def page(report: Report) -> str:
    """A whole page that needs no other file."""
    return _templates().get_template("page.html").render(report=report)


def feedback(report: Report) -> str:
    """The part of a page that a notebook shows below a cell."""
    return _templates().get_template("feedback.html").render(report=report)


def write(reports: Sequence[Report], folder: Path) -> Path:
    """One page per report and an index; returns the page to open first."""
    names = file_names([r.submission for r in reports])
    for report, name in zip(reports, names, strict=True):
        write_page(report, folder / name)
    return write_index(reports, names, folder)


def file_names(submissions: Sequence[str]) -> list[str]:
    """A file for each submission's page, none called like another."""
    names: list[str] = []
    taken = {"index.html"}  # in lower case, for file systems that see no difference
    for submission in submissions:
        base = _file_name(submission)
        name, count = f"{base}.html", 1
        while name.lower() in taken:
            count += 1
            name = f"{base}-{count}.html"
        names.append(name)
        taken.add(name.lower())
    return names


def write_page(report: Report, path: Path) -> None:
    """The page of one report."""
    write_whole(path, page(report))


def write_index(reports: Sequence[Report], names: Sequence[str], folder: Path) -> Path:
    """The list of all pages; returns the page to open first."""
    rows = list(zip(reports, names, strict=True))
    write_whole(folder / "index.html", _templates().get_template("index.html").render(rows=rows))
    return folder / names[0] if len(reports) == 1 else folder / "index.html"


def _file_name(submission: str) -> str:
    """The letters and digits of a submission's name, in any script, in at most 200 bytes."""
    words = re.sub(r"[^\w.-]+", "_", unicodedata.normalize("NFC", plain(submission))).strip("._")
    return words.encode("utf-8", "ignore")[-200:].decode("utf-8", "ignore").lstrip("._-") or "submission"
