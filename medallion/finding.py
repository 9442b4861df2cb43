"""What a check of `medallion doctor` saw."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What one check saw: `ok` or not, and one line about it."""

    name: str
    ok: bool
    text: str
