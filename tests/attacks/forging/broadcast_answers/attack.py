"""Returns values that fit every shape by broadcasting, that hold all answers, or that leave nothing to compare.

Success: points for values that are wrong.
"""

LESSON = "many"

SUBMISSION = r'''
import numpy as np


def double(x):
    """The right values, but in no form that may pass."""
    y = 2 * x
    choices = [np.empty(0), np.empty((0, *x.shape)), [], {}, np.array([y, 0 * y]), y[None], y.ravel()[:1], y.T]
    choices += [y.ravel(), [y], {"0": y}, y[..., None], y[:0], [[], []], str(y), [y, y], np.stack([y, y], axis=-1)]
    return choices[int(x[0, 0]) % len(choices)]


def total(x, rng):
    """All values that it might be, so that one of them fits."""
    values = np.linspace(-50, 50, 10**5)
    choices = [values, list(values[:1000]), np.empty(0), [], [[]], {"result": 0.0}, "0", [0.0, 0.0], True, False, None]
    return choices[int(x[0]) % len(choices)]


def label(x, centers):
    """Each point in each group, in a group of its own, or in none."""
    n, k = len(x), len(centers)
    everywhere = np.tile(np.arange(k), (n, 1))
    choices = [np.arange(n), np.empty((n, 0)), everywhere, everywhere.T, np.arange(k), 0, [], np.zeros(n, bool)]
    choices += [np.empty((0, n)), np.arange(n)[:, None], -np.ones(n), np.arange(n) // 10, "0" * n, [None] * n]
    return choices[int(x[0, 0]) % len(choices)]
'''
