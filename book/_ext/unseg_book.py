"""What the book needs and Jupyter Book does not bring: no network, no stale figures, buttons only where they work.

A page of this book loads nothing from another computer. MathJax and plotly.js are copied out of the installed Python
packages; a plotly figure that is the last line of a cell is drawn by that copy.

Executed chapters are cached under a name made from the library and its data, because jupyter-cache looks at the cells
only and would keep the figures of yesterday's library.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from importlib import metadata, util
from pathlib import Path

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.fileutil import copy_asset

logger = logging.getLogger(__name__)

PLOTLY_MIME = "application/vnd.plotly.v1+json"
EXERCISES = "notebooks/"  # pages that a reader may launch
# Besides the chapter itself, its figures follow from these; and from the versions of what draws and computes them.
SOURCES = ("unseg_helpers", "constraints.txt", "book/data", "benchmarks/results", "benchmarks/tables.py")
PACKAGES = ("numpy", "scipy", "scikit-learn", "scikit-image", "matplotlib", "plotly")
KEPT_CACHES = 3
# Of MathJax: the TeX input with CommonHTML output, its fonts, and what reads formulas aloud.
MATHJAX_PARTS = ("tex-chtml-full.js", "output/chtml/fonts", "a11y", "sre")


def source_hash(root: Path) -> str:
    """Twelve hex digits that change when the library, its data or the packages below it change."""
    digest = hashlib.sha256()
    for name in SOURCES:
        top = root / name
        files = sorted(top.rglob("*")) if top.is_dir() else [top]
        for path in files:
            if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
                digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    for package in PACKAGES:
        try:
            digest.update(f"{package}=={metadata.version(package)}\0".encode())
        except metadata.PackageNotFoundError:
            digest.update(f"{package} is not here\0".encode())
    return digest.hexdigest()[:12]


def repository_url(root: Path, environ: dict[str, str] | os._Environ[str] = os.environ) -> str:
    """Address of the course's repository: UNSEG_REPOSITORY, else GITHUB_REPOSITORY, else `repository` in course.yml."""
    name = environ.get("UNSEG_REPOSITORY") or environ.get("GITHUB_REPOSITORY") or ""
    if not name and (root / "course.yml").is_file():
        name = (yaml.safe_load((root / "course.yml").read_text(encoding="utf-8")) or {}).get("repository") or ""
    name = name.strip().rstrip("/").removesuffix(".git")
    if re.fullmatch(r"[\w.-]+/[\w.-]+", name):  # owner/name, as GitHub Actions says it
        name = f"https://github.com/{name}"
    if name and not re.fullmatch(r"https?://[^/\s]+/\S+/[^/\s]+", name):
        raise ExtensionError(f"repository is {name!r}; expected owner/name or https://host/owner/name")
    return name


def configure(app: Sphinx, config: Config) -> None:
    """Set what follows from this clone and this machine."""
    root = Path(app.srcdir)
    caches = root / "_build" / "execution"
    cache = caches / source_hash(root)
    config.nb_execution_cache_path = str(cache)
    _forget_old(caches, keep=cache)

    url = repository_url(root)
    options = config.html_theme_options
    if url:
        options["repository_url"] = url
    else:
        options.pop("repository_url", None)
        options.pop("launch_buttons", None)
        options["use_repository_button"] = options["use_issues_button"] = False
    branch = options.get("repository_branch") or "main"
    config.extlinks = {**config.extlinks, "repo-file": (f"{url or '.'}/blob/{branch}/%s", "%s")}
    config.myst_substitutions = {**config.myst_substitutions, "repository": url or "(no repository set in course.yml)"}

    # The kernels that run the chapters inherit this: a figure leaves the cell as data, without any script.
    os.environ["PLOTLY_RENDERER"] = "plotly_mimetype"
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    # tqdm (behind skimage.data) says on stderr that it would rather draw a widget; stderr fails the build.
    os.environ.setdefault("PYTHONWARNINGS", "ignore:IProgress not found")
    config.mathjax_path = "mathjax/tex-chtml-full.js"


def _forget_old(caches: Path, keep: Path) -> None:
    """Bound the disk that old libraries' figures take."""
    if not caches.is_dir():
        return
    others = sorted((p for p in caches.iterdir() if p.is_dir() and p != keep), key=lambda p: -p.stat().st_mtime)
    for path in others[KEPT_CACHES - 1 :]:
        shutil.rmtree(path, ignore_errors=True)


def changed_figures(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """Have Sphinx read the chapters again after a change of the library: the pages show its figures and docstrings."""
    now = app.config.nb_execution_cache_path
    before, env.unseg_cache = getattr(env, "unseg_cache", now), now
    if before == now:
        return []
    return [name for name in env.found_docs if not name.startswith(EXERCISES)]


class PlotlyFigure:
    """How myst-nb writes a plotly figure that is the last line of a cell."""

    mime_priority_overrides = [("*", PLOTLY_MIME, 1)]

    @staticmethod
    def handle_mime(renderer, data, inline: bool) -> list[nodes.Element] | None:
        """HTML that takes plotly from the book's `_static`; None for anything else."""
        if data.mime_type != PLOTLY_MIME or inline:
            return None
        import plotly.graph_objects as go

        from unseg_helpers import plots_interactive

        content = dict(data.content)
        figure = go.Figure(
            data=content.get("data"), layout=content.get("layout"), frames=content.get("frames"), skip_invalid=True
        )
        try:
            embedded = plots_interactive.embed(figure)
        except ValueError as error:
            logger.warning(
                "plotly figure without a description: set fig.layout.meta = {'alt': 'one sentence'} (%s)",
                error,
                location=(renderer.renderer.document["source"], data.line),
                type="unseg",
                subtype="alt",
            )
            return []
        return [nodes.raw(text=embedded._repr_html_(), format="html", classes=["output", "text_html"])]


def _register_figures() -> None:
    """Give the renderer to myst-nb, which otherwise finds renderers by entry points of installed packages only."""
    from myst_nb.core import render

    found = render.load_mime_renders

    def with_ours():
        return [PlotlyFigure, *found()]

    if getattr(found, "__name__", "") != "with_ours":
        render.load_mime_renders = with_ours


def launch_where_it_works(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Keep Binder and Colab on exercise pages: only those are .ipynb files in the repository."""
    if pagename.startswith(EXERCISES):
        return
    buttons = context.get("header_buttons")
    if buttons:
        context["header_buttons"] = [b for b in buttons if b.get("label") != "launch-buttons"]


def only_local_scripts(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Drop scripts and styles that extensions load from other computers, and Thebe, which would need one."""
    for key in ("script_files", "css_files"):
        context[key] = [file for file in context.get(key, ()) if not _is_unwanted(file)]


def _is_unwanted(file) -> bool:
    name = str(getattr(file, "filename", file) or "")
    body = str((getattr(file, "attributes", None) or {}).get("body", ""))
    return name.startswith(("http:", "https:", "//")) or "thebe" in name.lower() or "THEBE" in body


def copy_scripts(app: Sphinx, error: Exception | None) -> None:
    """Put MathJax and plotly.js into `_static`, from the installed packages."""
    if error is not None or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    mathjax = _package_folder("sphinx-mathjax-offline") / "static" / "mathjax"
    for part in MATHJAX_PARTS:
        target = static / "mathjax" / part
        if not target.exists():
            copy_asset(str(mathjax / part), str(target if (mathjax / part).is_dir() else target.parent))
    plotly = static / "plotly.min.js"
    source = _package_folder("plotly") / "package_data" / "plotly.min.js"
    if not plotly.exists() or plotly.stat().st_size != source.stat().st_size:
        shutil.copyfile(source, plotly)


def _package_folder(name: str) -> Path:
    found = util.find_spec(name)
    if found is None or found.origin is None:
        raise ExtensionError(f"The book needs the package {name}: .venv/bin/python -m pip install -e '.[book]'")
    return Path(found.origin).parent


def own_reference_numbers(app: Sphinx, what: str, name: str, obj, options, lines: list[str]) -> None:
    """Write a docstring's ``[1]_`` as plain text: every function counts from 1, and a page holds many functions."""
    for i, line in enumerate(lines):
        line = re.sub(r"\[(\d+)\]_", r"[\1]", line)
        lines[i] = re.sub(r"^(\s*)\.\. \[(\d+)\]\s*", r"\1[\2] ", line)


def setup(app: Sphinx) -> dict[str, object]:
    """Connect everything above to Sphinx."""
    _register_figures()
    app.connect("config-inited", configure, priority=400)
    app.connect("env-get-outdated", changed_figures)
    app.connect("html-page-context", launch_where_it_works, priority=900)
    app.connect("html-page-context", only_local_scripts, priority=950)
    app.connect("autodoc-process-docstring", own_reference_numbers, priority=100)
    app.connect("build-finished", copy_scripts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
