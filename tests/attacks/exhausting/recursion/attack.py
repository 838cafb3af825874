"""Run out of stack: Python without its limit, parsers and printers written in C, code with a deep tree.

Success: grading hangs or stumbles, or a neighbor's grade changes.
"""

from attacks.exhausting.parts import submissions

LIMITS = {"call_seconds": 0.5, "total_seconds": 2}
BODIES = r"""
sys.setrecursionlimit(10**9)
return total(x, x)

return json.loads('[' * 10**6)

return pickle.dumps(nested(10**6))

sys.setrecursionlimit(10**9)
return repr(nested(10**6))

return eval('-' * 10**6 + '1')

return ast.literal_eval('[' * 10**5 + ']' * 10**5)

class Me:
    def __getattr__(self, name):
        return getattr(self, name)
return Me().me

sys.setrecursionlimit(10**9)
return copy.deepcopy(nested(10**6))

class Me(list):
    def __eq__(self, other):
        return self == other
return Me() == Me()
"""
HEAD = """
import ast
import copy
import json
import pickle
import sys


def nested(depth):
    inner = []
    for _ in range(depth):
        inner = [inner]
    return inner
"""


def build(folder):
    return submissions(folder, BODIES, head=HEAD)
