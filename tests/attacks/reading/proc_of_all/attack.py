"""Reads /proc: its own entries, those of its parent and of the judge; tries to mount it if it is not there.

Success: anything about a process of the machine outside.
"""

SUBMISSION = r'''
import ctypes
import os

NAMES = (
    "cmdline",
    "environ",
    "maps",
    "mountinfo",
    "status",
    "stat",
    "limits",
    "cgroup",
    "root",
    "cwd",
    "exe",
    "task",
    "fd",
)


def look(path):
    for read in (lambda: open(path, "rb").read(100_000), lambda: os.readlink(path), lambda: os.listdir(path)):
        try:
            return read()
        except OSError:
            pass


def proc_folders():
    libc = ctypes.CDLL(None)
    for target in ("/proc", "/tmp/p"):
        os.makedirs(target, exist_ok=True) if target != "/proc" else None
        libc.mount(b"proc", target.encode(), b"proc", 0, None)
        yield target
    yield from ("/dev/../proc", "/python/../proc", "//proc", "/tmp/../proc")


def double(x):
    found = []
    for folder in proc_folders():
        for process in ("1", "2", "self", "thread-self", str(os.getppid()), "{PID}"):
            found += [(process, name, seen) for name in NAMES if (seen := look(f"{folder}/{process}/{name}"))]
        found += [
            (name, seen)
            for name in ("mounts", "kallsyms", "kcore", "keys", "net/unix", "sysvipc/shm")
            if (seen := look(f"{folder}/{name}"))
        ]
    if found:
        raise ValueError(f"found: {str(found)[:400]}")
    return 0 * x


def total(x, rng):
    """Its parent is a process of the pool or bubblewrap."""
    try:
        data = open(f"/proc/{os.getppid()}/mem", "rb").read(1)
    except OSError:
        data = b""
    if os.getppid() != 0 or data:
        raise ValueError(f"found: a parent, {os.getppid()}")
    return 0.0
'''


def succeeded(outcome):
    return "processes are visible" if "found: " in outcome.texts["terminal"] else None
