"""``unseg release``."""

from __future__ import annotations

import click

from .. import course as courses
from ..course import CourseError


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail if a notebook is not up to date.")
def release(check: bool) -> None:
    """Write notebooks/ from solutions/, without the answers."""
    from ..release import ReleaseError, write

    root = courses.find_root()
    try:
        course = courses.load(root)
        changed = write(root, course, check=check)
    except (ReleaseError, CourseError) as error:
        raise click.ClickException(str(error)) from None
    for path in changed:
        done = "stale" if check else "wrote"
        name = path.relative_to(root)
        click.echo(
            f"{done} {name}" if path.stem in course.lessons else f"{name} is no lesson: remove it if it is not needed"
        )
    if check and changed:
        raise click.ClickException("notebooks/ differs from solutions/: run `unseg release`")
    if not changed:
        click.echo("notebooks/ is up to date")
