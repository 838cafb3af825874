"""What crosses the border between the judge and student code: frames of JSON and plain numeric arrays.

A frame is ``length of the JSON (4 bytes) | length of the arrays (8 bytes) | JSON | arrays (safetensors)``. Arrays
in the JSON are ``{"$array": "0"}``, non-finite floats ``{"$float": "nan"}``, generators ``{"$rng": seed}``.
There is nothing else: no pickle, no code, no objects. The same file runs on both sides, in the sandbox under the
plain name ``wire``; it therefore imports NumPy and safetensors only.
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
MAX_ARRAY_BYTES = 64_000_000  # all arrays of a frame together
MAX_ARRAYS = 1_000
MAX_HEADER_BYTES = 200_000  # of the arrays: their names, dtypes and shapes
MAX_NDIM = 8
MAX_DEPTH = 16
MAX_ITEMS = 200_000  # values in the JSON tree
DTYPES = tuple(
    np.dtype(t) for t in ("bool", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8")
)  # native byte order
_HEAD = struct.Struct("<IQ")
HEAD_BYTES = _HEAD.size
_MARKS = ("$array", "$float", "$rng")


class WireError(ValueError):
    """A value that may not cross, or a frame that is not one."""


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
    tree = _pack(value, arrays, 0)
    text = json.dumps(tree, allow_nan=False, separators=(",", ":")).encode()
    if len(text) > MAX_JSON_BYTES:
        raise WireError(f"{len(text):,} bytes of plain values; at most {MAX_JSON_BYTES:,} may cross: use an array")
    if sum(a.nbytes for a in arrays.values()) > MAX_ARRAY_BYTES:
        raise WireError(f"the arrays take more than the {MAX_ARRAY_BYTES:,} bytes that may cross")
    blob = save(arrays) if arrays else b""
    return _HEAD.pack(len(text), len(blob)) + text + blob


def _pack(value: Any, arrays: dict[str, np.ndarray], depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise WireError(f"values nested deeper than {MAX_DEPTH}")
    if value is None or isinstance(value, (bool, str)):
        return bool(value) if isinstance(value, bool) else value if value is None else str(value)
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.array(value, order="C", subok=False)  # a copy; np.ascontiguousarray would turn 0-d into 1-d
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        if array.dtype not in DTYPES:
            raise WireError(f"an array of dtype {array.dtype}; only booleans, integers and floats may cross")
        if array.ndim > MAX_NDIM or len(arrays) >= MAX_ARRAYS:
            raise WireError(f"more than {MAX_ARRAYS} arrays or more than {MAX_NDIM} axes")
        key = str(len(arrays))
        arrays[key] = array
        return {"$array": key}
    if isinstance(value, int):
        if abs(value) >= 2**63:
            raise WireError("an integer beyond 64 bits")
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$float": repr(float(value))}
    if isinstance(value, Rng):
        return {"$rng": int(value.seed)}
    if isinstance(value, (list, tuple)):
        return [_pack(v, arrays, depth + 1) for v in value]
    if isinstance(value, dict):
        if not all(isinstance(k, str) and k not in _MARKS for k in value):
            raise WireError("a dict with keys that are not plain strings")
        return {str(k): _pack(v, arrays, depth + 1) for k, v in value.items()}
    if hasattr(value, "detach") and hasattr(value, "numpy"):  # a torch tensor, without importing torch
        return _pack(value.detach().cpu().numpy(), arrays, depth)
    raise WireError(
        f"a value of type {type(value).__name__}; "
        "only numbers, strings, None, arrays and lists or dicts of them may cross"
    )


def lengths(head: bytes) -> tuple[int, int]:
    """Lengths of the JSON and of the arrays from the first bytes of a frame; refuses what is too long."""
    n_json, n_arrays = _HEAD.unpack(head)
    if n_json > MAX_JSON_BYTES or n_arrays > MAX_ARRAY_BYTES + MAX_HEADER_BYTES:
        raise WireError("the frame announces more data than may cross")
    return n_json, n_arrays


def decode(text: bytes, blob: bytes) -> Any:
    """The value of a frame. Everything in it is checked; the bytes may come from a stranger.

    Raises
    ------
    WireError
        For anything that `encode` could not have written.
    """
    try:
        if int.from_bytes(blob[:8], "little") > MAX_HEADER_BYTES:
            raise WireError(f"more than {MAX_ARRAYS} arrays")
        tree = json.loads(text.decode("utf-8"), parse_constant=_refuse_constant)
        arrays = load(bytes(blob)) if blob else {}
    except (WireError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # whatever a parser says about a stranger's bytes is a verdict; a Rust panic too
        raise WireError(f"not a frame: {type(error).__name__}") from None
    if len(arrays) > MAX_ARRAYS:
        raise WireError(f"more than {MAX_ARRAYS} arrays")
    for array in arrays.values():
        if array.dtype not in DTYPES or array.ndim > MAX_NDIM:
            raise WireError(f"an array of dtype {array.dtype} with {array.ndim} axes")
    value = _unpack(tree, arrays, 0, [0])
    if arrays:
        raise WireError("an array that nothing refers to")
    return value


def _refuse_constant(name: str):
    raise WireError(f"{name} in JSON")


def _unpack(node: Any, arrays: dict[str, np.ndarray], depth: int, count: list[int]) -> Any:
    count[0] += 1
    if depth > MAX_DEPTH or count[0] > MAX_ITEMS:
        raise WireError("too many values, or nested too deeply")
    if isinstance(node, list):
        return [_unpack(v, arrays, depth + 1, count) for v in node]
    if not isinstance(node, dict):
        if isinstance(node, int) and abs(node) >= 2**63:
            raise WireError("an integer beyond 64 bits")
        return node
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
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise WireError("a seed that is none")
            return Rng(value)
    if any(mark in node for mark in _MARKS):
        raise WireError("a mark among other keys")
    return {k: _unpack(v, arrays, depth + 1, count) for k, v in node.items()}


def copy(value: Any) -> Any:
    """The value as it would arrive on the other side."""
    frame = encode(value)
    n_json, _ = lengths(frame[:HEAD_BYTES])
    end = HEAD_BYTES + n_json
    return decode(frame[HEAD_BYTES:end], frame[end:])
