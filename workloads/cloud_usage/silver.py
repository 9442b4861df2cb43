"""Silver: events in numbers, units and USD, placed in what was known of customer and resource when they happened."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as fn

from workloads.cloud_usage import conform, dimensions
from workloads.cloud_usage.anomalies import PERCENTILE
from workloads.cloud_usage.rules import CONFORM_RULES
from workloads.cloud_usage.schemas import (
    CONFORMED_QUARANTINE,
    CUSTOMERS,
    EVENTS,
    INVOICES,
    MASTERS,
    MONEY,
    RESOURCES,
    SILVER_EVENTS,
    SURVEYS,
    TICKETS,
    TOUCHES,
    USERS,
)
from workloads.cloud_usage.sources import BY_NAME
from workloads.lakehouse import quarantine, tables
from workloads.lakehouse.task import Counts, TaskContext

EXPORTS: tuple[str, ...] = ()
CENTS = 6  # decimals to which an invoice in USD is rounded


def hangs_on(task: TaskContext) -> dict[str, Any]:
    """Nothing beside the tables of bronze."""
    return {}


def run(task: TaskContext) -> Counts:
    """Writes all of silver but the daily costs. Its records are the events."""
    customers = _history(task, "customers", CUSTOMERS)
    resources = _history(task, "resources", RESOURCES)
    made = {
        USERS: users(_latest(task, "users")),
        TICKETS: tickets(_latest(task, "tickets")),
        SURVEYS: surveys(_latest(task, "nps")),
        TOUCHES: touches(_latest(task, "touches")),
        INVOICES: invoices(_latest(task, "billing")),
    }
    task.side_by_side(lambda pair: task.replace(*pair), made.items())

    events = task.table(EVENTS)
    strangers = conform.unknown(events, customers).withColumn("rule", fn.lit("unknown_org"))
    set_aside = quarantine.explain(strangers, CONFORM_RULES)
    task.replace(CONFORMED_QUARANTINE, set_aside.select(*(column.name for column in CONFORMED_QUARANTINE.columns)))
    placed = conform.conform(conform.known(events, customers), customers, resources)
    task.replace(SILVER_EVENTS, marked_outliers(placed, task.parameters["anomaly_factor"]))
    counted = task.side_by_side(DataFrame.count, (events, *map(task.table, (SILVER_EVENTS, CONFORMED_QUARANTINE))))
    return Counts(*counted)


def marked_outliers(events: DataFrame, factor: float) -> DataFrame:
    """Marks events whose cost is beyond `factor` times the 99th percentile of their service; none is changed."""
    cost = fn.col("cost_usd").cast("DOUBLE")
    limits = events.groupBy("service").agg((fn.percentile(cost, fn.lit(PERCENTILE)) * factor).alias("limit"))
    marked = events.join(fn.broadcast(limits), "service").withColumn("is_outlier", cost > fn.col("limit"))
    return marked.select(*(column.name for column in SILVER_EVENTS.columns))


def invoices(billed: DataFrame) -> DataFrame:
    """Amounts in USD: those that are in USD already have the rate 1, whatever rate was given with them."""
    rate = fn.when(fn.col("currency") == "USD", fn.lit(1)).otherwise(fn.col("exchange_rate_to_usd"))
    with_rate = billed.withColumn("rate", rate.cast("DECIMAL(18,8)"))

    def usd(amount: str):
        exact = fn.coalesce(fn.col(amount), fn.lit(0)).cast("DECIMAL(18,8)") * fn.col("rate")
        return fn.round(exact, CENTS).cast(MONEY)

    in_usd = with_rate.select(
        "*",
        usd("subtotal").alias("subtotal_usd"),
        usd("credits").alias("credits_usd"),
        usd("taxes").alias("taxes_usd"),
        (fn.col("subtotal") < 0).alias("is_credit_note"),
    )
    return in_usd.withColumn("revenue_usd", (fn.col("subtotal_usd") - fn.col("credits_usd")).cast(MONEY))


def users(delivered: DataFrame) -> DataFrame:
    """Marks users who came before they were created."""
    return delivered.withColumn("login_before_creation", _true(fn.col("last_login") < fn.col("created_at")))


def tickets(delivered: DataFrame) -> DataFrame:
    """Marks satisfaction outside the scale."""
    return delivered.withColumn("csat_in_range", fn.col("csat").between(1, 5))


def surveys(delivered: DataFrame) -> DataFrame:
    """Marks scores outside the scale."""
    return delivered.withColumn("nps_in_range", fn.col("nps_score").between(-100, 100))


def touches(delivered: DataFrame) -> DataFrame:
    """Marks sales that nobody clicked for."""
    return delivered.withColumn("converted_without_click", _true(fn.col("converted") & ~fn.col("clicked")))


def _true(condition):
    return fn.coalesce(condition, fn.lit(False))


def _history(task: TaskContext, name: str, table: tables.Table) -> DataFrame:
    """Brings a dimension's history up to date, and gives it."""
    key = BY_NAME[name].key[0]
    versions = dimensions.history(task.table(MASTERS[name]), key)
    tables.merge(versions, task.lake, table, [key, "valid_from"], delete=True)
    return task.table(table)


def _latest(task: TaskContext, name: str) -> DataFrame:
    return dimensions.latest(task.table(MASTERS[name]), *BY_NAME[name].key)
