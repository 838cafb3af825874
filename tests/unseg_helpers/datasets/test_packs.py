"""The readers: on packs that the test writes itself, and on the real ones where UNSEG_DATA has them."""

import csv
import io
import json
import multiprocessing
import pickle
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from unseg_helpers.datasets import packs
from unseg_helpers.datasets.sample import Sample

# Small packs in the real format --------------------------------------------------------------------------------------


def encoded(values, kind="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, kind)
    return buffer.getvalue()


def photo(seed, h=6, w=9):
    return np.random.default_rng(seed).integers(0, 256, (h, w, 3), dtype=np.uint8)


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def write_zip(path, members):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def write_bsds(path, ids):
    """The image of id n is photo(n); annotator a's truth is full of n % 7 + a + 1."""
    members = {}
    for name in ids:
        segs = np.stack([np.full((6, 9), int(name) % 7 + a + 1, np.uint8) for a in range(3)])
        members[f"images/{name}.png"] = encoded(photo(int(name)))
        members[f"gt/{name}.npz"] = npz(segs=segs)
    return write_zip(path, members)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty UNSEG_DATA, and a user data folder beside it."""
    monkeypatch.setenv("UNSEG_DATA", str(tmp_path / "named"))
    monkeypatch.setattr(packs, "user_data_folder", lambda: tmp_path / "user")
    (tmp_path / "named").mkdir()
    return tmp_path / "named"


# Finding and indexing ------------------------------------------------------------------------------------------------


def test_bsds500_by_number_name_and_slice(folder):
    write_bsds(folder / "bsds500" / "bsds500_train.zip", ["100", "20", "3"])
    pack = packs.bsds500("train")
    assert pack.ids == ("3", "20", "100")  # by number, not by letter
    assert len(pack) == 3
    assert [sample.name for sample in pack] == ["3", "20", "100"]
    for sample in (pack[1], pack["20"], pack[-2], pack[np.int64(1)], pack[1:2][0], pack[::-1]["20"]):
        assert isinstance(sample, Sample)
        assert sample.name == "20"
        np.testing.assert_array_equal(sample.image, photo(20))
        assert sample.truth.shape == (3, 6, 9) and sample.truth.dtype == np.uint8
        np.testing.assert_array_equal(np.unique(sample.truth), [7, 8, 9])
    assert "20" in pack and "21" not in pack and pack[1] in pack
    assert pack.index("100") == 2
    assert pack[1:].ids == ("20", "100")
    assert repr(pack) == "<bsds500 train: 3 images>"


def test_decoded_arrays_are_writable_copies(folder):
    write_bsds(folder / "bsds500" / "bsds500_val.zip", ["8"])
    pack = packs.bsds500("val")
    pack[0].image[:] = 0
    np.testing.assert_array_equal(pack[0].image, photo(8))


def test_wrong_indices_are_named(folder):
    write_bsds(folder / "bsds500" / "bsds500_train.zip", ["3", "20"])
    pack = packs.bsds500("train")
    with pytest.raises(IndexError, match="bsds500 train has 2 images, got index 2"):
        pack[2]
    with pytest.raises(IndexError, match="got index -3"):
        pack[-3]
    with pytest.raises(KeyError, match="no image '21'; its names look like '3', '20'"):
        pack["21"]
    with pytest.raises(TypeError, match="integer, a slice or a name, got float"):
        pack[1.0]
    with pytest.raises(ValueError, match="split must be one of 'train', 'val', 'test', got 'dev'"):
        packs.bsds500("dev")


def test_half_of_a_split_has_a_longer_name_and_halves_add_up(folder):
    write_bsds(folder / "bsds500" / "bsds500_testA.zip", ["1", "5"])
    assert packs.bsds500("test").ids == ("1", "5")
    write_bsds(folder / "bsds500" / "bsds500_testB.zip", ["3"])
    assert packs.bsds500("test").ids == ("1", "3", "5")
    full = write_bsds(folder / "bsds500" / "bsds500_test.zip", ["1", "3", "5", "7"])
    assert packs.bsds500("test").ids == ("1", "3", "5", "7")
    assert packs.bsds500("test").archives == (full,)
    write_bsds(folder / "bsds500" / "bsds500_testing.zip", ["999"])  # another word, not this split
    assert "999" not in packs.bsds500("test")


def test_the_named_folder_goes_before_the_user_folder_and_the_user_folder_fills_in(folder, tmp_path):
    write_bsds(tmp_path / "user" / "bsds500" / "bsds500_train.zip", ["1", "2"])
    write_bsds(tmp_path / "user" / "bsds500" / "bsds500_val.zip", ["5"])
    assert packs.bsds500("train").ids == ("1", "2")
    write_bsds(folder / "bsds500" / "bsds500_train.zip", ["3"])
    assert packs.bsds500("train").ids == ("3",)
    assert packs.bsds500("val").ids == ("5",)


def test_without_unseg_data_the_user_folder_is_used(folder, tmp_path, monkeypatch):
    write_bsds(tmp_path / "user" / "bsds500" / "bsds500_train.zip", ["1"])
    monkeypatch.delenv("UNSEG_DATA")
    assert packs.bsds500("train").ids == ("1",)
    assert packs.data_folders() == [tmp_path / "user"]


@pytest.mark.parametrize(
    "reader, command",
    [
        (packs.bsds500, "bsds500"),
        (packs.bsds300, "bsds500"),
        (packs.ecssd, "ecssd"),
        (packs.camvid, "camvid"),
        (packs.cifar10, "cifar10"),
        (packs.coco_instances, "coco_instances"),
        (packs.davis16, "davis16"),
        (packs.davis16_sequences, "davis16"),
    ],
)
def test_a_missing_set_names_the_command_and_the_variable(folder, reader, command):
    with pytest.raises(packs.MissingDataset) as caught:
        reader()
    message = str(caught.value)
    assert f"`unseg data fetch {command}`" in message
    assert "UNSEG_DATA" in message
    assert str(folder) in message
    assert "\n" not in message and isinstance(caught.value, FileNotFoundError)


# Each format ---------------------------------------------------------------------------------------------------------


def test_bsds300_takes_train_by_number_and_test_in_the_official_order(folder):
    write_bsds(folder / "bsds500" / "bsds500_train.zip", ["22090", "3", "25098"])
    write_bsds(folder / "bsds500" / "bsds500_val.zip", ["3096", "170057", "119082"])
    assert packs.bsds300("train").ids == ("3", "22090", "25098")
    assert packs.bsds300("test").ids == ("119082", "170057", "3096")
    everything = packs.bsds300("all")
    assert everything.ids == ("3", "22090", "25098", "119082", "170057", "3096")
    np.testing.assert_array_equal(everything["3096"].image, photo(3096))
    assert repr(everything) == "<bsds300 all: 6 images>"


def test_ecssd_truth_is_boolean(folder):
    mask = np.zeros((6, 9), np.uint8)
    mask[2:4, 3:] = 255
    write_zip(
        folder / "ecssd" / "ecssd_dev.zip",
        {"images/0001.png": encoded(photo(1)), "masks/0001.png": encoded(mask)},
    )
    sample = packs.ecssd()["0001"]
    np.testing.assert_array_equal(sample.truth, mask > 0)
    assert sample.truth.dtype == bool
    assert sample.labels[1] == "object"


def test_camvid_truth_is_the_class(folder):
    classes = np.full((6, 9), 11, np.uint8)
    classes[0] = 3
    write_zip(
        folder / "camvid" / "camvid_val.zip",
        {"images/x_00001.png": encoded(photo(1)), "labels/x_00001.png": encoded(classes)},
    )
    sample = packs.camvid("val")[0]
    np.testing.assert_array_equal(sample.truth, classes)
    assert sample.labels[3] == "Road" and sample.labels[11] == "Unlabelled" and len(sample.labels) == 12


def test_a_palette_map_gives_its_numbers_not_its_colors(folder):
    classes = np.arange(54, dtype=np.uint8).reshape(6, 9) % 12
    image = Image.fromarray(classes)
    image.putpalette([(37 * i) % 256 for i in range(36)])
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    write_zip(
        folder / "camvid" / "camvid_val.zip", {"images/a.png": encoded(photo(1)), "labels/a.png": buffer.getvalue()}
    )
    np.testing.assert_array_equal(packs.camvid("val")[0].truth, classes)


def test_coco_names_each_instance_and_turns_gray_photos_into_rgb(folder):
    mask = np.zeros((6, 9), np.uint8)
    mask[1:3], mask[4], mask[5] = 1, 2, 255
    coco = {
        "images": [{"id": 7, "file_name": "000000000007.png"}],
        "categories": [{"id": 18, "name": "dog"}, {"id": 44, "name": "bottle"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 44, "mask_value": 2, "iscrowd": 0},
            {"id": 2, "image_id": 7, "category_id": 18, "mask_value": 1, "iscrowd": 0},
            {"id": 3, "image_id": 7, "category_id": 18, "mask_value": 255, "iscrowd": 1},
        ],
    }
    gray = photo(1)[..., 0]
    write_zip(
        folder / "coco_instances" / "coco_dev.zip",
        {
            "images/000000000007.png": encoded(gray),
            "masks/000000000007.png": encoded(mask),
            "instances.json": json.dumps(coco).encode(),
        },
    )
    pack = packs.coco_instances()
    sample = pack["000000000007"]
    np.testing.assert_array_equal(sample.image, np.stack([gray] * 3, axis=2))
    np.testing.assert_array_equal(sample.truth, mask)
    assert sample.labels == ("background", "dog", "bottle")
    assert [annotation["id"] for annotation in pack.annotations("000000000007")] == [1, 2, 3]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("exact", [False, True])
def test_cifar_as_jpeg_bytes_and_as_pixels(folder, save, exact):
    images = np.stack([photo(i, 32, 32) for i in range(3)])
    files = [encoded(image) for image in images]
    arrays = (
        {"pixels": images}
        if exact
        else {
            "jpeg": np.frombuffer(b"".join(files), np.uint8),
            "offset": np.cumsum([0, *map(len, files)]).astype(np.int64),
        }
    )
    (folder / "cifar10").mkdir()
    names = np.array([b"test/cat/0000.jpg", b"test/dog/0000.jpg", b"test/dog/0001.jpg"])
    save(folder / "cifar10" / "cifar10_testA.npz", label=np.array([3, 5, 5], np.uint8), name=names, **arrays)
    pack = packs.cifar10("test")
    assert pack.ids == ("test/cat/0000", "test/dog/0000", "test/dog/0001")
    sample = pack["test/dog/0000"]
    np.testing.assert_array_equal(sample.image, images[1])
    assert sample.truth.shape == () and sample.labels[int(sample.truth)] == "dog"
    everything, classes = pack[1:].arrays()
    np.testing.assert_array_equal(everything, images[1:])
    np.testing.assert_array_equal(classes, [5, 5])


def davis_members(size, sequences=("bear", "camel"), frames=2):
    h, w = size
    members = {}
    for sequence in sequences:
        for t in range(frames):
            mask = np.zeros((h, w), np.uint8)
            mask[t] = 255
            members[f"frames/{sequence}/{t:05d}.png"] = encoded(photo(t, h, w))
            members[f"masks/{sequence}/{t:05d}.png"] = encoded(mask)
    return members


def test_davis_sequences_and_resolutions(folder):
    write_zip(folder / "davis16" / "davis16_240p_dev.zip", davis_members((4, 6)))
    write_zip(folder / "davis16" / "davis16_480p_cows.zip", davis_members((8, 12), ("camel", "cows")))
    assert packs.davis16_sequences() == ("bear", "camel", "cows")
    assert packs.davis16_sequences(resolution="480p") == ("camel", "cows")
    camel = packs.davis16("camel")
    assert camel.ids == ("camel/00000", "camel/00001")
    assert camel[1].image.shape == (4, 6, 3)
    np.testing.assert_array_equal(camel[1].truth, np.arange(4)[:, None].repeat(6, axis=1) == 1)
    assert packs.davis16("camel", resolution="480p")[0].image.shape == (8, 12, 3)
    assert packs.davis16("cows")[0].image.shape == (8, 12, 3)  # only here in this size
    assert len(packs.davis16()) == 4
    with pytest.raises(ValueError, match="sequence must be one of 'bear', 'camel', 'cows', got 'dog'"):
        packs.davis16("dog")
    with pytest.raises(ValueError, match="resolution must be one of '240p', '480p', got '1080p'"):
        packs.davis16("camel", resolution="1080p")


def test_inventory_counts_what_is_here(folder):
    assert packs.inventory("bsds500") == ({}, ())
    write_bsds(folder / "bsds500" / "bsds500_train.zip", ["1", "2"])
    write_bsds(folder / "bsds500" / "bsds500_testA.zip", ["3"])
    assert packs.inventory("bsds500") == ({"train": 2, "test": 1}, (folder / "bsds500",))


# Damaged packs -------------------------------------------------------------------------------------------------------


def test_a_damaged_pack_says_what_to_do(folder):
    path = folder / "bsds500" / "bsds500_train.zip"
    write_bsds(path, ["1", "2"])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(packs.BrokenPack, match=r"unseg data fetch bsds500 --force"):
        packs.bsds500("train")
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        start = archive.getinfo("images/1.png").header_offset
    flipped = bytearray(whole)
    flipped[start + 60] ^= 0xFF  # inside the data of this member: its CRC no longer fits
    path.write_bytes(flipped)
    pack = packs.bsds500("train")
    with pytest.raises(packs.BrokenPack, match=r"images/1\.png.*cannot be read"):
        pack["1"]
    np.testing.assert_array_equal(pack["2"].image, photo(2))  # the others are as good as before


def test_truth_that_does_not_fit_its_image_is_refused(folder):
    write_zip(
        folder / "ecssd" / "ecssd.zip",
        {"images/1.png": encoded(photo(1)), "masks/1.png": encoded(np.zeros((5, 9), np.uint8))},
    )
    with pytest.raises(packs.BrokenPack, match=r"truth has shape \(5, 9\), its image \(6, 9, 3\)"):
        packs.ecssd()[0]


def test_an_image_without_truth_is_refused(folder):
    write_zip(folder / "ecssd" / "ecssd.zip", {"images/1.png": encoded(photo(1))})
    with pytest.raises(packs.BrokenPack, match=r"masks/1\.png is missing"):
        packs.ecssd()


def test_pickled_objects_in_a_truth_file_are_not_loaded(folder):
    members = {"images/1.png": encoded(photo(1)), "gt/1.npz": npz(segs=np.array([{"a": 1}], dtype=object))}
    write_zip(folder / "bsds500" / "bsds500_train.zip", members)
    with pytest.raises(packs.BrokenPack, match="allow_pickle"):
        packs.bsds500("train")[0]


def test_a_replaced_archive_is_opened_anew(folder):
    path = folder / "bsds500" / "bsds500_train.zip"
    write_bsds(path, ["1"])
    pack = packs.bsds500("train")
    assert pack[0].name == "1"
    write_bsds(path, ["2", "1"])
    np.testing.assert_array_equal(pack["1"].image, photo(1))
    assert packs.bsds500("train").ids == ("1", "2")


# Other processes and threads -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_pack_works_in_other_processes(folder, method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system cannot {method} a process")
    ids = [str(i) for i in range(1, 9)]
    write_bsds(folder / "bsds500" / "bsds500_train.zip", ids)
    pack = packs.bsds500("train")
    expected = [int(pack[name].image.sum()) for name in ids]  # the parent has the archive open now
    # Not a function of this file: a spawned worker could not import it.
    with multiprocessing.get_context(method).Pool(2) as pool:
        results = pool.map(pack.__getitem__, ids * 5)
    assert [int(sample.image.sum()) for sample in results] == expected * 5


def test_a_pickled_pack_is_small_and_works(folder):
    write_bsds(folder / "bsds500" / "bsds500_train.zip", ["1", "2"])
    pack = packs.bsds500("train")
    image = pack["2"].image
    copied = pickle.loads(pickle.dumps(pack))
    np.testing.assert_array_equal(copied["2"].image, image)
    assert len(pickle.dumps(pack)) < 2000


def test_threads_may_share_a_pack(folder):
    ids = [str(i) for i in range(1, 21)]
    write_bsds(folder / "bsds500" / "bsds500_train.zip", ids)
    pack = packs.bsds500("train")
    with ThreadPoolExecutor(8) as pool:
        for name, sample in zip(ids * 10, pool.map(pack.__getitem__, ids * 10), strict=True):
            np.testing.assert_array_equal(sample.image, photo(int(name)))


# The real packs ------------------------------------------------------------------------------------------------------


def real(reader, *arguments, **options):
    try:
        return reader(*arguments, **options)
    except packs.MissingDataset as error:
        pytest.skip(str(error))


def test_real_bsds500(data_dir):
    train, val = real(packs.bsds500, "train"), real(packs.bsds500, "val")
    assert (len(train), len(val)) == (200, 100)
    assert len(real(packs.bsds500, "test")) in (100, 200)
    assert all(name in train for name in ("25098", "35058", "22090", "23025")) and "3096" in val
    sample = train["25098"]
    assert sample.image.shape == (481, 321, 3) and sample.image.dtype == np.uint8
    assert sample.truth.shape[1:] == (481, 321) and sample.truth.dtype == np.uint8
    with open(data_dir / "bsds500" / "manifest.csv", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    for sample in [*train[::20], *val[::20]]:
        row = rows[sample.name]
        assert sample.image.shape == (int(row["height"]), int(row["width"]), 3)
        assert [len(np.unique(seg)) for seg in sample.truth] == [int(n) for n in row["n_segments"].split()]
        assert sample.truth.min() == 1


@pytest.mark.parametrize("split", ["train", "test"])
def test_real_bsds300_has_the_listed_ids_in_the_listed_order(data_dir, split):
    pack = real(packs.bsds300, split)
    assert list(pack.ids) == (data_dir / "bsds500" / f"bsds300_iids_{split}.txt").read_text().split()
    assert packs.bsds300("all").ids == packs.bsds300("train").ids + packs.bsds300("test").ids


def test_real_ecssd(data_dir):
    pack = real(packs.ecssd)
    with open(data_dir / "ecssd" / "manifest.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(pack.ids) == [row["id"] for row in rows]
    for row in rows[::100]:
        sample = pack[row["id"]]
        assert sample.image.shape == (int(row["height"]), int(row["width"]), 3)
        assert sample.truth.mean() == pytest.approx(float(row["foreground_fraction"]), abs=1e-4)


@pytest.mark.parametrize("split, counts", [("train", {367}), ("val", {101}), ("test", {117, 233})])
def test_real_camvid(data_dir, split, counts):
    pack = real(packs.camvid, split)
    assert len(pack) in counts
    sample = pack[len(pack) // 2]
    assert sample.image.shape == (360, 480, 3) and sample.truth.shape == (360, 480)
    assert sample.truth.max() <= 11


@pytest.mark.parametrize("split, counts", [("train", {25_000, 50_000}), ("test", {5_000, 10_000})])
def test_real_cifar10(data_dir, split, counts):
    pack = real(packs.cifar10, split)
    assert len(pack) in counts
    sizes = np.bincount(pack.classes, minlength=10)
    assert set(sizes) <= {0, len(pack) // 10, 5_000}
    sample = pack[len(pack) // 2]
    assert sample.image.shape == (32, 32, 3)
    if sample.name.count("/") == 2:  # test/cat/0123
        assert sample.labels[int(sample.truth)] == sample.name.split("/")[1]


def test_real_coco(data_dir):
    pack = real(packs.coco_instances)
    with open(data_dir / "coco_instances" / "manifest.csv", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert set(pack.ids) == set(rows)
    assert sum(int(row["n_instances"]) for row in rows.values()) == 1395
    for name in pack.ids[::15]:
        sample = pack[name]
        row = rows[name]
        assert sample.image.shape == (int(row["height"]), int(row["width"]), 3)
        assert len(sample.labels) == int(row["n_instances"]) + 1
        assert set(np.unique(sample.truth)) <= {*range(len(sample.labels)), 255}


def test_real_davis(data_dir):
    frames = real(packs.davis16, "camel")
    assert set("blackswan camel car-shadow cows dog drift-straight horsejump-high soapbox".split()) <= set(
        packs.davis16_sequences()
    )
    assert frames.ids[:2] == ("camel/00000", "camel/00001") and len(frames) >= 40
    assert frames[3].truth.dtype == bool and frames[3].truth.any()
    assert packs.davis16("car-shadow", resolution="480p")[0].image.shape == (480, 854, 3)
