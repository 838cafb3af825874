"""Take more memory than the limit in one piece, by each way to ask for it.

Success: a gigabyte is held where 384 MiB are allowed, which earns the points of `double`.
"""

from attacks.escaping.ways import HEAD

LIMITS = {"memory_mb": 384}
SUBMISSION = (
    HEAD
    + r'''
import mmap

MUCH = 2**30
MMAP, MREMAP, BRK = 9, 25, 12


def array():
    return np.ones(MUCH, dtype=np.uint8).nbytes


def several_arrays():
    kept = []
    for _ in range(16):
        kept.append(np.ones(MUCH // 16, dtype=np.uint8))
    return len(kept)


def zeros_that_are_filled_later():
    room = np.zeros(MUCH, dtype=np.uint8)
    room[::4096] = 1
    return room.nbytes


def text():
    return len("x" * MUCH)


def bytes_that_grow():
    room = bytearray()
    while len(room) < MUCH:
        room += bytes(2**24)
    return len(room)


def pages(flags):
    room = mmap.mmap(-1, MUCH, flags=flags)
    room[:: 2**20] = bytes(MUCH >> 20)
    return len(room)


def private_pages():
    return pages(mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def shared_pages():
    """These count in no limit on data, only in that on addresses."""
    return pages(mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)


def many_shared_pages():
    kept = []
    for _ in range(64):
        kept.append(mmap.mmap(-1, 2**24, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS))
        kept[-1][:: 4096] = bytes(2**12)
    return len(kept)


def pages_of_other_kinds():
    """Not reserved, growing downwards, huge, filled at once."""
    return each(lambda flag: pages(mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | flag), (0x4000, 0x100, 0x40000, 0x8000))


def pages_of_a_file():
    with open("/tmp/sparse", "wb+") as file:
        file.truncate(15 * 2**20)
        kept = [mmap.mmap(file.fileno(), 15 * 2**20, access=mmap.ACCESS_COPY) for _ in range(70)]
        for room in kept:
            room[:: 4096] = bytes(15 * 2**8)
        return len(kept)


def pages_that_grow():
    room = mmap.mmap(-1, 2**20)
    room.resize(MUCH)
    return len(room)


def libc():
    LIBC.malloc.restype = ctypes.c_void_p
    LIBC.calloc.restype = ctypes.c_void_p
    return LIBC.malloc(ctypes.c_size_t(MUCH)) or LIBC.calloc(ctypes.c_size_t(MUCH), ctypes.c_size_t(1))


def end_of_the_heap():
    now = kernel(BRK, 0)
    return kernel(BRK, now + MUCH) > now


WAYS = [array, several_arrays, zeros_that_are_filled_later, text, bytes_that_grow, private_pages, shared_pages,
        many_shared_pages, pages_of_other_kinds, pages_of_a_file, pages_that_grow, libc, end_of_the_heap]
'''
)
