"""Checks of the toy lesson."""

import numpy as np

from autograder import expect
from autograder.lesson import Lesson, Rng

lesson = Lesson("00_toy")


@lesson.check("double", points=2)
def doubles(student, rng, show):
    """Every value is doubled."""
    x = rng.normal(size=(3, 4))
    result = student.double(x)
    show("Yours beside the expected", yours=(result > 0).astype(int), expected=(x > 0).astype(int))
    expect.close(result, 2 * x, hint="2 * x")


@lesson.check("double", points=3)
def leaves_its_input_alone(student, rng):
    """The input stays as it is."""
    student.double(rng.normal(size=5))
    expect.inputs_unchanged(student)


@lesson.check("total", points=1, uses="double")
def sums_the_doubled_values(student, rng):
    """Sum of the doubled values plus one random number."""
    x, seed = rng.normal(size=4), int(rng.integers(2**31))
    expect.close(student.total(x, Rng(seed)), (2 * x).sum() + Rng(seed).generator().random())


@lesson.check("total", points=1)
def comes_close(student, rng):
    """The sum is nearly right."""
    x = rng.random(size=4)
    error = abs(expect.scalar(student.total(x, Rng(1))) - (2 * x).sum() - Rng(1).generator().random())
    return expect.ramp(error, zero=1.0, full=0.5, what="error")


@lesson.mistake("double", "squares instead", see="try double(3)")
def squared(x):
    return np.asarray(x) ** 2


@lesson.mistake("total", "forgot the random number", see="call it twice")
def no_noise(x, rng):
    return float((2 * x).sum())
