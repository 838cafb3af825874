"""A small lesson with torch, so that `grading_speed` measures one before the course has such a lesson."""

from __future__ import annotations

import numpy as np

from autograder import expect
from autograder.course import Course, LessonPlan, Task
from autograder.lesson import Lesson
from autograder.sandbox import Limits, View

lesson = Lesson("00_torch")


@lesson.check("nearest", points=2)
def nearest_by_distance(student, rng):
    """Each row goes to its nearest center."""
    x, centers = rng.normal(size=(2000, 32)), rng.normal(size=(16, 32))
    distances = (x**2).sum(axis=1)[:, None] - 2 * x @ centers.T + (centers**2).sum(axis=1)
    expect.equal(student.nearest(x, centers), distances.argmin(axis=1))


@lesson.check("smooth", points=2)
def smooth_by_convolution(student, rng):
    """Each pixel becomes the mean of its 3 x 3 neighborhood."""
    image = rng.random((64, 48))
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(image, 1), (3, 3))
    expect.close(student.smooth(image), windows.mean(axis=(2, 3)))


PLAN = LessonPlan(
    id="00_torch",
    title="Torch",
    tasks=(Task("nearest", 50.0, 5), Task("smooth", 50.0, 5)),
    checks="benchmarks.torch_lesson",
    view=View(packages=("torch",)),
    limits=Limits(call_seconds=20, total_seconds=60, memory_mb=4096, address_space_mb=16384),
)
COURSE = Course("A lesson with torch", "https://example.org/torch", {PLAN.id: PLAN})
SOLUTION = """# %%
import torch
import torch.nn.functional as F

# %% tags=["exercise"] grade_id="torch.nearest"
def nearest(x, centers):
    return torch.cdist(torch.from_numpy(x), torch.from_numpy(centers)).argmin(dim=1)

# %% tags=["exercise"] grade_id="torch.smooth"
def smooth(image):
    kernel = torch.full((1, 1, 3, 3), 1 / 9, dtype=torch.float64)
    return F.conv2d(torch.from_numpy(image)[None, None], kernel, padding=1)[0, 0]
"""
