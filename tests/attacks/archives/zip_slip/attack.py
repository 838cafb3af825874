"""A zip whose members are called ../ada.py, /tmp/x.py, C:\\x.py and the like, to be written or read elsewhere.

Success: a file appears or changes outside the zip, or Ada's grade changes.
"""

from attacks.archives.make import HONEST, NOTHING, scores, write, zipped

NAMES = ["../ada.py", "../../grades.py", "/etc/x.py", "//host/x.py", "C:\\x.py", "..\\..\\y.py", "a/../../b.py"]
EARNED = 30.0
EXACT = True
PRINTED = [n.replace("\\", "/").lstrip("/") for n in NAMES]
succeeded = scores({"ada.py": 30.0} | {f"eve.zip/{n}": 0.0 for n in PRINTED})


def build(folder):
    return write(folder / "in", {"ada.py": HONEST, "eve.zip": zipped({n: NOTHING for n in NAMES})})
