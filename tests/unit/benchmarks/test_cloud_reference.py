"""The reference of `cloud-usage` is itself right: on the real data, and on single lines."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pandas as pd
import pytest

from benchmarks import cloud_reference as reference
from workloads.cloud_usage.serving_tables import SERVING

NOW = datetime(2025, 9, 1, 8, tzinfo=UTC)
EVENT = {
    "event_id": "evt_1", "timestamp": "2025-08-17T01:55:00Z", "org_id": "org_1", "resource_id": "res_1",
    "service": "genai", "region": "us-east", "metric": "requests", "value": "95.0", "unit": None,
    "cost_usd_increment": 0.9561, "schema_version": 2, "carbon_kg": 8.9e-05, "genai_tokens": 12,
}  # fmt: skip


def line(**changed):
    return json.dumps(EVENT | changed).encode()


def without(key):
    return json.dumps({name: value for name, value in EVENT.items() if name != key}).encode()


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (line(), None),
        (line(value=None, carbon_kg=None, genai_tokens=None), None),
        (line(cost_usd_increment=-0.01), None),
        (line(cost_usd_increment="1.5", schema_version="1"), None),
        (line(timestamp="2025-09-02T07:59:59Z"), None),
        (line(timestamp="2025-09-02T10:00:00+02:00"), None),
        (b"\xff" + line(), "damaged_text"),
        (line(unit="x" * 2**20), "oversized"),
        (line()[:-9], "not_json"),
        (b"", "not_json"),
        (b"[1]", "not_json"),
        (b"[" * 100_000, "not_json"),
        (line(value=float("nan")), "not_json"),
        (without("region"), "missing_key"),
        (line(org_id=""), "missing_key"),
        (line(cost_usd_increment=None), "missing_key"),
        (line(region=" "), "missing_key"),
        (line(service={"name": "genai"}), "wrong_type"),
        (line(schema_version=[2]), "wrong_type"),
        (line(unit=["count"]), "wrong_type"),
        (line(schema_version=3), "unknown_schema_version"),
        (line(timestamp="17 August 2025"), "bad_timestamp"),
        (line(timestamp="2025-02-30T00:00:00Z"), "bad_timestamp"),
        (line(timestamp="2099-01-01T00:00:00Z"), "time_out_of_range"),
        (line(timestamp="1999-12-31T23:59:59Z"), "time_out_of_range"),
        (line(value="many"), "bad_number"),
        (line(value=True), "bad_number"),
        (line(carbon_kg={"kg": 1}), "bad_number"),
        (line(cost_usd_increment=1e300), "bad_number"),
        (line(genai_tokens=1.5), "bad_number"),
        (line(cost_usd_increment="0.123456789"), "inexact_amount"),
        (line(cost_usd_increment=-0.0101), "cost_below_minimum"),
        (line(cost_usd_increment=-5, schema_version=3), "unknown_schema_version"),
    ],
    ids=lambda value: str(value) if not isinstance(value, bytes) else "",
)
def test_the_first_rule_that_a_line_breaks(raw, rule):
    assert reference.judge(raw, NOW)[0] == rule


def test_what_is_read_of_a_line():
    _, event = reference.judge(line(), NOW)
    assert (event["amount"], event["cost"], event["carbon"], event["tokens"]) == (95_00000000, 95610000, 8900, 12)
    assert event["seconds"] == 1755395700


def units(costs, region):
    days = pd.date_range("2025-07-01", periods=len(costs)).date
    return pd.DataFrame({
        "org_id": "org_1", "date": days, "service": "genai", "region": region,
        "cost": [int(cost * 10**reference.DIGITS) for cost in costs],
    })  # fmt: skip


def test_few_days_are_compared_with_the_service_and_equal_days_with_nothing():
    few, equal = units([1.0] * 12 + [9.0], "us-east"), units([2.0] * 13 + [3.0], "us-west")
    found = reference.anomalies(pd.concat([few, equal], ignore_index=True), reference.Rules())
    assert found["baseline"].tolist() == ["service"] * 13 + ["org-service-region"] * 14
    assert found["z_score"].iloc[26] == pytest.approx(13**0.5)
    assert found["modified_z_score"].iloc[13:].isna().all()  # no deviation from the median on most days
    assert found["modified_z_score"].iloc[12] == pytest.approx(0.6745 * 7 / 1.0)
    assert found["methods"].iloc[12] == "z_score,modified_z_score"
    assert found["severity"].tolist() == [0] * 12 + [2] + [0] * 13 + [1]


@pytest.mark.real_data
def test_it_finds_the_facts_of_the_real_data(real_data):
    found = reference.batch(real_data / "cloud_usage", NOW)
    assert (found.lines, len(found.events), found.duplicates) == (43_200, 42_989, 0)
    assert found.quarantine["rule"].value_counts().to_dict() == {"cost_below_minimum": 211}
    sums = {name: sum(parts) for name, parts in reference.totals(found).items()}
    assert sums == {
        "cost_usd": Decimal("147433.9778"), "requests": 2_294_079, "cpu_hours": Decimal("19833.0377"),
        "storage_gb_hours": Decimal("131288.1333"), "genai_tokens": 2_558_359,
    }  # fmt: skip
    bills = found.marts["revenue_by_org_month"]
    assert bills["subtotal_usd"].sum() == Decimal("133718.315439")
    assert bills["revenue_usd"].sum() == bills["subtotal_usd"].sum() - bills["credits_usd"].sum()
    assert (bills["invoices"].sum(), bills["credit_notes"].sum()) == (240, 13)
    asked = found.marts["tickets_by_org_date"]
    assert (asked["csat_answers"].sum(), asked["csat_out_of_range"].sum(), asked["breached"].sum()) == (706, 40, 95)
    assert found.marts["usage_by_sliding_hour"]["events"].sum() == 2 * 42_989
    for table in SERVING:
        assert list(found.marts[table.name].columns) == [column.name for column in table.columns]
    mart = found.days
    dear = found.events.loc[found.events["cost"] > 30 * 10**reference.DIGITS, reference.UNIT].drop_duplicates()
    judged = reference.judged(mart, dear.itertuples(index=False))
    assert (len(mart), len(dear)) == (13_925, 67)
    assert len(found.marts["cost_anomaly_mart"]) == 229
    assert judged["flags"].to_dict() == {
        "z_score": 87, "modified_z_score": 226, "percentile": 80, "any": 229, "two or more": 86, "all three": 78,
    }  # fmt: skip
    assert judged.loc["any", "recall"] >= 0.95
    assert judged.loc["two or more", "precision"] >= 0.70
