"""The web application. So far it serves the book; submissions and reports join it here."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles


def create_app(book: Path) -> Starlette:
    """Build the app around the folder of the built book."""
    return Starlette(routes=[Mount("/", StaticFiles(directory=book, html=True), name="book")])
