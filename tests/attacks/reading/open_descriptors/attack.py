"""Looks at each descriptor from 0 to 1023: what it is, what can be read from its start, by a copy or as /dev/fd.

Success: a descriptor that leads to a file, or anything readable besides the channel and /dev/null.
"""

SUBMISSION = r'''
import array
import fcntl
import os
import select
import socket
import stat


def contents(fd):
    kind = os.fstat(fd).st_mode
    if stat.S_ISREG(kind):
        yield "file", os.pread(fd, 10_000, 0)
    if stat.S_ISDIR(kind):
        yield "folder", repr(os.listdir(fd)).encode()
        yield "parent", repr(os.listdir(os.open("..", os.O_RDONLY, dir_fd=fd))).encode()
    for descriptor in (fd, os.dup(fd)):
        if select.select([descriptor], [], [], 0)[0]:
            yield "stream", os.read(descriptor, 10_000)
    for path in (f"/dev/fd/{fd}", f"/proc/self/fd/{fd}"):
        try:
            yield "path", open(path, "rb").read(10_000)
        except OSError:
            pass


def double(x):
    found = []
    for fd in range(1024):
        try:
            fcntl.fcntl(fd, fcntl.F_GETFL)
        except OSError:
            continue
        try:
            found += [(fd, kind, data[:200]) for kind, data in contents(fd) if data]
        except OSError:
            continue
    if found:
        raise ValueError(f"found: {found}")
    return 0 * x


def total(x, rng):
    """Descriptors of another process come with a message."""
    for fd in range(64):
        try:
            end = socket.socket(fileno=os.dup(fd))
            end.setblocking(False)
            data, passed, *_ = end.recvmsg(1000, socket.CMSG_SPACE(64))
            if passed:
                raise RuntimeError(f"found: {passed}")
            end.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
        except OSError:
            continue
    return 0.0
'''


def succeeded(outcome):
    return "something was read from a descriptor" if "found: " in outcome.texts["terminal"] else None
