"""The masters as they are delivered: typed, bound by name, and told apart, a pure function of the files there are.

A delivery says what is valid from a day on. What it says again is an exact duplicate; what it says anew is a change.
Where deliveries of one day disagree, the one that stands last by file and line counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import cache

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as fn

from workloads.cloud_usage.currencies import CODES
from workloads.cloud_usage.rules import MASTER_RULES
from workloads.cloud_usage.sources import Master
from workloads.lakehouse import raw_csv
from workloads.lakehouse.raw_csv import CsvRecord
from workloads.lakehouse.raw_files import RawFile

# `said` holds what a record says by column, each as the one text that its type has for it; `key` and `content` are of
# that. All masters have these columns, so that one plan reads and compares them all.
SCHEMA = (
    "source STRING, source_file STRING, source_line BIGINT, text STRING, raw BINARY, as_of DATE, "
    "said MAP<STRING, STRING>, key STRING, content STRING, rule STRING, reason STRING"
)
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)
LONGEST_NUMBER = 1_000  # characters
EXACT = Context(prec=2 * LONGEST_NUMBER, rounding=ROUND_HALF_UP)
RATE = "exchange_rate_to_usd"


@dataclass(frozen=True)
class Delivery:
    """A file of a master, the day from which its records are valid, and the texts of repaired records by line."""

    master: Master
    file: RawFile
    as_of: date
    repaired: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Judged:
    """What a record says by column, or the rule that it breaks and the reason."""

    said: Mapping[str, str] = field(default_factory=dict)
    rule: str | None = None
    reason: str | None = None


def read(spark: SparkSession, deliveries: Iterable[Delivery]) -> DataFrame:
    """All records that were delivered of all masters, as rows of `SCHEMA`, and `repeated`.

    `rule` and `reason` say why a record is set aside; a `repeated` one says what the one before it said.
    """
    deliveries = list(deliveries)
    of = {delivery.file.name: (delivery.master, delivery.as_of) for delivery in deliveries}

    def row(file: str, record: CsvRecord) -> dict:
        master, as_of = of[file]
        return {"source": master.name, "source_file": file, "as_of": as_of, **told(record, master)}

    files = [(delivery.file, delivery.repaired) for delivery in deliveries]
    return told_apart(raw_csv.read(spark, files, row, SCHEMA))


def table(found: DataFrame, master: Master) -> DataFrame:
    """The rows of a master's table: what was delivered of it, each time that it changed."""
    typed = [fn.try_element_at("said", fn.lit(name)).cast(kind).alias(name) for name, kind in master.columns.items()]
    kept = found.where((fn.col("source") == master.name) & fn.col("rule").isNull() & ~fn.col("repeated"))
    return kept.select("source_file", "source_line", "as_of", *typed)


def told(record: CsvRecord, master: Master) -> dict:
    """A record as a row of `SCHEMA`, but for where it comes from."""
    judged = judge(record, master)
    key = [judged.said.get(name) for name in master.key]
    content = [judged.said.get(name) for name in master.columns if name not in master.key]
    return {
        "source_line": record.line,
        "text": record.text,
        "raw": record.raw,
        "said": list(judged.said.items()),
        "key": json.dumps(key, ensure_ascii=False),
        "content": json.dumps(content, ensure_ascii=False),
        "rule": judged.rule,
        "reason": judged.reason,
    }


def judge(record: CsvRecord, master: Master) -> Judged:
    """What a record says, or why it is set aside."""
    if record.problem:
        return Judged(rule="not_csv", reason=record.problem)
    for name in master.required:
        if name not in record.fields:
            return Judged(rule="missing_key", reason=f"it names no {name}")
    said = {}
    for name, kind in master.columns.items():
        if (text := record.fields.get(name)) is None:
            continue
        if (value := form(kind)(text)) is None:
            return Judged(rule="bad_value", reason=f"{name} holds '{text}'")
        said[name] = value
    if "currency" in master.columns and not _known_currency(said["currency"], said.get(RATE)):
        return Judged(rule="unknown_currency", reason=MASTER_RULES["unknown_currency"])
    return Judged(said)


@cache
def form(kind: str) -> Callable[[str], str | None]:
    """Gives the one text that a type of Spark SQL has for what a text says; None where it says nothing of that type."""
    if kind.startswith("DECIMAL"):
        precision, scale = map(int, re.findall(r"\d+", kind))
        return lambda text: _decimal(text, precision, scale)
    return {"DATE": _date, "BOOLEAN": _boolean, "STRING": str}[kind]


def _date(text: str) -> str | None:
    if not DAY.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return None


def _boolean(text: str) -> str | None:
    return text.lower() if text.lower() in ("true", "false") else None


def _decimal(text: str, precision: int, scale: int) -> str | None:
    if len(text) > LONGEST_NUMBER or not NUMBER.fullmatch(text):
        return None
    number = EXACT.quantize(Decimal(text), Decimal(1).scaleb(-scale))
    # Zero has no sign: -0.00 and 0.00 are the same.
    return f"{number.copy_abs() if number.is_zero() else number:f}" if number.adjusted() < precision - scale else None


def _known_currency(currency: str, rate: str | None) -> bool:
    """Whether it is a code of ISO 4217, and names a rate where it is not USD."""
    return currency in CODES and (currency == "USD" or (rate is not None and Decimal(rate) > 0))


def told_apart(delivered: DataFrame) -> DataFrame:
    """Adds `rule` and `reason` to records that another one of the same day overrules, and `repeated` to duplicates."""
    # Records that break a rule are compared with one another, to no effect.
    same = ("source", "key", "rule")
    day = Window.partitionBy(*same, "as_of").orderBy(fn.desc("source_file"), fn.desc("source_line"))
    of_content = Window.partitionBy(*same, "as_of", "content").orderBy(fn.desc("source_file"), fn.desc("source_line"))
    # Equal to the last one of its day: that one stands for both.
    of_day = delivered.withColumns(
        {
            "is_last_word": fn.col("content") == fn.first("content").over(day),
            "rank": fn.row_number().over(of_content),
        }
    )
    # A day's last word is compared with that of the day before it.
    by_day = Window.partitionBy(*same).orderBy("as_of", fn.desc("is_last_word"), "rank")
    is_word = fn.col("is_last_word") & (fn.col("rank") == 1)
    before = fn.last(fn.when(is_word, fn.col("content")), ignorenulls=True).over(
        by_day.rowsBetween(Window.unboundedPreceding, -1)
    )
    seen = of_day.withColumn("before", before)
    good = fn.col("rule").isNull()
    conflict = good & ~fn.col("is_last_word") & (fn.col("rank") == 1)
    says_nothing_new = (fn.col("rank") > 1) | (is_word & fn.col("content").eqNullSafe(fn.col("before")))
    return seen.withColumns(
        {
            "rule": fn.when(conflict, "conflicting_record").otherwise(fn.col("rule")),
            "reason": fn.when(conflict, MASTER_RULES["conflicting_record"]).otherwise(fn.col("reason")),
            "repeated": good & says_nothing_new,
        }
    ).drop("is_last_word", "rank", "before")
