"""`unseg data`: the table, and fetching by hand and by script."""

import dataclasses
import hashlib
import io
import zipfile

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from autograder.cli.data import data
from unseg_helpers import backbones
from unseg_helpers.datasets import PHOTO_NAMES, fetch, packs, registry
from unseg_helpers.datasets.registry import Archive

IDS = ("0001", "0002", "0003")


def png(values):
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    return buffer.getvalue()


def zipped(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def user(tmp_path, monkeypatch):
    """The user data folder; nothing is in it and UNSEG_DATA is not set."""
    monkeypatch.setattr(packs, "user_data_folder", lambda: tmp_path / "user")
    monkeypatch.delenv("UNSEG_DATA", raising=False)
    return tmp_path / "user"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty folder of the Hugging Face hub, and no network."""
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path / "hf" / "hub"


def put_weights(hub, name, content=b"weights"):
    """A file as the hub's client lays it out, named by its SHA-256; what it is called in the snapshot."""
    repository = hub / ("models--timm--" + backbones.PUBLISHED[name].timm)
    snapshot = repository / "snapshots" / ("a" * 40)
    for folder in (repository / "blobs", repository / "refs", snapshot):
        folder.mkdir(parents=True)
    (repository / "refs" / "main").write_text("a" * 40)
    blob = repository / "blobs" / hashlib.sha256(b"weights").hexdigest()
    blob.write_bytes(content)
    (snapshot / "model.safetensors").symlink_to(blob)
    return snapshot / "model.safetensors"


@pytest.fixture
def official(tmp_path, monkeypatch):
    """A folder with the two ECSSD archives, made small, and the registry adapted to them."""
    folder = tmp_path / "official"
    folder.mkdir()
    rng = np.random.default_rng(0)
    images = {f"images/{name}.jpg": png(rng.integers(0, 256, (6, 9, 3), dtype=np.uint8)) for name in IDS}
    masks = {f"ground_truth_mask/{name}.png": png((rng.random((6, 9)) > 0.5) * np.uint8(255)) for name in IDS}
    archives = []
    for archive, members in zip(registry.SETS["ecssd"].archives, (images, masks), strict=True):
        content = zipped(members)
        (folder / archive.file).write_bytes(content)
        checksum = f"sha256:{hashlib.sha256(content).hexdigest()}"
        # Port 9 of this machine: nobody answers there.
        archives.append(Archive(archive.file, f"http://127.0.0.1:9/{archive.file}", len(content), checksum))
    small = dataclasses.replace(
        registry.SETS["ecssd"], archives=tuple(archives), counts={"images": 3}, download_mb=1, disk_mb=1
    )
    monkeypatch.setitem(registry.SETS, "ecssd", small)
    return folder


def run(*arguments, **options):
    return CliRunner().invoke(data, [str(argument) for argument in arguments], **options)


def test_list_shows_what_is_not_here_and_what_always_is(user):
    result = run("list")
    assert result.exit_code == 0
    first, second = result.output.split("Not here: `unseg data fetch NAME` gets it")
    assert "On this machine" not in first
    assert f"{len(PHOTO_NAMES)} photos" in first and "scenes" in first
    for name, dataset in registry.SETS.items():
        (line,) = (line for line in second.splitlines() if line.strip().startswith(name + " "))
        assert dataset.what in line and ("MB" in line or "GB" in line)
    assert f"Looked in {user}" in second and "Set UNSEG_DATA" in second
    assert max(map(len, result.output.splitlines())) <= 140


def test_list_names_a_wrong_unseg_data(user, tmp_path, monkeypatch):
    monkeypatch.setenv("UNSEG_DATA", str(tmp_path / "gone"))
    assert f"UNSEG_DATA names {tmp_path / 'gone'}, which is not a folder." in run("list").output


def test_list_shows_counts_and_where(data_dir):
    output = run("list").output
    (line,) = (line for line in output.splitlines() if line.strip().startswith("bsds300 "))
    assert "train 200, test 100" in line
    (line,) = (line for line in output.splitlines() if line.strip().startswith("bsds500 "))
    assert "train 200, val 100, test" in line


def test_list_names_a_damaged_pack_and_goes_on(user):
    (user / "ecssd").mkdir(parents=True)
    (user / "ecssd" / "ecssd.zip").write_bytes(b"no zip")
    result = run("list")
    assert result.exit_code == 0
    assert "Here but damaged\n  ecssd: " in result.output and "unseg data fetch ecssd --force" in result.output
    assert "  camvid " in result.output


def test_fetch_puts_a_pack_where_the_readers_look(user, official):
    result = run("fetch", "ecssd", "--from", official, "--accept-license", "--quiet")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{user / 'ecssd'}\n"  # a script can take the folder from here
    assert packs.ecssd().ids == IDS
    (line,) = (line for line in run("list").output.splitlines() if line.strip().startswith("ecssd "))
    assert "images 3" in line and str(user / "ecssd") in line


def test_fetch_shows_the_terms_and_takes_an_answer(user, official):
    result = run("fetch", "ecssd", "--from", official, input="y\n")
    assert result.exit_code == 0, result.output
    for text in ("no explicit license", "TPAMI 2016", registry.SETS["ecssd"].page, "Do you accept these terms?"):
        assert text in " ".join(result.output.split())
    assert packs.ecssd().ids == IDS


@pytest.mark.parametrize("answer", ["n\n", "\n", ""], ids=["no", "return", "nobody there"])
def test_fetch_without_consent_does_nothing(user, official, answer):
    result = run("fetch", "ecssd", "--from", official, input=answer)
    assert result.exit_code == 1
    assert "The terms of ecssd were not accepted" in result.output and "--accept-license" in result.output
    assert not user.exists()


def test_fetch_twice_is_quick_and_asks_nothing(user, official):
    run("fetch", "ecssd", "--from", official, "--accept-license")
    result = run("fetch", "ecssd")
    assert result.exit_code == 0 and "here already" in result.output and "accept" not in result.output


def test_fetch_elsewhere_says_how_to_use_it(user, official, tmp_path, monkeypatch):
    result = run("fetch", "ecssd", "--from", official, "--accept-license", "--to", tmp_path / "disk")
    assert f"set UNSEG_DATA={tmp_path / 'disk'}" in result.output
    with pytest.raises(packs.MissingDataset):
        packs.ecssd()
    monkeypatch.setenv("UNSEG_DATA", str(tmp_path / "disk"))
    assert packs.ecssd().ids == IDS


def test_an_unknown_name_is_found_before_anything_is_fetched(user, official):
    result = run("fetch", "ecssd", "imagenet", "--from", official, "--accept-license")
    assert result.exit_code == 2
    assert "no data set is called 'imagenet'; choose from bsds500, bsds300, ecssd" in result.output
    assert not user.exists()


def test_an_error_is_one_sentence_and_no_traceback(user, official):
    result = run("fetch", "ecssd", "--accept-license", "--quiet")
    assert result.exit_code == 1
    last = result.output.strip().splitlines()[-1]
    assert last.startswith("Error: 127.0.0.1:9 cannot be reached") and "check the network connection" in last


def test_an_interruption_says_that_it_can_go_on(user, official, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch, "convert", interrupt)
    result = run("fetch", "ecssd", "--from", official, "--accept-license", "--quiet")
    assert result.exit_code == 1
    assert result.output.strip().endswith("interrupted: run the same command again and it goes on from there")
    assert not (user / "ecssd").exists()


def test_check_compares_with_the_checksums(user, official):
    run("fetch", "ecssd", "--from", official, "--accept-license")
    result = run("list", "--check")
    assert result.exit_code == 0 and f"{user / 'ecssd'}: all checksums agree" in result.output
    with open(user / "ecssd" / "manifest.csv", "a") as file:
        file.write("changed\n")
    result = run("list", "--check")
    assert result.exit_code == 1
    assert "damaged: manifest.csv" in result.output and "unseg data fetch ecssd --force" in result.output


def test_the_guide_has_every_set_with_its_page(root):
    guide = (root / "book" / "guides" / "data.md").read_text(encoding="utf-8")
    for dataset in registry.SETS.values():
        assert f"`{dataset.name}`" in guide and dataset.page in guide
        for part, count in dataset.counts.items():
            assert f"{count:,} `{part}`" in guide or f" {count} " in guide
        for file in dataset.pack_files.values():
            assert f"`{file}`" in guide or f"`_{file.rpartition('_')[2].partition('.')[0]}`" in guide


# Backbones -----------------------------------------------------------------------------------------------------------


def test_list_shows_backbones(user, hub):
    weights = put_weights(hub, "dino_vits8")
    here, absent = run("list").output.split("Backbones not here")
    (line,) = (line for line in here.splitlines() if line.strip().startswith("dino_vits8 "))
    assert line.endswith(str(weights))
    assert "minidino" in here.split("Backbones on this machine")[1]
    for name in set(backbones.PUBLISHED) - {"dino_vits8"}:
        (line,) = (line for line in absent.splitlines() if line.strip().startswith(name + " "))
        assert "MB" in line


def test_the_guide_has_every_backbone(root):
    guide = (root / "book" / "guides" / "data.md").read_text(encoding="utf-8")
    for name, published in backbones.PUBLISHED.items():
        (row,) = (line for line in guide.splitlines() if line.startswith("|") and f"`{name}`" in line)
        assert f"{published.download_mb} MB" in row and str(published.patch) in row


def test_fetch_a_backbone_that_is_here(user, hub):
    weights = put_weights(hub, "dino_vits8")
    assert run("fetch", "dino_vits8").output == f"{weights}\n"
    assert run("fetch", "minidino").output.strip().endswith("weights.safetensors")


def test_fetch_names_a_damaged_backbone(user, hub):
    put_weights(hub, "dino_vits8", b"weight!")
    result = run("fetch", "dino_vits8")
    assert result.exit_code == 1 and "is damaged: its SHA-256 begins with" in result.output


def test_fetch_a_backbone_without_a_network(user, hub):
    result = run("fetch", "dino_vits16")
    assert result.exit_code == 1
    assert "HF_HUB_OFFLINE forbids" in result.output and "dino_deitsmall16_pretrain.pth" in result.output


def test_fetch_asks_for_the_terms_of_dinov3(user, hub):
    result = run("fetch", "dinov3_vits16", input="n\n")
    assert result.exit_code == 1
    assert "DINOv3 License" in result.output and "terms were not accepted" in result.output
    assert "HF_HUB_OFFLINE forbids" in run("fetch", "dinov3_vits16", "--accept-license").output


def test_folders_of_data_sets_are_not_for_backbones(user, hub, tmp_path):
    result = run("fetch", "dino_vits8", "--to", tmp_path)
    assert result.exit_code == 2 and "set HF_HOME" in result.output
