"""One `Report` per submission, and its forms: terminal text, JSON, self-contained HTML, CSV."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Any

from ..lesson import CheckResult


@dataclass
class Report:
    """The grade of one submission, with everything needed to explain it.

    ``error`` is set, and the score 0, when the file could not be graded at all. Where that was not the student's doing,
    ``graded`` is False and there is no score.
    """

    submission: str
    lesson: str | None = None
    title: str = ""
    max_score: float = 100.0
    checks: list[CheckResult] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    error: str | None = None
    graded: bool = True
    seed: int = 0
    sha256: str = ""
    seconds: float = 0.0
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def score(self) -> float:
        return round(sum(c.points for c in self.checks), 2)

    @property
    def points(self) -> str:
        """Its score as text: ``92/100``, or ``-/100`` where the grader itself failed."""
        return f"{number(self.score) if self.graded else '-'}/{number(self.max_score)}"

    def tasks(self) -> dict[str, list[CheckResult]]:
        """Results by task, in the order of the lesson."""
        groups: dict[str, list[CheckResult]] = {}
        for result in self.checks:
            groups.setdefault(result.task, []).append(result)
        return groups

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; the form is published as ``schema.json`` beside this file.

        Nothing in it differs between two gradings with one seed: no times, no dates.
        """
        return {
            "submission": plain(self.submission),
            "lesson": self.lesson,
            "score": self.score if self.graded else None,
            "max_score": self.max_score,
            "error": plain(self.error),
            "notes": [plain(n) for n in self.notes],
            "checks": [_as_dict(c) for c in self.checks],
            "seed": self.seed,
            "sha256": self.sha256,
            "provenance": self.provenance,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any], title: str = "") -> Report:
        """The report that `as_dict` gave these values, without times and figures.

        Raises
        ------
        ValueError
            If they are not of its form.
        """
        try:
            given = {name: values[name] for name in FIELDS}
            checks = [CheckResult(**{name: check[name] for name in CHECK_FIELDS}) for check in values["checks"]]
            report = cls(**given, title=title, checks=checks, graded=values["score"] is not None)
            if report.as_dict() == values and isinstance(report.provenance, dict):
                return report
        except (KeyError, TypeError, AttributeError):
            pass
        raise ValueError("not a report of this version of unseg grade")


FIELDS = ("submission", "lesson", "max_score", "error", "notes", "seed", "sha256", "provenance")
CHECK_FIELDS = ("id", "task", "title", "points", "max_points", "status", "message", "hint", "mistake", "see")


def _as_dict(result: CheckResult) -> dict[str, Any]:
    return {
        "id": result.id,
        "task": result.task,
        "title": result.title,
        "points": result.points,
        "max_points": result.max_points,
        "status": result.status,
        "message": plain(result.message),
        "hint": plain(result.hint),
        "mistake": result.mistake,
        "see": result.see,
    }


MAX_TEXT = 3_000  # characters; a longer one is no longer an explanation
MAX_MARKS = 6  # combining characters on one letter; hundreds would cover the lines above and below
_STRANGE = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
_PADDING = re.compile(r"[\s\u2800\u3164\u115f\u1160\uffa0]{4,}")  # blanks, also those that count as letters
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")  # where an object lay in memory: another place each time


def plain(text: str | None) -> str | None:
    """Text without control and direction characters: a student's words must not steer a terminal or turn a line."""
    if text is None:
        return None
    text = _ADDRESS.sub(" at 0x...", text)
    text = text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 4] + " ..."  # twice is the same as once
    kept, marks = [], 0
    for c in text:
        kind = unicodedata.category(c)
        marks = marks + 1 if kind in ("Mn", "Me") else 0
        if marks <= MAX_MARKS:
            kept.append("�" if kind in _STRANGE and c != "\n" else c)
    return "".join(kept)


def line(text: str | None) -> str:
    """The same on one line: a file's name must not write a line of its own below others, nor fill this one up."""
    return _PADDING.sub(" ", plain(text) or "").replace("\n", " ")


def number(points: float) -> str:
    """Points without needless zeros: 8, 7.5."""
    return f"{points:.2f}".rstrip("0").rstrip(".")
