"""Run student code where it can do nothing but compute.

`Sandbox` starts a process in which the worker of ``inside/`` makes the student's definitions and answers calls. The
judge speaks to it in frames of plain values (`inside.wire`), never imports or runs anything of the student's, and
ends the process by killing it.
"""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import Any

from . import seccomp, view
from .inside import wire

MAX_TEXT = 500  # characters of a text from inside that are kept


START_SECONDS = 30.0  # for our own part, before any student code runs


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
    threads: int = 64

    def as_rlimits(self) -> dict[str, int]:
        return {
            "AS": self.memory_mb * 2**20,
            "CPU": int(self.total_seconds) + 5,  # behind the wall clock: only for what escapes it
            "FSIZE": self.file_mb * 2**20,
            "NOFILE": self.open_files,
            "NPROC": self.threads,  # counted inside the sandbox's own user name space
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
    seconds : what is left of the submission's time after an earlier sandbox; all of it by default

    Raises
    ------
    SandboxUnavailable
        If ``isolated`` and this machine lacks the means, or is too busy to start it.
    Ended
        If the student's definitions run too long or end the process.
    """

    def __init__(
        self,
        definitions: dict[str, Any],
        *,
        view: View,
        limits: Limits,
        isolated: bool = True,
        seconds: float | None = None,
    ):
        self._limits = limits
        self._deadline = time.monotonic() + START_SECONDS
        self._last = 0
        self._is_up = False  # the worker has spoken: bubblewrap works here
        self._info: int | None = None  # where bubblewrap names the first process inside
        rlimits = limits.as_rlimits() if isolated else {}
        hello = wire.encode({"limits": rlimits, **definitions, "hidden": list(view.hidden)})  # before anything runs
        self._errors = tempfile.TemporaryFile()
        self._process = self._start(view, isolated)
        os.set_blocking(self._process.stdin.fileno(), False)
        os.set_blocking(self._process.stdout.fileno(), False)
        try:
            self._exchange(hello, START_SECONDS)
            self._is_up = True
            # The student's clock starts here: a busy machine that is slow to start must not cost points.
            self._deadline = time.monotonic() + (limits.total_seconds if seconds is None else seconds)
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
            self._info, info = os.pipe()
            command = [view.bwrap(), *options, "--info-fd", str(info), "--seccomp", str(fd), "--", *view.COMMAND]
            try:
                return subprocess.Popen(command, bufsize=0, pass_fds=(fd, info), cwd="/", **pipes)
            finally:
                os.close(info)

    def call(self, name: str, args: list, kwargs: dict[str, Any], *, seconds: float | None = None) -> dict[str, Any]:
        """Call a student's function: ``{"result", "mutated"}`` or ``{"error"}``.

        Raises
        ------
        Ended
            On a timeout, a dead process, or bytes that are no valid answer. The sandbox is closed then.
        """
        self._last += 1
        order = {"id": self._last, "call": name, "args": args, "kwargs": kwargs}
        answer = self._exchange(wire.encode(order), seconds or self._limits.call_seconds)
        if not isinstance(answer, dict) or type(answer.get("id")) is not int or answer["id"] != self._last:
            raise self._end("refused", "the answer does not belong to this call")
        if not _is_answer(answer):
            raise self._end("refused", "the answer does not have the form of one")
        return answer

    def _receive_failed(self) -> dict[str, Any]:
        """The start sends two frames: ready (limits are set), then which definitions failed."""
        answer = self._read(self._end_time(3 * self._limits.call_seconds))
        failed = answer.get("failed") if isinstance(answer, dict) else None
        if not isinstance(failed, dict) or not all(
            isinstance(what, dict) and isinstance(what.get("reason"), str) for what in failed.values()
        ):
            raise self._end("refused", "the definitions wrote to the grader's channel")
        return {name: {"reason": what["reason"][:MAX_TEXT]} for name, what in failed.items()}

    def _exchange(self, encoded: bytes, seconds: float) -> Any:
        frame, end = memoryview(encoded), self._end_time(seconds)
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
        return self._read(end)

    def _read(self, end: float) -> Any:
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
        if not self._is_up:
            self.close()
            raise SandboxUnavailable(
                f"the sandbox did not start within {START_SECONDS:g} s: is this machine overloaded?"
            )
        if time.monotonic() >= self._deadline:
            raise self._end("timeout", f"the whole submission took longer than {self._limits.total_seconds:g} s")
        raise self._end("timeout", "")

    def _end_time(self, seconds: float) -> float:
        return min(time.monotonic() + seconds, self._deadline)

    def _died(self) -> Ended:
        try:
            code = self._process.wait(1.0)
        except subprocess.TimeoutExpired:  # it closed the channel and lives on
            code = 0
        self._errors.seek(0)
        text = self._errors.read(2000).decode(errors="replace").strip()
        if text.startswith("bwrap:") and not self._is_up:
            self.close()
            raise SandboxUnavailable(f"bubblewrap does not work here: {text.splitlines()[0]}")
        number = code - 128 if code > 128 else -code
        message = {
            9: "the process was killed (out of memory?)",
            11: "the process crashed (segmentation fault)",
            24: "the process used up its CPU time",
            25: "the process wrote a file beyond the limit",
        }.get(number, "the process ended in the middle of the call (exit() or a crash?)")
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
        """Kill everything inside, and return when it is gone."""
        self._kill_inside()
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            stream.close()

    def _kill_inside(self) -> None:
        """Kill the first process of the sandbox's name space: all others die first, and bubblewrap ends after them.

        Killing bubblewrap alone would leave a zombie, and a process for ever if it happens while it starts.
        """
        if self._info is None:
            return
        info, self._info = self._info, None
        try:
            text, end = b"", time.monotonic() + 2
            while self._process.poll() is None and not (found := re.search(rb'"child-pid": (\d+)\D', text)):
                with selectors.DefaultSelector() as selector:
                    selector.register(info, selectors.EVENT_READ)
                    part = os.read(info, 500) if selector.select(max(0.0, end - time.monotonic())) else b""
                if not part:
                    return
                text += part
            if self._process.poll() is None:
                os.kill(int(found.group(1)), signal.SIGKILL)
                self._process.wait(2)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass
        finally:
            os.close(info)

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_) -> None:
        self.close()


def _is_answer(answer: dict[str, Any]) -> bool:
    if "error" in answer:
        error = answer["error"]
        return (
            answer.keys() == {"id", "error"}
            and isinstance(error, dict)
            and isinstance(error.get("type"), str)
            and isinstance(error.get("message"), str)
            and isinstance(error.get("where"), dict)
        )
    mutated = answer.get("mutated")
    return (
        answer.keys() == {"id", "result", "mutated"}
        and isinstance(mutated, list)
        and all(isinstance(m, str) for m in mutated)
    )
