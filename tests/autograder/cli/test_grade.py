"""`unseg grade`, `check`, `release` as they are typed."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from toy import COURSE, SOLUTION

from autograder import grading, release
from autograder.cli import COMMANDS, main
from autograder.report.results import Journal
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
        rows = list(csv.DictReader((out / "r.csv").read_text(encoding="utf-8-sig").splitlines()))
        assert [row["score"] for row in rows] == ["30.0", "0.0", "0"] and (out / "html" / "index.html").is_file()
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
    assert result.exit_code == 1
    assert "interrupted (2 of 3 not graded; the same command with --resume grades only those)" in result.output
    assert [r["score"] for r in json.loads((tmp_path / "r.json").read_text())] == [30]
    monkeypatch.setattr(grading, "grade", real)
    result = run("grade", folder, "--json", tmp_path / "r.json", "--resume")
    assert result.exit_code == 0 and "1 of 3 are graded already" in result.output and "toy.py" not in result.stdout
    assert [r["score"] for r in json.loads((tmp_path / "r.json").read_text())] == [30, 0, 0]


@needs_sandbox
def test_files_that_are_not_graded_are_counted(run, folder):
    (folder / "anna" / "essay.pdf").write_text("%PDF")
    result = run("grade", folder)
    assert "Skipped, neither a notebook nor a script: anna/essay.pdf" in result.output
    assert "3 submissions in " in result.output and "1 with an error in the file" in result.output
    assert "00_toy: 2, mean 15, median 15 of 30 points." in result.output


def test_results_that_could_not_be_written_are_refused_before_grading(run, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(grading, "grade", None)
    (tmp_path / "file").write_text("")
    for option in ("--json", "--csv", "--html"):
        result = run("grade", folder, option, tmp_path / "file" / "out")
        assert result.exit_code == 1 and "cannot be written" in result.output
    result = run("grade", folder, "--json", "-", "--csv", "-")
    assert result.exit_code == 2 and "only one of --json and --csv" in result.output


@needs_sandbox
def test_resume_grades_what_has_changed_and_throws_nothing_away(run, folder, tmp_path, monkeypatch):
    json_file = tmp_path / "r.json"
    run("grade", folder, "--json", json_file)
    first = json.loads(json_file.read_text())
    (folder / "ben.ipynb").write_text("{}")  # handed in again
    (folder / "carl.ipynb").unlink()
    (folder / "dora.py").write_text(SOLUTION)
    result = run("grade", folder, "--json", json_file, "--resume")
    assert "1 of 3 are graded already; 1 of files that are not there now are kept, too." in result.output
    second = json.loads(json_file.read_text())
    assert [r["submission"] for r in second] == ["anna/toy.py", "ben.ipynb", "dora.py", "carl.ipynb"]
    assert second[0] == first[0] and second[3] == first[2] and second[1]["sha256"] != first[1]["sha256"]
    monkeypatch.setattr(grading, "grade", None)
    assert "3 of 3 are graded already" in run("grade", folder, "--json", json_file, "--resume").output
    assert json.loads(json_file.read_text()) == second


@needs_sandbox
@pytest.mark.parametrize("change", [{"seed": 7}, {"checks": "0" * 16}, {"score": None, "error": "lost", "checks": []}])
def test_resume_repeats_what_was_graded_otherwise_or_not_at_all(run, folder, tmp_path, change):
    path, json_file = folder / "anna" / "toy.py", tmp_path / "r.json"
    run("grade", path, "--json", json_file, "--seed", 1)
    reports = json.loads(json_file.read_text())
    if "score" not in change and "checks" in change:
        reports[0]["provenance"] |= change
    else:
        reports[0] |= change
    json_file.write_text(json.dumps(reports))
    result = run("grade", path, "--json", json_file, "--seed", 1, "--resume")
    assert "0 of 1 are graded already" in result.output and "30/30" in result.output


@needs_sandbox
def test_what_the_grader_failed_at_has_no_score_and_is_taken_up_again(run, folder, tmp_path, monkeypatch):
    real = grading.run_all
    monkeypatch.setattr(grading, "run_all", lambda *a, **k: 1 / 0)
    files = ("--json", tmp_path / "r.json", "--csv", tmp_path / "r.csv", "--html", tmp_path / "h")
    result = run("grade", folder, *files)
    assert (
        result.exit_code == 1
        and "2 could not be graded (no score, costs nobody anything): anna/toy.py" in result.output
    )
    assert "not all could be graded; the same command with --resume grades only those" in result.output
    assert "    - / 100  anna/toy.py  could not be graded" in result.output
    assert [r["score"] for r in json.loads((tmp_path / "r.json").read_text())] == [None, None, 0]
    rows = list(csv.DictReader((tmp_path / "r.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert [row["score"] for row in rows] == ["", "", "0"]
    assert "not graded yet" in (tmp_path / "h" / "anna_toy.py.html").read_text()
    monkeypatch.setattr(grading, "run_all", real)
    result = run("grade", folder, *files, "--resume")
    assert result.exit_code == 0 and "1 of 3 are graded already" in result.output
    assert [r["score"] for r in json.loads((tmp_path / "r.json").read_text())] == [30, 0, 0]
    assert "30 of 30 points" in (tmp_path / "h" / "anna_toy.py.html").read_text()


class Batch:
    """`unseg grade` of eight submissions as a process of its own, to be interrupted."""

    names = [f"s{i}.py" for i in range(8)]

    def __init__(self, folder, workers):
        (folder / "in").mkdir()
        for name in self.names:
            (folder / "in" / name).write_text(SOLUTION)
        script = "from toy import COURSE\nimport autograder.course as c\nc.load = lambda root=None: COURSE\n"
        script += "from autograder.cli import main\nif __name__ == '__main__':\n    main()\n"
        (folder / "unseg.py").write_text(script)
        self.json, self.pages, self.part = folder / "r.json", folder / "h", folder / "r.json.part"
        self.command = [sys.executable, folder / "unseg.py", "grade", folder / "in", "--workers", str(workers)]
        self.command += ["--json", self.json, "--html", self.pages]
        tests = Path(__file__).parents[2]
        self.settings = os.environ | {"PYTHONPATH": os.pathsep.join([str(tests.parent), str(tests)])}

    def stop_after_three(self, signal_number):
        """Start it, send the signal to all its processes as a terminal does; what it said."""
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "start_new_session": True}
        process = subprocess.Popen(self.command, env=self.settings, **options)
        while process.poll() is None and not (self.part.exists() and self.part.read_bytes().count(b"\n") >= 3):
            time.sleep(0.02)
        (process.kill if signal_number == signal.SIGKILL else lambda: os.killpg(process.pid, signal_number))()
        return process.communicate()[0], process.returncode

    def run(self, *words):
        return subprocess.run([*self.command, *words], env=self.settings, capture_output=True, text=True)


@needs_sandbox
@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_run_goes_on_where_it_was_and_grades_nothing_twice(tmp_path, workers):
    """SIGKILL in the middle; what had been graded is there, with its page, and is not graded again."""
    if workers > 1:
        pytest.importorskip("distributed")
    run = Batch(tmp_path, workers)
    run.stop_after_three(signal.SIGKILL)
    done = [json.loads(text) for text in run.part.read_text().splitlines() if text.endswith("}")]
    assert 3 <= len(done) < 8 and not run.json.exists()
    assert all((run.pages / f"{r['submission']}.html").is_file() for r in done)
    again = run.run()
    assert again.returncode == 1 and "r.json.part holds results of a run that was broken off" in again.stderr
    resumed = run.run("--resume")
    assert resumed.returncode == 0 and f"{len(done)} of 8 are graded already" in resumed.stderr, resumed.stderr
    graded_now = sorted(text.split()[-1] for text in resumed.stdout.splitlines())
    assert graded_now == sorted(set(run.names) - {r["submission"] for r in done})
    reports = json.loads(run.json.read_text())
    assert [(r["submission"], r["score"]) for r in reports] == [(name, 30) for name in run.names]
    assert [r for r in reports if r["submission"] not in graded_now] == sorted(done, key=lambda r: r["submission"])
    assert not run.part.exists() and len(list(run.pages.iterdir())) == 9


@needs_sandbox
def test_control_c_with_workers_keeps_what_is_done_and_says_so_without_noise(tmp_path):
    pytest.importorskip("distributed")
    run = Batch(tmp_path, 2)
    said, status = run.stop_after_three(signal.SIGINT)
    reports = json.loads(run.json.read_text())
    assert status == 1 and 3 <= len(reports) < 8 and not run.part.exists()
    assert f"interrupted ({8 - len(reports)} of 8 not graded; the same command with --resume" in said
    assert "Traceback" not in said and all("30 / 30" in text for text in said.splitlines()[: len(reports)])


@needs_sandbox
def test_control_c_while_a_result_is_written_loses_nothing(run, folder, tmp_path, monkeypatch):
    write, json_file = Journal.add, tmp_path / "r.json"

    def interrupted(self, report):
        write(self, report)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Journal, "add", interrupted)
    result = run("grade", folder, "--json", json_file)
    assert result.exit_code == 1 and "interrupted" in result.output
    assert len(json.loads(json_file.read_text())) == 1 and not json_file.with_name("r.json.part").exists()


@needs_sandbox
def test_replay_says_the_same_or_what_differs(run, folder, tmp_path):
    one, json_file, again = folder / "anna" / "toy.py", tmp_path / "r.json", tmp_path / "again.json"
    run("grade", one, "--json", json_file)
    result = run("grade", "--replay", json_file, one, "--json", again, "--html", tmp_path / "h")
    assert result.exit_code == 0 and "the same report: 30/30, seed " in result.output
    assert again.read_bytes() == json_file.read_bytes() and (tmp_path / "h" / "toy.py.html").is_file()
    report = json.loads(json_file.read_text())
    report[0]["checks"][0]["points"], report[0]["score"], report[0]["provenance"]["checks"] = 1.0, 27.0, "0" * 16
    json_file.write_text(json.dumps(report))
    result = run("grade", "--replay", json_file, one, "--json", "-")
    assert result.exit_code == 1 and json.loads(result.stdout)[0]["score"] == 30
    lines = result.stderr.splitlines()
    assert lines[0].startswith("The judge or the machine is another one") and lines[1].startswith("  checks: 0000")
    assert lines[2:] == ["2 differences:", "  score: 27 then, 30 now", "  toy.double.doubles: 1 points then, 4 now"]
    one.write_text(SOLUTION + "\n")
    result = run("grade", "--replay", json_file, one)
    assert result.exit_code == 2 and "Has it been changed?" in result.output


@needs_sandbox
def test_replay_of_time_that_ran_out_speaks_of_the_machine(run, folder, tmp_path):
    one, json_file = folder / "anna" / "toy.py", tmp_path / "r.json"
    one.write_text(SOLUTION.replace("doubled_values = double(x)", "while True: pass"))
    run("grade", one, "--json", json_file)
    report = json.loads(json_file.read_text())
    report[0]["checks"][0]["hint"] = "another"
    json_file.write_text(json.dumps(report))
    assert "depends on the machine" in run("grade", "--replay", json_file, one).output


def test_options_that_do_not_go_together_are_refused(run, folder, tmp_path):
    (tmp_path / "r.json").write_text("[]")
    for words, message in (
        (["--workers", 2, "--scheduler", "tcp://x:1"], "--workers is for this machine"),
        (["--resume"], "--resume needs --json FILE"),
        (["--resume", "--json", "-"], "--resume needs --json FILE"),
        (["--replay", tmp_path / "r.json", "--seed", 1], "--replay takes one notebook"),
        (["--replay", tmp_path / "r.json", folder], "--replay takes one notebook"),
        (["--workers", 0], "0 is not in the range"),
    ):
        result = run("grade", folder, *words)
        assert result.exit_code == 2 and message in result.output


def test_resume_refuses_a_file_that_is_none_of_ours(run, folder, tmp_path):
    (tmp_path / "r.json").write_text("precious")
    result = run("grade", folder, "--json", tmp_path / "r.json", "--resume")
    assert result.exit_code == 1 and "cannot be read as JSON" in result.output
    assert (tmp_path / "r.json").read_text() == "precious"


def test_one_process_needs_no_dask(folder, tmp_path):
    code = "import sys; from autograder.cli import main; main(['grade', *sys.argv[1:]], standalone_mode=False)"
    code += "; print([m for m in ('dask', 'distributed') if m in sys.modules])"
    words = [sys.executable, "-c", code, folder / "carl.ipynb", "--workers", "1"]
    out = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"


def test_many_submissions_are_told_of_workers(run, tmp_path, monkeypatch):
    for i in range(20):
        (tmp_path / f"{i}.ipynb").write_text("{")
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert "--workers 4 would grade 4 at once" in run("grade", tmp_path).output


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
