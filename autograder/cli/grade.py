"""``unseg grade``."""

from __future__ import annotations

import json
import sys
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

    quiet = json_file == "-" or csv_file == "-"
    try:
        course = courses.load(courses.find_root())
        if lesson is not None:
            lesson = course[lesson].id
        sources = find(paths)
        if not sources:
            raise click.ClickException("no notebook (.ipynb) or script (.py) there")
        reports: list[Report] = []
        graded = grade_all(sources, course, lesson=lesson, seed=seed, isolated=not trust_submissions)
        for report in _with_progress(graded, len(sources)):
            reports.append(report)
            if not quiet and len(sources) == 1:
                click.echo(terminal.render(report, color=sys.stdout.isatty()))
            elif not quiet:
                click.echo(_line(report))
    except (CourseError, BadSubmission) as error:
        raise click.ClickException(str(error)) from None
    except SandboxUnavailable as error:
        raise click.ClickException(
            f"{error}. Submissions are not graded without isolation; --trust-submissions runs them with all your rights"
        ) from None
    if json_file:
        _write(json_file, json.dumps([r.as_dict() for r in reports], indent=2, ensure_ascii=False) + "\n")
    if csv_file:
        _write(csv_file, table.render(reports))
    if html_folder:
        first = html.write(reports, html_folder)
        click.echo(f"open {first}", err=True)


def _with_progress(reports, count):
    if count < 3 or not sys.stderr.isatty():
        return reports
    from tqdm import tqdm

    return tqdm(reports, total=count, unit="submission")


def _line(report: Report) -> str:
    from ..report import plain

    points = f"{number(report.score):>5} / {number(report.max_score)}"
    return f"{points}  {plain(report.submission)}" + (f"  {plain(report.error)}" if report.error else "")


def _write(file: str, text: str) -> None:
    if file == "-":
        sys.stdout.write(text)
    else:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text(text, encoding="utf-8")
