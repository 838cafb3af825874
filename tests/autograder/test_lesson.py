"""Running checks, giving points, recognising mistakes."""

import numpy as np
import pytest
from toy import PLAN
from toy.checks import lesson

from autograder import expect
from autograder.lesson import Lesson, run_check
from autograder.report import Report
from autograder.student import LocalStudent


def double(x):
    return 2 * x


def total(x, rng):
    return (2 * x).sum() + rng.random()


def results(**functions):
    student = LocalStudent({"double": double, "total": total, **functions})
    return {c.id.split(".")[-1]: run_check(c, student, 3, lesson) for c in lesson.checks}


def test_right_functions_get_all_points():
    assert {r.status for r in results().values()} == {"passed"}
    assert sum(r.points for r in results().values()) == 7


def test_figures_are_kept():
    figure = results()["doubles"].figures[0]
    assert set(figure.panels) == {"yours", "expected"} and figure.panels["yours"].shape == (3, 4)


def test_a_named_mistake_is_recognised():
    result = results(double=lambda x: x**2)["doubles"]
    assert (result.status, result.points, result.mistake, result.see) == (
        "failed",
        0,
        "squares instead",
        "try double(3)",
    )


def test_another_mistake_is_not_given_a_name():
    assert results(double=lambda x: 3 * x)["doubles"].mistake is None


def test_partial_credit():
    result = results(total=lambda x, rng: (2 * x).sum() + rng.random() + 0.75)["comes_close"]
    assert result.status == "partial" and result.points == pytest.approx(0.5)
    assert result.message == "error is 0.750; all points from 0.5, none up to 1"


def test_changing_the_input_is_judged_and_the_judge_keeps_its_own():
    def in_place(x):
        x *= 2
        return x

    found = results(double=in_place)
    assert found["doubles"].status == "passed"
    assert "changed its argument number 1 in place" in found["leaves_its_input_alone"].message


def test_missing_stub_and_raising_functions():
    def stub(x):
        raise NotImplementedError("your code here")

    def broken(x):
        return x[99, 99]

    assert results(double=None)["doubles"].status == "missing"
    assert results(double=stub)["doubles"].message == "double is not written yet"
    error = results(double=broken)["doubles"]
    assert error.status == "error" and "IndexError" in error.message


@pytest.mark.parametrize(
    "value", [None, "text", {"a": 1}, [1, [2]], [[1, 2], [3]], float("nan"), np.zeros((2, 0)), [], 1, True]
)
def test_results_of_any_kind_are_judged_without_a_crash(value):
    found = results(double=lambda x: value, total=lambda x, rng: value)
    assert all(r.status == "failed" and r.points == 0 and r.message for n, r in found.items() if "input" not in n)


def test_objects_of_the_student_never_arrive():
    class Always:
        def __eq__(self, other):
            return True

        def __array__(self, *args, **kwargs):
            return np.zeros((3, 4))

    result = results(double=lambda x: Always())["doubles"]
    assert result.status == "error" and "a value of type Always" in result.message


def test_a_check_that_stumbles_says_so_briefly_and_without_warnings(recwarn):
    new = Lesson("99_x")

    @new.check("f", points=1)
    def stumbles(student, rng, show):
        show("a figure is an array", yours=student.f())
        np.float64(1e308) * np.float64(10)
        float(student.f())

    result = run_check(new.checks[0], LocalStudent({"f": lambda: "9" * 5000 + "x"}), 1, new)
    assert result.status == "failed" and result.points == 0 and result.figures == []
    assert "could not be judged (ValueError" in result.message and len(result.message) < 400
    assert not recwarn.list


@pytest.mark.parametrize("value", [None, "text", ["a"] * 3, {"a": 1}, [[1.0, 2.0]] * 3, 2**62, np.full((3, 4), 2**62)])
def test_no_mistake_is_recognised_in_any_odd_value(value):
    assert results(double=lambda x: value)["doubles"].mistake is None


def test_lists_and_arrays_of_the_same_numbers_are_the_same_mistake():
    assert results(double=lambda x: (x**2).tolist())["doubles"].mistake == "squares instead"


def test_the_order_of_checks_does_not_change_their_inputs():
    seen = {}

    def spy(name):
        def double(x):
            seen.setdefault(name, []).append(x.copy())
            return 2 * x

        return double

    run_check(lesson.checks[0], LocalStudent({"double": spy("a")}), 5, lesson)
    for c in reversed(lesson.checks[:2]):
        run_check(c, LocalStudent({"double": spy("b" if c is lesson.checks[0] else "c")}), 5, lesson)
    assert np.array_equal(seen["a"][0], seen["b"][0])


def test_another_seed_gives_other_inputs():
    seen = []
    for seed in (1, 2):
        run_check(lesson.checks[0], LocalStudent({"double": lambda x: seen.append(x.copy()) or 2 * x}), seed, lesson)
    assert not np.array_equal(*seen)


def test_points_that_do_not_divide_evenly_add_up_all_the_same():
    student = LocalStudent({"double": double, "total": total})
    found = [run_check(lesson.checks[0], student, 3, lesson, scale=100 / 3 / 2) for _ in range(3)]
    assert Report("x", checks=found).score == 100


def test_two_checks_or_mistakes_of_one_name_are_refused():
    new = Lesson("99_x")

    def same(student, rng):
        pass

    new.check("a", points=1)(same)
    with pytest.raises(ValueError, match="two checks"):
        new.check("a", points=1)(same)
    new.mistake("a", "m", see="s")(same)
    with pytest.raises(ValueError, match="two mistakes"):
        new.mistake("a", "m", see="s")(same)


def test_the_syllabus_decides_what_a_task_is_worth():
    assert PLAN.scale("double") == 2.0 and PLAN.scale("total") == 10.0


class TestExpect:
    @pytest.mark.parametrize(
        ("call", "words"),
        [
            (lambda: expect.shape(np.zeros(3), (4,)), r"shape \(3,\), expected \(4,\)"),
            (lambda: expect.shape(None, (4,)), "the result: None"),
            (lambda: expect.integer(np.zeros(3)), "float64, expected integers"),
            (lambda: expect.finite([1.0, np.nan]), "1 values are NaN"),
            (lambda: expect.close([1.0, 2.0], [1.0, 2.1]), "at index 1 it is 2, expected 2.1"),
            (lambda: expect.close(np.zeros((2, 2)), np.eye(2)), r"2 of 4 values .* at index \(0, 0\)"),
            (lambda: expect.close(3, 4), "the result is 3; expected 4"),
            (lambda: expect.close(np.nan, 4), "nan"),
            (lambda: expect.equal([1, 2], [1, 2, 3]), "shape"),
            (lambda: expect.same_partition([0, 0, 1], [0, 1, 1]), "groups"),
            (lambda: expect.same_partition([0, 0, 0], [0, 1, 1]), "form 1 groups"),
            (lambda: expect.same_partition(np.full(3, 2**62), [0, 1, 1]), "form 1 groups"),
            (lambda: expect.same_partition([np.inf, 0, 0], [0, 1, 1]), "1 values are NaN or infinite"),
            (lambda: expect.same_rows([[0.0], [5.0]], [[5.0], [1.0]]), "no partner"),
            (lambda: expect.same_rows([[1.0], [1.0]], [[1.0], [2.0]]), "no partner"),
            (lambda: expect.array(["a", "b"]), "a list of 2, not an array of numbers"),
            (lambda: expect.array([[1, 2], [3, "x" * 20_000] + [""] * 50_000]), "not an array of numbers"),
            (lambda: expect.array({"a": 1}), "a dict, not an array of numbers"),
            (lambda: expect.array([np.zeros(1_000_000, np.uint8)] * 3), "at most 2,000,000 can be graded"),
            (lambda: expect.equal([True, True], [True, False]), "at index 1 it is 1, expected 0"),
            (lambda: expect.at_most(3, 2, what="loss"), "loss is 3; expected at most 2"),
            (lambda: expect.at_least(np.nan, 2), "finite"),
            (lambda: expect.between(3, 0, 2), "between 0 and 2"),
            (lambda: expect.items(3, 2), "expected 2 things"),
            (lambda: expect.true(False, "no"), "no"),
            (lambda: expect.raises(lambda: 3, "ValueError"), "expected ValueError, but it returned"),
        ],
    )
    def test_each_says_what_was_seen(self, call, words):
        with pytest.raises(expect.Unmet, match=words):
            call()

    def test_labels_up_to_their_numbers_and_rows_up_to_their_order(self):
        expect.same_partition([5, 5, 2], [0, 0, 1])
        expect.same_partition(2**62 + 2**40 * np.array([1, 1, 0]), [0, 0, 1])
        expect.same_rows([[5.0], [1.0]], [[1.0], [5.0]])
        expect.same_rows([[1.0], [1.0], [5.0]], [[1.0], [5.0], [1.0]], atol=1e-3)  # equal rows need one partner each

    def test_a_ramp_may_go_down(self):
        assert expect.ramp(0.75, zero=1.0, full=0.5, what="error").fraction == pytest.approx(0.5)
        assert expect.ramp(7, zero=1.0, full=0.5, what="error").fraction == 0.0
