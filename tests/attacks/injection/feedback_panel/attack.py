"""The panel that `check` shows in a notebook, on functions whose errors and results hold HTML and escape sequences.

Someone else's notebook may define them, and an instructor may run it. The panel is no sandbox, but it must not let
words become tags: Jupyter shows it as trusted HTML.
Success: a tag, a script or a control character of the notebook's is in the panel or in its text.
"""

import math

from attacks import lesson
from attacks.injection.strict import page, text

from autograder.grading import PUBLIC_SEED, run_all
from autograder.notebook import Feedback
from autograder.report import Report
from autograder.student import LocalStudent

EVIL = "\x1b]0;owned\x07<script>alert(1)</script><img src=x onerror=alert(2)>\u202e\" onload='x' {{7*7}}"
SUBMISSION = f"def double(x):\n    raise ValueError({EVIL!r})\n"


def double(x):
    raise type(EVIL, (Exception,), {})(EVIL)


def total(x, rng):
    return EVIL


def label(x, centers):
    return [EVIL, math.nan]


def succeeded(outcome):
    (plan,) = lesson.course().lessons.values()
    student = LocalStudent({"double": double, "total": total, "label": label})
    results = run_all(plan, student, PUBLIC_SEED)
    feedback = Feedback(Report(plan.id, plan.id, plan.title, 30.0, results, [EVIL]))
    panel = feedback._repr_html_()
    if "49" in panel or "owned" not in panel:
        return "the words are not there as they were"
    return page(panel) or text(repr(feedback))
