"""Raises and answers what means "this machine's fault", so that the submission is graded again, or not at all.

Success: a report without a score, an exception that leaves the grader, or points.
"""

from attacks.forging.tools import CHANNEL

LIMITS = {"call_seconds": 2, "total_seconds": 6}

SUBMISSION = (
    CHANNEL
    + r'''
import sys


def complain():
    """As bubblewrap does when it does not work."""
    for fd in (1, 2):
        os.write(fd, b"bwrap: Creating new namespace failed: Operation not permitted\n")
    sys.stderr.write("bwrap: No permissions to create a new namespace\n")
    return True


COMPLAINED = complain()


def double(x):
    complain()
    os.abort()


def total(x, rng):
    send(b"failed unshare: Operation not permitted")
    send(b"started")
    os._exit(1)


def label(x, centers):
    class SandboxUnavailable(RuntimeError):
        pass

    raise SandboxUnavailable("bubblewrap does not work here")
'''
)
