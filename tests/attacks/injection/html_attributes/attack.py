"""Quotes that would end an attribute, in everything that is quoted.

Success: an attribute of the student's is on the page.
"""

from attacks.injection.strict import report_is_broken as succeeded  # noqa: F401

SUBMISSION = r"""
PAYLOAD = (
    " \" onmouseover=\"alert(1)\" x=' onfocus='alert(2)' autofocus ` onload=`alert(3)` > "
    "\"><b \" style=\"position:fixed "
    "&quot; onclick=&quot;alert(4) &#39; onclick=&#39;alert(5)"
)


def double(x):
    raise KeyError(PAYLOAD)


def total(x, rng):
    return {PAYLOAD: 1}


def label(x, centers):
    raise type('" onerror="alert(1)', (Exception,), {})(PAYLOAD)
"""
