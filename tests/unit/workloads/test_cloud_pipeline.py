"""The batch job of `cloud-usage`, task by task on real Spark, beside a reference that shares no code with it."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from workloads import spec
from workloads.cloud_usage.serving_tables import SERVING
from workloads.lakehouse.lake import Lake
from workloads.lakehouse.task import Counts, TaskContext

pytestmark = pytest.mark.spark

INGESTED = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
BATCH = ("bronze", "silver", "anomalies", "gold", "validate", "maintain")
KEYS = {served.name: served.key for served in SERVING}
ANOMALIES = "cost_anomaly_mart"


@dataclass
class Place:
    """A lake with its landing folder."""

    lake: Lake
    spark: Any

    @property
    def landing(self) -> Path:
        return self.lake.path("landing/cloud_usage")

    def fill(self, folder: Path) -> None:
        """Puts a copy of a landing folder's files in place."""
        shutil.copytree(folder, self.landing, dirs_exist_ok=True)

    def context(self, key: str, run_id: str = "run-1", ingested: datetime = INGESTED, **parameters) -> TaskContext:
        workload = spec.find("cloud-usage")
        task = next(task for job in workload.jobs for task in job.tasks if task.key == key)
        typed = workload.parse_parameters({name: str(value) for name, value in parameters.items()})
        return TaskContext(workload, task, run_id, ingested, typed, self.lake)

    def run(self, *keys: str, **options) -> dict[str, Counts]:
        modules = {key: importlib.import_module(f"workloads.cloud_usage.{key}") for key in keys}
        return {key: module.run(self.context(key, **options)) for key, module in modules.items()}

    def mart(self, name: str, layer: str = "gold") -> pd.DataFrame:
        """A mart in order of its key."""
        found = self.spark.read.table(f"{layer}.{name}").toPandas()
        return found.sort_values(list(KEYS[name])).reset_index(drop=True)

    def sql(self, query: str) -> list[tuple]:
        return [tuple(row) for row in self.spark.sql(query).collect()]


@pytest.fixture(scope="module")
def new_place(spark, tmp_path_factory):
    """Makes an empty place; there is one at a time, for the catalogue is Spark's."""

    def make() -> Place:
        for layer in ("bronze", "silver", "gold", "speed", "quarantine"):
            spark.sql(f"DROP SCHEMA IF EXISTS {layer} CASCADE")
        return Place(Lake(tmp_path_factory.mktemp("lake"), "spark_catalog", "", ""), spark)

    yield make
    for layer in ("bronze", "silver", "gold", "speed", "quarantine"):
        spark.sql(f"DROP SCHEMA IF EXISTS {layer} CASCADE")


def assert_marts_are(place: Place, expected: dict[str, pd.DataFrame]) -> None:
    """Row by row and to the last decimal; statistics to the ninth digit, since sums of floats hang on their order."""
    for name, key in KEYS.items():
        found, wanted = place.mart(name), expected[name].sort_values(list(key)).reset_index(drop=True)
        assert list(found.columns) == list(wanted.columns), name
        assert len(found) == len(wanted), name
        for column in found.columns:
            one, other = found[column], wanted[column]
            if one.dtype.kind == "f":
                pd.testing.assert_series_equal(one, other.astype(float), rtol=1e-9, check_names=False)
            else:
                assert list(map(plain, one)) == list(map(plain, other)), (name, column)


def plain(value: Any) -> Any:
    """A value without its clothes: of pandas, of numpy, or with zeros at the end of a decimal."""
    if isinstance(value, Decimal):
        return value.normalize() + 0
    if isinstance(value, pd.Timestamp):
        return value.tz_localize(None) if value.tzinfo else value
    return value.item() if hasattr(value, "item") else value


# --- the real data ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(new_place, request) -> tuple[Place, dict[str, Counts], Any]:
    """The real data through all tasks, and what the reference makes of it."""
    from benchmarks import cloud_reference

    folder = request.getfixturevalue("real_data") / "cloud_usage"
    place = new_place()
    place.fill(folder)
    counts = place.run(*BATCH)
    return place, counts, cloud_reference.batch(folder, INGESTED)


@pytest.mark.real_data
def test_the_real_data_reconcile(real) -> None:
    place, counts, _ = real

    assert all(one.balanced for one in counts.values())
    masters = 80 + 800 + 400 + 1_000 + 240 + 92 + 1_500
    assert counts["bronze"] == Counts(43_200 + masters, 42_989 + masters, 211, 0)
    assert counts["silver"] == Counts(42_989, 42_989)
    rules = "SELECT source, rule, count(*) FROM quarantine.cloud_usage_records GROUP BY ALL"
    assert place.sql(rules) == [("events", "cost_below_minimum", 211)]
    set_aside = "SELECT sum(cost_usd) FROM bronze.cloud_usage_arrivals WHERE rule IS NOT NULL"
    totals = "SELECT sum(cost_usd) FROM silver.cloud_usage_events"
    assert place.sql(totals) == [(Decimal("148351.5759"),)]
    assert place.sql(set_aside) == [(Decimal("-917.5981"),)]
    assert Decimal("148351.5759") + Decimal("-917.5981") == Decimal("147433.9778")
    by_metric = "SELECT metric, sum(value) FROM bronze.cloud_usage_arrivals GROUP BY metric"
    assert {metric: round(value, 4) for metric, value in place.sql(by_metric)} == {
        "cpu_hours": Decimal("19833.0377"), "requests": Decimal(2_294_079), "storage_gb_hours": Decimal("131288.1333"),
    }  # fmt: skip
    assert place.sql("SELECT sum(genai_tokens) FROM bronze.cloud_usage_arrivals") == [(2_558_359,)]
    assert place.sql("SELECT count(*) FROM silver.cloud_usage_events WHERE unit IS NULL") == [(0,)]
    assert place.sql("SELECT count(*) FROM silver.cloud_usage_events WHERE before_creation") == [(7_335,)]


@pytest.mark.real_data
def test_the_marts_of_the_real_data_are_those_of_the_reference(real) -> None:
    place, _, reference = real

    assert_marts_are(place, reference.marts)
    (billed,) = place.sql(
        "SELECT sum(subtotal_usd), sum(credits_usd), sum(revenue_usd), sum(taxes_usd) FROM gold.revenue_by_org_month"
    )
    assert billed == tuple(map(Decimal, ("133718.31543900", "1643.48526000", "132074.83017900", "32218.23205300")))


@pytest.mark.real_data
def test_anomalies_of_the_real_data_are_numpys_flag_by_flag(real) -> None:
    place, _, reference = real
    key = ["org_id", "date", "service", "region"]
    ours = place.spark.read.table("silver.cloud_usage_daily_costs").toPandas().sort_values(key)
    numpys = reference.days.sort_values(key)

    assert len(ours) == 13_925
    for column in (*key, "baseline", "methods", "severity", "is_anomaly"):
        assert list(ours[column]) == list(numpys[column]), column
    spikes = {
        row[:4]
        for row in place.sql(
            "SELECT DISTINCT org_id, event_date, service, region FROM silver.cloud_usage_events WHERE cost_usd > 30"
        )
    }
    flagged = {row: severity for *row, severity in zip(*(ours[name] for name in (*key, "severity")), strict=True)
               for row in [tuple(row)] if severity}  # fmt: skip
    several = {row for row, severity in flagged.items() if severity >= 2}
    assert len(spikes) == 67
    assert len(spikes & flagged.keys()) / 67 >= 0.95
    assert len(spikes & several) / len(several) >= 0.70


# --- made data -------------------------------------------------------------------------------------------------------

SAMPLE = {"events": 1_200, "seed": 3, "late_share": 0.1, "dup_share": 0.05, "bad_share": 0.05}


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Path:
    """A generated landing folder with many faults."""
    from workloads.cloud_usage import generate

    folder = tmp_path_factory.mktemp("sample")
    generate.write(folder, **SAMPLE)
    return folder / "data"


@pytest.fixture(scope="module")
def of_sample(sample: Path) -> Any:
    """What the reference makes of the sample."""
    from benchmarks import cloud_reference

    return cloud_reference.batch(sample, INGESTED)


def event_files(folder: Path) -> list[Path]:
    return sorted((folder / "usage_events_stream").iterdir())


def split(sample: Path, place: Place, count: int, seed: int) -> list[list[tuple[str, bytes]]]:
    """The lines of all events of the sample, shuffled, as `count` deliveries of three files each."""
    import random

    lines = [line for file in event_files(sample) for line in file.read_bytes().splitlines(keepends=True)]
    random.Random(seed).shuffle(lines)
    parts = [lines[number :: 3 * count] for number in range(3 * count)]
    files = [(f"part-{number}.jsonl", b"".join(part)) for number, part in enumerate(parts)]
    return [files[number::count] for number in range(count)]


def deliver(place: Place, files: list[tuple[str, bytes]]) -> None:
    folder = place.landing / "usage_events_stream"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files:
        (folder / name).write_bytes(content)


def deliver_masters(place: Place, sample: Path) -> None:
    place.landing.mkdir(parents=True, exist_ok=True)
    for file in sample.glob("*.csv"):
        shutil.copy(file, place.landing)


def stream(place: Place, run_id: str = "stream") -> Counts:
    """The speed layer, until it has taken everything that is there."""
    from workloads.lakehouse import streams

    run = streams.run
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "run", lambda source, place, handle, every=None, lasting=0: run(source, place, handle))
        return place.run("speed", run_id=run_id, files_per_trigger=2)["speed"]


def view(place: Place) -> dict[str, pd.DataFrame]:
    """The marts as they are served: batch and speed rows of the newest version, put together."""
    from workloads.cloud_usage import seam
    from workloads.lakehouse.serving_view import view

    version = seam.newest(place.context("gold"))
    found = {}
    for served in SERVING:
        batch = [row.asDict() | {"version": version} for row in place.spark.read.table(f"gold.{served.name}").collect()]
        speed = []
        if served.speed and place.spark.catalog.tableExists(f"speed.{served.name}"):
            speed = [row.asDict() for row in place.spark.read.table(f"speed.{served.name}").collect()]
        rows = view(served, batch, speed, version)
        found[served.name] = pd.DataFrame(rows, columns=[column.name for column in served.columns])
    return found


def assert_same(found: dict[str, pd.DataFrame], wanted: dict[str, pd.DataFrame]) -> None:
    for name, key in KEYS.items():
        one, other = (frame[name].sort_values(list(key)).reset_index(drop=True) for frame in (found, wanted))
        assert len(one) == len(other), name
        for column in other.columns:
            if other[column].dtype.kind == "f":
                pd.testing.assert_series_equal(one[column].astype(float), other[column], rtol=1e-9, check_names=False)
            else:
                assert list(map(plain, one[column])) == list(map(plain, other[column])), (name, column)


BREAKING = (
    "DELETE FROM silver.cloud_usage_events WHERE service = 'genai' AND cost_usd > 0",
    "UPDATE silver.cloud_usage_customers SET is_current = NOT is_current",
    "UPDATE gold.revenue_by_org_month SET revenue_usd = revenue_usd + 1",
    "DELETE FROM gold.tickets_by_org_date",
    "INSERT INTO gold.cost_anomaly_mart SELECT * FROM gold.cost_anomaly_mart",
    "UPDATE quarantine.cloud_usage_records SET reason = NULL",
)
"""What makes outputs disagree."""


def broken(place: Place) -> list[str]:
    """The checks that do not hold, in their order."""
    from workloads.cloud_usage.checks import CHECKS
    from workloads.lakehouse.checks import Outputs, run

    return [result.check.name for result in run(CHECKS, Outputs(place.lake, place.spark)) if not result.passed]


class Killed(Exception):  # noqa: N818 - no error: what a kill would leave
    """The process is gone, as far as its durable writes can tell."""


@contextmanager
def killed_at(gate: str) -> Iterator[None]:
    """Ends whatever runs when it announces that durable write (`before` or `after` and its name), once."""
    listening = True

    def hear(event: str, arguments: tuple) -> None:
        nonlocal listening
        if listening and event == "medallion.effect" and gate == f"{arguments[0]} {arguments[2]}":
            listening = False
            raise Killed

    sys.addaudithook(hear)
    yield
    listening = False


@pytest.fixture(scope="module")
def streamed(new_place, sample: Path, of_sample) -> Place:
    """A batch of half of the sample's lines, shuffled; the rest by a stream that is killed twice, late and doubled."""
    place = new_place()
    deliver_masters(place, sample)
    first, rest = split(sample, place, 2, seed=1)
    deliver(place, first)
    place.run("bronze", "silver", "anomalies", "gold")
    deliver(place, rest)
    for number, gate in enumerate(("before bronze.cloud_usage_events", "before bronze.cloud_usage_files")):
        with killed_at(gate), pytest.raises(Killed):
            stream(place, run_id=f"killed-{number}")
    stream(place)
    return place


def test_the_served_view_of_batch_and_stream_is_that_of_one_batch(streamed: Place, of_sample) -> None:
    assert_same(view(streamed), of_sample.marts)
    assert streamed.sql("SELECT count(*) FROM bronze.cloud_usage_arrivals") == [(of_sample.lines,)]
    (late,) = streamed.sql("SELECT count(*) FROM speed.late_events")
    assert late[0] > 0


def test_the_next_batch_is_that_of_one_batch_and_loses_nothing(streamed: Place, sample: Path, of_sample) -> None:
    counts = streamed.run("bronze", "silver", "anomalies", "gold", run_id="run-2")

    assert counts["bronze"].balanced
    assert counts["silver"].records_out == len(of_sample.events)
    assert_marts_are(streamed, of_sample.marts)
    assert streamed.sql("SELECT max(version) FROM gold.cloud_usage_versions") == [(2,)]
    rules = "SELECT rule, count(*) FROM quarantine.cloud_usage_records WHERE source = 'events' GROUP BY rule"
    strangers = streamed.sql("SELECT count(*) FROM quarantine.cloud_usage_conformed")[0][0]
    found = dict(streamed.sql(rules)) | ({"unknown_org": strangers} if strangers else {})
    assert found == of_sample.quarantine["rule"].value_counts().to_dict()

    assert broken(streamed) == []
    for break_one in BREAKING:
        streamed.sql(break_one)
    assert broken(streamed) == [
        "silver-conserved", "cost-conserved", "daily-reconciles", "windows-count-twice", "genai-reconciles",
        "revenue-reconciles", "tickets-reconcile", "flags-agree", "keys-unique", "versions-follow",
        "quarantine-explains",
    ]  # fmt: skip

    # A file that is gone takes its events with it.
    gone = event_files(streamed.landing)[0]
    lines = len(gone.read_bytes().splitlines())
    gone.unlink()
    fewer = streamed.run("bronze", run_id="run-3")["bronze"]
    assert fewer.balanced
    assert counts["bronze"].records_in - fewer.records_in == lines


def test_what_is_served_anew_is_what_changed_and_what_is_gone(spark) -> None:
    from workloads.cloud_usage.speed import difference

    form = "org STRING, day INT, events BIGINT, note STRING, version BIGINT"
    was = spark.createDataFrame([("a", 1, 5, None, 7), ("b", 1, 5, "x", 7), ("c", 1, 5, "x", 7)], form)
    now = spark.createDataFrame([("a", 1, 5, None, 7), ("b", 1, 5, None, 7), ("b", 2, 1, "x", 7)], form)

    def rows(**options) -> set[tuple]:
        found = difference(now, was, ["org", "day"], **options)
        assert found.columns == ["org", "day", "events", "note"]
        return {tuple(row) for row in found.collect()}

    changed, gone = {("b", 1, 5, None), ("b", 2, 1, "x")}, {("c", 1, None, None)}
    assert rows() == changed | gone
    assert rows(anew=True) == changed | gone | {("a", 1, 5, None)}
