"""Usage events are read twice in the same way: as whole columns where they are usual, and one by one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workloads.cloud_usage import events, judged, repairs, usual
from workloads.cloud_usage.rules import EVENT_RULES

INGESTED = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


def written(number: str) -> st.SearchStrategy[str]:
    return st.sampled_from([number, f'"{number}"'])


AMOUNTS = st.one_of(
    st.floats(-1e9, 1e9).map(repr),
    st.floats(-1e-3, 1e-3).map(repr),
    st.integers(-(10**10), 10**10).map(str),
    st.decimals(-(10**9), 10**9, places=8).map(str),
    st.sampled_from(["0", "-0.0", "1e-05", "1.234e-05", "1.23e-06", "5e-09", "1E3", ".5", "07", "NaN", "null", "true"]),
)
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=0x10FFFF), max_size=8).map(json.dumps)
TIMES = st.one_of(
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(lambda time: f"{time:%Y-%m-%dT%H:%M:%S}Z".zfill(20)),
    st.sampled_from(["2024-02-29T00:00:00Z", "2025-02-29T00:00:00Z", "2025-06-31T00:00:00Z", "2025-01-01T24:00:00Z"]),
).map(json.dumps)


USUAL = (
    '{"event_id": "e", "timestamp": "2025-08-17T01:55:00Z", "org_id": "o", "resource_id": "r", "service": "s", '
    '"region": "g", "metric": "m", "value": "-12.5", "unit": null, "cost_usd_increment": 1.7e-05, "schema_version": 2, '
    '"carbon_kg": 0.1, "genai_tokens": 7}'
)


TEXT = st.one_of(st.sampled_from(['"a b"', '" "', '""', "null", "12", "{}", '"[x"']), TEXTS)
OTHERWISE = {
    **dict.fromkeys(("event_id", "org_id", "resource_id", "service", "region", "metric", "unit"), TEXT),
    "timestamp": TIMES,
    **dict.fromkeys(("value", "cost_usd_increment", "carbon_kg"), AMOUNTS.flatmap(written)),
    "schema_version": st.sampled_from(["1", "2", "3", '"2"', "2.0"]),
    "genai_tokens": st.sampled_from(["7", "7.0", '"7"', "7.5", "null", "07", "9" * 15, "9" * 20]),
}


@st.composite
def lines(draw) -> str:
    """Usual events with some of their values written in other ways, usual or not."""
    parts = {key: json.dumps(value) for key, value in json.loads(USUAL).items()}
    for key in draw(st.sets(st.sampled_from(sorted(OTHERWISE)), max_size=3)):
        parts[key] = draw(OTHERWISE[key])
    for key in draw(st.sets(st.sampled_from(["carbon_kg", "genai_tokens", "unit"]), max_size=1)):
        del parts[key]
    comma, colon = draw(st.sampled_from([(", ", ": "), (",", ":"), (" ,", " :")]))
    end = draw(st.sampled_from(["}", "}\r", "}x"]))
    return "{" + comma.join(f'"{key}"{colon}{value}' for key, value in parts.items()) + end


@settings(max_examples=1_000, deadline=None)
@given(lines())
@example(USUAL)
@example(USUAL.replace("1.7e-05", "-0.011"))
@example(USUAL.replace("2025-08-17", "1999-12-31"))
@example(USUAL.replace("2025-08-17", "2026-11-22"))
@example(USUAL.replace('"m"', f'"{"m" * 2**20}"'))
@example(USUAL.replace("0.1", "00.1"))
@example(USUAL.replace(": 7}", ": 07}"))
def test_what_is_usual_says_what_it_says_one_by_one(line: str) -> None:
    texts = pa.array([line])
    by_itself = judged.judge(line, False, INGESTED)

    if usual.is_usual(texts)[0].as_py():
        (found,) = usual.read(texts, INGESTED).to_pylist()
        assert found == by_itself.columns | {"rule": by_itself.rule}
    assert by_itself.rule is None or by_itself.rule in EVENT_RULES


def test_usual_lines_are_read_as_such() -> None:
    (found,) = usual.read(pa.array([USUAL]), INGESTED).to_pylist()

    assert found["value"] == Decimal("-12.5")
    assert (found["cost_usd"], found["unit"], found["rule"]) == (Decimal("0.000017"), None, None)
    assert usual.is_usual(pa.array([USUAL, USUAL.replace(", ", ","), f"{USUAL}\r", USUAL[:-1]])).to_pylist() == [
        True, True, True, False,
    ]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.text(), st.booleans())
@example('{"event_id": "\\ud800"}', False)
@example("[" * 100_000, False)
@example("9" * 5_000, False)
def test_no_text_is_too_much(text: str, damaged: bool) -> None:
    assert judged.judge(text, damaged, INGESTED).rule in EVENT_RULES


def test_a_batch_keeps_its_order_and_takes_repairs() -> None:
    texts = ["{", USUAL, '{"colour": "red", ' + USUAL[1:], "\\xff", "x"]
    lines = pa.RecordBatch.from_pydict(
        {
            "file": ["a"] * 5,
            "line": range(1, 6),
            "raw": pa.array([None, None, None, b"\xff", None], pa.binary()),
            "text": texts,
            "damaged_text": [False, False, False, True, False],
        }
    )
    read = events.reader(INGESTED, {"a": {5: USUAL}, "b": {1: USUAL}})

    found = read(lines).to_pylist()

    assert [row["rule"] for row in found] == ["not_json", None, None, "damaged_text", None]
    assert [row["new_keys"] for row in found] == [None, None, ["colour"], None, None]
    assert [row["line"] for row in found] == [1, 2, 3, 4, 5]
    assert [row["event_id"] for row in found] == [None, "e", "e", None, "e"]
    assert found[4]["text"] == USUAL


def test_a_repair_takes_the_place_of_bytes() -> None:
    lines = pa.RecordBatch.from_pydict(
        {"file": ["a"], "line": [1], "raw": [b"\xff"], "text": ["\\xff"], "damaged_text": [True]}
    )

    assert repairs.applied(lines, {"a": {1: "good"}}).to_pylist() == [
        {"file": "a", "line": 1, "raw": None, "text": "good", "damaged_text": False}
    ]
    assert repairs.applied(lines, {"b": {1: "good"}}) == lines
