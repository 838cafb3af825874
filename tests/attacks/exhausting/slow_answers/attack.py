"""Send the answer one byte at a time, stop in the middle of it, or never read what the judge sends.

Success: grading takes longer than the limits say, or a slow answer is taken.
"""

from attacks.exhausting.parts import CHANNEL, submission

LIMITS = {"call_seconds": 0.5, "total_seconds": 3}
HEAD = (
    CHANNEL
    + '''
import ctypes
import struct
import threading
import time

TEXT = b'{"id": 1, "result": 0, "mutated": []}'
FRAME = struct.pack("<IQ", len(TEXT), 0) + TEXT


def steal():
    """Read what the judge sends before the worker does, and let nobody else compute."""
    threading.stack_size(65536)
    for fd in [fd for fd in range(64) if is_channel(fd)]:
        threading.Thread(target=read_all, args=(fd,), daemon=True).start()
    threading.Thread(target=ctypes.PyDLL(None).sleep, args=(3600,), daemon=True).start()


def read_all(fd):
    while True:
        try:
            os.read(fd, 1)
        except OSError:
            return
'''
)
SUBMISSION = submission(
    """
    for number in range(len(FRAME)):
        send(FRAME[number : number + 1])
        time.sleep(0.3)
    """,
    """
    send(FRAME[:-1])
    time.sleep(3600)
    """,
    """
    steal()
    return 1
    """,
    head=HEAD,
)
