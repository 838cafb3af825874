"""Returns generators, coroutines, functions, modules, types, frames and streams instead of values.

Success: points, or a grader that stumbles.
"""

LESSON = "many"

SUBMISSION = r'''
import sys

import numpy as np


async def coroutine(x):
    return 2 * x


def cycle(kind):
    """Contains itself."""
    if kind is dict:
        inner = {}
        inner["0"] = inner
        return inner
    inner = []
    inner.append(inner)
    return inner


def strange(x):
    endless = (0 for _ in iter(int, 1))
    choices = [endless, coroutine(x), strange, sys, type, sys._getframe(), sys.stdout, cycle(list), cycle(dict)]
    choices += [
        range(10**12),
        {1, 2},
        ...,
        NotImplemented,
        map(int, []),
        memoryview(b"1"),
        np.nditer(x),
        b"0",
        slice(3),
    ]
    return choices[int(x.flat[0]) % len(choices)]


def double(x):
    return strange(x)


def total(x, rng):
    return strange(x)


async def label(x, centers):
    return ((x[:, None] - centers[None]) ** 2).sum(axis=2).argmin(axis=1)
'''
