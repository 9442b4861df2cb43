"""The population stability index, by hand."""

import math

import pytest

from workloads.ssh_logs import drift


def test_the_index_is_the_sum_over_bins() -> None:
    expected = (0.8 - 0.5) * math.log(0.8 / 0.5) + (0.2 - 0.5) * math.log(0.2 / 0.5)
    assert drift.stability([0.5, 0.5], [0.8, 0.2]) == pytest.approx(expected)
    assert drift.stability([0.25] * 4, [0.25] * 4) == 0.0


def test_an_empty_bin_counts_as_a_small_share() -> None:
    least = drift.LEAST_SHARE
    expected = (1 - 0.5) * math.log(1 / 0.5) + (least - 0.5) * math.log(least / 0.5)
    assert drift.stability([0.5, 0.5], [1.0, 0.0]) == pytest.approx(expected)


def test_bins_are_tenths_and_shared_values_make_one_of_several(pd) -> None:
    kept = drift.profile(pd.DataFrame({"even": range(100), "mostly_zero": [0] * 85 + [7] * 15}))
    even, zero = kept["features"]["even"], kept["features"]["mostly_zero"]
    assert kept["rows"] == 100
    assert (even["median"], len(even["edges"])) == (49.5, 9)
    assert even["shares"] == pytest.approx([0.1] * 10, abs=0.011)
    assert zero == {"median": 0.0, "edges": [0.0, 7.0], "shares": [0.85, 0.15, 0.0]}


@pytest.mark.spark
def test_measured_over_windows(spark) -> None:
    kept = {"features": {"failures": {"edges": [0.0, 5.0], "shares": [0.5, 0.3, 0.2]}}}
    rows = spark.createDataFrame([(0.0,), (5.0,), (5.5,), (90.0,)], "failures DOUBLE")
    assert drift.measure(rows, kept) == {"failures": drift.stability([0.5, 0.3, 0.2], [0.25, 0.25, 0.5])}
    assert drift.measure(rows.where("failures < 0"), kept) == {}
