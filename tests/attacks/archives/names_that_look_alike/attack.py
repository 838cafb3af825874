"""Files whose names differ only in what is not printed: Eve's row shall be taken for Ada's.

Success: two submissions stand under one name in a table, or one of them is not graded.
"""

import csv
import io
import json

from attacks.archives.make import HONEST, NOTHING, write

NAMES = ["ada\u200b.py", "ada\u200c.py", "ada\u202e.py", "ada\x07.py", "ada\udcff.py", "ada\n.py", "ada .py"]
EARNED = 30.0
EXACT = True


def build(folder):
    return write(folder / "in", {"ada.py": HONEST} | {name: NOTHING for name in NAMES})


def succeeded(outcome):
    rows = list(csv.reader(io.StringIO(outcome.texts["csv"])))[1:]
    tables = [r[0] for r in rows], [r["submission"] for r in json.loads(outcome.texts["json"])]
    for names in tables:
        if len(names) != len(NAMES) + 1 or len(set(names)) < len(names):
            return f"rows {names}"
    ada = [r.score for r in outcome.reports if r.submission == "ada.py"]
    return None if ada == [30.0] else f"Ada has {ada}"
