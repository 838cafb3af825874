"""Multi-crop on tensors: the views of DINO for a whole batch at once, on any device.

A crop is one affine map from its pixels to those of the photo, a change of colors is one affine map of (r, g, b): both
are drawn for each image and applied to all in one call, so the photos can stay on the GPU.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)  # weights of r, g, b in brightness, ITU-R BT.601


def crops(
    photos: Tensor,
    sizes: Tensor,
    side: int,
    scale: tuple[float, float],
    *,
    blur: float = 0.5,
    solarize: float = 0.0,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """One view of each photo: (b, 3, H, W) uint8 -> (b, 3, side, side) in 0..1; valid are (b, 2) heights and widths.

    A box of a random share of the area (`scale`) and of proportions from 3:4 to 4:3, mirrored for every second photo,
    colors changed for 4 of 5, gray for 1 of 5, blurred and solarized with the given probabilities (Caron et al. 2021,
    who follow BYOL). With it comes where it lies: (b, 2, 3) affine maps from -1..1 in the view to -1..1 in the array.
    """
    b, device = len(photos), photos.device

    def draw(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(b, generator=generator, device=device)

    height, width = sizes[:, 0].float(), sizes[:, 1].float()
    area, ratio = draw(*scale) * height * width, torch.exp(draw(math.log(3 / 4), math.log(4 / 3)))
    box_w = torch.minimum((area * ratio).sqrt(), width)
    box_h = torch.minimum((area / ratio).sqrt(), height)
    x, y = draw(0, 1) * (width - box_w), draw(0, 1) * (height - box_h)
    mirror = torch.where(draw(0, 1) < 0.5, -1.0, 1.0)
    full_h, full_w = photos.shape[-2:]
    theta = torch.zeros(b, 2, 3, device=device)
    theta[:, 0, 0], theta[:, 0, 2] = mirror * box_w / full_w, (2 * x + box_w) / full_w - 1
    theta[:, 1, 1], theta[:, 1, 2] = box_h / full_h, (2 * y + box_h) / full_h - 1
    grid = F.affine_grid(theta, [b, 3, 2 * side, 2 * side], align_corners=False)
    view = F.grid_sample(photos.float() / 255, grid, align_corners=False, padding_mode="border")
    view = F.avg_pool2d(view, 2)  # twice as many samples as pixels: a crop that shrinks the photo has no aliasing
    view = _recolor(view, draw)
    view = torch.where((draw(0, 1) < blur)[:, None, None, None], _blur(view, draw(0.1, 2.0) * side / 224), view)
    view = torch.where((draw(0, 1) < solarize)[:, None, None, None] & (view > 0.5), 1 - view, view)
    return view, theta


def same_place(mine: Tensor, h: int, w: int, other: Tensor, patches: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Where the h x w patches of one view lie in another view of the same photo.

    Takes the affine maps (b, 2, 3) of both views as `crops` gives them, and the other view's number of patches (rows,
    columns). Gives back the index (b, h, w) of the other view's patch, row by row, and whether there is one (b, h, w).
    """
    at = F.affine_grid(mine, [len(mine), 1, h, w], align_corners=False)  # in the array
    at = (at - other[:, None, None, :, 2]) / torch.stack([other[:, 0, 0], other[:, 1, 1]], dim=-1)[:, None, None]
    inside = (at.abs() < 1).all(dim=-1)
    rows, columns = patches
    x, y = ((at[..., 0] + 1) / 2 * columns).long(), ((at[..., 1] + 1) / 2 * rows).long()
    return torch.where(inside, y * columns + x, 0), inside


def _recolor(view: Tensor, draw) -> Tensor:
    """Brightness, contrast, saturation and hue, for 4 of 5 images; gray for 1 of 5."""
    luma = torch.tensor(LUMA, device=view.device)
    to_gray = luma.repeat(3, 1)  # (3, 3): every channel becomes the luma
    eye = torch.eye(3, device=view.device)
    brightness, contrast, saturation = draw(0.6, 1.4), draw(0.6, 1.4), draw(0.8, 1.2)
    mix = saturation[:, None, None] * eye + (1 - saturation[:, None, None]) * to_gray
    mix = mix @ _turn_hue(draw(-0.1, 0.1) * 2 * math.pi)
    mix = (brightness * contrast)[:, None, None] * mix
    mean = torch.einsum("bchw,c->b", view, luma) / view[0, 0].numel()
    shift = (brightness * (1 - contrast) * mean)[:, None]
    changed = (draw(0, 1) < 0.8)[:, None]
    mix = torch.where(changed[..., None], mix, eye)
    shift = torch.where(changed, shift, 0.0)
    mix = torch.where((draw(0, 1) < 0.2)[:, None, None], to_gray @ mix, mix)
    return (torch.einsum("bij,bjhw->bihw", mix, view) + shift[..., None, None]).clamp(0, 1)


def _turn_hue(angle: Tensor) -> Tensor:
    """(b,) radians -> (b, 3, 3): a turn about the gray axis (Rodrigues), which keeps grays gray."""
    cos, sin, third = angle.cos()[:, None, None], angle.sin()[:, None, None], 1 / 3
    root = math.sqrt(third)
    cross = torch.tensor([[0.0, -root, root], [root, 0.0, -root], [-root, root, 0.0]], device=angle.device)
    return cos * torch.eye(3, device=angle.device) + (1 - cos) * third + sin * cross


def _blur(view: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur, one sigma (pixels) for each image."""
    b, c, h, w = view.shape
    at = torch.arange(-3, 4, device=view.device)
    kernel = torch.exp(-(at**2) / (2 * sigma.clamp_min(0.05)[:, None] ** 2))
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(c, 0)  # (b c, 7)
    flat = F.pad(view.reshape(1, b * c, h, w), (3, 3, 3, 3), mode="reflect")
    flat = F.conv2d(flat, kernel[:, None, :, None], groups=b * c)
    return F.conv2d(flat, kernel[:, None, None, :], groups=b * c).reshape(b, c, h, w)
