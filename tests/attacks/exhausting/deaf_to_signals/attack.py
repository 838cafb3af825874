"""Never return, and ignore, block or swallow every signal that could end the call.

Success: grading does not end in time, or a process is left.
"""

from attacks.exhausting.parts import submission

LIMITS = {"call_seconds": 0.3, "total_seconds": 2}
HEAD = """
import faulthandler
import signal
import time

ALL = [s for s in signal.valid_signals() if s not in (signal.SIGKILL, signal.SIGSTOP)]
"""
SUBMISSION = submission(
    """
    for number in ALL:
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    signal.pthread_sigmask(signal.SIG_BLOCK, ALL)
    while True:
        time.sleep(1)
    """,
    """
    for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGXCPU, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, lambda *_: total(x, rng))
    while True:
        try:
            while True:
                pass
        except BaseException:
            continue
    """,
    """
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
    faulthandler.dump_traceback_later(0.01, repeat=True)
    while True:
        try:
            signal.sigwait(ALL)
        except BaseException:
            continue
    """,
    head=HEAD,
)
