"""Records that a task sets aside: whole, with the rule and the reason, so that they can be replayed.

A line is kept with its exact bytes. `replay` gives quarantined lines back in the form in which raw lines are read, so
that a mended rule can be tried on them without the files they came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from workloads.lakehouse.tables import Column

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

COLUMNS = (
    Column("record_id", "STRING", "Hash of the file and byte position, as for records"),
    Column("rule", "STRING", "The rule that the record breaks"),
    Column("reason", "STRING", "Why, for people"),
    Column("raw", "BINARY", "The record's exact bytes; null where the rule is about a whole file"),
    Column("text", "STRING", "The bytes as text; what is no UTF-8 appears as \\xNN"),
    Column("damaged_text", "BOOLEAN", "Whether bytes were no UTF-8"),
    Column("file", "STRING", "The file, relative to the folder of raw files"),
    Column("line", "BIGINT", "Number of the line in the file, from 1; null where the rule is about a whole file"),
    Column("position", "BIGINT", "Byte position of the line in the (decompressed) file"),
    Column("ingested_at", "TIMESTAMP", "Ingest time of the run that wrote the row", audit=True),
    Column("run_id", "STRING", "The run that wrote the row", audit=True),
)


def explain(frame: DataFrame, reasons: Mapping[str, str]) -> DataFrame:
    """Adds `reason` to rows that name a `rule`."""
    from pyspark.sql import functions as fn

    pairs = [fn.lit(text) for pair in reasons.items() for text in pair]
    return frame.withColumn("reason", fn.element_at(fn.create_map(*pairs), fn.col("rule")))


def replay(quarantined: DataFrame) -> DataFrame:
    """Quarantined lines as raw lines: file, line, position, raw, text, damaged_text."""
    columns = ("file", "line", "position", "raw", "text", "damaged_text")
    return quarantined.where("line IS NOT NULL").select(*columns)
