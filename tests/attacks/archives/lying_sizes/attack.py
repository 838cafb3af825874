"""Members that announce 4 GB and hold little, announce little and hold much, or carry a wrong checksum.

Success: the grader believes it, stumbles, or Ada's grade changes; or half a submission gets points.
"""

from attacks.archives.make import HONEST, Member, deflate, raw_zip, scores, write

EARNED = 30.0
EXACT = True
NAMES = ("four.py", "less.py", "long.ipynb", "most.ipynb", "none.py", "short.py", "sum.py")
succeeded = scores({"ada.py": 30.0} | {f"eve.zip/{name}": 0.0 for name in NAMES})


def build(folder):
    good = HONEST.encode()
    packed = deflate(good)
    members = [
        Member(b"four.py", good, size=0xFFFFFFFE),
        Member(b"less.py", packed, method=8, size=len(good) // 2),
        Member(b"none.py", packed, method=8, size=0),
        Member(b"short.py", packed[:-20], method=8, size=len(good)),
        Member(b"sum.py", packed, method=8, size=len(good), crc=1),
        Member(b"long.ipynb", deflate(bytes(3_000_000)), method=8, size=100),
        Member(b"most.ipynb", b"{}", size=0xFFFFFFFE, packed=0xFFFFFFFE),
    ]
    return write(folder / "in", {"ada.py": HONEST, "eve.zip": raw_zip(members)})
