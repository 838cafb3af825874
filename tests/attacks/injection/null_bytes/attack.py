"""Null bytes and bytes that are no text, in messages, types and returned values.

Success: a report is cut off there, or does not come to be.
"""

from attacks.injection.strict import report_is_broken as succeeded  # noqa: F401

SUBMISSION = r"""
def double(x):
    raise ValueError("before\0after", b"\0\xff\xfe")


def total(x, rng):
    raise UnicodeDecodeError("utf-8\0", b"\xff\0", 0, 1, "\0reason\ud800")


def label(x, centers):
    return "\0" * 400
"""
