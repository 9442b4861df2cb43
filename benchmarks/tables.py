"""The content of Delta tables, for comparing runs."""

from __future__ import annotations

import hashlib
from pathlib import Path

from deltalake import DeltaTable

# Columns that say when and by which run a row was written.
AUDIT = {"ingested_at", "ingest_time", "run_id", "scored_at", "first_ingested_at"}


def contents(catalog: Path) -> dict[str, list]:
    """`<schema>.<table>` → its number of rows and a digest of them in any order, without audit columns."""
    return {
        f"{table.parent.name.removesuffix('.db')}.{table.name}": _digest(table)
        for table in sorted(path.parent for path in catalog.glob("*.db/*/_delta_log"))
    }


def rows(table: Path) -> list[str]:
    """The rows of a Delta table as text, sorted, without audit columns."""
    frame = DeltaTable(table).to_pandas()
    kept = frame[sorted(set(frame.columns) - AUDIT)]
    return sorted(repr(row) for row in kept.to_dict(orient="records"))


def _digest(table: Path) -> list:
    lines = rows(table)
    return [len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest()]
