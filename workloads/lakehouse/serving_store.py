"""The way to the serving store: where it is, sessions, and requests that are made again until a budget is over.

`MEDALLION_SERVING_STORE` names the store, with the password in `MEDALLION_SERVING_KEY`:

    cassandra://[USER@]HOST:PORT/KEYSPACE[?tls=true]     Apache Cassandra, Azure Cosmos DB for Apache Cassandra
    astra:///PATH/OF/BUNDLE.zip?keyspace=KEYSPACE        AstraDB by its secure connect bundle; the key is a token

Where there is none, `MEDALLION_SERVING_UNAVAILABLE` says why.
"""

from __future__ import annotations

import logging
import os
import re
import ssl
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from workloads.lakehouse import serving_cql as cql
from workloads.lakehouse.errors import TaskError
from workloads.spec import StoredTable

if TYPE_CHECKING:
    from cassandra.cluster import Session
    from cassandra.query import PreparedStatement

URL, KEY, UNAVAILABLE = "MEDALLION_SERVING_STORE", "MEDALLION_SERVING_KEY", "MEDALLION_SERVING_UNAVAILABLE"
KEYSPACE = re.compile(r"[a-z][a-z0-9_]{0,47}")  # what both Cassandra and Cosmos DB take
TOKEN_PREFIX = "AstraCS:"  # noqa: S105 (how such a token begins)
IN_BUNDLE = ("config.json", "ca.crt", "cert", "key")

IN_A_BATCH = 32  # rows of one partition
AT_ONCE = 16  # batches of a process that the store has not answered yet
TOGETHER = 4096  # rows that are written, and where need be written again, together
CONNECT_SECONDS = 5
REQUEST_SECONDS = 10
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0  # seconds between tries: each is twice the one before

Result = TypeVar("Result")


@dataclass(frozen=True)
class Store:
    """A serving store and the keyspace in it."""

    keyspace: str
    host: str = ""
    port: int = 0
    user: str | None = None
    tls: bool = False
    bundle: Path | None = None
    key: str | None = field(default=None, repr=False)

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return str(self.bundle) if self.bundle else f"{self.host}:{self.port}"


def unavailable(environment: Mapping[str, str] = os.environ) -> str | None:
    """Why there is no serving store; None where there is one."""
    if environment.get(URL):
        return None
    return environment.get(UNAVAILABLE) or f"no serving store is configured ({URL})"


def from_environment(environment: Mapping[str, str] = os.environ) -> Store:
    """The store that the environment names. Raises TaskError where it names none, or wrongly."""
    if reason := unavailable(environment):
        raise TaskError(reason)
    return parse(environment[URL], environment.get(KEY))


def parse(url: str, key: str | None = None) -> Store:
    """The store that a URL names. Raises TaskError, saying what is wrong with it."""
    parts = urlsplit(url)
    options = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    if parts.scheme == "cassandra":
        return _cassandra(url, options, key)
    if parts.scheme == "astra":
        return _astra(url, options, key)
    raise TaskError(f"{URL} takes cassandra://… or astra://…, not {parts.scheme or url!r}")


def _cassandra(url: str, options: dict[str, str], key: str | None) -> Store:
    parts = urlsplit(url)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port:
        raise TaskError(f"{URL} takes cassandra://[USER@]HOST:PORT/KEYSPACE[?tls=true]: host or port is missing")
    if parts.password:
        raise TaskError(f"{URL} must hold no password: it is shown; put it into {KEY}")
    if unknown := sorted(set(options) - {"tls"}):
        raise TaskError(f"{URL} has an unknown option {unknown[0]!r}: cassandra:// takes tls")
    if options.get("tls", "false") not in ("true", "false"):
        raise TaskError(f"{URL}: tls takes true or false, not {options['tls']!r}")
    if parts.username and not key:
        raise TaskError(f"{URL} names the user {parts.username!r}, and {KEY} holds no password for it")
    keyspace = _keyspace(parts.path.removeprefix("/"))
    return Store(keyspace, host, port, parts.username, options.get("tls") == "true", key=key or None)


def _astra(url: str, options: dict[str, str], key: str | None) -> Store:
    parts = urlsplit(url)
    bundle = Path(parts.path)
    if parts.netloc or not parts.path.startswith("/"):
        raise TaskError(f"{URL} takes astra:///PATH/OF/BUNDLE.zip?keyspace=KEYSPACE, with the bundle's absolute path")
    if unknown := sorted(set(options) - {"keyspace"}):
        raise TaskError(f"{URL} has an unknown option {unknown[0]!r}: astra:// takes keyspace")
    try:
        with zipfile.ZipFile(bundle) as opened:
            lacking = [name for name in IN_BUNDLE if name not in opened.namelist()]
    except FileNotFoundError:
        raise TaskError(f"there is no secure connect bundle {bundle}: Astra's portal hands it out") from None
    except zipfile.BadZipFile:
        raise TaskError(f"{bundle} is no secure connect bundle: it is no zip file") from None
    if lacking:
        raise TaskError(f"{bundle} is no secure connect bundle: {lacking[0]} is not in it")
    if not (key or "").startswith(TOKEN_PREFIX):
        raise TaskError(f"{KEY} must hold a token of AstraDB, which begins with {TOKEN_PREFIX}")
    return Store(_keyspace(options.get("keyspace", "")), user="token", tls=True, bundle=bundle, key=key)


def _keyspace(name: str) -> str:
    if not KEYSPACE.fullmatch(name):
        raise TaskError(f"{URL}: a keyspace takes up to 48 small letters, digits and underscores, not {name!r}")
    return name


# --- sessions --------------------------------------------------------------------------------------------------------


_sessions: dict[Store, Session] = {}


def session(store: Store) -> Session:
    """The session of this process, kept once it stands. Raises what the driver raises where it does not connect."""
    if store not in _sessions:
        _sessions[store] = connect(store)
    return _sessions[store]


def disconnect() -> None:
    """Ends the sessions of this process, for those who end the store before they end themselves."""
    for own in _sessions.values():
        own.cluster.shutdown()
    _sessions.clear()
    prepared.cache_clear()


def connect(store: Store) -> Session:
    """A session of its own, to be ended by `session.cluster.shutdown()`. Raises what the driver raises."""
    from cassandra import ConsistencyLevel
    from cassandra.auth import PlainTextAuthProvider
    from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
    from cassandra.policies import ConstantReconnectionPolicy, FallthroughRetryPolicy, RoundRobinPolicy
    from cassandra.query import dict_factory

    for name in ("cassandra.cluster", "cassandra.connection", "cassandra.pool"):
        logging.getLogger(name).setLevel(logging.ERROR)  # what fails is tried again here, and told once
    profile = {
        "consistency_level": ConsistencyLevel.LOCAL_QUORUM,
        "request_timeout": REQUEST_SECONDS,
        "row_factory": dict_factory,
        "retry_policy": FallthroughRetryPolicy(),  # every statement is tried again here, within the budget
    }
    options: dict[str, Any] = {
        "auth_provider": PlainTextAuthProvider(store.user, store.key) if store.user else None,
        "reconnection_policy": ConstantReconnectionPolicy(1, max_attempts=None),
        "connect_timeout": CONNECT_SECONDS,
        "control_connection_timeout": CONNECT_SECONDS,
        "idle_heartbeat_interval": REQUEST_SECONDS,
        "protocol_version": 4,  # what Cosmos DB speaks
    }
    if store.bundle:
        options |= {"cloud": {"secure_connect_bundle": str(store.bundle)}}
    else:
        profile["load_balancing_policy"] = RoundRobinPolicy()
        options |= {"contact_points": [store.host], "port": store.port}
        if store.tls:
            options |= {"ssl_context": ssl.create_default_context(), "ssl_options": {"server_hostname": store.host}}
    cluster = Cluster(execution_profiles={EXEC_PROFILE_DEFAULT: ExecutionProfile(**profile)}, **options)
    try:
        return cluster.connect()
    except BaseException:
        cluster.shutdown()
        raise


@cache
def prepared(store: Store, statement: str) -> PreparedStatement:
    """A statement as the store has it, once for this process. Raises what the driver raises."""
    return session(store).prepare(statement)


# --- requests --------------------------------------------------------------------------------------------------------


def persist(store: Store, what: str, ask: Callable[[float], Result], budget: float) -> Result:
    """What `ask` gives, asked again after growing pauses while the store cannot be reached or is too busy.

    `ask` gets the seconds that it may take, and must do no harm when it is repeated. Raises TaskError, naming the place
    and what was tried, where the store refuses, or once `budget` seconds are over.
    """
    end, pause, tries = time.monotonic() + budget, FIRST_PAUSE, 0
    while True:
        tries += 1
        try:
            return ask(max(0.1, min(REQUEST_SECONDS, end - time.monotonic())))
        except Exception as error:  # which of the driver's errors pass by themselves is told below
            if not passes(error):
                raise TaskError(f"the serving store at {store.place} refused {what}: {_reason(error)}") from error
            if time.monotonic() + pause >= end:
                raise TaskError(
                    f"the serving store at {store.place} could not be reached for {what}: tried {tries} times within "
                    f"{budget:g} seconds, the last time: {_reason(error)}; see that it is up, then repair the run"
                ) from error
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


def passes(error: BaseException) -> bool:
    """Whether an error is of a kind that goes away: a store that is away, slow, or too busy (Cosmos DB's 429)."""
    from cassandra import AuthenticationFailed, DriverException, OperationTimedOut, Timeout, Unavailable, WriteFailure
    from cassandra.cluster import NoHostAvailable
    from cassandra.connection import ConnectionException
    from cassandra.protocol import IsBootstrappingErrorMessage, OverloadedErrorMessage, ServerError

    if isinstance(error, NoHostAvailable):
        causes = error.errors.values() if isinstance(error.errors, dict) else error.errors
        return not any(isinstance(cause, AuthenticationFailed) for cause in causes)
    if type(error) is DriverException:  # the schema could not be read again: the connection that does so is gone
        return True
    busy = (OverloadedErrorMessage, IsBootstrappingErrorMessage, ServerError)
    return isinstance(
        error, (OperationTimedOut, Timeout, Unavailable, WriteFailure, ConnectionException, OSError, *busy)
    )


def _reason(error: BaseException) -> str:
    """An error in a line; of one that sums up several, the first of these."""
    causes = getattr(error, "errors", None)
    if isinstance(causes, dict) and causes:
        error = next(iter(causes.values()))
    if not isinstance(error, BaseException):
        return str(error)
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def execute_all(
    store: Store,
    what: str,
    statement: str,
    rows: Iterable[Sequence[Any]],
    partition: Callable[[Sequence[Any]], Any],
    budget: float,
) -> int:
    """Carries a statement out for each of the rows, many at once; returns how many there were.

    `partition` tells which rows lie together: those travel together, which costs a fifth (an unlogged batch of one
    partition is a single write). Raises TaskError as `persist` does; the budget counts from the last rows that went
    through.
    """
    from cassandra.cluster import EXEC_PROFILE_DEFAULT
    from cassandra.concurrent import execute_concurrent
    from cassandra.query import BatchStatement, BatchType

    def batches(some: list) -> Iterator[tuple[BatchStatement, None]]:
        ready = prepared(store, statement)
        for _, near in groupby(sorted(some, key=partition), key=partition):
            for rows_of_batch in _by(IN_A_BATCH, near):
                batch = BatchStatement(BatchType.UNLOGGED)
                for row in rows_of_batch:
                    batch.add(ready, row)
                yield batch, None

    def execute(some: list, seconds: float) -> None:
        own = session(store)
        profile = own.execution_profile_clone_update(EXEC_PROFILE_DEFAULT, request_timeout=seconds)
        execute_concurrent(own, batches(some), concurrency=AT_ONCE, execution_profile=profile)

    count = 0
    for some in _by(TOGETHER, rows):
        persist(store, what, lambda seconds, some=some: execute(some, seconds), budget)
        count += len(some)
    return count


def fetch_all(store: Store, what: str, statement: str, values: Sequence[Any], budget: float) -> list[dict[str, Any]]:
    """All rows that a statement finds, in terms of Python. Raises TaskError as `persist` does."""
    from cassandra.cluster import EXEC_PROFILE_DEFAULT

    def fetch(seconds: float) -> list:
        own = session(store)
        profile = own.execution_profile_clone_update(EXEC_PROFILE_DEFAULT, request_timeout=seconds)
        return list(own.execute(prepared(store, statement), values, execution_profile=profile))

    found = persist(store, what, fetch, budget)
    return [{name: _as_python(value) for name, value in row.items()} for row in found]


def _as_python(value: Any) -> Any:
    """A value as the rest of Python has it: the driver has dates of its own, and moments in UTC without saying so."""
    from cassandra.util import Date

    if isinstance(value, Date):
        return value.date()
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def _by(size: int, rows: Iterable[Sequence[Any]]) -> Iterator[list]:
    some: list = []
    for row in rows:
        some.append(row)
        if len(some) == size:
            yield some
            some = []
    if some:
        yield some


# --- tables ----------------------------------------------------------------------------------------------------------


def ensure(store: Store, tables: Iterable[StoredTable], budget: float) -> None:
    """Makes keyspace and tables where they are missing. Raises TaskError where one that stands is another."""
    tables = tuple(tables)

    def make(_: float) -> dict[str, cql.Standing]:
        own = session(store)
        own.cluster.refresh_schema_metadata()
        known = own.cluster.metadata.keyspaces
        if store.keyspace not in known:
            own.execute(cql.create_keyspace(store.keyspace))
        there = known[store.keyspace].tables if store.keyspace in known else {}
        lacking = [table for table in tables if table.name not in there]
        for table in lacking:
            own.execute(cql.create_table(store.keyspace, table))
        if lacking:
            own.cluster.refresh_schema_metadata()
        return {name: _standing(found) for name, found in known[store.keyspace].tables.items()}

    standing = persist(store, f"the tables of keyspace {store.keyspace}", make, budget)
    for table in tables:
        if found := cql.difference(table, standing[table.name]):
            raise TaskError(
                f"table {store.keyspace}.{table.name} of the serving store at {store.place} is not as declared: "
                f"{found}; drop it there, then run the task again, which makes and fills it anew"
            )


def _standing(table: Any) -> cql.Standing:
    """What the driver knows of a table."""
    return cql.Standing(
        {name: column.cql_type for name, column in table.columns.items()},
        tuple(column.name for column in table.partition_key),
        tuple(column.name for column in table.clustering_key),
        int(table.options.get("default_time_to_live") or 0),
    )
