"""Scripts that declare another encoding than UTF-8, so that the parser and Python would read different code.

Success: what only another encoding reads gets points, or what UTF-8 reads loses them, or the grader stumbles.
"""

import codecs

from attacks.archives.make import HONEST, scores, write

HIDDEN = HONEST.replace("\n", "\n# ")
ZERO = {
    "utf7.py": b"# -*- coding: utf-7 -*-\n# +AAo-" + HIDDEN.encode("utf-7"),
    "rot13.py": b"# -*- coding: rot13 -*-\n" + codecs.encode(HONEST, "rot13").encode(),
    "utf16.py": codecs.BOM_UTF16_LE + HONEST.encode("utf-16-le"),
    "utf32.py": codecs.BOM_UTF32_BE + HONEST.encode("utf-32-be"),
    "latin.py": b"# coding: latin-1\ns = '\xe9'\n" + HONEST.encode(),
    "unicode_escape.py": b"# coding: unicode_escape\n# \\n" + HONEST.replace("\n", "\\n").encode(),
}
FULL = {
    "bom.py": codecs.BOM_UTF8 + b"# coding: no-such-encoding\n" + HONEST.encode(),
    "middle.py": b"x = 1\n\xef\xbb\xbf" + HONEST.encode(),  # mended: the functions are honest
    "zeros.py": HONEST.replace("\n", "\0\n").encode(),
}
EARNED = 30.0
EXACT = True
succeeded = scores({name: 30.0 for name in FULL} | {name: 0.0 for name in ZERO})


def build(folder):
    return write(folder / "in", ZERO | FULL)
