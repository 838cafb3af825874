"""``unseg check``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .. import course as courses
from ..course import CourseError


@click.command()
@click.argument("notebook", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--lesson", help="Which lesson it is; found from its content otherwise.")
@click.option(
    "--html", "html_folder", type=click.Path(file_okay=False, path_type=Path), help="Write a page with figures."
)
def check(notebook: Path, lesson: str | None, html_folder: Path | None) -> None:
    """Check your notebook as grading will, on the inputs of `check(...)`; grading draws other ones of the same kind."""
    from ..grading import PUBLIC_SEED, grade
    from ..report import html, line, terminal
    from ..sandbox import why_not
    from ..submission import BadSubmission, Source

    missing = why_not()
    if missing:
        click.echo(f"Running your code without the sandbox ({missing}).", err=True)
    try:
        course = courses.load(courses.find_root())
        data = Source(notebook.name, notebook).load()
        report = grade(data, notebook.name, course, lesson=lesson, seed=PUBLIC_SEED, isolated=missing is None)
    except (CourseError, BadSubmission) as error:
        raise click.ClickException(line(str(error))) from None
    click.echo(terminal.render(report, color=sys.stdout.isatty()))
    if html_folder:
        click.echo(f"open {html.write([report], html_folder)}")
    if report.error:
        sys.exit(1)
