"""What analysts say: how it is read, and what holds in the end."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.lakehouse.errors import TaskError
from workloads.ssh_logs import feedback
from workloads.ssh_logs.feedback import parse, settled

HEADER = ",".join(feedback.COLUMNS)
NOON = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)


def held(*lines: str) -> feedback.Feedback:
    return settled(parse("\n".join((HEADER, *lines)), "f.csv"))


def test_a_window_goes_before_its_address() -> None:
    said = held("192.0.2.1,,attack,,", "192.0.2.1,2026-03-03T13:07:00+01:00,benign,own test,")
    assert said.is_attack("192.0.2.1", NOON) is False
    assert said.is_attack("192.0.2.1", NOON.replace(hour=13)) is True
    assert said.is_attack("192.0.2.2", NOON) is None


def test_labels_of_rows_as_pandas_has_them(pd) -> None:
    rows = pd.DataFrame({"source_address": ["a", "b"], "window_start": pd.to_datetime(["2026-03-03 12:00"] * 2)})
    assert held("a,2026-03-03T12:09:59,attack,,").labels(rows) == [True, None]


def test_the_later_line_holds_and_what_is_withdrawn_holds_no_more() -> None:
    late, early = "192.0.2.1,,benign,,2026-03-02T00:00:00Z", "192.0.2.1,,attack,,2026-03-01T00:00:00Z"
    assert held(late, early).is_attack("192.0.2.1", NOON) is False
    allowed = held("10.0.0.0/8,,allow,ours,2026-03-01", "10.0.0.0/8,,withdrawn,,2026-03-02")
    assert allowed.allowed("10.1.2.3") is None
    assert held("192.0.2.1,,allow,probe,", "192.0.2.1,,withdrawn,,").allowed("192.0.2.1") is None


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("10.1.2.3", "office"),
        ("10.1.9.9", "company"),
        ("::ffff:10.1.2.3", "office"),
        ("11.0.0.1", None),
        ("2001:db8::5", "six"),
        ("2001:db9::5", None),
        ("scanner.example.net", "own scanner"),
        ("other.example.net", None),
        ("", None),
    ],
)
def test_the_smallest_allowed_network_gives_the_reason(address: str, reason: str | None) -> None:
    said = held(
        "10.0.0.0/8,,allow,company,",
        "10.1.2.0/24,,allow,office,",
        "2001:db8::/32,,allow,six,",
        "scanner.example.net,,allow,own scanner,",
    )
    assert said.allowed(address) == reason


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("192.0.2.1,,maybe,,", "a verdict is attack, benign, allow, withdrawn, not 'maybe'"),
        (",,attack,,", "'' is no address"),
        ("10.0.0.0/8,,attack,,", "'10.0.0.0/8' is no address; only 'allow' takes a network"),
        ("10.0.0.1/8,,allow,,", "10.0.0.1/8 has host bits set"),
        ("192.0.2.1,noon,attack,,", "'noon' is no time in ISO 8601"),
        ("192.0.2.1,2026-03-03,allow,,", "'allow' is about an address at any time: leave window_start empty"),
    ],
)
def test_what_cannot_be_understood_is_named_with_its_line(line: str, problem: str) -> None:
    with pytest.raises(TaskError) as error:
        held("192.0.2.9,,benign,,", line)
    assert str(error.value) == f"f.csv, line 3: {problem}"


def test_a_missing_column_is_named() -> None:
    with pytest.raises(TaskError, match=r"^f\.csv: there is no column 'verdict'; it takes address, window_start"):
        parse("address,window_start\n", "f.csv")


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse(text, "f.csv")
    except TaskError as error:
        assert str(error).startswith("f.csv")


def test_the_lake_without_feedback_says_nothing(lake) -> None:
    assert feedback.read(lake) == feedback.Feedback({}, (), {})
    folder = lake.path("landing/feedback/ssh-logs")
    folder.mkdir(parents=True)
    (folder / "1.csv").write_text(f"{HEADER}\n192.0.2.1,,attack,,\n")
    (folder / "2.csv").write_text(f"{HEADER}\n192.0.2.1,,benign,,\n")
    assert feedback.read(lake).is_attack("192.0.2.1", NOON) is False
