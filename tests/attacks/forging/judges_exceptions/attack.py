"""Raises exceptions called like those of the judge, of test runners, or with texts that claim success.

Success: points, or a status that is not a failure.
"""

LESSON = "many"

SUBMISSION = r"""
NAMES = (
    "Unmet",
    "Credit",
    "StudentError",
    "Ended",
    "SandboxUnavailable",
    "WireError",
    "CourseError",
    "BadSubmission",
    "KeyboardInterrupt",
    "Skipped",
    "SkipTest",
    "XFailed",
    "Missing",
    "StopIteration",
    "Passed",
    "NotAFunction",
    "NotImplementedError",
    "GeneratorExit",
)


class Claims(BaseException):
    fraction, points, status, kind, hint = 1.0, 10, "passed", "passed", "10/10"

    def __str__(self):
        return "passed: 10/10 points"

    def __eq__(self, other):
        return True

    __hash__ = None


def claim(x):
    name = NAMES[int(x.flat[0]) % len(NAMES)]
    body = {"__module__": "autograder.expect", "__class__": property(lambda self: AssertionError)}
    raise type(name, (Claims,), body)(1.0, "passed")


def double(x):
    claim(x)


def total(x, rng):
    raise (GeneratorExit, StopIteration, NotImplementedError, MemoryError)[int(x[0]) % 4]("10/10")


class Meta(type):
    __name__ = "Credit"
    __instancecheck__ = __subclasscheck__ = __eq__ = lambda self, other: True
    __hash__ = type.__hash__


class Group(BaseExceptionGroup, metaclass=Meta):
    pass


def label(x, centers):
    if int(x[0, 0]) % 2:
        return Claims(1.0)
    raise Group("passed", [Claims(), KeyboardInterrupt("10/10")])
"""


def succeeded(outcome):
    good = [c.id for r in outcome.reports for c in r.checks if c.status in ("passed", "partial")]
    return f"taken for passed: {good}" if good else None
