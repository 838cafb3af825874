"""Chapter 05 says things about its figures and outputs: they are still true of the numbers.

Only of graphs and features that are made here: what the network finds in a photo changes with its weights, and the
chapter claims nothing about it.
"""

import numpy as np
import pytest
from scipy.linalg import eigh

from unseg_helpers import affinity, datasets, kmeans, metrics, postprocess, spectral
from unseg_helpers.plots_spectral import enlarge

EDGES = {(1, 2): 1, (1, 3): 1, (2, 3): 1, (3, 4): 0.3, (4, 5): 1, (4, 6): 1, (5, 6): 1, (6, 7): 0.2}


@pytest.fixture(scope="module")
def seven():
    """The graph of seven nodes."""
    w = np.zeros((7, 7))
    for (i, j), weight in EDGES.items():
        w[i - 1, j - 1] = w[j - 1, i - 1] = weight
    return w


def costs(w, side):
    cut, degree = w[side][:, ~side].sum(), w.sum(axis=1)
    ratio = cut / side.sum() + cut / (~side).sum()
    return cut, ratio, cut / degree[side].sum() + cut / degree[~side].sum()


def all_splits(n):
    return [np.array([(m >> i) & 1 for i in range(n)], bool) for m in range(1, 2 ** (n - 1))]


def random_graph(seed, n=8):
    w = np.random.default_rng(seed).random((n, n)) ** 3
    return w + w.T


def perfect_features(labels, rows=24, *, alike=0.2, noise=0.3, rng=0):
    height, width = labels.shape
    grid = rows, round(rows * width / height)
    at = [(np.arange(n) * 2 + 1) * side // (2 * n) for n, side in zip(grid, labels.shape, strict=True)]
    small = labels[at[0][:, None], at[1]].astype(int)
    k = int(labels.max()) + 1
    directions = np.c_[np.sqrt(1 - alike) * np.eye(k), np.full(k, np.sqrt(alike))]
    drawn = noise * np.random.default_rng(rng).normal(size=(*grid, 32)) / np.sqrt(32)
    return np.concatenate([directions[small], drawn], axis=2), small


def regions(name, groups):
    sample = datasets.photo(name)
    return sample.image, np.array(groups)[sample.truth]


def vectors_of(labels, k, rows=24):
    """Spectrum of perfect features, and the labels of the patches."""
    f, small = perfect_features(labels, rows)
    return spectral.eigenvectors(affinity.feature_affinity(f), k), small


@pytest.fixture(scope="module")
def portrait():
    truth = regions("hopper", [0, 1, 2, 2, 1, 1, 3, 1])[1]
    return vectors_of(truth, 8)


def test_rings_are_cut_by_kmeans_and_told_apart_by_the_second_eigenvector():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 400)
    inner = np.arange(400) < 130
    radius = np.where(inner, 1.0, 2.0) + rng.normal(0, 0.08, 400)
    rings = np.c_[radius * np.cos(angle), radius * np.sin(angle)]
    near = np.exp(-((rings[:, None] - rings) ** 2).sum(axis=2) / (2 * 0.2**2))
    second = spectral.eigenvectors(near, 2).vectors[:, 1]
    np.testing.assert_array_equal(second > 0, inner)  # "all of the inner ring are vermilion"
    hard = kmeans.kmeans(rings, 2, n_init=5, rng=0).labels
    assert metrics.matched_accuracy(inner[None].astype(int), hard[None]) < 0.6


def test_the_smallest_cut_takes_the_loose_end_and_the_normalized_one_a_triangle(seven):
    table = np.array([costs(seven, side) for side in all_splits(7)])
    cut, ratio, normalized = (np.flatnonzero(~all_splits(7)[i]) + 1 for i in table.argmin(axis=0))
    assert cut.tolist() == [7]
    assert ratio.tolist() == normalized.tolist() == [4, 5, 6, 7]
    assert len(table) == 63


def test_the_sign_of_the_seven_is_the_smallest_normalized_cut(seven):
    values, vectors = spectral.eigenvectors(seven, 2)
    v = vectors[:, 1] * np.sign(vectors[0, 1])
    assert (v > 0).tolist() == [True] * 3 + [False] * 4
    assert set(np.argsort(abs(v))[:2] + 1) == {3, 4}  # "paler"
    assert values[1] == pytest.approx(0.081, abs=1e-3) and costs(seven, v > 0)[2] == pytest.approx(0.092, abs=1e-3)


@pytest.mark.parametrize("eps", [0.01, 0.1, 0.5, 1.0, 3.0])
def test_four_in_a_row_by_hand(eps):
    w = np.diag([1, eps, 1], 1) + np.diag([1, eps, 1], -1)
    values, vectors = spectral.eigenvectors(w, 2)
    assert values[1] == pytest.approx(eps / (1 + eps))
    inner = 1 / (1 + eps)
    np.testing.assert_allclose(vectors[:, 1] / vectors[0, 1], [1, inner, -inner, -1], atol=1e-6)
    ncut = costs(w, np.arange(4) < 2)[2]
    assert ncut == pytest.approx(2 * eps / (2 + eps)) and values[1] < ncut
    mu = (2 + 3 * eps - np.sqrt((2 + 3 * eps) ** 2 - 8 * eps * (1 + eps))) / (2 * (1 + eps))
    assert mu == pytest.approx(eps / (1 + eps))  # "a square"


def test_quadratic_form_quotient_and_bounds(seed):
    w = random_graph(seed)
    d = w.sum(axis=1)
    laplacian = np.diag(d) - w
    f = np.random.default_rng(seed).normal(size=8)
    assert f @ laplacian @ f == pytest.approx((w * (f[:, None] - f) ** 2).sum() / 2)
    values, vectors = eigh(laplacian, np.diag(d))
    assert values[0] == pytest.approx(0, abs=1e-12) and values[-1] <= 2
    for side in all_splits(8):
        a, b = d[side].sum(), d[~side].sum()
        f = np.where(side, np.sqrt(b / a), -np.sqrt(a / b))
        assert f @ d == pytest.approx(0, abs=1e-9)
        assert f @ laplacian @ f / (d @ f**2) == pytest.approx(costs(w, side)[2])
        assert values[1] <= costs(w, side)[2] + 1e-12
    thresholds = np.sort(vectors[:, 1])[:-1]
    worse = [
        max(costs(w, s)[0] / d[s].sum(), costs(w, s)[0] / d[~s].sum()) for s in (vectors[:, 1] > t for t in thresholds)
    ]
    assert min(worse) <= np.sqrt(2 * values[1])  # the inequality of Cheeger's kind


def test_zeros_count_the_parts():
    w = np.kron(np.eye(3), np.ones((4, 4)))
    values = eigh(np.diag(w.sum(axis=1)) - w, np.diag(w.sum(axis=1)), eigvals_only=True)
    assert (values < 1e-12).sum() == 3


def test_the_normalized_cut_is_a_chance_to_escape(seed):
    w = random_graph(seed)
    d = w.sum(axis=1)
    p, long_run = w / d[:, None], d / d.sum()
    np.testing.assert_allclose(long_run @ p, long_run)
    for side in all_splits(8)[::9]:
        leave = (long_run[side] @ p[side][:, ~side]).sum() / long_run[side].sum()
        enter = (long_run[~side] @ p[~side][:, side]).sum() / long_run[~side].sum()
        assert leave + enter == pytest.approx(costs(w, side)[2])


@pytest.mark.parametrize(("share", "alike"), [(0.1, 0.2), (0.3, 0.2), (0.5, 0.2), (0.3, 0.6), (0.3, 0.9)])
def test_two_blocks_lose_nothing_by_the_relaxation(share, alike):
    side = np.arange(200) < share * 200
    w = np.where(side[:, None] == side, 1.0, alike)
    values, vectors = spectral.eigenvectors(w, 5, solver="dense")
    a, p = alike, share
    formula = a * (1 - p) / (p + a * (1 - p)) + a * p / ((1 - p) + a * p)
    assert values[1] == pytest.approx(formula, abs=1e-6) == costs(w, side)[2]
    np.testing.assert_allclose(values[2:], 1, atol=1e-6)  # quiz 6
    assert max(np.ptp(vectors[side, 1]), np.ptp(vectors[~side, 1])) < 1e-6


def test_heat_in_two_rooms_ends_as_the_second_vector():
    floor = np.ones((15, 31), bool)
    floor[:, 15] = False
    floor[7, 15] = True
    number = np.where(floor, np.cumsum(floor).reshape(floor.shape) - 1, -1)
    tiles = np.zeros((floor.sum(), floor.sum()))
    for one, other in ((number[:, :-1], number[:, 1:]), (number[:-1], number[1:])):
        both = (one >= 0) & (other >= 0)
        tiles[one[both], other[both]] = tiles[other[both], one[both]] = 1.0
    degree = tiles.sum(axis=1)
    mu, modes = eigh(np.diag(degree) - tiles, np.diag(degree))
    np.testing.assert_allclose(modes.T @ (degree[:, None] * modes), np.eye(len(mu)), atol=1e-9)
    room = np.broadcast_to(np.arange(31) < 15, floor.shape)[floor]
    other_room = np.broadcast_to(np.arange(31) > 15, floor.shape)[floor]
    assert (
        len(set(np.sign(modes[room, 1]))) == 1 and (np.sign(modes[other_room, 1]) == -np.sign(modes[room, 1][0])).all()
    )
    assert mu[2] > 10 * mu[1]  # "within a room heat evens out quickly, between the rooms slowly"
    x0 = np.zeros(floor.shape)
    x0[4, 4] = 1
    at = {t: modes @ (np.exp(-mu * t) * (modes.T @ (degree * x0[floor]))) for t in (200, 10_000)}
    assert at[200][room].mean() > 5 * at[200][other_room].mean()
    assert np.ptp(at[10_000]) < 0.02 * at[10_000].max()


def test_perfect_features_give_back_four_regions_and_their_number(portrait):
    result, small = portrait
    grid = small.shape
    labels = spectral.segments(result.vectors[:, :4].reshape(*grid, 4), 4)
    assert metrics.matched_miou(small, labels) > 0.99
    assert spectral.eigengap(result.values) == 4
    assert result.values[3] < 0.7 < 0.95 < result.values[4]  # "then values near 1"


def test_the_number_of_segments_must_be_right(portrait):
    result, small = portrait
    score = {
        count: metrics.matched_miou(
            small, spectral.segments(result.vectors[:, :count].reshape(*small.shape, -1), count)
        )
        for count in (2, 3, 4, 6)
    }
    assert score[2] < score[3] < score[4] > score[6]


def test_the_flower_is_found_and_the_cat_that_fills_the_photo_is_inverted():
    for name, inverted in (("flower", False), ("chelsea", True)):
        _, truth = regions(name, [0, 1, 1, 1, 1])
        result, small = vectors_of(truth, 2)
        v = result.vectors[:, 1].reshape(small.shape)
        iou = metrics.foreground_iou(truth > 0, enlarge(spectral.foreground(v), truth.shape))
        assert iou < 0.01 if inverted else iou > 0.9
        assert (truth.mean() > 0.7) == inverted
        side = v > 0
        largest = np.unravel_index(abs(v).argmax(), v.shape)
        assert side[largest] == spectral.foreground(v)[largest]  # the rule of the largest value says the same
    border = np.concatenate([small[0], small[-1], small[1:-1, 0], small[1:-1, -1]])
    assert (border == 1).mean() > 0.5  # "touches the border in more places than the background"


def test_three_objects_are_on_one_side_and_one_is_kept():
    scene = datasets.scene(24, size=(240, 360), n_objects=3)
    kinds, groups = np.unique(scene.classes, return_inverse=True)
    assert [scene.class_names[i] for i in kinds] == ["background", "balloon", "car", "mushroom"]
    result, small = vectors_of(groups.reshape(scene.classes.shape), 2)
    mask = spectral.foreground(result.vectors[:, 1].reshape(small.shape))
    np.testing.assert_array_equal(mask, small > 0)
    assert len(np.unique(small[spectral.largest_component(mask)])) == 1


def test_two_dozen_coins_are_one_segment():
    truth = datasets.photo("coins").truth
    result, small = vectors_of((truth > 0).astype(int), 6, rows=32)
    assert spectral.eigengap(result.values) == 2 and len(np.unique(truth)) - 1 == 24
    labels = spectral.segments(result.vectors[:, :2].reshape(*small.shape, 2), 2)
    np.testing.assert_array_equal(labels > 0, small > 0)


def test_sky_against_earth_is_the_cheaper_cut():
    _, truth = regions("china", [0, 1, 1, 2, 3, 3])  # sky, pagoda, trees, water and shore
    result, small = vectors_of(truth, 3)
    second, third = (result.vectors[:, j].reshape(small.shape) for j in (1, 2))
    mask = spectral.foreground(second)
    assert mask[small == 0].all() and not mask[small > 0].any()
    assert metrics.foreground_iou(truth == 1, enlarge(mask, truth.shape)) < 0.05
    assert np.sign(np.median(third[small == 1])) == -np.sign(np.median(third[small == 2]))


def test_what_is_thinner_than_a_patch_is_lost():
    tripod = np.isin(datasets.photo("camera").truth, [5])
    person = np.isin(datasets.photo("camera").truth, [1, 2, 3])
    best = {}
    for name, mask in (("tripod", tripod), ("person", person)):
        for side in (4, 8, 16, 32):
            blocks = mask.reshape(512 // side, side, 512 // side, side).mean(axis=(1, 3)) > 0.5
            best[name, side] = metrics.foreground_iou(mask, enlarge(blocks, mask.shape))
    assert best["tripod", 16] < 0.5 < 0.9 < best["person", 16]
    assert best["tripod", 4] > best["tripod", 8] > best["tripod", 16] > best["tripod", 32]


def test_refining_a_perfect_mask_of_the_flower_follows_its_petals():
    sample = datasets.photo("flower")
    truth = np.isin(sample.truth, [1, 2, 3, 4])[::2, ::2]
    height, width = (n // 13 * 13 for n in truth.shape)
    truth, image = truth[:height, :width], np.ascontiguousarray(sample.image[::2, ::2][:height, :width])
    coarse = truth.reshape(height // 13, 13, width // 13, 13).mean(axis=(1, 3)) > 0.5
    blocks = metrics.foreground_iou(truth, enlarge(coarse, truth.shape))
    smooth = metrics.foreground_iou(truth, postprocess.upsample(coarse.astype(float), truth.shape) > 0.5)
    refined = [
        metrics.foreground_iou(truth, postprocess.refine(coarse, image, m) > 0.5) for m in ("guided", "bilateral")
    ]
    assert blocks < smooth < min(refined) - 0.03


def test_scale_changes_nothing_and_the_diagonal_something(seed):
    w = random_graph(seed)
    before, scaled, bare = (spectral.eigenvectors(x, 3) for x in (w, 5 * w, w - np.diag(w.diagonal())))
    np.testing.assert_allclose(scaled.values, before.values, atol=1e-6)
    assert abs(bare.values - before.values).max() > 1e-3


def test_a_patch_that_is_like_no_other_is_singled_out():
    w = np.ones((9, 9))
    w[4] = w[:, 4] = 0
    w[4, 4] = 1
    values, vectors = eigh(np.diag(w.sum(axis=1)) - w, np.diag(w.sum(axis=1)))
    assert (values < 1e-12).sum() == 2  # two parts: any mixture of "all but it" and "it alone" is an eigenvector
    assert np.ptp(np.delete(vectors[:, :2], 4, axis=0), axis=0).max() < 1e-9
    assert values[2] == pytest.approx(1)


def test_all_solvers_meet_the_equation(portrait):
    _, small = portrait
    f, _ = perfect_features(regions("hopper", [0, 1, 2, 2, 1, 1, 3, 1])[1])
    w = affinity.feature_affinity(f)
    degree = affinity.degrees(w)
    for solver in ("dense", "lanczos", "lobpcg"):
        values, vectors = spectral.eigenvectors(w, 4, solver=solver)
        weighted = degree[:, None] * vectors
        residual = np.linalg.norm(weighted - w @ vectors - values * weighted, axis=0) / np.linalg.norm(weighted, axis=0)
        assert residual.max() < 1e-4
        np.testing.assert_allclose(vectors.T @ weighted, np.eye(4), atol=1e-4)
