"""One name for several members of a zip, also by back slashes, leading slashes, case and Unicode normalization.

Success: an earlier member counts, two grades stand under one name, or a page of the report is replaced by another.
"""

import tempfile
from pathlib import Path

from attacks.archives.make import HONEST, NOTHING, Member, raw_zip

from autograder.report import html

GOOD, BAD = HONEST.encode(), NOTHING.encode()
MEMBERS = [
    (b"late.py", BAD),
    (b"late.py", GOOD),
    (b"early.py", GOOD),
    (b"early.py", BAD),
    (b"a/b.py", GOOD),
    (b"/a\\b.py", BAD),
    (b"A/B.py", BAD),
    (b"a_b.py", BAD),
    ("caf\u00e9.py".encode(), BAD),
    ("cafe\u0301.py".encode(), BAD),
    (b"index.py", BAD),
    (b"index.html.py", BAD),
]
SCORES = {"late.py": 30, "early.py": 0, "a/b.py": 0, "A/B.py": 0, "a_b.py": 0, "caf\u00e9.py": 0}
SCORES |= {"cafe\u0301.py": 0, "index.py": 0, "index.html.py": 0}
EARNED = 30.0
EXACT = True


def build(folder):
    path = folder / "eve.zip"
    path.write_bytes(raw_zip([Member(name, data, flags=1 << 11) for name, data in MEMBERS]))
    return path


def succeeded(outcome):
    got = [(r.submission.removeprefix("eve.zip/"), r.score) for r in outcome.reports]
    if sorted(got) != sorted(SCORES.items()):
        return f"graded {got}"
    with tempfile.TemporaryDirectory() as name:
        html.write(outcome.reports, Path(name))
        pages = {path.name.lower() for path in Path(name).iterdir()}
    return None if len(pages) == len(SCORES) + 1 else f"{len(pages)} pages"
