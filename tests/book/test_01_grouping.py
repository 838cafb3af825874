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
