"""Returns arrays of objects, records, text, dates, foreign byte order, masks and matrices, in and out of shape.

Success: points for values that are wrong.
"""

LESSON = "many"

SUBMISSION = r"""
import numpy as np


class Yes:
    __eq__ = __sub__ = __rsub__ = __abs__ = __le__ = __float__ = lambda self, *a: 0.0


def odd(which, shape):
    objects = np.empty(shape, object)
    objects.fill(Yes())
    record = np.zeros(shape, [("value", float), ("points", float)])
    masked = np.ma.masked_all(shape)
    masked.fill_value = 0
    choices = [
        objects,
        record,
        record.view(np.recarray),
        np.zeros(shape, "V8"),
        np.full(shape, "0"),
        np.full(shape, b"0"),
        np.zeros(shape, "M8[s]"),
        np.zeros(shape, "m8[s]"),
        np.zeros(shape, ">f8"),
        masked,
        np.ma.array(np.zeros(shape), mask=True),
        np.asmatrix(np.zeros(shape[:1])),
        np.zeros(shape, np.longdouble),
        np.zeros(shape, complex),
        np.zeros(shape, np.dtypes.StringDType()),
        np.zeros(shape, [("", "f8", (2,))]),
        np.rec.fromarrays([np.zeros(shape)]),
        np.ma.masked,
    ]
    return choices[which % len(choices)]


def double(x):
    return odd(int(x.flat[0]), x.shape)


def total(x, rng):
    return odd(int(x[0]), ())


def label(x, centers):
    return odd(int(x.flat[0]), (len(x),))
"""
