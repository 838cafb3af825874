"""The built book holds together: every link inside it leads somewhere, and no page names another computer's script."""

import os
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

pytestmark = pytest.mark.book

LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "video": "src"}
LOADING_RELATIONS = {"stylesheet", "icon", "preload", "prefetch", "modulepreload", "preconnect", "dns-prefetch"}


class Page(HTMLParser):
    """Links, anchors and loaded files of one page."""

    def __init__(self):
        super().__init__()
        self.links, self.anchors, self.loads = [], set(), []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.anchors |= {attrs[name] for name in ("id", "name") if attrs.get(name)}
        if tag == "a" and attrs.get("href"):
            self.links.append(attrs["href"])
        if tag == "link" and not LOADING_RELATIONS & set((attrs.get("rel") or "").split()):
            return
        if attrs.get(LOADED.get(tag, "")):
            self.loads.append(attrs[LOADED[tag]])


@pytest.fixture(scope="module")
def book(root) -> dict[Path, Page]:
    """Every page by its path."""
    top = Path(os.environ.get("UNSEG_BOOK", root / "_build" / "html"))
    if not (top / "index.html").is_file():
        pytest.skip("the book is not built: run `make book`")
    found = {}
    for path in sorted(top.resolve().rglob("*.html")):
        if "_static" not in path.parts and "_sources" not in path.parts:
            page = Page()
            page.feed(path.read_text(encoding="utf-8"))
            found[path] = page
    return found


def test_links_inside_the_book_lead_somewhere(book):
    broken = []
    for path, page in book.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target = target / "index.html"
            if not target.exists():
                broken.append(f"{path.name}: {link}")
            elif parts.fragment and target in book and unquote(parts.fragment) not in book[target].anchors:
                broken.append(f"{path.name}: {link} (no such place on that page)")
    assert broken == []


def test_pages_load_files_of_the_book_only(book):
    outside, missing = [], []
    for path, page in book.items():
        for file in page.loads:
            parts = urlsplit(file)
            if parts.scheme == "data":
                continue
            if parts.scheme or parts.netloc:
                outside.append(f"{path.name}: {file}")
            elif not (path.parent / unquote(parts.path)).exists():
                missing.append(f"{path.name}: {file}")
    assert (outside, missing) == ([], [])


def test_styles_load_files_of_the_book_only(book):
    top = next(path for path in book if path.name == "search.html").parent
    outside = [
        f"{path.name}: {url}"
        for path in top.rglob("*.css")
        for url in re.findall(
            r"(?:url\(|@import\s+)['\"]?((?:https?:)?//[^'\")\s]+)", path.read_text("utf-8", "replace")
        )
    ]
    assert outside == []


def test_no_solution_is_published(book):
    top = next(path for path in book if path.name == "search.html").parent
    texts = [p for p in top.rglob("*") if p.is_file() and p.suffix in (".html", ".ipynb", ".txt", ".md", ".py")]
    assert texts
    marked = [p.name for p in texts if "_static" not in p.parts and "BEGIN SOLUTION" in p.read_text("utf-8", "replace")]
    # The guides explain the markers; an exercise page or its notebook must not hold any.
    assert [name for name in marked if not name.startswith(("instructor", "contributor"))] == []
