"""The student as a check sees them: an object whose methods are the functions of their notebook.

``student.assign(x, centers)`` runs the function in the sandbox (`SandboxStudent`) or right here, in the student's own
notebook (`LocalStudent`). Both send the arguments and bring back the result as plain values (`inside.wire`), so a
check cannot tell them apart and a student's object never reaches it.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from types import FunctionType
from typing import Any

from .sandbox import MAX_TEXT, Ended, Limits, Pool, Sandbox, View, start_worker
from .sandbox.inside import wire
from .sandbox.inside.calls import call
from .sandbox.process import Process


class StudentError(Exception):
    """A student's function gave no result. ``kind``: missing, stub, error, timeout, crash or refused."""

    def __init__(self, kind: str, message: str, *, type: str = "", hint: str | None = None):
        super().__init__(message)
        self.kind = kind
        self.type = type
        self.hint = hint


@dataclass(frozen=True)
class Call:
    """One recorded call: enough to make it again with another function."""

    name: str
    sent: tuple[list, dict[str, Any]]  # args and kwargs, copied before the call
    result: Any = None
    error: str | None = None  # the exception's type, if it raised

    def arguments(self) -> tuple[list, dict[str, Any]]:
        """Fresh copies of the arguments, as they arrived, with generators made from their seeds."""
        args, kwargs = wire.copy(self.sent)
        return [_live(a) for a in args], {k: _live(v) for k, v in kwargs.items()}


def _live(value: Any) -> Any:
    return value.generator() if isinstance(value, wire.Rng) else value


class Student:
    """Common to both: names become functions, calls are recorded, failures become `StudentError`."""

    def __init__(self):
        self._calls: list[Call] = []
        self._mutated: list[tuple[str, str]] = []  # (function, argument)
        self.slow: set[str] = set()  # functions that ran out of time

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)

        def function(*args, **kwargs):
            return self._call(name, list(args), kwargs)

        return function

    def _call(self, name: str, args: list, kwargs: dict[str, Any]) -> Any:
        sent = deepcopy((args, kwargs))
        try:
            answer = self._run(name, args, kwargs)
        except Ended as end:
            if end.kind == "timeout":
                self.slow.add(name)
            self._calls.append(Call(name, sent, error=end.kind))
            raise StudentError(end.kind, _ended(name, end)) from None
        if "error" in answer:
            error = answer["error"]
            self._calls.append(Call(name, sent, error=error["type"]))
            raise _student_error(name, error)
        known, mutated = [*map(str, range(len(args))), *kwargs], set(answer["mutated"])
        self._mutated += [(name, argument) for argument in known if argument in mutated]
        self._calls.append(Call(name, sent, result=answer["result"]))
        return deepcopy(answer["result"])

    def _run(self, name: str, args: list, kwargs: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def _fresh(self) -> None:
        """Forget the calls of the check before."""
        self._calls, self._mutated = [], []


class LocalStudent(Student):
    """Functions of this process: the student's own notebook, or a test."""

    def __init__(self, namespace: Mapping[str, Any]):
        super().__init__()
        self._namespace = namespace

    def _run(self, name: str, args: list, kwargs: dict[str, Any]) -> dict[str, Any]:
        function = self._namespace.get(name)
        if function is None:
            raise StudentError("missing", _MISSING.format(name), type="Missing", hint=self._near(name))
        return wire.read(call(function, *wire.copy([args, kwargs])))

    def _near(self, name: str) -> str | None:
        functions = [
            n for n, v in self._namespace.items() if isinstance(v, FunctionType) and v.__module__ == "__main__"
        ]
        own = {n.lower(): n for n in functions}
        near = difflib.get_close_matches(name.lower(), own, 1, cutoff=0.8)
        return f"there is {own[near[0]]}: give the function the name {name}" if near else None


class SandboxStudent(Student):
    """Functions of a submission, in a sandbox that is started when first needed, and again after it ended."""

    MAX_STARTS = 6  # a submission that kills every process may not hold the queue

    def __init__(
        self,
        definitions: dict[str, Any],
        *,
        view: View,
        limits: Limits,
        isolated: bool = True,
        pool: Pool | None = None,
        seed: int = 0,
    ):
        super().__init__()
        self._new = partial(Sandbox, definitions, view=view, limits=limits, isolated=isolated, seed=_inner_seed(seed))
        self._start = partial(start_worker, view, isolated=isolated, pool=pool)
        self._worker: Process | None = None  # started ahead of time
        self._sandbox: Sandbox | None = None
        self._starts = 0
        self._broken: Ended | None = None  # why no sandbox can be started any more
        self._seconds = limits.total_seconds  # left, for all its sandboxes together
        self.failed: dict[str, Any] = {}  # definitions of the notebook that failed, by name; known after a call

    def prepare(self) -> None:
        """Start the first sandbox's process, so that it gets ready while the judge does other things."""
        self._worker = self._start()

    def _run(self, name: str, args: list, kwargs: dict[str, Any]) -> dict[str, Any]:
        return self._ready().call(name, args, kwargs)

    def _ready(self) -> Sandbox:
        if self._sandbox is not None and self._sandbox.open:
            return self._sandbox
        if self._sandbox is not None:
            self._seconds = self._sandbox.seconds_left
        if self._broken is None and (self._starts >= self.MAX_STARTS or self._seconds <= 0):
            self._broken = Ended("timeout", "the time for this submission was used up by earlier tasks")
        if self._broken is not None:
            raise self._broken
        self._starts += 1
        try:
            worker, self._worker = self._worker or self._start(), None
            self._sandbox = self._new(worker=worker, seconds=self._seconds)
        except Ended as end:
            self._broken = Ended(end.kind, f"the notebook's definitions could not be run: {end}")
            raise self._broken from None
        self.failed = self._sandbox.failed
        return self._sandbox

    def close(self) -> None:
        if self._sandbox is not None:
            self._sandbox.close()
        if self._worker is not None:
            self._worker.kill()


def _inner_seed(seed: int) -> int:
    """A seed for inside that says nothing about the one that draws the hidden inputs."""
    return int.from_bytes(hashlib.sha256(f"inside {seed}".encode()).digest()[:4], "little")


def _ended(name: str, end: Ended) -> str:
    if end.kind == "timeout":
        return str(end) or f"{name} did not finish in time. Is there a loop that never ends, or one over every pixel?"
    if end.kind == "crash":
        return f"{name}: {end}"
    return f"{name} gave no usable answer: {end}"


def _student_error(name: str, error: dict[str, Any]) -> StudentError:
    kind, text, where = error["type"][:100], error["message"][:MAX_TEXT], _where(error["where"])
    if kind == "Missing":
        return StudentError("missing", _MISSING.format(name), type=kind)
    if kind == "NotImplementedError":
        return StudentError("stub", f"{_origin(name, where)} is not written yet", type=kind)
    if kind == "NotAFunction":
        article = "an" if text[:1] in "aeiou" else "a"
        message = f"{name} is no function any more: something in the notebook gave this name to {article} {text}"
        return StudentError(
            "error", message, type=kind, hint="rename that variable, then run the function's cell again"
        )
    if kind == "WireError":
        return StudentError("error", f"{name} returned {text}", type=kind, hint="return NumPy arrays or plain numbers")
    line = f", line {where['line']} of its cell: {where['code']}" if where.get("line") and where.get("code") else ""
    place = f" (in {_origin(name, where)}{line})" if line else ""
    return StudentError(
        "error", f"{name} raised {kind}: {text or 'no message'}{place}", type=kind, hint=_error_hint(kind, text, where)
    )


def _where(where: dict[str, Any]) -> dict[str, Any]:
    """What a stranger says about the place of an error, if it has the right form."""
    forms = {"function": str, "line": int, "code": str}
    kept = {k: where[k] for k, form in forms.items() if type(where.get(k)) is form}
    return {k: v[:200] if isinstance(v, str) else v for k, v in kept.items()}


def _origin(name: str, where: dict[str, Any]) -> str:
    """The function that raised; a student's own helper may be to blame."""
    function = where.get("function")
    return function if function and not function.startswith("<") else name


def _error_hint(kind: str, text: str, where: dict[str, Any]) -> str | None:
    if kind == "UnavailableName" and "when this lesson is graded" in text:  # an import
        return "do without it in the functions of the tasks and their helpers"
    if kind == "AttributeError" and text.startswith("'NoneType' object"):
        return "None comes from a function without a return"
    if text.startswith("'list' object has no attribute") or ("operand" in text and "'list'" in text):
        return "a list lacks what an array has: np.array(...) makes one; does one of your functions return a list?"
    if kind == "TypeError" and "positional argument" in text and not where:
        return "leave the parameters in the line with def as they were"
    return _ERRORS.get(kind)


_MISSING = "there is no function {} in the notebook yet"
_ERRORS = {
    "NameError": "no cell defines this name: is it a typo, or was its cell not run, or deleted?",
    "UnboundLocalError": "a name is used before it gets its value on this path",
    "RecursionError": "the function calls itself without an end",
    "MemoryError": "an array is larger than the memory that a submission may use: avoid an (n, k, d) array",
    "ModuleNotFoundError": "write this part with NumPy: few other packages are there when a lesson is graded",
    "UnavailableName": "pass what the function needs as an argument, or compute it inside",
}
