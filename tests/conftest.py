"""Fixtures that every test may use: `seed`, `data_dir` and `root`."""

import os
from pathlib import Path

import pytest

collect_ignore = ["toy"]  # a lesson for tests, not a test

SEEDS = (0, 1, 7, 20_240_501)


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
