"""Result files: what is done is on the disk, whole, whatever happens next."""

import csv
import json
import os

import pytest

from autograder.report import Report, results
from autograder.report.files import write_whole


def report(name="a.py", sha="0", **options):
    return Report(name, sha256=sha * 64, provenance={"checks": "0" * 16}, **options)


@pytest.fixture
def files(tmp_path):
    return {"json_file": str(tmp_path / "r.json"), "csv_file": str(tmp_path / "r.csv"), "html_folder": tmp_path / "h"}


def test_files_are_in_the_order_of_the_list_not_of_grading(files):
    output = results.Results(["a.py", "b.py"], **files)
    output.add(1, report("b.py"))
    output.add(0, report("a.py"))
    assert output.finish() == files["html_folder"] / "index.html"
    assert [r["submission"] for r in json.loads(open(files["json_file"]).read())] == ["a.py", "b.py"]
    with open(files["csv_file"], encoding="utf-8-sig") as stream:
        assert [row["submission"] for row in csv.DictReader(stream)] == ["a.py", "b.py"]
    index = (files["html_folder"] / "index.html").read_text()
    assert index.index("a.py.html") < index.index("b.py.html")


def test_a_spreadsheet_sees_that_the_table_is_utf8(files):
    output = results.Results(["张伟.py"], **files)
    output.add(0, report("张伟.py"))
    output.finish()
    assert open(files["csv_file"], "rb").read().startswith("\ufeffsubmission".encode())


def test_a_report_is_on_the_disk_when_it_is_added(files, tmp_path):
    output = results.Results(["a.py", "b.py"], **files)
    output.add(1, report("b.py"))
    assert (files["html_folder"] / "b.py.html").is_file() and not (tmp_path / "r.json").exists()
    assert [r.submission for r in results.read(tmp_path / "r.json")] == ["b.py"]
    output.finish()
    assert not (tmp_path / "r.json.part").exists()
    assert [r.submission for r in results.read(tmp_path / "r.json")] == ["b.py"]


def test_half_a_line_of_the_journal_is_ignored_and_the_next_one_is_whole(tmp_path):
    journal = results.Journal(tmp_path / "r.json")
    for name in ("a.py", "b.py"):
        journal.add(report(name))
    data = journal.path.read_bytes()
    for end in range(len(data) // 2 + 2, len(data) - 1, 7):  # wherever the second line breaks off
        journal.path.write_bytes(data[:end])
        journal.add(report("c.py"))
        assert [r.submission for r in results.read(tmp_path / "r.json")] == ["a.py", "c.py"]


def test_the_last_report_of_a_file_counts(tmp_path):
    journal = results.Journal(tmp_path / "r.json")
    journal.add(report(graded=False, error="lost"))
    journal.add(report(notes=["second"]))
    journal.add(report(sha="1"))
    assert [(r.sha256[0], r.notes) for r in results.read(tmp_path / "r.json")] == [("0", ["second"]), ("1", [])]


@pytest.mark.parametrize("text", ["", "{", "7", '["a"]', '[{"submission": "a.py"}]', "[" * 100_000])
def test_a_file_that_is_none_of_ours_is_refused(tmp_path, text):
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(ValueError, match="cannot be read as JSON|no file of `unseg grade"):
        results.read(tmp_path / "r.json")


def test_pages_of_an_earlier_run_stay_as_they_are(files):
    files["html_folder"].mkdir()
    (files["html_folder"] / "a.py.html").write_text("with figures")
    output = results.Results(["a.py", "b.py"], **files)
    output.keep(0, report("a.py"))
    output.keep(1, report("b.py"))
    output.finish()
    assert (files["html_folder"] / "a.py.html").read_text() == "with figures"
    assert "b.py" in (files["html_folder"] / "b.py.html").read_text()


def test_a_file_is_whole_or_as_before(tmp_path, monkeypatch):
    path = tmp_path / "r.csv"
    write_whole(path, "before")
    monkeypatch.setattr(os, "fsync", lambda fd: (_ for _ in ()).throw(OSError("no space left")))
    with pytest.raises(OSError, match="no space"):
        write_whole(path, "after")
    assert path.read_text() == "before" and [p.name for p in tmp_path.iterdir()] == ["r.csv"]


def test_a_link_stays_a_link_and_a_pipe_a_pipe(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_whole(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "target").read_text() == "text"
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_whole(tmp_path / "pipe", "text")
    assert os.read(reader, 10) == b"text"
    os.close(reader)
