"""The masters as they are delivered: typed, bound by name, and told apart, a pure function of the files there are.

A delivery says what is valid from a day on. What it says again is an exact duplicate; what it says anew is a change.
Where deliveries of one day disagree, the one that stands last by file and line counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as fn

from workloads.cloud_usage.currencies import CODES
from workloads.cloud_usage.rules import MASTER_RULES
from workloads.cloud_usage.sources import Master
from workloads.lakehouse import raw_csv
from workloads.lakehouse.raw_files import RawFile

FORMS = {
    "DATE": r"^\d{4}-\d{2}-\d{2}$",
    "BOOLEAN": r"^(?i:true|false)$",
    "DECIMAL": r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?$",
}


@dataclass(frozen=True)
class Delivery:
    """A file of a master, the day from which its records are valid, and the texts of repaired records by line."""

    file: RawFile
    as_of: date
    repaired: Mapping[int, str] = field(default_factory=dict)


def read(spark: SparkSession, master: Master, deliveries: Iterable[Delivery]) -> DataFrame:
    """All records that were delivered: `source_file`, `source_line`, `as_of`, `text` and `raw` beside the columns.

    `rule` and `reason` say why a record is set aside; a `repeated` one says what the one before it said.
    """
    deliveries = list(deliveries)
    raw = raw_csv.read(spark, [(delivery.file, delivery.repaired) for delivery in deliveries])
    days = [fn.when(fn.col("file") == delivery.file.name, fn.lit(delivery.as_of)) for delivery in deliveries]
    dated = raw.withColumn("as_of", fn.coalesce(fn.lit(None).cast("DATE"), *days))
    # Kept before it is filtered, twice: the optimizer would repeat all of its expressions in each filter.
    delivered = typed(dated, master).localCheckpoint(eager=False)
    known = told_apart(delivered.where("rule IS NULL"), master)
    return known.unionByName(delivered.where("rule IS NOT NULL").withColumn("repeated", fn.lit(False)))


def typed(raw: DataFrame, master: Master) -> DataFrame:
    """Adds to raw records the columns of the master, `rule` and `reason`."""
    columns = {name: _cast(name, kind) for name, kind in master.columns.items()}
    wrong = [
        fn.when(
            _field(name).isNotNull() & cast.isNull(), fn.concat(fn.lit(f"{name} holds '"), _field(name), fn.lit("'"))
        )
        for name, cast in columns.items()
    ]
    empty = [fn.when(_field(name).isNull(), fn.lit(name)) for name in master.required]
    reason = (
        fn.when(fn.col("problem").isNotNull(), fn.col("problem"))
        .when(fn.coalesce(*empty).isNotNull(), fn.concat_ws(" ", fn.lit("it names no"), fn.coalesce(*empty)))
        .when(fn.coalesce(*wrong).isNotNull(), fn.coalesce(*wrong))
        .when(_currency_unknown(master), fn.lit(MASTER_RULES["unknown_currency"]))
    )
    rule = (
        fn.when(fn.col("problem").isNotNull(), "not_csv")
        .when(fn.coalesce(*empty).isNotNull(), "missing_key")
        .when(fn.coalesce(*wrong).isNotNull(), "bad_value")
        .when(_currency_unknown(master), "unknown_currency")
    )
    place = (fn.col("file").alias("source_file"), fn.col("line").alias("source_line"), "text", "raw", "as_of")
    named = [cast.alias(name) for name, cast in columns.items()]
    return raw.select(*place, *named, rule.alias("rule"), reason.alias("reason"))


def told_apart(good: DataFrame, master: Master) -> DataFrame:
    """Adds `rule` and `reason` to records that another one of the same day overrules, and `repeated` to duplicates."""
    content = [name for name in master.columns if name not in master.key]
    hashed = good.withColumn("content", fn.xxhash64(*content) if content else fn.lit(0).cast("BIGINT"))
    same_day = Window.partitionBy(*master.key, "as_of").orderBy(fn.desc("source_file"), fn.desc("source_line"))
    # Equal to the last one of its day: that one stands for both.
    winner = fn.first("content").over(same_day)
    rank = fn.row_number().over(Window.partitionBy(*master.key, "as_of", "content").orderBy(*same_day_order()))
    of_day = hashed.withColumns({"winner": winner, "rank": rank})
    # A day's last word is compared with that of the day before it.
    by_day = Window.partitionBy(*master.key).orderBy("as_of", fn.desc(fn.col("content") == fn.col("winner")), "rank")
    words = of_day.withColumn("is_word", (fn.col("content") == fn.col("winner")) & (fn.col("rank") == 1))
    before = fn.last(fn.when(fn.col("is_word"), fn.col("content")), ignorenulls=True).over(
        by_day.rowsBetween(Window.unboundedPreceding, -1)
    )
    seen = words.withColumn("before", before)
    conflict = (fn.col("content") != fn.col("winner")) & (fn.col("rank") == 1)
    repeated = (fn.col("rank") > 1) | (
        fn.col("is_word") & fn.coalesce(fn.col("before") == fn.col("content"), fn.lit(False))
    )
    return seen.withColumns(
        {
            "rule": fn.when(conflict, "conflicting_record"),
            "reason": fn.when(conflict, MASTER_RULES["conflicting_record"]),
            "repeated": repeated,
        }
    ).drop("content", "winner", "rank", "is_word", "before")


def same_day_order() -> tuple[Column, Column]:
    """The last one first."""
    return fn.desc("source_file"), fn.desc("source_line")


def _field(name: str) -> Column:
    return fn.try_element_at("fields", fn.lit(name))


def _cast(name: str, kind: str) -> Column:
    form = FORMS.get(kind.partition("(")[0])
    if form is None:
        return _field(name)
    return fn.when(_field(name).rlike(form), _field(name).try_cast(kind))


def _currency_unknown(master: Master) -> Column:
    if "currency" not in master.columns:
        return fn.lit(False)
    currency, rate = _field("currency"), _cast("exchange_rate_to_usd", "DECIMAL(18,8)")
    foreign_without_rate = (currency != "USD") & (rate.isNull() | (rate <= 0))
    return ~currency.isin(*sorted(CODES)) | foreign_without_rate
