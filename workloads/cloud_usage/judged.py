"""A usage event as it may be sent, and the first rule that it breaks: one line at a time, by Python's own JSON.

What can be cured or kept is no breach: a number written as a string, a value or a unit that is missing, a cost a little
below zero. Numbers are read as they are written, so that no binary fraction comes between.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from workloads.cloud_usage.rules import (
    AMOUNT_DECIMALS,
    AMOUNT_DIGITS,
    CLOCKS_DIFFER_BY,
    COLUMN_OF,
    EARLIEST,
    KEYS,
    LONGEST,
    MINIMUM_COST,
    NUMBERS,
    REQUIRED,
    SCHEMA_VERSIONS,
    TEXTS,
)

STEP = Decimal(1).scaleb(-AMOUNT_DECIMALS)
BEYOND = Decimal(10) ** (AMOUNT_DIGITS - AMOUNT_DECIMALS)  # what has more digits before the point fits no amount
LARGEST_INTEGER = 2**63 - 1
BLANKS = " \t\r\n"  # that JSON allows around a value; those of Windows' line ends are among them
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)
INTEGER = re.compile(r"[+-]?\d{1,9}", re.ASCII)
ISO_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d(:?\d\d)?)?", re.ASCII)


@dataclass(frozen=True)
class Judged:
    """What could be read of a line, by column of an event; the first `rule` that it breaks; and, of an event that
    breaks none, its keys that are not declared, sorted."""

    columns: dict[str, Any]
    rule: str | None
    new_keys: list[str] | None = None


def judge(text: str, damaged: bool, ingest_time: datetime) -> Judged:
    """Reads a line; `damaged` says that its bytes were no UTF-8 text."""
    if damaged:
        return Judged({}, "damaged_text")
    if len(text) > LONGEST:
        return Judged({}, "oversized")
    record = _record(text.strip(BLANKS))
    if record is None:
        return Judged({}, "not_json")
    said = {key: _text(record.get(key)) for key in KEYS}
    moment = _moment(said["timestamp"])
    columns = {
        **{key: said[key] for key in TEXTS if key not in ("timestamp", "schema_version")},
        "event_time": moment,
        "event_date": None if moment is None else moment.date(),
        "value": _amount(said["value"]),
        "cost_usd": _amount(said["cost_usd_increment"]),
        "carbon_kg": _amount(said["carbon_kg"]),
        "genai_tokens": _whole(said["genai_tokens"]),
        "schema_version": _version(said["schema_version"]),
    }
    rule = _broken(record, said, columns, ingest_time)
    new = sorted(set(record) - set(KEYS)) if rule is None else None
    return Judged(columns, rule, new or None)


def _record(text: str) -> dict[str, Any] | None:
    """The object that a text is, numbers as they are written; None where it is none."""
    try:
        record = json.loads(text, parse_int=str, parse_float=str, parse_constant=_refuse)
        if "\\u" in text:  # half of a surrogate pair is no text that could be kept
            json.dumps(record, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _text(value: Any) -> str | None:
    """A value as text; what is nested, as JSON."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _broken(record: dict, said: dict, columns: dict, ingest_time: datetime) -> str | None:
    if any(not (said[key] or "").strip() for key in REQUIRED):
        return "missing_key"
    if any(isinstance(record.get(key), dict | list) for key in TEXTS):
        return "wrong_type"
    if columns["schema_version"] not in SCHEMA_VERSIONS:
        return "unknown_schema_version"
    if columns["event_time"] is None:
        return "bad_timestamp"
    if not EARLIEST <= columns["event_time"] <= ingest_time + CLOCKS_DIFFER_BY:
        return "time_out_of_range"
    if any(said[key] is not None and columns[COLUMN_OF.get(key, key)] is None for key in NUMBERS):
        return "bad_number"
    if Decimal(said["cost_usd_increment"]) != columns["cost_usd"]:
        return "inexact_amount"
    return "cost_below_minimum" if columns["cost_usd"] < MINIMUM_COST else None


def _number(text: str | None) -> Decimal | None:
    """A number however it was written; None where it is none."""
    bare = (text or "").strip()
    return Decimal(bare) if NUMBER.fullmatch(bare) else None


def _amount(text: str | None) -> Decimal | None:
    """A number with the decimals of an amount, rounded half up; None where it is none, or one too large."""
    number = _number(text)
    if number is None or abs(number) >= BEYOND:
        return None
    rounded = number.quantize(STEP, ROUND_HALF_UP)
    return rounded if abs(rounded) < BEYOND else None


def _whole(text: str | None) -> int | None:
    """A whole number: 12.0 is one, 12.5 is none."""
    number = _number(text)
    if number is None or abs(number) > LARGEST_INTEGER or number != number.to_integral_value():
        return None
    return int(number)


def _version(text: str | None) -> int | None:
    bare = (text or "").strip()
    return int(bare) if INTEGER.fullmatch(bare) else None


def _moment(text: str | None) -> datetime | None:
    """A moment in UTC, where a text names one in ISO 8601; without a zone it is UTC."""
    if text is None or not ISO_TIME.fullmatch(text):
        return None
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
