"""Write frames of its own on the judge's channel: announced lengths beyond measure, deep and long JSON, bad headers.

Success: the judge reserves what is announced, stumbles over a parser, waits without end, or takes an answer from it.
"""

from attacks.exhausting.parts import CHANNEL, submissions

LIMITS = {"call_seconds": 0.5, "total_seconds": 4}
SAY = "os.kill(os.getpid(), 9)"  # at once, or an honest answer would follow
TEXTS = r"""
b'[' * 4_000_000
b'[]' + b',[]' * 1_300_000
b'9' * 4_000_000
b'"' + b'\\\\u0000' * 500_000 + b'"'
b'{"id": ' + b'1' * 5000 + b', "result": 1, "mutated": []}'
b'{"id": 1, "result": NaN, "mutated": [Infinity]}'
b'{"id": 1, "error": {"type": "' + b'x' * 3_000_000 + b'", "message": "", "where": {}}}'
"""
HEADS = r"""
struct.pack('<IQ', 2**32 - 1, 2**64 - 1)
struct.pack('<IQ', 4_000_000, 64_000_000)
struct.pack('<IQ', 2, 8) + b'{}' + struct.pack('<Q', 2**63)
struct.pack('<IQ', 2, 20) + b'{}' + struct.pack('<Q', 12) + b'{"a":{}}    '
struct.pack('<IQ', 2, 64_000_000) + b'{}' + struct.pack('<Q', 63_999_992) + b' ' * 63_999_992
"""
HEAD = (
    CHANNEL
    + """
import struct


def frame(text):
    return struct.pack("<IQ", len(text), 0) + text
"""
)


def build(folder):
    frames = [f"frame({text})" for text in TEXTS.split("\n") if text] + [head for head in HEADS.split("\n") if head]
    return submissions(folder, "\n\n".join(f"send({frame})\n{SAY}" for frame in frames), head=HEAD)
