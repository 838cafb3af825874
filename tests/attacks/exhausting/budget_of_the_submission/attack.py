"""Answer every call just within its limit: eight correct answers, each slow, are more than the submission may take.

Success: the time of the whole submission is not limited, so that points come for answers that came too late.
"""

from attacks.exhausting.parts import submission

LIMITS = {"call_seconds": 1.5, "total_seconds": 2}
SUBMISSION = submission(
    "time.sleep(1)\nreturn 2 * x",
    "time.sleep(1)\nreturn float(2 * x.sum() + rng.random())",
    "time.sleep(1)\nreturn ((x[:, None] - centers[None]) ** 2).sum(axis=2).argmin(axis=1)",
    head="import time\n",
)
