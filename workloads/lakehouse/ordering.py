"""Rows in order, in parts that follow one another, for exports.

Spark's own `orderBy` first makes all rows once to draw a sample of them, and once more to sort them. Here the sample is
of the one column by which the parts are cut, which a table of columns gives for little; and since each part knows how
many rows lie before it, rows are numbered where they are sorted.
"""

from __future__ import annotations

from collections.abc import Iterable
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
    before = [0]
    if cuts:
        found = keyed.withColumn("_part", _part(cuts, range(len(cuts) + 1)))
        if number is not None:
            sizes = dict(map(tuple, found.groupBy("_part").count().collect()))
            before = [sum(sizes.get(earlier, 0) for earlier in range(part)) for part in range(len(cuts) + 1)]
        together = found.repartition(len(cuts) + 1, _part(cuts, _hashed_to(frame.sparkSession, len(cuts) + 1)))
        # Where rows lie hangs on how Spark hashes: it is looked at, not taken for granted.
        misplaced = fn.raise_error(fn.lit("rows are not in the part of their key: report this")).cast("boolean")
        ordered = together.sortWithinPartitions("_key", *then).where(
            (fn.col("_part") == fn.spark_partition_id()) | misplaced
        )
    else:
        ordered = keyed.repartition(1).sortWithinPartitions("_key", *then)
    if number is None:
        return ordered.select(*frame.columns)
    earlier = fn.element_at(fn.lit(before), fn.spark_partition_id() + 1)
    counted = earlier + fn.monotonically_increasing_id().bitwiseAND(fn.lit(WITHIN)) + 1
    return ordered.select(counted.alias(number), *frame.columns)


def cuts_of(quantiles: list[int], rows: int) -> list[int]:
    """Where to cut so many rows into parts, of their keys' `quantiles`: MOST_PARTS - 1, in equal steps."""
    parts = min(MOST_PARTS, -(-rows // ROWS_OF_A_PART))
    return sorted({quantiles[part * MOST_PARTS // parts - 1] for part in range(1, parts)})


def _part(cuts: list[int], names: Iterable[int]) -> Column:
    """The name of the part in which `_key` is; before all keys are those that are null."""
    *named, last = names
    branches = [f"WHEN _key < {cut}L THEN {name}L" for cut, name in zip(cuts, named, strict=True)]
    return fn.expr(f"CASE WHEN _key IS NULL THEN {(*named, last)[0]}L {' '.join(branches)} ELSE {last}L END")


def _hashed_to(spark: SparkSession, parts: int) -> list[int]:
    """For each of so many partitions a number that Spark's hash puts there."""
    numbers = spark.range(parts * CANDIDATES).select("id", fn.expr(f"pmod(hash(id), {parts})"))
    found = {part: number for number, part in numbers.collect()}
    return [found[part] for part in range(parts)]
