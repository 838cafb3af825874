"""One `Report` per submission, and its forms: terminal text, JSON, self-contained HTML, CSV."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from typing import Any

from ..lesson import CheckResult


@dataclass
class Report:
    """The grade of one submission, with everything needed to explain it.

    ``error`` is set, and the score 0, when the file could not be graded at all.
    """

    submission: str
    lesson: str | None = None
    title: str = ""
    max_score: float = 100.0
    checks: list[CheckResult] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    error: str | None = None
    seed: int = 0
    sha256: str = ""
    seconds: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def score(self) -> float:
        return round(sum(c.points for c in self.checks), 2)

    def tasks(self) -> dict[str, list[CheckResult]]:
        """Results by task, in the order of the lesson."""
        groups: dict[str, list[CheckResult]] = {}
        for result in self.checks:
            groups.setdefault(result.task, []).append(result)
        return groups

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; the form is published as ``schema.json`` beside this file."""
        return {
            "submission": plain(self.submission),
            "lesson": self.lesson,
            "score": self.score,
            "max_score": self.max_score,
            "error": plain(self.error),
            "notes": [plain(n) for n in self.notes],
            "checks": [_as_dict(c) for c in self.checks],
            "seed": self.seed,
            "sha256": self.sha256,
            "seconds": round(self.seconds, 3),
            "versions": self.versions,
        }


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
        "seconds": result.seconds,
    }


MAX_TEXT = 3_000  # characters; a longer one is no longer an explanation


def plain(text: str | None) -> str | None:
    """Text without control and direction characters: a student's words must not steer a terminal or turn a line."""
    if text is None:
        return None
    text = text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + " ..."
    strange = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    return "".join(c if c == "\n" or unicodedata.category(c) not in strange else "�" for c in text)


def line(text: str | None) -> str:
    """The same on one line: a file's name must not write a line of its own below others."""
    return (plain(text) or "").replace("\n", " ")


def number(points: float) -> str:
    """Points without needless zeros: 8, 7.5."""
    return f"{points:.2f}".rstrip("0").rstrip(".")
