"""A member that the table of contents and the header before its data give two names: tools disagree which it is.

Success: it is graded under either name, or Ada's grade changes.
"""

from attacks.archives.make import HONEST, Member, raw_zip, scores, write

EARNED = 30.0
EXACT = True
succeeded = scores({"ada.py": 30.0, "eve.zip/eve.py": 0.0, "eve.zip/\ufffd.py": 0.0})


def build(folder):
    good = HONEST.encode()
    members = [
        Member(b"eve.py", good, name_before_data=b"ben.py"),
        Member(b"\x1b.py", good, name_before_data=b"\x1b]0;title\x07.py"),
        Member(b"notes.txt", good, name_before_data=b"ben.py"),
    ]
    return write(folder / "in", {"ada.py": HONEST, "eve.zip": raw_zip(members)})
