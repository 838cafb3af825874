"""Read what a stranger wrote in a process with limits first: it may take Python much time or memory, or end it."""

from __future__ import annotations

import atexit
import subprocess
import sys
from pathlib import Path

_LIMITS = """
import sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
except (ImportError, ValueError):  # not on this system
    pass
"""
# A notebook in; the same without its outputs out. Ten bytes of JSON can take a hundred of memory.
_DROP_OUTPUTS = """
import json
try:
    book = json.loads(sys.stdin.buffer.read())
    book.get
except (ValueError, RecursionError, AttributeError):
    sys.exit(print("{"))  # damaged: the caller says so
sheets = book.get("worksheets")
sheets = [book, *(sheets if isinstance(sheets, list) else [])]
lists = [s.get("cells") for s in sheets if isinstance(s, dict)]
for cell in (c for cells in lists if isinstance(cells, list) for c in cells):
    if isinstance(cell, dict):
        cell.pop("outputs", None), cell.pop("attachments", None)
kept = {k: book[k] for k in ("cells", "worksheets") if k in book}
sys.stdout.write(json.dumps(kept))
"""
# Lists of sources in, each as the cells of one notebook; the number of their statements out.
_COUNT_STATEMENTS = """
import ast, json, symtable
parsing = sys.modules["parsing"] = type(sys)("parsing")
exec(compile(PARSING, "parsing", "exec"), parsing.__dict__)
count, peak = 0, 0
for sources in json.load(sys.stdin):
    for reading in parsing.read_cells(sources):
        for node, line, source in reading.statements():
            count += 1
            if count > MAX_STATEMENTS:
                sys.exit(print(count))
            try:
                symtable.symtable(source, "", "exec")
            except parsing.UNREADABLE:
                pass
try:  # not ru_maxrss, which starts with the size of the process that started this one
    peak = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
except (OSError, IndexError):
    pass
print(count if peak < 600_000 else 10**9)
"""


class Apart:
    """A program of ours that is given bytes and answers with bytes, in a new process each time.

    Parameters
    ----------
    seconds, memory : limits, in CPU seconds and bytes
    """

    def __init__(self, program: str, *, seconds: int, memory: int):
        head = _LIMITS.replace("MEMORY", str(memory)).replace("SECONDS", str(seconds))
        self._command = [sys.executable, "-I", "-S", "-c", head + program]
        self._seconds = seconds
        self._ready: list[subprocess.Popen] = []
        atexit.register(self.close)

    def get_ready(self) -> None:
        """Start the process for the next bytes ahead of time: its start may take longer than its work."""
        if not self._ready:
            self._ready.append(self._start())

    def __call__(self, data: bytes) -> bytes | None:
        """The answer; None if the program fails or hits its limits."""
        with self._ready.pop() if self._ready else self._start() as process:
            try:
                answer, _ = process.communicate(data, timeout=2 * self._seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                return None
        return answer if process.returncode == 0 else None

    def _start(self) -> subprocess.Popen:
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen(self._command, **pipes)

    def close(self) -> None:
        """End the process that waits, if there is one."""
        while self._ready:
            process = self._ready.pop()
            process.kill()
            process.communicate()


MAX_STATEMENTS = 20_000  # of a submission at the top level; where there are more, they are not all counted
_PARSING = repr(Path(__file__).with_name("parsing.py").read_text(encoding="utf-8"))
DROP_OUTPUTS = Apart(_DROP_OUTPUTS, seconds=30, memory=2_500_000_000)
COUNT_STATEMENTS = Apart(
    _COUNT_STATEMENTS.replace("MAX_STATEMENTS", str(MAX_STATEMENTS)).replace("PARSING", _PARSING),
    seconds=4,
    memory=1_000_000_000,
)
