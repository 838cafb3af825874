"""Affinities: by hand, laws that hold for any input, a plain version of the published rules, the errors."""

import numpy as np
import pytest
from scipy.sparse import csr_array, issparse

from unseg_helpers import affinity as aff


def image_of(rng, h=12, w=20):
    return rng.integers(0, 256, (h, w, 3), dtype=np.uint8)


# ---- features ----------------------------------------------------------------------------------------------------


def test_feature_affinity_is_the_cosine_without_negatives(seed):
    x = np.random.default_rng(seed).normal(size=(3, 5, 7))
    rows = x.reshape(15, 7)
    W = aff.feature_affinity(x)
    for i in range(15):
        for j in range(15):
            cosine = rows[i] @ rows[j] / np.linalg.norm(rows[i]) / np.linalg.norm(rows[j])
            assert W[i, j] == pytest.approx(max(cosine, 0), abs=1e-6)
    assert W.dtype == np.float32 and (W == W.T).all()


def test_length_of_features_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(10, 4))
    stretched = x * 10.0 ** rng.integers(-30, 30, size=(10, 1))
    np.testing.assert_allclose(aff.feature_affinity(x), aff.feature_affinity(stretched), atol=1e-6)


def test_features_of_zero_resemble_nothing():
    W = aff.feature_affinity([[1.0, 0.0], [0.0, 0.0]])
    assert W.tolist() == [[1, 0], [0, 0]]


def test_input_is_left_alone():
    x = np.random.default_rng(0).normal(size=(4, 5, 3)).astype(np.float32)
    image = image_of(np.random.default_rng(0))
    before, image_before = x.copy(), image.copy()
    aff.affinity(x, image, color_weight=1, resolution=(3, 3))
    assert (x == before).all() and (image == image_before).all()


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros(3), r"must have shape \(n, d\) or \(h, w, d\)"),
        (np.zeros((0, 3)), "not empty"),
        (np.array([[1.0, np.nan]]), "NaN or infinity.* in 1 of 1 rows"),
        (np.array([[1e60, 0.0]]), "too large for float32"),
    ],
)
def test_features_that_cannot_be(x, message):
    with pytest.raises(ValueError, match=message):
        aff.feature_affinity(x)


# ---- color -------------------------------------------------------------------------------------------------------


def test_color_features_by_hand():
    image = np.zeros((4, 4, 3), np.uint8)
    image[:2, :2] = [0, 255, 0]  # green: hue 120 degrees
    image[:2, 2:] = [100, 100, 100]  # gray
    image[2:] = [0, 0, 255]  # blue: hue 240 degrees
    psi = aff.color_features(image, (2, 2))
    third = np.sqrt(3) / 2
    expected = [
        [-0.5, third, 1, 1, 0, 0],
        [1, 0, 0, 100 / 255, 1, 0],
        [-0.5, -third, 1, 1, 0, 1],
        [-0.5, -third, 1, 1, 1, 1],
    ]
    np.testing.assert_allclose(psi, expected, atol=1e-6)
    assert psi.dtype == np.float32
    np.testing.assert_allclose(aff.color_features(image, (2, 2), position=3)[3, 4:], 3)


def test_color_features_of_bytes_and_floats_are_equal(seed):
    image = image_of(np.random.default_rng(seed))
    np.testing.assert_allclose(aff.color_features(image, (3, 5)), aff.color_features(image / 255, (3, 5)), atol=1e-5)


def test_a_grid_of_one_patch_has_color():
    assert aff.color_features(np.full((5, 7, 3), 0.5), (1, 1)).tolist() == [[1, 0, 0, 0.5, 0, 0]]


def published_knn(psi, lists=((20, 2.0), (10, 0.1))):
    """All distances, all sorted; one for each entry of a list, and one for its mirror image."""
    n = len(psi)
    W = np.zeros((n, n))
    for count, weight in lists:
        points = psi.astype(float).copy()
        points[:, -2:] *= weight
        for i in range(n):
            for j in np.argsort(((points - points[i]) ** 2).sum(axis=1))[:count]:
                W[i, j] += 1
                W[j, i] += 1
    return W


def test_knn_affinity_counts_as_published(seed):
    psi = aff.color_features(image_of(np.random.default_rng(seed), 6, 8), (6, 8))
    W = aff.knn_affinity(psi)
    assert issparse(W) and W.dtype == np.float32
    assert (W.toarray() == published_knn(psi)).all()
    assert W.sum() == 2 * 30 * 48


def test_knn_affinity_by_distance_is_symmetric_and_near_one_for_twins(seed):
    psi = np.random.default_rng(seed).random((30, 6))
    W = aff.knn_affinity(psi, neighbors=[5], position_weights=[1.0], weights="distance").toarray()
    assert (W == W.T).all() and (W >= 0).all()
    np.testing.assert_allclose(W.diagonal(), 2)


def test_more_neighbors_than_patches():
    W = aff.knn_affinity(np.random.default_rng(0).random((4, 6))).toarray()
    assert (W == 4).all()  # two lists, two directions


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"neighbors": [0], "position_weights": [1.0]}, "at least 1"),
        ({"neighbors": [2], "position_weights": [1.0, 2.0]}, "one entry for each list"),
        ({"position_weights": [-1.0, 2.0]}, "at least 0"),
        ({"weights": "cosine"}, '"count" or "distance"'),
    ],
)
def test_knn_options_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        aff.knn_affinity(np.zeros((4, 6)), **options)
    with pytest.raises(ValueError, match="NaN"):
        aff.knn_affinity([[np.nan, 0, 0]])


# ---- both --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [0, 0.5, 10])
def test_affinity_is_the_sum(weight, seed):
    rng = np.random.default_rng(seed)
    x, image = rng.normal(size=(4, 6, 9)), image_of(rng, 32, 48)
    features = aff.feature_affinity(x)
    color = aff.knn_affinity(aff.color_features(image, (4, 6))).toarray()
    W = aff.affinity(x, image, color_weight=weight)
    np.testing.assert_allclose(W, features / features.max() + weight * color, atol=1e-5)
    assert W.dtype == np.float32 and np.abs(W - W.T).max() < 1e-5


def test_affinity_at_another_resolution():
    rng = np.random.default_rng(0)
    x, image = rng.normal(size=(4, 6, 9)), image_of(rng)
    W = aff.affinity(x, image, color_weight=1, resolution=(8, 10))
    expected = aff.affinity(aff.resample(x, (8, 10)), image, color_weight=1)
    np.testing.assert_allclose(W, expected, atol=1e-6)
    assert W.shape == (80, 80)


def test_affinity_errors():
    x = np.ones((2, 2, 3))
    with pytest.raises(ValueError, match=r"\(h, w, d\)"):
        aff.affinity(x.reshape(4, 3))
    with pytest.raises(ValueError, match="needs the image"):
        aff.affinity(x, color_weight=1)
    with pytest.raises(ValueError, match="color_weight must be"):
        aff.affinity(x, color_weight=-1)
    with pytest.raises(ValueError, match="resolution must be two whole numbers"):
        aff.affinity(x, resolution=(2, 2.5))


# ---- degrees and Laplacians --------------------------------------------------------------------------------------


def random_graph(rng, n=12):
    W = rng.random((n, n)) * (rng.random((n, n)) < 0.5)
    return W + W.T


@pytest.mark.parametrize("sparse", [False, True])
def test_laplacians_are_their_formulas(sparse, seed):
    W = random_graph(np.random.default_rng(seed))
    d = W.sum(axis=1)
    D, half = np.diag(d), np.diag(d**-0.5)
    given = csr_array(W) if sparse else W
    expected = {
        "unnormalized": D - W,
        "symmetric": half @ (D - W) @ half,
        "random-walk": np.eye(len(W)) - W / d[:, None],
    }
    np.testing.assert_allclose(aff.degrees(given), d)
    for kind, L in expected.items():
        found = aff.laplacian(given, kind)
        assert issparse(found) == sparse
        np.testing.assert_allclose(found.toarray() if sparse else found, L, atol=1e-12)


def test_laplacian_is_the_sum_of_squared_differences(seed):
    rng = np.random.default_rng(seed)
    W, v = random_graph(rng), rng.normal(size=12)
    differences = sum(W[i, j] * (v[i] - v[j]) ** 2 for i in range(12) for j in range(12)) / 2
    assert v @ aff.laplacian(W) @ v == pytest.approx(differences)


def test_a_node_without_edges_has_degree_one():
    W = np.diag([2.0, 0.0, 1e-13])
    assert aff.degrees(W).tolist() == [2, 1, 1]
    assert np.isfinite(aff.laplacian(W, "symmetric")).all()


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize(
    ("W", "message"),
    [
        (np.array([[0.0, 1.0], [2.0, 0.0]]), "symmetric"),
        (np.array([[0.0, -1.0], [-1.0, 0.0]]), "must not be negative, got -1"),
        (np.array([[0.0, np.nan], [np.nan, 0.0]]), "NaN or infinity"),
        (np.array([[0.0, np.inf], [np.inf, 0.0]]), "NaN or infinity"),
        (np.ones((2, 3)), r"\(n, n\)"),
    ],
)
def test_graphs_that_cannot_be(W, message, sparse):
    with pytest.raises(ValueError, match=message):
        aff.degrees(csr_array(W) if sparse else W)


def test_a_kind_that_is_not_known():
    with pytest.raises(ValueError, match='"random-walk", got "?\'?other'):
        aff.laplacian(np.eye(2), "other")


# ---- resampling --------------------------------------------------------------------------------------------------


def test_resample_keeps_what_is_constant_and_what_is_linear():
    np.testing.assert_allclose(aff.resample(np.full((3, 5, 2), 7.0), (8, 4)), 7)
    ramp = np.arange(6.0)[:, None] * np.ones(3)
    grown = aff.resample(ramp, (12, 3))
    np.testing.assert_allclose(grown[1:-1, 0], (np.arange(1, 11) + 0.5) / 2 - 0.5)


def test_shrinking_takes_means(seed):
    x = np.random.default_rng(seed).normal(size=(6, 8, 2))
    np.testing.assert_allclose(aff.resample(x, (3, 2)), x.reshape(3, 2, 2, 4, 2).mean(axis=(1, 3)))
    assert aff.resample(x, (1, 1)) == pytest.approx(x.mean(axis=(0, 1))[None, None])


def test_same_size_is_the_same():
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    assert (aff.resample(x, (3, 4)) == x).all() and aff.resample(x, (3, 4)).dtype == np.float32


def test_resample_errors():
    with pytest.raises(ValueError, match="size must be two whole numbers"):
        aff.resample(np.ones((2, 2)), (0, 3))
    with pytest.raises(ValueError, match=r"\(h, w\) or \(h, w, d\)"):
        aff.resample(np.ones(3), (1, 3))
