"""The toy lesson with a check that ends its own process where a submission asks for it: our worst bug."""

import os
import signal

from autograder.lesson import Lesson

from .checks import lesson as toy

lesson = Lesson(toy.id)
lesson.checks += toy.checks
WORD = 13.0


@lesson.check("double", points=1)
def survives(student, rng):
    """The grader survives."""
    if student.double(WORD) == 666:
        os.kill(os.getpid(), signal.SIGKILL)
