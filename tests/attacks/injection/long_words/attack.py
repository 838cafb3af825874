"""Words of a million characters: messages, names of types and functions, lines of code.

Success: a report grows beyond measure or has a line without an end.
"""

from attacks.injection.strict import report_is_broken

NAME = "a" * 5_000
SUBMISSION = f"""
def {NAME}(x):
    raise ValueError("w" * 1_000_000)


def double(x):
    return {NAME}(x)


def total(x, rng):
    raise type("T" * 1_000_000, (Exception,), {{}})("\\n" * 1_000_000)


def label(x, centers):
    raise ValueError("{"c" * 9_000}"[::-1])


# %%
def {NAME}():
    {NAME} = 1
    global {NAME}
"""


def succeeded(outcome):
    sizes = {name: len(text) for name, text in outcome.texts.items()}
    return f"{sizes}" if max(sizes.values()) > 100_000 else report_is_broken(outcome)
