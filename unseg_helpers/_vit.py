"""Running timm's vision transformers up to what is wanted of them, and no further.

Notation: b images; t = p + h * w tokens, of which the first p are CLS and registers; d features of a token.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

if TYPE_CHECKING:
    from unseg_helpers.backbones import Backbone

__all__ = ["runner"]

THIRDS = {"query": 0, "key": 1, "value": 2}
"""Where a facet is in the output of the qkv product."""


class _Enough(Exception):
    """Raised by a hook that has what it wants: the rest of the network is not computed."""


def runner(backbone: Backbone, what: str, layer: int) -> tuple[Callable[[NDArray], list[NDArray[np.float32]]], str]:
    """A function from a batch of images (b, H, W, 3) to arrays: (h, w, d) each, for "attention" (heads, h, w).

    The second result is what to add to a name in the cache: "" for float32, "-mixed" on CUDA.
    """
    model = backbone.model
    depth = len(model.blocks)
    if not -depth <= layer < depth:
        raise ValueError(f"layer must be between {-depth} and {depth - 1} for {backbone.name}, got {layer}")
    block = model.blocks[layer]
    device = next(model.parameters()).device
    mixed = device.type == "cuda"
    mean, std = (torch.tensor(values, device=device).view(3, 1, 1) for values in (backbone.mean, backbone.std))

    def compute(x: torch.Tensor, half: bool) -> torch.Tensor:
        precision = torch.autocast("cuda", dtype=torch.float16) if half else nullcontext()
        with torch.inference_mode(), precision:
            if what == "token":
                return model.norm(_tapped(model, x, block, _output))
            return _tapped(model, x, block.attn, _attention if what == "attention" else _facet(what))

    def run(batch: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        h, w = (side // backbone.patch for side in batch.shape[1:3])
        x = torch.from_numpy(np.ascontiguousarray(batch)).to(device).permute(0, 3, 1, 2).float() / 255
        x = (x - mean) / std
        found = compute(x, mixed)
        if mixed and not bool(torch.isfinite(found).all()):
            found = compute(x, False)  # beyond what float16 can hold
        found = found[..., backbone.prefix :] if what == "attention" else found[:, backbone.prefix :]
        found = found.float().cpu().numpy()
        if what == "attention":
            return [np.array(grid).reshape(-1, h, w) for grid in found]
        return [np.array(grid).reshape(h, w, -1) for grid in found]

    return run, "-mixed" if mixed else ""


def _tapped(model: torch.nn.Module, x: torch.Tensor, module: torch.nn.Module, tap: Callable) -> torch.Tensor:
    """Run `model` on x until `tap` has seen `module`, and give what the tap made of it.

    One hook at a time, which is gone afterwards whatever happens.
    """
    seen = []

    def hook(*call):
        seen.append(tap(*call))
        raise _Enough

    if tap is _output:
        handle = module.register_forward_hook(hook)
    else:
        handle = module.register_forward_pre_hook(hook, with_kwargs=True)
    try:
        model.forward_features(x)
    except _Enough:
        pass
    finally:
        handle.remove()
    return seen[0]


def _output(module: torch.nn.Module, args: tuple, output: torch.Tensor) -> torch.Tensor:
    return output  # (b, t, d)


def _facet(what: str) -> Callable:
    """A tap on an attention layer: one third of its qkv product, (b, t, d).

    It is computed here from what the layer is given, not taken from the layer's own product: DINOv3's layer with a
    bias multiplies without calling its ``qkv`` module, so that a hook there would never be called. The attention that
    follows, fused or not, does not matter.
    """

    def tap(module: torch.nn.Module, args: tuple, kwargs: dict) -> torch.Tensor:
        return _project(module, args[0], THIRDS[what])

    return tap


def _project(module: torch.nn.Module, x: torch.Tensor, third: int) -> torch.Tensor:
    """Query, key or value: (b, t, d) -> (b, t, d)."""
    weight = module.qkv.weight.chunk(3)[third]
    bias = module.qkv.bias
    if getattr(module, "q_bias", None) is not None:  # DINOv3 keeps the bias beside the product; that of keys is 0
        bias = torch.cat((module.q_bias, module.k_bias, module.v_bias))
    return F.linear(x, weight, None if bias is None else bias.chunk(3)[third])


def _attention(module: torch.nn.Module, args: tuple, kwargs: dict) -> torch.Tensor:
    """A tap on an attention layer: the row of CLS, (b, heads, t)."""
    from timm.layers import apply_rot_embed_cat

    x = args[0]
    b, t, _ = x.shape

    def heads(y: torch.Tensor) -> torch.Tensor:  # (b, n, d) -> (b, heads, n, d / heads)
        return y.reshape(b, y.shape[1], module.num_heads, -1).transpose(1, 2)

    query = module.q_norm(heads(_project(module, x[:, :1], THIRDS["query"])))  # CLS alone; never rotated
    key = module.k_norm(heads(_project(module, x, THIRDS["key"])))
    rope = kwargs.get("rope")
    if rope is not None:
        p = module.num_prefix_tokens
        turned = apply_rot_embed_cat(key[:, :, p:], rope, half=getattr(module, "rotate_half", False))
        key = torch.cat([key[:, :, :p], turned.type_as(key)], dim=2)
    scores = (query.float() * module.scale) @ key.float().transpose(-2, -1)  # (b, heads, 1, t)
    return scores.softmax(dim=-1)[:, :, 0]
