"""What the attacks of this family build from: an honest script, notebooks, zips with every field under our control."""

from __future__ import annotations

import io
import json
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from attacks import lesson

HONEST = lesson.HONEST["vault"]  # 30 points
NOTHING = "x = 1\n"  # defines no function of the lesson: refused before a sandbox is started


def scores(expected: dict[str, float]) -> Callable[[object], str | None]:
    """A criterion: exactly these submissions were graded, with exactly these points."""

    def succeeded(outcome) -> str | None:
        got = {report.submission: report.score for report in outcome.reports}
        return None if got == expected else f"graded {got}, expected {expected}"

    return succeeded


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    """Files below a folder, by name; returns the folder."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    return folder


def notebook(source: str) -> str:
    """A notebook of one code cell."""
    cell = {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]})


def zipped(files: dict[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An ordinary zip."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


@dataclass
class Member:
    """One member of a zip; what the table says may differ from what stands before the data."""

    name: bytes
    data: bytes = b""  # as stored, so packed already where the method is 8
    method: int = 0
    flags: int = 0
    version: int = 20
    size: int | None = None  # what it announces to hold when unpacked
    packed: int | None = None  # what it announces to take in the zip
    crc: int | None = None
    mode: int = stat.S_IFREG | 0o644
    extra: bytes = b""
    name_before_data: bytes | None = None

    def header(self) -> bytes:
        """What stands before the data."""
        name = self.name if self.name_before_data is None else self.name_before_data
        return struct.pack("<4s5H3L2H", b"PK\3\4", *self._common(), len(name), 0) + name

    def entry(self, offset: int) -> bytes:
        """Its line in the table of contents."""
        lengths = (len(self.name), len(self.extra), 0, 0, 0, self.mode << 16, offset)
        head = struct.pack("<4s6H3L5H2L", b"PK\1\2", 3 << 8 | 20, *self._common(), *lengths)
        return head + self.name + self.extra

    def _common(self) -> tuple[int, ...]:
        size = len(self.data) if self.size is None else self.size
        packed = len(self.data) if self.packed is None else self.packed
        crc = zlib.crc32(self.data) if self.crc is None else self.crc
        return self.version, self.flags, self.method, 0, 0, crc, packed, size


def raw_zip(members: Sequence[Member]) -> bytes:
    """A zip of these members, one after another."""
    body, entries = bytearray(), []
    for member in members:
        entries.append(member.entry(len(body)))
        body += member.header() + member.data
    return bytes(body) + table(entries, len(body))


def table(entries: Sequence[bytes], offset: int) -> bytes:
    """A table of contents and the end of a zip."""
    text = b"".join(entries)
    count = min(len(entries), 0xFFFF)
    return text + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(text), offset, 0)


def deflate(data: bytes) -> bytes:
    """Packed without a header, as in a zip."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()
