"""Results on disk, found again by what they were computed from.

An entry is one file of arrays. Its name is a SHA-256 of everything the result depends on, so an entry is never out of
date; it begins with a SHA-256 of its own content, so damage is noticed. It is written under another name and then
renamed: a reader, also in another process, sees a whole entry or none. Two processes that compute the same entry write
the same file twice, which does no harm.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAX_BYTES", "folder", "get", "key", "put", "trim"]

MAX_BYTES = 4 * 1024**3
"""The folder is kept below this many bytes: what was not used for longest goes first."""

KEPT_SHARE = 0.8
"""Part of `MAX_BYTES` that is left after trimming, so that not every new entry trims again."""

TRIM_EVERY_BYTES = 128 * 1024**2
"""Written bytes after which a process looks at the size of the folder."""

ABANDONED_SECONDS = 3600.0
"""Age at which a half-written file belongs to a process that was stopped."""

_MAGIC = b"unseg-cache-1\n"
_DIGEST_BYTES = 32
_written = 0  # bytes since this process last trimmed
_warned = False  # that the folder cannot be written: once is enough


def folder() -> Path:
    """Where entries lie: ``UNSEG_CACHE`` when it is set, otherwise a folder among the user's caches."""
    named = os.environ.get("UNSEG_CACHE", "").strip()
    if named:
        return Path(named).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("unseg", appauthor=False) / "features"


def key(array: NDArray, *settings: object) -> str:
    """SHA-256 of an array (type, shape and values) and of settings: 64 hex digits.

    Settings must have a `repr` that is the same in every process: text, numbers, None and tuples of these.
    """
    array = np.ascontiguousarray(array)
    digest = hashlib.sha256(repr((array.dtype.str, array.shape, settings)).encode())
    digest.update(array.data)
    return digest.hexdigest()


def get(name: str) -> dict[str, NDArray] | None:
    """The arrays of an entry, or None where there is none; a damaged entry is removed with a warning."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    path = _path(name)
    try:
        content = path.read_bytes()
    except OSError:  # absent, or another process has just trimmed it
        return None
    payload = content[len(_MAGIC) + _DIGEST_BYTES :]
    if content[: len(_MAGIC) + _DIGEST_BYTES] == _MAGIC + hashlib.sha256(payload).digest():
        with contextlib.suppress(SafetensorError):
            arrays = {label: _writable(array) for label, array in load(payload).items()}
            with contextlib.suppress(OSError):  # a folder that may only be read still serves
                os.utime(path)  # used just now
            return arrays
    warnings.warn(f"the cache entry {path} is damaged; it is computed again", RuntimeWarning, stacklevel=2)
    with contextlib.suppress(OSError):
        path.unlink()
    return None


def put(name: str, arrays: dict[str, NDArray]) -> None:
    """Write an entry; where that is impossible (disk full, folder read-only), warn once and go on without it."""
    from safetensors.numpy import save

    global _warned, _written
    payload = save({label: np.ascontiguousarray(array) for label, array in arrays.items()})
    path = _path(name)
    unfinished = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, unfinished = tempfile.mkstemp(prefix=f"{name[:16]}.", suffix=".part", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(_MAGIC + hashlib.sha256(payload).digest())
            file.write(payload)
        os.replace(unfinished, path)
    except OSError as error:
        if unfinished is not None:
            with contextlib.suppress(OSError):
                os.unlink(unfinished)
        if not _warned:
            _warned = True
            warnings.warn(
                f"results cannot be kept in {folder()} ({error}); they are computed anew each time. "
                "Set UNSEG_CACHE to a folder that can be written",
                RuntimeWarning,
                stacklevel=2,
            )
        return
    _written += len(payload)
    if _written >= TRIM_EVERY_BYTES:
        _written = 0
        trim()


def trim(max_bytes: int | None = None) -> None:
    """Remove entries, the longest unused first, until the folder is well below its bound (`MAX_BYTES`)."""
    bound = MAX_BYTES if max_bytes is None else max_bytes
    entries = []
    for path in folder().glob("??/*"):
        try:
            found = path.stat()
        except OSError:  # another process trims too
            continue
        if path.suffix == ".part":
            if time.time() - found.st_mtime > ABANDONED_SECONDS:
                with contextlib.suppress(OSError):
                    path.unlink()
        elif path.suffix == ".cache":
            entries.append((found.st_mtime, found.st_size, path))
    total = sum(size for _, size, _ in entries)
    if total <= bound:
        return
    for _, size, path in sorted(entries):
        with contextlib.suppress(OSError):
            path.unlink()
        total -= size
        if total <= KEPT_SHARE * bound:
            return


def _path(name: str) -> Path:
    return folder() / name[:2] / f"{name}.cache"


def _writable(array: NDArray) -> NDArray:
    return array if array.flags.writeable else array.copy()
