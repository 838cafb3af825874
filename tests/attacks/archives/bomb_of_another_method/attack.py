"""Bombs packed by bzip2 and LZMA, a million to one, which Python unpacks in one go; and by methods it does not know.

Success: one of them is unpacked, or Ada's grade changes.
"""

import bz2
import io
import zipfile

from attacks.archives.make import HONEST, Member, raw_zip, scores, write

NAMES = ("lzma.zip/x.ipynb", *(f"eve.zip/{letter}.py" for letter in "abcd"))
EARNED = 30.0
EXACT = True
in_points = scores({"ada.py": 30.0} | {name: 0.0 for name in NAMES})


def build(folder):
    packed = bz2.compress(bytes(90_000_000))
    members = [Member(b"a.py", packed, method=12, size=len(HONEST))]
    members += [Member(b"b.py", packed, method=12, size=2_000_000_000)]
    members += [Member(b"c.py", HONEST.encode(), method=9), Member(b"d.py", HONEST.encode(), method=99)]
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("x.ipynb", bytes(90_000_000))
    return write(folder / "in", {"ada.py": HONEST, "eve.zip": raw_zip(members), "lzma.zip": stream.getvalue()})


def succeeded(outcome):
    unpacked = [r.submission for r in outcome.reports if r.submission in NAMES and "unusual method" not in r.error]
    return f"unpacked {unpacked}" if unpacked else in_points(outcome)
