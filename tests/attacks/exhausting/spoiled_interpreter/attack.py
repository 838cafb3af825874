"""Break what the worker needs for its answer: codecs, imports, builtins, NumPy, the collector.

Success: the worker hangs beyond its limits, the judge stumbles, or points are given.
"""

from attacks.exhausting.parts import submissions

LIMITS = {"call_seconds": 0.25, "total_seconds": 1.5}
BODIES = r"""
codecs.register(lambda name: spin())
return 'x'.encode('not-known')

json.dumps = json.encoder.JSONEncoder.encode = lambda *a, **k: spin()
return 1

struct.Struct = struct.pack = lambda *a: b'\xff' * 12
return 1

builtins.len = lambda x: 2**70
return [1]

sys.modules['numpy'] = sys.modules['json'] = None
return 1

gc.set_threshold(1)
gc.callbacks.append(lambda *a: spin())
return [[[]]]

sys.setswitchinterval(1e9)
threading.Thread(target=spin).start()
return 1

sys.settrace(lambda *a: spin())
return 1

sys.stdout = sys.stderr = sys.stdin = None
os.closerange(0, 3)
return 1
"""
HEAD = """
import builtins
import codecs
import gc
import json
import os
import struct
import sys
import threading


def spin():
    while True:
        pass
"""


def build(folder):
    return submissions(folder, BODIES, head=HEAD)
