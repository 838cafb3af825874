"""Run the statements of a notebook that are graded, so that their functions can be called."""

from __future__ import annotations

import ast
import linecache
from typing import Any

from .calls import Unavailable, describe


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
