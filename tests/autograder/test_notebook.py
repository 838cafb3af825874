"""`check(...)` as a student meets it: in a script, and in a notebook."""

import sys

import pytest
from toy import COURSE

from autograder import check, notebook


@pytest.fixture(autouse=True)
def toy_course(monkeypatch):
    monkeypatch.setattr("autograder.course.load", lambda root=None: COURSE)


def right(x):
    return 2 * x


def test_a_script_prints_text(capsys):
    namespace = {"check": check, "double": right}
    exec(compile("check('toy.double')", "script.py", "exec"), namespace)
    assert capsys.readouterr().out == "  ✓ double                      10 / 10\n"


def test_a_notebook_shows_a_panel_and_text_for_everyone_else():
    feedback = notebook.feedback_for("toy.double", {"double": lambda x: x**2})
    page = feedback._repr_html_()
    assert "squares instead" in page and "double" in page and "<html" not in page
    assert "squares instead" in repr(feedback)


def test_ipython_displays_it_and_uses_its_names(monkeypatch, capsys):
    shell = pytest.importorskip("IPython.testing.globalipapp").start_ipython() or sys.modules["IPython"].get_ipython()
    shell.run_cell("double = lambda x: 2 * x\nfrom autograder import check\ncheck('toy.double')")
    assert "10 / 10" in capsys.readouterr().out


def test_a_whole_lesson_has_a_total():
    assert "total: 10 / 30 points" in repr(notebook.feedback_for("toy", {"double": right}))


def test_the_inputs_are_the_same_every_time():
    seen = []
    for _ in range(2):
        notebook.feedback_for("toy.double", {"double": lambda x: seen.append(x.tolist()) or 2 * x})
    assert seen[: len(seen) // 2] == seen[len(seen) // 2 :]


@pytest.mark.parametrize(
    ("what", "words"), [("toy.dubble", "toy has double, total"), ("kmenas.x", "there is no lesson 'kmenas'")]
)
def test_a_wrong_name_lists_the_right_ones(what, words):
    with pytest.raises(ValueError, match=words):
        notebook.feedback_for(what, {})
