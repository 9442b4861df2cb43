"""What a reader sees of a served table: rows of the batch layer, with what the speed layer has beside their version.

Every row of the batch layer says of which version it is, and the speed layer keeps its rows for each version apart. So
a reader sees every event once, also while the next version is being published row by row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from workloads.spec import ServingTable

Row = Mapping[str, Any]
NUMBERS = ("bigint", "decimal", "double", "int")


def view(table: ServingTable, batch: Iterable[Row], speed: Iterable[Row], shown_version: int) -> list[dict[str, Any]]:
    """The rows that answer, in order of their key, with the declared columns.

    `batch` and `speed` are rows with the column `version`; of `speed` those of several versions. A row of the batch
    layer takes the speed layer's of its own version; a key that only the speed layer has counts with `shown_version`.
    Where the speed layer has nothing any more for a key that it had, its row is empty: as if it was not there.
    """
    beside = {(_key(table, row), row["version"]): row for row in speed if not _is_empty(table, row)}
    seen = {}
    for row in batch:
        key = _key(table, row)
        seen[key] = _together(table, row, beside.get((key, row["version"])))
    for (key, version), row in beside.items():
        if version == shown_version and key not in seen:
            seen[key] = _declared(table, row)
    return [row for _, row in sorted(seen.items(), key=lambda item: item[0]) if _is_shown(table, row)]


def _together(table: ServingTable, batch: Row, speed: Row | None) -> dict[str, Any]:
    """A row of the batch layer with that of the speed layer."""
    if speed is None:
        return _declared(table, batch)
    if table.speed == "replaces":
        return _declared(table, speed)
    summed = {c.name for c in table.columns if c.type in NUMBERS} - set(table.key)
    return {
        column.name: _sum(batch[column.name], speed[column.name])
        if column.name in summed
        else _either(batch[column.name], speed[column.name])
        for column in table.columns
    }


def _sum(one: Any, other: Any) -> Any:
    """The sum of two numbers, of which none may be there."""
    return _either(one, other) if one is None or other is None else one + other


def _either(one: Any, other: Any) -> Any:
    return other if one is None else one


def _key(table: ServingTable, row: Row) -> tuple:
    return tuple(row[name] for name in table.key)


def _is_empty(table: ServingTable, row: Row) -> bool:
    return all(row[column.name] is None for column in table.columns if column.name not in table.key)


def _declared(table: ServingTable, row: Row) -> dict[str, Any]:
    return {column.name: row[column.name] for column in table.columns}


def _is_shown(table: ServingTable, row: Row) -> bool:
    return table.shown_if is None or row[table.shown_if] is not False
