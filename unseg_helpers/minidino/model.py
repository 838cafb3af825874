"""The network of mini-DINO: a small vision transformer, and the head that only training needs.

Notation: b images, d channels of a token, k outputs of the head.
"""

from __future__ import annotations

from pathlib import Path

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from unseg_helpers.minidino import DEPTH, GRID, HEADS, PATCH, WIDTH


def build() -> VisionTransformer:
    """A ViT of 2.8 million weights for patches of 8 pixels; images of any size that is a multiple of 8."""
    return VisionTransformer(
        img_size=GRID * PATCH,
        patch_size=PATCH,
        embed_dim=WIDTH,
        depth=DEPTH,
        num_heads=HEADS,
        num_classes=0,
        global_pool="token",
        dynamic_img_size=True,
    )


def load_weights(backbone: nn.Module, path: Path) -> None:
    """Fill a backbone with weights of a file, of whichever precision."""
    from safetensors.torch import load_file

    backbone.load_state_dict({name: value.float() for name, value in load_file(path).items()})


class Head(nn.Module):
    """Three layers, a unit vector, and its cosine with k directions: (b, d) -> (b, k) (DINO, section 3.1, appendix C).

    The last layer has directions only: a length of its own would let the loss fall without anything learned.
    """

    def __init__(self, width: int = WIDTH, hidden: int = 512, bottleneck: int = 128, outputs: int = 512):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, bottleneck)
        )
        self.directions = nn.Parameter(torch.empty(outputs, bottleneck))
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)
        nn.init.normal_(self.directions)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.normalize(self.layers(x).float(), dim=-1)
        return x @ nn.functional.normalize(self.directions, dim=-1).T


class Network(nn.Module):
    """Backbone and two heads, one for the photo and one for its patches; crops of one size at a time."""

    def __init__(self):
        super().__init__()
        self.backbone = build()
        self.head = Head()
        self.patch_head = Head()

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """(b, 3, s, s) -> outputs of the photo's head (b, k), patch tokens (b, h, w, d) that `patch_head` takes."""
        tokens = self.backbone.forward_features(crops)
        side = crops.shape[-1] // PATCH
        return self.head(tokens[:, 0]), tokens[:, 1:].unflatten(1, (side, side))
