"""Notebooks that take a parser's time, memory or stack, or that two parsers read differently.

Success: the grader stumbles, a first list of cells counts though Jupyter takes the second, or Ada's grade changes.
"""

import json

from attacks.archives.make import HONEST, notebook, scores, write

CELL = json.loads(notebook(HONEST))["cells"][0]
GOOD, BAD = json.dumps([CELL]), json.dumps([CELL | {"source": "x = 1"}])
FILES = {
    "brackets.ipynb": '{"cells": ' + "[" * 200_000,
    "closed.ipynb": '{"cells": ' + "[" * 50_000 + "]" * 50_000 + "}",
    "objects.ipynb": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "numbers.ipynb": '{"cells": [], "n": ' + "9" * 1_000_000 + "}",
    "twice.ipynb": f'{{"cells": {GOOD}, "cells": {BAD}}}',
    "cells.ipynb": '{"cells": [' + '{"cell_type": "code", "source": ""},' * 150_000 + GOOD[1:-1] + "]}",
    "strings.ipynb": json.dumps({"cells": [CELL | {"source": "#" * 3_000_000 + "\n" + HONEST}]}),
    "kinds.ipynb": json.dumps({"cells": [CELL | {"source": {"a": 1}}, CELL | {"source": [1, None]}, None, 3]}),
}
FULL = {
    "nan.ipynb": f'{{"nbformat": NaN, "x": [1e999999, -1e999999, Infinity], "cells": {GOOD}}}',
    "surrogates.ipynb": json.dumps({"cells": [CELL | {"source": "x = '\ud800'\n" + HONEST}]}),  # costs that line only
    "last.ipynb": f'{{"cells": {BAD}, "cells": {GOOD}}}',
}
EARNED = 30.0
EXACT = True
succeeded = scores({"ada.py": 30.0} | {name: 30.0 for name in FULL} | {name: 0.0 for name in FILES})


def build(folder):
    return write(folder / "in", {"ada.py": HONEST} | FILES | FULL)
