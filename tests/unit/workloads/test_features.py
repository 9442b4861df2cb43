"""What is measured of source addresses, against values found by hand."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.ssh_logs import features
from workloads.ssh_logs.schemas import SPANS, WINDOW_SECONDS

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
    # In an order that is not that of time.
    frame = spark.createDataFrame(sorted(events, key=repr, reverse=True), EVENTS)
    seconds = features.windows(frame).selectExpr("unix_seconds(window_start) AS begin", "*").collect()
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


# Seconds around the bounds of windows and spans, and micros around those of ticks.
GAPS = (0, 1, 59, 60, 61, 599, 600, 601, 3_000, 3_599, 3_600, 3_601, 85_800, 86_399, 86_400, 86_401, 200_000)
STARTS = (-172_800, 0, 1_772_582_400, 253_370_764_800)  # before 1970, then, now and in the year 9999
SAID = st.fixed_dictionaries(
    {
        "address": st.integers(0, 2),
        "gap": st.sampled_from(GAPS),
        "micros": st.sampled_from([0, 9_999, 10_000, 999_999]),
        "outcome": st.sampled_from(["failure", "success", None]),
        "name": st.integers(0, 3),
        "is_user": st.booleans(),
        "is_invalid": st.booleans(),
        "host": st.integers(0, 2),
        "events": st.sampled_from([1, 1, 2, 2**31 - 1]),
    }
)


def table(said: list[dict]) -> pa.Table:
    """Events as Spark hands them to a worker."""
    rows = [
        {
            **{name: one[name] for name in ("address", "micros", "host", "events", "is_user")},
            "source_address": str(one["address"]),
            "name": 2 * one["name"] + one["is_user"],
            "is_invalid": one["is_user"] and one["is_invalid"],
            "failed": one["outcome"] == "failure",
            "succeeded": one["outcome"] == "success",
        }
        for one in said
    ]
    return pa.Table.from_pylist(rows)


def within(said: list[dict], begin: int, seconds: int) -> dict[str, float]:
    """What the measures of one address are by their definition: over the seconds that end with a window."""
    end = begin + WINDOW_SECONDS
    seen = [one for one in said if (end - seconds) * 1_000_000 <= one["micros"] < end * 1_000_000]
    users = {one["name"] for one in seen if one["is_user"]}
    proven = {one["name"] for one in seen if one["is_user"] and one["outcome"] == "success"}
    failed = [one for one in seen if one["outcome"] == "failure"]
    tries = sorted((one["micros"] // 10_000, one["outcome"] == "success") for one in seen if one["outcome"])
    waits = [after - before for (before, _), (after, _) in pairwise(tries)]
    mean = sum(waits) / len(waits) if waits else 0
    deviation = math.sqrt(max(sum(wait * wait for wait in waits) / len(waits) - mean * mean, 0)) if waits else 0
    is_silent = not tries and not users
    return {
        "events": sum(one["events"] for one in seen),
        "attempts": sum(one["events"] for one in seen if one["outcome"]),
        "failures": sum(one["events"] for one in failed),
        "distinct_users": len(users),
        "invalid_users": len({one["name"] for one in seen if one["is_user"] and one["is_invalid"]}),
        "unproven_users": len(users - proven),
        "unproven_failures": sum(one["events"] for one in failed if not (one["is_user"] and one["name"] in proven)),
        "distinct_hosts": len({one["host"] for one in seen}),
        "wait_mean": mean / 100,
        "wait_variation": deviation / mean if mean and len(waits) > 1 else 0,
        "silent_events": is_silent * sum(one["events"] for one in seen),
        "silent_kinds": is_silent * len({one["name"] for one in seen}),
        "silent_hosts": is_silent * len({one["host"] for one in seen}),
    }


@given(start=st.sampled_from(STARTS), said=st.lists(SAID, min_size=1, max_size=25), order=st.randoms())
def test_measures_are_what_they_are_defined_as(start, said, order) -> None:
    for one in said:
        start += one.pop("gap")
        one["micros"] += start * 1_000_000
    order.shuffle(said)
    found = features.measured(table(said)).to_pylist()
    named = {(one["address"], one["micros"] // (WINDOW_SECONDS * 1_000_000) * WINDOW_SECONDS) for one in said}
    begins = [(int(row["source_address"]), row["window_start"].timestamp()) for row in found]
    assert sorted(begins) == sorted(named) == sorted(set(begins))
    for row, (address, begin) in zip(found, begins, strict=True):
        mine = [one for one in said if one["address"] == address]
        for suffix, seconds in SPANS.items():
            for name, value in within(mine, int(begin), seconds).items():
                assert row[f"{name}{suffix}"] == value, (name, suffix)


@given(st.lists(SAID, min_size=1, max_size=25))
def test_addresses_are_measured_as_if_each_were_alone(said) -> None:
    moment = 0
    for one in said:
        moment += one.pop("gap")
        one["micros"] += moment * 1_000_000
    together = features.measured(table(said)).to_pylist()
    alone = [
        row
        for address in {one["address"] for one in said}
        for row in features.measured(table([one for one in said if one["address"] == address])).to_pylist()
    ]
    assert sorted(map(repr, together)) == sorted(map(repr, alone))


def test_successes_come_after_failures_of_the_same_moment(spark) -> None:
    before = [event(0, "success", "ann"), event(1, "failure", "bob")]
    at_once = [event(1, "failure", "bob", address="b"), event(1, "success", "ann", address="b", times=3)]
    found = measure(spark, *before, *at_once, event(11, "success", "bob", times=2))
    assert [found[key]["successes_after_failures"] for key in (("a", 0), ("b", 0), ("a", 10))] == [0, 1, 0]
    assert found["a", 10]["successes_after_failures_hour"] == 2
