"""Symbolic links in a folder: to Ada's file and folder, to secrets, to a zip outside, to nowhere, to themselves.

Success: any of them is read, or Ada's grade changes.
"""

from attacks.archives.make import HONEST, scores, write, zipped

LINKS = {
    "a.py": "../ada/answer.py",
    "b.ipynb": "/etc/passwd",
    "c.py": "../../.env",
    "d": "../ada",
    "e": "..",
    "f.zip": "../../outside.zip",
    "g.py": "nowhere",
    "h.py": "h.py",
    "i.py": "/dev/zero",
}
EARNED = 30.0
EXACT = True
succeeded = scores({"ada/answer.py": 30.0})


def build(folder):
    (folder / "outside.zip").write_bytes(zipped({"x.py": HONEST}))
    place = write(folder / "in", {"ada/answer.py": HONEST})
    (place / "eve").mkdir()
    for name, target in LINKS.items():
        (place / "eve" / name).symlink_to(target)
    return place
