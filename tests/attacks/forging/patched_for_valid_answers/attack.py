"""Replaces the worker's functions by ones whose answers have the right form: guesses, without calling anything.

Success: points for values that are wrong.
"""

SUBMISSION = r'''
import numpy as np

SEEN = []


def patch():
    import inside.calls
    import inside.serve

    def answer(function, args, kwargs, id):
        """The most likely answers, without asking the function: its input, what came earlier, nothing, yes."""
        SEEN.append(args)
        guess = {1: args[0], 2: SEEN[0][0], 3: True}.get(len(SEEN) % 4)
        return inside.wire.encode({"id": id, "result": guess, "mutated": []})

    inside.serve.call = inside.calls.call = answer
    return True


PATCHED = patch()


def double(x):
    return 2 * x if not PATCHED else None


def total(x, rng):
    raise RuntimeError("never called")


def label(x, centers):
    raise RuntimeError("never called")
'''
