"""Heads of syslog lines as other programs write, collect and copy them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.ssh_logs import json_forms, months

pytestmark = pytest.mark.spark  # no session, but what imports pyspark


def test_an_entry_of_a_journal_in_json_is_read(read_heads) -> None:
    entry = {
        "__REALTIME_TIMESTAMP": "1705314645123456",
        "_HOSTNAME": "h",
        "SYSLOG_IDENTIFIER": "sshd",
        "_PID": "7",
        "MESSAGE": 'Invalid user "a\tb" from 192.0.2.1',
    }
    deep = '{"a":' * 100_000
    time, said = "2024-01-15 10:30:45.123456+00:00", entry["MESSAGE"]
    lines = {
        json.dumps(entry): (None, time, "h", "sshd", 7, said),
        json.dumps({name: entry[name] for name in ("__REALTIME_TIMESTAMP", "MESSAGE")}): (
            None, time, None, "-", None, said),
        json.dumps(entry | {"MESSAGE": [70, 97]}): ("no-header", None, None, None, None, None),
        json.dumps(entry | {"__REALTIME_TIMESTAMP": "soon"}): ("no-header", None, None, None, None, None),
        json.dumps(entry | {"MESSAGE": "\ud800"}): ("no-header", None, None, None, None, None),
        json.dumps([entry]): ("no-header", None, None, None, None, None),
        '{"log": "text"}': ("no-header", None, None, None, None, None),
        "{": ("no-header", None, None, None, None, None),
        deep: ("no-header", None, None, None, None, None),
    }  # fmt: skip
    found = [
        (
            row["rule"],
            row["event_time"] and str(row["event_time"]),
            *map(row.get, ("host", "process", "pid", "message")),
        )
        for row in read_heads(list(lines))
    ]
    assert found == list(lines.values())


SAID = "Failed password for root from 192.0.2.1 port 22 ssh2"
IN_LINE = "Jan 15 10:30:45 h sshd[7]: " + SAID


@pytest.mark.parametrize(
    "entry",
    [
        {"TimeGenerated": "2026-01-15T10:30:45.5Z", "Computer": "h", "Facility": "auth", "ProcessName": "sshd",
         "ProcessID": 7, "SyslogMessage": SAID},  # Azure Monitor
        {"TimeGenerated": "2026-01-15T10:31:00Z", "EventTime": "2026-01-15T10:30:45Z", "HostName": "h",
         "Computer": "collector", "ProcessName": "sshd", "ProcessID": "7", "SyslogMessage": SAID},
        {"PROGRAM": "sshd", "PID": "7", "MESSAGE": SAID, "HOST": "h", "DATE": "Jan 15 10:30:45"},  # syslog-ng
        {"msg": " " + SAID, "timereported": "2026-01-15T10:30:45+00:00", "hostname": "h", "programname": "sshd",
         "procid": "7", "syslogtag": "sshd[7]:"},  # rsyslog
        {"@timestamp": "2026-01-15T10:30:45.000Z", "host": {"hostname": "h", "name": "other"},
         "process": {"name": "sshd", "pid": 7}, "message": SAID},  # Elastic Common Schema
        {"@timestamp": "2026-01-15T10:30:45.000Z", "host.name": "h", "process.name": "sshd", "process.pid": 7,
         "message": SAID},
        {"_index": "logs", "_source": {"@timestamp": "2026-01-15T10:31:00.000Z", "message": IN_LINE}},
        {"time": 1768473045, "host": "h", "ident": "sshd", "pid": "7", "message": SAID},  # fluentd
        {"log": IN_LINE + "\n", "stream": "stdout", "time": "2026-01-15T10:31:00.123456789Z"},  # Docker
        {"log": "<38>1 2026-01-15T10:30:45Z h sshd 7 - - " + SAID},
        {"timestamp": 1768473099000, "message": "2026-01-15T10:30:45+00:00 h sshd[7]: " + SAID},  # CloudWatch
        {"labels": {}, "line": IN_LINE, "timestamp": "1768473099000000000"},  # Loki
        {"textPayload": IN_LINE, "timestamp": "2026-01-15T10:31:00Z"},  # Google Cloud Logging
        {"timestamp": "2026-01-15T10:31:00.000Z", "rule": {"id": "5760"}, "full_log": IN_LINE},  # Wazuh
        {"preview": False, "result": {"_raw": IN_LINE}},  # Splunk
    ],
)  # fmt: skip
def test_objects_of_collectors_and_stores_are_read(read_heads, entry: dict) -> None:
    (row,) = read_heads([json.dumps(entry)])

    assert (row["rule"], row["host"], row["process"], row["pid"]) == (None, "h", "sshd", 7)
    assert (f"{row['event_time']:%Y-%m-%d %H:%M:%S}", row["message"]) == ("2026-01-15 10:30:45", SAID)


def test_a_message_that_looks_like_a_line_of_sshd_is_what_its_process_said(read_heads) -> None:
    entry = {"__REALTIME_TIMESTAMP": "1705314645123456", "SYSLOG_IDENTIFIER": "mallory", "MESSAGE": IN_LINE}
    (row,) = read_heads([json.dumps(entry)])

    assert (row["process"], row["is_sshd"], row["message"]) == ("mallory", False, IN_LINE)


@pytest.mark.parametrize(
    ("time", "micros"),
    [
        ("1768473045", 0),
        (1768473045.25, 250_000),
        ("1768473045123", 123_000),
        ("1768473045123456", 123_456),
        (1768473045123456789, 123_456),
    ],
)
def test_numbers_are_moments_by_how_many_digits_they_have(read_heads, time: str | float, micros: int) -> None:
    (row,) = read_heads([json.dumps({"time": time, "ident": "sshd", "message": SAID})])

    assert row["event_time"] == datetime(2026, 1, 15, 10, 30, 45, micros, tzinfo=UTC)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda values: (
            st.lists(values)
            | st.dictionaries(
                st.sampled_from(sorted({name for form in json_forms.FORMS for names in form for name in names}))
                | st.text(),
                values,
            )
        ),
    )
)
def test_whatever_an_object_holds_it_is_a_line(value: object) -> None:
    text = json.dumps(value)
    line = json_forms.line_of(text)

    assert line == text or isinstance(value, dict)
    line.encode()


@pytest.mark.parametrize(
    "before",
    ["  ", "\t", "auth.log:", "/var/log/auth.log.2.gz:", "12:", "auth.log:12:", "    12\t", "web1: ", "sshd-1  | ",
     "2026-06-14T15:16:01.12345 auth.info: "],
)  # fmt: skip
def test_what_collected_or_copied_a_line_may_have_put_something_before_it(read_heads, before: str) -> None:
    heads = (
        "Jun 14 15:16:01 h sshd[7]: said",
        "Sun Jun 14 15:16:01 2026 h sshd[7]: said",
        "2026-06-14T15:16:01+00:00 h sshd[7]: said",
        "<38>1 2026-06-14T15:16:01Z h sshd 7 - - said",
    )
    rows = read_heads([before + head for head in heads])
    found = [(str(row["event_time"])[:19], row["host"], row["pid"], row["message"]) for row in rows]
    assert found == [("2026-06-14 15:16:01", "h", 7, "said")] * len(heads)


@pytest.mark.parametrize(
    ("head", "utc"),
    [
        ("Wed 2026-07-22 09:47:32 CEST", "2026-07-22 07:47:32"),
        ("Wed 2026-07-22 09:47:32.250000 CEST", "2026-07-22 07:47:32.250000"),
        ("Wed 2026-07-22 09:47:32 UTC", "2026-07-22 09:47:32"),
        ("Wed 2026-07-22 09:47:32 +03", "2026-07-22 06:47:32"),
        ("Wed 2026-07-22 09:47:32 -0330", "2026-07-22 13:17:32"),
        ("Wed 2026-07-22 09:47:32", "2026-07-22 07:47:32"),
    ],
)
def test_a_journal_names_the_zone_by_letters(read_heads, head: str, utc: str) -> None:
    for host in ("h", "HOST"):
        (row,) = read_heads([f"{head} {host} sshd[1]: error: x: y"], "Europe/Berlin")
        assert row["event_time"] == datetime.fromisoformat(f"{utc}+00:00")
        assert (row["rule"], row["host"], row["process"], row["message"]) == (None, host, "sshd", "error: x: y")


@pytest.mark.parametrize(
    ("line", "utc", "host", "process", "pid"),
    [
        ("1784713652.755556 h sshd[1]: ", "2026-07-22 09:47:32.755556", "h", "sshd", 1),  # journalctl -o short-unix
        ("4200 2026-09-20 10:00:01.123 ", "2026-09-20 10:00:01.123", None, "sshd", 4200),  # OpenSSH for Windows
        ("4200 2026-09-20 10:00:01.123   ", "2026-09-20 10:00:01.123", None, "sshd", 4200),
        ("- 1131566479 2005.11.09 n1 Nov 9 12:01:19 local@n1 sshd[2]: ", "2005-11-09 12:01:19", "n1", "sshd", 2),
        ("R_X 1131566479 2005.11.09 n1 Nov 10 12:01:19 n1/n1 sshd[2]: ", "2005-11-10 12:01:19", "n1", "sshd", 2),
        ("2026-09-13 01:17:01 +0200 h sshd[1]: ", "2026-09-12 23:17:01", "h", "sshd", 1),
        ("[2026-09-20 10:00:01] h sshd[1]: ", "2026-09-20 10:00:01", "h", "sshd", 1),
        ("Sep 20 10:00:01: h sshd[1]: ", "2026-09-20 10:00:01", "h", "sshd", 1),  # Cisco
        ("Sep 20 10:00:01 h [auth.info] sshd[1]: ", "2026-09-20 10:00:01", "h", "sshd", 1),  # syslog-ng
        ("2026-09-20 10:00:01.123456-0700  h sshd-session[1]: ", "2026-09-20 17:00:01.123456", "h", "sshd-session", 1),
        ("Sep 20 10:00:01 h sshd[1]:   ", "2026-09-20 10:00:01", "h", "sshd", 1),  # a template of rsyslog
    ],
)  # fmt: skip
def test_heads_of_other_programs_are_read(read_heads, line: str, utc: str, host: str, process: str, pid: int) -> None:
    (row,) = read_heads([f"{line}error: x: y"])
    assert row["event_time"] == datetime.fromisoformat(f"{utc}+00:00")
    found = tuple(row[name] for name in ("rule", "host", "process", "pid", "is_sshd", "message"))
    assert found == (None, host, process, pid, True, "error: x: y")


def test_the_part_of_a_process_may_stand_in_what_it_says(read_heads) -> None:
    said = ["(pam_unix) check pass", "(pam_unix) ", "(pam_unix)x", "a (pam_unix) b", "(pam_unix x", "x"]
    rows = read_heads([f"Jun 14 15:16:01 h sshd[1]: {message}" for message in said])
    assert [(row["module"], row["message"]) for row in rows] == [
        ("pam_unix", "check pass"), (None, "(pam_unix)"), (None, "(pam_unix)x"),
        (None, "a (pam_unix) b"), (None, "(pam_unix x"), (None, "x"),
    ]  # fmt: skip
    (row,) = read_heads(["Jun 14 15:16:01 h sshd(pam_mail)[1]: (pam_unix) check pass"])
    assert (row["module"], row["message"]) == ("pam_mail", "check pass")


@pytest.mark.parametrize(
    ("day", "month"),
    [
        ("Mär 10", 3), ("déc. 10", 12), ("mars  9", 3), ("ago 10", 8), ("мая 10", 5), ("Şub 10", 2), ("OKT 10", 10),
        ("7月 10", 7), (" 7月  9", 7), ("11月 10", 11), (" 1월 10", 1), ("gru 10", 12), ("maalis 10", 3), ("Ιαν 10", 1),
    ],
)  # fmt: skip
def test_a_journal_speaks_the_language_of_its_machine(read_heads, day: str, month: int) -> None:
    (row,) = read_heads([f"{day} 06:55:46 h sshd[1]: x"])
    assert row["event_time"] == datetime(
        2025 if month == 12 else 2026, month, int(day.split()[1]), 6, 55, 46, tzinfo=UTC
    )
    assert (row["rule"], row["host"], row["process"], row["message"]) == (None, "h", "sshd", "x")


def test_a_month_with_a_letter_written_otherwise_is_a_bad_time(read_heads) -> None:
    others = ["ſep", "ςεπ", "µαρ"]  # the long s, the final sigma, and the sign for micro
    rows = read_heads([f"{name} 10 06:55:46 h sshd[1]: x" for name in ["sep", *others]])
    assert [row["rule"] for row in rows] == [None, "bad-time", "bad-time", "bad-time"]


def test_every_name_of_a_month_is_read(read_heads) -> None:
    names = list(months.NUMBER_OF)
    rows = read_heads([f"{name} 10 06:55:46 h sshd[1]: x" for name in names])
    assert [row["event_time"].month for row in rows] == list(months.NUMBER_OF.values())
    for names in months.ABBREVIATED.values():
        assert [months.NUMBER_OF[name] for name in names.split()] == list(range(1, 13))
