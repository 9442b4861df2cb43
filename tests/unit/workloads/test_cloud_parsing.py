"""What is read of usage events and masters, and which rule what breaks: one Spark job for each table of cases."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

pytestmark = pytest.mark.spark

INGESTED = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
GOOD = {
    "event_id": "evt_1",
    "timestamp": "2025-08-17T01:55:00Z",
    "org_id": "org_1",
    "resource_id": "res_1",
    "service": "genai",
    "region": "sa-east",
    "metric": "requests",
    "value": 12.5,
    "unit": "count",
    "cost_usd_increment": 0.9561,
    "schema_version": 2,
    "carbon_kg": 0,
    "genai_tokens": 7,
}


def line(**changes) -> str:
    """A usage event, changed; a key that is to be absent is given as `...`."""
    return json.dumps({key: value for key, value in {**GOOD, **changes}.items() if value is not ...})


KEPT = {
    "as it is": (line(), {}),
    "a number as text": (line(value="12.5"), {}),
    "a number as text, with blanks": (line(value=" 12.5 "), {}),
    "no value": (line(value=None), {"value": None}),
    "no unit": (line(unit=None), {"unit": None}),
    "version 1": (
        line(schema_version=1, carbon_kg=..., genai_tokens=...),
        {"schema_version": 1, "carbon_kg": None, "genai_tokens": None},
    ),
    "a cost a little below zero": (line(cost_usd_increment=-0.01), {"cost_usd": Decimal("-0.01")}),
    "an exponent": (line(cost_usd_increment=1e-05), {"cost_usd": Decimal("0.00001")}),
    "another zone": (line(timestamp="2025-08-17T03:55:00+02:00"), {}),
    "no zone": (line(timestamp="2025-08-17 01:55:00"), {}),
    "a new key": (line(colour="red"), {}),
    "blanks around": (f"  {line()} \r", {}),
    "braces within": (line(metric="a}b{"), {"metric": "a}b{"}),
    "tokens with a point": (line(genai_tokens=7.0), {}),
    "on the last day that there may be": (line(timestamp="2026-11-22T08:00:00Z"), {"event_date": date(2026, 11, 22)}),
}
BROKEN = {
    "truncated": (line()[:-20], "not_json"),
    "nothing": ("", "not_json"),
    "a list": (f"[{line()}]", "not_json"),
    "two objects": (f"{line()}{line()}", "not_json"),
    "two objects, by comma": (f"{line()},{line()}", "not_json"),
    "something after it": (f"{line()} and }}", "not_json"),
    "single quotes": (line().replace('"', "'"), "not_json"),
    "no number of JSON": (line().replace("12.5", "NaN"), "not_json"),
    "no id": (line(event_id=...), "missing_key"),
    "an empty id": (line(event_id=" "), "missing_key"),
    "a null cost": (line(cost_usd_increment=None), "missing_key"),
    "a nested customer": (line(org_id={"id": "org_1"}), "wrong_type"),
    "a list of units": (line(unit=["count"]), "wrong_type"),
    "version 3": (line(schema_version=3), "unknown_schema_version"),
    "a version that is none": (line(schema_version="two"), "unknown_schema_version"),
    "no time": (line(timestamp="yesterday"), "bad_timestamp"),
    "half a time": (line(timestamp="2025-08"), "bad_timestamp"),
    "a day that is not": (line(timestamp="2025-02-30T00:00:00Z"), "bad_timestamp"),
    "a clock in 2099": (line(timestamp="2099-01-01T00:00:00Z"), "time_out_of_range"),
    "a clock in 1970": (line(timestamp="1970-01-01T00:00:00Z"), "time_out_of_range"),
    "a value that is none": (line(value="many"), "bad_number"),
    "a nested value": (line(value={"is": 1}), "bad_number"),
    "true as value": (line(value=True), "bad_number"),
    "an empty value": (line(value=""), "bad_number"),
    "a cost that is too large": (line(cost_usd_increment=1e12), "bad_number"),
    "half a token": (line(genai_tokens=7.5), "bad_number"),
    "a cost in too fine parts": (line(cost_usd_increment="0.123456789"), "inexact_amount"),
    "a cost below the minimum": (line(cost_usd_increment=-0.0101), "cost_below_minimum"),
    "a line over a mebibyte": (line(metric="m" * 2**20), "oversized"),
}


@pytest.fixture(scope="module")
def parsed(spark) -> dict[str, dict]:
    """All cases, parsed in one job, by name."""
    from workloads.cloud_usage import events

    cases = {name: text for name, (text, _) in {**KEPT, **BROKEN}.items()}
    rows = [(name, text, False) for name, text in cases.items()] + [("bytes", "\\xff", True)]
    lines = spark.createDataFrame(rows, "name STRING, text STRING, damaged_text BOOLEAN")
    micros = "unix_micros(event_time) AS micros"
    return {row["name"]: row.asDict() for row in events.parse(lines, INGESTED, {}).selectExpr("*", micros).collect()}


def test_what_can_be_cured_or_kept_is_kept(parsed) -> None:
    plain = {
        "event_id": "evt_1", "event_date": date(2025, 8, 17), "org_id": "org_1", "resource_id": "res_1",
        "service": "genai", "region": "sa-east", "metric": "requests", "value": Decimal("12.5"), "unit": "count",
        "cost_usd": Decimal("0.9561"), "schema_version": 2, "carbon_kg": Decimal(0), "genai_tokens": 7, "rule": None,
    }  # fmt: skip
    found = {name: {key: parsed[name][key] for key in plain} for name in KEPT}

    assert found == {name: plain | changed for name, (_, changed) in KEPT.items()}
    same = ("as it is", "a number as text", "another zone", "no zone", "a new key", "blanks around")
    assert {parsed[name]["micros"] for name in same} == {1_755_395_700_000_000}
    assert len({parsed[name]["content_hash"] for name in same}) == 1


def test_the_first_rule_that_is_broken_is_named(parsed) -> None:
    expected = {name: rule for name, (_, rule) in BROKEN.items()} | {"bytes": "damaged_text"}

    assert {name: parsed[name]["rule"] for name in expected} == expected


# --- masters ---------------------------------------------------------------------------------------------------------

USERS = b"user_id,org_id,email,role,active,created_at,last_login\n"
FILES = {
    "plain": USERS + b"u1,o1,a@b,dev,True,2025-07-10,\n",
    "shuffled": b"last_login,created_at,active,role,email,org_id,user_id\n,2025-07-10,true,dev,a@b,o1,u1\n",
    "byte order mark, CRLF, blank lines": b"\xef\xbb\xbf" + USERS.replace(b"\n", b"\r\n")
    + b"\r\nu1,o1,a@b,dev,True,2025-07-10,\r\n\r\n",
    "missing and new": b"user_id,org_id,email,colour,role,active\nu1,o1,a@b,red,dev,True\n",
    "quoted newline": USERS + b'u1,o1,"a\nb, ""c""",dev,True,2025-07-10,\nu2,o1,a@b,dev,True,2025-07-10,\n',
    "no key": USERS + b",o1,a@b,dev,True,2025-07-10,\n",
    "wrong types": USERS + b"u1,o1,a@b,dev,perhaps,2025-07-10,\nu2,o1,a@b,dev,True,10/07/2025,\n",
    "too few fields": USERS + b"u1,o1\n",
    "damaged": USERS + b"u1,o1,a\xff,dev,True,2025-07-10,\n",
    "open quote": USERS + b'u1,o1,a@b,dev,True,2025-07-10,\nu2,o1,"a@b,dev,True,2025-07-10,\n',
    "two of a name": b"user_id,org_id,org_id\nu1,o1,o2\n",
    "empty": b"",
    "header only": USERS,
}  # fmt: skip


@pytest.fixture(scope="module")
def masters_of(tmp_path_factory) -> dict[str, list[tuple]]:
    """The records of each file, as a delivery of users, with what is judged of them."""
    from workloads.cloud_usage import masters
    from workloads.cloud_usage.sources import BY_NAME
    from workloads.lakehouse import raw_csv

    folder: Path = tmp_path_factory.mktemp("masters")
    found = {}
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
        records = list(raw_csv.records(folder / name))
        found[name] = [(record, masters.judge(record, BY_NAME["users"])) for record in records]
    return found


def test_columns_are_bound_by_name(masters_of) -> None:
    def told(name: str) -> list[tuple]:
        names = ("user_id", "org_id", "email", "role", "active", "created_at", "last_login")
        return [(record.line, *map(judged.said.get, names), judged.rule) for record, judged in masters_of[name]]

    user = ("u1", "o1", "a@b", "dev", "true", "2025-07-10", None, None)
    assert told("plain") == told("shuffled") == [(2, *user)]
    assert told("byte order mark, CRLF, blank lines") == [(3, *user)]
    assert told("missing and new") == [(2, "u1", "o1", "a@b", "dev", "true", None, None, None)]
    quoted, after = told("quoted newline")
    assert quoted == (2, "u1", "o1", 'a\nb, "c"', *user[3:])
    assert after == (4, "u2", *user[1:])
    assert masters_of["quoted newline"][0][0].text == 'u1,o1,"a\nb, ""c""",dev,True,2025-07-10,'
    assert told("empty") == told("header only") == []


def test_what_is_wrong_with_a_master_is_said(masters_of) -> None:
    said = {
        name: [(judged.rule, judged.reason) for _, judged in told if judged.rule] for name, told in masters_of.items()
    }

    assert {name: reasons for name, reasons in said.items() if reasons} == {
        "no key": [("missing_key", "it names no user_id")],
        "wrong types": [
            ("bad_value", "active holds 'perhaps'"),
            ("bad_value", "created_at holds '10/07/2025'"),
        ],
        "too few fields": [("not_csv", "2 fields where the header names 7")],
        "damaged": [("not_csv", "bytes that are no UTF-8 text")],
        "open quote": [("not_csv", "no CSV: unexpected end of data")],
        "two of a name": [("not_csv", "the header names 'org_id' twice")],
    }
    assert masters_of["damaged"][0][0].raw == b"u1,o1,a\xff,dev,True,2025-07-10,"
    assert masters_of["open quote"][1][0].text == 'u2,o1,"a@b,dev,True,2025-07-10,'


@pytest.mark.parametrize(
    ("currency", "rate", "rule"),
    [
        ("USD", "0.97", None), ("USD", "", None), ("ARS", "0.0016", None), ("ARS", "", "unknown_currency"),
        ("XYZ", "1.0", "unknown_currency"), ("usd", "1.0", "unknown_currency"), ("EUR", "0", "unknown_currency"),
    ],
)  # fmt: skip
def test_unknown_currencies_are_set_aside(currency: str, rate: str, rule: str | None) -> None:
    from workloads.cloud_usage import masters
    from workloads.cloud_usage.sources import BY_NAME
    from workloads.lakehouse.raw_csv import CsvRecord

    fields = {"invoice_id": "i", "org_id": "o", "month": "2025-06-01", "subtotal": "-1.5", "currency": currency}
    fields |= {"exchange_rate_to_usd": rate} if rate else {}

    judged = masters.judge(CsvRecord(2, "t", None, None, fields), BY_NAME["billing"])

    assert judged.rule == rule
    assert rule or Decimal(judged.said["subtotal"]) == Decimal("-1.5")


def test_the_table_of_a_master_has_its_types(spark, tmp_path) -> None:
    from workloads.cloud_usage import masters
    from workloads.cloud_usage.sources import BY_NAME
    from workloads.lakehouse import raw_files

    (tmp_path / "users.csv").write_bytes(FILES["plain"])
    (tmp_path / "billing.csv").write_bytes(
        b"invoice_id,org_id,month,subtotal,currency,exchange_rate_to_usd\ni,o,2025-06-01,-1.5,ARS,0.0016\n"
    )
    day = date(2026, 11, 21)
    of = {file.name.partition(".")[0]: file for file in raw_files.survey(tmp_path)}
    found = masters.read(spark, [masters.Delivery(BY_NAME[name], file, day) for name, file in of.items()])

    (user,) = masters.table(found, BY_NAME["users"]).collect()
    (bill,) = masters.table(found, BY_NAME["billing"]).collect()

    assert tuple(user) == ("users.csv", 2, day, "u1", "o1", "a@b", "dev", True, date(2025, 7, 10), None)
    assert (bill["month"], bill["subtotal"], bill["exchange_rate_to_usd"]) == (
        date(2025, 6, 1), Decimal("-1.5"), Decimal("0.0016"),
    )  # fmt: skip


TYPED = {
    "DATE": [("2025-07-10", "2025-07-10"), ("2025-02-29", None), ("10/07/2025", None), ("2025-7-1", None),
             ("٢٠٢٥-07-10", None)],
    "BOOLEAN": [("True", "true"), ("FALSE", "false"), ("1", None), ("perhaps", None)],
    "DECIMAL(5,2)": [("1", "1.00"), ("-1.5e1", "-15.00"), (".005", "0.01"), ("0.0049", "0.00"), ("-0.004", "0.00"),
                     ("999.994", "999.99"), ("999.995", None), ("1e99", None), ("1e100", None), ("1,5", None),
                     ("NaN", None), ("0" * 990 + "7", "7.00"), ("0" * 1_000 + "7", None)],
    "STRING": [("x", "x")],
}  # fmt: skip


def test_a_type_has_one_text_for_what_is_said() -> None:
    from workloads.cloud_usage import masters

    assert {kind: [(text, masters.form(kind)(text)) for text, _ in told] for kind, told in TYPED.items()} == TYPED


def test_what_is_said_is_what_spark_reads(spark) -> None:
    """Spark's own casts give the same values; what has too many characters is none of ours."""
    for kind, told in TYPED.items():
        texts = [text for text, _ in told if len(text) < 1_000]
        frame = spark.createDataFrame(list(enumerate(texts)), "n INT, text STRING").orderBy("n")
        found = [row[0] for row in frame.selectExpr(f"CAST(try_cast(text AS {kind}) AS STRING)").collect()]
        ours = [value for text, value in told if len(text) < 1_000]
        # Spark takes dates and truths of more forms than a master may use.
        assert [one for one, own in zip(found, ours, strict=True) if own is not None] == [
            own for own in ours if own is not None
        ]


def deliver(spark, *records: tuple[str, str, str, str]):
    """Records `key, role, day, file` of users, told apart; `line` counts them."""
    from workloads.cloud_usage import masters

    rows = [
        ("users", file, number, "", None, date.fromisoformat(day), {"role": role}, key, role, None, None)
        for number, (key, role, day, file) in enumerate(records, 1)
    ]
    # One that breaks a rule changes nothing for the others.
    broken = ("users", "z", 0, "", None, date(2026, 1, 1), {}, "u1", "", "bad_value", "it is broken")
    frame = spark.createDataFrame([*rows, broken], masters.SCHEMA)
    first, *told = masters.told_apart(frame).orderBy("source_line").collect()
    assert (first["rule"], first["reason"], first["repeated"]) == ("bad_value", "it is broken", False)
    return [row["rule"] or ("repeated" if row["repeated"] else "kept") for row in told]


def test_deliveries_are_told_apart(spark) -> None:
    told = deliver(
        spark,
        ("u1", "dev", "2026-01-01", "a"),
        ("u1", "dev", "2026-01-01", "a"),  # says it twice
        ("u1", "ops", "2026-01-02", "b"),  # changes
        ("u1", "ops", "2026-01-03", "c"),  # says what was so
        ("u1", "dev", "2026-01-04", "d"),  # changes back
        ("u2", "dev", "2026-01-01", "a"),  # disagrees with the last one of its day
        ("u2", "ops", "2026-01-01", "a"),
        ("u2", "dev", "2026-01-01", "a0"),  # the last one, by file, of its day: says it again
    )

    assert told == [
        "repeated", "kept", "kept", "repeated", "kept", "repeated", "conflicting_record", "kept",
    ]  # fmt: skip


def test_history_has_no_gap(spark) -> None:
    from workloads.cloud_usage import dimensions

    days = [date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)]
    delivered = spark.createDataFrame(
        [("u", day) for day in reversed(days)] + [("v", days[1])], "id STRING, as_of DATE"
    )

    found = dimensions.history(delivered, "id").orderBy("id", "as_of")

    first = date(1, 1, 1)
    assert [tuple(row) for row in found.select("id", "valid_from", "valid_to", "is_current").collect()] == [
        ("u", first, days[1], False), ("u", days[1], days[2], False), ("u", days[2], None, True),
        ("v", first, None, True),
    ]  # fmt: skip
