"""Facets and attention of each family of backbones against the same sums done by hand with NumPy.

The networks have random weights: two narrow blocks, and biases, layer scales and registers that are not zero.
"""

import numpy as np
import pytest
import timm
import torch

from unseg_helpers import _vit, backbones

FAMILIES = {
    "DINO": ("vit_small_patch8_224", {}),
    "DINOv2": ("vit_small_patch14_dinov2", {"img_size": 56}),
    "DINOv2 with registers": ("vit_small_patch14_reg4_dinov2", {"img_size": 56}),
    "DINOv3": ("vit_small_patch16_dinov3", {}),
    "DINOv3 with bias": ("vit_small_patch16_dinov3_qkvb", {}),
}
D, HEADS, DEPTH = 24, 3, 3
GRID = (3, 5)


@pytest.fixture(params=FAMILIES)
def backbone(request):
    name, options = FAMILIES[request.param]
    model = timm.create_model(
        name, num_classes=0, dynamic_img_size=True, depth=DEPTH, embed_dim=D, num_heads=HEADS, **options
    )
    g = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.4 * torch.randn(parameter.shape, generator=g))
    return backbones.wrap(model, request.param)


@pytest.fixture
def images(backbone):
    shape = (2, GRID[0] * backbone.patch, GRID[1] * backbone.patch, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def normalized(x, layer):
    """LayerNorm in float64: (..., d) -> (..., d)."""
    x = x - x.mean(axis=-1, keepdims=True)
    x = x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + layer.eps)
    return x * layer.weight.detach().double().numpy() + layer.bias.detach().double().numpy()


def block_inputs(backbone, images):
    """What enters each block, and what leaves the last: DEPTH + 1 arrays (b, t, D); and the rotation, or None.

    Blocks are called one after the other, with no hook.
    """
    model = backbone.model
    x = (images / 255 - np.array(backbone.mean)) / np.array(backbone.std)
    with torch.no_grad():
        x = model.patch_embed(torch.tensor(x, dtype=torch.float32).permute(0, 3, 1, 2))
        x = model._pos_embed(x)
        x, rotation = x if isinstance(x, tuple) else (x, None)
        x = model.norm_pre(x)
        seen = [x]
        for block in model.blocks:
            x = block(x) if rotation is None else block(x, rope=rotation)
            seen.append(x)
    return [x.double().numpy() for x in seen], None if rotation is None else rotation.double().numpy()


def qkv_by_hand(backbone, x, layer):
    """Query, key and value of a block, each (b, t, D), from the tokens that enter it."""
    block = backbone.model.blocks[layer]
    weight = block.attn.qkv.weight.detach().double().numpy()  # (3 D, D)
    bias = np.zeros(3 * D)
    if block.attn.qkv.bias is not None:
        bias = block.attn.qkv.bias.detach().double().numpy()
    elif block.attn.q_bias is not None:
        bias[:D], bias[2 * D :] = block.attn.q_bias.detach().numpy(), block.attn.v_bias.detach().numpy()
    return np.split(normalized(x, block.norm1) @ weight.T + bias, 3, axis=-1)


@pytest.mark.parametrize("layer", [-1, 0])
@pytest.mark.parametrize("fused", [True, False], ids=["fused", "plain"])
def test_facets_by_hand(backbone, images, layer, fused):
    for block in backbone.model.blocks:
        block.attn.fused_attn = fused
    entered, _ = block_inputs(backbone, images)
    expected = dict(zip(("query", "key", "value"), qkv_by_hand(backbone, entered[:-1][layer], layer), strict=True))
    expected["token"] = normalized(entered[1:][layer], backbone.model.norm)
    for facet, tokens in expected.items():
        run, suffix = _vit.runner(backbone, facet, layer)
        found = np.stack(run(images))
        assert found.shape == (2, *GRID, D) and found.dtype == np.float32 and suffix == ""
        np.testing.assert_allclose(found.reshape(2, -1, D), tokens[:, backbone.prefix :], rtol=1e-3, atol=1e-4)


def test_attention_by_hand(backbone, images):
    entered, rotation = block_inputs(backbone, images)
    query, key, _ = (
        part.reshape(2, -1, HEADS, D // HEADS).transpose(0, 2, 1, 3) for part in qkv_by_hand(backbone, entered[-2], -1)
    )  # each (b, heads, t, D / heads)
    if rotation is not None:  # sines, then cosines; a number and its partner half a head further turn together
        p, half = backbone.prefix, D // HEADS // 2
        sine, cosine = np.split(rotation, 2, axis=-1)
        for tokens in (query, key):
            patches = tokens[:, :, p:]
            partner = np.concatenate([-patches[..., half:], patches[..., :half]], axis=-1)
            tokens[:, :, p:] = patches * cosine + partner * sine
    scores = query @ key.swapaxes(-1, -2) / np.sqrt(D // HEADS)  # all with all, although one row is wanted
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    run, _ = _vit.runner(backbone, "attention", -1)
    found = np.stack(run(images))
    assert found.shape == (2, HEADS, *GRID)
    np.testing.assert_allclose(found.reshape(2, HEADS, -1), shares[:, :, 0, backbone.prefix :], rtol=1e-3, atol=1e-5)


def test_leaves_no_hook_behind(backbone, images):
    def hooks():
        return [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in backbone.model.modules()]

    for what in ("key", "token", "attention"):
        run, _ = _vit.runner(backbone, what, -1)
        run(images)
        assert sum(hooks()) == 0
        with pytest.raises(AttributeError):
            _vit._tapped(backbone.model, None, backbone.model.blocks[0], _vit._output)
        assert sum(hooks()) == 0


def test_stops_as_soon_as_it_has_what_it_wants(backbone, images):
    def must_not_run(*_):
        raise AssertionError("computed for nothing")

    backbone.model.blocks[1].register_forward_pre_hook(must_not_run)
    _vit.runner(backbone, "token", 0)[0](images)
    _vit.runner(backbone, "key", -DEPTH)[0](images)


def test_layer_out_of_range(backbone):
    for layer in (DEPTH, -DEPTH - 1):
        with pytest.raises(ValueError, match=f"layer must be between -3 and 2 .* got {layer}"):
            _vit.runner(backbone, "key", layer)


@pytest.mark.gpu
def test_mixed_precision_on_gpu(backbone, images):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    expected = np.stack(_vit.runner(backbone, "key", -1)[0](images))
    backbone.model.cuda()
    run, suffix = _vit.runner(backbone, "key", -1)
    assert suffix == "-mixed"
    np.testing.assert_allclose(np.stack(run(images)), expected, rtol=0.05, atol=0.05 * np.abs(expected).max())
