"""One zip and one folder with thousands of scripts each, so that the batch is too large and nobody is graded.

Success: Ada and Ben, in the same folder, do not get their points; or thousands of Eve's files are graded.
"""

from attacks.archives.make import HONEST, NOTHING, scores, write, zipped

EARNED = 30.0
EXACT = True
succeeded = scores({"ada.py": 30.0, "ben/x.py": 30.0, "eve": 0.0, "eve.zip": 0.0})


def build(folder):
    many = {f"{i}.py": NOTHING for i in range(5_001)}
    place = write(folder / "in", {"ada.py": HONEST, "ben/x.py": HONEST, "eve.zip": zipped(many)})
    write(place / "eve", {f"{i % 9}/{i}.py": "" for i in range(5_001)})
    return place
