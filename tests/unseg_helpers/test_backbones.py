"""Loading backbones from files in the form of the official releases, written here for shrunken networks."""

import argparse
import dataclasses
import hashlib
import shutil

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from unseg_helpers import backbones
from unseg_helpers.backbones import BackboneUnavailable

SMALL = {"depth": 2, "embed_dim": 24, "num_heads": 2}
FAMILIES = ("dino_vits8", "dinov2_vits14", "dinov2_vits14_reg", "dinov3_vits16")


@pytest.fixture(autouse=True)
def small(monkeypatch, tmp_path):
    """The published networks with two narrow blocks; an empty folder of the hub; no network."""
    for name, published in backbones.PUBLISHED.items():
        options = SMALL | ({"img_size": 56} if name.startswith("dinov2") else {})
        monkeypatch.setitem(backbones.PUBLISHED, name, dataclasses.replace(published, options=options))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def official(name: str, seed: int = 0, bias: bool = True) -> dict[str, Tensor]:
    """Random parameters with the key names and shapes of a release, written from its description, not from timm."""
    g = torch.Generator().manual_seed(seed)
    d, patch, grid = 24, backbones.PUBLISHED[name].patch, {"dino_vits8": 28}.get(name, 4)

    def draw(*shape):
        return 0.3 * torch.randn(*shape, generator=g)

    state = {"cls_token": draw(1, 1, d)}
    if name.startswith("dinov3"):
        state |= {"storage_tokens": draw(1, 4, d), "mask_token": draw(1, d), "rope_embed.periods": draw(3)}
    else:
        state["pos_embed"] = draw(1, 1 + grid**2, d)
    if name.startswith("dinov2"):
        state["mask_token"] = draw(1, d)
    if name.endswith("_reg"):
        state["register_tokens"] = draw(1, 4, d)
    state |= {"patch_embed.proj.weight": draw(d, 3, patch, patch), "patch_embed.proj.bias": draw(d)}
    for i in range(2):
        block = f"blocks.{i}."
        for layer, (out, into) in {
            "attn.qkv": (3 * d, d),
            "attn.proj": (d, d),
            "mlp.fc1": (4 * d, d),
            "mlp.fc2": (d, 4 * d),
        }.items():
            state |= {f"{block}{layer}.weight": draw(out, into), f"{block}{layer}.bias": draw(out)}
        for layer in ("norm1", "norm2"):
            state |= {f"{block}{layer}.weight": 1 + draw(d), f"{block}{layer}.bias": draw(d)}
        if name != "dino_vits8":
            state |= {f"{block}ls1.gamma": draw(d), f"{block}ls2.gamma": draw(d)}
        if name.startswith("dinov3"):
            mask = torch.ones(3 * d)
            mask[d : 2 * d] = 0  # no bias for keys, whatever the file holds
            state[f"{block}attn.qkv.bias_mask"] = mask
            if not bias:
                state[f"{block}attn.qkv.bias"] = torch.zeros(3 * d)
    return state | {"norm.weight": 1 + draw(d), "norm.bias": draw(d)}


def write(path, state):
    if path.suffix == ".safetensors":
        save_file({key: value.contiguous() for key, value in state.items()}, path)
    else:
        torch.save(state, path)
    return path


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("name", FAMILIES)
def test_loads_the_release_of_each_family(name, suffix, tmp_path):
    state = official(name)
    path = write(tmp_path / f"weights{suffix}", state)
    backbone = backbones.load(name, weights=path, device="cpu")
    model = backbone.model
    assert (backbone.name, backbone.patch) == (name, backbones.PUBLISHED[name].patch)
    assert backbone.prefix == backbones.PUBLISHED[name].prefix == model.num_prefix_tokens
    assert backbone.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not model.training and not any(p.requires_grad for p in model.parameters())

    loaded = model.state_dict()
    for layer in ("attn.qkv.weight", "attn.proj.bias", "mlp.fc1.weight", "norm2.bias"):
        torch.testing.assert_close(loaded[f"blocks.1.{layer}"], state[f"blocks.1.{layer}"])
    x = torch.zeros(1, 3, 2 * backbone.patch, 3 * backbone.patch)
    assert model.forward_features(x).shape == (1, backbone.prefix + 6, 24)


def test_registers_and_position_embedding_of_dinov2(tmp_path):
    """The release adds its first row of positions to CLS at run time and none to registers; timm expects it added."""
    state = official("dinov2_vits14_reg")
    model = backbones.load("dinov2_vits14_reg", weights=write(tmp_path / "w.pth", state)).model
    torch.testing.assert_close(model.cls_token[0, 0].cpu(), state["cls_token"][0, 0] + state["pos_embed"][0, 0])
    torch.testing.assert_close(model.pos_embed.cpu(), state["pos_embed"][:, 1:])
    torch.testing.assert_close(model.reg_token.cpu(), state["register_tokens"])


def test_bias_of_dinov3(tmp_path):
    """Query and value keep theirs, that of keys is masked; a release whose bias is zero gets a network without."""
    state = official("dinov3_vits16")
    attn = backbones.load("dinov3_vits16", weights=write(tmp_path / "w.pth", state)).model.blocks[0].attn
    torch.testing.assert_close(attn.q_bias.cpu(), state["blocks.0.attn.qkv.bias"][:24])
    torch.testing.assert_close(attn.v_bias.cpu(), state["blocks.0.attn.qkv.bias"][48:])
    assert not attn.k_bias.any()

    state = official("dinov3_vits16", bias=False)
    model = backbones.load("dinov3_vits16", weights=write(tmp_path / "zero.pth", state)).model
    assert model.blocks[0].attn.q_bias is None
    torch.testing.assert_close(model.blocks[0].gamma_1.cpu(), state["blocks.0.ls1.gamma"])
    torch.testing.assert_close(model.reg_token.cpu(), state["storage_tokens"])


@pytest.mark.parametrize("name", FAMILIES)
def test_key_names_of_timm_load_too(name, tmp_path):
    first = backbones.load(name, weights=write(tmp_path / "official.pth", official(name)), device="cpu").model
    path = write(tmp_path / "timm.safetensors", first.state_dict())
    second = backbones.load(name, weights=path, device="cpu").model
    assert second.state_dict().keys() == first.state_dict().keys()
    for key, value in first.state_dict().items():
        torch.testing.assert_close(second.state_dict()[key], value)


def test_key_names_for_the_full_depth():
    """What `official` writes are the names of the real networks: the same for every one of 12 blocks."""
    import timm

    names = {
        key.replace("blocks.1.", f"blocks.{i}.")
        for key in official("dino_vits8")
        if key.startswith("blocks.1.")
        for i in range(12)
    } | {key for key in official("dino_vits8") if not key.startswith("blocks.")}
    with torch.device("meta"):
        model = timm.create_model("vit_small_patch8_224.dino", pretrained=False, num_classes=0)
    assert set(model.state_dict()) == names


@pytest.mark.parametrize("prefixes", [("module.backbone.", "backbone."), ("backbone.", "module.backbone.")])
def test_takes_the_teacher_of_a_full_checkpoint(prefixes, tmp_path):
    student, teacher = official("dino_vits8", seed=1), official("dino_vits8", seed=2)
    of_student, of_teacher = prefixes
    head = {"head.mlp.0.weight": torch.zeros(2, 2), "head.last_layer.weight_g": torch.zeros(2)}
    checkpoint = {
        "student": {of_student + key: value for key, value in student.items()},
        "teacher": {of_teacher + key: value for key, value in teacher.items()}
        | {of_teacher.removesuffix("backbone.") + key: value for key, value in head.items()},
        "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]},
        "epoch": 100,
        "args": argparse.Namespace(arch="vit_small", patch_size=8),
        "dino_loss": {"center": torch.zeros(1, 4)},
    }
    path = tmp_path / "dino_deitsmall8_pretrain_full_checkpoint.pth"
    torch.save(checkpoint, path)
    model = backbones.load("dino_vits8", weights=path, device="cpu").model
    torch.testing.assert_close(model.cls_token, teacher["cls_token"].to(model.cls_token))


def test_leaves_random_numbers_alone(tmp_path):
    path = write(tmp_path / "w.pth", official("dino_vits8"))
    before = torch.get_rng_state()
    backbones.load("dino_vits8", weights=path)
    assert torch.equal(torch.get_rng_state(), before)


# What can be wrong with a file ---------------------------------------------------------------------------------------


def test_missing_and_unexpected_parameters_are_named(tmp_path):
    state = official("dino_vits8")
    del state["norm.bias"]
    state["fc.weight"] = torch.zeros(3)
    with pytest.raises(ValueError, match=r"1 missing \(norm.bias\); 1 unexpected \(fc.weight\)"):
        backbones.load("dino_vits8", weights=write(tmp_path / "w.pth", state))


def test_file_of_another_backbone_is_named(tmp_path):
    path = write(tmp_path / "w.pth", official("dino_vits8"))
    with pytest.raises(ValueError, match=r"patch_embed.proj.weight \(24, 3, 8, 8\) instead of \(24, 3, 16, 16\)"):
        backbones.load("dino_vits16", weights=path)
    with pytest.raises(ValueError, match="4 missing .*ls1.gamma.* Is it the file of another backbone"):
        backbones.load("dinov2_vits14", weights=path)


@pytest.mark.parametrize("name", ["dinov2_vits14", "dinov3_vits16"])
def test_bias_without_a_place_is_not_dropped(name, tmp_path):
    state = official(name)
    state["blocks.0.attn.q_bias"] = torch.ones(24)
    if name == "dinov3_vits16":
        state = {key: value for key, value in state.items() if not key.endswith("attn.qkv.bias")}
        with pytest.raises(ValueError, match="missing"):
            backbones.load(name, weights=write(tmp_path / "w.pth", state))
    else:
        with pytest.raises(ValueError, match="1 unexpected .*q_bias"):
            backbones.load(name, weights=write(tmp_path / "w.pth", state))


class Evil:
    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_runs_no_code_of_a_file(tmp_path):
    evil = Evil()
    evil.path = tmp_path / "written by the file"
    torch.save(official("dino_vits8") | {"extra": evil}, tmp_path / "w.pth")
    with pytest.raises(ValueError, match="would run as code"):
        backbones.load("dino_vits8", weights=tmp_path / "w.pth")
    assert not evil.path.exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_cut_off_file(suffix, tmp_path):
    path = write(tmp_path / f"w{suffix}", official("dino_vits8"))
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(ValueError, match="damaged"):
        backbones.load("dino_vits8", weights=path)


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, {}, {"teacher": torch.zeros(1), "epoch": 1}])
def test_file_without_parameters(content, tmp_path):
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(ValueError, match="must hold named tensors"):
        backbones.load("dino_vits8", weights=tmp_path / "w.pth")


def test_other_mistakes_with_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is none at .*nowhere.pth"):
        backbones.load("dino_vits8", weights=tmp_path / "nowhere.pth")
    (tmp_path / "w.npz").touch()
    with pytest.raises(ValueError, match=r"must end in .pth, .pt, .bin or .safetensors, got w.npz"):
        backbones.load("dino_vits8", weights=tmp_path / "w.npz")
    with pytest.raises(ValueError, match="got 'resnet50'"):
        backbones.load("resnet50")
    with pytest.raises(ValueError, match="got 'resnet50'"):
        backbones.available("resnet50")


def test_digest_in_the_name_is_checked(tmp_path):
    path = write(tmp_path / "w.pth", official("dinov3_vits16"))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    right = shutil.copy(path, tmp_path / f"dinov3_vits16_pretrain_lvd1689m-{digest[:8]}.pth")
    backbones.load("dinov3_vits16", weights=right)
    wrong = shutil.copy(path, tmp_path / "dinov3_vits16_pretrain_lvd1689m-00000000.pth")
    with pytest.raises(ValueError, match=f"SHA-256 begins with {digest[:8]}, its name promises 00000000"):
        backbones.load("dinov3_vits16", weights=wrong)
    backbones.load("dinov3_vits16", weights=shutil.copy(path, tmp_path / "mine-20261231.pth"))  # a date, not a digest


# The hub's folder ----------------------------------------------------------------------------------------------------


def put_in_hub_folder(folder, name, state, blob=None):
    """As huggingface_hub lays a file out: content under its SHA-256, a link in a snapshot, and what "main" is."""
    repository = folder / "hub" / ("models--timm--" + backbones.PUBLISHED[name].timm)
    for part in ("blobs", "refs", f"snapshots/{'a' * 40}"):
        (repository / part).mkdir(parents=True)
    (repository / "refs" / "main").write_text("a" * 40)
    path = write(repository / "w.safetensors", state)
    digest = blob or hashlib.sha256(path.read_bytes()).hexdigest()
    path.rename(repository / "blobs" / digest)
    link = repository / "snapshots" / ("a" * 40) / "model.safetensors"
    link.symlink_to(f"../../blobs/{digest}")
    return digest


def test_offline_from_the_hub_folder(tmp_path):
    state = official("dino_vits8")
    assert not backbones.available("dino_vits8")
    digest = put_in_hub_folder(tmp_path / "hf", "dino_vits8", state)
    assert backbones.available("dino_vits8")
    assert not backbones.available("dino_vits16")
    backbone = backbones.load("dino_vits8", device="cpu")
    assert backbone.digest == digest
    torch.testing.assert_close(backbone.model.norm.bias, state["norm.bias"].to(backbone.model.norm.bias))
    assert backbones.outline("dino_vits8").model is None
    for attribute in ("name", "patch", "prefix", "mean", "std", "digest", "size"):
        assert getattr(backbones.outline("dino_vits8"), attribute) == getattr(backbone, attribute)


def test_damaged_file_in_the_hub_folder(tmp_path):
    put_in_hub_folder(tmp_path / "hf", "dino_vits8", official("dino_vits8"), blob="b" * 64)
    with pytest.raises(ValueError, match="its name promises bbbbbbbb; delete .*b and fetch it again"):
        backbones.load("dino_vits8")


def test_message_where_weights_cannot_be_had(tmp_path, monkeypatch):
    with pytest.raises(BackboneUnavailable) as offline:
        backbones.load("dino_vits8")
    message = str(offline.value)
    assert "HF_HUB_OFFLINE forbids" in message
    assert "models--timm--vit_small_patch8_224.dino" in message and str(tmp_path / "hf" / "hub") in message
    assert "dino_deitsmall8_pretrain.pth" in message and 'backbone="minidino"' in message

    from huggingface_hub import constants

    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(BackboneUnavailable, match="the hub did not give them"):
        backbones.load("dinov3_vits16")


def test_message_without_torch(monkeypatch):
    monkeypatch.setattr(backbones, "has_torch", lambda: False)
    assert not backbones.available("dino_vits8")
    with pytest.raises(BackboneUnavailable, match=r'"dino_vits8" needs torch and timm.*pip install "unseg\[deep\]"'):
        backbones.load("dino_vits8")


# A network of one's own ----------------------------------------------------------------------------------------------


def test_wrap(tmp_path):
    model = backbones.load("dinov3_vits16", weights=write(tmp_path / "w.pth", official("dinov3_vits16"))).model
    own = backbones.wrap(model.train(), "mine", size=128)
    assert (own.name, own.patch, own.prefix, own.size) == ("mine", 16, 5, 128)
    assert not own.model.training
    assert backbones.wrap(model).digest == own.digest
    with torch.no_grad():
        model.norm.bias += 1
    assert backbones.wrap(model).digest != own.digest


def test_minidino_is_part_of_the_package():
    backbone = backbones.load("minidino", device="cpu")
    assert (backbone.patch, backbone.prefix) == (8, 1)
    assert backbones.available("minidino")
    assert backbone.model.forward_features(torch.zeros(1, 3, 16, 24)).shape == (1, 7, 192)
