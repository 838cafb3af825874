"""Backbones: vision transformers that learned without labels, and where their weights come from.

Seven are published (DINO, DINOv2 and DINOv3, by way of timm); ``"minidino"`` is our own and part of this package.

Notation: a grid of h rows and w columns of patches; p prefix tokens (CLS, then registers); d features for each token.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unseg_helpers import minidino

if TYPE_CHECKING:
    import torch

__all__ = ["NAMES", "Backbone", "BackboneUnavailable", "available", "load", "wrap"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

MINIDINO_SIZE = 192
"""Short side in pixels of images for mini-DINO: objects fill the photos it has learned from."""

HUB_SECONDS = 5.0
"""How long the hub may take to say that it is there; its own client tries for half a minute."""


class BackboneUnavailable(RuntimeError):
    """The weights of a backbone, or the packages that run it, are not on this machine; the message says what to do."""


@dataclass(frozen=True, eq=False)
class Backbone:
    """A network that turns an image into patch features.

    Attributes
    ----------
    model : torch.nn.Module or None
        The network in timm's form, in evaluation mode; None only for "minidino" where there is no torch: then NumPy
        computes it.
    name : str
        One of `NAMES`, or any name for a network of your own.
    patch : int
        Side of a patch in pixels.
    prefix : int
        Tokens before the patches: CLS and registers.
    mean, std : tuple of 3 floats
        Subtracted from, and divided into, an RGB image between 0 and 1.
    digest : str
        SHA-256 of the weights, 64 hex digits: features in the cache belong to it.
    size : int or None
        Short side in pixels to which `unseg_helpers.features.extract` brings an image; None leaves it as it is.
    """

    model: torch.nn.Module | None
    name: str
    patch: int
    prefix: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    digest: str
    size: int | None = None


@dataclass(frozen=True)
class _Published:
    """What we know of a published backbone: timm's name for it, and the file of the official release."""

    timm: str  # architecture.tag; the hub's repository is timm/<this>
    patch: int
    prefix: int
    what: str
    download_mb: int
    official: str  # name of the file, or its beginning
    page: str  # where that file is
    license: str
    citation: str
    ask: bool = False  # whether the terms ask for consent
    options: Mapping[str, Any] = field(default_factory=dict)  # for timm.create_model: tests shrink networks with it

    @property
    def repository(self) -> str:
        return f"timm/{self.timm}"


def _dino(timm: str, patch: int, what: str, download_mb: int, release: str) -> _Published:
    page = f"https://dl.fbaipublicfiles.com/dino/{release}"
    citation = "M. Caron et al., Emerging properties in self-supervised vision transformers, ICCV 2021"
    return _Published(timm, patch, 1, what, download_mb, f"{release}.pth", page, "Apache-2.0", citation)


def _dinov2(timm: str, prefix: int, what: str, file: str, citation: str) -> _Published:
    page = "https://dl.fbaipublicfiles.com/dinov2/dinov2_vits14"
    return _Published(timm, 14, prefix, what, 88, file, page, "Apache-2.0", citation)


PUBLISHED: dict[str, _Published] = {
    "dino_vits8": _dino("vit_small_patch8_224.dino", 8, "DINO, ViT-S/8", 87, "dino_deitsmall8_pretrain"),
    "dino_vits16": _dino("vit_small_patch16_224.dino", 16, "DINO, ViT-S/16", 87, "dino_deitsmall16_pretrain"),
    "dino_vitb8": _dino("vit_base_patch8_224.dino", 8, "DINO, ViT-B/8", 343, "dino_vitbase8_pretrain"),
    "dino_vitb16": _dino("vit_base_patch16_224.dino", 16, "DINO, ViT-B/16", 343, "dino_vitbase16_pretrain"),
    "dinov2_vits14": _dinov2(
        "vit_small_patch14_dinov2.lvd142m",
        1,
        "DINOv2, ViT-S/14",
        "dinov2_vits14_pretrain.pth",
        "M. Oquab et al., DINOv2: learning robust visual features without supervision, TMLR 2024",
    ),
    "dinov2_vits14_reg": _dinov2(
        "vit_small_patch14_reg4_dinov2.lvd142m",
        5,
        "DINOv2, ViT-S/14 with 4 registers",
        "dinov2_vits14_reg4_pretrain.pth",
        "T. Darcet et al., Vision transformers need registers, ICLR 2024",
    ),
    "dinov3_vits16": _Published(
        timm="vit_small_patch16_dinov3.lvd1689m",
        patch=16,
        prefix=5,
        what="DINOv3, ViT-S/16",
        download_mb=86,
        official="dinov3_vits16_pretrain_lvd1689m-....pth",
        page="https://github.com/facebookresearch/dinov3 (on request)",
        license="DINOv3 License of Meta: conditions of its own",
        citation="O. Simeoni et al., DINOv3, arXiv:2508.10104, 2025",
        ask=True,
    ),
}
"""The published backbones by name; `load` and ``unseg data`` work from this table."""

NAMES: tuple[str, ...] = ("minidino", *PUBLISHED)


# Loading -------------------------------------------------------------------------------------------------------------


def load(name: str, *, weights: str | Path | None = None, device: str | torch.device = "auto") -> Backbone:
    """Load a backbone: from this package, from a file, from the hub's folder on this machine, or from the hub.

    The position embedding is that of the release; for each image timm interpolates it (bicubic, with a low-pass where
    it shrinks). The code of DINO and DINOv2 has no low-pass and a slightly different scale, so that its features differ
    a little from ours.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    weights : path, optional
        A ``.pth`` or ``.safetensors`` file with the key names of the official release or of timm; nothing is
        downloaded then. Of a full training checkpoint of DINO, the teacher is taken.
    device : "auto", "cpu", "cuda", "mps" or torch.device
        ``"auto"`` takes CUDA, then MPS, then the CPU.

    Returns
    -------
    Backbone

    Raises
    ------
    ValueError
        If the name is not known, or the file is damaged or does not hold exactly the parameters of this network.
    FileNotFoundError
        If ``weights`` does not exist.
    BackboneUnavailable
        If torch or timm is missing, or the weights are neither here nor can be fetched.

    Notes
    -----
    Where a SHA-256 is known, it is checked: files in the hub's folder are named by theirs, and files of the releases
    carry its first 8 digits at the end of their name (DINO and DINOv2 files do not).

    Examples
    --------
    >>> load("dino_vits9")
    Traceback (most recent call last):
        ...
    ValueError: backbone must be one of minidino, dino_vits8, dino_vits16, ..., got 'dino_vits9'
    """
    check_name(name)
    if weights is not None:
        weights = Path(weights).expanduser()
        if not weights.is_file():
            raise FileNotFoundError(f"weights must be a file, and there is none at {weights}")
    if name == "minidino":
        return _load_minidino(weights, device)
    _need_packages(name)
    path = locate(name) if weights is None else weights
    state = _read(path)
    model = _build(name, state)
    _fill(model, _as_timm(state, model), name, path)
    return _outline(name, path, model.eval().requires_grad_(False).to(choose_device(device)))


def available(name: str) -> bool:
    """Whether `load` can give this backbone without a network: packages and weights are on this machine.

    Parameters
    ----------
    name : str
        One of `NAMES`.

    Examples
    --------
    >>> available("minidino")  # part of this package
    True
    """
    check_name(name)
    if name == "minidino":
        return minidino.WEIGHTS.is_file()
    return has_torch() and in_hub_folder(name) is not None


def outline(name: str) -> Backbone:
    """All of a backbone but the network (``model`` is None): enough to find its features in the cache."""
    return _outline(name, locate(name), None)


def _outline(name: str, path: Path, model: torch.nn.Module | None) -> Backbone:
    patch, prefix, size = 8, 1, MINIDINO_SIZE
    if name != "minidino":
        patch, prefix, size = PUBLISHED[name].patch, PUBLISHED[name].prefix, None
    return Backbone(model, name, patch, prefix, IMAGENET_MEAN, IMAGENET_STD, digest_of(path), size)


def wrap(
    model: torch.nn.Module,
    name: str = "own",
    *,
    mean: tuple[float, float, float] = IMAGENET_MEAN,
    std: tuple[float, float, float] = IMAGENET_STD,
    size: int | None = None,
) -> Backbone:
    """Make a backbone of a network in timm's form, for example one that you have trained.

    Parameters
    ----------
    model : torch.nn.Module
        A timm ``VisionTransformer`` or ``Eva`` with square patches, made with ``dynamic_img_size=True``; it is put
        into evaluation mode.
    name : str
        What to call it.
    mean, std : tuple of 3 floats
        What it expects of an RGB image between 0 and 1: ``(image - mean) / std``.
    size : int, optional
        Short side in pixels to which images are brought; None leaves them as they are.

    Returns
    -------
    Backbone
        Its digest is that of the parameters as they are now: wrap again after a training step.
    """
    digest = hashlib.sha256()
    for key, value in model.state_dict().items():
        digest.update(f"{key} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.detach().float().cpu().contiguous().numpy().tobytes())
    return Backbone(
        model=model.eval(),
        name=name,
        patch=model.patch_embed.patch_size[0],
        prefix=model.num_prefix_tokens,
        mean=mean,
        std=std,
        digest=digest.hexdigest(),
        size=size,
    )


def check_name(name: str) -> None:
    """Raise ValueError where no backbone has this name."""
    if name not in NAMES:
        raise ValueError(f"backbone must be one of {', '.join(NAMES)}, got {name!r}")


def has_torch() -> bool:
    """Whether torch and timm are installed; imports neither."""
    return find_spec("torch") is not None and find_spec("timm") is not None


def choose_device(device: str | torch.device) -> torch.device:
    """``"auto"``: CUDA, then MPS, then the CPU; anything else as torch reads it."""
    import torch

    if device != "auto":
        return torch.device(device)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _load_minidino(weights: Path | None, device: str | torch.device) -> Backbone:
    path = locate("minidino") if weights is None else weights
    if not has_torch():
        if weights is not None:
            raise BackboneUnavailable(_no_torch('"minidino" with weights of your own'))
        return _outline("minidino", path, None)
    import torch

    from unseg_helpers.minidino import model as network

    with torch.random.fork_rng(devices=[]):
        model = network.build()
    state = _read(path)
    _fill(model, _as_timm(state, model), "minidino", path)
    return _outline("minidino", path, model.eval().requires_grad_(False).to(choose_device(device)))


def _need_packages(name: str) -> None:
    if not has_torch():
        raise BackboneUnavailable(_no_torch(f'"{name}"'))


def _no_torch(what: str) -> str:
    return (
        f'{what} needs torch and timm, which are not installed: pip install "unseg[deep]". '
        'Without them there is backbone="minidino"'
    )


# Files ---------------------------------------------------------------------------------------------------------------


def locate(name: str) -> Path:
    """The file of a backbone's weights, downloaded from the hub if it is not in the hub's folder yet."""
    check_name(name)
    if name == "minidino":
        path = minidino.WEIGHTS
        if not path.is_file():
            raise BackboneUnavailable(f"this installation of unseg lacks {path.name} of mini-DINO: install it again")
        return path
    path = in_hub_folder(name)
    return _download(name) if path is None else path


def in_hub_folder(name: str) -> Path | None:
    """The file of a published backbone where it is in the hub's folder on this machine (below ``HF_HOME``)."""
    if find_spec("huggingface_hub") is None:
        return None
    from huggingface_hub import try_to_load_from_cache

    for file in ("model.safetensors", "pytorch_model.bin"):
        path = try_to_load_from_cache(PUBLISHED[name].repository, file, cache_dir=_hub_folder())
        if isinstance(path, str):
            return Path(path)
    return None


def _hub_folder() -> Path:
    """As huggingface_hub has it, but read from the environment now: it reads once, when it is imported."""
    from huggingface_hub import constants

    if named := os.environ.get("HF_HUB_CACHE"):
        return Path(named).expanduser()
    if home := os.environ.get("HF_HOME"):
        return Path(home).expanduser() / "hub"
    return Path(constants.HF_HUB_CACHE)


def _download(name: str) -> Path:
    _need_packages(name)  # before it fetches what could not be used
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.utils import get_session

    if constants.HF_HUB_OFFLINE or os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        raise BackboneUnavailable(_unreachable(name, "HF_HUB_OFFLINE forbids to fetch them"))
    try:
        get_session().head(constants.ENDPOINT, timeout=HUB_SECONDS)
        return Path(hf_hub_download(PUBLISHED[name].repository, "model.safetensors", cache_dir=_hub_folder()))
    except Exception as error:  # the client raises errors of three libraries; each means: not now
        reason = (
            f"the hub did not give them ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''})"
        )
        raise BackboneUnavailable(_unreachable(name, reason)) from error


def _unreachable(name: str, reason: str) -> str:
    published = PUBLISHED[name]
    folder = "models--" + published.repository.replace("/", "--")
    return (
        f"the weights of {name} are not on this machine, and {reason}. Either\n"
        f"  call again where there is a network;\n"
        f"  or copy the folder {folder} from the hub folder of a machine that has it into {_hub_folder()};\n"
        f"  or take the official file {published.official} from {published.page}\n"
        f'     and call backbones.load("{name}", weights="path of the file");\n'
        '  or use backbone="minidino", which is part of this package.'
    )


def digest_of(path: Path) -> str:
    """SHA-256 of a file, 64 hex digits; computed once for as long as the file does not change."""
    found = path.stat()
    return _digest_of(path, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=32)
def _digest_of(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _promised_digest(path: Path) -> str | None:
    """The SHA-256 that a file's name promises, or its first digits; None where a name says nothing."""
    stored = path.resolve().name  # the hub's folder: a link to a file named by its digest
    if re.fullmatch(r"[0-9a-f]{64}", stored):
        return stored
    found = re.fullmatch(r"dino.*_pretrain.*-([0-9a-f]{8})", path.stem)  # torch.hub's custom
    return found[1] if found else None


def check_digest(path: Path) -> None:
    """Raise ValueError where a file is not what its name promises; a name that promises nothing is fine."""
    promised = _promised_digest(path)
    if promised is not None and not digest_of(path).startswith(promised):
        raise ValueError(
            f"{path} is damaged: its SHA-256 begins with {digest_of(path)[:8]}, its name promises {promised[:8]}; "
            f"delete {path.resolve()} and fetch it again"
        )


def _read(path: Path) -> dict[str, torch.Tensor]:
    """The parameters in a file: checked against the digest where one is known, and never unpickled as code."""
    import torch

    check_digest(path)
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            content = load_file(path)
        except SafetensorError as error:
            raise ValueError(f"{path} is damaged or no safetensors file: {error}") from error
    elif path.suffix in {".pth", ".pt", ".bin"}:
        try:
            # DINO's full checkpoints hold the command line's options beside the parameters
            with torch.serialization.safe_globals([argparse.Namespace]):
                content = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # pickle, zip and torch each have their own
            raise ValueError(
                f"{path} cannot be read as parameters: it is damaged, or holds objects that would run as code "
                f"({type(error).__name__})"
            ) from error
    else:
        raise ValueError(f"weights must end in .pth, .pt, .bin or .safetensors, got {path.name}")
    return _parameters(content, path)


def _parameters(content: object, path: Path) -> dict[str, torch.Tensor]:
    """The network's parameters in what a file held: of a training checkpoint the teacher, without its head."""
    import torch

    for wrapper in ("teacher", "model", "state_dict"):
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not (isinstance(content, Mapping) and content and all(isinstance(v, torch.Tensor) for v in content.values())):
        raise ValueError(f"{path} must hold named tensors, or a checkpoint with a teacher; it holds something else")
    state = {key.removeprefix("module."): value for key, value in content.items()}
    if any(key.startswith("backbone.") for key in state):  # in training the network has a head, which features ignore
        heads = ("head.", "dino_head.", "ibot_head.")
        state = {key.removeprefix("backbone."): value for key, value in state.items() if not key.startswith(heads)}
    return state


# Key names -----------------------------------------------------------------------------------------------------------


def _build(name: str, state: Mapping[str, torch.Tensor]) -> torch.nn.Module:
    """The network, without its weights, for images of any size."""
    import timm
    import torch

    published = PUBLISHED[name]
    architecture = published.timm.partition(".")[0]
    if name.startswith("dinov3") and _has_bias(state):
        architecture += "_qkvb"
    with torch.random.fork_rng(devices=[]):  # weights are drawn and then replaced: leave the caller's state alone
        return timm.create_model(
            architecture, pretrained=False, num_classes=0, dynamic_img_size=True, **published.options
        )


def _has_bias(state: Mapping[str, torch.Tensor]) -> bool:
    """Whether DINOv3's query or value have a bias: the release always holds one, and often all of it is zero."""
    biases = [value for key, value in state.items() if key.endswith((".q_bias", ".v_bias"))]
    for key, value in state.items():
        if key.endswith("attn.qkv.bias"):
            query, _, values = value.chunk(3)
            biases += [query, values]
    return any(bool(bias.any()) for bias in biases)


def _as_timm(state: Mapping[str, torch.Tensor], model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Give parameters the names that timm has for them; names of timm stay.

    DINO's are timm's. DINOv2 keeps what it masked patches with in training (``mask_token``) and calls registers
    ``register_tokens``; where it has them, its position embedding begins with a row for CLS, which timm adds to CLS
    beforehand. DINOv3 has ``storage_tokens``, a rotation in place of a position embedding, whose frequencies are
    constants, and a bias for keys that a mask switches off.
    """
    state = dict(state)
    state.pop("mask_token", None)
    if "register_tokens" in state:
        state["reg_token"] = state.pop("register_tokens")
        if {"cls_token", "pos_embed"} <= state.keys():
            state["cls_token"] = state["cls_token"] + state["pos_embed"][:, :1]
            state["pos_embed"] = state["pos_embed"][:, 1:]
    if "storage_tokens" not in state:
        return {key: value for key, value in state.items() if not _silent_bias(key, value, model)}
    named = {}
    for key, value in state.items():
        if key.startswith("rope_embed.") or key.endswith(".bias_mask"):
            continue
        if key.endswith("attn.qkv.bias"):
            query, _, values = value.chunk(3)
            named[key.replace("qkv.bias", "q_bias")] = query
            named[key.replace("qkv.bias", "v_bias")] = values
            continue
        key = re.sub(r"\.ls([12])\.gamma$", r".gamma_\1", key)
        named["reg_token" if key == "storage_tokens" else key] = value
    return {key: value for key, value in named.items() if not _silent_bias(key, value, model)}


def _silent_bias(key: str, value: torch.Tensor, model: torch.nn.Module) -> bool:
    """A bias of zeros for which the network has no place, as in most DINOv3 releases."""
    return key.endswith((".q_bias", ".v_bias")) and key not in model.state_dict() and not value.any()


def _fill(model: torch.nn.Module, state: Mapping[str, torch.Tensor], name: str, path: Path) -> None:
    """Put parameters into the network; each must be there, none be left over, and all have the right shape."""
    wanted = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    missing = [key for key in wanted if key not in state]
    unexpected = [key for key in state if key not in wanted]
    shapes = [
        f"{key} {tuple(value.shape)} instead of {wanted[key]}"
        for key, value in state.items()
        if key in wanted and tuple(value.shape) != wanted[key]
    ]
    problems = [
        f"{len(keys)} {what} ({', '.join(keys[:4])}{', ...' if len(keys) > 4 else ''})"
        for what, keys in (("missing", missing), ("unexpected", unexpected), ("of another shape", shapes))
        if keys
    ]
    if problems:
        raise ValueError(
            f"{path} does not hold the parameters of {name}: {'; '.join(problems)}. Is it the file of another backbone?"
        )
    model.load_state_dict(state)
