"""Files that are larger than what is read, without taking room on the disk; and a zip of 3 GB without an end.

Success: they are read, the grader takes the memory for them, or Ada's grade changes.
"""

import tempfile
import tracemalloc
from pathlib import Path

from attacks.archives.make import HONEST, Member, scores, table, write

from autograder.submission import BadSubmission, find

SIZES = {"a.ipynb": 400_000_000, "b.py": 400_000_000, "c.zip": 3_000_000_000}
EARNED = 30.0
EXACT = True
in_points = scores({"ada.py": 30.0, "d.zip": 0.0} | {name: 0.0 for name in SIZES})


def build(folder):
    place = write(folder / "in", {"ada.py": HONEST})
    for name, size in SIZES.items():
        with (place / name).open("wb") as file:
            file.truncate(size)
    with (place / "d.zip").open("wb") as file:  # a table of contents of 2 GB
        file.truncate(2_000_000_000)
        file.seek(0, 2)
        end = bytearray(table([Member(b"a.py").entry(0)], 0)[-22:])
        end[12:16] = (2_000_000_000).to_bytes(4, "little")
        file.write(end)
    return place


def succeeded(outcome):
    with tempfile.TemporaryDirectory() as name:
        tracemalloc.start()
        for source in find([build(Path(name))]):
            try:
                source.load()
            except BadSubmission:
                continue
            if source.name != "ada.py":
                return f"{source.name} was read"
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return f"{peak:,} bytes of memory" if peak > 50_000_000 else in_points(outcome)
