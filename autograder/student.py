"""The student as a check sees them: an object whose methods are the functions of their notebook.

``student.assign(x, centers)`` runs the function in the sandbox (`SandboxStudent`) or right here, in the student's own
notebook (`LocalStudent`). Both send the arguments and bring back the result as plain values (`inside.wire`), so a
check cannot tell them apart and a student's object never reaches it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .sandbox import Ended, Limits, Sandbox, View
from .sandbox.inside import wire
from .sandbox.inside.calls import call


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
    frame: bytes  # args and kwargs as they were sent
    result: Any = None
    error: str | None = None  # the exception's type, if it raised

    def arguments(self) -> tuple[list, dict[str, Any]]:
        """Fresh copies of the arguments, with generators made from their seeds."""
        head = wire.HEAD_BYTES
        n_json, _ = wire.lengths(self.frame[:head])
        args, kwargs = wire.decode(self.frame[head : head + n_json], self.frame[head + n_json :])
        return [_live(a) for a in args], {k: _live(v) for k, v in kwargs.items()}


def _live(value: Any) -> Any:
    return value.generator() if isinstance(value, wire.Rng) else value


class Student:
    """Common to both: names become functions, calls are recorded, failures become `StudentError`."""

    def __init__(self):
        self._calls: list[Call] = []
        self._mutated: list[tuple[str, str]] = []  # (function, argument)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)

        def function(*args, **kwargs):
            return self._call(name, list(args), kwargs)

        return function

    def _call(self, name: str, args: list, kwargs: dict[str, Any]) -> Any:
        frame = wire.encode([args, kwargs])
        try:
            answer = self._run(name, args, kwargs)
        except Ended as end:
            self._calls.append(Call(name, frame, error=end.kind))
            raise StudentError(end.kind, _ended(name, end)) from None
        if "error" in answer:
            error = answer["error"]
            self._calls.append(Call(name, frame, error=error["type"]))
            raise _student_error(name, error)
        self._mutated += [(name, str(argument)) for argument in answer["mutated"]]
        self._calls.append(Call(name, frame, result=answer["result"]))
        return wire.copy(answer["result"])

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
            return {"error": {"type": "Missing", "message": f"{name} is not defined", "where": {}}}
        args, kwargs = wire.copy([args, kwargs])
        return call(function, args, kwargs)


class SandboxStudent(Student):
    """Functions of a submission, in a sandbox that is started when first needed, and again after it ended."""

    MAX_STARTS = 6  # a submission that kills every process may not hold the queue

    def __init__(self, definitions: dict[str, Any], *, view: View, limits: Limits, isolated: bool = True):
        super().__init__()
        self._new = lambda: Sandbox(definitions, view=view, limits=limits, isolated=isolated)
        self._sandbox: Sandbox | None = None
        self._starts = 0
        self._broken: Ended | None = None  # why no sandbox can be started any more
        self._left = limits.total_seconds

    def _run(self, name: str, args: list, kwargs: dict[str, Any]) -> dict[str, Any]:
        sandbox = self._ready()
        try:
            return sandbox.call(name, args, kwargs)
        except Ended:
            self._left = sandbox.seconds_left
            raise

    def _ready(self) -> Sandbox:
        if self._sandbox is not None and self._sandbox.open:
            return self._sandbox
        if self._broken is None and (self._starts >= self.MAX_STARTS or self._left <= 0):
            self._broken = Ended("timeout", "the time for this submission was used up by earlier tasks")
        if self._broken is not None:
            raise self._broken
        self._starts += 1
        try:
            self._sandbox = self._new()
        except Ended as end:
            self._broken = Ended(end.kind, f"the notebook's definitions could not be run: {end}")
            raise self._broken from None
        return self._sandbox

    @property
    def failed(self) -> dict[str, Any]:
        """Definitions of the notebook that failed, by name."""
        try:
            return self._ready().failed
        except Ended:
            return {}

    def close(self) -> None:
        if self._sandbox is not None:
            self._sandbox.close()


def _ended(name: str, end: Ended) -> str:
    if end.kind == "timeout":
        return str(end) or f"{name} did not finish in time. Is there a loop that never ends, or one over every pixel?"
    if end.kind == "crash":
        return f"{name}: {end}"
    return f"{name} gave no usable answer: {end}"


def _student_error(name: str, error: dict[str, Any]) -> StudentError:
    kind, text, where = error["type"], error["message"], error["where"]
    if kind == "Missing":
        return StudentError("missing", f"there is no function {name} in the notebook yet", type=kind)
    if kind == "NotImplementedError":
        return StudentError("stub", f"{_origin(name, where)} is not written yet", type=kind)
    if kind == "WireError":
        return StudentError("error", f"{name} returned {text}", type=kind, hint="return NumPy arrays or plain numbers")
    line = f", line {where['line']} of its cell: {where['code']}" if where.get("line") and where.get("code") else ""
    place = f" (in {_origin(name, where)}{line})" if line else ""
    return StudentError(
        "error", f"{name} raised {kind}: {text or 'no message'}{place}", type=kind, hint=_ERRORS.get(kind)
    )


def _origin(name: str, where: dict[str, Any]) -> str:
    """The function that raised; a student's own helper may be to blame."""
    function = where.get("function")
    return function if isinstance(function, str) and function and not function.startswith("<") else name


_ERRORS = {
    "UnboundLocalError": "a name is used before it gets its value on this path",
    "RecursionError": "the function calls itself without an end",
    "MemoryError": "an array is larger than the memory that a submission may use: avoid an (n, k, d) array",
    "UnavailableName": "pass what the function needs as an argument, or compute it inside",
}
