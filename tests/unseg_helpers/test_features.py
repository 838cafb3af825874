"""Features of pixels and of patches: by hand, against scikit-image, and the errors."""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest
from skimage.color import rgb2lab

from unseg_helpers import backbones
from unseg_helpers.features import PatchFeatures, attention, extract, pca_map, pixel_features


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


# Features of patches -------------------------------------------------------------------------------------------------
# What the network computes is in test_vit.py; here a network of two narrow blocks stands for all.


@pytest.fixture(scope="module")
def small():
    """A backbone of random weights with patches of 8 pixels."""
    import torch
    from timm.models.vision_transformer import VisionTransformer

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = VisionTransformer(
            img_size=32, patch_size=8, embed_dim=12, depth=2, num_heads=3, num_classes=0, dynamic_img_size=True
        )
    return backbones.wrap(model, "small")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("UNSEG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def computed(monkeypatch):
    """How many images the network has seen."""
    from unseg_helpers import _vit

    seen = []
    runner = _vit.runner

    def counting(*arguments):
        run, suffix = runner(*arguments)
        return lambda batch: (seen.append(len(batch)), run(batch))[1], suffix

    monkeypatch.setattr(_vit, "runner", counting)
    return seen


def test_one_image_and_many(small, seed):
    image = random_image(seed, (20, 35))
    alone = extract(image, small, cache=False)
    assert isinstance(alone, PatchFeatures)
    assert alone.features.shape == (2, 4, 12) and alone.features.dtype == np.float32
    assert (alone.patch, alone.image_size) == (8, (16, 32))
    images = [image, random_image(seed + 1, (16, 16)), image[::-1]]
    for given in (images, tuple(images)):
        several = extract(given, small, cache=False, batch=2)
        assert [found.features.shape for found in several] == [(2, 4, 12), (2, 2, 12), (2, 4, 12)]
        np.testing.assert_allclose(several[0].features, alone.features, atol=1e-5)
    assert extract([image], small, cache=False)[0].patch == 8
    assert len(extract(np.stack([image, image]), small, cache=False)) == 2
    assert extract([], small) == []


def test_a_batch_holds_images_of_one_size(small, computed):
    images = [random_image(i, (16, 16 + 8 * (i % 2))) for i in range(7)]
    together = extract(images, small, batch=3, cache=False)
    assert sorted(computed) == [1, 3, 3]
    for image, found in zip(images, together, strict=True):
        np.testing.assert_allclose(found.features, extract(image, small, cache=False).features, atol=1e-5)


def test_input_is_left_alone_and_floats_are_read_as_pixels(small, seed):
    image = random_image(seed, (16, 24))
    before = image.copy()
    expected = extract(image, small, cache=False).features
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(extract(image / 255, small, cache=False).features, expected)


@pytest.mark.parametrize(
    ("shape", "size", "grid", "covered"),
    [
        ((40, 60), None, (5, 7), (40, 56)),  # as it is; 4 columns are cut
        ((40, 60), 40, (5, 7), (40, 56)),
        ((60, 40), 80, (15, 10), (60, 40)),  # doubled: 120 x 80
        ((100, 50), 25, (6, 3), (96, 48)),  # halved to 50 x 25, cut to 48 x 24
        ((90, 33), 16, (5, 2), (82, 33)),  # 44 x 16, cut to 40: 40 * 90 / 44
    ],
)
def test_size_and_what_the_grid_covers(small, shape, size, grid, covered):
    found = extract(random_image(0, shape), small, size=size, cache=False)
    assert found.features.shape[:2] == grid
    assert found.image_size == covered
    assert attention(random_image(0, shape), small, size=size, cache=False).shape == (3, *grid)


def test_size_of_the_backbone_is_the_default(small):
    sized = dataclasses.replace(small, size=24)
    assert extract(random_image(0, (48, 64)), sized, cache=False).features.shape[:2] == (3, 4)
    assert extract(random_image(0, (48, 64)), sized, size=48, cache=False).features.shape[:2] == (6, 8)


def test_attention_is_a_share(small, seed):
    maps = attention([random_image(seed, (16, 24)), random_image(seed, (32, 16))], small, cache=False)
    assert [found.shape for found in maps] == [(3, 2, 3), (3, 4, 2)]
    for found in maps:
        total = found.sum(axis=(1, 2))
        assert (found > 0).all() and (total < 1).all() and (total > 0.5).all()


def test_nothing_is_computed_twice(small, cache, computed, seed):
    images = [random_image(seed, (16, 24)), random_image(seed + 1, (16, 24))]
    first = extract(images, small)
    assert sum(computed) == 2
    second = extract([*images, random_image(seed + 2, (16, 24))], small)
    assert sum(computed) == 3
    for one, other in zip(first, second[:2], strict=True):
        np.testing.assert_array_equal(one.features, other.features)
        assert (one.patch, one.image_size) == (other.patch, other.image_size)


def test_each_setting_has_its_own_entry(small, cache, computed):
    image = random_image(0, (16, 24))
    other = dataclasses.replace(small, digest="0" * 64)
    extract(image, small)
    extract(image, small, facet="value")
    extract(image, small, layer=0)
    extract(image, small, size=24)
    extract(image, other)
    attention(image, small)
    assert sum(computed) == 6 == len(list(cache.glob("??/*.cache")))
    extract(image, small, size=16, batch=3)  # its own size; and how many go together changes no result
    assert sum(computed) == 6
    extract(image, small, cache=False)
    assert sum(computed) == 7


def test_damaged_entry_is_computed_again(small, cache, computed):
    image = random_image(0, (16, 24))
    first = extract(image, small).features
    (path,) = cache.glob("??/*.cache")
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.warns(RuntimeWarning, match="damaged; it is computed again"):
        again = extract(image, small).features
    np.testing.assert_array_equal(again, first)
    assert sum(computed) == 2
    extract(image, small)
    assert sum(computed) == 2  # and it is kept again


def test_minidino_with_numpy_is_minidino_with_torch(monkeypatch):
    images = [random_image(0, (40, 64)), random_image(1, (72, 48))]
    expected = {
        facet: extract(images, size=48, facet=facet, cache=False) for facet in ("key", "query", "value", "token")
    }
    maps = attention(images, size=48, cache=False)
    monkeypatch.setattr(backbones, "has_torch", lambda: False)
    for facet, by_torch in expected.items():
        by_numpy = extract(images, size=48, facet=facet, cache=False)
        for one, other in zip(by_numpy, by_torch, strict=True):
            np.testing.assert_allclose(one.features, other.features, atol=1e-3 * np.abs(other.features).max())
            assert one[1:] == other[1:]
    for one, other in zip(attention(images, size=48, cache=False), maps, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    with pytest.raises(backbones.BackboneUnavailable, match="needs torch and timm"):
        extract(images, "dino_vits8", cache=False)


def test_cached_features_need_no_torch(small, cache, monkeypatch):
    """What is in the cache is found by the weights' digest: the network is not even loaded."""
    image = random_image(0, (48, 48))
    first = extract(image, size=48).features
    monkeypatch.setattr(backbones, "load", lambda *_, **__: pytest.fail("loaded for nothing"))
    monkeypatch.setattr(backbones, "choose_device", lambda *_: pytest.fail("torch is not needed"))
    np.testing.assert_array_equal(extract(image, size=48).features, first)


def test_minidino_needs_no_torch():
    script = """
import sys
sys.modules["torch"] = sys.modules["timm"] = None  # importing them fails
import numpy as np
from unseg_helpers import backbones, features
image = np.zeros((16, 24, 3), np.uint8)
print(features.extract(image, size=16, cache=False).features.shape, backbones.load("minidino").model)
try:
    features.extract(image, "dino_vits8", cache=False)
except backbones.BackboneUnavailable as error:
    print(error)
"""
    environment = os.environ | {"HF_HOME": os.devnull}
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith('(2, 3, 192) None\n"dino_vits8" needs torch and timm, which are not installed')


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"facet": "keys"}, "facet must be one of key, query, value, token, got 'keys'"),
        ({"layer": 2}, "layer must be between -2 and 1 for small, got 2"),
        ({"layer": 0.5}, "layer must be an integer, got 0.5"),
        ({"batch": 0}, "batch must be an integer of at least 1, got 0"),
        ({"size": 0}, "size must be an integer of at least 1, got 0"),
        ({"size": 4}, "at least 8 x 8 pixels, one patch of this backbone; got 4 x 6. Enlarge it with size=32"),
    ],
)
def test_bad_options_of_extract_are_named(small, options, message):
    with pytest.raises(ValueError, match=message):
        extract(random_image(0, (16, 24)), small, cache=False, **options)


def test_bad_images_of_extract_are_named(small):
    with pytest.raises(ValueError, match="drop the alpha channel"):
        extract(np.zeros((16, 16, 4), np.uint8), small)
    with pytest.raises(TypeError, match="got int64"):
        extract([np.zeros((16, 16, 3), np.int64)], small)
    with pytest.raises(ValueError, match="backbone must be one of minidino, .* got 'resnet50'"):
        extract(np.zeros((16, 16, 3), np.uint8), "resnet50")


# Maps of principal components ----------------------------------------------------------------------------------------


def test_pca_map_by_hand():
    """Points on a line and, an eighth as strong, across it: the first component is the line."""
    features = np.zeros((1, 4, 3))
    features[0, :, 1] = [0, 8, 4, 8]
    features[0, :, 2] = [0, 0, 1, 0]
    found = pca_map(features, n=1)
    assert found.shape == (1, 4, 1) and found.dtype == np.float32
    assert found[0, 0, 0] == 0 and found[0, 1, 0] == found[0, 3, 0] == 1
    assert 0.49 < found[0, 2, 0] < 0.53


def test_pca_map_is_the_singular_vectors_up_to_sign_and_scale(seed):
    features = np.random.default_rng(seed).normal(size=(5, 6, 8)).astype(np.float32)
    found = pca_map(features, n=3).reshape(30, 3)
    rows = features.reshape(30, 8).astype(np.float64)
    left, strength, _ = np.linalg.svd(rows - rows.mean(axis=0))
    for one, other in zip(found.T, (left[:, :3] * strength[:3]).T, strict=True):
        assert abs(np.corrcoef(one, other)[0, 1]) > 0.9999
        assert one.min() == 0 and one.max() == 1


def test_pca_map_has_signs_of_its_own(seed):
    """Rounding, the order of patches and a shift of all features turn no color into its opposite."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(6, 5, 7)) * np.arange(1, 8)
    expected = pca_map(features)
    np.testing.assert_allclose(pca_map(features + 1e-9 * rng.normal(size=features.shape)), expected, atol=1e-5)
    np.testing.assert_allclose(pca_map(features[::-1, ::-1] + 3)[::-1, ::-1], expected, atol=1e-5)


def test_pca_maps_of_several_images_share_colors(seed):
    rng = np.random.default_rng(seed)
    one, other = rng.normal(size=(4, 4, 6)), rng.normal(size=(2, 5, 6))
    other[0, 0] = one[0, 0]
    maps = pca_map([one, other])
    assert [found.shape for found in maps] == [(4, 4, 3), (2, 5, 3)]
    np.testing.assert_allclose(maps[0][0, 0], maps[1][0, 0], atol=1e-6)
    together = np.concatenate([found.reshape(-1, 3) for found in maps])
    assert (together.min(axis=0) == 0).all() and (together.max(axis=0) == 1).all()


def test_pca_map_of_nothing_that_varies():
    features = np.zeros((3, 3, 4)) + 0.1
    np.testing.assert_array_equal(pca_map(features), np.zeros((3, 3, 3)))
    features[0, 0, 0] = 1  # one direction varies, two do not
    assert pca_map(features)[..., 0].max() == 1
    np.testing.assert_array_equal(pca_map(features)[..., 1:], np.zeros((3, 3, 2)))


@pytest.mark.parametrize(
    ("features", "n", "message"),
    [
        (np.zeros((3, 4)), 1, r"shape \(h, w, d\), got \(3, 4\)"),
        ([np.zeros((2, 2, 3)), np.zeros((2, 2, 4))], 1, "agree in d, got 3 and 4"),
        (np.zeros((2, 2, 3)), 4, "n must be between 1 and d=3, got 4"),
        (np.zeros((2, 2, 3)), 0, "n must be between 1 and d=3, got 0"),
        (np.full((2, 2, 3), np.nan), 1, "finite"),
        ([], 1, "at least one array"),
    ],
)
def test_bad_features_are_named(features, n, message):
    with pytest.raises(ValueError, match=message):
        pca_map(features, n=n)
