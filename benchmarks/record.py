"""What every measurement notes down: when, where and with what it was taken; and the file it is written to."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

DISTRIBUTIONS = {
    "unseg": "unseg",
    "numpy": "numpy",
    "scipy": "scipy",
    "scikit-learn": "scikit-learn",
    "scikit-image": "scikit-image",
    "faiss": "faiss-cpu",
    "opencv": "opencv-contrib-python-headless",
    "torch": "torch",
    "safetensors": "safetensors",
    "atheris": "atheris",
}


def environment(packages: Iterable[str] = ("unseg", "numpy", "scipy", "scikit-learn")) -> dict:
    """Date, command, machine and versions, ready for JSON."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "processor": _processor(),
            "cores": _cores(),
            "threads": _threads(),
        },
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in packages}},
    }


def write_json(record: dict, target: str | Path) -> None:
    """Write a record to a file, whole or not at all; ``-`` is standard output."""
    text = _ROWS.sub(_on_one_line, json.dumps(record, indent=1, allow_nan=False)) + "\n"
    if str(target) == "-":
        sys.stdout.write(text)
        return
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(target)


_ROWS = re.compile(r"\[\s+([^][{}\"]*?)\s+\]")  # lists of numbers


def _on_one_line(found: re.Match) -> str:
    """One number a line would make a file of scores long, and no easier to read."""
    return "[" + re.sub(r",\s+", ", ", found[1]) + "]"


def _version(name: str) -> str | None:
    try:
        return version(DISTRIBUTIONS[name])
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _threads() -> dict[str, int]:
    """Threads that each linear algebra and OpenMP library may use."""
    from threadpoolctl import threadpool_info

    return {f"{library['prefix']}": library["num_threads"] for library in threadpool_info()}
