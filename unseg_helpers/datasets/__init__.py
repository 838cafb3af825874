"""Images with ground truth: procedural scenes, bundled photographs and, when they are on disk, the real data sets.

Scenes and photos need nothing but NumPy, SciPy and Pillow and are imported at once. The names of the other modules
are imported on first use (PEP 562), so that ``import unseg_helpers`` stays fast.
"""

from importlib import import_module

from .photos import PHOTO_NAMES, PhotoChanged, photo, photo_info, photos
from .sample import Sample
from .scenes import Scene, Video, scene, scenes, video

_LAZY = {
    "bsds500": "packs",
    "bsds300": "packs",
    "ecssd": "packs",
    "camvid": "packs",
    "cifar10": "packs",
    "coco_instances": "packs",
    "davis16": "packs",
    "MissingDataset": "packs",
}

__all__ = [
    "PHOTO_NAMES",
    "MissingDataset",
    "PhotoChanged",
    "Sample",
    "Scene",
    "Video",
    "bsds300",
    "bsds500",
    "camvid",
    "cifar10",
    "coco_instances",
    "davis16",
    "ecssd",
    "photo",
    "photo_info",
    "photos",
    "scene",
    "scenes",
    "video",
]


def __getattr__(name: str):
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
