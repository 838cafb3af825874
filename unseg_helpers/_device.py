"""Which device computes: one rule for all methods that know NumPy and PyTorch. Private."""

from __future__ import annotations

from importlib.util import find_spec


def resolve(device: str) -> str:
    """A device that is there: ``"cpu"`` for NumPy, or one for PyTorch, ``"cpu:torch"`` among them.

    Raises
    ------
    ValueError
        If it is not known, or this machine has no such GPU.
    ModuleNotFoundError
        If it needs PyTorch and that is not installed; ``"auto"`` is ``"cpu"`` then.
    """
    device = str(device)
    if device == "cpu":
        return device
    if not (device in ("auto", "cpu:torch", "mps") or device.split(":")[0] == "cuda"):
        raise ValueError(f'device must be "cpu", "auto", "cuda", "cuda:N", "mps" or "cpu:torch", got {device!r}')
    if find_spec("torch") is None:
        if device == "auto":
            return "cpu"
        raise ModuleNotFoundError(
            f'device={device!r} needs PyTorch, which is not installed; use device="cpu" or pip install torch'
        )
    if device == "cpu:torch":
        return device
    import torch

    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if device == "auto":
        return "cuda" if cuda else "mps" if mps else "cpu"
    if not (mps if device == "mps" else cuda):
        raise ValueError(f'device={device!r} is not there: PyTorch finds no such GPU; use "auto" or "cpu"')
    return device


def of_torch(device: str) -> str:
    """PyTorch's own name of a resolved device."""
    return device.removesuffix(":torch")
