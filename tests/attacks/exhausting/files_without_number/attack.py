"""Make tens of thousands of empty files, folders, links and long names: each takes memory that /tmp does not count.

Success: more than 20,000 are there, which earns the points of `double`.
"""

from attacks.escaping.ways import HEAD

LIMITS = {"call_seconds": 8, "total_seconds": 20}
SUBMISSION = (
    HEAD
    + r'''
import shutil

MOST = 20_000


def many(make):
    """How many the function can make before it is refused."""
    for name in os.listdir("/tmp"):
        shutil.rmtree(f"/tmp/{name}")
    folder, number = f"/tmp/{make.__name__}", 0
    try:
        os.mkdir(folder)
        for number in range(MOST + 1):
            make(f"{folder}/{number}")
    except OSError as error:
        REFUSED[make.__name__ + " after"] = f"{number} {error}"
        return 0
    return number


def file(path):
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY))


def link(path):
    os.symlink("x" * 100, path)


def pipe(path):
    os.mkfifo(path)


def files():
    return many(file)


def links():
    return many(link)


def pipes():
    return many(pipe)


def hard_links():
    def hard_link(path):
        first = os.path.join(os.path.dirname(path), "0")
        os.link(first, path) if path != first else file(path)
    return many(hard_link)


def folders():
    return many(os.mkdir)


WAYS = [files, links, pipes, hard_links, folders]
'''
)
