"""The speed benchmark of eigenvectors: same problem, same answers, honest verdicts. No timing is judged here."""

import numpy as np
import pytest

from benchmarks import spectral_speed as speed


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setitem(speed.SIZES, "tiny", (15, 16))
    monkeypatch.setattr(speed, "REST", 0.0)
    return speed.features_case("tiny", d=32)


def test_all_solve_the_same_problem(small):
    rows = speed.measure(small, (2, 5), rounds=1, memory=False)
    assert [row["method"] for row in rows[:5]] == list(speed.CONTENDERS)
    assert {row["k"] for row in rows} == {2, 5} and {row["n"] for row in rows} == {240}
    for row in rows:
        assert row["seconds"] > 0 and row["peak_bytes"] is None
        if row["method"] == speed.SKLEARN:
            assert row["cosine"] is None
        else:
            assert row["cosine"] > speed.COSINE
    assert rows[0]["ratio_to_ours"] == 1
    (goal,) = speed.judge(rows)
    assert goal["reached"] and goal["cosine"] > speed.COSINE
    graphs = speed.measure_affinity(small, rounds=1)
    assert [g["graph"] for g in graphs] == ["features", "features and color", "binary"]
    assert "TokenCut" in speed.table(rows, graphs) and "reached" in speed.verdict(goal)


def test_the_peers_calls_give_the_values(small):
    from unseg_helpers import spectral

    for method in (speed.TOKENCUT, speed.DEEP):
        W = speed.given(small, method)
        expected = spectral.eigenvectors(W, 4, solver="dense").values
        np.testing.assert_allclose(speed.CONTENDERS[method][0](W, 4)[0], expected, atol=1e-9)


def test_cosine_sees_a_wrong_vector_and_forgives_a_turn_in_one_space():
    W = np.kron(np.eye(3), np.ones((4, 4)))  # the value 0 three times
    expected = speed.reference(W, 4)
    rng = np.random.default_rng(0)
    turned = np.kron(np.linalg.qr(rng.normal(size=(3, 3)))[0], np.ones((4, 1)))
    assert speed.least_cosine(turned, expected, 3) == pytest.approx(1)
    turned[0, 1] += 3
    assert speed.least_cosine(turned, expected, 3) < 0.99


def row(method, ratio, cosine=1.0, size="900", k=2):
    return {"size": size, "method": method, "k": k, "ratio_to_ours": ratio, "cosine": cosine}


def test_verdict():
    rows = [row(speed.OURS, 1), row(speed.OURS_BINARY, 1), row(speed.TOKENCUT, 3.9), row(speed.DEEP, 2)]
    fast, same = speed.judge(rows)
    assert not fast["reached"] and same["reached"] and "MISSED" in speed.verdict(fast)
    rows[2]["ratio_to_ours"], rows[0]["cosine"] = 4.0, 0.9998
    fast, same = speed.judge(rows)
    assert fast["reached"] and not same["reached"]
    rows = [row(m, 50.0, size="3600") for m in speed.CONTENDERS]
    assert [g.get("against") for g in speed.judge(rows)] == [speed.TOKENCUT, speed.DEEP, None]


def test_no_device_no_batch():
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is one")
    assert speed.measure_batch(count=2) is None


def test_batch_on_the_cpu_with_torch(small):
    pytest.importorskip("torch")
    found = speed.measure_batch(count=2, rounds=1, device="cpu:torch", name="tiny")
    assert found["cosine"] > speed.COSINE and found["count"] == 2 and found["device_seconds"] > 0


def test_cases_have_the_sizes_of_the_goals():
    assert [h * w for h, w in (speed.SIZES[n] for n in ("784", "900", "3600"))] == [784, 900, 3600]
    assert {case for case, _ in speed.GOALS} <= set(speed.SIZES)
