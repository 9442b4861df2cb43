"""Batches are cut where what belongs together ends."""

from __future__ import annotations

import gc
import importlib
import sys
import zipfile
from zipimport import zipimporter

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.lakehouse.batches import forget_zips, keep_modules, mapped, whole_groups


@given(
    keys=st.lists(st.integers(-3, 3) | st.integers(-(2**63), 2**63 - 1), max_size=40).map(sorted),
    cuts=st.lists(st.integers(0, 40), max_size=10).map(sorted),
    rows=st.integers(1, 12),
)
def test_groups_stay_whole_and_nothing_is_lost(keys, cuts, rows) -> None:
    table = pa.table({"key": pa.array(keys, pa.int64()), "number": range(len(keys))})
    bounds = zip([0, *cuts], [*cuts, len(keys)], strict=True)
    batches = [table.slice(first, end - first).combine_chunks() for first, end in bounds]
    empty = pa.RecordBatch.from_pylist([], schema=table.schema)
    found = list(whole_groups([part for one in batches for part in one.to_batches() or [empty]], "key", rows))
    assert [number for part in found for number in part["number"].to_pylist()] == list(range(len(keys)))
    assert len({key for part in found for key in pc.unique(part["key"]).to_pylist()}) == sum(
        len(pc.unique(part["key"])) for part in found
    )
    assert all(part.num_rows >= rows for part in found[:-1])


@pytest.mark.parametrize("size", [1, 2])
def test_a_group_is_handed_on_as_soon_as_the_next_one_begins(size) -> None:
    keys = [1] * 4 + [2] * 6 + [3] * 2 + [4] * 8
    taken = 0

    def batches():
        nonlocal taken
        for first in range(0, len(keys), size):
            taken += size
            yield pa.record_batch({"key": pa.array(keys[first : first + size], pa.int64())})

    found = [(part["key"].to_pylist(), taken) for part in whole_groups(batches(), "key", 1)]
    assert found == [([1] * 4, 4 + size), ([2] * 6, 10 + size), ([3] * 2, 12 + size), ([4] * 8, 20)]


def test_finders_in_zip_files_are_dropped_and_made_anew(tmp_path, monkeypatch) -> None:
    archive = tmp_path / "library.zip"
    with zipfile.ZipFile(archive, "w") as library:
        for name in ("one", "other"):
            library.writestr(f"{name}_of_zip.py", f"NAME = {name!r}\n")
    monkeypatch.syspath_prepend(str(archive))
    assert importlib.import_module("one_of_zip").NAME == "one"
    assert isinstance(sys.path_importer_cache[str(archive)], zipimporter)

    forget_zips()

    assert not any(isinstance(finder, zipimporter) for finder in sys.path_importer_cache.values())
    assert importlib.import_module("other_of_zip").NAME == "other"


def test_at_the_end_of_the_first_task_what_there_is_is_kept_out_of_the_search_for_garbage() -> None:
    class Frame:
        def mapInArrow(self, function, _schema):  # noqa: N802 - as Spark calls it
            return function

    made = mapped(Frame(), lambda batches: (batch + 1 for batch in batches), "number BIGINT")
    keep_modules.cache_clear()
    before = gc.get_freeze_count()
    task = made(iter([1, 2]))
    assert next(task) == 2
    assert gc.get_freeze_count() == before
    assert list(task) == [3]
    kept = gc.get_freeze_count()
    assert kept > before
    assert list(made(iter([3]))) == [4]
    assert gc.get_freeze_count() <= kept
