"""Heads of syslog lines: what is read of them, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workloads.ssh_logs import header, usual
from workloads.ssh_logs.generate import generate
from workloads.ssh_logs.header import RULES, SOUND

pytestmark = pytest.mark.spark

NOT_AFTER = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
COLUMNS = ("rule", "time", "host", "process", "module", "pid", "is_sshd", "message")


def parsed(
    spark, lines: list[bytes], time_zone: str = "UTC", year: int = 0, not_after: datetime = NOT_AFTER
) -> list[dict]:
    """What `header.parse` makes of these lines, in their order; `time` is in UTC."""
    from pyspark.sql import functions as fn

    rows = [(n, None, raw.decode("utf-8", "backslashreplace"), False, not_after) for n, raw in enumerate(lines)]
    frame = spark.createDataFrame(
        rows, "line BIGINT, raw BINARY, text STRING, damaged_text BOOLEAN, not_after TIMESTAMP"
    ).coalesce(1)
    found = header.parse(frame, time_zone, year).withColumn("time", fn.date_format("event_time", "yyyy-MM-dd HH:mm:ss"))
    return [row.asDict() for row in found.select("line", "text", *COLUMNS).orderBy("line").collect()]


def test_each_form_of_head_is_read(spark) -> None:
    lines = {
        b"Dec 10 06:55:46 LabSZ sshd[24200]: Invalid user a": (
            "2025-12-10 06:55:46", "LabSZ", "sshd", None, 24200, True, "Invalid user a"),
        b"Dec  9 06:55:46 LabSZ sshd[1]: hello  ": (
            "2025-12-09 06:55:46", "LabSZ", "sshd", None, 1, True, "hello"),
        b"Jun 14 15:16:01 combo sshd(pam_unix)[19939]: check pass\r": (
            "2026-06-14 15:16:01", "combo", "sshd", "pam_unix", 19939, True, "check pass"),
        b"Jun 14 15:16:01 h sshd-session[7]: x: y": (
            "2026-06-14 15:16:01", "h", "sshd-session", None, 7, True, "x: y"),
        b"Jun 14 15:16:01 h kernel: [1.0] eth0: up": (
            "2026-06-14 15:16:01", "h", "kernel", None, None, False, "[1.0] eth0: up"),
        b"Jun 14 15:16:01 h repeated 3 times": (
            "2026-06-14 15:16:01", "h", None, None, None, False, "repeated 3 times"),
        b"2026-01-02T03:04:05.678901+02:00 h sshd[7]: iso": (
            "2026-01-02 01:04:05", "h", "sshd", None, 7, True, "iso"),
        b"2026-01-02T03:04:05+0200 h sshd[7]: iso": (
            "2026-01-02 01:04:05", "h", "sshd", None, 7, True, "iso"),
        b"2026-01-02 03:04:05,5 h sshd[7]: iso": (
            "2026-01-02 03:04:05", "h", "sshd", None, 7, True, "iso"),
        b"<38>1 2026-01-02T03:04:05Z h sshd 7 - - rfc 5424": (
            "2026-01-02 03:04:05", "h", "sshd", None, 7, True, "rfc 5424"),
        b'<38>1 2026-01-02T03:04:05Z h sshd - ID [a b="c"][d] with data': (
            "2026-01-02 03:04:05", "h", "sshd", None, None, True, "with data"),
        b"<38>Jun 14 15:16:01 h sshd[7]: with priority": (
            "2026-06-14 15:16:01", "h", "sshd", None, 7, True, "with priority"),
        b'<38>1 2026-01-02T03:04:05Z h sshd 7 - [a b="c]d" e="f"] \xef\xbb\xbfa mark first': (
            "2026-01-02 03:04:05", "h", "sshd", None, 7, True, "a mark first"),
        b"Jun 14 15:16:01 sshd[7]: no host": (
            "2026-06-14 15:16:01", None, "sshd", None, 7, True, "no host"),
        b"Jun 14 15:16:01 h [sshd]: in brackets": (
            "2026-06-14 15:16:01", "h", "sshd", None, None, True, "in brackets"),
        b"Jun 14 15:16:01 h sshd[7]: [ID 800047 auth.info] of Solaris": (
            "2026-06-14 15:16:01", "h", "sshd", None, 7, True, "of Solaris"),
        b"Jun 14 15:16:01 h auth.info sshd[7]: of BusyBox": (
            "2026-06-14 15:16:01", "h", "sshd", None, 7, True, "of BusyBox"),
        b"Jun 14 15:16:01 <auth.info> h sshd[7]: of FreeBSD": (
            "2026-06-14 15:16:01", "h", "sshd", None, 7, True, "of FreeBSD"),
        b"Jun 14 15:16:01 <4.6> h sshd[7]: of FreeBSD, in numbers": (
            "2026-06-14 15:16:01", "h", "sshd", None, 7, True, "of FreeBSD, in numbers"),
        b"Jun 14 15:16:01 h auth|security:info sshd[7]: of AIX": (
            "2026-06-14 15:16:01", "h", "sshd", None, 7, True, "of AIX"),
        b"Jun 14 15:16:01 h user:info is no priority of a process": (
            "2026-06-14 15:16:01", "h", None, None, None, False, "is no priority of a process"),
        b"2026-01-02T03:04:05+02 h sshd[7]: with an offset of hours": (
            "2026-01-02 01:04:05", "h", "sshd", None, 7, True, "with an offset of hours"),
        b'<38>1 2026-01-02T03:04:05Z h sshd 7 - [a b="c\\"]d\\\\" e="f\\]"] with escapes': (
            "2026-01-02 03:04:05", "h", "sshd", None, 7, True, "with escapes"),
        b"Sun Jun 14 15:16:01 2015 auth.info sshd[7]: of OpenWrt": (
            "2015-06-14 15:16:01", None, "sshd", None, 7, True, "of OpenWrt"),
        b"Feb 29 2016 15:16:01 h sshd[7]: with its year": (
            "2016-02-29 15:16:01", "h", "sshd", None, 7, True, "with its year"),
        b"2026-01-02T03:04:05.678Z In(38) sshd[7]: of ESXi": (
            "2026-01-02 03:04:05", None, "sshd", None, 7, True, "of ESXi"),
        b"<38>Jun 14 15:16:01 Message forwarded from h: sshd[7]: of AIX, from elsewhere": (
            "2026-06-14 15:16:01", "h", "sshd", None, 7, True, "of AIX, from elsewhere"),
        b"Jan 24 21:16:48 2020  h sshd[7]: of Junos": (
            "2020-01-24 21:16:48", "h", "sshd", None, 7, True, "of Junos"),
        b"Jan 24 21:16:48 2020 sshd[7]: of a host with a number": (
            "2026-01-24 21:16:48", "2020", "sshd", None, 7, True, "of a host with a number"),
        b"2024 Jan 15 10:30:45 h sshd[7]: a full date": (
            "2024-01-15 10:30:45", "h", "sshd", None, 7, True, "a full date"),
        b"Wed 2026-07-22 09:47:32 UTC h ssh.service[7]: by its unit": (
            "2026-07-22 09:47:32", "h", "ssh.service", None, 7, True, "by its unit"),
        b"2026 Feb 28 12:05:01 h  authpriv info  sshd[7]: with facility and level": (
            "2026-02-28 12:05:01", "h", "sshd", None, 7, True, "with facility and level"),
        b"Feb 28 12:05:01 authpriv info sshd[7]: without a host": (
            "2026-02-28 12:05:01", None, "sshd", None, 7, True, "without a host"),
        b"Wed 2026-07-22 09:47:32 UTC h init.scope[1]: Started ssh.service": (
            "2026-07-22 09:47:32", "h", "init.scope", None, 1, False, "Started ssh.service"),
        b"2026-09-20 10:00:01.123456-0700 0x1a2b     Default     0x0      7    0    sshd-session: of macOS": (
            "2026-09-20 17:00:01", None, "sshd-session", None, 7, True, "of macOS"),
        b"2026-09-20 10:00:01.123 Df sshd-session[7:5a6b] of macOS, compact": (
            "2026-09-20 10:00:01", None, "sshd-session", None, 7, True, "of macOS, compact"),
        b"2026-09-20 10:00:01.123456-0700  h sshd[7]: of macOS, as syslog": (
            "2026-09-20 17:00:01", "h", "sshd", None, 7, True, "of macOS, as syslog"),
        b"1705314645.123 h sshd[7]: seconds since 1970": (
            "2024-01-15 10:30:45", "h", "sshd", None, 7, True, "seconds since 1970"),
        b"Jun 14 15:16:01.999999 h /usr/sbin/sshd[7]: with fractions and path": (
            "2026-06-14 15:16:01", "h", "/usr/sbin/sshd", None, 7, True, "with fractions and path"),
    }  # fmt: skip
    for line, row in zip(lines, parsed(spark, list(lines)), strict=True):
        assert tuple(row[name] for name in COLUMNS) == (None, *lines[line]), line


def test_lines_that_are_no_records_name_the_rule(spark) -> None:
    lines = {
        b"": "blank",
        b" \t\r": "blank",
        b"Dec 10 06:55:46 LabSZ sshd[1]: nul \0 inside": "binary",
        b"Dec 10 06:55:46 LabSZ sshd[1]: " + b"x" * 2**20: "too-long",
        b"hello world": "no-header",
        b"Dec 10 06:55": "no-header",
        b"Dog 10 06:55:46 h sshd[1]: x": "no-header",
        b"Feb 30 06:55:46 h sshd[1]: x": "bad-time",
        b"Feb 29 2015 06:55:46 h sshd[1]: x": "bad-time",
        b"Dec 10 25:55:46 h sshd[1]: x": "bad-time",
        b"2026-13-02T03:04:05Z h sshd[7]: iso": "bad-time",
        b"2026-01-02T03:04:05+99:00 h sshd[7]: iso": "bad-time",
    }
    assert [row["rule"] for row in parsed(spark, list(lines))] == list(lines.values())
    assert set(lines.values()) | {"damaged-gzip"} == set(RULES)


@pytest.mark.parametrize(
    "line",
    [
        b"a:" * 2**19,
        b" 1:" * 2**18,
        b"a | " * 2**18,
        b"[" * 2**20,
        b"<1>1 a b c d e " + b"[]" * 2**19,
        b"Dec 10 06:55:46 h " + b"a(" * 2**18,
        b"<" + b"1 " * 2**19,
    ],
)
def test_hostile_lines_of_a_megabyte_are_read_or_refused(spark, line: bytes) -> None:
    (row,) = parsed(spark, [line])
    assert row["rule"] in {None, "no-header", "too-long"}


def test_a_time_without_a_year_is_the_latest_that_is_possible(spark) -> None:
    lines = {
        b"Nov 22 08:00:00 h sshd[1]: a": "2026-11-22 08:00:00",
        b"Nov 22 08:00:01 h sshd[1]: a": "2025-11-22 08:00:01",
        b"Jan  1 00:00:00 h sshd[1]: a": "2026-01-01 00:00:00",
        b"Feb 29 12:00:00 h sshd[1]: a": "2024-02-29 12:00:00",
    }
    assert [row["time"] for row in parsed(spark, list(lines))] == list(lines.values())
    assert [row["time"] for row in parsed(spark, [b"Dec 31 00:00:00 h x: a"], year=2020)] == ["2020-12-31 00:00:00"]
    century = parsed(spark, [b"Feb 29 12:00:00 h x: a"], not_after=datetime(2103, 1, 1, tzinfo=UTC))
    assert [row["time"] for row in century] == ["2096-02-29 12:00:00"]


def test_times_without_a_zone_are_of_the_log_s_zone(spark) -> None:
    lines = [b"Jun 14 15:16:01 h x: a", b"2026-06-14T15:16:01 h x: a", b"2026-06-14T15:16:01Z h x: a"]
    rows = parsed(spark, lines, time_zone="Europe/Berlin")
    assert [row["time"] for row in rows] == ["2026-06-14 13:16:01", "2026-06-14 13:16:01", "2026-06-14 15:16:01"]


@pytest.mark.parametrize(
    ("head", "time_zone", "utc"),
    [
        ("2026-10-25T02:30:00", "Europe/Berlin", "2026-10-25 00:30:00"),  # twice: the earlier
        ("2026-03-29T02:30:00", "Europe/Berlin", "2026-03-29 01:30:00"),  # skipped: as if the clocks had not yet been
        ("2026-03-29T01:59:59", "Europe/Berlin", "2026-03-29 00:59:59"),
        ("2026-03-29T03:00:00", "Europe/Berlin", "2026-03-29 01:00:00"),
        ("Apr  5 01:45:00", "Australia/Lord_Howe", "2026-04-04 14:45:00"),  # by half an hour, at 02:00
        ("2100-07-01T12:00:00", "Europe/Berlin", "2100-07-01 10:00:00"),
        ("1850-07-01T12:00:00", "Europe/Berlin", "1850-07-01 11:06:32"),
        ("Jan  1 00:30:00", "Asia/Tokyo", "2025-12-31 15:30:00"),
        ("Nov 22 17:00:00", "Asia/Tokyo", "2026-11-22 08:00:00"),
        ("Nov 22 17:00:01", "Asia/Tokyo", "2025-11-22 08:00:01"),
        ("Jun 14 15:16:60", "UTC", "2026-06-14 15:17:00"),
        ("Jun 14 15:16:60.1", "UTC", None),
        ("2026-06-14T15:16:60Z", "UTC", None),
        ("2026-06-14T15:16:01+18:00", "UTC", "2026-06-13 21:16:01"),
        ("2026-06-14T15:16:01-18:01", "UTC", None),
        ("2026-06-14T15:16:01+1760", "UTC", None),
        ("2026-00-14T15:16:01Z", "UTC", None),
    ],
)
def test_times_are_those_of_their_zone(read_heads, head: str, time_zone: str, utc: str | None) -> None:
    (row,) = read_heads([f"{head} h sshd[1]: x"], time_zone)
    assert row["event_time"] == (utc and datetime.fromisoformat(f"{utc}+00:00"))
    assert row["event_date"] == (utc and datetime.fromisoformat(utc).date())
    assert (row["rule"], row["message"]) == (None if utc else "bad-time", "x")


@pytest.mark.parametrize(
    ("fraction", "micros"), [(".5", 500_000), (",000001", 1), (".1234567", 123_456), (".999999999", 999_999)]
)
def test_fractions_are_kept_up_to_microseconds(read_heads, fraction: str, micros: int) -> None:
    (row,) = read_heads([f"2026-06-14T15:16:01{fraction}Z h sshd[1]: x"])
    assert row["event_time"].microsecond == micros


@pytest.mark.parametrize(
    ("rest", "host", "process", "pid", "message"),
    [
        (f"h {'n' * 128}: x", "h", "n" * 128, None, "x"),
        (f"h {'n' * 129}: x", "h", None, None, f"{'n' * 129}: x"),
        (f"h {'é' * 128}[7]: x", "h", "é" * 128, 7, "x"),
        ("auth.info sshd[7]: x", None, "sshd", 7, "x"),
        ("h auth.info sshd[7]: x", "h", "sshd", 7, "x"),
        ("auth.informational sshd[7]: x", "auth.informational", "sshd", 7, "x"),
        ("fe80::1 sshd[-]: x", "fe80::1", "sshd", None, "x"),
        ("h sshd[12345678901]: x", "h", None, None, "sshd[12345678901]: x"),
        ("h sshd()[7]:x", "h", "sshd", 7, "x"),
        ("h a\x0bb: x", "h", None, None, "a\x0bb: x"),
        ("  2015", None, None, None, "2015"),
        ("2015x sshd: ", "2015x", "sshd", None, ""),
    ],
)
def test_what_follows_the_time(read_heads, rest: str, host: str, process: str, pid: int, message: str) -> None:
    (row,) = read_heads([f"Jun 14 15:16:01 {rest}"])
    found = tuple(row[name] for name in ("rule", "host", "process", "pid", "message"))
    assert found == (None, host, process, pid, message)


PIECES = (
    *(
        "Jan",
        "Feb",
        "Dec",
        "Dez",
        " ",
        "  ",
        "0",
        "1",
        "9",
        "09",
        "28",
        "29",
        "30",
        "31",
        ":",
        "00",
        "23",
        "24",
        "59",
        "60",
    ),
    *("2026-02-28", "2026-02-29", "T", "Z", "+02:00", "+99:00", "-14:00", ".5", ",5", "h", "sshd[1]:", "é", "\0", "\t"),
    *("\x0b", "<38>", "x"),
)
SOUND_LINES = (
    "Dec  9 06:55:46 h sshd[1]: x",
    "Feb 28 23:59:59 h x",
    "2026-02-28T06:55:46.123456+02:00 h sshd[1]: x",
    "2026-02-28 06:55:46 h sshd: x",
)


OTHER_LINES = (
    "1784713652.755556 h sshd[1]: x",
    "4200 2026-09-20 10:00:01.123 x",
    "- 1131566479 2005.11.09 n1 Nov 9 12:01:19 n1/n1 sshd[2]: x",
    "Wed 2026-07-22 09:47:32 CEST h sshd[1]: x",
    "Sep 10 06:55:46 h sshd[1]: (pam_unix) x",
    "σεπ 10 06:55:46: h sshd[1]:  x",
    " 3月 12 04:25:12 h sshd[1]: x",
    "[2026-09-20 10:00:01 +0200] h [auth.info] sshd[1]: x",
    "auth.log:12:Dec  9 06:55:46 h sshd[1]: x",
    "sshd-1  | 2026-02-28T06:55:46+02:00 h sshd[1]: x",
    "Jan 24 21:16:48 2020  h sshd[1]: x",
    "2024 Jan 15 10:30:45 h sshd[1]: x",
    "<38>Sep 22 10:11:56 Message forwarded from h: sshd[6]: x",
    "2026-09-20 10:00:01.123 Df sshd[1:5a] x",
    "2026-09-20 10:00:01.123456-0700 0x1a2b     Default     0x0      7    0    sshd: x",
)
LETTERS = ("ſ", "ς", "µ", "K", "月")  # that count as others, or stand in months


@st.composite
def changed(draw: st.DrawFn, lines: tuple[str, ...] = SOUND_LINES, letters: tuple[str, ...] = ()) -> bytes:
    """A sound line in which a few places hold something else."""
    line = draw(st.sampled_from(lines))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(line)))
        line = line[:start] + draw(st.sampled_from((*PIECES, *letters))) + line[start + draw(st.integers(0, 3)) :]
    return line.encode()


def is_sound(line: bytes) -> bool:
    return pc.match_substring_regex(pa.array([line.decode()]), SOUND)[0].as_py()


@settings(max_examples=60)
@given(st.lists(changed(), min_size=20, max_size=200))
@example([b"2026-02-28 06:55:46 +99:00 h sshd[1]: x"])
def test_what_is_sound_at_a_glance_breaks_no_rule(read_heads, lines: list[bytes]) -> None:
    texts = [line.decode() for line in lines]
    broken = {text: row["rule"] for text, row in zip(texts, read_heads(texts), strict=True) if row["rule"]}
    assert not {text: rule for text, rule in broken.items() if is_sound(text.encode())}


def test_most_lines_are_sound_at_a_glance() -> None:
    lines = [line.encode("utf-8", "surrogateescape") for line, _ in generate(5_000, seed=3)]
    texts = [line.decode("utf-8", "backslashreplace").encode() for line in lines]
    assert sum(map(is_sound, texts)) > 0.8 * len(texts)
    assert all(is_sound(line.encode()) for line in SOUND_LINES)


@settings(max_examples=40)
@given(st.lists(st.text(max_size=60) | changed().map(bytes.decode), max_size=30), st.sampled_from((0, 2025)))
def test_whatever_the_lines_each_is_a_record_or_breaks_a_rule(read_heads, texts: list[str], year: int) -> None:
    rows = read_heads(texts, "Europe/Berlin", year)
    assert [row["text"] for row in rows] == texts
    for row in rows:
        assert (row["rule"] is None) == (row["event_time"] is not None), row
        assert row["rule"] in {None, *RULES}
        if row["message"] is not None and not row["text"].startswith("<"):
            assert row["text"].rstrip(" \t\r").endswith(row["message"])


@settings(max_examples=40)
@given(st.lists(changed(OTHER_LINES, LETTERS).map(bytes.decode), max_size=20), st.sampled_from((0, 2025)))
def test_whatever_the_lines_of_other_programs_each_is_a_record_or_breaks_a_rule(
    read_heads, texts: list[str], year: int
) -> None:
    rows = read_heads(texts, "Europe/Berlin", year)
    assert [row["text"] for row in rows] == texts
    assert [row["rule"] is None for row in rows] == [row["event_time"] is not None for row in rows]
    assert {row["rule"] for row in rows} <= {None, *RULES}
    for row in rows:
        assert row["message"] is None or row["text"].rstrip(" \t\r").endswith(row["message"])


@settings(max_examples=20)
@given(st.lists(changed().map(bytes.decode), min_size=2, max_size=8))
def test_a_line_is_read_alike_whatever_stands_beside_it(read_heads, texts: list[str]) -> None:
    assert read_heads(texts) == [row for text in texts for row in read_heads([text])]


ORIGINS = (
    "web-1 sshd[12]: x",
    "auth.info sshd[1]: x",
    "web.example.com CRON[7]: (root) CMD",
    "h a[1]: [ID 1 a.b] x",
    "h k: y",
    f"h {'n' * 127}[1]: x",
    f"h {'n' * 128}[1]: x",
    f"h {'n' * 129}[1]: x",
    f"h {'n' * 300}[1]: x",
)
ORIGIN_PIECES = (
    *"[]:. -/_(é",
    "  ",
    "local0.warn",
    "auth:info",
    "daemon.notice",
    "[ID 9 auth.info]",
    "-",
    "12345678901",
)


@st.composite
def usual_but_for_little(draw: st.DrawFn) -> str:
    """A line of a usual form, in which a few places of the time or the origin hold something else."""
    stamp = draw(st.sampled_from([line.split(" h ")[0] for line in SOUND_LINES]))
    line = f"{stamp} {draw(st.sampled_from(ORIGINS))}"
    for _ in range(draw(st.integers(0, 2))):
        start = draw(st.integers(0, len(line)))
        line = line[:start] + draw(st.sampled_from(PIECES + ORIGIN_PIECES)) + line[start + draw(st.integers(0, 2)) :]
    return line


@settings(max_examples=300)
@given(st.lists(usual_but_for_little(), min_size=1, max_size=20), st.sampled_from((0, 2024)))
def test_what_is_read_by_its_places_is_read_as_by_the_patterns(read_heads, texts: list[str], year: int) -> None:
    found = read_heads(texts, "Europe/Berlin", year)
    without = {"STAMPS": (), "has_origin": lambda rest: np.zeros(len(rest), bool)}
    with mock.patch.multiple(usual, **without):
        assert found == read_heads(texts, "Europe/Berlin", year)


def test_most_heads_are_read_by_their_places() -> None:
    texts = pa.array([line for line, _ in generate(5_000, seed=3) if line.isascii()])
    at = [pc.match_substring_regex(texts, stamp.pattern).true_count for stamp in usual.STAMPS]
    assert at[0] > 3_000 and at[1] > 1_000 and sum(at) > 0.97 * len(texts)
