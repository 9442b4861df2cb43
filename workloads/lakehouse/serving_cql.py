"""What is said to the serving store, as pure functions of declared tables: in CQL 3.11, as Cosmos DB takes it, too
(https://learn.microsoft.com/azure/cosmos-db/cassandra/support).

Names are quoted, for some are words of CQL itself. Rows carry the moment as of which they were read (`USING TIMESTAMP`,
microseconds), so that an older state never takes the place of a newer one, however late it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from workloads.spec import Query, ServingTable, StoredTable

# Tokens of Murmur3Partitioner: every row's is greater than the least.
LEAST, GREATEST = -(2**63), 2**63 - 1


@dataclass(frozen=True)
class Standing:
    """A table as it stands in a store."""

    columns: Mapping[str, str]
    partition_key: tuple[str, ...]
    clustering: tuple[str, ...]
    time_to_live_seconds: int


def create_keyspace(keyspace: str) -> str:
    """The keyspace of a single node; Cosmos DB passes over what is said of replication."""
    return (
        f'CREATE KEYSPACE IF NOT EXISTS "{keyspace}" '
        "WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
    )


def create_table(keyspace: str, table: StoredTable) -> str:
    """The table, made where it is missing. Cosmos DB passes over the time to live: there the stack declares it."""
    columns = ", ".join(f'"{column.name}" {column.type}' for column in table.columns)
    key = ", ".join([f"({_names(table.partition_key)})", *map(_name, table.clustering)])
    lifetime = f" WITH default_time_to_live = {table.time_to_live_seconds}" if table.time_to_live_seconds else ""
    return f"CREATE TABLE IF NOT EXISTS {_table(keyspace, table.name)} ({columns}, PRIMARY KEY ({key})){lifetime}"


def difference(table: StoredTable, standing: Standing) -> str | None:
    """How a table that stands differs from its declaration; None where it does not.

    That rows stay which were to go by themselves is none: they are of versions that nobody is shown. Cosmos DB keeps
    what is declared of that for itself.
    """
    declared = {column.name: column.type for column in table.columns}
    for name in sorted(declared.keys() | standing.columns.keys()):
        here, there = declared.get(name), standing.columns.get(name)
        if here != there:
            return f"column {name!r} is declared as {here or 'nothing'} and is {there or 'missing'} there"
    if (table.partition_key, table.clustering) != (standing.partition_key, standing.clustering):
        there = f"({', '.join(standing.partition_key)}), {', '.join(standing.clustering)}"
        return f"its key there is {there}".rstrip(", ")
    lifetime = table.time_to_live_seconds or 0
    if standing.time_to_live_seconds not in (0, lifetime):
        return f"its rows live {standing.time_to_live_seconds} seconds there, not {lifetime or 'for ever'}"
    return None


def insert(keyspace: str, table: StoredTable) -> str:
    """Writes a row, whatever was there: all columns in order, then the moment."""
    names = [column.name for column in table.columns]
    marks = ", ".join("?" * len(names))
    return f"INSERT INTO {_table(keyspace, table.name)} ({_names(names)}) VALUES ({marks}) USING TIMESTAMP ?"


def delete(keyspace: str, table: StoredTable) -> str:
    """Deletes a row: the moment, then its key."""
    key = (*table.partition_key, *table.clustering)
    return f"DELETE FROM {_table(keyspace, table.name)} USING TIMESTAMP ? WHERE {_equal(key)}"


def keys_of_a_range(keyspace: str, table: StoredTable) -> str:
    """Key and version of the rows between two tokens: above the first, up to the second."""
    token = f"token({_names(table.partition_key)})"
    names = _names((*table.partition_key, *table.clustering, "version"))
    return f"SELECT {names} FROM {_table(keyspace, table.name)} WHERE {token} > ? AND {token} <= ?"


def ranges(count: int) -> list[tuple[int, int]]:
    """All tokens in so many ranges, for `keys_of_a_range`."""
    width = (GREATEST - LEAST) // count
    ends = [LEAST + width * i for i in range(count)] + [GREATEST]
    return list(pairwise(ends))


def select_version(keyspace: str) -> str:
    """The version of a view that is shown."""
    return f'SELECT "version" FROM {_table(keyspace, "serving_versions")} WHERE "view" = ?'


def select(keyspace: str, table: ServingTable, question: Query, *, speed: bool) -> str:
    """The rows that a question is about, of the batch layer or of the twin, where it takes a version as well."""
    stored = table.speed_schema() if speed else table.batch_schema()
    parts, order = len(table.partition_key), question.equals
    equals = (*order[:parts], "version", *order[parts:]) if speed else order
    least = f" AND {_name(question.at_least)} >= ?" if question.at_least else ""
    names = _names(column.name for column in stored.columns)
    return f"SELECT {names} FROM {_table(keyspace, stored.name)} WHERE {_equal(equals)}{least}"


def select_values(table: ServingTable, question: Query, values: Mapping[str, object], version: int | None) -> list:
    """What `select` takes, in order; `version` is for the twin."""
    parts = len(table.partition_key)
    equal = [values[name] for name in question.equals]
    if version is not None:
        equal[parts:parts] = [version]
    return equal + ([values[question.at_least]] if question.at_least else [])


def _table(keyspace: str, name: str) -> str:
    return f"{_name(keyspace)}.{_name(name)}"


def _name(name: str) -> str:
    return f'"{name}"'


def _names(names: Iterable[str]) -> str:
    return ", ".join(map(_name, names))


def _equal(names: Sequence[str]) -> str:
    return " AND ".join(f"{_name(name)} = ?" for name in names)
