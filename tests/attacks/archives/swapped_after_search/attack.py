"""A file, its folder or a zip is exchanged for a link or a pipe after the search and before it is read.

Success: what lies behind the link is read, or reading waits for the pipe.
"""

import os
import tempfile
from pathlib import Path

from attacks.archives.make import HONEST, NOTHING, write, zipped

from autograder.submission import BadSubmission, find

EARNED = 0.0


def build(folder):
    return write(folder / "in", {"eve.py": NOTHING})


def succeeded(outcome):
    with tempfile.TemporaryDirectory() as name:
        ada, place = Path(name, "ada"), Path(name, "in")
        write(ada, {"x.py": HONEST, "x.zip": zipped({"x.py": HONEST})})
        write(place, {n: NOTHING for n in ("a.py", "b/x.py", "c.py")} | {"d.zip": zipped({"x.py": NOTHING})})
        sources = find([place])
        for old in ("a.py", "b/x.py", "c.py", "d.zip"):
            (place / old).unlink()
        (place / "b").rmdir()
        (place / "a.py").symlink_to(ada / "x.py")
        (place / "b").symlink_to(ada)
        (place / "d.zip").symlink_to(ada / "x.zip")
        os.mkfifo(place / "c.py")
        for source in sources:
            try:
                source.load()
            except BadSubmission:
                continue
            return f"{source.name} was read"
        return None if len(sources) == 4 else f"{len(sources)} were found"
