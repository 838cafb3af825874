"""The lesson that attacks are graded in, and honest answers to it.

It comes with NumPy alone ("vault"), with checks that ask often ("many"), and with torch ("torch").
"""

import dataclasses

from autograder.course import Course, LessonPlan, Task
from autograder.sandbox import Limits, View

LIMITS = {
    "vault": Limits(call_seconds=4, total_seconds=12, memory_mb=512),
    "many": Limits(call_seconds=4, total_seconds=12, memory_mb=512),
    "torch": Limits(call_seconds=10, total_seconds=30, memory_mb=6144),
}
VIEWS = {
    "vault": View(packages=("scipy",), hidden=("scipy.cluster",)),
    "many": View(packages=("scipy",), hidden=("scipy.cluster",)),
    "torch": View(packages=("torch",)),
}
CHECKS = {"vault": "attacks.checks", "many": "attacks.many", "torch": "attacks.checks"}

_ANSWERS = """
import numpy as np


def double(x):
    return 2 * np.asarray(x)


def total(x, rng):
    return float(double(x).sum() + rng.random())


def label(x, centers):
    return ((x[:, None] - centers[None]) ** 2).sum(axis=2).argmin(axis=1)
"""
_WITH_TORCH = _ANSWERS.replace("import numpy as np", "import torch").replace("np.asarray(x)", "torch.as_tensor(x)")
HONEST = {"vault": _ANSWERS, "many": _ANSWERS, "torch": _WITH_TORCH}


def course(lesson: str = "vault", limits: dict | None = None) -> Course:
    """A course of this one lesson; ``limits`` replace fields of its limits."""
    plan = LessonPlan(
        id="00_vault",
        title="Vault",
        tasks=(Task("double", 10.0, 5), Task("total", 10.0, 5), Task("label", 10.0, 5)),
        checks=CHECKS[lesson],
        view=VIEWS[lesson],
        limits=dataclasses.replace(LIMITS[lesson], **(limits or {})),
    )
    return Course("Vault course", "https://example.org/vault", {plan.id: plan})
