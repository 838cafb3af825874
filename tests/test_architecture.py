"""The rules that hold everywhere: who may import whom, what is quick, what is in git."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]


def imports(path):
    """Dotted names that a file imports, relative ones resolved."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(p for p in (base, node.module) if p)
            yield from (f"{module}.{a.name}" for a in node.names)


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("unseg_helpers", ("autograder", "solutions", "benchmarks")),
        ("autograder/checks", ("autograder.portal", "solutions")),
        ("autograder", ("solutions",)),
        ("benchmarks", ("solutions", "autograder.cli")),  # they measure the grader, too; its command starts them
    ],
)
def test_nobody_imports_upwards(folder, forbidden):
    bad = [
        (path.relative_to(ROOT).as_posix(), name)
        for path in (ROOT / folder).rglob("*.py")
        for name in imports(path)
        if any(name == f or name.startswith(f + ".") for f in forbidden)
    ]
    assert not bad


def test_the_part_inside_the_sandbox_needs_only_numpy_and_safetensors():
    allowed = {*sys.stdlib_module_names, "numpy", "safetensors", "autograder"}
    for path in (ROOT / "autograder" / "sandbox" / "inside").glob("*.py"):
        names = set(imports(path))
        assert all(n.split(".")[0] in allowed for n in names)
        assert all(n.startswith("autograder.sandbox.inside") for n in names if n.startswith("autograder"))


def test_importing_the_helpers_loads_nothing_heavy():
    code = (
        "import sys, unseg_helpers as u; from unseg_helpers import datasets, features, kmeans, metrics, plots\n"
        "heavy = ('torch', 'sklearn', 'skimage', 'matplotlib', 'pooch', 'plotly', 'timm')\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_no_outputs_and_no_paths_of_this_machine_in_git():
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split("\n")
    if not any(names):
        pytest.skip("not a git checkout")
    private = ("/".join(["", "work", ""]), "/".join(["", "root", ""]))
    for name in filter(None, names):
        data = (ROOT / name).read_bytes() if (ROOT / name).is_file() else b""
        text = data.decode("utf-8", errors="replace")
        if name.endswith(".ipynb"):
            assert '"outputs": []' in text and '"output_type"' not in text, name
        if not name.startswith("tests/") and b"\0" not in data:
            assert not any(p in text for p in private), name


def test_conda_users_get_the_same_bounds():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    bounds = {d.split(">=")[0]: d.split(";")[0].strip() for d in project["dependencies"]}
    listed = {d.split(">=")[0]: d for d in conda if isinstance(d, str)}
    wrong = {n: b for n, b in bounds.items() if n != "pyseccomp" and listed.get(n) != b}
    assert not wrong
    assert listed["python"] == f"python{project['requires-python']}"


def test_every_requirement_is_pinned_once():
    lines = [x for x in (ROOT / "constraints.txt").read_text().splitlines() if x and not x.startswith("#")]
    names = [x.split("==")[0].lower().replace("_", "-") for x in lines]
    assert all(x.count("==") == 1 and "/" not in x and "@" not in x for x in lines)
    assert len(set(names)) == len(names)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + [d for ds in project["optional-dependencies"].values() for d in ds]
    plain = {w.split(">")[0].split("[")[0].split(";")[0].split("<")[0].strip().lower() for w in wanted} - {"unseg"}
    assert plain <= set(names)
