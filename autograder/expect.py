"""What checks say: each function is quiet when the expectation holds and raises `Unmet` with a helpful text when not.

They take what `Student` brought back: arrays and plain values, never a student's object. But these may be anything:
text where a number belongs, labels of 2**62, a list of 200,000 strings. So nothing here sizes memory by a *value* that
came back, and whatever is not a number is refused before NumPy gets to see it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .student import Student, StudentError

MAX_IN_LIST = 2_000_000  # numbers in lists of arrays; an array that comes as one may be larger


class Unmet(Exception):
    """An expectation that does not hold; ``hint`` says where to look."""

    def __init__(self, message: str, hint: str | None = None):
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True)
class Credit:
    """A fraction of a check's points, in [0, 1], with what was measured."""

    fraction: float
    message: str
    hint: str | None = None


def array(value: Any, *, name: str = "the result") -> np.ndarray:
    """The value as a numeric array; lists of numbers are welcome."""
    if value is None:
        raise Unmet(f"{name}: None", hint="is there a return at the end of the function? print(...) only shows a value")
    if not _all_numbers(value):
        raise Unmet(f"{name} is {_short(value)}, not an array of numbers")
    if isinstance(value, list) and (size := _size(value)) > MAX_IN_LIST:
        raise Unmet(f"{name} is a list of {size:,} numbers; at most {MAX_IN_LIST:,} can be graded: return an array")
    try:
        result = np.asarray(value)
    except ValueError:
        raise Unmet(f"{name} is a list of unequal parts, not an array") from None
    if result.dtype.kind not in "biuf":
        raise Unmet(f"{name} is {_short(value)}, not an array of numbers")
    return result


def shape(value: Any, expected: tuple[int, ...], *, name: str = "the result", hint: str | None = None) -> None:
    """The array has exactly this shape."""
    got = array(value, name=name).shape
    if got != tuple(expected):
        raise Unmet(f"{name}: shape {got}, expected {tuple(expected)}", hint)


def integer(value: Any, *, name: str = "the result", hint: str | None = None) -> None:
    """The array holds integers: labels and indices do not come as floats."""
    kind = array(value, name=name).dtype
    if kind.kind not in "iu":
        raise Unmet(f"{name}: dtype {kind}, expected integers", hint)


def finite(value: Any, *, name: str = "the result", hint: str | None = None) -> None:
    """No NaN and no infinity."""
    got = array(value, name=name)
    bad = np.count_nonzero(~np.isfinite(got)) if got.dtype.kind == "f" else 0
    if bad:
        raise Unmet(f"{name}: {bad} values are NaN or infinite", hint or "0/0 or log(0) gives these")


def equal(value: Any, expected: Any, *, name: str = "the result", hint: str | None = None) -> None:
    """Same shape, same values."""
    close(value, expected, rtol=0, atol=0, name=name, hint=hint)


def close(
    value: Any,
    expected: Any,
    *,
    rtol: float = 1e-6,
    atol: float = 1e-9,
    name: str = "the result",
    hint: str | None = None,
) -> None:
    """Same shape, and ``|value - expected| <= atol + rtol |expected|`` everywhere."""
    got, want = array(value, name=name), np.asarray(expected)
    if got.shape != want.shape:
        raise Unmet(f"{name}: shape {got.shape}, expected {want.shape}", hint)
    off = ~np.isclose(got.astype(float), want.astype(float), rtol=rtol, atol=atol)
    if not off.any():
        return
    if got.ndim == 0:
        raise Unmet(f"{name} is {got.item():.6g}; expected {want.item():.6g}", hint)
    at = tuple(int(i) for i in np.argwhere(off)[0])
    place = at[0] if len(at) == 1 else at
    raise Unmet(
        f"{int(off.sum())} of {off.size} values of {name} differ; at index {place} it is {got[at].item():.6g}, "
        f"expected {want[at].item():.6g}",
        hint,
    )


def same_partition(labels: Any, expected: Any, *, name: str = "the labels", hint: str | None = None) -> None:
    """The same groups, whatever their numbers."""
    got, want = array(labels, name=name), np.asarray(expected)
    if got.shape != want.shape:
        raise Unmet(f"{name}: shape {got.shape}, expected {want.shape}", hint)
    finite(got, name=name)
    ours, a = np.unique(want, return_inverse=True)
    theirs, b = np.unique(got, return_inverse=True)  # 0, 1, 2, ... instead of the values, which may be huge
    pairs = np.unique(a.ravel() * max(len(theirs), 1) + b.ravel())
    if not len(pairs) == len(ours) == len(theirs):
        raise Unmet(
            f"{name} form {len(theirs)} groups that are not the expected {len(ours)} groups "
            "(their numbers do not matter, who is with whom does)",
            hint,
        )


def same_rows(rows: Any, expected: Any, *, atol: float = 1e-6, name: str = "the rows", hint: str | None = None) -> None:
    """The same rows in any order, each within ``atol`` of its partner."""
    want = np.asarray(expected, dtype=float)
    shape(rows, want.shape, name=name, hint=hint)
    finite(rows, name=name, hint=hint)
    got = array(rows).astype(float)
    distance = np.abs(got[:, None] - want[None]).max(axis=2)  # (k, k)
    nearest = distance.argmin(axis=0)
    if len(set(nearest.tolist())) == len(want) and (distance.min(axis=0) <= atol).all():
        return  # nearly always, and scipy.optimize takes a quarter of a second to import

    from scipy.optimize import linear_sum_assignment

    i, j = linear_sum_assignment(distance)
    worst = int(np.argmax(distance[i, j]))
    if distance[i, j].max() > atol:
        raise Unmet(
            f"{name} are not the expected ones in any order: {_row(got[i[worst]])} has no partner "
            f"(nearest expected: {_row(want[j[worst]])})",
            hint,
        )


def at_most(value: Any, limit: float, *, what: str = "the result", hint: str | None = None) -> None:
    """A number that is finite and not above the limit."""
    between(value, -np.inf, limit, what=what, hint=hint)


def at_least(value: Any, limit: float, *, what: str = "the result", hint: str | None = None) -> None:
    """A number that is finite and not below the limit."""
    between(value, limit, np.inf, what=what, hint=hint)


def between(value: Any, low: float, high: float, *, what: str = "the result", hint: str | None = None) -> None:
    """One finite number in [low, high]."""
    number = scalar(value, name=what)
    if not low <= number <= high:
        limits = f"at most {high:.6g}" if low == -np.inf else f"at least {low:.6g}"
        limits = limits if np.inf in (-low, high) else f"between {low:.6g} and {high:.6g}"
        raise Unmet(f"{what} is {number:.6g}; expected {limits}", hint)


def scalar(value: Any, *, name: str = "the result") -> float:
    """One finite number; an array of one element counts."""
    got = array(value, name=name)
    if got.size != 1:
        raise Unmet(f"{name}: shape {got.shape}, expected one number")
    number = float(got.reshape(-1)[0])
    if not np.isfinite(number):
        raise Unmet(f"{name} is {number}; expected a finite number")
    return number


def true(condition: bool, message: str, *, hint: str | None = None) -> None:
    """Anything else: ``message`` says what was seen and what was expected."""
    if not condition:
        raise Unmet(message, hint)


def items(value: Any, count: int, *, name: str = "the result", hint: str | None = None) -> list:
    """The parts of a tuple that a student's function returned."""
    if not isinstance(value, list) or len(value) != count:
        got = f"a tuple or list of {len(value)}" if isinstance(value, list) else _short(value)
        raise Unmet(f"{name} is {got}; expected {count} things, as in `return {', '.join('abcdefgh'[:count])}`", hint)
    return value


def inputs_unchanged(student: Student) -> None:
    """No call so far changed one of its arguments in place."""
    if student._mutated:
        function, argument = student._mutated[0]
        which = f"number {int(argument) + 1}" if argument.isdigit() else repr(argument)
        raise Unmet(
            f"{function} changed its argument {which} in place",
            hint="work on a copy: the caller still needs its array",
        )


def raises(call: Callable[[], Any], *kinds: str, hint: str | None = None) -> None:
    """The student's function raises one of these exceptions, given by name."""
    try:
        result = call()
    except StudentError as error:
        if error.type in kinds:
            return
        raise
    raise Unmet(f"expected {' or '.join(kinds)}, but it returned {_short(result)}", hint)


def ramp(value: Any, *, zero: float, full: float, what: str, hint: str | None = None) -> Credit:
    """Points that rise from ``zero`` (none) to ``full`` (all), instead of a cliff. ``full < zero`` ramps downwards."""
    number = scalar(value, name=what)
    fraction = float(np.clip((number - zero) / (full - zero), 0.0, 1.0))
    return Credit(fraction, f"{what} is {number:.3f}; all points from {full:g}, none up to {zero:g}", hint)


def _all_numbers(value: Any) -> bool:
    """No text inside: NumPy gives each string of a list the room of the longest, which can be gigabytes."""
    if isinstance(value, list):
        return all(map(_all_numbers, value))
    return isinstance(value, (bool, int, float, np.ndarray, np.generic))


def _size(value: Any) -> int:
    """How many numbers: NumPy goes through them one by one, and makes the largest of their types of all."""
    return sum(map(_size, value)) if isinstance(value, list) else np.size(value)


def _row(row: np.ndarray) -> str:
    return np.array2string(row[:6], precision=4, separator=", ", threshold=6)


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "a dict"
    return f"{type(value).__name__} {str(value)[:40]!r}" if value is not None else "None"
