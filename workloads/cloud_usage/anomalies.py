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

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as fn

from workloads.cloud_usage.schemas import DAILY_COSTS, MONEY, SILVER_EVENTS
from workloads.lakehouse.task import Counts, TaskContext

EXPORTS: tuple[str, ...] = ()
PERCENTILE = 0.99
TO_DEVIATIONS = 0.6745  # of the normal distribution: its third quartile
OWN, OF_SERVICE = "org-service-region", "service"
SERIES = ("service", "org_id", "region")
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
    # One order serves all: the days of a service lie together, in it those of a series, in order of their date.
    whole = (Window.unboundedPreceding, Window.unboundedFollowing)
    own = Window.partitionBy(*SERIES).orderBy("date").rowsBetween(*whole)
    of_service = Window.partitionBy(SERIES[0]).orderBy(*SERIES[1:], "date").rowsBetween(*whole)
    limit = fn.percentile("x", fn.lit(PERCENTILE)).over(of_service) * thresholds.factor
    averages = cost.withColumns(
        {**_averages("own", own), **_averages("service", of_service), "percentile_limit": limit}
    )
    spreads = averages.withColumns({**_spread("own", own), **_spread("service", of_service)})
    enough = fn.col("own_days") >= thresholds.minimum_days
    chosen = spreads.withColumns(
        {
            "baseline": fn.when(enough, OWN).otherwise(OF_SERVICE),
            **{n: fn.when(enough, fn.col(f"own_{n}")).otherwise(fn.col(f"service_{n}")) for n in STATISTICS},
        }
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


def _averages(of: str, over: WindowSpec) -> dict[str, Column]:
    """Number, mean, standard deviation and median of a baseline."""
    return {
        f"{of}_days": fn.count("*").over(over),
        f"{of}_mean": fn.avg("x").over(over),
        f"{of}_deviation": fn.stddev_pop("x").over(over),
        f"{of}_median": fn.percentile("x", fn.lit(0.5)).over(over),
    }


def _spread(of: str, over: WindowSpec) -> dict[str, Column]:
    """The median absolute deviation of a baseline."""
    away = fn.abs(fn.col("x") - fn.col(f"{of}_median"))
    return {f"{of}_mad": fn.percentile(away, fn.lit(0.5)).over(over)}


def _ratio(distance: Column, spread: Column) -> Column:
    return fn.when(spread > 0, distance / spread)
