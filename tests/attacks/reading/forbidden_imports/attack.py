"""Imports what the lesson hides and what belongs to the judge, by each way of importing that Python has.

Success: a hidden module, the reference library, the checks or the solutions are there.
"""

SUBMISSION = r'''
import ctypes
import glob
import importlib
import importlib.machinery
import importlib.util
import pkgutil
import sys
import types
import zipimport

MODULES = (
    "autograder",
    "autograder.checks.kmeans",
    "unseg_helpers",
    "unseg_helpers.kmeans",
    "solutions",
    "attacks.checks",
    "sklearn.cluster",
    "scipy.cluster.vq",
    "scipy.cluster.hierarchy",
    "scipy.cluster._vq",
    "toy",
    "conftest",
    "pip",
)


def by_name():
    for name in MODULES:
        for bring in (importlib.import_module, __import__, lambda n: importlib.util.find_spec(n).loader.load_module()):
            try:
                module = bring(name)
            except Exception:
                continue
            if getattr(module, "__file__", None):
                yield name


def by_file():
    patterns = (
        "/site/scipy/cluster/*",
        "/site/scipy/cluster/*/*",
        "/site/sklearn/*",
        "/site/unseg_helpers/*",
        "/python/lib/python3*/*-packages/*",
        "{WORK}/*",
        "/box/*.py",
        "/site/*.pth",
        "/site/__editable__*",
    )
    for pattern in patterns:
        for path in glob.glob(pattern):
            for loader in (
                importlib.machinery.SourceFileLoader,
                importlib.machinery.ExtensionFileLoader,
                importlib.machinery.SourcelessFileLoader,
            ):
                try:
                    types.ModuleType(loader("m", path).load_module().__name__)
                    yield path
                except Exception:
                    pass
            try:
                ctypes.CDLL(path)
                yield path
            except OSError:
                pass
            try:
                zipimport.zipimporter(path)
                yield path
            except ImportError:
                pass


def double(x):
    import scipy

    scipy.__path__ = list({*scipy.__path__, "/site/scipy", "/python/lib"})
    sys.path[:0] = ["{WORK}", "{HOME}", "/", "/box", "/box/inside/..", "/site/scipy", "/site/scipy/.."]
    sys.path_importer_cache.clear()
    importlib.invalidate_caches()
    found = [*by_name(), *by_file()]
    seen = [m.name for m in pkgutil.iter_modules() if m.name in ("autograder", "unseg_helpers", "sklearn", "solutions")]
    loaded = [
        name for name in sys.modules if name.startswith(("autograder", "unseg", "sklearn", "attacks", "scipy.cluster."))
    ]
    if found or seen or loaded:
        raise ValueError(f"found: {found} {seen} {loaded}")
    return 0 * x


def label(x, centers):
    """The ready-made answer, if only it were there."""
    from scipy.cluster.vq import vq

    return vq(x, centers)[0]
'''


def succeeded(outcome):
    return "a hidden module" if "found: " in outcome.texts["terminal"] else None
