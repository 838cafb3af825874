"""Pictures of mixtures: ellipses where the formulas put them, masks that can be compared, and sentences."""

import re

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from unseg_helpers import gmm, plots, plots_mixtures


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def random_mixture(seed, k=3, d=3):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(k, d, d))
    return gmm.Mixture(rng.dirichlet(np.ones(k)), rng.normal(size=(k, d)), a @ a.transpose(0, 2, 1) + np.eye(d))


def test_every_point_of_the_ellipse_has_the_same_mahalanobis_distance(seed):
    mixture = random_mixture(seed, d=2)
    for mean, covariance in zip(mixture.means, mixture.covariances, strict=True):
        away = plots_mixtures.ellipse(mean, covariance, radius=1.7) - mean
        distance = np.sqrt((away * np.linalg.solve(covariance, away.T).T).sum(axis=1))
        np.testing.assert_allclose(distance, 1.7)
        np.testing.assert_allclose(away[0], away[-1], atol=1e-12)


def test_two_standard_deviations_hold_86_percent(seed):
    mean, covariance = np.array([1.0, -2.0]), np.array([[3.0, 1.2], [1.2, 1.0]])
    x = np.random.default_rng(seed).multivariate_normal(mean, covariance, 20_000)
    outline = matplotlib.path.Path(plots_mixtures.ellipse(mean, covariance, radius=2.0, n=361))
    assert outline.contains_points(x).mean() == pytest.approx(1 - np.exp(-2), abs=0.01)


def test_certain_pixels_have_the_color_of_their_label(seed):
    labels = np.random.default_rng(seed).integers(0, 4, (5, 7))
    np.testing.assert_array_equal(plots_mixtures.mixed_colors(np.eye(4)[labels]), plots.colorize(labels))


def test_masks_are_not_stretched_and_sum_to_white(seed):
    r = np.random.default_rng(seed).dirichlet(np.ones(3), (4, 6))
    masks = plots_mixtures.soft_masks(r)
    assert len(masks) == 3 and all(mask.shape == (4, 6, 3) for mask in masks)
    np.testing.assert_allclose(sum(mask.astype(float) for mask in masks), 255, atol=1.5)
    np.testing.assert_array_equal(plots_mixtures.soft_masks(np.full((1, 1, 2), 0.5))[0], 128)


def test_a_mask_of_a_photo_shows_the_photo_where_the_component_is_sure():
    photo = np.array([[[10, 20, 30], [200, 100, 50]]], np.uint8)
    first, second = plots_mixtures.soft_masks([[[1.0, 0.0], [0.5, 0.5]]], photo)
    assert first.tolist() == [[[10, 20, 30], [100, 50, 25]]]
    assert second.tolist() == [[[0, 0, 0], [100, 50, 25]]]


def test_doubt_is_the_entropy_in_bits(seed):
    r = np.random.default_rng(seed).dirichlet(np.ones(5), 20)
    np.testing.assert_allclose(plots_mixtures.doubt(r), -(r * np.log2(r)).sum(axis=1))
    assert plots_mixtures.doubt(np.full((2, 8), 1 / 8)).tolist() == [3.0, 3.0]
    assert plots_mixtures.doubt(np.eye(3)).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("kind", ["full", "diag", "spherical", "tied"])
def test_mixtures_of_every_kind_are_drawn_over_the_features_asked_for(kind, seed):
    x = np.random.default_rng(seed).normal(size=(60, 3))
    mixture = gmm.fit(x, 2, kind=kind, rng=seed).mixture
    r, _ = gmm.e_step(x, mixture)
    ax = plots_mixtures.draw_mixture(mixture, x=x, responsibilities=r, axes=(2, 0), radii=(1.0, 3.0), title="two")
    assert len(ax.lines) == 2 * 2 * 2  # component, radius, rim and color
    covariance = mixture.full_covariances()[0][np.ix_([2, 0], [2, 0])]
    expected = plots_mixtures.ellipse(mixture.means[0, [2, 0]], covariance, radius=1.0)
    np.testing.assert_allclose(ax.lines[0].get_xydata(), expected)
    np.testing.assert_allclose(ax.collections[0].get_offsets(), x[:, [2, 0]])
    assert ax.get_title() == "two"


def test_sentence_names_weights_and_shapes(seed):
    mixture = random_mixture(seed)
    said = plots_mixtures.alt_mixture(mixture, names=["sky", "sea", "sand"])
    assert said.startswith("Mixture of 3 components: sky ")
    for name, weight in zip(("sky", "sea", "sand"), mixture.weights, strict=True):
        assert f"{name} {100 * weight:.0f} %" in said


def test_inputs_are_left_alone(seed):
    r = np.random.default_rng(seed).dirichlet(np.ones(3), (4, 6))
    before = r.copy()
    plots_mixtures.mixed_colors(r), plots_mixtures.soft_masks(r), plots_mixtures.doubt(r)
    np.testing.assert_array_equal(r, before)


def test_errors_name_the_argument():
    mixture = random_mixture(0)
    with pytest.raises(ValueError, match=re.escape("got (3,) and (3, 3); for two of d features take")):
        plots_mixtures.ellipse(np.zeros(3), np.eye(3))
    with pytest.raises(ValueError, match="covariance is not positive definite"):
        plots_mixtures.ellipse(np.zeros(2), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="radius must be above 0, got 0"):
        plots_mixtures.ellipse(np.zeros(2), np.eye(2), radius=0)
    with pytest.raises(ValueError, match="sum to 1 over the last axis, got values from 1 and sums from 2 to 2"):
        plots_mixtures.mixed_colors(np.ones((4, 2)))
    with pytest.raises(ValueError, match=re.escape("colors must have shape (k, 3) = (2, 3), got (3, 3)")):
        plots_mixtures.mixed_colors(np.full((4, 2), 0.5), np.zeros((3, 3)))
    with pytest.raises(ValueError, match=re.escape("must have shape (h, w, k), got (4, 2)")):
        plots_mixtures.soft_masks(np.full((4, 2), 0.5))
    with pytest.raises(ValueError, match=re.escape("image must be uint8 of shape (2, 2, 3)")):
        plots_mixtures.soft_masks(np.full((2, 2, 2), 0.5), np.zeros((2, 3, 3), np.uint8))
    with pytest.raises(ValueError, match="axes must be two features between 0 and d-1=2"):
        plots_mixtures.draw_mixture(mixture, axes=(0, 3))
    with pytest.raises(ValueError, match="x must have shape"):
        plots_mixtures.draw_mixture(mixture, x=np.zeros((5, 2)))
    with pytest.raises(ValueError, match="one for each of 5 points"):
        plots_mixtures.draw_mixture(mixture, x=np.zeros((5, 3)), point_colors=np.zeros((4, 3)))
    with pytest.raises(ValueError, match="names has 1 entries for 3 components"):
        plots_mixtures.alt_mixture(mixture, names=["one"])
