"""Fetch a data set: download the official archives, check them, convert them into a pack.

The order of things keeps a pack whole or absent, whatever happens on the way:

1. one process at a time works on a set (a lock that the system frees when the process ends);
2. an archive grows in a ``.part`` file; after an interruption only the rest is asked for (HTTP Range);
3. it takes its name when its size and checksum are right; a file with a wrong checksum is removed;
4. the pack is written and checked in a temporary folder beside its place, and takes its name by one rename.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from . import packs, registry
from .convert import BrokenArchive, convert
from .registry import Archive, DataSet

TIMEOUT = 30.0
"""Seconds without an answer from a server after which a try counts as failed."""

TRIES = 4
"""Times that a download is taken up again by itself when the connection breaks."""

CHUNK = 1 << 16
"""Bytes read at a time."""

SUMS = "SHA256SUMS"
"""The last file that is written into a pack: where it is, the pack is whole."""


class FetchError(Exception):
    """A data set could not be fetched; the message says in a sentence why and what to do."""


class LicenseNotAccepted(FetchError):
    """The terms of a data set were not accepted."""


class _Unreachable(FetchError):
    """The archive cannot be had from this address: a mirror may help."""


class _Moved(_Unreachable):
    """The server has no such file any more: the publisher's page may tell where it is now."""


# Downloading ---------------------------------------------------------------------------------------------------------


class ResumingDownloader:
    """Downloader for `pooch.retrieve` that goes on where an earlier try stopped.

    Bytes are collected in ``part``; beside it, ``part.json`` remembers of which version of which file they are, so
    that pieces of two files are never glued together.

    Parameters
    ----------
    part : Path
        File that grows.
    size : int or None
        Bytes of the whole, where known.
    progress : bool
        Show a bar.
    """

    def __init__(self, part: Path, *, size: int | None = None, progress: bool = True):
        self.part = part
        self.size = size
        self.progress = progress

    def __call__(self, url: str, output_file: str, _pooch: object = None) -> None:
        import requests

        for left in reversed(range(TRIES)):
            before = self._have()
            try:
                self._go_on(url)
                break
            except requests.exceptions.RequestException as error:
                # Try again only while it gets anywhere: without any new byte the network is away.
                if not left or self._have() <= before:
                    raise self._interrupted(url, error) from error
                time.sleep(0.2 * (TRIES - left))
        if self.size is not None and self._have() < self.size:
            raise _Unreachable(
                f"{url} sent only {self._have():,} of {self.size:,} bytes: run the same command again later and it "
                "goes on from there"
            )
        os.replace(self.part, output_file)
        self._note.unlink(missing_ok=True)

    @property
    def _note(self) -> Path:
        return self.part.with_name(self.part.name + ".json")

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def _known_version(self, url: str) -> str:
        """ETag or date of the file that ``part`` is a piece of; forgets a piece of another file."""
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
            if note["url"] == url and self._have():
                return note["version"]
        except (OSError, ValueError, KeyError, TypeError):
            pass
        self._forget()
        return ""

    def _go_on(self, url: str) -> None:
        """Ask for what is missing and append it."""
        import requests

        version = self._known_version(url)
        have = self._have()
        if self.size is not None and have > self.size:
            self._forget()
            have = 0
        if self.size is not None and have == self.size:
            return
        headers = {"Accept-Encoding": "identity", "User-Agent": "unseg"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if version:  # a file that changed meanwhile is sent whole
                headers["If-Range"] = version
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if answer.status_code == 416 and have:  # nothing after what we have: it is whole, or it changed
                total = answer.headers.get("Content-Range", "").rpartition("/")[2]
                if total.isdigit() and int(total) == have and self.size is None:
                    return
                self._forget()
                return self._go_on(url)
            if not answer.ok:
                raise _refusal(url, answer.status_code, answer.reason)
            if answer.status_code != 206:
                have = 0  # the server sends everything
            elif not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                self._forget()
                return self._go_on(url)
            length = answer.headers.get("Content-Length", "")
            total = have + int(length) if length.isdigit() else self.size
            self._remember(url, answer.headers)
            self._append(answer, have, total)
        if total is not None and self._have() < total:
            raise requests.exceptions.ConnectionError(f"the connection ended after {self._have():,} of {total:,} bytes")

    def _remember(self, url: str, headers: dict) -> None:
        etag = headers.get("ETag", "")
        version = etag if etag and not etag.startswith("W/") else headers.get("Last-Modified", "")
        self._note.write_text(json.dumps({"url": url, "version": version}), encoding="utf-8")

    def _append(self, answer, have: int, total: int | None) -> None:
        import requests
        from tqdm import tqdm
        from urllib3.exceptions import HTTPError

        name = self.part.name.removesuffix(".part")
        with (
            open(self.part, "ab" if have else "wb") as file,
            tqdm(
                total=total,
                initial=have,
                desc=name,
                unit="B",
                unit_scale=True,
                **_bar_options(self.progress),
            ) as bar,
        ):
            # Raw bytes: servers that label a .tgz "Content-Encoding: gzip" would have it unpacked on the way; and what
            # arrived before a connection broke would be lost in the decoder.
            try:
                for chunk in answer.raw.stream(CHUNK, decode_content=False):
                    file.write(chunk)
                    bar.update(len(chunk))
            except HTTPError as error:
                raise requests.exceptions.ConnectionError(error) from error

    def _interrupted(self, url: str, error: Exception) -> FetchError:
        import requests

        have = self._have()
        if have:
            return FetchError(
                f"The download of {self.part.name.removesuffix('.part')} stopped after {_mb(have)} ({_reason(error)}): "
                "run the same command again and it goes on from there"
            )
        slow = isinstance(error, requests.exceptions.Timeout)
        return _Unreachable(
            f"{urlsplit(url).netloc} {'does not answer' if slow else 'cannot be reached'} ({_reason(error)}): "
            "check the network connection and run the same command again"
        )


def _bar_options(progress: bool) -> dict:
    """Where output goes to a file or a notebook, a bar every ten seconds is enough."""
    return {
        "disable": not progress,
        "file": sys.stderr,
        "mininterval": 0.1 if sys.stderr.isatty() else 10.0,
        "dynamic_ncols": True,
    }


def _refusal(url: str, status: int, reason: str) -> _Unreachable:
    if status in (401, 403, 404, 410):
        return _Moved(
            f"{url} answered {status} {reason}: the publisher has moved the file, so look for it on their page and "
            "pass the folder into which you saved it by --from FOLDER"
        )
    return _Unreachable(f"{url} answered {status} {reason}: the server has trouble, so try again later")


def _reason(error: BaseException) -> str:
    """The innermost cause, short."""
    seen = error
    while True:
        inner = getattr(seen, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((value for value in seen.args if isinstance(value, BaseException)), None)
        if inner is None:
            break
        seen = inner
    return str(seen).rpartition(": ")[2].strip() or type(seen).__name__


def _mb(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size < 1e9 else f"{size / 1e9:,.2f} GB"


def _retrieve(archive: Archive, folder: Path, *, progress: bool, say: Callable[[str], None]) -> Path:
    """The archive of this entry in the folder, downloaded and checked unless it is there already."""
    import pooch

    path = folder / archive.file
    if not path.exists():
        say(f"downloading {archive.url}")
        if archive.checksum is None:
            say(f"checksum of {archive.file}: {archive.checksum_by}; its content is checked instead")
    part = folder / f"{archive.file}.part"
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("WARNING")  # it would advise to copy the hash of a file that has none
    try:
        pooch.retrieve(
            archive.url,
            known_hash=archive.checksum,
            fname=archive.file,
            path=folder,
            downloader=ResumingDownloader(part, size=archive.size, progress=progress),
        )
    except ValueError as error:  # what pooch raises for a wrong checksum; it has removed the file
        raise _Unreachable(
            f"{archive.url} is not the expected file (its checksum differs), so it was removed: run the same command "
            "again, and if that does not help, the file on the server has changed"
        ) from error
    finally:
        logger.setLevel(level)
    return path


def _matches(path: Path, archive: Archive) -> bool:
    if archive.size is not None and path.stat().st_size != archive.size:
        return False
    if archive.checksum is None:
        return True
    algorithm, _, expected = archive.checksum.partition(":")
    return _digest(path, algorithm) == expected


def _digest(path: Path, algorithm: str = "sha256") -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def _archive(archive: Archive, folder: Path, *, progress: bool, say: Callable[[str], None]) -> Path:
    """Download from the publisher, or from the mirror when that fails; says so."""
    if archive.mirror is not None and (folder / archive.mirror.file).exists():
        return folder / archive.mirror.file
    try:
        return _retrieve(archive, folder, progress=progress, say=say)
    except _Unreachable as error:
        if archive.mirror is None:
            raise
        say(f"{error}")
        say(f"trying the mirror instead: {archive.mirror.url}")
        try:
            return _retrieve(archive.mirror, folder, progress=progress, say=say)
        except FetchError as second:
            raise type(second)(f"{second} (this was the mirror; before that: {error})") from second


# Locking -------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _locked(path: Path, *, say: Callable[[str], None]) -> Iterator[None]:
    """Hold a file lock; waits for another process that has it. The system frees it when a process dies."""
    with open(path, "a+b") as file:
        if not _try_lock(file):
            say(f"another process is fetching this set; waiting for it (lock {path})")
            while not _try_lock(file):
                time.sleep(0.1)
        try:
            yield
        finally:
            _unlock(file)


if os.name == "nt":
    import msvcrt

    def _try_lock(file) -> bool:
        try:
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(file) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(file) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(file) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)


# The whole -----------------------------------------------------------------------------------------------------------


def fetch(
    name: str,
    *,
    to: str | os.PathLike | None = None,
    archives_from: str | os.PathLike | None = None,
    accept_license: bool = False,
    confirm: Callable[[DataSet], bool] | None = None,
    force: bool = False,
    progress: bool = True,
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """Get a data set, unless it is here already.

    Parameters
    ----------
    name : str
        One of `registry.SETS`; ``"bsds300"`` gets ``"bsds500"``, which holds it.
    to : path or None
        Folder for packs; None means `packs.user_data_folder`, where the readers look.
    archives_from : path or None
        Folder in which the official archives lie already, under the publisher's file names or those of the registry:
        for machines without a network. They are checked and left alone.
    accept_license : bool
        Accept terms that allow no commercial use.
    confirm : callable or None
        Asked with the data set when such terms were not accepted yet; None counts as no.
    force : bool
        Fetch and convert anew even if the pack is here; the old one stays until the new one is whole.
    progress : bool
        Show progress bars.
    say : callable
        Called with lines that tell what happens.

    Returns
    -------
    Path
        Folder of the pack.

    Raises
    ------
    LicenseNotAccepted
        If the terms were not accepted; nothing was downloaded.
    FetchError
        If something went wrong; the message says what to do. No half-written pack is left.
    """
    dataset = registry.get(name)
    if dataset.part_of:
        say(f"{name} is part of {dataset.part_of}")
        dataset = registry.get(dataset.part_of)
    root = Path(to).expanduser() if to is not None else packs.user_data_folder()
    folder = root / dataset.name
    if not force and is_whole(folder):
        say(f"{dataset.name} is here already: {folder}")
        return folder
    if dataset.non_commercial and not accept_license and not (confirm is not None and confirm(dataset)):
        raise LicenseNotAccepted(
            f"The terms of {dataset.name} were not accepted ({dataset.license}): "
            f"accept them with `unseg data fetch {dataset.name} --accept-license`"
        )
    with _plain_errors(root):
        root.mkdir(parents=True, exist_ok=True)
        with _locked(root / f".{dataset.name}.lock", say=say):
            if not force and is_whole(folder):  # the process that we waited for has done it
                say(f"{dataset.name} is here already: {folder}")
                return folder
            _clean(root, dataset.name)
            if not force and folder.is_dir() and any(folder.iterdir()) and not (folder / SUMS).exists():
                raise FetchError(
                    f"{folder} holds files that `unseg data fetch` did not put there, so it is left alone: move it "
                    "away, choose another folder with --to FOLDER, or replace it with --force"
                )
            downloads = root / ".downloads" / dataset.name
            given = Path(archives_from).expanduser() if archives_from is not None else None
            if given is not None:
                paths = [_given(archive, given) for archive in dataset.archives]
            else:
                _need_space(root, dataset, downloads)
                downloads.mkdir(parents=True, exist_ok=True)
                try:
                    paths = [_archive(archive, downloads, progress=progress, say=say) for archive in dataset.archives]
                except _Moved as error:
                    raise FetchError(f"{error} ({dataset.page})") from error
            try:
                _convert(dataset, paths, root, progress=progress, say=say)
            except BrokenArchive as error:
                if given is not None:
                    raise FetchError(f"{error.path} cannot be used ({error}): get this archive again") from error
                error.path.unlink(missing_ok=True)
                raise FetchError(
                    f"The downloaded archive is damaged or not the expected one, so it was removed ({error}): run the "
                    "same command again"
                ) from error
            if given is None:
                shutil.rmtree(downloads, ignore_errors=True)
                with contextlib.suppress(OSError):
                    downloads.parent.rmdir()  # only when no other set is being fetched
    say(f"{dataset.name} is ready: {folder}")
    return folder


def is_whole(folder: Path) -> bool:
    """Whether a pack that `fetch` made is complete: every file of its ``SHA256SUMS`` is there."""
    try:
        names = [line.split("  ", 1)[1] for line in (folder / SUMS).read_text(encoding="utf-8").splitlines()]
    except (OSError, IndexError):
        return False
    return bool(names) and all((folder / name).is_file() for name in names)


def check(folder: Path) -> list[str]:
    """Names of the files of a pack that are missing or differ from its ``SHA256SUMS``.

    Raises
    ------
    FetchError
        If the folder has no ``SHA256SUMS``.
    """
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise FetchError(f"{folder} has no {SUMS}, so there is nothing to compare with") from error
    wrong = []
    for line in lines:
        expected, _, name = line.partition("  ")
        path = folder / name
        if not path.is_file() or _digest(path) != expected:
            wrong.append(name)
    return wrong


def _given(archive: Archive, folder: Path) -> Path:
    """An archive that somebody put into a folder."""
    options = [option for option in (archive, archive.mirror) if option is not None]
    places = {folder / name: option for option in options for name in (option.file, option.url.rpartition("/")[2])}
    for path, option in places.items():
        if path.is_file():
            if not _matches(path, option):
                raise FetchError(
                    f"{path} is not the expected file (its checksum or size differs): get {option.url} again"
                )
            return path
    names = " or ".join(path.name for path in places)
    raise FetchError(f"{folder} holds no {names}: get it from {archive.url}")


def _need_space(root: Path, dataset: DataSet, downloads: Path) -> None:
    """Say that the disk is too small before hours of download, not after them."""
    have = sum(path.stat().st_size for path in downloads.iterdir()) if downloads.is_dir() else 0
    need = (dataset.download_mb + dataset.disk_mb) * 1_000_000 - have
    free = shutil.disk_usage(root).free
    if free < need:
        raise FetchError(
            f"Fetching {dataset.name} needs {_mb(need)} on the disk of {root} and {_mb(free)} are free: "
            "make room, or choose another disk with --to FOLDER"
        )


def _clean(root: Path, name: str) -> None:
    """Remove what a process that was killed in the middle of a conversion left behind."""
    for path in root.glob(f".{name}-*.tmp"):
        if path.name.endswith("-old.tmp") and not (root / name).exists():
            os.rename(path, root / name)  # killed between the two renames of `_swap`
        else:
            shutil.rmtree(path, ignore_errors=True)


def _convert(dataset: DataSet, archives: list[Path], root: Path, *, progress: bool, say: Callable[[str], None]) -> None:
    """Write the pack beside its place, then put it there by a rename."""

    def bar(iterable: Iterable, **options: object) -> Iterable:
        from tqdm import tqdm

        return tqdm(iterable, **_bar_options(progress), **options)

    say(f"converting {dataset.name}")
    temporary = Path(tempfile.mkdtemp(prefix=f".{dataset.name}-", suffix=".tmp", dir=root))
    try:
        temporary.chmod(0o755)  # mkdtemp makes it private; a pack may be shared
        convert(dataset, archives, temporary, bar=bar)
        sums = "".join(f"{_digest(path)}  {path.name}\n" for path in sorted(temporary.iterdir()))
        (temporary / SUMS).write_text(sums, encoding="utf-8", newline="\n")
        for path in temporary.iterdir():
            with open(path, "rb+") as file:
                os.fsync(file.fileno())
        _swap(temporary, root / dataset.name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _swap(new: Path, place: Path) -> None:
    """Put a folder in its place, and what was there out of the way."""
    if not place.exists():
        os.rename(new, place)
        return
    old = new.with_name(f"{new.name.removesuffix('.tmp')}-old.tmp")
    os.rename(place, old)
    try:
        os.rename(new, place)
    except OSError:
        os.rename(old, place)
        raise
    shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def _plain_errors(root: Path) -> Iterator[None]:
    """Turn what the system says about files into a sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise FetchError(
                f"The disk of {root} is full: make room, or choose another disk with --to FOLDER, and run the command "
                "again; what was downloaded is kept"
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise FetchError(
                f"{error.filename or root} cannot be written: choose a folder of your own with --to FOLDER"
            ) from error
        raise FetchError(f"{root} cannot be used ({error}): choose another folder with --to FOLDER") from error
