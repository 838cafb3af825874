"""Reports as self-contained HTML: one page per submission, an index for many, and the feedback in a notebook."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from . import Report, number, plain
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


def write(reports: list[Report], folder: Path) -> Path:
    """One page per report and an index; returns the page to open first."""
    folder.mkdir(parents=True, exist_ok=True)
    names: dict[str, str] = {}
    for report in reports:
        base = re.sub(r"[^A-Za-z0-9._-]+", "_", report.submission).strip("._") or "submission"
        name, count = f"{base}.html", 1
        while name in names.values() or name == "index.html":
            count += 1
            name = f"{base}-{count}.html"
        names[report.submission] = name
        (folder / name).write_text(page(report), encoding="utf-8")
    index = folder / "index.html"
    index.write_text(_templates().get_template("index.html").render(reports=reports, names=names), encoding="utf-8")
    return folder / names[reports[0].submission] if len(reports) == 1 else index
