"""Hard links: Eve's file is Ada's file, and another one a secret of the judge.

A hard link is the file itself and cannot be told from a copy, which Eve could make wherever she could make the link.
Success: Ada's file or grade changes, or the secret is told.
"""

import os

from attacks.archives.make import HONEST, scores, write

EARNED = 30.0
EXACT = True
succeeded = scores({"ada.py": 30.0, "eve.py": 30.0, "key.ipynb": 0.0, "key.py": 0.0})


def build(folder):
    place = write(folder / "in", {"ada.py": HONEST})
    os.link(place / "ada.py", place / "eve.py")
    os.link(folder / ".env", place / "key.py")
    os.link(folder / ".env", place / "key.ipynb")
    return place
