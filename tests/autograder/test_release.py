"""Released notebooks: stable, runnable, without answers; errors with file and line."""

import dataclasses
import json

import nbformat
import pytest
from toy import COURSE, PLAN, SOLUTION

from autograder import release
from autograder.release import ReleaseError

ANSWER = "    # BEGIN SOLUTION\n    return FACTOR * np.asarray(x)\n    # END SOLUTION"

LINES = SOLUTION.split("\n")
FIRST_BEGIN, FACTOR = (LINES.index(line) + 1 for line in ("    # BEGIN SOLUTION", "FACTOR = 2"))


def build(source=SOLUTION):
    return release.build(source, PLAN, COURSE, file="solutions/00_toy.py")


def cells(source=SOLUTION):
    return nbformat.reads(build(source), as_version=4).cells


def test_the_same_source_gives_the_same_bytes():
    assert build() == build()


def test_answers_become_a_line_that_says_so():
    function = next(c for c in cells() if c.metadata.get("grade_id") == "toy.double")
    assert function.source == 'def double(x):\n    """Twice x."""\n    raise NotImplementedError("your code here")'
    text = build()
    assert "FACTOR * np" not in text and "doubled_values" not in text and "hard-coded answers" not in text


def test_cells_of_the_solution_only_are_left_out():
    assert "plot_that_fails" not in "".join(c.source for c in cells())


def test_no_outputs_stable_ids_and_a_kernel():
    notebook = nbformat.reads(build(), as_version=4)
    assert notebook.metadata.kernelspec.name == "python3"
    assert all(c.outputs == [] and c.execution_count is None for c in notebook.cells if c.cell_type == "code")
    ids = [c.id for c in notebook.cells]
    assert len(set(ids)) == len(ids) and "toy-double" in ids


def test_a_new_cell_renames_no_other():
    old = {c.id for c in cells()}
    new = {c.id for c in cells(SOLUTION.replace("# %% [markdown]\n# # Toy", "# %% [markdown]\n# # Toy\n\n# %%\n1 + 1"))}
    assert old < new


def test_the_set_up_cell_stands_second_and_names_the_repository():
    setup = cells()[1]
    assert setup.metadata.tags == ["setup"] and "git+https://example.org/toy" in setup.source


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "    # END SOLUTION\n\n\n# %%\ndouble",
            "\n\n# %%\ndouble",
            f"00_toy.py:{FIRST_BEGIN}: '# BEGIN SOLUTION' without an end",
        ),
        (ANSWER, "    return FACTOR * np.asarray(x)", "exercise without"),
        (
            "    return FACTOR",
            "    # BEGIN SOLUTION\n    return FACTOR",
            f":{FIRST_BEGIN + 1}: '# BEGIN SOLUTION' inside the one of line {FIRST_BEGIN}",
        ),
        ("FACTOR = 2", "FACTOR = 2\n# END SOLUTION", f":{FACTOR + 1}: '# END SOLUTION' without a beginning"),
        ('grade_id="toy.total"', 'grade_id="toy.double"', f"grade_id toy.double stands at line {FIRST_BEGIN - 3} too"),
        ('grade_id="toy.total"', 'grade_id="toy.sum"', "no task of 00_toy"),
        (' grade_id="toy.total"', "", "belong together"),
        ("# BEGIN SOLUTION\n    return F", "# begin solution\n    return F", "must stand alone"),
        ("    # BEGIN SOLUTION\n    return F", "    x = 1  # BEGIN SOLUTION\n    return F", "must stand alone"),
    ],
)
def test_mistakes_in_a_solution_file_name_file_and_line(old, new, words):
    assert old in SOLUTION
    with pytest.raises(ReleaseError, match=words):
        build(SOLUTION.replace(old, new, 1))


def test_a_task_without_a_cell_is_an_error():
    with pytest.raises(ReleaseError, match="no cell for toy.total"):
        build(SOLUTION[: SOLUTION.index('# %% tags=["exercise"] grade_id="toy.total"')])


def test_leaks_are_found():
    notebook = json.loads(build())
    notebook["cells"].append({**notebook["cells"][1], "id": "x", "source": ["    return FACTOR * np.asarray(x)"]})
    assert release.leaks(SOLUTION, json.dumps(notebook)) == ["return FACTOR * np.asarray(x)"]


def test_write_check_and_stray_notebooks(tmp_path):
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / "00_toy.py").write_text(SOLUTION)
    target = tmp_path / "notebooks" / "00_toy.ipynb"
    assert release.write(tmp_path, COURSE, check=True) == [target] and not target.exists()
    assert release.write(tmp_path, COURSE) == [target] and target.read_text() == build()
    assert release.write(tmp_path, COURSE, check=True) == []
    (tmp_path / "notebooks" / "99_old.ipynb").write_text("{}")
    target.write_text(target.read_text().replace("Toy", "Changed"))
    (tmp_path / "notebooks" / "my copy.ipynb").write_text("{}")
    assert [p.name for p in release.write(tmp_path, COURSE)] == ["00_toy.ipynb", "99_old.ipynb"]
    assert len(list(target.parent.iterdir())) == 3 and target.read_text() == build()


def test_an_error_in_one_solution_leaves_all_notebooks_as_they_are(tmp_path):
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / "00_toy.py").write_text(SOLUTION)
    (tmp_path / "solutions" / "01_toy.py").write_bytes(b"# %%\nx = 1\n# \xff\n")
    course = dataclasses.replace(COURSE, lessons={**COURSE.lessons, "01_toy": dataclasses.replace(PLAN, id="01_toy")})
    with pytest.raises(ReleaseError, match=r"solutions/01_toy.py:3: not text in UTF-8"):
        release.write(tmp_path, course)
    assert not (tmp_path / "notebooks").exists()


def test_points_in_a_heading_must_be_those_of_the_syllabus():
    task = '# %% tags=["exercise"] grade_id="toy.double"'
    good = SOLUTION.replace(task, f"# %% [markdown]\n# ## Task 1 (10 points)\n\n{task}")
    assert build(good)
    with pytest.raises(ReleaseError, match=r"promises 8 points for toy.double, course.yml gives 10"):
        build(good.replace("(10 points)", "(8 points)"))
