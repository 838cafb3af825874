"""The book over HTTP, and what `unseg serve` says when it cannot."""

import socket
import threading
import time
import urllib.error
import urllib.request

import pytest
import uvicorn
from click.testing import CliRunner

from autograder.cli import main
from autograder.portal.app import create_app


@pytest.fixture
def book(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "index.html").write_text("<h1>Home</h1>")
    (tmp_path / "book" / "02_kmeans.html").write_text("<h1>k-means</h1>")
    return tmp_path


@pytest.fixture
def address(book):
    server = uvicorn.Server(uvicorn.Config(create_app(book), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    host, port = server.servers[0].sockets[0].getsockname()
    yield f"http://{host}:{port}"
    server.should_exit = True
    thread.join()


def get(url):
    with urllib.request.urlopen(url) as answer:
        return answer.read().decode()


def test_pages_are_served(address):
    assert get(f"{address}/") == "<h1>Home</h1>"
    assert get(f"{address}/book/02_kmeans.html") == "<h1>k-means</h1>"


@pytest.mark.parametrize("path", ["/none.html", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd"])
def test_nothing_else_is_served(address, path):
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get(address + path)


def test_without_a_book_it_says_how_to_build_one(tmp_path):
    result = CliRunner().invoke(main, ["serve", "--book", str(tmp_path)])
    assert result.exit_code == 1 and "run `make book`" in result.output


def test_a_port_in_use_is_named(book):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = CliRunner().invoke(main, ["serve", "--book", str(book), "--port", str(port)])
    assert result.exit_code != 0 and f"port {port} of 127.0.0.1 cannot be used" in result.output
