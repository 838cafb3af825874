"""Files, zips and folders that may not be read, a dangling link, and one that vanishes after the search.

Root reads everything, so what is in there earns nothing by itself.
Success: the search or the grading of the others fails, or Ada's grade changes.
"""

import os
import tempfile
from pathlib import Path

from attacks.archives.make import HONEST, NOTHING, write, zipped

from autograder.submission import BadSubmission, find

EARNED = 30.0
EXACT = True


def build(folder):
    files = {"ada.py": HONEST, "eve.py": NOTHING, "eve.zip": zipped({"a.txt": NOTHING}), "eve/x.py": NOTHING}
    place = write(folder / "in", files)
    for name in ("eve.py", "eve.zip", "eve"):
        os.chmod(place / name, 0)
    return place


def succeeded(outcome):
    with tempfile.TemporaryDirectory() as name:
        place = write(Path(name), {"a.py": NOTHING, "b/c.py": NOTHING, "d.zip": zipped({"x.py": NOTHING})})
        sources = find([place])
        for file in ("a.py", "b/c.py", "d.zip"):
            (place / file).unlink()
        (place / "b").rmdir()
        for source in sources:
            try:
                source.load()
            except BadSubmission as error:
                if "cannot be read" in str(error):
                    continue
            return f"{source.name} was read"
    points = {r.submission: r.score for r in outcome.reports}
    return None if points.pop("ada.py", 0) == 30.0 and not any(points.values()) else f"graded {points}"
