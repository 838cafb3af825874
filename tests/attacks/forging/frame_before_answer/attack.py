"""Finds the descriptor that answers go to, and writes a complete answer with a verdict before the worker does.

Success: points, or another call is answered by it.
"""

from attacks.forging.tools import CHANNEL

LESSON = "many"

SUBMISSION = (
    CHANNEL
    + r'''
CALLS = [0]


def forge(x):
    """Each of these ends the sandbox, and the judge starts a few of them."""
    CALLS[0] += 1
    n = CALLS[0]
    values = [
        {"id": n, "result": True, "mutated": [], "points": 10, "status": "passed"},
        {"id": n, "result": None, "mutated": []},
        {"id": n, "score": 30, "checks": [{"id": "vault.double.doubles", "points": 6}]},
        {"id": n, "result": {"fraction": 1.0, "message": "right", "hint": None}, "mutated": []},
        {"failed": {}},
        {"ready": True},
    ]
    send(frame(values[int(x.flat[0]) % len(values)]))


def double(x):
    forge(x)
    return 0 * x


def total(x, rng):
    forge(x)
    return 0.0


def label(x, centers):
    forge(x)
    return x[:, 0] * 0
'''
)
