"""Chapter 02 says things about its figures and outputs: they are still true of the numbers."""

import json

import numpy as np
import pytest
from scipy import ndimage

from unseg_helpers import datasets, features, kmeans, metrics


def blobs(means, n, spread, rng):
    """The points of the chapter: n around randomly chosen means."""
    rng = np.random.default_rng(rng)
    means = np.asarray(means, dtype=float)
    return means[rng.integers(0, len(means), n)] + rng.normal(scale=spread, size=(n, 2))


@pytest.fixture(scope="module")
def coffee():
    photo = datasets.photo("coffee")
    return photo.image, photo.truth.astype(int)


@pytest.fixture(scope="module")
def nine():
    return blobs([(4 * i, 4 * j) for i in range(3) for j in range(3)], 450, 0.6, rng=2)


@pytest.fixture(scope="module")
def curves(coffee):
    """Inertia for k = 1 to 12: of five groups, and of the coffee."""
    examples = {
        "groups": blobs([(0, 0), (6, 0), (3, 5), (9, 5), (6, 10)], 400, 0.8, rng=1),
        "coffee": features.pixel_features(coffee[0][::6, ::6], space="lab"),
    }
    return {name: [kmeans.kmeans(x, k, n_init=3, rng=0).inertia for k in range(1, 13)] for name, x in examples.items()}


def test_borders_of_four_colors_hold_the_outlines_and_much_else(coffee):
    image, truth = (array[::2, ::2] for array in coffee)
    scores = metrics.boundary_scores(truth, kmeans.segment(image, 4, space="lab", position=0.0, rng=0))
    assert scores.recall > 0.85  # "nearly every outline of a thing"
    assert scores.precision < 0.3  # "most borders outline nothing"


def test_identity_and_its_form_in_pairs():
    x, c = np.random.default_rng(0).normal(size=(50, 3)), np.array([1.0, -2.0, 0.5])
    mean = x.mean(axis=0)
    spread = ((x - mean) ** 2).sum()
    assert ((x - c) ** 2).sum() == pytest.approx(spread + 50 * ((mean - c) ** 2).sum())
    assert ((x[:, None] - x) ** 2).sum() / 100 == pytest.approx(spread)


def test_one_random_point_costs_twice_the_optimum():
    x = np.random.default_rng(1).normal(size=(40, 2))
    cost = [((x - y) ** 2).sum() for y in x]
    assert np.mean(cost) == pytest.approx(2 * ((x - x.mean(axis=0)) ** 2).sum())


def test_d_squared_sampling_in_a_group_costs_at_most_eight_times_the_optimum():
    rng = np.random.default_rng(2)
    for _ in range(20):
        x = rng.normal(size=(30, 2)) * rng.uniform(0.1, 3, 2)
        d2 = kmeans.squared_distances(x, rng.normal(size=(3, 2)) * 4).min(axis=1)
        expected = sum(
            p * np.minimum(d2, ((x - y) ** 2).sum(axis=1)).sum() for p, y in zip(d2 / d2.sum(), x, strict=True)
        )
        assert expected <= 8 * ((x - x.mean(axis=0)) ** 2).sum()


def test_rectangle_has_a_minimum_that_is_as_bad_as_you_like():
    w = 10.0
    x = np.array([[0, 0], [w, 0], [0, 1], [w, 1]])
    assert kmeans.kmeans(x, 2, init=[[0, 0.5], [w, 0.5]]).inertia == 1
    assert kmeans.kmeans(x, 2, init=[[w / 2, 0], [w / 2, 1]]).inertia == w**2


def test_the_poor_start_gets_stuck():
    x = blobs([(0, 0), (3.2, 0.3), (1.3, 2.6), (4.3, 2.9)], 320, 0.55, rng=3)
    stuck = kmeans.kmeans(x, 4, init=x[np.argsort(x.sum(axis=1))[:4]])
    assert stuck.inertia > 2 * kmeans.kmeans(x, 4, n_init=10, rng=0).inertia
    assert (np.diff(stuck.history) <= 0).all()


def test_coffee_rests_on_a_plateau(coffee):
    x = features.pixel_features(coffee[0][::4, ::4], space="lab")
    first = x[np.random.default_rng(0).choice(len(x), 6, replace=False)]
    history = np.array(kmeans.kmeans(x, 6, init=first, max_iter=200).history)
    excess = history / history[-1] - 1
    assert ((excess > 0.09) & (excess < 0.115)).sum() >= 9  # "about ten iterations", "10 % above its end"
    assert (np.diff(history) <= 0).all()


def test_seedings_of_the_nine_groups(nine):
    """The shares that the figure prints, from half of its runs."""
    seedings = {
        "uniform": lambda rng: nine[rng.choice(len(nine), 9, replace=False)],
        "k-means++": lambda rng: kmeans.plus_plus(nine, 9, rng=rng, n_candidates=1),
        "greedy": lambda rng: kmeans.plus_plus(nine, 9, rng=rng),
    }
    best = kmeans.kmeans(nine, 9, n_init=10, rng=0).inertia
    share = {
        name: np.mean(
            [kmeans.kmeans(nine, 9, init=draw(np.random.default_rng(s))).inertia < 1.01 * best for s in range(100)]
        )
        for name, draw in seedings.items()
    }
    assert share["uniform"] < 0.4 < share["k-means++"] < 0.7 < 0.9 < share["greedy"]


def test_equal_seeds_are_repaired():
    flag = np.zeros((60, 90, 3), np.uint8)
    flag[:, 30:60], flag[:, 60:] = 255, (200, 30, 40)
    run = kmeans.kmeans(features.pixel_features(flag), 3, init=np.zeros((3, 3)))
    assert np.bincount(run.labels).tolist() == [1800] * 3
    assert run.history[-1] == pytest.approx(0, abs=1e-6)


def test_multiplied_out_distances_fail_far_from_the_origin():
    points = np.random.default_rng(0).random((2000, 5))
    wrong = {}
    for shift in (0, 1000):
        x = (points + shift).astype(np.float32)
        fast = (x**2).sum(axis=1)[:, None] - 2 * x @ x[:8].T + (x[:8] ** 2).sum(axis=1)
        exact = ((x[:, None].astype(float) - x[:8]) ** 2).sum(axis=2)
        wrong[shift] = (fast.argmin(axis=1) != exact.argmin(axis=1)).mean()
        ours = kmeans.squared_distances(x, x[:8])
        assert np.abs(ours - exact).max() < 1e-4 and (ours >= 0).all()
    assert exact.max() < 5 and (fast < 0).any()
    assert wrong[0] == 0 and wrong[1000] > 0.5  # "most points get the wrong center"


def test_colors_with_weights_give_the_same(coffee):
    pixels = coffee[0][::4, ::4].reshape(-1, 3) / 255
    colors, counts = np.unique(pixels, axis=0, return_counts=True)
    first = kmeans.plus_plus(colors, 8, rng=0)
    weighted = kmeans.kmeans(colors, 8, init=first, weights=counts)
    assert weighted.inertia == pytest.approx(kmeans.kmeans(pixels, 8, init=first).inertia, rel=1e-9)


def test_measured_inertia_agrees_or_ours_is_lower(root):
    rows = json.loads((root / "benchmarks" / "results" / "kmeans.json").read_text(encoding="utf-8"))["rows"]
    ours = {row["case"]: row["inertia"] for row in rows if row["method"] == "unseg"}
    assert all(ours[row["case"]] <= row["inertia"] * (1 + 1e-6) for row in rows)


@pytest.mark.parametrize(("stop", "groups", "coffee_k"), [(6, 2, 3), (8, 4, 3), (12, 5, 4)])
def test_elbow_depends_on_where_one_stops_looking(curves, stop, groups, coffee_k):
    ks = np.arange(1, stop + 1)
    assert kmeans.elbow(curves["groups"][:stop], ks) == groups
    assert kmeans.elbow(curves["coffee"][:stop], ks) == coffee_k


def test_more_colors_do_not_cover_more(coffee):
    image, truth = (array[::3, ::3] for array in coffee)
    covered = {k: metrics.covering(truth, kmeans.segment(image, k, position=0.0, rng=0)) for k in (2, 5, 12)}
    assert covered[5] > covered[2] + 0.05 and covered[5] > covered[12] + 0.05


def test_one_segment_covers_four_of_nine_photos_best():
    ahead = []
    for sample in datasets.photos():
        step = -(-max(sample.image.shape[:2]) // 180)
        image, truth = sample.image[::step, ::step], sample.truth[::step, ::step]
        options = ({"space": "rgb", "position": 0.0}, {"position": 0.0}, {"position": 0.5})
        best = max(metrics.covering(truth, kmeans.segment(image, 5, **o, n_init=5, rng=0)) for o in options)
        if metrics.covering(truth, np.zeros_like(truth)) > best:
            ahead.append(sample.name)
    assert ahead == ["chelsea", "coins", "flower", "rocket"]


def test_position_repairs_noise_and_then_takes_over():
    rows, cols = np.mgrid[:96, :96] / 96
    rng = np.random.default_rng(0)
    truth = (cols + 0.3 * rows > 0.65).astype(int)
    values = np.where(truth, 0.6, 0.4) + rng.normal(scale=0.15, size=truth.shape)
    image = np.repeat(np.clip(255 * values, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    covered, pieces = [], []
    for weight in (0, 0.6, 1.5):
        labels = kmeans.segment(image, 2, position=weight, rng=0)
        covered.append(metrics.covering(truth, labels))
        pieces.append(sum(ndimage.label(labels == j)[1] for j in (0, 1)))
    assert covered[1] > covered[0] + 0.15 and covered[1] > covered[2] + 0.3
    assert pieces[0] > 2 * pieces[1] > 2 * pieces[2]
