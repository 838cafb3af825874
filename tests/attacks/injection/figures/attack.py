"""Label maps that break pictures: the largest integers, one row of millions, other dtypes, boxes of no size, text.

The check shows the labels beside the expected ones, as they came.
Success: the grader stumbles over a figure, or a page grows beyond measure.
"""

from pathlib import Path

from attacks.archives.make import write
from attacks.injection.strict import report_is_broken

RETURNED = {
    "extreme": "np.array([2**63 - 1, -(2**63)] * 20)",
    "unsigned": "np.full(40, 2**64 - 1, dtype=np.uint64)",
    "row": "np.arange(600_000)",
    "many": "np.arange(4_000_001)",
    "colors": "np.zeros((1, 300_000, 3), np.uint8)",
    "empty": "np.zeros((0, 40), int)",
    "text": "'<svg onload=alert(1)>'",
    "parts": "[[1], [2, 3], {'a': None}]",
}
EARNED = 0.0


def build(folder: Path) -> Path:
    code = "import numpy as np\n\ndef label(x, centers):\n    return {}\n"
    return write(folder / "in", {f"{name}.py": code.format(value) for name, value in RETURNED.items()})


def succeeded(outcome):
    if len(outcome.reports) != len(RETURNED) or any(r.error for r in outcome.reports):
        return f"not graded: {[r.error for r in outcome.reports]}"
    if len(outcome.texts["html"]) > 3_000_000:
        return f"pages of {len(outcome.texts['html']):,} characters"
    return report_is_broken(outcome)
