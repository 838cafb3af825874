"""A zip with a member that is, byte for byte, the zip itself: its data begins where the zip begins.

Success: the grader goes round in circles, or Ada's grade changes.
"""

from attacks.archives.make import HONEST, Member, scores, table, write

EARNED = 30.0
EXACT = True
succeeded = scores({"ada.py": 30.0, "eve.zip": 0.0})


def build(folder):
    # One member that announces to be as long as the whole zip, and a second table that says that it begins there.
    member = Member(b"eve.zip", b"PK", size=2_000, packed=2_000)
    body = member.header() + member.data
    text = body + table([member.entry(0), member.entry(0)], len(body))
    return write(folder / "in", {"ada.py": HONEST, "eve.zip": text})
