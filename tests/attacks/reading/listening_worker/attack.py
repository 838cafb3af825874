"""Traces the worker that runs beside it and patches its decoder, to read more of the orders than its own arguments.

Success: an order says more than the function's name and arguments, or comes before it is needed.
"""

SUBMISSION = r"""
import sys
import threading

HEARD, NAMES = [], set()


def listen(frame, event, value):
    NAMES.update(k for k in frame.f_locals if k in ("expected", "lesson", "check", "points", "report", "show"))
    if frame.f_code.co_name in ("_read", "decode") and event == "return" and isinstance(value, dict):
        HEARD.append(value)


def patch():
    import inside.serve
    import inside.wire

    decode = inside.wire.decode

    def heard(text, blob):
        value = decode(text, blob)
        HEARD.append(value)
        return value

    inside.wire.decode = heard
    sys.setprofile(listen)
    threading.setprofile(listen)

    return HEARD


LISTENING = patch()


def tell(call):
    extra = [
        set(order) - {"id", "call", "args", "kwargs"} for order in HEARD if isinstance(order, dict) and "call" in order
    ]
    early = [order["call"] for order in HEARD[-1:] if isinstance(order, dict) and order.get("call", call) != call]
    if NAMES or any(extra) or early:
        raise ValueError(f"found: {NAMES} {extra} {early}")
    return LISTENING


def double(x):
    tell("double")
    return 0 * x


def total(x, rng):
    tell("total")
    return 0.0
"""


def succeeded(outcome):
    return "the worker is told too much" if "found: " in outcome.texts["terminal"] else None
