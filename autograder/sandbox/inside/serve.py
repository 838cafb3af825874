"""The worker: sets its own limits, makes the student's definitions, then answers calls until it is killed."""

from __future__ import annotations

import ast
import linecache
import os
import sys
from typing import Any, BinaryIO

from . import wire
from .calls import Unavailable, call, describe


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


def define(
    namespace: dict[str, Any],
    cells: dict[str, str],
    statements: list[dict[str, Any]],
    keep: list[str],
    hidden: list[str],
) -> dict[str, Any]:
    """Run the chosen top-level statements in order. One that fails leaves names that say why when they are used.

    A function of the names to ``keep`` stays when a later statement fails or gives its name to something else.
    """
    trees: dict[str, ast.Module] = {}
    failed: dict[str, Any] = {}
    for cell, source in cells.items():
        trees[cell] = ast.parse(source, cell)
        linecache.cache[cell] = (len(source), None, source.splitlines(keepends=True), cell)
    for statement in statements:
        node = trees[statement["cell"]].body[statement["index"]]
        functions = {n: namespace[n] for n in statement["names"] if n in keep and n in namespace and n not in failed}
        functions = {n: f for n, f in functions.items() if callable(f)}
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):  # what is defined anew counts, even if that fails
            functions = {}
        try:
            exec(compile(ast.Module([node], []), statement["cell"], "exec"), namespace)
        except BaseException as error:
            what = describe(error)
            reason = _reason(node, what, hidden)
            for name in statement["names"]:
                if name not in functions:
                    namespace[name] = Unavailable(reason)
                    failed[name] = {"reason": reason, **what}
        namespace.update({n: f for n, f in functions.items() if not callable(namespace.get(n))})
    return failed


def _reason(node: ast.stmt, what: dict[str, Any], hidden: list[str]) -> str:
    if not isinstance(node, (ast.Import, ast.ImportFrom)):
        return f"this line of the notebook failed when it was graded: {ast.unparse(node)[:80]} ({what['message']})"
    modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
    full = modules + [f"{m}.{a.name}" for m in modules for a in node.names]
    for module in full:
        if any(module == h or module.startswith(h + ".") for h in hidden):
            return f"{module} is left out on purpose when this lesson is graded: write that part yourself"
    return f"{ast.unparse(node)[:80]} is not available when this lesson is graded"


def _read(stream: BinaryIO) -> Any:
    head = stream.read(wire.HEAD_BYTES)
    if len(head) < wire.HEAD_BYTES:
        sys.exit(0)  # the judge has closed the door
    n_json, n_arrays = wire.lengths(head)
    return wire.decode(stream.read(n_json), stream.read(n_arrays))


def _write(stream: BinaryIO, value: Any) -> None:
    stream.write(wire.encode(value))
    stream.flush()
