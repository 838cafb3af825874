"""The syllabus: read, checked, and in step with the folders."""

import pytest

from autograder import course
from autograder.course import CourseError

GOOD = """
title: T
repository: https://example.org/x/
lessons:
  00_toy:
    title: Toy
    checks: toy.checks
    packages: [scipy]
    limits: {call_seconds: 3}
    deadline: 2026-12-01T23:59:00+01:00
    tasks:
      double: {points: 10, minutes: 5}
      total: {points: 20, minutes: 5}
"""


def load(tmp_path, text):
    (tmp_path / "course.yml").write_text(text)
    course.load.cache_clear()
    return course.load(tmp_path)


def test_a_good_syllabus(tmp_path):
    read = load(tmp_path, GOOD)
    plan = read["00_toy"]
    assert read.repository == "https://example.org/x" and plan.max_score == 30
    assert plan.limits.call_seconds == 3 and plan.deadline.utcoffset().total_seconds() == 3600
    assert read["toy"] is plan and read["00"] is plan
    assert plan.lesson().tasks == ["double", "total"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("title: T", "- T", "YAML|missing or of the wrong kind"),
        ("points: 10", "points: 0", "more than 0 points"),
        ("points: 10", "pionts: 10", "'points'"),
        ("points: 10", "points: ten", "00_toy, double: more than 0 points expected, not 'ten'"),
        ("points: 10", "points: .nan", "more than 0 points expected, not nan"),
        (", minutes: 5", "", "00_toy, double: 'minutes' is missing"),
        ("deadline:", "deadlin:", "00_toy: unknown entry 'deadlin'; is it 'deadline'?"),
        ("packages: [scipy]", "packages: scipy", "packages must be a list of names"),
        ("00_toy:", "toy:", "two digits and a topic"),
        ("call_seconds: 3", "call_seconds: three", "a call_seconds of more than 0 expected"),
        ("lessons:", "lessons: 3\nx:", "unknown entry 'x'; there are title, repository, lessons"),
        ("call_seconds", "seconds", "unexpected keyword argument 'seconds'"),
        ("2026-12-01T23:59:00+01:00", "tomorrow", "deadline must be a time with its zone"),
        ("2026-12-01T23:59:00+01:00", "2026-12-01T23:59:00", "deadline must be a time with its zone"),
    ],
)
def test_bad_entries_are_named(tmp_path, old, new, words):
    with pytest.raises(CourseError, match=words):
        load(tmp_path, GOOD.replace(old, new, 1))


def test_tasks_and_checks_must_match(tmp_path):
    read = load(tmp_path, GOOD.replace("total:", "sum:"))
    with pytest.raises(CourseError, match=r"tasks without checks \['sum'\], checks without a task \['total'\]"):
        read["00_toy"].lesson()


def test_checks_that_are_not_there(tmp_path):
    read = load(tmp_path, GOOD.replace("toy.checks", "toy.chekcs"))
    with pytest.raises(CourseError, match="00_toy: checks: there is no module toy.chekcs"):
        read["00_toy"].lesson()


def test_no_such_file_or_lesson(tmp_path):
    course.load.cache_clear()
    with pytest.raises(CourseError, match="UNSEG_COURSE"):
        course.load(tmp_path / "none")
    with pytest.raises(CourseError, match="there is no lesson 'x'; course.yml has 00_toy"):
        load(tmp_path, GOOD)["x"]
