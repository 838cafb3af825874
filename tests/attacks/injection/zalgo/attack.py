"""Hundreds of combining marks on one letter, which cover the lines above and below with another student's points.

Success: a letter in a report has more marks than any script in use needs.
"""

from attacks.injection.strict import report_is_broken as succeeded  # noqa: F401

SUBMISSION = r"""
MARKS = "".join(chr(0x300 + i) for i in range(70)) + "\u0489\u20dd\u20e3\u0e49\u0e49\u0e49"


def double(x):
    raise ValueError("Z" + MARKS * 3 + "a" + MARKS + "lgo")


def total(x, rng):
    raise type("E" + MARKS, (Exception,), {})(MARKS * 6)


def label(x, centers):
    return MARKS
"""
