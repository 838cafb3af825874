"""Returns arrays and objects that say yes to every comparison.

Success: points for values that are wrong.
"""

SUBMISSION = '''
import numpy as np


class Yes(np.ndarray):
    """Equal and close to everything, whatever its values are."""

    def __eq__(self, other):
        return np.ones(np.shape(other), bool)

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return np.ones(np.shape(inputs[0]), bool)

    def __array_function__(self, function, types, args, kwargs):
        return np.asarray(True)

    __ne__ = __lt__ = __gt__ = lambda self, other: False
    __le__ = __ge__ = __eq__
    __sub__ = __rsub__ = lambda self, other: np.zeros(np.shape(other))


def double(x):
    return np.zeros(np.shape(x)).view(Yes)


class AllEqual(float):
    def __eq__(self, other):
        return True

    __hash__ = float.__hash__
    __ne__ = lambda self, other: False
    __sub__ = __rsub__ = lambda self, other: 0.0
    __abs__ = lambda self: 0.0


def total(x, rng):
    return AllEqual(0.0)


def label(x, centers):
    return np.zeros(len(x), int).view(Yes)
'''
