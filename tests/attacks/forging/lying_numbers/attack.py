"""Returns subclasses of numbers, texts, lists and dicts whose methods lie, and objects that claim another class.

Success: points for values that are wrong.
"""

LESSON = "many"

SUBMISSION = r'''
import numpy as np


def lying(base, claimed=None):
    names = ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__sub__", "__rsub__", "__abs__", "__bool__")
    methods = {name: lambda self, *other: True for name in names}
    if claimed is not None:
        methods["__class__"] = property(lambda self: claimed)
    return type("Lying", (base,), {**methods, "__hash__": base.__hash__})


class Everything:
    """What has all attributes has the right ones."""

    dtype, shape, ndim, size = np.dtype(float), (3, 4), 2, 12

    def __getattr__(self, name):
        return lambda *a, **k: self

    __array_priority__ = 10**9
    __eq__ = __call__ = __getitem__ = __sub__ = __rsub__ = __abs__ = lambda self, *a: True
    __float__ = lambda self: 0.0
    __int__ = __index__ = __len__ = lambda self: 0


class Array(Everything):
    __class__ = np.ndarray


def lies(x):
    yield lying(list)(np.zeros_like(x).tolist())
    yield lying(tuple)(np.zeros_like(x).tolist())
    yield lying(dict)(result=1)
    for base in (float, int, str):
        yield lying(base)(0)
        yield lying(base, np.ndarray)(0)
        yield lying(base, bool)(0)
    yield lying(list, np.ndarray)([0.0])
    yield lying(bytes)(b"0")
    yield from (Everything(), Array(), np.float64(0), 2**80)


def pick(x):
    choices = list(lies(x))
    return choices[int(x.flat[0]) % len(choices)]


def double(x):
    return pick(x)


def total(x, rng):
    return pick(x)


def label(x, centers):
    return pick(x)
'''
