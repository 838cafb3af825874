"""The command that builds the book: which program it runs, and what it says after success and failure."""

import importlib.util
import json
import sys

import pytest

# Stands in for jupyter-book: notes how it was called, speaks on both streams, and exits as it is told.
PROGRAM = """#!{python}
import json, os, pathlib, sys
folder = pathlib.Path(__file__).parent
with open(folder / "calls", "a") as file:
    file.write(json.dumps([sys.argv[1:], os.environ["PYTHONPATH"]]) + "\\n")
print("[IPKernelApp] WARNING | Kernel is running over TCP without encryption. And so on.", file=sys.stderr)
print("chapter.md:3: WARNING: unknown reference", file=sys.stderr)
sys.exit(int((folder / "status").read_text()))
"""


@pytest.fixture
def tool(root, tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("build_book", root / "tools" / "build_book.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "BUILD", tmp_path / "_build")
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "jupyter-book"
    program.write_text(PROGRAM.format(python=sys.executable))
    program.chmod(0o755)
    (folder / "status").write_text("0")
    monkeypatch.setattr(module.sys, "executable", str(folder / "python"))
    return module


@pytest.fixture
def calls(tool, tmp_path):
    """What jupyter-book was called with: a function that gives (arguments, PYTHONPATH) of each call."""
    path = tmp_path / "bin" / "calls"
    return lambda: [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_warnings_are_errors_and_every_reference_counts(tool, calls, capsys):
    assert tool.main([]) == 0
    [(arguments, path)] = calls()
    assert {"build", "-W", "-n"} <= set(arguments)
    assert str(tool.ROOT) in path.split(":")
    assert "_build/html/index.html" in capsys.readouterr().out


def test_after_a_failure_it_says_what_to_do(tool, tmp_path, capsys):
    (tmp_path / "bin" / "status").write_text("1")
    assert tool.main([]) == 1
    said = capsys.readouterr()
    assert "The book was not built" in said.err and "--fresh" in said.err
    assert "index.html" not in said.out


def test_warnings_of_the_book_are_shown_and_those_of_kernels_are_not(tool, capsys):
    tool.main([])
    said = capsys.readouterr().err
    assert "chapter.md:3: WARNING: unknown reference" in said
    assert "encryption" not in said


def test_fresh_forgets_pages_and_executed_chapters(tool):
    for name in ("html", "execution", ".doctrees", "jupyter_execute", "something-else"):
        (tool.BUILD / name).mkdir(parents=True)
    tool.main([])
    assert len(list(tool.BUILD.iterdir())) == 5
    tool.main(["--fresh"])
    assert [path.name for path in tool.BUILD.iterdir()] == ["something-else"]


def test_without_jupyter_book_it_names_the_command_to_install(tool, calls, tmp_path, capsys):
    (tmp_path / "bin" / "jupyter-book").unlink()
    assert tool.main([]) == 2
    assert calls() == []
    assert "pip install -e '.[book]'" in capsys.readouterr().err
