"""Usage events that are written as nearly all of them are, read by Arrow as whole columns.

One pattern tells which lines these are: all declared keys in their usual order, plain texts, amounts that are exact to
eight digits after the point, a time in UTC. Of such a line Arrow's JSON reader says just what `judged.judge` says.
"""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json

from workloads.cloud_usage.rules import (
    AMOUNT_DECIMALS,
    AMOUNT_DIGITS,
    CLOCKS_DIFFER_BY,
    COLUMN_OF,
    EARLIEST,
    LONGEST,
    MINIMUM_COST,
)

TEXT = r'"[!#-\[\]-~][ !#-\[\]-~]*"'  # printable ASCII without escapes that begins with no blank
EXACT = r"-?((0|[1-9]\d{0,8})(\.\d{1,8})?|\d(\.\d{1,3})?e-05|\d(\.\d{1,2})?e-06|\d(\.\d)?e-07|\de-08)"
AMOUNT = rf'({EXACT}|"{EXACT}"|null)'
DAY = r"[12]\d{3}-(02-(0[1-9]|1\d|2[0-8])|(0[469]|11)-(0[1-9]|[12]\d|30)|(0[13578]|1[02])-(0[1-9]|[12]\d|3[01]))"
TIME = rf'"{DAY}T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ"'  # but for leap days
USUAL = (
    rf'^\{{"event_id": ?{TEXT}, ?"timestamp": ?{TIME}, ?"org_id": ?{TEXT}, ?"resource_id": ?{TEXT}, '
    rf'?"service": ?{TEXT}, ?"region": ?{TEXT}, ?"metric": ?{TEXT}, ?"value": ?{AMOUNT}, ?"unit": ?(null|{TEXT}), '
    rf'?"cost_usd_increment": ?{EXACT}, ?"schema_version": ?[12](, ?"carbon_kg": ?{AMOUNT})?'
    r'(, ?"genai_tokens": ?(0|[1-9]\d{0,14}|null))?\}[ \t\r]*$'
)
AMOUNT_TYPE = pa.decimal128(AMOUNT_DIGITS, AMOUNT_DECIMALS)
SENT = pa.schema(
    {
        "event_id": pa.string(),
        "timestamp": pa.timestamp("us", "UTC"),
        "org_id": pa.string(),
        "resource_id": pa.string(),
        "service": pa.string(),
        "region": pa.string(),
        "metric": pa.string(),
        "value": AMOUNT_TYPE,
        "unit": pa.string(),
        "cost_usd_increment": AMOUNT_TYPE,
        "schema_version": pa.int32(),
        "carbon_kg": AMOUNT_TYPE,
        "genai_tokens": pa.int64(),
    }
)


def is_usual(texts: pa.StringArray) -> pa.BooleanArray:
    """Which lines are events as they are usually written."""
    return pc.and_(pc.match_substring_regex(texts, USUAL), pc.less_equal(pc.binary_length(texts), LONGEST))


def read(texts: pa.StringArray, ingest_time: datetime) -> pa.Table:
    """What usual lines say, by column of an event, and the `rule` that they break: of the rules, few are left."""
    if not len(texts):
        sent = SENT.empty_table()
    else:
        whole = pc.binary_join(pa.ListArray.from_arrays([0, len(texts)], texts), "\n")[0].as_buffer()
        # One block, so that no thread is started for it: Spark keeps the cores busy.
        options = json.ReadOptions(use_threads=False, block_size=whole.size)
        sent = json.read_json(
            pa.BufferReader(whole), read_options=options, parse_options=json.ParseOptions(explicit_schema=SENT)
        )
    found = sent.rename_columns(COLUMN_OF)
    time, cost = found["event_time"], found["cost_usd"]
    latest = pa.scalar(ingest_time + CLOCKS_DIFFER_BY, time.type)
    out_of_range = pc.or_(pc.less(time, pa.scalar(EARLIEST, time.type)), pc.greater(time, latest))
    below = pc.less(cost, pa.scalar(MINIMUM_COST, AMOUNT_TYPE))
    rule = pc.case_when(pc.make_struct(out_of_range, below), "time_out_of_range", "cost_below_minimum")
    return found.append_column("rule", rule).append_column("event_date", time.cast(pa.date32()))
