"""`cloud-usage` as a user runs it: a sample in, marts out, served by a real Cassandra, streamed, queried, replayed."""

import json

import pytest
from deltalake import DeltaTable

from workloads.lakehouse import metrics

pytestmark = [pytest.mark.engine, pytest.mark.spark]

WORKLOAD = "cloud-usage"
EVENTS = 2_000


def table(platform, name):
    layer, short = name.split(".")
    return DeltaTable(platform.home / "lake" / "catalog" / f"{layer}.db" / short).to_pandas()


def query(platform, name, **values):
    options = [text for key, value in values.items() for text in (f"--{key.replace('_', '-')}", str(value))]
    return json.loads(platform.succeed("medallion", "query", WORKLOAD, name, *options, "--json"))["rows"]


def counted(report):
    for task in report["tasks"]:
        assert task["in"] == task["out"] + task["quarantined"] + task["duplicates"], task
    return {task["task"]: task for task in report["tasks"]}


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """A generated landing folder, and the totals of its truth."""
    from workloads.cloud_usage import generate

    folder = tmp_path_factory.mktemp("usage")
    generate.write(folder, events=EVENTS, seed=11, bad_share=0.05)
    return folder


@pytest.fixture(scope="module")
def report(standing, sample):
    standing.succeed("medallion", "upload", WORKLOAD, str(sample / "data"), "--replace")
    report = json.loads(standing.succeed("medallion", "run", WORKLOAD, "--json"))
    assert report["state"] == "SUCCESS"
    return report


def test_all_that_landed_is_accounted_for(standing, sample, report):
    tasks = counted(report)
    lines = sum(len(file.read_bytes().splitlines()) for file in (sample / "data").rglob("*.jsonl"))
    arrived = table(standing, "bronze.cloud_usage_arrivals")
    assert len(arrived) == lines
    assert tasks["bronze"]["quarantined"] > 0
    assert tasks["validate"]["in"] == tasks["silver"]["out"]


def test_what_is_served_is_what_gold_holds(standing, report):
    daily = table(standing, "gold.org_daily_usage_by_service")
    org, day = daily.iloc[0]["org_id"], daily.iloc[0]["date"]
    wanted = daily[(daily["org_id"] == org) & (daily["date"] == day)].sort_values("service")
    rows = query(standing, "org-daily", org=org, date=day)
    assert [(row["service"], row["events"]) for row in rows] == list(
        zip(wanted["service"], wanted["events"], strict=True)
    )
    assert [float(row["cost_usd"]) for row in rows] == pytest.approx(list(map(float, wanted["cost_usd"])))


def test_a_stream_takes_what_comes_and_serves_it(standing, tmp_path, report):
    daily = table(standing, "gold.org_daily_usage_by_service")
    org, day = daily.iloc[0]["org_id"], daily.iloc[0]["date"]
    before = {row["service"]: row["events"] for row in query(standing, "org-daily", org=org, date=day)}
    resources = table(standing, "silver.cloud_usage_resources")
    resource = resources[resources["org_id"] == org].iloc[0]
    folder = tmp_path / "more" / "usage_events_stream"
    folder.mkdir(parents=True)
    event = {
        "event_id": "evt_new", "timestamp": f"{day}T12:00:00Z", "org_id": org, "resource_id": resource["resource_id"],
        "service": resource["service"], "region": resource["region"], "metric": "requests", "value": 1, "unit": None,
        "cost_usd_increment": 0.5, "schema_version": 1,
    }  # fmt: skip
    (folder / "late.jsonl").write_text(f"{json.dumps(event)}\n{json.dumps(event)}\n")
    standing.succeed("medallion", "upload", WORKLOAD, str(tmp_path / "more"))

    standing.succeed("medallion", "run", WORKLOAD, "--stream", "--for", "20s", "-p", "trigger_seconds=1")

    after = {row["service"]: row["events"] for row in query(standing, "org-daily", org=org, date=day)}
    assert after == before | {resource["service"]: before.get(resource["service"], 0) + 1}
    runs = standing.home / "lake/reports/runs" / WORKLOAD
    emitted = {
        metric["name"]
        for file in runs.glob("*/speed.metrics.json")
        for metric in json.loads(file.read_text())["metrics"]
    }
    assert {metric.name for metric in metrics.CATALOGUE if metric.kind == "stream"} <= emitted


def test_repaired_records_are_taken_back_in(standing, tmp_path, report):
    exported = standing.home / "lake/quarantine/files/quarantine/cloud_usage/records.jsonl"
    exported = next((standing.home / "lake/quarantine").rglob("records.jsonl")) if not exported.exists() else exported
    lines = [json.loads(line) for line in exported.read_text().splitlines()]
    broken = next(line for line in lines if line["rule"] == "cost_below_minimum")
    event = json.loads(broken["text"])
    repaired = tmp_path / "repaired.jsonl"
    repaired.write_text(json.dumps(broken | {"text": json.dumps(event | {"cost_usd_increment": 0.25})}) + "\n")

    done = standing.succeed(
        "medallion", "replay", WORKLOAD, "--rule", "cost_below_minimum", "--file", str(repaired), "--json"
    )

    counted(json.loads(done))
    events = table(standing, "bronze.cloud_usage_events").set_index("event_id")
    assert float(events.loc[event["event_id"], "cost_usd"]) == 0.25
    left = table(standing, "quarantine.cloud_usage_records")
    assert broken["record_id"] not in set(left["record_id"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("query", WORKLOAD, "sales"), "org-daily"),
        (("query", WORKLOAD, "org-daily", "--org", "o"), "date"),
        (("replay", WORKLOAD, "--rule", "none"), "--rule takes all, or one of"),
        (("run", WORKLOAD, "--task", "nothing"), "nothing"),
        (("run", WORKLOAD, "--task", "bronze", "-p", "source=pigeon"), "takes files or stream, not 'pigeon'"),
    ],
)
def test_mistakes_are_one_clear_line(standing, report, arguments, said):
    done = standing.call("medallion", *arguments)
    assert done.returncode != 0
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
