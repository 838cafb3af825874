import numpy as np
import pytest

from unseg_helpers import minidino
from unseg_helpers.minidino import numpy_vit


def photo(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [(96, 96), (40, 61), (131, 168)])
def test_is_the_network_that_timm_builds(size):
    torch = pytest.importorskip("torch")
    image = photo(*size)
    h, w = size[0] // 8, size[1] // 8
    cut = (image[: 8 * h, : 8 * w] / 255 - numpy_vit.MEAN) / numpy_vit.STD
    batch = torch.from_numpy(cut.astype(np.float32)).permute(2, 0, 1)[None]
    expected = minidino.load().forward_features(batch)[0, 1:].numpy().reshape(h, w, 192)
    np.testing.assert_allclose(numpy_vit.forward(image).token, expected, atol=1e-4)


def test_facets_are_thirds_of_the_qkv_product():
    torch = pytest.importorskip("torch")
    image, model, seen = photo(48, 64), minidino.load(), {}
    model.blocks[2].attn.qkv.register_forward_hook(lambda module, args, out: seen.update(qkv=out))
    cut = torch.from_numpy(((image / 255 - numpy_vit.MEAN) / numpy_vit.STD).astype(np.float32)).permute(2, 0, 1)[None]
    model(cut)
    found = numpy_vit.forward(image, layer=2)
    for i, name in enumerate(("query", "key", "value")):
        expected = seen["qkv"][0, 1:, 192 * i : 192 * (i + 1)].numpy().reshape(6, 8, 192)
        np.testing.assert_allclose(getattr(found, name), expected, atol=1e-4, err_msg=name)


def test_attention_is_a_share_of_one():
    attention = numpy_vit.forward(photo(64, 48)).attention
    assert attention.shape == (3, 8, 6) and attention.min() >= 0
    assert (attention.sum(axis=(1, 2)) < 1).all()  # the rest is what CLS pays to itself


def test_layers_count_from_the_end():
    image = photo(32, 40)
    np.testing.assert_array_equal(numpy_vit.forward(image, layer=-1).key, numpy_vit.forward(image, layer=5).key)
    with pytest.raises(ValueError, match="layer must be between -6 and 5, got 6"):
        numpy_vit.forward(image, layer=6)


def test_patches_are_ordered_as_the_convolution_reads_them():
    rows = numpy_vit.patchify(photo(19, 26))
    assert rows.shape == (2, 3, 192)
    normalized = (photo(19, 26) / 255 - numpy_vit.MEAN) / numpy_vit.STD
    for row, column, channel, y, x in [(0, 0, 0, 0, 0), (1, 2, 2, 7, 3), (1, 0, 1, 0, 6)]:
        expected = normalized[8 * row + y, 8 * column + x, channel]
        assert rows[row, column, 64 * channel + 8 * y + x] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("size", [1, 5, 12, 31])
def test_interpolation_is_that_of_torch(size):
    torch = pytest.importorskip("torch")
    eye = torch.eye(12)[None, None]  # each column a unit vector
    expected = torch.nn.functional.interpolate(eye, (size, 12), mode="bicubic", antialias=True)[0, 0]
    np.testing.assert_allclose(numpy_vit.interpolation(size, 12), expected.numpy(), atol=1e-5)
    np.testing.assert_allclose(numpy_vit.interpolation(size, 12).sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((7, 30, 3)), "at least 8 x 8"),
        (np.zeros((30, 30)), "shape"),
        (np.full((8, 8, 3), 200.0), "0..1"),
        (np.full((8, 8, 3), np.nan), "0..1"),
    ],
)
def test_what_is_no_photo_is_refused(image, message):
    with pytest.raises(ValueError, match=message):
        numpy_vit.forward(image)


def test_weights_that_were_handed_out_can_be_changed_alone():
    changed = numpy_vit.load_weights()
    changed["norm.weight"][:] = 0
    assert numpy_vit.load_weights()["norm.weight"].any()
    assert not numpy_vit.forward(photo(8, 8), weights=changed).token.std() > 1  # and are used when they are given


def test_weights_fit_into_the_package():
    assert minidino.WEIGHTS.stat().st_size < 12e6
    assert minidino.WEIGHTS.with_name("MODEL_CARD.md").exists()
