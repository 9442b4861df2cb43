"""Batches of Arrow that Spark hands to a worker, cut where what belongs together ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa


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
