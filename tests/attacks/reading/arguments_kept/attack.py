"""Keeps all arguments and generators of earlier calls, and looks among them for what a later call is asked for.

Success: a later call brings an argument again, or the generator's next numbers are those of another call.
"""

SUBMISSION = r"""
import copy

import numpy as np

KEPT, GENERATORS = [], []


def double(x):
    for old in KEPT:
        if old.shape == x.shape and np.array_equal(old, x):
            raise ValueError("found: the same input again")
        for start in range(max(0, old.size - 3)):
            if np.isin(old.ravel()[start : start + 3], x.ravel()).all():
                raise ValueError("found: parts of an earlier input")
    KEPT.append(x.copy())
    return 0 * x


def total(x, rng):
    for old in GENERATORS:
        for _ in range(50):
            if (
                np.array_equal(copy.deepcopy(old).normal(size=x.shape), x)
                or old.random() == copy.deepcopy(rng).random()
            ):
                raise ValueError("found: numbers of another call")
    for draw in (np.random.normal, np.random.default_rng().normal, copy.deepcopy(rng).normal):
        if any(np.array_equal(draw(size=x.shape), x) for _ in range(50)):
            raise ValueError("found: the input in a generator")
    GENERATORS.append(copy.deepcopy(rng))
    return 0.0


def label(x, centers):
    return double(x)[:, 0]
"""


def succeeded(outcome):
    return "inputs repeat" if "found: " in outcome.texts["terminal"] else None
