"""Folders in folders, 300 deep, and 25 deep under names so long that no path to the last one is allowed.

Success: the search fails or goes round in circles, or Ada's grade changes.
"""

import os
import tempfile
from pathlib import Path

from attacks.archives.make import HONEST, NOTHING, scores, write

from autograder.submission import find

EARNED = 30.0
EXACT = True
in_points = scores({"ada.py": 30.0})


def dig(place: Path, name: str, depth: int) -> None:
    """Folders below ``place``, with a script in the last one."""
    here = os.open(place, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=here)
        inner = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(os.open("x.py", os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=here))
    os.close(here)


def build(folder):
    place = write(folder / "in", {"ada.py": HONEST})
    dig(place, "d", 300)
    return place


def succeeded(outcome):
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), {"ada.py": HONEST, "b/c.py": NOTHING})
        dig(Path(name), "n" * 250, 25)
        found = [source.name for source in find([Path(name)])]
    return in_points(outcome) if found == ["ada.py", "b/c.py"] else f"found {found}"
