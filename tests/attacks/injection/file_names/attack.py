"""File names with HTML, escape sequences, directions, marks, templates, faked scores, and padding up to the next line.

Success: a name does more in a report than to stand there.
"""

from attacks.archives.make import NOTHING, notebook, write, zipped
from attacks.injection.strict import report_is_broken

NAMES = [
    "<script>alert(1)<",
    "<img src=x onerror=alert(1)>.py",
    '"><svg onload=alert(1)>.py',
    "' onmouseover='alert(1).py",
    "javascript:alert(1).py",
    "</title><style>*{display:none}.py",
    "{{7*7}}{% raw %}.py",
    "%2e%2e%2fx.html?a#b.py",
    "\x1b[2J\x1b]0;owned\x07\x9b31m.py",
    "x\r30 of 30.py",
    "x\n   30 / 30  ada.py",
    "x" + " " * 150 + "30 / 30  ada.py",
    "x" + "\u3000" * 60 + "30 / 30  ada.py",
    "\u202eyp.ada.py",
    "Z" + "\u0301" * 100 + ".py",
    "\u05d0\u05d1\u05d2 30 / 30.py",
    "30 / 30  ada.py",
    "&lt;b&gt;&amp;.py",
    "`rm -rf ~`.py",
    "\ue000\U000f0000.py",
]
EARNED = 0.0


def build(folder):
    named = [n.replace("/", "\u2215") for n in NAMES]  # a slash would make a folder
    files = {n if n.endswith(".py") else f"{n}.py": NOTHING for n in named}
    inside = {n if n.endswith(".py") else f"{n}.py": NOTHING for n in NAMES}
    place = write(folder / "in", {**files, "\x1b[2Jx.zip": zipped(inside), "\x1b[31m<b>.ipynb": notebook(NOTHING)})
    return write(place, {"\x1b]0;skipped\x07<b>.txt": "", "bad\x1b[2J.zip": b"PK"})


def succeeded(outcome):
    blank = next((line for line in outcome.texts["terminal"].split("\n") if "x       " in line), None)
    return f"padding: {blank[:80]!r}" if blank else report_is_broken(outcome)
