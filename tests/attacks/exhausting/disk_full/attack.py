"""Write more to /tmp than it may hold: long files, many files, files without a name, sparse and reserved ones.

Success: more than 64 MB lie there, or a file beyond its limit is made, which earns the points of `double`.
"""

from attacks.escaping.ways import HEAD

LIMITS = {"call_seconds": 4, "total_seconds": 10}
SUBMISSION = (
    HEAD
    + r'''
import mmap

MOST = 64 * 2**20
FALLOCATE = 285


def written(paths):
    """Bytes that lie in the files in earnest."""
    return sum(os.stat(path).st_blocks * 512 for path in paths)


def clean():
    for name in os.listdir("/tmp"):
        os.unlink(f"/tmp/{name}")


def filled(write):
    """Whether up to a hundred files of 1 MB hold more than is allowed."""
    clean()
    paths = [f"/tmp/{n}" for n in range(100)]
    done = each(write, paths)
    return written(done) > MOST + 2**20


def plain(path):
    with open(path, "wb") as file:
        file.write(bytes(10**6))


def many_files():
    return filled(plain)


def reserved(path):
    with open(path, "wb") as file:
        kernel(FALLOCATE, file.fileno(), 0, 0, 10**6)


def reserved_files():
    return filled(reserved)


def mapped(path):
    with open(path, "wb+") as file:
        os.posix_fallocate(file.fileno(), 0, 2**20)  # a full disk is refused here; below it would end the process
        mmap.mmap(file.fileno(), 2**20)[::4096] = bytes(256)


def mapped_files():
    return filled(mapped)


def files_without_a_name():
    clean()
    kept = []
    try:
        for _ in range(40):
            kept.append(os.open("/tmp", os.O_TMPFILE | os.O_RDWR))
            for _ in range(4):
                os.write(kept[-1], bytes(10**6))
        return sum(os.fstat(fd).st_blocks * 512 for fd in kept) > MOST + 2**20
    finally:
        for fd in kept:
            os.close(fd)


def a_long_file():
    """Beyond the limit of one file (16 MiB)."""
    clean()
    with open("/tmp/long", "wb", buffering=0) as file:
        for _ in range(30):
            file.write(bytes(2**20))
    return os.stat("/tmp/long").st_size


def a_sparse_file():
    return each(lambda size: os.truncate(os.open("/tmp/sparse", os.O_CREAT | os.O_RDWR), size) or size, (2**40, 2**62))


def a_far_end():
    fd = os.open("/tmp/far", os.O_CREAT | os.O_RDWR)
    return os.pwrite(fd, b"x", 2**40)


def elsewhere():
    return each(lambda folder: os.open(f"{folder}/here", os.O_CREAT | os.O_RDWR), ("/dev/shm", "/", "/dev", "/run"))


WAYS = [many_files, reserved_files, mapped_files, files_without_a_name, a_long_file, a_sparse_file, a_far_end,
        elsewhere]
'''
)
