"""The result files of one run of ``unseg grade``: whatever ends it, no finished report is lost."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import Report, html, table
from .files import write_whole

STDOUT = "-"


class Results:
    """Reports by their place in the list of submissions, and the files asked for.

    Pages are written when a submission is graded. With a JSON file every report is also noted at once in a journal
    beside it, ``FILE.part``, which `finish` replaces by the whole file. So a run that is killed goes on where it was.

    Parameters
    ----------
    submissions : names of all, in the order of the files
    json_file, csv_file : file or ``-`` for standard output; None for none
    html_folder : for the pages
    """

    def __init__(
        self,
        submissions: Sequence[str],
        *,
        json_file: str | None = None,
        csv_file: str | None = None,
        html_folder: Path | None = None,
    ):
        self.reports: dict[int, Report] = {}
        self._json, self._csv, self._html = json_file, csv_file, html_folder
        self._pages = html.file_names(submissions)
        self._journal = Journal(Path(json_file)) if json_file not in (None, STDOUT) else None

    def keep(self, place: int, report: Report) -> None:
        """Take over a report of an earlier run, which is in its files already."""
        self.reports[place] = report
        if self._html and not (self._html / self._pages[place]).exists():
            html.write_page(report, self._html / self._pages[place])

    def add(self, place: int, report: Report) -> None:
        """Take a new report; it is on the disk afterwards."""
        if self._html:
            html.write_page(report, self._html / self._pages[place])
        if self._journal:
            self._journal.add(report)
        for check in report.checks:
            check.figures.clear()  # those of hundreds of submissions would fill the memory
        self.reports[place] = report

    def finish(self) -> Path | None:
        """Write the files from all reports; the page to open first, if there are pages."""
        places = sorted(self.reports)
        reports = [self.reports[place] for place in places]
        if self._json:
            write(self._json, dumps([r.as_dict() for r in reports]))
            if self._journal:
                self._journal.remove()
        if self._csv:
            write(self._csv, table.render(reports), encoding="utf-8-sig")  # Excel takes it for Latin-1 otherwise
        if self._html:
            return html.write_index(reports, [self._pages[place] for place in places], self._html)
        return None


class Journal:
    """One line for each finished report, in ``FILE.part``."""

    def __init__(self, file: Path):
        self.path = file.with_name(file.name + ".part")

    def add(self, report: Report) -> None:
        with self.path.open("ab+") as stream:
            if stream.tell():
                stream.seek(-1, os.SEEK_END)
                if stream.read(1) != b"\n":  # the run before was ended in the middle of a line
                    stream.write(b"\n")
            stream.write(json.dumps(report.as_dict(), ensure_ascii=False).encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())

    def entries(self) -> list[dict[str, Any]]:
        """What was noted, without a line that is not whole."""
        entries = []
        lines = self.path.read_bytes().splitlines() if self.path.exists() else []
        for line in lines:
            try:
                entries.append(json.loads(line))
            except ValueError:
                continue
        return entries

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def read(file: Path) -> list[Report]:
    """Reports of a JSON file and of its journal, of which the last one counts where two are of one file.

    Raises
    ------
    ValueError
        If the file is none of ours.
    """
    entries = read_entries(file) if file.exists() else []
    reports = {}
    for entry in [*entries, *Journal(file).entries()]:
        try:
            report = Report.from_dict(entry)
        except ValueError:
            raise ValueError(f"{file} holds reports of another version of unseg grade: move it away") from None
        reports[report.submission, report.sha256] = report
    return list(reports.values())


def read_entries(file: Path) -> list[Any]:
    """The list of a JSON file of `unseg grade`; one report alone is a list of one.

    Raises
    ------
    ValueError
        If it cannot be read or is no such file.
    """
    try:
        value = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{file} cannot be read as JSON: {error}") from None
    entries = value if isinstance(value, list) else [value]
    if not all(isinstance(e, dict) and {"submission", "sha256", "seed"} <= e.keys() for e in entries):
        raise ValueError(f"{file} is no file of `unseg grade --json`")
    return entries


def dumps(value: Any) -> str:
    """JSON as in all our files: the same values give the same bytes."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def write(file: str, text: str, encoding: str = "utf-8") -> None:
    """Write to a file, whole or not at all, or to standard output."""
    if file == STDOUT:
        sys.stdout.write(text)
    else:
        write_whole(Path(file), text, encoding=encoding)
