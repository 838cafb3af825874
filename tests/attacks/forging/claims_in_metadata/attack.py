"""A notebook whose metadata, tags, ids and outputs claim points, other tasks and passed tests.

Success: points for functions that are wrong.
"""

import json

SUFFIX = ".ipynb"

CLAIMS = {
    "grade_id": "vault.total",
    "points": 1000,
    "score": 1000,
    "nbgrader": {"grade": True, "grade_id": "vault.double", "points": 1000, "locked": True, "solution": False},
    "otter": {"assignment_name": "vault", "tests": ["double"]},
    "unseg": {"score": 30, "status": "passed", "checks": "attacks.checks", "view": {"hidden": []}},
    "tags": ["exercise", "passed", "solution"],
}
OUTPUT = {"output_type": "stream", "name": "stdout", "text": "double: all tests passed, 10/10\n"}


def _cell(source, **metadata):
    return {
        "cell_type": "code",
        "id": "vault",
        "metadata": {**CLAIMS, **metadata},
        "source": source,
        "outputs": [OUTPUT],
        "execution_count": 1,
        "points": 30,
    }


SUBMISSION = json.dumps(
    {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {**CLAIMS, "kernelspec": {"name": "python3", "argv": ["touch", "{HOME}/mark"]}},
        "score": 30,
        "checks": [{"id": "vault.double.doubles", "points": 6, "status": "passed"}],
        "cells": [
            _cell("def double(x):\n    return 0 * x", grade_id="vault.label"),
            _cell("def total(x, rng):\n    return 0.0", grade_id="vault.double.points=1000"),
            _cell("def label(x, centers):\n    return x[:, 0] * 0", grade_id={"points": 30}),
        ],
    }
)
