"""`unseg grade`, `check`, `release` as they are typed."""

import json
import subprocess
import sys
import zipfile

import pytest
from click.testing import CliRunner
from toy import COURSE, SOLUTION

from autograder import release
from autograder.cli import COMMANDS, main
from autograder.sandbox import why_not

needs_sandbox = pytest.mark.skipif(why_not() is not None, reason=f"no sandbox here: {why_not()}")


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setattr("autograder.course.load", lambda root=None: COURSE)
    return lambda *words: CliRunner().invoke(main, [str(w) for w in words])


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "handed in"
    (folder / "anna").mkdir(parents=True)
    (folder / "anna" / "toy.py").write_text(SOLUTION)
    (folder / "ben.ipynb").write_text(release.build(SOLUTION, COURSE["toy"], COURSE, file="x"))
    (folder / "carl.ipynb").write_text('{"cells": [')
    return folder


def test_every_command_is_there_and_explains_itself():
    for name in COMMANDS:
        assert CliRunner().invoke(main, [name, "--help"]).output.startswith(f"Usage: main {name}")


def test_help_is_quick_because_nothing_heavy_is_imported():
    code = "import sys; from autograder.cli import main; main(['-h'], standalone_mode=False); print(list(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not any(f"'{m}'" in out for m in ("numpy", "scipy", "sklearn", "matplotlib", "torch", "jinja2"))


@needs_sandbox
def test_one_file_is_a_report(run, folder):
    result = run("grade", folder / "anna" / "toy.py")
    assert result.exit_code == 0 and "toy.py  30/30  (Toy)" in result.output


@needs_sandbox
def test_a_folder_and_a_zip_are_lines_and_files(run, folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in folder.rglob("*.*"):
            archive.write(path, path.relative_to(folder))
    out = tmp_path / "out"
    for source in (folder, tmp_path / "all.zip"):
        result = run("grade", source, "--json", out / "r.json", "--csv", out / "r.csv", "--html", out / "html")
        assert result.exit_code == 0, result.output
        reports = json.loads((out / "r.json").read_text())
        assert [r["score"] for r in reports] == [30, 0, 0]
        assert [r["submission"].split("/")[-1] for r in reports] == ["toy.py", "ben.ipynb", "carl.ipynb"]
        assert "is damaged" in reports[2]["error"]
        assert (out / "r.csv").read_text().count("\n") == 4 and (out / "html" / "index.html").is_file()
        assert "   30 / 30" in result.output


@needs_sandbox
def test_json_on_standard_output_is_only_json(run, folder):
    result = CliRunner().invoke(main, ["grade", str(folder / "anna" / "toy.py"), "--json", "-"])
    assert json.loads(result.stdout)[0]["score"] == 30


@needs_sandbox
def test_check_uses_the_public_inputs(run, folder):
    result = run("check", folder / "anna" / "toy.py")
    assert result.exit_code == 0 and "30/30" in result.output


def test_what_cannot_be_done_says_why(run, folder, tmp_path, monkeypatch):
    assert "is not there" in run("grade", tmp_path / "none.ipynb").output
    (tmp_path / "empty").mkdir()
    assert "no notebook (.ipynb) or script (.py)" in run("grade", tmp_path / "empty").output
    assert "there is no lesson 'x'" in run("grade", folder, "--lesson", "x").output
    monkeypatch.setattr("autograder.sandbox.view.bwrap", lambda: None)
    result = run("grade", folder)
    assert result.exit_code == 1 and "apt-get install bubblewrap" in result.output and "--trust" in result.output
    result = run("check", folder / "anna" / "toy.py")
    assert "without the sandbox" in result.output and "30/30" in result.output
    assert "30/30" in run("grade", folder / "anna" / "toy.py", "--trust-submissions").output


def test_release_check_fails_when_notebooks_are_stale(tmp_path, monkeypatch):
    (tmp_path / "course.yml").write_text("title: x\nrepository: y\nlessons: {}\n")
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "old.ipynb").write_text("{}")
    monkeypatch.setenv("UNSEG_COURSE", str(tmp_path))
    from autograder import course

    course.load.cache_clear()
    result = CliRunner().invoke(main, ["release", "--check"])
    assert (
        result.exit_code == 1
        and "stale notebooks/old.ipynb" in result.output
        and "run `unseg release`" in result.output
    )
    assert CliRunner().invoke(main, ["release"]).exit_code == 0
    assert "up to date" in CliRunner().invoke(main, ["release", "--check"]).output
