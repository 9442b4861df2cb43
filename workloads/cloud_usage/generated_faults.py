"""What is wrong with the bad lines of a generated sample, and the rule that each breaks."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np

Choice = Callable[..., Any]
Fault = Callable[[dict, Choice], str]  # the rule that the record breaks, once it is changed

KEYS = ("event_id", "timestamp", "org_id", "resource_id", "service", "region", "metric", "schema_version")
NOT_OBJECTS = ("null", "42", '"usage"', "[]", "true", "")


def damage(kind: str, line: str, rng: np.random.Generator) -> tuple[bytes, str]:
    """A line with a fault of that kind, and the name of the rule that it breaks."""

    def choose(*values: Any) -> Any:
        return values[rng.integers(0, len(values))]

    if kind in TEXT_FAULTS:
        cut = int(rng.integers(1, len(line)))
        return TEXT_FAULTS[kind](line, cut, choose)
    record = json.loads(line)
    rule = FAULTS[kind](record, choose)
    return json.dumps(record).encode(), rule


def _truncated(line: str, cut: int, _: Choice) -> tuple[bytes, str]:
    return line[:cut].encode(), "not_json"


def _no_utf8(line: str, cut: int, choose: Choice) -> tuple[bytes, str]:
    return line[:cut].encode() + choose(b"\xff\xfe", b"\xc3", b"\xed\xa0\x80") + line[cut:].encode(), "damaged_text"


def _no_object(line: str, _: int, choose: Choice) -> tuple[bytes, str]:
    return choose(*NOT_OBJECTS, f"[{line}]").encode(), "not_json"


def _wrong_type(record: dict, choose: Choice) -> str:
    key, value = choose(("value", "n/a"), ("cost_usd_increment", "free"), ("value", True), ("carbon_kg", "1,5"))
    record[key] = value
    return "bad_number"


def _nested(record: dict, choose: Choice) -> str:
    key = choose("service", "org_id", "metric", "value", "cost_usd_increment")
    record[key] = choose({"name": record[key]}, [record[key]])
    return "bad_number" if key in ("value", "cost_usd_increment") else "wrong_type"


def _version_3(record: dict, _: Choice) -> str:
    record["schema_version"] = 3
    return "unknown_schema_version"


def _missing_key(record: dict, choose: Choice) -> str:
    del record[choose(*KEYS)]
    return "missing_key"


def _bad_timestamp(record: dict, choose: Choice) -> str:
    day = record["timestamp"][:10]
    record["timestamp"] = choose("yesterday", f"{day}T25:61:00Z", "17/08/2025 01:55", "2025-02-30T10:00:00Z")
    return "bad_timestamp"


def _future(record: dict, _: Choice) -> str:
    record["timestamp"] = f"2099{record['timestamp'][4:]}"
    return "time_out_of_range"


def _unknown_org(record: dict, choose: Choice) -> str:
    record["org_id"] = choose("org_unknown", "org_gone", f"{record['org_id']}x")
    record["cost_usd_increment"] = abs(record["cost_usd_increment"])
    return "unknown_org"


def _null_cost(record: dict, _: Choice) -> str:
    record["cost_usd_increment"] = None
    return "missing_key"


TEXT_FAULTS = {"truncated": _truncated, "no-utf8": _no_utf8, "no-object": _no_object}
FAULTS: dict[str, Fault] = {
    "wrong-type": _wrong_type,
    "nested": _nested,
    "version-3": _version_3,
    "missing-key": _missing_key,
    "bad-timestamp": _bad_timestamp,
    "clock-in-2099": _future,
    "unknown-org": _unknown_org,
    "null-cost": _null_cost,
}
KINDS = (*TEXT_FAULTS, *FAULTS)
