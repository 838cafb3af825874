"""The benchmark of grading: it counts what it says, and gives honest verdicts. No timing is judged here."""

import dataclasses
import json
import os
import subprocess
import sys
import time

import pytest

from autograder.sandbox import why_not
from benchmarks import grading_speed, torch_lesson

needs_sandbox = pytest.mark.skipif(why_not() is not None, reason=f"no sandbox here: {why_not()}")


def test_watching_counts_a_whole_tree():
    """A process that computes and holds memory in a child of its own."""
    inner = "import time\nheld = bytearray(50_000_000)\nwhile time.process_time() < 0.4: pass"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    with subprocess.Popen([sys.executable, "-c", outer]) as process:
        with grading_speed.Watch(process.pid, memory=True) as watch:
            process.wait()
    assert 0.3 < watch.cpu <= watch.wall + 0.1
    assert 50_000_000 < watch.peak < 200_000_000


def test_watching_leaves_out_what_was_before():
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass
    with grading_speed.Watch(os.getpid(), memory=False) as watch:
        time.sleep(0.05)
    assert watch.cpu < 0.2


@needs_sandbox
@pytest.mark.parametrize(("name", "memory"), [("1 from nothing", False), ("1 warm", True)])
def test_a_case_is_measured(name, memory):
    result = grading_speed.run(names=(name,), rounds=1, memory=memory)
    (row,) = result["rows"]
    assert row["wall_seconds"] > row["overhead_seconds"] > 0 and row["cpu_seconds"] > 0
    assert row["overhead_seconds"] == row["wall_seconds"] - row["student_seconds"]
    assert row["peak_bytes"] > 20_000_000 if memory else row["peak_bytes"] is None
    json.dumps(result, allow_nan=False)


@needs_sandbox
def test_a_submission_that_loses_points_is_not_measured(tmp_path):
    folder = tmp_path / "02_kmeans"
    folder.mkdir()
    text = (grading_speed.ROOT / "solutions" / "02_kmeans.py").read_text()
    (folder / "a.py").write_text(text.replace("def elbow", "def elbows"))
    with pytest.raises(grading_speed.WrongGrade, match="90"):
        grading_speed.measure(grading_speed.CASES["1 cold"], tmp_path)


def test_a_process_that_ends_without_a_result_says_why():
    with pytest.raises(RuntimeError, match="no bubblewrap here"):
        with grading_speed._started([sys.executable, "-c", "raise SystemExit('no bubblewrap here')"]) as process:
            json.loads(process.stdout.read())


def test_the_solution_of_the_lesson_with_torch_is_correct(tmp_path):
    pytest.importorskip("torch")
    file = tmp_path / "a.py"
    file.write_text(torch_lesson.SOLUTION)
    assert grading_speed.own_seconds("00_torch", file) > 0


def row(walls, *, n=1, **goals):
    case = dataclasses.replace(grading_speed.CASES["1 warm"], n=n, **{"overhead": None} | goals)
    return grading_speed._row(case, [{"wall": wall, "cpu": 1.0, "own": 0.2} for wall in walls], 2**20)


def test_verdicts_are_about_medians():
    assert grading_speed.verdicts(row([0.4, 9.0, 0.3], overhead=0.25)) == ["overhead under 0.25 s: reached"]
    assert grading_speed.verdicts(row([0.5, 9.0, 0.3], overhead=0.25)) == ["overhead under 0.25 s: MISSED"]
    assert grading_speed.verdicts(row([11.0], wall=10.0)) == ["wall under 10 s: MISSED"]
    assert grading_speed.verdicts(row([11.0])) == []


def test_each_submission_computes():
    assert row([5.0], n=20)["overhead_seconds"] == pytest.approx(1.0)


def test_the_table_shows_goals_and_what_was_not_measured():
    text = grading_speed.table([row([0.4], overhead=0.25) | {"peak_bytes": None}], 3.5)
    assert "overhead under 0.25 s: reached" in text and " - " in text and "3.5 (above 1: it does other work" in text
