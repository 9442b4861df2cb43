"""The business marts as pure functions. Those of events hold for any events: of a batch, or of what came since."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as fn

from workloads.cloud_usage.schemas import MARTS, MONEY

WINDOW, SLIDE = "1 hour", "30 minutes"
GENAI = "genai"


def org_daily_usage_by_service(events: DataFrame) -> DataFrame:
    """What each customer used of a service on a day."""
    totals = [
        fn.count("*").alias("events"),
        _sum(fn.col("cost_usd"), "cost_usd"),
        *(_sum(fn.when(fn.col("metric") == metric, fn.col("value")), metric) for metric in METRICS),
        fn.coalesce(fn.sum("genai_tokens"), fn.lit(0)).alias("genai_tokens"),
        _sum(fn.col("carbon_kg"), "carbon_kg"),
    ]
    found = events.groupBy("org_id", fn.col("event_date").alias("date"), "service").agg(*totals)
    return _as("org_daily_usage_by_service", found)


METRICS = ("requests", "cpu_hours", "storage_gb_hours")


def genai_tokens_by_org_date(events: DataFrame) -> DataFrame:
    """What each customer used of generative AI on a day."""
    of_genai = events.where(fn.col("service") == GENAI).groupBy("org_id", fn.col("event_date").alias("date"))
    tokens = fn.coalesce(fn.sum("genai_tokens"), fn.lit(0)).alias("genai_tokens")
    found = of_genai.agg(fn.count("*").alias("events"), tokens, _sum(fn.col("cost_usd"), "cost_usd"))
    return _as("genai_tokens_by_org_date", found)


def usage_by_sliding_hour(events: DataFrame) -> DataFrame:
    """Events and cost in windows of an hour that begin every half hour: each event is in two of them."""
    # Summed by half hours first, so that few rows are doubled, not every event.
    halves = events.groupBy("org_id", "service", fn.window("event_time", SLIDE).alias("half")).agg(
        fn.count("*").alias("events"), fn.sum("cost_usd").alias("cost_usd")
    )
    window = fn.window("half.start", WINDOW, SLIDE).alias("window")
    found = halves.groupBy("org_id", "service", window).agg(
        fn.sum("events").alias("events"), _sum(fn.col("cost_usd"), "cost_usd")
    )
    bounds = found.withColumns({"window_start": fn.col("window.start"), "window_end": fn.col("window.end")})
    return _as("usage_by_sliding_hour", bounds)


def revenue_by_org_month(invoices: DataFrame) -> DataFrame:
    """What each customer was billed in a month."""
    month = (fn.year("month").alias("year"), fn.month("month").alias("month_of_year"))
    amounts = ("subtotal_usd", "credits_usd", "revenue_usd", "taxes_usd")
    found = invoices.groupBy("org_id", *month).agg(
        *(_sum(fn.col(name), name) for name in amounts),
        fn.count("*").alias("invoices"),
        fn.count_if("is_credit_note").alias("credit_notes"),
    )
    return _as("revenue_by_org_month", found.withColumnRenamed("month_of_year", "month"))


def cost_anomaly_mart(daily_costs: DataFrame) -> DataFrame:
    """The days that a method flags."""
    return _as("cost_anomaly_mart", daily_costs.where("is_anomaly"))


def tickets_by_org_date(tickets: DataFrame) -> DataFrame:
    """The tickets that each customer opened on a day; satisfaction outside the scale is counted, and no part of the
    mean."""
    answer = fn.when(fn.col("csat_in_range"), fn.col("csat"))
    breached = fn.count_if("sla_breached")
    found = tickets.groupBy("org_id", fn.col("created_at").alias("date")).agg(
        fn.count("*").alias("tickets"),
        fn.count("resolved_at").alias("resolved"),
        breached.alias("breached"),
        (breached / fn.count("*")).alias("sla_breach_rate"),
        fn.count(answer).alias("csat_answers"),
        fn.avg(answer.cast("DOUBLE")).alias("csat_average"),
        fn.count_if(~fn.col("csat_in_range")).alias("csat_out_of_range"),
    )
    return _as("tickets_by_org_date", found)


OF_EVENTS = {
    "org_daily_usage_by_service": org_daily_usage_by_service,
    "genai_tokens_by_org_date": genai_tokens_by_org_date,
    "usage_by_sliding_hour": usage_by_sliding_hour,
}


def _sum(column: Column, name: str) -> Column:
    return fn.coalesce(fn.sum(column), fn.lit(0)).cast(MONEY).alias(name)


def _as(mart: str, frame: DataFrame) -> DataFrame:
    return frame.select(*(column.name for column in MARTS[mart].columns))
