"""What is measured of source addresses, against values found by hand."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

pytestmark = pytest.mark.spark

NOON = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
EVENTS = (
    "event_time TIMESTAMP, host STRING, event_id STRING, outcome STRING, user STRING, user_valid BOOLEAN, "
    "source_address STRING, repeat_count INT"
)


def event(minutes: float, outcome=None, user=None, valid=None, address="a", host="h1", times=1, kind="other"):
    return (NOON + timedelta(minutes=minutes), host, kind, outcome, user, valid, address, times)


def measure(spark, *events) -> dict[tuple[str, int], dict[str, float]]:
    """Features by address and minutes since noon."""
    from workloads.ssh_logs.features import windows

    # In an order that is not that of time.
    frame = spark.createDataFrame(sorted(events, key=repr, reverse=True), EVENTS)
    seconds = windows(frame).selectExpr("unix_seconds(window_start) AS begin", "*").collect()
    return {(row["source_address"], (row["begin"] - int(NOON.timestamp())) // 60): row.asDict() for row in seconds}


def test_measures_of_a_window_its_hour_and_its_day(spark) -> None:
    found = measure(
        spark,
        event(-23 * 60, "failure", "ann", valid=True),  # in the day of noon, not in its hour
        event(-45, "failure", "bob", valid=False, times=3),  # in its hour
        event(1, "failure", "bob", valid=False, host="h2"),
        event(2, "success", "ann", valid=True),
        event(3),
        event(62, "failure", "cy"),
        event(1, "failure", "eve", address="b"),
    )
    assert sorted(found) == [("a", -23 * 60), ("a", -50), ("a", 0), ("a", 60), ("b", 0)]
    noon = found["a", 0]
    expected = {
        "events": (3, 6, 7),
        "attempts": (2, 5, 6),
        "failures": (1, 4, 5),
        "successes": (1, 1, 1),
        "failure_share": (1 / 2, 4 / 5, 5 / 6),
        "distinct_users": (2, 2, 2),
        "invalid_users": (1, 1, 1),
        "unproven_users": (1, 1, 1),
        # What ann failed is explained by her coming in.
        "unproven_failures": (1, 4, 4),
        "unscheduled_failures": (1, 4, 4),
        "successes_after_failures": (1, 1, 1),
        "distinct_hosts": (2, 2, 2),
        # Waits of 60 s, before it 46 min, before it 22 h 15 min.
        "wait_mean": (60, (60 + 46 * 60) / 2, (60 + 46 * 60 + 22.25 * 3_600) / 3),
        "silent_events": (0, 0, 0),
        "silent_kinds": (0, 0, 0),
        "silent_hosts": (0, 0, 0),
    }
    for name, values in expected.items():
        assert tuple(noon[f"{name}{span}"] for span in ("", "_hour", "_day")) == pytest.approx(values), name
    assert (noon["day_sine"], noon["day_cosine"]) == (pytest.approx(0, abs=1e-9), pytest.approx(-1))
    mean, waits = (60 + 2_760) / 2, (60, 2_760)
    deviation = math.sqrt(sum((wait - mean) ** 2 for wait in waits) / 2)
    assert noon["wait_variation_hour"] == pytest.approx(deviation / mean)
    assert noon["wait_variation"] == 0.0


def test_spans_end_where_they_end(spark) -> None:
    found = measure(
        spark,
        event(-24 * 60, "failure", "ann"),
        event(-60, "failure", "ann"),
        event(-50, "failure", "ann", times=2),
        event(9.99, "failure", "ann", times=4),
        event(10, "failure", "ann", times=8),
    )
    # Noon's ten minutes end at 12:10; the hour that ends then begins at 11:10, the day at 12:10 of the day before.
    assert (found["a", 0]["failures"], found["a", 0]["failures_hour"], found["a", 0]["failures_day"]) == (4, 6, 7)
    assert (found["a", 10]["failures_hour"], found["a", 10]["failures_day"]) == (12, 15)
    # The wait from before the span is no wait within it.
    assert found["a", 0]["wait_mean_hour"] == pytest.approx(59.99 * 60)
    assert found["a", -60]["wait_mean_day"] == pytest.approx(23 * 3_600)


def test_a_window_hangs_on_nothing_older_than_a_day(spark) -> None:
    today = [event(minutes, "failure", "ann") for minutes in (0, 30, 31, 300)]
    older = [event(-24 * 60 - minutes, "failure", f"u{minutes}", host="h9") for minutes in range(0, 3_000, 7)]
    alone, together = measure(spark, *today), measure(spark, *today, *older)
    assert {key: together[key] for key in alone if key[1] > 0} == {key: alone[key] for key in alone if key[1] > 0}


def test_who_comes_by_a_clock_is_a_job(spark) -> None:
    clock = [event(20 * n, "failure", "backup") for n in range(6)]
    person = [event(20 * n + (0, 7, 2, 9, 4, 5)[n], "failure", "backup", address="b") for n in range(6)]
    found = measure(spark, *clock, *person)
    assert [found["a", 20 * n]["unscheduled_failures_day"] for n in range(6)] == [1, 2, 3, 0, 0, 0]
    assert found["b", 100]["unscheduled_failures_day"] == found["b", 100]["unproven_failures_day"] == 6


def test_who_only_looks_is_silent(spark) -> None:
    found = measure(
        spark,
        event(1, kind="connection-closed"),
        event(2, kind="bad-banner", host="h2"),
        event(3, kind="bad-banner", host="h3"),
    )
    row = found["a", 0]
    assert (row["silent_events_day"], row["silent_kinds_day"], row["silent_hosts_day"]) == (3, 2, 3)
    named = measure(spark, event(1), event(2, user="ann", valid=False))["a", 0]
    assert (named["silent_events_day"], named["invalid_users_day"], named["unproven_users_day"]) == (0, 1, 1)


def test_what_names_no_address_is_no_row(spark) -> None:
    assert measure(spark, event(1, address=None)) == {}
