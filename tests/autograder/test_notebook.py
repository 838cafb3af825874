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
    ("what", "words"),
    [
        ("toy.dubble", "toy has double, total"),
        ("kmenas.x", "there is no lesson 'kmenas'"),
        ("double", r'do you mean check\("toy.double"\)\?'),
    ],
)
def test_a_wrong_name_lists_the_right_ones(what, words):
    with pytest.raises(ValueError, match=words):
        notebook.feedback_for(what, {})


def defined(source):
    """Names of a notebook with this source."""
    namespace = {"__name__": "__main__"}
    exec(compile(source, "<cell 1>", "exec"), namespace)
    return namespace


def test_a_name_that_is_nearly_right_is_shown():
    text = repr(notebook.feedback_for("toy.double", defined("def Duoble(x):\n    return 2 * x")))
    assert "there is no function double" in text and "there is Duoble: give the function the name double" in text


def test_a_function_whose_name_was_taken_by_a_number_says_so():
    text = repr(notebook.feedback_for("toy.double", defined("double = 3")))
    assert "double is no function any more: something in the notebook gave this name to an int" in text


def test_packages_that_grading_leaves_out_are_a_note_before_it_is_too_late():
    source = "import matplotlib.pyplot as plt\nimport math\ndef show(x):\n    plt.plot(x)\n"
    used = defined(source + "def double(x):\n    show(x)\n    import yaml.nodes, json\n    return 2 * x\n")
    feedback = notebook.feedback_for("toy.double", {**used, "show": used["show"]})
    note = "note: show uses plt (from matplotlib.pyplot), which is not there when this lesson is graded"
    assert note in " ".join(repr(feedback).split()) and "show uses plt" in feedback._repr_html_()
    assert len(feedback.report.notes) == 2 and feedback.report.notes[0].startswith("double uses yaml.nodes, which")
    fine = defined("import math\nimport numpy as np\nimport yaml\ndef double(x):\n    return np.asarray(2 * x)")
    assert notebook.feedback_for("toy.double", fine).report.notes == []


def test_what_all_checks_of_a_task_say_is_said_once():
    feedback = notebook.feedback_for("toy.double", defined("def double(x):\n    return x.no_such_thing"))
    assert repr(feedback).count("no_such_thing") == 1 and repr(feedback).count("the same as above") == 1
    assert feedback._repr_html_().count("the same as above") == 1


def test_stopping_a_check_names_the_line_and_shows_nothing_of_ours(monkeypatch):
    monkeypatch.setattr(notebook, "_in_ipython", lambda: False)
    namespace = defined("from autograder import check\ndef double(x):\n    raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt, match="you stopped the check in double, line 3 of its cell") as caught:
        exec("check('toy.double')", namespace)
    assert caught.value.__suppress_context__ and len(caught.traceback) <= 3
