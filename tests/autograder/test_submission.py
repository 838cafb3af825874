"""Reading what students hand in, and choosing what is graded."""

import json
import zipfile

import pytest
from toy import COURSE, PLAN

from autograder import submission
from autograder.submission import BadSubmission


def cell(source, **metadata):
    return {"cell_type": "code", "source": source, "metadata": metadata, "outputs": [], "execution_count": None}


def notebook(*cells):
    return json.dumps({"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def chosen(*sources, tasks=("f",)):
    """The statements that are run, as source lines, and the notes."""
    import ast

    read = submission.read(notebook(*map(cell, sources)), "a.ipynb")
    plan = submission.definitions(read, tasks)
    run = [ast.unparse(ast.parse(plan["cells"][s["cell"]]).body[s["index"]]) for s in plan["statements"]]
    return [line.splitlines()[0] for line in run], read.notes


def test_only_what_the_function_needs_is_run():
    lines, _ = chosen(
        "import numpy as np\nimport pandas as pd",
        "EPS = 1e-9\nK = 5\nslow = train(K)",
        "def helper(x):\n    return x + EPS",
        "def f(x):\n    slow = helper(x)\n    return np.sum(slow)",
        "plt.plot(f(slow))",
    )
    assert lines == ["import numpy as np", "EPS = 1e-09", "def helper(x):", "def f(x):"]


def test_the_last_definition_counts_and_the_note_says_so():
    lines, notes = chosen("def f():\n    return 1", "def f():\n    return 2", "def f():\n    return 3")
    assert len(lines) == 1
    assert notes == ["f is defined 3 times (cells 1, 2 and 3); the last one is graded"]


def test_defaults_decorators_and_wrapping_bring_what_they_need_as_it_was():
    lines, _ = chosen("a = 1", "def deco(g):\n    return g", "@deco\ndef f(x=a):\n    return x", "f = deco(f)", "a = 2")
    assert lines == ["a = 1", "def deco(g):", "@deco", "f = deco(f)"]


def test_constants_inside_functions_are_the_last_ones():
    lines, _ = chosen("a = 1", "def f():\n    return a", "a = 2")
    assert lines == ["def f():", "a = 2"]


def test_classes_recursion_conditionals_and_star_imports():
    lines, _ = chosen(
        "from math import *",
        "try:\n    import torch\nexcept ImportError:\n    torch = None",
        "BASE = 3\nclass Net(object):\n    k = BASE\n    def go(self):\n        return later(torch)",
        "def later(x):\n    return f(x)",
        "if True:\n    def f(n):\n        return Net().go() if n else f(n - 1)",
    )
    assert lines == ["from math import *", "try:", "BASE = 3", "class Net(object):", "def later(x):", "if True:"]


def test_functions_defined_later_in_the_notebook_are_found():
    lines, _ = chosen("def f():\n    return g()", "def g():\n    return 1")
    assert lines == ["def f():", "def g():"]


def test_magics_shell_lines_and_help_are_blanked():
    lines, notes = chosen(
        "%matplotlib inline\n!pip install x\nfiles = !ls\nf?\n?f\ndef f():\n    %time 1\n    return 1"
    )
    assert lines == ["def f():"] and notes == []
    assert chosen("%%time\ndef f():\n    return 1")[0] == ["def f():"]
    assert chosen("%%bash\nrm -rf /", "def f():\n    return 1")[0] == ["def f():"]


def test_a_syntax_error_costs_only_its_cell():
    lines, notes = chosen("def g(:\n    pass", "def f():\n    return 1")
    assert lines == ["def f():"]
    assert notes[0].startswith("cell 1 cannot be read (") and "line 1" in notes[0]


@pytest.mark.parametrize(
    "source", ["(" * 500, "x = " + "-" * 200_000 + "1", "def f():\n\treturn 1\n        return 2", "\ud800"]
)
def test_nasty_code_is_a_note_not_a_crash(source):
    assert chosen(source, "def f():\n    return 1")[0] == ["def f():"]


def test_line_ends_bom_and_lists_of_lines():
    data = b"\xef\xbb\xbf" + notebook(cell(["def f():\r\n", "    return 1\r\n"]))
    assert submission.definitions(submission.read(data, "a.ipynb"), ["f"])["statements"]


def test_notebooks_of_format_3():
    sheet = {"worksheets": [{"cells": [{"cell_type": "code", "input": ["def f():\n", "    return 1"], "outputs": []}]}]}
    read = submission.read(json.dumps({**sheet, "nbformat": 3}).encode(), "a.ipynb")
    assert read.cells[0].source.startswith("def f")


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (b"", "a.ipynb", "is empty"),
        (b"   \n", "a.py", "is empty"),
        (b"hello", "a.txt", "neither a notebook"),
        (b'{"cells": [', "a.ipynb", "breaks off or is damaged"),
        (b"[" * 100_000, "a.ipynb", "damaged"),
        (b"[]", "a.ipynb", "has no cells"),
        (b'{"cells": 3}', "a.ipynb", "has no cells"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "a.ipynb", "not text in UTF-8"),
        (notebook(), "a.ipynb", "no code cell"),
        (notebook(cell("x" * 3_000_000)), "a.ipynb", "at most 2,000,000 are graded"),
        (b"x" * 50_000_000, "a.ipynb", "not a notebook"),
        (b"x" * 50_000_000, "a.py", "characters of code"),
    ],
)
def test_bad_files_are_named(data, name, words):
    with pytest.raises(BadSubmission, match=words):
        submission.read(data, name)


def test_large_outputs_do_not_matter():
    big = cell("def f():\n    return 1")
    big["outputs"] = [{"output_type": "stream", "text": "x" * 20_000_000}]
    assert submission.read(notebook(big), "a.ipynb").cells


def test_the_lesson_is_found_by_id_function_or_said_to_be_another():
    by_id = submission.read(notebook(cell("x = 1", grade_id="toy.double")), "x.ipynb")
    by_name = submission.read(notebook(cell("def total(x, rng):\n    return 0")), "x.ipynb")
    other = submission.read(notebook(cell("def something():\n    pass")), "x.ipynb")
    assert submission.find_lesson(by_id, COURSE) is PLAN
    assert submission.find_lesson(by_name, COURSE) is PLAN
    with pytest.raises(BadSubmission, match="no function of any lesson"):
        submission.find_lesson(other, COURSE)
    assert submission.find_lesson(other, COURSE, "00_toy") is PLAN


def test_a_function_under_another_name_is_noticed():
    read = submission.read(notebook(cell("def duoble(x):\n    return 2", grade_id="toy.double")), "x.ipynb")
    assert submission.misnamed(read, PLAN) == {"double": "its cell (number 1) defines duoble instead"}


def test_a_folder_and_a_zip_of_it_hold_the_same(tmp_path):
    folder = tmp_path / "all"
    (folder / "anna").mkdir(parents=True)
    (folder / "anna" / "a.ipynb").write_bytes(notebook())
    (folder / "b.py").write_text("x = 1")
    (folder / "notes.txt").write_text("no")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "a.ipynb").write_text("no")
    (folder / "link.py").symlink_to("/etc/passwd")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in sorted(folder.rglob("*")):
            if not path.is_symlink():
                archive.write(path, path.relative_to(folder).as_posix())
    assert [s.name for s in submission.find([folder])] == ["anna/a.ipynb", "b.py"]
    zipped = submission.find([tmp_path / "all.zip"])
    assert [s.name for s in zipped] == ["all.zip/anna/a.ipynb", "all.zip/b.py"]
    assert zipped[1].load() == b"x = 1"


def test_paths_that_are_not_there_and_zips_that_are_none(tmp_path):
    with pytest.raises(BadSubmission, match="is not there"):
        submission.find([tmp_path / "none.ipynb"])
    (tmp_path / "bad.zip").write_bytes(b"PK nonsense")
    with pytest.raises(BadSubmission, match="not a zip file"):
        submission.find([tmp_path / "bad.zip"])
