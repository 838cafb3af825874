"""Whatever bytes a stranger sends: a value that the encoder could have written, or a `WireError`; at little cost."""

import json
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograder.sandbox.inside import wire
from benchmarks.wire_fuzz import check, corpus, entry, forged, header

STEADY = settings(max_examples=250, deadline=None, derandomize=True, database=None)

ARRAYS = st.sampled_from(wire.DTYPES).flatmap(
    lambda t: hnp.arrays(t, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats() | st.text()
RNGS = st.integers(0, 2**63 - 1).map(wire.Rng)
VALUES = st.recursive(
    SCALARS | ARRAYS | RNGS,
    lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(max_size=5), v, max_size=4),
    max_leaves=8,
)
JSON = st.recursive(
    SCALARS
    | st.sampled_from(["$array", "$float", "$rng", "0", "nan", 2**63, -(2**200), 1e308, "\ud800", "\0"])
    | st.sampled_from(["$array", "$float", "$rng"]).flatmap(
        lambda mark: st.sampled_from(["0", "1", "nan", "inf", -1, 0, True, None, [], {}, 1.0]).map(lambda v: {mark: v})
    ),
    lambda v: st.lists(v, max_size=4) | st.dictionaries(st.sampled_from(["a", "$array", "$rng", ""]), v, max_size=3),
    max_leaves=6,
)
NUMBERS = st.sampled_from([-1, 0, 1, 2, 3, 4, 8, 16, 17, 2**31, 2**32, 2**62, 2**63, 2**64, 1e3, 0.5, "1", None, []])
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.sampled_from(
            ["F64", "F32", "F16", "BF16", "F8_E5M2", "BOOL", "U64", "I8", "C64", "f8", "", 1, None]
        ),
        "shape": st.lists(NUMBERS, max_size=10) | NUMBERS,
        "data_offsets": st.lists(NUMBERS, max_size=3) | st.tuples(st.integers(0, 16), st.integers(0, 16)),
        "strides": st.just([0]),
    },
).map(lambda given: entry() | given)
HEADERS = st.dictionaries(st.sampled_from(["0", "1", "", "__metadata__", "\ud800"]), ENTRIES, max_size=3)


@given(VALUES)
@STEADY
def test_values_arrive_as_they_were(value):
    frame = wire.encode(value)
    assert wire.encode(wire.copy(value)) == frame
    assert same(value, wire.copy(value))


def same(a, b):
    if isinstance(a, np.ndarray):
        return type(b) is np.ndarray and (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or a != a)


@given(st.binary(max_size=200), st.binary(max_size=200))
@STEADY
def test_any_bytes(text, blob):
    check(text, blob)


@given(JSON, st.sampled_from([b"", header(b'{"0":%s}' % json.dumps(entry()).encode())]), st.booleans())
@STEADY
def test_any_json(tree, blob, compact):
    check(json.dumps(tree, separators=(",", ":") if compact else None).encode(), blob)


@given(HEADERS, st.integers(-2, 2))
@STEADY
def test_any_header_of_arrays(entries, longer):
    """Lies about dtypes, shapes and places, and about the header's own length."""
    blob = header(json.dumps(entries).encode())
    blob = struct.pack("<Q", struct.unpack("<Q", blob[:8])[0] + longer) + blob[8:]
    text = json.dumps([{"$array": name} for name in entries], separators=(",", ":"), ensure_ascii=False)
    check(text.encode("utf-8", "replace"), blob)


@st.composite
def broken(draw):
    """A frame of the corpus after some damage: bytes flipped, cut out, repeated, or taken from another frame."""
    text, blob = (bytearray(part) for part in draw(st.sampled_from(corpus())))
    for _ in range(draw(st.integers(1, 6))):
        part = draw(st.sampled_from([text, blob]))
        at, to = sorted((draw(st.integers(0, len(part))), draw(st.integers(0, len(part)))))
        match draw(st.sampled_from(["flip", "cut", "repeat", "splice", "digits"])):
            case "flip" if at < len(part):
                part[at] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del part[at:to]
            case "repeat":
                part[at:at] = part[at:to] * draw(st.integers(1, 20))
            case "splice":
                other = draw(st.sampled_from(corpus()))[draw(st.integers(0, 1))]
                part[at:to] = other[: draw(st.integers(0, len(other)))]
            case "digits":
                part[at:to] = str(draw(st.integers(-(2**70), 2**70))).encode()
    return bytes(text), bytes(blob)


@given(broken())
@STEADY
def test_damaged_frames(frame):
    check(*frame)


@given(st.binary(min_size=wire.HEAD_BYTES, max_size=wire.HEAD_BYTES))
@STEADY
def test_any_lengths(head):
    try:
        n_json, n_arrays = wire.lengths(head)
    except wire.WireError:
        return
    assert n_json <= wire.MAX_JSON_BYTES and n_arrays <= wire.MAX_ARRAY_BYTES + wire.MAX_HEADER_BYTES


def test_the_corpus_holds_both_kinds():
    assert {check(*frame) for frame in corpus()} == {True, False}


FULL = wire.MAX_JSON_BYTES
BOMBS = {
    "empty lists": b"[" + b"[]," * (FULL // 3 - 2) + b"[]]",
    "nested dicts": b"[" + b'{"":{}},' * (FULL // 8 - 2) + b"1]",
    "lists in lists": b"[" + (b"[" * 15 + b"]" * 15 + b",") * (FULL // 31 - 2) + b"1]",
    "brackets": b"[" * FULL,
    "as many lists as may be": b"[" + b"[]," * (wire.MAX_ITEMS // 2 - 1) + b"[]]",
    "as many dicts as may be": b"[" + b'{"":0},' * (wire.MAX_ITEMS // 2 - 1) + b"0]",
    "short strings": b"[" + b'"",' * (FULL // 3 - 2) + b'""]',
    "other strings": b"[" + b'"ab",' * (FULL // 5 - 2) + b'""]',
    "keys": b"{" + b",".join(b'"%06x":1' % i for i in range(FULL // 11)) + b"}",
    "numbers": b"[" + b"1000," * (FULL // 5 - 2) + b"1]",
    "digits": b"1" * FULL,
    "long numbers": b"[" + (b"1" * 4300 + b",") * (FULL // 4301 - 1) + b"1]",
    "exponent": b"1e" + b"9" * (FULL - 2),
    "space": b" " * (FULL - 1) + b"1",
    "text": b'"' + b"a" * (FULL - 6) + "\U0001f600".encode() + b'"',
    "quotes": b'"' + b'\\"' * (FULL // 2 - 1) + b'"',
    "quotes without an end": b'"' * FULL,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_takes_little_memory(name):
    """Four megabytes that could become fifty times as much."""
    assert peak_bytes(BOMBS[name], b"") < 200e6


@pytest.mark.parametrize("blob", forged())
def test_forged_arrays_take_no_more_memory_than_they_bring(blob):
    assert peak_bytes(b'{"$array":"0"}', blob) < 1e6


def peak_bytes(text, blob):
    tracemalloc.start()
    try:
        wire.decode(text, blob)
    except wire.WireError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak
