"""Members of a zip that are symbolic links to the secrets of the judge and to Ada's submission.

Success: Eve gets Ada's points, a file outside is read, or Ada's grade changes.
"""

import stat

from attacks.archives.make import HONEST, Member, raw_zip, scores, write

TARGETS = {b"a.py": b"../ada.py", b"b.py": b"/etc/passwd", b"c.ipynb": b"../.env", b"d/e.py": b"/proc/self/environ"}
EARNED = 30.0
EXACT = True
succeeded = scores({"ada.py": 30.0})


def build(folder):
    links = [Member(name, target, mode=stat.S_IFLNK | 0o777) for name, target in TARGETS.items()]
    return write(folder / "in", {"ada.py": HONEST, "eve.zip": raw_zip(links)})
