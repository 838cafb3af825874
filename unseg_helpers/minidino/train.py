"""Train mini-DINO: self-distillation with no labels (Caron et al. 2021) at a size for one laptop.

    python -m unseg_helpers.minidino.train --photos caltech112.tar --out run --minutes 60

Everything that a longer run needs is in ``run/checkpoint.pt``: the same command goes on from there, also on another
machine and with other ``--minutes``. ``run/log.csv`` holds loss and k-NN accuracy, ``run/weights.safetensors`` what the
course ships.

The schedules follow the share of the time that has passed, so a run ends as it should on a fast and on a slow machine.
"""

from __future__ import annotations

import argparse
import copy
import csv
import math
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from unseg_helpers.backbones import IMAGENET_MEAN, IMAGENET_STD, choose_device
from unseg_helpers.minidino import photos as data
from unseg_helpers.minidino.augment import crops
from unseg_helpers.minidino.knn import knn_accuracy
from unseg_helpers.minidino.loss import dino_loss, pairs_of_views, update_center, update_teacher
from unseg_helpers.minidino.model import Network, load_weights


@dataclass(frozen=True)
class Recipe:
    """What is learned with. ``MODEL_CARD.md`` says in what the training of the shipped weights differed."""

    batch: int = 32
    # Until which share of the run, sides of global and local crops in pixels. Small crops first: most of what there is
    # to learn is learned at a third of the cost. The last part is for the position embedding at its own size.
    stages: tuple[tuple[float, int, int], ...] = ((0.6, 48, 24), (0.92, 64, 32), (1.0, 96, 48))
    n_local: int = 6
    patch_weight: float = 1.0  # of the loss of patches beside that of photos
    global_scale: tuple[float, float] = (0.3, 1.0)
    local_scale: tuple[float, float] = (0.06, 0.3)
    lr: float = 1e-3
    final_lr: float = 1e-6
    warmup: float = 0.05  # shares of the run
    weight_decay: tuple[float, float] = (0.04, 0.4)
    momentum: tuple[float, float] = (0.98, 1.0)
    teacher_temp: float = 0.04  # a longer run may let it rise to 0.07; in a short one the targets then become uniform
    clip: float = 3.0
    freeze: float = 0.03  # the directions of the head stay as they began for this share


def cosine(first: float, last: float, share: float) -> float:
    """From first to last along half a period."""
    return last + (first - last) * (1 + math.cos(math.pi * min(max(share, 0.0), 1.0))) / 2


@dataclass(frozen=True)
class Settings:
    """What the schedules say at one moment, `share` of the run in 0..1."""

    lr: float
    weight_decay: float
    momentum: float
    teacher_temp: float
    frozen: bool
    sides: tuple[int, int]

    @staticmethod
    def at(share: float, recipe: Recipe) -> Settings:
        lr = cosine(recipe.lr, recipe.final_lr, (share - recipe.warmup) / (1 - recipe.warmup))
        lr *= min(share / recipe.warmup, 1.0)
        return Settings(
            lr=max(lr, recipe.final_lr),
            weight_decay=cosine(*recipe.weight_decay, share),
            momentum=cosine(*recipe.momentum, share),
            teacher_temp=recipe.teacher_temp,
            frozen=share < recipe.freeze,
            sides=next(sides for until, *sides in recipe.stages if share < until or until == recipe.stages[-1][0]),
        )


class Trainer:
    """Student, teacher, center and optimizer, and one step of them."""

    def __init__(self, recipe: Recipe, device: str | torch.device, seed: int):
        torch.manual_seed(seed)
        self.recipe, self.device = recipe, torch.device(device)
        self.student = Network().to(self.device)
        if self.device.type == "cpu":  # fused attention takes three times as long there for so few tokens
            for block in self.student.backbone.blocks:
                block.attn.fused_attn = False
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)
        self.center = torch.zeros(len(self.student.head.directions), device=self.device)
        self.patch_center = torch.zeros_like(self.center)
        decayed = [p for p in self.student.parameters() if p.ndim > 1]
        other = [p for p in self.student.parameters() if p.ndim <= 1]
        self.optimizer = torch.optim.AdamW([{"params": decayed}, {"params": other, "weight_decay": 0.0}], lr=recipe.lr)
        self.generator = torch.Generator(self.device).manual_seed(seed)
        self.mean = torch.tensor(IMAGENET_MEAN, device=self.device)[:, None, None]
        self.std = torch.tensor(IMAGENET_STD, device=self.device)[:, None, None]
        self.seconds = self.steps = self.seen = 0

    def views(self, photos: Tensor, sizes: Tensor, sides: tuple[int, int]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Normalized crops for sides (s, l), and where they lie: (2 b, 3, s, s), (n_local b, 3, l, l), maps of all."""
        recipe, options = self.recipe, {"generator": self.generator}
        side, local_side = sides
        first = crops(photos, sizes, side, recipe.global_scale, blur=1.0, **options)
        second = crops(photos, sizes, side, recipe.global_scale, blur=0.1, solarize=0.2, **options)
        local = [crops(photos, sizes, local_side, recipe.local_scale, **options) for _ in range(recipe.n_local)]
        large, small = (torch.cat([crop for crop, _ in part]) for part in ([first, second], local))
        maps = [theta for _, theta in (first, second, *local)]
        return (large - self.mean) / self.std, (small - self.mean) / self.std, maps

    def step(self, photos: Tensor, sizes: Tensor, share: float) -> dict[str, float]:
        """One batch: (b, 3, H, W) uint8 photos with their (b, 2) sizes. Gives back what the log shows."""
        now, b = Settings.at(share, self.recipe), len(photos)
        large, small, maps = self.views(photos, sizes, now.sides)
        with torch.autocast(self.device.type, torch.bfloat16):
            with torch.no_grad():
                target, patches = self.teacher(large)
                patch_target = self.teacher.patch_head(patches)
            (photo_large, patch_large), (photo_small, patch_small) = self.student(large), self.student(small)
            heads = (self.student.patch_head(tokens).split(b) for tokens in (patch_large, patch_small))
            patch_output = [view for part in heads for view in part]
        target, output = target.view(2, b, -1), torch.cat([photo_large, photo_small]).view(len(maps), b, -1)
        loss = dino_loss(output, target, self.center, teacher_temp=now.teacher_temp)
        patch_terms = pairs_of_views(
            patch_output, patch_target.split(b), maps, self.patch_center, teacher_temp=now.teacher_temp
        )
        loss = loss + self.recipe.patch_weight * patch_terms
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"the loss is {loss.item()} at step {self.steps}; go on from the checkpoint with a smaller lr"
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.student.parameters(), self.recipe.clip)
        if now.frozen:
            self.student.head.directions.grad = self.student.patch_head.directions.grad = None
        for group, decay in zip(self.optimizer.param_groups, (now.weight_decay, 0.0), strict=True):
            group["lr"], group["weight_decay"] = now.lr, decay
        self.optimizer.step()
        update_teacher(self.teacher, self.student, now.momentum)
        self.center = update_center(self.center, target)
        self.patch_center = update_center(self.patch_center, patch_target.flatten(1, 2))
        self.steps, self.seen = self.steps + 1, self.seen + b
        sharp = ((target.float() - self.center) / now.teacher_temp).softmax(-1)
        entropy = -(sharp * sharp.clamp_min(1e-12).log()).sum(-1).mean()
        used = sharp.mean(dim=(0, 1))
        return {
            "loss": loss.item(),
            "teacher_entropy": entropy.item(),  # 0: one output for each view; log k: uniform (collapse)
            "used_entropy": -(used * used.clamp_min(1e-12).log()).sum().item(),  # near 0: one output for all (collapse)
            "lr": now.lr,
        }

    @torch.no_grad()
    def features(self, images: Tensor, side: int = 64) -> Tensor:
        """CLS features of the teacher: (n, 3, h, w) uint8 -> (n, d)."""
        found = []
        for part in images.split(256):
            x = nn.functional.interpolate(part.to(self.device).float() / 255, (side, side), mode="bilinear")
            with torch.autocast(self.device.type, torch.bfloat16):
                found.append(self.teacher.backbone((x - self.mean) / self.std).float())
        return torch.cat(found)

    def state(self) -> dict:
        return {
            "student": self.student.state_dict(),
            "teacher": self.teacher.state_dict(),
            "centers": [self.center, self.patch_center],
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "counts": [self.seconds, self.steps, self.seen],
        }

    def load(self, state: dict) -> None:
        self.student.load_state_dict(state["student"])
        self.teacher.load_state_dict(state["teacher"])
        self.center, self.patch_center = (center.to(self.device) for center in state["centers"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.device.type == "cpu":  # a generator of another kind of device cannot go on from this state
            self.generator.set_state(state["generator"].cpu())
        self.seconds, self.steps, self.seen = state["counts"]


def save_weights(backbone: nn.Module, path: Path) -> None:
    """The teacher's backbone as 16-bit floats."""
    from safetensors.torch import save_file

    values = {name: value.detach().cpu().half().contiguous() for name, value in backbone.state_dict().items()}
    _replace(path, lambda temporary: save_file(values, temporary))


def _replace(path: Path, write) -> None:
    """A file is there whole or not at all, also when the run is killed."""
    temporary = path.with_name(path.name + ".part")
    write(temporary)
    temporary.chmod(0o644)  # safetensors leaves it to its owner alone
    os.replace(temporary, path)


def train(
    photos_path: Path,
    out: Path,
    *,
    minutes: float,
    device: str = "auto",
    recipe: Recipe | None = None,
    seed: int = 0,
    limit: int | None = None,
    start: Path | None = None,
    cifar: tuple[Path, Path] | None = None,
    every: float = 5.0,
    say=print,
) -> Trainer:
    """Train for `minutes` in all (those of earlier runs in `out` count); write checkpoints, log and weights to `out`.

    Parameters
    ----------
    photos_path : path
        A tar archive of JPEG files of at least 112 pixels.
    out : path
        Folder of the run; one with a checkpoint is gone on with.
    minutes : float
        Length of the whole run; the schedules end with it.
    limit : int or None
        Only so many photos, for a try.
    start : path or None
        Weights of an earlier run to begin from (backbone only: the head is new).
    cifar : two paths or None
        CIFAR archives for the k-NN score: train and test.
    every : float
        Minutes between checkpoints.

    Raises
    ------
    FloatingPointError
        If the loss is not finite.
    """
    recipe = recipe or Recipe()
    out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(recipe, choose_device(device), seed)
    checkpoint = out / "checkpoint.pt"
    if checkpoint.exists():
        trainer.load(torch.load(checkpoint, map_location=trainer.device, weights_only=True))
        say(f"go on after {trainer.seconds / 60:.1f} minutes, {trainer.steps} steps")
    elif start:
        load_weights(trainer.student.backbone, start)
        trainer.teacher.load_state_dict(trainer.student.state_dict())
    photos, sizes = (torch.from_numpy(a).to(trainer.device) for a in data.read_tar(photos_path, limit))
    say(f"{len(photos)} photos on {trainer.device}, {minutes:g} minutes in all")
    judged = (
        [[torch.from_numpy(a) for a in data.read_cifar(path, n)] for path, n in zip(cifar, (2500, 1000), strict=True)]
        if cifar
        else None
    )

    def knn() -> float:
        (train_x, train_y), (test_x, test_y) = judged
        known = torch.isin(test_y, train_y)
        return knn_accuracy(
            trainer.features(train_x),
            train_y.to(trainer.device),
            trainer.features(test_x[known]),
            test_y[known].to(trainer.device),
        )

    log = out / "log.csv"
    fresh = not log.exists()
    begin, before, saved, sums, n = time.monotonic(), trainer.seconds, trainer.seconds, {}, 0
    order = torch.empty(0, dtype=torch.long)
    shuffler = torch.Generator().manual_seed(seed + trainer.steps)
    with open(log, "a", newline="") as file:
        writer = csv.writer(file)
        if fresh:
            writer.writerow(["minutes", "steps", "epochs", "loss", "teacher_entropy", "used_entropy", "lr", "knn"])
        while trainer.seconds < 60 * minutes:
            if len(order) < recipe.batch:
                order = torch.randperm(len(photos), generator=shuffler)
            chosen, order = order[: recipe.batch].to(trainer.device), order[recipe.batch :]
            shown = trainer.step(photos[chosen], sizes[chosen], trainer.seconds / (60 * minutes))
            trainer.seconds = before + time.monotonic() - begin
            sums, n = {key: sums.get(key, 0.0) + value for key, value in shown.items()}, n + 1
            if trainer.seconds - saved > 60 * every or trainer.seconds >= 60 * minutes:
                saved = trainer.seconds
                _replace(checkpoint, lambda temporary: torch.save(trainer.state(), temporary))
                save_weights(trainer.teacher.backbone, out / "weights.safetensors")
                means = {key: value / n for key, value in sums.items()}
                score = knn() if judged else float("nan")
                begin = time.monotonic() - (trainer.seconds - before)  # judging is no training time
                epochs = trainer.seen / len(photos)
                writer.writerow(
                    [round(v, 5) for v in (trainer.seconds / 60, trainer.steps, epochs, *means.values(), score)]
                )
                file.flush()
                say(
                    f"{trainer.seconds / 60:6.1f} min  step {trainer.steps:6d}  epoch {epochs:5.1f}  "
                    f"loss {means['loss']:.3f}  "
                    f"entropy {means['teacher_entropy']:.2f} of {means['used_entropy']:.2f}  k-NN {score:.3f}"
                )
                sums, n = {}, 0
    return trainer


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m unseg_helpers.minidino.train", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--photos", type=Path, required=True, help="tar archive of JPEG files, such as caltech112.tar")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the run; a run that is there is gone on with"
    )
    parser.add_argument("--minutes", type=float, default=60, help="length of the whole run (default: %(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cuda, mps or cpu (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=Recipe.batch, help="photos in a step (default: %(default)s)")
    parser.add_argument("--lr", type=float, default=Recipe.lr, help="highest learning rate (default: %(default)s)")
    parser.add_argument("--start", type=Path, help="weights of an earlier run to begin from")
    parser.add_argument("--limit", type=int, help="only so many photos")
    parser.add_argument("--cifar", type=Path, nargs=2, help="CIFAR archives, train and test, for the k-NN curve")
    parser.add_argument("--every", type=float, default=5.0, help="minutes between checkpoints (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="CPU threads")
    args = parser.parse_args(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    train(
        args.photos,
        args.out,
        minutes=args.minutes,
        device=args.device,
        recipe=Recipe(batch=args.batch, lr=args.lr),
        seed=args.seed,
        limit=args.limit,
        start=args.start,
        cifar=args.cifar,
        every=args.every,
        say=lambda text: print(text, flush=True),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
