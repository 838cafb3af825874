"""How a worker's process starts and ends: cold (bubblewrap, Python and imports for each), or plain, unisolated.

Warm workers, forked from a parent that stands ready, are in `pool`. All of them are one `Process` to the judge.
"""

from __future__ import annotations

import json
import os
import secrets
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Protocol

from . import seccomp, view
from .view import INSIDE, View

START_SECONDS = 30.0  # for our own part, before any student code runs


class SandboxUnavailable(RuntimeError):
    """This machine cannot isolate student code; the message says what to install."""


class Process(Protocol):
    """A worker, as the judge sees it."""

    channel: socket.socket  # frames go through it, both ways
    pid: int | None  # on this machine; None where it is not isolated

    def ended(self, seconds: float = 0.0) -> int | None:
        """Exit status (-9 for SIGKILL) once it is gone; waits for that, if told to."""

    def kill(self) -> None:
        """End everything inside; nothing of it is left when this returns."""

    def complaint(self) -> str:
        """What it said on standard error while it started."""


class Cold:
    """A worker that bubblewrap starts from nothing."""

    def __init__(self, what: View):
        self.channel, inside = socket.socketpair()
        self._errors = tempfile.TemporaryFile()
        info, info_inside = os.pipe()
        try:
            code = "from inside import serve; serve.main(*serve.streams(0))"
            # The judge's death must be the worker's, even if it loops.
            command = bubblewrap(what, code, "--die-with-parent", "--info-fd", str(info_inside))
            self._bwrap = launch(what, command, inside, self._errors, info_inside)
        except BaseException:
            self.channel.close()
            self._errors.close()
            os.close(info)
            raise
        finally:
            inside.close()
            os.close(info_inside)
        self.pid, self._handle = None, None
        if text := _read_all(info):  # nothing where bubblewrap failed
            self.pid = json.loads(text)["child-pid"]
            self._handle = os.pidfd_open(self.pid)  # bubblewrap buries it, so the number may be another's one day

    def ended(self, seconds: float = 0.0) -> int | None:
        try:
            code = self._bwrap.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        return 128 - code if code > 128 else code  # bubblewrap's way to say which signal it was

    def kill(self) -> None:
        # The first process of a name space takes all others along, and bubblewrap ends after it. Killing bubblewrap
        # first would leave them to die in their own time.
        if self._handle is not None:
            kill(self._handle)
            self.ended(5.0)
            os.close(self._handle)
            self._handle = None
        self._bwrap.kill()
        self._bwrap.wait()
        self.channel.close()
        self._errors.close()

    def complaint(self) -> str:
        self._errors.seek(0)
        return self._errors.read(2000).decode(errors="replace").strip()


class Plain:
    """A worker without any isolation, for a student's own code on the student's own machine, whatever its system."""

    pid = None

    def __init__(self):
        self._errors = tempfile.TemporaryFile()
        token = secrets.token_bytes(16)
        with socket.create_server(("127.0.0.1", 0)) as server:
            code = (
                f"import socket, sys; sys.path[:0] = [{str(INSIDE.parent)!r}]\n"
                f"s = socket.create_connection({server.getsockname()!r}); s.sendall({token!r})\n"
                "from inside.serve import main; main(s.makefile('rb'), s.makefile('wb'))"
            )
            self._process = subprocess.Popen(
                [sys.executable, "-c", code], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self._errors
            )
            server.settimeout(START_SECONDS)
            try:
                while True:
                    self.channel, _ = server.accept()
                    self.channel.settimeout(START_SECONDS)
                    if self.channel.recv(len(token), socket.MSG_WAITALL) == token:
                        break
                    self.channel.close()  # somebody else on this machine
            except BaseException:
                self._process.kill()
                raise

    def ended(self, seconds: float = 0.0) -> int | None:
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self.channel.close()
        self._errors.close()

    def complaint(self) -> str:
        self._errors.seek(0)
        return self._errors.read(2000).decode(errors="replace").strip()


def bubblewrap(what: View, code: str, *options: str) -> list[str]:
    """The command that runs some of our Python code in new name spaces with this view."""
    return [str(view.bwrap()), *view.arguments(what), *options, "--", *view.command(code)]


def launch(what: View, command: list[str], stdin: socket.socket, errors, *descriptors: int) -> subprocess.Popen:
    """Start bubblewrap: away from this terminal's signals, without this process's environment, and not as root."""
    return subprocess.Popen(
        command,
        stdin=stdin,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        pass_fds=descriptors,
        cwd="/",
        env={},
        start_new_session=True,
        **_owner(what),
    )


@cache
def _owner(what: View) -> dict:
    """For root: to be nobody on this machine, too, if nobody can read what the view shows."""
    if os.geteuid() != 0:
        return {}
    for source in (Path(str(view.bwrap())), *view.sources(what)):
        path = source.resolve()
        if not path.stat().st_mode & 0o004 or not all(p.stat().st_mode & 0o001 for p in path.parents):
            return {}
    return {"user": view.UID, "group": view.UID, "extra_groups": []}


def why_not() -> str | None:
    """None where student code can be isolated; otherwise what is missing and how to get it."""
    if not sys.platform.startswith("linux"):
        return f"isolating student code needs Linux with bubblewrap; this is {sys.platform}"
    if view.bwrap() is None:
        return "bubblewrap is missing: apt-get install bubblewrap"
    try:
        seccomp.program()
    except seccomp.SeccompUnavailable as error:
        return str(error)
    return None


def kill(handle: int) -> None:
    """Kill the process that a descriptor stands for, if it is still there."""
    try:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _read_all(descriptor: int) -> bytes:
    """Everything until the other side closes; bubblewrap does so when its first process is there."""
    text, end = b"", time.monotonic() + START_SECONDS
    with open(descriptor, "rb", buffering=0) as stream, selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while selector.select(max(0.0, end - time.monotonic())):
            part = stream.read(500)
            text += part
            if not part or b"}" in text:
                break
    return text
