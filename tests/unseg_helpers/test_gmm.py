"""Gaussian mixtures: by hand, laws that hold for any input, scipy and scikit-learn, the fast paths against the plain
steps, collapse, the choice of k, the errors."""

import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture

from unseg_helpers import _gmm_fast as fast
from unseg_helpers import gmm
from unseg_helpers import kmeans as km
from unseg_helpers.features import pixel_features

KINDS = ("full", "diag", "spherical", "tied")
PAIRS = np.array([[0.0], [2.0], [9.0], [11.0]])


def blobs(rng, n=600, d=3, k=4, spread=2.0):
    """Overlapping clouds of different shapes."""
    shapes = rng.normal(size=(k, d, d)) * 0.5 + np.eye(d)
    labels = rng.integers(k, size=n)
    noise = np.einsum("nij,nj->ni", shapes[labels], rng.normal(size=(n, d)))
    return spread * rng.normal(size=(k, d))[labels] + noise


def random_mixture(rng, k=3, d=2, kind="full"):
    root = rng.normal(size=(k, d, d)) + 2 * np.eye(d)
    full = root @ np.swapaxes(root, 1, 2)
    variances = rng.uniform(0.5, 3, (k, d))
    covariances = {"full": full, "tied": full[0], "diag": variances, "spherical": variances[:, 0]}[kind]
    return gmm.Mixture(rng.dirichlet(np.full(k, 5.0)), 3 * rng.normal(size=(k, d)), covariances, kind)


def assert_same(one, other, rtol=1e-9):
    assert one.kind == other.kind
    for part, expected in zip(one[:3], other[:3], strict=True):
        np.testing.assert_allclose(part, expected, rtol=rtol, atol=rtol * np.abs(expected).max())


def ordered(mixture):
    """Components by their first coordinate."""
    order = mixture.means[:, 0].argsort()
    covariances = mixture.covariances if mixture.kind == "tied" else mixture.covariances[order]
    return gmm.Mixture(mixture.weights[order], mixture.means[order], covariances, mixture.kind)


# ---- densities ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_log_densities_match_scipy(kind, seed):
    rng = np.random.default_rng(seed)
    mixture, x = random_mixture(rng, kind=kind, d=3), 3 * rng.normal(size=(40, 3))
    full = mixture.full_covariances()
    expected = [multivariate_normal(mixture.means[j], full[j]).logpdf(x) for j in range(3)]
    np.testing.assert_allclose(gmm.log_densities(x, mixture), np.transpose(expected), rtol=1e-10)


def test_log_densities_where_the_density_is_zero_as_a_number():
    mixture = gmm.Mixture(np.ones(1), np.zeros((1, 1)), np.ones((1, 1)), "diag")
    assert gmm.log_densities([[100.0]], mixture)[0, 0] == pytest.approx(-5000 - 0.5 * np.log(2 * np.pi))


def test_determinants_may_underflow():
    """det = 1e-400, its logarithm is a plain number."""
    mixture = gmm.Mixture(np.ones(1), np.zeros((1, 100)), 1e-4 * np.eye(100)[None])
    expected = -50 * np.log(2 * np.pi) + 200 * np.log(10)
    assert gmm.log_densities(np.zeros((1, 100)), mixture)[0, 0] == pytest.approx(expected)


@pytest.mark.parametrize("kind", KINDS)
def test_full_covariances_mean_the_same(kind, seed):
    rng = np.random.default_rng(seed)
    mixture, x = random_mixture(rng, kind=kind), rng.normal(size=(20, 2))
    full = gmm.Mixture(mixture.weights, mixture.means, mixture.full_covariances())
    np.testing.assert_allclose(gmm.log_densities(x, mixture), gmm.log_densities(x, full), rtol=1e-10)
    assert (mixture.k, mixture.d) == (3, 2)


# ---- the two steps -----------------------------------------------------------------------------------------------


def test_e_step_by_hand():
    """Unit variances at 0 and 2: at 1 half and half; at 2 the odds are exp(2) to 1."""
    mixture = gmm.Mixture(np.full(2, 0.5), np.array([[0.0], [2.0]]), np.ones(2), "spherical")
    r, value = gmm.e_step([[1.0], [2.0]], mixture)
    odds = np.exp(2.0)
    np.testing.assert_allclose(r, [[0.5, 0.5], [1 / (1 + odds), odds / (1 + odds)]])
    peak = 1 / np.sqrt(2 * np.pi)
    densities = [peak * np.exp(-0.5), 0.5 * peak * (1 + np.exp(-2.0))]
    assert value == pytest.approx(np.log(densities).mean())


def test_e_step_far_from_all_components():
    mixture = gmm.Mixture(np.full(2, 0.5), np.array([[0.0], [2.0]]), np.ones(2), "spherical")
    r, value = gmm.e_step([[1e6]], mixture)
    np.testing.assert_allclose(r, [[0.0, 1.0]], atol=1e-300)
    assert np.isfinite(value)


def test_m_step_by_hand():
    """Point 2 belongs half to each: means 2/3 and 20/3 around which the squares are taken."""
    mixture = gmm.m_step([[0.0], [2.0], [9.0]], [[1, 0], [0.5, 0.5], [0, 1]], floor=0)
    np.testing.assert_allclose(mixture.weights, [0.5, 0.5])
    np.testing.assert_allclose(mixture.means.ravel(), [2 / 3, 20 / 3])
    first = ((2 / 3) ** 2 + 0.5 * (4 / 3) ** 2) / 1.5
    second = (0.5 * (14 / 3) ** 2 + (7 / 3) ** 2) / 1.5
    np.testing.assert_allclose(mixture.covariances.ravel(), [first, second])


def test_m_step_kinds_reduce_the_full_covariance(seed):
    rng = np.random.default_rng(seed)
    x, r = rng.normal(size=(50, 3)), rng.dirichlet(np.ones(4), 50)
    full = gmm.m_step(x, r, floor=0)
    variances = np.diagonal(full.covariances, axis1=1, axis2=2)
    np.testing.assert_allclose(gmm.m_step(x, r, kind="diag", floor=0).covariances, variances)
    np.testing.assert_allclose(gmm.m_step(x, r, kind="spherical", floor=0).covariances, variances.mean(axis=1))
    expected = np.tensordot(full.weights, full.covariances, axes=1)
    np.testing.assert_allclose(gmm.m_step(x, r, kind="tied", floor=0).covariances, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_floor_is_relative_to_the_mean_variance(kind, seed):
    rng = np.random.default_rng(seed)
    x, r = rng.normal(size=(50, 3)) * [1, 2, 3], rng.dirichlet(np.ones(4), 50)
    without, floored = (gmm.m_step(x, r, kind=kind, floor=floor) for floor in (0, 0.1))
    added = floored.full_covariances() - without.full_covariances()
    np.testing.assert_allclose(added, np.tile(0.1 * x.var(axis=0).mean() * np.eye(3), (4, 1, 1)), atol=1e-12)


def test_from_labels_is_the_m_step_for_zeros_and_ones(seed):
    rng = np.random.default_rng(seed)
    x, labels = rng.normal(size=(60, 2)), rng.permutation(np.arange(60) % 4)
    for kind in KINDS:
        expected = gmm.m_step(x, labels[:, None] == np.arange(4), kind=kind)
        assert_same(gmm.from_labels(x, labels, 4, kind=kind), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_cluster_gets_all_points_and_next_to_no_weight(kind, seed):
    x = np.random.default_rng(seed).normal(size=(30, 2))
    labels = np.arange(30) % 2 * 2  # nobody has 1
    for mixture in (
        gmm.from_labels(x, labels, 3, kind=kind, floor=0),
        gmm.m_step(x, labels[:, None] == np.arange(3), kind=kind, floor=0),
    ):
        assert 0 < mixture.weights[1] < 1e-12
        np.testing.assert_allclose(mixture.means[1], x.mean(axis=0))
        if kind == "full":
            np.testing.assert_allclose(mixture.covariances[1], np.cov(x.T, bias=True))


# ---- the loop ----------------------------------------------------------------------------------------------------


def scikit_learn(x, start, ridge, n_iter):
    invert = np.linalg.inv if start.kind in ("full", "tied") else np.reciprocal
    model = GaussianMixture(
        start.k,
        covariance_type=start.kind,
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=invert(start.covariances),
        reg_covar=ridge,
        max_iter=n_iter,
        tol=0,
        init_params="random",
    )
    return model.fit(x)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("device", ["cpu", "cpu:torch"])
def test_equals_scikit_learn_from_the_same_start(kind, device, seed):
    if device != "cpu":
        pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    x = blobs(rng) + 5
    start = gmm.from_labels(x, km.kmeans(x, 4, rng=seed).labels, 4, kind=kind)
    expected = scikit_learn(x, start, 1e-6 * x.var(axis=0).mean(), 12)
    result = gmm.fit(x, 4, kind=kind, init=start, max_iter=12, tol=0, device=device)
    assert result.n_iter == 12 and len(result.history) == 13
    assert_same(result.mixture, gmm.Mixture(expected.weights_, expected.means_, expected.covariances_, kind), 1e-6)
    assert result.log_likelihood == pytest.approx(expected.score(x), rel=1e-6)
    assert result.history[-2] == pytest.approx(expected.lower_bound_, rel=1e-6)
    assert (result.labels == expected.predict(x)).mean() > 0.999


@pytest.mark.parametrize("kind", KINDS)
def test_one_step_is_the_two_plain_steps(kind, seed):
    rng = np.random.default_rng(seed)
    x = blobs(rng)
    start = gmm.from_labels(x, km.kmeans(x, 4, rng=seed).labels, 4, kind=kind)
    r, value = gmm.e_step(x, start)
    result = gmm.fit(x, 4, kind=kind, init=start, max_iter=1, tol=0)
    assert result.history[0] == pytest.approx(value, rel=1e-12)
    assert_same(result.mixture, gmm.m_step(x, r, kind=kind), 1e-10)
    after, value = gmm.e_step(x, result.mixture)
    assert result.log_likelihood == pytest.approx(value, rel=1e-12)
    np.testing.assert_array_equal(result.labels, after.argmax(axis=1))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(KINDS),
    init=st.sampled_from(["kmeans", "random"]),
    k=st.integers(1, 6),
    d=st.integers(1, 5),
    duplicates=st.booleans(),
)
def test_the_likelihood_never_falls(seed, kind, init, k, d, duplicates):
    rng = np.random.default_rng(seed)
    x = blobs(rng, n=60, d=d)
    if duplicates:
        x = np.round(x)
    result = gmm.fit(x, k, kind=kind, init=init, rng=seed, tol=0, max_iter=40)
    assert np.isfinite(result.history).all()
    assert result.log_likelihood == result.history[-1] == pytest.approx(gmm.score(x, result.mixture), rel=1e-8)
    assert (np.diff(result.history) < 0).sum() <= len(result.messages)


def test_stops_when_the_likelihood_rests(seed):
    x = blobs(np.random.default_rng(seed))
    loose, tight = (gmm.fit(x, 4, rng=seed, tol=tol, max_iter=2000) for tol in (1e-3, 1e-7))
    assert loose.converged and tight.converged
    assert loose.n_iter < tight.n_iter
    assert loose.history[-1] - loose.history[-2] <= 1e-3 * max(1, abs(loose.history[-1]))
    assert not gmm.fit(x, 4, rng=seed, tol=0, max_iter=2).converged


def test_restarts_keep_the_best(seed):
    x = blobs(np.random.default_rng(seed), k=8)
    rng = np.random.default_rng(seed)
    single = [gmm.fit(x, 8, init="random", rng=rng, max_iter=10).log_likelihood for _ in range(4)]
    assert gmm.fit(x, 8, init="random", n_init=4, rng=seed, max_iter=10).log_likelihood == max(single)


@pytest.mark.parametrize("init", ["kmeans", "random"])
def test_same_seed_same_result_and_inputs_left_alone(init, seed):
    x = blobs(np.random.default_rng(seed))
    start = gmm.from_labels(x, km.kmeans(x, 4, rng=seed).labels, 4)
    kept = [part.copy() for part in (x, *start[:3])]
    one, two = (gmm.fit(x, 4, init=init, rng=seed) for _ in range(2))
    np.testing.assert_array_equal(one.labels, two.labels)
    assert one.history == two.history
    gmm.fit(x, 4, init=start)
    r, _ = gmm.e_step(x, start)
    before = r.copy()
    gmm.m_step(x, r)
    np.testing.assert_array_equal(r, before)
    for part, expected in zip((x, *start[:3]), kept, strict=True):
        np.testing.assert_array_equal(part, expected)


def test_the_number_of_threads_changes_no_bit(monkeypatch, seed):
    x = blobs(np.random.default_rng(seed), n=60_000)
    results = []
    for threads in (1, 3):
        monkeypatch.setattr(fast.fast, "_blas_threads", lambda threads=threads: threads)
        results.append(gmm.fit(x, 4, rng=seed, max_iter=3))
    assert results[0].history == results[1].history


def test_callback_sees_each_e_step(seed):
    x = blobs(np.random.default_rng(seed))
    seen = []
    result = gmm.fit(x, 3, rng=seed, callback=lambda *state: seen.append(state))
    assert [state[0] for state in seen] == list(range(1, len(result.history) + 1))
    assert tuple(state[2] for state in seen) == result.history
    for _, mixture, value in seen:
        assert gmm.score(x, mixture) == pytest.approx(value, rel=1e-10)


def test_start_from_labels_is_the_papers_recipe(seed):
    x = blobs(np.random.default_rng(seed))
    labels = km.kmeans(x, 4, rng=seed).labels
    from_labels, from_kmeans = gmm.fit(x, 4, init=labels), gmm.fit(x, 4, init="kmeans", rng=seed)
    assert from_labels.history == from_kmeans.history
    assert from_labels.history[0] == pytest.approx(gmm.score(x, gmm.from_labels(x, labels, 4)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("device", ["cpu", "cpu:torch"])
def test_weights_count_like_copies(kind, device, seed):
    if device != "cpu":
        pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    x, counts = blobs(rng, n=150), rng.integers(0, 4, 150)
    labels = km.kmeans(x, 3, rng=seed).labels
    copies = gmm.fit(x.repeat(counts, axis=0), 3, kind=kind, init=labels.repeat(counts), max_iter=8, tol=0)
    weighted = gmm.fit(x, 3, kind=kind, init=labels, weights=counts, max_iter=8, tol=0, device=device)
    assert_same(weighted.mixture, copies.mixture, 1e-8)
    np.testing.assert_allclose(weighted.history, copies.history, rtol=1e-10)
    np.testing.assert_array_equal(weighted.labels.repeat(counts), copies.labels)
    assert weighted.labels.shape == (150,)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.int64])
def test_types_and_merged_rows(dtype, seed):
    """Equal rows are merged; the result is that of all rows in float64."""
    x = np.random.default_rng(seed).integers(0, 9, (4000, 3)).astype(dtype)
    start = gmm.from_labels(x, km.kmeans(x, 3, rng=seed).labels, 3)
    assert fast.Points(x, None, 3).m < 4000
    result = gmm.fit(x, 3, init=start, max_iter=5, tol=0)
    plain = start
    for _ in range(5):
        plain = gmm.m_step(x, gmm.e_step(x, plain)[0])
    assert_same(result.mixture, plain, 1e-9)
    assert result.mixture.means.dtype == np.float64 and result.labels.dtype == np.int32
    np.testing.assert_array_equal(result.labels, gmm.predict(x, result.mixture))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("device", ["cpu", "cpu:torch"])
def test_the_careful_way_gives_the_same(kind, device, seed):
    if device != "cpu":
        pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    x, weights = blobs(rng), rng.uniform(0.5, 2, 600)
    mixture = gmm.from_labels(x, km.kmeans(x, 4, rng=seed).labels, 4, kind=kind)
    for w in (None, weights):
        points = gmm._points(x, w, 4, device)
        usual, careful = points.step(mixture), points.step(mixture, careful=True)
        for one, other in zip(usual, careful, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
        assert points.worst(mixture).tolist() == x[gmm.log_mixture_density(x, mixture).argmin()].tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_narrow_components_far_apart(kind, seed):
    """Spread 1e-6 and distance 1: polynomials would lose all digits of the covariance, so the careful way is taken."""
    rng = np.random.default_rng(seed)
    x = np.repeat([[0.0, 0], [1, 0], [0, 1]], 100, axis=0) + 1e-6 * rng.normal(size=(300, 2)) * [1, 2]
    labels = np.repeat(np.arange(3), 100)
    result = gmm.fit(x, 3, kind=kind, init=labels, floor=0, tol=0, max_iter=3)
    assert_same(result.mixture, gmm.from_labels(x, labels, 3, kind=kind, floor=0), 1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_far_from_the_origin(kind, seed):
    x = blobs(np.random.default_rng(seed))
    labels = km.kmeans(x, 4, rng=seed).labels
    near, far = (gmm.fit(part, 4, kind=kind, init=labels, max_iter=10, tol=0) for part in (x, x + 1e6))
    np.testing.assert_allclose(far.history, near.history, rtol=1e-6)


def test_units_change_the_likelihood_by_a_constant(seed):
    x = blobs(np.random.default_rng(seed))
    labels = km.kmeans(x, 4, rng=seed).labels
    one, other = (gmm.fit(part, 4, init=labels, max_iter=10, tol=0) for part in (x, x / 255))
    np.testing.assert_allclose(other.history, np.array(one.history) + 3 * np.log(255), rtol=1e-9)
    np.testing.assert_array_equal(one.labels, other.labels)


@pytest.mark.parametrize(("d", "k"), [(3, 5), (64, 16)])
def test_memory_stays_below_three_times_the_responsibilities(d, k):
    """Counted by tracemalloc, which knows every NumPy array, with results included and the input not."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(154_401 if d == 3 else 40_000, d))
    start = gmm.from_labels(x, rng.integers(k, size=len(x)), k)
    gmm.fit(x[:3000], k, init=start, max_iter=1)  # modules are loaded
    tracemalloc.start()
    gmm.fit(x, k, init=start, max_iter=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * len(x) * k * 8


# ---- k-means is the limit ----------------------------------------------------------------------------------------


def test_kmeans_is_the_limit_of_the_e_step(seed):
    """Equal weights, one spherical covariance that goes to zero: responsibilities go to those of the nearest mean."""
    x = blobs(np.random.default_rng(seed), n=200)
    centers = km.kmeans(x, 4, rng=seed).centers
    nearest = km.assign(x, centers)[:, None] == np.arange(4)
    gaps = []
    for variance in (1.0, 1e-2, 1e-4, 1e-8):
        mixture = gmm.Mixture(np.full(4, 0.25), centers, np.full(4, variance), "spherical")
        r = gmm.e_step(x, mixture)[0]
        gaps.append(np.abs(r - nearest).sum())
        np.testing.assert_array_equal(gmm.predict(x, mixture), km.assign(x, centers))
    assert (np.diff(gaps) <= 0).all() and gaps[0] > 1 and gaps[-1] < 1e-6
    means = gmm.m_step(x, r).means
    np.testing.assert_allclose(means, km.update(x, km.assign(x, centers), 4), atol=1e-6)


# ---- what can go wrong -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", ["cpu", "cpu:torch"])
def test_a_component_on_one_point_is_started_again_with_a_message(device, seed):
    if device != "cpu":
        pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    x = np.concatenate([rng.normal(size=(200, 2)), rng.normal(size=(200, 2)) + 12])
    labels = np.zeros(400, int)
    labels[0] = 1  # component 1 sits on one point
    result = gmm.fit(x, 2, init=labels, device=device, tol=1e-7, max_iter=500)
    assert "after step 0, component 1 had collapsed onto 1 points" in result.messages[0]
    np.testing.assert_allclose(np.sort(result.mixture.weights), [0.5, 0.5], atol=0.01)
    assert (np.diff(result.history) >= 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_component_without_points_is_started_again(kind, seed):
    rng = np.random.default_rng(seed)
    x = np.concatenate([rng.normal(size=(200, 2)), rng.normal(size=(200, 2)) + 12])
    start = gmm.Mixture(
        np.full(2, 0.5),
        np.array([[6.0, 6.0], [1e4, 1e4]]),
        {"full": np.stack([np.eye(2) * 40] * 2), "tied": np.eye(2) * 40, "diag": np.full((2, 2), 40.0)}.get(
            kind, np.full(2, 40.0)
        ),
        kind,
    )
    result = gmm.fit(x, 2, kind=kind, init=start, max_iter=200, tol=1e-6)
    assert "component 1 had collapsed onto" in result.messages[0]
    assert result.mixture.weights.min() > 1 / 400  # it has points again; with "tied" it may rest at another maximum
    if kind != "tied":
        np.testing.assert_allclose(np.sort(result.mixture.weights), [0.5, 0.5], atol=0.02)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("init", ["kmeans", "random"])
@pytest.mark.parametrize(
    ("x", "k"),
    [
        (np.ones((50, 2)), 3),
        (np.full((2000, 3), 7, np.uint8), 3),
        (np.repeat([[0.0], [1.0]], 30, axis=0), 4),
        (np.arange(10.0).reshape(5, 2) ** 2, 5),
        (np.repeat(np.arange(12.0).reshape(6, 2) ** 2, 100, axis=0), 4),
        (np.ones((1, 4)), 1),
        (np.c_[np.arange(20.0), np.ones(20)], 2),
        (np.full((40, 2), 0.1), 2),
        (np.arange(9.0)[:, None] * 1e150, 2),
        (np.arange(9.0)[:, None] * 1e-150, 2),
    ],
    ids=["constant", "flat photo", "k > colors", "n = k", "duplicates", "one", "flat axis", "0.1", "huge", "tiny"],
)
def test_degenerate_points_give_finite_mixtures(kind, init, x, k, seed):
    result = gmm.fit(x, k, kind=kind, init=init, rng=seed)
    assert all(np.isfinite(part).all() for part in result.mixture[:3])
    assert np.isfinite(result.history).all()
    assert result.mixture.weights.sum() == pytest.approx(1)
    np.testing.assert_array_equal(result.labels, gmm.predict(x, result.mixture))


def test_without_a_floor_a_flat_axis_is_named():
    with pytest.raises(ValueError, match="covariance 0 is not positive definite.*larger floor"):
        gmm.fit(np.c_[np.arange(20.0), np.ones(20)], 1, floor=0)


# ---- what a mixture is good for ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_samples_lead_back_to_the_mixture(kind, seed):
    rng = np.random.default_rng(seed)
    truth = random_mixture(rng, kind=kind)
    truth = truth._replace(means=np.array([[-20.0, 0], [0, 20], [20, 0]]))
    x, labels = gmm.sample(truth, 20_000, rng=rng)
    result = gmm.fit(x, 3, kind=kind, n_init=3, rng=rng)
    found = ordered(result.mixture)
    np.testing.assert_allclose(found.weights, truth.weights, atol=0.02)
    np.testing.assert_allclose(found.means, truth.means, atol=0.3)
    np.testing.assert_allclose(found.covariances, truth.covariances, rtol=0.15, atol=0.3)
    assert (gmm.predict(x, truth) == labels).mean() > 0.97


def test_sample_repeats_with_its_seed(seed):
    mixture = random_mixture(np.random.default_rng(seed))
    one, two = gmm.sample(mixture, 50, rng=seed), gmm.sample(mixture, 50, rng=seed)
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])
    assert one[0].shape == (50, 2) and one[1].dtype == np.int32


def test_score_is_the_mean_over_blocks(monkeypatch, seed):
    rng = np.random.default_rng(seed)
    mixture, x = random_mixture(rng), rng.normal(size=(1000, 2))
    expected = np.log(np.exp(gmm.log_densities(x, mixture)) @ mixture.weights)
    assert gmm.score(x, mixture) == pytest.approx(expected.mean())
    np.testing.assert_allclose(gmm.log_mixture_density(x, mixture), expected)
    monkeypatch.setattr(gmm, "BLOCK", 7)
    assert gmm.score(x, mixture) == pytest.approx(expected.mean())


# ---- how many components -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_criteria_match_scikit_learn(kind, seed):
    x = blobs(np.random.default_rng(seed))
    model = GaussianMixture(3, covariance_type=kind, random_state=0).fit(x)
    mixture = gmm.Mixture(model.weights_, model.means_, model.covariances_, kind)
    assert gmm.bic(x, mixture) == pytest.approx(model.bic(x))
    assert gmm.aic(x, mixture) == pytest.approx(model.aic(x))


@pytest.mark.parametrize("kind", KINDS)
def test_bic_finds_distant_blobs(kind, seed):
    rng = np.random.default_rng(seed)
    angle = 2 * np.pi * np.arange(4) / 4
    x = np.repeat(np.c_[np.cos(angle), np.sin(angle)] * 20, 100, axis=0) + rng.normal(size=(400, 2))
    chosen = gmm.choose_k(x, range(1, 7), kind=kind, n_init=3, rng=rng)
    assert chosen.k == 4 and chosen.ks == (1, 2, 3, 4, 5, 6) and chosen.criterion == "bic"
    assert min(chosen.values) == chosen.values[3]


def test_held_out_likelihood_does_not_ask_for_fewer(seed):
    rng = np.random.default_rng(seed)
    x = np.repeat([[0.0, 0], [20, 0], [0, 20]], 150, axis=0) + rng.normal(size=(450, 2))
    chosen = gmm.choose_k(x, range(1, 6), criterion="held-out", n_init=3, rng=rng)
    assert chosen.k >= 3
    assert chosen.values[2] > max(chosen.values[:2]) + 0.3
    assert gmm.choose_k(x, range(1, 6), criterion="aic", n_init=3, rng=rng).k >= 3


# ---- an image ----------------------------------------------------------------------------------------------------


def test_segment_halves(seed):
    image = np.zeros((20, 30, 3), np.uint8)
    image[:, 15:] = (200, 90, 40)
    labels = gmm.segment(image, 2, rng=seed)
    assert labels.shape == (20, 30) and labels.dtype == np.int32
    assert len(np.unique(labels[:, :15])) == len(np.unique(labels[:, 15:])) == 1
    assert labels[0, 0] != labels[0, 29]


@pytest.mark.parametrize("kind", KINDS)
def test_segment_is_fit_on_the_features(kind, seed):
    image = np.random.default_rng(seed).integers(0, 256, (12, 17, 3), dtype=np.uint8)
    options = {"space": "lab", "position": 0.3, "lightness": 0.5, "smooth": 0.1}
    expected = gmm.fit(pixel_features(image, **options), 3, kind=kind, floor=1e-2, n_init=2, rng=seed)
    np.testing.assert_array_equal(
        gmm.segment(image, 3, kind=kind, n_init=2, rng=seed, **options).ravel(), expected.labels
    )
    soft = gmm.segment(image, 3, kind=kind, n_init=2, rng=seed, soft=True, **options)
    assert soft.shape == (12, 17, 3)
    np.testing.assert_allclose(soft.sum(axis=2), 1)
    np.testing.assert_array_equal(soft.argmax(axis=2).ravel(), expected.labels)


# ---- PyTorch -----------------------------------------------------------------------------------------------------


def test_torch_in_small_blocks(monkeypatch, seed):
    pytest.importorskip("torch")
    x = blobs(np.random.default_rng(seed))
    expected = gmm.fit(x, 4, rng=seed, device="cpu:torch")
    monkeypatch.setattr(fast, "TORCH_NUMBERS", 500)
    result = gmm.fit(x, 4, init=km.kmeans(x, 4, rng=seed, device="cpu:torch").labels, device="cpu:torch")
    np.testing.assert_allclose(result.history, expected.history)


def test_auto_device_gives_the_same_mixture(seed):
    x = blobs(np.random.default_rng(seed))
    labels = km.kmeans(x, 4, rng=seed).labels
    assert_same(gmm.fit(x, 4, init=labels, device="auto").mixture, gmm.fit(x, 4, init=labels).mixture, 1e-8)


@pytest.mark.gpu
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("d", [3, 64])
def test_cuda_gives_the_same_mixture(kind, d):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    x = blobs(np.random.default_rng(5), n=5000, d=d)
    labels = km.kmeans(x, 4, rng=0).labels
    expected = gmm.fit(x, 4, kind=kind, init=labels, max_iter=10, tol=0)
    result = gmm.fit(x, 4, kind=kind, init=labels, max_iter=10, tol=0, device="cuda")
    assert_same(result.mixture, expected.mixture, 1e-6)
    np.testing.assert_allclose(result.history, expected.history, rtol=1e-9)


def test_importing_and_running_on_the_processor_needs_no_torch():
    code = (
        "import sys, numpy as np\n"
        "from unseg_helpers import gmm\n"
        "gmm.fit(np.arange(9.0)[:, None], 2, rng=0)\n"
        "print([name for name in ('torch', 'skimage', 'sklearn', 'matplotlib') if name in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"


# ---- errors ------------------------------------------------------------------------------------------------------

GOOD = gmm.Mixture(np.full(2, 0.5), np.array([[0.0], [9.0]]), np.ones((2, 1, 1)))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"k": 0}, ValueError, "k must be between 1 and n=4, the number of points, got 0"),
        ({"k": 2.0}, TypeError, "k must be an integer, got 2.0"),
        ({"kind": "round"}, ValueError, 'kind must be "full", "diag", "spherical" or "tied", got \'round\''),
        ({"init": "k-means++"}, ValueError, 'init must be "kmeans", "random", a Mixture or an array of labels'),
        ({"init": GOOD, "k": 3}, ValueError, "mixture of 2 components of kind 'full', expected 3 of kind 'full'"),
        ({"init": GOOD, "kind": "diag"}, ValueError, "of kind 'full', expected 2 of kind 'diag'"),
        ({"init": [0, 1, 2, 0]}, ValueError, "labels must be between 0 and k-1=1, got 0 to 2"),
        ({"init": [0.0, 1.0, 1.0, 0.0]}, TypeError, "labels must be integers"),
        ({"n_init": 0}, ValueError, "n_init must be at least 1, got 0"),
        ({"max_iter": 0}, ValueError, "max_iter must be at least 1, got 0"),
        ({"tol": -1}, ValueError, "tol must be a finite number of at least 0, got -1"),
        ({"floor": np.nan}, ValueError, "floor must be a finite number of at least 0, got nan"),
        ({"weights": [1, 1, 1, -1]}, ValueError, "at least 0"),
        ({"device": "gpu"}, ValueError, 'device must be "cpu", "auto", "cuda"'),
    ],
)
def test_bad_options_are_named(options, error, message):
    with pytest.raises(error, match=message):
        gmm.fit(PAIRS, **{"k": 2, "rng": 0, **options})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"means": np.zeros((2, 3))}, "same number of features, got 1 and 3"),
        ({"means": np.zeros(2)}, r"mixture.means must have shape \(k, d\), got \(2,\)"),
        ({"covariances": np.ones((2, 1))}, r"shape \(2, 1, 1\) for kind 'full', got \(2, 1\)"),
        ({"weights": np.ones(3)}, r"mixture.weights must have shape \(2,\)"),
        ({"weights": np.ones(2)}, "positive with sum 1"),
        ({"weights": np.array([1.0, 0.0])}, "positive with sum 1"),
        ({"means": np.array([[0.0], [np.nan]])}, "mixture.means holds NaN or infinity"),
        ({"covariances": -np.ones((2, 1, 1))}, "covariance 0 is not positive definite: its smallest eigenvalue is -1"),
        ({"covariances": np.zeros(2), "kind": "spherical"}, "covariances must be positive, got 0"),
        ({"kind": "round"}, "kind must be"),
    ],
)
def test_bad_mixtures_are_named(changes, message):
    for call in (gmm.log_densities, gmm.e_step, gmm.predict, gmm.score):
        with pytest.raises(ValueError, match=message):
            call(PAIRS, GOOD._replace(**changes))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: gmm.e_step(np.zeros((4, 5, 3)), GOOD), ValueError, r"use x.reshape\(-1, x.shape\[-1\]\)"),
        (lambda: gmm.e_step(PAIRS, "mixture"), TypeError, "mixture must be a Mixture, got str"),
        (lambda: gmm.m_step(PAIRS, np.ones((2, 4)) / 2), ValueError, r"\(4, k\).*got \(2, 4\); were they transposed"),
        (lambda: gmm.m_step(PAIRS, -np.ones((4, 2))), ValueError, "finite, at least 0, and not all 0"),
        (lambda: gmm.m_step(PAIRS, np.zeros((4, 2))), ValueError, "not all 0"),
        (lambda: gmm.m_step(PAIRS, np.ones((4, 2)), kind="x"), ValueError, "kind must be"),
        (lambda: gmm.from_labels(PAIRS, [0, 1, 2, 3], 3), ValueError, "between 0 and k-1=2"),
        (lambda: gmm.sample(GOOD, 0), ValueError, "n must be at least 1"),
        (lambda: gmm.choose_k(PAIRS, [1, 2], criterion="elbow"), ValueError, "criterion must be"),
        (lambda: gmm.choose_k(PAIRS, [2, 1]), ValueError, "ks must grow"),
        (lambda: gmm.choose_k(PAIRS, []), ValueError, "ks must grow"),
        (lambda: gmm.choose_k(PAIRS, [1, 4], criterion="held-out"), ValueError, "ks must be at most 3"),
        (lambda: gmm.choose_k(PAIRS, [1], held_out=1), ValueError, "held_out must be more than 0"),
        (lambda: gmm.segment(np.zeros((4, 4)), 2), ValueError, "gray image"),
    ],
)
def test_other_errors_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
