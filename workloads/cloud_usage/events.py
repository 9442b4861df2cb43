"""Usage events from text to typed columns, whatever brought the text: usual ones by Arrow, the few others one by one.

Both say the same of a line (`usual`, `judged`); the first rule that a record breaks is the one that counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as fn
from pyspark.sql.types import StructType

from workloads.cloud_usage import judged, repairs, usual
from workloads.cloud_usage.rules import COLUMN_OF, KEYS
from workloads.cloud_usage.schemas import EVENT_COLUMNS
from workloads.lakehouse import raw_source
from workloads.lakehouse.batches import mapped

HASH = "content_hash"
READ = tuple(column for column in EVENT_COLUMNS if column.name != HASH)
ADDED = ", ".join(f"{column.name} {column.type}" for column in READ) + ", rule STRING, new_keys ARRAY<STRING>"
LINES_READ = f"{raw_source.SCHEMA}, {ADDED}"
TYPES = {COLUMN_OF.get(key, key): usual.SENT.field(key).type for key in KEYS} | {"event_date": pa.date32()}
ARROW = pa.schema(
    {column.name: TYPES[column.name] for column in READ} | {"rule": pa.string(), "new_keys": pa.list_(pa.string())}
)
PLACE = {"file": "source_file", "line": "source_line"}

Read = Callable[[pa.RecordBatch], pa.RecordBatch]


def parse(lines: DataFrame, ingest_time: datetime, repaired: Mapping[str, Mapping[int, str]]) -> DataFrame:
    """Adds to lines (`text`, `damaged_text`) the columns of an event, `rule`, the first one that it breaks, and
    `new_keys`, those of an event that are not declared.

    The columns of a record that breaks a rule are null, but for those that can be read. Where there are texts that were
    `repaired`, by file and line, the lines have `file`, `line` and `raw`, too.
    """
    read = reader(ingest_time, repaired)
    schema = StructType([*lines.schema.fields, *StructType.fromDDL(ADDED).fields])
    return finished(mapped(lines, partial(map, read), schema))


def reader(ingest_time: datetime, repaired: Mapping[str, Mapping[int, str]]) -> Read:
    """What `parse` does with a batch of lines, before it is `finished`."""

    def read(lines: pa.RecordBatch) -> pa.RecordBatch:
        lines = repairs.applied(lines, repaired)
        found = _read(lines["text"], lines["damaged_text"], ingest_time)
        return pa.RecordBatch.from_arrays(
            [*lines.columns, *(column.combine_chunks() for column in found.columns)],
            schema=pa.schema([*lines.schema, *ARROW]),
        )

    return read


def finished(read: DataFrame) -> DataFrame:
    """Adds the hash of all that an event says (its day says nothing that its time does not); and calls the place of a
    line as bronze does."""
    content = (column.name for column in READ if column.name != "event_date")
    return read.withColumn(HASH, fn.xxhash64(*content)).withColumnsRenamed(PLACE)


def _read(texts: pa.StringArray, damaged: pa.BooleanArray, ingest_time: datetime) -> pa.Table:
    is_usual = pc.and_not(usual.is_usual(texts), damaged).to_numpy(zero_copy_only=False)
    found = usual.read(texts.filter(pa.array(is_usual)), ingest_time)
    found = found.append_column("new_keys", pa.nulls(len(found), ARROW.field("new_keys").type)).select(ARROW.names)
    others = np.flatnonzero(~is_usual)
    if not len(others):
        return found
    rows = [judged.judge(texts[i].as_py(), damaged[i].as_py(), ingest_time) for i in others.tolist()]
    told = pa.Table.from_pylist([row.columns | {"rule": row.rule, "new_keys": row.new_keys} for row in rows], ARROW)
    order = np.argsort(np.concatenate((np.flatnonzero(is_usual), others)))
    return pa.concat_tables([found, told]).take(pa.array(order))
