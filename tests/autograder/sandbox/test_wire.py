"""Only plain values cross, and they arrive as they were."""

import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograder.sandbox.inside import wire

DTYPES = st.sampled_from([np.dtype(t) for t in ("bool", "u1", "i2", "i4", "i8", "f2", "f4", "f8")])
ARRAYS = DTYPES.flatmap(lambda t: hnp.arrays(t, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)))
SCALARS = st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats() | st.text()
VALUES = st.recursive(
    SCALARS | ARRAYS,
    lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(max_size=5), v, max_size=4),
    max_leaves=8,
)


def same(a, b):
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or a != a)


@given(VALUES)
@settings(max_examples=200, deadline=None)
def test_values_arrive_as_they_were(value):
    assert same(value, wire.copy(value))


@given(st.binary(max_size=200), st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_bytes_give_a_value_or_a_wire_error(text, blob):
    try:
        wire.decode(text, blob)
    except wire.WireError:
        pass


def test_a_tuple_arrives_as_a_list_and_a_view_as_a_copy():
    x = np.arange(6).reshape(2, 3).T
    (y,) = wire.copy((x,))
    assert y.tolist() == x.tolist()
    y[0, 0] = 9
    assert x[0, 0] == 0


def test_a_zero_dimensional_array_stays_one():
    assert wire.copy(np.float32(2.5)).shape == ()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.array([object()]), "dtype object"),
        (np.array(["a"]), "dtype <U1"),
        (np.array([1j]), "dtype complex128"),
        ({1: 2}, "keys that are not plain strings"),
        ({"$array": "0"}, "keys that are not plain strings"),
        (lambda: 0, "type function"),
        ({1, 2}, "type set"),
        (2**64, "beyond 64 bits"),
        ("x" * (wire.MAX_JSON_BYTES + 1), "use an array"),
    ],
)
def test_nothing_else_leaves(value, words):
    with pytest.raises(wire.WireError, match=words.replace("(", r"\(")):
        wire.encode(value)


def test_nesting_is_bounded():
    value = 0
    for _ in range(wire.MAX_DEPTH + 2):
        value = [value]
    with pytest.raises(wire.WireError, match="deeper"):
        wire.encode(value)
    with pytest.raises(wire.WireError):
        wire.decode(json.dumps(value).encode(), b"")
    with pytest.raises(wire.WireError):
        wire.decode(b"[" * 100_000, b"")


def test_a_frame_that_announces_too_much_is_refused_before_it_is_read():
    with pytest.raises(wire.WireError, match="more data"):
        wire.lengths(struct.pack("<IQ", 10, 2**50))


def test_subclasses_with_tricks_arrive_as_plain_arrays():
    class Tricky(np.ndarray):
        def __eq__(self, other):
            return True

    copied = wire.copy(np.zeros(3).view(Tricky))
    assert type(copied) is np.ndarray


@pytest.mark.parametrize(
    "text", [b'{"$array":"7"}', b'{"$float":"1e5"}', b'{"$rng":-1}', b"NaN", b"1" + b"0" * 30, b"\xff"]
)
def test_forged_marks_are_refused(text):
    with pytest.raises(wire.WireError):
        wire.decode(text, b"")


def test_a_seed_arrives_as_a_generator_with_the_same_numbers():
    rng = wire.copy(wire.Rng(5))
    assert rng.generator().random() == np.random.default_rng(5).random()


def header(text, data=b""):
    text = text.encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (b'[{"$array":"0"},{"$array":"0"}]', ["0"]),  # a million references to one array would fill the memory
        (b'{"$array":"0"}', ["0", "1"]),  # sent and not used
        (b"1", ["0"]),
        (b'{"$array":"0","a":1}', ["0"]),
    ],
)
def test_each_array_is_used_once(text, names):
    from safetensors.numpy import save

    with pytest.raises(wire.WireError):
        wire.decode(text, save({name: np.zeros(2) for name in names}))


def test_a_header_of_a_million_arrays_is_refused_before_it_is_parsed():
    names = ",".join(f'"{i}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}' for i in range(10_000))
    with pytest.raises(wire.WireError, match="more than 1000 arrays"):
        wire.decode(b"1", header("{" + names + "}"))


def test_the_largest_header_that_may_be_is_read():
    value = [np.zeros((1,) * wire.MAX_NDIM) for _ in range(wire.MAX_ARRAYS)]
    assert len(wire.copy(value)) == wire.MAX_ARRAYS


def test_booleans_are_0_or_1_whatever_the_bytes():
    blob = header('{"0":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]}}', b"\x00\x01\xc8")
    assert wire.decode(b'{"$array":"0"}', blob).view(np.uint8).tolist() == [0, 1, 1]
