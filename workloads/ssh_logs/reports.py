"""What the business reports say: who attacks, which accounts are targeted, what happened hour by hour and day by day.

All are made of `activity`, one small row for each minute, address, user and host, so that the events are read once.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as fn

# What the templates of contacts that are no try hold. Scanners make the first, and no client does.
PROBES = (
    "Did not receive identification string",
    "[Bb]ad protocol version identification",
    "[Pp]rotocol major versions differ",
    "Unable to negotiate",
    "no matching (key exchange|host key|cipher|mac|MAC)",
    "banner exchange: Connection from",
    "kex_exchange_identification",
    "ssh_dispatch_run_fatal",
    "fatal: Read from socket failed",
)
HANG_UPS = ("Connection (closed|reset) by", "Timeout before authentication", "Connection from .* timed out")
MINUTE = ("minute", "source_address", "user", "host")


def activity(events: DataFrame) -> DataFrame:
    """The table `gold.ssh_logs_activity` without the columns about the run. A message repeated N times counts N."""
    times = fn.col("repeat_count").cast("bigint")

    def total(condition: Column | str) -> Column:
        met = fn.expr(condition) if isinstance(condition, str) else condition
        return fn.sum(fn.when(met, times).otherwise(0))

    no_verdict = fn.col("is_sshd") & fn.col("outcome").isNull()
    probe = no_verdict & fn.col("event_template").rlike("|".join(PROBES))
    hang_up = no_verdict & ~probe & fn.col("event_template").rlike("|".join(HANG_UPS)) & fn.col("user").isNull()
    by_minute = fn.date_trunc("minute", "event_time").alias("minute")
    return events.groupBy(by_minute, "source_address", "user", "host").agg(
        fn.min("event_time").alias("first_event"),
        fn.max("event_time").alias("last_event"),
        fn.sum(times).alias("events"),
        total("is_sshd").alias("sshd_events"),
        total("outcome IS NOT NULL").alias("tries"),
        total("outcome = 'failure'").alias("failures"),
        total("outcome = 'success'").alias("successes"),
        total("outcome = 'success' AND method = 'publickey'").alias("key_successes"),
        fn.coalesce(fn.bool_or(~fn.col("user_valid")), fn.lit(False)).alias("unknown_user"),
        total(probe).alias("probes"),
        total(hang_up).alias("hang_ups"),
    )


def attackers(minutes: DataFrame, campaigns: DataFrame, scores: DataFrame) -> DataFrame:
    """Addresses that the model flags in any window, or that took part in a campaign."""
    scored = scores.groupBy("source_address").agg(
        fn.count("*").alias("windows"),
        fn.count_if("is_anomaly").alias("flagged_windows"),
        fn.max("score").alias("highest_score"),
    )
    joined = campaigns.select(fn.explode("addresses").alias("source_address"), "kind")
    part = joined.groupBy("source_address").agg(
        fn.count("*").alias("campaigns"), fn.sort_array(fn.collect_set("kind")).alias("kinds")
    )
    seen = minutes.where("source_address IS NOT NULL").groupBy("source_address")
    did = seen.agg(
        fn.min("first_event").alias("first_seen"),
        fn.max("last_event").alias("last_seen"),
        *(fn.sum(name).alias(name) for name in ("events", "tries", "failures", "successes")),
        fn.countDistinct("user").alias("users"),
        fn.countDistinct(fn.when(fn.col("unknown_user"), fn.col("user"))).alias("unknown_users"),
        fn.countDistinct("host").alias("hosts"),
    )
    suspects = scored.join(part, "source_address", "full").where("flagged_windows > 0 OR campaigns > 0")
    counted = suspects.join(did, "source_address").fillna(0, ["windows", "flagged_windows", "campaigns"])
    return counted.withColumns(
        {
            "kinds": fn.coalesce("kinds", fn.array().cast("array<string>")),
            "is_flagged": fn.col("flagged_windows") > 0,
        }
    )


def targeted_accounts(minutes: DataFrame, attackers: DataFrame) -> DataFrame:
    """Users for whom tries to log in failed."""
    known = attackers.select("source_address", fn.lit(True).alias("attacker"))
    tried = minutes.where("user IS NOT NULL AND (tries > 0 OR unknown_user)").join(known, "source_address", "left")
    attacked = fn.col("attacker").isNotNull()
    hostile = fn.expr("failures > 0 OR tries = 0")
    found = tried.groupBy("user").agg(
        (~fn.bool_or("unknown_user")).alias("exists"),
        fn.min(fn.when(hostile, fn.col("first_event"))).alias("first_seen"),
        fn.max(fn.when(hostile, fn.col("last_event"))).alias("last_seen"),
        *(fn.sum(name).alias(name) for name in ("tries", "failures", "successes")),
        fn.sum(fn.when(attacked, fn.col("tries")).otherwise(0)).alias("attacker_tries"),
        fn.sum(fn.when(attacked, fn.col("successes")).otherwise(0)).alias("attacker_successes"),
        fn.countDistinct("source_address").alias("addresses"),
        fn.countDistinct("host").alias("hosts"),
    )
    return found.where("failures > 0")


def hourly(minutes: DataFrame, scores: DataFrame) -> DataFrame:
    """What happened in each hour."""
    return _summary(minutes, scores, "hour", lambda moment: fn.date_trunc("hour", moment))


def daily(minutes: DataFrame, scores: DataFrame) -> DataFrame:
    """What happened on each day."""
    return _summary(minutes, scores, "day", lambda moment: fn.to_date(moment))


def _summary(minutes: DataFrame, scores: DataFrame, name: str, span) -> DataFrame:
    flagged = scores.where("is_anomaly").groupBy(span("window_start").alias(name))
    totals = ("events", "sshd_events", "tries", "failures", "successes")
    found = minutes.groupBy(span("minute").alias(name)).agg(
        *(fn.sum(total).alias(total) for total in totals),
        fn.countDistinct("source_address").alias("addresses"),
        fn.countDistinct("user").alias("users"),
        fn.countDistinct("host").alias("hosts"),
    )
    counted = flagged.agg(fn.countDistinct("source_address").alias("flagged_addresses"))
    return found.join(counted, name, "left").fillna(0, ["flagged_addresses"])
