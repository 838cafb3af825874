"""Submit code that Python cannot read in reasonable time or memory: long, deep, wide, or growing as it is parsed.

Success: reading it hangs, kills or breaks the judge, which does that outside of the sandbox.
"""

LIMITS = {"call_seconds": 0.3}
FUNCTION = """
def double(x):
    return {}


def total(x, rng):
    return 0


def label(x, centers):
    return 0
"""
EXPRESSIONS = {
    "attributes": "x" + ".a" * 50_000,
    "brackets": "(" * 190 + "1" + ")" * 190 + " + " + "[" * 100_000,
    "comparisons": "x" + "<x" * 30_000,
    "comprehensions": "[x " + "for x in x " * 20_000 + "]",
    "long_number": "9" * 1_500_000,
    "minus_signs": "-" * 500_000 + "1",
    "nested_texts": "f'{" * 500 + "1" + "}'" * 500,
    "powers": "9**9**9**9",
    "repeated": "('x' * 10**11) * (1 << 10**12)",
}
STATEMENTS = {
    "chain": "".join(f"def f{n}(): return f{n + 1}()\n" for n in range(4_000)),
    "decorators": "@double\n" * 30_000 + "def double(x): pass\n",
    "magics": "%%bash\n" + "!x\n" * 400_000,
    "matches": "match x:\n    case [" + "[" * 80 + "]" * 80 + "]: pass\n",
    "nested_classes": "".join(" " * n + "class C:\n" for n in range(99)) + " " * 99 + "x = 1\n",
    "nested_functions": "".join(" " * n + f"def f{n}():\n" for n in range(95)) + " " * 95 + "pass\n",
    "statements": "x=1\n" * 120_000,
    "too_long": "x = 1  # y\n" * 200_000,
}


def build(folder):
    target = folder / "bombs"
    target.mkdir()
    for name, bomb in EXPRESSIONS.items():
        (target / f"{name}.py").write_text(FUNCTION.format(bomb))
    for name, text in STATEMENTS.items():
        (target / f"{name}.py").write_text(text + FUNCTION.format("x"))
    return target
