"""Returns objects that hand out another array at each request: buffers, interfaces, dlpack, __array__ and subclasses.

Success: points for values that are wrong, or a crash of the judge.
"""

LESSON = "many"

SUBMISSION = r'''
import ctypes

import numpy as np

CALLS = [0]


class Interface:
    """Memory that is not its own."""

    __array_interface__ = {"shape": (3, 4), "typestr": "<f8", "data": (4096, False), "version": 3}
    __dlpack__ = __cuda_array_interface__ = lambda self, *a, **k: self


class Struct:
    __array_struct__ = property(lambda self: 1 / 0)


class Claiming(Interface):
    __class__ = np.ndarray
    dtype, shape = np.dtype(float), (3, 4)


class Changing:
    def __array__(self, *a, **k):
        CALLS[0] += 1
        return np.zeros((CALLS[0] % 5, 4))

    def __buffer__(self, flags):
        return memoryview(b"0" * 96)


class Tensor(Changing):
    """A tensor is known by these."""

    detach = cpu = lambda self: self

    def numpy(self):
        return [Interface(), Changing(), Struct(), np.zeros(3).view(Finalized), "0", None][CALLS[0] % 6]


class Finalized(np.ndarray):
    """Changes what is made from it."""

    def __array_finalize__(self, source):
        if source is not None:
            np.ndarray.fill(np.asarray(source), np.random.random())

    def __array_function__(self, *a, **k):
        return self

    __array_wrap__ = __array_function__
    tobytes = copy = astype = lambda self, *a, **k: np.zeros(3)


class Shapeless(np.ndarray):
    nbytes = property(lambda self: 0)
    dtype = property(lambda self: np.dtype([object, "f8", "u1"][np.random.randint(3)]))
    shape = property(lambda self: (np.random.randint(3),))


def choose(x, wild=False):
    """The wild ones may crash the worker, and only a few sandboxes are started for one submission."""
    zeros = np.zeros(x.shape)
    choices = [Interface(), Struct(), Changing(), zeros.view(Finalized), zeros.view(Shapeless), memoryview(b"0" * 8)]
    choices += [ctypes.c_double(0), (ctypes.c_double * 12)(), [zeros.view(Shapeless)] * 3]
    if wild:
        choices = [Claiming(), Tensor(), *choices]
    return choices[int(x.flat[0]) % len(choices)]


def double(x):
    return choose(x)


def total(x, rng):
    return choose(x)


def label(x, centers):
    return choose(x, wild=True)
'''
