"""Build the book into _build/html: every warning is an error, and nothing is fetched from anywhere.

    .venv/bin/python tools/build_book.py            # after a change: seconds
    .venv/bin/python tools/build_book.py --fresh    # forget the executed chapters as well: minutes

Chapters are executed once and cached under _build/execution; a change of `unseg_helpers` or its data starts a new
cache (see book/_ext/unseg_book.py).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "_build"

# Each kernel says this about its connection on this machine; in a build where warnings count it only misleads.
NOISE = "[IPKernelApp] WARNING | Kernel is running over TCP without encryption."

AFTER_FAILURE = """
The book was not built. What usually helps:
  - A warning above names the file and the line; every warning counts as an error, so that no broken link, missing
    figure or unknown reference reaches a reader.
  - "A file used for the toc is missing": notebooks/ is written by `make notebooks`.
  - A chapter's cell failed: its traceback is above and in _build/html/reports/. Run the cell in a notebook, mend it,
    and build again.
  - Anything odd after a change of branches: build again with --fresh.
"""


def build(*, fresh: bool = False) -> int:
    """Build the book; the exit status of jupyter-book, 0 when every page is written without a warning."""
    if fresh:
        for folder in ("html", "execution", ".doctrees", "jupyter_execute"):
            shutil.rmtree(BUILD / folder, ignore_errors=True)
    BUILD.mkdir(exist_ok=True)
    # One thread for each kernel: results do not depend on the number of cores, and small arrays are not slowed down.
    environ = {"OMP_NUM_THREADS": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"} | os.environ | {"PYTHONPATH": _path()}
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    if not jupyter_book.exists():
        print("jupyter-book is not installed here: .venv/bin/python -m pip install -e '.[book]'", file=sys.stderr)
        return 2
    command = [str(jupyter_book), "build", str(ROOT), "-W", "-n", "--keep-going", "--path-output", str(ROOT)]
    with subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True) as running:
        for line in running.stderr:
            if not line.startswith(NOISE):
                sys.stderr.write(line)
    return running.returncode


def _path() -> str:
    """The chapters import this clone's library, whatever else is installed."""
    return os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])


def main(argv: list[str] | None = None) -> int:
    """Read the command line, build, and say where the book is or what to do."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fresh", action="store_true", help="forget what was built and executed before")
    options = parser.parse_args(argv)
    began = time.perf_counter()
    status = build(fresh=options.fresh)
    if status:
        print(AFTER_FAILURE, file=sys.stderr)
        return status
    print(f"\nThe book is in _build/html ({time.perf_counter() - began:.0f} s): open _build/html/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
