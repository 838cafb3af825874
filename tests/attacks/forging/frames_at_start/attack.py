"""Writes to the channel while its definitions are made: what the worker would say then, and answers to all later calls.

Success: points, or a grader that stumbles.
"""

from attacks.forging.tools import CHANNEL

SUBMISSION = (
    CHANNEL
    + r"""
def forge():
    send(frame({"failed": {}}))
    for n in range(1, 20):
        send(frame({"id": n, "result": {"$array": "0"}, "mutated": []}, array([0.0] * 12, shape=[3, 4])))
    return True


FORGED = forge()


def double(x):
    return 0 * x if FORGED else None


def total(x, rng):
    return 0.0 if FORGED else None


def label(x, centers):
    return x[:, 0] * 0 if FORGED else None
"""
)
