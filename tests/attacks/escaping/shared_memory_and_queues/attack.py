"""Leave memory, semaphores or messages behind that other processes of the machine would find.

Success: any such object can be made, which earns the points of `double`.
"""

from attacks.escaping.ways import HEAD

SUBMISSION = (
    HEAD
    + r'''
import multiprocessing
from multiprocessing import shared_memory

SHMGET, SHMAT, SHMCTL, SEMGET, SEMTIMEDOP, SEMCTL, MSGGET, MSGCTL, MQ_OPEN = 29, 30, 31, 64, 220, 66, 68, 71, 240
IPC_CREAT, KEY = 0o1000, 0x5EED


def memory():
    return each(lambda key: kernel(SHMGET, key, 4096, IPC_CREAT | 0o666) + 1, (0, KEY))


def memory_that_is_there():
    room = ctypes.create_string_buffer(200)
    return each(lambda number: kernel(SHMAT, number, None, 0), range(20)) or kernel(SHMCTL, 0, 14, room) + 1


def semaphores():
    return each(lambda key: kernel(SEMGET, key, 1, IPC_CREAT | 0o666) + 1, (0, KEY))


def semaphores_that_are_there():
    room = ctypes.create_string_buffer(8)
    return (kernel(SEMCTL, 0, 0, 19, ctypes.create_string_buffer(200)) + 1
            or each(lambda n: kernel(SEMTIMEDOP, n, room, 1, None) + 1, range(20)))


def messages():
    return each(lambda key: kernel(MSGGET, key, IPC_CREAT | 0o666) + 1, (0, KEY))


def messages_that_are_there():
    return kernel(MSGCTL, 0, 12, ctypes.create_string_buffer(200)) + 1


def posix_queues():
    return each(lambda name: kernel(MQ_OPEN, name, os.O_CREAT | os.O_RDWR, 0o666, None), (b"here", b"there"))


def posix_memory():
    return shared_memory.SharedMemory("here", create=True, size=4096).name


def posix_memory_by_path():
    folders = ("/dev/shm", "/run/shm", "/dev/hugepages", "/dev/mqueue")
    return each(lambda folder: os.open(f"{folder}/here", os.O_CREAT | os.O_RDWR), folders)


def posix_semaphores():
    return multiprocessing.Semaphore().get_value() + 1


def pages_for_all():
    """Memory that is shared with nobody but would be with a child: there must be no child."""
    import mmap
    page = mmap.mmap(-1, 4096, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)
    number = os.fork()
    if number == 0:
        page[0] = 1
        os._exit(0)
    return number


WAYS = [memory, memory_that_is_there, semaphores, semaphores_that_are_there, messages, messages_that_are_there,
        posix_queues, posix_memory, posix_memory_by_path, posix_semaphores, pages_for_all]
'''
)
