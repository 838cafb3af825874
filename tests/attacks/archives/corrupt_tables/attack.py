"""Hundreds of damaged zips: each field of the table, of the headers and of the end with bytes that it must not hold.

Success: reading one of them does anything but give its bytes or a BadSubmission; or Ada's grade changes.
"""

import random
import tempfile
import warnings
from pathlib import Path

from attacks.archives.make import HONEST, NOTHING, Member, deflate, raw_zip, scores, write

from autograder.submission import BadSubmission, find

NAMES = ("name.zip", "version.zip", "extra.zip", "long.zip", "end.zip", "empty.zip")
EARNED = 30.0
EXACT = True
in_points = scores({"ada.py": 30.0} | {name: 0.0 for name in NAMES if name != "empty.zip"})
DATA = NOTHING.encode()


def build(folder):
    files = {
        "name.zip": raw_zip([Member(b"\xff\xfe.py", DATA, flags=1 << 11), Member(b"x.py", HONEST.encode())]),
        "version.zip": raw_zip([Member(b"a.py", DATA, version=250)]),
        "extra.zip": raw_zip([Member(b"a.py", DATA, size=0xFFFFFFFF, extra=b"\1\0\3\0abc")]),
        "long.zip": raw_zip([Member(b"a.py", DATA, extra=b"\x01\x00\xff\xff")]),
        "end.zip": raw_zip([Member(b"a.py", DATA)])[:-10],
        "empty.zip": raw_zip([]),
    }
    return write(folder / "in", {"ada.py": HONEST} | files)


def succeeded(outcome):
    members = [
        Member(b"a.py", DATA),
        Member(b"b.ipynb", deflate(DATA), method=8, size=len(DATA), extra=b"\1\0\4\0abcd"),
    ]
    whole = raw_zip(members)
    draw = random.Random(0)
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("error")
        path = Path(name, "eve.zip")
        for _ in range(600):
            text = bytearray(whole)
            for _ in range(draw.choice((1, 1, 2, 5))):
                at = draw.randrange(len(text))
                length = draw.choice((1, 2, 4))
                text[at : at + length] = bytes(
                    draw.choice((0, 1, 0x7F, 0xFF, draw.randrange(256))) for _ in range(length)
                )
            path.write_bytes(text[: draw.choice((len(text), len(text), draw.randrange(len(text))))])
            try:
                for source in find([path]):
                    source.load()
            except BadSubmission:
                pass
            except Exception as error:
                return f"{type(error).__name__}: {error}"
    return in_points(outcome)
