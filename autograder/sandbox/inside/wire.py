"""What crosses the border between the judge and student code: frames of JSON and plain numeric arrays.

A frame is ``length of the JSON (4 bytes) | length of the arrays (8 bytes) | JSON | arrays (safetensors)``. Arrays
in the JSON are ``{"$array": "0"}``, non-finite floats ``{"$float": "nan"}``, generators ``{"$rng": seed}``.
There is nothing else: no pickle, no code, no objects. The same file runs on both sides, in the sandbox under the
plain name ``wire``; it therefore imports NumPy and safetensors only.

Both sides hold every frame to the same limits, `encode` before it writes and `decode` before it makes anything of
what it reads; and the JSON must be, byte for byte, what `encode` writes: no key twice, no 1e999, no half characters.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from safetensors.numpy import load, save

MAX_JSON_BYTES = 4_000_000
MAX_ITEMS = 200_000  # brackets and commas of the JSON, outside of strings: there are hardly more values than these
MAX_DEPTH = 16
MAX_ARRAY_BYTES = 64_000_000  # all arrays of a frame together
MAX_ARRAYS = 1_000
MAX_HEADER_BYTES = 200_000  # of the arrays: their names, dtypes and shapes
MAX_NDIM = 8
DTYPES = tuple(
    np.dtype(t) for t in ("bool", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8")
)  # native byte order
_HEAD = struct.Struct("<IQ")
HEAD_BYTES = _HEAD.size
_MARKS = ("$array", "$float", "$rng")


class WireError(ValueError):
    """A value that cannot be sent, or a frame that is not one. The text reads well behind "<function> returned"."""


@dataclass(frozen=True)
class Rng:
    """A seed that arrives on the other side as ``np.random.default_rng(seed)``."""

    seed: int

    def generator(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)


def encode(value: Any) -> bytes:
    """Turn nested lists, tuples, dicts, scalars and numeric arrays into one frame.

    Raises
    ------
    WireError
        If something in ``value`` is none of these, or if it is too large or too deep.
    """
    arrays: dict[str, np.ndarray] = {}
    text = _dump(_pack(value, arrays, 0))
    _refuse_large_json(text)
    blob = save(arrays) if arrays else b""
    return _HEAD.pack(len(text), len(blob)) + text + blob


def _dump(tree: Any) -> bytes:
    text = json.dumps(tree, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "replace")  # half of a character (a lone surrogate) becomes a question mark


def _refuse_large_json(text: bytes) -> None:
    """Raise before anything is built: ``[[],[],...`` takes fifty times its length when it is."""
    if len(text) > MAX_JSON_BYTES:
        raise WireError(f"{len(text):,} bytes of plain values; at most {MAX_JSON_BYTES:,} can be graded: use an array")
    # Without escapes, every second piece between quotes is a string.
    bare = b"".join(text.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])
    if sum(bare.count(mark) for mark in (b"[", b"{", b",")) > MAX_ITEMS:
        raise WireError(f"more plain values than the {MAX_ITEMS:,} that can be graded: use an array")


def _pack(value: Any, arrays: dict[str, np.ndarray], depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise WireError(f"values nested deeper than {MAX_DEPTH}")
    if value is None or isinstance(value, (bool, str)):
        return bool(value) if isinstance(value, bool) else value if value is None else str(value)
    if isinstance(value, (np.ndarray, np.generic)):
        return _pack_array(value, arrays)
    if isinstance(value, int):
        return _within_64_bits(int(value))
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$float": repr(float(value))}
    if isinstance(value, Rng):
        return {"$rng": _seed(int(value.seed))}
    if isinstance(value, (list, tuple)):
        return [_pack(v, arrays, depth + 1) for v in value]
    if isinstance(value, dict):
        if not all(isinstance(k, str) and k not in _MARKS for k in value):
            raise WireError("a dict with keys that are not plain strings")
        return {str(k): _pack(v, arrays, depth + 1) for k, v in value.items()}
    if hasattr(value, "detach") and hasattr(value, "numpy"):  # a torch tensor, without importing torch
        return _pack_array(np.asarray(value.detach().cpu().numpy()), arrays)
    raise WireError(
        f"a value of type {type(value).__name__}; "
        "only numbers, strings, None, arrays, and lists or dicts of them can be graded"
    )


def _pack_array(value: np.ndarray | np.generic, arrays: dict[str, np.ndarray]) -> dict[str, str]:
    native = value.dtype.newbyteorder("=") if value.dtype.kind in "biuf" else value.dtype
    _refuse_array(native, value.shape)
    if len(arrays) == MAX_ARRAYS:
        raise WireError(f"more arrays than the {MAX_ARRAYS:,} that can be graded: stack them")
    key = str(len(arrays))
    # A plain copy (np.ascontiguousarray would turn 0-d into 1-d): a np.matrix or another subclass arrives as an array.
    arrays[key] = np.array(value, dtype=native, order="C", subok=False)
    _refuse_many_bytes(arrays)
    return {"$array": key}


def _refuse_array(dtype: np.dtype, shape: tuple[int, ...]) -> None:
    """Raise for what no check is prepared for, before it is copied."""
    if dtype not in DTYPES:
        raise WireError(f"an array of dtype {dtype}; only booleans, integers and floats can be graded")
    if len(shape) > MAX_NDIM:
        raise WireError(f"an array with {len(shape)} axes; at most {MAX_NDIM} can be graded")
    # As if no axis were 0: a check that loops over the columns of an array of shape (0, 2**60) would never end.
    if math.prod(max(1, n) for n in shape) * dtype.itemsize > MAX_ARRAY_BYTES:
        raise WireError(f"an array of shape {shape}; at most {MAX_ARRAY_BYTES:,} bytes can be graded")


def _refuse_many_bytes(arrays: dict[str, np.ndarray]) -> None:
    if sum(a.nbytes for a in arrays.values()) > MAX_ARRAY_BYTES:
        raise WireError(f"arrays of together more than the {MAX_ARRAY_BYTES:,} bytes that can be graded")


def _within_64_bits(value: int) -> int:
    if abs(value) >= 2**63:
        raise WireError("an integer beyond 64 bits")
    return value


def _seed(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise WireError("a seed that is none")
    return value


def lengths(head: bytes) -> tuple[int, int]:
    """Lengths of the JSON and of the arrays from the first bytes of a frame; refuses what is too long."""
    n_json, n_arrays = _HEAD.unpack(head)
    if n_json > MAX_JSON_BYTES or n_arrays > MAX_ARRAY_BYTES + MAX_HEADER_BYTES:
        raise WireError("the frame announces more data than a frame may hold")
    return n_json, n_arrays


def decode(text: bytes, blob: bytes, *, seeds: bool = True) -> Any:
    """The value of a frame. Everything in it is checked; the bytes may come from a stranger.

    Parameters
    ----------
    seeds : whether generators may be in it; they go in and never come out

    Raises
    ------
    WireError
        For anything that `encode` could not have written.
    """
    if int.from_bytes(blob[:8], "little") > MAX_HEADER_BYTES:
        raise WireError(f"more than {MAX_ARRAYS} arrays")
    _refuse_large_json(text)
    try:
        tree = json.loads(text.decode("utf-8"))
        canonical = _dump(tree) == text
        arrays = load(bytes(blob)) if blob else {}
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # whatever a parser says about a stranger's bytes is a verdict; a Rust panic too
        raise WireError(f"not a frame: {type(error).__name__}") from None
    if not canonical:
        raise WireError("not a frame: JSON in a form of its own")
    if not seeds and b'{"$rng":' in text:  # in a string the quotes would be escaped
        raise WireError("a generator in an answer")
    if len(arrays) > MAX_ARRAYS:
        raise WireError(f"more than {MAX_ARRAYS} arrays")
    for array in arrays.values():
        _refuse_array(array.dtype, array.shape)
    _refuse_many_bytes(arrays)
    value = _unpack(tree, arrays, 0)
    if arrays:
        raise WireError("an array that nothing refers to")
    return value


def _unpack(node: Any, arrays: dict[str, np.ndarray], depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise WireError(f"values nested deeper than {MAX_DEPTH}")
    if isinstance(node, list):
        return [_unpack(v, arrays, depth + 1) for v in node]
    if not isinstance(node, dict):
        return _within_64_bits(node) if isinstance(node, int) and not isinstance(node, bool) else node
    if len(node) == 1:
        ((key, value),) = node.items()
        if key == "$array":
            if not isinstance(value, str) or value not in arrays:
                raise WireError("a reference to an array that is not there")
            array = arrays.pop(value)  # each one once: a million references to one array would fill the memory
            if array.dtype == bool:
                return np.array(array.view(np.uint8) != 0)  # a byte may be more than 1
            return np.array(array)  # a writable copy of our own
        if key == "$float":
            if value not in ("nan", "inf", "-inf"):
                raise WireError("a float that is none")
            return float(value)
        if key == "$rng":
            return Rng(_seed(value))
    if any(mark in node for mark in _MARKS):
        raise WireError("a mark among other keys")
    return {k: _unpack(v, arrays, depth + 1) for k, v in node.items()}


def read(frame: bytes) -> Any:
    """The value of a whole frame."""
    n_json, _ = lengths(frame[:HEAD_BYTES])
    end = HEAD_BYTES + n_json
    return decode(frame[HEAD_BYTES:end], frame[end:])


def copy(value: Any) -> Any:
    """The value as it would arrive on the other side."""
    return read(encode(value))
