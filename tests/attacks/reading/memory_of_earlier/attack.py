"""An earlier submission fills its memory with a pattern; this one looks for it in memory that it did not write.

Success: the pattern of the earlier submission is there.
"""

from attacks.reading.tools import MEMORY

LIMITS = {"call_seconds": 6, "total_seconds": 12}

FIRST = r"""
import hashlib

import numpy as np

KEPT = []


def double(x):
    pattern = hashlib.sha256(b"left by the first").digest()
    KEPT.append([pattern * n for n in range(1, 2000)])
    np.add.left = pattern * 1000 if hasattr(np.add, "left") else None
    for size in (64, 512, 1024, 4096, 65536, 2**20):
        block = np.frombuffer(pattern * (size // 32), np.uint8).copy()
        del block
    return 2 * x
"""

SUBMISSION = (
    MEMORY
    + r'''
import hashlib

import numpy as np


def double(x):
    """Memory that was never written."""
    pattern = hashlib.sha256(b"left by the first").digest()
    for size in (64, 512, 1024, 4096, 65536, 2**20):
        for _ in range(50):
            if np.empty(size, np.uint8).tobytes().count(pattern) > 1:
                raise ValueError("found: in an array that was not filled")
    for address, page in pages(4):
        if page.count(pattern) > 9:  # this very code has it, too, but not so often on one page
            raise ValueError(f"found: at {address:x}")
    return 0 * x
'''
)


def succeeded(outcome):
    return "memory of another submission" if "found: " in outcome.texts["terminal"] else None
