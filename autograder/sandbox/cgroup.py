"""Limits for all processes and files of a sandbox together, where this machine lets us set them.

Limits of a process (`Limits.as_rlimits`) hold everywhere; a control group also counts what lies in ``/tmp`` and in
the kernel. Groups are made below our own one, in version 2 of the file system where a service manager has delegated
it, or in version 1.
"""

from __future__ import annotations

import itertools
import os
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_MOUNTS = Path("/proc/self/mounts")
_OWN = Path("/proc/self/cgroup")
_PERIOD = 100_000  # microseconds in which a group may use its share of the cores; the kernel's default
_numbers = itertools.count()


@dataclass(frozen=True)
class Group:
    """Folders of one sandbox's group; in version 1 each controller has its own."""

    folders: tuple[Path, ...]

    def add(self, pid: int) -> None:
        """Put a process with all its threads under the limits."""
        for folder in self.folders:
            (folder / "cgroup.procs").write_text(str(pid))

    def remove(self, seconds: float = 2.0) -> None:
        """Remove it once its processes are gone, which the kernel may notice a moment late."""
        end = time.monotonic() + seconds
        for folder in self.folders:
            while True:
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    pass
                except OSError:
                    if time.monotonic() < end:
                        time.sleep(0.002)
                        continue
                break


def group(*, memory_mb: int, processes: int, cores: float) -> Group | None:
    """A new group with these limits, or None where none can be made."""
    settings = {
        "memory": _memory(memory_mb),
        "pids": {"pids.max": processes + 1},
        # Threads of one submission must not take the time of another that is graded beside it.
        "cpu": {"cpu.cfs_quota_us": int(cores * _PERIOD), "cpu.max": f"{int(cores * _PERIOD)} {_PERIOD}"},
    }
    made: list[Path] = []
    for base, controllers in _places():
        folder = base / f"unseg-{os.getpid()}-{next(_numbers)}"
        try:
            folder.mkdir()
            made.append(folder)
            for controller in controllers:
                for file, value in settings[controller].items():
                    if (folder / file).exists():  # swap is not counted everywhere
                        (folder / file).write_text(str(value))
        except OSError:
            Group(tuple(made)).remove()
            return None
    return Group(tuple(made)) if made else None


def _memory(mb: int) -> dict[str, int | str]:
    """Limits of both versions, memory before memory and swap: the second may not be below the first."""
    size = mb * 2**20
    return {
        "memory.limit_in_bytes": size,
        "memory.memsw.limit_in_bytes": size,
        "memory.max": size,
        "memory.swap.max": 0,
        "memory.oom.group": 1,
    }


@cache
def _places() -> tuple[tuple[Path, tuple[str, ...]], ...]:
    """Folders in which groups can be made, with the controllers that they limit."""
    try:
        mounts = [line.split() for line in _MOUNTS.read_text(encoding="utf-8").splitlines()]
        own = [line.split(":", 2) for line in _OWN.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return ()
    found: dict[Path, list[str]] = {}
    for controller in ("memory", "pids", "cpu"):
        for base in _candidates(controller, mounts, own):
            if _works(base):
                found.setdefault(base, []).append(controller)
                break
    return tuple((base, tuple(controllers)) for base, controllers in found.items())


def _candidates(controller: str, mounts: list[list[str]], own: list[list[str]]) -> list[Path]:
    for _, point, kind, options, *_ in mounts:
        is_version_1 = kind == "cgroup" and controller in options.split(",")
        if not is_version_1 and kind != "cgroup2":
            continue
        names = [path for _, names, path in own if (controller in names.split(",") if is_version_1 else not names)]
        here = [Path(point, name.lstrip("/")) for name in names]
        bases = [b for h in here for b in ([h] if is_version_1 else [h, h.parent])] + [Path(point)] * is_version_1
        if is_version_1:
            return bases
        delegated = [b for b in bases if controller in _text(b / "cgroup.subtree_control").split()]
        if delegated:
            return delegated
    return []


def _works(base: Path) -> bool:
    """Try it; sweep away what a judge that was killed has left."""
    try:
        for old in base.glob("unseg-*"):
            if not Path("/proc", old.name.split("-")[1]).exists():
                old.rmdir()
    except OSError:
        pass
    probe = base / f"unseg-{os.getpid()}-probe"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError:
        return False
    return True


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return ""
