"""Every lesson of course.yml: the solution earns everything, the stub nothing, every named mistake is recognised.

And nothing but work earns points: not the right answers to other inputs, not answers that only look right, and no
value, however strange, disturbs the judge.
"""

import ast
import signal
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from remembered import checks_remember, remembering

from autograder import course as courses
from autograder import grading, release, submission
from autograder.sandbox import why_not
from autograder.student import LocalStudent

ROOT = Path(__file__).resolve().parents[1]
COURSE = courses.load(ROOT)
LESSONS = list(COURSE.lessons)
MISTAKES = [(id, m.task, m.name) for id in LESSONS for m in COURSE[id].lesson().mistakes]
IN_ONE_PROCESS = {id: pytest.mark.xdist_group(id) for id in LESSONS}  # what its checks draw is then drawn once
needs_sandbox = pytest.mark.skipif(why_not() is not None, reason=f"no sandbox here: {why_not()}")
for_each_lesson = pytest.mark.parametrize("id", [pytest.param(id, marks=IN_ONE_PROCESS[id]) for id in LESSONS])
for_each_mistake = pytest.mark.parametrize(
    ("id", "task", "name"),
    [pytest.param(*mistake, marks=IN_ONE_PROCESS[mistake[0]], id="-".join(mistake)) for mistake in MISTAKES],
)


@pytest.fixture(scope="module", autouse=True)
def remember():
    with checks_remember([COURSE[id].lesson() for id in LESSONS]):
        yield


def source(id):
    return (ROOT / "solutions" / f"{id}.py").read_text(encoding="utf-8")


@cache
def solution_code(id):
    """The graded definitions of a solution, compiled."""
    plan = COURSE[id]
    chosen = submission.definitions(submission.read(source(id).encode(), f"{id}.py"), [t.name for t in plan.tasks])
    body = [node for s in chosen["statements"] for node in ast.parse(s["source"]).body]
    return compile(ast.Module(body, []), f"solutions/{id}.py", "exec")


def solution(id):
    """Its functions, made anew."""
    namespace = {"__name__": "solution"}
    exec(solution_code(id), namespace)
    return namespace


@cache
def right(id):
    """The same functions for all tests; each remembers what it answered."""
    made = solution(id)
    return {t.name: remembering(made[t.name], f"{id}.{t.name}") for t in COURSE[id].tasks}


def results(id, namespace, seed, tasks=None):
    return grading.run_all(COURSE[id], LocalStudent(namespace), seed, tasks)


@needs_sandbox
@for_each_lesson
def test_the_solution_scores_everything_in_the_sandbox(id):
    report = grading.grade(source(id).encode(), f"{id}.py", COURSE, seed=1)
    wrong = [(c.id, c.message) for c in report.checks if c.status != "passed"]
    assert not wrong and report.score == report.max_score == 100 and report.notes == []


@needs_sandbox
@for_each_lesson
def test_the_released_notebook_scores_nothing_and_says_what_to_do(id):
    stub = (ROOT / "notebooks" / f"{id}.ipynb").read_bytes()
    report = grading.grade(stub, f"{id}.ipynb", COURSE, seed=1)
    assert report.score == 0 and report.error is None
    assert {c.status for c in report.checks} == {"missing"}
    assert all("is not written yet" in c.message for c in report.checks)


@for_each_lesson
def test_the_solution_passes_whatever_the_seed(id, seed):
    namespace = solution(id)
    for offset in (0, 100):
        wrong = [(c.id, c.message) for c in results(id, namespace, seed + offset) if c.status != "passed"]
        assert not wrong


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the mistakes divide by zero, and more
@for_each_mistake
def test_every_named_mistake_costs_points_and_is_recognised(id, task, name, seed):
    mistake = next(m for m in COURSE[id].lesson().mistakes if (m.task, m.name) == (task, name))
    found = results(id, {**solution(id), task: mistake.function}, seed, [task])
    assert sum(c.points for c in found) < sum(c.max_points for c in found)
    assert {c.mistake for c in found} - {None} == {name}  # and no report names another one


# --- Answers that are not computed ---


class Student:
    """All functions of a lesson, as one cheat would write them; counts the calls of each."""

    def __init__(self, id):
        self.names = [t.name for t in COURSE[id].tasks]
        self.calls = dict.fromkeys(self.names, -1)

    def functions(self):
        return {name: self._function(name) for name in self.names}

    def _function(self, name):
        def function(*args):
            self.calls[name] += 1
            return self.answer(name, self.calls[name], args)

        return function

    def answer(self, name, call, args):
        raise NotImplementedError


class Recorded(Student):
    """The solution, which writes down what it was asked and what it answered."""

    def __init__(self, id, seed):
        super().__init__(id)
        self.solution = right(id)
        self.seen = {name: [] for name in self.names}
        results(id, self.functions(), seed)

    def answer(self, name, call, args):
        question = key(args)
        result = self.solution[name](*args)
        self.seen[name].append((question, result))
        return result


class Parrot(Student):
    """Knows the answers to all inputs of another seed, and gives them in order where the inputs are new."""

    def __init__(self, id, seen):
        super().__init__(id)
        self.seen = seen

    def answer(self, name, call, args):
        known = self.seen[name]
        return dict(known).get(key(args), known[call % len(known)][1])


class Lookalike(Student):
    """Answers of the right form, so many and of such types as the right ones, with nothing right in them."""

    def __init__(self, id, fill):
        super().__init__(id)
        self.solution, self.fill = right(id), fill
        self.rng = np.random.default_rng(5)

    def answer(self, name, call, args):
        return self._like(self.solution[name](*args))

    def _like(self, value):
        if isinstance(value, (list, tuple)):
            return type(value)(self._like(part) for part in value)
        return self.fill(self.rng, np.asarray(value))


class Copycat(Student):
    """Gives back one of its inputs, or as many of its rows as a third argument, k, says."""

    def __init__(self, id, which, rows=False):
        super().__init__(id)
        self.which, self.rows = which, rows

    def answer(self, name, call, args):
        value = args[min(self.which, len(args) - 1)]
        k = next((a for a in args if type(a) is int), len(np.atleast_1d(args[-1])) if len(args) > 1 else None)
        return value[:k] if self.rows and isinstance(value, np.ndarray) else value


def key(args):
    """Something that is equal for equal inputs."""
    parts = [a.bit_generator.state["state"]["state"] if isinstance(a, np.random.Generator) else a for a in args]
    return tuple((a.shape, a.dtype.str, a.tobytes()) if isinstance(a, np.ndarray) else a for a in parts)


def earned(id, student, seed):
    """Checks that give points, with how many."""
    return {c.id: c.points for c in results(id, student.functions(), seed) if c.points}


@for_each_lesson
@pytest.mark.parametrize("known", [grading.PUBLIC_SEED, 11])
def test_answers_to_the_inputs_of_another_seed_earn_nothing(id, known):
    seen = Recorded(id, known).seen
    assert all(seen.values()), "a task that was never asked"
    for secret in (101, 102):
        assert earned(id, Parrot(id, seen), secret) == {}


@for_each_lesson
def test_a_parrot_that_hears_its_own_questions_earns_everything(id):
    """So the test above fails for the right reason."""
    assert sum(earned(id, Parrot(id, Recorded(id, 7).seen), 7).values()) == 100


LOOKALIKES = {
    "zeros": lambda rng, a: np.zeros_like(a),
    "ones": lambda rng, a: np.ones_like(a),
    "counting": lambda rng, a: np.arange(a.size).reshape(a.shape).astype(a.dtype),
    "stripes": lambda rng, a: (np.arange(a.size) * 4 // max(a.size, 1)).reshape(a.shape).astype(a.dtype),
    "columns": lambda rng, a: (np.zeros(a.shape) + np.arange(a.shape[-1] if a.ndim else 1) % 4).astype(a.dtype),
    "small random numbers": lambda rng, a: rng.integers(0, 4, size=a.shape).astype(a.dtype),
    "random fractions": lambda rng, a: rng.random(a.shape).astype(a.dtype),
    "bell curve": lambda rng, a: rng.normal(size=a.shape).astype(a.dtype),
    "a permutation": lambda rng, a: rng.permutation(a.size).reshape(a.shape).astype(a.dtype),
}


@for_each_lesson
@pytest.mark.parametrize("fill", LOOKALIKES.values(), ids=LOOKALIKES)
def test_answers_that_only_look_right_earn_nothing(id, fill):
    assert earned(id, Lookalike(id, fill), 5) == {}


@for_each_lesson
@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("rows", [False, True], ids=["whole", "rows"])
def test_inputs_given_back_earn_nothing(id, which, rows):
    assert earned(id, Copycat(id, which, rows), 5) == {}


# --- Answers that want to harm ---

HOSTILE = {
    "nothing": None,
    "text": "text",
    "much text": "9" * 1_000_000,
    "terminal": "\x1b[2J\x1b]0;x\x07",
    "yes": True,
    "no": False,
    "half": 0.5,
    "minus one": -1,
    "huge": 2**62,
    "very negative": -(2**63) + 1,
    "nan": float("nan"),
    "infinite": float("inf"),
    "largest float": 1.7e308,
    "complex": 1j,
    "object": object(),
    "function": print,
    "set": {1, 2},
    "bytes": b"1",
    "empty list": [],
    "empty lists": [[], [], []],
    "uneven list": [1, [2, 3]],
    "list of nothing": [None, None, None],
    "three texts": ["a", "b", "c"],
    "one long text among many": ["x" * 20_000] + [""] * 20_000,  # as an array of text it takes 1.6 GB
    "long list": [0.5] * 50_000,
    "deep list": [[[[[[[[[[[[[1]]]]]]]]]]]]],
    "too deep list": [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]],
    "dict": {"labels": np.zeros(3), "centers": "x"},
    "mark of the protocol": {"$array": "0"},
    "empty": np.zeros(0),
    "empty rows": np.zeros((0, 3)),
    "empty columns": np.zeros((3, 0)),
    "eight axes": np.zeros((1,) * 8),
    "nine axes": np.zeros((1,) * 9),
    "large": np.zeros((1000, 2000)),
    "large bytes": np.zeros(8_000_000, dtype=np.uint8),
    "three of unequal shape": [np.zeros(3), np.zeros((2, 2)), np.array(1.0)],
    "three huge": [np.full(3, 2**62), np.full((3, 3), 1e308), [1e308, -1e308]],
    "not a number of a dimension": np.array(np.nan),
    "dates": np.zeros(3, dtype="M8[s]"),
    "texts": np.array(["a", "b"]),
    "records": np.zeros(3, dtype=[("a", "f8")]),
    "objects": np.array([None, 1], dtype=object),
}
RIGHT_FORM = {
    "huge labels": lambda rng, a: np.full(a.shape, 2**62),
    "different huge labels": lambda rng, a: 2**62 + np.arange(a.size).reshape(a.shape) * 2**40,
    "negative labels": lambda rng, a: np.full(a.shape, -(2**62)),
    "unsigned": lambda rng, a: np.full(a.shape, 2**64 - 1, dtype=np.uint64),
    "one huge label": lambda rng, a: np.where(np.arange(a.size).reshape(a.shape) == a.size - 1, 2**62, a.astype(int)),
    "nan": lambda rng, a: np.full(a.shape, np.nan),
    "infinite": lambda rng, a: np.full(a.shape, -np.inf),
    "infinities": lambda rng, a: rng.choice([np.inf, -np.inf, np.nan], size=a.shape),
    "largest": lambda rng, a: np.full(a.shape, 1.7e308) * rng.choice([-1, 1], size=a.shape),
    "float16": lambda rng, a: np.full(a.shape, 65504, dtype=np.float16),
    "yes and no": lambda rng, a: rng.random(a.shape) < 0.5,
    "int8": lambda rng, a: np.full(a.shape, -128, dtype=np.int8),
    "labels as floats": lambda rng, a: rng.integers(4, size=a.shape) + 0.25,
}


@pytest.fixture
def bounded():
    """The judge gets 30 CPU seconds and one more GB for one submission; a bomb ends the test, not the machine."""
    if not Path("/proc/self/statm").is_file():
        pytest.skip("how much memory is in use is read from /proc")
    import resource

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    old = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGPROF, _too_long)
    signal.setitimer(signal.ITIMER_PROF, 30)
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, old[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, old)
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, before)


class HeldUp(BaseException):
    """No `except Exception` of the judge may swallow it."""


def _too_long(*_):
    raise HeldUp("the judge was busy for 30 seconds")


def assert_nothing_happened(id, functions):
    """No points, no check that stumbled, and a message of bearable length."""
    found = results(id, functions, 5)
    assert {c.id: c.points for c in found if c.points} == {}
    assert [(c.id, c.message) for c in found if "could not be judged" in c.message or len(c.message) > 1000] == []


@pytest.mark.filterwarnings("error")
@for_each_lesson
@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_any_value_is_judged(id, value, bounded):
    assert_nothing_happened(id, {t.name: lambda *args: value for t in COURSE[id].tasks})


@pytest.mark.filterwarnings("error")
@for_each_lesson
@pytest.mark.parametrize("fill", RIGHT_FORM.values(), ids=RIGHT_FORM)
def test_any_values_in_the_right_form_are_judged(id, fill, bounded):
    assert_nothing_happened(id, Lookalike(id, fill).functions())


@for_each_lesson
def test_points_of_the_checks_are_those_of_the_syllabus(id):
    plan = COURSE[id]
    assert plan.max_score == 100
    assert 6 <= len(plan.tasks) <= 9
    assert all(plan.scale(t.name) == 1 for t in plan.tasks)


@for_each_lesson
def test_every_task_has_mistakes_to_recognise(id):
    lesson = COURSE[id].lesson()
    few = {t: n for t in lesson.tasks if (n := sum(m.task == t for m in lesson.mistakes)) < 4}
    assert not few


@for_each_lesson
def test_no_answer_is_left_in_any_released_file(id):
    text = source(id)
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        assert release.leaks(text, path.read_text(encoding="utf-8")) == []


def test_the_notebooks_are_up_to_date():
    assert release.write(ROOT, COURSE, check=True) == []


@for_each_lesson
def test_one_lesson_is_one_row_through_the_folders(id):
    topic = COURSE[id].topic
    for path in (f"book/{id}.md", f"solutions/{id}.py", f"notebooks/{id}.ipynb", f"autograder/checks/{topic}.py"):
        assert (ROOT / path).is_file(), path
    toc = (ROOT / "_toc.yml").read_text()
    assert f"book/{id}" in toc and f"notebooks/{id}" in toc
