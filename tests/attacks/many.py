"""Checks that ask often and count what is right, for attacks with many forms of one trick.

The first number of each input says which try it is, so that a submission can go through all its forms.
"""

import numpy as np

from autograder import expect
from autograder.expect import Credit, Unmet
from autograder.lesson import Lesson, Rng
from autograder.student import StudentError

lesson = Lesson("00_vault")
TRIES = 18


@lesson.check("double", points=10)
def doubles_often(student, rng):
    """Every value is doubled, every time."""

    def check(x):
        expect.close(student.double(x), 2 * x)

    return _share(check, rng, (3, 4))


@lesson.check("total", points=10)
def sums_up_often(student, rng):
    """Sum of the doubled values plus one random number, every time."""

    def check(x):
        expect.close(student.total(x, Rng(5)), (2 * x).sum() + Rng(5).generator().random())

    return _share(check, rng, (6,))


@lesson.check("label", points=10)
def labels_often(student, rng, show):
    """Each point goes to its nearest center, every time."""

    def check(x):
        centers = rng.normal(size=(4, 2))
        centers[0] = x[0]  # the first point is the far one that says which try it is
        labels = student.label(x, centers)
        show("Yours", yours=np.atleast_2d(labels))
        expect.same_partition(labels, ((x[:, None] - centers[None]) ** 2).sum(axis=2).argmin(axis=1))

    return _share(check, rng, (40, 2))


def _share(check, rng, shape) -> Credit:
    """The share of tries that are right; the first complaint if none is."""
    right, first = 0, None
    for number in range(TRIES):
        x = rng.normal(size=shape)
        x.flat[0] = number
        try:
            check(x)
            right += 1
        except (Unmet, StudentError) as error:
            first = first or error
    if not right:
        raise first
    return Credit(right / TRIES, f"{right} of {TRIES} are right")
