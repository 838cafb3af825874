"""Members that are encrypted, strongly encrypted, or patches, beside an honest one.

Success: the grader stops to ask or stumbles, or the honest member is not graded.
"""

from attacks.archives.make import HONEST, NOTHING, Member, raw_zip, scores

FLAGS = {b"a.py": 0x1, b"b.py": 0x41, b"c.py": 0x20, b"d.ipynb": 0x2001}
EARNED = 30.0
EXACT = True
succeeded = scores({"eve.zip/ada.py": 30.0} | {f"eve.zip/{name.decode()}": 0.0 for name in FLAGS})


def build(folder):
    members = [Member(name, NOTHING.encode(), flags=flags) for name, flags in FLAGS.items()]
    path = folder / "eve.zip"
    path.write_bytes(raw_zip([*members, Member(b"ada.py", HONEST.encode())]))
    return path
