"""Marts in a real Cassandra: exact rows, published version by version, whatever becomes of the store meanwhile."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from toolchain import cassandra, server
from toolchain.errors import UserError
from workloads.lakehouse import effects, serving, serving_store
from workloads.lakehouse.errors import TaskError
from workloads.spec import Job, Query, ServingColumn, ServingTable, Task, Workload

pytestmark = pytest.mark.spark

COLUMNS = {
    "org": ("text", "STRING"),
    "at": ("timestamp", "TIMESTAMP"),
    "day": ("date", "DATE"),
    "cost": ("decimal", "DECIMAL(28,8)"),
    "events": ("bigint", "BIGINT"),
    "level": ("int", "INT"),
    "score": ("double", "DOUBLE"),
    "flagged": ("boolean", "BOOLEAN"),
    "note": ("text", "STRING"),
}
DDL = ", ".join(f"{name} {sql}" for name, (_, sql) in COLUMNS.items())


def table(name: str, speed: str | None = None, shown_if: str | None = None) -> ServingTable:
    columns = tuple(ServingColumn(name=column, type=cql, meaning="-") for column, (cql, _) in COLUMNS.items())
    key = {"partition_key": ("org",), "order": ("at",), "speed": speed, "shown_if": shown_if}
    return ServingTable(name=name, meaning="-", columns=columns, **key)


SINCE = {"equals": ("org",), "at_least": "at", "meaning": "-"}
WORKLOAD = Workload(
    name="served",
    title="Served",
    description="-",
    jobs=(Job(tasks=(Task(key="serve", layer="serving"),)),),
    input_path="landing/served",
    serving=(table("usage", "adds"), table("flags", "replaces", "flagged"), table("tickets")),
    queries=tuple(Query(name=name, table=name, **SINCE) for name in ("usage", "flags", "tickets")),
)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
EXACT = {
    "org": "a'ß\n",
    "at": datetime(2026, 1, 1, 12, 30, 15, 250000, tzinfo=UTC),
    "day": date(1969, 12, 31),
    "cost": Decimal("-12345678901234567890.12345678"),
    "events": 2**62,
    "level": -(2**31),
    "score": 0.1,
    "flagged": True,
    "note": "",
}


def row(org: str, minute: int, **values: Any) -> dict[str, Any]:
    """A row with nulls but for its key, what is given, and `flagged`."""
    return dict.fromkeys(COLUMNS) | {"org": org, "at": NOON + timedelta(minutes=minute), "flagged": True} | values


MARTS = {
    "usage": [EXACT, row("a", 0, events=1, cost=Decimal("1.00000000")), row("a", 30, events=2), row("b", 0)],
    "flags": [row("a", 0), row("a", 30, flagged=False)],
    "tickets": [row("a", minute, level=minute) for minute in range(1200)],
}
SPEED = {
    "usage": [row("a", 0, events=10, cost=Decimal("0.50000000")), row("c", 0, note="only here")],
    "flags": [row("a", 30, flagged=True, score=9.5)],
}
SERVED = {
    "usage": [
        EXACT,
        row("a", 0, events=11, cost=Decimal("1.50000000")),
        row("a", 30, events=2),
        row("b", 0),
        row("c", 0, note="only here"),
    ],
    "flags": [row("a", 0), row("a", 30, flagged=True, score=9.5)],
    "tickets": MARTS["tickets"],
}


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """The state folder of the Cassandra of these tests."""
    return tmp_path_factory.mktemp("serving") / "my home"


@pytest.fixture(scope="module")
def port(home: Path) -> Iterator[int]:
    """The port of a Cassandra. It keeps it when it is started again."""
    with ExitStack() as stack:
        try:
            port = stack.enter_context(cassandra.running(home, lambda message: None)).port
        except UserError as reason:
            pytest.skip(f"there is no Cassandra here: {reason}")
        yield port


@pytest.fixture
def up(port: int, home: Path) -> Iterator[None]:
    """A Cassandra that answers, also after a test that killed it."""
    with cassandra.running(home, lambda message: None) as there:
        assert there.port == port
        yield


KEYSPACES = count()


@pytest.fixture
def store(port: int, monkeypatch) -> Iterator[serving.Store]:
    """A keyspace of its own, named by the environment."""
    url = f"cassandra://127.0.0.1:{port}/served_{next(KEYSPACES)}"
    monkeypatch.setenv(serving_store.URL, url)
    yield serving_store.parse(url)
    serving_store.disconnect()


def task(spark, budget: int = 120) -> Any:
    """What serving needs of the context of a task."""
    return SimpleNamespace(workload=WORKLOAD, spark=spark, parameters={"serving_budget_seconds": budget})


def frames(spark, rows: dict[str, list[dict]]) -> dict[str, Any]:
    return {
        name: spark.createDataFrame([tuple(one.values()) for one in some], DDL).repartition(2)
        for name, some in rows.items()
    }


def publish(spark, version: int, marts=MARTS, speed=SPEED, budget: int = 120) -> dict[str, int]:
    context = task(spark, budget)
    return serving.publish(context, version, frames(spark, marts), frames(spark, speed), datetime.now(UTC))


def served(store: serving.Store) -> dict[str, list[dict]]:
    """All that a reader sees."""
    orgs = sorted({one["org"] for rows in (*MARTS.values(), *SPEED.values()) for one in rows})
    return {
        question.name: [
            one for org in orgs for one in serving.query(store, WORKLOAD, question, {"org": org, "at": NOON})
        ]
        for question in WORKLOAD.queries
    }


def by_key(rows: dict[str, list[dict]]) -> dict[str, list[dict]]:
    return {name: sorted(some, key=lambda one: (one["org"], one["at"])) for name, some in rows.items()}


def ask(store: serving.Store, statement: str) -> list[dict]:
    return serving_store.session(store).execute(statement.replace("KS", store.keyspace)).all()


def pid(home: Path) -> int:
    return server._state(cassandra.declared(home, print))["pid"]


def test_the_rows_that_are_read_are_the_rows_that_were_written(spark, up, store):
    counts = publish(spark, 3)
    assert counts == {"usage": 4, "flags": 2, "tickets": 1200, "usage_speed": 2, "flags_speed": 1}
    assert by_key(served(store)) == by_key(SERVED)
    (exact,) = serving.query(store, WORKLOAD, WORKLOAD.queries[0], {"org": EXACT["org"], "at": EXACT["at"]})
    assert [(name, type(value)) for name, value in exact.items()] == [(n, type(v)) for n, v in EXACT.items()]
    assert str(exact["cost"]) == "-12345678901234567890.12345678"
    later = {"org": "a", "at": NOON + timedelta(minutes=1)}
    assert [one["events"] for one in serving.query(store, WORKLOAD, WORKLOAD.queries[0], later)] == [2]


def test_only_rows_of_the_speed_layer_go_by_themselves(spark, up, store):
    publish(spark, 3)
    kept = [list(one.values()) for name in MARTS for one in ask(store, f"SELECT ttl(note), ttl(events) FROM KS.{name}")]
    assert {value for pair in kept for value in pair} == {None}
    (lives,) = ask(store, "SELECT ttl(events) AS lives FROM KS.usage_speed WHERE org = 'a'")
    week = WORKLOAD.serving[0].speed_time_to_live_seconds
    assert week - 3600 < lives["lives"] <= week


def test_published_again_the_rows_are_the_same(spark, up, store):
    publish(spark, 3)
    first = served(store)
    publish(spark, 3)
    assert served(store) == first
    assert len(ask(store, "SELECT * FROM KS.tickets")) == 1200


def test_a_new_version_takes_the_place_of_the_old_and_what_vanished_is_deleted(spark, up, store):
    publish(spark, 3)
    fewer = {
        "usage": [row("a", 30, events=7), row("c", 0, events=1)],
        "flags": [],
        "tickets": [row("a", minute, note="new") for minute in range(0, 1200, 2)],
    }
    publish(spark, 4, fewer, {"usage": [row("c", 0, events=2)], "flags": []})
    expected = {"usage": [row("a", 30, events=7), row("c", 0, events=3)], "flags": [], "tickets": fewer["tickets"]}
    assert by_key(served(store)) == by_key(expected)
    assert {one["version"] for one in ask(store, "SELECT version FROM KS.tickets")} == {4}


def test_the_stream_adds_to_the_version_that_is_shown(spark, up, store):
    publish(spark, 3)
    counts = serving.publish_speed(task(spark), 3, frames(spark, {"usage": [row("a", 0, events=25), row("d", 0)]}))
    assert counts == {"usage_speed": 2}
    asked = {"org": "a", "at": NOON}
    assert [one["events"] for one in serving.query(store, WORKLOAD, WORKLOAD.queries[0], asked)] == [26, 2]


def test_rows_of_the_speed_layer_go_beside_the_version_that_they_say(spark, up, store):
    publish(spark, 3)
    beside = frames(spark, {"usage": [row("a", 0, events=25)]})["usage"].selectExpr("*", "2L AS version")
    serving.publish_speed(task(spark), 3, {"usage": beside})
    asked = {"org": "a", "at": NOON}
    assert [one["events"] for one in serving.query(store, WORKLOAD, WORKLOAD.queries[0], asked)] == [11, 2]


def test_rows_that_lack_a_column_are_one_clear_error(spark, up, store):
    few = {name: frame.drop("note") for name, frame in frames(spark, {"usage": [row("a", 0)]}).items()}
    with pytest.raises(TaskError, match="the rows for usage_speed of the serving store have no column 'note'"):
        serving.publish_speed(task(spark), 3, few)


def test_what_was_read_before_does_not_take_the_place_of_what_the_stream_wrote_since(spark, up, store):
    read_at = datetime.now(UTC)
    old = frames(spark, SPEED)
    serving.publish_speed(task(spark), 3, frames(spark, {"usage": [row("a", 0, events=25)]}))
    serving.publish(task(spark), 3, frames(spark, MARTS), old, read_at)
    asked = {"org": "a", "at": NOON}
    assert [one["events"] for one in serving.query(store, WORKLOAD, WORKLOAD.queries[0], asked)] == [26, 2]


def test_two_rows_of_one_key_are_one_clear_error(spark, up, store):
    with pytest.raises(TaskError, match=r"usage of the serving store .* holds 1 rows of version 3, and 2 were written"):
        publish(spark, 3, MARTS | {"usage": [row("a", 0), row("a", 0, events=1)]})


def test_a_table_that_stands_otherwise_is_one_clear_error(spark, up, store):
    serving_store.ensure(store, (), 60)
    ask(store, "CREATE TABLE KS.usage (org text PRIMARY KEY, cost double)")
    with pytest.raises(
        TaskError, match=r"table served_\d+.usage of .* is not as declared: column 'at' .*; drop it there"
    ):
        publish(spark, 3)


def test_before_anything_is_published_the_reader_is_told(up, store):
    serving_store.ensure(store, WORKLOAD.stored, 60)
    with pytest.raises(TaskError, match="usage was not published yet: `medallion run served` does that"):
        serving.query(store, WORKLOAD, WORKLOAD.queries[0], {"org": "a", "at": NOON})


# --- the store is away, slow, or comes back ---------------------------------------------------------------------------


def test_a_store_that_is_down_ends_the_task_with_a_clear_error_once_its_budget_is_over(spark, monkeypatch):
    (free,) = server._bind([0])
    monkeypatch.setenv(serving_store.URL, f"cassandra://127.0.0.1:{free}/served")
    with pytest.raises(TaskError) as error:
        publish(spark, 3, budget=1)
    assert str(error.value).startswith(
        f"the serving store at 127.0.0.1:{free} could not be reached for the tables of keyspace served: tried "
    )
    assert "within 1 seconds" in str(error.value)


class Faults:
    """Does something at the n-th announcement of a durable write; heard by `sys.addaudithook`."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self.at: tuple[str, str] | None = None
        self.strike: Callable[[], None] = lambda: None
        self._lock = threading.Lock()

    def hear(self, event: str, arguments: tuple) -> None:
        if event != effects.EVENT:
            return
        phase, _, name = arguments
        with self._lock:
            self.heard.append((phase, name))
            if (phase, name) == self.at:
                self.at = None
                self.strike()


FAULTS = Faults()


@pytest.fixture(scope="module", autouse=True)
def hook() -> None:
    """A hook cannot be taken away again."""
    sys.addaudithook(FAULTS.hear)


STEPS = [
    ("before", f"serving of {step}")
    for step in ("usage_speed", "tickets", "tickets, other versions", "the shown version")
]


def kill(home: Path) -> None:
    number = pid(home)
    os.kill(number, signal.SIGKILL)
    server._until(lambda: not (home / "cassandra" / "server.json").exists(), 60)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step[1])
def test_killed_at_any_step_and_started_again_the_task_goes_on_and_the_rows_are_exact(spark, up, store, home, step):
    with ExitStack() as stack:

        def strike() -> None:
            kill(home)
            stack.enter_context(cassandra.running(home, lambda message: None))

        FAULTS.at, FAULTS.strike = step, strike
        publish(spark, 3)
        assert FAULTS.at is None
        assert by_key(served(store)) == by_key(SERVED)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step[1])
def test_killed_at_any_step_the_task_ends_with_a_clear_error_and_run_again_gives_the_exact_rows(
    spark, up, store, home, step
):
    FAULTS.at, FAULTS.strike = step, lambda: kill(home)
    with pytest.raises(TaskError, match=f"the serving store at {store.place} could not be reached for .*repair"):
        publish(spark, 3, budget=2)
    assert FAULTS.at is None
    with cassandra.running(home, lambda message: None):
        publish(spark, 3)
        assert by_key(served(store)) == by_key(SERVED)


@pytest.fixture
def small_batches(spark) -> Iterator[None]:
    """Rows pass a few at a time, so that some are written before others are read."""
    setting = "spark.sql.execution.arrow.maxRecordsPerBatch"
    before = spark.conf.get(setting)
    spark.conf.set(setting, "500")
    yield
    spark.conf.set(setting, before)


def strikes_at(number: int, minute: int, how: int) -> Callable:
    """Sends a signal from where the rows pass, before the row of that minute is written."""

    def pass_on(batches):
        for batch in batches:
            if any(one == minute for one in batch.column("level").to_pylist()):
                os.kill(number, how)
            yield batch

    return pass_on


def test_killed_among_the_rows_and_started_again_the_task_goes_on(spark, up, store, home, small_batches):
    publish(spark, 3)
    number = pid(home)
    with ExitStack() as stack:

        def bring_back() -> None:
            server._until(lambda: not (home / "cassandra" / "server.json").exists(), 60)
            stack.enter_context(cassandra.running(home, lambda message: None))

        watcher = threading.Thread(target=bring_back)
        watcher.start()
        many = [row("a", minute, level=minute) for minute in range(10_000)]
        marts = frames(spark, MARTS | {"tickets": many})
        marts["tickets"] = (
            marts["tickets"]
            .coalesce(1)
            .sortWithinPartitions("at")
            .mapInArrow(strikes_at(number, 6_000, signal.SIGKILL), DDL)
        )
        serving.publish(task(spark), 4, marts, frames(spark, SPEED), datetime.now(UTC))
        watcher.join()
        assert pid(home) != number
        assert by_key(served(store)) == by_key(SERVED | {"tickets": many})


def test_a_store_that_stands_still_ends_the_task_and_once_it_goes_on_run_again_gives_the_exact_rows(
    spark, up, store, home
):
    publish(spark, 3)
    number = pid(home)
    os.kill(number, signal.SIGSTOP)
    try:
        with pytest.raises(TaskError, match=r"could not be reached for .* within 3 seconds"):
            publish(spark, 4, budget=3)
    finally:
        os.kill(number, signal.SIGCONT)
    publish(spark, 5)
    assert by_key(served(store)) == by_key(SERVED)


def test_a_store_that_stands_still_among_the_rows_and_goes_on_is_waited_for(spark, up, store, home):
    publish(spark, 3)
    number = pid(home)
    FAULTS.at = ("before", "serving of tickets, other versions")
    FAULTS.strike = lambda: (
        os.kill(number, signal.SIGSTOP),
        threading.Timer(12, os.kill, (number, signal.SIGCONT)).start(),
    )
    publish(spark, 4)
    assert by_key(served(store)) == by_key(SERVED)
