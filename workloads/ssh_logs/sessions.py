"""Sessions: what one process of one host says. What names no address has the last that its session named.

Lines of one second count as one, for syslog's times are seconds and the order of lines within one may be lost where
logs come in several files. Lines come sorted by session and time, in batches; of what went before, only the last
address is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# For how long after it was named an address stands for its session: a process id is used again some day.
SESSION = timedelta(days=1)
# Batches are put together, for patterns are made ready anew for each, which takes as long as thousands of lines.
ROWS, BYTES = 2**16, 2**25
SECOND = ("host", "pid", "event_time")
LINES = pa.schema(
    [
        ("host", pa.string()),
        ("pid", pa.int64()),
        ("event_time", pa.timestamp("us", "UTC")),
        ("named", pa.large_string()),
    ]
)


def chunks(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same lines in batches of ROWS or BYTES or a little more; none ends within a second of a session."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(map(len, held)) < ROWS and sum(one.nbytes for one in held) < BYTES:
            continue
        whole = pa.concat_batches(held)
        last = _begins(whole, SECOND)[-1]
        if last:
            yield whole[:last]
        held = [whole[last:]]
    if held:
        yield pa.concat_batches(held)


class Sessions:
    """The addresses that sessions name, from chunk to chunk."""

    def __init__(self) -> None:
        self._last = pa.RecordBatch.from_pylist([{}], LINES)

    def addresses(self, chunk: pa.RecordBatch, named: pa.Array) -> pa.Array:
        """The last address that the session of each line named up to the second of the line, if no day has passed.

        `named` are the addresses that lines name for their sessions. Of several in a second, the last in order of the
        alphabet counts.
        """
        told = pa.RecordBatch.from_arrays([*(chunk[name] for name in SECOND), named], schema=LINES)
        lines = pa.concat_batches([self._last, told])
        seconds, sessions = _begins(lines, SECOND), _begins(lines, SECOND[:2])
        codes = lines["named"].dictionary_encode()
        names = codes.dictionary.sort()
        place = np.append(pc.index_in(codes.dictionary, names).to_numpy(), -1)[codes.indices.fill_null(-1).to_numpy()]
        highest = np.maximum.reduceat(place, seconds)
        last = np.maximum.accumulate(np.where(highest >= 0, np.arange(len(seconds)), -1))
        time = lines["event_time"].cast(pa.int64()).fill_null(0).to_numpy()[seconds]
        session = np.searchsorted(sessions, seconds, "right")
        of_session = (last >= 0) & (session[last] == session)
        recent = time - time[last] <= SESSION // timedelta(microseconds=1)
        ends = np.append(seconds[1:], len(lines))
        begin, end = (seconds[last[-1]], ends[last[-1]]) if of_session[-1] else (len(lines) - 1, len(lines))
        self._last = lines.take(pa.array([begin + place[begin:end].argmax()]))
        at = np.repeat(np.where(of_session & recent, highest[last], -1), ends - seconds)[1:]
        return names.take(pa.array(at, mask=at < 0))


def _begins(lines: pa.RecordBatch, names: tuple[str, ...]) -> np.ndarray:
    """The rows that differ from the one before in any of the columns, and the first."""
    begins = np.arange(len(lines)) == 0
    for name in names:
        codes = lines[name].dictionary_encode().indices.fill_null(-1).to_numpy()
        begins[1:] |= codes[1:] != codes[:-1]
    return np.flatnonzero(begins)
