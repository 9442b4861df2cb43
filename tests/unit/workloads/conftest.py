"""A lake of its own for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from workloads import spec
from workloads.lakehouse.lake import Lake
from workloads.lakehouse.task import TaskContext

if TYPE_CHECKING:
    import pyarrow as pa

INGEST_TIME = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """An empty lake, and the environment that names it."""
    environment = {
        "MEDALLION_VOLUMES": str(tmp_path / "volumes"),
        "MEDALLION_CATALOG": "spark_catalog",
        "MEDALLION_EXPERIMENTS": "",
        "MEDALLION_MODELS": "",
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow/mlflow.db",
    }
    (tmp_path / "mlflow").mkdir()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Lake.from_environment()


@pytest.fixture(scope="session")
def batch_of_heads() -> Callable[..., pa.RecordBatch]:
    """What `ssh_logs.header` reads of lines, without Spark; times without a year are not after a day of 2026."""
    import pyarrow as pa

    from workloads.ssh_logs import header

    def read(texts: list[str], time_zone: str = "UTC", year: int = 0) -> pa.RecordBatch:
        count = len(texts)
        columns = {
            "raw": pa.nulls(count, pa.binary()),
            "text": pa.array(texts, pa.string()),
            "not_after": pa.array([INGEST_TIME + timedelta(days=1)] * count, pa.timestamp("us", "UTC")),
        }
        return header.read(pa.record_batch(columns), time_zone, year)

    return read


@pytest.fixture(scope="session")
def read_heads(batch_of_heads) -> Callable[..., list[dict]]:
    """The same as rows."""
    return lambda *lines, **settings: batch_of_heads(*lines, **settings).to_pylist()


@pytest.fixture
def empty_catalog(spark) -> Iterator[None]:
    """Drops, before and after, whatever tables a test made."""

    def drop() -> None:
        for layer in ("bronze", "silver", "gold", "speed", "quarantine"):
            spark.sql(f"DROP SCHEMA IF EXISTS {layer} CASCADE")

    drop()
    yield
    drop()


@pytest.fixture
def context(lake: Lake, spark, empty_catalog):
    """Makes the context of a task, of `ssh-logs` where no other workload is named."""

    def make(
        key: str,
        ingest_time: datetime = INGEST_TIME,
        run_id: str = "run-1",
        workload_name: str = "ssh-logs",
        **parameters,
    ) -> TaskContext:
        workload = spec.find(workload_name)
        task = next(task for job in workload.jobs for task in job.tasks if task.key == key)
        typed = workload.parse_parameters({name: str(value) for name, value in parameters.items()})
        return TaskContext(workload, task, run_id, ingest_time, typed, lake)

    return make
