"""Spend the time before any function is called: imports, constants, decorators, default arguments, class bodies.

Success: grading does not end in time.
"""

LIMITS = {"call_seconds": 0.2, "total_seconds": 1}
REST = "\n\ndef total(x, rng):\n    return double(x)\n\n\ndef label(x, centers):\n    return double(x)\n"
SLOW = {
    "import": "import time\n\nREADY = [time.sleep(1) for _ in range(3600)]\n\n\ndef double(x):\n    return READY",
    "decorator": """
def slow(function):
    while True:
        pass


@slow
def double(x):
    return 2 * x
""",
    "default": "import itertools\n\n\ndef double(x, far=sum(itertools.repeat(1))):\n    return 2 * x",
    "class_body": """
class Meta(type):
    def __prepare__(name, bases):
        while True:
            pass


class Slow(metaclass=Meta):
    pass


def double(x):
    return Slow
""",
}


def build(folder):
    target = folder / "slow"
    target.mkdir()
    for name, text in SLOW.items():
        (target / f"{name}.py").write_text(text + REST)
    return target
