"""Escape sequences in the source: in the line that a traceback quotes, in a cell that cannot be read, in the cell's id.

Success: a control character reaches the terminal or a file.
"""

from attacks.injection.strict import report_is_broken as succeeded  # noqa: F401

ESCAPES = "\x1b[2J\x9b31m\x1b]0;owned\x07\u202e\u2066"
SUBMISSION = f"""
# %% grade_id="vault.double{ESCAPES}"
def double(x):
    raise ValueError  # {ESCAPES}

# %% grade_id="vault.total"
def total(x, rng):
    return {ESCAPES}

# %% grade_id="vault.label"
def labels{chr(0x2118)}(x, centers):
    return "\\{ESCAPES}"

# %%
import os.{ESCAPES}
"""
