"""Replaces json, struct and safetensors in the worker, so that answers carry a verdict or another one's values.

Success: points for values that are wrong.
"""

SUBMISSION = r"""
import json
import json.encoder
import struct

import safetensors.numpy

VERDICT = {"points": 10, "max_points": 10, "score": 100, "status": "passed", "passed": True, "fraction": 1.0}


def patch():
    dumps, save = json.dumps, safetensors.numpy.save

    def with_verdict(value, **options):
        if isinstance(value, dict) and "result" in value:
            value = {**value, **VERDICT, "mutated": [], "result": {**VERDICT, "result": value["result"]}}
        return dumps(value, **options)

    import inside.wire

    json.dumps = inside.wire.json.dumps = with_verdict
    json.encoder.c_make_encoder = None
    inside.wire.save = safetensors.numpy.save = lambda arrays, **k: save({**arrays, "expected": arrays["0"] * 0})
    inside.wire.math.isfinite = lambda value: True
    return True


PATCHED = patch()


def double(x):
    return 0 * x if PATCHED else None


def total(x, rng):
    return float("nan")


def label(x, centers):
    return VERDICT
"""
