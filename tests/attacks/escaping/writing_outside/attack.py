"""Write into every folder and every file that the sandbox shows, by all ways of opening them.

Success: something can be written anywhere but in /tmp, which earns the points of `double`.
"""

from attacks.escaping.ways import HEAD

SUBMISSION = (
    HEAD
    + r'''
import stat

OWN = ("/tmp", "/dev/pts")


def visible():
    """All folders and some files of each: the interpreter alone has thousands."""
    for folder, folders, names in os.walk("/"):
        folders[:] = [f for f in folders if f"{folder.rstrip('/')}/{f}" not in (*OWN, "/proc", "/sys")]
        if not folder.startswith(OWN):
            yield folder, [os.path.join(folder, n) for n in names[:3]]


def new_files():
    return each(lambda folder: os.close(os.open(f"{folder}/here", os.O_CREAT | os.O_WRONLY)) or "made",
                [folder for folder, _ in visible()])


def new_folders_and_links():
    folders = [folder for folder, _ in visible()]
    return (each(lambda folder: os.mkdir(f"{folder}/there") or "made", folders)
            or each(lambda folder: os.symlink("/tmp", f"{folder}/link") or "made", folders))


def files_without_a_name():
    return each(lambda folder: os.open(folder, os.O_TMPFILE | os.O_RDWR), [folder for folder, _ in visible()])


def is_regular(path):
    return stat.S_ISREG(os.lstat(path).st_mode)


def files_that_are_there():
    paths = [path for _, paths in visible() for path in paths if is_regular(path)]
    return each(lambda path: os.open(path, os.O_WRONLY | os.O_APPEND), paths)


def shortened_or_removed():
    paths = [path for _, paths in visible() for path in paths if is_regular(path)]
    return (each(lambda path: os.truncate(path, os.stat(path).st_size) or "done", paths)
            or each(lambda path: os.rename(path, path + ".here") or "done", paths))


def shared_memory():
    paths = ("/dev/shm/here", "/dev/mqueue/here", "/run/shm/here")
    return each(lambda path: os.open(path, os.O_CREAT | os.O_RDWR), paths)


def through_a_mapping():
    """A private mapping that becomes a shared one would change the library for everybody."""
    path = next(path for _, paths in visible() for path in paths if path.endswith(".so") or path.endswith(".py"))
    fd = os.open(path, os.O_RDONLY)
    LIBC.mmap.restype = ctypes.c_void_p
    address = LIBC.mmap(None, ctypes.c_size_t(4096), 1, 1, fd, ctypes.c_long(0))
    return LIBC.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(4096), 3) == 0


def folders_turned_writable():
    MS_REMOUNT, MS_BIND = 32, 4096
    places = [b"/", b"/dev", b"/site", b"/box/inside", b"/site/numpy", b"/python/bin/python3"]
    return each(lambda place: kernel(165, None, place, None, MS_REMOUNT | MS_BIND, None) + 1, places)


WAYS = [new_files, new_folders_and_links, files_without_a_name, files_that_are_there, shortened_or_removed,
        shared_memory, through_a_mapping, folders_turned_writable]
'''
)
