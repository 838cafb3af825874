"""The built book in a headless Chromium, served from this machine, with every other computer out of reach."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BOOK = Path(os.environ.get("UNSEG_BOOK", ROOT / "_build" / "html"))


def pages() -> list[str]:
    """Every page of the built book, as a path below its root; empty where the book is not built."""
    if not (BOOK / "index.html").is_file():
        return []
    inner = (path.relative_to(BOOK) for path in BOOK.rglob("*.html"))
    kept = (path for path in inner if path.parts[0] not in ("_static", "_sources", "_images"))
    return sorted(path.as_posix() for path in kept if path.as_posix() != "index.html")  # which only leads to the first


def pytest_generate_tests(metafunc):
    """A test with the argument `path` runs once for each page; once, to be skipped, where there is none.

    The scope has pytest run all tests of a page one after another, so that they can share the open page.
    """
    if "path" in metafunc.fixturenames:
        metafunc.parametrize("path", pages() or [pytest.param("", id="book not built")], scope="module")


@pytest.fixture(scope="session")
def address():
    """Address of a server of the built book; it lives as long as the tests."""
    if not pages():
        pytest.skip(f"the book is not built ({BOOK.name}/index.html is not there): run `make book`")

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(BOOK)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Visit:
    """A page and all that went wrong while it was open."""

    page: object
    address: str
    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def open(self, path: str) -> Visit:
        """Go there and wait until the page is loaded and formulas and interactive figures are drawn."""
        self.page.goto(self.address + path, wait_until="load")
        self.page.evaluate("() => window.MathJax && MathJax.startup && MathJax.startup.promise")
        self.page.wait_for_function(
            "() => [...document.querySelectorAll('.unseg-plot [role=group]')].every(b => b.dataset.ready)"
        )
        return self


@pytest.fixture(scope="session")
def contexts(chromium):
    """One browser profile for each kind of screen, so that scripts are read once and not for each page."""
    made = {}

    def context(width: int, height: int, dark: bool):
        key = (width, height, dark)
        if key not in made:
            scheme = "dark" if dark else "light"
            made[key] = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        return made[key]

    yield context
    for one in made.values():
        one.close()


@pytest.fixture(scope="module")
def visit(contexts, address):
    """Make a Visit: `visit(width=390)`; what the page asks of other computers is recorded and does not arrive."""
    opened = []

    def make(*, width: int = 1280, height: int = 900, dark: bool = False) -> Visit:
        page = contexts(width, height, dark).new_page()
        opened.append(page)
        page.set_default_timeout(60_000)  # a busy machine is slow
        made = Visit(page, address)
        here = (address, "data:", "blob:", "about:")
        page.on("request", lambda asked: None if asked.url.startswith(here) else made.outside.append(asked.url))
        page.on("console", lambda said: made.errors.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: made.errors.append(str(error)))
        page.on("requestfailed", lambda asked: made.failed.append(f"{asked.failure} {asked.url}"))
        page.on(
            "response",
            lambda answer: made.failed.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None,
        )
        return made

    yield make
    for page in opened:
        page.close()


@pytest.fixture(scope="module")
def desktop(visit, path):
    """The page on a wide light screen."""
    seen = visit().open(path)
    yield seen
    seen.page.close()


@pytest.fixture(scope="module")
def phone(visit, path):
    """The page on a narrow dark screen."""
    seen = visit(width=390, height=844, dark=True).open(path)
    yield seen
    seen.page.close()


@pytest.fixture(scope="session")
def book_pages(address) -> list[str]:
    """Every page of the built book, as a path below its root."""
    return pages()
