"""DINO's loss: the student says of one view of a photo what its momentum teacher says of another (Caron et al.)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from unseg_helpers.minidino.augment import same_place


def dino_loss(
    student: Tensor, teacher: Tensor, center: Tensor, *, student_temp: float = 0.1, teacher_temp: float
) -> Tensor:
    """Mean cross-entropy over all pairs of a teacher's and a student's view that are not the same view.

    Parameters
    ----------
    student : Tensor of shape (s, b, k)
        Outputs for s views of b photos; the first t of them are the views that the teacher saw.
    teacher : Tensor of shape (t, b, k)
        Outputs for the t global views; no gradient flows into them.
    center : Tensor of shape (k,)
        Running mean of the teacher's outputs: subtracting it keeps one output from winning everywhere.
    student_temp, teacher_temp : float
        Softmax temperatures; the teacher's is the lower one: its sharp answers keep the outputs from becoming uniform.

    Returns
    -------
    Tensor of shape ()
        Nats; log(k) for a student that knows nothing.
    """
    target = ((teacher.detach().float() - center) / teacher_temp).softmax(dim=-1)
    log_prob = (student.float() / student_temp).log_softmax(dim=-1)
    terms = -torch.einsum("tbk,sbk->ts", target, log_prob) / student.shape[1]
    other = ~torch.eye(len(teacher), len(student), dtype=torch.bool, device=student.device)
    return terms[other].mean()


def patch_loss(
    student: Tensor, teacher: Tensor, inside: Tensor, center: Tensor, *, student_temp: float = 0.1, teacher_temp: float
) -> Tensor:
    """The same loss for patches (b, h, w, k) that show the same place in two views; those not `inside` do not count.

    The photo's loss reaches patches only through the CLS token; this one tells each of them what it should say, which
    a short training needs. The idea is that of dense self-supervision (Wang et al. 2021; Ziegler and Asano 2022).
    """
    target = ((teacher.detach().float() - center) / teacher_temp).softmax(dim=-1)
    terms = -(target * (student.float() / student_temp).log_softmax(dim=-1)).sum(dim=-1)
    return (terms * inside).sum() / inside.sum().clamp_min(1)


def pairs_of_views(
    student: Sequence[Tensor], teacher: Sequence[Tensor], maps: Sequence[Tensor], center: Tensor, *, teacher_temp: float
) -> Tensor:
    """Mean of `patch_loss` over all pairs of a student's and a teacher's view that are not the same view.

    Parameters
    ----------
    student, teacher : sequence of Tensors of shape (b, h, w, k)
        Outputs for the patches of s and t views; the first t views are the same.
    maps : sequence of s Tensors
        Of shape (b, 2, 3): where each view lies in its photo, as `unseg_helpers.minidino.augment.crops` says.
    center : Tensor of shape (k,)
    """
    terms = []
    for t, answer in enumerate(teacher):
        for s, said in enumerate(student):
            if s == t:
                continue
            index, inside = same_place(maps[s], *said.shape[1:3], maps[t], answer.shape[1:3])
            rows = torch.arange(len(said), device=index.device)[:, None, None]
            there = answer.flatten(1, 2)[rows, index]
            terms.append(patch_loss(said, there, inside, center, teacher_temp=teacher_temp))
    return torch.stack(terms).mean()


@torch.no_grad()
def update_center(center: Tensor, teacher: Tensor, momentum: float = 0.9) -> Tensor:
    """Moving average of the teacher's mean output over views and photos: (k,), (t, b, k) -> (k,)."""
    return momentum * center + (1 - momentum) * teacher.float().mean(dim=(0, 1))


@torch.no_grad()
def update_teacher(teacher: torch.nn.Module, student: torch.nn.Module, momentum: float) -> None:
    """theta_t <- m theta_t + (1 - m) theta_s, in place."""
    for mine, other in zip(teacher.parameters(), student.parameters(), strict=True):
        mine.lerp_(other, 1 - momentum)
