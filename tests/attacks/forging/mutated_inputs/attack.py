"""Changes its inputs so that a wrong answer would be right for them, and hides that from the worker.

Success: points, because the judge compares with inputs that the submission could change.
"""

SUBMISSION = r"""
import numpy as np


def hide():
    import inside.calls

    inside.calls._differs = lambda now, old: False
    return True


HIDDEN = hide()


def double(x):
    x[...] = 0
    x.setflags(write=HIDDEN)
    return np.zeros(x.shape)


def total(x, rng):
    x[...] = 0
    rng.bit_generator.state = np.random.default_rng(0).bit_generator.state
    return np.random.default_rng(0).random()


def label(x, centers):
    x[...] = 0
    centers[...] = 1
    return np.zeros(len(x), int)
"""
