"""What a grade depends on beside the submission and its seed: the code of the judge and the machine's software."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import platform
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from .course import LessonPlan
from .sandbox import View
from .sandbox.view import ALWAYS, closure

JUDGE = ("numpy", "scipy", "scikit-learn", "scikit-image")  # what checks and references compute with
HERE = Path(__file__).parent
APART = ("cli", "portal")  # parts of autograder/ that hand reports around and decide no points
DIGITS = 16  # of a digest: short enough to be read out, long enough never to clash by chance


def provenance(plan: LessonPlan | None) -> dict[str, Any]:
    """Versions for a report: equal ones mean that the same seed gives the same report.

    Parameters
    ----------
    plan : the submission's lesson; None where it has none

    Returns
    -------
    dict
        ``checks``: digest of the judge's code and the lesson's entry in course.yml; ``environment``: digest of all the
        other values, which are Python, the machine, its arithmetic and the packages that take part.
    """
    software = _environment(plan.view if plan else View())
    return {
        "checks": checks_version(plan),
        "environment": _digest(json.dumps(software, sort_keys=True)),
        **software,
    }


@cache
def checks_version(plan: LessonPlan | None) -> str:
    """Digest of all that decides points: the judge's code, what course.yml says of the lesson, and its notebook."""
    parts = [_code()]
    if plan is not None:
        entry = dataclasses.asdict(plan)
        del entry["deadline"], entry["title"]  # extending a deadline changes no grade
        parts.append(json.dumps(entry, sort_keys=True))
        if "." in plan.checks:  # checks from elsewhere
            parts.append(Path(import_module(plan.checks).__file__).read_text(encoding="utf-8"))
    return _digest("\n".join(parts))


@cache
def _code() -> str:
    """Digest of the judge's own files and of the reference library with its data."""
    files = [p for p in HERE.rglob("*.py") if p.relative_to(HERE).parts[0] not in APART]
    files += [p for p in (HERE.parent / "unseg_helpers").rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    lines = [f"{p.relative_to(HERE.parent).as_posix()} {hashlib.sha256(p.read_bytes()).hexdigest()}" for p in files]
    return _digest("\n".join(sorted(lines)))


@cache
def _environment(view: View) -> dict[str, Any]:
    try:
        inside = closure((*ALWAYS, *view.packages))
    except LookupError:  # a student's own machine may lack some: there is no sandbox that would refuse to start
        inside = ()
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "arithmetic": _arithmetic(),
        "packages": {name: importlib.metadata.version(name) for name in sorted({"unseg", *JUDGE, *inside})},
    }


def _arithmetic() -> str:
    """Which instructions sums and products are made of: others round differently in the last digit."""
    import numpy as np
    from threadpoolctl import threadpool_info

    blas = [library for library in threadpool_info() if library["user_api"] == "blas"]
    own = next((b for b in blas if "numpy" in b["filepath"]), blas[0] if blas else {})  # SciPy may bring another
    names = [own.get("internal_api"), own.get("version"), own.get("architecture")]
    found = np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", [])
    return " ".join(str(n) for n in (*names, *found[-1:]) if n)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def differences(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What is not as it was when a report was made, in words."""
    then, now = _flat(then), _flat(now)
    return [
        f"{key}: {then.get(key, 'nothing')} then, {now.get(key, 'nothing')} now"
        for key in dict.fromkeys([*then, *now])
        if then.get(key) != now.get(key) and key != "environment"
    ]


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    """With the packages beside the rest."""
    packages = values.get("packages")
    rest = {key: value for key, value in values.items() if key != "packages"}
    return {**rest, **packages} if isinstance(packages, dict) else rest
