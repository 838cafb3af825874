"""The tests of a lesson's checks put the same questions to many answers: see `remembered`."""

import pytest
from remembered import checks_remember

from autograder.lesson import Lesson


def _lesson(module):
    """The lesson that a module of tests is about, if it names one."""
    found = getattr(module, "lesson", None)
    return found if isinstance(found, Lesson) else None


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items):
    """One process for all tests of a lesson: what its checks draw is then drawn once."""
    for item in items:
        if (lesson := _lesson(getattr(item, "module", None))) is not None:
            item.add_marker(pytest.mark.xdist_group(lesson.id))


@pytest.fixture(scope="module", autouse=True)
def remember(request):
    """In a module with a ``lesson``, its checks remember what they draw and compute."""
    lesson = _lesson(request.module)
    with checks_remember([] if lesson is None else [lesson]):
        yield
