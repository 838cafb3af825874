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
        changed = write(root, courses.load(root), check=check)
    except (ReleaseError, CourseError) as error:
        raise click.ClickException(str(error)) from None
    for path in changed:
        click.echo(f"{'stale' if check else 'wrote'} {path.relative_to(root)}")
    if check and changed:
        raise click.ClickException("notebooks/ differs from solutions/: run `unseg release`")
    if not changed:
        click.echo("notebooks/ is up to date")
