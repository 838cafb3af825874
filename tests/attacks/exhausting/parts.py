"""Several small submissions of one attack: each body is the body of one of the three graded functions."""

from pathlib import Path
from textwrap import dedent, indent

FUNCTIONS = ("double(x)", "total(x, rng)", "label(x, centers)")

CHANNEL = '''
import fcntl
import os
import stat


def is_channel(fd):
    """Whether this is a pipe or socket that can be written: one of them leads to the judge."""
    try:
        kind, mode = stat.S_IFMT(os.fstat(fd).st_mode), fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE
    except OSError:
        return False
    return kind in (stat.S_IFIFO, stat.S_IFSOCK) and mode != os.O_RDONLY


def channel():
    """One descriptor for each of them: a second one leads to the same place."""
    return list({os.fstat(fd).st_ino: fd for fd in range(64) if is_channel(fd)}.values())


def send(data):
    for fd in channel():
        os.write(fd, data)


'''


def submission(*bodies: str, head: str = "") -> str:
    """A script whose graded functions have these bodies."""
    functions = [
        f"def {name}:\n{indent(dedent(body).strip(), '    ')}\n" for name, body in zip(FUNCTIONS, bodies, strict=False)
    ]
    return "\n\n".join(["import numpy as np\n" + dedent(head), *functions])


def submissions(folder: Path, bodies: str, *, head: str = "") -> Path:
    """A folder of scripts, three bodies in each; blank lines part the bodies."""
    target = folder / "parts"
    target.mkdir()
    parts = bodies.strip().split("\n\n")
    for start in range(0, len(parts), len(FUNCTIONS)):
        text = submission(*parts[start : start + len(FUNCTIONS)], head=head)
        (target / f"from_{start:02}.py").write_text(text)
    return target
