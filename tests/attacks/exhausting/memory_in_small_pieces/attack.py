"""Fill the memory with millions of small objects, and go on when there is none left.

Success: grading hangs or stumbles, or the neighbor suffers.
"""

from attacks.exhausting.parts import submission

LIMITS = {"memory_mb": 384, "call_seconds": 1, "total_seconds": 3}
SUBMISSION = submission(
    """
    while True:
        try:
            while True:
                KEPT.append([len(KEPT)])
        except MemoryError:
            continue
    """,
    """
    deep = ()
    try:
        while True:
            deep = (deep,)
    except MemoryError as error:
        raise error
    """,
    """
    kept = {}
    try:
        while True:
            kept[str(len(kept))] = {}
    except MemoryError:
        return kept
    """,
    head="KEPT = []\n",
)
