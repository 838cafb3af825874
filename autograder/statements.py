"""What a top-level statement binds, needs and changes: enough to choose statements without running any."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .cells import Cell

_Function = (ast.FunctionDef, ast.AsyncFunctionDef)
_CHANGING = frozenset(
    "add append appendleft clear difference_update discard extend extendleft fill insert intersection_update"
    " itemset pop popitem popleft put register remove resize reverse rotate setdefault setflags sort"
    " symmetric_difference_update update".split()
)


@dataclass(frozen=True)
class Statement:
    """A top-level statement. Names are global names."""

    cell: Cell
    line: int
    source: str
    binds: frozenset[str]
    now: frozenset[str] = frozenset()  # needed while it runs
    later: frozenset[str] = frozenset()  # needed when its functions are called
    defines: frozenset[str] = frozenset()  # of what it binds, functions and classes
    changes: frozenset[str] = frozenset()  # values that it changes, as in `table[0] = 1`
    calls: frozenset[str] = frozenset()  # what it calls by name while it runs, decorators included
    inside: frozenset[str] = frozenset()  # what its functions bind or change when they are called
    deletes: frozenset[str] = frozenset()
    is_import: bool = False
    is_star: bool = False  # from x import *
    is_dotted: bool = False  # import a.b: one of several that all bind `a`
    is_call: bool = False  # nothing but a call, or a definition with decorators

    @property
    def rebinds(self) -> frozenset[str]:
        """Names whose value it makes from their value before, as in `f = memoized(f)`."""
        return self.binds & self.now


def analyze(cell: Cell, node: ast.stmt, line: int, source: str) -> Statement:
    """The statement at a line of a cell.

    Raises
    ------
    SyntaxError
        If it can be parsed but not be run, as `nonlocal` at the top level.
    """
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        names = frozenset((a.asname or a.name).split(".")[0] for a in node.names if a.name != "*")
        is_dotted = isinstance(node, ast.Import) and any("." in a.name and not a.asname for a in node.names)
        return Statement(cell, line, source, names, is_import=True, is_star=not names, is_dotted=is_dotted)
    table = symtable.symtable(source, cell.file, "exec")
    outer, (first, inner) = list(_outside_functions(node)), _tables(table)
    symbols = table.get_symbols()
    binds = {s.get_name() for s in symbols if s.is_assigned() or s.is_imported()}
    binds |= {n.target.id for n in outer if isinstance(n, ast.NamedExpr)}
    deleted = {n.id for n in outer if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Del)}
    binds -= deleted
    if isinstance(node, ast.AnnAssign) and node.value is None:
        binds = set()
    defines = {n.name for n in outer if isinstance(n, (*_Function, ast.ClassDef))} & binds
    now = {s.get_name() for s in symbols if s.is_referenced()}
    now |= {s.get_name() for t in first for s in t.get_symbols() if s.is_global() and s.is_referenced()}
    later, written = set(), set()
    for symbol in (s for t in inner for s in t.get_symbols() if s.is_global()):
        later |= {symbol.get_name()} if symbol.is_referenced() or symbol.is_assigned() else set()
        written |= {symbol.get_name()} if symbol.is_assigned() else set()
    if isinstance(node, (*_Function, ast.ClassDef)):
        now -= {node.name}
    if isinstance(node, ast.AugAssign):
        now |= binds
    elif binds & now:
        now -= _bound_first(node)  # as the k of a loop `for k in ...`
    decorators = [d for n in outer for d in getattr(n, "decorator_list", [])]
    called = [_called(d) for d in decorators] + [n.func for n in outer if isinstance(n, ast.Call)]
    changes = {*_changed(outer), *(_root(d) for d in decorators if isinstance(_called(d), ast.Attribute))} - {None}
    return Statement(
        cell,
        line,
        source,
        frozenset(binds),
        now=frozenset(now),
        later=frozenset(later),
        defines=frozenset(defines),
        changes=frozenset(changes - binds),
        calls=frozenset(f.id for f in called if isinstance(f, ast.Name)),
        inside=frozenset(written | (set(_changed(ast.walk(node))) & later)),
        deletes=frozenset(deleted),
        is_call=bool(decorators) or isinstance(node, ast.Expr),
    )


_COMPREHENSIONS = ("listcomp", "setcomp", "dictcomp", "genexpr")


def _tables(table: symtable.SymbolTable) -> tuple[list[symtable.SymbolTable], list[symtable.SymbolTable]]:
    """Scopes below a statement: those of classes and comprehensions, which run at once, and those of functions."""
    first, later = [], []
    waiting = [(child, True) for child in table.get_children()]
    while waiting:
        one, is_first = waiting.pop()
        is_first = is_first and (one.get_type() == "class" or one.get_name() in _COMPREHENSIONS)
        (first if is_first else later).append(one)
        waiting += [(child, is_first) for child in one.get_children()]
    return first, later


def _bound_first(node: ast.stmt) -> set[str]:
    """Names that the statement binds before it reads them, so that it does not need them from elsewhere."""
    bound: set[str] = set()
    read: set[str] = set()
    for name, is_bound in _events(node):
        if is_bound and name not in read:
            bound.add(name)
        elif name not in bound:
            read.add(name)
    return bound


def _events(node: ast.AST) -> Iterator[tuple[str, bool]]:
    """Names in the order in which they are read or bound."""
    if isinstance(node, ast.Name):
        yield node.id, not isinstance(node.ctx, ast.Load)
    elif isinstance(node, (*_Function, ast.Lambda, ast.ClassDef)):
        yield from ((n.id, False) for n in _outside_functions(node) if isinstance(n, ast.Name))
        yield from [(node.name, True)] if not isinstance(node, ast.Lambda) else []
    elif isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
        names = [n for n in ast.walk(node) if isinstance(n, ast.Name)]
        own = {n.id for n in names if not isinstance(n.ctx, ast.Load)}
        yield from ((n.id, False) for n in names if n.id not in own)
    else:
        parts = list(ast.iter_child_nodes(node))
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)):
            parts.reverse()  # the value comes first
        elif isinstance(node, (ast.For, ast.AsyncFor)):
            parts[:2] = parts[1::-1]
        for part in parts:
            yield from _events(part)


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    """The node and those below it that run at once: decorators and defaults, but no body of a function."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        body = node.body if isinstance(node, (*_Function, ast.Lambda)) else []
        skipped = set(map(id, body if isinstance(body, list) else [body]))
        waiting += [child for child in ast.iter_child_nodes(node) if id(child) not in skipped]


def _called(node: ast.AST) -> ast.AST:
    return node.func if isinstance(node, ast.Call) else node


def _root(node: ast.AST) -> str | None:
    """`table` of `table[0].rows.append`."""
    while isinstance(node, (ast.Subscript, ast.Attribute, ast.Call, ast.Starred)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def _changed(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Names whose values are changed in place."""
    for node in nodes:
        root = None
        if isinstance(node, (ast.Subscript, ast.Attribute)) and not isinstance(node.ctx, ast.Load):
            root = _root(node.value)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGING:
            root = _root(node.func.value)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("setattr", "delattr"):
            root = _root(node.args[0]) if node.args else None
        if root is not None:
            yield root
