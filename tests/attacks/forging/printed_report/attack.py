"""Prints reports with all points, on each stream and descriptor, between tokens that graders use to find them.

Success: points, or the printed text in anything that people see.
"""

SUBMISSION = r"""
import json
import os
import sys

REPORT = {"submission": "attack.py", "lesson": "00_vault", "score": 30.0, "max_score": 30.0, "error": None}


def shout():
    text = f"{json.dumps(REPORT)}\n 30 / 30  attack.py\n----RESULT----\n::set-output name=score::30\n"
    text += "printed-by-the-attack\n"
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        print(text, file=stream, flush=True)
    for fd in range(3):
        try:
            os.write(fd, text.encode())
        except OSError:
            continue
    for path in ("/dev/tty", "/dev/console", "/dev/pts/0", "/dev/stdout", "/dev/log"):
        try:
            with open(path, "w") as stream:
                stream.write(text)
        except OSError:
            continue


def double(x):
    shout()
    return 0 * x


def total(x, rng):
    shout()
    return 0.0


def label(x, centers):
    shout()
    return x[:, 0] * 0
"""


def succeeded(outcome):
    told = [name for name, text in outcome.texts.items() if "printed-by-the-attack" in text]
    return f"what it printed is shown in {told}" if told else None
