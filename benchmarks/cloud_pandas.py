"""An alternative to Spark: `cloud-usage` from landing to gold by pandas and Arrow in one process, for measurements.

As one writes it for speed: Arrow finds the lines that are as they should be with one regular expression and parses them
by file, side by side; the few others are judged one by one. From there on all is columns. Amounts are whole numbers of
10^-8, so that sums are exact, and decimals in the files. It spares itself histories of masters, replays, and all that
makes a second run cheap. `python -m benchmarks.cloud_pandas LANDING OUT` prints the seconds of each layer.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import json as arrow_json

from benchmarks import cloud_reference as reference
from benchmarks.cloud_reference import DIGITS, EVENTS, SERIES, UNIT, UNITS
from workloads.cloud_usage.usual import TIME

TEXT = r'"[!#-\[\]-~]+"'  # printable ASCII: what else there may be is looked at more closely
PLAIN = r"-?(0|[1-9]\d{0,8})(\.\d{1,8})?"
NUMBER = rf"{PLAIN}(e-0\d)?"
USUAL = (
    rf'^\{{"event_id": {TEXT}, "timestamp": {TIME}, "org_id": {TEXT}, '
    rf'"resource_id": {TEXT}, "service": {TEXT}, "region": {TEXT}, "metric": {TEXT}, '
    rf'"value": (null|{NUMBER}|"{NUMBER}"), "unit": (null|{TEXT}), "cost_usd_increment": {PLAIN}, '
    rf'"schema_version": [12](, "carbon_kg": {NUMBER})?(, "genai_tokens": (0|[1-9]\d{{0,14}}))?\}}$'
)
SCHEMA = pa.schema(
    dict.fromkeys(("event_id", "timestamp", "org_id", "resource_id", "service", "region", "metric"), pa.string())
    | {"value": pa.float64(), "unit": pa.string(), "cost_usd_increment": pa.float64(), "schema_version": pa.int64()}
    | {"carbon_kg": pa.float64(), "genai_tokens": pa.int64()}
)
KEYS = ("service", "region", "metric", "unit", "org_id", "resource_id")
AMOUNTS = {"value": "amount", "cost_usd_increment": "cost", "carbon_kg": "carbon"}
MONEY = pa.decimal128(28, DIGITS)
UNITS_PER_USD = 10**DIGITS
HALF_HOUR = 1_800


def run(landing: Path, out: Path, ingest_time: datetime) -> dict[str, float]:
    """Writes all outputs into the folder `out`. Returns the seconds that each layer took."""
    times = [perf_counter()]
    masters = {path.stem: reference.table(path) for path in sorted(landing.glob("*.csv"))}
    events, aside = bronze(landing, ingest_time)
    for name, master in masters.items():
        _write(master.assign(source_file=f"{name}.csv", ingest_ts=ingest_time), out / "bronze" / f"{name}.parquet")
    _write_by_date(events.assign(ingest_ts=ingest_time), out / "bronze" / "events")
    _write(aside, out / "bronze" / "quarantine.parquet")
    times.append(perf_counter())
    placed, strangers = silver(events, masters)
    days = flagged(placed)
    invoices, tickets = masters["billing_monthly"], masters["support_tickets"]
    _write_by_date(placed, out / "silver" / "events")
    _write(strangers, out / "silver" / "quarantine.parquet")
    _write(days, out / "silver" / "daily_costs.parquet")
    times.append(perf_counter())
    for name, mart in gold(placed, days, invoices, tickets).items():
        _write(mart, out / "gold" / f"{name}.parquet")
    times.append(perf_counter())
    return dict(zip(("bronze", "silver", "gold"), np.diff(times).tolist(), strict=True))


def bronze(landing: Path, ingest_time: datetime) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The events, each once, and the lines that break a rule."""
    files = sorted((landing / EVENTS).glob("*.jsonl"))
    with ThreadPoolExecutor(pa.cpu_count()) as pool:
        read = list(pool.map(lambda path: _read(path, ingest_time), files))
    events = _columns(pa.concat_tables([table for table, _ in read]))
    aside = pd.DataFrame([row for _, rows in read for row in rows], columns=["file", "line", "rule", "text"])
    again = events.duplicated("event_id")
    if again.any():
        # Rows of one id that say the same are copies, others are in conflict with the first.
        content = [name for name in events.columns if name not in ("file", "line")]
        several = events[events["event_id"].isin(events.loc[again, "event_id"])].drop_duplicates(content)
        conflicts = several[several.duplicated("event_id")][["file", "line"]]
        aside = pd.concat([aside, conflicts.assign(rule="conflicting_event", text=None)])
        events = events[~again].reset_index(drop=True)
    return events, aside


def _read(path: Path, ingest_time: datetime) -> tuple[pa.Table, list[tuple]]:
    """The events of a file as a table, and its lines that break a rule: file, line, rule and text."""
    name = f"{EVENTS}/{path.name}"
    lines = pa.array(path.read_bytes().removesuffix(b"\n").split(b"\n"), pa.binary())
    usual = pc.match_substring_regex(lines, USUAL)
    is_usual = usual.to_numpy(zero_copy_only=False)
    unquoted = pc.replace_substring_regex(lines.filter(usual), f'"value": "({NUMBER})"', r'"value": \1')
    options = arrow_json.ParseOptions(explicit_schema=SCHEMA)
    rows = b"\n".join(unquoted.to_pylist())
    table = arrow_json.read_json(BytesIO(rows), parse_options=options) if rows else SCHEMA.empty_table()
    table = table.append_column("line", pa.array(np.flatnonzero(is_usual) + 1))
    table = table.append_column("seconds", table["timestamp"].cast(pa.timestamp("s", "UTC")).cast(pa.int64()))
    # What the vectors find wrong is judged as what is not usual is: one by one, since there is little of it.
    moment, cost = table["seconds"].to_numpy(), table["cost_usd_increment"].to_numpy()
    earliest, latest = reference.EARLIEST.timestamp(), (ingest_time + timedelta(days=1)).timestamp()
    sound = (moment >= earliest) & (moment <= latest) & (cost >= float(reference.LEAST_COST))
    judged, aside = [], []
    for place in sorted((*np.flatnonzero(~is_usual), *(table["line"].to_numpy()[~sound] - 1))):
        line = lines[int(place)].as_py()
        rule, event = reference.judge(line, ingest_time)
        if rule:
            aside.append((name, int(place) + 1, rule, line.decode("utf-8", "backslashreplace")))
        else:
            judged.append(_as_usual(event) | {"line": int(place) + 1})
    table = table.filter(pa.array(sound))
    if judged:
        table = pa.concat_tables([table, pa.Table.from_pylist(judged, table.schema)]).sort_by("line")
    return table.append_column("file", pa.repeat(name, len(table)).dictionary_encode()), aside


def _as_usual(event: dict) -> dict:
    """An event that was judged as the table has it."""
    amounts = {name: None if event[of] is None else event[of] / UNITS_PER_USD for name, of in AMOUNTS.items()}
    return event | amounts | {"genai_tokens": event["tokens"]}


def _columns(whole: pa.Table) -> pd.DataFrame:
    """The events by column, keys as categories and amounts as whole numbers."""
    found = pd.DataFrame({"event_id": whole["event_id"].to_pandas(), "seconds": whole["seconds"].to_pandas()})
    found["event_date"] = _dates(found["seconds"])
    for name in KEYS:
        found[name] = whole[name].dictionary_encode().combine_chunks().to_pandas()
    for name, of in AMOUNTS.items():
        amount = whole[name].to_pandas() * UNITS_PER_USD
        found[of] = np.rint(amount).astype("Int64") if of == "amount" else np.rint(amount.fillna(0)).astype("int64")
    found["tokens"] = whole["genai_tokens"].to_pandas().fillna(0).astype("int64")
    found["schema_version"] = whole["schema_version"].to_pandas().astype("int8")
    return found.assign(file=whole["file"].combine_chunks().to_pandas(), line=whole["line"].to_pandas())


def silver(events: pd.DataFrame, masters: dict[str, pd.DataFrame]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The events of known customers beside what is known of customer and resource, and the others."""
    customers = masters["customers_orgs"].set_index("org_id")
    resources = masters["resources"].set_index("resource_id")
    is_known = events["org_id"].isin(customers.index)
    known = events if is_known.all() else events[is_known].reset_index(drop=True)
    unit = known["metric"].astype(object).map(UNITS).fillna(known["unit"].astype(object)).astype("category")
    placed = known.assign(unit=unit)
    for name in ("org_name", "industry", "plan_tier", "is_enterprise", "lifecycle_stage"):
        placed[name] = _looked_up(known["org_id"], customers[name])
    placed["resource_state"] = _looked_up(known["resource_id"], resources["state"])
    placed["resource_tags"] = _looked_up(known["resource_id"], resources["tags_json"])
    created = pd.to_datetime(_looked_up(known["resource_id"], resources["created_at"]).astype(object))
    placed["before_creation"] = pd.to_datetime(known["seconds"] // 86_400, unit="D") < created
    cost = placed["cost"] / UNITS_PER_USD
    limit = cost.groupby(placed["service"], observed=True).quantile(0.99) * 1.5
    placed["is_outlier"] = cost > placed["service"].map(limit).astype(float)
    return placed, events[~is_known].assign(rule="unknown_org")


def _looked_up(keys: pd.Series, values: pd.Series) -> pd.Series:
    """The value of each key, a category, looked up once for each category."""
    codes, texts = pd.factorize(values.reindex(keys.cat.categories))
    of_row = np.where(keys.cat.codes >= 0, codes[keys.cat.codes], -1)
    return pd.Series(pd.Categorical.from_codes(of_row, texts), keys.index)


def flagged(events: pd.DataFrame) -> pd.DataFrame:
    """Daily costs with what the three methods say of them."""
    units = _summed(events.rename(columns={"event_date": "date"}), UNIT, cost_usd="cost")
    units = units.drop(columns="events")
    cost = units["cost_usd"] / UNITS_PER_USD
    own = units.groupby(SERIES, observed=True)["cost_usd"].transform("size") >= reference.Rules().minimum_days
    found = {"baseline": np.where(own, "org-service-region", "service")}
    parts = [_statistics(cost, [units[name] for name in SERIES]), _statistics(cost, [units["service"]])]
    mean, deviation, median, mad = (np.where(own, *pair) for pair in zip(*parts, strict=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        found["z_score"] = np.where(deviation > 0, np.abs(cost - mean) / deviation, np.nan)
        found["modified_z_score"] = np.where(mad > 0, 0.6745 * np.abs(cost - median) / mad, np.nan)
    limit = cost.groupby(units["service"], observed=True).quantile(0.99) * 1.5
    found["percentile_limit"] = units["service"].map(limit).astype(float)
    flags = np.stack((found["z_score"] > 3, found["modified_z_score"] > 3, cost > found["percentile_limit"]))
    texts = np.array([
        ",".join(method for bit, method in enumerate(reference.METHODS) if which >> bit & 1) for which in range(8)
    ])  # fmt: skip
    severity = flags.sum(axis=0)
    methods = texts[(flags * [[1], [2], [4]]).sum(axis=0)]
    return units.assign(**found, methods=methods, severity=severity.astype("int32"), is_anomaly=severity > 0)


def _statistics(cost: pd.Series, by: list[pd.Series]) -> tuple[pd.Series, ...]:
    """Mean, standard deviation, median and MAD of the group of each row."""
    groups = cost.groupby(by, observed=True)
    median = groups.transform("median")
    mad = (cost - median).abs().groupby(by, observed=True).transform("median")
    return groups.transform("mean"), groups.transform("std", ddof=0), median, mad


def gold(
    events: pd.DataFrame, days: pd.DataFrame, invoices: pd.DataFrame, tickets: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """All marts by name."""
    dated = events.rename(columns={"event_date": "date"})
    amount = dated["amount"].fillna(0).astype("int64")
    measured = {metric: amount.where(dated["metric"] == metric, 0) for metric in UNITS}
    start = dated["seconds"] // HALF_HOUR * HALF_HOUR
    halves = _summed(dated.assign(start=start), ["org_id", "start", "service"], cost_usd="cost")
    twice = pd.concat([halves, halves.assign(start=halves["start"] - HALF_HOUR)])
    hours = twice.groupby(["org_id", "start", "service"], observed=True, as_index=False).sum()
    begin = pd.to_datetime(hours.pop("start"), unit="s", utc=True)
    hours.insert(1, "window_start", begin)
    hours.insert(3, "window_end", begin + pd.Timedelta(hours=1))
    sums = {"cost_usd": "cost"} | {name: name for name in UNITS} | {"genai_tokens": "tokens", "carbon_kg": "carbon"}
    of_genai = dated[dated["service"] == "genai"]
    return {
        "org_daily_usage_by_service": _summed(dated.assign(**measured), ["org_id", "date", "service"], **sums),
        "revenue_by_org_month": reference.revenue(invoices),
        "cost_anomaly_mart": days[days["is_anomaly"]],
        "tickets_by_org_date": reference.tickets(tickets),
        "genai_tokens_by_org_date": _summed(of_genai, ["org_id", "date"], genai_tokens="tokens", cost_usd="cost"),
        "usage_by_sliding_hour": hours,
    }


def _summed(rows: pd.DataFrame, by: list[str], **sums: str) -> pd.DataFrame:
    """Counts and sums by key, in order of the keys."""
    groups = rows.groupby(by, observed=True)
    found = groups[list(dict.fromkeys(sums.values()))].sum()
    named = {name: found[of] for name, of in sums.items()}
    return pd.DataFrame({"events": groups.size()} | named).reset_index()


def _dates(seconds: pd.Series) -> pd.Series:
    """The UTC days of moments, as categories."""
    day, known = pd.factorize(seconds // 86_400, sort=True)
    dates = pd.to_datetime(known.to_numpy(), unit="D").date
    return pd.Series(pd.Categorical.from_codes(day, dates), seconds.index)


def _table(frame: pd.DataFrame) -> pa.Table:
    """A frame with its amounts as decimals."""
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()
    names = {*AMOUNTS.values(), *UNITS, "carbon_kg", "cost_usd"}
    for place, name in enumerate(table.column_names):
        if name in names and pa.types.is_integer(table.schema.field(name).type):
            # Whole numbers of 10^-8 are these decimals, byte by byte; only the scale differs.
            whole = table[name].combine_chunks().cast(pa.decimal128(28, 0))
            table = table.set_column(place, name, pa.Array.from_buffers(MONEY, len(whole), whole.buffers()))
    return table


def _write(frame: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(_table(frame), path)


def _write_by_date(frame: pd.DataFrame, folder: Path) -> None:
    pq.write_to_dataset(_table(frame), folder, partition_cols=["event_date"])


def main() -> None:
    """Run it on a landing folder."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("landing", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    for layer, seconds in run(options.landing, options.out, datetime.now(UTC)).items():
        print(f"{layer} {seconds:.1f} s")


if __name__ == "__main__":
    main()
