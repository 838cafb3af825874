"""An earlier submission puts words into memory, queues and files that processes share; this one reads them.

Success: the two submissions could talk.
"""

FIRST = r"""
import ctypes
import os
from multiprocessing import shared_memory


def double(x):
    libc = ctypes.CDLL(None)
    try:
        block = shared_memory.SharedMemory("unsegword", create=True, size=4096)
        block.buf[:4] = b"word"
    except OSError:
        pass
    libc.shmget(4711, 4096, 0o1666)
    libc.msgget(4711, 0o1666)
    libc.semget(4711, 1, 0o1666)
    libc.mq_open(b"/unsegword", os.O_CREAT | os.O_RDWR, 0o666, None)
    libc.syscall(319, b"unsegword", 0)
    libc.syscall(248, b"user", b"unsegword", b"word", 4, -3)
    for folder in ("/dev/shm", "/dev/mqueue", "/tmp", "/run/lock"):
        try:
            os.mkfifo(f"{folder}/unsegword")
        except OSError:
            pass
    return 2 * x
"""

SUBMISSION = r"""
import ctypes
import os
from multiprocessing import shared_memory


def double(x):
    libc, found = ctypes.CDLL(None), []
    try:
        found.append(bytes(shared_memory.SharedMemory("unsegword").buf[:4]))
    except OSError:
        pass
    found += [call for call in ("shmget", "semget") if getattr(libc, call)(4711, 1, 0) >= 0]
    if libc.msgget(4711, 0) >= 0 or libc.mq_open(b"/unsegword", os.O_RDONLY) >= 0:
        found.append("a queue")
    if libc.syscall(250, 10, -3, b"user", b"unsegword", 0) >= 0:
        found.append("a key")
    for folder in ("/dev/shm", "/dev/mqueue", "/tmp", "/run/lock"):
        try:
            found += os.listdir(folder)
        except OSError:
            pass
    for device in ("/dev/mem", "/dev/kmem", "/dev/port", "/dev/kmsg", "/dev/input/event0", "/dev/sda", "/dev/vda"):
        try:
            found.append(open(device, "rb").read(1))
        except OSError:
            pass
    if found:
        raise ValueError(f"found: {found}")
    return 0 * x
"""


def succeeded(outcome):
    return "shared memory" if "found: " in outcome.texts["terminal"] else None
