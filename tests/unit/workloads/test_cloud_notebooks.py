"""The notebooks of cloud usage run from end to end on tables as the workload declares them, and hold no outputs."""

from __future__ import annotations

import ast
import csv
import json
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.sql import SparkSession

from benchmarks import cloud_reference
from workloads.cloud_usage import frames, schemas
from workloads.cloud_usage.generate import write
from workloads.lakehouse.errors import TaskError
from workloads.lakehouse.tables import Table

FOLDER = Path(schemas.__file__).parent / "notebooks"
NOTEBOOKS = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
NOW = datetime(2025, 9, 1, tzinfo=UTC)
BEGIN_OF_SPEED = datetime(2025, 8, 1, tzinfo=UTC).timestamp()  # events from here on are the speed layer's


def cells(name: str, kind: str) -> list[dict]:
    document = json.loads((FOLDER / f"{name}.ipynb").read_text())
    return [cell for cell in document["cells"] if cell["cell_type"] == kind]


def execute(name: str) -> dict:
    """The names that a notebook leaves behind."""
    from matplotlib import pyplot

    left: dict = {}
    for number, cell in enumerate(cells(name, "code")):
        exec(compile("".join(cell["source"]), f"{name}[{number}]", "exec"), left)
    pyplot.close("all")
    return left


def put(home: Path, table: Table, rows: pd.DataFrame) -> None:
    """Writes rows as the table, which must declare all their columns."""
    assert set(rows.columns) <= {column.name for column in table.columns}
    layer, _, name = table.name.partition(".")
    written = pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata()
    write_deltalake(home / "lake" / "catalog" / f"{layer}.db" / name, written)


@pytest.fixture(scope="module")
def batch(tmp_path_factory) -> tuple[cloud_reference.Batch, list[dict]]:
    folder = tmp_path_factory.mktemp("sample")
    write(folder, 3_000, 3, late_share=0.1, dup_share=0.05, bad_share=0.05)
    with (folder / "truth" / "late.csv").open() as stream:
        return cloud_reference.batch(folder / "data", NOW), list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def home(batch, tmp_path_factory) -> Path:
    """A state folder with the tables of a sample."""
    made, (found, late) = tmp_path_factory.mktemp("home"), batch
    events = pd.DataFrame({
        "event_id": found.events["event_id"], "event_date": found.events["date"], "service": found.events["service"],
        "metric": found.events["metric"], "cost_usd": cloud_reference.decimals(found.events["cost"]),
        "value": found.events["amount"] / 10**cloud_reference.DIGITS,
        "schema_version": found.events["schema_version"].astype(int),
    })  # fmt: skip
    aside = found.quarantine
    cost = [None if pd.isna(one) else Decimal(int(one)).scaleb(-cloud_reference.DIGITS) for one in aside["cost"]]
    aside = aside.assign(cost_usd=cost, value=None)[["event_id", "rule", "cost_usd", "metric", "value"]]
    is_strange = aside["rule"] == "unknown_org"
    strangers = aside[is_strange][["event_id", "cost_usd"]]
    bronze = pd.concat([events[["event_id", "cost_usd"]], strangers])
    good = events.assign(rule=None)[["event_id", "rule", "cost_usd", "metric", "value"]]
    copies = good.head(found.duplicates)
    rows = [row for part in (good, copies, aside.assign(rule=aside["rule"].where(~is_strange, None)))
            for row in part.to_dict("records")]  # fmt: skip
    put(made, schemas.ARRIVALS, pd.DataFrame(rows))
    put(made, schemas.EVENTS, bronze)
    put(made, schemas.CONFORMED_QUARANTINE, strangers)
    put(made, schemas.QUARANTINE, aside[~is_strange][["rule"]].assign(source="events", reason="why"))
    put(made, schemas.SILVER_EVENTS, events.assign(before_creation=False, is_outlier=events["cost_usd"] > 30))
    put(made, schemas.DAILY_COSTS, found.days.assign(days=36, mean=1.0, deviation=1.0, median=1.0, mad=1.0))
    for name, mart in found.marts.items():
        if name != "org_daily_usage_by_service":
            put(made, schemas.MARTS[name], mart)
    newer = found.events["seconds"] >= BEGIN_OF_SPEED
    put(made, schemas.MARTS["org_daily_usage_by_service"], cloud_reference.daily_usage(found.events[~newer]))
    speed = cloud_reference.daily_usage(found.events[newer])
    old = speed.head(3).assign(version=1)
    put(made, schemas.SPEED["org_daily_usage_by_service"], pd.concat([old, speed.assign(version=2)]))
    put(made, schemas.VERSIONS, pd.DataFrame({"version": [1, 2], "events": [10, 20]}))
    times = [pd.Timestamp("2025-08-31", tz="UTC"), None]
    put(made, schemas.BATCHES, pd.DataFrame({
        "engine": ["batch:a", "speed:b"], "batch": [0, 0], "records": [2_900, 100], "quarantined": [50, 100],
        "late": [0, 0], "newest": times, "ingest_ts": [pd.Timestamp(NOW), pd.Timestamp(NOW)],
    }))  # fmt: skip
    put(made, schemas.LATE, pd.DataFrame({
        "event_id": [row["event_id"] for row in late], "service": "genai", "cost_usd": Decimal(1),
        "event_date": [date.fromisoformat(row["timestamp"][:10]) for row in late],
    }))  # fmt: skip
    return made


@pytest.fixture
def laptop(monkeypatch) -> None:
    """A kernel of one's own has no Spark session, which tests before these in the same process may have started."""
    monkeypatch.setattr(SparkSession, "getActiveSession", lambda: None)


@pytest.fixture
def at_home(laptop, home, monkeypatch) -> None:
    monkeypatch.setenv("MEDALLION_HOME", str(home))
    monkeypatch.setenv("MPLBACKEND", "Agg")


def test_there_are_three_notebooks() -> None:
    assert NOTEBOOKS == ["business_queries", "exploration", "streaming_demo"]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_holds_no_outputs_and_imports_little(name: str) -> None:
    imported = set()
    for cell in cells(name, "code"):
        assert (cell["outputs"], cell["execution_count"]) == ([], None)
        for node in ast.walk(ast.parse("".join(cell["source"]))):
            if isinstance(node, ast.Import):
                imported |= {one.name.partition(".")[0] for one in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module.partition(".")[0])
    assert imported <= {"matplotlib", "pandas", "workloads"}


def test_the_exploration_reconciles(at_home, batch) -> None:
    found, _ = batch
    left = execute("exploration")
    strangers = (found.quarantine["rule"] == "unknown_org").sum()
    assert left["reconciliation"].to_dict() == {
        "arrived": found.lines,
        "events": len(found.events) + strangers,
        "in quarantine": len(found.quarantine) - strangers,
        "copies": found.duplicates,
    }
    silver, aside = cloud_reference.totals(found)["cost_usd"]
    assert left["cost"]["silver"] == silver
    assert left["cost"]["broke a rule"] + left["cost"]["customer not known"] == aside
    assert left["about"]["waiting for the next batch"] == 0
    assert left["about"]["of schema 1"] == (found.events["schema_version"] == 1).sum()
    assert left["about"]["without a value"] == found.events["amount"].isna().sum() > 0
    said = found.days["methods"].str.split(",").explode()
    assert left["flags"].to_dict() == said[said != ""].value_counts().to_dict()


def test_the_streaming_demo_puts_batch_and_speed_together(at_home, batch) -> None:
    found, late = batch
    left = execute("streaming_demo")
    whole = cloud_reference.daily_usage(found.events)
    assert left["parts"].loc["served"].tolist() == [whole["events"].sum(), whole["cost_usd"].sum()]
    assert left["parts"].loc["speed", "events"] == (found.events["seconds"] >= BEGIN_OF_SPEED).sum()
    assert len(left["served"]) == len(whole)
    days = Counter(date.fromisoformat(row["timestamp"][:10]) for row in late)
    assert left["by_day"].to_dict() == days
    assert left["batches"]["late_share"].fillna(-1).tolist() == [0, -1]


def test_the_business_questions_are_answered(at_home, batch) -> None:
    found, _ = batch
    left = execute("business_queries")
    bills = found.marts["revenue_by_org_month"]
    assert left["by_month"]["revenue_usd"].sum() == bills["revenue_usd"].sum()
    assert left["by_month"]["invoices"].sum() == bills["invoices"].sum()
    assert left["anomalies"]["severity"].is_monotonic_decreasing
    assert len(left["anomalies"]) == found.days["is_anomaly"].sum()
    tickets = found.marts["tickets_by_org_date"]
    assert left["support"]["breached"].sum() == tickets["breached"].sum()
    answers = left["support"]
    mean = (answers["csat_average"] * answers["csat_answers"]).sum() / answers["csat_answers"].sum()
    expected = (tickets["csat_average"] * tickets["csat_answers"]).sum() / tickets["csat_answers"].sum()
    assert mean == pytest.approx(expected)


def test_a_table_that_is_not_there_says_what_to_run(laptop, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MEDALLION_HOME", str(tmp_path))
    with pytest.raises(TaskError, match=r"bronze\.db/cloud_usage_events: run `make up WORKLOAD=cloud-usage` first"):
        frames.frame(schemas.EVENTS)
