"""The table of runtimes."""

from datetime import date

import pytest

from components.runtimes import UnknownRuntimeError, runtime, runtimes


def test_the_default_runtime_is_the_long_term_support_one_with_spark_4():
    chosen = runtime("17.3")
    assert (chosen.key, chosen.spark, chosen.python) == ("17.3.x-scala2.13", "4.0.0", "3.12")
    assert chosen.end_of_support == date(2028, 10, 22)


def test_the_runtime_of_the_original_has_ended():
    assert runtime("13.3").end_of_support == date(2026, 8, 22)


def test_keys_are_those_that_databricks_takes():
    for name, each in runtimes().items():
        scala = "2.13" if int(name.split(".")[0]) >= 17 else "2.12"
        assert each.key == f"{name}.x-scala{scala}"


def test_an_unknown_runtime_is_refused_with_those_that_are_known():
    with pytest.raises(UnknownRuntimeError) as error:
        runtime("18")
    assert str(error.value) == (
        "databricks.runtime: there is no runtime '18'; known are 17.3, 16.4, 15.4, 14.3, 13.3, 12.2"
    )
