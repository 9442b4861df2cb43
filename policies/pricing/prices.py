"""The table of prices, `policies/prices.toml`: data with a source for every figure."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

TABLE = Path(__file__).resolve().parents[1] / "prices.toml"


class PriceTableError(ValueError):
    """A row of the table says too little, or names no source; the text names the row."""


@dataclass(frozen=True)
class Source:
    """Where figures come from: `read` is the day a copy of it was read (None: from memory, not `checked`), `of` the
    day that it gives itself."""

    key: str
    url: str
    what: str
    checked: bool
    read: date | None = None
    of: date | None = None


@dataclass(frozen=True)
class Price:
    """US dollars for a unit; the first `free` units of a month cost nothing."""

    key: str
    usd: float
    unit: str
    source: Source
    free: float = 0


@dataclass(frozen=True)
class Free:
    """Why types of resources cost nothing by themselves."""

    why: str
    source: Source


@dataclass(frozen=True)
class Prices:
    """The whole table. `dbu`: node type → DBU an hour and their source; `free`: type of resource → why."""

    region: str
    currency: str
    prices: Mapping[str, Price]
    dbu: Mapping[str, tuple[float, Source]]
    free: Mapping[str, Free]


def parse(table: Mapping[str, Any]) -> Prices:
    """The table as it stands in the file. Raises PriceTableError for a row without a source, or one that is not known,
    and for a source that claims to be checked without a day, or has a day without being checked."""
    sources = {key: _source(key, row) for key, row in table["source"].items()}

    def source(what: str, row: Mapping[str, Any]) -> Source:
        if row.get("source") not in sources:
            raise PriceTableError(f"{what}: source {row.get('source')!r} is not in the table of sources")
        return sources[row["source"]]

    free: dict[str, Free] = {}
    for row in table["free"]:
        for type_ in row["types"]:
            if type_ in free:
                raise PriceTableError(f"free: {type_} stands there twice")
            free[type_] = Free(row["why"], source(f"free: {type_}", row))
    return Prices(
        region=table["region"],
        currency=table["currency"],
        prices={
            key: Price(key, row["usd"], row["unit"], source(key, row), row.get("free", 0))
            for key, row in table["price"].items()
        },
        dbu={node: (row["dbu"], source(f"dbu {node}", row)) for node, row in table["dbu"].items()},
        free=free,
    )


def _source(key: str, row: Mapping[str, Any]) -> Source:
    found = Source(key=key, **row)
    if not found.url.startswith("https://") or not found.what:
        raise PriceTableError(f"source {key}: say where it is (url) and what it says (what)")
    if found.checked != (found.read is not None) or (found.of and not found.checked):
        raise PriceTableError(f"source {key}: it has a day if it was read, and only then")
    return found


@cache
def load(path: Path = TABLE) -> Prices:
    """The table of this project. Raises PriceTableError."""
    return parse(tomllib.loads(path.read_text(encoding="utf-8")))
