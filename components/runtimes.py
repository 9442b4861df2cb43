"""The Databricks runtimes that a cluster may have: read from `policies/runtimes.toml`, which the policy reads too.

The policy pack imports nothing of ours and we import nothing of it, so what both must agree on is a file of data.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path

TABLE = Path(__file__).resolve().parents[1] / "policies" / "runtimes.toml"


class UnknownRuntimeError(ValueError):
    """A runtime that the table does not hold; the text names those that it does."""


@dataclass(frozen=True)
class Runtime:
    """A Databricks runtime: its version key for clusters, what it holds, and the last day of its support."""

    name: str
    key: str
    spark: str
    python: str
    end_of_support: date


def runtimes() -> dict[str, Runtime]:
    """All runtimes by name (`17.3`)."""
    rows = tomllib.loads(TABLE.read_text(encoding="utf-8"))["runtime"]
    return {name: Runtime(name=name, **row) for name, row in rows.items()}


def runtime(name: str) -> Runtime:
    """The runtime of that name. Raises UnknownRuntimeError."""
    known = runtimes()
    if name not in known:
        raise UnknownRuntimeError(f"databricks.runtime: there is no runtime {name!r}; known are {', '.join(known)}")
    return known[name]
