"""Repaired records: what people put in place of records that a rule set aside.

A repair is a JSON object a line with `record_id` and `text`, as the export of the quarantine shows them; the last one
of a record, by file and line, counts. Repairs stay: whenever the raw files are read anew, they count again.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING

from workloads.cloud_usage.spec import WORKLOAD
from workloads.lakehouse import raw_files
from workloads.lakehouse.errors import TaskError
from workloads.lakehouse.task import TaskContext

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

KEYS = ("file", "line", "text")


def parse(text: str, source: str) -> list[tuple[str, int, str]]:
    """File, line and new text of each repair. Raises TaskError, naming the line, for what is none."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            one = json.loads(line)
            file, place, new = (one[key] for key in KEYS)
        except (ValueError, KeyError, TypeError):
            file = place = new = None
        if not (isinstance(file, str) and isinstance(place, int) and isinstance(new, str)):
            raise TaskError(f"{source}, line {number}: a repair is a JSON object with {', '.join(KEYS)}")
        found.append((file, place, new))
    return found


def read(task: TaskContext) -> dict[str, dict[int, str]]:
    """New texts by file and line."""
    folder = task.lake.path(WORKLOAD.repairs_path)
    found: dict[str, dict[int, str]] = defaultdict(dict)
    for path in raw_files.files(folder):
        for file, line, text in parse(path.read_text(encoding="utf-8-sig"), path.name):
            found[file][line] = text
    return dict(found)


def applied(lines: DataFrame, repairs: dict[str, dict[int, str]]) -> DataFrame:
    """Raw lines (`source_file`, `source_line`, `text`, `raw`, `damaged_text`) with the repairs in their places."""
    from pyspark.sql import functions as fn

    rows = [(file, line, text) for file, by_line in repairs.items() for line, text in by_line.items()]
    if not rows:
        return lines
    new = lines.sparkSession.createDataFrame(rows, "source_file STRING, source_line BIGINT, repaired STRING")
    joined = lines.join(fn.broadcast(new), ["source_file", "source_line"], "left")
    is_new = fn.col("repaired").isNotNull()
    return joined.withColumns(
        {
            "text": fn.coalesce("repaired", "text"),
            "raw": fn.when(~is_new, fn.col("raw")),
            "damaged_text": fn.when(is_new, fn.lit(False)).otherwise(fn.col("damaged_text")),
        }
    ).select(lines.columns)
