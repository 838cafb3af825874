"""``unseg serve``."""

from __future__ import annotations

from pathlib import Path

import click

from .. import course as courses


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535))
@click.option("--book", type=click.Path(file_okay=False, path_type=Path), help="Folder of the built book.")
def serve(host: str, port: int, book: Path | None) -> None:
    """Serve the built book."""
    import uvicorn

    from ..portal.app import create_app

    folder = book or courses.find_root() / "_build" / "html"
    if not (folder / "index.html").is_file():
        raise click.ClickException(f"there is no built book in {folder}: run `make book`")
    click.echo(f"The course is at http://{host}:{port} (Ctrl-C ends it)")
    try:
        uvicorn.run(create_app(folder), host=host, port=port, log_level="warning")
    except OSError as error:
        raise click.ClickException(f"port {port} cannot be used ({error.strerror}); try --port {port + 1}") from None
