"""Files that are two things at once, or not what their names say: zip, gzip, pickle, npy, tar, PDF.

The pickle writes a file when it is loaded.
Success: a file appears, a submission is read in another way than its name says, or Ada's grade changes.
"""

import gzip
import io
import pickle
import tarfile

import numpy as np
from attacks.archives.make import HONEST, notebook, scores, write, zipped

ZERO = (
    "a.ipynb",
    "b.ipynb",
    "c.ipynb",
    "d.ipynb",
    "e.ipynb",
    "f.py",
    "g.ipynb",
    "h.zip/x.py",
    "i.zip",
    "j.ipynb",
    "k.py",
)
EARNED = 30.0
EXACT = True
succeeded = scores({"ada.py": 30.0} | {name: 0.0 for name in ZERO})


class Opens:
    """When unpickled, it makes a file."""

    def __reduce__(self):
        return open, ("opened", "w")


def build(folder):
    array, tar = io.BytesIO(), io.BytesIO()
    np.save(array, np.array([Opens()], dtype=object), allow_pickle=True)
    with tarfile.open(fileobj=tar, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("x.py"))
    files = {
        "a.ipynb": gzip.compress(notebook(HONEST).encode()),
        "b.ipynb": pickle.dumps(Opens()),
        "c.ipynb": array.getvalue(),
        "d.ipynb": notebook(HONEST).encode() + zipped({"x.py": HONEST}),  # a notebook that is also a zip
        "e.ipynb": tar.getvalue(),
        "f.py": HONEST.encode() + zipped({"__main__.py": HONEST}),  # as `python f.py` would run it
        "g.ipynb": HONEST,  # a script
        "h.zip": notebook(HONEST).encode() + zipped({"x.py": "x = 1"}),
        "i.zip": notebook(HONEST),
        "j.ipynb": f"%PDF-1.4\n{notebook(HONEST)}",
        "k.py": notebook(HONEST),
    }
    return write(folder / "in", {"ada.py": HONEST} | files)
