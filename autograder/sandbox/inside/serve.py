"""The worker: sets its own limits, makes the student's definitions, then answers calls until it is killed."""

from __future__ import annotations

import os
import sys
from typing import Any, BinaryIO

from . import wire
from .calls import call
from .define import define


def main() -> None:
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    # From here on prints and input() of student code lead nowhere; standard error stays for the start-up below.
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    order = _read(requests)
    set_limits(order["limits"])
    _write(answers, {"ready": True})
    os.dup2(null, 2)
    namespace = {"__name__": "submission", "__builtins__": __builtins__}
    _write(answers, {"failed": define(namespace, order["cells"], order["statements"], order["keep"], order["hidden"])})
    while True:
        order = _read(requests)
        name, function = order["call"], namespace.get(order["call"])
        if function is None:
            answer: dict[str, Any] = {"error": {"type": "Missing", "message": f"{name} is not defined", "where": {}}}
        else:
            answer = call(function, order["args"], order["kwargs"])
        _write(answers, {"id": order["id"], **answer})


def set_limits(limits: dict[str, int]) -> None:
    """Limits for good: they are hard ones and cannot be raised again by an unprivileged process."""
    try:
        import resource
    except ImportError:  # Windows, where only a student's own machine runs this
        return
    for name, value in limits.items():
        which = getattr(resource, f"RLIMIT_{name}", None)
        if which is not None:
            soft, hard = resource.getrlimit(which)
            if hard == resource.RLIM_INFINITY or value < hard:
                try:
                    resource.setrlimit(which, (value, value))
                except (ValueError, OSError):  # macOS refuses some of them
                    pass


def _read(stream: BinaryIO) -> Any:
    head = stream.read(wire.HEAD_BYTES)
    if len(head) < wire.HEAD_BYTES:
        sys.exit(0)  # the judge has closed the door
    n_json, n_arrays = wire.lengths(head)
    return wire.decode(stream.read(n_json), stream.read(n_arrays))


def _write(stream: BinaryIO, value: Any) -> None:
    stream.write(wire.encode(value))
    stream.flush()
