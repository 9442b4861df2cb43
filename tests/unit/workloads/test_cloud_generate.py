"""The sample of cloud usage: the same bytes for the same arguments, and a truth that its lines bear out."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import cloud_reference as reference
from workloads.cloud_usage.generate import KINDS, Sample, write
from workloads.cloud_usage.generated_events import STRENGTHS
from workloads.cloud_usage.generated_masters import ids

NOW = datetime(2025, 9, 1, tzinfo=UTC)
EVENTS = 5_000
SHARES = {"late_share": 0.05, "dup_share": 0.04, "bad_share": 0.03}
TYPES = {
    "event_id": {str}, "timestamp": {str}, "org_id": {str}, "resource_id": {str}, "service": {str}, "region": {str},
    "metric": {str}, "value": {float, str, type(None)}, "unit": {str, type(None)}, "cost_usd_increment": {float},
    "schema_version": {int}, "carbon_kg": {float, int}, "genai_tokens": {int},
}  # fmt: skip
HEADERS = {
    "billing_monthly": "invoice_id,org_id,month,subtotal,credits,taxes,currency,exchange_rate_to_usd",
    "customers_orgs": "org_id,org_name,industry,hq_region,plan_tier,is_enterprise,signup_date,sales_rep,"
    "lifecycle_stage,marketing_source,nps_score",
    "marketing_touches": "touch_id,org_id,campaign,channel,timestamp,clicked,converted",
    "nps_surveys": "org_id,survey_date,nps_score,comment",
    "resources": "resource_id,org_id,service,region,created_at,state,tags_json",
    "support_tickets": "ticket_id,org_id,category,severity,created_at,resolved_at,csat,sla_breached",
    "users": "user_id,org_id,email,role,active,created_at,last_login",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("sample")
    write(made, EVENTS, 3, **SHARES)
    return made


@pytest.fixture(scope="module")
def batch(folder) -> reference.Batch:
    return reference.batch(folder / "data", NOW)


@pytest.fixture(scope="module")
def totals(folder) -> dict:
    return json.loads((folder / "truth" / "totals.json").read_text())


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "truth" / f"{name}.csv").open() as stream:
        return list(csv.DictReader(stream))


def lines(folder: Path) -> dict[tuple[str, int], bytes]:
    """File and number → line."""
    return {
        (f"usage_events_stream/{path.name}", number): line
        for path in sorted((folder / "data" / "usage_events_stream").iterdir())
        for number, line in enumerate(path.read_bytes().removesuffix(b"\n").split(b"\n"), 1)
    }


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_arguments_give_the_same_bytes_whatever_was_there(tmp_path, folder) -> None:
    write(tmp_path, EVENTS + 2_000, 3, **SHARES)
    paths = write(tmp_path, EVENTS, 3, **SHARES)
    assert content(tmp_path) == content(folder)
    assert sorted(paths) == sorted(path for path in tmp_path.rglob("*") if path.is_file())


def test_another_seed_gives_other_events() -> None:
    first, second = ([part.lines for part in Sample(50, seed, 0, 0, 0).parts()] for seed in (3, -3))
    assert not {line for part in first for line in part} & {line for part in second for line in part}


def test_the_faults_are_exactly_those_of_the_truth(folder, batch) -> None:
    told = {(row["file"], int(row["line"])): row["rule"] for row in rows(folder, "faults")}
    found = {(file, line): rule for file, line, rule, *_ in batch.quarantine.itertuples(index=False)}
    assert told == found
    assert {row["kind"] for row in rows(folder, "faults")} == {*KINDS, "negative-cost"}


def test_copies_are_copies_of_the_first_line_of_their_event(folder, batch) -> None:
    told, text = rows(folder, "duplicates"), lines(folder)
    assert len(told) == batch.duplicates == round(EVENTS * SHARES["dup_share"])
    copied = Counter()
    for row in told:
        copy, first = (row["file"], int(row["line"])), (row["of_file"], int(row["of_line"]))
        assert first < copy
        assert text[copy] == text[first]
        assert json.loads(text[copy])["event_id"] == row["event_id"]
        copied[row["file"] == row["of_file"]] += 1
    assert min(copied.values()) > len(told) / 4
    kept = {(file, line) for file, line in batch.events[["file", "line"]].itertuples(index=False)}
    assert not {(row["file"], int(row["line"])) for row in told} & kept


def test_late_events_are_behind_the_slice_of_their_file_and_no_others_are(folder, batch) -> None:
    told = {row["event_id"]: row for row in rows(folder, "late")}
    assert len(told) == pytest.approx(EVENTS * SHARES["late_share"], rel=0.03)
    begins = defaultdict(set)
    by_id = batch.events.set_index("event_id")
    for name, row in told.items():
        event = by_id.loc[name]
        assert (event["file"], event["line"]) == (row["file"], int(row["line"]))
        assert event["seconds"] == datetime.fromisoformat(row["timestamp"]).timestamp()
        assert int(row["behind_seconds"]) >= 3_600
        begins[row["file"]].add(int(event["seconds"]) + int(row["behind_seconds"]))
    assert all(len(begin) == 1 for begin in begins.values())
    usual = batch.events[~batch.events["event_id"].isin(told.keys())]
    earliest, latest = usual.groupby("file")["seconds"].min(), usual.groupby("file")["seconds"].max()
    assert (latest.to_numpy()[:-1] <= earliest.to_numpy()[1:]).all()
    for file, (begin,) in begins.items():
        assert latest.shift().loc[file] <= begin <= earliest.loc[file]
    assert not usual[usual["file"] == usual["file"].iloc[0]]["seconds"].is_monotonic_increasing


def test_the_totals_are_those_of_the_lines(batch, totals) -> None:
    sums = reference.totals(batch)
    assert {name: Decimal(totals[name]) for name in sums} == {name: silver for name, (silver, _) in sums.items()}
    assert totals["quarantined"] == batch.quarantine["rule"].value_counts().to_dict()
    assert (totals["lines"], totals["events"]) == (batch.lines, len(batch.events)) == (EVENTS, totals["events"])
    assert totals["events"] + totals["duplicates"] + sum(totals["quarantined"].values()) == EVENTS
    assert totals["null_values"] == batch.events["amount"].isna().sum()
    assert totals["slightly_negative_costs"] == (batch.events["cost"] < 0).sum() > 0
    assert totals["schema_1"] == (batch.events["schema_version"] == 1).sum() == pytest.approx(EVENTS / 4, rel=0.1)


def test_bad_lines_are_as_many_as_were_asked_for_and_of_every_kind_alike(folder) -> None:
    kinds = Counter(row["kind"] for row in rows(folder, "faults") if row["kind"] != "negative-cost")
    assert kinds.total() == round(EVENTS * SHARES["bad_share"])
    assert max(kinds.values()) - min(kinds.values()) <= 1


def test_anomalous_units_cost_what_the_truth_says_and_more_than_others(folder, batch) -> None:
    told = {
        (row["org_id"], date.fromisoformat(row["date"]), row["service"], row["region"]): row
        for row in rows(folder, "anomalies")
    }
    mart = batch.days.set_index(reference.UNIT)
    assert len(told) >= 5
    assert {float(row["strength"]) for row in told.values()} <= set(STRENGTHS)
    events = batch.events.groupby(reference.UNIT)
    assert {unit: Decimal(row["cost_usd"]) for unit, row in told.items()} == {
        unit: mart.loc[unit, "cost_usd"] for unit in told
    }
    assert {unit: int(row["events"]) for unit, row in told.items()} == {
        unit: len(events.get_group(unit)) for unit in told
    }
    assert all(set(events.get_group(unit)["metric"]) == {"requests"} for unit in told)
    strong = [unit for unit, row in told.items() if float(row["strength"]) >= 8 and int(row["events"]) >= 3]
    assert strong
    assert all(mart.loc[unit, "is_anomaly"] for unit in strong)


def typed(records: list[dict]) -> dict[str, set[type]]:
    found = defaultdict(set)
    for record in records:
        for key, value in record.items():
            found[key].add(type(value))
    return dict(found)


def well_formed(folder: Path) -> list[dict]:
    bad = {(row["file"], int(row["line"])) for row in rows(folder, "faults") if row["kind"] != "negative-cost"}
    return [json.loads(line) for place, line in lines(folder).items() if place not in bad]


def test_lines_have_the_keys_and_types_of_real_ones(folder) -> None:
    records = well_formed(folder)
    assert typed(records) == TYPES
    keys = list(TYPES)
    assert {tuple(record) for record in records} == {tuple(keys[:11]), tuple(keys[:12]), tuple(keys)}
    assert all((len(record) == 13) == (record["service"] == "genai") for record in records if len(record) > 11)
    for path in (folder / "data" / "usage_events_stream").iterdir():
        assert path.read_bytes().endswith(b"}\n") or path.read_bytes().endswith(b"\n")
    raw = next(iter(lines(folder).values())).decode()
    assert json.dumps(json.loads(raw)) == raw


@pytest.mark.real_data
def test_real_lines_have_these_keys_and_types(real_data, folder) -> None:
    real = real_data / "cloud_usage"
    records = [
        json.loads(line) for path in sorted(real.glob("*/*.jsonl"))[:20] for line in path.read_text().splitlines()
    ]
    assert typed(records) == TYPES == typed(well_formed(folder))
    for name, header in HEADERS.items():
        assert (real / f"{name}.csv").read_text().partition("\n")[0] == header


def test_masters_have_the_columns_of_real_ones_and_belong_together(folder) -> None:
    data = folder / "data"
    assert {path.stem: path.read_text().partition("\n")[0] for path in data.glob("*.csv")} == HEADERS
    tables = {name: reference.table(data / f"{name}.csv") for name in HEADERS}
    orgs = tables["customers_orgs"]["org_id"]
    assert all(set(table["org_id"]) <= set(orgs) for table in tables.values())
    for name in set(HEADERS) - {"nps_surveys"}:
        assert tables[name].iloc[:, 0].is_unique
    events = [(record["resource_id"], record["org_id"], record["service"], record["region"]) for record in
              well_formed(folder)]  # fmt: skip
    resources = tables["resources"].iloc[:, :4].itertuples(index=False, name=None)
    assert {event for event in events if event[1] in set(orgs)} <= set(resources)


def test_masters_have_the_dirt_of_real_ones(folder, batch) -> None:
    data = folder / "data"
    bills, tickets = reference.table(data / "billing_monthly.csv"), reference.table(data / "support_tickets.csv")
    assert batch.marts["revenue_by_org_month"]["credit_notes"].sum() > 0
    assert set(bills["currency"]) == {"ARS", "EUR", "USD"}
    assert (bills[bills["currency"] == "USD"]["exchange_rate_to_usd"].astype(float) != 1).any()
    assert (bills["credits"] == "").any()
    assert {"", "0.0", "6.0", "7.0"} <= set(tickets["csat"])
    surveys, users = reference.table(data / "nps_surveys.csv"), reference.table(data / "users.csv")
    assert (surveys["nps_score"].replace("", "0").astype(float) > 100).any()
    assert ((users["last_login"] != "") & (users["last_login"] < users["created_at"])).any()
    touches, resources = reference.table(data / "marketing_touches.csv"), reference.table(data / "resources.csv")
    assert ((touches["clicked"] == "False") & (touches["converted"] == "True")).any()
    created = batch.events["resource_id"].map(resources.set_index("resource_id")["created_at"])
    assert (batch.events["date"].astype(str) < created).any()


def test_daily_costs_are_about_as_real_ones() -> None:
    sample = Sample(12_000, 1, 0, 0, 0)
    assert sum(len(part.lines) for part in sample.parts()) == 12_000
    cost = sample.shown.cost[sample.shown.events > 0] / 10_000
    assert np.median(cost) == pytest.approx(7.6, rel=0.3)
    assert np.median(np.abs(cost - np.median(cost))) == pytest.approx(5.6, rel=0.3)
    assert np.median((sample.shown.events > 0).sum(axis=1)) == pytest.approx(37, rel=0.15)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    events=st.integers(1, 400),
    seed=st.integers(),
    shares=st.tuples(*[st.floats(0, 1)] * 3).filter(lambda shares: sum(shares) <= 1),
)
def test_any_sample_has_the_lines_that_were_asked_for(events: int, seed: int, shares: tuple) -> None:
    sample = Sample(events, seed, *shares)
    made = list(sample.parts())
    assert sum(len(part.lines) for part in made) == events
    bad = sum(kind != "negative-cost" for part in made for *_, kind, _ in part.faults)
    copies = sum(len(part.duplicates) for part in made)
    low = sum(kind == "negative-cost" for part in made for *_, kind, _ in part.faults)
    assert sample.shown.counts["events"] == events - bad - copies - low > 0
    assert bad <= round(shares[2] * events) <= bad + 1
    assert copies <= round(shares[1] * events) <= copies + len(made)
    assert all(b"\n" not in line for part in made for line in part.lines)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(first=st.integers(0, 10**12), key=st.integers(0, 2**40), digits=st.sampled_from([8, 12]))
def test_ids_are_all_different(first: int, key: int, digits: int) -> None:
    whole = ids(first, 300, key, digits)
    assert len(set(whole)) == 300
    assert {len(one) for one in whole} == {digits}
    assert ids(first, 100, key, digits) + ids(first + 100, 200, key, digits) == whole
