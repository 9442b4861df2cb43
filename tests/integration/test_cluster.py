"""A deployed job on a real Spark with Delta: the wheel is what runs, tables last from run to run."""

from __future__ import annotations

import json
import os
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import Run

from benchmarks.spark import SHORT
from simulator.jobs_api import Workspace
from simulator.state import Resource, cloud

WHEEL = "/Volumes/medallion_test/models/files/wheels/medallion_workloads-0.1.0+abc-py3-none-any.whl"
ENTRY_POINTS = "[console_scripts]\ntask = workloads.steps:main\n"
# Named as the real package, which is installed in the environment as well: the wheel must win.
STEPS = """
import json, os
from pathlib import Path
import pandas
import workloads
from pyspark.sql import SparkSession, functions as F

def main(argv=None):
    name, = argv
    report = globals()[name](SparkSession.builder.getOrCreate())
    if report is not None:
        Path(os.environ["MEDALLION_VOLUMES"], "reports", "files", f"{name}.json").write_text(json.dumps(report))

def where(frames):
    import workloads
    for frame in frames:
        yield pandas.DataFrame({"file": [workloads.__file__]})

def write(spark):
    rows = spark.range(100).select("id", (F.col("id") % 3).alias("kind"))
    rows.write.format("delta").mode("overwrite").saveAsTable("bronze.events")
    workers = spark.range(4, numPartitions=2).mapInPandas(where, "file string").distinct().collect()
    return {
        "driver": workloads.__file__,
        "workers": [row.file for row in workers],
        "zone": spark.conf.get("spark.sql.session.timeZone"),
        "ansi": spark.conf.get("spark.sql.ansi.enabled"),
        "partitions": spark.conf.get("spark.sql.shuffle.partitions"),
        "schemas": sorted(row.namespace for row in spark.sql("SHOW SCHEMAS").collect()),
        "catalog": os.environ["MEDALLION_CATALOG"],
    }

def merge(spark):
    spark.range(90, 110).select("id", F.lit(9).cast("bigint").alias("kind")).createOrReplaceTempView("fresh")
    spark.sql("MERGE INTO bronze.events t USING fresh s ON t.id = s.id "
              "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *")
    counted = spark.table("spark_catalog.bronze.events").groupBy("kind").count()
    counted.write.format("delta").saveAsTable("gold.kinds")

def track(spark):
    import mlflow
    return {"place": mlflow.get_experiment(mlflow.create_experiment("acme")).artifact_location}

def column(spark):
    spark.table("bronze.events").select("colour").collect()

def worker(spark):
    def bad(frames):
        for frame in frames:
            raise ValueError("line 7 has no time")
            yield frame
    spark.range(2).mapInPandas(bad, "id bigint").collect()

def forever(spark):
    def slow(frames):
        import time
        while True:
            time.sleep(0.1)
        yield from frames
    spark.range(1).mapInPandas(slow, "id bigint").collect()

def again(spark):
    kind = spark.sql("DESCRIBE TABLE EXTENDED gold.kinds").filter("col_name = 'Type'").first().data_type
    total = spark.table("gold.kinds").agg(F.sum("count")).first()[0]
    spark.sql("DROP TABLE gold.kinds")
    spark.range(5).write.format("delta").saveAsTable("silver.half")
    return {"events": spark.table("bronze.events").count(), "total": total, "type": kind,
            "half": spark.table("silver.half").count()}
"""


def task(key: str, *needs: str, **more: Any) -> dict[str, Any]:
    wheel = {"packageName": "medallion_workloads", "entryPoint": "task", "parameters": [key]}
    depends = [{"taskKey": need} for need in needs]
    library = [{"whl": WHEEL}]
    return {
        "taskKey": key,
        "pythonWheelTask": wheel,
        "libraries": library,
        "jobClusterKey": "main",
        "dependsOns": depends,
    } | more


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """The lake of a simulated cloud in a folder whose name has a space and a quote, with its volumes and a wheel."""
    home = tmp_path / "it's a home"
    storage = "abfss://catalog@acme.dfs.core.windows.net/"
    rows = [
        Resource("group", "azure-native:resources:ResourceGroup", "group", "", "", {"tags": {"environment": "local"}}),
        Resource("account", "azure-native:storage:StorageAccount", "account", "", "group", {"accountName": "acme"}),
        Resource(
            "cat",
            "databricks:index/catalog:Catalog",
            "cat",
            "",
            "",
            {"name": "medallion_test", "storageRoot": storage},
        ),
    ]
    for schema in ("bronze", "silver", "gold", "quarantine"):
        inputs = {"name": schema, "catalogName": "medallion_test"}
        rows.append(Resource(schema, "databricks:index/schema:Schema", schema, "", "", inputs))
    with cloud(home) as now:
        for row in rows:
            now.put(row)
    for container in ("models", "reports"):
        folder = home / "lake" / container
        folder.mkdir(parents=True)
        link = home / "volumes" / "medallion_test" / container / "files"
        link.parent.mkdir(parents=True)
        link.symlink_to(folder)
    place = home / "lake" / "models" / "wheels" / Path(WHEEL).name
    place.parent.mkdir()
    with zipfile.ZipFile(place, "w") as wheel:
        wheel.writestr("workloads/__init__.py", "")
        wheel.writestr("workloads/steps.py", STEPS)
        info = "medallion_workloads-0.1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: medallion_workloads\nVersion: 0.1.0\n")
        wheel.writestr(f"{info}/entry_points.txt", ENTRY_POINTS)
    return home / "lake"


def deploy(home: Path, *tasks: dict[str, Any]) -> None:
    variables = {"MEDALLION_CATALOG": "medallion_test", "MEDALLION_VOLUMES": "/Volumes/medallion_test"}
    conf = {"spark.sql.shuffle.partitions": "3", "spark.master": "yarn", "spark.executor.memory": "64g"}
    cluster = {"jobClusterKey": "main", "newCluster": {"sparkEnvVars": variables, "sparkConf": conf}}
    inputs = {"name": "acme", "tasks": list(tasks), "jobClusters": [cluster]}
    with cloud(home) as now:
        now.put(Resource("7", "databricks:index/job:Job", "7", "", "", inputs))


@pytest.fixture
def client(lake: Path, project_root: Path) -> Iterator[WorkspaceClient]:
    """A session on the lake's home."""
    jars = sorted(str(jar) for jar in (project_root / ".tools" / "jars").glob("delta-*.jar"))
    if not jars:
        pytest.skip("Delta's jars are not in .tools/jars")
    environment = dict(os.environ) | {"MEDALLION_SPARK_JARS": ",".join(jars), "MEDALLION_DRIVER_MEMORY": "1g"}
    environment["MEDALLION_DRIVER_OPTIONS"] = SHORT
    workspace = Workspace(environment=environment)
    yield WorkspaceClient(host=workspace.start(lake.parent), token="simulated")
    workspace.stop()


def run(client: WorkspaceClient) -> tuple[Run, dict[str, str]]:
    """Run the job to its end; the run, and the errors of its tasks."""
    run_id = client.jobs.run_now(7).run_id
    while True:
        found = client.jobs.get_run(run_id)
        if found.end_time:
            return found, {t.task_key: client.jobs.get_run_output(t.run_id).error for t in found.tasks}
        time.sleep(0.1)


def report(lake: Path, name: str) -> dict[str, Any]:
    return json.loads((lake / "reports" / f"{name}.json").read_text())


@pytest.mark.spark
def test_a_job_on_spark(lake: Path, client: WorkspaceClient):
    home = lake.parent
    deploy(
        home,
        task("write"),
        task("merge", "write"),
        task("track"),
        task("column", "write"),
        task("worker"),
        task("forever", "worker", runIf="ALL_DONE", timeoutSeconds=3),
    )
    first, errors = run(client)
    site = home / "clusters" / str(first.run_id) / "site" / "workloads"
    assert (errors["write"], errors["merge"], errors["track"]) == (None, None, None)
    assert report(lake, "write") == {
        "driver": str(site / "__init__.py"),
        "workers": [str(site / "__init__.py")],
        "zone": "UTC",
        "ansi": "true",
        "partitions": "3",
        "schemas": ["bronze", "default", "gold", "quarantine", "silver"],
        "catalog": "spark_catalog",
    }
    assert report(lake, "track")["place"].startswith((home / "mlflow" / "artifacts").as_uri())
    assert errors["column"].startswith("AnalysisException: [UNRESOLVED_COLUMN.WITH_SUGGESTION]")
    assert "\n" not in errors["column"]
    assert errors["worker"] == "ValueError: line 7 has no time"
    assert errors["forever"] == "Run timed out after 3 seconds"
    assert (lake / "catalog" / "bronze.db" / "events" / "_delta_log").is_dir()

    # What a killed driver leaves: data of a table that was never committed. It must not stand in the way.
    half = lake / "catalog" / "silver.db" / "half"
    half.mkdir(parents=True)
    (half / "part-0.parquet").write_bytes(b"x")
    deploy(home, task("again"))
    _, errors = run(client)
    assert errors == {"again": None}
    assert report(lake, "again") == {"events": 110, "total": 110, "type": "MANAGED", "half": 5}
    assert not (lake / "catalog" / "gold.db" / "kinds").exists()
