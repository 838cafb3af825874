"""NaN, infinities and numbers of any size where reports print numbers, to break JSON or to earn points.

Success: the JSON holds NaN, or points are given.
"""

from attacks.injection.strict import report_is_broken as succeeded  # noqa: F401

SUBMISSION = r"""
import numpy as np


def double(x):
    return np.full(np.shape(x), np.nan)


def total(x, rng):
    return [np.inf, -np.inf, 1e308 * 10][rng.integers(3)]


def label(x, centers):
    return np.full(len(x), -(2**63))
"""
