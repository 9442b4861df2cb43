"""Rows in order, in parts that follow one another, for exports.

Spark's own `orderBy` first makes all rows once to draw a sample of them, and once more to sort them. Here the sample is
of the one column by which the parts are cut, which a table of columns gives for little; and since each part knows how
many rows lie before it, rows are numbered where they are sorted.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from pyspark.sql import functions as fn

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

ROWS_OF_A_PART = 250_000
MOST_PARTS = 64
ACCURACY = 10_000  # of Spark's percentiles: cuts may be off by that part of all rows
WITHIN = 2**33 - 1  # what `monotonically_increasing_id` counts the rows of a part with
CANDIDATES = 64  # numbers for each part, of which one is hashed to it almost surely


def in_order(frame: DataFrame, key: str, *then: str, number: str | None = None) -> DataFrame:
    """The rows in order of `key`, an expression that gives a BIGINT, and then of other columns.

    Its partitions follow one another, so that what is written of them, joined, is in order, too. `number` names a
    column that is put first and counts the rows from 1.
    """
    keyed = frame.withColumn("_key", fn.expr(key))
    shares = [part / MOST_PARTS for part in range(1, MOST_PARTS)]
    rows, quantiles = keyed.agg(fn.count("_key"), fn.percentile_approx("_key", shares, ACCURACY)).collect()[0]
    cuts = cuts_of(quantiles or [], rows)
    parts, before = len(cuts) + 1, [0]
    if cuts:
        found = keyed.withColumn("_part", _part(cuts))
        if number is not None:
            sizes = dict(map(tuple, found.groupBy("_part").count().collect()))
            before = [0, *accumulate(sizes.get(part, 0) for part in range(parts - 1))]
        together = found.repartition(parts, _of(_hashed_to(frame.sparkSession, parts), fn.col("_part")))
        # Where rows lie hangs on how Spark hashes: it is looked at, not taken for granted.
        misplaced = fn.raise_error(fn.lit("rows are not in the part of their key: report this")).cast("boolean")
        ordered = together.sortWithinPartitions("_key", *then).where(
            (fn.col("_part") == fn.spark_partition_id()) | misplaced
        )
    else:
        ordered = keyed.repartition(1).sortWithinPartitions("_key", *then)
    if number is None:
        return ordered.select(*frame.columns)
    counted = _of(before, fn.spark_partition_id()) + fn.monotonically_increasing_id().bitwiseAND(fn.lit(WITHIN)) + 1
    return ordered.select(counted.alias(number), *frame.columns)


def cuts_of(quantiles: list[int], rows: int) -> list[int]:
    """Where to cut so many rows into parts, of their keys' `quantiles`: MOST_PARTS - 1, in equal steps."""
    parts = min(MOST_PARTS, -(-rows // ROWS_OF_A_PART))
    return sorted({quantiles[part * MOST_PARTS // parts - 1] for part in range(1, parts)})


def _part(cuts: list[int]) -> Column:
    """The number of the part in which `_key` is, from 0; null comes first."""
    below = (f"WHEN _key < {cut}L THEN {part}" for part, cut in enumerate(cuts))
    return fn.expr(f"CASE WHEN _key IS NULL THEN 0 {' '.join(below)} ELSE {len(cuts)} END")


def _of(values: list[int], part: Column) -> Column:
    """The value for a part, as a BIGINT: other widths are hashed otherwise."""
    return fn.element_at(fn.lit(values).cast("array<bigint>"), part + 1)


def _hashed_to(spark: SparkSession, parts: int) -> list[int]:
    """For each of so many partitions a number that Spark's hash puts there."""
    numbers = spark.range(parts * CANDIDATES).select("id", fn.expr(f"pmod(hash(id), {parts})"))
    found = {part: number for number, part in numbers.collect()}
    return [found[part] for part in range(parts)]
