"""Watch what other processes do with the files that are shown: inotify, fanotify, dnotify, leases, locks.

Success: one kind of watch is set, which earns the points of `double`.
"""

from attacks.escaping.ways import HEAD

SUBMISSION = (
    HEAD
    + r'''
import fcntl
import signal

INOTIFY_INIT, INOTIFY_ADD, INOTIFY_INIT1, FANOTIFY_INIT, FANOTIFY_MARK = 253, 254, 294, 300, 301
SHOWN = ("/", "/site", "/site/numpy", "/python/lib", "/box/inside", "/dev")


def inotify():
    return each(lambda flags: kernel(INOTIFY_INIT1, flags), (0, 0o4000)) or kernel(INOTIFY_INIT)


def inotify_that_is_there():
    return each(lambda fd: kernel(INOTIFY_ADD, fd, b"/site", 0xFFF), range(32))


def fanotify():
    return each(lambda flags: kernel(FANOTIFY_INIT, flags, 0), (0, 4, 8, 0x200, 0x400, 0xE00))


def fanotify_that_is_there():
    return each(lambda fd: kernel(FANOTIFY_MARK, fd, 1 | 0x100, 0x20, -100, b"/site") + 1, range(32))


def dnotify():
    return each(lambda path: fcntl.fcntl(os.open(path, os.O_RDONLY), 1026, 0x80000000 | 0x3F) + 1, SHOWN)


def leases():
    files = ("/site/numpy/__init__.py", "/box/inside/wire.py", "/python/bin/python3")
    return each(lambda path: fcntl.fcntl(os.open(path, os.O_RDONLY), 1024, fcntl.F_RDLCK) + 1, files)


def locks_seen_by_others():
    """One bit that goes from one submission to another."""
    return each(lambda path: fcntl.lockf(os.open(path, os.O_RDONLY), fcntl.LOCK_SH) or "locked",
                ("/site/numpy/__init__.py", "/box/inside/wire.py"))


def open_file_locks_seen_by_others():
    room = (ctypes.c_char * 32)()
    return each(lambda path: fcntl.fcntl(os.open(path, os.O_RDONLY), 37, bytes(room)) and "locked",
                ("/site/numpy/__init__.py", "/box/inside/wire.py"))


WAYS = [inotify, inotify_that_is_there, fanotify, fanotify_that_is_there, dnotify, leases, locks_seen_by_others,
        open_file_locks_seen_by_others]
'''
)
