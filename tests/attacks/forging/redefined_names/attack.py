"""Defines names that the course, the judge and the worker use, in its notebook and in the worker's modules.

Success: points for values that are wrong.
"""

SUBMISSION = r"""
import sys
import types

lesson = expect = student = namespace = answers = requests = order = answer = wire = call = define = None
__builtins__ = {"__import__": __import__, "isinstance": lambda *a: True}
__name__ = "autograder.expect"
__file__ = "/site/autograder/expect.py"
__all__ = ["close", "grade", "check"]


def check(*a, **k):
    return True


def close(value, expected, **options):
    return True


equal = same_partition = true = grade = run_check = close
__getattr__ = lambda name: close


class Everything(types.ModuleType):
    def __getattr__(self, name):
        return close


def replace():
    for name in ("autograder", "autograder.expect", "autograder.lesson", "attacks.checks", "pytest", "otter"):
        sys.modules[name] = Everything(name)
    frame = sys._getframe()
    while frame is not None:
        frame.f_globals.update(check=close, grade=close, expect=Everything("expect"))
        frame = frame.f_back
    return True


REPLACED = replace()


def double(x, check=check, close=close, names=(lesson, expect, __all__, equal, __getattr__, REPLACED)):
    return 0 * x


def total(x, rng, student=student, names=(namespace, answers, requests, order, answer, wire, call, define)):
    return 0.0


def label(x, centers, grade=grade):
    return x[:, 0] * 0
"""
