"""What must hold of the outputs of `cloud-usage`: nothing lost, nothing counted twice, and sums that reconcile."""

from __future__ import annotations

import json

from workloads.cloud_usage.figures import BILLED, MEASURES, figures
from workloads.cloud_usage.schemas import (
    ARRIVALS,
    CONFORMED_QUARANTINE,
    CUSTOMERS,
    DAILY_COSTS,
    EVENTS,
    INVOICES,
    LATE,
    MARTS,
    QUARANTINE,
    RESOURCES,
    SILVER_EVENTS,
    TICKETS,
)
from workloads.cloud_usage.serving_tables import SERVING
from workloads.lakehouse.checks import Check, Outputs
from workloads.lakehouse.tables import Table

QUARANTINED = "quarantine/cloud_usage/records.jsonl"
CHECKED = (QUARANTINED,)
CONSERVED = (EVENTS, SILVER_EVENTS, CONFORMED_QUARANTINE)
"""What arrived, and the tables that it is placed in."""


def _events_once(outputs: Outputs) -> int:
    events = figures(outputs, EVENTS)
    return events["rows"] - events["ids"]


def _arrivals_conserved(outputs: Outputs) -> int:
    arrived, aside = figures(outputs, ARRIVALS), figures(outputs, QUARANTINE)
    kept = figures(outputs, EVENTS)["rows"] + aside["conflicts"]
    return abs(arrived["good"] - kept) + abs(arrived["broken"] - (aside["events"] - aside["conflicts"]))


def _cost_conserved(outputs: Outputs) -> int:
    """In units of the eighth decimal of a USD."""
    arrived, placed, aside = (figures(outputs, table)["cost_usd"] for table in CONSERVED)
    return abs(int((arrived - placed - aside) * 10**8))


def _silver_conserved(outputs: Outputs) -> int:
    arrived, placed, aside = (figures(outputs, table)["rows"] for table in CONSERVED)
    return abs(arrived - placed - aside)


def _daily_reconciles(outputs: Outputs) -> int:
    events, mart = figures(outputs, SILVER_EVENTS), figures(outputs, MARTS["org_daily_usage_by_service"])
    return (events["rows"] != mart["events"]) + sum(events[name] != mart[name] for name in MEASURES)


def _windows_count_twice(outputs: Outputs) -> int:
    windows = figures(outputs, MARTS["usage_by_sliding_hour"])
    return abs(windows["events"] - 2 * figures(outputs, SILVER_EVENTS)["rows"])


def _genai_reconciles(outputs: Outputs) -> int:
    tokens = figures(outputs, SILVER_EVENTS)["tokens_of_genai"]
    return abs(int(tokens) - int(figures(outputs, MARTS["genai_tokens_by_org_date"])["genai_tokens"]))


def _revenue_reconciles(outputs: Outputs) -> int:
    billed, mart = figures(outputs, INVOICES), figures(outputs, MARTS["revenue_by_org_month"])
    return mart["wrong"] + sum(billed[name] != mart[name] for name in BILLED)


def _tickets_reconcile(outputs: Outputs) -> int:
    return abs(figures(outputs, MARTS["tickets_by_org_date"])["tickets"] - figures(outputs, TICKETS)["rows"])


def _flags_agree(outputs: Outputs) -> int:
    days = figures(outputs, DAILY_COSTS)
    return days["wrong"] + abs(days["anomalies"] - figures(outputs, MARTS["cost_anomaly_mart"])["rows"])


def _keys_unique(outputs: Outputs) -> int:
    marts = [figures(outputs, MARTS[served.name]) for served in SERVING]
    return sum(mart["rows"] - mart["keys"] for mart in marts)


def _versions_follow(outputs: Outputs) -> int:
    """Versions of a key leave no gap, do not overlap, and the last one is the current one."""
    from pyspark.sql import Window
    from pyspark.sql import functions as fn

    def wrong(table: Table, key: str) -> int:
        order = Window.partitionBy(key).orderBy("valid_from")
        versions = outputs.table(table).withColumn("next", fn.lead("valid_from").over(order))
        return versions.where("NOT (valid_to <=> next) OR is_current <> (next IS NULL)").count()

    return wrong(CUSTOMERS, "org_id") + wrong(RESOURCES, "resource_id")


def _quarantine_explains(outputs: Outputs) -> int:
    aside = figures(outputs, QUARANTINE)
    return aside["unexplained"] + aside["strange"]


def _late_are_copies(outputs: Outputs) -> int:
    arrived = outputs.table(ARRIVALS).where("rule IS NULL")
    return outputs.table(LATE).join(arrived, ["source_file", "source_line", "content_hash"], "left_anti").count()


def _quarantine_exported(outputs: Outputs) -> int:
    with outputs.file(QUARANTINED).open(encoding="utf-8", newline="\n") as stream:
        exported = sum(1 for line in stream if json.loads(line)["record_id"])
    return abs(exported - figures(outputs, QUARANTINE)["rows"])


CHECKS = (
    Check("events-once", "every event stands once in bronze", "tables", _events_once),
    Check(
        "arrivals-conserved", "all that arrived is an event, a copy of one, or set aside", "tables", _arrivals_conserved
    ),
    Check("silver-conserved", "every event of bronze is in silver or set aside", "tables", _silver_conserved),
    Check("cost-conserved", "the cost in silver and set aside is that of bronze", "tables", _cost_conserved),
    Check("daily-reconciles", "the daily mart adds up to silver, measure by measure", "tables", _daily_reconciles),
    Check("windows-count-twice", "every event is in two sliding windows", "tables", _windows_count_twice),
    Check("genai-reconciles", "the tokens of the mart are those of silver", "tables", _genai_reconciles),
    Check(
        "revenue-reconciles",
        "revenue is subtotal less credits, and adds up to the invoices",
        "tables",
        _revenue_reconciles,
    ),
    Check("tickets-reconcile", "every ticket is in the mart once", "tables", _tickets_reconcile),
    Check(
        "flags-agree", "flags, severity and methods say the same, and the mart holds all flags", "tables", _flags_agree
    ),
    Check("keys-unique", "no mart has two rows of one key", "tables", _keys_unique),
    Check(
        "versions-follow",
        "versions of customers and resources follow each other without gap",
        "tables",
        _versions_follow,
    ),
    Check(
        "quarantine-explains",
        "what is set aside has its text, a known rule and a reason",
        "tables",
        _quarantine_explains,
    ),
    Check("late-are-copies", "late events are copies of what arrived", "tables", _late_are_copies),
    Check("quarantine-exported", "the export of the quarantine has every record", "files", _quarantine_exported),
)
