"""The pandas program that Spark is measured against gives the marts that the reference gives."""

from datetime import UTC, datetime

import pandas as pd
import pyarrow.parquet as pq
import pytest

from benchmarks import cloud_anomalies, cloud_pandas, cloud_reference
from workloads.cloud_usage.generate import write
from workloads.cloud_usage.serving_tables import SERVING

NOW = datetime(2025, 9, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("cloud")
    write(made, 2_500, 5, late_share=0.1, dup_share=0.05, bad_share=0.05)
    first, second = sorted((made / "data" / "usage_events_stream").iterdir())[:2]
    event = next(line for line in first.read_text(errors="replace").splitlines() if '"value": 1' in line)
    with second.open("a") as stream:  # the same event says something else; a line that is not written as usual
        stream.write(event.replace('"value": 1', '"value": 2') + "\n")
        stream.write(event.replace('"event_id": "evt_', '"event_id":"odd_').replace('"unit": ', '"more": [1], "unit":'))
    return made


@pytest.fixture(scope="module")
def reference(folder):
    return cloud_reference.batch(folder / "data", NOW)


@pytest.fixture(scope="module")
def out(folder):
    seconds = cloud_pandas.run(folder / "data", folder / "out", NOW)
    assert list(seconds) == ["bronze", "silver", "gold"]
    return folder / "out"


def test_the_lines_are_judged_alike(reference, out):
    read = [pq.read_table(out / layer / "quarantine.parquet").to_pandas() for layer in ("bronze", "silver")]
    found = pd.concat(read)[["file", "line", "rule"]].itertuples(index=False, name=None)
    told = reference.quarantine[["file", "line", "rule"]].itertuples(index=False, name=None)
    assert sorted(found) == sorted(told)
    assert (reference.quarantine["rule"] == "conflicting_event").sum() == 1
    events = pq.read_table(out / "silver" / "events").to_pandas()
    assert sorted(events["event_id"]) == sorted(reference.events["event_id"])
    assert sum(name.startswith("odd_") for name in events["event_id"]) == 1


@pytest.mark.parametrize("name", [table.name for table in SERVING])
def test_the_marts_are_equal(reference, out, name):
    (served,) = (table for table in SERVING if table.name == name)
    columns, key = [column.name for column in served.columns], list(served.key)
    expected = reference.marts[name][columns].sort_values(key, ignore_index=True)
    found = pq.read_table(out / "gold" / f"{name}.parquet").to_pandas()
    found = found.astype(dict.fromkeys(found.select_dtypes("category"), object))
    found = found[columns].sort_values(key, ignore_index=True)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-12, atol=0)
    assert len(found) > 5


def test_the_flags_that_are_measured_are_those_of_the_reference(folder, reference):
    found = cloud_anomalies.flags(folder / "data").sort_values(cloud_reference.UNIT, ignore_index=True)
    expected = reference.days[cloud_anomalies.KEPT].sort_values(cloud_reference.UNIT, ignore_index=True)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    assert set(expected["severity"]) >= {0, 1, 2}


def test_generated_anomalies_are_judged_by_method_and_strength():
    days, true = cloud_anomalies.generated(2_000, 2)
    assert set(true["seed"]) == set(days["seed"]) == {1, 2}
    recall = cloud_anomalies.recall_by_strength(days, true)
    assert list(recall.index) == [*cloud_reference.METHODS, "any", "two or more", "all three"]
    assert ((recall >= 0) & (recall <= 1)).all(axis=None)
    unknown = days.assign(methods="", severity=0)
    assert (cloud_anomalies.recall_by_strength(unknown, true) == 0).all(axis=None)
