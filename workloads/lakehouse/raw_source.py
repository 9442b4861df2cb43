"""Raw lines as a Spark data source: file, line number, byte position and exact bytes, without an RDD.

The driver surveys the files (`raw_files.survey`); their ranges become partitions. A file that grows meanwhile is read
as far as the survey saw it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition

from workloads.lakehouse.raw_files import RANGE_BYTES, DamagedGzipError, RawFile, gunzip, split_lines

BATCH_LINES = 10_000
BATCH_BYTES = 8 * 2**20

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


def read(spark: SparkSession, files: Iterable[RawFile]) -> DataFrame:
    """All lines of `files`: file, line (from 1), byte position in the decompressed file, raw bytes without the `\\n`,
    text (UTF-8; bytes that are none appear as `\\xNN`, and `damaged_text` says so)."""
    spark.dataSource.register(RawLines)
    return spark.read.format(RawLines.name()).option("plan", json.dumps(_plan(files))).load()


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


class RawLines(DataSource):
    """The data source `raw_lines`; its option `plan` holds the partitions."""

    @classmethod
    def name(cls) -> str:
        return "raw_lines"

    def schema(self) -> str:
        return SCHEMA

    def reader(self, schema: object) -> DataSourceReader:
        return RawLinesReader(json.loads(self.options["plan"]))


class RawLinesReader(DataSourceReader):
    """Reads the pieces of a partition one after the other, in batches of bounded size."""

    def __init__(self, plan: list[list[dict]]) -> None:
        self.plan = plan

    def partitions(self) -> list[InputPartition]:
        return [InputPartition(pieces) for pieces in self.plan]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        # Spark plans one empty partition where a source has none.
        for piece in partition.value if partition else ():
            yield from _batches(piece["file"], _lines(piece))


def _lines(piece: dict) -> Iterator[tuple[int, int, bytes]]:
    with Path(piece["path"]).open("rb") as stream:
        if piece["start"] is None:
            yield from split_lines(_readable(stream))
        else:
            stream.seek(piece["start"])
            block = stream.read(piece["end"] - piece["start"])
            yield from split_lines([block], piece["start"], piece["line"])


def _readable(stream: BinaryIO) -> Iterator[bytes]:
    try:
        yield from gunzip(stream)
    except DamagedGzipError:
        return  # the survey has recorded the damage; what is before it counts


def _batches(file: str, lines: Iterator[tuple[int, int, bytes]]) -> Iterator[pa.RecordBatch]:
    rows: list[tuple[int, int, bytes]] = []
    size = 0
    for row in lines:
        rows.append(row)
        size += len(row[2])
        if len(rows) == BATCH_LINES or size >= BATCH_BYTES:
            yield _batch(file, rows)
            rows, size = [], 0
    if rows:
        yield _batch(file, rows)


def _batch(file: str, rows: list[tuple[int, int, bytes]]) -> pa.RecordBatch:
    numbers, positions, raws = (list(column) for column in zip(*rows, strict=True))
    texts, damaged = [], []
    for raw in raws:
        try:
            texts.append(raw.decode())
            damaged.append(False)
        except UnicodeDecodeError:
            texts.append(raw.decode("utf-8", "backslashreplace"))
            damaged.append(True)
    return pa.RecordBatch.from_arrays(
        [
            pa.array([file] * len(rows), pa.string()),
            pa.array(numbers, pa.int64()),
            pa.array(positions, pa.int64()),
            pa.array(raws, pa.binary()),
            pa.array(texts, pa.string()),
            pa.array(damaged, pa.bool_()),
        ],
        schema=ARROW,
    )
