"""File names that a spreadsheet runs as formulas, in every spelling, and names that end a cell or begin a row.

Success: a cell begins as a formula does, or the table has other rows and columns than one a submission.
"""

from attacks.archives.make import NOTHING, write, zipped
from attacks.injection.strict import report_is_broken as succeeded  # noqa: F401

NAMES = [
    "=cmd|' -C calc'!A0.py",
    "+1+cmd|calc!A0.py",
    "-2+3.py",
    "@SUM(1+1)*cmd|calc!A0.py",
    "\t=1+1.py",
    " =1+1.py",
    "\r=1+1.py",
    "\n=1+1.py",
    "\u200b=1+1.py",
    "\ufeff=1+1.py",
    "\u3000=1+1.py",
    "\uff1d1+1.py",
    "\uff0b1.py",
    '"=1+1.py',
    "'=1+1.py",
    '",=1+1,".py',
    "a;=1+1.py",
    "a|=1+1.py",
    "a\t=1+1.py",
    'a"\n"ada.py","00_vault",30.0,30.0,"".py',
    "a,30.0,30.0.py",
    "=HYPERLINK(\u201chttp:evil\u201d).py",
    "%0A=1+1.py",
    "=DDE(\u201ccmd\u201d;\u201c-C calc\u201d).ipynb",
]


def build(folder):
    place = write(folder / "in", {name: NOTHING for name in NAMES})
    inside = {f"=1+{i}/{name}": NOTHING for i, name in enumerate(NAMES[:4])}
    return write(place, {"=x.zip": zipped(inside)})
