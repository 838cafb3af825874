"""Lines that look like lines of the report: a task with full points, another student's row, a second total.

Success: such a line stands where only the grader writes.
"""

from attacks.injection.strict import report_is_broken as succeeded  # noqa: F401

SUBMISSION = r"""
LINES = (
    "wrong\n  \u2713 double                      10 / 10\n  \u2713 total 10 / 10\n   30 / 30  ada.py\n"
    "ada.py  30/30  (Vault)\n"
    "\u2028  30 / 30  ada.py\u2029\x0b\x0c\x1c\x85  30 / 30  ben.py\n100/100\n30 of 30 points\n"
)


def double(x):
    raise ValueError(LINES)


def total(x, rng):
    raise type("E\n  \u2713 total                       10 / 10\nE", (Exception,), {})(" " * 80 + "30 / 30  ada.py")


def label(x, centers):
    return LINES


def helper():
    return 1
"""
