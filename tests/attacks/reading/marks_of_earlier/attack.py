"""An earlier submission leaves marks in modules, files, the environment and the process; this one collects them.

Success: a mark of the earlier submission is still there.
"""

FIRST = r"""
import builtins
import codecs
import ctypes
import linecache
import os
import signal
import sys
import threading
import warnings

import numpy as np


def mark():
    np.mark = builtins.mark = sys.mark = os.mark = 1
    np.allclose = np.isclose = lambda *a, **k: True
    sys.modules["mark"] = np
    os.environ["MARK"] = "1"
    ctypes.CDLL(None).setenv(b"MARK", b"1", 1)
    linecache.cache["mark"] = (1, None, ["mark"], "mark")
    sys.path.append("/mark")
    warnings.filterwarnings("ignore", "mark")
    codecs.register(lambda name: codecs.lookup("utf-8") if name == "mark" else None)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    os.umask(0o123)
    np.seterr(all="ignore")
    np.random.seed(123456)
    sys.setrecursionlimit(4321)
    sys.setswitchinterval(0.123)
    threading.current_thread().name = "mark"
    for folder in ("/tmp", "/dev/shm", "/dev", "/var/tmp", "/run", "/box", "/site/numpy", "/", "."):
        try:
            with open(f"{folder}/mark", "w") as file:
                file.write("mark")
        except OSError:
            pass
    import inside.calls

    inside.calls._differs = inside.wire.mark = lambda *a: False


mark()


def double(x):
    mark()
    return 2 * x
"""

SUBMISSION = r"""
import builtins
import codecs
import linecache
import os
import signal
import sys
import threading
import warnings

import numpy as np


def found():
    import inside.wire

    yield from (m.__name__ for m in (np, builtins, sys, os, inside.wire) if hasattr(m, "mark"))
    if np.allclose(0, 1):
        yield "allclose"
    if "mark" in sys.modules or "MARK" in os.environ or "mark" in linecache.cache or "/mark" in sys.path:
        yield "modules, environment or caches"
    if any("mark" in str(f) for f in warnings.filters):
        yield "warnings"
    try:
        codecs.lookup("mark")
        yield "codecs"
    except LookupError:
        pass
    if signal.getsignal(signal.SIGUSR1) == signal.SIG_IGN or os.umask(0o022) == 0o123:
        yield "signals or umask"
    if np.geterr()["divide"] == "ignore" or sys.getrecursionlimit() == 4321 or sys.getswitchinterval() > 0.1:
        yield "settings"
    if threading.current_thread().name == "mark":
        yield "threads"
    for folder in ("/tmp", "/dev/shm", "/dev", "/var/tmp", "/run", "/box", "/site/numpy", "/", "."):
        if os.path.exists(f"{folder}/mark"):
            yield folder
    if os.listdir("/tmp"):
        yield f"files: {os.listdir('/tmp')}"


def double(x):
    if marks := list(found()):
        raise ValueError(f"found: {marks}")
    return 0 * x
"""


def succeeded(outcome):
    return "an earlier submission left a mark" if "found: " in outcome.texts["terminal"] else None
