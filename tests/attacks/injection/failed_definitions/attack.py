"""Statements of the notebook that fail when they are run, with evil words in the statement, the error and its type.

Success: any of it does more in a report than to stand there.
"""

from attacks.injection.strict import report_is_broken as succeeded  # noqa: F401

EVIL = "\x1b[2J<script>alert(1)<\x2fscript>{{7*7}}\u202e"
SUBMISSION = f"""
class Evil(Exception):
    pass

Evil.__name__ = Evil.__qualname__ = "<b>\\x1b[31m\\n  30 / 30  ada.py"

def fail(text):
    raise Evil(text)

# %%
double = fail('{EVIL}')

# %%
import no_such_module_\u05d0\u05d1 as total

# %%
from {"x" * 200} import label as helper

def label(x, centers):
    return helper(x) + '{EVIL}'
"""
