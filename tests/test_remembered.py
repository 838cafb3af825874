"""What is remembered is what would be computed, and what cannot be remembered is computed."""

import numpy as np
import pytest
import remembered

from autograder import course as courses
from autograder import grading
from autograder.student import LocalStudent


@pytest.fixture
def counted(monkeypatch):
    """Make functions that remember, however fast, of a function that counts its calls."""
    monkeypatch.setattr(remembered, "WORTH", -1)
    calls = []

    def count(function, name):
        def counting(*args):
            calls.append(args)
            return function(*args)

        counting.__qualname__ = "counting"
        return remembered.remembering(counting, f"test {name}")

    return count, calls


def test_same_arguments_are_computed_once_and_given_as_copies(counted):
    make, calls = counted
    twice = make(lambda x: {"twice": 2 * x}, "twice")
    first = twice(np.arange(3))
    first["twice"][:] = 9
    assert twice(np.arange(3))["twice"].tolist() == [0, 2, 4] and len(calls) == 1
    assert twice(np.arange(3.0))["twice"].dtype == float and len(calls) == 2


def test_a_generator_is_left_as_the_function_left_it(counted):
    make, calls = counted
    draw = make(lambda options: options["rng"].normal(size=2), "draw")
    one, two, other = (np.random.default_rng(seed) for seed in (1, 1, 2))
    assert (draw({"rng": one}) == draw({"rng": two})).all() and len(calls) == 1
    assert one.random() == two.random()
    assert (draw({"rng": one}) == draw({"rng": two})).all() and len(calls) == 2
    assert draw({"rng": other}) is not None and len(calls) == 3


def test_what_changes_an_argument_takes_no_content_or_fails_is_computed(counted):
    make, calls = counted

    def add(x):
        x += 1

    add, ask, divide = make(add, "add"), make(lambda f: f(1), "ask"), make(lambda x: 1 / x, "divide")
    x = np.zeros(1)
    add(x), add(x)
    assert x == 2
    add(np.zeros(1)), add(np.zeros(1))
    assert ask(lambda x: x) == 1 and ask(lambda x: x + 1) == 2
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            divide(0)
    assert len(calls) == 8


def functions(source):
    namespace = {"__name__": "submission", "np": np}
    exec(source, namespace)
    return remembered.remembering_by_code(namespace, ["f"])["f"]


CODE = "K = 2\ndef g(x):\n    return x * K\ndef f(x):\n    return [g(x) for _ in range(2)]\n"


def test_the_same_code_is_one_function_and_other_code_another(monkeypatch):
    monkeypatch.setattr(remembered, "WORTH", -1)
    assert functions(CODE)(3) == functions("\n\n" + CODE)(3) == [6, 6]
    size = len(remembered._kept)
    assert functions("# again\n" + CODE.replace("\n", "\n\n"))(3) == [6, 6]
    assert len(remembered._kept) == size
    for other in (("K = 2", "K = 5"), ("x * K", "x + K"), ("range(2)", "range(3)"), ("x * K", "np.abs(x)")):
        changed = CODE.replace(*other)
        plain = {"np": np}
        exec(changed, plain)
        assert functions(changed)(3) == plain["f"](3) != [6, 6]


def test_grades_are_the_same(root, seed):
    plan = courses.load(root)["01_grouping"]
    wrong = [m for m in plan.lesson().mistakes if m.task in ("matched_miou", "boundary_f")]

    def graded():
        found = [r for m in wrong for r in grading.run_all(plan, LocalStudent({m.task: m.function}), seed, [m.task])]
        return [(r.id, r.points, r.message, r.mistake) for r in found]

    expected = graded()
    with remembered.checks_remember([plan.lesson()]):
        assert graded() == graded() == expected
    assert {m.name for m in wrong} == {mistake for *_, mistake in expected} - {None}
