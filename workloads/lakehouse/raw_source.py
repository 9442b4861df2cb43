"""Raw lines as a table of Spark: file, line number, byte position and exact text, without an RDD.

The driver surveys the files (`raw_files.survey`); their ranges become partitions, and each is read where Spark runs it.
A file that grows meanwhile is read as far as the survey saw it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from workloads.lakehouse.batches import Batches, mapped
from workloads.lakehouse.raw_files import RANGE_BYTES, DamagedGzipError, RawFile, gunzip, whole_lines

BATCH_LINES = 10_000
LOOK_BACK_BYTES = 2**16  # of a file, before each of its ranges

SCHEMA = "file STRING, line BIGINT, position BIGINT, raw BINARY, text STRING, damaged_text BOOLEAN"
ARROW = pa.schema(
    {
        "file": pa.string(),
        "line": pa.int64(),
        "position": pa.int64(),
        "raw": pa.binary(),
        "text": pa.string(),
        "damaged_text": pa.bool_(),
    }
)


def read(
    spark: SparkSession,
    files: Iterable[RawFile],
    made_of: Callable[[Batches, Batches], Batches] | None = None,
    schema: str | StructType = SCHEMA,
) -> DataFrame:
    """All lines of `files`, without their `\\n`: file, line (from 1), byte position in the decompressed file, and text.

    A line that is no UTF-8 comes with its bytes, too; its text shows what is none as `\\xNN`, `damaged_text` says so.
    `made_of` turns lines of one file, in their order, into what is wanted of them, of the `schema` given, where they
    are read: so that Spark need not hand them to Python once more. As the second it is given the lines before these, as
    far as LOOK_BACK_BYTES reach, which are read only if it asks for them.
    """
    plan = _plan(files)
    if not plan:
        return spark.createDataFrame([], schema)

    def lines(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column(0).to_pylist():
                for piece in plan[number]:
                    found = _read(piece)
                    yield from found if made_of is None else made_of(found, _before(piece))

    return mapped(spark.range(0, len(plan), numPartitions=len(plan)), lines, schema)


def _plan(files: Iterable[RawFile]) -> list[list[dict]]:
    """Partitions: lists of pieces that together are about as large as a range. A gzip file is one piece."""
    partitions: list[list[dict]] = []
    room = 0
    for file in files:
        for piece, size in _pieces(file):
            if size > room:
                partitions.append([])
                room = RANGE_BYTES
            partitions[-1].append(piece)
            room -= size
    return partitions


def _pieces(file: RawFile) -> Iterator[tuple[dict, int]]:
    where = {"file": file.name, "path": file.path}
    if file.compressed:
        yield where | {"start": None}, file.bytes
    for part in file.ranges:
        yield where | {"start": part.start, "end": part.end, "line": part.line}, part.end - part.start


def _read(piece: dict) -> Iterator[pa.RecordBatch]:
    """The lines of a piece, in batches."""
    position, line = piece["start"] or 0, piece.get("line", 1)
    for block in _blocks(piece):
        lines, starts = _lines(block)
        for first in range(0, len(lines), BATCH_LINES):
            part = slice(first, first + BATCH_LINES)
            yield _batch(piece["file"], lines[part], starts[part] + position, line + first)
        position, line = position + len(block), line + len(lines)


def _before(piece: dict) -> Iterator[pa.RecordBatch]:
    """The lines that end where a piece begins."""
    end = piece["start"] or 0
    start = max(0, end - LOOK_BACK_BYTES)
    with Path(piece["path"]).open("rb") as stream:
        stream.seek(start)
        block = stream.read(end - start)
    cut = block.find(b"\n") + 1 if start else 0  # it may begin in the middle of a line
    if block[cut:]:
        lines, starts = _lines(block[cut:])
        yield _batch(piece["file"], lines, starts + start + cut, piece["line"] - len(lines))


def _blocks(piece: dict) -> Iterator[bytes]:
    """The bytes of a piece, in blocks of whole lines."""
    with Path(piece["path"]).open("rb") as stream:
        if piece["start"] is None:
            yield from whole_lines(_readable(stream))
        else:
            stream.seek(piece["start"])
            yield stream.read(piece["end"] - piece["start"])


def _readable(stream: BinaryIO) -> Iterator[bytes]:
    try:
        yield from gunzip(stream)
    except DamagedGzipError:
        return  # the survey has recorded the damage; what is before it counts


def _lines(block: bytes) -> tuple[pa.LargeBinaryArray, np.ndarray]:
    """The lines of a block without their newlines, and where in the block they begin."""
    whole = block if block.endswith(b"\n") else block + b"\n"
    ends = np.flatnonzero(np.frombuffer(whole, np.uint8) == ord("\n")) + 1
    offsets = np.concatenate(([0], ends)).astype(np.int64)
    # Arrow takes bytes and offsets as they are, so that no line becomes an object of Python.
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(whole)]
    lines = pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(ends), buffers)
    return pc.binary_slice(lines, 0, -1), offsets[:-1]


def _batch(file: str, lines: pa.LargeBinaryArray, positions: np.ndarray, line: int) -> pa.RecordBatch:
    """A batch of lines, the first of which has the number `line`."""
    count = len(lines)
    try:
        texts, raws, damaged = lines.cast(pa.string()), pa.nulls(count, pa.binary()), pa.repeat(pa.scalar(False), count)
    except pa.ArrowInvalid:
        texts, raws, damaged = _damaged(lines)
    numbers = np.arange(line, line + count, dtype=np.int64)
    columns = [pa.repeat(pa.scalar(file), count), pa.array(numbers), pa.array(positions), raws, texts, damaged]
    return pa.RecordBatch.from_arrays(columns, schema=ARROW)


def _damaged(lines: pa.LargeBinaryArray) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Texts of lines of which some are no UTF-8, the bytes of these, and which they are."""
    offsets = np.frombuffer(lines.buffers()[1], np.int64, len(lines) + 1, 8 * lines.offset)
    data = np.frombuffer(lines.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
    # Only lines with a byte that is not of ASCII become objects of Python.
    beyond = np.zeros(len(lines), bool)
    beyond[np.searchsorted(offsets, np.flatnonzero(data >= 128) + offsets[0], "right") - 1] = True
    bytes_of = lines.filter(pa.array(beyond)).to_pylist()
    shown = [line.decode("utf-8", "backslashreplace") for line in bytes_of]
    kept = [None if text.encode() == line else line for text, line in zip(shown, bytes_of, strict=True)]
    ascii_only = pc.if_else(pa.array(beyond), pa.scalar(b"", lines.type), lines).cast(pa.string())
    texts = pc.replace_with_mask(ascii_only, pa.array(beyond), pa.array(shown, pa.string()))
    raws = pc.replace_with_mask(pa.nulls(len(lines), pa.binary()), pa.array(beyond), pa.array(kept, pa.binary()))
    return texts, raws, raws.is_valid()
