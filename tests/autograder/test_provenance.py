"""What a report says of the judge and the machine that made it."""

import dataclasses
import datetime
import re

import pytest
from toy import PLAN

from autograder import provenance
from autograder.course import Task
from autograder.sandbox import View


def test_it_names_the_judge_and_what_takes_part():
    values = provenance.provenance(PLAN)
    assert all(re.fullmatch("[0-9a-f]{16}", values[key]) for key in ("checks", "environment"))
    assert {"unseg", "numpy", "scipy", "safetensors"} <= values["packages"].keys()
    assert values == provenance.provenance(PLAN)


@pytest.mark.parametrize(
    "change",
    [
        {"tasks": (Task("double", 20.0, 5), Task("total", 20.0, 5))},
        {"limits": dataclasses.replace(PLAN.limits, call_seconds=9)},
        {"view": View(packages=("scipy",))},
        {"checks": "toy"},
    ],
)
def test_another_plan_is_another_version_of_the_checks(change):
    changed = dataclasses.replace(PLAN, **change)
    assert provenance.checks_version(changed) != provenance.checks_version(PLAN)


def test_a_later_deadline_changes_no_grade():
    later = dataclasses.replace(PLAN, title="New", deadline=datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC))
    assert provenance.checks_version(later) == provenance.checks_version(PLAN)


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A small judge with a reference library."""
    for name in ("autograder/grading.py", "autograder/checks/a.py", "autograder/cli/b.py", "unseg_helpers/c.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(provenance, "HERE", tmp_path / "autograder")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("autograder/grading.py", True),
        ("autograder/checks/new.py", True),
        ("unseg_helpers/c.png", True),
        ("autograder/cli/b.py", False),
        ("unseg_helpers/__pycache__/c.pyc", False),
    ],
)
def test_the_code_that_decides_points_counts_and_no_other(tree, name, counts):
    code = provenance._code.__wrapped__
    before = code()
    (tree / name).parent.mkdir(exist_ok=True)
    (tree / name).write_text("changed")
    assert (code() != before) == counts


def test_other_software_is_another_environment(monkeypatch):
    before = provenance.provenance(PLAN)
    monkeypatch.setattr(provenance.platform, "python_version", lambda: "3.99.0")
    provenance._environment.cache_clear()
    try:
        after = provenance.provenance(PLAN)
    finally:
        monkeypatch.undo()
        provenance._environment.cache_clear()
    assert after["environment"] != before["environment"] and after["checks"] == before["checks"]
    assert provenance.differences(before, after) == [f"python: {before['python']} then, 3.99.0 now"]
    assert provenance.differences(before, before) == []


def test_a_package_that_came_or_went_is_named():
    then, now = {"packages": {"numpy": "1", "old": "1"}}, {"packages": {"numpy": "2"}}
    assert provenance.differences(then, now) == ["numpy: 1 then, 2 now", "old: 1 then, nothing now"]
