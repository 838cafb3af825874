"""Members that unpack to a thousand times their size: 400 MB of zeros, of spaces, of open brackets.

Success: the grader takes the memory for it, or Ada's grade changes.
"""

import contextlib
import tempfile
import tracemalloc
import zlib
from pathlib import Path

from attacks.archives.make import HONEST, Member, raw_zip, scores, write

from autograder.submission import BadSubmission, find

LETTERS = {"zeros.ipynb": b"\0", "spaces.ipynb": b" ", "brackets.ipynb": b"["}
EARNED = 30.0
EXACT = True
in_points = scores({"ada.py": 30.0} | {f"eve.zip/{name}": 0.0 for name in LETTERS})


def bomb() -> bytes:
    members = []
    for name, letter in LETTERS.items():
        packer = zlib.compressobj(1, zlib.DEFLATED, -15)
        part = packer.compress(letter * 40_000_000) + packer.flush(zlib.Z_FULL_FLUSH)
        members.append(Member(name.encode(), part * 10 + packer.flush(), method=8, size=400_000_000))
    return raw_zip(members)


def build(folder):
    return write(folder / "in", {"ada.py": HONEST, "eve.zip": bomb()})


def succeeded(outcome):
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "eve.zip")
        path.write_bytes(bomb())
        tracemalloc.start()
        for source in find([path]):
            with contextlib.suppress(BadSubmission):
                source.load()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return f"{peak:,} bytes of memory" if peak > 50_000_000 else in_points(outcome)
