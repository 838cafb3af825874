"""Run student code where it can do nothing but compute.

`Sandbox` starts a process in which the worker of ``inside/`` makes the student's definitions and answers calls. The
judge speaks to it in frames of plain values (`inside.wire`), never imports or runs anything of the student's, and
ends the process by killing it. What is promised, and how each promise is tested, is in ``autograder/SECURITY.md``.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import cgroup, process, seccomp
from .inside import wire
from .pool import NotWarm, Pool
from .process import SandboxUnavailable, why_not
from .view import View

__all__ = ["Ended", "Limits", "Pool", "Sandbox", "SandboxUnavailable", "View", "harden", "start_worker", "why_not"]

MAX_TEXT = 500  # characters of a text from inside that are kept


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
    address_space_mb: int = 0  # for libraries that reserve more than they use, as torch does; memory_mb if 0
    file_mb: int = 16
    tmp_mb: int = 64
    tmp_files: int = 1000
    open_files: int = 64
    threads: int = 64
    cores: float = 1  # processor time per wall time, where control groups can be made

    def as_rlimits(self, *, gpu: bool = False) -> dict[str, int]:
        """Limits of the operating system, by their names. A GPU's driver maps all of its memory: no address space."""
        address_space = {} if gpu else {"AS": max(self.address_space_mb, self.memory_mb) * 2**20}
        return address_space | {
            "DATA": self.memory_mb * 2**20,
            "CPU": int(self.total_seconds) + 5,  # behind the wall clock: only for what escapes it
            "FSIZE": self.file_mb * 2**20,
            "NOFILE": self.open_files,
            "NPROC": self.threads,  # counted inside the sandbox's own user name space
            "SIGPENDING": 256,  # queued signals and timers take memory of the kernel
            "MSGQUEUE": 0,
            "MEMLOCK": 0,
            "CORE": 0,
        }


def harden() -> None:
    """Close this process's memory to others of the same user: a judge holds hidden inputs and answers."""
    import ctypes

    try:
        ctypes.CDLL(None).prctl(4, ctypes.c_ulong(0), 0, 0, 0)  # PR_SET_DUMPABLE
    except (AttributeError, OSError, TypeError):  # not Linux
        pass


class Sandbox:
    """One process with one submission's definitions.

    Parameters
    ----------
    definitions : what `autograder.submission.definitions` chose: cells, statements
    view, limits : what it may see and use
    isolated : False runs the worker as a plain process, for a student's own code on the student's own machine
    worker : from `start_worker`, ahead of time; one is started here without
    seconds : what is left of the submission's time after an earlier sandbox; all of it by default
    seed : for what student code draws without a seed of its own

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
        worker: process.Process | None = None,
        seconds: float | None = None,
        seed: int = 0,
    ):
        self._limits = limits
        self._deadline = time.monotonic() + process.START_SECONDS
        self._last = 0
        self._is_up = False  # the worker has spoken: bubblewrap works here
        self._group: cgroup.Group | None = None
        self._process = worker
        try:
            confine = _confinement(view, limits) if isolated else None
            hello = {"confine": confine, "seed": seed, **definitions, "hidden": list(view.hidden)}
            frame = wire.encode(hello)  # before anything is started
            self._process = worker or start_worker(view, isolated=isolated)
            if isolated and self._process.pid is not None:
                self._group = cgroup.group(memory_mb=limits.memory_mb, processes=limits.threads, cores=limits.cores)
                if self._group is not None:
                    self._group.add(self._process.pid)
            self._exchange(frame, process.START_SECONDS)
            self._is_up = True
            # The student's clock starts here: a busy machine that is slow to start must not cost points.
            self._deadline = time.monotonic() + (limits.total_seconds if seconds is None else seconds)
            self.failed: dict[str, Any] = self._receive_failed()
        except BaseException:
            self.close()
            raise

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
        end = self._end_time(seconds)
        if self._has_something():
            raise self._end("refused", "something was written to the grader's channel between two calls")
        try:
            self._process.channel.settimeout(self._left(end))
            self._process.channel.sendall(encoded)
        except TimeoutError:
            raise self._late() from None
        except OSError:  # it has closed its side
            raise self._died() from None
        return self._read(end)

    def _read(self, end: float) -> Any:
        head = self._take(wire.HEAD_BYTES, end)
        try:
            n_json, n_arrays = wire.lengths(head)
            return wire.decode(self._take(n_json, end), self._take(n_arrays, end), seeds=False)
        except wire.WireError as error:
            raise self._end("refused", f"the answer could not be read: {error}") from None

    def _take(self, count: int, end: float) -> bytes:
        data = bytearray()
        while len(data) < count:
            try:
                self._process.channel.settimeout(self._left(end))
                part = self._process.channel.recv(min(count - len(data), 1 << 20))
            except TimeoutError:
                raise self._late() from None
            except OSError:
                part = b""
            if not part:
                raise self._died()
            data += part
        return bytes(data)

    def _has_something(self) -> bool:
        """Whether bytes wait that nobody has asked for; the end of the channel is none."""
        try:
            self._process.channel.setblocking(False)
            return bool(self._process.channel.recv(1))
        except OSError:  # nothing there, or gone
            return False

    def _left(self, end: float) -> float:
        # A moment late is still a timeout: a worker that drips bytes must not be waited for again and again.
        if (left := end - time.monotonic()) <= 0:
            raise self._late()
        return left

    def _late(self) -> Exception:
        if not self._is_up:
            self.close()
            return SandboxUnavailable(
                f"the sandbox did not start within {process.START_SECONDS:g} s: is this machine overloaded?"
            )
        if time.monotonic() >= self._deadline:
            return self._end("timeout", f"the whole submission took longer than {self._limits.total_seconds:g} s")
        return self._end("timeout", "")

    def _end_time(self, seconds: float) -> float:
        return min(time.monotonic() + seconds, self._deadline)

    def _died(self) -> Ended:
        code = self._process.ended(1.0) or 0  # it may have closed the channel and live on
        text = self._process.complaint()
        if not self._is_up:
            self.close()
            why = f"bubblewrap does not work here: {text.splitlines()[0]}" if text.startswith("bwrap:") else text[-300:]
            raise SandboxUnavailable(why or "the sandbox ended while it started")
        message = {
            -9: "the process was killed (out of memory?)",
            -11: "the process crashed (segmentation fault)",
            -24: "the process used up its CPU time",
            -25: "the process wrote a file beyond the limit",
        }.get(code, "the process ended in the middle of the call (exit() or a crash?)")
        return self._end("crash", message)

    def _end(self, kind: str, message: str) -> Ended:
        self.close()
        return Ended(kind, message)

    @property
    def open(self) -> bool:
        return self._process is not None and self._process.ended() is None

    @property
    def seconds_left(self) -> float:
        return self._deadline - time.monotonic()

    def close(self) -> None:
        """Kill everything inside, and return when it is gone."""
        ended, self._process = self._process, None
        if ended is not None:
            ended.kill()
        if self._group is not None:
            self._group.remove()
            self._group = None

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_) -> None:
        self.close()


def _confinement(view: View, limits: Limits) -> dict[str, Any]:
    try:
        program = seccomp.program(view.gpu)
    except seccomp.SeccompUnavailable as error:
        raise SandboxUnavailable(str(error)) from None
    return {
        "limits": limits.as_rlimits(gpu=view.gpu),
        "tmp": {"bytes": limits.tmp_mb * 2**20, "files": limits.tmp_files},
        "program": np.frombuffer(program, np.uint8),
    }


def start_worker(view: View, *, isolated: bool = True, pool: Pool | None = None) -> process.Process:
    """A process for a `Sandbox`: a warm one from the pool, or a cold one without, and where warm ones do not work.

    Raises
    ------
    SandboxUnavailable
        If ``isolated`` and this machine lacks the means.
    """
    if not isolated:
        return process.Plain()
    if missing := why_not():
        raise SandboxUnavailable(missing)
    if pool is not None:
        try:
            return pool.worker(view)
        except NotWarm:
            pass
    return process.Cold(view)


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
