"""What must hold of the outputs of `cloud-usage`: nothing lost, nothing counted twice, and sums that reconcile."""

from __future__ import annotations

import json

from workloads.cloud_usage.rules import EVENT_RULES
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
OF_EVENTS = "source = 'events'"


def _events_once(outputs: Outputs) -> int:
    events = outputs.table(EVENTS)
    return events.count() - events.select("event_id").distinct().count()


def _arrivals_conserved(outputs: Outputs) -> int:
    from pyspark.sql import functions as fn

    arrivals = outputs.table(ARRIVALS)
    good = arrivals.where("rule IS NULL").select("event_id", "content_hash").distinct().count()
    broken = arrivals.where("rule IS NOT NULL").select("source_file", "source_line").distinct().count()
    aside = outputs.table(QUARANTINE).where(OF_EVENTS)
    conflicts = aside.where(fn.col("rule") == "conflicting_event").count()
    return abs(good - outputs.table(EVENTS).count() - conflicts) + abs(broken - (aside.count() - conflicts))


def _cost_conserved(outputs: Outputs) -> int:
    """In units of the eighth decimal of a USD."""
    placed = _total(outputs, SILVER_EVENTS, "cost_usd") + _total(outputs, CONFORMED_QUARANTINE, "cost_usd")
    return abs(int((_total(outputs, EVENTS, "cost_usd") - placed) * 10**8))


def _silver_conserved(outputs: Outputs) -> int:
    placed = outputs.table(SILVER_EVENTS).count() + outputs.table(CONFORMED_QUARANTINE).count()
    return abs(outputs.table(EVENTS).count() - placed)


def _daily_reconciles(outputs: Outputs) -> int:
    from pyspark.sql import functions as fn

    events, mart = outputs.table(SILVER_EVENTS), outputs.table(MARTS["org_daily_usage_by_service"])

    def totals(frame, **columns):
        zero = fn.lit(0)
        return frame.agg(*(fn.coalesce(fn.sum(column), zero).alias(name) for name, column in columns.items())).head()

    def of(metric: str):
        return fn.when(fn.col("metric") == metric, fn.col("value"))

    same = {name: fn.col(name) for name in ("cost_usd", "genai_tokens", "carbon_kg")}
    metrics = {name: of(name) for name in ("requests", "cpu_hours", "storage_gb_hours")}
    left = totals(events, events=fn.lit(1), **same, **metrics)
    right = totals(mart, events=fn.col("events"), **same, **{name: fn.col(name) for name in metrics})
    return sum(one != other for one, other in zip(left, right, strict=True))


def _windows_count_twice(outputs: Outputs) -> int:
    windows = _total(outputs, MARTS["usage_by_sliding_hour"], "events")
    return abs(int(windows) - 2 * outputs.table(SILVER_EVENTS).count())


def _genai_reconciles(outputs: Outputs) -> int:
    of_genai = outputs.table(SILVER_EVENTS).where("service = 'genai'")
    tokens = of_genai.agg({"genai_tokens": "sum"}).head()[0] or 0
    return abs(int(tokens) - int(_total(outputs, MARTS["genai_tokens_by_org_date"], "genai_tokens")))


def _revenue_reconciles(outputs: Outputs) -> int:
    mart = MARTS["revenue_by_org_month"]
    wrong = outputs.table(mart).where("revenue_usd <> subtotal_usd - credits_usd").count()
    names = ("subtotal_usd", "credits_usd", "revenue_usd", "taxes_usd")
    return wrong + sum(_total(outputs, INVOICES, name) != _total(outputs, mart, name) for name in names)


def _tickets_reconcile(outputs: Outputs) -> int:
    return abs(int(_total(outputs, MARTS["tickets_by_org_date"], "tickets")) - outputs.table(TICKETS).count())


def _flags_agree(outputs: Outputs) -> int:
    days = outputs.table(DAILY_COSTS)
    wrong = days.where("is_anomaly <> (severity > 0) OR severity <> size(filter(split(methods, ','), m -> m <> ''))")
    return wrong.count() + abs(days.where("is_anomaly").count() - outputs.table(MARTS["cost_anomaly_mart"]).count())


def _keys_unique(outputs: Outputs) -> int:
    doubled = 0
    for served in SERVING:
        mart = outputs.table(MARTS[served.name])
        doubled += mart.count() - mart.select(*served.key).distinct().count()
    return doubled


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
    known = outputs.table(QUARANTINE)
    nothing_said = known.where("rule IS NULL OR reason IS NULL OR (rule <> 'unknown_file' AND raw IS NULL)")
    strange = known.where(OF_EVENTS).where(~known["rule"].isin(*EVENT_RULES))
    return nothing_said.count() + strange.count()


def _late_are_copies(outputs: Outputs) -> int:
    arrived = outputs.table(ARRIVALS).where("rule IS NULL")
    return outputs.table(LATE).join(arrived, ["source_file", "source_line", "content_hash"], "left_anti").count()


def _quarantine_exported(outputs: Outputs) -> int:
    with outputs.file(QUARANTINED).open(encoding="utf-8", newline="\n") as stream:
        exported = sum(1 for line in stream if json.loads(line)["record_id"])
    return abs(exported - outputs.table(QUARANTINE).count())


def _total(outputs: Outputs, table: Table, column: str):
    return outputs.table(table).agg({column: "sum"}).head()[0] or 0


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
