"""Returns arrays and containers that threads change while they are checked, copied and encoded.

Success: points, or an answer that makes the judge stumble.
"""

LIMITS = {"call_seconds": 2, "total_seconds": 6}

SUBMISSION = r'''
import threading

import numpy as np


class Growing(list):
    """Another list at each look."""

    def __iter__(self):
        self.append(len(self))
        return iter([float("nan"), self, "x"][: len(self) % 3 + 1])

    def __len__(self):
        return np.random.randint(100)


class Turning(dict):
    def items(self):
        self["$array"] = "0"
        return dict.items(self)

    def __iter__(self):
        return iter(["result", "points"])


def stir(array):
    def change():
        while True:
            array[...] = np.random.normal(size=array.shape)
            try:
                array.resize(np.random.randint(1, 50), refcheck=False)
                array.shape = (array.size,)
            except ValueError:
                pass

    for _ in range(2):
        threading.Thread(target=change, daemon=True).start()
    return array


def double(x):
    return stir(np.zeros(x.shape))


def total(x, rng):
    return Growing([1.0])


def label(x, centers):
    return Turning(a=np.zeros(3))
'''
