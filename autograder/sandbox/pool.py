"""Warm workers: forked from a parent that stands ready in bubblewrap with NumPy (and torch) imported.

A parent belongs to one view, runs no student code and is out of its workers' reach: they have name spaces of their
own (`inside.parent`). A worker serves one sandbox and dies.
"""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import threading

from .process import START_SECONDS, SandboxUnavailable, bubblewrap, kill, launch, why_not
from .view import UID, View

# What notebooks of a lesson mostly import of its packages, and what takes long to import.
_USUAL = {"torch": ("torch",), "scipy": ("scipy.ndimage", "scipy.optimize"), "scikit-image": ("skimage",)}


class NotWarm(Exception):
    """Warm workers do not work on this machine, cold ones may; the message says why."""


class Parent:
    """A process that forks workers for one view."""

    def __init__(self, view: View):
        if missing := why_not():
            raise SandboxUnavailable(missing)
        self._control, inside = socket.socketpair()
        self._control.settimeout(START_SECONDS)
        self._lock = threading.Lock()
        self._errors = tempfile.TemporaryFile()
        modules = [m for package in view.packages for m in _USUAL.get(package, ()) if m not in view.hidden]
        proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
        try:
            # It ends when its socket closes, which the judge's death does, too; `--die-with-parent` would end it with
            # the thread that started it.
            code = f"from inside.parent import main; main({proc}, {UID}, {modules!r})"
            self._bwrap = launch(view, bubblewrap(view, code), inside, self._errors, proc)
        finally:
            os.close(proc)
            inside.close()
        try:
            ready = self._control.recv(16)
        except TimeoutError:
            ready = b""
        if ready != b"ready":
            self._errors.seek(0)
            text = self._errors.read(2000).decode(errors="replace").strip()
            self.close()
            if text.startswith("bwrap:"):
                raise SandboxUnavailable(f"bubblewrap does not work here: {text.splitlines()[0]}")
            raise NotWarm(f"the parent of warm workers did not start: {text[-300:]}")

    def fork(self) -> Warm:
        """A new worker."""
        channel, inside = socket.socketpair()
        status, warden = socket.socketpair()
        try:
            with inside, warden, self._lock:
                socket.send_fds(self._control, [b"fork"], [inside.fileno(), warden.fileno()])
            return Warm(channel, status)
        except BaseException as error:
            channel.close()
            status.close()
            if isinstance(error, OSError):
                raise NotWarm(f"a warm worker could not be forked: {error}") from None
            raise

    def close(self) -> None:
        """End it and its workers."""
        self._control.close()
        try:
            self._bwrap.wait(5.0)
        except Exception:
            self._bwrap.send_signal(signal.SIGKILL)
            self._bwrap.wait()
        self._errors.close()


class Warm:
    """A worker that a parent has forked."""

    def __init__(self, channel: socket.socket, status: socket.socket):
        self.channel = channel
        self._status = status
        self._code: int | None = None
        status.settimeout(START_SECONDS)
        message, handles, *_ = socket.recv_fds(status, 300, 1)
        if message != b"started" or not handles:
            raise NotWarm(message.decode(errors="replace") or "the parent of warm workers is gone")
        self._handle = handles[0]
        self.pid = _number(self._handle)

    def ended(self, seconds: float = 0.0) -> int | None:
        if self._code is None:
            self._status.settimeout(seconds)  # 0 asks and does not wait
            try:
                text = self._status.recv(16)
                self._code = int(text) if text else -9  # no word from the warden: it was killed as well
            except (TimeoutError, BlockingIOError):
                return None
        return self._code

    def kill(self) -> None:
        if self._handle is None:
            return
        kill(self._handle)
        self.ended(5.0)  # the warden tells when the worker, and with it its name space, is gone
        os.close(self._handle)
        self._handle = None
        self.channel.close()
        self._status.close()

    def complaint(self) -> str:
        return ""


class Pool:
    """Parents by view, started when first needed. A context manager: leaving it ends them all."""

    def __init__(self):
        self._parents: dict[View, Parent] = {}
        self._lock = threading.Lock()
        self.why_cold: str | None = None  # set where warm workers do not work

    def worker(self, view: View) -> Warm:
        """A warm worker.

        Raises
        ------
        NotWarm
            Where this machine does not allow it; a cold one may do.
        SandboxUnavailable
            Where nothing can be isolated.
        """
        if self.why_cold is not None:
            raise NotWarm(self.why_cold)
        for last_try in (False, True):
            try:
                return self._parent(view).fork()
            except NotWarm as error:
                with self._lock:
                    if parent := self._parents.pop(view, None):
                        parent.close()
                if last_try:
                    self.why_cold = str(error)
                    raise
        raise AssertionError

    def _parent(self, view: View) -> Parent:
        with self._lock:
            if view not in self._parents:
                self._parents[view] = Parent(view)
            return self._parents[view]

    def close(self) -> None:
        with self._lock:
            while self._parents:
                self._parents.popitem()[1].close()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_) -> None:
        self.close()


def _number(handle: int) -> int:
    """The number on this machine of the process that a descriptor stands for."""
    with open(f"/proc/self/fdinfo/{handle}", encoding="ascii") as info:
        return next(int(line.split()[1]) for line in info if line.startswith("Pid:"))
