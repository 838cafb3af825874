"""Only plain values cross, and they arrive as they were."""

import json
import re
import struct

import numpy as np
import pytest

from autograder.sandbox.inside import wire
from benchmarks.wire_fuzz import header


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
        (np.array(["a"], dtype=np.dtypes.StringDType()), "dtype StringDType"),
        (np.array(["2026"], dtype="M8[D]"), "dtype datetime64"),
        (np.zeros(2, dtype="i4,i4"), "only booleans, integers and floats can be graded"),
        (wire.Rng(-1), "a seed that is none"),
        ([1, {"a": map(int, "1")}], "a value of type map; only numbers, strings, None, arrays, and lists or dicts"),
        (np.broadcast_to(0.0, (10**9, 10**9)), "an array of shape (1000000000, 1000000000)"),  # takes 8 bytes
        (np.empty((0, 2**40)), "an array of shape (0, 1099511627776)"),  # takes none, until a check loops over it
    ],
)
def test_nothing_else_leaves(value, words):
    with pytest.raises(wire.WireError, match=re.escape(words)):
        wire.encode(value)


def nested(depth):
    value = 0
    for _ in range(depth):
        value = [value]
    return value


def zeros(n):
    return [np.zeros(0) for _ in range(n)]


@pytest.mark.parametrize(
    ("make", "limit"),
    [
        (nested, wire.MAX_DEPTH),
        (zeros, wire.MAX_ARRAYS),
        (lambda n: np.zeros((1,) * n), wire.MAX_NDIM),
        (lambda n: np.zeros(n, dtype=bool), wire.MAX_ARRAY_BYTES),
        (lambda n: [np.zeros(n - 8, dtype=bool), np.zeros(1)], wire.MAX_ARRAY_BYTES),
        (lambda n: np.zeros((0, n), dtype=bool), wire.MAX_ARRAY_BYTES),
        (lambda n: [0] * n, wire.MAX_ITEMS),  # one bracket, and a comma less than values
        (lambda n: "x" * (n - 2), wire.MAX_JSON_BYTES),
        (lambda n: '[",\\\n' * ((n - 2) // 8), wire.MAX_JSON_BYTES),  # brackets and commas of a text are no values
        (lambda n: wire.Rng(n), 2**63 - 1),
        (lambda n: n, 2**63 - 1),
        (lambda n: -n, 2**63 - 1),
    ],
)
def test_each_limit_holds_on_both_sides(make, limit):
    wire.copy(make(limit))
    with pytest.raises(wire.WireError):
        wire.encode(make(limit + 8 * (limit == wire.MAX_JSON_BYTES) + 1))


def test_the_decoder_does_not_trust_the_encoder():
    with pytest.raises(wire.WireError, match="deeper"):
        wire.decode(json.dumps(nested(wire.MAX_DEPTH + 1)).encode(), b"")
    with pytest.raises(wire.WireError, match="values"):
        wire.decode(b"[" + b"0," * wire.MAX_ITEMS + b"0]", b"")
    shape = [0, wire.MAX_ARRAY_BYTES + 1]
    blob = header(json.dumps({"0": {"dtype": "U8", "shape": shape, "data_offsets": [0, 0]}}).encode(), b"")
    with pytest.raises(wire.WireError, match="an array of shape"):
        wire.decode(b'{"$array":"0"}', blob)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"a":2}',  # which of the two would count?
        b"1e999",
        b"1e5",
        b"-0",
        b" 1",
        b'"\\ud800"',
        b'"\\u0041"',
        b"NaN",
        b"[1,]",
        b"1" * 5000,
    ],
)
def test_json_has_one_form(text):
    with pytest.raises(wire.WireError, match="not a frame"):
        wire.decode(text, b"")


def test_half_of_a_character_becomes_a_question_mark():
    assert wire.copy({"a": "b\ud800c"}) == {"a": "b?c"}


def test_a_frame_that_announces_too_much_is_refused_before_it_is_read():
    with pytest.raises(wire.WireError, match="announces more"):
        wire.lengths(struct.pack("<IQ", 10, 2**50))


class Tricky(np.ndarray):
    def __eq__(self, other):
        return True


@pytest.mark.parametrize(
    "value", [np.zeros(3).view(Tricky), np.zeros((1, 2)).view(np.matrix), np.ma.masked_array([1, 2], [0, 1])]
)
def test_subclasses_arrive_as_plain_arrays(value):
    assert type(wire.copy(value)) is np.ndarray


@pytest.mark.parametrize(
    "text", [b'{"$array":"7"}', b'{"$float":"1e5"}', b'{"$rng":-1}', b"NaN", b"1" + b"0" * 30, b"\xff"]
)
def test_forged_marks_are_refused(text):
    with pytest.raises(wire.WireError):
        wire.decode(text, b"")


def test_a_seed_arrives_as_a_generator_with_the_same_numbers():
    rng = wire.copy(wire.Rng(5))
    assert rng.generator().random() == np.random.default_rng(5).random()


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
        wire.decode(b"1", header(b"{" + names.encode() + b"}", b""))


def test_the_largest_header_that_may_be_is_read():
    value = [np.zeros((1,) * wire.MAX_NDIM) for _ in range(wire.MAX_ARRAYS)]
    assert len(wire.copy(value)) == wire.MAX_ARRAYS


def test_booleans_are_0_or_1_whatever_the_bytes():
    blob = header(b'{"0":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]}}', b"\x00\x01\xc8")
    assert wire.decode(b'{"$array":"0"}', blob).view(np.uint8).tolist() == [0, 1, 1]


def test_a_generator_goes_in_and_never_comes_out():
    frame = wire.encode([wire.Rng(3), '{"$rng":3}'])
    text = frame[wire.HEAD_BYTES :]
    assert wire.decode(text, b"")[0] == wire.Rng(3)
    with pytest.raises(wire.WireError, match="generator in an answer"):
        wire.decode(text, b"", seeds=False)
    words = wire.encode('{"$rng":3}')[wire.HEAD_BYTES :]
    assert wire.decode(words, b"", seeds=False) == '{"$rng":3}'
