"""Pixel features: by hand, against scikit-image, and the errors."""

import numpy as np
import pytest
from skimage.color import rgb2lab

from unseg_helpers.features import pixel_features


def random_image(seed, shape=(6, 9)):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)


def test_rgb_by_hand():
    image = np.array([[[0, 51, 255], [255, 0, 0]]], dtype=np.uint8)
    x = pixel_features(image)
    assert x.shape == (2, 3) and x.dtype == np.float32
    np.testing.assert_allclose(x, [[0, 0.2, 1], [1, 0, 0]], rtol=1e-7)


def test_rows_are_pixels_in_reading_order(seed):
    image = random_image(seed)
    x = pixel_features(image, dtype=np.float64)
    np.testing.assert_allclose(x.reshape(6, 9, 3), image / 255)


def test_position_by_hand_with_one_scale_for_both_directions():
    x = pixel_features(np.zeros((2, 4, 3), np.uint8), position=2.0)
    row, column = x[:, 3].reshape(2, 4), x[:, 4].reshape(2, 4)
    np.testing.assert_allclose(row, [[0, 0, 0, 0], [0.5, 0.5, 0.5, 0.5]])  # 2 * row / max(h, w)
    np.testing.assert_allclose(column, [[0, 0.5, 1, 1.5]] * 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lab_is_scikit_images_divided_by_100(seed, dtype):
    image = random_image(seed)
    x = pixel_features(image, space="lab", dtype=dtype)
    assert x.dtype == dtype
    np.testing.assert_allclose(x.reshape(image.shape), rgb2lab(image) / 100, atol=2e-6)


def test_white_and_black_in_lab():
    x = pixel_features(np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8), space="lab", dtype=np.float64)
    np.testing.assert_allclose(x, [[0, 0, 0], [1, 0, 0]], atol=1e-4)


def test_float_image_gives_the_same_as_bytes(seed):
    image = random_image(seed)
    for space in ("rgb", "lab"):
        expected = pixel_features(image, space=space, position=0.5)
        np.testing.assert_allclose(pixel_features(image / 255, space=space, position=0.5), expected, atol=1e-6)


def test_float_image_is_not_shared_with_the_result():
    image = np.full((2, 3, 3), 0.25, np.float32)
    x = pixel_features(image)
    x[:] = 1
    assert (image == 0.25).all()


def test_lightness_scales_the_first_feature_only(seed):
    image = random_image(seed)
    x, half = (pixel_features(image, space="lab", lightness=value, position=1.0) for value in (1.0, 0.5))
    np.testing.assert_allclose(half, x * [0.5, 1, 1, 1, 1], rtol=1e-6)


def test_smooth_blurs_color_and_leaves_position(seed):
    """A white dot becomes a Gaussian: two pixels on, exp(-2^2 / (2 sigma^2)) of its height; nothing is lost."""
    image = np.zeros((41, 50, 3), np.uint8)
    image[20, 25] = 255
    x = pixel_features(image, smooth=0.04, position=1.0, dtype=np.float64).reshape(41, 50, 5)  # sigma 0.04 * 50 = 2
    np.testing.assert_allclose(x[22, 25, 0] / x[20, 25, 0], np.exp(-0.5), rtol=1e-6)
    np.testing.assert_allclose(x[..., 0].sum(), 1, rtol=1e-3)
    np.testing.assert_array_equal(
        x[..., 3:], pixel_features(image, position=1.0, dtype=np.float64).reshape(41, 50, 5)[..., 3:]
    )
    flat = np.full((9, 9, 3), np.random.default_rng(seed).integers(256), np.uint8)
    np.testing.assert_allclose(pixel_features(flat, smooth=0.3), pixel_features(flat), rtol=1e-5)


def test_input_is_left_alone(seed):
    image = random_image(seed)
    before = image.copy()
    pixel_features(image, space="lab", position=1.0)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (np.zeros((4, 5), np.uint8), ValueError, r"got \(4, 5\); for a gray image use np.dstack"),
        (np.zeros((4, 5, 4), np.uint8), ValueError, r"got \(4, 5, 4\); drop the alpha channel with image\[..., :3\]"),
        (np.zeros((2, 4, 5, 3), np.uint8), ValueError, r"must have shape \(h, w, 3\), got \(2, 4, 5, 3\)$"),
        (np.zeros((0, 5, 3), np.uint8), ValueError, "at least one pixel"),
        (np.zeros((4, 5, 3), np.int64), TypeError, "uint8 .* or floating point .* got int64"),
        (np.full((4, 5, 3), 255.0), ValueError, "between 0 and 1, got values from 255 to 255; divide by 255"),
        (np.full((4, 5, 3), np.nan), ValueError, "between 0 and 1, got values from nan"),
    ],
)
def test_bad_images_are_named(image, error, message):
    with pytest.raises(error, match=message):
        pixel_features(image)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"space": "hsv"}, ValueError, 'space must be "rgb" or "lab", got \'hsv\''),
        ({"position": -1.0}, ValueError, "position must be a finite number of at least 0, got -1.0"),
        ({"position": np.nan}, ValueError, "position must be a finite number"),
        ({"position": [1, 2]}, ValueError, "position must be a finite number"),
        ({"lightness": -0.5, "space": "lab"}, ValueError, "lightness must be a finite number of at least 0, got -0.5"),
        ({"lightness": 0.5}, ValueError, "lightness needs space=\"lab\", got space='rgb' and lightness=0.5"),
        ({"smooth": np.inf}, ValueError, "smooth must be a finite number"),
        ({"dtype": np.uint8}, TypeError, "dtype must be a floating point type .* got uint8"),
    ],
)
def test_bad_options_are_named(options, error, message):
    with pytest.raises(error, match=message):
        pixel_features(np.zeros((2, 2, 3), np.uint8), **options)
