"""What a report may hold, read strictly: nothing of a student's is more than text in any of its forms."""

from __future__ import annotations

import csv
import html.parser
import io
import json
import re
import unicodedata
from pathlib import Path

import jsonschema

import autograder.report
from autograder.report import Report

REPORT = Path(autograder.report.__file__).parent
STYLE = (REPORT / "style.css").read_text(encoding="utf-8")
TAGS = set("html head meta title style body main h1 h2 h3 h4 div p section span b br footer figure figcaption".split())
TAGS |= set("img a table thead tbody tr th td bdi code pre".split())
VALUES = {
    "href": re.compile(r"[\w.%-]+\.html"),
    "src": re.compile(r"data:image/png;base64,[A-Za-z0-9+/=]+"),
    "style": re.compile(r"width: \d+\.?\d*%"),
    "class": re.compile(r"[a-z ]+"),
    "lang": re.compile("en"),
    "dir": re.compile("auto|ltr"),
    "charset": re.compile("utf-8"),
    "name": re.compile("viewport"),
    "http-equiv": re.compile("Content-Security-Policy"),
    "content": re.compile(r"[\w=, .:;'-]+"),
    "alt": re.compile(r"[\w ,:]+"),
}
NEVER = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}  # control, direction, surrogates, private use, line ends
MOST_MARKS = 8  # combining characters on one letter; no script in use needs so many
FORMULA = re.compile(r"""(^|[;|\t])[\s"]*[=+\-@\uff1d\uff0b\uff0d\uff20]""")


def report_is_broken(outcome) -> str | None:
    """The first thing in any form of the reports that ought not to be there."""
    checks = {"html": page, "csv": table, "json": plain_json, "terminal": terminal}
    for form, check in checks.items():
        problem = check(outcome.texts[form], outcome)
        if problem:
            return f"{form}: {problem}"
    return None


def text(value: str) -> str | None:
    """What must not be in any text that people see."""
    for letter in value:
        if letter != "\n" and unicodedata.category(letter) in NEVER:
            return f"U+{ord(letter):04X}"
    marks = 0
    for letter in value:
        marks = marks + 1 if unicodedata.category(letter) in ("Mn", "Me") else 0
        if marks > MOST_MARKS:
            return f"{marks} marks on one letter"
    return None


class _Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.problem, self.open = None, []

    def handle_starttag(self, tag, attrs):
        if tag not in TAGS:
            self.problem = self.problem or f"<{tag}>"
        for name, value in attrs:
            if name not in VALUES or not VALUES[name].fullmatch(value or ""):
                self.problem = self.problem or f"<{tag} {name}={str(value)[:60]!r}>"
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problem = self.problem or f"</{tag}> without a beginning"

    def handle_data(self, data):
        inside_style = self.open[-1:] == ["style"]
        if inside_style and STYLE not in data:
            self.problem = self.problem or "another style"
        self.problem = self.problem or text(data)

    def handle_comment(self, data):
        self.problem = self.problem or f"a comment {data[:60]!r}"

    def handle_pi(self, data):
        self.problem = self.problem or f"an instruction {data[:60]!r}"

    def unknown_decl(self, data):
        self.problem = self.problem or f"a declaration {data[:60]!r}"


def page(source: str, outcome=None) -> str | None:
    """Tags, attributes and their values are ours; the student's words are text."""
    reader = _Page()
    reader.feed(source)
    reader.close()
    return reader.problem or (f"<{reader.open[-1]}> is not closed" if reader.open else None)


def table(source: str, outcome) -> str | None:
    """One row a submission, each as wide as the head, no cell a formula."""
    rows = list(csv.reader(io.StringIO(source), strict=True))
    if len(rows) != len(outcome.reports) + 1 or source.count("\n") != len(rows):
        return f"{len(rows)} rows on {source.count(chr(10))} lines for {len(outcome.reports)} submissions"
    if {len(row) for row in rows} != {len(rows[0])}:
        return f"rows of different width: {[len(row) for row in rows]}"
    for row, report in zip(rows[1:], outcome.reports, strict=True):
        if row[2] != str(report.score) or row[3] != str(report.max_score):
            return f"points {row[2]} of {row[3]} for {report.score}"
        formula = next((cell for cell in row if FORMULA.search(cell)), None)
        if formula is not None:
            return f"a formula {formula!r}"
    return text(source)


def plain_json(source: str, outcome) -> str | None:
    """Whole, of the published form, with the points that were given."""
    reports = json.loads(source, parse_constant=lambda name: 1 / 0)
    jsonschema.validate(reports, json.loads((REPORT / "schema.json").read_text(encoding="utf-8")))
    points = [(r["score"], sum(c["points"] for c in r["checks"])) for r in reports]
    if points != [(r.score, sum(c.points for c in r.checks)) for r in outcome.reports]:
        return f"points {points}"
    for values in reports:
        Report.from_dict(values)  # as a run that goes on reads it
    return text(source)


SCORE = re.compile(r" {0,5}(\d+(\.\d+)?|-) ?/ ?\d| {0,5}[\u2713\u25d0\u2717\u00b7] ")  # ours; other words stand deeper


def terminal(source: str, outcome) -> str | None:
    """No control characters, no line that stands where only the grader writes, no line without an end."""
    problem = text(source)
    if problem:
        return problem
    longest = max(map(len, source.split("\n")))
    if longest > 3_200:
        return f"a line of {longest} characters"
    scores = sum(bool(SCORE.match(line)) for line in source.split("\n"))
    ours = sum(1 + len(r.tasks()) for r in outcome.reports)  # a line in the list, one for each task
    return None if scores == ours else f"{scores} lines look like scores; {ours} are"
