"""Batches of Arrow that Spark hands to its Python workers."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING
from zipimport import zipimporter

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

Batches = Iterator[pa.RecordBatch]


def mapped(frame: DataFrame, function: Callable[[Batches], Batches], schema: StructType | str) -> DataFrame:
    """What `function` makes of the batches of `frame`, a partition at a time: `DataFrame.mapInArrow`, with less to do
    before and after each task.
    """

    def made(batches: Batches) -> Batches:
        forget_zips()
        yield from function(batches)
        keep_modules()

    return frame.mapInArrow(made, schema)


def forget_zips() -> None:
    """Drops Python's finders of modules in zip files; whoever imports from there again gets new ones.

    Before each task a worker of Spark makes all finders look anew (`pyspark.worker_util.setup_spark_files`). Those of
    zip files read the whole table of contents then, each for itself, and pyspark lies in one, with a finder for every
    package: 0.13 s of CPU a task.
    """
    for path, finder in list(sys.path_importer_cache.items()):
        if isinstance(finder, zipimporter):
            del sys.path_importer_cache[path]


@cache
def keep_modules() -> None:
    """Takes what there is now out of Python's search for garbage: the first time, at the end of a worker's first task.

    After each task a worker of Spark searches all that it holds (`pyspark.daemon`): 0.07 s of CPU, nearly all of them
    for objects of modules, which stay.
    """
    gc.freeze()


def whole_groups(batches: Iterable[pa.RecordBatch], key: str, rows: int) -> Iterator[pa.Table]:
    """The rows of `batches`, which must be in order of the whole number `key`, as tables of at least `rows` rows (the
    last may have fewer). All rows of one key are in one table; no more than the last key's rows are held back.
    """
    held: list[pa.RecordBatch] = []
    count, last_key = 0, None
    for batch in batches:
        if not batch.num_rows:
            continue
        keys = batch.column(key).to_numpy()
        last = int(np.searchsorted(keys, keys[-1]))  # where the last key of the batch begins
        if count + last >= rows and (last or keys[0] != last_key):
            yield pa.Table.from_batches([*held, batch.slice(0, last)])
            held, count, batch = [], 0, batch.slice(last)
        held.append(batch)
        count, last_key = count + batch.num_rows, keys[-1]
    if held:
        yield pa.Table.from_batches(held)
