"""Zips in zips, thirty deep and ten wide: with a grader that unpacks them all, 10 KB become any number of files.

Success: an inner one is unpacked, or Ada's grade changes.
"""

from attacks.archives.make import HONEST, scores, write, zipped

EARNED = 30.0
EXACT = True
succeeded = scores({"ada.py": 30.0} | {f"eve.zip/{i}.zip": 0.0 for i in range(10)})


def build(folder):
    inner = zipped({"x.py": HONEST})
    for _ in range(30):
        inner = zipped({f"{i}.zip": inner for i in range(10)}) if len(inner) < 3_000 else zipped({"0.zip": inner})
    outer = zipped({f"{i}.zip": inner for i in range(10)})
    return write(folder / "in", {"ada.py": HONEST, "eve.zip": outer})
