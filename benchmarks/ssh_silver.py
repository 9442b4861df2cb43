"""A plain reading of sshd logs in Python, for measurements: the columns of silver that features need.

One process, line by line, through the catalogue of the workload; it is no second silver: what it cannot read it drops.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache

import pyarrow as pa

from workloads.ssh_logs import messages
from workloads.ssh_logs.months import MONTHS

HEAD = re.compile(
    r"(?:([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d)|(\d{4}-\d\d-\d\dT\S+)) +(\S+) +"
    r"sshd(?:-session|-auth)?(?:\([^()]*\))?(?:\[(\d+)\])?: ?(.*)",
    re.DOTALL,
)
COLUMNS = pa.schema(
    [
        ("line", pa.int64()),
        ("event_time", pa.timestamp("us", "UTC")),
        ("host", pa.string()),
        ("outcome", pa.string()),
        ("user", pa.string()),
        ("user_valid", pa.bool_()),
        ("source_address", pa.string()),
        ("event_id", pa.string()),
        ("message", pa.string()),
        ("repeat_count", pa.int32()),
    ]
)


def silver(lines: Iterable[str], year: int) -> pa.Table:
    """The events of sshd in `lines`, numbered from 1; an address is carried over the lines of its process."""
    rows: list[list] = []
    sessions: dict[tuple, list[list]] = defaultdict(list)
    for number, given in enumerate(lines, 1):
        line = given.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        if (head := HEAD.match(line.rstrip())) is None:
            continue
        *clock, iso, host, pid, message = head.groups()
        try:
            moment = datetime.fromisoformat(iso) if iso else _moment(year, *clock)
        except (ValueError, KeyError):  # a damaged line: no such time, no such month
            continue
        row = [number, moment, host, *said(message)]
        rows.append(row)
        if pid is not None:
            sessions[host, pid].append(row)
    for session in sessions.values():
        _carry(session)
    columns = zip(*rows, strict=True) if rows else [[] for _ in COLUMNS]
    return pa.table([pa.array(column, kind.type) for column, kind in zip(columns, COLUMNS, strict=True)], COLUMNS)


def said(message: str) -> tuple:
    """Outcome, user, whether it is valid, address, event id, message and repeat count of a message."""
    bare, _, repeated = messages.unwrapped(message)
    times = 1 if repeated is None else repeated
    if (read := messages.find(bare)) is None:
        return None, None, None, None, None, message, times
    entry, fields = read
    user, address = fields.get("user") or None, fields.get("address") or None
    return entry.outcome, user, entry.user_valid, address, entry.id, message, times


@cache
def _midnight(year: int, month: str, day: str) -> float:
    return datetime(year, MONTHS.index(month) + 1, int(day), tzinfo=UTC).timestamp()


def _moment(year: int, month: str, day: str, hour: str, minute: str, second: str) -> datetime:
    of_day = int(hour) * 3_600 + int(minute) * 60 + int(second)
    return datetime.fromtimestamp(_midnight(year, month, day) + of_day, UTC)


def _carry(session: list[list]) -> None:
    """What names no address has the last that its process named."""
    at, known = COLUMNS.get_field_index("source_address"), None
    for row in session:
        known = row[at] = row[at] or known
