"""Direction overrides, isolates and invisible characters, to turn 0 of 30 into 03 fo 0 or to hide words.

Success: one of them reaches a report.
"""

from attacks.injection.strict import report_is_broken as succeeded  # noqa: F401

SUBMISSION = r"""
ALL = (
    "\u202e03 / 03\u202c \u2066\u2067\u2068x\u2069 \u200f\u200e\u061c \u200b\u200c\u200d"
    "\u2060\ufeff\u00ad\u180e \U000e0041 \U000f0000"
)


def double(x):
    raise ValueError(ALL)


def total(x, rng):
    raise type("\u202eEurorre", (Exception,), {})(ALL)


def label(x, centers):
    return ALL
"""
