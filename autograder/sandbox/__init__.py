"""Run student code where it can do nothing but compute.

`Sandbox` starts a process in which the worker of ``inside/`` makes the student's definitions and answers calls. The
judge speaks to it in frames of plain values (`inside.wire`), never imports or runs anything of the student's, and
ends the process by killing it.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import Any

from . import seccomp, view
from .inside import wire


class SandboxUnavailable(RuntimeError):
    """This machine cannot isolate student code; the message says what to install."""


class Ended(Exception):
    """The sandbox gave no valid answer and is gone. ``kind`` is ``timeout``, ``crash`` or ``refused``."""

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Limits:
    """What a submission may use. Wall seconds, MiB and counts."""

    call_seconds: float = 10.0
    total_seconds: float = 60.0
    memory_mb: int = 1024
    file_mb: int = 16
    open_files: int = 64

    def as_rlimits(self) -> dict[str, int]:
        return {
            "AS": self.memory_mb * 2**20,
            "CPU": int(self.total_seconds) + 5,  # behind the wall clock: only for what escapes it
            "FSIZE": self.file_mb * 2**20,
            "NOFILE": self.open_files,
            "CORE": 0,
        }


@dataclass(frozen=True)
class View:
    """What student code may import: distributions, modules of unseg_helpers, and modules hidden from them."""

    packages: tuple[str, ...] = ()
    helpers: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()


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


class Sandbox:
    """One process with one submission's definitions.

    Parameters
    ----------
    definitions : what `autograder.submission.definitions` chose: cells, statements
    view, limits : what it may see and use
    isolated : False runs the worker as a plain process, for a student's own code on the student's own machine

    Raises
    ------
    SandboxUnavailable
        If ``isolated`` and this machine lacks the means.
    Ended
        If the student's definitions run too long or end the process.
    """

    def __init__(self, definitions: dict[str, Any], *, view: View, limits: Limits, isolated: bool = True):
        self._limits = limits
        self._deadline = time.monotonic() + limits.total_seconds
        self._last = 0
        self._errors = tempfile.TemporaryFile()
        self._process = self._start(view, isolated)
        os.set_blocking(self._process.stdin.fileno(), False)
        os.set_blocking(self._process.stdout.fileno(), False)
        try:
            rlimits = limits.as_rlimits() if isolated else {}
            self._exchange({"limits": rlimits, **definitions, "hidden": list(view.hidden)}, limits.call_seconds)
            self.failed: dict[str, Any] = self._receive_failed()
        except BaseException:
            self.close()
            raise

    def _start(self, what: View, isolated: bool) -> subprocess.Popen:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self._errors}
        if not isolated:
            code = f"import sys; sys.path[:0] = [{str(view.INSIDE.parent)!r}]; from inside.serve import main; main()"
            return subprocess.Popen([sys.executable, "-c", code], bufsize=0, **pipes)
        if missing := why_not():
            raise SandboxUnavailable(missing)
        options = view.arguments(what.packages, what.helpers, what.hidden)
        with tempfile.TemporaryFile() as filter_file:
            filter_file.write(seccomp.program())
            filter_file.seek(0)
            fd = filter_file.fileno()
            command = [view.bwrap(), *options, "--seccomp", str(fd), "--", *view.COMMAND]
            return subprocess.Popen(command, bufsize=0, pass_fds=(fd,), cwd="/", **pipes)

    def call(self, name: str, args: list, kwargs: dict[str, Any], *, seconds: float | None = None) -> dict[str, Any]:
        """Call a student's function: ``{"result", "mutated"}`` or ``{"error"}``.

        Raises
        ------
        Ended
            On a timeout, a dead process, or bytes that are no valid answer. The sandbox is closed then.
        """
        self._last += 1
        order = {"id": self._last, "call": name, "args": args, "kwargs": kwargs}
        answer = self._exchange(order, seconds or self._limits.call_seconds)
        if not isinstance(answer, dict) or answer.get("id") != self._last:
            raise self._end("refused", "the answer does not belong to this call")
        if not _is_answer(answer):
            raise self._end("refused", "the answer does not have the form of one")
        return answer

    def _receive_failed(self) -> dict[str, Any]:
        """The start sends two frames: ready (limits are set), then which definitions failed."""
        answer = self._read(min(self._limits.total_seconds, 3 * self._limits.call_seconds))
        failed = answer.get("failed") if isinstance(answer, dict) else None
        if not isinstance(failed, dict):
            raise self._end("refused", "the definitions wrote to the grader's channel")
        return failed

    def _exchange(self, order: Any, seconds: float) -> Any:
        frame = memoryview(wire.encode(order))
        end = self._end_time(seconds)
        fd = self._process.stdin.fileno()
        if self._readable():
            raise self._end("refused", "something was written to the grader's channel between two calls")
        while frame:
            self._wait(fd, selectors.EVENT_WRITE, end)
            try:
                frame = frame[os.write(fd, frame) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise self._died() from None
        return self._read(seconds)

    def _read(self, seconds: float) -> Any:
        end = self._end_time(seconds)
        head = self._take(wire.HEAD_BYTES, end)
        try:
            n_json, n_arrays = wire.lengths(head)
            return wire.decode(self._take(n_json, end), self._take(n_arrays, end))
        except wire.WireError as error:
            raise self._end("refused", f"the answer could not be read: {error}") from None

    def _take(self, count: int, end: float) -> bytes:
        fd, data = self._process.stdout.fileno(), bytearray()
        while len(data) < count:
            self._wait(fd, selectors.EVENT_READ, end)
            try:
                part = os.read(fd, min(count - len(data), 1 << 20))
            except BlockingIOError:
                continue
            if not part:
                raise self._died()
            data += part
        return bytes(data)

    def _readable(self) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout.fileno(), selectors.EVENT_READ)
            return bool(selector.select(0)) and self._process.poll() is None

    def _wait(self, fd: int, event: int, end: float) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(fd, event)
            if selector.select(max(0.0, end - time.monotonic())):
                return
        if time.monotonic() >= self._deadline:
            raise self._end("timeout", f"the whole submission took longer than {self._limits.total_seconds:g} s")
        raise self._end("timeout", "")

    def _end_time(self, seconds: float) -> float:
        return min(time.monotonic() + seconds, self._deadline)

    def _died(self) -> Ended:
        self._process.wait()
        code = self._process.returncode
        self._errors.seek(0)
        text = self._errors.read(2000).decode(errors="replace").strip()
        if text.startswith("bwrap:"):
            self.close()
            raise SandboxUnavailable(f"bubblewrap does not work here: {text.splitlines()[0]}")
        signal = code - 128 if code > 128 else -code
        message = {
            9: "the process was killed (out of memory?)",
            11: "the process crashed (segmentation fault)",
            24: "the process used up its CPU time",
            25: "the process wrote a file beyond the limit",
        }.get(signal, "the process ended in the middle of the call (exit() or a crash?)")
        return self._end("crash", f"{message} {text[-300:]}".strip() if not self._last else message)

    def _end(self, kind: str, message: str) -> Ended:
        self.close()
        return Ended(kind, message)

    @property
    def open(self) -> bool:
        return self._process.poll() is None

    @property
    def seconds_left(self) -> float:
        return self._deadline - time.monotonic()

    def close(self) -> None:
        """Kill everything inside. bubblewrap's death takes its whole process name space along."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            stream.close()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_) -> None:
        self.close()


def _is_answer(answer: dict[str, Any]) -> bool:
    if "error" in answer:
        error = answer["error"]
        return (
            isinstance(error, dict)
            and isinstance(error.get("type"), str)
            and isinstance(error.get("message"), str)
            and isinstance(error.get("where"), dict)
        )
    mutated = answer.get("mutated")
    return "result" in answer and isinstance(mutated, list) and all(isinstance(m, str) for m in mutated)
