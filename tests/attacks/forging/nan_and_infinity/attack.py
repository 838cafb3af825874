"""Returns NaN, infinities, the largest numbers and negative zero, which fool comparisons that are written carelessly.

Success: points for values that are wrong.
"""

LESSON = "many"

SUBMISSION = r'''
import numpy as np

STRANGE = [np.nan, np.inf, -np.inf, 1.7976931348623157e308, 5e-324, -0.0]


def strange(x, shape):
    which = int(x.flat[0])
    with np.errstate(all="ignore"):
        return np.full(shape, STRANGE[which % 6]).astype([float, np.float16, np.float32][which // 6 % 3])


def double(x):
    return strange(x, x.shape)


def total(x, rng):
    return [float, np.float16, np.array, lambda v: np.array([v]), str, complex][int(x[0]) // 6](strange(x, ()).item())


def label(x, centers):
    """Not a number is equal to nothing, so perhaps it belongs to every group."""
    labels = strange(x, len(x))
    labels[len(x) // 2 :] = [np.nan, np.inf, 1][int(x[0, 0]) // 6 % 3]
    return labels
'''
