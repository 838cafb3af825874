"""The solution notebooks run from top to bottom, and every ``# expect: ...`` in them is what really comes out."""

import re
import subprocess
import sys
from pathlib import Path

import jupytext
import pytest
from nbformat.v4 import new_output, writes

from autograder import course as courses

ROOT = Path(__file__).resolve().parents[2]
EXPECT = re.compile(r"# expect: (.*)$")


def with_expected_outputs(path):
    """The solution as a notebook whose outputs are its ``# expect`` comments; other outputs are not compared."""
    notebook = jupytext.read(path)
    count = 0
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        expected = EXPECT.search(cell.source.rstrip().split("\n")[-1]) if cell.source.strip() else None
        if expected:
            count += 1
            cell.execution_count = 1  # nbval refuses outputs of a cell that was never run
            cell.outputs = [new_output("execute_result", {"text/plain": expected[1]}, execution_count=1)]
        else:
            cell.metadata["tags"] = [*cell.metadata.get("tags", []), "nbval-ignore-output"]
    return notebook, count


@pytest.mark.parametrize("id", list(courses.load(ROOT).lessons))
def test_solution_notebook_runs_with_the_outputs_it_promises(id, tmp_path):
    notebook, count = with_expected_outputs(ROOT / "solutions" / f"{id}.py")
    assert count >= 3, "a lesson promises at least three outputs with '# expect: ...'"
    path = tmp_path / f"{id}.ipynb"
    path.write_text(writes(notebook))
    command = [sys.executable, "-m", "pytest", "--nbval", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, path]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
