"""Fixtures that every test may use: `seed`, `data_dir`, `root` and `chromium`."""

import os
import shutil
from pathlib import Path

import pytest

collect_ignore = ["toy"]  # a lesson for tests, not a test

SEEDS = (0, 1, 7, 20_240_501)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # No name but this machine's is found, so that nothing leaves it; what a page asks for is recorded all the same.
    # (Playwright's own interception would also switch the browser's cache off, and each page would load 6 MB again.)
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


@pytest.fixture(params=SEEDS, ids=lambda seed: f"seed{seed}")
def seed(request) -> int:
    """Run a random test once for each seed: a law that holds must hold for all of them."""
    return request.param


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """A folder for cached features that all processes of this test run share, and no other run."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNSEG_CACHE", str(folder / "unseg-cache"))
        yield


@pytest.fixture(scope="session")
def root() -> Path:
    """The root folder of the repository."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with the real image packs; skips the test where there is none."""
    folder = os.environ.get("UNSEG_DATA", "")
    if not folder:
        pytest.skip("UNSEG_DATA is not set: no real image packs on this machine")
    if not Path(folder).is_dir():
        pytest.skip(f"UNSEG_DATA names {folder}, which is not a folder")
    return Path(folder)


@pytest.fixture(scope="session")
def chromium():
    """Debian's Chromium, driven by playwright."""
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed (pip install -e '.[dev]')"
    )
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("chromium is not installed (apt-get install chromium): pages are not opened")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=QUIET)
        yield browser
        browser.close()
