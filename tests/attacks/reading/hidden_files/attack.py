"""Walks all files that it can see and looks for names and contents that belong to the judge.

Success: a file of the autograder, of the checks, of solutions, of git, of a data base, or one with a secret.
"""

SUBMISSION = r'''
import os
import re
import time

NAMES = re.compile(
    r"autograder|solutions|course\.yml|^\.git|credential|netrc|id_ed25519|grades|submission|\.db$|^checks"
)


def walk(seconds):
    end = time.monotonic() + seconds
    for folder, folders, files in os.walk("/"):
        folders[:] = [f for f in folders if not (folder == "/" and f in ("sys", "lib"))]
        for name in (*folders, *files):
            if time.monotonic() > end:
                return
            yield folder, name


def double(x):
    """Names."""
    # What Python and the packages bring themselves.
    known = ("/python/lib", "/site/numpy", "/site/scipy", "/usr/lib")
    found = [f"{folder}/{name}" for folder, name in walk(3) if NAMES.search(name) and not folder.startswith(known)]
    if found:
        raise ValueError(f"found: {found[:20]}")
    return 0 * x


def total(x, rng):
    """Contents, of all that is no package."""
    for folder, name in walk(3):
        if folder.startswith(("/usr", "/python/lib", "/site")) and not name.endswith((".env", ".yml", ".ipynb", ".db")):
            continue
        try:
            path = os.path.join(folder, name)
            if not os.path.isfile(path):
                continue
            with open(path, "rb") as file:
                text = file.read(10**6)
        except OSError:
            continue
        if re.search(rb"canary-[0-9a-f]{32}|class Lesson|lesson\.check", text):
            raise ValueError(f"found: {path} {text[:300]}")
    return 0.0


def label(x, centers):
    """What this very worker consists of may be read, its callers may not."""
    import sys

    here = os.path.dirname(sys.modules["inside"].__file__)
    around = [n for n in os.listdir(os.path.dirname(here)) if n != "inside"]
    above = [n for n in os.listdir("/") if n not in ("box", "dev", "lib", "lib64", "python", "site", "tmp", "usr")]
    raise ValueError(f"found: {around} {above}" if around or above else "nothing")
'''


def succeeded(outcome):
    return "files of the judge" if "found: " in outcome.texts["terminal"] else None
