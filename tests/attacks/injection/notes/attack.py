"""HTML and escape sequences in the ids, metadata, kinds, misnamed functions and syntax errors of a notebook's cells.

Success: any of it does more in a report than to stand there.
"""

import json

from attacks.injection.strict import report_is_broken as succeeded  # noqa: F401

EVIL = "\x1b[2J<script>alert(1)</script>\"' onload='x' {{7*7}}\u202e\n   30 / 30  ada.py"
SUFFIX = ".ipynb"


def cell(source, grade_id=EVIL, **more):
    return {
        "cell_type": "code",
        "id": EVIL,
        "metadata": {"grade_id": grade_id, EVIL: EVIL, "tags": [EVIL]},
        "source": source,
    } | more


SUBMISSION = json.dumps(
    {
        "nbformat": 4,
        "nbformat_minor": 5,
        EVIL: EVIL,
        "metadata": {
            "kernelspec": {"name": EVIL, "display_name": EVIL},
            "language_info": {"name": EVIL},
            "title": EVIL,
        },
        "cells": [
            cell(f"{EVIL}"),
            cell("def double(x):\n    raise ValueError\n" * 2),
            cell("def double(x):\n    return None"),
            cell("def duoble\u0301(x): pass\ndef \u05d0(x): pass", "vault.total"),
            cell(f"x = '{EVIL}", "vault.label"),
            cell("def f():\n    x = 1\n    global x\n" + "import " + "a" * 900),
            cell("from \u202e import x"),
            cell("double(" * 150),
            cell(["label = ", "'", EVIL.replace("'", ""), "'"], None),
            cell("x", cell_type=EVIL, outputs=[{"output_type": "display_data", "data": {"text/html": EVIL}}]),
        ],
    }
)
