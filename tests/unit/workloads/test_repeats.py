"""Summaries of syslog's daemons stand for the message that came again, wherever batches and ranges of a file end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.ssh_logs import messages, repeats

FAILED = "Failed password for root from 218.188.2.4 port 39996 ssh2"
HEADS = {"sshd": "Dec 10 06:55:46 LabSZ sshd[24200]: ", "other": "Dec 10 06:55:46 web sshd[7]: "}
FAILS, CRON = HEADS["sshd"] + FAILED, "Dec 10 06:55:47 LabSZ CRON[12]: (root) CMD (run-parts)"
THRICE = f"message repeated 3 times: [ {FAILED}]"
# As syslogd of BSD and Linux, FreeBSD 12, rsyslog 5 (with and without the host), macOS and syslog-ng have it.
SUMMARIES = (
    "Dec 10 06:56:16 LabSZ last message repeated 3 times",
    "Dec 10 06:56:16 LabSZ syslogd: last message repeated 3 times",
    "Dec 10 06:56:16 LabSZ sshd[24200]: last message repeated 3 times",
    "Dec 10 06:56:16  sshd[24200]: last message repeated 3 times",
    "Dec 10 06:56:16 LabSZ --- last message repeated 3 times ---",
    "Dec 10 06:56:16 LabSZ sshd: Last message 'Failed password for ' repeated 3 times, suppressed by syslog-ng on x",
    "Dec 10 06:56:16 LabSZ sshd: Last message 'Failed password for ' repeated 3 times, supressed by syslog-ng on x",
)


@pytest.fixture(scope="session")
def written_out(batch_of_heads) -> Callable[..., list[dict]]:
    """Lines as rows, after those before them, in batches of a size."""

    def batches(texts: list[str], rows: int) -> Iterator[pa.RecordBatch]:
        for first in range(0, len(texts), rows):
            yield batch_of_heads(texts[first : first + rows])

    def made(texts: list[str], before: list[str] = (), rows: int = 100) -> list[dict]:
        found = repeats.written_out(batches(texts, rows), batches(list(before), 10_000))
        return [row for batch in found for row in batch.to_pylist()]

    return made


@pytest.mark.parametrize("summary", SUMMARIES)
def test_a_summary_is_the_message_that_came_again_with_its_time_and_the_process_of_the_message(
    written_out, summary: str
) -> None:
    first, again = written_out([FAILS, summary])

    named = ("host", "process", "pid", "is_sshd")
    assert [again[name] for name in named] == [first[name] for name in named] == ["LabSZ", "sshd", 24200, True]
    assert again["message"] == THRICE
    assert f"{again['event_time']:%H:%M:%S}" == "06:56:16"
    assert (again["text"], again["rule"]) == (summary, None)
    assert messages.unwrapped(again["message"]) == (FAILED, "", 3)


def test_the_message_is_the_last_of_the_host_and_of_the_process_where_that_is_named(written_out) -> None:
    other = HEADS["other"] + "Server listening on 0.0.0.0 port 22."
    summary = "last message repeated 3 times"
    texts = [
        FAILS,
        other,
        CRON,
        "Dec 10 06:56:16 LabSZ " + summary,
        "Dec 10 06:56:16 LabSZ sshd[24200]: " + summary,
        "Dec 10 06:56:16 LabSZ sshd[8]: " + summary,
        "Dec 10 06:56:16 web " + summary,
    ]

    said = [row["message"] for row in written_out(texts)][3:]

    assert said == [
        "message repeated 3 times: [ (root) CMD (run-parts)]",
        THRICE,
        summary,
        "message repeated 3 times: [ Server listening on 0.0.0.0 port 22.]",
    ]


def test_summaries_that_follow_one_another_stand_for_one_message_and_so_do_rsyslogs_own(written_out) -> None:
    again = f"{HEADS['sshd']}message repeated 5 times: [ {FAILED}]"

    said = [row["message"] for row in written_out([FAILS, SUMMARIES[0], SUMMARIES[0], again, SUMMARIES[0]])]

    assert said == [FAILED, THRICE, THRICE, THRICE.replace("3", "5", 1), THRICE]


@pytest.mark.parametrize(
    "before", [[], ["Dec 10 06:55:46 web sshd[7]: x"], ["nonsense", "Dec 32 06:55:46 LabSZ sshd[1]: x"]]
)
def test_a_summary_of_nothing_that_is_known_stays_as_it_is(written_out, before: list[str]) -> None:
    row = written_out([*before, SUMMARIES[0]])[-1]

    assert (row["message"], row["process"], row["is_sshd"]) == ("last message repeated 3 times", None, False)


def test_it_is_looked_for_among_the_last_lines_alone(written_out) -> None:
    near, far = ([FAILS, *[HEADS["other"] + "x"] * count, SUMMARIES[0]] for count in (998, 1_000))

    assert written_out(near)[-1]["message"] == THRICE
    assert written_out(far)[-1]["message"] == "last message repeated 3 times"


@given(
    st.lists(st.sampled_from([FAILS, CRON, *SUMMARIES, HEADS["other"] + "x", "nonsense"]), min_size=1, max_size=30),
    st.integers(0, 30),
    st.integers(1, 30),
)
def test_wherever_batches_and_ranges_end_lines_say_the_same(written_out, texts: list[str], cut: int, rows: int) -> None:
    whole = written_out(texts)

    assert written_out(texts, rows=rows) == whole
    assert written_out(texts[cut:], before=texts[:cut], rows=rows) == whole[cut:]
