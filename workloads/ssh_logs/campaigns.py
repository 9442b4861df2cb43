"""Campaigns: what one address, or several together, did to attack without a long pause.

An address's minutes are cut where it was silent for long; each piece is an activity. What legitimate use explains is
taken out of it: a user who mistypes and at some time gets in, a machine that comes by the clock. What is left is named
by the first of `RULES` that holds. Activities too small to be named are looked at once more, together: accounts that
several addresses tried in the same span are one campaign.

Not told apart: an attacker who keeps to a schedule and one account from a failing machine; colleagues behind the
attacker's own address, whose successes count as the campaign's.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as fn


@dataclass(frozen=True)
class Threshold:
    """A number and why it is that."""

    value: float
    reason: str


@dataclass(frozen=True)
class Rule:
    """A kind of campaign and the SQL condition over an activity that makes it one. `{name}` is a threshold."""

    kind: str
    condition: str
    meaning: str


THRESHOLDS = {
    "pause_hours": Threshold(6, "a campaign of one try an hour, at random moments, pauses longer once in 400 tries"),
    "least": Threshold(5, "failures before anybody speaks of an attack: who mistypes gives up or gets in before"),
    "many_users": Threshold(5, "accounts tried from one address: people have one or two"),
    "concentrated": Threshold(0.5, "share of the failures at one account above which the attack is on that account"),
    "pairs": Threshold(2, "tries per account of who has a list of pairs of user and password, each tried once"),
    "unknown_share": Threshold(0.75, "of accounts tried: who sprays guesses some wrong, who enumerates guesses most"),
    "fast_per_hour": Threshold(60, "failures an hour: one a minute for long is no person, and nobody who hides"),
    "probes": Threshold(1, "contacts that no client makes (no identification, other protocols)"),
    "hang_ups": Threshold(3, "connections dropped before the login: a person drops one or two"),
    "slow_per_hour": Threshold(0.5, "failures an hour: fewer from a busy address are its people's slips, added up"),
    "mistyped": Threshold(5, "failures of an existing user for each time that the same address got in as that user"),
    "same_visit": Threshold(30, "seconds between tries that are of one visit, and no pause"),
    "clockwork": Threshold(0.1, "standard deviation of pauses over their mean: jobs run by the clock"),
    "clockwork_pauses": Threshold(4, "pauses needed to speak of a clock"),
    "clockwork_seconds": Threshold(240, "mean pause: jobs that log in more often than every five minutes are rare"),
    "together": Threshold(3, "addresses that try one account in the same span: a person has two places at most"),
}

# `strength` is failures and unknown users named without a verdict; `per_user`, `per_hour` and `top_share` (that
# of the account tried most) are of it.
RULES = (
    Rule(
        "stuffing",
        "strength >= {least} AND per_hour >= {slow_per_hour} AND users >= {many_users} AND per_user <= {pairs}"
        " AND successes > 0",
        "many accounts, each tried once or twice, and one success",
    ),
    Rule(
        "enumeration",
        "strength >= {least} AND per_hour >= {slow_per_hour} AND users >= {many_users} AND top_share <= {concentrated}"
        " AND unknown_users >= {unknown_share} * users",
        "many accounts, most of them strangers",
    ),
    Rule(
        "spraying",
        "strength >= {least} AND per_hour >= {slow_per_hour} AND users >= {many_users} AND top_share <= {concentrated}",
        "many accounts, most of which exist",
    ),
    Rule("fast-brute-force", "strength >= {least} AND per_hour >= {fast_per_hour}", "many tries, fast"),
    Rule("slow-brute-force", "strength >= {least} AND per_hour >= {slow_per_hour}", "many tries, over a long time"),
    Rule(
        "scanning",
        "strength = 0 AND successes = 0 AND key_successes = 0 AND (probes >= {probes} OR hang_ups >= {hang_ups})",
        "contacts, and no try to log in",
    ),
)
CLOCKWORK = (
    "successes = 0 AND size(hosts) = 1 AND pauses >= {clockwork_pauses} AND deviation <= {clockwork} * mean_pause"
    " AND (strength = 0 OR users = 1 AND unknown_users = 0 AND mean_pause >= {clockwork_seconds})"
)
"""Activities that are a failing job (one existing user, one host, by the clock, never a success) or a health check."""

TOGETHER = (
    Rule("spraying", "users >= {together}", "accounts that several addresses try in the same span"),
    Rule("fast-brute-force", "per_hour >= {fast_per_hour}", "one or two accounts, tried from several addresses, fast"),
    Rule("slow-brute-force", "true", "one or two accounts, tried from several addresses"),
)
"""Kinds of what several addresses did together, each too little to be named alone."""

ACTIVITY = ("source_address", "activity")
COLUMNS = (
    *("campaign_id", "kind", "start", "end", "addresses", "hosts", "tries", "failures", "successes"),
    *("users", "unknown_users", "contacts"),
)


def campaigns(minutes: DataFrame) -> DataFrame:
    """The campaigns in `minutes` (as `reports.activity` gives them), without the columns about the run."""
    accounts = _accounts(_cut(minutes))
    judged = _judged(_activities(accounts))
    alone = judged.where("kind IS NOT NULL").withColumn("addresses", fn.array("source_address"))
    small = judged.where("kind IS NULL AND NOT clockwork AND strength > 0").select(*ACTIVITY)
    both = _shown(alone).unionByName(_shown(_together(accounts.join(small, [*ACTIVITY], "left_semi"))))
    return both.select(*COLUMNS)


def _threshold(name: str) -> float:
    return THRESHOLDS[name].value


def _condition(text: str) -> Column:
    return fn.expr(text.format_map({name: one.value for name, one in THRESHOLDS.items()}))


def _kind(rules: tuple[Rule, ...]) -> Column:
    return fn.coalesce(*(fn.when(_condition(rule.condition), rule.kind) for rule in rules))


def _seconds(moment: Column) -> Column:
    return fn.unix_micros(moment) / 1e6


def _numbered(frame: DataFrame, key: str, name: str) -> DataFrame:
    """Adds the number of the piece of `key`'s time that a row is in, and the seconds since the row before it."""
    order = Window.partitionBy(key).orderBy("first_event", "last_event")
    before = order.rowsBetween(Window.unboundedPreceding, -1)
    silent = _seconds(fn.col("first_event")) - _seconds(fn.max("last_event").over(before))
    cut = fn.when(silent > _threshold("pause_hours") * 3600, 1).otherwise(0)
    since = _seconds(fn.col("first_event")) - _seconds(fn.lag("first_event").over(order))
    marked = frame.withColumns({"cut": cut, "since": since})
    upto = order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    return marked.withColumn(name, fn.sum("cut").over(upto)).drop("cut")


def _cut(minutes: DataFrame) -> DataFrame:
    """The minutes that tell of a try or a contact, with the number of the activity of their address."""
    # who names a stranger and leaves before the verdict has tried, too
    named = fn.when((fn.col("tries") == 0) & fn.col("unknown_user"), 1).otherwise(0)
    told = minutes.withColumn("named", named)
    return _numbered(told.where("source_address IS NOT NULL AND tries + named + probes + hang_ups > 0"), *ACTIVITY)


def _accounts(minutes: DataFrame) -> DataFrame:
    """What an address did to one user in an activity. Contacts that name nobody are of the user null."""
    pause = fn.when(fn.col("since") >= _threshold("same_visit"), fn.col("since"))
    totals = ("tries", "failures", "successes", "key_successes", "named", "probes", "hang_ups")
    rows = minutes.groupBy(*ACTIVITY, "user").agg(
        fn.min("first_event").alias("first_event"),
        fn.max("last_event").alias("last_event"),
        fn.collect_set("host").alias("hosts"),
        fn.bool_or("unknown_user").alias("unknown_user"),
        *(fn.sum(name).alias(name) for name in totals),
        fn.count(pause).alias("pauses"),
        fn.sum(pause).alias("paused"),
        fn.sum(pause * pause).alias("paused_squared"),
    )
    # in whatever activity: somebody who is known here may forget a password
    got_in = fn.sum("successes").over(Window.partitionBy("source_address", "user"))
    excused = ~fn.col("unknown_user") & (got_in > 0) & (fn.col("failures") <= _threshold("mistyped") * got_in)
    strength = fn.when(excused, 0).otherwise(fn.col("failures") + fn.col("named"))
    attacked = rows.withColumn("strength", strength)
    return attacked.withColumn("hostile", fn.expr("strength + probes + hang_ups > 0"))


def _activities(accounts: DataFrame) -> DataFrame:
    """What an address did in an activity. Times and hosts are those of what legitimate use does not explain."""
    whole = accounts.groupBy(*ACTIVITY).agg(
        *_measures(),
        fn.sum("pauses").alias("pauses"),
        fn.sum("paused").alias("paused"),
        fn.sum("paused_squared").alias("paused_squared"),
        fn.sum("key_successes").alias("key_successes"),
        fn.sum("probes").alias("probes"),
        fn.sum("hang_ups").alias("hang_ups"),
    )
    return _rates(whole)


def _measures() -> list[Column]:
    hostile, attacked = fn.col("hostile"), fn.col("strength") > 0
    return [
        fn.min(fn.when(hostile, fn.col("first_event"))).alias("start"),
        fn.max(fn.when(hostile, fn.col("last_event"))).alias("end"),
        fn.sort_array(fn.array_distinct(fn.flatten(fn.collect_list(fn.when(hostile, fn.col("hosts")))))).alias("hosts"),
        fn.sum("strength").alias("strength"),
        fn.max("strength").alias("most"),
        fn.sum(fn.when(attacked, fn.col("failures")).otherwise(0)).alias("failures"),
        fn.sum(fn.expr("successes - key_successes")).alias("successes"),
        fn.countDistinct(fn.when(attacked, fn.col("user"))).alias("users"),
        fn.countDistinct(fn.when(attacked & fn.col("unknown_user"), fn.col("user"))).alias("unknown_users"),
        fn.sum(fn.expr("probes + hang_ups")).alias("contacts"),
    ]


def _rates(frame: DataFrame) -> DataFrame:
    # what happens within a minute counts as if it took one
    hours = fn.greatest(_seconds(fn.col("end")) - _seconds(fn.col("start")), fn.lit(60.0)) / 3600
    return frame.withColumns(
        {
            "per_hour": fn.col("strength") / hours,
            "top_share": fn.coalesce(fn.try_divide(fn.col("most"), fn.col("strength")), fn.lit(0.0)),
            "per_user": fn.col("strength") / fn.greatest(fn.col("users"), fn.lit(1)),
        }
    )


def _judged(activities: DataFrame) -> DataFrame:
    """Adds `clockwork`, and the kind, null where it is no campaign by itself."""
    mean = fn.try_divide(fn.col("paused"), fn.col("pauses"))
    square = fn.try_divide(fn.col("paused_squared"), fn.col("pauses"))
    timed = activities.withColumn("mean_pause", mean)
    timed = timed.withColumn("deviation", fn.sqrt(fn.greatest(square - fn.col("mean_pause") ** 2, fn.lit(0.0))))
    steady = timed.withColumn("clockwork", fn.coalesce(_condition(CLOCKWORK), fn.lit(False)))
    return steady.withColumn("kind", fn.when(~fn.col("clockwork"), _kind(RULES)))


def _together(accounts: DataFrame) -> DataFrame:
    """Campaigns of several addresses, out of what they did to users in activities that are too small alone.

    A user's tries are cut at long pauses; the pieces in which enough addresses tried are kept, and those without a
    long pause between them are one campaign.
    """
    tried = _numbered(accounts.where("strength > 0 AND user IS NOT NULL"), "user", "piece").drop("since")
    by_piece = Window.partitionBy("user", "piece")
    counted = tried.withColumn("several", fn.size(fn.collect_set("source_address").over(by_piece)))
    kept = counted.where(fn.col("several") >= _threshold("together")).withColumn("all", fn.lit(1))
    found = (
        _numbered(kept, "all", "campaign")
        .groupBy("campaign")
        .agg(*_measures(), fn.sort_array(fn.collect_set("source_address")).alias("addresses"))
    )
    return _rates(found).withColumn("kind", _kind(TOGETHER))


def _shown(found: DataFrame) -> DataFrame:
    """The columns of the table, in order."""
    told = fn.concat_ws("|", "kind", fn.unix_micros("start"), fn.array_join("addresses", "|"))
    return found.withColumns(
        {
            "campaign_id": fn.substring(fn.sha2(told, 256), 1, 16),
            "tries": fn.expr("failures + successes"),
        }
    ).select(*COLUMNS)
