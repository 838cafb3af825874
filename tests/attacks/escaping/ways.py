"""Student code that these attacks share: try several ways out, and earn the points of `double` if one works.

An attack adds functions and their list ``WAYS``. A way returns what it got, or raises, or returns nothing.
"""

HEAD = r'''
import ctypes
import os
import threading

import numpy as np

LIBC = ctypes.CDLL(None, use_errno=True)
GOT, REFUSED = {}, {}


def kernel(number, *args):
    """The answer of a system call made by its number; OSError where the kernel refuses it."""
    call = LIBC.syscall
    call.restype = ctypes.c_long
    result = call(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in args])
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def each(function, values):
    """Those values for which the function is not refused, with what it gave."""
    got = {}
    for value in values:
        try:
            got[value] = function(value)
        except (OSError, ValueError) as error:
            REFUSED[str(value)] = repr(error)
    return got


def apart(function):
    """Result of the function in a thread of its own, which a filter may kill without the rest."""
    got = []
    thread = threading.Thread(target=lambda: got.append(function()), daemon=True)
    thread.start()
    thread.join(0.15)
    return got[0] if got else None


def worked():
    """What the ways got, each tried once."""
    for way in WAYS:
        if way.__name__ not in REFUSED:
            REFUSED[way.__name__] = "nothing"
            try:
                GOT[way.__name__] = way()
            except BaseException as error:
                REFUSED[way.__name__] = repr(error)
    return {name: got for name, got in GOT.items() if got}


def double(x):
    return 2 * x if worked() else "refused"


def total(x, rng):
    return "not tried"


def label(x, centers):
    raise RuntimeError(f"worked: {worked()}")


'''
