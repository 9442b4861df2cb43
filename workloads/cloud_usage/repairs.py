"""Repaired records: what people put in place of records that a rule set aside.

A repair is a JSON object a line with `record_id` and `text`, as the export of the quarantine shows them; the last one
of a record, by file and line, counts. Repairs stay: whenever the raw files are read anew, they count again.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from workloads.cloud_usage.spec import WORKLOAD
from workloads.lakehouse import raw_files
from workloads.lakehouse.errors import TaskError
from workloads.lakehouse.task import TaskContext

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


def applied(lines: pa.RecordBatch, repairs: Mapping[str, Mapping[int, str]]) -> pa.RecordBatch:
    """Raw lines (`file`, `line`, `text`, `raw`, `damaged_text`) with the repairs in their places."""
    if not repairs or not pc.any(pc.is_in(lines["file"], pa.array(list(repairs)))).as_py():
        return lines
    places = zip(lines["file"].to_pylist(), lines["line"].to_pylist(), strict=True)
    new = [repairs.get(file, {}).get(line) for file, line in places]
    texts = pa.array(new, pa.string())
    is_new = texts.is_valid()
    put = {
        "text": pc.coalesce(texts, lines["text"]),
        "raw": pc.if_else(is_new, None, lines["raw"]),
        "damaged_text": pc.and_not(lines["damaged_text"], is_new),
    }
    columns = [put[name] if name in put else lines[name] for name in lines.schema.names]
    return pa.RecordBatch.from_arrays(columns, schema=lines.schema)
