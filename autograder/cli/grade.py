"""``unseg grade``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from .. import course as courses
from ..course import CourseError
from ..report import Report, number


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--lesson", help="Lesson of all submissions; found from each one's content otherwise.")
@click.option(
    "--json", "json_file", type=click.Path(dir_okay=False), help="Write all reports as JSON ('-': to stdout)."
)
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False), help="Write a table with one row a submission.")
@click.option(
    "--html", "html_folder", type=click.Path(file_okay=False, path_type=Path), help="Write pages with figures."
)
@click.option("--seed", type=click.IntRange(0, 2**53), help="Seed of the hidden inputs; fresh and secret otherwise.")
@click.option("--trust-submissions", is_flag=True, help="Run them without the sandbox, with all your rights.")
def grade(paths, lesson, json_file, csv_file, html_folder, seed, trust_submissions) -> None:
    """Grade files, folders, or zips of folders. The exit status is 0 when grading worked, whatever the score."""
    from ..grading import grade_all
    from ..report import html, table, terminal
    from ..sandbox import SandboxUnavailable
    from ..submission import BadSubmission, find

    if json_file == "-" and csv_file == "-":
        raise click.UsageError("only one of --json and --csv can go to standard output")
    quiet = json_file == "-" or csv_file == "-"
    skipped: list[str] = []
    try:
        course = courses.load(courses.find_root())
        if lesson is not None:
            lesson = course[lesson].id
        sources = find(paths, skipped)
    except (CourseError, BadSubmission) as error:
        raise click.ClickException(str(error)) from None
    if skipped:
        click.echo(_skipped(skipped), err=True)
    if not sources:
        raise click.ClickException("no notebook (.ipynb) or script (.py) there")
    for target in (json_file, csv_file, html_folder and html_folder / "index.html"):
        _refuse_unwritable(target)  # now, not after an hour of grading

    reports: list[Report] = []
    failure = None
    graded = grade_all(sources, course, lesson=lesson, seed=seed, isolated=not trust_submissions)
    with _progress(len(sources)) as (advance, echo):
        try:
            for report in graded:
                reports.append(report)
                if not quiet and len(sources) == 1:
                    echo(terminal.render(report, color=sys.stdout.isatty()))
                elif not quiet:
                    echo(_line(report))
                advance()
        except KeyboardInterrupt:
            failure = "interrupted"
        except CourseError as error:
            failure = str(error)
        except SandboxUnavailable as error:
            failure = (
                f"{error}. Submissions are not graded without isolation; "
                "--trust-submissions runs them with all your rights"
            )
    if reports:  # also those before a failure
        if json_file:
            _write(json_file, json.dumps([r.as_dict() for r in reports], indent=2, ensure_ascii=False) + "\n")
        if csv_file:
            _write(csv_file, table.render(reports))
        if html_folder:
            click.echo(f"open {html.write(reports, html_folder)}", err=True)
    if failure:
        left = len(sources) - len(reports)
        raise click.ClickException(failure + (f" ({left} of {len(sources)} not graded)" if reports else ""))
    if len(sources) > 1:
        unread = sum(r.error is not None for r in reports)
        click.echo(
            f"{len(reports)} submissions" + (f", {unread} with an error, so not graded" if unread else ""), err=True
        )


@contextmanager
def _progress(count: int) -> Iterator[tuple[Callable[[], object], Callable[[str], object]]]:
    """What to call after each submission, and to print a line: above the bar where there is one."""
    if count < 3 or not sys.stderr.isatty():
        yield lambda: None, click.echo
        return
    from tqdm import tqdm

    with tqdm(total=count, unit="submission", leave=False) as bar:
        yield bar.update, bar.write


def _skipped(names: list[str], most: int = 5) -> str:
    from ..report import line

    shown = ", ".join(line(n) for n in names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
    return f"Skipped, neither a notebook nor a script: {shown}"


def _line(report: Report) -> str:
    from ..report import line

    points = f"{number(report.score):>5} / {number(report.max_score)}"
    return f"{points}  {line(report.submission)}" + (f"  {line(report.error)}" if report.error else "")


def _refuse_unwritable(target: str | Path | None) -> None:
    if target is None or str(target) == "-":
        return
    path = Path(target)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not path.exists()
        path.open("a").close()
        if is_new:
            path.unlink()
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from None


def _write(file: str, text: str) -> None:
    if file == "-":
        sys.stdout.write(text)
    else:
        Path(file).write_text(text, encoding="utf-8")
