"""Tables of contents of half a million members, of names of 64 KB, and of 30,000 members that are no submissions.

Success: the grader takes the time or memory to look at them all, or Ada's grade changes.
"""

import tempfile
import tracemalloc
from pathlib import Path

from attacks.archives.make import HONEST, Member, scores, table, write

from autograder.submission import find

EARNED = 30.0
EXACT = True
in_points = scores({"ada.py": 30.0, "long.zip": 0.0, "many.zip": 0.0, "others.zip": 0.0})


def zips() -> dict[str, bytes]:
    many = b"".join(Member(b"%06x.py" % i).entry(0) for i in range(1_000)) * 500
    long = [Member(b"%03d" % i + b"n" * 65_000 + b".py").entry(0) for i in range(200)]
    others = [Member(b"%d.txt" % i).entry(0) for i in range(30_000)]
    return {f"{name}.zip": table(list(e), 0) for name, e in {"many": [many], "long": long, "others": others}.items()}


def build(folder):
    return write(folder / "in", {"ada.py": HONEST} | zips())


def succeeded(outcome):
    with tempfile.TemporaryDirectory() as name:
        place = write(Path(name), {"ada.py": HONEST} | zips())
        tracemalloc.start()
        find([place])
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return f"{peak:,} bytes of memory" if peak > 100_000_000 else in_points(outcome)
