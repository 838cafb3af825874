"""Chapter 01 says things about its figures: they are still true of the numbers."""

import numpy as np
import pytest
from skimage.segmentation import slic

from unseg_helpers import datasets, kmeans, metrics


@pytest.fixture(scope="module")
def astronaut():
    photo = datasets.photo("astronaut")
    image, true = photo.image[::2, ::2], photo.truth[::2, ::2].astype(int)
    return image, true, list(photo.labels)


def superpixels(image, count):
    return slic(image, n_segments=count, compactness=12, start_label=0)


def test_twenty_superpixels_have_one_that_is_the_face(astronaut):
    image, true, names = astronaut
    matches = metrics.best_match_table(true, superpixels(image, 32))
    assert len(matches.iou) == 20
    assert names[matches.segment[matches.iou.argmax()]] == "face and neck"
    assert round(matches.best, 2) == 0.97
    coarse = superpixels(image, 16)
    assert len(np.unique(coarse)) == 6  # "half a dozen pieces"
    assert metrics.covering(true, coarse) > metrics.covering(true, superpixels(image, 32))
    assert metrics.ari(true, coarse) > metrics.ari(true, superpixels(image, 32))


def test_scores_are_fooled_as_the_chapter_says(astronaut):
    image, true, names = astronaut
    rng = np.random.default_rng(0)
    row, col = np.mgrid[: true.shape[0], : true.shape[1]]
    displaced = np.pad(true, ((0, 0), (5, 0)), mode="edge")[:, :-5]
    finer = 4 * true + row // 128 * 2 + col // 128
    merged = np.isin(true, [names.index(name) for name in names[1:6]]).astype(int)
    noisy = np.where(rng.random(true.shape) < 0.3, rng.integers(0, len(names), true.shape), true)
    clusters, one = kmeans.segment(image, 6, n_init=5, rng=0), np.zeros_like(true)

    best = metrics.best_cluster_iou
    assert min(best(true, finer), best(true, superpixels(image, 32))) > best(true, displaced)
    assert metrics.mean_cluster_iou(true, finer) < metrics.mean_cluster_iou(true, merged)
    assert metrics.variation_of_information(true, one) < metrics.variation_of_information(true, noisy)
    assert metrics.boundary_f(true, clusters) > metrics.boundary_f(true, displaced)


def test_variation_of_information_of_kmeans_is_lowest_in_between(astronaut):
    image, true, _ = astronaut
    bits = {
        k: metrics.variation_of_information(true, kmeans.segment(image, k, position=1.0, n_init=3, rng=0))
        for k in (1, 6, 24)
    }
    assert bits[6] < min(bits[1], bits[24])


def test_counts_and_iou_choose_different_names():
    true, pred = np.zeros((2, 10, 10), int)
    true[9] = 1
    pred[:4], pred[9, 0] = 1, 1
    assert metrics.confusion(true, pred).tolist() == [[50, 40], [9, 1]]
    assert metrics.match(true, pred, by="count")[1].tolist() == [0, 1]
    assert metrics.match(true, pred, by="iou")[1].tolist() == [1, 0]
    u, v = np.array([0.44, 0.05]), np.array([0.10, 0.0])  # the prices in the hint
    assert (u[:, None] + v >= metrics.iou_matrix(true, pred)).all()
    assert 2 * metrics.matched_miou(true, pred) == pytest.approx(40 / 91 + 9 / 60)


def test_trivial_answers_have_the_scores_of_the_formulas():
    true = np.random.default_rng(0).integers(0, 4, (12, 10))
    share = np.bincount(true.ravel()) / true.size
    one, each = np.zeros_like(true), np.arange(true.size).reshape(true.shape)
    entropy = -(share * np.log2(share)).sum()
    assert metrics.covering(true, one) == pytest.approx((share**2).sum())
    assert metrics.covering(true, each) == pytest.approx(4 / true.size)
    assert metrics.mean_cluster_iou(true, one) == pytest.approx(share.max())
    assert metrics.variation_of_information(true, one) == pytest.approx(entropy)
    assert metrics.variation_of_information(true, each) == pytest.approx(np.log2(true.size) - entropy)
    assert metrics.variation_of_information(one, each) == pytest.approx(np.log2(true.size))


def test_adjusted_rand_index_is_the_formula_of_the_chapter():
    true, pred = np.random.default_rng(0).integers(0, [[[4]], [[3]]], (2, 9, 9))
    n = metrics.confusion(true, pred)
    t, a, b, c = ((count * (count - 1) // 2).sum() for count in (n, n.sum(axis=1), n.sum(axis=0), n.sum()))
    assert metrics.ari(true, pred) == pytest.approx((t - a * b / c) / ((a + b) / 2 - a * b / c))


def test_answers_of_the_quiz():
    true = np.repeat([0, 1, 2], 8).reshape(3, 8)
    halves = 2 * true + (np.arange(8) >= 4)
    assert metrics.variation_of_information(true, halves) == pytest.approx(1)
    assert metrics.covering(true, halves) == 0.5
    small, one = np.array([[0, 0, 0, 1]]), np.zeros((1, 4), int)
    assert (metrics.covering(small, one), metrics.covering(one, small)) == (5 / 8, 3 / 4)


def test_a_lost_pedestrian_costs_less_than_a_hundredth_of_a_bit():
    true = np.zeros((321, 481), int)
    true[100:110, 200:210] = 1
    assert 0.005 < metrics.variation_of_information(true, np.zeros_like(true)) < 0.01


def test_outlines_forgive_what_regions_punish():
    row, col = np.mgrid[:160, :240]
    radius, angle = np.hypot(row - 80, col - 120), np.arctan2(row - 80, col - 120)
    post, moved = (np.isin(col, (c, c + 1)) for c in (110, 112))
    disk, ragged = radius < 62, radius < 62 + 6 * np.sign(np.sin(30 * angle))
    assert (metrics.foreground_iou(post, moved), metrics.boundary_f(post, moved)) == (0, 1)
    assert metrics.foreground_iou(disk, ragged) > 0.8 > 0.5 > metrics.boundary_f(disk, ragged)
