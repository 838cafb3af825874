"""A call of a student's function ends with a plain answer, whatever kind of object they made."""

import linecache

import numpy as np
import pytest

from autograder.sandbox.inside import calls, wire
from autograder.student import LocalStudent, StudentError


@pytest.fixture
def ghost():
    """An object that tells nothing about itself, and whose type does not either."""

    class Shy(type):
        @property
        def __name__(cls):
            raise SystemExit

        def __call__(cls, *args):
            raise ValueError

    class Ghost(metaclass=Shy):
        @property
        def __class__(self):
            raise KeyError("class")

    return object.__new__(Ghost)


class Text(str):
    """A text with own ideas of itself."""

    def __getitem__(self, part):
        raise SystemExit

    __str__ = __len__ = encode = __getitem__


class Unspeakable(Exception):
    def __str__(self):
        raise SystemExit

    __traceback__ = property(__str__)


def error(function):
    answer = wire.read(calls.call(function, [], {}))["error"]
    assert all(type(answer[part]) is str and len(answer[part]) <= calls.MAX_MESSAGE for part in ("type", "message"))
    return answer


def raises(kind, *args):
    def function():
        raise kind(*args)

    return function


def define(source, name):
    """A function whose lines are found, as in a notebook."""
    linecache.cache["<cell 1>"] = (len(source), None, source.splitlines(keepends=True), "<cell 1>")
    namespace = {}
    exec(compile(source, "<cell 1>", "exec"), namespace)
    return namespace[name]


def test_what_is_no_function_is_named_by_its_real_type(ghost):
    assert wire.read(calls.call(ghost, [], {})) == {
        "id": 0,
        "error": {"type": "NotAFunction", "message": "Ghost", "where": {}},
    }


def test_a_result_that_hides_its_class_is_an_error(ghost):
    assert error(lambda: ghost)["type"] == "KeyError"


def test_an_exception_that_cannot_be_printed_keeps_its_name():
    assert error(raises(Unspeakable)) == {"type": "Unspeakable", "message": "", "where": {}}


def test_texts_are_plain_and_short():
    named = type("N" * 10**6, (Exception,), {"__str__": lambda self: Text("m" * 10**6)})
    answer = error(raises(named))
    assert answer["type"] == "N" * calls.MAX_MESSAGE and answer["message"] == "m" * calls.MAX_MESSAGE


@pytest.mark.parametrize("kind", [SystemExit, GeneratorExit, MemoryError, RecursionError, StopIteration])
def test_every_exception_is_an_answer(kind):
    assert error(raises(kind))["type"] == kind.__name__


def test_the_last_line_of_the_student_is_named():
    function = define("def f():\n    return g()\ndef g():\n    return int('a')\n", "f")
    assert error(function)["where"] == {"function": "g", "line": 4, "code": "return int('a')"}


def test_a_long_traceback_is_walked_once_without_reading_its_lines(monkeypatch):
    function = define("def f(n=900):\n    return f(n - 1) if n else 1 / 0\n", "f")
    read = []
    monkeypatch.setattr(linecache, "getline", lambda *place: read.append(place) or "x")
    assert error(function)["where"] == {"function": "f", "line": 2, "code": "x"}
    assert len(read) == 1


def test_a_source_that_cannot_be_read_costs_only_the_place(monkeypatch):
    function = define("def f():\n    return 1 / 0\n", "f")
    monkeypatch.setattr(linecache, "getline", raises(OSError))
    assert error(function) == {"type": "ZeroDivisionError", "message": "division by zero", "where": {}}


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ({1, 2}, "f returned a value of type set; only numbers, strings, None, arrays"),
        (np.array([None]), "f returned an array of dtype object; only booleans, integers and floats can be graded"),
        (np.broadcast_to(0, (10**6, 10**6)), r"f returned an array of shape \(1000000, 1000000\); at most 64,000,000"),
        ("x" * wire.MAX_JSON_BYTES, "f returned 4,000,.* bytes of plain values; at most 4,000,000 can be graded"),
        ([0] * (wire.MAX_ITEMS + 9), "f returned more plain values than the 200,000 that can be graded: use an array"),
        (2**64, "f returned an integer beyond 64 bits"),
    ],
)
def test_a_student_reads_what_was_wrong_with_the_result(result, words):
    with pytest.raises(StudentError, match=words):
        LocalStudent({"f": lambda: result}).f()


@pytest.mark.parametrize("depth", [wire.MAX_DEPTH - 1, wire.MAX_DEPTH])
def test_a_result_that_is_accepted_fits_into_the_frame_of_the_answer(depth):
    result = 0
    for _ in range(depth):
        result = [result]
    answer = wire.read(calls.call(lambda: result, [], {}, 2**63 - 1))
    assert ("error" in answer) == (depth == wire.MAX_DEPTH)


def test_arguments_that_changed_are_named():
    def change(x, y, z):
        x += 1
        y.shape = (2, 2)

    answer = wire.read(calls.call(change, [np.zeros(2), np.zeros(4)], {"z": np.full(3, np.nan)}))
    assert answer == {"id": 0, "result": None, "mutated": ["0", "1"]}
