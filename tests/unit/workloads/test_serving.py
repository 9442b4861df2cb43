"""The serving store without one: what a reader sees, what is said to the store, and how it is named."""

from __future__ import annotations

import zipfile
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from cassandra import AuthenticationFailed, DriverException, InvalidRequest, OperationTimedOut
from cassandra.cluster import NoHostAvailable
from cassandra.protocol import OverloadedErrorMessage
from hypothesis import given
from hypothesis import strategies as st

from workloads.lakehouse import serving_cql as cql
from workloads.lakehouse import serving_store as stores
from workloads.lakehouse.errors import TaskError
from workloads.lakehouse.serving_view import view
from workloads.spec import Query, ServingColumn, ServingTable


def table(speed: str | None, shown_if: str | None = None) -> ServingTable:
    columns = {
        "org": "text",
        "day": "date",
        "events": "bigint",
        "cost": "decimal",
        "note": "text",
        "shown": "boolean",
    }
    return ServingTable(
        name="usage",
        meaning="Usage",
        columns=tuple(ServingColumn(name=name, type=kind, meaning="-") for name, kind in columns.items()),
        partition_key=("org",),
        order=("day",),
        speed=speed,
        shown_if=shown_if,
        speed_time_to_live_seconds=3600,
    )


ADDS, REPLACES = table("adds"), table("replaces", "shown")


def row(day: int, version: int, events: int | None, cost: str | None = "0", note=None, shown=True) -> dict:
    amount = None if cost is None else Decimal(cost)
    values = {"org": "a", "day": date(2026, 1, day), "events": events, "cost": amount, "note": note, "shown": shown}
    return values | {"version": version}


def test_an_empty_row_of_the_speed_layer_says_that_it_has_nothing_any_more():
    empty = [row(day, 7, None, None, None, None) for day in (1, 2)]
    assert view(ADDS, [row(1, 7, 2)], empty, 7) == view(ADDS, [row(1, 7, 2)], [], 7)
    assert view(REPLACES, [row(1, 7, 2)], empty, 7) == view(REPLACES, [row(1, 7, 2)], [], 7)


def test_numbers_are_added_and_anything_else_is_taken_from_where_it_is():
    (seen,) = view(ADDS, [row(1, 7, 2, "1.10", None)], [row(1, 7, 3, "2.05", "late")], 7)
    assert seen == {
        "org": "a",
        "day": date(2026, 1, 1),
        "events": 5,
        "cost": Decimal("3.15"),
        "note": "late",
        "shown": True,
    }


def test_a_number_that_only_one_of_both_has_is_taken_and_none_of_both_stays_none():
    (seen,) = view(ADDS, [row(1, 7, None, None)], [row(1, 7, 3, None)], 7)
    assert (seen["events"], seen["cost"]) == (3, None)


def test_a_row_takes_the_speed_layers_of_its_own_version_only():
    batch = [row(1, 7, 10), row(2, 8, 20)]
    speed = [row(1, 7, 1), row(1, 8, 2), row(2, 7, 3), row(2, 8, 4)]
    assert [seen["events"] for seen in view(ADDS, batch, speed, 7)] == [11, 24]


def test_a_key_that_only_the_speed_layer_has_counts_with_the_shown_version():
    speed = [row(1, 7, 1), row(1, 8, 2), row(2, 8, 4)]
    assert [(seen["day"].day, seen["events"]) for seen in view(ADDS, [], speed, 7)] == [(1, 1)]
    assert [(seen["day"].day, seen["events"]) for seen in view(ADDS, [], speed, 8)] == [(1, 2), (2, 4)]


def test_the_speed_layers_row_takes_the_place_and_what_is_not_to_be_shown_is_not():
    batch = [row(1, 7, 1, shown=True), row(2, 7, 2, shown=False), row(3, 7, 3, shown=None)]
    speed = [row(1, 7, 5, shown=False), row(2, 7, 6, shown=True)]
    assert [(seen["day"].day, seen["events"]) for seen in view(REPLACES, batch, speed, 7)] == [(2, 6), (3, 3)]


# An event: its day, its amount in cents, and the version of the batch layer that holds it first.
EVENTS = st.lists(st.tuples(st.integers(1, 4), st.integers(-500, 500), st.integers(7, 9)), max_size=12)


def layers(events: list, version: int) -> tuple[list[dict], list[dict]]:
    """Rows of the batch layer of a version, and those of the speed layer beside it."""

    def rows(held: bool) -> list[dict]:
        mine = [(day, cents) for day, cents, first in events if (first <= version) == held]
        return [
            row(day, version, sum(d == day for d, _ in mine), str(Decimal(sum(c for d, c in mine if d == day)) / 100))
            for day in sorted({day for day, _ in mine})
        ]

    return rows(True), rows(False)


@given(EVENTS, st.sets(st.integers(1, 4)), st.booleans())
def test_every_event_is_seen_once_while_a_version_is_published_row_by_row(events, published, switched):
    (old, old_speed), (new, new_speed) = layers(events, 7), layers(events, 8)
    fresh = {r["day"]: r for r in new if switched or r["day"].day in published}
    batch = list(({r["day"]: r for r in old} | fresh).values())
    seen = view(ADDS, batch, old_speed + new_speed, 8 if switched else 7)
    assert [r["day"].day for r in seen] == sorted({day for day, _, _ in events})
    for shown in seen:
        day = shown["day"].day
        assert shown["events"] == sum(d == day for d, _, _ in events)
        assert shown["cost"] == Decimal(sum(cents for d, cents, _ in events if d == day)) / 100


QUESTION = Query(name="since", meaning="-", table="usage", equals=("org",), at_least="day")


def test_tables_are_made_with_their_keys_and_only_the_twin_forgets():
    batch, twin = ADDS.batch_schema(), ADDS.speed_schema()
    columns = '"org" text, "day" date, "events" bigint, "cost" decimal, "note" text, "shown" boolean, "version" bigint'
    assert cql.create_table("k", batch) == (
        f'CREATE TABLE IF NOT EXISTS "k"."usage" ({columns}, PRIMARY KEY (("org"), "day"))'
    )
    assert cql.create_table("k", twin) == (
        f'CREATE TABLE IF NOT EXISTS "k"."usage_speed" ({columns}, PRIMARY KEY (("org"), "version", "day"))'
        " WITH default_time_to_live = 3600"
    )


def test_questions_run_along_the_key_of_both_tables():
    values = {"org": "a", "day": date(2026, 1, 1)}
    names = '"org", "day", "events", "cost", "note", "shown", "version"'
    assert cql.select("k", ADDS, QUESTION, speed=False) == (
        f'SELECT {names} FROM "k"."usage" WHERE "org" = ? AND "day" >= ?'
    )
    assert cql.select_values(ADDS, QUESTION, values, None) == ["a", date(2026, 1, 1)]
    assert cql.select("k", ADDS, QUESTION, speed=True) == (
        f'SELECT {names} FROM "k"."usage_speed" WHERE "org" = ? AND "version" = ? AND "day" >= ?'
    )
    assert cql.select_values(ADDS, QUESTION, values, 7) == ["a", 7, date(2026, 1, 1)]


def test_the_ranges_are_all_tokens_once():
    found = cql.ranges(8)
    assert (found[0][0], found[-1][1]) == (-(2**63), 2**63 - 1)
    assert [end for _, end in found[:-1]] == [begin for begin, _ in found[1:]]


def standing(**changes) -> cql.Standing:
    twin = ADDS.speed_schema()
    columns = {column.name: column.type for column in twin.columns} | changes.pop("columns", {})
    found = {"partition_key": twin.partition_key, "clustering": twin.clustering, "time_to_live_seconds": 3600}
    return cql.Standing({name: kind for name, kind in columns.items() if kind}, **(found | changes))


@pytest.mark.parametrize(
    ("there", "said"),
    [
        (standing(), None),
        (standing(time_to_live_seconds=0), None),
        (standing(columns={"cost": "double"}), "column 'cost' is declared as decimal and is double there"),
        (standing(columns={"note": None}), "column 'note' is declared as text and is missing there"),
        (standing(columns={"old": "int"}), "column 'old' is declared as nothing and is int there"),
        (standing(clustering=("day",)), "its key there is (org), day"),
        (standing(time_to_live_seconds=60), "its rows live 60 seconds there, not 3600"),
    ],
)
def test_a_table_that_stands_otherwise_is_named(there, said):
    assert cql.difference(ADDS.speed_schema(), there) == said


def test_rows_of_the_batch_layer_must_not_go_by_themselves():
    batch = ADDS.batch_schema()
    columns = {column.name: column.type for column in batch.columns}
    there = cql.Standing(columns, batch.partition_key, batch.clustering, 60)
    assert cql.difference(batch, there) == "its rows live 60 seconds there, not for ever"


def test_a_store_is_named_by_a_url_and_its_password_is_never_shown():
    cosmos = stores.parse("cassandra://acct@acct.cassandra.cosmos.azure.com:10350/cloud_usage?tls=true", "secret")
    assert cosmos == stores.Store(
        "cloud_usage", "acct.cassandra.cosmos.azure.com", 10350, "acct", tls=True, key="secret"
    )
    assert "secret" not in repr(cosmos)
    assert cosmos.place == "acct.cassandra.cosmos.azure.com:10350"
    assert stores.parse("cassandra://127.0.0.1:9042/cloud_usage") == stores.Store("cloud_usage", "127.0.0.1", 9042)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://a:1/k", "takes cassandra://… or astra://…, not 'redis'"),
        ("cassandra://host/k", "host or port is missing"),
        ("cassandra://host:many/k", "host or port is missing"),
        ("cassandra://u:p@host:1/k", "must hold no password"),
        ("cassandra://u@host:1/k", "names the user 'u', and MEDALLION_SERVING_KEY holds no password"),
        ("cassandra://host:1/Big", "a keyspace takes up to 48 small letters, digits and underscores, not 'Big'"),
        ("cassandra://host:1/", "not ''"),
        ("cassandra://host:1/k?tls=yes", "tls takes true or false, not 'yes'"),
        ("cassandra://host:1/k?ssl=true", "an unknown option 'ssl'"),
        ("astra://bundle.zip?keyspace=k", "with the bundle's absolute path"),
        ("astra:///nowhere/b.zip?keyspace=k", "there is no secure connect bundle /nowhere/b.zip"),
    ],
)
def test_a_url_that_names_no_store_says_what_is_wrong(url, said):
    with pytest.raises(TaskError) as error:
        stores.parse(url)
    assert said in str(error.value)


def bundle(path: Path, names: tuple[str, ...]) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        for name in names:
            made.writestr(name, "")
    return path


def test_astra_takes_a_bundle_and_a_token(tmp_path):
    whole = bundle(tmp_path / "b.zip", stores.IN_BUNDLE)
    url = f"astra://{whole}?keyspace=k"
    assert stores.parse(url, "AstraCS:x") == stores.Store("k", user="token", tls=True, bundle=whole, key="AstraCS:x")
    with pytest.raises(TaskError, match="must hold a token of AstraDB, which begins with AstraCS:"):
        stores.parse(url, "x")
    with pytest.raises(TaskError, match=r"p.zip is no secure connect bundle: ca.crt is not in it"):
        stores.parse(f"astra://{bundle(tmp_path / 'p.zip', ('config.json',))}?keyspace=k", "AstraCS:x")
    (tmp_path / "t.zip").write_text("no zip")
    with pytest.raises(TaskError, match="it is no zip file"):
        stores.parse(f"astra://{tmp_path}/t.zip?keyspace=k", "AstraCS:x")


def test_where_there_is_no_store_the_reason_is_told():
    assert stores.unavailable({stores.URL: "cassandra://h:1/k"}) is None
    assert stores.unavailable({stores.UNAVAILABLE: "no Java 17"}) == "no Java 17"
    assert stores.unavailable({}) == "no serving store is configured (MEDALLION_SERVING_STORE)"
    with pytest.raises(TaskError, match="no Java 17"):
        stores.from_environment({stores.UNAVAILABLE: "no Java 17"})


STORE = stores.Store("k", "127.0.0.1", 9042)


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """The pauses that were made; time passes in them only."""
    pauses: list[float] = []
    monkeypatch.setattr(stores.time, "monotonic", lambda: sum(pauses))
    monkeypatch.setattr(stores.time, "sleep", pauses.append)
    return pauses


def failing(*errors: Exception):
    """Raises these one after the other, then answers."""
    left = list(errors)

    def ask(_: float) -> str:
        if left:
            raise left.pop(0)
        return "done"

    return ask


def test_what_passes_is_tried_again_after_growing_pauses(clock):
    away, busy = NoHostAvailable("all", {"h": OSError("refused")}), OverloadedErrorMessage(0x1001, "busy", {})
    stale = DriverException("Schema metadata was not refreshed. See log for details.")
    assert stores.persist(STORE, "rows", failing(away, busy, OperationTimedOut(), stale), 60) == "done"
    assert clock == [0.2, 0.4, 0.8, 1.6]


def test_once_the_budget_is_over_the_error_names_the_place_and_what_was_tried(clock):
    with pytest.raises(TaskError) as error:
        stores.persist(
            STORE, "the rows of usage", failing(*[NoHostAvailable("all", {"h": OSError("refused")})] * 99), 9
        )
    assert str(error.value) == (
        "the serving store at 127.0.0.1:9042 could not be reached for the rows of usage: tried 6 times within "
        "9 seconds, the last time: OSError: refused; see that it is up, then repair the run"
    )
    assert sum(clock) < 9


@pytest.mark.parametrize(
    "error", [InvalidRequest("no such column"), NoHostAvailable("all", {"h": AuthenticationFailed("no such column")})]
)
def test_what_the_store_refuses_is_not_tried_again(clock, error):
    with pytest.raises(TaskError, match=r"at 127.0.0.1:9042 refused rows: \w+: no such column"):
        stores.persist(STORE, "rows", failing(error), 60)
    assert clock == []
