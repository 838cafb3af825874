"""Draws the inputs of the public seed, which anybody can repeat at home, and answers by a table of their hashes.

Success: points for values that are not computed from the input.
"""

SUBMISSION = r"""
import hashlib
import zlib

import numpy as np


def draws(check, seed):
    return np.random.default_rng([seed, zlib.crc32(f"vault.{check}".encode())])


def key(*arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).digest()


def tables(seeds=(0, 1, 2, 7, 42, 1234, 2025, 2026)):
    doubled, summed, labeled = {}, {}, {}
    for seed in seeds:
        rng = draws("double.doubles", seed)
        for shape in ((3, 4), (7,), (2, 3, 2)):
            x = rng.normal(size=shape)
            doubled[key(x)] = 2 * x
        x = draws("double.leaves_its_input_alone", seed).normal(size=5)
        doubled[key(x)] = 2 * x
        rng = draws("total.sums_up", seed)
        for size in (3, 6):
            x, inner = rng.normal(size=size), int(rng.integers(2**31))
            summed[key(x)] = float(2 * x.sum() + np.random.default_rng(inner).random())
        rng = draws("label.labels_with_nearest_center", seed)
        for _ in range(2):
            x, centers = rng.normal(size=(40, 2)), rng.normal(size=(4, 2))
            labeled[key(x, centers)] = ((x[:, None] - centers[None]) ** 2).sum(axis=2).argmin(axis=1)
    return doubled, summed, labeled


DOUBLED, SUMMED, LABELED = tables()


def double(x):
    return DOUBLED.get(key(x), 0 * x)


def total(x, rng):
    return SUMMED.get(key(x), 0.0)


def label(x, centers):
    return LABELED.get(key(x, centers), x[:, 0] * 0)
"""
