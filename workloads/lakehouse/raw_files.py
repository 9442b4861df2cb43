"""Raw files as they lie in a folder: what they hold, before Spark reads a line of them.

One pass over each file gives its hash, its number of lines and the byte ranges in which it can be read in parallel.
Lines end at `\\n` only; what follows the last `\\n` is a line, too.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from workloads.lakehouse.errors import TaskError

RANGE_BYTES = 8 * 2**20
GZIP_MAGIC = b"\x1f\x8b"
# Deflate expands at most 1,032-fold: a piece of this size gives at most 16 MiB at once.
GZIP_PIECE = 16 * 2**10


class DamagedGzipError(Exception):
    """A gzip stream that ends early or is broken; the text says where."""


@dataclass(frozen=True)
class Range:
    """Bytes from `start` to `end` of a file, whole lines, the first of which has the number `line`."""

    start: int
    end: int
    line: int


@dataclass(frozen=True)
class RawFile:
    """A file of raw lines: `name` is its path within its folder, `sha256` the hash of its bytes as they are stored.

    `damage` says what is wrong with a gzip file; its lines are then those before the damage. Plain files have `ranges`.
    """

    name: str
    path: str
    bytes: int
    sha256: str
    lines: int
    compressed: bool
    damage: str | None
    ranges: tuple[Range, ...]


def files(folder: Path) -> list[Path]:
    """All files in `folder` and below it, by name; none where there is no such folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def survey(folder: Path) -> list[RawFile]:
    """All files in `folder` and below it, by name. Raises TaskError where there are none or one cannot be read."""
    paths = files(folder)
    if not paths:
        raise TaskError(f"there are no files in {folder}: upload some first")
    return survey_of(paths, folder)


def survey_of(paths: Iterable[Path], folder: Path) -> list[RawFile]:
    """These files of `folder`, in their order. Raises TaskError where one cannot be read."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda path: _survey_file(path, folder), paths))


def _survey_file(path: Path, folder: Path) -> RawFile:
    try:
        with path.open("rb") as stream:
            compressed = stream.read(2) == GZIP_MAGIC
            stream.seek(0)
            look = _survey_gzip if compressed else _survey_plain
            sha256, size, lines, damage, ranges = look(stream)
    except OSError as error:
        raise TaskError(f"cannot read {path}: {error.strerror}") from error
    # A name that is no UTF-8 is shown with escapes, as the lines are; the path keeps its bytes.
    name = os.fsencode(path.relative_to(folder).as_posix()).decode("utf-8", "backslashreplace")
    return RawFile(name, os.fspath(path), size, sha256, lines, compressed, damage, ranges)


def _survey_plain(stream: BinaryIO) -> tuple[str, int, int, None, tuple[Range, ...]]:
    digest, size, start, line, ranges = hashlib.sha256(), 0, 0, 1, []
    while block := stream.read(RANGE_BYTES):
        digest.update(block)
        if newlines := block.count(b"\n"):
            end = size + block.rindex(b"\n") + 1
            ranges.append(Range(start, end, line))
            start, line = end, line + newlines
        size += len(block)
    if size > start:
        ranges.append(Range(start, size, line))
        line += 1
    return digest.hexdigest(), size, line - 1, None, tuple(ranges)


def _survey_gzip(stream: BinaryIO) -> tuple[str, int, int, str | None, tuple[Range, ...]]:
    sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    size = stream.tell()
    stream.seek(0)
    newlines, last, damage = 0, b"\n", None
    try:
        for block in gunzip(stream):
            newlines += block.count(b"\n")
            last = block[-1:]
    except DamagedGzipError as error:
        damage = str(error)
    return sha256, size, newlines + (last != b"\n"), damage, ()


def sha256(path: Path) -> str | None:
    """The hash of a file's bytes; None where there is no file."""
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def gunzip(stream: BinaryIO) -> Iterator[bytes]:
    """The decompressed bytes of `stream`, in blocks, up to its end or its damage, which raises DamagedGzipError."""
    inflate, read = None, 0
    while piece := stream.read(GZIP_PIECE):
        while piece:
            if inflate is None:
                piece = piece.lstrip(b"\0")  # padding is allowed after a member
                if not piece:
                    break
                inflate = zlib.decompressobj(wbits=31)
            before = inflate.copy()
            try:
                block = inflate.decompress(piece)
            except zlib.error as error:
                yield from _up_to_damage(before, piece)
                raise DamagedGzipError(f"{_reason(error)} near byte {read} of the compressed file") from error
            if block:
                yield block
            piece = inflate.unused_data
            if inflate.eof:
                inflate = None
        read = stream.tell()
    if inflate is not None:
        raise DamagedGzipError(f"the compressed file ends early, after {read} bytes")


def _up_to_damage(inflate: zlib._Decompress, piece: bytes) -> Iterator[bytes]:
    """What a broken piece still gives, byte by byte."""
    for position in range(len(piece)):
        try:
            block = inflate.decompress(piece[position : position + 1])
        except zlib.error:
            return
        if block:
            yield block


def _reason(error: zlib.error) -> str:
    return str(error).rpartition(": ")[2]


def whole_lines(blocks: Iterable[bytes], size: int = RANGE_BYTES) -> Iterator[bytes]:
    """The same bytes, cut after newlines into blocks of at least `size`, but for the last."""
    pending: list[bytes] = []
    held = 0
    for block in blocks:
        pending.append(block)
        held += len(block)
        if held >= size and (end := block.rfind(b"\n") + 1):
            yield b"".join((*pending[:-1], block[:end]))
            pending, held = [block[end:]], len(block) - end
    if held:
        yield b"".join(pending)
