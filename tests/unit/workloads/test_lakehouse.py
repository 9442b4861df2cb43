"""Writers of tables and files, metrics, lineage: what the workloads share."""

from __future__ import annotations

import csv
import json
import os
import pickle
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from workloads.lakehouse import checks, exports, lineage, metrics, tables
from workloads.lakehouse.effects import EVENT, effect
from workloads.lakehouse.errors import TaskError
from workloads.lakehouse.lake import Lake
from workloads.lakehouse.tables import Column, Table

NUMBERS = Table("silver.numbers", "Numbers.", (Column("n", "BIGINT", "A number"), Column("name", "STRING", "Its name")))
LABELS = {"workload": "w", "layer": "bronze", "task": "t"}


def content(spark, lake) -> list[tuple]:
    return sorted(map(tuple, tables.read(spark, lake, NUMBERS).collect()))


def frame(spark, *rows: tuple):
    return spark.createDataFrame(rows, "name STRING, n INT").select("name", "n")


@pytest.mark.spark
def test_each_kind_of_write_can_be_repeated(spark, lake, empty_catalog) -> None:
    for _ in range(2):
        tables.replace(frame(spark, ("one", 1), ("two", 2)), lake, NUMBERS)
        assert content(spark, lake) == [(1, "one"), (2, "two")]
    for _ in range(2):
        tables.replace_where(frame(spark, ("deux", 2)), lake, NUMBERS, "n >= 2")
        assert content(spark, lake) == [(1, "one"), (2, "deux")]
    for _ in range(2):
        tables.merge(frame(spark, ("zwei", 2), ("drei", 3)), lake, NUMBERS, ["n"])
        assert content(spark, lake) == [(1, "one"), (2, "zwei"), (3, "drei")]
    comments = {row["col_name"]: row["comment"] for row in spark.sql("DESCRIBE silver.numbers").collect()}
    assert comments == {"n": "A number", "name": "Its name"}


@pytest.mark.spark
@pytest.mark.parametrize("write", [
    lambda rows, lake: tables.merge(rows, lake, NUMBERS, ["n"]),
    lambda rows, lake: tables.replace_where(rows, lake, NUMBERS, "n >= 2"),
])  # fmt: skip
def test_a_first_write_makes_the_table(spark, lake, empty_catalog, write) -> None:
    write(frame(spark, ("two", 2)), lake)
    assert content(spark, lake) == [(2, "two")]


@pytest.mark.spark
def test_what_a_killed_first_write_left_behind_is_no_hindrance(spark, lake, empty_catalog) -> None:
    spark.sql("CREATE SCHEMA silver")
    location = Path(spark.catalog.getDatabase("silver").locationUri.removeprefix("file:"), "numbers")
    (location / "_delta_log").mkdir(parents=True)
    (location / "part-0.parquet").write_bytes(b"half")

    tables.replace(frame(spark, ("one", 1)), lake, NUMBERS)

    assert content(spark, lake) == [(1, "one")]


@pytest.mark.spark
def test_a_table_that_was_never_written_is_one_clear_error(spark, lake, empty_catalog) -> None:
    with pytest.raises(TaskError, match=r"there is no table silver\.numbers: run the task that writes it first"):
        tables.read(spark, lake, NUMBERS)


NASTY = ["plain", "a,b", 'say "hi"', "two\rlines", "", None, " blank ", "café"]


@pytest.mark.spark
def test_csv_reads_back_as_written_in_order(spark, lake) -> None:
    rows = [(n, text, datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=UTC)) for n, text in enumerate(NASTY)]
    ordered = spark.createDataFrame(rows, "Id INT, Text STRING, At TIMESTAMP").repartition(4).orderBy("Id")

    path = exports.csv(lake, "gold/x/y.csv", ordered)

    with path.open(newline="", encoding="utf-8") as stream:
        header, *found = csv.reader(stream, strict=True)
    assert header == ["Id", "Text", "At"]
    assert [row[:2] for row in found] == [[str(n), text or ""] for n, text in enumerate(NASTY)]
    assert {row[2] for row in found} == {"2026-01-02T03:04:05.600Z"}
    assert [entry.name for entry in path.parent.iterdir()] == ["y.csv"]


@pytest.mark.spark
def test_json_lines_and_parquet_read_back_as_written(spark, lake) -> None:
    import pyarrow.parquet as pq

    ordered = spark.createDataFrame(list(enumerate(NASTY)), "n INT, text STRING").repartition(4).orderBy("n")
    lines = exports.json_lines(lake, "silver/x.json", ordered).read_text(encoding="utf-8").split("\n")
    assert [json.loads(line) for line in lines[:-1]] == [{"n": n, "text": text} for n, text in enumerate(NASTY)]
    assert pq.read_table(exports.parquet(lake, "silver/x.parquet", ordered)).to_pylist() == [
        {"n": n, "text": text} for n, text in enumerate(NASTY)
    ]


def test_a_file_is_published_whole_or_not_at_all(lake: Lake) -> None:
    path = exports.text(lake, "gold/report.txt", "first")

    def fail(stream) -> None:
        stream.write(b"second, half")
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        exports._publish(lake, "gold/report.txt", fail)
    assert path.read_text() == "first"
    assert exports.text(lake, "gold/report.txt", "third").read_text() == "third"
    assert [entry.name for entry in path.parent.iterdir()] == ["report.txt"]
    assert pickle.loads(exports.pickled(lake, "models/x.pkl", {"a": 1}).read_bytes()) == {"a": 1}


def test_every_durable_write_can_be_heard(lake: Lake) -> None:
    heard: list[tuple] = []
    sys.addaudithook(lambda event, args: heard.append(args) if event == EVENT else None)
    exports.text(lake, "gold/report.txt", "x")
    with pytest.raises(ValueError, match="boom"), effect("table", "t"):
        raise ValueError("boom")
    assert heard == [
        ("before", "file", "gold/report.txt"),
        ("after", "file", "gold/report.txt"),
        ("before", "table", "t"),
    ]


def test_a_lake_without_its_variables_is_one_clear_error() -> None:
    with pytest.raises(TaskError, match="the cluster does not set MEDALLION_VOLUMES"):
        Lake.from_environment({})


def test_places_are_in_containers(lake: Lake) -> None:
    assert lake.path("gold/a/b.csv") == lake.volumes / "gold" / "files" / "a" / "b.csv"
    with pytest.raises(ValueError, match="lies in no container"):
        lake.path("golden/a")


def test_samples_are_of_the_catalogue() -> None:
    with pytest.raises(ValueError, match="'medallion_nonsense' is no metric of the catalogue"):
        metrics.Sample("medallion_nonsense", 1, LABELS)
    with pytest.raises(ValueError, match="takes the labels workload, layer, task, not task"):
        metrics.Sample("medallion_task_records_in", 1, {"task": "t"})


def test_metrics_are_exposed_as_prometheus_reads_them() -> None:
    samples = [metrics.Sample("medallion_task_records_in", 2_000, LABELS)]
    assert metrics.exposition(samples).splitlines() == [
        "# HELP medallion_task_records_in Records that the task was given.",
        "# TYPE medallion_task_records_in gauge",
        'medallion_task_records_in{layer="bronze",task="t",workload="w"} 2000.0',
    ]
    assert metrics.as_json(samples) == [
        {"name": "medallion_task_records_in", "type": "gauge", "labels": LABELS, "value": 2_000}
    ]


def test_metrics_are_pushed_under_their_task(monkeypatch: pytest.MonkeyPatch) -> None:
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from threading import Thread

    got: list[tuple[str, str]] = []

    class Gateway(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            got.append((self.path, self.rfile.read(int(self.headers["Content-Length"])).decode()))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Silence."""

    server = HTTPServer(("127.0.0.1", 0), Gateway)
    Thread(target=server.handle_request).start()
    metrics.push([metrics.Sample("medallion_task_records_in", 7, LABELS)], f"127.0.0.1:{server.server_port}")
    server.server_close()
    ((path, body),) = got
    assert path == "/metrics/job/w/layer/bronze/task/t/workload/w"
    assert "medallion_task_records_in 7.0" in body


def test_a_gateway_that_does_not_answer_costs_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    metrics.push([metrics.Sample("medallion_task_records_in", 7, LABELS)], "127.0.0.1:1")
    assert capsys.readouterr().err.startswith("metrics were not pushed to 127.0.0.1:1: ")


def test_lineage_names_tables_with_their_columns() -> None:
    event = lineage.event(
        "FAIL", job="w.t", run_id="r", reads=("bronze.x",), writes=("silver.numbers",), catalog="c",
        schemas={"silver.numbers": NUMBERS}, error="it broke",
    )  # fmt: skip
    told = json.loads(lineage.as_lines([event]))
    assert (told["eventType"], told["job"]["name"]) == ("FAIL", "w.t")
    assert told["run"]["facets"]["errorMessage"]["message"] == "it broke"
    assert [one["name"] for one in told["inputs"]] == ["c.bronze.x"]
    (output,) = told["outputs"]
    assert output["name"] == "c.silver.numbers"
    fields = [(one["name"], one["type"], one["description"]) for one in output["facets"]["schema"]["fields"]]
    assert fields == [("n", "bigint", "A number"), ("name", "string", "Its name")]


def test_checks_say_what_breaks_them_and_files_need_no_spark(lake: Lake) -> None:
    listed = [
        checks.Check("fine", "all is well", "files", lambda outputs: 0),
        checks.Check("broken", "nothing is bad", "files", lambda outputs: 1_234),
        checks.Check("absent", "it is there", "files", lambda outputs: len(outputs.file("gold/x").name)),
        checks.Check("spark", "needs Spark", "tables", lambda outputs: 0),
    ]
    results = checks.run(listed, checks.Outputs(lake))
    assert [(result.passed, str(result)) for result in results] == [
        (True, "check fine: holds"),
        (False, "check broken: 1,234 violations of: nothing is bad"),
        (False, "check absent: there is no file gold/x"),
    ]


def test_checks_that_must_hold_are_counted_and_those_that_do_not_are_named(lake: Lake) -> None:
    counted: dict[str, float] = {}
    task = SimpleNamespace(lake=lake, spark=None, report=counted.__setitem__)
    fine = checks.Check("fine", "all is well", "files", lambda outputs: 0)
    broken = checks.Check("broken", "nothing is bad", "files", lambda outputs: 2)
    assert checks.require([fine], task).lake == lake
    assert counted == {"medallion_task_checks_passed": 1, "medallion_task_checks_failed": 0}
    with pytest.raises(TaskError, match=r"^check broken: 2 violations of: nothing is bad$"):
        checks.require([fine, broken], task)
    assert counted == {"medallion_task_checks_passed": 1, "medallion_task_checks_failed": 1}


@pytest.mark.spark
def test_figures_of_a_table_are_asked_once_for_all_checks(spark, lake, empty_catalog) -> None:
    tables.replace(frame(spark, ("one", 1), ("two", 2)), lake, NUMBERS)
    outputs, wanted = checks.Outputs(lake, spark), {"rows": "count(*)", "high": "sum(if(n > 2, n, NULL))"}
    listed = [
        checks.Check("two-rows", "there are two", "tables", lambda seen: seen.figures(NUMBERS, wanted)["rows"] - 2),
        checks.Check("none-high", "none is high", "tables", lambda seen: seen.figures(NUMBERS, wanted)["high"]),
    ]
    assert [(one.violations, one.problem) for one in checks.run(listed, outputs)] == [(0, None), (0, None)]
    tables.replace(frame(spark, ("nine", 9)), lake, NUMBERS)
    assert outputs.figures(NUMBERS, dict(wanted)) == {"rows": 2, "high": 0}
    assert checks.Outputs(lake, spark).figures(NUMBERS, wanted) == {"rows": 1, "high": 9}
    assert [str(one) for one in checks.run(listed, checks.Outputs(lake, spark))] == [
        "check two-rows: -1 violations of: there are two",
        "check none-high: 9 violations of: none is high",
    ]


def test_the_catalogue_of_metrics_loads_without_spark() -> None:
    code = "import sys, workloads.lakehouse.metrics; print(sorted({'pyspark', 'mlflow', 'pulumi'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout.strip() == "[]"
