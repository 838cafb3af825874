"""Everything that a browser runs or loads, in messages and file names, opened in a real Chromium.

Success: a script runs, a dialog opens, another address is asked for, or the page moves elsewhere.
"""

import shutil
import tempfile
from pathlib import Path

from attacks.archives.make import write
from attacks.injection.strict import report_is_broken

from autograder.report import html

EVIL = (
    "<script>window.owned=1</script><img src=http://127.0.0.1:9/x onerror='window.owned=2'><svg/onload=window.owned=3>"
    "<iframe srcdoc='<script>parent.owned=4</script>'></iframe>"
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'>"
    "<link rel=stylesheet href=http://127.0.0.1:9/x.css><details open ontoggle=window.owned=5>"
    "<style>@import 'http://127.0.0.1:9/y.css'</style></title></textarea></script><a href=javascript:owned=6>x</a>"
)
CODE = (
    f"def double(x):\n    raise ValueError({EVIL[:400]!r})\n\ndef total(x, rng):\n    raise KeyError({EVIL[400:]!r})\n"
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def build(folder):
    name = EVIL[:120].replace("/", "\u2215")
    return write(folder / "in", {f"{name}.py": CODE})


def succeeded(outcome):
    return report_is_broken(outcome) or _opened(outcome.reports)


def _opened(reports) -> str | None:
    """What pages do when they are opened; nothing where there is no browser."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        program = None
    if program is None:
        return None  # the strict reading of the page has judged it already
    asked = []
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        html.write(reports, Path(name))
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        for file in sorted(Path(name).glob("*.html")):
            page = browser.new_page()
            page.on("request", lambda request: asked.append(request.url))
            page.on("dialog", lambda dialog: asked.append(f"dialog {dialog.message}"))
            page.goto(file.as_uri())
            page.wait_for_timeout(100)
            owned = page.evaluate(
                "() => window.owned || document.querySelectorAll('script, iframe, link, object').length"
            )
            if owned:
                asked.append(f"script {owned}")
            page.close()
        browser.close()
    outside = [address for address in asked if not address.startswith(("file:", "data:image/png"))]
    return f"in the browser: {outside}" if outside else None
