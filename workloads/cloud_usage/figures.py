"""What checks want to know of whole tables: asked of each table once, however many checks use it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from workloads.cloud_usage.rules import EVENT_RULES
from workloads.cloud_usage.schemas import (
    ARRIVALS,
    CONFORMED_QUARANTINE,
    DAILY_COSTS,
    EVENTS,
    INVOICES,
    MARTS,
    QUARANTINE,
    SILVER_EVENTS,
    TICKETS,
)
from workloads.cloud_usage.serving_tables import SERVING
from workloads.lakehouse.checks import Outputs
from workloads.lakehouse.tables import Table, among

METRICS = ("requests", "cpu_hours", "storage_gb_hours")
MEASURES = ("cost_usd", "genai_tokens", "carbon_kg", *METRICS)
"""What the daily mart adds up."""
BILLED = ("subtotal_usd", "credits_usd", "revenue_usd", "taxes_usd")
ROWS = {"rows": "count(*)"}


def _sums(names: Iterable[str]) -> dict[str, str]:
    return {name: f"sum({name})" for name in names}


OF_EVENTS = "source = 'events'"
UNEXPLAINED = "rule IS NULL OR reason IS NULL OR (rule <> 'unknown_file' AND raw IS NULL)"
CONTRADICTORY = "is_anomaly <> (severity > 0) OR severity <> size(filter(split(methods, ','), m -> m <> ''))"
SUMS: dict[str, dict[str, str]] = {
    "org_daily_usage_by_service": _sums(("events", *MEASURES)),
    "usage_by_sliding_hour": _sums(("events",)),
    "genai_tokens_by_org_date": _sums(("genai_tokens",)),
    "tickets_by_org_date": _sums(("tickets",)),
    "revenue_by_org_month": {
        **_sums(BILLED),
        "wrong": "count_if(revenue_usd <> subtotal_usd - credits_usd)",
    },
}
FIGURES: dict[Table, dict[str, str]] = {
    EVENTS: {**ROWS, "ids": "count(DISTINCT event_id)", **_sums(("cost_usd",))},
    ARRIVALS: {
        "good": "count(DISTINCT if(rule IS NULL, struct(event_id, content_hash), NULL))",
        "broken": "count(DISTINCT if(rule IS NULL, NULL, struct(source_file, source_line)))",
    },
    QUARANTINE: {
        **ROWS,
        "events": f"count_if({OF_EVENTS})",
        "conflicts": f"count_if({OF_EVENTS} AND rule = 'conflicting_event')",
        "unexplained": f"count_if({UNEXPLAINED})",
        "strange": f"count_if({OF_EVENTS} AND NOT {among('rule', EVENT_RULES)})",
    },
    SILVER_EVENTS: {
        **ROWS,
        **_sums(("cost_usd", "genai_tokens", "carbon_kg")),
        **{metric: f"sum(if(metric = '{metric}', value, NULL))" for metric in METRICS},
        "tokens_of_genai": "sum(if(service = 'genai', genai_tokens, NULL))",
    },
    CONFORMED_QUARANTINE: {**ROWS, **_sums(("cost_usd",))},
    INVOICES: _sums(BILLED),
    TICKETS: ROWS,
    DAILY_COSTS: {"wrong": f"count_if({CONTRADICTORY})", "anomalies": "count_if(is_anomaly)"},
    **{
        MARTS[served.name]: {
            **ROWS,
            "keys": f"count(DISTINCT struct({', '.join(served.key)}))",
            **SUMS.get(served.name, {}),
        }
        for served in SERVING
    },
}


def figures(outputs: Outputs, table: Table) -> Mapping[str, Any]:
    """What FIGURES asks of a table."""
    return outputs.figures(table, FIGURES[table])
