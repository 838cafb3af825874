"""Reports as CSV: one row a submission, one column a task."""

from __future__ import annotations

import csv
import io
import re

from . import Report, line

# At the start, or after what a spreadsheet of another country takes for the end of a field.
_FORMULA = re.compile(r"(^|[;|])([\s\"']*)(?=[=+\-@＝＋－＠])")


def render(reports: list[Report]) -> str:
    """CSV with a header; text that a spreadsheet would run as a formula is quoted with an apostrophe.

    Where the grader itself failed the score is empty, so that it does not count as 0.
    """
    tasks = list(dict.fromkeys(f"{r.lesson}.{t}" for r in reports for t in r.tasks()))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["submission", "lesson", "score", "max_score", "error", *tasks])
    for report in reports:
        points = {f"{report.lesson}.{t}": round(sum(c.points for c in cs), 2) for t, cs in report.tasks().items()}
        score = report.score if report.graded else ""
        row = [_text(report.submission), report.lesson or "", score, report.max_score, _text(report.error or "")]
        writer.writerow(row + [points.get(t, "") for t in tasks])
    return stream.getvalue()


def _text(value: str) -> str:
    return _FORMULA.sub(r"\1'\2", line(value))
