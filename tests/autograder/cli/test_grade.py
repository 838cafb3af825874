"""`unseg grade`, `check`, `release` as they are typed."""

import json
import subprocess
import sys
import zipfile

import pytest
from click.testing import CliRunner
from toy import COURSE, SOLUTION

from autograder import grading, release
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
def test_what_was_graded_before_an_interruption_is_kept(run, folder, tmp_path, monkeypatch):
    real = grading.grade

    def grade(data, name, *args, **options):
        if name == "ben.ipynb":
            raise KeyboardInterrupt
        return real(data, name, *args, **options)

    monkeypatch.setattr(grading, "grade", grade)
    result = run("grade", folder, "--json", tmp_path / "r.json", "--csv", tmp_path / "r.csv")
    assert result.exit_code == 1 and "interrupted (2 of 3 not graded)" in result.output
    assert [r["score"] for r in json.loads((tmp_path / "r.json").read_text())] == [30]


@needs_sandbox
def test_files_that_are_not_graded_are_counted(run, folder):
    (folder / "anna" / "essay.pdf").write_text("%PDF")
    result = run("grade", folder)
    assert "Skipped, neither a notebook nor a script: anna/essay.pdf" in result.output
    assert "3 submissions, 1 with an error" in result.output


def test_results_that_could_not_be_written_are_refused_before_grading(run, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(grading, "grade", None)
    (tmp_path / "file").write_text("")
    for option in ("--json", "--csv", "--html"):
        result = run("grade", folder, option, tmp_path / "file" / "out")
        assert result.exit_code == 1 and "cannot be written" in result.output
    result = run("grade", folder, "--json", "-", "--csv", "-")
    assert result.exit_code == 2 and "only one of --json and --csv" in result.output


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


def test_release_check_fails_when_notebooks_are_stale(run, tmp_path, monkeypatch):
    monkeypatch.setattr("autograder.course.find_root", lambda: tmp_path)
    for name in ("solutions", "notebooks"):
        (tmp_path / name).mkdir()
    (tmp_path / "solutions" / "00_toy.py").write_text(SOLUTION)
    result = run("release", "--check")
    assert result.exit_code == 1 and "stale notebooks/00_toy.ipynb" in result.output
    assert "run `unseg release`" in result.output
    assert run("release").output == "wrote notebooks/00_toy.ipynb\n"
    assert run("release", "--check").output == "notebooks/ is up to date\n"
    (tmp_path / "notebooks" / "99_old.ipynb").write_text("{}")
    result = run("release", "--check")
    assert result.exit_code == 1 and "notebooks/99_old.ipynb is no lesson" in result.output
