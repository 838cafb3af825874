"""A small lesson of two tasks, so that the machinery is tested apart from the course."""

from pathlib import Path

from autograder.course import Course, LessonPlan, Task
from autograder.sandbox import Limits, View

PLAN = LessonPlan(
    id="00_toy",
    title="Toy",
    tasks=(Task("double", 10.0, 5), Task("total", 20.0, 5)),
    checks="toy.checks",
    view=View(packages=("scipy",), hidden=("scipy.cluster",)),
    limits=Limits(call_seconds=2, total_seconds=8, memory_mb=512),
)
COURSE = Course("Toy course", "https://example.org/toy", {PLAN.id: PLAN})
SOLUTION = (Path(__file__).parent / "solution.py").read_text()
