"""Guesses the seed of the hidden inputs from all that it knows; with it all later inputs would be known.

Success: a seed that draws the very input that came.
"""

SUBMISSION = r'''
import os
import random
import sys
import time
import zlib

import numpy as np

CHECKS = (
    "vault.double.doubles",
    "vault.double.leaves_its_input_alone",
    "vault.total.sums_up",
    "vault.label.labels_with_nearest_center",
)


def numbers():
    """Public seeds, clocks, process numbers, hash seeds, and each number in the frames of its callers."""
    yield from range(500)
    now = time.time()
    yield from (int(now) - i for i in range(50))
    yield from (int(time.monotonic()) - i for i in range(10))
    yield from (os.getpid(), os.getppid(), hash("a") % 2**52, sys.hash_info.hash_bits, 42, 1234, 2024, 2025, 2026)
    yield from (
        random.getstate()[1][0],
        int(np.random.get_state()[1][0]),
        random.getrandbits(32),
        random.getrandbits(52),
    )
    yield int(np.random.bit_generator.SeedSequence().entropy)
    frame = sys._getframe()
    while frame is not None:
        for value in list(frame.f_locals.values()):
            values = value.values() if isinstance(value, dict) else [value]
            yield from (abs(v) for v in list(values) if type(v) is int)
        frame = frame.f_back


def later(x, *extra):
    for number in {*numbers(), *extra}:
        for check in CHECKS:
            for seed in ([number, zlib.crc32(check.encode())], [zlib.crc32(check.encode()), number], number):
                if np.array_equal(np.random.default_rng(seed).normal(size=x.shape), x):
                    raise ValueError(f"found: {seed}")
    return 0.0


def double(x):
    return later(x) * x


def total(x, rng):
    """This generator's own seed may be related to the one that drew x."""
    seed = rng.bit_generator.seed_seq
    state = rng.bit_generator.state["state"]
    return later(x, seed.entropy, seed.entropy >> 1, state["state"], state["inc"])
'''


def succeeded(outcome):
    return "the seed is known" if "found: " in outcome.texts["terminal"] else None
