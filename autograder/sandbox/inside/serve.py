"""The worker: gives up what it may not have, makes the student's definitions, then answers calls until it is killed."""

from __future__ import annotations

import os
import random
import sys
from types import ModuleType
from typing import Any, BinaryIO

import numpy.random  # here, so that what a submission uses first is as quick as what it uses later

from . import wire
from .calls import call, failure
from .confine import confine
from .define import define
from .quiet import Quiet


def streams(channel: int) -> tuple[BinaryIO, BinaryIO]:
    """Where requests come from and answers go to, for the descriptor of a connected socket."""
    return os.fdopen(os.dup(channel), "rb"), os.fdopen(os.dup(channel), "wb")


def main(requests: BinaryIO, answers: BinaryIO) -> None:
    """Serve one submission; returns when the judge closes the channel."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)  # from here on prints and input() of student code lead nowhere
    os.dup2(null, 1)
    order = _read(requests)
    if order["confine"] is not None:
        kept = sorted({0, 1, 2, requests.fileno(), answers.fileno()})
        for low, high in zip(kept, [*kept[1:], os.sysconf("SC_OPEN_MAX")], strict=True):
            os.closerange(low + 1, high)
        confine(**order["confine"] | {"program": order["confine"]["program"].tobytes()})
    _write(answers, {"ready": True})
    os.dup2(1, 2)  # complaints of our own part came before
    seed_all(order["seed"])
    # As in Jupyter, where the notebook is the main module: dataclasses and pickle look for it.
    module = sys.modules["__main__"] = ModuleType("__main__")
    namespace = module.__dict__
    namespace |= {"__builtins__": __builtins__, "display": Quiet()}
    _write(answers, {"failed": define(namespace, order["cells"], order["statements"], order["keep"], order["hidden"])})
    while (order := _read(requests)) is not None:
        id, name = order["id"], order["call"]
        if (function := namespace.get(name)) is None:
            frame = failure(id, "Missing", f"{name} is not defined")
        else:
            frame = call(function, order["args"], order["kwargs"], id)
        _send(answers, frame)


def seed_all(seed: int) -> None:
    """Make whatever student code draws without a seed depend on the submission's, so that a grade can be repeated."""
    random.seed(seed)
    numpy.random.seed(seed)  # noqa: NPY002 (what students may still use)
    # Where `default_rng()` takes the seed from when it is given none.
    sys.modules["numpy.random.bit_generator"].randbits = random.Random(seed).getrandbits


def _read(stream: BinaryIO) -> Any:
    head = stream.read(wire.HEAD_BYTES)
    if len(head) < wire.HEAD_BYTES:
        return None  # the judge has closed the door
    n_json, n_arrays = wire.lengths(head)
    return wire.decode(stream.read(n_json), stream.read(n_arrays))


def _write(stream: BinaryIO, value: Any) -> None:
    _send(stream, wire.encode(value))


def _send(stream: BinaryIO, frame: bytes) -> None:
    stream.write(frame)
    stream.flush()
