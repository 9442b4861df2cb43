"""The batch result of `cloud-usage` once more, by numpy and exact integers, without Spark: what tests compare with.

It shares no code with the workload: one line at a time is judged with Python's own `json` and `Decimal`, amounts are
counted as integers, statistics are numpy's. `python -m benchmarks.cloud_reference LANDING` prints what it finds in a
landing folder.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

EVENTS = "usage_events_stream"
LONGEST_LINE = 2**20  # characters
NEEDED = (
    *("event_id", "timestamp", "org_id", "resource_id", "service", "region", "metric"),
    *("cost_usd_increment", "schema_version"),
)
TEXTS = (*NEEDED[:7], "unit", "schema_version")
NUMBERS = ("value", "cost_usd_increment", "carbon_kg", "genai_tokens")
UNITS = {"requests": "count", "cpu_hours": "hours", "storage_gb_hours": "gb_hours"}
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LEAST_COST = Decimal("-0.01")
DIGITS = 8  # after the point: amounts are counted in units of 10^-8
INVOICE_DIGITS = 6  # to which an invoice's amounts in USD are rounded
LARGEST = Decimal(10) ** 10  # what has more digits before the point fits no column
NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?\s*", re.ASCII)
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d(:?\d\d)?)?", re.ASCII)
CURRENCY = re.compile(r"[A-Z]{3}")
HALF_HOUR = 1_800  # seconds
SERIES = ["org_id", "service", "region"]
UNIT = ["org_id", "date", "service", "region"]
METHODS = ("z_score", "modified_z_score", "percentile")


@dataclass(frozen=True)
class Rules:
    """What the anomalies hang on, as the workload's parameters of these names say."""

    minimum_days: int = 14
    z_threshold: float = 3.0
    mad_threshold: float = 3.0
    anomaly_factor: float = 1.5


@dataclass(frozen=True)
class Batch:
    """The result of a landing folder.

    `events` are silver's, with amounts as integers in units of 10^-8 (`cost`, `amount`, `carbon`); `quarantine` has a
    row for each record with `file`, `line`, `rule`, and what could be read of `metric` and amounts; `days` are
    all daily costs with what the methods say of them, in the columns of `cost_anomaly_mart`; `marts` have the
    columns of `serving_tables`, with amounts as Decimal. `lines` = events + quarantine + duplicates.
    """

    lines: int
    duplicates: int
    events: pd.DataFrame
    quarantine: pd.DataFrame
    days: pd.DataFrame
    marts: dict[str, pd.DataFrame]


def batch(landing: Path, ingest_time: datetime, rules: Rules = Rules()) -> Batch:
    """The result of all files of a landing folder as one ingest at `ingest_time` would give it."""
    customers = set(table(landing / "customers_orgs.csv")["org_id"])
    kept: dict[str, dict] = {}
    set_aside, lines, duplicates = [], 0, 0
    for file, number, line in _lines(landing / EVENTS):
        lines += 1
        rule, event = judge(line, ingest_time)
        place = {"file": file, "line": number}
        if rule is None and event["event_id"] in kept:
            before = kept[event["event_id"]]
            if event == {name: before[name] for name in event}:
                duplicates += 1
                continue
            rule = "conflicting_event"
        elif rule is None and event["org_id"] not in customers:
            # Its id is taken: a copy of it is a duplicate, too.
            kept[event["event_id"]] = event | place | {"rule": "unknown_org"}
            continue
        if rule is None:
            kept[event["event_id"]] = event | place | {"rule": None}
        else:
            set_aside.append(event | place | {"rule": rule})
    found = pd.DataFrame(kept.values(), columns=[*_FIELDS, "file", "line", "rule"], dtype=object)
    known = found["rule"].isna()
    aside = pd.concat(
        [pd.DataFrame(set_aside, columns=_ASIDE, dtype=object), found.loc[~known, _ASIDE]], ignore_index=True
    )
    events = found[known].drop(columns="rule").reset_index(drop=True)
    events = events.astype(dict.fromkeys(("seconds", "cost", "carbon", "tokens"), "int64") | {"amount": "Int64"})
    events["date"] = pd.to_datetime(events["seconds"] // 86_400, unit="D").dt.date
    events["unit"] = events["metric"].map(UNITS).fillna(events["unit"])
    judged_days = anomalies(daily_costs(events), rules)
    return Batch(lines, duplicates, events, aside, judged_days, marts(events, judged_days, landing))


_FIELDS = [
    *("event_id", "seconds", "org_id", "resource_id", "service", "region", "metric", "amount", "unit"),
    *("cost", "schema_version", "carbon", "tokens"),
]
_ASIDE = ["file", "line", "rule", "event_id", "metric", "amount", "cost", "tokens"]


def judge(line: bytes, ingest_time: datetime) -> tuple[str | None, dict]:
    """The first rule that a line breaks, or None, and what could be read of it; amounts as integers."""
    record = _record(line)
    if isinstance(record, str):
        return record, {}
    texts = {name: _text(record.get(name)) for name in TEXTS}
    numbers = {name: number(record.get(name)) for name in NUMBERS}
    if (tokens := numbers["genai_tokens"]) is not None and tokens != tokens.to_integral_value():
        numbers["genai_tokens"] = Decimal("NaN")
    version, moment = (texts["schema_version"] or "").strip(), time(texts["timestamp"] or "")
    rules = {
        "missing_key": lambda: any((_text(record.get(name)) or "").strip() == "" for name in NEEDED),
        "wrong_type": lambda: any(isinstance(record.get(name), dict | list) for name in TEXTS),
        "unknown_schema_version": lambda: version not in ("1", "2"),
        "bad_timestamp": lambda: moment is None,
        "time_out_of_range": lambda: not EARLIEST <= moment <= ingest_time + timedelta(days=1),
        "bad_number": lambda: any(one is not None and one.is_nan() for one in numbers.values()),
        "inexact_amount": lambda: numbers["cost_usd_increment"] != round(numbers["cost_usd_increment"], DIGITS),
        "cost_below_minimum": lambda: numbers["cost_usd_increment"] < LEAST_COST,
    }
    rule = next((name for name, is_broken in rules.items() if is_broken()), None)
    value, cost, carbon, tokens = (None if one is None or one.is_nan() else one for one in numbers.values())
    return rule, texts | {
        "seconds": None if moment is None else int(moment.timestamp()),
        "amount": None if value is None else counted(value),
        "cost": None if cost is None else counted(cost),
        "schema_version": int(version) if version.isdecimal() else None,
        "carbon": counted(carbon or Decimal(0)),
        "tokens": int(tokens or 0),
    }


def _record(line: bytes) -> dict | str:
    """The object that a line holds, or the rule that it breaks."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return "damaged_text"
    if len(text) > LONGEST_LINE:
        return "oversized"
    try:
        record = json.loads(text, parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return "not_json"
    return record if isinstance(record, dict) else "not_json"


def number(value: Any) -> Decimal | None:
    """A number, however it was written; None for null, NaN for what is none."""
    if value is None:
        return None
    fits = isinstance(value, int | Decimal) and not isinstance(value, bool)
    if fits or (isinstance(value, str) and NUMBER.fullmatch(value)):
        found = Decimal(value)
        return found if abs(found) < LARGEST else Decimal("NaN")
    return Decimal("NaN")


def time(text: str) -> datetime | None:
    """A moment in UTC, where a text names one in ISO 8601; without a zone it is UTC."""
    if not TIME.fullmatch(text):
        return None
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def counted(amount: Decimal, digits: int = DIGITS) -> int:
    """An amount in units of 10^-8, rounded half up (away from zero) to so many digits after the point."""
    return int(amount.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP).scaleb(DIGITS))


def decimals(amounts: pd.Series) -> pd.Series:
    """Amounts that were counted, as Decimal."""
    return pd.Series([Decimal(int(one)).scaleb(-DIGITS) for one in amounts], amounts.index, dtype=object)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, default=str)


def _lines(folder: Path) -> Iterator[tuple[str, int, bytes]]:
    """Every line of every file of events: the file's name, the line's number from 1, its bytes."""
    for path in sorted(folder.glob("*.jsonl")):
        with path.open("rb") as stream:
            for position, line in enumerate(stream, 1):
                yield f"{folder.name}/{path.name}", position, line.removesuffix(b"\n")


def table(path: Path) -> pd.DataFrame:
    """A master as text, columns by name; an empty field is an empty text."""
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig").drop_duplicates()


def marts(events: pd.DataFrame, judged_days: pd.DataFrame, landing: Path) -> dict[str, pd.DataFrame]:
    """All marts by name."""
    return {
        "org_daily_usage_by_service": daily_usage(events),
        "revenue_by_org_month": revenue(table(landing / "billing_monthly.csv")),
        "cost_anomaly_mart": judged_days[judged_days["is_anomaly"]].reset_index(drop=True),
        "tickets_by_org_date": tickets(table(landing / "support_tickets.csv")),
        "genai_tokens_by_org_date": genai(events),
        "usage_by_sliding_hour": sliding(events),
    }


def daily_usage(events: pd.DataFrame) -> pd.DataFrame:
    """Usage and cost by customer, day and service."""
    amount = events["amount"].fillna(0).astype("int64")
    measured = {metric: amount.where(events["metric"] == metric, 0) for metric in UNITS}
    found = (
        events.assign(**measured)
        .groupby(["org_id", "date", "service"], as_index=False)
        .agg(
            events=("event_id", "size"), cost_usd=("cost", "sum"), requests=("requests", "sum"),
            cpu_hours=("cpu_hours", "sum"), storage_gb_hours=("storage_gb_hours", "sum"),
            genai_tokens=("tokens", "sum"), carbon_kg=("carbon", "sum"),
        )
    )  # fmt: skip
    return _with_decimals(found, "cost_usd", "requests", "cpu_hours", "storage_gb_hours", "carbon_kg")


def genai(events: pd.DataFrame) -> pd.DataFrame:
    """Tokens by customer and day."""
    found = (
        events[events["service"] == "genai"]
        .groupby(["org_id", "date"], as_index=False)
        .agg(events=("event_id", "size"), genai_tokens=("tokens", "sum"), cost_usd=("cost", "sum"))
    )
    return _with_decimals(found, "cost_usd")


def sliding(events: pd.DataFrame) -> pd.DataFrame:
    """Events and cost in hours that begin every half hour."""
    last = events["seconds"] // HALF_HOUR * HALF_HOUR
    twice = pd.concat([events.assign(start=last), events.assign(start=last - HALF_HOUR)])
    found = twice.groupby(["org_id", "start", "service"], as_index=False).agg(
        events=("event_id", "size"), cost_usd=("cost", "sum")
    )
    start = pd.to_datetime(found.pop("start"), unit="s", utc=True)
    found.insert(1, "window_start", start)
    found.insert(3, "window_end", start + pd.Timedelta(hours=1))
    return _with_decimals(found, "cost_usd")


def revenue(invoices: pd.DataFrame) -> pd.DataFrame:
    """Revenue by customer and month: each amount in USD, rounded at the invoice; USD is worth one whatever is given."""
    rated = (invoices["currency"] == "USD") | (pd.to_numeric(invoices["exchange_rate_to_usd"]) > 0)
    invoices = invoices[invoices["currency"].str.fullmatch(CURRENCY) & rated]
    rate = [Decimal(1) if c == "USD" else Decimal(r) for c, r in
            zip(invoices["currency"], invoices["exchange_rate_to_usd"], strict=True)]  # fmt: skip
    for name in ("subtotal", "credits", "taxes"):
        pairs = zip(invoices[name], rate, strict=True)
        invoices = invoices.assign(**{f"{name}_usd": [counted(Decimal(a or 0) * r, INVOICE_DIGITS) for a, r in pairs]})
    month = pd.to_datetime(invoices["month"])
    found = (
        invoices.assign(
            year=month.dt.year, month=month.dt.month, revenue_usd=invoices["subtotal_usd"] - invoices["credits_usd"],
            credit_notes=(invoices["subtotal_usd"] < 0).astype("int64"),
        )
        .groupby(["org_id", "year", "month"], as_index=False)
        .agg(
            subtotal_usd=("subtotal_usd", "sum"), credits_usd=("credits_usd", "sum"),
            revenue_usd=("revenue_usd", "sum"), taxes_usd=("taxes_usd", "sum"),
            invoices=("invoice_id", "size"), credit_notes=("credit_notes", "sum"),
        )
    )  # fmt: skip
    return _with_decimals(found, "subtotal_usd", "credits_usd", "revenue_usd", "taxes_usd")


def tickets(opened: pd.DataFrame) -> pd.DataFrame:
    """Tickets by customer and the day on which they were opened."""
    csat = pd.to_numeric(opened["csat"])
    valid = csat.between(1, 5)
    found = (
        opened.assign(
            date=pd.to_datetime(opened["created_at"]).dt.date, resolved=opened["resolved_at"] != "",
            breached=opened["sla_breached"].str.lower() == "true", valid=valid, csat=csat.where(valid),
            outside=csat.notna() & ~valid,
        )
        .groupby(["org_id", "date"], as_index=False)
        .agg(
            tickets=("ticket_id", "size"), resolved=("resolved", "sum"), breached=("breached", "sum"),
            csat_answers=("valid", "sum"), csat_average=("csat", "mean"), csat_out_of_range=("outside", "sum"),
        )
    )  # fmt: skip
    found.insert(5, "sla_breach_rate", found["breached"] / found["tickets"])
    return found


def daily_costs(events: pd.DataFrame) -> pd.DataFrame:
    """The units in which anomalies are looked for: cost as an integer by customer, day, service and region."""
    return events.groupby(UNIT, as_index=False).agg(cost=("cost", "sum"))


def anomalies(units: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """What the three methods say of each unit."""
    cost = units["cost"].to_numpy() / 10**DIGITS
    days = units.groupby(SERIES)["cost"].transform("size").to_numpy()
    own = days >= rules.minimum_days
    baseline, limit = {name: np.full(len(units), np.nan) for name in ("mean", "std", "median", "mad")}, cost * np.nan
    for where in units.groupby(SERIES).indices.values():
        if own[where].all():
            _put(baseline, where, cost[where])
    for where in units.groupby("service").indices.values():
        _put(baseline, where[~own[where]], cost[where])
        limit[where] = np.percentile(cost[where], 99) * rules.anomaly_factor
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(baseline["std"] > 0, np.abs(cost - baseline["mean"]) / baseline["std"], np.nan)
        away = np.abs(cost - baseline["median"])
        modified = np.where(baseline["mad"] > 0, 0.6745 * away / baseline["mad"], np.nan)
    flags = (z > rules.z_threshold, modified > rules.mad_threshold, cost > limit)
    severity = np.sum(flags, axis=0)
    agreeing = [
        ",".join(method for method, flag in zip(METHODS, row, strict=True) if flag) for row in zip(*flags, strict=True)
    ]
    return units.drop(columns="cost").assign(
        cost_usd=decimals(units["cost"]), baseline=np.where(own, "org-service-region", "service"), z_score=z,
        modified_z_score=modified, percentile_limit=limit, methods=agreeing, severity=severity,
        is_anomaly=severity > 0,
    )  # fmt: skip


def _put(baseline: dict[str, np.ndarray], where: np.ndarray, cost: np.ndarray) -> None:
    """Write the statistics of some costs to the rows `where`."""
    median = np.median(cost)
    found = {"mean": cost.mean(), "std": cost.std(), "median": median, "mad": np.median(np.abs(cost - median))}
    for name, value in found.items():
        baseline[name][where] = value


def _with_decimals(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    return frame.assign(**{name: decimals(frame[name]) for name in columns})


def judged(mart: pd.DataFrame, true: Iterable[tuple]) -> pd.DataFrame:
    """Flags, precision and recall by method, of any and of several, given the true units (org, date, service, region).

    `mart` has the columns of `cost_anomaly_mart`.
    """
    wanted = pd.MultiIndex.from_tuples(true, names=UNIT)
    is_true = pd.MultiIndex.from_frame(mart[UNIT]).isin(wanted)
    said = mart["methods"].str.split(",")
    asked = {method: said.map(lambda names, method=method: method in names) for method in METHODS}
    asked |= {"any": mart["severity"] > 0, "two or more": mart["severity"] > 1, "all three": mart["severity"] > 2}
    rows = {
        name: {
            "flags": int(flag.sum()),
            "precision": (flag & is_true).sum() / flag.sum() if flag.any() else np.nan,
            "recall": (flag & is_true).sum() / len(wanted),
        }
        for name, flag in asked.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def totals(found: Batch) -> dict[str, tuple[Decimal, Decimal]]:
    """What silver and quarantine hold of cost, of each metric and of tokens."""
    frames = (found.events, found.quarantine)

    def of(column: str, metric: str | None = None) -> tuple[Decimal, Decimal]:
        sums = [frame.loc[(frame["metric"] == metric) | (metric is None), column].sum() for frame in frames]
        return tuple(decimals(pd.Series(sums)))

    tokens = tuple(Decimal(int(frame["tokens"].sum())) for frame in frames)
    return {"cost_usd": of("cost"), "genai_tokens": tokens} | {metric: of("amount", metric) for metric in UNITS}


def main() -> None:
    """Print counts by rule, totals and anomalies."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("landing", type=Path)
    found = batch(parser.parse_args().landing, datetime.now(UTC))
    events, aside = found.events, found.quarantine
    print(f"lines {found.lines} = events {len(events)} + quarantine {len(aside)} + duplicates {found.duplicates}")
    print("by rule:", dict(sorted(Counter(aside["rule"]).items())))
    for name, (silver, apart) in totals(found).items():
        print(f"{name} {silver + apart} = silver {silver} + quarantine {apart}")
    bills = found.marts["revenue_by_org_month"]
    print(*(f"{name} {bills[name].sum()}" for name in bills.columns if name.endswith("_usd")))
    mart = found.days
    dear = events.loc[events["cost"] > 30 * 10**DIGITS, UNIT].drop_duplicates()
    print(f"{len(mart)} units, {len(dear)} of them with an event above 30 USD; baselines {Counter(mart['baseline'])}")
    print(judged(mart, dear.itertuples(index=False)).to_string(float_format="%.4f"))


if __name__ == "__main__":
    main()
