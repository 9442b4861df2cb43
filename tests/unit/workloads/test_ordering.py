"""Rows in order, in parts that follow one another."""

from __future__ import annotations

import random

import pytest
from pyspark.sql import functions as fn

from workloads.lakehouse import ordering

KEYS = {
    "all different": list(range(200)),
    "few of them, and some null": [None, None, 3, 3, 3, -5, 2**40] * 20,
    "one alone": [7] * 100,
    "null alone": [None] * 30,
    "none": [],
    "fewer than a part": [2, 1],
}


@pytest.mark.spark
@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS)
def test_rows_are_in_order_and_numbered_over_all_parts(spark, monkeypatch, keys) -> None:
    monkeypatch.setattr(ordering, "ROWS_OF_A_PART", 10)
    rows = [(key, f"{place:03}") for place, key in enumerate(keys)]
    random.Random(5).shuffle(rows)
    frame = spark.createDataFrame(rows, "key BIGINT, name STRING").repartition(3)

    found = ordering.in_order(frame, "key", "name", number="n").withColumn("part", fn.spark_partition_id()).collect()

    expected = sorted(rows, key=lambda row: (row[0] is not None, row[0] or 0, row[1]))
    assert [tuple(row)[:3] for row in found] == [(n, *row) for n, row in enumerate(expected, 1)]
    assert [row["part"] for row in found] == sorted(row["part"] for row in found)
    assert [tuple(row) for row in ordering.in_order(frame, "key", "name").collect()] == expected


@pytest.mark.spark
def test_many_rows_lie_in_many_parts_of_about_one_size(spark, monkeypatch) -> None:
    monkeypatch.setattr(ordering, "ROWS_OF_A_PART", 1_000)
    ordered = ordering.in_order(spark.range(8_000).selectExpr("7919 * id % 8000 AS id"), "id")
    sizes = [row["count"] for row in ordered.groupBy(fn.spark_partition_id()).count().collect()]
    assert len(sizes) == 8 and min(sizes) > 800 and max(sizes) < 1_200


@pytest.mark.parametrize(
    ("rows", "cuts"),
    [(0, []), (250_000, []), (250_001, [32]), (1_000_000, [16, 32, 48]), (10**9, list(range(1, 64)))],
)
def test_there_are_as_many_cuts_as_the_rows_need(rows: int, cuts: list[int]) -> None:
    assert ordering.cuts_of(list(range(1, 64)), rows) == cuts


def test_equal_quantiles_are_one_cut() -> None:
    assert ordering.cuts_of([5] * 63, 10**9) == [5]
