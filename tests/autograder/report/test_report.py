"""The forms of a report, and that nothing in them runs or misleads."""

import csv
import io
import json
import re
from urllib.parse import unquote

import numpy as np
import pytest
from toy import PLAN

from autograder.lesson import CheckResult, Figure
from autograder.provenance import provenance
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
        "provenance": provenance(PLAN),
    }
    return Report(**{**values, **options})


def test_json_has_the_published_form(root):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((root / "autograder" / "report" / "schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    bad, ours = Report("x.bin", error="x.bin is empty"), Report("y.py", error="could not be graded", graded=False)
    for other in (bad, ours):
        other.provenance = provenance(None)
    jsonschema.validate(json.loads(json.dumps([r.as_dict() for r in (report(), bad, ours)])), schema)
    assert set(schema["items"]["properties"]) == set(report().as_dict())
    assert set(schema["items"]["properties"]["checks"]["items"]["properties"]) == set(report().as_dict()["checks"][0])


def test_json_holds_no_time_and_comes_back_as_it_was():
    first, second = report(seconds=1.0), report(seconds=2.0)
    first.checks[0].seconds = 0.5
    assert first.as_dict() == second.as_dict() and "seconds" not in json.dumps(first.as_dict())
    values = json.loads(json.dumps(report(error="x" * 5_000 + " at 0x7f", notes=[NASTY]).as_dict()))
    assert Report.from_dict(values).as_dict() == values
    for wrong in ({**values, "score": 5}, {**values, "checks": None}, {**values, "more": 1}, {}):
        with pytest.raises(ValueError, match="not a report of this version"):
            Report.from_dict(wrong)


def test_where_an_object_lay_in_memory_is_left_out():
    assert plain("<f at 0x7f12ab> and <g at 0x55>") == "<f at 0x...> and <g at 0x...>"


def test_where_the_grader_failed_there_is_no_score_in_any_form():
    ours = report(checks=[], error="could not be graded", graded=False)
    assert ours.as_dict()["score"] is None and "a.ipynb  -/10.5" in terminal.render(ours, color=False)
    assert next(csv.DictReader(io.StringIO(table.render([ours]))))["score"] == ""
    assert "not graded yet" in html.page(ours) and "0 of 10.5" not in html.page(ours)


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
    assert ".unseg .error {" not in page  # it would make every check of that status bold and red
    assert not re.search(r"(src|href)=[\"'](?!data:)", page) and "@import" not in page


def test_many_pages_and_an_index(tmp_path):
    first = html.write([report(), Report("../../evil"), Report("anna a.ipynb")], tmp_path)
    assert first.name == "index.html"
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["anna_a.ipynb-2.html", "anna_a.ipynb.html", "evil.html", "index.html"]


def test_no_page_replaces_another_and_each_has_its_line(tmp_path):
    submissions = ["a/x.py", "a/x.py", "a/x.py", "A/X.py", "张伟/作业.ipynb", "é" * 300 + ".py"]
    html.write([Report(name, error=f"number {i}") for i, name in enumerate(submissions)], tmp_path)
    links = re.findall('href="([^"]+)"', (tmp_path / "index.html").read_text())
    pages = [(tmp_path / unquote(link)).read_text() for link in links]
    assert [f"number {i}" in page for i, page in enumerate(pages)] == [True] * len(submissions)
    assert len({link.lower() for link in links}) == len(submissions) and unquote(links[4]) == "张伟_作业.ipynb.html"


def test_csv_has_one_row_each_and_no_formulas():
    rows = list(csv.DictReader(io.StringIO(table.render([report(submission="=cmd()"), Report("x", error="@bad")]))))
    assert rows[0]["submission"] == "'=cmd()" and rows[0]["00_toy.double"] == "4" and rows[1]["error"] == "'@bad"
    assert rows[1]["00_toy.double"] == ""


def test_plain_keeps_words_and_line_ends():
    assert plain("é ü 漢\n") == "é ü 漢\n" and plain("a\u202eb\x07") == "a�b�" and plain(None) is None


def test_a_name_cannot_write_a_line_of_its_own():
    forged = report(submission="a\n100/100  b.py", error="x\u2028y\nz")
    assert terminal.render(forged, color=False).splitlines()[0].startswith("a 100/100  b.py")
    assert len(table.render([forged]).splitlines()) == 2


def test_a_flood_of_words_is_cut():
    assert len(plain("x" * 1_000_000)) < 4_000


@pytest.mark.parametrize("name", ["a;=cmd()", 'a; "=cmd()', " =cmd()", "＝cmd()", "a|@x"])
def test_formulas_of_other_countries_are_quoted(name):
    row = next(csv.reader([table.render([report(submission=name)]).splitlines()[1]]))
    assert re.search(r"(^|[;|])[\s\"]*[=@＝]", row[0]) is None
