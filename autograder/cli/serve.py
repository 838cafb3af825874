"""``unseg serve``."""

from __future__ import annotations

import socket
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
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        raise click.ClickException(
            f"port {port} of {host} cannot be used ({error.strerror}); try another one, as in --port {port + 1}"
        ) from None
    click.echo(f"The course is at http://{host}:{listener.getsockname()[1]} (Ctrl-C ends it)")
    uvicorn.Server(uvicorn.Config(create_app(folder), log_level="warning")).run(sockets=[listener])
