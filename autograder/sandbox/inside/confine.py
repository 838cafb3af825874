"""What the worker gives up before any student code runs: privileges, resources and system calls, for good.

bubblewrap builds the name spaces and the view of the files; this is what it cannot do (a limit on the number of
files) or does for a whole program (limits, the filter), while a warm worker is forked and never executed.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any

_MS_NOSUID_NODEV_NOEXEC = 2 | 4 | 8
_PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 4, 22, 24, 38, 47
_SECCOMP_MODE_FILTER, _PR_CAP_AMBIENT_CLEAR_ALL = 2, 4
_CAPABILITY_VERSION_3 = 0x20080522
_LAST_CAPABILITY = 63  # numbers beyond those that a kernel knows are refused, which does no harm


class _Program(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]


def confine(*, limits: dict[str, int], tmp: dict[str, int], program: bytes) -> None:
    """Take everything away from this process; whatever fails raises, and no student code runs then.

    Parameters
    ----------
    limits : hard resource limits by their names, as in ``RLIMIT_<name>``
    tmp : ``bytes`` and ``files`` of ``/tmp``, the only writable place
    program : filter of system calls, as BPF
    """
    libc = ctypes.CDLL(None, use_errno=True)
    _mount_tmp(libc, tmp)
    set_limits(limits)
    _drop_capabilities(libc)
    _call(libc.prctl, _PR_SET_DUMPABLE, 0, 0, 0, 0)
    _call(libc.prctl, _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    buffer = ctypes.create_string_buffer(program, len(program))
    filter_ = _Program(len(program) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    _call(libc.prctl, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(filter_), 0, 0)


def _call(function: Any, *args: Any) -> None:
    if function(*[ctypes.c_ulong(a) if isinstance(a, int) else a for a in args]) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function.__name__}{args[:2]}: {os.strerror(number)}")


def _mount_tmp(libc: ctypes.CDLL, tmp: dict[str, int]) -> None:
    """A ``/tmp`` of its own, which disappears with the process. Where mounts are refused, nothing is writable."""
    options = f"size={tmp['bytes']},nr_inodes={tmp['files']},mode=700".encode()
    libc.mount(b"tmpfs", b"/tmp", b"tmpfs", ctypes.c_ulong(_MS_NOSUID_NODEV_NOEXEC), options)
    os.chdir("/tmp")


def set_limits(limits: dict[str, int]) -> None:
    """Hard limits cannot be raised again by an unprivileged process."""
    import resource

    for name, value in limits.items():
        which = getattr(resource, f"RLIMIT_{name}")
        _, hard = resource.getrlimit(which)
        if hard == resource.RLIM_INFINITY or value < hard:
            resource.setrlimit(which, (value, value))


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    for capability in range(_LAST_CAPABILITY + 1):
        libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0)
    _call(libc.prctl, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _call(libc.capset, header, (ctypes.c_uint32 * 6)())
