"""Result files that are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, text: str, *, encoding: str = "utf-8") -> None:
    """Write a file beside its place and move it there: nobody ever reads half of it, whatever ends the writer."""
    path = path.resolve()  # what a link points to is replaced, not the link
    if path.exists() and not path.is_file():  # a pipe or a terminal
        path.write_text(text, encoding=encoding)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".unseg-{os.getpid()}.new")
    try:
        with beside.open("w", encoding=encoding, newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
