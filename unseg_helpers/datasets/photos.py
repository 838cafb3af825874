"""Nine photographs that are already on the student's disk, with regions drawn by us.

The photos come out of the wheels of scikit-image, scikit-learn and matplotlib, which the course needs anyway, and are
read by file path: nothing is downloaded. The masks lie beside this file, one 8-bit label PNG for each photo, and
``masks/photos.json`` says what their values mean, who took the photo and under which license.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import io
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np

from .sample import Sample

MASKS = Path(__file__).with_name("masks")

PHOTO_NAMES = ("astronaut", "camera", "chelsea", "china", "coffee", "coins", "flower", "hopper", "rocket")


class PhotoChanged(RuntimeError):
    """The installed photo is not the one that its mask was drawn on."""


@cache
def _index() -> dict[str, dict]:
    return json.loads((MASKS / "photos.json").read_text(encoding="utf-8"))["photos"]


def photo_info(name: str) -> dict:
    """Tell where a photo is from, who took it and what its regions are.

    Parameters
    ----------
    name : str
        One of ``PHOTO_NAMES``.

    Returns
    -------
    dict
        ``regions`` (name of each truth value), ``description``, ``credit``, ``license``, ``source``, ``package`` and
        ``file`` (which wheel carries the photo, and where), ``sha256`` of that file.

    Raises
    ------
    ValueError
        If there is no such photo.

    Examples
    --------
    >>> photo_info("chelsea")["credit"]
    'Stéfan van der Walt'
    """
    if name not in PHOTO_NAMES:
        close = difflib.get_close_matches(str(name), PHOTO_NAMES, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"name must be one of {', '.join(PHOTO_NAMES)}, got {name!r}{hint}")
    return json.loads(json.dumps(_index()[name]))  # a copy: what the caller does to it stays with the caller


def photo(name: str) -> Sample:
    """Give one photograph with its drawn regions.

    Reading takes about 10 ms. Gray photos come with three equal channels, so that every method meets the same shape.

    Parameters
    ----------
    name : str
        One of ``PHOTO_NAMES``.

    Returns
    -------
    Sample
        ``image`` uint8 (h, w, 3), ``truth`` uint8 (h, w) with values 0..r-1, and ``labels``, the r region names;
        ``labels[0]`` is the background. A region may have several parts: all lamps are one region, but each coin is
        its own.

    Raises
    ------
    ValueError
        If there is no such photo.
    FileNotFoundError
        If the package that carries the photo is not installed, or was installed without its sample images.
    PhotoChanged
        If the file differs from the one that the mask was drawn on: a shifted mask would be a wrong truth.

    Examples
    --------
    >>> coffee = photo("coffee")
    >>> coffee.image.shape, coffee.truth.shape
    ((400, 600, 3), (400, 600))
    >>> coffee.labels
    ('table', 'saucer', 'cup', 'coffee', 'spoon', 'floor')
    """
    info = photo_info(name)
    image = _decode(_read(info), "RGB")
    truth = _decode((MASKS / f"{name}.png").read_bytes(), None)
    return Sample(name, image, truth, tuple(info["regions"]))


def photos(names: Iterable[str] | None = None) -> list[Sample]:
    """Give several photographs with their drawn regions.

    Parameters
    ----------
    names : iterable of str, optional
        Which ones, in this order; all of ``PHOTO_NAMES`` when left out.

    Returns
    -------
    list of Sample
        See ``photo``.

    Raises
    ------
    ValueError, FileNotFoundError, PhotoChanged
        As ``photo`` does; ValueError also if ``names`` is one string.

    Examples
    --------
    >>> [sample.name for sample in photos(["coins", "rocket"])]
    ['coins', 'rocket']
    """
    if isinstance(names, str):
        raise ValueError(f"names must be a list of names, got the string {names!r}; for one photo use photo({names!r})")
    return [photo(name) for name in (PHOTO_NAMES if names is None else names)]


def _read(info: dict) -> bytes:
    """The bytes of the photo's file, checked."""
    package, file = info["package"], info["file"]
    # The top package is only looked up, not imported: importing matplotlib or scikit-learn takes half a second.
    spec = importlib.util.find_spec(file.partition("/")[0])
    folders = list(spec.submodule_search_locations or ()) if spec else []
    path = next((p for folder in folders if (p := Path(folder).parent / file).is_file()), None)
    if path is None:
        raise FileNotFoundError(
            f"the photo {file} of the package {package} is not here; pip install --force-reinstall {package} "
            "brings it back"
        )
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != info["sha256"]:
        raise PhotoChanged(
            f"{path} is not the photo that the mask was drawn on (its SHA-256 differs): this version of {package} "
            "carries another file. Install the versions of constraints.txt, or draw the mask anew "
            "(tools/draw_masks.py)."
        )
    return content


def _decode(content: bytes, mode: str | None) -> np.ndarray:
    from PIL import Image

    with Image.open(io.BytesIO(content)) as picture:
        # A palette PNG as it is gives the label values; its colors only serve whoever opens the file in a viewer.
        return np.array(picture if mode is None else picture.convert(mode))
