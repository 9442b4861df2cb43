"""An alternative to Spark: the outputs of `ssh-logs` from one log, by pandas in one process, for measurements.

As one writes it with pandas: columns as a whole, texts by `Series.str`, files by `to_parquet`, `to_json` and `to_csv`.
Messages are read by the workload's catalogue. It spares itself what `ssh_arrow` leaves out, too, and its files are
those of that program by content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.ssh_arrow import (
    CSV_COLUMNS,
    DAEMONS,
    HEAD,
    SESSION,
    summary,
    windows,
)
from workloads.ssh_logs import leftovers, messages
from workloads.ssh_logs.header import MAX_LINE_BYTES
from workloads.ssh_logs.messages import FIELDS, PREAUTH, REPEATED, Fork, Message

TIME = "%Y-%m-%dT%H:%M:%S.%f"


def run(log: Path, out: Path, year: int) -> dict[str, float]:
    """Writes all outputs into the folder `out`. Returns the seconds that each layer took."""
    out.mkdir(parents=True, exist_ok=True)
    times = [perf_counter()]
    records = bronze(log, year)
    records.to_parquet(out / "raw_logs.parquet", index=False)
    times.append(perf_counter())
    events = silver(records)
    shown = events.assign(event_time=_shown(events["event_time"]))
    shown.to_json(out / "structured_logs.json", orient="records", lines=True, force_ascii=False)
    times.append(perf_counter())
    gold(events, out)
    times.append(perf_counter())
    return dict(zip(("bronze", "silver", "gold"), np.diff(times).tolist(), strict=True))


def bronze(log: Path, year: int) -> pd.DataFrame:
    """The records of a log: its lines with the fields of their heads."""
    data = log.read_bytes()
    raw = pd.Series(data.removesuffix(b"\n").split(b"\n"))
    text = raw.str.decode("utf-8", "backslashreplace")
    size = raw.str.len()
    position = (size + 1).cumsum().shift(fill_value=0)
    head = text.str.rstrip(" \t\r").str.extract(messages.compiled(HEAD))
    damaged = text.str.contains("\\x", regex=False) & (text.str.encode("utf-8") != raw)
    records = pd.DataFrame({
        "record_id": hashlib.sha256(data).hexdigest()[:16] + ":" + position.astype(str),
        "file": log.name, "line": np.arange(1, len(raw) + 1), "position": position, "raw": raw.where(damaged),
        "text": text, "damaged_text": damaged, "event_time": _times(head, year), "host": head["host"],
        "process": head["process"], "module": head["module"],
        "pid": pd.to_numeric(head["pid"].replace("-", None)).astype("Int64"),
        "is_sshd": head["process"].isin(DAEMONS), "message": head["message"],
    })  # fmt: skip
    records.insert(8, "event_date", records["event_time"].dt.date)
    return records[records["event_time"].notna() & (size <= MAX_LINE_BYTES)].reset_index(drop=True)


def _times(head: pd.DataFrame, year: int) -> pd.Series:
    """Moments in UTC."""
    fraction = head["fraction"].str[1:7].fillna("0")
    bsd = head["day"].str.len() < len("2026-01-01")
    day = pd.to_datetime(f"{year} " + head["day"].where(bsd), format="%Y %b %d", errors="coerce")
    day = day.fillna(pd.to_datetime(head["day"].where(~bsd), format="%Y-%m-%d", errors="coerce"))
    zone = head["zone"].str.replace(r"^([+-]\d\d):?(\d\d)$", r"\1:\2:00", regex=True).replace("Z", "0:00:00")
    moment = day + pd.to_timedelta(head["clock"] + "." + fraction) - pd.to_timedelta(zone.fillna("0:00:00"))
    return moment.dt.tz_localize("UTC").astype("datetime64[us, UTC]")


def silver(records: pd.DataFrame) -> pd.DataFrame:
    """The events that records tell of, one each."""
    repeated = records["message"].str.startswith("message repeated")
    wrapped = records["message"].where(repeated).str.extract(messages.compiled(REPEATED))
    bare = wrapped["inner"].fillna(records["message"])
    preauth = bare.str.endswith(PREAUTH)
    bare = bare.where(~preauth, bare.str.slice(stop=-len(PREAUTH)))
    read = pd.DataFrame(index=records.index, columns=["entry", *FIELDS], dtype=object)
    for entry, found in _read(bare[records["is_sshd"]], messages.tree(messages.catalogue())):
        read.loc[found.index, "entry"] = entry
        read.loc[found.index, list(entry.fields)] = found.replace("", None).to_numpy()
    told = _told(read["entry"])
    template, event_id = _kinds(bare, told, preauth, wrapped["times"].notna())
    address = _carried(records, read["address"].where(records["is_sshd"]))
    kept = ["record_id", "file", "line", "event_time", "host", "process", "pid", "is_sshd"]
    return records[kept].assign(
        message=records["message"], event_id=event_id, event_template=template, known=read["entry"].notna(),
        repeat_count=wrapped["times"].fillna(1).astype("int32"), outcome=told["outcome"], user=read["user"],
        user_valid=told["user_valid"], source_address=address,
        address_carried=read["address"].isna() & address.notna(), source_port=read["port"].astype("Int32"),
        method=read["method"].fillna(told["method"]), key_fingerprint=read["key"],
        reason=read["reason"].fillna(told["reason"]),
    )  # fmt: skip


def _read(texts: pd.Series, node: Fork | tuple[Message, ...]) -> Iterator[tuple[Message, pd.DataFrame]]:
    """Entries with what their groups hold of the messages that they read."""
    if isinstance(node, Fork):
        for start, below in node.branches:
            begins = texts.str.startswith(start)
            if begins.any():
                yield from _read(texts[begins], below)
                texts = texts[~begins]
        node = node.otherwise
    for entry in node:
        if texts.empty:
            return
        matched = texts.str.match(messages.compiled(entry.pattern))
        if matched.any():
            if entry.fields:
                yield entry, texts[matched].str.extract(messages.compiled(entry.pattern))
            else:
                yield entry, pd.DataFrame(index=texts.index[matched])
            texts = texts[~matched]


def _told(entry: pd.Series) -> pd.DataFrame:
    """What the catalogue says of the entry of each row."""
    names = ["id", "template", "outcome", "method", "reason", "user_valid"]
    known = pd.DataFrame([[getattr(one, name) for name in names] for one in messages.catalogue()], columns=names)
    number = entry.map({one: number for number, one in enumerate(messages.catalogue())})
    return known.reindex(number).set_index(entry.index)


def _kinds(bare: pd.Series, told: pd.DataFrame, preauth: pd.Series, repeated: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Templates and event ids, which tell the wrappers, too. What the catalogue lacks is masked."""
    masked = bare[told["id"].isna()]
    for pattern in leftovers.MASKS:
        masked = masked.str.replace(pattern, messages.WILDCARD, regex=True)
    template = told["template"].fillna(masked) + np.where(preauth, PREAUTH, "")
    template = template.where(~repeated, f"message repeated {messages.WILDCARD} times: [ " + template + "]")
    known = told["id"] + np.where(preauth, "-preauth", "") + np.where(repeated, "-repeated", "")
    hashed = {text: leftovers.event_id(text) for text in template[known.isna()]}
    return template, known.fillna(template.map(hashed))


def _carried(records: pd.DataFrame, named: pd.Series) -> pd.Series:
    """The address that a message names, else the last that its process named within a day."""
    sessions = records.loc[records["is_sshd"] & records["pid"].notna(), ["host", "pid", "event_time"]]
    sessions = sessions.assign(named=named, named_at=sessions["event_time"].where(named.notna()))
    sessions = sessions.sort_values(["host", "pid", "event_time", "named"], kind="stable")
    last = sessions.groupby(["host", "pid"])[["named", "named_at"]].ffill()
    # Lines of one second are one: the last of them knows what all of them do.
    second = [sessions["host"], sessions["pid"], sessions["event_time"]]
    last = last.groupby(second).transform("last")
    fits = sessions["event_time"] - last["named_at"] <= pd.Timedelta(SESSION, "us")
    return named.fillna(last["named"].where(fits))


def gold(events: pd.DataFrame, out: Path) -> None:
    """The events in order of time, what each address did, and the summaries of hours and days."""
    events = events.sort_values("event_time", kind="stable")
    moment = events["event_time"].dt.tz_localize(None)
    shown = events.assign(event_time=_shown(events["event_time"]))[list(CSV_COLUMNS.values())]
    truth = ["user_valid", "address_carried"]
    shown[truth] = shown[truth].replace({True: "true", False: "false"})
    shown.columns = list(CSV_COLUMNS)
    days = {"Date": moment.dt.strftime("%b"), "Day": moment.dt.day, "Time": moment.dt.strftime("%H:%M:%S")}
    rows = pd.concat([pd.DataFrame(days), shown], axis=1)
    rows.insert(0, "LineId", np.arange(1, len(rows) + 1))
    rows.to_csv(out / "openssh_logs_final.csv", index=False)
    address, names = pd.factorize(events["source_address"])
    tried = events["outcome"].notna()
    frame = pd.DataFrame({
        "time": moment.astype("int64"), "address": address, "user": pd.factorize(events["user"])[0],
        "host": pd.factorize(events["host"])[0], "events": events["repeat_count"].astype("int64"),
        "sshd_events": events["repeat_count"] * events["is_sshd"], "is_try": tried,
        "failures": events["repeat_count"] * (events["outcome"] == "failure"),
        "successes": events["repeat_count"] * (events["outcome"] == "success"),
        "invalid": events["user_valid"].eq(False),
    }).reset_index(drop=True)  # fmt: skip
    frame["attempts"] = frame["failures"] + frame["successes"]
    windows(frame[frame["address"] >= 0], pa.array(names, pa.large_string())).to_parquet(out / "features.parquet")
    summary(frame, 3_600).to_csv(out / "hourly_summary.csv", index_label="hour", date_format=TIME)
    summary(frame, 86_400).to_csv(out / "daily_summary.csv", index_label="day", date_format="%Y-%m-%d")


def _shown(times: pd.Series) -> pd.Series:
    """Times in ISO 8601 with milliseconds."""
    return times.dt.strftime(TIME).str.slice(stop=-3) + "Z"
