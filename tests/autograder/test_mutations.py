"""No point is lost by what people and tools do to notebooks: solutions go through random mutations of them."""

import ast
import json
import random
from functools import cache
from pathlib import Path

import jupytext
import pytest
from mutations import MUTATIONS, mutated
from remembered import checks_remember, remembering_by_code

from autograder import course as courses
from autograder import grading, submission
from autograder.sandbox import Pool, why_not
from autograder.sandbox.inside.define import define
from autograder.student import LocalStudent

ROOT = Path(__file__).resolve().parents[2]
COURSE = courses.load(ROOT)
LESSONS = list(COURSE.lessons)
COMBINATIONS = 320  # all lessons together
BLOCK = 20
IN_THE_SANDBOX = 12  # all lessons together, but one of each


@cache
def notebook(id):
    """A solution as a notebook, its experiments included."""
    source = (ROOT / "solutions" / f"{id}.py").read_text(encoding="utf-8")
    book = jupytext.reads(source, "py:percent")
    return {**book, "cells": [dict(c) for c in book.cells]}


def definitions(id, data, name):
    plan = COURSE[id]
    read = submission.read(data, name)
    assert submission.find_lesson(read, COURSE) is plan
    return submission.definitions(read, [t.name for t in plan.tasks], submission.given(plan))


@cache
def score(id, statements):
    """Points of statements (their sources); nearly all mutated notebooks have those of a few others."""
    plan, namespace = COURSE[id], {"__name__": "submission"}
    cells = {"<cell 1>": ""}
    order = [{"cell": "<cell 1>", "line": 1, "source": source, "names": list(names)} for source, names in statements]
    define(namespace, cells, order, [t.name for t in plan.tasks], [])
    functions = remembering_by_code(namespace, [t.name for t in plan.tasks])
    with checks_remember([plan.lesson()]):
        results = grading.run_all(plan, LocalStudent({**namespace, **functions}), 1)
    return sum(r.points for r in results), tuple(f"{r.id}: {r.message}" for r in results if r.status != "passed")


def problem(id, seed, mutations=MUTATIONS):
    """What a mutated solution loses, and how it was made; None if nothing."""
    data, suffix, done = mutated(notebook(id), seed, mutations)
    try:
        chosen = definitions(id, data, f"{id}{suffix}")
        key = tuple((ast.unparse(ast.parse(s["source"])), tuple(s["names"])) for s in chosen["statements"])
        points, wrong = score(id, key)
    except Exception as error:
        return f"{id}, seed {seed}, {', '.join(done)}: {type(error).__name__}: {error}"
    return None if points == 100 else f"{id}, seed {seed}, {', '.join(done)}: {points} points, {wrong[:2]}"


@pytest.mark.parametrize("one", MUTATIONS, ids=[m.name for m in MUTATIONS])
def test_each_mutation_changes_the_notebook_and_keeps_all_points(one):
    id = LESSONS[len(one.name) % len(LESSONS)]
    before = json.loads(json.dumps(notebook(id)))
    one.apply(before, random.Random(0))
    assert before != notebook(id)
    assert problem(id, 0, [one]) is None


@pytest.mark.parametrize("id", LESSONS)
@pytest.mark.parametrize("block", range(-(-COMBINATIONS // len(LESSONS) // BLOCK)))
def test_random_combinations_of_mutations_keep_all_points(id, block):
    lost = [p for seed in range(block * BLOCK, (block + 1) * BLOCK) if (p := problem(id, seed))]
    assert not lost, "\n".join(lost)


@pytest.fixture(scope="module")
def pool():
    with Pool() as shared:
        yield shared


@pytest.mark.skipif(why_not() is not None, reason=f"no sandbox here: {why_not()}")
@pytest.mark.xdist_group("mutations in the sandbox")
@pytest.mark.parametrize("id", LESSONS)
def test_some_of_them_in_the_sandbox(id, pool):
    for seed in range(10_000, 10_000 + max(1, IN_THE_SANDBOX // len(LESSONS))):
        data, suffix, done = mutated(notebook(id), seed)
        with checks_remember([COURSE[id].lesson()]):
            report = grading.grade(data, f"{id}{suffix}", COURSE, seed=1, pool=pool)
        wrong = [c.message for c in report.checks if c.status != "passed"]
        assert report.score == 100, f"seed {seed}, {', '.join(done)}: {report.error or wrong[:2]}"
