"""The forms of a report, and that nothing in them runs or misleads."""

import csv
import io
import json
import re

import numpy as np
import pytest

from autograder.lesson import CheckResult, Figure
from autograder.report import Report, html, plain, table, terminal

NASTY = "<script>alert(1)</script>\x1b[2J\u202etxt.exe\r\n=1+1"


def report(**options):
    checks = [
        CheckResult("toy.double.doubles", "double", "Every value is doubled", 4, 4, "passed"),
        CheckResult(
            id="toy.total.sums",
            task="total",
            title="Sums up",
            points=0,
            max_points=6.5,
            status="failed",
            message=NASTY,
            hint="look here",
            mistake="squares instead",
            see="try double(3)",
            figures=[
                Figure(
                    "Yours beside the expected",
                    {"yours": np.eye(40, dtype=int), "photo": np.zeros((9, 30, 3), np.uint8)},
                )
            ],
        ),
    ]
    values = {
        "submission": "anna/a.ipynb",
        "lesson": "00_toy",
        "title": "Toy",
        "max_score": 10.5,
        "checks": checks,
        "sha256": "ab" * 32,
        "seed": 3,
    }
    return Report(**{**values, **options})


def test_json_has_the_published_form(root):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((root / "autograder" / "report" / "schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    bad = Report("x.bin", error="x.bin is empty")
    jsonschema.validate(json.loads(json.dumps([report().as_dict(), bad.as_dict()])), schema)
    assert set(schema["items"]["properties"]) == set(report().as_dict())
    assert set(schema["items"]["properties"]["checks"]["items"]["properties"]) == set(report().as_dict()["checks"][0])


def test_scores_add_up():
    assert report().score == 4 and report().as_dict()["max_score"] == 10.5


def test_the_terminal_shows_what_is_wrong_and_nothing_that_steers_it():
    text = terminal.render(report(), color=False)
    assert "anna/a.ipynb  4/10.5  (Toy)" in text
    assert "✓ double" in text and "✗ total" in text and "hint: look here" in text and "squares instead" in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x1b\u202e]", text)
    assert max(map(len, text.splitlines())) <= terminal.WIDTH + 2


def test_a_page_is_self_contained_escaped_and_has_figures():
    page = html.page(report())
    assert "<script" not in page and "&lt;script&gt;" in page
    assert page.count('src="data:image/png;base64,') == 2 and 'alt="Yours beside the expected: yours"' in page
    assert not re.search(r"(src|href)=[\"'](?!data:)", page) and "@import" not in page


def test_many_pages_and_an_index(tmp_path):
    first = html.write([report(), Report("../../evil"), Report("anna a.ipynb")], tmp_path)
    assert first.name == "index.html"
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["anna_a.ipynb-2.html", "anna_a.ipynb.html", "evil.html", "index.html"]


def test_csv_has_one_row_each_and_no_formulas():
    rows = list(csv.DictReader(io.StringIO(table.render([report(submission="=cmd()"), Report("x", error="@bad")]))))
    assert rows[0]["submission"] == "'=cmd()" and rows[0]["00_toy.double"] == "4" and rows[1]["error"] == "'@bad"
    assert rows[1]["00_toy.double"] == ""


def test_plain_keeps_words_and_line_ends():
    assert plain("é ü 漢\n") == "é ü 漢\n" and plain("a\u202eb\x07") == "a�b�" and plain(None) is None
