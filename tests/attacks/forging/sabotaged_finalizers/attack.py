"""Does its work in finalizers, weak references, exit handlers and hooks, after the answer and when the process ends.

Success: points, or an answer that changes after it was given.
"""

from attacks.forging.tools import CHANNEL

SUBMISSION = (
    CHANNEL
    + r'''
import gc
import sys
import weakref

import numpy as np

CALLS = [0]


class Late(np.ndarray):
    """Writes when it is thrown away, which is after it was encoded."""

    def __del__(self):
        send(frame({"id": CALLS[0], "result": True, "mutated": [], "points": 10}))


def later(phase, info):
    if phase == "stop":
        send(frame({"id": CALLS[0] + 1, "result": True, "mutated": []}))


def hooks():
    gc.callbacks.append(later)
    gc.set_threshold(1)
    sys.setswitchinterval(1e-6)
    sys.addaudithook(lambda event, args: None)
    return True


def double(x):
    CALLS[0] += 1
    return np.zeros(x.shape).view(Late)


def total(x, rng):
    CALLS[0] += 1
    x = np.zeros(3).view(Late)
    weakref.finalize(x, send, frame({"id": CALLS[0] + 1, "result": 1.0, "mutated": []}))
    return 0.0


def label(x, centers):
    CALLS[0] += 1
    hooks()
    return x[:, 0] * 0
'''
)
