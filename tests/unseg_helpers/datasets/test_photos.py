"""The bundled photos: every mask fits its photo, is whole and named, and nothing is fetched."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from unseg_helpers import datasets
from unseg_helpers.datasets.photos import MASKS, PHOTO_NAMES, PhotoChanged, photo, photo_info, photos

photos_module = sys.modules["unseg_helpers.datasets.photos"]


@pytest.fixture(scope="module")
def all_photos():
    return {sample.name: sample for sample in photos()}


def test_names_files_and_index_agree():
    index = json.loads((MASKS / "photos.json").read_text(encoding="utf-8"))
    assert len(PHOTO_NAMES) >= 8
    assert tuple(index["photos"]) == PHOTO_NAMES
    assert sorted(path.stem for path in MASKS.glob("*.png")) == sorted(PHOTO_NAMES)
    assert index["masks"]["license"] == "CC BY 4.0"


@pytest.mark.parametrize("name", PHOTO_NAMES)
def test_photo_and_mask_fit(name, all_photos):
    sample = all_photos[name]
    assert sample.image.dtype == np.uint8 and sample.image.ndim == 3 and sample.image.shape[2] == 3
    assert sample.truth.dtype == np.uint8
    assert sample.truth.shape == sample.image.shape[:2]


@pytest.mark.parametrize("name", PHOTO_NAMES)
def test_every_region_is_named_and_drawn(name, all_photos):
    sample = all_photos[name]
    assert np.unique(sample.truth).tolist() == list(range(len(sample.labels)))
    assert all(label.strip() for label in sample.labels)
    assert len(set(sample.labels)) == len(sample.labels)
    assert 4 <= len(sample.labels) <= 25


@pytest.mark.parametrize("name", PHOTO_NAMES)
def test_no_specks(name, all_photos):
    truth = all_photos[name].truth
    for value in range(truth.max() + 1):
        parts, n_parts = ndimage.label(truth == value, structure=np.ones((3, 3)))
        areas = np.bincount(parts.ravel())[1:]
        assert areas.min() >= 40, f"{name}: region {value} has a part of {areas.min()} pixels"
        assert areas.max() >= 150, f"{name}: the largest part of region {value} has only {areas.max()} pixels"
        assert n_parts <= 25


def test_each_coin_is_one_region(all_photos):
    truth = all_photos["coins"].truth
    assert truth.max() == 24
    assert all(ndimage.label(truth == value)[1] == 1 for value in range(1, 25))


def test_coins_are_brighter_than_the_cloth_around_them(all_photos):
    """A mask that is shifted by a few pixels fails here: just inside each border it is bright, just outside dark."""
    sample = all_photos["coins"]
    gray = sample.image[..., 0].astype(float)
    for value in range(1, 25):
        coin = sample.truth == value
        inside = coin & ~ndimage.binary_erosion(coin, iterations=3)
        outside = ndimage.binary_dilation(coin, iterations=4) & ~ndimage.binary_dilation(coin) & (sample.truth == 0)
        columns = np.arange(gray.shape[1])[None, :] - np.nonzero(coin)[1].mean()
        rows = np.arange(gray.shape[0])[:, None] - np.nonzero(coin)[0].mean()
        for side in (columns < -abs(rows), columns > abs(rows), rows < -abs(columns), rows > abs(columns)):
            assert gray[inside & side].mean() > gray[outside & side].mean() + 10


@pytest.mark.parametrize("name", PHOTO_NAMES)
def test_drawn_borders_lie_on_edges_of_the_photo(name, all_photos):
    """The mean gradient on the drawn borders is well above that of the whole photo, and falls when they are moved."""
    sample = all_photos[name]
    gray = ndimage.gaussian_filter(sample.image.astype(float).mean(axis=2), 1)
    strength = np.hypot(ndimage.sobel(gray, 0), ndimage.sobel(gray, 1))
    border = np.zeros(sample.truth.shape, bool)
    border[:, 1:] |= sample.truth[:, 1:] != sample.truth[:, :-1]
    border[1:] |= sample.truth[1:] != sample.truth[:-1]
    here = strength[border].mean()
    assert here > 1.3 * strength.mean()
    for shift in ((0, 5), (0, -5), (5, 0), (-5, 0)):
        moved = np.roll(border, shift, axis=(0, 1))
        assert here > 1.1 * strength[moved].mean()


@pytest.mark.parametrize("name", ["camera", "coins"])
def test_gray_photos_have_three_equal_channels(name, all_photos):
    image = all_photos[name].image
    assert (image == image[..., :1]).all()


def test_a_photo_is_fresh_each_time():
    first = photo("chelsea")
    first.image[:], first.truth[:] = 0, 0
    photo_info("chelsea")["regions"].clear()
    again = photo("chelsea")
    assert again.image.any() and again.truth.any() and len(again.labels) == 5


def test_photos_in_the_order_asked_for():
    assert [sample.name for sample in photos(["rocket", "coins"])] == ["rocket", "coins"]
    assert photos([]) == []


def test_reading_opens_no_socket(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a photo must not be fetched over the network")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert len(photos()) == len(PHOTO_NAMES)


def test_reading_imports_none_of_the_packages_that_carry_the_photos():
    code = (
        "import sys; from unseg_helpers import datasets; heavy = 'PIL', 'skimage', 'sklearn', 'matplotlib', 'pooch'; "
        "print([m for m in heavy if m in sys.modules]); datasets.photos(); "
        "print([m for m in heavy if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines() == ["[]", "['PIL']"]


def test_datasets_gives_the_functions_and_not_the_module():
    assert datasets.photos is photos and datasets.photo is photo
    assert datasets.PHOTO_NAMES == PHOTO_NAMES


def test_masks_are_small():
    assert sum(path.stat().st_size for path in MASKS.iterdir()) < 100_000


@pytest.mark.parametrize("name", PHOTO_NAMES)
def test_masks_are_palette_images_with_visible_colors(name):
    with Image.open(MASKS / f"{name}.png") as mask:
        assert mask.mode == "P"
        colors = np.array(mask.getpalette()).reshape(-1, 3)[: int(np.array(mask).max()) + 1]
    # The palette has 24 colors; coins has 25 values.
    assert len(np.unique(colors, axis=0)) >= min(len(photo_info(name)["regions"]), 24)


@pytest.mark.parametrize("name", PHOTO_NAMES)
def test_credit_and_license_are_told(name):
    info = photo_info(name)
    assert all(info[key].strip() for key in ("description", "credit", "license", "source", "package", "file"))
    assert len(info["sha256"]) == 64


def test_unknown_name_is_answered_with_the_closest():
    with pytest.raises(ValueError, match="did you mean 'chelsea'"):
        photo("chelsee")
    with pytest.raises(ValueError, match="name must be one of astronaut, camera"):
        photo("starfish")


def test_one_string_is_not_a_list_of_names():
    with pytest.raises(ValueError, match=r"photo\('coins'\)"):
        photos("coins")


def test_a_changed_photo_is_an_error(monkeypatch, tmp_path):
    """Another version of the package with another coins.png: no mask is better than a shifted mask."""
    changed = tmp_path / "skimage" / "data" / "coins.png"
    changed.parent.mkdir(parents=True)
    Image.fromarray(np.roll(photo("coins").image[..., 0], 3, axis=1)).save(changed)
    only(tmp_path / "skimage", monkeypatch)
    with pytest.raises(PhotoChanged, match="SHA-256 differs.*scikit-image"):
        photo("coins")


def test_a_missing_photo_is_named_with_the_command(monkeypatch, tmp_path):
    only(tmp_path / "skimage", monkeypatch)
    with pytest.raises(FileNotFoundError, match="pip install --force-reinstall scikit-image"):
        photo("coins")


def test_a_missing_package_is_named_with_the_command(monkeypatch):
    monkeypatch.setattr(photos_module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="pip install --force-reinstall scikit-learn"):
        photo("china")


def only(folder: Path, monkeypatch) -> None:
    """Let the packages that carry the photos be looked for in ``folder`` alone."""

    class Spec:
        submodule_search_locations = (str(folder),)

    monkeypatch.setattr(photos_module.importlib.util, "find_spec", lambda name: Spec)
