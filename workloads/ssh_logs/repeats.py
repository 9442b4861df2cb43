"""`last message repeated 3 times`: what syslog's daemons write instead of a message that comes again.

Such a line stands for what its host said last, so that it hangs on the lines before it in its file. It becomes what
rsyslog writes by itself, of the same process: `message repeated 3 times: [ … ]`.

Sources: `syslogd.c` of FreeBSD and of old Linux; rsyslog's `action.c` (up to version 5 it names the process, and may
lack the host); syslog-ng's `logwriter.c`, which tells the message's first twenty bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

import pyarrow as pa
import pyarrow.compute as pc

from workloads.ssh_logs.messages import REPEATED, compiled

SUMMARY = (
    r"(?s)\A(?:-{1,3} )?[Ll]ast message (?:'(?P<begin>.{0,20})' )?repeated (?P<times>\d{1,6}) times?"
    r"(?:, supp?ressed by syslog-ng on [^ ]+)?(?: -{1,3})?\z"
)
LOGGERS = ("syslogd", "rsyslogd", "syslog-ng")  # what they say in their own name is of no process but the host
LOOK_BACK = 1_000  # lines; where each host logs to a file of its own, it is the one before
ORIGIN = ("host", "process", "pid")
TOLD = (*ORIGIN, "module", "is_sshd", "message")


def written_out(batches: Iterable[pa.RecordBatch], before: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Lines of one file in their order, as `header.read` gives them, in which summaries say what they stand for.

    `before` has lines that come before these in the file; they are asked for only if a summary is among the first.
    What stands for none of the last LOOK_BACK lines stays as it is.
    """
    seen: list[pa.RecordBatch] = []
    for batch in batches:
        if pc.any(pc.match_substring_regex(batch["message"], SUMMARY)).as_py():
            if sum(map(len, seen)) < LOOK_BACK:
                seen = [*written_out(before, iter(())), *seen]
            batch = _written_out(seen, batch)
        yield batch
        seen.append(batch)
        while sum(map(len, seen[1:])) >= LOOK_BACK:
            del seen[0]


def _written_out(seen: list[pa.RecordBatch], batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch, with what its summaries stand for."""
    earlier = [row for one in seen for row in _rows(one.slice(max(0, len(one) - LOOK_BACK)))]
    rows = [*earlier, *_rows(batch)]
    latest: dict[tuple, int] = {}
    for place, row in enumerate(rows):
        if row["rule"] is not None:
            continue
        if said := compiled(SUMMARY).match(row["message"]):
            last = latest.get(_meant(row))
            if last is None or place - last > LOOK_BACK or not _bare(rows[last]).startswith(said["begin"] or ""):
                continue
            message = f"message repeated {said['times']} times: [ {_bare(rows[last])}]"
            row |= {name: rows[last][name] for name in TOLD} | {"message": message}
        # A summary may lack any of these.
        for origin in product(*({row[name], None} for name in ORIGIN)):
            latest[origin] = place
    for name in TOLD:
        values = pa.array([row[name] for row in rows[len(earlier) :]], batch[name].type)
        batch = batch.set_column(batch.schema.get_field_index(name), name, values)
    return batch


def _rows(batch: pa.RecordBatch) -> list[dict]:
    return batch.select(["rule", *TOLD]).to_pylist()


def _meant(summary: dict) -> tuple:
    """Host, process and pid of the message that a summary is about, None where it does not say."""
    if summary["process"] in LOGGERS:
        return summary["host"], None, None
    return tuple(summary[name] for name in ORIGIN)


def _bare(row: dict) -> str:
    """What a line says, once."""
    repeated = compiled(REPEATED).match(row["message"])
    return repeated["inner"] if repeated else row["message"]
