"""The losses of `kanezaki` with their gradient in one pass, and memory that is kept from step to step.

At 481 x 321 pixels and 100 channels each array has 62 MB. Autograd would make a dozen of them for the two losses, each
larger than the caches; and the allocator gives each back to the system, which then has to clear new pages for the
next. Here the losses and the gradient are made for a few rows at a time, while those are in the cache, and freed
memory stays with the process until training is done.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from unseg_helpers.kanezaki import Recipe, Row

BLOCK = {"cpu": 2**18, "other": 2**26}  # numbers that are looked at together


class Found(NamedTuple):
    """Losses of one step."""

    gradient: torch.Tensor | None  # of the weighted sum to the response, (b, q, h, w)
    labels: torch.Tensor  # the channel with the largest response, (b, h, w)
    numbers: torch.Tensor  # (3,): labels, similarity, continuity

    def row(self) -> Row:
        """Number of labels, similarity loss, continuity loss; the one time that the device is waited for."""
        n_labels, similarity, continuity = self.numbers.tolist()
        return int(n_labels), similarity, continuity


def largest(response: torch.Tensor) -> torch.Tensor:
    """The channel with the largest response: (b, q, h, w) -> (b, h, w)."""
    return response.detach().permute(0, 2, 3, 1).argmax(dim=-1)


class Losses:
    """The losses, and the gradient of their weighted sum; arrays that several steps need are made once."""

    def __init__(self, b: int, q: int, size: tuple[int, int], device: torch.device):
        h, w = size
        self.labels = torch.empty(b, h, w, dtype=torch.int64, device=device)
        block = BLOCK["cpu" if device.type == "cpu" else "other"]
        self.rows = max(1, min(h, block // (w * q)))
        self.spare, self.gradient = torch.empty(2, self.rows, w, q, device=device)
        self.pairs = (b * (h - 1) * w * q, b * h * (w - 1) * q)  # down, across

    @torch.no_grad()
    def __call__(
        self, response: torch.Tensor, recipe: Recipe, given: torch.Tensor | None, drawn: torch.Tensor | None
    ) -> Found:
        """Losses of a response (b, q, h, w), which is replaced by the gradient.

        That saves an array. Autograd does not mind: a batch norm keeps what it was given, not what it made. A block
        reads its own rows and the one below, so what is above may be gone.

        `given` (b, h, w) are targets in place of the largest response; `drawn` (b, h, w) is -1 where nothing is.
        """
        x = response.permute(0, 2, 3, 1)  # (b, h, w, q), channels last
        b, h, w, q = x.shape
        free = b * h * w  # pixels of the similarity loss
        n_drawn = 0
        if drawn is not None:
            n_drawn = int((drawn >= 0).sum())
            free -= n_drawn
        mu_down, mu_across = (recipe.continuity / max(1, n) for n in self.pairs)
        similar, down, across = [], [], []
        for i in range(b):
            carry = None  # signs of the differences between this block's first row and the row above
            for top in range(0, h, self.rows):
                end = min(h, top + self.rows)
                block, gradient, labels = x[i, top:end], self.gradient[: end - top], self.labels[i, top:end]
                peak, found = block.max(dim=-1, keepdim=True)  # (r, w, 1)
                labels.copy_(found[..., 0])
                torch.sub(block, peak, out=gradient).exp_()
                total = gradient.sum(dim=-1, keepdim=True)
                loss = total.log()  # to the largest response; to another one, by so much more
                target = found
                if given is not None:
                    target = given[i, top:end, :, None]
                if drawn is not None:
                    mark = drawn[i, top:end, :, None]
                    weight = torch.where(mark >= 0, recipe.scribble / max(1, n_drawn), recipe.similarity / max(1, free))
                    target = torch.where(mark >= 0, mark, target)
                if target is not found:
                    loss += peak - block.gather(-1, target)
                if drawn is not None:
                    similar.append(loss.mul_(mark < 0).sum())
                    gradient.mul_(weight / total)
                    gradient.scatter_add_(-1, target, -weight)
                else:
                    similar.append(loss.sum())
                    weight = recipe.similarity / free
                    gradient.mul_(total.reciprocal_().mul_(weight))
                    gradient.scatter_add_(-1, target, torch.full_like(peak, -weight))
                # L1 has the sign of the difference as its gradient, for one pixel plus, for the other minus.
                if w > 1:
                    change = torch.sub(block[:, 1:], block[:, :-1], out=self.spare[: end - top, 1:])
                    across.append(torch.linalg.vector_norm(change, ord=1))
                    change.sign_()
                    gradient[:, 1:].add_(change, alpha=mu_across)
                    gradient[:, :-1].sub_(change, alpha=mu_across)
                if carry is not None:
                    gradient[0].add_(carry, alpha=mu_down)
                last = min(end, h - 1)
                if last > top:
                    change = torch.sub(x[i, top + 1 : last + 1], x[i, top:last], out=self.spare[: last - top])
                    down.append(torch.linalg.vector_norm(change, ord=1))
                    change.sign_()
                    gradient[: last - top].sub_(change, alpha=mu_down)
                    inside = end - top - 1
                    gradient[1:].add_(change[:inside], alpha=mu_down)
                    carry = change[inside].clone() if last == end else None
                block.copy_(gradient)
        n_labels = torch.bincount(self.labels.flatten(), minlength=q).count_nonzero()
        zero = x.new_zeros(())
        similarity = (torch.stack(similar).sum() if free else zero) / max(1, free)
        changes = [torch.stack(c).sum() / n if c else zero for c, n in zip((down, across), self.pairs, strict=True)]
        numbers = torch.stack([n_labels.to(x.dtype), similarity, sum(changes)])
        return Found(response, self.labels, numbers)


# ---- memory ------------------------------------------------------------------------------------------------------

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4  # malloc.h of glibc
# glibc moves its own thresholds until somebody sets one. Afterwards they are where they would have gone: the most
# that it gives to blocks, and twice that for what it keeps.
LARGEST_THRESHOLD = 32 * 2**20
USUAL_MMAP_MAX = 65536
_lock = threading.Lock()
_users = 0


@contextmanager
def kept_memory(device: torch.device) -> Iterator[bool]:
    """Within it, memory of the CPU that is freed stays with this process; then it is given back.

    Only where glibc is and nobody has set its thresholds by an environment variable. Yields whether it is so.
    """
    global _users
    libc = _glibc() if device.type == "cpu" else None
    if libc is None:
        yield False
        return
    with _lock:
        _users += 1
        if _users == 1:
            libc.mallopt(M_MMAP_MAX, 0)  # no block gets pages of its own
            libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield True
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                libc.mallopt(M_MMAP_MAX, USUAL_MMAP_MAX)
                libc.mallopt(M_MMAP_THRESHOLD, LARGEST_THRESHOLD)
                libc.mallopt(M_TRIM_THRESHOLD, 2 * LARGEST_THRESHOLD)
                libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux") or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return None
    if any(name.startswith("MALLOC_") and name.endswith("_") for name in os.environ):
        return None
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt, libc.malloc_trim  # noqa: B018 (whether they are there)
    except (OSError, AttributeError):
        return None
    libc.malloc_trim.argtypes = [ctypes.c_size_t]
    return libc


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """On CUDA, only convolutions that give the same numbers every time."""
    if device.type != "cuda":
        yield
        return
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        yield
