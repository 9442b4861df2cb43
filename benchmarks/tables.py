"""The content of Delta tables, for comparing runs."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd
from deltalake import DeltaTable

# Columns that say when, by which run and by which engine (of a stream's checkpoint) a row was written.
AUDIT = {"ingested_at", "ingest_time", "ingest_ts", "first_ingested_at", "published_at", "scored_at"}
AUDIT |= {"run_id", "engine"}


def contents(catalog: Path) -> dict[str, list]:
    """`<schema>.<table>` → its number of rows and a digest of them in any order, without audit columns."""
    return {
        f"{table.parent.name.removesuffix('.db')}.{table.name}": _digest(table)
        for table in sorted(path.parent for path in catalog.glob("*.db/*/_delta_log"))
    }


def lines(frame: pd.DataFrame) -> list[str]:
    """The rows of a frame as text, sorted, without audit columns."""
    kept = frame[sorted(set(frame.columns) - AUDIT)]
    return sorted(repr(row) for row in kept.to_dict(orient="records"))


def _digest(table: Path) -> list:
    found = lines(DeltaTable(table).to_pandas())
    return [len(found), hashlib.sha256("\n".join(found).encode()).hexdigest()]
