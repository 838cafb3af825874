"""Names that are options, formulas, pages of other reports, or no text at all.

Success: a page of the report is replaced by another, lies elsewhere, or the grader stumbles over a name.
"""

import html.parser
import os
import tempfile
from pathlib import Path
from urllib.parse import unquote

from attacks.archives.make import HONEST, NOTHING, write

from autograder.report import html as pages

NAMES = [
    "-rf.py",
    "--html.py",
    "=cmd.py",
    "index.py",
    "index.html.py",
    "INDEX.py",
    "a/b.py",
    "a_b.py",
    "a b.py",
    "a\nb.py",
    "a\x1b[2Jb.py",
    "a\u202eyp.b.py",
    "%2e%2e%2fada.py",
    "ada.html.py",
    "ada.py.html.py",
    "CON.py",
    "con.py",
    "...py",
    "$(reboot).py",
    "'; DROP TABLE grades; --.py",
    "\u0130.py",
    "n" * 250 + ".py",
    "\ud83d\ude00" * 60 + ".py" if False else "\U0001f600" * 60 + ".py",
]
EARNED = 30.0
EXACT = True


def build(folder):
    place = write(folder / "in", {"ada.py": HONEST} | {name: NOTHING for name in NAMES})
    raw = os.fsencode(place) + b"/\xff\xfe\x9b31m.py"  # no UTF-8
    with open(raw, "w") as file:
        file.write(NOTHING)
    return place


class Links(html.parser.HTMLParser):
    """Where the links of a page lead."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found += [unquote(value) for name, value in attrs if name == "href"]


def succeeded(outcome):
    count = sum(1 for n in NAMES if not n.startswith(".")) + 2
    names = [r.submission for r in outcome.reports]
    if len(names) != count or len(set(names)) != count:
        return f"{len(names)} graded of {count}"
    with tempfile.TemporaryDirectory() as name:
        pages.write(outcome.reports, Path(name, "out"))
        made = [path.name for path in Path(name, "out").iterdir()]
        links = Links()
        links.feed(Path(name, "out", "index.html").read_text(encoding="utf-8"))
        scores = [Path(name, "out", link).read_text(encoding="utf-8").count("30 of 30 points") for link in links.found]
        if (
            os.listdir(name) != ["out"]
            or len(made) != count + 1
            or sorted([*links.found, "index.html"]) != sorted(made)
        ):
            return f"pages {made}, links {links.found}"
    if sorted(link for link, is_full in zip(links.found, scores, strict=True) if is_full) != ["ada.py.html"]:
        return "the points stand on another page"
    return None
