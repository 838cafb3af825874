"""Take all the processor's time in few lines: powers, hostile regular expressions, colliding keys, sorting, threads.

Success: grading does not end in time, or a neighbor's grade changes.
"""

from attacks.exhausting.parts import submissions

LIMITS = {"call_seconds": 0.25, "total_seconds": 1.5}
BODIES = r"""
return 9**9**9

return re.match('(a*)*$', 'a' * 40 + 'b')

return {n * (2**61 - 1): 0 for n in range(10**6)}

return str(10**10**6)

return int('9' * 4000) ** 10**6

return sorted(itertools.count())

return np.einsum('a,b,c,d->', *[np.ones(1000)] * 4)

return np.linalg.svd(np.random.default_rng(0).normal(size=(3000, 3000)))

for _ in range(50):
    threading.Thread(target=spin).start()
spin()
"""
HEAD = """
import itertools
import re
import threading


def spin():
    while True:
        np.sort(np.arange(10**5)[::-1])
"""


def build(folder):
    return submissions(folder, BODIES, head=HEAD)
