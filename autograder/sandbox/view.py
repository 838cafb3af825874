"""What the sandbox shows of this machine's files: the interpreter, the named packages, and the worker."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path

INSIDE = Path(__file__).parent / "inside"
ALWAYS = ("numpy", "safetensors")  # the worker itself needs them
UID = 65534  # who student code is, inside

_ENVIRONMENT = {
    "PATH": "/python/bin",
    "LD_LIBRARY_PATH": "/python/lib",
    "HOME": "/tmp",
    "TMPDIR": "/tmp",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",  # the order of sets must not change a grade
    "MPLBACKEND": "agg",
    # One thread: fair on a shared machine, and the memory of more threads' stacks counts against the limit.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NVIDIA_TF32_OVERRIDE": "0",  # a GPU multiplies as exactly as a processor, so an answer has the same points there
}


@dataclass(frozen=True)
class View:
    """What student code may import: distributions, modules of unseg_helpers, and modules hidden from them."""

    packages: tuple[str, ...] = ()
    helpers: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    gpu: bool = False  # pass the GPU's device nodes in


@cache
def bwrap() -> str | None:
    """Path of bubblewrap, or None where it is not installed."""
    return shutil.which("bwrap")


def arguments(view: View) -> list[str]:
    """Options for bubblewrap that build name spaces and view; the first process inside may still mount its /tmp."""
    options = ["--unshare-all", "--unshare-user", "--hostname", "sandbox", "--as-pid-1", "--new-session"]
    options += ["--uid", str(UID), "--gid", str(UID), "--cap-drop", "ALL", "--cap-add", "CAP_SYS_ADMIN", "--clearenv"]
    for name, value in _ENVIRONMENT.items():
        options += ["--setenv", name, value]
    options += [*_system(), *_interpreter(), *_site(view.packages, view.helpers, view.hidden)]
    options += ["--ro-bind", str(INSIDE), "/box/inside"]
    # Not `--dev`: its terminals make bubblewrap nest a second user name space, which may mount nothing.
    for name in ("null", "zero", "full", "random", "urandom"):
        options += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]
    options += ["--dir", "/tmp", "--chdir", "/tmp"]
    if view.gpu:
        for device in gpu_devices():
            options += ["--dev-bind", str(device), str(device)]
        options += ["--proc", "/proc"]  # of the own name space; the driver reads its own maps there
    options += ["--remount-ro", "/"]
    return options


def gpu_devices(folder: Path = Path("/dev")) -> list[Path]:
    """Device nodes that computing on NVIDIA's GPUs needs; not those for display, profiling or dividing them."""
    named = [folder / name for name in ("nvidiactl", "nvidia-uvm")]
    return [d for d in (*named, *sorted(folder.glob("nvidia[0-9]*"))) if d.exists()]


def command(code: str) -> list[str]:
    """The interpreter inside, isolated from everything but the view, running some of our code."""
    head = "import sys; sys.path[:0] = ['/box', '/site']; "
    return ["/python/bin/python3", "-P", "-s", "-S", "-B", "-c", head + code]


@cache
def sources(view: View) -> tuple[Path, ...]:
    """Files and folders of this machine that the view shows."""
    options = arguments(view)
    return tuple(Path(options[i + 1]) for i, option in enumerate(options) if option == "--ro-bind")


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
            options += ["--ro-bind", str(INSIDE / "absent"), target]  # empty, it would be a package without names
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
