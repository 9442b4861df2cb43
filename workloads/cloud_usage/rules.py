"""The rules that a record must keep, and what it means to break one: of events, of masters, and of silver."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

LONGEST = 2**20  # characters
CLOCKS_DIFFER_BY = timedelta(days=1)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
MINIMUM_COST = Decimal("-0.01")
SCHEMA_VERSIONS = (1, 2)
AMOUNT_DIGITS, AMOUNT_DECIMALS = 18, 8  # as long as an amount may be and still be one machine word

REQUIRED = (
    "event_id",
    "timestamp",
    "org_id",
    "resource_id",
    "service",
    "region",
    "metric",
    "cost_usd_increment",
    "schema_version",
)
NUMBERS = ("value", "cost_usd_increment", "carbon_kg", "genai_tokens")
KEYS = (*REQUIRED, "value", "unit", "carbon_kg", "genai_tokens")
TEXTS = tuple(key for key in KEYS if key not in NUMBERS)
COLUMN_OF = {"timestamp": "event_time", "cost_usd_increment": "cost_usd"}  # where it is not called as the key
EVENT_RULES: Mapping[str, str] = {
    "damaged_text": "it holds bytes that are no UTF-8 text",
    "oversized": f"it is longer than {LONGEST:,} characters",
    "not_json": "it is no JSON object, or not a single one",
    "missing_key": f"one of {', '.join(REQUIRED)} is missing, null or empty",
    "wrong_type": "a key that should be a text is an object or a list",
    "unknown_schema_version": f"its schema version is none of {', '.join(map(str, SCHEMA_VERSIONS))}",
    "bad_timestamp": "its timestamp is no date and time in ISO 8601",
    "time_out_of_range": f"its time is before {EARLIEST:%Y-%m-%d}, or more than a day after it was ingested",
    "bad_number": f"one of {', '.join(NUMBERS)} is no number, or one that is too large",
    "inexact_amount": "its cost has more than 8 decimals",
    "cost_below_minimum": f"its cost is below {MINIMUM_COST} USD",
    "conflicting_event": "another event with the same id says something else; the one with the least hash counts",
}

MASTER_RULES: Mapping[str, str] = {
    "not_csv": "it is no record of its file",
    "missing_key": "a column that it must have is missing or empty",
    "bad_value": "a column holds what is not of its type",
    "unknown_currency": "its currency is no code of ISO 4217, or it is not USD and names no exchange rate",
    "conflicting_record": "the same key is delivered with other content for the same day; the last one counts",
}

UNKNOWN_FILE = "its name tells no source: the masters are CSV files, usage events lie in usage_events_stream/*.jsonl"
CONFORM_RULES: Mapping[str, str] = {"unknown_org": "its customer was never delivered; it is taken as soon as it is"}

REPLAYED = (*EVENT_RULES, *MASTER_RULES)
"""The rules whose records `medallion replay` can take back in."""
