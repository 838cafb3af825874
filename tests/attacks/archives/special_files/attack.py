"""Pipes, sockets, devices and folders under the names of submissions: to open a pipe is to wait for its other end.

Success: the grader hangs or reads them, or Ada's grade changes.
"""

import contextlib
import os
import socket
import stat
import tempfile
from pathlib import Path

from attacks.archives.make import HONEST, scores, write

from autograder.submission import BadSubmission, Source, find

EARNED = 30.0
EXACT = True
in_points = scores({"ada.py": 30.0, "eve/folder.py/x.py": 0.0})


def build(folder):
    place = write(folder / "in", {"ada.py": HONEST, "eve/folder.py/x.py": "x = 1", "eve/folder.zip/readme": ""})
    for name in ("a.py", "b.ipynb", "c.zip"):
        os.mkfifo(place / "eve" / name)
    here = os.open(place / "eve", os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"/proc/self/fd/{here}/d.py")
    os.close(here)
    with contextlib.suppress(PermissionError):  # only root makes devices
        os.mknod(place / "eve" / "e.py", stat.S_IFCHR | 0o644, os.makedev(1, 5))  # endless zeros
    return place


def succeeded(outcome):
    with tempfile.TemporaryDirectory() as name:
        for file in ("a.py", "a.zip"):
            os.mkfifo(Path(name, file))
            with contextlib.suppress(BadSubmission):
                find([Path(name, file)])
                return "a pipe was taken for a submission"
            with contextlib.suppress(BadSubmission):
                Source(file, Path(name, file)).load()
                return "a pipe was read"
    return in_points(outcome)
