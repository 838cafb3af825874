"""What a submission says about itself reaches the report only in the right form and length."""

import pytest
from toy import PLAN

from autograder.sandbox import Ended, Limits, why_not
from autograder.student import SandboxStudent, Student, StudentError
from autograder.submission import definitions, read


class Liar(Student):
    """Answers what it is told to."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def _run(self, *_):
        return self.answer


@pytest.mark.parametrize(
    "where",
    [{"line": [[1]], "code": {"a": 1}, "function": 7}, {"line": 10**9, "code": "c" * 10**6, "function": "f" * 10**6}],
)
def test_errors_are_short_whatever_is_said(where):
    with pytest.raises(StudentError) as error:
        Liar({"error": {"type": "T" * 10**6, "message": "m" * 10**6, "where": where}}).f()
    assert len(str(error.value)) < 1500


def test_only_arguments_that_exist_can_be_mutated():
    student = Liar({"result": 1, "mutated": ["²", "0", "<b>" * 10**6, "x", "0"]})
    student.f(1, x=2)
    assert student._mutated == [("f", "0"), ("f", "x")]


@pytest.mark.skipif(why_not() is not None, reason=f"no sandbox here: {why_not()}")
def test_a_new_sandbox_does_not_bring_new_time():
    source = b"import os, time\ndef f():\n    time.sleep(0.7)\n    os._exit(1)\n"
    limits = Limits(call_seconds=5, total_seconds=1.5)
    student = SandboxStudent(definitions(read(source, "a.py"), ["f"]), view=PLAN.view, limits=limits)
    for _ in range(8):
        with pytest.raises((StudentError, Ended)):
            student.f()
    assert student._starts <= 3  # 0.7 + 0.7 s, and the third has nothing left
