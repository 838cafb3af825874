"""Fuzz the decoder of frames: bytes of a stranger give a value or a `WireError`, quickly, and nothing else.

libFuzzer, through atheris, looks for inputs that reach new lines of ``inside/wire.py``. It runs in a process of its own
with limits on time and memory for each input, starting from frames that the encoder wrote and from forged ones.
``tests/autograder/sandbox/test_wire_fuzz.py`` holds the same property against Hypothesis, where atheris is not needed.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from autograder.sandbox.inside import wire

SPLIT = b"\0"  # between JSON and arrays of a fuzzed input: JSON holds no such byte
MAX_BYTES = 8_192  # of an input
MAX_RSS_MB = 512  # of the process that decodes
MAX_SECONDS = 5  # for one input
START_SECONDS = 60  # for what the child does beside fuzzing


class FuzzFound(AssertionError):
    """An input that breaks the decoder; the text holds it and what it did."""


class AtherisMissing(RuntimeError):
    """The fuzzer is not installed; the message says how to get it."""


def check(text: bytes, blob: bytes) -> bool:
    """Decode JSON and arrays; True for a value, False if they are refused.

    A value must be one that the encoder writes, and must come back from that unchanged, to the bit.
    """
    try:
        value = wire.decode(text, blob)
    except wire.WireError:
        return False
    frame = wire.encode(value)
    assert wire.encode(wire.decode(*split(frame))) == frame
    return True


def split(frame: bytes) -> tuple[bytes, bytes]:
    """JSON and arrays of a frame."""
    n_json, n_arrays = wire.lengths(frame[: wire.HEAD_BYTES])
    end = wire.HEAD_BYTES + n_json
    return frame[wire.HEAD_BYTES : end], frame[end : end + n_arrays]


def corpus() -> list[tuple[bytes, bytes]]:
    """JSON and arrays of frames: what the encoder writes, and some that it does not."""
    values = [
        {"id": 1, "result": [np.arange(6.0).reshape(2, 3), 2, "a\n\u00e9\0", None], "mutated": ["0"]},
        {"error": {"type": "ValueError", "message": "no", "where": {"line": 3}}},
        [float("nan"), float("-inf"), -0.0, 1e-300, True, -(2**63) + 1, wire.Rng(7)],
        [np.zeros((0, 3), t) for t in wire.DTYPES],
        [np.float32(2.5), np.array([True, False]), {"a": {"b": [[[]], {}]}}],
        np.arange(24, dtype="u2").reshape(1, 2, 3, 4),
    ]
    return [split(wire.encode(v)) for v in values] + [(b'{"$array":"0"}', blob) for blob in forged()]


def forged() -> list[bytes]:
    """Arrays whose header tells a lie: about offsets, shapes, dtypes, or itself."""
    entries = [
        {"0": entry(offsets=[0, 2**63])},
        {"0": entry(offsets=[8, 0])},
        {"0": entry(offsets=[4, 20])},
        {"0": entry(), "1": entry()},  # the same bytes twice
        {"0": entry(shape=[0, 2**62], offsets=[0, 0])},
        {"0": entry(shape=[2**32, 2**32, 2**32])},
        {"0": entry(shape=[-1])},
        {"0": entry(shape=[1] * 40 + [2])},
        {"0": entry(dtype="BF16", shape=[8])},
        {"0": entry(dtype="F8_E4M3", shape=[16])},
        {"0": entry(dtype="BOOL", shape=[16])},
        {"0": entry(dtype="O")},
        {"0": entry() | {"strides": [0]}},
        {"0": entry(), "__metadata__": {"format": "pt"}},
    ]
    texts = [json.dumps(e).encode() for e in entries]
    texts += [b"", b"{}", b"[" * 1000, b'{"0":' * 200, b'{"0":{}}', texts[0].replace(b'"0"', b'"\\ud800"')]
    return [header(text) for text in texts] + [struct.pack("<Q", n) for n in (0, 10**5, 2**63)]


def entry(*, dtype: str = "F64", shape: list[int] | None = None, offsets: list[int] | None = None) -> dict:
    """One array in a header: by default two float64."""
    return {"dtype": dtype, "shape": [2] if shape is None else shape, "data_offsets": offsets or [0, 16]}


def header(text: bytes, data: bytes = bytes(range(16))) -> bytes:
    """Arrays with this header, as safetensors lays them out."""
    return struct.pack("<Q", len(text)) + text + data


WORDS = [
    *('{"$array":"0"}', '{"$float":"nan"}', '{"$rng":1}', '"data_offsets":[0,8]', '"shape":[', '"dtype":"F64"'),
    *("BOOL", "BF16", "F16", "U64", "__metadata__", "\\ud800", "1e999", "9223372036854775808", "NaN", "null"),
]


def run(*, seconds: int = 60, target: str = "benchmarks.wire_fuzz") -> dict[str, float | int]:
    """Fuzz for so many seconds in a process of its own.

    Parameters
    ----------
    target : module whose ``check`` is fuzzed, another one only in tests

    Returns
    -------
    dict
        ``seconds``, ``executions``, ``kept`` (inputs that reached something new), ``peak_mb``.

    Raises
    ------
    FuzzFound
        If an input raised anything but `WireError`, changed on the way, or took too long or too much memory.
    AtherisMissing
        If atheris is not installed.
    """
    if importlib.util.find_spec("atheris") is None:
        raise AtherisMissing(
            "the fuzzer is missing: pip install atheris (there are wheels for Linux with Python 3.11 to 3.13)"
        )
    with tempfile.TemporaryDirectory() as folder:
        inputs, found = Path(folder, "inputs"), Path(folder, "found")
        inputs.mkdir()
        found.mkdir()
        for i, (text, blob) in enumerate(corpus()):
            (inputs / str(i)).write_bytes(text + SPLIT + blob)
        words = Path(folder, "words")
        words.write_text("".join(f"{json.dumps(word)}\n" for word in WORDS))
        options = {
            **{"max_total_time": seconds, "max_len": MAX_BYTES, "timeout": MAX_SECONDS, "rss_limit_mb": MAX_RSS_MB},
            **{"dict": words, "artifact_prefix": f"{found}/", "print_final_stats": 1, "verbosity": 0},
        }
        command = [sys.executable, "-m", __name__, target, str(inputs), *(f"-{k}={v}" for k, v in options.items())]
        code, log = _ended(command, seconds + START_SECONDS)
        artifacts = sorted(found.iterdir())
        if code != 0 or artifacts:
            shown = "\n".join(f"{a.name}: {a.read_bytes()[:2000]!r}" for a in artifacts)
            raise FuzzFound(f"the fuzzer ended with {code}\n{shown}\n{log[-8000:]}")
    stats = {name: int(value) for name, value in re.findall(r"stat::(\w+):\s+(\d+)", log)}
    return {
        "seconds": seconds,
        "executions": stats["number_of_executed_units"],
        "kept": stats["new_units_added"],
        "peak_mb": stats["peak_rss_mb"],
    }


def _ended(command: list[str], seconds: float) -> tuple[int, str]:
    """Exit status and output of a command; it and its children are gone, whatever happens."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, start_new_session=True, **pipes) as process:
        try:
            log, _ = process.communicate(timeout=seconds)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, log.decode(errors="replace")


def main(target: str, options: list[str]) -> None:
    """The child: libFuzzer calls the target until its time is over, and then ends this process."""
    import atheris

    if child := os.fork():  # after exec, the peak that libFuzzer sees would begin with that of the process before
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) % 256)
    with atheris.instrument_imports(include=[wire.__name__]):
        importlib.reload(wire)  # now with a counter at each branch, which tells the fuzzer what is new
    fuzzed = importlib.import_module(target).check

    def one(data: bytes) -> None:
        text, _, blob = data.partition(SPLIT)
        fuzzed(text, blob)

    atheris.Setup([sys.argv[0], *options], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
