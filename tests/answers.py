"""One answer among right ones: what the checks of its task say to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from autograder.lesson import CheckResult, Lesson, run_check
from autograder.student import LocalStudent


@dataclass(frozen=True)
class Answers:
    """A lesson, and a right function for each of its tasks."""

    lesson: Lesson
    right: dict[str, Callable]

    def results(self, task: str, function: Callable, seed: int) -> list[CheckResult]:
        """The checks of a task, with this function in it."""
        student = LocalStudent({**self.right, task: function})
        return [run_check(check, student, seed, self.lesson) for check in self.lesson.checks if check.task == task]

    def lost(self, task: str, function: Callable, seed: int) -> dict[str, float]:
        """Points that the function loses, by check."""
        failed = [r for r in self.results(task, function, seed) if r.status != "passed"]
        return {r.id.rsplit(".", 1)[1]: r.max_points - r.points for r in failed}
