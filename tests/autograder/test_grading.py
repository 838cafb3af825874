"""From bytes to reports: one submission, many, and what goes wrong."""

import dataclasses
import json

import numpy as np
import pytest
from toy import COURSE, PLAN, SOLUTION

from autograder import grading, release
from autograder.course import Course, CourseError
from autograder.lesson import CheckResult
from autograder.report import terminal
from autograder.sandbox import SandboxUnavailable, View, why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=f"no sandbox here: {why_not()}")


def grade(source, name="a.py", **options):
    return grading.grade(source.encode() if isinstance(source, str) else source, name, COURSE, **options)


def test_the_solution_gets_everything_and_the_stub_nothing():
    assert grade(SOLUTION).score == PLAN.max_score == 30
    stub = grade(release.build(SOLUTION, PLAN, COURSE, file="x"), "a.ipynb")
    assert stub.score == 0 and {c.status for c in stub.checks} == {"missing"}
    assert stub.checks[0].message == "double is not written yet" and stub.error is None


def test_half_of_it_gets_half_of_it_and_says_which_to_mend_first():
    report = grade(SOLUTION.replace("FACTOR * np.asarray(x)", "np.asarray(x) ** 2"))
    status = {c.id: c.status for c in report.checks}
    assert status["toy.double.leaves_its_input_alone"] == "passed"
    assert report.checks[0].mistake == "squares instead"
    hint = next(c.hint for c in report.checks if c.id.endswith("sums_the_doubled_values"))
    assert "this also runs your double" in hint


def test_all_that_is_to_be_mended_first_is_named():
    def failed(task, **more):
        return CheckResult(f"toy.{task}", task, "title", 0.0, 1.0, "failed", **more)

    found = [failed("one"), failed("two"), failed("three"), failed("last", hint="look here")]
    uses = {"toy.one": (), "toy.two": ("one",), "toy.three": ("one", "two"), "toy.last": ("one", "two", "three")}
    grading._explain_uses(uses, found)
    assert found[0].hint is None
    assert found[1].hint == "this also runs your one, which does not pass its own checks yet: mend that first"
    assert found[3].hint == (
        "look here; this also runs your one, two and three, which do not pass their own checks yet: mend them first"
    )


def test_the_same_seed_gives_the_same_report_and_seeds_differ_otherwise():
    wrong = SOLUTION.replace("FACTOR * np", "FACTOR + np")
    assert grade(wrong, seed=7).as_dict() == grade(wrong, seed=7).as_dict()
    assert grade(SOLUTION).seed != grade(SOLUTION).seed


def test_a_crash_or_a_loop_costs_that_task_only():
    for bad in ("import os; os._exit(1)", "while True: pass"):
        report = grade(SOLUTION.replace("doubled_values = double(x)", bad))
        tasks = {t: sum(c.points for c in cs) for t, cs in report.tasks().items()}
        assert tasks == {"double": 10, "total": 0}
        assert {c.status for c in report.checks if c.task == "total"} <= {"crash", "timeout"}


def test_a_submission_cannot_hold_the_queue():
    report = grade(SOLUTION.replace("return FACTOR", "while True: pass\n    return FACTOR"))
    assert report.score == 0 and report.seconds < 2 * PLAN.limits.total_seconds


def test_a_loop_takes_no_time_from_what_does_not_use_it():
    limits = dataclasses.replace(PLAN.limits, call_seconds=2, total_seconds=3)
    course = Course("Toy", "", {PLAN.id: dataclasses.replace(PLAN, limits=limits)})
    source = SOLUTION.replace("doubled_values = double(x)", "doubled_values = 2 * np.asarray(x)")
    source = source.replace("return FACTOR", "while True: pass\n    return FACTOR")
    report = grading.grade(source.encode(), "a.py", course)
    status = {c.id.removeprefix("toy."): c.status for c in report.checks}
    assert status["double.doubles"] == "timeout"  # of 3 seconds it takes 2
    assert status["total.comes_close"] == "passed"
    assert list(status) == [c.id.removeprefix("toy.") for c in grade(SOLUTION).checks]


def test_definitions_that_end_the_process_are_reported():
    report = grade(SOLUTION.replace("FACTOR = 2", "import os\nFACTOR = os._exit(3)"))
    assert report.score == 0 and "definitions could not be run" in report.checks[0].message


def test_a_misnamed_function_gets_a_hint():
    report = grade(SOLUTION.replace("def double(x)", "def doubled(x)"))
    assert report.checks[0].hint == "its cell (number 3) defines doubled instead: give the function the name double"


def test_a_missing_import_is_named():
    report = grade(
        SOLUTION.replace("import numpy as np", "import numpy as np\nimport sklearn.cluster as sk").replace(
            "return FACTOR * np.asarray(x)", "return sk.KMeans(2)"
        )
    )
    assert "sklearn.cluster as sk is not available when this lesson is graded" in report.checks[0].message


def test_a_syntax_error_in_one_cell_is_a_note():
    report = grade(SOLUTION.replace("doubled_values = double(x)", "doubled_values = double(x"))
    assert [c.points for c in report.checks if c.task == "double"] == [4, 6]
    assert any("cannot be read" in note for note in report.notes)
    hint = next(c.hint for c in report.checks if c.task == "total")
    assert hint.startswith("its cell 6 cannot be read (") and f"hint: {hint}" in terminal.render(report, color=False)


@pytest.mark.parametrize(
    ("data", "name"), [(b"", "a.ipynb"), (b"\x00\xff", "b.ipynb"), (b'{"cells": [', "c.ipynb"), (b"x=1", "d.py")]
)
def test_bad_input_is_a_report_with_an_error(data, name):
    report = grade(data, name)
    assert report.score == 0 and report.error and report.checks == []
    assert json.dumps(report.as_dict())


def test_without_isolation_nothing_is_graded(monkeypatch):
    monkeypatch.setattr("autograder.sandbox.view.bwrap", lambda: None)
    with pytest.raises(SandboxUnavailable, match="apt-get install bubblewrap"):
        grade(SOLUTION)
    assert grade(SOLUTION, isolated=False).score == 30


def test_a_machine_that_cannot_isolate_costs_no_points_however_many_checks_there_are(monkeypatch):
    monkeypatch.setattr("autograder.sandbox.view.bwrap", lambda: None)
    monkeypatch.setattr("autograder.student.SandboxStudent.MAX_STARTS", 1)
    with pytest.raises(SandboxUnavailable, match="apt-get install bubblewrap"):
        grade(SOLUTION)


def test_a_view_that_cannot_be_built_costs_no_points():
    for view, words in (
        (View(packages=("no-such-package",)), "00_toy: packages: .*'no-such-package', which is not installed"),
        (View(packages=("scipy",), hidden=("scipy.clustre",)), "00_toy: hidden: scipy.clustre is no folder of scipy"),
    ):
        with pytest.raises(CourseError, match=words):
            grading.grade(SOLUTION.encode(), "a.py", Course("", "", {PLAN.id: dataclasses.replace(PLAN, view=view)}))


def test_the_judge_never_runs_student_code(monkeypatch):
    """A submission that would change this process if any of it were run here."""
    report = grade(
        "import builtins\nbuiltins.CHEATED = True\n"
        + SOLUTION.replace("FACTOR = 2", "import numpy\nnumpy.CHEATED = 1\nFACTOR = 2")
    )
    import builtins

    assert report.score == 30 and not hasattr(builtins, "CHEATED") and not hasattr(np, "CHEATED")


@pytest.mark.parametrize(
    "experiment",
    [
        "double = double(np.arange(3))",
        "double = 7",
        "for double in (1, 2):\n    pass",
        "double = plot_that_fails(double)",
        "a, double = 1, total(np.arange(3.0), np.random.default_rng(0))",
    ],
)
def test_an_experiment_that_takes_the_name_of_a_function_costs_nothing(experiment):
    assert grade(SOLUTION + "\n\n# %%\n" + experiment).score == 30


def test_a_function_that_replaces_another_counts():
    assert grade(SOLUTION + "\n\n# %%\ndouble = lambda x: np.asarray(x) ** 2").score < 30


def test_a_function_that_is_nearly_named_right_gets_a_hint_without_ids_of_cells():
    report = grade(SOLUTION.replace("def double(x)", "def duoble(x)").replace('grade_id="toy.double"', ""))
    assert report.checks[0].hint == "cell 3 defines duoble: give the function the name double"


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        ("x.no_such_thing", None),
        ("nump.asarray(x)", "is it a typo"),
        ("[].sum()", "np.array(...)"),
        ("(lambda: None)().sum()", "without a return"),
        ("__import__('sklearn')", "few other packages are there"),
    ],
)
def test_errors_that_students_often_make_have_a_hint(body, hint):
    report = grade(SOLUTION.replace("FACTOR * np.asarray(x)", body))
    assert (hint or "None") in str(report.checks[0].hint)


def test_other_parameters_have_a_hint():
    report = grade(SOLUTION.replace("def double(x)", "def double()"))
    assert "parameters" in report.checks[0].hint
