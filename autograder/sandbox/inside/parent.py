"""The parent of warm workers: imports what they need, once, and forks one for each order. No student code runs here.

A worker gets name spaces of its own, so that it cannot see, signal or reach this process or its siblings, and then
confines itself as a cold one does (`serve`). A warden between the two waits for its end and says how it came.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import socket
import traceback
from importlib import import_module

from . import serve

_NEW = {"mount": 0x00020000, "cgroup": 0x02000000, "uts": 0x04000000, "ipc": 0x08000000}
_NEW |= {"user": 0x10000000, "pid": 0x20000000, "net": 0x40000000}


def main(proc: int, uid: int, modules: list[str]) -> None:
    """Answer each order on the socket that is standard input with a worker, until the judge closes it.

    Parameters
    ----------
    proc : descriptor of the judge's ``/proc``, for the maps of user name spaces; the view has none
    uid : who a worker is, inside and in this process's user name space
    modules : imported here, so that no worker pays for them
    """
    control = socket.socket(fileno=0)
    for name in modules:
        import_module(name)
    gc.collect()
    gc.freeze()  # else the first collection in each worker would copy all pages
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # wardens need no burial
    control.send(b"ready")
    while True:
        message, descriptors, *_ = socket.recv_fds(control, 16, 2)
        if not message:
            os._exit(0)  # the judge is gone; as the first process of its name space this one takes all others along
        channel, status = descriptors
        if os.fork() == 0:
            os.dup2(1, control.detach())  # which leads nowhere, and keeps the number taken
            _watch(channel, socket.socket(fileno=status), proc, uid)
        os.close(channel)
        os.close(status)


def _watch(channel: int, status: socket.socket, proc: int, uid: int) -> None:
    """The warden: makes the name spaces, starts the worker in them, tells the judge its handle and later its end."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _enter_name_spaces(proc, uid)
        os.close(proc)
        pid = os.fork()
        if pid == 0:
            status.close()
            _work(channel)
        os.close(channel)
        socket.send_fds(status, [b"started"], [os.pidfd_open(pid)])
        _, code = os.waitpid(pid, 0)
        status.send(str(os.waitstatus_to_exitcode(code)).encode())
    except BaseException as error:
        status.send(f"failed {error}".encode())
    os._exit(0)


def _enter_name_spaces(proc: int, uid: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(sum(_NEW.values())) != 0:
        raise OSError(ctypes.get_errno(), f"unshare: {os.strerror(ctypes.get_errno())}")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{uid} {uid} 1")):
        file = os.open(f"self/{name}", os.O_WRONLY, dir_fd=proc)
        os.write(file, text.encode())
        os.close(file)


def _work(channel: int) -> None:
    """The worker; the first process of its name space, so that all of its others end with it."""
    try:
        os.setsid()  # `kill(0)` reaches a whole group, whatever name spaces its processes are in
        serve.main(*serve.streams(channel))
    except BaseException:
        traceback.print_exc()  # nowhere, unless our own part failed before any student code ran
        os._exit(1)
    os._exit(0)
