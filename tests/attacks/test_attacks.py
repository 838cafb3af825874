"""Every attack fails, cold and warm; and the harness would see it if one did not."""

import types

import pytest

from autograder import batch
from autograder.sandbox import Pool, why_not

from . import harness

pytestmark = pytest.mark.skipif(why_not() is not None, reason=f"no sandbox here: {why_not()}")


@pytest.fixture(scope="module")
def shared():
    """One pool for all warm attacks and for neighbors: no attack may spoil it for those after it."""
    with Pool() as pool:
        yield pool
        assert pool.why_cold is None  # else nothing warm was tested


@pytest.mark.parametrize("is_warm", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize("folder", harness.folders(), ids=lambda f: f"{f.parent.name}/{f.name}")
def test_attack_fails(folder, is_warm, shared, tmp_path):
    attack = harness.load(folder)
    found = harness.reasons(attack, harness.run(attack, tmp_path, shared if is_warm else None, neighbors=shared))
    assert not found, "\n".join(found)


def test_each_attack_says_what_it_tries_and_what_would_be_success():
    attacks = [harness.load(folder) for folder in harness.folders()]
    assert len(attacks) >= 60
    for attack in attacks:
        first, *rest = attack.__doc__.splitlines()
        assert first and any(line.startswith("Success: ") for line in rest), attack.__name__
        assert hasattr(attack, "SUBMISSION") != hasattr(attack, "build"), attack.__name__


UNBOUND = """
import os, pathlib, socket, subprocess

def double(x):
    socket.create_connection(("127.0.0.1", {TCP_PORT})).sendall(b"hello")
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"hello", ("127.0.0.1", {UDP_PORT}))
    socket.socket(socket.AF_UNIX).connect("\\0{UNIX_NAME}")
    pathlib.Path("{HOME}", "mark").write_text("x")
    subprocess.Popen(["sleep", "8"], start_new_session=True)
    return 2 * x

def total(x, rng):
    raise ValueError(os.environ["UNSEG_DATABASE_URL"])
"""


def test_the_harness_sees_what_an_attack_achieves_without_isolation(tmp_path):
    attack = types.SimpleNamespace(__name__="unbound", SUBMISSION=UNBOUND, EARNED=5.0)
    outcome = harness.run(attack, tmp_path, isolated=False)
    found = "\n".join(harness.reasons(attack, outcome))
    assert "10.0 points, 5.0 are earned" in found
    for form in ("json", "html", "terminal"):
        assert f"a secret in {form}" in found
    assert len(outcome.connections) >= 3
    assert "a file changed: home/mark" in found
    assert "a process is left: sleep" in found


def test_the_harness_sees_a_grader_that_stumbles_and_a_neighbor_that_loses_points(tmp_path, monkeypatch):
    attack = types.SimpleNamespace(__name__="none", SUBMISSION="def double(x): return x")

    def stumble(*_, **__):
        raise ZeroDivisionError("once")

    monkeypatch.setattr(batch.grading, "grade", stumble)
    monkeypatch.setitem(harness.HONEST, "vault", "def double(x): return 2 * x")
    found = "\n".join(harness.reasons(attack, harness.run(attack, tmp_path)))
    assert "the grader failed (ZeroDivisionError: once)" in found and "a neighbor's grade changed" in found
