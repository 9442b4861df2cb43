"""What silver makes of events of bronze, a pure function, so that batch and speed layer cannot differ."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as fn

from workloads.cloud_usage.schemas import SILVER_EVENTS

UNITS = {"requests": "count", "cpu_hours": "hours", "storage_gb_hours": "gb_hours"}
OF_CUSTOMER = ("org_name", "industry", "plan_tier", "is_enterprise", "lifecycle_stage")
ADDED = ("is_outlier",)


def known(events: DataFrame, customers: DataFrame) -> DataFrame:
    """The events whose customer is known."""
    return events.join(fn.broadcast(customers.select("org_id").distinct()), "org_id", "left_semi")


def unknown(events: DataFrame, customers: DataFrame) -> DataFrame:
    """The events whose customer is not known."""
    return events.join(fn.broadcast(customers.select("org_id").distinct()), "org_id", "left_anti")


def conform(events: DataFrame, customers: DataFrame, resources: DataFrame) -> DataFrame:
    """Events of known customers with their units, and what was known of customer and resource when they happened.

    `customers` and `resources` are histories (`valid_from`, `valid_to`). Gives the columns of silver but `is_outlier`.
    """
    metric = fn.create_map(*(fn.lit(text) for pair in UNITS.items() for text in pair))
    unit = fn.coalesce(fn.try_element_at(metric, fn.col("metric")), fn.col("unit"))
    of_customer = customers.select("org_id", *OF_CUSTOMER, "valid_from", "valid_to").alias("customer")
    of_resource = resources.select(
        "resource_id",
        fn.col("state").alias("resource_state"),
        fn.from_json("tags_json", "ARRAY<STRING>").alias("resource_tags"),
        "created_at",
        "valid_from",
        "valid_to",
    ).alias("resource")
    placed = (
        events.withColumn("unit", unit)
        .alias("event")
        .join(fn.broadcast(of_customer), [_same("customer", "org_id"), *_valid("customer")], "inner")
        .join(fn.broadcast(of_resource), [_same("resource", "resource_id"), *_valid("resource")], "left")
    )
    before = fn.coalesce(fn.col("event_date") < fn.col("created_at"), fn.lit(False))
    names = [column.name for column in SILVER_EVENTS.columns if column.name not in ADDED]
    own = {name: fn.col(f"event.{name}") for name in events.columns}
    made = placed.withColumn("before_creation", before)
    return made.select(*(own.get(name, fn.col(name)).alias(name) for name in names))


def _same(of: str, key: str):
    return fn.col(f"event.{key}") == fn.col(f"{of}.{key}")


def _valid(of: str) -> list:
    day = fn.col("event.event_date")
    until = fn.coalesce(fn.col(f"{of}.valid_to"), fn.lit("9999-12-31").cast("DATE"))
    return [day >= fn.col(f"{of}.valid_from"), day < until]
