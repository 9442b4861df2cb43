"""Pseudonyms: the hash is HMAC-SHA256, the key is asked for, and text loses the names that its columns hold."""

from __future__ import annotations

import hashlib
import hmac
import re
import tomllib

import pytest

from workloads.lakehouse.errors import TaskError
from workloads.ssh_logs import messages
from workloads.ssh_logs.pseudonyms import DIGITS, KEY, UNTOLD, WITHHELD, Pseudonyms

SECRET = "0123456789abcdef0123456789abcdef"


def test_without_a_proper_key_the_error_says_what_to_set() -> None:
    for value in ("", "short", "{{secrets/logs/names-that-nobody-resolved}}"):
        with pytest.raises(TaskError, match=r"MEDALLION_PSEUDONYM_KEY.*databricks\.pseudonym_key"):
            Pseudonyms.of("users", {KEY: value})
    with pytest.raises(TaskError, match="takes off, users, users-and-addresses, not 'all'"):
        Pseudonyms.of("all", {KEY: SECRET})
    assert Pseudonyms.of("off", {}) == Pseudonyms("off")


def expected(kind: str, name: str, key: str) -> str:
    return f"{kind}-{hmac.new(key.encode(), f'{kind}:{name}'.encode(), hashlib.sha256).hexdigest()[:DIGITS]}"


@pytest.mark.spark
@pytest.mark.parametrize("key", [SECRET, "k" * 64, "k" * 65])
def test_pseudonyms_are_hmacs(spark, key: str) -> None:
    names = Pseudonyms.of("users", {KEY: key})
    frame = spark.createDataFrame([("root",), ("",), ("naïve 用户",), (None,)], "user STRING")
    found = [row["user"] for row in names.hide(frame).collect()]

    assert found == [*(expected("user", name, key) for name in ("root", "", "naïve 用户")), None]


@pytest.mark.spark
def test_text_loses_the_names_that_its_columns_hold(spark) -> None:
    # Message, user, address, whether it is known, template, event.
    rows = [
        ("Failed password for a from 10.0.0.1 port 1 ssh2", "a", "10.0.0.1", True, "Failed password for <*>", "failed"),
        ("Invalid user x\\E.* y from 10.0.0.1", "x\\E.* y", "10.0.0.1", True, "Invalid user <*>", "invalid-user"),
        ("Address 10.9.9.9 maps to h, for 10.0.0.1", None, "10.0.0.1", True, "Address <*> maps to <*>", "address-maps"),
        ("something about anna", None, None, False, "something about anna", "unknown-0"),
        ("debug1: trying public key file /home/anna/.ssh/x", None, None, True, "debug1: trying <*>", "debug1-trying"),
        ("pam_access(sshd:account): tok=anna", None, None, True, "pam_access(<*>): tok=<*>", "module-pam-access-tok"),
    ]
    schema = "message STRING, user STRING, source_address STRING, known BOOLEAN, event_template STRING, event_id STRING"
    frame = spark.createDataFrame(rows, schema)
    users = Pseudonyms.of("users", {KEY: SECRET}).hide(frame).collect()
    both = Pseudonyms.of("users-and-addresses", {KEY: SECRET}).hide(frame).collect()

    a, odd, address = (
        expected("user", "a", SECRET),
        expected("user", "x\\E.* y", SECRET),
        expected("address", "10.0.0.1", SECRET),
    )
    assert [row["message"] for row in users] == [
        f"Failed password for {a} from 10.0.0.1 port 1 ssh2",
        f"Invalid user {odd} from 10.0.0.1",
        "Address 10.9.9.9 maps to h, for 10.0.0.1",
        *[WITHHELD] * 3,
    ]
    assert [row["message"] for row in both] == [
        f"Failed password for {a} from {address} port 1 ssh2",
        f"Invalid user {odd} from {address}",
        f"Address <*> maps to h, for {address}",
        *[WITHHELD] * 3,
    ]
    assert {row["source_address"] for row in users} == {"10.0.0.1", None}
    assert {row["source_address"] for row in both} == {address, None}
    assert [row["event_template"] for row in both] == [
        *(row[4] for row in rows[:3]),
        WITHHELD,
        *(row[4] for row in rows[4:]),
    ]
    assert Pseudonyms.of("off", {}).hide(frame).collect() == frame.collect()


def test_what_is_withheld_is_told_by_the_file_of_its_entry() -> None:
    hand_written, *lists = (tomllib.loads(file.read_text()) for file in messages.CATALOGUE)
    assert not [key for key in hand_written if re.match(UNTOLD, key)]
    assert not [key for entries in lists for key in entries if not re.match(UNTOLD, key)]


@pytest.mark.spark
def test_records_of_bronze_lose_their_text(spark) -> None:
    columns = "host STRING, raw BINARY, text STRING, message STRING"
    frame = spark.createDataFrame([("h", b"\xff", "Dec  9 Failed password for hunter2", "for hunter2")], columns)
    names = Pseudonyms.of("users", {KEY: SECRET})
    assert names.withhold(frame).schema == frame.schema
    assert [tuple(row) for row in names.withhold(frame).collect()] == [("h", None, None, None)]
    assert Pseudonyms("off").withhold(frame).collect() == frame.collect()


@pytest.mark.spark
def test_campaigns_lose_addresses_and_ids_made_of_them(spark) -> None:
    frame = spark.createDataFrame([("c", ["10.0.0.1", "10.0.0.2"])], "campaign_id STRING, addresses ARRAY<STRING>")
    (row,) = Pseudonyms.of("users-and-addresses", {KEY: SECRET}).hide(frame).collect()

    assert row["addresses"] == sorted(expected("address", f"10.0.0.{n}", SECRET) for n in (1, 2))
    assert len(row["campaign_id"]) == DIGITS
