"""A grade that is repeated from its report."""

import json

import pytest
from toy import COURSE, SOLUTION

from autograder import batch, grading
from autograder.replay import ReplayError, compare, replay
from autograder.report import results
from autograder.sandbox import why_not

needs_sandbox = pytest.mark.skipif(why_not() is not None, reason=f"no sandbox here: {why_not()}")
WRONG = SOLUTION.replace("FACTOR * np.asarray(x)", "object() and FACTOR / x.nothing")


@pytest.fixture
def graded(tmp_path):
    """A folder of submissions, and the file with their reports."""
    for name, text in {"a.py": SOLUTION, "b.py": WRONG, "c.ipynb": "{", "d.py": "x = 1\nraise 0"}.items():
        (tmp_path / name).write_text(text)
    jobs = [batch.Job(i, s, 100 + i) for i, s in enumerate(batch.submissions.find([tmp_path]))]
    reports = [r.as_dict() for _, r in batch.grade_here(jobs, batch.Order(COURSE))]
    (tmp_path / "r.json").write_text(results.dumps(reports))
    return tmp_path


@needs_sandbox
@pytest.mark.parametrize("name", ["a.py", "b.py", "c.ipynb", "d.py"])
def test_the_same_file_gives_the_same_report_bit_for_bit(graded, name):
    done = replay(graded / "r.json", graded / name, COURSE)
    reports = json.loads((graded / "r.json").read_text())
    own = next(r for r in reports if r["submission"] == name)
    assert done.differences == [] == done.surroundings
    assert results.dumps(done.written) == results.dumps([own])
    (graded / "one.json").write_text(results.dumps(own))
    assert results.dumps(replay(graded / "one.json", graded / name, COURSE).written) == results.dumps(own)


@needs_sandbox
def test_what_differs_is_said_points_first(graded):
    reports = json.loads((graded / "r.json").read_text())
    reports[0]["checks"][0] |= {"points": 1.0, "message": "other"}
    reports[0] |= {"score": 27.0}
    reports[0]["provenance"]["packages"]["numpy"] = "1.0"
    (graded / "r.json").write_text(json.dumps(reports))
    done = replay(graded / "r.json", graded / "a.py", COURSE)
    assert done.differences[:2] == ["score: 27 then, 30 now", "toy.double.doubles: 1 points then, 4 now"]
    assert done.differences[2] == "toy.double.doubles, message: 'other' then, '' now"
    assert done.surroundings[0].startswith("numpy: 1.0 then, ")


def fake(submission, **options):
    """A report as JSON values, of the file with the text 'x'."""
    values = grading.grade(b"x", submission, COURSE, seed=1).as_dict()
    return values | options


@pytest.mark.parametrize(
    ("reports", "words"),
    [
        ([], "none has its SHA-256"),
        ([fake("a.py", sha256="0" * 64)], "Has it been changed"),
        ([fake("a.py"), fake("a.py", lesson="00_toy")], r"several lessons \(None, 00_toy\): name one with --lesson"),
        ([fake("ada/a.py"), fake("ben/a.py")], "2 submissions are this same file: ada/a.py, ben/a.py"),
        ([fake("a.py", score=None, error="could not be graded, so")], "There is no grade to repeat"),
        ([fake("a.py", notes=None)], "not a report of this version"),
        ({"a": 1}, "no file of `unseg grade --json`"),
    ],
)
def test_where_there_is_nothing_to_repeat_it_says_why(tmp_path, reports, words):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.py").write_text("x")
    (tmp_path / "r.json").write_text(json.dumps(reports))
    with pytest.raises(ReplayError, match=words):
        replay(tmp_path / "r.json", tmp_path / "x" / "a.py", COURSE)


def test_of_copies_the_one_with_this_path_is_meant(tmp_path):
    (tmp_path / "ben").mkdir()
    (tmp_path / "ben" / "a.py").write_text("x")
    (tmp_path / "r.json").write_text(json.dumps([fake("ada/a.py"), fake("ben/a.py")]))
    done = replay(tmp_path / "r.json", tmp_path / "ben" / "a.py", COURSE)
    assert done.report.submission == "ben/a.py" and done.differences == []


def test_damaged_json_is_named(tmp_path):
    (tmp_path / "a.py").write_text("x")
    (tmp_path / "r.json").write_text("[{")
    with pytest.raises(ReplayError, match="cannot be read as JSON"):
        replay(tmp_path / "r.json", tmp_path / "a.py", COURSE)


def test_checks_that_came_or_went_and_their_order_are_differences():
    then, now = fake("a.py"), fake("a.py")
    check = {"points": 1.0, **dict.fromkeys(("status", "title", "message", "hint", "mistake", "see"), "")}
    check["max_points"] = 1.0
    then["checks"] = [{"id": i, **check} for i in "abc"]
    now["checks"] = [{"id": i, **check} for i in "bd"]
    assert compare(then, now) == ["a: a check only then", "c: a check only then", "d: a check only now"]
    now["checks"] = then["checks"][::-1]
    assert compare(then, now) == ["the order or number of the checks"]
    now["checks"], then["checks"] = then["checks"], [{**then["checks"][0], "points": 0.0}, *then["checks"]]
    assert compare(then, now) == ["the order or number of the checks"]  # one that was put in, before the real one
