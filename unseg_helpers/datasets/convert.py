"""Turn the archives that the publishers offer into packs (see `unseg_helpers.datasets.packs` for the format).

Each converter reads the official layout, decodes every image and label map once (so a broken one is found now and
not in the middle of an experiment), and writes the pack's archives and its ``manifest.csv`` into an empty folder.
Nothing is unpacked to disk, and nothing inside an archive is executed: pickles of CIFAR-10 are read by an unpickler
that knows numeric arrays and nothing else.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import pickle
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .packs import BSDS300_TEST, CAMVID_CLASSES, CIFAR10_CLASSES
from .registry import DataSet

MAX_MEMBER = 600_000_000
"""Bytes of the largest member that is read; more than any of these sets has."""

CROWD = 255
"""Value of a crowd region in a COCO mask."""

# Shows progress over an iterable: bar(iterable, total=..., desc=..., unit=...), as tqdm does.
Bar = Callable[..., Iterable]


class BrokenArchive(Exception):
    """An archive is damaged or holds something else than expected.

    Attributes
    ----------
    path : Path
        The archive.
    """

    def __init__(self, path: Path, reason: object):
        super().__init__(f"{path.name}: {reason}")
        self.path = path


# Reading official archives -------------------------------------------------------------------------------------------

_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, ValueError, KeyError, OSError, RuntimeError)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what damaged archives raise into `BrokenArchive`."""
    try:
        yield
    except _DAMAGE as error:
        raise BrokenArchive(path, f"{error} ({type(error).__name__})") from error


def members(path: Path, pattern: str) -> Iterator[tuple[re.Match, bytes]]:
    """Regular files of a zip or tar archive whose whole name matches, with their bytes, in the archive's order."""
    wanted = re.compile(pattern)
    with _reading(path):
        if zipfile.is_zipfile(path):
            source = _zip_members(path, wanted)
        elif tarfile.is_tarfile(path):
            source = _tar_members(path, wanted)
        else:
            raise ValueError(f"it is neither a zip nor a tar archive, it begins with {_beginning(path)!r}")
    while True:
        with _reading(path):
            item = next(source, None)
        if item is None:
            return
        yield item


def _beginning(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(16)


def _zip_members(path: Path, wanted: re.Pattern) -> Iterator[tuple[re.Match, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            match = wanted.fullmatch(info.filename)
            if match and not info.is_dir():
                _check_size(info.filename, info.file_size)
                yield match, archive.read(info)


def _tar_members(path: Path, wanted: re.Pattern) -> Iterator[tuple[re.Match, bytes]]:
    with tarfile.open(path, "r:*") as archive:
        for info in archive:
            match = wanted.fullmatch(info.name)
            if match and info.isreg():
                _check_size(info.name, info.size)
                data = archive.extractfile(info).read()
                if len(data) != info.size:
                    raise EOFError(f"{info.name} ends early")
                yield match, data


def _check_size(name: str, size: int) -> None:
    if size > MAX_MEMBER:
        raise ValueError(f"{name} would be {size:,} bytes, more than anything expected")


def _decoded(data: bytes, path: Path, member: str, *, mode: str | None = None) -> NDArray[np.uint8]:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert(mode) if mode else image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BrokenArchive(path, f"{member} cannot be decoded ({error})") from error


# Writing packs -------------------------------------------------------------------------------------------------------


class _Pack:
    """A pack in the making: archives, manifest rows and small text files in one folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.rows: list[dict] = []

    @contextmanager
    def archive(self, name: str) -> Iterator[Callable[[str, bytes], None]]:
        """Give a function ``add(member, data)``; equal content makes equal bytes (fixed dates, no compression)."""
        with zipfile.ZipFile(self.folder / name, "w", zipfile.ZIP_STORED) as archive:
            yield lambda member, data: archive.writestr(zipfile.ZipInfo(member), data)

    def text(self, name: str, lines: Iterable[str]) -> None:
        (self.folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")

    def write_manifest(self) -> None:
        with open(self.folder / "manifest.csv", "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(self.rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)


def _png(values: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    return buffer.getvalue()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _same_names(first: Iterable, second: Iterable, path: Path, what: str) -> None:
    only = set(first) ^ set(second)
    if only:
        raise BrokenArchive(path, f"{what}: {len(only)} without a partner, for example {sorted(only)[0]}")


def _same_size(image: NDArray, truth: NDArray, path: Path, name: str) -> None:
    if image.shape[:2] != truth.shape[-2:]:
        raise BrokenArchive(path, f"{name}: the image has shape {image.shape}, its truth {truth.shape}")


# BSDS500 -------------------------------------------------------------------------------------------------------------


def _bsds500(archives: Sequence[Path], pack: _Pack, bar: Bar) -> dict[str, int]:
    """``BSDS500/data/images/<split>/<id>.jpg`` and ``BSDS500/data/groundTruth/<split>/<id>.mat``."""
    (path,) = archives
    pattern = r"(?:.*/)?BSDS500/data/(images|groundTruth)/(train|val|test)/(\d+)\.(?:jpg|mat)"
    found: dict[tuple[str, str], dict[str, bytes]] = {"images": {}, "groundTruth": {}}
    for match, data in bar(members(path, pattern), desc="reading", unit="file"):
        found[match[1]][match[2], match[3]] = data
    images, truths = found["images"], found["groundTruth"]
    _same_names(images, truths, path, "images and segmentations")
    counts = {}
    for split in ("train", "val", "test"):
        ids = sorted((name for part, name in images if part == split), key=int)
        counts[split] = len(ids)
        with pack.archive(f"bsds500_{split}.zip") as add:
            for name in bar(ids, desc=f"converting {split}", unit="image"):
                data = images[split, name]
                rgb = _decoded(data, path, f"{name}.jpg", mode="RGB")
                segs = _segmentations(truths[split, name], path, f"{name}.mat")
                _same_size(rgb, segs, path, name)
                buffer = io.BytesIO()
                np.savez_compressed(buffer, segs=segs)
                add(f"images/{name}.jpg", data)
                add(f"gt/{name}.npz", buffer.getvalue())
                pack.rows.append(
                    {
                        "id": name,
                        "split": split,
                        "file": f"images/{name}.jpg",
                        "gt_file": f"gt/{name}.npz",
                        "width": rgb.shape[1],
                        "height": rgb.shape[0],
                        "n_annotators": len(segs),
                        "n_segments": " ".join(str(len(np.unique(seg))) for seg in segs),
                        "image_sha256": _sha256(data),
                    }
                )
    train = [row["id"] for row in pack.rows if row["split"] == "train"]
    val = {row["id"] for row in pack.rows if row["split"] == "val"}
    pack.text("bsds300_iids_train.txt", train)
    pack.text("bsds300_iids_test.txt", [name for name in BSDS300_TEST if name in val])
    return counts


def _segmentations(data: bytes, path: Path, member: str) -> NDArray[np.uint8]:
    """Segmentations of all annotators in a BSDS500 ``.mat`` file: (a, h, w), labels from 1."""
    from scipy.io import loadmat

    try:
        cells = loadmat(io.BytesIO(data))["groundTruth"].ravel()
        segs = np.stack([cell["Segmentation"][0, 0] for cell in cells])  # (a, h, w) uint16
    except Exception as error:  # loadmat raises many kinds on a damaged file
        raise BrokenArchive(path, f"{member} holds no segmentations ({type(error).__name__}: {error})") from error
    if segs.ndim != 3 or segs.min() < 1 or segs.max() > 255:
        raise BrokenArchive(path, f"{member} has labels {segs.min()}..{segs.max()}, expected 1..255")
    return segs.astype(np.uint8)


# ECSSD ---------------------------------------------------------------------------------------------------------------


def _ecssd(archives: Sequence[Path], pack: _Pack, bar: Bar) -> dict[str, int]:
    """``images/<id>.jpg`` in one archive, ``ground_truth_mask/<id>.png`` in the other."""
    image_path, mask_path = archives
    masks = {
        match[1]: data
        for match, data in bar(
            members(mask_path, r"(?!__MACOSX)(?:.*/)?([^/.][^/]*)\.png"), desc="reading masks", unit="file"
        )
    }
    images = {
        match[1]: data
        for match, data in bar(
            members(image_path, r"(?!__MACOSX)(?:.*/)?([^/.][^/]*)\.jpg"), desc="reading images", unit="file"
        )
    }
    _same_names(images, masks, image_path, "images and masks")
    with pack.archive("ecssd.zip") as add:
        for name in bar(sorted(images), desc="converting", unit="image"):
            rgb = _decoded(images[name], image_path, f"{name}.jpg", mode="RGB")
            mask = _decoded(masks[name], mask_path, f"{name}.png", mode="L") > 127
            _same_size(rgb, mask, mask_path, name)
            add(f"images/{name}.jpg", images[name])
            add(f"masks/{name}.png", _png(mask * np.uint8(255)))
            pack.rows.append(
                {
                    "id": name,
                    "file": f"images/{name}.jpg",
                    "mask_file": f"masks/{name}.png",
                    "width": rgb.shape[1],
                    "height": rgb.shape[0],
                    "foreground_fraction": round(float(mask.mean()), 4),
                    "image_sha256": _sha256(images[name]),
                }
            )
    return {"images": len(images)}


# CamVid --------------------------------------------------------------------------------------------------------------

_CAMVID_COLORS = (
    "128,128,128 128,0,0 192,192,128 128,64,128 60,40,222 128,128,0 192,128,128 64,64,128 64,0,128 64,64,0 0,128,192 "
    "0,0,0"
).split()


def _camvid(archives: Sequence[Path], pack: _Pack, bar: Bar) -> dict[str, int]:
    """``CamVid/<split>/<id>.png`` and ``CamVid/<split>annot/<id>.png``; the PNG images are kept as they are."""
    (path,) = archives
    found: dict[tuple[str, str], dict[str, bytes]] = {"": {}, "annot": {}}
    pattern = r"(?:.*/)?CamVid/(train|val|test)(annot|)/([^/.]+)\.png"
    for match, data in bar(members(path, pattern), desc="reading", unit="file"):
        found[match[2]][match[1], match[3]] = data
    images, labels = found[""], found["annot"]
    _same_names(images, labels, path, "frames and labels")
    counts = {}
    for split in ("train", "val", "test"):
        ids = sorted(name for part, name in images if part == split)
        counts[split] = len(ids)
        with pack.archive(f"camvid_{split}.zip") as add:
            for name in bar(ids, desc=f"converting {split}", unit="frame"):
                data = images[split, name]
                rgb = _decoded(data, path, f"{split}/{name}.png", mode="RGB")
                classes = _decoded(labels[split, name], path, f"{split}annot/{name}.png")
                if classes.ndim != 2 or classes.max() >= len(CAMVID_CLASSES):
                    raise BrokenArchive(path, f"{split}annot/{name}.png is no map of the classes 0..11")
                _same_size(rgb, classes, path, name)
                add(f"images/{name}.png", data)
                add(f"labels/{name}.png", _png(classes.astype(np.uint8)))
                pack.rows.append(
                    {
                        "id": name,
                        "split": split,
                        "sequence": name.partition("_")[0],
                        "file": f"images/{name}.png",
                        "label_file": f"labels/{name}.png",
                        "width": rgb.shape[1],
                        "height": rgb.shape[0],
                        "image_sha256": _sha256(data),
                    }
                )
    rows = [f"{i},{name},{color}" for i, (name, color) in enumerate(zip(CAMVID_CLASSES, _CAMVID_COLORS, strict=True))]
    pack.text("classes.csv", ["index,name,r,g,b", *rows])
    return counts


# CIFAR-10 ------------------------------------------------------------------------------------------------------------


class _ArraysOnly(pickle.Unpickler):
    """Unpickles numeric arrays, numbers, strings, lists and dicts; refuses every other class or function."""

    allowed = {
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),  # its name since NumPy 2
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("_codecs", "encode"),  # how Python 3 writes bytes in the protocols of Python 2
    }

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in self.allowed:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no image archive needs")
        return super().find_class(module, name)


def _batch(data: bytes, path: Path, member: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images (n, 32, 32, 3) and classes (n,) of one CIFAR batch."""
    try:
        batch = _ArraysOnly(io.BytesIO(data), encoding="bytes").load()
        rows, labels = batch[b"data"], batch[b"labels"]
        if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8:
            raise ValueError("its data is no uint8 array")
        images = rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)  # stored plane by plane
        classes = np.array(labels, dtype=np.int64)
        if classes.shape != (len(images),) or not np.isin(classes, range(len(CIFAR10_CLASSES))).all():
            raise ValueError("its labels are not one class 0..9 for each image")
    except Exception as error:  # a damaged or hostile pickle may raise anything
        raise BrokenArchive(path, f"{member} is no batch of images ({error})") from error
    return images, classes.astype(np.uint8)


def _cifar10(archives: Sequence[Path], pack: _Pack, bar: Bar) -> dict[str, int]:
    """``cifar-10-batches-py/data_batch_1`` .. ``_5`` and ``test_batch``: pickled arrays (n, 3072)."""
    (path,) = archives
    batches = {}
    for match, data in bar(members(path, r"(?:.*/)?(data_batch_[1-5]|test_batch)"), desc="reading", unit="batch"):
        batches[match[1]] = _batch(data, path, match[1])
    counts = {}
    for split, names in {"train": [f"data_batch_{i}" for i in range(1, 6)], "test": ["test_batch"]}.items():
        missing = [name for name in names if name not in batches]
        if missing:
            raise BrokenArchive(path, f"it has no {missing[0]}")
        pixels = np.concatenate([batches[name][0] for name in names])
        label = np.concatenate([batches[name][1] for name in names])
        name = np.array([f"{split}/{i:05d}.png" for i in range(len(pixels))], dtype="S")
        np.savez(
            pack.folder / f"cifar10_{split}.npz",
            pixels=pixels,
            label=label,
            name=name,
            classes=np.array(CIFAR10_CLASSES, dtype="S"),
        )
        counts[split] = len(pixels)
        pack.rows += [
            {"name": f"{split}/{i:05d}", "split": split, "label": int(c), "class": CIFAR10_CLASSES[c]}
            for i, c in enumerate(label)
        ]
    return counts


# COCO ----------------------------------------------------------------------------------------------------------------


def _coco(archives: Sequence[Path], pack: _Pack, bar: Bar) -> dict[str, int]:
    """``val2017/<id>.jpg`` in one archive, ``annotations/instances_val2017.json`` in the other."""
    image_path, annotation_path = archives
    texts = [data for _, data in members(annotation_path, r"(?:.*/)?instances_val2017\.json")]
    try:
        coco = json.loads(texts[0])
        files = {image["file_name"]: image for image in coco["images"]}
        licenses = {license["id"]: license["name"] for license in coco.get("licenses", ())}
        by_image: dict[int, list[dict]] = {}
        for annotation in coco["annotations"]:
            by_image.setdefault(annotation["image_id"], []).append(annotation)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise BrokenArchive(annotation_path, f"no COCO instances_val2017.json in it ({error!r})") from error
    pairs = members(image_path, r"(?:.*/)?val2017/(\d+\.jpg)")
    with pack.archive("coco_val2017.zip") as add:
        for match, data in bar(pairs, total=len(files), desc="converting", unit="image"):
            file = match[1]
            if file not in files:
                raise BrokenArchive(image_path, f"{file} is not named in the annotations")
            image, stem = files[file], file.removesuffix(".jpg")
            rgb = _decoded(data, image_path, file, mode="RGB")
            annotations = by_image.get(image["id"], [])
            try:
                mask = instance_mask(annotations, rgb.shape[:2])
            except (KeyError, TypeError, ValueError, IndexError) as error:
                raise BrokenArchive(annotation_path, f"annotations of {file}: {error!r}") from error
            add(f"images/{file}", data)
            add(f"masks/{stem}.png", _png(mask))
            pack.rows.append(
                {
                    "id": stem,
                    "coco_split": "val2017",
                    "file": f"images/{file}",
                    "mask_file": f"masks/{stem}.png",
                    "width": rgb.shape[1],
                    "height": rgb.shape[0],
                    "n_instances": sum(not a.get("iscrowd") for a in annotations),
                    "n_crowd": sum(bool(a.get("iscrowd")) for a in annotations),
                    "license_id": image.get("license", ""),
                    "license": licenses.get(image.get("license"), ""),
                    "flickr_url": image.get("flickr_url", ""),
                    "image_sha256": _sha256(data),
                }
            )
        _same_names(files, [Path(row["file"]).name for row in pack.rows], image_path, "images and annotations")
        add("instances.json", json.dumps(coco, separators=(",", ":")).encode())  # with the mask values set above
    pack.rows.sort(key=lambda row: row["id"])
    return {"images": len(pack.rows)}


def instance_mask(annotations: Sequence[dict], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Paint COCO annotations of one image into an id map and set ``mask_value`` in each of them.

    Crowds come first (255), then instances 1..n from large to small, so that a small object on a large one stays
    whole.

    Parameters
    ----------
    annotations : sequence of dict
        With ``segmentation`` (polygons, or run lengths of a crowd), ``area`` and ``iscrowd``.
    shape : (h, w)

    Returns
    -------
    uint8 array of shape (h, w)
        0 is background.

    Raises
    ------
    ValueError
        If there are more than 254 instances.

    Examples
    --------
    >>> wide = {"id": 1, "area": 8.0, "segmentation": [[0, 0, 4, 0, 4, 2, 0, 2]]}
    >>> small = {"id": 2, "area": 1.0, "segmentation": [[1, 0, 2, 0, 2, 1, 1, 1]]}
    >>> instance_mask([small, wide], (3, 4))
    array([[1, 2, 1, 1],
           [1, 1, 1, 1],
           [0, 0, 0, 0]], dtype=uint8)
    """
    mask = np.zeros(shape, np.uint8)
    instances = []
    for annotation in annotations:
        if annotation.get("iscrowd"):
            annotation["mask_value"] = CROWD
            mask[_region(annotation["segmentation"], shape)] = CROWD
        else:
            instances.append(annotation)
    if len(instances) >= CROWD:
        raise ValueError(f"{len(instances)} instances do not fit into 8 bits")
    for value, annotation in enumerate(sorted(instances, key=lambda a: (-a["area"], a["id"])), 1):
        annotation["mask_value"] = value
        mask[_region(annotation["segmentation"], shape)] = value
    return mask


def _region(segmentation: list | Mapping, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels of a COCO segmentation: polygons ``[x0, y0, x1, y1, ...]`` or uncompressed run lengths."""
    if isinstance(segmentation, Mapping):
        counts = segmentation["counts"]
        if not isinstance(counts, list) or sum(counts) != shape[0] * shape[1]:
            raise ValueError("run lengths do not add up to the image")
        values = np.arange(len(counts)) % 2 == 1  # runs of 0 and 1 in turn, column by column
        return np.repeat(values, counts).reshape(shape, order="F")
    region = np.zeros(shape, bool)
    for polygon in segmentation:
        _add_polygon(region, np.reshape(np.asarray(polygon, dtype=float), (-1, 2)))
    return region


def _add_polygon(region: NDArray[np.bool_], xy: NDArray[np.floating], fine: int = 8) -> None:
    """Set the pixels that a polygon covers by at least half, measured on a grid `fine` times finer."""
    from PIL import Image, ImageDraw

    h, w = region.shape
    left, top = np.clip(np.floor(xy.min(axis=0)).astype(int), 0, [w - 1, h - 1])
    right, bottom = np.clip(np.ceil(xy.max(axis=0)).astype(int), [left + 1, top + 1], [w, h])
    canvas = Image.new("L", ((right - left) * fine, (bottom - top) * fine))
    # `reduce` takes the mean of each block of fine^2 pixels; filled with 2 fine^2, it is twice their number in there.
    points = (xy - [left, top]) * fine
    ImageDraw.Draw(canvas).polygon([tuple(point) for point in points], fill=2 * fine * fine)
    covered = np.asarray(canvas.reduce(fine))  # (rows, columns)
    region[top:bottom, left:right] |= covered >= fine * fine


# DAVIS 2016 ----------------------------------------------------------------------------------------------------------


def _davis16(archives: Sequence[Path], pack: _Pack, bar: Bar) -> dict[str, int]:
    """``DAVIS/JPEGImages/480p/<sequence>/<t>.jpg`` and ``DAVIS/Annotations/480p/<sequence>/<t>.png``."""
    (path,) = archives
    pattern = r"(?!__MACOSX)(?:.*/)?{}/480p/([^/.]+)/(\d+)\.{}"
    masks = {
        (match[1], match[2]): data
        for match, data in bar(members(path, pattern.format("Annotations", "png")), desc="reading masks", unit="file")
    }
    with pack.archive("davis16_480p.zip") as add:
        frames = members(path, pattern.format("JPEGImages", "jpg"))
        for match, data in bar(frames, total=len(masks), desc="converting", unit="frame"):
            sequence, t = match[1], match[2]
            if (sequence, t) not in masks:
                raise BrokenArchive(path, f"{sequence}/{t}.jpg has no annotation")
            rgb = _decoded(data, path, f"{sequence}/{t}.jpg", mode="RGB")
            mask = _decoded(masks[sequence, t], path, f"{sequence}/{t}.png")
            mask = (mask if mask.ndim == 2 else mask.max(axis=2)) > 0
            _same_size(rgb, mask, path, f"{sequence}/{t}")
            add(f"frames/{sequence}/{t}.jpg", data)
            add(f"masks/{sequence}/{t}.png", _png(mask * np.uint8(255)))
            pack.rows.append(
                {
                    "sequence": sequence,
                    "frame": int(t),
                    "file": f"frames/{sequence}/{t}.jpg",
                    "mask_file": f"masks/{sequence}/{t}.png",
                    "width": rgb.shape[1],
                    "height": rgb.shape[0],
                    "foreground_fraction": round(float(mask.mean()), 4),
                    "image_sha256": _sha256(data),
                }
            )
    _same_names(masks, [tuple(Path(row["file"]).with_suffix("").parts[1:]) for row in pack.rows], path, "frames")
    pack.rows.sort(key=lambda row: row["file"])
    return {"frames": len(pack.rows)}


# The whole ------------------------------------------------------------------------------------------------------------

_CONVERTERS = {
    "bsds500": _bsds500,
    "ecssd": _ecssd,
    "camvid": _camvid,
    "cifar10": _cifar10,
    "coco_instances": _coco,
    "davis16": _davis16,
}


def _no_bar(iterable: Iterable, **_: object) -> Iterable:
    return iterable


def convert(dataset: DataSet, archives: Sequence[Path], folder: Path, *, bar: Bar = _no_bar) -> None:
    """Write the pack of a data set into an empty folder.

    Parameters
    ----------
    dataset : DataSet
        Its ``counts`` must be met.
    archives : sequence of Path
        The official archives, in the order of ``dataset.archives``.
    folder : Path
        An empty folder.
    bar : callable
        Shows progress, called like ``tqdm.tqdm``.

    Raises
    ------
    BrokenArchive
        If an archive is damaged, or holds another number of images than the set has.
    OSError
        If the pack cannot be written.
    """
    pack = _Pack(folder)
    counts = _CONVERTERS[dataset.name](archives, pack, bar)
    if counts != dict(dataset.counts):
        raise BrokenArchive(archives[0], f"it holds {_counted(counts)}, expected {_counted(dataset.counts)}")
    pack.write_manifest()


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {part}" for part, count in counts.items())
