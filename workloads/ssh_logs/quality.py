"""The quality report of silver: how well each file was understood, as a table and, for each run, as a JSON file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as fn

from workloads.lakehouse import exports
from workloads.ssh_logs.schemas import EVENTS, FILES, NULLABLE, QUALITY, QUARANTINE, RECORDS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from workloads.lakehouse.task import TaskContext

FOLDER = "silver/quality_reports"
LATEST = f"{FOLDER}/latest.json"


def quality(files: DataFrame, records: DataFrame, events: DataFrame, quarantined: DataFrame) -> DataFrame:
    """One row for each file of the manifest, those that gave nothing included."""
    damaged = records.groupBy("file").agg(fn.count_if("damaged_text").alias("damaged_text"))
    by_rule = quarantined.groupBy("file", "rule").agg(fn.count("*").alias("records"))
    held = by_rule.groupBy("file").agg(
        fn.sort_array(fn.collect_list(fn.struct("rule", "records"))).alias("quarantined_by_rule")
    )
    joined = files.select("file", "year_basis", "damage", "lines", "records", "duplicates", "quarantined")
    for of_file in (damaged, held, _understood(events)):
        joined = joined.join(fn.broadcast(of_file), "file", "left")
    none = fn.array().cast("array<struct<rule: string, records: bigint>>")
    counts = [column.name for column in QUALITY.columns if column.type == "BIGINT"]
    return joined.withColumn("quarantined_by_rule", fn.coalesce("quarantined_by_rule", none)).fillna(0, counts)


def _understood(events: DataFrame) -> DataFrame:
    """What the events of each file say. First by host and process, of which there are few, then by file."""
    measures: dict[str, Column] = {
        "rows": fn.count("*"),
        "matched": fn.count_if("known"),
        "sshd_records": fn.count_if("is_sshd"),
        "sshd_matched": fn.count_if(fn.expr("is_sshd AND known")),
        "repeated": fn.count_if(fn.expr("repeat_count > 1")),
        "happened": fn.sum("repeat_count"),
        "tries": fn.sum(fn.expr("CASE WHEN outcome IS NOT NULL THEN repeat_count ELSE 0 END")),
        "carried_addresses": fn.count_if("address_carried"),
        **{f"null_{name}": fn.count_if(fn.col(name).isNull()) for name in NULLABLE},
    }
    extremes = {"first_event": fn.min, "last_event": fn.max}
    fine = events.groupBy("file", "host", "process").agg(
        *(measure.alias(name) for name, measure in measures.items()),
        *(extreme("event_time").alias(name) for name, extreme in extremes.items()),
    )
    whole = fine.groupBy("file").agg(
        *(fn.sum(name).alias(name) for name in measures),
        *(extreme(name).alias(name) for name, extreme in extremes.items()),
        # Spark counts distinct values of two columns on a copy of the rows for each.
        fn.size(fn.collect_set("host")).alias("hosts"),
        fn.size(fn.collect_set("process")).alias("daemons"),
    )
    shares = {f"null_share_{name}": fn.col(f"null_{name}") / fn.col("rows") for name in NULLABLE}
    return whole.withColumns({"leftovers": fn.expr("rows - matched"), **shares})


def publish(task: TaskContext) -> None:
    """Writes the table, the report of this run, and the same as the latest."""
    found = quality(task.table(FILES), task.table(RECORDS), task.table(EVENTS), task.table(QUARANTINE)).persist()
    task.replace(QUALITY, task.marked(found))
    content = document(found, task.run_id)
    found.unpersist()
    for place in (f"{FOLDER}/{task.run_id}.json", LATEST):
        exports.as_json(task.lake, place, content)


def document(found: DataFrame, run_id: str) -> dict[str, Any]:
    """The report as one JSON document: totals, then file by file."""
    lines = (
        found.orderBy("file").select(fn.to_json(fn.struct(*QUALITY.content), {"ignoreNullFields": "false"})).collect()
    )
    files = [json.loads(line[0]) for line in lines]
    counts = ("lines", "records", "duplicates", "quarantined", "matched", "leftovers", "sshd_records", "sshd_matched")
    total = {name: sum(file[name] for file in files) for name in counts}
    share = total["sshd_matched"] / total["sshd_records"] if total["sshd_records"] else None
    return {"run_id": run_id, "total": {**total, "sshd_matched_share": share}, "files": files}
