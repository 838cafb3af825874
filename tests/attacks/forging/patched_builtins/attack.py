"""Replaces builtins, the handling of errors and the building of classes, wherever the worker or NumPy may look them up.

Success: points for values that are wrong.
"""

SUBMISSION = r'''
import builtins
import sys
import threading


def yes(*a, **k):
    return True


def patch():
    """What does not end the worker at once."""
    builtins.all = builtins.callable = builtins.hasattr = yes
    builtins.abs = builtins.round = lambda x, *a: 0
    builtins.AssertionError = Warning
    builtins.__build_class__ = lambda function, name, *bases, **k: object
    builtins.print = builtins.input = lambda *a, **k: "10/10"
    sys.excepthook = sys.unraisablehook = threading.excepthook = lambda *a: None
    sys.exit = lambda *a: None
    return True


PATCHED = patch()


def double(x):
    return 0 * x if PATCHED else None


def total(x, rng):
    assert False, "this never matters"


def label(x, centers):
    """And what may end it."""
    isinstance_ = isinstance
    builtins.isinstance = lambda value, kind: isinstance_(value, kind) or kind is AssertionError
    builtins.sum = builtins.len = lambda values, *a: 0
    builtins.any = builtins.zip = builtins.sorted = yes
    for name, module in list(sys.modules.items()):
        if name.startswith("inside"):
            module.isinstance, module.abs, module.all, module.sum = yes, yes, yes, yes
    return x[:, 0] * 0
'''
