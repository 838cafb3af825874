"""Read the Python of notebook cells as people leave it: with magics, mixed tabs, broken lines, and cut in two.

Needs nothing but the standard library, because `apart` first runs this very file in a process with limits.
"""

from __future__ import annotations

import ast
import codeop
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

MAX_REPAIRS = 100  # one after the other; where there are more, all suspicious lines are mended at once
MAX_JOINED = 20  # cells that are read as one
UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)


@dataclass
class Reading:
    """What could be read of one cell, or of neighbors that belong together."""

    cells: list[int]  # which of the sources that were given
    text: str  # mended
    nodes: list[ast.stmt]  # top-level statements
    problem: str | None = None  # of the first part that cannot be read, with its line
    is_unfinished: bool = False  # stops in the middle of something

    def statements(self) -> Iterator[tuple[ast.stmt, int, str]]:
        """Each with its first line, decorators included, and its text: where two share a line, only its own."""
        lines = self.text.split("\n")  # as Python counts them: no form feeds, no U+2028
        for node in self.nodes:
            first = _first(node)
            own = lines[first - 1 : node.end_lineno]
            own[-1] = own[-1].encode()[: node.end_col_offset].decode()
            if first == node.lineno:
                own[0] = own[0].encode()[node.col_offset :].decode()
            yield node, first, "\n".join(own)


def _first(node: ast.stmt) -> int:
    return min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])


def read_cells(sources: list[str]) -> list[Reading]:
    """Read code cells in order; one that goes on where the one before it stopped is read together with it."""
    texts = [_body(source) for source in sources]
    numbers = [n for n, text in enumerate(texts) if _first_line(text)]
    readings: list[Reading] = []
    for place, number in enumerate(numbers):
        before, text = readings[-1] if readings else None, texts[number]
        if before is not None and _may_go_on(before, [texts[n] for n in numbers[place : place + MAX_JOINED]]):
            joined = _read([*before.cells, number], f"{before.text}\n{text}")
            seam = before.text.count("\n") + 1
            if any(_first(node) <= seam < node.end_lineno for node in joined.nodes):
                readings[-1] = joined
                continue
        readings.append(_read([number], _dedented(text)))
    return readings


def _read(cells: list[int], text: str) -> Reading:
    try:
        text, nodes = _parse(text)
        return Reading(cells, text, nodes)
    except UNREADABLE:
        return _read_chunks(cells, text)


# ---- One text: parse it, and mend the lines at which Python stumbles ----


def _parse(text: str) -> tuple[str, list[ast.stmt]]:
    """The mended text and its statements; raises one of `UNREADABLE` where nothing helps."""
    for _ in range(MAX_REPAIRS):
        try:
            return _without_calls_of_ipython(text, ast.parse(text))
        except SyntaxError as error:
            mended = _mended(text, error)
            if mended is None:
                raise
            text = mended
    text = "\n".join(_without_magic(line) for line in text.split("\n"))
    return _without_calls_of_ipython(text, ast.parse(text))


def _mended(text: str, error: SyntaxError) -> str | None:
    """The text without what Python refuses here; None if it is none of the things that notebooks have."""
    if (plain := _plain_spaces(text)) != text:
        return plain
    if _PROMPT.search(text):
        return _PROMPTS.sub("", text)
    if isinstance(error, IndentationError) and (spaced := _without_tabs(text)) is not None:
        return spaced
    lines = text.split("\n")
    at = (error.lineno or 0) - 1
    if not 0 <= at < len(lines) or (mended := _without_magic(lines[at])) == lines[at]:
        return None
    while lines[at].endswith("\\") and at + 1 < len(lines):  # a shell command that goes on in the next line
        lines[at], mended, at = mended, "", at + 1
    lines[at] = mended
    return "\n".join(lines)


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except UNREADABLE:
        return False
    return True


_STRING_OR_SPACE = re.compile(
    r"""(?P<kept>\#[^\n]*
        | '''(?:\\.|[^\\])*?''' | \"""(?:\\.|[^\\])*?\"""
        | '(?:\\.|[^'\\\n])*' | "(?:\\.|[^"\\\n])*")"""
    r"""| (?P<space>[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]) | [\u200b-\u200d\u2060\ufeff]""",
    re.DOTALL | re.VERBOSE,
)
_PROMPT = re.compile(r"^[ \t]*(?:>>>|In \[\d*\]:)(?: |$)", re.MULTILINE)
_PROMPTS = re.compile(r"^[ \t]*(?:>>>|In \[\d*\]:|\.\.\.:?)(?: |$)", re.MULTILINE)
_INDENT = re.compile(r"^[ \t]*\t[ \t]*", re.MULTILINE)


def _plain_spaces(text: str) -> str:
    """Spaces that Python does not know, as web pages have them, replaced outside of strings and comments."""
    return _STRING_OR_SPACE.sub(lambda m: m["kept"] or (" " if m["space"] else ""), text)


def _without_tabs(text: str) -> str | None:
    """Tabs at the start of lines as 8 columns, as Python 2 had them, or as 4, as editors show them."""
    both = [_INDENT.sub(lambda m, width=width: m[0].expandtabs(width), text) for width in (8, 4)]
    return next((t for t in both if _is_python(t)), None) if both[0] != text else None


_MAGIC = re.compile(
    r"""(?P<indent>\s*+)(?:  # possessive: 20,000 spaces must not be tried in 20,000 ways
        %time\s+(?P<python>[^\s-].*)              # measures a statement, which counts
        | [%!?].* | [/,;]\s*\w.*                  # other magics, shell, help, automatic calls
        | [\w.,\s*\[\]'"]*=\s*[%!]\s*[\w"'~./-].* # files = !ls
        | [\w.*%\[\]'"()]+\s*\?{1,2}\s*(?:\#.*)?  # name?
    )""",
    re.VERBOSE,
)


def _without_magic(line: str) -> str:
    """A line that only IPython understands, replaced by one that does nothing; any other line as it is."""
    found = _MAGIC.fullmatch(line)
    if found is None:
        return line
    return found["indent"] + (found["python"] if found["python"] and _is_python(found["python"]) else "pass")


_NOT_PYTHON = frozenset(
    "bash bigquery cmd cython file html javascript js julia latex markdown perl php powershell pypy python2 r ruby"
    " script sh shell sql svg sx system writefile writetemplate".split()
)


def _body(source: str) -> str:
    """The Python of a cell: of a cell magic such as %%time what it runs, or nothing where that is something else."""
    lines = source.split("\n")
    for i, line in enumerate(lines):
        if line.strip():
            magic = re.match(r"\s*%%\s*(\w*)", line)
            if magic is None:
                break
            if not magic[1] or magic[1].lower() in _NOT_PYTHON:
                return ""
            lines[i] = ""
    return "\n".join(lines)


def _without_calls_of_ipython(text: str, tree: ast.Module) -> tuple[str, list[ast.stmt]]:
    """Take out ``get_ipython().run_line_magic(...)``, which `nbconvert` writes for magics, but keep what they run."""
    if "get_ipython()" not in text:
        return text, tree.body
    lines = text.split("\n")
    for node in sorted(ast.walk(tree), key=lambda n: getattr(n, "lineno", 0), reverse=True):
        if isinstance(node, (ast.Expr, ast.Assign)) and isinstance(node.value, ast.Call):
            call, first = node.value, lines[node.lineno - 1].encode()[: node.col_offset].decode()
            if first.strip() or not re.fullmatch(r"get_ipython\(\)\.\w+", ast.unparse(call.func)):
                continue
            words = [a.value if isinstance(a, ast.Constant) else None for a in call.args]
            kept = "pass"
            if all(isinstance(w, str) for w in words) and words[1:] and words[0].lower() not in _NOT_PYTHON:
                kept = words[-1] if _is_python(words[-1]) else "pass"
            new = [first + line for line in kept.rstrip("\n").split("\n")]
            after = lines[node.end_lineno - 1].encode()[node.end_col_offset :].decode()
            gone = node.end_lineno - node.lineno + 1 - len(new)  # blank lines, so that the numbers of others stay
            lines[node.lineno - 1 : node.end_lineno] = [*new[:-1], new[-1] + after, *[""] * gone]
    text = "\n".join(lines)
    return text, ast.parse(text).body


# ---- A text that cannot be parsed: find the parts that can ----

_CONTINUES = re.compile(r"[)\]}]|(?:else|elif|except|finally)\b")


def _begins(line: str) -> bool:
    """Whether a line may begin a top-level statement."""
    line = line.lstrip("\f")
    return bool(line) and not line[0].isspace() and line[0] != "#" and not _CONTINUES.match(line)


def _read_chunks(cells: list[int], text: str) -> Reading:
    """Cut a text before the lines that may begin a statement, and keep the pieces that are Python.

    A piece that stops in the middle, as a text in triple quotes may, is tried together with those after it.
    """
    pieces = _pieces(text)
    effort = 30 * len(text) + 200_000  # characters that may be tried, so that nobody's code takes hours
    blocks: list[tuple[str, list[ast.stmt]]] = []
    problem, is_unfinished, good, i = None, False, None, 0
    while i < len(pieces):
        block, first_error, end = None, None, i
        while block is None and end < len(pieces):
            end += 1
            piece = "\n".join(pieces[i:end])
            effort -= len(piece)
            try:
                block = _parse(piece)
            except UNREADABLE as error:
                first_error = first_error or error
                if effort < 0 or not _is_unfinished(piece):
                    break
                is_unfinished = end == len(pieces)
        if block is not None:
            good, i = len(blocks), end
            blocks.append(block)
            continue
        problem = problem or _problem(first_error, sum(text.count("\n") + 1 for text, _ in blocks))
        if good is not None and effort > 0 and (whole := _around(blocks[good:], pieces[i])) is not None:
            blocks[good:] = [whole]
        else:
            blocks += _start_of(pieces[i])
        i += 1
    return _assembled(cells, blocks, problem, is_unfinished)


def _pieces(text: str) -> list[str]:
    lines = text.split("\n")
    starts = sorted({0, *(i for i, line in enumerate(lines) if _begins(line))})
    return ["\n".join(lines[a:b]) for a, b in zip(starts, [*starts[1:], len(lines)], strict=True)]


def _is_unfinished(piece: str) -> bool:
    """Whether more lines might make it Python."""
    try:
        compile(piece + "\n", "", "exec", ast.PyCF_ONLY_AST | codeop.PyCF_ALLOW_INCOMPLETE_INPUT)
    except SyntaxError as error:
        return "incomplete input" in str(error)
    except UNREADABLE:
        pass
    return False


def _around(blocks: list[tuple[str, list[ast.stmt]]], piece: str) -> tuple[str, list[ast.stmt]] | None:
    """The statement that a stray line at the left margin, the first one of ``piece``, has cut in two."""
    stray, _, rest = piece.partition("\n")
    if not _first_line(rest)[:1].isspace():
        return None
    between = [re.sub(r"[^\n]", "", text) for text, _ in blocks[1:]]
    try:
        return _parse("\n".join([blocks[0][0], *between, "", rest]))
    except UNREADABLE:
        return None


def _start_of(piece: str) -> list[tuple[str, list[ast.stmt]]]:
    """A statement and the stray `else:` or bracket below it that make a piece unreadable."""
    lines = piece.split("\n")
    at = next((i for i, line in enumerate(lines) if _CONTINUES.match(line)), 0)
    try:
        return [_parse("\n".join(lines[:at])), ("\n".join(lines[at:]), [])] if at else [(piece, [])]
    except UNREADABLE:
        return [(piece, [])]


def _problem(error: Exception, offset: int) -> str:
    if isinstance(error, SyntaxError):
        return f"{error.msg[:200]}, line {offset + (error.lineno or 1)}"
    return f"{type(error).__name__}, line {offset + 1}"


def _assembled(cells: list[int], blocks: list, problem: str | None, is_unfinished: bool) -> Reading:
    offset, nodes = 0, []
    for text, own in blocks:
        nodes += [ast.increment_lineno(node, offset) for node in own]
        offset += text.count("\n") + 1
    return Reading(cells, "\n".join(text for text, _ in blocks), nodes, problem, is_unfinished)


# ---- Cells that belong together ----


def _first_line(text: str) -> str:
    """The first line with code; "" if there is none."""
    return next((line for line in text.split("\n") if line.strip() and line.lstrip()[0] != "#"), "")


def _dedented(text: str) -> str:
    """Without the indentation of the first line, as IPython reads a cell."""
    first = _first_line(text)
    indent = first[: len(first) - len(first.lstrip())]
    return "\n".join(line.removeprefix(indent) for line in text.split("\n")) if indent else text


def _may_go_on(before: Reading, texts: list[str]) -> bool:
    """Whether the first of the texts may be the second half of a statement, to judge by how both look."""
    first = _plain_spaces(_first_line(texts[0]))
    if len(before.cells) >= MAX_JOINED:
        return False
    if before.is_unfinished or _CONTINUES.match(first):
        return True
    indent = len(first) - len(first.lstrip())
    block = _block(before.nodes[-1], indent) if indent and before.nodes else None
    if block is None or isinstance(block[1][-1], (ast.Return, ast.Raise, ast.Continue, ast.Break)):
        return False
    holder, defines = block[0], _DEFINES.match(first) is not None
    if isinstance(holder, ast.ClassDef):
        return defines
    if isinstance(holder, (ast.FunctionDef, ast.AsyncFunctionDef)):  # or is it a cell that is indented as a whole?
        return not defines and any(map(_returns, takewhile(lambda t: _first_line(t)[:1].isspace(), texts)))
    return not defines


_DEFINES = re.compile(r"\s*(?:@|(?:async\s+def|def|class|import|from)\b)")
_RETURNS = re.compile(r"\s+(?:[\w.,\s]+=\s*)?(?:return|yield)\b")


def _returns(text: str) -> bool:
    """Whether an indented text, up to its first line that is not, has a return."""
    for line in text.split("\n"):
        if _begins(line):
            return False
        if _RETURNS.match(line):
            return True
    return False


def _block(node: ast.AST, indent: int) -> tuple[ast.AST, list[ast.stmt]] | None:
    """The last block of a statement that has this indentation, and the function, class or loop that holds it."""
    holder = node
    while True:
        parts = [getattr(node, name, None) for name in ("finalbody", "orelse", "handlers", "cases", "body")]
        body = next((part for part in parts if isinstance(part, list) and part), None)
        if body is None:
            return None
        if isinstance(body[0], (ast.ExceptHandler, ast.match_case)):
            body = body[-1].body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            holder = node
        if body[0].col_offset == indent:
            return holder, body
        node = body[-1]
