"""Code that several attacks put into their submissions."""

# How the worker's answers look, and where they go: any descriptor that is a socket or a pipe.
CHANNEL = r'''
import json
import os
import stat
import struct


def channels():
    found = []
    for fd in range(3, 256):
        try:
            mode = os.fstat(fd).st_mode
        except OSError:
            continue
        if stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode):
            found.append(fd)
    return found


def frame(value, blob=b""):
    text = json.dumps(value, separators=(",", ":")).encode()
    return struct.pack("<IQ", len(text), len(blob)) + text + blob


def array(values, dtype="F64", shape=None):
    """One array called 0, as safetensors writes it."""
    data = struct.pack(f"<{len(values)}d", *values)
    head = json.dumps({"0": {"dtype": dtype, "shape": shape or [len(values)], "data_offsets": [0, len(data)]}}).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + data


def send(data):
    for fd in channels():
        try:
            os.write(fd, data)
            return
        except OSError:
            continue
'''
