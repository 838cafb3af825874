"""What checks draw and compute, remembered: tests put the same questions to hundreds of answers.

A check runs for each named mistake, each parrot and each hostile value. With the same seed it draws the same images and
works out the same right answers every time, which costs up to a hundred times what judging costs. `checks_remember`
replaces the functions of ``autograder.checks`` by ones that know what they gave for the very same arguments. Checks
themselves always run: what they ask and how they judge is what is tested.

Nothing is remembered of a function that changes an argument, that takes or gives something without a content of its own
(such as a function made in a function), that fails, or that is fast. The state of a generator is part of the arguments,
and the generator is left in the state in which the function left it.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import inspect
import io
import pickle
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import wraps
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

WORTH = 0.5e-3  # seconds of processor time: what takes less is done again sooner than it is looked up
MOST = 2**28  # bytes that are kept, the newest
_kept: OrderedDict[bytes, bytes] = OrderedDict()
_size = 0


class NoContent(Exception):
    """Two of these can look alike and yet be different."""


class _Pickler(pickle.Pickler):
    def __init__(self, file):
        super().__init__(file, protocol=5)
        self.generators: list[np.random.Generator] = []

    def persistent_id(self, value: Any) -> Any:
        if isinstance(value, np.random.Generator):
            self.generators.append(value)
            return "a generator"
        if isinstance(value, FunctionType):
            if "<" in value.__qualname__ or value.__module__ not in sys.modules:
                raise NoContent
            return value.__module__, value.__qualname__
        return None


def _content(value: Any) -> tuple[bytes, list[np.random.Generator]]:
    """All that is in a value, but for the states of the generators in it."""
    file = io.BytesIO()
    pickler = _Pickler(file)
    try:
        pickler.dump(value)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise NoContent from error
    return file.getvalue(), pickler.generators


def _states(generators: list[np.random.Generator]) -> list[dict]:
    return [g.bit_generator.state for g in generators]


def _keep(key: bytes, value: bytes) -> None:
    global _size
    _kept[key] = value
    _size += len(value)
    while _size > MOST:
        _size -= len(_kept.popitem(last=False)[1])


def remembering(function: Callable, name: str = "") -> Callable:
    """A function that gives what ``function`` gave for the same arguments, as a copy.

    ``name`` tells functions apart: two of the same name must be the same function.
    """
    name = name or f"{function.__module__}.{function.__qualname__}"
    calls, slow, changes = 0, 0, False  # of `function`, how many took long, whether it changes its arguments

    @wraps(function)
    def remembers(*args, **kwargs):
        nonlocal calls, slow, changes
        if changes or (calls >= 4 and slow < 2):
            return function(*args, **kwargs)
        try:
            before, generators = _content((args, kwargs))
        except NoContent:
            return function(*args, **kwargs)
        key = hashlib.sha256(pickle.dumps((name, before, _states(generators)))).digest()
        if key in _kept:
            _kept.move_to_end(key)
            result, states = pickle.loads(_kept[key])
            for generator, state in zip(generators, states, strict=True):
                generator.bit_generator.state = state
            return result
        calls += 1
        started = time.process_time()
        result = function(*args, **kwargs)
        if time.process_time() - started > WORTH:
            slow += 1
            with contextlib.suppress(NoContent, pickle.PicklingError):
                changes = _content((args, kwargs))[0] != before
                if not changes and _content(result)[1] == []:
                    _keep(key, pickle.dumps((result, _states(generators)), protocol=5))
        return result

    return remembers


_REMEMBERING: dict[FunctionType, Callable] = {}


@contextlib.contextmanager
def checks_remember(lessons) -> Iterator[None]:
    """Within it, the functions that draw and compute for the checks of these lessons remember, and the mistakes."""
    before = []
    for lesson in lessons:
        module = importlib.import_module(f"autograder.checks.{lesson.topic}")
        before.append((module, dict(vars(module)), lesson, list(lesson.mistakes)))
        for name, value in list(vars(module).items()):
            if isinstance(value, FunctionType) and value.__module__.startswith("autograder.checks."):
                if "student" not in inspect.signature(value).parameters:
                    setattr(module, name, _remembering(value))
        lesson.mistakes[:] = [replace(m, function=_remembering(m.function)) for m in lesson.mistakes]
    try:
        yield
    finally:
        for module, names, lesson, mistakes in before:
            vars(module).update(names)
            lesson.mistakes[:] = mistakes


def _remembering(function: FunctionType) -> Callable:
    if function not in _REMEMBERING:
        _REMEMBERING[function] = remembering(function)
    return _REMEMBERING[function]


def remembering_by_code(namespace: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """The functions of these names; each remembers what any function of the same code gave.

    The same code means: of the function and of all that it uses in its namespace. One that uses something without a
    content of its own is given as it is.
    """
    found = {}
    for name in names:
        found[name] = namespace.get(name)
        if isinstance(found[name], FunctionType):
            with contextlib.suppress(NoContent):
                found[name] = remembering(found[name], repr(_meaning(found[name], ())))
    return found


def _meaning(value: Any, above: tuple[int, ...]) -> Any:
    """What a value of a namespace is, as text and numbers in which no address, place or file occurs.

    ``above``: the functions by which it was reached, by their identity.
    """
    if isinstance(value, ModuleType):
        return value.__name__
    if isinstance(value, CodeType):
        parts = (value.co_consts, value.co_names, value.co_varnames, value.co_freevars, value.co_cellvars)
        return value.co_code, value.co_flags, value.co_argcount, [_meaning(part, above) for part in parts]
    if isinstance(value, (tuple, list)):
        return type(value).__name__, [_meaning(part, above) for part in value]
    if isinstance(value, FunctionType) and value.__module__ not in sys.modules:  # made by exec
        if value.__closure__ or value.__dict__:
            raise NoContent
        if id(value) in above:
            return "above", above.index(id(value))
        above = (*above, id(value))
        names = _names(value.__code__)
        if names & {"eval", "exec", "getattr", "globals", "vars"}:
            raise NoContent
        used = sorted(names & value.__globals__.keys())
        own = _meaning((value.__code__, value.__defaults__, sorted((value.__kwdefaults__ or {}).items())), above)
        return own, [(name, _meaning(value.__globals__[name], above)) for name in used]
    if isinstance(value, (type, FunctionType)) or callable(value):
        module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
        if module not in sys.modules or name is None or "<" in name:
            raise NoContent
        return module, name
    if value is None or value is Ellipsis or isinstance(value, (bool, int, float, complex, str, bytes)):
        return type(value).__name__, repr(value)
    return hashlib.sha256(_content(value)[0]).hexdigest()


def _names(code: CodeType) -> set[str]:
    """All names that a function may look up outside, those of functions inside it included."""
    return set(code.co_names).union(*(_names(part) for part in code.co_consts if isinstance(part, CodeType)))
