"""Call one student function and say what happened: in the sandbox, or right here in the student's notebook."""

from __future__ import annotations

import linecache
from collections.abc import Callable
from typing import Any

import numpy as np

from . import wire

MAX_MESSAGE = 500  # characters of each text that travel


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
    __floordiv__ = __mod__ = __pow__ = __contains__ = __index__ = __int__ = __float__ = __enter__ = __call__


def call(function: Callable, args: list, kwargs: dict[str, Any], id: int = 0) -> bytes:
    """Run ``function``; the frame of ``{"id", "result", "mutated"}`` or ``{"id", "error"}``.

    ``mutated`` names the arguments that the function changed in place. Generators are made from their seeds here.
    """
    if not callable(function):
        return failure(id, "NotAFunction", _type_name(function))
    names = [str(i) for i in range(len(args))] + list(kwargs)
    values = [v.generator() if isinstance(v, wire.Rng) else v for v in [*args, *kwargs.values()]]
    before = [v.copy() if isinstance(v, np.ndarray) else None for v in values]
    try:
        result = function(*values[: len(args)], **dict(zip(kwargs, values[len(args) :], strict=True)))
        mutated = [n for n, v, old in zip(names, values, before, strict=True) if old is not None and _differs(v, old)]
        return wire.encode({"id": id, "result": result, "mutated": mutated})
    except KeyboardInterrupt:
        raise  # the student stops a check that takes too long
    except BaseException as error:  # SystemExit and friends are answers like any other
        return wire.encode({"id": id, "error": describe(error)})


def failure(id: int, kind: str, message: str) -> bytes:
    """The frame for a call that cannot be made."""
    return wire.encode({"id": id, "error": {"type": kind, "message": message, "where": {}}})


def _differs(now: np.ndarray, old: np.ndarray) -> bool:
    return now.shape != old.shape or now.tobytes() != old.tobytes()


def describe(error: BaseException) -> dict[str, Any]:
    """An exception as plain values: its type, its text, and the student's line that raised it.

    All three may be made to fail, to be endless, or to be something else than they seem.
    """
    try:
        where = _where(error)
    except BaseException:
        where = {}
    try:
        message = _plain(str(error))
    except BaseException:
        message = ""
    return {"type": _type_name(error), "message": message, "where": where}


def _where(error: BaseException) -> dict[str, Any]:
    last, step = None, error.__traceback__
    while step is not None:  # traceback.extract_tb would read the line of each of a million frames
        last = step if _is_student_code(step.tb_frame.f_code.co_filename) else last
        step = step.tb_next
    if last is None:
        return {}
    code, line = last.tb_frame.f_code, int(last.tb_lineno)
    function = "" if code.co_name == "<module>" else _plain(code.co_name)
    text = linecache.getline(code.co_filename, line, last.tb_frame.f_globals)
    return {"function": function, "line": line, "code": _plain(text.strip())}


def _is_student_code(filename: str) -> bool:
    return filename.startswith(("<cell", "<ipython-input", "<stdin>")) or "ipykernel_" in filename


def _type_name(value: Any) -> str:
    """The real name of a value's type; a metaclass cannot give another one."""
    return _plain(type.__dict__["__name__"].__get__(type(value)))


def _plain(text: str) -> str:
    """The first characters as a plain string, whatever subclass of it this is."""
    return str.__getitem__(text, slice(MAX_MESSAGE))
