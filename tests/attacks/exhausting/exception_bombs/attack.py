"""Raise exceptions that cannot be described: endless or huge texts, names of ten megabytes, chains and groups.

Success: describing them hangs or breaks the judge, or fills a report.
"""

from attacks.exhausting.parts import submissions

LIMITS = {"call_seconds": 0.5, "total_seconds": 3}
BODIES = r"""
raise ValueError('BOMB' * 25_000_000)

class Endless(Exception):
    def __str__(self):
        while True:
            pass
raise Endless

raise type('N' * 10**7, (Exception,), {})('a name')

error = None
for _ in range(10**5):
    new = ValueError('chained')
    new.__cause__ = error
    error = new
raise error

class Liar(str):
    def __getitem__(self, key):
        return 'BOMB' * 10**8
class Odd(Exception):
    def __str__(self):
        return Liar('x')
raise Odd

class Meta(type):
    __name__ = property(lambda self: 1 / 0)
class Odd(Exception, metaclass=Meta):
    pass
raise Odd

raise ValueError('\ud800\udfff', b'\xff', '\0' * 1000)

class Odd(BaseException):
    __traceback__ = property(lambda self: deep())
raise Odd

raise KeyboardInterrupt

raise GeneratorExit(Looped())

deep(10**6)

linecache.cache['<cell 1>'] = (1, None, Lines(), '<cell 1>')
exec(compile('1 / 0', '<cell 1>', 'exec'))

linecache.getline = linecache.getlines = traceback.extract_tb = lambda *a, **k: deep(10**9)
raise ValueError(1)

code = compile('1 / 0', '<cell' + 'N' * 10**7, 'exec')
exec(code)

code = compile('1 / 0', '<cell 1>', 'exec').replace(co_name='N' * 10**7, co_firstlineno=2**31 - 1)
exec(code)
"""
HEAD = """
import linecache
import sys
import traceback


class Looped:
    def __repr__(self):
        return repr(Looped())


class Lines(list):
    def __getitem__(self, key):
        while True:
            pass

    __len__ = __iter__ = __getitem__


def deep(depth=0):
    sys.setrecursionlimit(10**5)
    return deep(depth - 1)
"""


def build(folder):
    return submissions(folder, BODIES, head=HEAD)


def succeeded(outcome):
    return next((f"a huge text in {n}" for n, text in outcome.texts.items() if "BOMB" * 1000 in text), None)
