"""The photos that mini-DINO learns from, as one array, and those that its k-NN score is measured on."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LONGEST = 168  # pixels: the long side of the photos in caltech112.tar


def read_tar(path: str | Path, limit: int | None = None) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """All JPEG files of a tar archive: photos (n, 3, 168, 168), zero outside the valid part, and its (n, 2) sizes.

    The names of the folders are classes; they are not looked at.
    """
    photos, sizes = [], []
    with tarfile.open(path) as archive:
        for member in archive:
            if not member.name.endswith(".jpg"):
                continue
            image = np.asarray(Image.open(io.BytesIO(archive.extractfile(member).read())).convert("RGB"))
            height, width = min(image.shape[0], LONGEST), min(image.shape[1], LONGEST)
            padded = np.zeros((3, LONGEST, LONGEST), np.uint8)
            padded[:, :height, :width] = image[:height, :width].transpose(2, 0, 1)
            photos.append(padded)
            sizes.append((height, width))
            if len(photos) == limit:
                break
    if not photos:
        raise ValueError(f"{path} holds no .jpg file; expected caltech112.tar or an archive like it")
    return np.stack(photos), np.array(sizes)


def read_cifar(path: str | Path, limit: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The first `limit` images of a CIFAR archive in JPEG form, as (n, 3, 32, 32), and their classes (n,)."""
    data = np.load(path)
    stream, ends, labels = data["jpeg"], data["offset"], data["label"]
    chosen = np.random.default_rng(0).permutation(len(labels))[:limit]
    images = [
        np.asarray(Image.open(io.BytesIO(stream[ends[i] : ends[i + 1]].tobytes())).convert("RGB")) for i in chosen
    ]
    return np.stack(images).transpose(0, 3, 1, 2), labels[chosen].astype(np.int64)
