"""Change rights, owner, times and attributes of what the sandbox shows, above all of the machine's device nodes.

A judge that runs as root owns them inside the sandbox, too. Nothing is changed in earnest: the values are the old ones.

Success: the kernel accepts such a change outside /tmp, which earns the points of `double`.
"""

from attacks.escaping.ways import HEAD

SUBMISSION = (
    HEAD
    + r'''
import fcntl

PLACES = [f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty", "shm")]
PLACES += ["/", "/dev", "/site", "/site/numpy", "/site/numpy/__init__.py", "/box/inside", "/box/inside/wire.py",
           "/python/bin/python3", "/python/lib"]
CHMOD, FCHMODAT2, CHOWN, UTIMENSAT, SETXATTR, SETXATTRAT, FILE_SETATTR = 90, 452, 92, 280, 188, 463, 469
AT_FDCWD = -100


def rights():
    return each(lambda path: os.chmod(path, os.stat(path).st_mode & 0o7777) or "changed", PLACES)


def rights_by_number():
    def change(path):
        mode = os.stat(path).st_mode & 0o7777
        try:
            return kernel(CHMOD, path.encode(), mode) + 1
        except OSError:
            return kernel(FCHMODAT2, AT_FDCWD, path.encode(), mode, 0) + 1
    return each(change, PLACES)


def rights_of_what_is_open():
    for path in PLACES:
        try:
            fd = os.open(path, os.O_RDONLY)
            os.fchmod(fd, os.fstat(fd).st_mode & 0o7777)
            return path
        except OSError:
            continue


def owner():
    return each(lambda path: os.chown(path, os.getuid(), os.getgid()) or "changed", PLACES)


def times():
    def change(path):
        now = os.stat(path)
        os.utime(path, ns=(now.st_atime_ns, now.st_mtime_ns))
        return "changed"
    return each(change, PLACES)


def attributes():
    return each(lambda path: os.setxattr(path, "user.here", b"1") or "changed", PLACES)


def access_list():
    """The list that says the same as the usual rights."""
    text = bytes.fromhex("02000000" "01000600ffffffff" "04000600ffffffff" "20000600ffffffff")
    return each(lambda path: os.setxattr(path, "system.posix_acl_access", text) or "changed", PLACES[:6])


def attributes_by_number():
    value = (ctypes.c_uint64 * 2)(ctypes.addressof(ctypes.create_string_buffer(b"1")), 1)
    return each(lambda path: kernel(SETXATTRAT, AT_FDCWD, path.encode(), 0, b"user.here", value, 16) + 1, PLACES)


def flags():
    room = ctypes.create_string_buffer(24)
    return each(lambda path: kernel(FILE_SETATTR, AT_FDCWD, path.encode(), room, 24, 0) + 1, PLACES)


def flags_by_ioctl():
    def change(path):
        fd = os.open(path, os.O_RDONLY)
        now = fcntl.ioctl(fd, 0x80086601, bytes(8))
        fcntl.ioctl(fd, 0x40086602, now)
        return "changed"
    return each(change, PLACES)


def locks_on_what_others_use():
    """Another submission that is graded at the same time would see them: a way to talk."""
    def lock(path):
        fcntl.flock(os.open(path, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
        return "locked"
    return each(lock, PLACES[9:])


def leases_on_what_others_use():
    files = [path for path in PLACES[9:] if os.path.isfile(path)]
    return each(lambda path: fcntl.fcntl(os.open(path, os.O_RDONLY), 1024, 0) + 1, files)


WAYS = [rights, rights_by_number, rights_of_what_is_open, owner, times, attributes, access_list, attributes_by_number,
        flags, flags_by_ioctl, locks_on_what_others_use, leases_on_what_others_use]
'''
)
