"""What the checks of several lessons need: seeds to hand out, and label maps to look at."""

from __future__ import annotations

import numpy as np

from autograder import expect
from autograder.lesson import Rng
from unseg_helpers import metrics


def draw_seed(rng):
    """A generator for the student, the same in every call that it is given to."""
    return Rng(int(rng.integers(2**31)))


def label_map(labels, shape, k):
    """The student's labels as an (h, w) integer array with values 0..k-1."""
    hint = "labels.reshape(image.shape[:2]): height first, then width"
    expect.shape(labels, shape, name="the label map", hint=hint)
    expect.integer(labels, name="the label map")
    expect.between(np.min(labels), 0, k - 1, what="the smallest label")
    expect.between(np.max(labels), 0, k - 1, what=f"the largest label for k={k}", hint="k regions: use the argument k")
    return np.asarray(labels)


def renamed(truth, labels):
    """The labels under the numbers of the regions that they share most pixels with: the same colors in the report."""
    table = metrics.confusion(truth, labels)
    new = len(table) + np.arange(table.shape[1])
    for _ in range(min(table.shape)):
        region, label = np.unravel_index(table.argmax(), table.shape)
        new[label] = region
        table[region], table[:, label] = -1, -1
    return new[labels]


def read_wrongly(truth, labels):
    """Would the labels fit if their numbers were read column by column?"""
    h, w = truth.shape
    fixed = labels.reshape(w, h).T, labels.T.reshape(h, w)
    return max(metrics.covering(truth, f) for f in fixed) > metrics.covering(truth, labels) + 0.2
