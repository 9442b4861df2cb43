"""What bronze does with rubbish, with changes in the masters, and with repaired records."""

from __future__ import annotations

import gzip
import json
from datetime import date

import pytest

from workloads.lakehouse.errors import TaskError
from workloads.lakehouse.task import Counts

pytestmark = pytest.mark.spark

EVENT = {
    "timestamp": "2025-08-17T01:55:00Z", "org_id": "o1", "resource_id": "r1", "service": "compute", "region": "sa-east",
    "metric": "requests", "value": 1, "unit": "count", "cost_usd_increment": 0.5, "schema_version": 2, "carbon_kg": 0,
}  # fmt: skip
HEADER = "org_id,org_name,industry,hq_region,plan_tier,is_enterprise,signup_date,sales_rep,lifecycle_stage,"
CUSTOMERS = HEADER + "marketing_source,nps_score\no1,One,Media,sa-east,{},True,2025-01-01,rep_a,active,ads,4.0\n"


@pytest.fixture
def bronze(context):
    """Makes the context of a task of `cloud-usage`."""

    def make(key: str = "bronze", **options):
        return context(key, workload_name="cloud-usage", **options)

    return make


def event(number: int, **changes) -> bytes:
    return json.dumps({"event_id": f"e{number}", **EVENT, **changes}).encode()


def put(task, name: str, content: bytes | str) -> None:
    path = task.lake.path(f"landing/cloud_usage/{name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def found(task, query: str) -> list[tuple]:
    return [tuple(row) for row in task.spark.sql(query).collect()]


def test_rubbish_is_set_aside_file_by_file(bronze) -> None:
    from workloads.cloud_usage import bronze as layer

    task = bronze()
    put(task, "customers_orgs.csv", CUSTOMERS.format("pro"))
    put(task, "invoices.csv", "a,b\n1,2\n")
    put(task, "usage_events_stream/empty.jsonl", b"")
    put(task, "usage_events_stream/long.jsonl", event(1, metric="m" * 10 * 2**20) + b"\n" + event(2) + b"\n")
    put(task, "usage_events_stream/packed.jsonl.gz", gzip.compress(event(3) + b"\n" + event(3)))
    put(task, "usage_events_stream/bytes.jsonl", event(4) + b"\r\n\xff\xfe\n\x00\x01")
    put(task, "usage_events_stream/two of one.jsonl", event(4, value=2) + b"\n" + event(4) + b"\n")

    counts = layer.run(task)

    rules = "SELECT file, rule, count(*) FROM quarantine.cloud_usage_records GROUP BY ALL ORDER BY ALL"
    conflict = [row for row in found(task, rules) if row[1] == "conflicting_event"]
    assert len(conflict) == 1
    assert [row for row in found(task, rules) if row not in conflict] == [
        ("invoices.csv", "unknown_file", 1),
        ("usage_events_stream/bytes.jsonl", "damaged_text", 1),
        ("usage_events_stream/bytes.jsonl", "not_json", 1),
        ("usage_events_stream/long.jsonl", "oversized", 1),
    ]
    assert counts == Counts(records_in=11, records_out=1 + 3, quarantined=5, duplicates=2)
    (raw,) = found(task, "SELECT length(raw) FROM quarantine.cloud_usage_records WHERE rule = 'oversized'")
    assert raw[0] > 10 * 2**20
    exported = task.lake.path("quarantine/cloud_usage/records.jsonl").read_text().splitlines()
    assert len(exported) == 5


def test_repaired_records_are_taken_in_and_stay_so(bronze) -> None:
    from workloads.cloud_usage import bronze as layer

    task = bronze()
    put(task, "customers_orgs.csv", CUSTOMERS.format("pro").replace("True", "perhaps"))
    put(task, "usage_events_stream/a.jsonl", event(1) + b"\n" + event(2, cost_usd_increment=-3) + b"\n")
    assert layer.run(task) == Counts(records_in=3, records_out=1, quarantined=2)
    good = CUSTOMERS.format("pro").splitlines()[1]
    repairs = [
        {"file": "usage_events_stream/a.jsonl", "line": 2, "text": event(2).decode()},
        {"file": "customers_orgs.csv", "line": 2, "text": good},
    ]
    folder = task.lake.path("landing/repairs/cloud-usage")
    folder.mkdir(parents=True)
    (folder / "repaired.jsonl").write_text("".join(json.dumps(one) + "\n" for one in repairs))

    assert layer.run(bronze(run_id="run-2", replay="cost_below_minimum")) == Counts(records_in=3, records_out=3)

    assert found(task, "SELECT event_id, cost_usd = 0.5 FROM bronze.cloud_usage_events ORDER BY event_id") == [
        ("e1", True), ("e2", True),
    ]  # fmt: skip
    assert found(task, "SELECT is_enterprise FROM bronze.cloud_usage_customers") == [(True,)]
    put(task, "usage_events_stream/a.jsonl", event(9) + b"\n" + event(2, cost_usd_increment=-3) + b"\n")
    assert layer.run(bronze(run_id="run-3")) == Counts(records_in=3, records_out=3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not json", "bad.jsonl, line 1: a repair is a JSON object with file, line, text"),
        ('{"file": "a", "line": "2", "text": ""}', "bad.jsonl, line 1: a repair is a JSON object"),
    ],
)
def test_a_repair_that_is_none_is_said(text: str, said: str) -> None:
    from workloads.cloud_usage import repairs

    with pytest.raises(TaskError, match=said):
        repairs.parse(text, "bad.jsonl")


def test_customers_keep_their_history_over_three_runs(bronze, spark) -> None:
    from workloads.cloud_usage import conform, silver
    from workloads.cloud_usage.schemas import CUSTOMERS as DIMENSION
    from workloads.cloud_usage.schemas import MASTERS

    task = bronze("silver")

    def delivered(*changes: tuple[str, str, date]) -> list[tuple]:
        rows = [{"org_id": org, "plan_tier": plan, "as_of": day} for org, plan, day in changes]
        frame = spark.createDataFrame(rows, "org_id STRING, plan_tier STRING, as_of DATE")
        missing = [column for column in MASTERS["customers"].columns if column.name not in frame.columns]
        task.replace(
            MASTERS["customers"], frame.selectExpr("*", *(f"CAST(NULL AS {c.type}) AS {c.name}" for c in missing))
        )
        silver._history(task, "customers", DIMENSION)
        return found(
            task,
            "SELECT org_id, plan_tier, valid_from, valid_to, is_current "
            "FROM silver.cloud_usage_customers ORDER BY org_id, valid_from",
        )

    begin, first, second = date(1, 1, 1), date(2026, 1, 1), date(2026, 2, 1)
    one = delivered(("o1", "pro", first), ("o2", "free", first))
    assert one == [("o1", "pro", begin, None, True), ("o2", "free", begin, None, True)]
    two = delivered(("o1", "pro", first), ("o2", "free", first), ("o1", "free", second))
    assert two == [
        ("o1", "pro", begin, second, False), ("o1", "free", second, None, True), ("o2", "free", begin, None, True),
    ]  # fmt: skip
    again = delivered(("o1", "pro", first), ("o2", "free", first), ("o1", "free", second))
    assert again == two
    assert delivered(("o1", "pro", first)) == [("o1", "pro", begin, None, True)]

    delivered(("o1", "pro", first), ("o1", "free", second))
    columns = "event_id STRING, org_id STRING, resource_id STRING, event_date DATE, metric STRING, unit STRING"
    days = {"before": date(2025, 1, 1), "day before": date(2026, 1, 31), "day": second}
    events = spark.createDataFrame([(name, "o1", "r", day, "requests", None) for name, day in days.items()], columns)
    names = {c.name: c.type for c in silver.SILVER_EVENTS.columns}
    for name in ("event_time", "service", "region", "value", "cost_usd", "schema_version", "carbon_kg", "genai_tokens",
                 "source_file", "source_line", "ingest_ts", "run_id"):  # fmt: skip
        events = events.selectExpr("*", f"CAST(NULL AS {names[name]}) AS {name}")
    resources = spark.createDataFrame(
        [], "resource_id STRING, state STRING, tags_json STRING, created_at DATE, valid_from DATE, valid_to DATE"
    )
    placed = conform.conform(events, task.table(DIMENSION), resources).select("event_id", "plan_tier", "unit").collect()
    assert {row[0]: row[1:] for row in placed} == {
        "before": ("pro", "count"), "day before": ("pro", "count"), "day": ("free", "count"),
    }  # fmt: skip


def test_what_is_no_choice_is_one_clear_error(bronze) -> None:
    from workloads.cloud_usage import bronze as layer

    for options, said in (
        ({}, "there are no files in"),
        ({"source": "pigeon"}, "parameter 'source' takes files or stream, not 'pigeon'"),
        ({"replay": "nothing"}, "parameter 'replay' takes all, or one of damaged_text"),
    ):
        with pytest.raises(TaskError, match=said):
            layer.run(bronze(**options))
    task = bronze(as_of="tomorrow")
    put(task, "users.csv", "user_id,org_id\nu1,o1\n")
    with pytest.raises(TaskError, match="parameter 'as_of' takes a day as YYYY-MM-DD, not 'tomorrow'"):
        layer.run(task)
