"""Replaces functions of the worker itself: how it calls, encodes, describes errors and answers.

Success: points for functions that raise, return nothing, or return what is wrong.
"""

SUBMISSION = r"""
import sys


def patch():
    import inside.calls
    import inside.serve
    import inside.wire

    send, encode = inside.serve._send, inside.wire.encode

    def passed(stream, frame):
        value = inside.wire.read(frame)
        if "id" in value:
            value = {"id": value["id"], "result": value.get("result"), "mutated": [], "passed": True, "points": 10}
        send(stream, encode(value))

    inside.serve._send = passed
    inside.calls._differs = lambda *a: False
    inside.calls.describe = lambda error: {"type": "Passed", "message": "10/10", "where": {}, "points": 10}
    inside.serve.call = lambda function, args, kwargs, id: encode(
        {"id": id, "result": True, "mutated": [], "fraction": 1.0}
    )
    inside.wire.encode.__globals__["MAX_ARRAY_BYTES"] = 2**60
    frame = sys._getframe()
    while frame is not None:  # the loop that serves has its names, too
        frame.f_globals["points"] = 10
        frame = frame.f_back
    return True


PATCHED = patch()


def double(x):
    return PATCHED and None


def total(x, rng):
    raise RuntimeError("hidden by the patch")


def label(x, centers):
    return None
"""
