"""A usage event as it is sent, and the rules that it must keep: from text to typed columns, whatever brought the text.

The first rule that a record breaks is the one that counts. What can be cured or kept is no breach: a number written as
a string, a value or a unit that is missing, a cost a little below zero.
"""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as fn

from workloads.cloud_usage.rules import (
    CLOCKS_DIFFER_BY,
    EARLIEST,
    KEYS,
    LONGEST,
    MINIMUM_COST,
    NUMBERS,
    REQUIRED,
    SCHEMA_VERSIONS,
    TEXTS,
)
from workloads.cloud_usage.schemas import AMOUNT, EVENT_COLUMNS

BROKEN = "_broken"

ISO_TIME = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}(:?\d{2})?)?$"
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?$"
STRICT = {"allowSingleQuotes": "false", "allowNonNumericNumbers": "false", "columnNameOfCorruptRecord": BROKEN}
AS_SENT = ", ".join(f"`{key}` STRING" for key in (*KEYS, BROKEN))


def parse(lines: DataFrame, ingest_time: datetime) -> DataFrame:
    """Adds to lines (`text`, `damaged_text`) the columns of an event, and `rule`: the first one that it breaks.

    The columns of a record that breaks a rule are null, but for those that can be read.
    """
    readable = fn.when(~fn.col("damaged_text") & (fn.length("text") <= LONGEST), _json_text())
    # One column, so that Spark parses a line once for all that is asked of it.
    sent = lines.withColumn("sent", fn.from_json(readable, AS_SENT, STRICT))
    wide = sent.select(*lines.columns, *(fn.col(f"sent.{key}").alias(f"_{key}") for key in (*KEYS, BROKEN)))
    time = fn.when(fn.col("_timestamp").rlike(ISO_TIME), fn.expr("try_cast(_timestamp AS TIMESTAMP)"))
    typed = wide.withColumns(
        {
            "event_time": time,
            "value": _number("value", AMOUNT),
            "cost_usd": _number("cost_usd_increment", AMOUNT),
            "carbon_kg": _number("carbon_kg", AMOUNT),
            "genai_tokens": _number("genai_tokens", "BIGINT"),
            "schema_version": fn.expr("try_cast(_schema_version AS INT)"),
            **{key: fn.col(f"_{key}") for key in TEXTS if key not in ("timestamp", "schema_version")},
        }
    )
    ruled = typed.withColumn("rule", _rule(ingest_time)).withColumn("event_date", fn.to_date("event_time"))
    said = [column.name for column in EVENT_COLUMNS if column.name not in ("event_date", "content_hash")]
    hashed = ruled.withColumn("content_hash", fn.xxhash64(*said))
    return hashed.select(*lines.columns, *(column.name for column in EVENT_COLUMNS), "rule")


def _json_text() -> Column:
    """The text without the blanks that JSON allows around it; those of Windows' line ends are among them."""
    return fn.btrim("text", fn.lit(" \t\r\n"))


def _number(key: str, kind: str) -> Column:
    """A number however it was written; null where it is none."""
    text = f"trim(_{key})"
    if kind == "BIGINT":  # 12.0 is a whole number, 12.5 is none
        whole = fn.expr(f"try_cast({text} AS DECIMAL(20,2))")
        return fn.when(fn.col(f"_{key}").rlike(NUMBER) & (whole == fn.floor(whole)), whole.cast("BIGINT"))
    return fn.when(fn.expr(text).rlike(NUMBER), fn.expr(f"try_cast({text} AS {kind})"))


def _rule(ingest_time: datetime) -> Column:
    text = _json_text()
    latest = fn.lit(ingest_time + CLOCKS_DIFFER_BY)
    one_object = fn.startswith(text, fn.lit("{")) & fn.endswith(text, fn.lit("}")) & fn.col(f"_{BROKEN}").isNull()
    # The parser stops at the end of the first object; what may hold a second one is looked at as a list of one.
    single = (fn.instr(text, "}") == fn.length(text)) | fn.coalesce(
        fn.json_array_length(fn.concat(fn.lit("["), text, fn.lit("]"))) == 1, fn.lit(False)
    )
    missing = _any(fn.coalesce(fn.trim(f"_{key}"), fn.lit("")) == "" for key in REQUIRED)
    nested = _any(fn.coalesce(fn.col(f"_{key}").rlike(r"^[\[{]"), fn.lit(False)) for key in TEXTS)
    no_number = _any(
        fn.col(f"_{key}").isNotNull() & fn.col({"cost_usd_increment": "cost_usd"}.get(key, key)).isNull()
        for key in NUMBERS
    )
    exact = fn.expr("try_cast(trim(_cost_usd_increment) AS DECIMAL(38,20))")
    version = fn.col("schema_version")
    return (
        fn.when(fn.col("damaged_text"), "damaged_text")
        .when(fn.length("text") > LONGEST, "oversized")
        .when(~one_object | ~single, "not_json")
        .when(missing, "missing_key")
        .when(nested, "wrong_type")
        .when(version.isNull() | ~version.isin(*SCHEMA_VERSIONS), "unknown_schema_version")
        .when(fn.col("event_time").isNull(), "bad_timestamp")
        .when((fn.col("event_time") < fn.lit(EARLIEST)) | (fn.col("event_time") > latest), "time_out_of_range")
        .when(no_number, "bad_number")
        .when(exact != fn.col("cost_usd"), "inexact_amount")
        .when(fn.col("cost_usd") < fn.lit(MINIMUM_COST).cast(AMOUNT), "cost_below_minimum")
    )


def _any(conditions) -> Column:
    whole = fn.lit(False)
    for condition in conditions:
        whole = whole | condition
    return whole
