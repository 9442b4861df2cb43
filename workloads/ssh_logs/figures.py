"""What checks want to know of whole tables: asked of each table once, however many checks use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workloads.lakehouse.checks import Outputs
from workloads.lakehouse.tables import Table
from workloads.ssh_logs.schemas import (
    ACTIVITY,
    ATTACKERS,
    CAMPAIGNS,
    DAILY,
    EVENTS,
    FILES,
    HOURLY,
    LEFTOVERS,
    QUALITY,
    SCORES,
    TARGETED_ACCOUNTS,
    WINDOWS,
)

TOTALS = ("events", "sshd_events", "tries", "failures", "successes")
SUMS = {"rows": "count(*)", **{total: f"sum({total})" for total in TOTALS}}
IMPOSSIBLE = (
    "end < start OR kind IS NULL OR size(addresses) = 0 OR tries <> failures + successes OR unknown_users > users"
)
UNACCOUNTED = "lines + if(damage IS NULL, 0, 1) <> records + quarantined + duplicates OR matched + leftovers <> records"
FIGURES: dict[Table, dict[str, str]] = {
    EVENTS: {
        "rows": "count(*)",
        "events": "sum(repeat_count)",
        "sshd_events": "sum(if(is_sshd, repeat_count, 0))",
        "tries": "sum(if(outcome IS NOT NULL, repeat_count, 0))",
        "failures": "sum(if(outcome = 'failure', repeat_count, 0))",
        "successes": "sum(if(outcome = 'success', repeat_count, 0))",
        "named": "sum(if(source_address IS NOT NULL, repeat_count, 0))",
        "lacking": "sum(if(known, 0, repeat_count))",
    },
    FILES: {"rows": "count(*)"},
    WINDOWS: {"events": "sum(events)"},
    SCORES: {
        "out_of_range": "count_if(score IS NULL OR NOT score BETWEEN 0 AND 1 OR is_anomaly IS NULL)",
        "allowed_flagged": "count_if(is_anomaly AND allowed IS NOT NULL)",
        "flagged_addresses": "count(DISTINCT if(is_anomaly, source_address, NULL))",
    },
    LEFTOVERS: {"messages": "sum(count)"},
    QUALITY: {
        "rows": "count(*)",
        "records": "sum(matched + leftovers)",
        "wrong": f"count_if({UNACCOUNTED})",
    },
    ACTIVITY: SUMS,
    HOURLY: SUMS,
    DAILY: SUMS,
    CAMPAIGNS: {"rows": "count(*)", "failures": "sum(failures)", "wrong": f"count_if({IMPOSSIBLE})"},
    ATTACKERS: {
        "rows": "count(*)",
        "flagged": "count_if(is_flagged)",
        "addresses": "count(DISTINCT source_address)",
    },
    TARGETED_ACCOUNTS: {"rows": "count(*)"},
}


def figures(outputs: Outputs, table: Table) -> Mapping[str, Any]:
    """What FIGURES asks of a table."""
    return outputs.figures(table, FIGURES[table])
