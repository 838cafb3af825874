"""Open the large doors of the kernel that most escapes go through: bpf, perf, io_uring, userfaultfd, old AIO, traces.

Success: one opens, which earns the points of `double`.
"""

from attacks.escaping.ways import HEAD

SUBMISSION = (
    HEAD
    + r'''
import struct

BPF, PERF_EVENT_OPEN, USERFAULTFD, IO_URING_SETUP, IO_URING_ENTER, IO_URING_REGISTER = 321, 298, 323, 425, 426, 427
IO_SETUP, IO_SUBMIT, IO_PGETEVENTS, VMSPLICE, SPLICE, TEE, LANDLOCK, LSM_LIST = 206, 209, 333, 278, 275, 276, 444, 461
PROCESS_MADVISE, MEMFD_SECRET, MAP_SHADOW_STACK, REMAP_FILE_PAGES = 440, 447, 453, 216


def bpf():
    kinds = range(1, 30)
    return each(lambda kind: kernel(BPF, 0, struct.pack("<IIIII", kind, 4, 4, 1, 0) + bytes(100), 120), kinds)


def bpf_program():
    code = ctypes.create_string_buffer(struct.pack("<BBhi", 0xB7, 0, 0, 0) + struct.pack("<BBhi", 0x95, 0, 0, 0))
    license = ctypes.create_string_buffer(b"GPL")
    head = struct.pack("<IIQQ", 1, 2, ctypes.addressof(code), ctypes.addressof(license))
    return kernel(BPF, 5, head + bytes(96), 120)


def counters():
    room = struct.pack("<IIQQQQQ", 1, 112, 1, 0, 0, 0, 1 << 5 | 1 << 6) + bytes(64)
    return each(lambda pid: kernel(PERF_EVENT_OPEN, room, pid, -1 if pid >= 0 else 0, -1, 0), (0, 1, -1))


def faults_of_pages():
    return (each(lambda flags: kernel(USERFAULTFD, flags), (0, 1, 0o2000000, 0o4001))
            or os.open("/dev/userfaultfd", os.O_RDWR))


def rings():
    return each(lambda entries: kernel(IO_URING_SETUP, entries, ctypes.create_string_buffer(120)), (1, 8))


def rings_that_are_there():
    return (each(lambda fd: kernel(IO_URING_ENTER, fd, 1, 0, 0, None, 0) + 1, range(16))
            or each(lambda fd: kernel(IO_URING_REGISTER, fd, 0, None, 0) + 1, range(16)))


def old_queues():
    return kernel(IO_SETUP, 8, ctypes.byref(ctypes.c_ulong(0))) == 0


def pages_given_to_a_pipe():
    """What lies in a pipe is outside of the memory limit, up to two megabytes for each page."""
    _, end = os.pipe()
    room = ctypes.create_string_buffer(8192)
    return kernel(VMSPLICE, end, (ctypes.c_uint64 * 2)(ctypes.addressof(room), 4096), 1, 0)


def pages_of_files_in_a_pipe():
    reads, end = os.pipe()
    fd = os.open("/python/bin/python3", os.O_RDONLY)
    return kernel(SPLICE, fd, None, end, None, 4096, 0)


def pages_of_pipes_twice():
    (reads, writes), (_, end) = os.pipe(), os.pipe()
    os.write(writes, b"here")
    return kernel(TEE, reads, end, 4, 0)


def secret_memory():
    return kernel(MEMFD_SECRET, 0)


def security_modules():
    return kernel(LSM_LIST, (ctypes.c_uint64 * 16)(), ctypes.byref(ctypes.c_uint32(128)), 0) + 1


def files_that_trace():
    return each(os.listdir, ("/sys/kernel/tracing", "/sys/kernel/debug", "/sys/fs/bpf", "/proc/self"))


WAYS = [bpf, bpf_program, counters, faults_of_pages, rings, rings_that_are_there, old_queues, pages_given_to_a_pipe,
        pages_of_files_in_a_pipe, pages_of_pipes_twice, secret_memory, security_modules, files_that_trace]
'''
)
