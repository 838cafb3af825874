"""Reading what students hand in, and choosing what is graded."""

import ast
import dataclasses
import json
import time
import zipfile

import pytest
from toy import COURSE, PLAN

from autograder import sources, submission
from autograder.sandbox.inside import wire
from autograder.sandbox.inside.calls import call
from autograder.sandbox.inside.define import define
from autograder.submission import BadSubmission


def cell(source, **metadata):
    return {"cell_type": "code", "source": source, "metadata": metadata, "outputs": [], "execution_count": None}


def notebook(*cells):
    return json.dumps({"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def chosen(*sources, tasks=("f",)):
    """The statements that are run, as source lines, and the notes."""
    read = submission.read(notebook(*map(cell, sources)), "a.ipynb")
    plan = submission.definitions(read, tasks)
    run = [ast.unparse(ast.parse(s["source"])) for s in plan["statements"]]
    return [line.splitlines()[0] for line in run], read.notes


def text(source, kind="markdown"):
    return {"cell_type": kind, "source": source, "metadata": {}}


def result(*cells, call="f()", tasks=("f",), given=None):
    """What a call gives, after the chosen statements of a notebook have run here; and the notes."""
    cells = [c if isinstance(c, dict) else cell(c) for c in cells]
    read = submission.read(notebook(*cells), "a.ipynb")
    plan, namespace = submission.definitions(read, tasks, given), {"__name__": "submission"}
    define(namespace, plan["cells"], plan["statements"], plan["keep"], [])
    return eval(call, namespace), read.notes


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
        (notebook(cell("x" * 600_000)), "a.ipynb", "at most 500,000 are graded"),
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


def test_zips_as_windows_macos_and_learning_platforms_write_them(tmp_path):
    (tmp_path / "in" / "eve").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "in" / "eve" / "mine.zip", "w") as archive:
        archive.writestr("ada\\a.py", "x = 1")
        archive.writestr("__MACOSX\\ada\\._a.py", "no")
        archive.writestr("__MACOSX/._a.py", "no")
        archive.writestr("x.ipynb/", "")
        archive.writestr("x.ipynb/Jürgen.py", "x = 2")
        archive.writestr("inner.ZIP", b"PK")
        archive.writestr("report.pdf", "no")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("x.ipynb/Jürgen.py", "x = 3")
    (tmp_path / "in" / "bad.zip").write_bytes(b"PK nonsense")
    skipped = []
    sources = submission.find([tmp_path / "in"], skipped)
    assert [s.name.removeprefix("eve/mine.zip/") for s in sources] == [
        "bad.zip",
        "ada/a.py",
        "inner.ZIP",
        "x.ipynb/Jürgen.py",
    ]
    assert [s.load() for s in (sources[1], sources[3])] == [b"x = 1", b"x = 3"]
    for source, words in ((sources[0], "bad.zip is not a zip file"), (sources[2], "a zip inside a zip: unpack eve/")):
        with pytest.raises(BadSubmission, match=words):
            source.load()
    assert skipped == ["eve/mine.zip/report.pdf"]


def test_files_of_equal_name_are_told_apart_by_their_paths(tmp_path):
    for name in ("ada", "ben"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.py").write_text(name)
    paths = [tmp_path / "ada" / "a.py", tmp_path / "ben" / "a.py", tmp_path / "ben" / "a.py"]
    assert [s.name for s in submission.find(paths[:1])] == ["a.py"]
    assert [s.name for s in submission.find(paths)] == [p.as_posix() for p in paths[:2]]
    assert [s.name for s in submission.find([p.parent for p in paths])] == [p.as_posix() for p in paths[:2]]


def zipped(path, names):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "x = 1")


def test_names_that_look_alike_are_numbered_and_stay_apart(tmp_path):
    invisible = [chr(0x200B + i) for i in range(5)]
    zipped(tmp_path / "all.zip", [f"a{x}{y}.py" for x in invisible for y in invisible] + ["a (2).py"])
    names = [source.name for source in submission.find([tmp_path / "all.zip"])]
    assert len(set(names)) == len(names) == 26
    assert all(name.isprintable() for name in names)


@pytest.mark.parametrize("count", [sources.MAX_IN_INNER_ZIP, sources.MAX_IN_INNER_ZIP + 1])
def test_one_student_of_a_folder_cannot_hand_in_a_flood(tmp_path, count):
    (tmp_path / "honest.py").write_text("x = 1")
    zipped(tmp_path / "flood.zip", [f"{i}.py" for i in range(count)])
    found = submission.find([tmp_path])
    assert len(found) == (count + 1 if count <= sources.MAX_IN_INNER_ZIP else 2)
    assert found[-1].name == "honest.py"
    assert len(submission.find([tmp_path / "flood.zip"])) == count  # an instructor who means it


def test_an_encrypted_file_in_a_zip_says_so(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.py", "x = 1")
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[6] |= 1  # the bit of encryption, before the file and in the directory
    data[data.index(b"PK\1\2") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    (source,) = submission.find([tmp_path / "a.zip"])
    with pytest.raises(BadSubmission, match="a.zip/a.py cannot be read: .* is encrypted"):
        source.load()


@pytest.mark.parametrize(
    "source",
    [
        "import " + "a." * 240_000 + "b",
        "a;" * 40_000,
        "a\n" * 240_000,
        "\n" * 490_000 + "x = 1;" * 1_000,
        "if 1:\n" + " " * 400_000 + "$",
        "if 1:\n" + "\t \t" * 100_000 + "$",
    ],
    ids=["memory", "one line", "statements", "lines", "spaces", "tabs"],
)
def test_code_that_takes_too_much_to_read_is_refused_or_read_soon(source):
    started = time.perf_counter()
    try:
        submission.definitions(submission.read(source.encode(), "a.py"), ["f"])
    except BadSubmission as error:
        assert "too long or too deeply nested" in str(error)
    assert time.perf_counter() - started < 10


def test_long_code_that_is_simple_is_read():
    lines, _ = chosen("def f():\n    return 1", *(f"def g{i}(x):\n    return x + {i}" for i in range(2_000)))
    assert lines == ["def f():"]


def test_a_large_notebook_is_read_in_little_memory_or_refused():
    good = cell("def f():\n    return 1")
    good["outputs"] = [{"output_type": "stream", "text": "é" * 8_000_000}]
    assert submission.read(notebook(good), "a.ipynb").cells[0].source.startswith("def f")
    with pytest.raises(BadSubmission, match="clear its outputs"):
        submission.read(b'{"cells": [' + b"[]," * 60_000_000 + b"[]]}", "a.ipynb")
    with pytest.raises(BadSubmission, match="damaged"):
        submission.read(notebook(good)[:-9], "a.ipynb")


def test_many_cells_that_cannot_be_read_give_few_notes_and_long_ones_are_cut():
    name = "a" * 10_000
    long = f"def g():\n    {name} = 1\n    global {name}"
    _, notes = chosen(long, *[")"] * 200)
    assert len(notes) <= submission.MAX_NOTES and max(map(len, notes)) < 400


def test_worksheets_of_the_wrong_kind_are_no_notebook():
    with pytest.raises(BadSubmission, match="no code cell"):
        submission.read(b'{"worksheets": [{"cells": 5}]}', "a.ipynb")


@pytest.mark.parametrize("first", ["A = 'a\u2028b'", "A = 'a\x1cb'", "A = 'a\x85b'", "\x0c\nA = 1"])
def test_line_ends_that_python_does_not_know_move_nothing(first):
    lines, _ = chosen(f"{first}\nB = 2\ndef f():\n    return (A,\n            B)")
    assert [line.split(" =")[0] for line in lines] == ["A", "B", "def f():"]


def test_a_large_judge_reads_long_code_like_a_small_one():
    held = bytearray(700_000_000)
    held[::4096] = bytes(len(held[::4096]))  # in memory for sure
    lines, _ = chosen("def f():\n    return 1", "# " + "x" * 30_000)
    assert lines == ["def f():"]


def test_a_damaged_member_of_a_zip_is_named(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.py", "def f():\n    return 1\n" * 50)
    data = bytearray(path.read_bytes())
    data[36:50] = bytes(range(200, 214))
    path.write_bytes(data)
    (source,) = submission.find([path])
    with pytest.raises(BadSubmission, match="cannot be read"):
        source.load()


USE = "def f():\n    return T"


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([USE, "T = [0]", "T[0] = 5", "T[1:] += (1,)"], [5, 1]),
        ([USE, "T = {}", "for k in 'ab':\n    T[k] = 1", "T.update(c=2)", "del T['a']"], {"b": 1, "c": 2}),
        ([USE, "k = 1 / 0", "T = {}", "for k in 'ab':\n    T[k] = 1"], {"a": 1, "b": 1}),
        ([USE, "T.append(3)", "T = []"], [3]),
        ([USE, "T = [1]", "del T"], [1]),
        ([USE, "T = [1]", "T.append(f())"], [1]),
        (["min = 3", "def f(): return min(4, 5)", "del min"], 4),
        (["min = 3", "del min", "min = 6", "def f(): return min"], 6),
        ([USE, "T = []", "def add(g):\n    T.append(g.__name__)\n    return g", "@add\ndef g(): pass"], ["g"]),
        ([USE, "def setup():\n    global T\n    T = 3", "setup()"], 3),
        ([USE, "T = [make(i) for i in range(2)]", "def make(i):\n    return i + K", "K = 1"], [1, 2]),
        (["class T: pass", "T.go = staticmethod(lambda: 4)", "setattr(T, 'k', 1)", "def f(): return T.go() + T.k"], 5),
        (["def f(x=T): return x, T", "T = 1"], (1, 1)),
        (["T = 1", "def f(x=T): return x, T", "T = 2"], (1, 2)),
        (["f = twice(f)", "def twice(g): return lambda: 2 * g()", "def f(): return 3"], 6),
        (["import functools", "f = functools.partial(max, 3, 4)", "f = 7"], 4),
        (["def f():\n    global n\n    n += 1\n    return 5", "n = 0"], 5),
        (
            ["import xml.dom", "import xml.sax", "def f(): return xml.dom.__name__, xml.sax.__name__"],
            ("xml.dom", "xml.sax"),
        ),
        (["def f(x=sqrt(4)): return x", "from math import *"], 2),
        (["def f(x: Unknown = 1) -> Unknown: return x"], 1),
        (["f: object", "def f(): return 1", "f: object"], 1),
        (["[T := i for i in range(3)]", USE], 2),
    ],
)
def test_what_a_name_needs_and_what_changes_its_value_runs_before_it_is_used(cells, expected):
    assert result(*cells)[0] == expected


def test_decorators_that_register_other_functions_are_followed():
    cells = ["@f.register\ndef _(x: int): return 1", "import functools\n@functools.singledispatch\ndef f(x): return 0"]
    assert result(*cells, call="f(1), f('')")[0] == (1, 0)


def test_experiments_that_change_a_value_by_calling_a_task_are_not_run():
    lines, _ = chosen(
        "T = []", "def f():\n    T.append(1)\n    return T", "f()", "T.append(f())", "for i in f(): T[0] = i"
    )
    assert lines == ["T = []", "def f():"]


@pytest.mark.parametrize(
    "cells",
    [
        ["def f(x=\n", "1):\n    return x"],
        ["def f():", "    return 1"],
        ["def f():\n    x = 0", "    x += 1\n    x += 0", "    return x\nT = 3"],
        ['def f():\n    """Text', 'more."""\n    return 1'],
        ["@staticmethod", "def f():\n    return 1"],
        ["if False:\n    f = None", "else:\n    f = lambda: 1"],
        ["class A:\n    def a(self):\n        return 1", "    def b(self):\n        return self.a()", "f = A().b"],
        ["def g():\n    return 2", "    def f():\n        return 1\n    K = 3"],  # indented as a whole
        ["print(", "def f():\n    return 1"],
        ["def f():\n    return 1", "", "# end", "    # of it"],
    ],
)
def test_halves_of_a_statement_in_neighbors_are_read_as_one(cells):
    assert result(*cells)[0] == 1


@pytest.mark.parametrize(
    "source",
    [
        "x = = 3\ndef f():\n    return 1\nprint(",
        "def f():\n    return 1\n)",
        "def f():\n    return 1\nelse:\n    2",
        "s = '''\ndef f():\n    return 1",
        "def f():\n    x = 1\nnot Python\n    return x",
        "nonlocal x\ndef f():\n    return 1",
        "<<<<<<< HEAD\ndef f():\n    return 1\n=======\n>>>>>>> theirs",
    ],
)
def test_a_syntax_error_costs_only_its_statement(source):
    value, notes = result(source)
    assert value == 1 and "cannot be read" in notes[0] and notes[0].endswith("; the rest of it is graded")


@pytest.mark.parametrize(
    "source",
    [
        "%matplotlib inline\n!ls \\\n  more\nx = !ls\ny = %who\n?f\nf??\n%time z = 3\ndef f():\n    return 1",
        "def f():\n    if True:\n        %time 3\n    !ls\n    return 1",
        "s = '''\n!ls\n%cd\n'''\nx = (7\n% 4)\n%matplotlib inline\ndef f():\n    return len(s) - 8 + x - 3",
        "%%time\n%%capture\ndef f():\n    return 1",
        "get_ipython().run_cell_magic('time', '', 'def f():\\n    return 1\\n')",
        "def f():\n    get_ipython().system('ls')\n    get_ipython().run_line_magic('time', 'x = 1')\n    return x",
        ">>> def f():\n...     return 1",
        "\ufeffdef f():\n\u00a0\u00a0return len('\u00a0')",
        "def f():\n    if True:\n\treturn 1",
        "def f():\n\tx = 1\n    return x",
        "def f():\r    return 1\r",
        "\f\ndef\u2009f():\n\f    return\u200b 1\0",
    ],
)
def test_magics_tabs_and_odd_characters_cost_nothing(source):
    value, notes = result(source)
    assert value == 1 and notes == []


@pytest.mark.parametrize("kind", ["markdown", "raw"])
def test_code_in_a_cell_of_another_type_counts_where_no_code_does(kind):
    value, notes = result(text("def f():\n    return g(K)", kind), text("K = 2", kind), "def g(x): return x")
    assert value == 2
    assert notes == [f"cell {n} is a {kind} cell; its code is graded all the same" for n in (1, 2)]
    assert result("def f(): return 1", text("def f(): return 2", kind))[0] == 1
    assert result("def f(): return list((1,))", text("list = 3", kind))[0] == [1]
    assert result("T = [1]", text("import math\nT[0] = 2", kind), USE)[0] == [1]
    with pytest.raises(NameError):
        result("x = 1", text("So:\n```\ndef f():\n    return 2\n```", kind))


def test_what_was_deleted_comes_from_the_exercise_as_handed_out():
    released = notebook(cell("import math\nK = 2"), cell("def helper(): return 9", grade_id="toy.double"))
    assert submission.given(PLAN) is None and submission.given(dataclasses.replace(PLAN, released="{")) is None
    given = submission.given(dataclasses.replace(PLAN, released=released.decode()))
    value, notes = result("def f(): return math.floor(2.5) * K", text("math = 3"), given=given)
    assert value == 4 and notes == ["your notebook does not define K and math: taken from the exercise as handed out"]
    assert result("K = 3\ndef f(): return K", given=given) == (3, [])
    with pytest.raises(NameError):
        result("def f(): return helper()", given=given)


def test_definitions_with_the_same_text_are_no_news():
    assert result("def f(): return 1", "def f(): return 1") == (1, [])


def test_lines_of_tracebacks_are_those_of_the_cell():
    source = "x = 1; y = 2\n%cd ..\n\ndef f():\n    return (y +\n            1 / 0)\nbroken("
    read = submission.read(notebook(cell("z = 3"), cell(source)), "a.ipynb")
    plan, namespace = submission.definitions(read, ["f"]), {}
    define(namespace, plan["cells"], plan["statements"], ["f"], [])
    where = wire.read(call(namespace["f"], [], {}))["error"]["where"]
    assert (where["line"], where["code"]) == (6, "1 / 0)")


def test_cells_that_are_no_cells_are_left_out():
    junk = [None, 3, [], {}, {"cell_type": "code"}, {"cell_type": 3, "source": {}}, {"source": [None]}]
    read = submission.read(notebook(*junk, cell(["def f():", "    return 1"]), *junk), "a.ipynb")
    assert [s.source for s in read.statements] == ["def f():\n    return 1"]


@pytest.mark.parametrize("texts", [["x" * 100_000_000], ["x" * 100] * 100_000], ids=["one", "many"])
def test_outputs_of_a_hundred_megabytes_do_not_matter(texts):
    good = cell("def f():\n    return 1")
    good["outputs"] = [{"output_type": "stream", "name": "stdout", "text": text} for text in texts]
    assert submission.read(notebook(good, None, 3), "a.ipynb").cells[0].source == good["source"]
