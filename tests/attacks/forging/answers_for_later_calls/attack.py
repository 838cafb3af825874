"""Writes answers with the numbers of later calls early: at once, from a thread, and after the real answer.

Success: points, or a call that is answered by an earlier one.
"""

from attacks.forging.tools import CHANNEL

LIMITS = {"call_seconds": 2, "total_seconds": 6}

SUBMISSION = (
    CHANNEL
    + r'''
import threading
import time

CALLS = [0]


def answers(start, count, values=(0.0,) * 12, shape=(3, 4)):
    return b"".join(
        frame({"id": n, "result": {"$array": "0"}, "mutated": []}, array(values, shape=list(shape)))
        for n in range(start, start + count)
    )


def later(data, wait):
    def work():
        time.sleep(wait)
        send(data)

    threading.Thread(target=work, daemon=True).start()


def double(x):
    CALLS[0] += 1
    send(answers(CALLS[0], 40, x.ravel().tolist(), x.shape))
    return 0 * x


def total(x, rng):
    CALLS[0] += 1
    later(answers(CALLS[0] + 1, 1), 0.001)
    later(answers(CALLS[0] + 1, 1), 0.05)
    return 0.0


def label(x, centers):
    """Reads the order for the next call in place of the worker and answers it."""

    def listen():
        while True:
            for fd in channels():
                try:
                    os.set_blocking(fd, True)
                    os.read(fd, 10**6)
                except OSError:
                    continue
                send(answers(CALLS[0] + 1, 3, [0.0] * 40, [40]))

    CALLS[0] += 1
    for _ in range(4):
        threading.Thread(target=listen, daemon=True).start()
    return x[:, 0] * 0
'''
)
