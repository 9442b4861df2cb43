"""All tasks of `ssh-logs` one after the other, on real Spark and MLflow."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from workloads.lakehouse.errors import TaskError

pytestmark = pytest.mark.spark

INGEST_TIME = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
TASKS = ("bronze", "silver", "gold", "train", "score", "report", "validate", "maintain")


def run_all(context, **options) -> dict:
    """Counts by task."""
    import importlib

    modules = {key: importlib.import_module(f"workloads.ssh_logs.{key}") for key in TASKS}
    return {key: module.run(context(key, **options)) for key, module in modules.items()}


def state(task) -> dict[str, list]:
    """What the tables hold, without audit columns, and the bytes of the exports in text form."""
    from workloads.ssh_logs import checks
    from workloads.ssh_logs.schemas import TABLES

    tables = {table.name: sorted(map(repr, task.table(table).select(*table.content).collect())) for table in TABLES}
    return tables | {place: task.lake.path(place).read_text().splitlines() for place in (checks.CSV, checks.JSON)}


def versions() -> list[int]:
    import mlflow

    client = mlflow.MlflowClient()
    return [int(version.version) for version in client.search_model_versions("name = 'ssh-anomaly-model'")]


def test_run_again_everything_is_equal_and_there_is_one_model_version(context) -> None:
    from workloads.ssh_logs.generate import generate

    task = context("validate")
    sample = task.lake.path("bronze/raw_logs/sample.log")
    sample.parent.mkdir(parents=True)
    lines = "".join(f"{line}\n" for line, _ in generate(1_500, seed=5))
    sample.write_text(lines, encoding="utf-8", errors="surrogateescape")

    first = run_all(context)
    before = state(task)
    again = run_all(context, run_id="run-2", ingest_time=INGEST_TIME + timedelta(hours=1))

    assert first == again
    assert first["bronze"].records_in == 1_500
    assert state(task) == before
    assert versions() == [1]
    model = json.loads(task.lake.path("reports/runs/ssh-logs/run-2/model.json").read_text())
    assert (model["name"], model["version"], model["alias"]) == ("ssh-anomaly-model", 1, "champion")
    assert model["figures"]["training_rows"] == first["train"].records_in

    from workloads.ssh_logs import train, validate

    train.run(context("train", seed=8))
    assert versions() == [2, 1]
    assert not Path("mlruns").exists()

    csv_file = task.lake.path("gold/final_data/openssh_logs_final.csv")
    csv_file.write_text(csv_file.read_text().replace("LineId", "Line", 1))
    with pytest.raises(TaskError, match="check csv-well-formed: 1 violations of: the CSV file has one header"):
        validate.run(context("validate"))


def test_logs_without_addresses_give_tables_but_no_model(context) -> None:
    from workloads.ssh_logs import bronze, gold, silver, train
    from workloads.ssh_logs.schemas import WINDOWS

    task = context("bronze")
    empty = task.lake.path("bronze/raw_logs/cron.log")
    empty.parent.mkdir(parents=True)
    empty.write_text("Nov  2 03:04:05 h CRON[7]: (root) CMD (true)\n")
    for module, key in ((bronze, "bronze"), (silver, "silver"), (gold, "gold")):
        assert module.run(context(key)).records_out == 1
    assert task.table(WINDOWS).count() == 0
    with pytest.raises(TaskError, match="there is nothing to train on: no event in the logs names a source address"):
        train.run(context("train"))
