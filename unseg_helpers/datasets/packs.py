"""Readers for real data sets that lie on disk as packs: BSDS500, BSDS300, ECSSD, CamVid, CIFAR-10, COCO, DAVIS 2016.

A pack is a folder with one or a few archives (zip without further compression, or npz); nothing is unpacked.
Packs are looked for in the folder that the environment variable ``UNSEG_DATA`` names, then in the folder into which
``unseg data fetch`` puts them. Each reader gives a lazy sequence: its length and names are known at once, an image
is decoded when it is asked for.

    pack = bsds500("train")
    pack[0], pack["25098"], pack[10:20], len(pack), pack.ids

A sequence holds no open file, so it can be pickled and used in forked workers.
"""

from __future__ import annotations

import copy
import io
import json
import operator
import os
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .sample import Sample

__all__ = [
    "BSDS300_TEST",
    "CAMVID_CLASSES",
    "CIFAR10_CLASSES",
    "BrokenPack",
    "CifarPack",
    "CocoPack",
    "MissingDataset",
    "Pack",
    "bsds300",
    "bsds500",
    "camvid",
    "cifar10",
    "coco_instances",
    "data_folders",
    "davis16",
    "davis16_sequences",
    "ecssd",
    "inventory",
    "user_data_folder",
]

# The 100 test images of BSDS300 in the order of the official list; as a set they are the `val` images of BSDS500.
# The order matters: "every third test image" is a common small benchmark.
BSDS300_TEST = tuple(
    """
    119082 170057 58060 163085 42049 167062 157055 295087 24077 78004 220075 45096 38092 43074 16077 86000 101085
    219090 89072 300091 126007 156065 76053 296007 175032 253027 304034 86016 103070 8023 260058 41033 291000 109053
    130026 241004 108082 285079 147091 69040 14037 54082 189080 229036 62096 271035 167083 12084 69015 148089 160068
    145086 216081 97033 182053 208001 19021 227092 134035 223061 253055 148026 210088 86068 3096 41069 21077 196073
    108070 123074 376043 306005 38082 33039 108005 106024 302008 102061 197017 299086 37073 241048 65033 55073 66053
    143090 85048 42012 351093 361010 175043 87046 105025 236037 101087 304074 296059 159008 385039 69020
    """.split()
)

CAMVID_CLASSES = tuple(
    "Sky Building Pole Road Pavement Tree SignSymbol Fence Car Pedestrian Bicyclist Unlabelled".split()
)
CIFAR10_CLASSES = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")


class MissingDataset(FileNotFoundError):
    """A data set is not on this machine; the message says how to get it."""


class BrokenPack(OSError):
    """A pack is there but cannot be read; the message says what to do."""


# Where packs are -----------------------------------------------------------------------------------------------------


def user_data_folder() -> Path:
    """Folder into which ``unseg data fetch`` puts packs, for example ``~/.local/share/unseg`` on Linux."""
    from platformdirs import user_data_path

    return user_data_path("unseg", appauthor=False)


def data_folders() -> list[Path]:
    """Folders in which packs are looked for, best first: ``UNSEG_DATA`` when it is set, then `user_data_folder`."""
    named = os.environ.get("UNSEG_DATA", "").strip()
    return ([Path(named).expanduser()] if named else []) + [user_data_folder()]


def _archives(name: str, pattern: str) -> list[Path]:
    """Archives of a set whose file names match, from the first folder that has any; the plainest name comes first."""
    for folder in data_folders():
        try:
            found = [path for path in (folder / name).iterdir() if re.fullmatch(pattern, path.name)]
        except (FileNotFoundError, NotADirectoryError):
            continue
        if found:
            return sorted(found, key=lambda path: (len(path.name), path.name))
    return []


def _split_pattern(name: str, split: str, suffix: str) -> str:
    """Match ``bsds500_test.zip``, ``bsds500_testA.zip``, ``bsds500_test_part1.zip``; not ``bsds500_testing.zip``."""
    return rf"{name}_{split}(?![a-z]).*\.{suffix}"


def _missing(name: str, what: str, example: str, *, fetch: str | None = None) -> MissingDataset:
    folders = " or ".join(str(folder / name) for folder in data_folders())
    return MissingDataset(
        f"No {what} in {folders}: run `unseg data fetch {fetch or name}`, "
        f"or set UNSEG_DATA to a folder that holds {name}/{example}"
    )


def _broken(path: Path, member: str, error: object) -> BrokenPack:
    where = f"{path} ({member})" if member else str(path)
    return BrokenPack(
        f"{where} cannot be read ({error}): the pack is damaged, so fetch it again with "
        f"`unseg data fetch {path.parent.name} --force`, or copy it anew from where you got it"
    )


# Reading archives ----------------------------------------------------------------------------------------------------


def _stamp(path: Path) -> tuple[int, int]:
    """Tell a file that was replaced meanwhile from the one that a cache knows."""
    try:
        status = path.stat()
    except OSError as error:
        raise _broken(path, "", error.strerror) from error
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=32)
def _opened(path: Path, stamp: tuple[int, int], process: int) -> zipfile.ZipFile:
    # `process` is part of the key because a forked child shares the parent's file offset: it must open its own.
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise _broken(path, "", error) from error


def _zip(path: Path) -> zipfile.ZipFile:
    return _opened(path, _stamp(path), os.getpid())


def _read(path: Path, member: str) -> bytes:
    try:
        return _zip(path).read(member)
    except (zipfile.BadZipFile, KeyError, EOFError, OSError) as error:
        if isinstance(error, BrokenPack):
            raise
        raise _broken(path, member, error) from error


def _decode(data: bytes, path: Path, member: str, *, mode: str | None = None) -> NDArray[np.uint8]:
    """Decode a JPEG or PNG; ``mode="RGB"`` gives (h, w, 3), None gives the numbers as stored (palette indices too)."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.array(image.convert(mode) if mode else image)  # a copy: writable
    except (OSError, ValueError, SyntaxError) as error:
        raise _broken(path, member, error) from error


@lru_cache(maxsize=8)
def _npz(path: Path, stamp: tuple[int, int]) -> dict[str, NDArray]:
    """Arrays of an npz file; those stored without compression are mapped, not read."""
    arrays = {}
    try:
        with zipfile.ZipFile(path) as archive, open(path, "rb") as raw:
            for info in archive.infolist():
                key = info.filename.removesuffix(".npy")
                with archive.open(info) as file:
                    version = np.lib.format.read_magic(file)
                    read_header = {
                        (1, 0): np.lib.format.read_array_header_1_0,
                        (2, 0): np.lib.format.read_array_header_2_0,
                    }[version]
                    shape, fortran, dtype = read_header(file)
                    header = file.tell()
                    if dtype.hasobject:
                        raise ValueError(f"{key} holds Python objects")
                    if info.compress_type != zipfile.ZIP_STORED:
                        count = int(np.prod(shape))
                        values = np.frombuffer(file.read(), dtype=dtype, count=count)
                        arrays[key] = values.reshape(shape, order="F" if fortran else "C")
                        continue
                raw.seek(info.header_offset + 26)  # the local header repeats the name and may have an extra field
                lengths = raw.read(4)
                start = info.header_offset + 30 + int.from_bytes(lengths[:2], "little")
                start += int.from_bytes(lengths[2:], "little") + header
                order = "F" if fortran else "C"
                arrays[key] = np.memmap(path, dtype=dtype, mode="r", offset=start, shape=shape, order=order)
    except (zipfile.BadZipFile, ValueError, KeyError, EOFError, OSError) as error:
        raise _broken(path, "", error) from error
    return arrays


# The sequences -------------------------------------------------------------------------------------------------------


class Pack(Sequence[Sample]):
    """Lazy sequence of `Sample`; index it by number, slice or name.

    Attributes
    ----------
    name : str
        Name of the data set.
    split : str
        Name of the part, empty where the set has none.
    ids : tuple of str
        Names of the samples, in order.
    archives : tuple of Path
        The files that are read.
    """

    def __init__(self, name: str, split: str, ids: Sequence[str], entries: Sequence[tuple]):
        self.name = name
        self.split = split
        self.ids = tuple(ids)
        self._entries = tuple(entries)  # parallel to ids: (archive, ...) as the subclass needs it

    @property
    def archives(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys(entry[0] for entry in self._entries))

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int | slice | str) -> Sample | Pack:
        if isinstance(index, slice):
            part = copy.copy(self)
            part.__dict__.pop("_positions", None)
            part.ids, part._entries = self.ids[index], self._entries[index]
            return part
        if isinstance(index, str):
            return self._sample(self.index(index))
        try:
            i = operator.index(index)
        except TypeError:
            raise TypeError(
                f"index must be an integer, a slice or a name, got {type(index).__name__}; "
                "for several images use a slice or a list comprehension"
            ) from None
        if not -len(self) <= i < len(self):
            raise IndexError(f"{self._title} has {len(self)} images, got index {i}")
        return self._sample(i % len(self))

    def __iter__(self) -> Iterator[Sample]:
        return (self._sample(i) for i in range(len(self)))

    def __contains__(self, name: object) -> bool:
        return (name.name if isinstance(name, Sample) else name) in self._positions

    def __repr__(self) -> str:
        return f"<{self._title}: {len(self)} images>"

    def index(self, name: str) -> int:
        """Position of the sample of this name."""
        try:
            return self._positions[name.name if isinstance(name, Sample) else name]
        except KeyError:
            examples = ", ".join(map(repr, self.ids[:3]))
            raise KeyError(f"{self._title} has no image {name!r}; its names look like {examples}") from None

    def __getstate__(self) -> dict:
        return {key: value for key, value in self.__dict__.items() if key != "_positions"}

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.ids)}

    @property
    def _title(self) -> str:
        return f"{self.name} {self.split}".strip()

    def _sample(self, i: int) -> Sample:
        """Decode one image and its truth."""
        path, image, truth = self._entries[i]
        rgb = _decode(_read(path, image), path, image, mode="RGB")
        values = self._truth(_read(path, truth), path, truth)
        if values.shape[-2:] != rgb.shape[:2]:
            raise _broken(path, truth, f"its truth has shape {values.shape}, its image {rgb.shape}")
        return Sample(self.ids[i], rgb, values, self._labels(path, image, truth))

    def _truth(self, data: bytes, path: Path, member: str) -> NDArray:
        return _decode(data, path, member)

    def _labels(self, path: Path, image: str, truth: str) -> tuple[str, ...]:
        return ()


class _BsdsPack(Pack):
    def _truth(self, data: bytes, path: Path, member: str) -> NDArray:
        try:
            return np.load(io.BytesIO(data), allow_pickle=False)["segs"]  # (a, h, w)
        except (ValueError, KeyError, zipfile.BadZipFile, EOFError, OSError) as error:
            raise _broken(path, member, error) from error


class _MaskPack(Pack):
    def _truth(self, data: bytes, path: Path, member: str) -> NDArray:
        return _decode(data, path, member) > 127

    def _labels(self, path: Path, image: str, truth: str) -> tuple[str, ...]:
        return ("background", "object")


class _CamvidPack(Pack):
    def _labels(self, path: Path, image: str, truth: str) -> tuple[str, ...]:
        return CAMVID_CLASSES


class CocoPack(Pack):
    """COCO images; ``truth`` counts instances 1..n of the image, 0 is background, 255 is a crowd (to be ignored)."""

    def annotations(self, name: str) -> list[dict]:
        """COCO annotations of one image: polygons in pixels, category, area, and ``mask_value`` in ``truth``."""
        path, image, _ = self._entries[self.index(name)]
        return _coco(path, _stamp(path))[1].get(Path(image).name, [])

    def _labels(self, path: Path, image: str, truth: str) -> tuple[str, ...]:
        categories, by_file = _coco(path, _stamp(path))
        names = {
            annotation["mask_value"]: categories[annotation["category_id"]]
            for annotation in by_file.get(Path(image).name, [])
            if not annotation.get("iscrowd")
        }
        return ("background", *(names.get(value, "") for value in range(1, max(names, default=0) + 1)))


@lru_cache(maxsize=4)
def _coco(path: Path, stamp: tuple[int, int]) -> tuple[dict[int, str], dict[str, list[dict]]]:
    """Category names by id, and annotations by file name."""
    try:
        coco = json.loads(_read(path, "instances.json"))
        files = {image["id"]: image["file_name"] for image in coco["images"]}
        by_file = defaultdict(list)
        for annotation in coco["annotations"]:
            by_file[files[annotation["image_id"]]].append(annotation)
        return {category["id"]: category["name"] for category in coco["categories"]}, dict(by_file)
    except (ValueError, KeyError, TypeError) as error:
        raise _broken(path, "instances.json", error) from error


class CifarPack(Pack):
    """CIFAR-10 images; ``truth`` is a 0-d class index and ``labels`` are the ten class names."""

    def arrays(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """All images (n, 32, 32, 3) and their classes (n,) at once."""
        images = np.stack([self._pixels(i) for i in range(len(self))]) if len(self) else np.empty((0, 32, 32, 3), "u1")
        return images, self.classes

    @property
    def classes(self) -> NDArray[np.uint8]:
        """Class index of each image, (n,); no image is decoded for it."""
        return np.array([_npz(path, _stamp(path))["label"][j] for path, j in self._entries], dtype=np.uint8)

    def _pixels(self, i: int) -> NDArray[np.uint8]:
        path, j = self._entries[i]
        arrays = _npz(path, _stamp(path))
        if "pixels" in arrays:  # packs that `unseg data fetch` makes keep the exact pixels
            return np.array(arrays["pixels"][j])
        start, stop = arrays["offset"][j : j + 2]
        return _decode(arrays["jpeg"][start:stop].tobytes(), path, self.ids[i], mode="RGB")

    def _sample(self, i: int) -> Sample:
        path, j = self._entries[i]
        truth = np.array(_npz(path, _stamp(path))["label"][j])
        return Sample(self.ids[i], self._pixels(i), truth, CIFAR10_CLASSES)


# Pairing images with their truth -------------------------------------------------------------------------------------


def _pairs(archives: Sequence[Path], images: str, truths: str, suffix: str) -> dict[str, tuple[Path, str, str]]:
    """Name -> (archive, image member, truth member) for all images that have a truth."""
    found: dict[str, tuple[Path, str, str]] = {}
    for path in archives:
        members = set(_zip(path).namelist())
        # A zip that was cut off may pass for the last npz inside it, which ends like a zip: it has no images.
        if not any(member.startswith(images) for member in members):
            raise _broken(path, "", f"nothing in it begins with {images}")
        for member in members:
            stem, extension = os.path.splitext(member)
            if not stem.startswith(images) or extension.lower() not in IMAGE_SUFFIXES:
                continue
            name = stem.removeprefix(images)
            truth = f"{truths}{name}{suffix}"
            if truth not in members:
                raise _broken(path, member, f"{truth} is missing")
            found.setdefault(name, (path, member, truth))
    return found


def _one_of(argument: str, value: str, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise ValueError(f"{argument} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
    return value


def _numeric(name: str) -> tuple[int, str]:
    return (int(name) if name.isdigit() else 0, name)


# The data sets -------------------------------------------------------------------------------------------------------


def bsds500(split: str = "train") -> Pack:
    """Berkeley natural photographs with the segmentations of 4 to 9 people each.

    Parameters
    ----------
    split : "train", "val" or "test"
        200, 100 and 200 images in the full release.

    Returns
    -------
    Pack
        Samples in numeric order of their ids; ``truth`` (a, h, w) uint8 holds one map for each of a annotators, with
        labels 1..K that each annotator numbers freely.

    Raises
    ------
    MissingDataset
        If the split is not on this machine; the message names the command that gets it.

    References
    ----------
    .. [1] P. Arbelaez, M. Maire, C. Fowlkes and J. Malik, "Contour detection and hierarchical image segmentation",
       TPAMI 2011.
    """
    _one_of("split", split, ("train", "val", "test"))
    archives = _archives("bsds500", _split_pattern("bsds500", split, "zip"))
    if not archives:
        raise _missing("bsds500", f"{split} images of bsds500", f"bsds500_{split}.zip")
    entries = _pairs(archives, "images/", "gt/", ".npz")
    ids = sorted(entries, key=_numeric)
    return _BsdsPack("bsds500", split, ids, [entries[name] for name in ids])


def bsds300(split: str = "test") -> Pack:
    """The 300 images of the first Berkeley set, with the ground truth of the BSDS500 release.

    Parameters
    ----------
    split : "train", "test" or "all"
        ``"train"`` (200) is the train part of BSDS500 in numeric order, ``"test"`` (100) its val part in the order of
        the official list, ``"all"`` both, train first.

    Returns
    -------
    Pack
        As for `bsds500`.

    Raises
    ------
    MissingDataset
        If BSDS500, which holds these images, is not on this machine.

    References
    ----------
    .. [1] D. Martin, C. Fowlkes, D. Tal and J. Malik, "A database of human segmented natural images", ICCV 2001.
    """
    _one_of("split", split, ("train", "test", "all"))
    train = bsds500("train") if split != "test" else None
    test = bsds500("val") if split != "train" else None
    ids = [*(train.ids if train else ()), *(name for name in BSDS300_TEST if test and name in test)]
    entries = [
        pack._entries[pack._positions[name]]
        for name in ids
        for pack in (train, test)
        if pack and name in pack._positions
    ]
    return _BsdsPack("bsds300", split, ids, entries)


def ecssd() -> Pack:
    """Photographs with one salient object, long side 400 pixels; ``truth`` (h, w) bool is the object.

    Returns
    -------
    Pack
        1000 images in the full release.

    Raises
    ------
    MissingDataset
        If the set is not on this machine.

    References
    ----------
    .. [1] J. Shi, Q. Yan, L. Xu and J. Jia, "Hierarchical image saliency detection on extended CSSD", TPAMI 2016.
    """
    archives = _archives("ecssd", r"ecssd(?![a-z]).*\.zip")
    if not archives:
        raise _missing("ecssd", "images of ecssd", "ecssd.zip")
    entries = _pairs(archives, "images/", "masks/", ".png")
    ids = sorted(entries)
    return _MaskPack("ecssd", "", ids, [entries[name] for name in ids])


def camvid(split: str = "train") -> Pack:
    """Frames of driving videos, 480x360; ``truth`` (h, w) uint8 is 0..10 for a class and 11 for unlabeled pixels.

    Parameters
    ----------
    split : "train", "val" or "test"
        367, 101 and 233 frames in the full release. ``"val"`` is one continuous piece at 15 frames a second.

    Returns
    -------
    Pack
        Frames in order of sequence and time; ``labels`` names the classes.

    Raises
    ------
    MissingDataset
        If the split is not on this machine.

    References
    ----------
    .. [1] G. Brostow, J. Fauqueur and R. Cipolla, "Semantic object classes in video", Pattern Recognition Letters 2009.
    """
    _one_of("split", split, ("train", "val", "test"))
    archives = _archives("camvid", _split_pattern("camvid", split, "zip"))
    if not archives:
        raise _missing("camvid", f"{split} frames of camvid", f"camvid_{split}.zip")
    entries = _pairs(archives, "images/", "labels/", ".png")
    ids = sorted(entries)
    return _CamvidPack("camvid", split, ids, [entries[name] for name in ids])


def cifar10(split: str = "train") -> CifarPack:
    """Photographs of 32x32 pixels in ten classes; ``truth`` is a 0-d class index.

    Parameters
    ----------
    split : "train" or "test"
        50,000 and 10,000 images in the full release.

    Returns
    -------
    CifarPack
        In the order of the archive; ``arrays()`` gives all images and classes at once.

    Raises
    ------
    MissingDataset
        If the split is not on this machine.

    References
    ----------
    .. [1] A. Krizhevsky, "Learning multiple layers of features from tiny images", technical report, 2009.
    """
    _one_of("split", split, ("train", "test"))
    archives = _archives("cifar10", _split_pattern("cifar10", split, "npz"))
    if not archives:
        raise _missing("cifar10", f"{split} images of cifar10", f"cifar10_{split}.npz")
    entries: dict[str, tuple[Path, int]] = {}
    for path in archives:
        arrays = _npz(path, _stamp(path))
        if not {"label", "name"} <= arrays.keys() or not ("pixels" in arrays or {"jpeg", "offset"} <= arrays.keys()):
            raise _broken(path, "", f"it holds only {', '.join(arrays)}")
        for j, name in enumerate(arrays["name"].tolist()):
            entries.setdefault(os.path.splitext(name.decode())[0], (path, j))
    return CifarPack("cifar10", split, list(entries), list(entries.values()))


def coco_instances() -> CocoPack:
    """Everyday scenes, mostly 640x480, with object instances; ``truth`` (h, w) uint8 is the instance id.

    Returns
    -------
    CocoPack
        In ``truth`` 0 is background, 1..n are instances (small ones lie on top of large ones), 255 is a crowd.
        ``labels[value]`` is the category of an instance; ``annotations(name)`` gives the polygons.

    Raises
    ------
    MissingDataset
        If the set is not on this machine.

    References
    ----------
    .. [1] T.-Y. Lin et al., "Microsoft COCO: common objects in context", ECCV 2014.
    """
    archives = _archives("coco_instances", r"coco(?![a-z]).*\.zip")
    if not archives:
        raise _missing("coco_instances", "images of coco_instances", "coco_val2017.zip")
    entries = _pairs(archives, "images/", "masks/", ".png")
    ids = sorted(entries)
    return CocoPack("coco_instances", "", ids, [entries[name] for name in ids])


def davis16(sequence: str | None = None, *, resolution: str | None = None) -> Pack:
    """Frames of videos with a moving object; ``truth`` (h, w) bool is the object.

    Parameters
    ----------
    sequence : str or None
        Name of a sequence such as ``"camel"`` (`davis16_sequences` lists them); None gives the frames of all.
    resolution : str or None
        Such as ``"240p"`` or ``"480p"``; None takes the smallest that is here.

    Returns
    -------
    Pack
        Frames in order of sequence and time, named ``"camel/00000"``.

    Raises
    ------
    MissingDataset
        If the set is not on this machine.
    ValueError
        If it is, but without this sequence or resolution.

    References
    ----------
    .. [1] F. Perazzi et al., "A benchmark dataset and evaluation methodology for video object segmentation", CVPR 2016.
    """
    by_resolution = _davis_entries()
    if resolution is not None:
        _one_of("resolution", resolution, list(by_resolution))
        by_resolution = {resolution: by_resolution[resolution]}
    for entries in by_resolution.values():  # smallest first
        ids = sorted(name for name in entries if sequence in (None, name.rpartition("/")[0]))
        if ids:
            return _MaskPack("davis16", sequence or "", ids, [entries[name] for name in ids])
    allowed = sorted({name.rpartition("/")[0] for entries in by_resolution.values() for name in entries})
    raise ValueError(f"sequence must be one of {', '.join(map(repr, allowed))}, got {sequence!r}")


def davis16_sequences(*, resolution: str | None = None) -> tuple[str, ...]:
    """Names of the DAVIS sequences on this machine, in any resolution or in the one that is named."""
    by_resolution = _davis_entries()
    if resolution is not None:
        _one_of("resolution", resolution, list(by_resolution))
        by_resolution = {resolution: by_resolution[resolution]}
    return tuple(sorted({name.rpartition("/")[0] for entries in by_resolution.values() for name in entries}))


def _davis_entries() -> dict[str, dict[str, tuple[Path, str, str]]]:
    """Resolution -> frame -> (archive, image, mask), smallest resolution first."""
    archives = _archives("davis16", r"davis16_\d+p(?![a-z]).*\.zip")
    if not archives:
        raise _missing("davis16", "frames of davis16", "davis16_480p.zip")
    by_resolution: dict[str, list[Path]] = defaultdict(list)
    for path in archives:
        by_resolution[re.match(r"davis16_(\d+p)", path.name)[1]].append(path)
    return {
        resolution: _pairs(paths, "frames/", "masks/", ".png")
        for resolution, paths in sorted(by_resolution.items(), key=lambda item: int(item[0][:-1]))
    }


# What is here --------------------------------------------------------------------------------------------------------

_PARTS = {
    "bsds500": {split: (bsds500, split) for split in ("train", "val", "test")},
    "bsds300": {split: (bsds300, split) for split in ("train", "test")},
    "ecssd": {"images": (ecssd,)},
    "camvid": {split: (camvid, split) for split in ("train", "val", "test")},
    "cifar10": {split: (cifar10, split) for split in ("train", "test")},
    "coco_instances": {"images": (coco_instances,)},
    "davis16": {"frames": (davis16,)},
}


def inventory(name: str) -> tuple[dict[str, int], tuple[Path, ...]]:
    """Count the images of each part of a set that are on this machine, and name the folders they are in.

    Parts that are not here are left out, so a missing set gives ``({}, ())``.

    Raises
    ------
    BrokenPack
        If an archive is there but cannot be read.
    """
    counts: dict[str, int] = {}
    folders: dict[Path, None] = {}
    for part, (reader, *arguments) in _PARTS[_one_of("name", name, tuple(_PARTS))].items():
        try:
            pack = reader(*arguments)
        except MissingDataset:
            continue
        counts[part] = len(pack)
        folders.update(dict.fromkeys(path.parent for path in pack.archives))
    return counts, tuple(folders)
