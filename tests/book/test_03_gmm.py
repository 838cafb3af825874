"""Chapter 03 says things about its figures and outputs: they are still true of the numbers."""

import numpy as np
import pytest

from unseg_helpers import datasets, features, gmm, kmeans, metrics, plots


@pytest.fixture(scope="module")
def coffee():
    return datasets.photo("coffee").image


@pytest.fixture(scope="module")
def numbers():
    """The 300 numbers of the two hills: (n, 1)."""
    rng = np.random.default_rng(1)
    return np.where(rng.random(300) < 0.7, rng.normal(-1.6, 1, 300), rng.normal(1.9, 1, 300))[:, None]


@pytest.fixture(scope="module")
def three():
    """The three groups of the stepper and of the four kinds."""
    rng = np.random.default_rng(5)
    spread = [[[0.9, 0.75], [0.75, 0.8]], [[0.25, 0.0], [0.0, 0.25]], [[0.6, -0.5], [-0.5, 0.6]]]
    means, counts = [(0, 0), (2.6, -0.8), (3.4, 2.2)], (150, 60, 110)
    return np.concatenate([rng.multivariate_normal(m, s, c) for m, s, c in zip(means, spread, counts, strict=True)])


@pytest.fixture(scope="module")
def photos():
    """Label maps of all photos at the chapter's size: name -> (image, truth, {(method, weight): labels})."""
    found = {}
    for sample in datasets.photos():
        step = -(-max(sample.image.shape[:2]) // 180)
        image, truth = sample.image[::step, ::step], sample.truth[::step, ::step]
        maps = {}
        for weight in (0.0, 0.5):
            x = features.pixel_features(image, space="lab", position=weight, dtype=np.float64)
            hard = kmeans.kmeans(x, 5, n_init=5, rng=0).labels
            maps["k-means", weight] = hard.reshape(truth.shape)
            for kind in ("full", "diag"):
                maps[kind, weight] = gmm.fit(x, 5, kind=kind, init=hard).labels.reshape(truth.shape)
        found[sample.name] = (image, truth, maps)
    return found


@pytest.fixture(scope="module")
def covered(photos):
    """(method, weight) -> covering of each photo."""
    keys = next(iter(photos.values()))[2]
    return {key: np.array([metrics.covering(t, maps[key]) for _, t, maps in photos.values()]) for key in keys}


def two_means(a, b):
    return gmm.Mixture(np.array([0.7, 0.3]), np.array([[a], [b]]), np.ones((2, 1, 1)))


def climb(numbers, a, b, steps=40):
    for _ in range(steps):
        r, _ = gmm.e_step(numbers, two_means(a, b))
        a, b = (r.T @ numbers / r.sum(axis=0)[:, None])[:, 0]
    return a, b


def bound(x, q, mixture):
    joint = gmm.log_densities(x, mixture) + np.log(mixture.weights)
    return float((q * (joint - np.log(q))).sum() / len(q))


def test_a_mixture_repairs_the_three_clouds_of_chapter_02():
    rng = np.random.default_rng(4)
    long = np.concatenate([rng.normal((0, y), (2.4, 0.35), (200, 2)) for y in (-1.2, 1.2)])
    unequal = np.concatenate([rng.normal((0, 0), 1.6, (500, 2)), rng.normal((4.6, 0), 0.3, (60, 2))])
    scaled = np.concatenate([rng.normal((x, 0), (0.5, 10.0), (200, 2)) for x in (-2, 2)])
    for x, n_first in ((long, 200), (unequal, 500), (scaled, 200)):
        truth = (np.arange(len(x)) >= n_first).astype(int)[None]
        hard = kmeans.kmeans(x, 2, n_init=5, rng=0).labels[None]
        soft = gmm.fit(x, 2, init="random", n_init=10, tol=1e-7, max_iter=500, rng=0).labels[None]
        assert metrics.matched_accuracy(truth, soft) > 0.98
        assert metrics.matched_accuracy(truth, hard) < 0.85


def test_two_hills_and_which_start_climbs_which(numbers):
    starts = [(-3.5, -2.5), (-3.5, 3.5), (-0.5, -3.5), (3.5, -3), (3.7, 1), (0.5, 3.6), (-3.7, 0.5), (3, 3.6)]
    tops = [climb(numbers, *start) for start in starts]
    higher = [gmm.score(numbers, two_means(*top)) for top in tops if top[0] < top[1]]
    lower = [gmm.score(numbers, two_means(*top)) for top in tops if top[0] > top[1]]
    assert (len(higher), len(lower)) == (5, 3)
    assert min(higher) > max(lower) + 0.2
    assert np.ptp(higher) < 1e-3 and np.ptp(lower) < 1e-3


def test_bound_plus_gap_is_the_log_likelihood(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(200, 2))
    mixture = gmm.fit(x, 3, max_iter=2, rng=seed).mixture
    r, log_likelihood = gmm.e_step(x, mixture)
    for q in (rng.dirichlet(np.ones(3), 200), np.full((200, 3), 1 / 3)):
        gap = (q * np.log(q / r)).sum(axis=1).mean()
        assert bound(x, q, mixture) + gap == pytest.approx(log_likelihood)
        assert gap > 0


def test_the_bound_touches_and_its_top_is_no_higher_than_the_likelihood(numbers):
    a, mu = climb(numbers, -1.6, 1.9)[0], -0.8
    for _ in range(3):
        r, touch = gmm.e_step(numbers, two_means(a, mu))
        assert bound(numbers, r, two_means(a, mu)) == pytest.approx(touch)
        slope = [(f(mu + 1e-4) - f(mu - 1e-4)) / 2e-4 for f in (
            lambda m: gmm.score(numbers, two_means(a, m)),
            lambda m: bound(numbers, r, two_means(a, m)),  # noqa: B023 - called at once
        )]  # fmt: skip
        assert slope[0] == pytest.approx(slope[1], abs=1e-6)  # "has the slope of the likelihood where it touches"
        mu = float(r[:, 1] @ numbers[:, 0] / r[:, 1].sum())
        top = bound(numbers, r, two_means(a, mu))
        assert touch < top <= gmm.score(numbers, two_means(a, mu))
        assert top > bound(numbers, r, two_means(a, mu - 0.01)) and top > bound(numbers, r, two_means(a, mu + 0.01))


def test_best_gaussian_is_mean_and_covariance(seed):
    rng = np.random.default_rng(seed)
    x, q = rng.normal(size=(40, 3)), rng.random((40, 1))
    best = gmm.m_step(x, q / q, floor=0.0)
    at_best = gmm.score(x, best)
    for _ in range(10):
        shift, a = 0.1 * rng.normal(size=(1, 3)), 0.1 * rng.normal(size=(3, 3))
        other = best._replace(means=best.means + shift, covariances=best.covariances + a @ a.T)
        assert gmm.score(x, other) < at_best


def test_the_likelihood_of_the_stepper_never_falls(three):
    poor = gmm.Mixture(np.full(3, 1 / 3), np.array([[0.5, 1.2], [1.2, 0.9], [0.8, 1.8]]), np.stack([np.eye(2)] * 3))
    history = gmm.fit(three, 3, init=poor, tol=0, max_iter=40).history
    assert (np.diff(history) > -1e-6).all()
    first, _ = gmm.e_step(three, poor)
    assert (first.max(axis=1) < 0.9).mean() > 0.8  # "in the first steps nearly all points are in doubt"


def test_numbers_underflow_where_the_table_says():
    far = gmm.Mixture(np.array([0.5, 0.5]), np.array([[0.0], [1.0]]), np.ones((2, 1, 1)))
    dense = {away: np.exp(gmm.log_densities([[-float(away)]], far)) for away in (14, 15, 38, 39)}
    assert dense[38][0, 0] > 0 and not dense[39].any()
    assert np.float32(dense[14][0, 0]) > 0 and np.float32(dense[15][0, 0]) == 0
    r, log_likelihood = gmm.e_step([[-100.0]], far)
    assert np.isfinite(log_likelihood) and r[0].tolist() == pytest.approx([1, 0])
    assert np.linalg.det(0.01 * np.eye(200)) == 0 < np.linalg.det(0.01 * np.eye(150))


def test_full_covariances_forget_the_scale_of_a_feature(coffee):
    x = features.pixel_features(coffee[::8, ::8], space="lab", dtype=np.float64)
    labels = kmeans.kmeans(x, 4, rng=0).labels
    stretch = np.array([10.0, 1, 1])
    plain, stretched = (gmm.fit(y, 4, init=labels, floor=1e-12, max_iter=20) for y in (x, x * stretch))
    r, log_likelihood = gmm.e_step(x, plain.mixture)
    s, other = gmm.e_step(x * stretch, stretched.mixture)
    np.testing.assert_allclose(s, r, atol=1e-4)
    assert other == pytest.approx(log_likelihood - np.log(10), abs=1e-5)


def test_four_kinds_count_and_rank_as_in_the_figure(three):
    first = kmeans.kmeans(three, 3, n_init=5, rng=0).labels
    kinds = ("full", "diag", "spherical", "tied")
    runs = {kind: gmm.fit(three, 3, kind=kind, init=first, tol=1e-7, max_iter=500) for kind in kinds}
    assert [gmm.n_parameters(run.mixture) for run in runs.values()] == [17, 14, 11, 11]
    assert max(runs, key=lambda kind: runs[kind].log_likelihood) == "full"
    assert min(runs, key=lambda kind: gmm.bic(three, runs[kind].mixture)) == "full"


def test_kmeans_is_the_limit(coffee):
    x = features.pixel_features(coffee[::8, ::8], space="lab", dtype=np.float64)
    first = kmeans.plus_plus(x, 5, rng=0)
    lloyd = kmeans.kmeans(x, 5, init=first, max_iter=200)
    same = []
    for sigma in (0.2, 0.05, 0.001):
        means = first
        for _ in range(200):
            r, _ = gmm.e_step(x, gmm.Mixture(np.full(5, 1 / 5), means, np.full(5, sigma**2), "spherical"))
            means = r.T @ x / r.sum(axis=0)[:, None]
        same.append((r.argmax(axis=1) == lloyd.labels).mean())
    assert same[0] < 0.7 < 0.9 < same[1] < same[2] == 1
    np.testing.assert_allclose(means, lloyd.centers, atol=1e-6)


def test_a_spike_on_one_point_has_any_likelihood():
    x = np.random.default_rng(0).normal(size=(100, 1))
    scores = [
        gmm.score(x, gmm.Mixture(np.array([0.99, 0.01]), np.array([[0.0], x[0]]), np.array([1.0, s**2]), "spherical"))
        for s in (1e-10, 1e-50, 1e-100, 1e-150)
    ]
    assert (np.diff(scores) > 0.9).all()  # a hundredth of log 10^40 or log 10^50


def test_likelihood_of_a_flat_image_speaks_of_the_floor():
    flag = np.zeros((60, 90, 3), np.uint8)
    flag[:, 30:60], flag[:, 60:] = 255, (200, 30, 40)
    x = features.pixel_features(flag, space="lab")
    runs = [gmm.fit(x, 3, floor=floor, rng=0) for floor in (1e-2, 1e-6, 1e-10)]
    assert all(np.bincount(run.labels).tolist() == [1800] * 3 for run in runs)
    assert (np.diff([run.log_likelihood for run in runs]) > 10).all()


def test_starts_from_kmeans_are_never_bad_and_random_ones_sometimes(coffee):
    x = features.pixel_features(coffee[::8, ::8], space="lab", dtype=np.float64)
    runs = {
        init: [gmm.fit(x, 5, init=init, max_iter=200, tol=1e-6, rng=seed) for seed in range(12)]
        for init in ("kmeans", "random")
    }
    final = {init: np.array([run.log_likelihood for run in many]) for init, many in runs.items()}
    assert final["kmeans"].min() > final["random"].min() + 0.1
    assert final["kmeans"].max() == pytest.approx(final["random"].max(), abs=0.02)  # "the same best height"
    assert np.mean([r.n_iter for r in runs["kmeans"]]) < np.mean([r.n_iter for r in runs["random"]])
    assert all((np.diff(run.history) > -1e-4).all() for many in runs.values() for run in many)


def test_bic_finds_three_groups_and_wants_all_it_can_get_on_a_photo(three, coffee):
    few = {k: gmm.bic(three, gmm.fit(three, k, n_init=3, rng=0).mixture) for k in (1, 2, 3, 4, 5, 6, 8)}
    assert min(few, key=few.get) == 3
    x = features.pixel_features(coffee[::4, ::4], space="lab", dtype=np.float64)
    mixtures = {k: gmm.fit(x, k, rng=0).mixture for k in (4, 8, 16, 20, 25)}
    for criterion in (gmm.bic, gmm.aic):
        values = [criterion(x, mixture) for mixture in mixtures.values()]
        assert int(np.argmin(values)) == len(values) - 1


def test_thinner_photos_have_fewer_groups_by_bic(coffee):
    best = []
    for step in (8, 16, 32):
        x = features.pixel_features(coffee[::step, ::step], space="lab", dtype=np.float64)
        values = {k: gmm.bic(x, gmm.fit(x, k, rng=0).mixture) for k in (2, 3, 4, 5, 6, 8, 10, 13, 16, 20)}
        best.append(min(values, key=values.get))
    assert best[0] > best[1] > best[2]


def test_a_penalty_is_nothing_among_the_pixels_of_a_photo(coffee):
    n = coffee.shape[0] * coffee.shape[1]
    assert 10 * np.log(n) / (2 * n) < 3e-4
    full = gmm.Mixture(np.full(2, 0.5), np.zeros((2, 3)), np.stack([np.eye(3)] * 2))
    one = gmm.Mixture(np.ones(1), np.zeros((1, 3)), np.eye(3)[None])
    assert gmm.n_parameters(full) - gmm.n_parameters(one) == 10


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_on_the_photos_a_mixture_wins_by_a_little(covered, weight):
    hard, full, diag = (covered[method, weight] for method in ("k-means", "full", "diag"))
    assert 0.01 < full.mean() - hard.mean() < 0.06
    assert (full > hard + 0.01).sum() > (full < hard - 0.01).sum()  # "better on more photos than it is worse"
    assert diag.mean() > full.mean() - 0.01  # "as good"


def test_position_changes_single_photos_more_than_the_method(covered):
    hard = covered["k-means", 0.0]
    assert np.abs(covered["k-means", 0.5] - hard).mean() > np.abs(covered["full", 0.0] - hard).mean()


def test_the_two_photos_that_are_shown_and_those_best_left_alone(photos, covered):
    names = list(photos)
    assert (covered["full", 0.5] - covered["k-means", 0.5])[names.index("china")] > 0.05
    assert (covered["full", 0.0] - covered["k-means", 0.0])[names.index("rocket")] < -0.03
    alone = np.array([metrics.covering(truth, np.zeros_like(truth)) for _, truth, _ in photos.values()])
    assert (alone > np.max(list(covered.values()), axis=0)).any()


def test_the_sky_is_narrow_in_lightness_and_wide_in_place_and_the_pagoda_is_not(photos):
    image, _, maps = photos["china"]
    x = features.pixel_features(image, space="lab", position=0.5, dtype=np.float64)
    mixture = gmm.fit(x, 5, init=maps["k-means", 0.5].ravel()).mixture
    spread = np.sqrt(mixture.full_covariances().diagonal(axis1=1, axis2=2))  # (k, 5): L, a, b, row, column
    labels = maps["full", 0.5]
    h, w = labels.shape
    sky, pagoda = labels[h // 20, w // 3], np.bincount(labels[h // 2, w // 4 : 2 * w // 5]).argmax()
    assert 3.5 < spread[pagoda, 0] / spread[sky, 0] < 4.5
    assert spread[pagoda, 4] < 0.5 * spread[sky, 4]


def test_the_start_matters_as_much_as_the_method(photos):
    image, truth, _ = photos["coffee"]
    x = features.pixel_features(image, space="lab", position=0.5, dtype=np.float64)
    rows = []
    for seed in range(5):
        run = gmm.fit(x, 5, init=kmeans.kmeans(x, 5, rng=seed).labels)
        rows.append((run.log_likelihood, metrics.covering(truth, run.labels.reshape(truth.shape))))
    likelihoods, covering = np.array(rows).T
    assert np.ptp(covering) > 0.1
    assert covering[likelihoods.argmax()] > covering.max() - 0.01  # "the larger likelihood is the better segmentation"


def test_second_stage_only_merges_and_helps_a_little(photos, covered):
    scores, fine_scores = [], []
    for image, truth, _ in photos.values():
        x = features.pixel_features(image, space="lab", position=0.5, dtype=np.float64)
        fine = gmm.fit(x, 10, init=kmeans.kmeans(x, 10, n_init=5, rng=0).labels).labels.reshape(truth.shape)
        merged = kmeans.segment(plots.colorize(fine, image), 5, space="lab", position=0.0, n_init=5, rng=0)
        for j in np.unique(fine):
            assert len(np.unique(merged[fine == j])) == 1  # "never cut one"
        scores.append(metrics.covering(truth, merged))
        fine_scores.append(metrics.covering(truth, fine))
    assert np.mean(scores) > covered["full", 0.5].mean() > np.mean(fine_scores) + 0.1
