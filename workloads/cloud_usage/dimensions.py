"""Slowly changing dimensions of type 2: of what was delivered, which version held when."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as fn

BEGINNING = "0001-01-01"


def history(delivered: DataFrame, key: str) -> DataFrame:
    """The versions of a master's records: `valid_from`, `valid_to`, `is_current`.

    `delivered` has a row for each change, valid from the day `as_of`. The first version holds from the beginning, since
    the masters tell no date of it.
    """
    changes = Window.partitionBy(key).orderBy("as_of")
    first = fn.row_number().over(changes) == 1
    until = fn.lead("as_of").over(changes)
    return delivered.select(
        "*",
        fn.when(first, fn.lit(BEGINNING).cast("DATE")).otherwise(fn.col("as_of")).alias("valid_from"),
        until.alias("valid_to"),
        until.isNull().alias("is_current"),
    )


def latest(delivered: DataFrame, *key: str) -> DataFrame:
    """The records as they were last delivered."""
    last = Window.partitionBy(*key).orderBy(fn.desc("as_of"))
    return delivered.withColumn("nth", fn.row_number().over(last)).where("nth = 1").drop("nth")
