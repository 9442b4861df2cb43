"""Runs tasks of `ssh-logs` in a process of its own, which may be killed at a durable write.

`run_tasks.py STATE` runs all tasks on the lake that the environment names and writes what they left to the file STATE.
`run_tasks.py - PHASE KIND NAME` ends itself with SIGKILL before or after that write.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from workloads import spec
from workloads.lakehouse import effects
from workloads.lakehouse.lake import Lake
from workloads.lakehouse.task import main

ROOT = Path(__file__).resolve().parents[2]


def session(warehouse: Path):
    """A session that knows the tables that earlier ones made, as the simulated cluster does."""
    from pyspark.sql import SparkSession

    jars = ",".join(map(str, sorted((ROOT / ".tools" / "jars").glob("*.jar"))))
    builder = SparkSession.builder.master("local[2]")
    for name, value in {
        "spark.jars": jars,
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.warehouse.dir": str(warehouse),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "4",
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    for log in sorted(warehouse.glob("*.db/*/_delta_log/00000000000000000000.json")):
        table = log.parents[1]
        layer = table.parent.name.removesuffix(".db")
        spark.sql(f"CREATE SCHEMA IF NOT EXISTS {layer}")
        spark.sql(f"CREATE TABLE {layer}.{table.name} USING delta LOCATION '{table}'")
    return spark


def die_at(moment: tuple[str, ...]) -> None:
    """Kills this process when that write is reached."""

    def listen(event: str, args: tuple) -> None:
        if event == effects.EVENT and args == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(listen)


def left(spark, lake: Lake) -> dict:
    """Contents of tables and exports, and the model's versions."""
    import mlflow

    from workloads.ssh_logs import checks
    from workloads.ssh_logs.schemas import TABLES

    found = {t.name: sorted(map(repr, spark.read.table(t.name).select(*t.content).collect())) for t in TABLES}
    for place in (checks.CSV, checks.JSON):
        found[place] = lake.path(place).read_text().splitlines()
    found["files"] = sorted(
        str(path.relative_to(lake.volumes))
        for path in lake.volumes.rglob("*")
        if path.is_file() and "runs" not in path.parts
    )
    versions = mlflow.MlflowClient().search_model_versions("name = 'ssh-anomaly-model'")
    return found | {"versions": [int(version.version) for version in versions]}


if __name__ == "__main__":
    state, *moment = sys.argv[1:]
    if moment:
        die_at(tuple(moment))
    lake = Lake.from_environment()
    spark = session(lake.volumes.parent / "catalog")
    for task in spec.find("ssh-logs").job().in_order():
        main(["--workload", "ssh-logs", "--task", task.key, "--run-id", "r", "--ingest-time", "2026-11-21T08:00:00Z"])
    Path(state).write_text(json.dumps(left(spark, lake)))
