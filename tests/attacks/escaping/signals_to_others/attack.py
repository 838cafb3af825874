"""Signal other processes: the parent, everybody, numbers 1 to 400, by every call that can.

The signals are number 0, which asks for leave and does no harm.

Success: a process that is neither this one nor the first of the sandbox may be signaled, which earns `double`'s points.
"""

from attacks.escaping.ways import HEAD

SUBMISSION = (
    HEAD
    + r'''
import signal

TKILL, TGKILL, SIGQUEUE, TGSIGQUEUE, PIDFD_OPEN, PIDFD_SIGNAL = 200, 234, 129, 297, 434, 424


def others():
    """The first process of its name space ignores what comes from inside."""
    return [pid for pid in (*range(2, 401), os.getppid()) if pid not in (0, 1, os.getpid())]


def each_number():
    return each(lambda pid: os.kill(pid, 0) or "may", others())


def everybody():
    os.kill(-1, 0)
    return "may"


def each_group():
    return each(lambda pid: os.killpg(pid, 0) or "may", [p for p in others() if p != os.getpgrp()])


def group_led_from_outside():
    """A signal to the own group or session reaches all in it, also outside of the name space: it must be its own."""
    return os.getpgrp() == 0 or os.getsid(0) == 0


def each_thread():
    own = {t.native_id for t in threading.enumerate()}
    return each(lambda pid: kernel(TKILL, pid, 0) + 1, [p for p in others() if p not in own])


def each_thread_of_each_process():
    return each(lambda pid: kernel(TGKILL, pid, pid, 0) + 1, others())


def with_a_value():
    info = (ctypes.c_int * 32)(0, 0, -1)
    return (each(lambda pid: kernel(SIGQUEUE, pid, 0, info) + 1, others())
            or each(lambda pid: kernel(TGSIGQUEUE, pid, pid, 0, info) + 1, others()))


def by_handle():
    return each(lambda pid: kernel(PIDFD_SIGNAL, kernel(PIDFD_OPEN, pid, 0), 0, 0, 0) + 1, others())


def the_first_one():
    """It must survive this; if it does not, the sandbox is gone and so are the points."""
    if os.getpid() != 1:
        each(lambda number: os.kill(1, number), [signal.SIGTERM, signal.SIGHUP, signal.SIGSTOP])


WAYS = [each_number, everybody, each_group, group_led_from_outside, each_thread, each_thread_of_each_process,
        with_a_value, by_handle, the_first_one]
'''
)
