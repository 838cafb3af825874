"""Run the statements of a notebook that are graded, so that their functions can be called."""

from __future__ import annotations
import __future__

import ast
import linecache
from typing import Any

from .calls import Unavailable, describe
from .quiet import stand_in

_FLAGS = __future__.annotations.compiler_flag  # annotations are not evaluated: a name in one may be missing here


def define(
    namespace: dict[str, Any],
    cells: dict[str, str],
    statements: list[dict[str, Any]],
    keep: list[str],
    hidden: list[str],
) -> dict[str, Any]:
    """Run the chosen top-level statements in order. One that fails leaves names that say why when they are used.

    Each has the file name and the line numbers of its cell, so that tracebacks show the student's own lines. A
    function of the names to ``keep`` stays when a later statement fails or gives its name to something else.
    """
    failed: dict[str, Any] = {}
    for cell, source in cells.items():
        linecache.cache[cell] = (len(source), None, [line + "\n" for line in source.split("\n")], cell)
    for statement in statements:
        tree = ast.parse(statement["source"], statement["cell"])
        ast.increment_lineno(tree, statement["line"] - 1)
        functions = {n: namespace[n] for n in statement["names"] if n in keep and n in namespace and n not in failed}
        functions = {n: f for n, f in functions.items() if callable(f)}
        if isinstance(tree.body[0], _DEFINES):  # what is defined anew counts, even if that fails
            functions = {}
        try:
            exec(compile(tree, statement["cell"], "exec", flags=_FLAGS, dont_inherit=True), namespace)
            for name in statement["names"]:
                failed.pop(name, None)
        except BaseException as error:
            what = describe(error)
            reason = _reason(tree.body[0], what, hidden)
            quiet = _stand_ins(tree.body[0])
            namespace.update(quiet)
            for name in statement["names"]:
                if name not in functions and name not in quiet:
                    namespace[name] = Unavailable(reason)
                    failed[name] = {"reason": reason, **what}
        namespace.update({n: f for n, f in functions.items() if not callable(namespace.get(n))})
    return failed


def _stand_ins(node: ast.stmt) -> dict[str, Any]:
    """For an import of what only shows something, the names with what takes their place."""
    module = node.module or "" if isinstance(node, ast.ImportFrom) else None
    found = {}
    for one in node.names if isinstance(node, (ast.Import, ast.ImportFrom)) else ():
        if module is None:
            value = stand_in(one.name, None)
        else:
            value = stand_in(f"{module}.{one.name}", None) or stand_in(module, one.name)
        if value is not None:
            found[one.asname or one.name.split(".")[0]] = value
    return found


_DEFINES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _reason(node: ast.stmt, what: dict[str, Any], hidden: list[str]) -> str:
    if not isinstance(node, (ast.Import, ast.ImportFrom)):
        return f"this line of the notebook failed when it was graded: {ast.unparse(node)[:80]} ({what['message']})"
    modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
    full = modules + [f"{m}.{a.name}" for m in modules for a in node.names]
    for module in full:
        if any(module == h or module.startswith(h + ".") for h in hidden):
            return f"{module} is left out on purpose when this lesson is graded: write that part yourself"
    return f"{ast.unparse(node)[:80]} is not available when this lesson is graded"
