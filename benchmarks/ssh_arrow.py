"""An alternative to Spark: the outputs of `ssh-logs` from one log, by Arrow's kernels in one process, for measurements.

Vectorised throughout: pandas and NumPy on columns, and Arrow's kernels for texts, where pandas has none as fast.
Messages are read by the workload's own reader, so that events are the same. All that it leaves out is work spared:

- One plain file with a given year, held in memory; times without a zone are UTC; no RFC 5424, no gzip, no copies.
- Every run starts anew, and layers hand over what is in memory. No tables, no manifest, no checks, no quality report.
- Lines that are no record are dropped. Leftovers keep their masked text as template: drain3 does not group them.
- Features are those of `windows` and no others; reports those of `summary`. No model, no scores, no pseudonyms.
"""

from __future__ import annotations

import hashlib
import json
from itertools import chain
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workloads.ssh_logs import reader
from workloads.ssh_logs.header import MAX_LINE_BYTES
from workloads.ssh_logs.months import MONTHS
from workloads.ssh_logs.schemas import EVENT_COLUMNS

TEXT = pa.large_string()
DAEMONS = ("sshd", "sshd-session", "sshd-auth")
# No NUL is in any part. Without bounds, unlike the workload's, for RE2 is the faster for it, and cannot overflow.
HEAD = (
    rf"(?s)\A(?:<\d{{1,3}}>)?(?P<day>(?:{'|'.join(MONTHS)}) {{1,2}}\d\d?|\d{{4}}-\d\d-\d\d)[T ]"
    r"(?P<clock>(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)(?P<fraction>[.,]\d{1,9})?(?P<zone>Z|[+-]\d\d:?\d\d)? +"
    r"(?P<host>[^\s\x00]+) +(?:(?P<process>[^\s\[\]():\x00]+)(?:\((?P<module>[^()\s\x00]*)\))?"
    r"(?:\[(?P<pid>\d{1,10}|-)\])?: ?)?(?P<message>[^\x00]*)\z"
)
SESSION, TICK = 86_400_000_000, 10_000  # microseconds: an address stands for its session, waits are counted in
WINDOW, TRAILING = 600, {"_hour": 3_600, "_day": 86_400}  # seconds
COUNTS = ["events", "attempts", "failures", "successes"]
BATCH = 2**14  # rows that are written at once: they fit the processor's caches
JSON = {"\\": r"\\", '"': r"\""} | {chr(code): json.dumps(chr(code))[1:-1] for code in range(32)}
CSV = {'"': '""', ",": ",", "\r": "\r"}  # escapes, and what wants quotes
CSV_COLUMNS = {
    "Component": "host", "Pid": "pid", "Content": "message", "EventId": "event_id", "EventTemplate": "event_template",
    "Host": "host", "File": "file", "FileLine": "line", "Timestamp": "event_time", "Process": "process",
    "RepeatCount": "repeat_count", "Outcome": "outcome", "User": "user", "UserValid": "user_valid",
    "SourceAddress": "source_address", "AddressCarried": "address_carried", "SourcePort": "source_port",
    "Method": "method", "KeyFingerprint": "key_fingerprint", "Reason": "reason",
}  # fmt: skip


def run(log: Path, out: Path, year: int) -> dict[str, float]:
    """Writes all outputs into the folder `out`. Returns the seconds that each layer took."""
    out.mkdir(parents=True, exist_ok=True)
    times = [perf_counter()]
    records = bronze(log, year)
    pq.write_table(pa.table(records), out / "raw_logs.parquet", use_dictionary=["file", "host", "process", "module"])
    times.append(perf_counter())
    events = silver(records)
    _write_lines(out / "structured_logs.json", events, JSON)
    times.append(perf_counter())
    gold(events, out)
    times.append(perf_counter())
    return dict(zip(("bronze", "silver", "gold"), np.diff(times).tolist(), strict=True))


def bronze(log: Path, year: int) -> pa.RecordBatch:
    """The records of a log: its lines with the fields of their heads."""
    data = log.read_bytes()
    file_id = hashlib.sha256(data).hexdigest()[:16]
    data += b"" if data.endswith(b"\n") or not data else b"\n"
    raw, positions = _lines(data, pa.large_binary())
    whole, shown = _lines(data.decode("utf-8", "backslashreplace").encode(), TEXT)
    damaged = np.diff(positions) != np.diff(shown)
    head = pc.extract_regex(pc.ascii_rtrim(whole, " \t\r\n"), HEAD)
    *time, host, process, module, pid, message = (head.field(number) for number in range(head.type.num_fields))
    times = _times(*time, year)
    kept = ~np.isnat(times) & np.asarray(head.is_valid()) & (np.diff(positions) <= MAX_LINE_BYTES + 1)
    numbers, process = np.arange(1, len(kept) + 1), _absent(process).dictionary_encode()
    columns = {
        "record_id": _join(f"{file_id}:", pa.array(positions[:-1]).cast(TEXT)),
        "file": pa.array([log.name], TEXT).dictionary_encode().take(np.zeros(len(kept), int)),
        "line": numbers, "position": positions[:-1],
        "raw": pc.binary_slice(raw.take(pa.array(numbers - 1, mask=~damaged)), 0, -1),
        "text": pc.ascii_rtrim(whole, "\n"), "damaged_text": damaged,
        "event_time": pa.array(times, pa.timestamp("us", "UTC")), "event_date": times.astype("datetime64[D]"),
        "host": host.dictionary_encode(), "process": process, "module": _absent(module).dictionary_encode(),
        "pid": _absent(pc.replace_substring(pid, "-", "")).cast(pa.int64()),
        "is_sshd": pc.is_in(process, pa.array(DAEMONS, TEXT)), "message": message,
    }  # fmt: skip
    return pa.record_batch(columns).filter(pa.array(kept))


def _lines(data: bytes, kind: pa.DataType) -> tuple[pa.Array, np.ndarray]:
    """The lines, each with its newline, and where they begin and end: nothing is copied."""
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n")) + 1
    bounds = np.concatenate(([0], ends)).astype(np.int64)
    return pa.Array.from_buffers(kind, len(ends), [None, pa.py_buffer(bounds), pa.py_buffer(data)]), bounds


def _times(day: pa.Array, clock: pa.Array, fraction: pa.Array, zone: pa.Array, year: int) -> np.ndarray:
    """Moments in microseconds. Days, clocks and zones are few: each is read once."""
    (day_at, days), (clock_at, clocks), (zone_at, zones) = map(_codes, (day, clock, zone))
    days, clocks, zones = (texts.to_pandas() for texts in (days, clocks, zones))
    named = pd.to_datetime(f"{year} " + days, format="%Y %b %d", errors="coerce")
    days = named.fillna(pd.to_datetime(days, format="%Y-%m-%d", errors="coerce")).to_numpy("datetime64[us]")
    clocks = pd.to_timedelta(clocks).to_numpy("timedelta64[us]")
    zones = zones.str.replace(r"^([+-]\d\d):?(\d\d)$", r"\1:\2:00", regex=True)
    zones = pd.to_timedelta(zones, errors="coerce").fillna(pd.Timedelta(0)).to_numpy("timedelta64[us]")
    times = days[day_at] + clocks[clock_at] - zones[zone_at]
    finer = np.flatnonzero(pc.not_equal(fraction, "").fill_null(False))
    micros = pc.utf8_rpad(pc.utf8_slice_codeunits(fraction.take(finer), 1, 7), 6, "0").cast(pa.int64())
    times[finer] += micros.to_numpy().astype("timedelta64[us]")
    return times


def _absent(texts: pa.Array) -> pa.Array:
    """What is empty is null."""
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, texts.type), texts)


def _codes(texts: pa.Array) -> tuple[np.ndarray, pa.Array]:
    """Texts as numbers, -1 where there is none, and what they stand for.

    In 64 bits: a thousand addresses times a month of seconds are more than 32 hold.
    """
    coded = texts if pa.types.is_dictionary(texts.type) else texts.dictionary_encode()
    return coded.indices.fill_null(-1).cast(pa.int64()).to_numpy(), coded.dictionary


def silver(records: pa.RecordBatch) -> pa.RecordBatch:
    """The events that records tell of, one each. Messages are read as the workload's own tasks read them."""
    told = reader.read(records["message"], records["is_sshd"])
    told |= {name: told[name].dictionary_encode() for name in ("event_id", "event_template")}  # they are few
    address, carried = _carried(records, told["source_address"])
    told |= {"source_address": address, "address_carried": carried}
    names = (column.name for column in EVENT_COLUMNS)
    return pa.record_batch({name: told[name] if name in told else records[name] for name in names})


def _carried(records: pa.RecordBatch, named: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Addresses, carried over the lines of a process for a day, and whether they are; lines of a second are one."""
    rows = np.flatnonzero(pc.and_(records["is_sshd"], records["pid"].is_valid()))
    host, pid = _codes(records["host"])[0][rows], records["pid"].take(rows).to_numpy()
    time = records["event_time"].cast(pa.int64()).to_numpy()[rows]
    address, names = _codes(named)
    address = np.append(pc.rank(names).to_numpy().astype(int) - 1, -1)[address[rows]]
    session = host * (pid.max(initial=0) + 1) + pid
    order = np.lexsort((address, time, session))
    session, time, address = session[order], time[order], address[order]
    last_named = np.maximum.accumulate(np.where(address >= 0, np.arange(len(order)), -1))
    ends = np.append((np.diff(session) != 0) | (np.diff(time) != 0), True)
    # The last line of the same second and session is where the line itself stands.
    last = last_named[np.flatnonzero(ends)[np.cumsum(ends) - ends]]
    fits = (last >= 0) & (session[last] == session) & (time - time[last] <= SESSION)
    source = np.full(records.num_rows, -1)
    source[rows[order]] = np.where(fits, address[last], -1)
    carried = names.sort().take(pa.array(source, mask=source < 0))
    return pc.coalesce(named, carried), np.asarray(named.is_null()) & (source >= 0)


def gold(events: pa.RecordBatch, out: Path) -> None:
    """The events in order of time, what each address did, and the summaries of hours and days."""
    events = events.take(np.argsort(events["event_time"].to_numpy(), kind="stable"))
    moment = events["event_time"].cast(pa.int64()).cast(pa.timestamp("us"))
    month = pa.array(MONTHS, TEXT).dictionary_encode().take(pc.subtract(pc.month(moment), 1))
    clock = pc.utf8_slice_codeunits(_moments(moment), 11, 19)
    columns = {"LineId": np.arange(1, len(events) + 1), "Date": month, "Day": pc.day(moment), "Time": clock}
    columns |= {shown: events[name] for shown, name in CSV_COLUMNS.items()}
    _write_lines(out / "openssh_logs_final.csv", pa.record_batch(columns), CSV)
    address, names = _codes(events["source_address"])
    outcome, repeats = events["outcome"], events["repeat_count"].to_numpy().astype(np.int64)
    frame = pd.DataFrame({
        "time": events["event_time"].cast(pa.int64()).to_numpy(),
        "address": address, "user": _codes(events["user"])[0], "host": _codes(events["host"])[0], "events": repeats,
        "sshd_events": repeats * np.asarray(events["is_sshd"]), "is_try": np.asarray(outcome.is_valid()),
        "failures": repeats * np.asarray(pc.equal(outcome, "failure").fill_null(False)),
        "successes": repeats * np.asarray(pc.equal(outcome, "success").fill_null(False)),
        "invalid": np.asarray(pc.invert(events["user_valid"]).fill_null(False)),
    })  # fmt: skip
    frame["attempts"] = frame["failures"] + frame["successes"]
    windows(frame[frame["address"] >= 0], names).to_parquet(out / "features.parquet", index=False)
    summary(frame, 3_600).to_csv(out / "hourly_summary.csv", index_label="hour", date_format="%Y-%m-%dT%H:%M:%S.000Z")
    summary(frame, 86_400).to_csv(out / "daily_summary.csv", index_label="day", date_format="%Y-%m-%d")


def windows(events: pd.DataFrame, names: pa.Array) -> pd.DataFrame:
    """What addresses did in ten minutes, by address and time."""
    begin = events["time"] // (WINDOW * 1_000_000) * WINDOW
    # Addresses lie further apart than a day, so that no span reaches from one to the next.
    first = begin.min()
    apart = begin.max() - first + 2 * max(TRAILING.values())
    window, keys = pd.factorize(events["address"] * apart + begin - first, sort=True)
    keys = keys.to_numpy()
    found = events[COUNTS].groupby(window).sum()
    address, begin = np.divmod(keys, apart)
    found.insert(0, "source_address", pd.array(names.take(pa.array(address)), pd.ArrowDtype(TEXT)))
    found.insert(1, "window_start", pd.to_datetime(begin + first, unit="s", utc=True))
    found["failure_share"] = (found["failures"] / found["attempts"]).fillna(0.0)
    found["distinct_users"] = _distinct(window, events["user"], len(found))
    found["invalid_users"] = _distinct(window, events["user"].where(events["invalid"], -1), len(found))
    found["distinct_hosts"] = _distinct(window, events["host"], len(found))
    tries = pd.DataFrame({"window": window, "tick": events["time"] // TICK})[events["is_try"]]
    tries = tries.sort_values(["window", "tick"])
    waits = tries["tick"].diff()[tries["window"].diff() == 0].groupby(tries["window"])
    found["wait_mean"], found["wait_variation"] = waits.mean() * TICK / 1_000_000, waits.std(ddof=0) / waits.mean()
    found = found.fillna({"wait_mean": 0.0, "wait_variation": 0.0})
    totals = np.vstack([np.zeros(len(COUNTS), int), found[COUNTS].cumsum()])
    for suffix, seconds in TRAILING.items():
        since = np.searchsorted(keys, keys + WINDOW - seconds)
        found[[f"{name}{suffix}" for name in COUNTS]] = totals[1:] - totals[since]
    return found.astype(dict.fromkeys(found.columns[2:], float))


def _distinct(group: np.ndarray, codes: pd.Series, groups: int) -> np.ndarray:
    """How many codes there are in each group, those below 0 apart."""
    there, width = codes.to_numpy() >= 0, codes.max() + 1
    pairs = pd.unique(group[there] * width + codes.to_numpy()[there])
    return np.bincount(pairs // max(width, 1), minlength=groups)


def summary(events: pd.DataFrame, seconds: int) -> pd.DataFrame:
    """What happened in each span of so many seconds in which something was logged."""
    span, begins = pd.factorize(events["time"] // (seconds * 1_000_000) * seconds, sort=True)
    found = events[["events", "sshd_events", *COUNTS[1:]]].rename(columns={"attempts": "tries"}).groupby(span).sum()
    for name, codes in {"addresses": "address", "users": "user", "hosts": "host"}.items():
        found[name] = _distinct(span, events[codes], len(found))
    return found.set_index(pd.to_datetime(begins, unit="s"))


def _write_lines(path: Path, rows: pa.RecordBatch, escapes: dict[str, str]) -> None:
    """Rows as lines of JSON or CSV."""
    names = rows.schema.names
    starts, end, header = ["", *[","] * (len(names) - 1)], "\n", f"{','.join(names)}\n".encode()
    if escapes is JSON:
        starts, end, header = [f'{"," if number else "{"}"{name}":' for number, name in enumerate(names)], "}\n", b""
    null = {"null_handling": "replace", "null_replacement": "null" if escapes is JSON else ""}
    with path.open("wb") as stream:
        stream.write(header)
        for batch in (rows.slice(first, BATCH) for first in range(0, len(rows), BATCH)):
            values = (_shown(column, escapes) for column in batch.columns)
            parts = chain(*zip(starts, values, strict=True), (end,))
            stream.write(_join(*parts, **null).buffers()[2])


def _shown(values: pa.Array, escapes: dict[str, str]) -> pa.Array:
    """Values as text, in quotes where JSON or CSV asks for them; of what is coded, each value once."""
    if pa.types.is_dictionary(values.type):
        return _shown(values.dictionary, escapes).take(values.indices)
    if pa.types.is_timestamp(values.type):
        values = _moments(values)
    if not pa.types.is_large_string(values.type):
        return values.cast(TEXT)
    # Whether a byte is in any of the texts is much sooner known than in which.
    _, bounds, content = values.buffers()
    first, last = np.frombuffer(bounds, np.int64)[[values.offset, values.offset + len(values)]]
    data = np.frombuffer(content or b"", np.uint8)[first:last]
    least = data.min(initial=255)
    found = [plain for plain in escapes if ord(plain) >= least and (data == ord(plain)).any()]
    for plain in found:
        values = pc.replace_substring(values, plain, escapes[plain])
    return _join('"', values, '"') if found or escapes is JSON else values


def _moments(times: pa.Array) -> pa.Array:
    """Times in ISO 8601 with milliseconds; with a zone Arrow would be slow to write them."""
    shown = times.cast(pa.int64()).cast(pa.timestamp("us")).cast(pa.timestamp("ms"), safe=False).cast(TEXT)
    return _join(pc.binary_replace_slice(shown, 10, 11, "T"), "Z")


def _join(*parts: pa.Array | str, **null: str) -> pa.Array:
    """Texts one after another; where one is null, all is, unless told otherwise."""
    texts = (pa.scalar(part, TEXT) if isinstance(part, str) else part for part in parts)
    return pc.binary_join_element_wise(*texts, pa.scalar("", TEXT), **null)
