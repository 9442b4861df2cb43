"""Anomalies: days on which what a customer's service costs in a region is out of the ordinary, by three methods.

A day is compared with the days of the same customer, service and region, where there are enough of them, else with all
days of the service. The statistics are exact, not approximate quantiles.

- z-score: |x - mean| / standard deviation (ddof 0).
- modified z-score: 0.6745 |x - median| / MAD, after Iglewicz and Hoaglin, "How to Detect and Handle Outliers" (1993).
- percentile: x beyond a factor times the 99th percentile of the service's days (linear interpolation).

Where a baseline does not vary, its scores are null and flag nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as fn

from workloads.cloud_usage.schemas import DAILY_COSTS, MONEY, SILVER_EVENTS
from workloads.lakehouse.task import Counts, TaskContext

EXPORTS: tuple[str, ...] = ()
PERCENTILE = 0.99
TO_DEVIATIONS = 0.6745  # of the normal distribution: its third quartile
OWN, OF_SERVICE = "org-service-region", "service"
SERIES = ("org_id", "service", "region")
STATISTICS = ("days", "mean", "deviation", "median", "mad")


def hangs_on(task: TaskContext) -> dict[str, Any]:
    """Nothing beside the events of silver."""
    return {}


@dataclass(frozen=True)
class Thresholds:
    """When a day is flagged: see the module."""

    minimum_days: int = 14
    z: float = 3.0
    mad: float = 3.0
    factor: float = 1.5

    @classmethod
    def of(cls, parameters: dict[str, Any]) -> Thresholds:
        """Those of the parameters of a run."""
        names = ("minimum_days", "z_threshold", "mad_threshold", "anomaly_factor")
        return cls(*(parameters[name] for name in names))


def run(task: TaskContext) -> Counts:
    """Writes all daily costs, flagged. Its records are the events."""
    events = task.table(SILVER_EVENTS)
    task.replace(DAILY_COSTS, flagged(daily(events), Thresholds.of(task.parameters)))
    return Counts(records_in=events.count(), records_out=task.table(SILVER_EVENTS).count())


def daily(events: DataFrame) -> DataFrame:
    """What each series cost on each day."""
    day = fn.col("event_date").alias("date")
    return events.groupBy("org_id", day, "service", "region").agg(fn.sum("cost_usd").cast(MONEY).alias("cost_usd"))


def flagged(days: DataFrame, thresholds: Thresholds) -> DataFrame:
    """Adds to daily costs their baseline, its statistics, scores, methods and flag."""
    cost = days.withColumn("x", fn.col("cost_usd").cast("DOUBLE"))
    own, of_service = _statistics(cost, SERIES), _statistics(cost, ("service",))
    limits = cost.groupBy("service").agg(
        (fn.percentile("x", fn.lit(PERCENTILE)) * thresholds.factor).alias("percentile_limit")
    )
    enough = fn.col("own.days") >= thresholds.minimum_days
    joined = (
        cost.alias("day")
        .join(own.alias("own"), list(SERIES))
        .join(fn.broadcast(of_service).alias("of_service"), "service")
        .join(fn.broadcast(limits), "service")
    )
    chosen = joined.select(
        *(fn.col(f"day.{name}") for name in ("org_id", "date", "service", "region", "cost_usd", "x")),
        fn.when(enough, OWN).otherwise(OF_SERVICE).alias("baseline"),
        *(fn.when(enough, fn.col(f"own.{n}")).otherwise(fn.col(f"of_service.{n}")).alias(n) for n in STATISTICS),
        "percentile_limit",
    )
    scored = chosen.withColumns(
        {
            "z_score": _ratio(fn.abs(fn.col("x") - fn.col("mean")), fn.col("deviation")),
            "modified_z_score": _ratio(TO_DEVIATIONS * fn.abs(fn.col("x") - fn.col("median")), fn.col("mad")),
        }
    )
    agree = {
        "z_score": fn.col("z_score") > thresholds.z,
        "modified_z_score": fn.col("modified_z_score") > thresholds.mad,
        "percentile": fn.col("x") > fn.col("percentile_limit"),
    }
    methods = fn.concat_ws(",", *(fn.when(condition, name) for name, condition in agree.items()))
    severity = sum((fn.when(condition, 1).otherwise(0) for condition in agree.values()), fn.lit(0))
    named = scored.withColumns({"methods": methods, "severity": severity})
    flagged = named.withColumn("is_anomaly", fn.col("severity") > 0)
    return flagged.select(*(column.name for column in DAILY_COSTS.columns))


def _statistics(cost: DataFrame, by: tuple[str, ...]) -> DataFrame:
    half = fn.lit(0.5)
    middle = cost.groupBy(*by).agg(
        fn.count("*").alias("days"),
        fn.avg("x").alias("mean"),
        fn.stddev_pop("x").alias("deviation"),
        fn.percentile("x", half).alias("median"),
    )
    away = cost.join(fn.broadcast(middle.select(*by, "median")), list(by))
    spread = away.groupBy(*by).agg(fn.percentile(fn.abs(fn.col("x") - fn.col("median")), half).alias("mad"))
    return middle.join(spread, list(by))


def _ratio(distance: Column, spread: Column) -> Column:
    return fn.when(spread > 0, distance / spread)
