"""Every lesson of course.yml: the solution earns everything, the stub nothing, every named mistake is recognised."""

import ast
from functools import cache
from pathlib import Path

import pytest

from autograder import course as courses
from autograder import grading, release, submission
from autograder.sandbox import why_not
from autograder.student import LocalStudent

ROOT = Path(__file__).resolve().parents[1]
COURSE = courses.load(ROOT)
LESSONS = list(COURSE.lessons)
MISTAKES = [(id, m.task, m.name) for id in LESSONS for m in COURSE[id].lesson().mistakes]
needs_sandbox = pytest.mark.skipif(why_not() is not None, reason=f"no sandbox here: {why_not()}")
for_each_lesson = pytest.mark.parametrize("id", LESSONS)


def source(id):
    return (ROOT / "solutions" / f"{id}.py").read_text(encoding="utf-8")


@cache
def solution_code(id):
    """The graded definitions of a solution, compiled."""
    plan = COURSE[id]
    chosen = submission.definitions(submission.read(source(id).encode(), f"{id}.py"), [t.name for t in plan.tasks])
    body = [ast.parse(chosen["cells"][s["cell"]]).body[s["index"]] for s in chosen["statements"]]
    return compile(ast.Module(body, []), f"solutions/{id}.py", "exec")


def solution(id):
    """Its functions, made anew."""
    namespace = {"__name__": "solution"}
    exec(solution_code(id), namespace)
    return namespace


def results(id, namespace, seed, tasks=None):
    return grading.run_all(COURSE[id], LocalStudent(namespace), seed, tasks)


@needs_sandbox
@for_each_lesson
def test_the_solution_scores_everything_in_the_sandbox(id):
    report = grading.grade(source(id).encode(), f"{id}.py", COURSE)
    wrong = [(c.id, c.message, report.seed) for c in report.checks if c.status != "passed"]
    assert not wrong and report.score == report.max_score == 100 and report.notes == []


@needs_sandbox
@for_each_lesson
def test_the_released_notebook_scores_nothing_and_says_what_to_do(id):
    stub = (ROOT / "notebooks" / f"{id}.ipynb").read_bytes()
    report = grading.grade(stub, f"{id}.ipynb", COURSE)
    assert report.score == 0 and report.error is None
    assert {c.status for c in report.checks} == {"missing"}
    assert all("is not written yet" in c.message for c in report.checks)


@for_each_lesson
def test_the_solution_passes_whatever_the_seed(id, seed):
    namespace = solution(id)
    for offset in range(5):
        wrong = [(c.id, c.message) for c in results(id, namespace, seed + offset) if c.status != "passed"]
        assert not wrong


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the mistakes divide by zero, and more
@pytest.mark.parametrize(("id", "task", "name"), MISTAKES, ids=[f"{t}-{n}" for _, t, n in MISTAKES])
def test_every_named_mistake_costs_points_and_is_recognised(id, task, name, seed):
    mistake = next(m for m in COURSE[id].lesson().mistakes if (m.task, m.name) == (task, name))
    found = results(id, {**solution(id), task: mistake.function}, seed, [task])
    assert sum(c.points for c in found) < sum(c.max_points for c in found)
    assert name in {c.mistake for c in found}


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
