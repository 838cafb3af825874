"""Grade a hostile submission as a judge does, and look for what it must not achieve.

An attack is a folder ``<family>/<name>`` with an ``attack.py`` of ours, which holds

- a docstring: first what it tries, then a line ``Success: ...`` that says what would count as success;
- ``SUBMISSION``, the text that is submitted (a percent script, or JSON with ``SUFFIX = ".ipynb"``), or
  ``build(folder)``, which writes what is submitted (a file, zip or folder) and returns its path;
- ``EARNED``: points that its functions earn honestly (0 by default). ``EXACT = True``: it must not lose them, either;
- if it needs them: ``LESSON = "torch"`` or ``"many"`` (see `lesson`), ``LIMITS`` (fields of
  `autograder.sandbox.Limits`), ``FIRST`` (a submission that is graded right before it, on the same path), and
  ``succeeded(outcome)``, a criterion of its own, which returns the reason why it succeeded.

In the texts ``{TCP_PORT}``, ``{UDP_PORT}`` and ``{UNIX_NAME}`` (an abstract name, without its zero byte) lead to
listeners of this machine, ``{PID}``, ``{WORK}`` and ``{HOME}`` are the judge's process, folder and home, and
``{FIRST_REPORT}`` is the JSON of the report on ``FIRST`` as a Python string.

What counts as success of any attack: see `reasons`. Canaries are ``canary-`` and 32 hexadecimal digits.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import json
import os
import secrets
import signal
import socket
import tempfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from autograder import apart, batch
from autograder.cli.grade import _line, _names
from autograder.grading import grade, new_seed
from autograder.report import Report, plain, terminal
from autograder.report.results import Results
from autograder.submission import BadSubmission, Source, find

from . import checks
from .lesson import HONEST, course

FOLDER = Path(__file__).parent
CANARY = f"canary-{secrets.token_hex(16)}"
HEAP = [CANARY.encode() * n for n in range(1, 50)]  # in the judge's memory
PATIENCE = 30.0  # seconds that grading may take beyond the submission's own limit
_PR_SET_CHILD_SUBREAPER = 36
_STARTED: set[tuple[int, str]] = set()  # pools, and lessons for which they have a parent of warm workers


@dataclass
class Outcome:
    """What was there after grading."""

    reports: list[Report] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)  # what people would see: json, html, csv, terminal
    errors: list[BaseException] = field(default_factory=list)  # exceptions that left the grader
    connections: list[str] = field(default_factory=list)  # what reached the listeners
    left: list[str] = field(default_factory=list)  # new processes that are still there
    changed: list[str] = field(default_factory=list)  # files in the judge's folders
    neighbors: list[Report] = field(default_factory=list)  # of an honest submission, after it and maybe before it
    seconds: float = 0.0
    most_seconds: float = 0.0

    @property
    def score(self) -> float:
        """Of the best submission."""
        return max((r.score for r in self.reports), default=0.0)


def folders() -> list[Path]:
    """All attacks."""
    return sorted(file.parent for file in FOLDER.glob("*/*/attack.py"))


def load(folder: Path) -> ModuleType:
    """The module of one attack."""
    spec = importlib.util.spec_from_file_location(f"attack_{folder.parent.name}_{folder.name}", folder / "attack.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(attack: ModuleType, folder: Path, pool=None, *, neighbors=None, isolated: bool = True) -> Outcome:
    """Grade an attack in the empty ``folder``, on the warm path if there is a ``pool``.

    Its honest neighbor is graded on the same path; beside two of three cold attacks, from the pool ``neighbors`` if
    there is one, since to start cold takes ten times as long, and the judge and the machine are the same.
    """
    outcome = Outcome()
    lesson = getattr(attack, "LESSON", "vault")
    honest = HONEST[lesson].encode()
    chance = zlib.crc32(attack.__name__.encode())
    shared = neighbors if pool is None and chance % 3 else pool  # the neighbor's
    options = {"isolated": isolated} | ({"pool": pool} if pool is not None else {})
    beside = {"isolated": isolated} | ({"pool": shared} if shared is not None else {})
    with _judge(folder) as work, _listeners() as (listeners, places):
        places |= {"PID": str(os.getpid()), "WORK": str(work), "HOME": os.environ["HOME"]}
        is_new = shared is not None and (id(shared), lesson) not in _STARTED  # its parent is no trace of an attack
        if is_new or chance % 5 == 0:
            _STARTED.add((id(shared), lesson))
            outcome.neighbors.append(grade(honest, "neighbor.py", course(lesson), **beside))
        processes = _descendants()
        if hasattr(attack, "FIRST"):
            first = grade(_fill(attack.FIRST, places).encode(), "first.py", _course(attack), **options)
            places["FIRST_REPORT"] = repr(json.dumps(first.as_dict()))
        path = _write(attack, work, places)
        files = _files(folder)
        started = time.monotonic()
        skipped: list[str] = []
        try:
            sources = find([path], skipped)
            outcome.most_seconds = _limit(attack) * max(1, len(sources)) + PATIENCE
            with _alarm(outcome.most_seconds):
                outcome.reports = _grade_all(sources, batch.Order(_course(attack), isolated=isolated), pool)
        except BadSubmission as error:
            outcome.texts["terminal"] = str(error)  # as the command line shows it
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            outcome.errors.append(error)
        outcome.seconds = time.monotonic() - started
        outcome.neighbors.append(grade(honest, "neighbor.py", course(lesson), **beside))
        outcome.texts |= _texts(outcome, skipped, folder / "out")
        after = _files(folder)
        outcome.changed = sorted(name for name in files.keys() | after.keys() if files.get(name) != after.get(name))
        apart.COUNT_STATEMENTS.close()  # the judge's own, for the next submission
        outcome.left = _left(processes)
        outcome.connections = _received(listeners)
    return outcome


def reasons(attack: ModuleType, outcome: Outcome) -> list[str]:
    """Why an attack succeeded; empty if it failed in every way."""
    found = []
    earned = getattr(attack, "EARNED", 0.0)
    if outcome.score > earned or (getattr(attack, "EXACT", False) and outcome.score != earned):
        found.append(f"{outcome.score} points, {earned} are earned: {outcome.texts['terminal']}")
    for name, text in [*outcome.texts.items(), *(("a listener", c) for c in outcome.connections)]:
        if CANARY in text or checks.COMBINATION in text:
            found.append(f"a secret in {name}")
    found += [f"{type(e).__name__} left the grader: {e}" for e in outcome.errors]
    found += [f"the grader stumbled: {r.error}" for r in outcome.reports if not r.graded]
    found += [f"reached the network: {c[:80]!r}" for c in outcome.connections]
    found += [f"a process is left: {p}" for p in outcome.left]
    found += [f"a file changed: {name}" for name in outcome.changed]
    for report in outcome.neighbors:
        if report.score != report.max_score or report.error or report.notes:
            found.append(f"a neighbor's grade changed: {terminal.render(report, color=False)}")
    if outcome.seconds > outcome.most_seconds > 0:
        found.append(f"grading took {outcome.seconds:.0f} s")
    own = attack.succeeded(outcome) if hasattr(attack, "succeeded") else None
    return found + ([own] if own else [])


def _course(attack: ModuleType):
    return course(getattr(attack, "LESSON", "vault"), getattr(attack, "LIMITS", None))


def _grade_all(sources: list[Source], order: batch.Order, pool) -> list[Report]:
    """Grade as the command line does."""
    jobs = [batch.Job(place, source, new_seed()) for place, source in enumerate(sources)]
    tasks = (batch.prepare(job, order) for job in jobs)
    return [task if isinstance(task, Report) else batch.grade(task, order, pool) for task in tasks]


def _limit(attack: ModuleType) -> float:
    (plan,) = _course(attack).lessons.values()
    return plan.limits.total_seconds


def _fill(text: str, places: dict[str, str]) -> str:
    for name, value in places.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _write(attack: ModuleType, work: Path, places: dict[str, str]) -> Path:
    if hasattr(attack, "build"):
        return attack.build(work)
    path = work / f"attack{getattr(attack, 'SUFFIX', '.py')}"
    path.write_text(_fill(attack.SUBMISSION, places), encoding="utf-8")
    return path


@contextlib.contextmanager
def _judge(folder: Path) -> Iterator[Path]:
    """The judge's surroundings, with a canary in each place where secrets lie; yields the working folder."""
    work, home, tmp = (folder / name for name in ("work", "home", "tmp"))
    for place in (work, home, tmp, home / ".ssh"):
        place.mkdir()
    for file in (home / ".netrc", home / ".ssh" / "id_ed25519", work.parent / "grades.db", work / ".env"):
        file.write_text(CANARY)
    before, old_tmp, old_secret, here = dict(os.environ), tempfile.tempdir, checks.SECRET, Path.cwd()
    os.environ |= {"HOME": str(home), "TMPDIR": str(tmp), "UNSEG_DATABASE_URL": f"postgresql://unseg:{CANARY}@db/unseg"}
    tempfile.tempdir, checks.SECRET = None, CANARY
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # a process that left its parent is still found below this one
    os.chdir(work)
    try:
        yield work
    finally:
        os.chdir(here)
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        tempfile.tempdir, checks.SECRET = old_tmp, old_secret
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _listeners() -> Iterator[tuple[list[socket.socket], dict[str, str]]]:
    """Sockets that only an attack would reach, and their addresses."""
    unix_name = f"unseg-{secrets.token_hex(8)}"
    with contextlib.ExitStack() as stack:
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", 0))
        unix = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        unix.bind(f"\0{unix_name}")
        unix.listen()
        ports = {"TCP_PORT": str(tcp.getsockname()[1]), "UDP_PORT": str(udp.getsockname()[1])}
        yield [tcp, udp, unix], ports | {"UNIX_NAME": unix_name}


def _received(listeners: list[socket.socket]) -> list[str]:
    """What has reached the listeners: the kernel has kept it."""
    found = []
    for listener in listeners:
        listener.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                if listener.type == socket.SOCK_DGRAM:
                    data = listener.recv(10_000)
                else:
                    connection, _ = listener.accept()
                    with connection:
                        connection.settimeout(0.1)
                        data = b""
                        with contextlib.suppress(OSError):
                            data = connection.recv(10_000)
                found.append(data.decode(errors="replace"))
    return found


def _texts(outcome: Outcome, skipped: list[str], folder: Path) -> dict[str, str]:
    """All that the command line would write."""
    reports = outcome.reports
    names = [plain(r.submission) for r in reports]
    files = {"json": folder / "reports.json", "csv": folder / "table.csv"}
    folder.mkdir()
    results = Results(names, json_file=str(files["json"]), csv_file=str(files["csv"]), html_folder=folder)
    lines = [f"Skipped: {_names(skipped, 5)}"] if skipped else []
    for place, report in enumerate(reports):
        lines += [_line(report), terminal.render(report, color=False)]
        results.add(place, report)
    results.finish()
    pages = [page.read_text(encoding="utf-8") for page in sorted(folder.rglob("*.html"))]
    texts = {name: file.read_text(encoding="utf-8-sig") for name, file in files.items()}
    return texts | {"html": "\n".join(pages), "terminal": "\n".join([*lines, outcome.texts.get("terminal", "")])}


def _files(folder: Path) -> dict[str, tuple]:
    """What lies in the judge's folders, apart from reports in ``out``."""
    found = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        status = path.lstat()
        if name.parts[0] != "out":
            is_folder = path.is_dir() and not path.is_symlink()
            found[str(name)] = (
                status.st_mode,
                *(() if is_folder else (status.st_size, status.st_nlink, status.st_mtime_ns)),
            )
    return found


def _descendants() -> dict[tuple[int, str], str]:
    """Living processes below this one: (number, start) and name."""
    parents, others = {}, {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                head, _, rest = Path(f"/proc/{entry}/stat").read_text(errors="replace").rpartition(")")
                state, parent, start = (rest.split()[i] for i in (0, 1, 19))
                parents[int(entry)] = int(parent)
                if state not in "ZX":
                    others[int(entry), start] = head.partition("(")[2]

    def is_below(pid: int) -> bool:
        while pid in parents and pid != os.getpid():
            pid = parents[pid]
        return pid == os.getpid()

    return {key: name for key, name in others.items() if key[0] != os.getpid() and is_below(key[0])}


def _left(before: dict[tuple[int, str], str]) -> list[str]:
    """New processes that do not end by themselves within three seconds."""
    end = time.monotonic() + 3
    while (new := _descendants().items() - before.items()) and time.monotonic() < end:
        time.sleep(0.05)
    return [f"{name} ({pid})" for (pid, _), name in new]


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """End what hangs, so that one hung grader does not hang all tests."""

    def ring(*_):
        raise TimeoutError(f"the grader hung for {seconds:.0f} s")

    old = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds + 5)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
