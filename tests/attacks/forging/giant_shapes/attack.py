"""Returns arrays that are tiny here and gigantic when copied: strides of zero, empty axes beside endless ones.

Success: points, or a grader that runs out of memory or time.
"""

LESSON = "many"
LIMITS = {"call_seconds": 3, "total_seconds": 8}

SUBMISSION = r'''
import numpy as np
from numpy.lib.stride_tricks import as_strided

ONE = np.zeros(1)
MAKERS = [
    lambda: np.broadcast_to(ONE, 2**58),
    lambda: as_strided(ONE, shape=(2**29, 2**29), strides=(0, 0)),
    lambda: np.empty((0, 2**60), np.int8),
    lambda: np.empty((2**58, 0, 3)),
    lambda: as_strided(ONE, shape=(1,) * 60 + (10**9,), strides=(0,) * 61),
    lambda: [ONE] * 10**6,
    lambda: np.broadcast_to(np.uint8(1), (63_000_000,)),
    lambda: [np.broadcast_to(np.uint8(1), (63_000_000,))] * 999,
    lambda: np.broadcast_to(True, (1,) * 30 + (64_000_000,)),
]


def giant(x, count):
    number = int(x.flat[0])
    return MAKERS[number]() if number < count else None


def double(x):
    """With the largest ones that may cross."""
    return giant(x, len(MAKERS))


def total(x, rng):
    return giant(x, 6)


def label(x, centers):
    return giant(x, 6)
'''
