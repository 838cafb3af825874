"""Quotes, brackets, line separators and lone surrogates that would end a JSON string, or a script that holds the JSON.

Success: the JSON does not load, is not of its form, or has other points.
"""

from attacks.injection.strict import report_is_broken as succeeded  # noqa: F401

SUBMISSION = r"""
ALL = '"}],"score":30,"x":[{"\\" \\u0022 \u2028\u2029\x00\x1f\ud800\udfff'
ALL += '\ufeff\uffff \\ud800 </script> ]]> */ NaN Infinity \\'


def double(x):
    raise ValueError(ALL)


def total(x, rng):
    raise type(ALL, (Exception,), {})(ALL.encode("utf-8", "surrogatepass"))


def label(x, centers):
    return ALL
"""
