"""Return an answer, and leave threads, timers and hooks behind that write, compute and hang afterwards.

Success: a later call is answered by them, a process is left, or ending the worker takes long.
"""

from attacks.exhausting.parts import CHANNEL, submission

LIMITS = {"call_seconds": 1, "total_seconds": 4}
HEAD = (
    CHANNEL
    + """
import atexit
import gc
import signal
import sys
import threading
import time


class Clinging:
    def __del__(self):
        KEPT.append(Clinging())
        while True:
            time.sleep(1)


KEPT = []


def busy():
    while True:
        sum(range(1000))


def late():
    time.sleep(0.2)
    while True:
        send(b"\\0" * 12)
        time.sleep(0.01)


def hang(*_):
    while True:
        time.sleep(1)


def hooks():
    atexit.register(hang)
    threading._register_atexit(hang)
    sys.excepthook = sys.unraisablehook = threading.excepthook = hang
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(number, hang)
    gc.callbacks.append(hang)
"""
)
SUBMISSION = submission(
    """
    threading.stack_size(65536)
    for _ in range(3):
        threading.Thread(target=busy).start()
    threading.Thread(target=late).start()
    """,
    """
    KEPT.append(Clinging())
    hooks()
    KEPT.clear()
    """,
    """
    signal.signal(signal.SIGALRM, lambda *_: send(b"{}" * 1000))
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
    sys.settrace(hang)
    threading.setprofile(hang)
    return Clinging()
    """,
    head=HEAD,
)
