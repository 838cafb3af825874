"""K-means: by hand, laws that hold for any input, the fast paths against a plain version, scikit-learn, the errors."""

import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_samples

from unseg_helpers import _kmeans_fast as fast
from unseg_helpers import kmeans as km
from unseg_helpers.features import pixel_features

PAIRS = np.array([[0.0], [2.0], [9.0], [11.0]])


# ---- the plain version: too simple to be wrong -------------------------------------------------------------------


def plain_kmeans(x, centers, max_iter=300, weights=None):
    """Lloyd's iteration by its definition, in float64, with an (n, k, d) array."""
    x, centers = x.astype(np.float64), centers.astype(np.float64).copy()
    weights = np.ones(len(x)) if weights is None else weights
    history, labels = [], None
    for n_iter in range(1, max_iter + 2):
        distance = ((x[:, None] - centers[None]) ** 2).sum(axis=2)
        new = distance.argmin(axis=1)
        history.append((weights * distance.min(axis=1)).sum())
        done = labels is not None and (new == labels).all()
        labels = new
        if done or n_iter == max_iter + 1:
            return labels, centers, history, min(n_iter, max_iter)
        full = [j for j in range(len(centers)) if (labels == j).any()]
        for j in full:
            centers[j] = np.average(x[labels == j], axis=0, weights=weights[labels == j])
        own = ((x - centers[labels]) ** 2).sum(axis=1)
        own[own < 1e-20] = 0
        for j in sorted(set(range(len(centers))) - set(full)):
            if own.max() > 0:
                centers[j] = x[own.argmax()]
                own = np.minimum(own, ((x - centers[j]) ** 2).sum(axis=1))
    raise AssertionError


def blobs(rng, n=400, d=2, k=4, spread=1.0):
    return rng.normal(size=(k, d))[rng.integers(k, size=n)] * 3 + spread * rng.normal(size=(n, d))


def photo_like(rng, h=60, w=80):
    """8-bit colors that repeat, with a gradient and noise: (h * w, 3) uint8."""
    base = np.linspace(0, 200, w)[None, :, None] + np.array([0, 20, 40]) + rng.normal(0, 3, (h, w, 3))
    base[: h // 2, : w // 3] = (200, 30, 60)
    return base.clip(0, 255).round().astype(np.uint8).reshape(-1, 3)


# ---- distances, assign, update, inertia --------------------------------------------------------------------------


def test_squared_distances_by_hand():
    np.testing.assert_array_equal(km.squared_distances([[0, 0], [3, 4]], [[0, 0], [2, 0]]), [[0, 4], [25, 17]])


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 2e-5), (np.float64, 1e-12)])
def test_squared_distances_match_the_definition(seed, dtype, rtol):
    rng = np.random.default_rng(seed)
    x, centers = rng.normal(size=(50, 7)).astype(dtype), rng.normal(size=(5, 7)).astype(dtype)
    distance = km.squared_distances(x, centers)
    assert distance.dtype == dtype
    np.testing.assert_allclose(distance, ((x[:, None] - centers) ** 2).sum(axis=2), rtol=rtol)


def test_squared_distances_far_from_the_origin(seed):
    """Without the shift, 1e8 squared would swallow every digit of a distance of about 1."""
    rng = np.random.default_rng(seed)
    x, centers = rng.normal(size=(50, 3)), rng.normal(size=(5, 3))
    far = km.squared_distances(x + 1e8, centers + 1e8)
    np.testing.assert_allclose(far, km.squared_distances(x, centers), rtol=1e-5, atol=1e-5)


def test_squared_distances_are_never_negative(seed):
    x = np.random.default_rng(seed).normal(size=(200, 30)).astype(np.float32)
    distance = km.squared_distances(x, x)
    assert distance.min() >= 0
    assert np.diag(distance).max() < 1e-4


def test_assign_first_of_equally_near_centers_wins():
    assert km.assign([[0.0], [1.0], [2.0]], [[0.0], [2.0]]).tolist() == [0, 0, 1]


def test_assign_in_blocks_is_the_same(seed):
    rng = np.random.default_rng(seed)
    x, centers = rng.normal(size=(3000, 2)), rng.normal(size=(900, 2))  # 900 centers: blocks of 1165 rows
    np.testing.assert_array_equal(km.assign(x, centers), km.squared_distances(x, centers).argmin(axis=1))


def test_update_is_the_mean(seed):
    rng = np.random.default_rng(seed)
    x, labels = rng.normal(size=(80, 3)), rng.permutation(np.arange(80) % 5)
    expected = [x[labels == j].mean(axis=0) for j in range(5)]
    np.testing.assert_allclose(km.update(x, labels, 5), expected, rtol=1e-12)


def test_update_weights_count_like_copies(seed):
    rng = np.random.default_rng(seed)
    x, labels, counts = rng.normal(size=(40, 2)), rng.permutation(np.arange(40) % 3), rng.integers(1, 5, 40)
    copies = km.update(x.repeat(counts, axis=0), labels.repeat(counts), 3)
    np.testing.assert_allclose(km.update(x, labels, 3, weights=counts), copies, rtol=1e-12)


def test_update_two_empty_clusters_take_the_two_farthest_corners():
    x = np.array([[0.0, 0], [0, 0], [0, 0], [9, 0], [9, 0], [0, 8]])
    centers = km.update(x, np.zeros(6, int), 3)
    np.testing.assert_allclose(centers[0], [3, 8 / 6])
    assert centers[1:].tolist() == [[0.0, 8.0], [9.0, 0.0]]  # not (9, 0) twice: it is there once it is taken


def test_update_sums_float32_in_float64():
    """200,000 times the float32 nearest to 0.1: a float32 sum would be off in the fourth digit."""
    x = np.full((200_000, 1), 0.1, np.float32)
    assert km.update(x, np.zeros(200_000, int), 1)[0, 0] == pytest.approx(float(x[0, 0]), rel=1e-12)


def test_inertia_by_hand():
    assert km.inertia(PAIRS, [[1.0], [10.0]]) == 4.0
    assert km.inertia(PAIRS, [[1.0], [10.0]], weights=[1, 1, 2, 3]) == 7.0
    assert km.inertia(PAIRS, [[1.0], [10.0]], [1, 0, 1, 1]) == 100 + 1 + 1 + 1


def test_neither_step_raises_the_inertia(seed):
    """The proof of the chapter, on random labels and centers, empty clusters included."""
    rng = np.random.default_rng(seed)
    for _ in range(20):
        x, k = rng.normal(size=(30, 2)), int(rng.integers(1, 8))
        labels, centers = rng.integers(k, size=30), rng.normal(size=(k, 2))
        before = km.inertia(x, centers, labels)
        assert km.inertia(x, km.update(x, labels, k), labels) <= before
        assert km.inertia(x, centers, km.assign(x, centers)) <= before


# ---- k-means++ ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_candidates", [None, 1, 5])
def test_seeds_are_different_rows_of_x(seed, n_candidates):
    x = np.random.default_rng(seed).normal(size=(60, 3))
    seeds = km.plus_plus(x, 8, rng=seed, n_candidates=n_candidates)
    assert len(np.unique(seeds, axis=0)) == 8
    assert all((x == row).all(axis=1).any() for row in seeds)


def test_seeds_find_each_of_the_distant_points(seed):
    """Five places, 1000 points each: the squared distance forbids to draw a place twice."""
    x = np.repeat(np.arange(5.0), 1000)[:, None] * 100
    for n_candidates in (None, 1):
        seeds = km.plus_plus(x, 5, rng=seed, n_candidates=n_candidates)
        assert sorted(seeds.ravel()) == [0, 100, 200, 300, 400]


def test_original_variant_draws_in_proportion_to_the_squared_distance():
    """Points at 0 (once first), 1, 3: the second seed is 3 with probability 9 / 10, given that 0 came first."""
    x = np.array([[0.0], [1.0], [3.0]])
    rng = np.random.default_rng(0)
    drawn = np.array([km.plus_plus(x, 2, rng=rng, n_candidates=1).ravel() for _ in range(6000)])
    after_zero = drawn[drawn[:, 0] == 0, 1]
    assert len(after_zero) == pytest.approx(2000, abs=6 * np.sqrt(6000 * 2 / 9))  # six standard deviations
    assert (after_zero == 3).mean() == pytest.approx(0.9, abs=6 * np.sqrt(0.09 / len(after_zero)))


def test_weights_draw_the_first_seed():
    x = np.array([[0.0], [1.0], [2.0]])
    rng = np.random.default_rng(0)
    first = [km.plus_plus(x, 1, rng=rng, weights=[1, 0, 3])[0, 0] for _ in range(4000)]
    assert 1.0 not in first
    assert np.mean(np.array(first) == 2) == pytest.approx(0.75, abs=6 * np.sqrt(0.75 * 0.25 / 4000))


def test_greedy_is_better_on_average():
    rng = np.random.default_rng(3)
    x = blobs(rng, n=500, k=10, spread=0.3)
    score = {
        n: np.mean([km.inertia(x, km.plus_plus(x, 10, rng=rng, n_candidates=n)) for _ in range(60)]) for n in (1, 4)
    }
    assert score[4] < score[1]


def test_fewer_different_points_than_seeds(seed):
    seeds = km.plus_plus(np.array([[1.0], [1.0], [2.0]]), 3, rng=seed)
    assert set(seeds.ravel()) == {1.0, 2.0}


# ---- the loop ----------------------------------------------------------------------------------------------------


def test_two_pairs_by_hand(seed):
    result = km.kmeans(PAIRS, 2, rng=seed)
    assert sorted(result.centers.ravel()) == [1.0, 10.0]
    assert result.inertia == 4.0  # four points, each one away from its mean
    assert result.labels[0] == result.labels[1] != result.labels[2] == result.labels[3]


CASES = {
    "few features": lambda rng: blobs(rng, n=3000, d=2),
    "float32": lambda rng: blobs(rng, n=3000, d=5).astype(np.float32),
    "many features": lambda rng: blobs(rng, n=1500, d=40),
    "many features, float32": lambda rng: blobs(rng, n=1500, d=40).astype(np.float32),
    "far from the origin": lambda rng: blobs(rng, n=1500, d=3) + 1000,
    "far from the origin, many features, float32": lambda rng: (blobs(rng, n=1500, d=20) + 100).astype(np.float32),
    "8-bit colors": photo_like,
    "8-bit colors as float32": lambda rng: photo_like(rng).astype(np.float32) / np.float32(255),
    "8-bit colors as float64": lambda rng: photo_like(rng) / 255,
    "8-bit, five features": lambda rng: np.hstack([photo_like(rng)] * 2)[:, :5],
    "8-bit, many features": lambda rng: np.hstack([photo_like(rng)[:1200]] * 6),
    "integers": lambda rng: rng.integers(-9, 9, (700, 2)),
    "integer grid with ties": lambda rng: rng.integers(0, 3, (2000, 2)).astype(np.float32),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
def test_same_as_the_plain_version(case, weighted, seed):
    """Merged rows, skipped points, corrected sums and float32 scores change no label."""
    rng = np.random.default_rng(seed)
    x = CASES[case](rng)
    start = x[rng.choice(len(x), 6, replace=False)].astype(np.float64)
    weights = rng.uniform(0.1, 3, len(x)) if weighted else None
    result = km.kmeans(x, 6, init=start, weights=weights)
    labels, centers, history, n_iter = plain_kmeans(x, start, 100, weights)
    np.testing.assert_array_equal(result.labels, labels)
    np.testing.assert_allclose(result.centers, centers, rtol=1e-5, atol=1e-5)
    assert result.n_iter == n_iter
    np.testing.assert_allclose(result.history, history, rtol=1e-5)


@pytest.mark.parametrize("k", [1, 2, 300])
def test_few_and_many_clusters(k, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(1200, 2))
    start = x[rng.choice(1200, k, replace=False)]
    result = km.kmeans(x, k, init=start)
    np.testing.assert_array_equal(result.labels, plain_kmeans(x, start, 100)[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("d", [3, 24])
def test_same_as_scikit_learn_from_the_same_start(seed, dtype, d):
    """From k-means++ seeds, which leave no cluster empty here (scikit-learn fills empty ones in another way)."""
    rng = np.random.default_rng(seed)
    x = blobs(rng, n=2000, d=d, k=7).astype(dtype)
    start = km.plus_plus(x, 7, rng=rng)
    ours = km.kmeans(x, 7, init=start, max_iter=300)
    theirs = KMeans(7, init=start.astype(np.float64), n_init=1, max_iter=300, tol=0).fit(x.astype(np.float64))
    assert ours.inertia == pytest.approx(theirs.inertia_, rel=1e-6)
    np.testing.assert_allclose(ours.centers, theirs.cluster_centers_, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(ours.labels, theirs.labels_)


@pytest.mark.parametrize("case", CASES)
def test_inertia_never_rises_and_ends_as_reported(case, seed):
    rng = np.random.default_rng(seed)
    x = CASES[case](rng)
    result = km.kmeans(x, 9, rng=rng)
    history = np.array(result.history)
    assert (np.diff(history) <= 1e-9 * history[0]).all()
    assert history[-1] == result.inertia
    assert result.inertia == pytest.approx(km.inertia(x, result.centers, result.labels), rel=1e-5)


@pytest.mark.parametrize("max_iter", [1, 2, 100])
def test_labels_belong_to_the_centers(seed, max_iter):
    x = blobs(np.random.default_rng(seed), n=600)
    result = km.kmeans(x, 5, rng=seed, max_iter=max_iter)
    np.testing.assert_array_equal(result.labels, km.assign(x, result.centers))
    assert result.n_iter <= max_iter
    if max_iter == 100:
        assert result.n_iter < 100
        np.testing.assert_allclose(result.centers, km.update(x, result.labels, 5), rtol=1e-12)


def test_empty_cluster_is_filled(seed):
    """A start far away gets no point, takes the farthest one, and three places are found for three clusters."""
    x = np.array([[0.0], [1.0], [10.0], [11.0], [50.0]])
    result = km.kmeans(x, 3, init=[[0.0], [1e6], [2e6]])
    assert sorted(result.centers.ravel()) == [0.5, 10.5, 50.0]
    assert (np.diff(result.history) <= 0).all()
    assert np.bincount(result.labels, minlength=3).min() >= 1


def test_all_clusters_but_one_empty_matches_the_plain_version(seed):
    rng = np.random.default_rng(seed)
    for x in (rng.normal(size=(500, 3)), photo_like(rng)):
        start = np.full((5, 3), 1e4) + np.arange(5)[:, None]
        start[0] = 0
        result = km.kmeans(x, 5, init=start)
        np.testing.assert_array_equal(result.labels, plain_kmeans(x, start, 100)[0])
        assert np.bincount(result.labels, minlength=5).min() >= 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_constant_image(dtype):
    x = np.full((2000, 3), 0.1 if dtype != np.uint8 else 77, dtype)
    result = km.kmeans(x, 4, rng=0)
    assert result.inertia == 0
    assert (result.centers == x[0]).all()
    assert result.n_iter < 5


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
@pytest.mark.parametrize("d", [1, 3, 20])
def test_more_clusters_than_different_points(seed, dtype, d):
    rng = np.random.default_rng(seed)
    places = rng.permutation(200)[: 3 * d].reshape(3, d).astype(dtype)
    x = places[rng.permutation(np.arange(3000) % 3)]
    result = km.kmeans(x, 7, rng=rng)
    assert result.inertia == pytest.approx(0, abs=1e-9)
    assert np.isfinite(result.centers).all()
    assert len(np.unique(result.labels)) == 3
    assert result.n_iter < 10


@pytest.mark.parametrize("n", [1, 2, 30])
def test_as_many_clusters_as_points(seed, n):
    x = np.random.default_rng(seed).normal(size=(n, 3))
    result = km.kmeans(x, n, rng=seed)
    assert sorted(result.labels) == list(range(n))
    assert result.inertia == pytest.approx(0, abs=1e-12)


def test_weights_count_like_copies(seed):
    rng = np.random.default_rng(seed)
    x, counts = blobs(rng, n=300), rng.integers(1, 5, 300)
    start = x[:4]
    weighted = km.kmeans(x, 4, init=start, weights=counts)
    copies = km.kmeans(x.repeat(counts, axis=0), 4, init=start)
    np.testing.assert_array_equal(weighted.labels.repeat(counts), copies.labels)
    assert weighted.inertia == pytest.approx(copies.inertia)


def test_points_without_weight_get_a_label_and_do_not_pull():
    x = np.array([[0.0], [2.0], [9.0], [11.0], [1000.0]])
    result = km.kmeans(x, 2, weights=[1, 1, 1, 1, 0], rng=0)
    assert sorted(result.centers.ravel()) == [1.0, 10.0]
    assert result.labels[4] == result.labels[3]
    assert result.inertia == 4.0


def test_restarts_keep_the_best(seed):
    x = blobs(np.random.default_rng(seed), n=500, k=12, spread=0.2)
    rng = np.random.default_rng(seed)
    single = [km.kmeans(x, 12, rng=rng).inertia for _ in range(6)]
    best = km.kmeans(x, 12, n_init=6, rng=np.random.default_rng(seed))
    assert best.inertia == min(single)


def test_same_seed_same_result_and_inputs_left_alone(seed):
    x = blobs(np.random.default_rng(seed)).astype(np.float32)
    before = x.copy()
    first, second = km.kmeans(x, 5, rng=seed), km.kmeans(x, 5, rng=seed)
    np.testing.assert_array_equal(first.labels, second.labels)
    assert first.history == second.history
    np.testing.assert_array_equal(x, before)


def test_global_random_state_is_not_used(seed):
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    km.kmeans(PAIRS, 2, rng=seed)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize("case", ["few features", "8-bit colors"])
def test_callback_sees_each_assignment(case, seed):
    x = CASES[case](np.random.default_rng(seed))
    seen = []
    result = km.kmeans(x, 4, rng=seed, callback=lambda *state: seen.append(state))
    assert [state[0] for state in seen] == list(range(1, len(result.history) + 1))
    for _, centers, labels, inertia in seen:
        np.testing.assert_array_equal(labels, km.assign(x, centers))
        assert inertia == pytest.approx(km.inertia(x, centers, labels), rel=1e-6)
    np.testing.assert_array_equal(seen[-1][2], result.labels)


def test_types(seed):
    for dtype, expected in (
        (np.float32, np.float32),
        (np.float64, np.float64),
        (np.uint8, np.float64),
        (int, np.float64),
    ):
        result = km.kmeans(PAIRS.astype(dtype), 2, rng=seed)
        assert result.centers.dtype == expected
        assert result.labels.dtype == np.int32
        assert isinstance(result.inertia, float)


def test_a_view_that_is_not_contiguous(seed):
    x = np.random.default_rng(seed).normal(size=(500, 80))
    for view in (x[:, ::2], x[::2], np.asfortranarray(x), x[::-1, :3]):
        np.testing.assert_array_equal(km.kmeans(view, 3, rng=0).labels, km.kmeans(view.copy(), 3, rng=0).labels)


def test_large_numbers(seed):
    x = np.random.default_rng(seed).normal(size=(50, 2))
    assert km.kmeans(x * 1e150, 3, rng=0).inertia == pytest.approx(km.kmeans(x, 3, rng=0).inertia * 1e300)
    with pytest.raises(ValueError, match="squares overflow float32; scale x"), np.errstate(over="ignore"):
        km.kmeans((x * 1e30).astype(np.float32), 3, rng=0)


@pytest.mark.parametrize("n_features", [3, 5, 64])
@pytest.mark.parametrize("start", ["k-means++", "array"])
def test_memory_stays_below_three_times_the_input(n_features, start):
    """Counted by tracemalloc, which knows every NumPy array, with results included and the input not."""
    rng = np.random.default_rng(0)
    if n_features == 3:
        x = np.tile(rng.integers(0, 256, (70_000, 3)).astype(np.float32), (2, 1))  # half of the rows repeat
    else:
        x = rng.normal(size=(100_000, n_features)).astype(np.float32)
    km.kmeans(x[:3000], 8, rng=0, max_iter=2)  # modules are loaded
    tracemalloc.start()
    km.kmeans(x, 8, init=x[:8].astype(np.float64) if start == "array" else start, rng=0, max_iter=10)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * x.nbytes


# ---- merged rows -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.int32])
@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_equal_rows_are_merged_exactly(seed, dtype, d):
    x = np.random.default_rng(seed).integers(0, 9, (5000, d)).astype(dtype)
    order, first, counts = fast.merge_equal_rows(x)
    np.testing.assert_array_equal(np.sort(order), np.arange(5000))
    expected, expected_counts = np.unique(x, axis=0, return_counts=True)
    got = x[order[first]]
    by_row = np.lexsort(got.T[::-1])
    np.testing.assert_array_equal(got[by_row], expected)
    np.testing.assert_array_equal(counts[by_row], expected_counts)
    np.testing.assert_array_equal(x[order], got.repeat(counts, axis=0))


def test_rows_with_one_key_are_still_told_apart(monkeypatch, seed):
    """A hash that is the same for all rows: neighbors after sorting are in any order, but unequal ones stay apart."""
    monkeypatch.setattr(fast, "_HASH_FACTORS", (0, 0, 0, 0))
    x = np.sort(np.random.default_rng(seed).integers(0, 9, (5000, 1)).astype(np.float32), axis=0)
    order, first, counts = fast.merge_equal_rows(x)
    np.testing.assert_array_equal(x[order], x[order[first]].repeat(counts, axis=0))
    assert len(first) == 9


def test_rows_that_do_not_repeat_are_left_as_they_are(seed):
    assert fast.merge_equal_rows(np.random.default_rng(seed).normal(size=(5000, 3))) is None


# ---- PyTorch -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
def test_torch_gives_the_same_labels(case, weighted):
    pytest.importorskip("torch")
    rng = np.random.default_rng(5)
    x = CASES[case](rng)
    weights = rng.uniform(0.1, 3, len(x)) if weighted else None
    start = x[rng.choice(len(x), 6, replace=False)].astype(np.float64)
    expected = km.kmeans(x, 6, init=start, weights=weights)
    result = km.kmeans(x, 6, init=start, weights=weights, device="cpu:torch")
    np.testing.assert_array_equal(result.labels, expected.labels)
    np.testing.assert_allclose(result.centers, expected.centers, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(result.history, expected.history, rtol=1e-5)


def test_torch_in_small_blocks_from_the_host(monkeypatch, seed):
    pytest.importorskip("torch")
    x = blobs(np.random.default_rng(seed), n=500, d=3)
    expected = km.kmeans(x, 5, rng=seed, device="cpu:torch")
    monkeypatch.setattr(fast.TorchPoints, "_size", lambda self, width: 37)
    result = km.kmeans(x, 5, rng=seed, device="cpu:torch")
    np.testing.assert_array_equal(result.labels, expected.labels)
    np.testing.assert_allclose(result.history, expected.history)


def test_torch_seeds_fills_and_survives_constant_points(seed):
    pytest.importorskip("torch")
    x = np.array([[0.0], [1.0], [10.0], [11.0], [50.0]])
    filled = km.kmeans(x, 3, init=[[0.0], [1e6], [2e6]], device="cpu:torch")
    assert sorted(filled.centers.ravel()) == [0.5, 10.5, 50.0]
    assert km.kmeans(np.ones((50, 2)), 4, rng=seed, device="cpu:torch").inertia == 0
    assert km.kmeans(PAIRS, 1, rng=seed, device="cpu:torch").centers.tolist() == [[5.5]]


def test_auto_device_gives_the_same_partition(seed):
    x = blobs(np.random.default_rng(seed), n=300)
    expected = km.kmeans(x, 4, init=x[:4])
    np.testing.assert_array_equal(km.kmeans(x, 4, init=x[:4], device="auto").labels, expected.labels)


@pytest.mark.gpu
@pytest.mark.parametrize("case", CASES)
def test_cuda_gives_the_same_labels(case):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    rng = np.random.default_rng(5)
    x = CASES[case](rng)
    start = x[rng.choice(len(x), 6, replace=False)].astype(np.float64)
    expected = km.kmeans(x, 6, init=start)
    result = km.kmeans(x, 6, init=start, device="cuda")
    np.testing.assert_array_equal(result.labels, expected.labels)
    assert result.inertia == pytest.approx(expected.inertia, rel=1e-6)


def test_importing_and_running_on_the_processor_needs_no_torch():
    code = (
        "import sys, numpy as np\n"
        "from unseg_helpers import kmeans\n"
        "kmeans.kmeans(np.arange(9.0)[:, None], 2, rng=0)\n"
        "print([name for name in ('torch', 'skimage', 'sklearn', 'matplotlib') if name in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"


# ---- how many clusters -------------------------------------------------------------------------------------------


def test_elbow_by_hand():
    assert km.elbow([100, 20, 15, 12, 10], [1, 2, 3, 4, 5]) == 2
    assert km.elbow([100, 60, 20, 15, 10], [2, 4, 6, 8, 10]) == 6
    assert km.elbow([5, 5, 5], [1, 2, 3]) == 1


def test_elbow_does_not_depend_on_units(seed):
    inertias = np.sort(np.random.default_rng(seed).uniform(1, 9, 8))[::-1]
    ks = np.arange(2, 10)
    assert km.elbow(inertias, ks) == km.elbow(inertias * 1e6 + 3, ks)


def test_silhouette_by_hand():
    # 0 and 1 against 10 and 11: a = 1; b = 10.5 and 9.5
    expected = np.mean([9.5 / 10.5, 8.5 / 9.5] * 2)
    assert km.silhouette([[0], [1], [10], [11]], [0, 0, 1, 1]) == pytest.approx(expected)


def test_silhouette_of_a_sample_is_near_that_of_all(seed):
    rng = np.random.default_rng(seed)
    x = blobs(rng, n=1500)
    labels = km.kmeans(x, 4, rng=rng).labels
    each = silhouette_samples(x, labels)
    drawn = km.silhouette(x, labels, n_sample=600, rng=seed)
    assert km.silhouette(x, labels) == pytest.approx(each.mean())
    assert drawn == pytest.approx(each.mean(), abs=6 * each.std() / np.sqrt(600))
    assert drawn == km.silhouette(x, labels, n_sample=600, rng=seed)


@pytest.mark.parametrize("method", ["elbow", "silhouette"])
def test_choose_k_finds_distant_blobs(method, seed):
    rng = np.random.default_rng(seed)
    angle = 2 * np.pi * np.arange(4) / 4
    x = np.repeat(np.c_[np.cos(angle), np.sin(angle)] * 20, 50, axis=0) + rng.normal(size=(200, 2))
    assert km.choose_k(x, range(2, 9), method=method, n_init=3, rng=rng) == 4


# ---- an image ----------------------------------------------------------------------------------------------------


def test_segment_halves(seed):
    image = np.zeros((20, 30, 3), np.uint8)
    image[:, 15:] = (200, 90, 40)
    labels = km.segment(image, 2, rng=seed)
    assert labels.shape == (20, 30)
    assert len(np.unique(labels[:, :15])) == len(np.unique(labels[:, 15:])) == 1
    assert labels[0, 0] != labels[0, 29]


def test_segment_is_kmeans_on_the_features(seed):
    image = np.random.default_rng(seed).integers(0, 256, (12, 17, 3), dtype=np.uint8)
    options = {"space": "lab", "position": 0.3, "lightness": 0.5, "smooth": 0.1}
    expected = km.kmeans(pixel_features(image, **options), 3, n_init=2, rng=seed).labels
    np.testing.assert_array_equal(km.segment(image, 3, n_init=2, rng=seed, **options).ravel(), expected)


# ---- errors ------------------------------------------------------------------------------------------------------


def test_too_many_clusters_is_named_in_the_error():
    with pytest.raises(ValueError, match="between 1 and n=3"):
        km.kmeans(np.zeros((3, 2)), 4)


@pytest.mark.parametrize(
    "function", [lambda x: km.kmeans(x, 2), lambda x: km.plus_plus(x, 2), lambda x: km.assign(x, x)]
)
@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (
            np.zeros((4, 5, 3)),
            ValueError,
            r"got \(4, 5, 3\); for an \(h, w, d\) image use x.reshape\(-1, x.shape\[-1\]\)",
        ),
        (np.zeros(4), ValueError, r"got \(4,\); for n numbers use x.reshape\(-1, 1\)"),
        (np.zeros((0, 2)), ValueError, "at least one row and one column"),
        (np.zeros((4, 0)), ValueError, "at least one row and one column"),
        (np.array([[1.0], [np.nan], [2.0]]), ValueError, "NaN or infinity in 1 of 3 rows; to drop them use"),
        (np.array([[1.0], [-np.inf], [np.inf]]), ValueError, "NaN or infinity in 2 of 3 rows"),
        (np.zeros((4, 2), complex), TypeError, "real numbers, got complex"),
        (np.array([["a"], ["b"]]), TypeError, "real numbers, got <U1"),
    ],
)
def test_bad_points_are_named(function, x, error, message):
    with pytest.raises(error, match=message):
        function(x)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"k": 0}, ValueError, "k must be between 1 and n=4, the number of points, got 0"),
        ({"k": 2.0}, TypeError, "k must be an integer, got 2.0"),
        ({"n_init": 0}, ValueError, "n_init must be at least 1, got 0"),
        ({"max_iter": 0}, ValueError, "max_iter must be at least 1, got 0"),
        ({"init": "random"}, ValueError, r'"k-means\+\+" or an array of shape \(2, 1\), got \'random\''),
        ({"init": [[1.0], [2.0], [3.0]]}, ValueError, r"init must have shape \(k, d\) = \(2, 1\), got \(3, 1\)"),
        ({"init": [[1.0], [np.nan]]}, ValueError, "init holds NaN"),
        ({"weights": [1, 1, 1]}, ValueError, r"weights must have shape \(4,\)"),
        ({"weights": [1, 1, 1, -1]}, ValueError, "at least 0"),
        ({"weights": [0, 0, 0, 0]}, ValueError, "not all 0"),
        ({"weights": [0, 0, 0, 1]}, ValueError, "weight above 0, 1, got 2"),
        ({"device": "gpu"}, ValueError, 'device must be "cpu", "auto", "cuda"'),
    ],
)
def test_bad_options_are_named(options, error, message):
    with pytest.raises(error, match=message):
        km.kmeans(PAIRS, **{"k": 2, "rng": 0, **options})


def test_a_gpu_that_is_not_there():
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(ValueError, match="finds no such GPU"):
        km.kmeans(PAIRS, 2, device="cuda")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: km.squared_distances(np.zeros((2, 3)), np.zeros((2, 2))),
            ValueError,
            "same number of features, got 3 and 2",
        ),
        (lambda: km.update(PAIRS, [0, 1, 2, 3], 3), ValueError, "between 0 and k-1=2, got 0 to 3"),
        (lambda: km.update(PAIRS, [0.0, 1, 1, 1], 3), TypeError, "labels must be integers"),
        (lambda: km.update(PAIRS, np.zeros((2, 2), int), 3), ValueError, r"flatten a label map with labels.ravel\(\)"),
        (lambda: km.elbow([3, 2], [1, 2]), ValueError, "at least 3 values of k, got 2"),
        (lambda: km.elbow([3, 2, 1], [1, 2]), ValueError, "one length"),
        (lambda: km.elbow([3, 2, 1], [1, 3, 2]), ValueError, "ks must grow"),
        (lambda: km.silhouette(PAIRS, [0, 0, 0, 0]), ValueError, "at least 2 clusters .* got 1 clusters"),
        (lambda: km.choose_k(PAIRS, [1, 2, 3], method="bic"), ValueError, "method must be"),
        (lambda: km.choose_k(PAIRS, [1, 2, 3], method="silhouette"), ValueError, "ks must start at 2"),
        (lambda: km.choose_k(PAIRS, [1, 2]), ValueError, "at least 3 values of k"),
        (lambda: km.choose_k(PAIRS, [3, 2, 1]), ValueError, "ks must grow"),
        (lambda: km.segment(np.zeros((4, 4)), 2), ValueError, "gray image"),
    ],
)
def test_other_errors_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
