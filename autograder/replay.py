"""Repeat a grade from its report: the same file, lesson and inputs; and say what differs, if anything does."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import grading
from .course import Course
from .provenance import differences
from .report import Report, number
from .report.results import read_entries
from .submission import Source

TEXTS = ("status", "title", "message", "hint", "mistake", "see", "max_points")


class ReplayError(ValueError):
    """There is nothing to repeat; the message says why."""


@dataclass(frozen=True)
class Replay:
    """A report made again, and how it compares."""

    report: Report
    written: Any  # the report as JSON values, in a list if the file was one
    surroundings: list[str]  # what of the judge and the machine is not as it was
    differences: list[str]  # what of the report is not as it was, points first
    timeouts: int  # checks that ran out of time, then or now


def replay(file: Path, notebook: Path, course: Course, *, lesson: str | None = None, isolated: bool = True) -> Replay:
    """Grade a notebook as its report in a JSON file says.

    Raises
    ------
    ReplayError
        If the file holds no report of this notebook, or several.
    BadSubmission, CourseError, SandboxUnavailable
        As from grading.
    """
    data = Source(notebook.name, notebook).load()
    try:
        then = _choose(read_entries(file), hashlib.sha256(data).hexdigest(), notebook, lesson)
        before = Report.from_dict(then)
    except ValueError as error:
        raise ReplayError(f"{file}: {error}" if str(file) not in str(error) else str(error)) from None
    if not before.graded:
        raise ReplayError(f"{file}: {before.submission} {before.error}. There is no grade to repeat: grade it")
    # A file that belongs to no lesson is read as if none was named, as when it was graded.
    report = grading.grade(
        data, before.submission, course, lesson=before.lesson or lesson, seed=before.seed, isolated=isolated
    )
    now = report.as_dict()
    checks = [*then["checks"], *now["checks"]]
    return Replay(
        report,
        [now] if file.read_text(encoding="utf-8-sig").lstrip().startswith("[") else now,
        differences(then["provenance"], now["provenance"]),
        compare(then, now),
        len({c["id"] for c in checks if c["status"] == "timeout"}),
    )


def _choose(entries: list[dict[str, Any]], sha256: str, notebook: Path, lesson: str | None) -> dict[str, Any]:
    """The report of this very file."""
    found = [e for e in entries if e["sha256"] == sha256]
    if not found:
        raise ReplayError(f"no report of {notebook.name}: none has its SHA-256, {sha256}. Has it been changed?")
    if lesson is not None and not (found := [e for e in found if e.get("lesson") in (lesson, None)]):
        raise ReplayError(f"no report of {notebook.name} for the lesson {lesson}")
    if len({e.get("lesson") for e in found}) > 1:
        lessons = ", ".join(str(e.get("lesson")) for e in found)
        raise ReplayError(f"{notebook.name} was graded for several lessons ({lessons}): name one with --lesson")
    path = notebook.resolve().as_posix()
    named = [e for e in found if path.endswith(f"/{str(e['submission']).lstrip('/')}")]
    if len(found) > 1 and len(named) != 1:
        names = ", ".join(str(e["submission"]) for e in found)
        raise ReplayError(f"{len(found)} submissions are this same file: {names}. Name one by its path")
    return (named or found)[0]


def compare(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What differs between two reports in words, points first; where they were made is left out."""
    old, new = ({c["id"]: c for c in values["checks"]} for values in (then, now))
    points = [] if then["score"] == now["score"] else [f"score: {_points(then)} then, {_points(now)} now"]
    texts = [
        f"{key}: {then[key]!r} then, {now[key]!r} now"
        for key in now
        if key not in ("score", "checks", "provenance") and then[key] != now[key]
    ]
    for id in dict.fromkeys([*old, *new]):
        if id not in old or id not in new:
            points.append(f"{id}: a check only {'then' if id in old else 'now'}")
            continue
        a, b = old[id], new[id]
        if a["points"] != b["points"]:
            points.append(f"{id}: {number(a['points'])} points then, {number(b['points'])} now")
        texts += [f"{id}, {key}: {a[key]!r} then, {b[key]!r} now" for key in TEXTS if a[key] != b[key]]
    if set(old) == set(new) and [c["id"] for c in then["checks"]] != list(new):
        texts.append("the order or number of the checks")
    return points + texts


def _points(values: dict[str, Any]) -> str:
    return "none" if values["score"] is None else number(values["score"])
