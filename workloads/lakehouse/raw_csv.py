"""Raw CSV files as a table of Spark: each record with its exact text, bound to its columns by name, file by file.

Spark's own reader binds the columns of several files by position, and keeps neither line numbers nor the text of a
good record. Each file is read, in one pass and without being held, where Spark runs its part.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from workloads.lakehouse.batches import mapped
from workloads.lakehouse.raw_files import RawFile

BATCH_RECORDS = 5_000
LONGEST_FIELD = 2**20  # characters


@dataclass(frozen=True)
class CsvRecord:
    """A record of a CSV file: the line on which it begins, its text, its bytes where these are no UTF-8, what is wrong
    with it, and its fields by column; an empty field is missing."""

    line: int
    text: str
    raw: bytes | None
    problem: str | None
    fields: dict[str, str]


class _Lines:
    """The lines of a file, as the CSV reader takes them, and those taken since `cut` was last asked."""

    def __init__(self, path: Path):
        self._path, self._taken, self.number = path, [], 0

    def __iter__(self) -> Iterator[str]:
        with self._path.open("rb") as stream:
            for line in stream:
                self.number += 1
                plain = line.removeprefix(b"\xef\xbb\xbf") if self.number == 1 else line
                self._taken.append(plain)
                # A NUL is no CSV, and no text of Spark either.
                yield plain.decode("utf-8", "backslashreplace").replace("\0", "\\x00")

    def cut(self) -> bytes:
        """The exact bytes of the lines taken since the last cut."""
        taken, self._taken = b"".join(self._taken), []
        return taken.rstrip(b"\r\n")


def header(path: Path) -> list[str]:
    """The names of a file's columns; none where it is empty."""
    try:
        return [name.strip() for name in next(csv.reader(iter(_Lines(path)), strict=True), [])]
    except csv.Error:
        return []


def records(path: Path, repaired: Mapping[int, str] | None = None) -> Iterator[CsvRecord]:
    """The records of a file after RFC 4180, by name; blank lines are none. Line numbers count from 1, the header's.

    `repaired` are texts that stand for the records that begin on these lines.
    """
    csv.field_size_limit(LONGEST_FIELD)
    lines = _Lines(path)
    rows = csv.reader(iter(lines), strict=True)
    names: list[str] | None = None
    while True:
        first = lines.number + 1
        problem = None
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            row, problem = [], f"no CSV: {error}"
        taken = lines.cut()
        if repaired and first in repaired:
            taken, problem = repaired[first].encode(), None
            row = next(csv.reader(repaired[first].splitlines(keepends=True)), [])
        if names is None:
            names = [name.strip() for name in row]
            doubled = sorted({name for name in names if names.count(name) > 1})
            continue
        if not row and problem is None:
            continue
        text = taken.decode("utf-8", "backslashreplace").replace("\0", "\\x00")
        damaged = text.encode() != taken
        if problem is None and doubled:
            problem = f"the header names {doubled[0]!r} twice"
        if problem is None and damaged:
            problem = "bytes that are no UTF-8 text"
        if problem is None and len(row) != len(names):
            problem = f"{len(row)} fields where the header names {len(names)}"
        fields = {} if problem else {n: v.strip() for n, v in zip(names, row, strict=True) if v.strip()}
        yield CsvRecord(first, text, taken if damaged else None, problem, fields)


def read(
    spark: SparkSession,
    files: Iterable[tuple[RawFile, Mapping[int, str]]],
    row: Callable[[str, CsvRecord], dict[str, Any]],
    schema: str,
) -> DataFrame:
    """A row for each record of plain CSV files: what `row` makes of the file's name and the record.

    With each file come the texts that stand for some of its records, by line. `schema` is the rows' as Spark SQL writes
    it; values of a map are pairs.
    """
    plan = [(file.name, Path(file.path), dict(repaired)) for file, repaired in files]
    kind = StructType.fromDDL(schema)
    if not plan:
        return spark.createDataFrame([], kind)
    arrow = to_arrow_schema(kind)

    def found(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column(0).to_pylist():
                name, path, repaired = plan[number]
                for held in _in_batches(records(path, repaired)):
                    yield pa.RecordBatch.from_pylist([row(name, record) for record in held], arrow)

    return mapped(spark.range(0, len(plan), numPartitions=len(plan)), found, kind)


def _in_batches(found: Iterable[CsvRecord]) -> Iterator[list[CsvRecord]]:
    held: list[CsvRecord] = []
    size = 0
    for record in found:
        held.append(record)
        size += sys.getsizeof(record.text)
        if len(held) == BATCH_RECORDS or size > 8 * LONGEST_FIELD:
            yield held
            held, size = [], 0
    if held:
        yield held
