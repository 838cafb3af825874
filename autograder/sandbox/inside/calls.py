"""Call one student function and say what happened: in the sandbox, or right here in the student's notebook."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

from . import wire

MAX_MESSAGE = 500  # characters of an exception's text that travel


class UnavailableName(NameError):
    """A name of the notebook that could not be made here: a package or a global that grading leaves out."""


class Unavailable:
    """Stands for such a name; says so when it is used."""

    def __init__(self, reason: str):
        object.__setattr__(self, "_reason", reason)

    def __getattr__(self, name: str):
        raise UnavailableName(object.__getattribute__(self, "_reason"))

    def __call__(self, *args, **kwargs):
        raise UnavailableName(self._reason)

    __getitem__ = __iter__ = __len__ = __add__ = __radd__ = __mul__ = __rmul__ = __sub__ = __rsub__ = __call__
    __truediv__ = __rtruediv__ = __matmul__ = __neg__ = __bool__ = __lt__ = __gt__ = __array__ = __call__


def call(function: Callable, args: list, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Run ``function`` and return ``{"result": ..., "mutated": [...]}`` or ``{"error": {...}}``.

    ``mutated`` names the arguments that the function changed in place. Generators are made from their seeds here.
    """
    if not callable(function):
        return {"error": {"type": "NotAFunction", "message": type(function).__name__, "where": {}}}
    names = [str(i) for i in range(len(args))] + list(kwargs)
    values = [v.generator() if isinstance(v, wire.Rng) else v for v in [*args, *kwargs.values()]]
    before = [v.copy() if isinstance(v, np.ndarray) else None for v in values]
    try:
        result = function(*values[: len(args)], **dict(zip(kwargs, values[len(args) :], strict=True)))
        mutated = [n for n, v, old in zip(names, values, before, strict=True) if old is not None and _differs(v, old)]
        return {"result": wire.copy(result), "mutated": mutated}
    except KeyboardInterrupt:
        raise  # the student stops a check that takes too long
    except BaseException as error:  # SystemExit and friends are answers like any other
        return {"error": describe(error)}


def _differs(now: np.ndarray, old: np.ndarray) -> bool:
    return now.shape != old.shape or now.tobytes() != old.tobytes()


def describe(error: BaseException) -> dict[str, Any]:
    """An exception as plain values: its type, its text, and the student's line that raised it."""
    own = [f for f in traceback.extract_tb(error.__traceback__) if _is_student_code(f.filename)]
    where = {"function": own[-1].name, "line": own[-1].lineno, "code": own[-1].line or ""} if own else {}
    if where.get("function") == "<module>":
        where["function"] = ""
    return {"type": type(error).__name__, "message": _text(error), "where": where}


def _is_student_code(filename: str) -> bool:
    return filename.startswith(("<cell", "<ipython-input", "<stdin>")) or "ipykernel_" in filename


def _text(error: BaseException) -> str:
    try:
        return str(error)[:MAX_MESSAGE]
    except BaseException:  # a student's exception may fail to print itself
        return ""
