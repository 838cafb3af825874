"""A small DINO of our own, trained on photos whose license lets us ship it: features without a download.

`load` gives the PyTorch model, `numpy_vit.forward` the same features in NumPy. How it was trained, on what, and how
good it is stands in ``MODEL_CARD.md`` beside this file; ``python -m unseg_helpers.minidino.train`` trains one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from timm.models.vision_transformer import VisionTransformer

__all__ = ["PATCH", "WEIGHTS", "load"]

PATCH = 8  # pixels
WIDTH = 192
DEPTH = 6
HEADS = 3
GRID = 12  # of the learned position embedding: 96 pixels; interpolated for any other size
WEIGHTS = Path(__file__).with_name("weights.safetensors")


def load(device: str = "cpu") -> VisionTransformer:
    """The model with the weights that the course ships, in eval mode: (b, 3, H, W) normalized images -> (b, 192)."""
    from unseg_helpers.minidino.model import build, load_weights

    model = build()
    load_weights(model, WEIGHTS)
    return model.requires_grad_(False).eval().to(device)
