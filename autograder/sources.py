"""Find submissions in files, folders and zips, and load one: names and links in there are a stranger's."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import IO

from .cells import MAX_FILE_BYTES, SUFFIXES, BadSubmission
from .report import line

MAX_FILES = 5_000  # submissions in one zip or folder
MAX_IN_INNER_ZIP = 100  # in one of the zips of a folder, which one student handed in
MAX_MEMBERS = 20_000  # of a zip, submissions or not
MAX_TABLE_BYTES = 8_000_000  # a zip's table of contents
MAX_DEPTH = 40  # folders in folders
MAX_NAME = 1_000  # characters
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_HEADER_BYTES = 30  # before each member of a zip, besides its name


@dataclass(frozen=True)
class Source:
    """One submission of a batch, not yet read."""

    name: str
    path: Path
    member: zipfile.ZipInfo | None = None  # inside a zip
    problem: str | None = None  # why there is nothing to read
    folder: Path | None = None  # where it was found: no link may lead out of there

    def load(self) -> bytes:
        """Its bytes.

        Raises
        ------
        BadSubmission
            If it is gone, unreadable, too large, or no plain file any more.
        """
        if self.problem is not None:
            raise BadSubmission(self.problem)
        try:
            with _open(self.path, self.folder) as file:
                size = os.fstat(file.fileno()).st_size if self.member is None else self.member.file_size
                if size > MAX_FILE_BYTES:
                    raise BadSubmission(f"{self.name} is larger than {MAX_FILE_BYTES:,} bytes: clear its outputs")
                if self.member is None:
                    return _all(file)
                with zipfile.ZipFile(file) as archive, archive.open(self.member) as stream:
                    return _all(stream)  # the size that the archive announces may be a lie
        except BadSubmission:
            raise
        except Exception as error:  # whatever a parser says about a stranger's bytes is a verdict
            raise BadSubmission(f"{self.name} cannot be read: {error or type(error).__name__}") from None


class _Table(io.BufferedReader):
    """A zip file that refuses to be read in one large piece, as `zipfile` would read a table of a million names."""

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > MAX_TABLE_BYTES:
            raise zipfile.BadZipFile(f"its table of contents takes more than {MAX_TABLE_BYTES:,} bytes")
        return super().read(size)


def _open(path: Path, folder: Path | None) -> _Table:
    """Open a plain file; below ``folder`` through no link, whatever was put there since the folder was searched.

    A pipe or a device is refused, and never waited for.
    """
    is_stepwise = folder is not None and os.open in os.supports_dir_fd  # not on Windows
    steps = [folder, *path.relative_to(folder).parts] if is_stepwise else [path]
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    at = None
    for step in steps:
        above = at
        try:
            at = os.open(step, flags | (os.O_NOFOLLOW if above is not None else 0), dir_fd=above)
        finally:
            if above is not None:
                os.close(above)
    if not stat.S_ISREG(os.fstat(at).st_mode):
        os.close(at)
        raise OSError("it is no plain file")
    return _Table(io.FileIO(at))


def _all(stream: IO[bytes]) -> bytes:
    """What a stream holds, up to one byte more than is allowed, in small pieces: one may be unpacked to a thousand."""
    parts, left = [], MAX_FILE_BYTES + 1
    while left > 0 and (part := stream.read(min(left, 2**20))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def find(paths: Iterable[Path], skipped: list[str] | None = None) -> list[Source]:
    """Submissions in files, folders and zips, in order of their names.

    A folder's zips are opened too. Names are relative to the folder or zip that was asked for, unless two would be
    the same: then all begin with its path. They are printable, and no two are alike.

    Parameters
    ----------
    skipped : gets the names of files in folders and zips that are no submission

    Raises
    ------
    BadSubmission
        If a path is not there, or nothing but zips that cannot be read. What is inside is looked at one by one, later.
    """
    skipped = [] if skipped is None else skipped
    found: list[tuple[str, Source]] = []  # with the name to use if short ones clash
    for path in dict.fromkeys(paths):
        if path.is_dir():
            here = _refuse_floods(_in_folder(path, skipped), 1)
            found += [(f"{path.as_posix()}/{s.name}", s) for s in here]
        elif path.suffix.lower() == ".zip" and path.is_file():
            here = _refuse_floods(_in_zip(path, path.name, skipped), 2)
            found += [(f"{path.parent.as_posix()}/{s.name}", s) for s in here]
        elif path.is_file():
            found.append((path.as_posix(), Source(path.name, path)))
        else:
            raise BadSubmission(f"{path} is {'neither a file nor a folder' if path.exists() else 'not there'}")
    if found and all(s.problem for _, s in found):
        raise BadSubmission(line(found[0][1].problem))
    is_clear = len({s.name for _, s in found}) == len(found)
    return _labelled([s if is_clear else replace(s, name=full) for full, s in found])


def _refuse_floods(sources: list[Source], depth: int) -> list[Source]:
    """Where there are too many, refuse the largest folders: a flood from one student costs the others nothing.

    ``depth`` is how many parts of a name say whose folder or zip it is.
    """
    groups: dict[tuple[str, ...], list[Source]] = {}
    for source in sources:
        groups.setdefault(PurePosixPath(source.name).parts[:depth], []).append(source)
    room, kept = MAX_FILES, []
    for key, group in sorted(groups.items(), key=lambda item: len(item[1])):
        room -= len(group)
        if room < 0:
            name, path = "/".join(key), group[0].path
            few = f"{name} holds {len(group):,} submissions; at most {MAX_FILES:,} are graded at once"
            group = [Source(name, path, problem=few)]
        kept += group
    return sorted(kept, key=lambda s: PurePosixPath(s.name).parts)


def _labelled(sources: list[Source]) -> list[Source]:
    """Sources with printable names, each its own: nobody's grade may stand under the name of somebody else."""
    taken: set[str] = set()
    counts: Counter[str] = Counter()  # how often a name was met
    result = []
    for source in sources:
        name = source.name
        name = line(name if len(name) <= MAX_NAME else f"{name[: MAX_NAME // 2]}...{name[-MAX_NAME // 2 :]}")
        first, base = name, PurePosixPath(name)
        while name in taken:
            counts[first] += 1  # never from 1 again: a flood of names that look alike would take minutes
            name = str(base.with_name(f"{base.stem} ({counts[first] + 1}){base.suffix}"))
        taken.add(name)
        result.append(replace(source, name=name))
    return result


def _in_folder(folder: Path, skipped: list[str]) -> list[Source]:
    sources: list[Source] = []
    for name in _plain_files(folder, skipped):
        path = folder / name
        if path.suffix.lower() == ".zip":
            inside = _in_zip(path, name, skipped, folder)
            if len(inside) > MAX_IN_INNER_ZIP:  # each may take a minute, and others wait
                few = f"{name} holds {len(inside):,} submissions; in a folder a zip may hold {MAX_IN_INNER_ZIP}"
                inside = [Source(name, path, problem=f"{few}: if all are meant, grade the zip itself")]
            sources += inside
        elif path.suffix.lower() in SUFFIXES:
            sources.append(Source(name, path, folder=folder))
        else:
            skipped.append(name)
    return sources


def _plain_files(folder: Path, skipped: list[str]) -> list[str]:
    """Names of the plain files below a folder, through no link. Nothing in there is opened yet."""
    names, waiting = [], [""]
    while waiting:
        here = waiting.pop()
        try:
            entries = list(os.scandir(folder / here))
        except OSError as error:
            skipped.append(f"{here or folder} ({error.strerror})")
            continue
        for entry in entries:
            name = f"{here}/{entry.name}" if here else entry.name
            if _is_hidden(entry.name):
                continue
            if entry.is_symlink():
                skipped.append(f"{name} (a link)")
            elif entry.is_file(follow_symlinks=False):
                names.append(name)
            elif not entry.is_dir(follow_symlinks=False):
                skipped.append(f"{name} (no plain file)")
            elif name.count("/") < MAX_DEPTH:
                waiting.append(name)
            else:
                skipped.append(f"{name} (more than {MAX_DEPTH} folders deep)")
    return sorted(names, key=lambda name: name.split("/"))


def _in_zip(path: Path, name: str, skipped: list[str], folder: Path | None = None) -> list[Source]:
    try:
        with _open(path, folder) as file, zipfile.ZipFile(file) as archive:
            table = archive.infolist()
        _refuse_bad_table(table)
    except Exception as error:  # whatever a parser says about a stranger's bytes is a verdict
        problem = f"{name} is not a zip file that can be read: {error or type(error).__name__}"
        return [Source(name, path, problem=problem)]
    sources: list[Source] = []
    # Of two members with one name the last, as unzipping would.
    members = {member.filename.replace("\\", "/").lstrip("/"): member for member in table}
    for inner, member in sorted(members.items()):
        full = f"{name}/{inner}"
        problem = None
        if inner.endswith("/") or _is_hidden(inner):
            continue
        if stat.S_ISLNK(member.external_attr >> 16):
            skipped.append(f"{full} (a link)")
        elif inner.lower().endswith(".zip"):
            problem = f"{full} is a zip inside a zip: unpack {name} and grade the folder"
        elif not inner.lower().endswith(SUFFIXES):
            skipped.append(full)
        elif member.compress_type not in _METHODS:  # Python would unpack these without any limit on memory
            problem = f"{full} cannot be read: it is packed by an unusual method; make an ordinary zip"
        else:
            sources.append(Source(full, path, member, folder=folder))
        if problem:
            sources.append(Source(full, path, problem=problem))
    return sources


def _refuse_bad_table(table: list[zipfile.ZipInfo]) -> None:
    """Refuse a zip with too many members, or with members that share their bytes, as only bombs have them."""
    if len(table) > MAX_MEMBERS:
        raise zipfile.BadZipFile(f"it has {len(table):,} members; at most {MAX_MEMBERS:,} are looked at")
    ordered = sorted(table, key=lambda member: member.header_offset)
    for member, after in pairwise(ordered):
        if member.header_offset + _HEADER_BYTES + member.compress_size > after.header_offset:
            raise zipfile.BadZipFile("its members overlap")


def _is_hidden(name: str) -> bool:
    """Whether no person wrote it: hidden files and folders, caches, and what macOS adds to a zip."""
    parts = PurePosixPath(name).parts
    return any((p.startswith(".") and p != "..") or p in ("__MACOSX", "__pycache__") for p in parts)
