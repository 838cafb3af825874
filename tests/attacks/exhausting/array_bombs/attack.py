"""Answer with arrays that are far larger than what they take here: strides of zero, no elements, all kinds of shapes.

Success: the judge runs out of memory or time, stumbles, or gives points.
"""

from attacks.exhausting.parts import submissions

LIMITS = {"call_seconds": 2, "total_seconds": 8}
BODIES = r"""
return np.zeros(2**40)

return np.broadcast_to(np.float64(0), (2**40,))

return np.broadcast_to(np.uint8(0), (2**62,))

return np.lib.stride_tricks.as_strided(np.zeros(1), (2**30, 2**30), (0, 0))

return np.empty((2**60, 0))

return np.empty((0, 2**60))

return np.empty((2**31, 0, 2**31), dtype=np.uint8)

return np.broadcast_to(np.float16(1), (8_000_000,))

return np.zeros(64_000_000, dtype=bool)

return np.lib.stride_tricks.as_strided(np.zeros(8), (3, 4), (-8, 10**6))

return np.zeros(3, dtype=[('a', 'f8', (10**4, 10**4))])

return np.zeros(2, dtype='V2000000000')

return [np.broadcast_to(np.float64(0), (10**6,))] * 999

return [np.broadcast_to(np.float64(0), (10**6,))] * 10**6

return np.memmap('/tmp/map', dtype='u1', mode='w+', shape=(15_000_000,))
"""


def build(folder):
    return submissions(folder, BODIES)
