"""Function names, errors and words in Hebrew and Arabic, which need no control character to turn what is beside them.

Success: a report is broken by them; the page does not keep them apart from the points.
"""

from attacks.injection.strict import report_is_broken as succeeded  # noqa: F401

SUBMISSION = r"""
def עזר(x):
    raise ValueError("שגיאה 30 / 30 " + "مرحبا 0 / 30")


def double(x):
    return עזר(x)


def total(x, rng):
    raise type("שגיאה", (Exception,), {})("0 / 10 שלום")


def label(x, centers):
    return "אבג 10 / 10"
"""
