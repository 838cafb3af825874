"""What the sandbox shows of this machine's files: the interpreter, the named packages, and the worker."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
import sysconfig
from functools import cache
from pathlib import Path

INSIDE = Path(__file__).parent / "inside"
ALWAYS = ("numpy", "safetensors")  # the worker itself needs them
TMP_BYTES = 64_000_000  # the only writable place

_ENVIRONMENT = {
    "PATH": "/python/bin",
    "LD_LIBRARY_PATH": "/python/lib",
    "HOME": "/tmp",
    "TMPDIR": "/tmp",
    "LANG": "C.UTF-8",
    "MPLBACKEND": "agg",
    # One thread: fair on a shared machine, and the memory of more threads' stacks counts against the limit.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


@cache
def bwrap() -> str | None:
    """Path of bubblewrap, or None where it is not installed."""
    return shutil.which("bwrap")


def arguments(packages: tuple[str, ...], helpers: tuple[str, ...], hidden: tuple[str, ...]) -> list[str]:
    """Options for bubblewrap that build the view.

    Parameters
    ----------
    packages : names of installed distributions; what they require comes along
    helpers : modules of ``unseg_helpers`` that student code may import, without their package's other modules
    hidden : dotted modules of these packages that the lesson asks students to write themselves
    """
    options = ["--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session"]
    options += ["--uid", "65534", "--gid", "65534", "--cap-drop", "ALL", "--clearenv"]
    for name, value in _ENVIRONMENT.items():
        options += ["--setenv", name, value]
    options += [*_system(), *_interpreter(), *_site(packages, helpers, hidden)]
    options += ["--ro-bind", str(INSIDE), "/box/inside"]
    options += ["--dev", "/dev", "--size", str(TMP_BYTES), "--tmpfs", "/tmp", "--chdir", "/tmp"]
    options += ["--remount-ro", "/dev", "--remount-ro", "/"]
    return options


COMMAND = [
    "/python/bin/python3",
    *("-I", "-S", "-B", "-c"),
    "import sys; sys.path[:0] = ['/box', '/site']; from inside.serve import main; main()",
]


def _system() -> list[str]:
    """The system's shared libraries, and nothing else of /usr."""
    options: list[str] = []
    multiarch = sysconfig.get_config_var("MULTIARCH") or ""
    for folder in (f"/usr/lib/{multiarch}", f"/lib/{multiarch}", "/usr/lib64", "/lib64"):
        path = Path(folder)
        if folder.endswith("/") or not path.is_dir():
            continue
        for parent in reversed([path, *path.parents][:-1]):
            if parent.is_symlink() and (link := str(parent)) not in options:
                options += ["--symlink", str(parent.readlink()), link]
                break
        else:
            options += ["--ro-bind", folder, folder]
    return options


def _interpreter() -> list[str]:
    """This interpreter under /python, without the packages that are installed beside it."""
    base, version = Path(sys.base_prefix), f"python{sys.version_info.major}.{sys.version_info.minor}"
    standard = base / "lib" / version
    options = ["--ro-bind", str(Path(sys._base_executable).resolve()), "/python/bin/python3"]
    options += ["--ro-bind", str(standard), f"/python/lib/{version}"]
    for folder in ("site-packages", "dist-packages"):
        if (standard / folder).is_dir():
            options += ["--tmpfs", f"/python/lib/{version}/{folder}"]
            options += ["--remount-ro", f"/python/lib/{version}/{folder}"]
    for library in base.glob("lib/libpython3*.so*"):
        options += ["--ro-bind", str(library.resolve()), f"/python/lib/{library.name}"]
    return options


def _site(packages: tuple[str, ...], helpers: tuple[str, ...], hidden: tuple[str, ...]) -> list[str]:
    """Exactly the needed packages under /site."""
    options: list[str] = []
    for distribution in closure((*ALWAYS, *packages)):
        for source in _top_level(distribution):
            options += ["--ro-bind", str(source), f"/site/{source.name}"]
    if helpers:
        package = Path(__file__).parents[2] / "unseg_helpers"
        for part in ("__init__", *helpers):
            source = package / part if (package / part).is_dir() else package / f"{part}.py"
            options += ["--ro-bind", str(source), f"/site/unseg_helpers/{source.name}"]
    places = {options[i + 2] for i in range(0, len(options), 3)}
    for module in hidden:
        target = f"/site/{module.replace('.', '/')}"
        if f"/site/{module.split('.')[0]}" in places:
            options += ["--tmpfs", target, "--remount-ro", target]
    return options


@cache
def closure(names: tuple[str, ...]) -> tuple[str, ...]:
    """The distributions and everything that they require, without extras."""
    from packaging.requirements import Requirement

    found: dict[str, None] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop(0).lower().replace("_", "-")
        if name in found:
            continue
        try:
            required = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            raise LookupError(f"course.yml names the package {name!r}, which is not installed here") from None
        found[name] = None
        for line in required:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return tuple(found)


def modules(packages: tuple[str, ...]) -> frozenset[str]:
    """Names of the top-level modules that student code may import beside Python's own."""
    return frozenset(path.stem for name in closure((*ALWAYS, *packages)) for path in _top_level(name))


@cache
def _top_level(distribution: str) -> tuple[Path, ...]:
    """Folders and files of a distribution directly below site-packages."""
    installed = importlib.metadata.distribution(distribution)
    record = installed.read_text("RECORD")
    if record is None:
        raise LookupError(f"the installation of {distribution} has no RECORD: reinstall it with pip")
    names = {line.split(",")[0].split("/")[0] for line in record.splitlines()}
    folder = Path(str(installed.locate_file("")))
    return tuple(folder / n for n in sorted(names) if n not in ("", "..", "__pycache__") and (folder / n).exists())
