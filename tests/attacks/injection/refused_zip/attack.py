"""A zip of nothing but zips, with escape sequences in their names: the command line refuses it and says which.

Success: a control character of a name reaches the terminal through the message.
"""

from attacks.archives.make import zipped
from attacks.injection.strict import text


def build(folder):
    path = folder / "eve\x1b[2J.zip"
    path.write_bytes(zipped({"\x1b]0;owned\x07\u202e\n30 / 30  ada.zip": b"PK"}))
    return path


def succeeded(outcome):
    told = outcome.texts["terminal"]
    return text(told) or (None if "a zip inside a zip" in told and told.count("\n") <= 1 else f"told {told!r}")
