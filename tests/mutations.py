"""What people and tools do to notebooks: small functions that take one (as JSON values) and leave its points alone.

`MUTATIONS` lists them by stage: what is done to the code comes before what is done to the cells, then come the places
where cells are cut, then the characters, then the format of the file. `mutated` applies some of them at random.
"""

from __future__ import annotations

import ast
import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Notebook = dict[str, Any]
CODE, CELLS, CUTS, CHARACTERS, FORMAT = range(5)


@dataclass(frozen=True)
class Mutation:
    """One thing that happens to notebooks."""

    stage: int
    apply: Callable[[Notebook, random.Random], None]

    @property
    def name(self) -> str:
        return self.apply.__name__


MUTATIONS: list[Mutation] = []


def mutation(stage: int):
    def register(apply):
        MUTATIONS.append(Mutation(stage, apply))
        return apply

    return register


def mutated(notebook: Notebook, seed: int, mutations: list[Mutation] = MUTATIONS) -> tuple[bytes, str, list[str]]:
    """A submission made from a notebook by one to six mutations: its bytes, its suffix, and what was done."""
    rng = random.Random(seed)
    notebook = json.loads(json.dumps(notebook))
    chosen = sorted(rng.sample(mutations, min(rng.randint(1, 6), len(mutations))), key=lambda m: m.stage)
    for one in chosen:
        one.apply(notebook, rng)
    head, script = notebook.pop("head", ""), notebook.pop("script", None)
    text, suffix = (json.dumps(notebook), ".ipynb") if script is None else (script, ".py")
    return (head + text).encode("utf-8", "replace"), suffix, [m.name for m in chosen]


def code_cells(notebook: Notebook) -> list[dict[str, Any]]:
    return [c for c in notebook["cells"] if c["cell_type"] == "code"]


def exercises(notebook: Notebook) -> list[tuple[dict[str, Any], str]]:
    """Cells that define a function that is graded, and its name."""
    found = [(c, (c["metadata"].get("grade_id") or "").partition(".")[2]) for c in code_cells(notebook)]
    return [(cell, name) for cell, name in found if re.search(rf"^def {name}\(", cell["source"], re.MULTILINE) and name]


def new_cell(source: str, kind: str = "code") -> dict[str, Any]:
    cell = {"cell_type": kind, "metadata": {}, "source": source}
    return {**cell, "outputs": [], "execution_count": None} if kind == "code" else cell


def insert(notebook: Notebook, rng: random.Random, source: str, kind: str = "code") -> None:
    notebook["cells"].insert(rng.randint(0, len(notebook["cells"])), new_cell(source, kind))


def unique(cell: dict[str, Any]) -> dict[str, Any]:
    """A cell that means something else if it is run twice, or apart from others."""
    cell["metadata"]["tags"] = ["unique"]
    return cell


def is_unique(cell: dict[str, Any]) -> bool:
    return "unique" in cell["metadata"].get("tags", [])


def some(rng: random.Random, values: list, most: int = 4) -> list:
    return rng.sample(values, min(len(values), rng.randint(1, most)))


# ---- The code: other ways to write the same ----


def rewrite(notebook: Notebook, rng: random.Random, change: Callable[[str, str], str], helper: str = "") -> None:
    """Change some exercise cells by `change(source, name)`; a cell with what they need stands anywhere."""
    for cell, name in some(rng, exercises(notebook), 3):
        cell["source"] = change(cell["source"], name)
    if helper:
        insert(notebook, rng, helper)


def indented(source: str) -> str:
    return "\n".join("    " + line if line.strip() else line for line in source.split("\n"))


def renamed(source: str, name: str, new: str) -> str:
    return re.sub(rf"^def {name}\(", f"def {new}(", source, flags=re.MULTILINE)


def inside(source: str, name: str, first: str) -> str:
    """With a first line in the body of its function."""
    node = next(n for n in ast.walk(ast.parse(source)) if getattr(n, "name", "").endswith(name))
    at = node.body[1 if ast.get_docstring(node) and len(node.body) > 1 else 0]
    lines = source.split("\n")
    indent = " " * at.col_offset
    lines[at.lineno - 1 : at.lineno - 1] = [indent + line for line in first.split("\n")]
    return "\n".join(lines)


@mutation(CODE)
def decorated(notebook, rng):
    helper = (
        "from functools import wraps\n\ndef traced(f):\n    @wraps(f)\n    def g(*a, **k):\n        return f(*a, **k)\n"
        "    return g"
    )
    rewrite(notebook, rng, lambda s, n: re.sub(rf"^def {n}\(", f"@traced\ndef {n}(", s, flags=re.M), helper)


@mutation(CODE)
def wrapped_below(notebook, rng):
    helper = "import functools\ndef again(f, *, how):\n    return functools.wraps(f)(lambda *a, **k: f(*a, **k))"
    rewrite(notebook, rng, lambda s, n: f"{s}\n\n{n} = again({n}, how='same')", helper)


@mutation(CODE)
def made_by_partial(notebook, rng):
    rewrite(
        notebook, rng, lambda s, n: f"{renamed(s, n, f'p_{n}')}\n\n{n} = functools.partial(p_{n})", "import functools"
    )


@mutation(CODE)
def made_by_lambda(notebook, rng):
    rewrite(notebook, rng, lambda s, n: f"{renamed(s, n, f'l_{n}')}\n\n{n} = lambda *a, **k: l_{n}(*a, **k)")


@mutation(CODE)
def in_a_class(notebook, rng):
    def change(s, n):
        if len(ast.parse(s).body) > 1:  # functions of one class do not see one another by their bare names
            return s
        base = f"class Base{n}:\n    @staticmethod\n{indented(s)}"
        return f"{base}\n\nclass Own{n}(Base{n}):\n    pass\n\n{n} = Own{n}().{n}"

    rewrite(notebook, rng, change)


@mutation(CODE)
def in_blocks(notebook, rng):
    heads = ["if True:\n", "try:\n", "with nullcontext():\n", "for _ in range(1):\n"]

    def change(s, n):
        head = rng.choice(heads)
        return head + indented(s) + ("\nexcept ValueError:\n    pass" if head == "try:\n" else "")

    rewrite(notebook, rng, change, "from contextlib import nullcontext")


@mutation(CODE)
def with_defaults(notebook, rng):
    helper = "SCALE, *_ = ONE = [1]\nif (START := 0) == 0:\n    STOP: int = START + 2"
    use = "def {0}({1}, *, _scale=SCALE, _stop=STOP):"
    rewrite(
        notebook,
        rng,
        lambda s, n: re.sub(rf"^def ({n})\((.*)\):", lambda m: use.format(*m.groups()), s, flags=re.M),
        helper,
    )


@mutation(CODE)
def counted(notebook, rng):
    rewrite(notebook, rng, lambda s, n: inside(s, n, "global n_calls\nn_calls += 1"), "n_calls = 0")


@mutation(CODE)
def with_a_table(notebook, rng):
    parts = [
        "TABLE = dict.fromkeys('abc', 0)",
        "TABLE['a'] = 1",
        "for k in 'bc':\n    TABLE[k] = 2",
        "TABLE.update(d=3)",
    ]
    for cell, name in some(rng, exercises(notebook), 2):
        cell["source"] = inside(cell["source"], name, "assert TABLE == dict(a=1, b=2, c=2, d=3)")
    at = rng.randint(0, len(notebook["cells"]))
    notebook["cells"][at:at] = [unique(new_cell(part)) for part in parts]


@mutation(CODE)
def registered(notebook, rng):
    def change(s, n):
        register = f'METHODS["{n}"] = m_{n}'
        return f'{renamed(s, n, f"m_{n}")}\n\n{register}\n\ndef {n}(*a, **k):\n    return METHODS["{n}"](*a, **k)'

    notebook["cells"].insert(0, unique(new_cell("METHODS = {}")))
    rewrite(notebook, rng, change)


@mutation(CODE)
def recursive(notebook, rng):
    def change(s, n):
        call = f"{n}(*a, _deep=_deep - 1, **k) if _deep else r_{n}(*a, **k)"
        return f"{renamed(s, n, f'r_{n}')}\n\n\ndef {n}(*a, _deep=2, **k):\n    return {call}"

    rewrite(notebook, rng, change)


@mutation(CODE)
def helped_from_elsewhere(notebook, rng):
    for cell, name in some(rng, exercises(notebook), 2):
        insert(notebook, rng, renamed(cell["source"], name, f"h_{name}"))
        cell["source"] = f"def {name}(*a, **k):\n    return h_{name}(*a, **k)"


@mutation(CODE)
def annotated(notebook, rng):
    helper = (
        "from __future__ import annotations\nfrom typing import TypeAlias\nimport numpy.typing as npt\n"
        "Array: TypeAlias = npt.NDArray"
    )
    rewrite(
        notebook,
        rng,
        lambda s, n: re.sub(rf"^def {n}\((.*)\):", rf"def {n}(\1) -> Array | Later:", s, flags=re.M),
        helper,
    )


@mutation(CODE)
def with_star_imports(notebook, rng):
    notebook["cells"].insert(0, new_cell("from math import *\nfrom typing import *"))


@mutation(CODE)
def name_taken_by_an_experiment(notebook, rng):
    for cell, name in some(rng, exercises(notebook)):
        at = notebook["cells"].index(cell)
        source = rng.choice([f"{name} = 7", f"for {name} in range(3):\n    pass", f"{name} = {name}(blobs)"])
        notebook["cells"].insert(rng.randint(at + 1, len(notebook["cells"])), new_cell(source))


@mutation(CODE)
def lines_that_look_like_magics(notebook, rng):
    lines = "_text = '''\n%matplotlib inline\n!ls\nname?\n'''\n_rest = (7\n% 4\n)"
    rewrite(notebook, rng, lambda s, n: f"{lines}\n{inside(s, n, 'assert _rest == 3 and len(_text) == 30')}")


# ---- Cells ----


@mutation(CELLS)
def moved(notebook, rng):
    cells = notebook["cells"]
    for cell in some(rng, cells, 5):
        cells.remove(cell)
        cells.insert(rng.randint(0, len(cells)), cell)


@mutation(CELLS)
def shuffled(notebook, rng):
    rng.shuffle(notebook["cells"])


@mutation(CELLS)
def reversed_order(notebook, rng):
    notebook["cells"].reverse()


@mutation(CELLS)
def duplicated(notebook, rng):
    for cell in some(rng, [c for c in notebook["cells"] if not is_unique(c)], 5):
        notebook["cells"].insert(rng.randint(0, len(notebook["cells"])), json.loads(json.dumps(cell)))


@mutation(CELLS)
def merged(notebook, rng):
    """Neighbors of one type, several times; or all of them."""
    for _ in range(rng.choice([1, 3, 10, 1000])):
        cells = notebook["cells"]
        pairs = [i for i in range(len(cells) - 1) if cells[i]["cell_type"] == cells[i + 1]["cell_type"]]
        if not pairs:
            break
        i = rng.choice(pairs)
        cells[i]["source"] += "\n" * rng.randint(1, 3) + cells.pop(i + 1)["source"]


@mutation(CELLS)
def code_merged_into_one(notebook, rng):
    sources = [c["source"] for c in code_cells(notebook)]
    notebook["cells"] = [c for c in notebook["cells"] if c["cell_type"] != "code"] + [new_cell("\n\n".join(sources))]


@mutation(CELLS)
def split_between_statements(notebook, rng):
    for cell in some(rng, code_cells(notebook), 8):
        cut(notebook, cell, rng, lambda n, _: n.lineno - len(getattr(n, "decorator_list", [])) - 1)


def cut(notebook, cell, rng, where):
    """Cut a cell in two before one of the lines that `where(node, lines)` gives."""
    lines = cell["source"].split("\n")
    try:
        nodes = ast.parse(cell["source"]).body
    except (SyntaxError, ValueError):
        return
    places = [p for n in nodes if (p := where(n, lines)) is not None and 0 < p < len(lines)]
    if places:
        at = rng.choice(places)
        cell["source"] = "\n".join(lines[:at])
        notebook["cells"].insert(notebook["cells"].index(cell) + 1, new_cell("\n".join(lines[at:])))


@mutation(CELLS)
def retyped(notebook, rng):
    for cell in some(rng, [c for c in code_cells(notebook) if not is_unique(c)], 5):
        cell["cell_type"] = rng.choice(["markdown", "raw"])
        cell.pop("outputs", None), cell.pop("execution_count", None)


@mutation(CELLS)
def without_imports(notebook, rng):
    """The cell that imports is gone."""
    notebook["cells"] = [
        c for c in notebook["cells"] if "import numpy as np\n" not in c["source"] or "def " in c["source"]
    ]


@mutation(CELLS)
def without_cells_that_define_nothing(notebook, rng):
    for cell in list(notebook["cells"]):
        if cell["cell_type"] == "markdown" and rng.random() < 0.7:
            notebook["cells"].remove(cell)


@mutation(CELLS)
def with_broken_cells(notebook, rng):
    for _ in range(rng.randint(1, 4)):
        insert(notebook, rng, rng.choice(BROKEN))


BROKEN = [
    "def broken(:\n    pass",
    "x = = 3",
    "print('abc",
    "for i in range(3)\n    print(i)",
    "this is no Python",
    "print(1,",
    's = """abc',
    "}",
    "if x:\ny = 3",
    "<<<<<<< HEAD",
    "return 3",
    "nonlocal x",
    "class A\n  pass",
    "\ud83d",
    "a = [1, 2\nb = 3",
]


@mutation(CELLS)
def with_broken_statements(notebook, rng):
    """In cells that are graded, before and after."""
    for cell in some(rng, code_cells(notebook), 8):
        bad = rng.choice(BROKEN)
        before = rng.random() < 0.5
        cell["source"] = f"{bad}\n{cell['source']}" if before else f"{cell['source']}\n{bad}"


@mutation(CUTS)
def with_prose(notebook, rng):
    notebook["cells"].insert(0, new_cell("def confusion(a):\n    return a", rng.choice(["markdown", "raw"])))
    for text in [
        "# Notes\nnp = 3",
        "list = sum = len = 3",
        "from math import *",
        "x",
        "k = k = 1",
    ]:
        insert(notebook, rng, text, rng.choice(["markdown", "raw"]))


@mutation(CELLS)
def with_magics(notebook, rng):
    for cell in some(rng, code_cells(notebook), 8):
        cell["source"] = "\n".join(rng.sample([cell["source"], rng.choice(LINES)], 2))


MAGICS = [
    "%%bash\nls | wc -l\nfor x in *; do echo $x; done",
    "%%writefile helpers.py\ndef confusion(a):\n    return 0",
    "%%html\n<b>x</b>",
    "%%javascript\nvar x = 1;",
    "!pip install unseg \\\n    numpy",
    "%%latex\n$x$",
]
LINES = [
    "%matplotlib inline",
    "!pip install scipy",
    "files = !ls *.png",
    "t = %timeit -o -n1 3",
    "%time seconds = 3",
    "np?",
    "?np.sum",
    "np.sum??",
    "!echo it's (",
    "%load_ext autoreload\n%autoreload 2",
    "%config InlineBackend.figure_format = 'svg'",
    "%cd ..",
    "!!ls",
]


@mutation(CELLS)
def with_cell_magics(notebook, rng):
    for cell in some(rng, code_cells(notebook), 8):
        head = rng.choice(["%%time", "%%capture out", "%%time\n%%capture", "\n%%timeit -n 1", "%%prun -l 3"])
        cell["source"] = f"{head}\n{cell['source']}"


@mutation(CELLS)
def with_magics_inside_functions(notebook, rng):
    for cell, name in some(rng, exercises(notebook)):
        try:
            cell["source"] = inside(
                cell["source"], name, rng.choice(["%time 1 + 1", "!ls", "if True:\n    %time 3", "np?", "out = !ls -l"])
            )
        except (SyntaxError, StopIteration):
            pass


@mutation(CELLS)
def as_nbconvert_writes_magics(notebook, rng):
    for cell in some(rng, code_cells(notebook), 4):
        cell["source"] = f"get_ipython().run_cell_magic('time', '', {cell['source']!r})"
    insert(notebook, rng, "get_ipython().run_line_magic('matplotlib', 'inline')\nget_ipython().system('ls')")


@mutation(CELLS)
def indented_as_a_whole(notebook, rng):
    for cell in some(rng, code_cells(notebook), 3):
        if "'''" not in cell["source"] and "%%" not in cell["source"]:
            cell["source"] = indented(cell["source"])


# ---- Places where cells are cut: their halves stay neighbors ----


@mutation(CUTS)
def split_in_functions(notebook, rng):
    def where(node, lines):
        inner = [n for n in getattr(node, "body", []) if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
        return rng.choice(inner).lineno - 1 if inner else None

    for cell in some(rng, code_cells(notebook), 6):
        cut(notebook, cell, rng, where)


@mutation(CUTS)
def split_anywhere_in_a_body(notebook, rng):
    def where(node, lines):
        inner = [n for n in ast.walk(node) if isinstance(n, ast.stmt) and n.col_offset > 0]
        return rng.choice(inner).lineno - 1 if isinstance(node, ast.FunctionDef) and inner else None

    for cell in some(rng, code_cells(notebook), 6):
        cut(notebook, cell, rng, where)


@mutation(CUTS)
def overwritten(notebook, rng):
    """A first try above, which is wrong; it stays above, for the last one counts."""
    for cell, name in some(rng, exercises(notebook)):
        at = notebook["cells"].index(cell)
        notebook["cells"].insert(rng.randint(0, at), new_cell(f"def {name}(*args):\n    return None"))


@mutation(CUTS)
def with_cells_in_other_languages(notebook, rng):
    for _ in range(rng.randint(1, 4)):
        insert(notebook, rng, rng.choice(MAGICS))


@mutation(CUTS)
def with_empty_cells(notebook, rng):
    for _ in range(5):
        insert(notebook, rng, rng.choice(["", "\n\n", "# later", "  "]))


# ---- Characters ----


def in_some(notebook, rng, change, most=6):
    for cell in some(rng, code_cells(notebook), most):
        cell["source"] = change(cell["source"])


def of_indents(source: str, change: Callable[[str], str]) -> str:
    return re.sub(r"^[ ]+", lambda m: change(m[0]), source, flags=re.MULTILINE)


@mutation(CHARACTERS)
def windows_line_ends(notebook, rng):
    in_some(notebook, rng, lambda s: s.replace("\n", "\r\n"), 100)


@mutation(CHARACTERS)
def old_mac_line_ends(notebook, rng):
    in_some(notebook, rng, lambda s: s.replace("\n", "\r"))


@mutation(CHARACTERS)
def marks_of_byte_order(notebook, rng):
    in_some(notebook, rng, lambda s: "\ufeff" + s)
    notebook["head"] = "\ufeff"


@mutation(CHARACTERS)
def tabs(notebook, rng):
    in_some(notebook, rng, lambda s: of_indents(s, lambda i: i.replace("    ", "\t")))


@mutation(CHARACTERS)
def mixed_tabs(notebook, rng):
    """Some lines with tabs, as if a tab had the same width for all editors."""
    width = rng.choice([4, 8])
    in_some(
        notebook, rng, lambda s: of_indents(s, lambda i: i.replace(" " * width, "\t") if rng.random() < 0.5 else i), 99
    )


@mutation(CHARACTERS)
def spaces_of_web_pages(notebook, rng):
    in_some(
        notebook, rng, lambda s: of_indents(s, lambda i: rng.choice([i, i.replace(" ", "\u00a0"), "\u00a0" + i[1:]]))
    )


@mutation(CHARACTERS)
def odd_spaces_elsewhere(notebook, rng):
    in_some(notebook, rng, lambda s: s.replace(" = ", "\u00a0=\u2009").replace("import ", "import\u200b "))


@mutation(CHARACTERS)
def form_feeds_and_nulls(notebook, rng):
    in_some(notebook, rng, lambda s: "\f\n" + s.replace("\ndef ", "\n\fdef ") + "\n\0\n")


# ---- The format of the file ----


@mutation(FORMAT)
def lists_of_lines(notebook, rng):
    for cell in every_cell(notebook):
        cell["input" if "input" in cell else "source"] = text(cell).splitlines(keepends=True)


@mutation(FORMAT)
def lists_of_lines_without_ends(notebook, rng):
    for cell in every_cell(notebook):
        cell["input" if "input" in cell else "source"] = re.split(r"\r\n|\r|\n", text(cell))


@mutation(FORMAT)
def without_metadata(notebook, rng):
    for cell in every_cell(notebook):
        cell.pop("metadata", None), cell.pop("id", None)
    notebook.pop("metadata", None)


@mutation(FORMAT)
def as_colab_writes(notebook, rng):
    for i, cell in enumerate(every_cell(notebook)):
        cell.pop("id", None)
        cell["metadata"] = {"id": f"aB3_{i}", "outputId": "x", "colab": {"base_uri": "https://localhost:8080/"}}
    notebook["metadata"] = {"colab": {"provenance": []}}
    notebook["nbformat_minor"] = 0


@mutation(FORMAT)
def of_format_3(notebook, rng):
    cells = notebook.pop("cells")
    for i, cell in enumerate(cells):
        if isinstance(cell, dict) and cell.get("cell_type") == "code" and "source" in cell:
            cell["input"], cell["prompt_number"], cell["language"] = cell.pop("source"), i, "python"
    cells.insert(0, {"cell_type": "heading", "level": 1, "source": ["Title"], "metadata": {}})
    half = rng.randint(0, len(cells))
    notebook["worksheets"] = [{"cells": cells[:half]}, {"cells": cells[half:], "metadata": {}}, {}]
    notebook["nbformat"], notebook["nbformat_minor"] = 3, 0


@mutation(FORMAT)
def of_format_4_with_ids(notebook, rng):
    for i, cell in enumerate(every_cell(notebook)):
        cell["id"] = f"cell-{i}"
    notebook["nbformat_minor"] = 5


@mutation(FORMAT)
def with_outputs(notebook, rng):
    output = {"output_type": "stream", "name": "stdout", "text": ["x" * 100, "def confusion(a): pass"]}
    for cell in every_cell(notebook):
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [output] * rng.randint(0, 3), rng.randint(1, 99)


@mutation(FORMAT)
def with_large_outputs(notebook, rng):
    cell = next(c for c in every_cell(notebook) if c["cell_type"] == "code")
    cell["outputs"] = [{"output_type": "display_data", "data": {"image/png": "A" * 5_100_000}, "metadata": {}}]


@mutation(FORMAT)
def with_junk_among_the_cells(notebook, rng):
    cells = notebook["cells"] if "cells" in notebook else notebook["worksheets"][0]["cells"]
    for junk in (
        None,
        3,
        "def f(): pass",
        [],
        {},
        {"cell_type": "code"},
        {"cell_type": 3, "source": {}},
        {"source": [None, 3]},
    ):
        cells.insert(rng.randint(0, len(cells)), junk)


@mutation(FORMAT)
def as_a_script(notebook, rng):
    """What Jupytext would write, more or less."""
    parts = []
    for cell in every_cell(notebook):
        kind, lines = cell["cell_type"], re.split(r"\r\n|\r|\n", text(cell))
        name = (cell.get("metadata") or {}).get("grade_id")
        head = "# %%" + (f" [{kind}]" if kind != "code" else "") + (f' grade_id="{name}"' if name else "")
        parts.append("\n".join([head, *(lines if kind == "code" else [f"# {line}" for line in lines])]))
    notebook["script"] = "\n\n".join(parts)


def every_cell(notebook: Notebook) -> list[dict[str, Any]]:
    cells = [*notebook.get("cells", []), *(c for s in notebook.get("worksheets", []) for c in s.get("cells", []))]
    return [c for c in cells if isinstance(c, dict) and isinstance(c.get("cell_type"), str)]


def text(cell: dict[str, Any]) -> str:
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list):
        return ("" if any(re.search(r"[\r\n]", line) for line in source) else "\n").join(source)
    return source if isinstance(source, str) else ""
