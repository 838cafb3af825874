"""Never return: a loop in Python, a loop in C that lets no signal handler in, a long sleep.

Success: grading does not end in time.
"""

from attacks.exhausting.parts import submission

LIMITS = {"call_seconds": 0.3, "total_seconds": 2}
SUBMISSION = submission(
    """
    while True:
        x = x + 1
    """,
    "return sum(itertools.repeat(1))",
    "time.sleep(3600)",
    head="import itertools\nimport time\n",
)
