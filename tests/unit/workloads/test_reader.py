"""What batches of messages say, and the addresses of sessions, against plain readings line by line."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.ssh_inventory import EXAMPLES, formats
from workloads.ssh_logs import leftovers, messages, reader, sessions

TEXTS = [one.message() for one in formats()]
ANY_LEVEL = [level + re.sub("^(error|fatal): ", "", text) for text in TEXTS for level in ("", "error: ", "fatal: ")]
ANYTHING = st.text(st.characters(exclude_characters="\n", exclude_categories=("Cs",)), max_size=60)
STARTS = sorted({entry.start for entry in messages.catalogue()})
SAID = st.one_of(ANYTHING, st.sampled_from(ANY_LEVEL), st.builds("".join, st.tuples(st.sampled_from(STARTS), ANYTHING)))
WRAPPED = st.tuples(st.sampled_from(("", " [preauth]", " [postauth]")), st.sampled_from((0, 0, 2, 37)))
START = datetime(2026, 3, 2, tzinfo=UTC)


def wrapped(text: str, stage: str, times: int) -> str:
    return f"message repeated {times} times: [ {text}{stage}]" if times else text + stage


def plainly(text: str, is_sshd: bool = True) -> dict:
    """The columns that `reader.read` gives for one message."""
    bare, stage, times = messages.unwrapped(text)
    entry, fields = (messages.find(bare) if is_sshd else None) or (None, {})
    template = entry.template if entry else bare
    for mask in () if entry else leftovers.MASKS:
        template = re.sub(mask, "<*>", template, flags=re.ASCII)
    template += messages.STAGES[stage]
    template = f"message repeated <*> times: [ {template}]" if times is not None else template
    told = {name: getattr(entry, name, None) for name in ("outcome", "user_valid", "method", "reason", "listener")}
    told |= {name: fields[name] or None for name in ("user", "method", "reason") if name in fields}
    known = f"{getattr(entry, 'id', '')}{stage}{'-repeated' * (times is not None)}"
    unknown = f"unknown-{hashlib.sha256(template.encode()).hexdigest()[:12]}"
    return {
        "event_id": known if entry else unknown,
        "event_template": template,
        "known": entry is not None,
        "repeat_count": 1 if times is None else times,
        "user": None,
        "source_address": fields.get("address") or None,
        "source_port": int(fields["port"]) if fields.get("port") else None,
        "key_fingerprint": fields.get("key") or None,
        **told,
    }


def read(texts: list[str | None], is_sshd: list[bool]) -> list[dict]:
    return pa.table(reader.read(pa.array(texts, pa.string()), pa.array(is_sshd, pa.bool_()))).to_pylist()


# Patterns are made ready anew for each batch, and most by the first; of many lines in a batch, few examples do.
FEW = settings(max_examples=50)


@FEW
@given(st.lists(st.tuples(st.builds(lambda text, around: wrapped(text, *around), SAID, WRAPPED), st.booleans())))
def test_a_batch_says_what_its_messages_say_one_by_one(lines: list[tuple[str, bool]]) -> None:
    texts, is_sshd = map(list, zip(*lines, strict=True)) if lines else ([], [])
    assert read(texts, is_sshd) == [plainly(*line) for line in lines]


def test_all_messages_of_openssh_mean_the_same_to_re2_and_to_python() -> None:
    users = (EXAMPLES["user"], "", "x from 198.51.100.9 port 22 ssh2", "\x0b\x1c\u2028\x85é", "٣")
    texts = [*{one.message(EXAMPLES | {"user": user}): None for user in users for one in formats()}]
    texts += [*ANY_LEVEL, "error: error: Cannot bind any address.", "fatal: "]
    texts += [entry.template.replace("<*>", word) for entry in messages.catalogue() for word in ("7", "a\x0bb", "é.7")]
    assert read(texts, [True] * len(texts)) == [plainly(text) for text in texts]


def test_what_varies_is_masked() -> None:
    forms = {
        "Session 7 of 'anna' from 10.0.0.1": "Session <*> of <*> from <*>",
        '[0x1f] fe80::1 "a b" é7 7é': "[<*>] <*> <*> é<*> <*>é",
        "1 " * 2**19: "<*> " * 2**19,
        "": "",
        None: None,
    }
    assert leftovers.masked(pa.array(forms)).to_pylist() == [*forms.values()]


def test_long_lines_and_no_message_are_read() -> None:
    long = "Failed password for " + "a from " * 140_000 + "b from 192.0.2.1 port 22 ssh2"
    found = read([long, None, "message repeated 2 times: []"], [True, True, False])
    assert [(row["known"], row["source_address"], row["repeat_count"]) for row in found] == [
        (True, "192.0.2.1", 1),
        (False, None, 1),
        (False, None, 2),
    ]
    assert [row["event_template"] for row in found[1:]] == [None, "message repeated <*> times: [ ]"]
    assert found[1]["event_id"] is None


ADDRESSES = st.sampled_from(("10.0.0.1", "10.0.0.2", "fe80::1", "9.9.9.9"))
LINES = st.lists(
    st.tuples(
        st.sampled_from((None, "a", "b")),
        st.sampled_from((None, 1, 2)),
        st.sampled_from((0, 1, 2, 86_400, 86_401, 86_402, 172_803)),
        st.one_of(st.just("no such message"), ADDRESSES.map("Invalid user x from {}".format),
                  ADDRESSES.map("drop connection #1 from [{}]:5 on [::]:22 Maxstartups".format)),
        st.booleans(),
    ),
    max_size=40,
)  # fmt: skip


def batches(lines: list[tuple], size: int) -> list[pa.RecordBatch]:
    """Records in order of session and time, in batches of that size."""
    ordered = sorted(lines, key=lambda line: (line[0] or "", line[1] or 0, line[2]))
    columns = {"host": pa.string(), "pid": pa.int64(), "seconds": pa.int64(), "message": pa.string(), "is_sshd": None}
    host, pid, seconds, message, is_sshd = (
        pa.array([line[number] for line in ordered], kind) for number, kind in enumerate(columns.values())
    )
    time = pa.array([START + timedelta(seconds=second.as_py()) for second in seconds], pa.timestamp("us", "UTC"))
    given = {"host": host, "pid": pid, "event_time": time, "message": message, "is_sshd": is_sshd.cast(pa.bool_())}
    absent = {name: pa.nulls(len(ordered), pa.string()) for name in set(reader.COLUMNS) - given.keys()}
    whole = pa.record_batch(given | absent)
    return [whole.slice(at, size) for at in range(0, len(whole), size)] or [whole]


def carried(line: dict, lines: list[dict]) -> str | None:
    """The address that a line has of its session."""

    def told(other: dict) -> bool:
        return bool(other["is_sshd"] and other["pid"] and not other["message"].startswith("drop"))

    before = [
        (other["event_time"], other["named"])
        for other in lines
        if told(other) and other["named"] and other["event_time"] <= line["event_time"]
        and (other["host"], other["pid"]) == (line["host"], line["pid"])
    ]  # fmt: skip
    if not told(line) or not before:
        return None
    time, address = max(before)
    return address if line["event_time"] - time <= timedelta(days=1) else None


@FEW
@given(LINES, st.sampled_from((1, 2, 3, 7, 100)), st.sampled_from((1, 2, 5, 100)))
def test_addresses_are_carried_over_sessions_whatever_the_batches(lines: list[tuple], size: int, rows: int) -> None:
    given = batches(lines, size)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "ROWS", rows)
        found = [row for batch in reader.events(iter(given)) for row in batch.to_pylist()]
    assert [row["message"] for row in found] == [row["message"] for batch in given for row in batch.to_pylist()]
    for row in found:
        named = re.search(r"from \[?([^\]\s]+)", row["message"]) if row["is_sshd"] else None
        row["named"] = named[1] if named else None
    for row in found:
        assert row["source_address"] == (row["named"] or carried(row, found))
        assert row["address_carried"] == (row["named"] is None and row["source_address"] is not None)


def test_no_lines_are_no_events() -> None:
    assert list(reader.events(iter(()))) == []
    assert sum(map(len, reader.events(iter(batches([], 1))))) == 0


def test_chunks_end_where_a_second_of_a_session_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "ROWS", 2)
    times = (0, 1, 1, 1, 1, 2, 3)
    given = batches([("h", 1, time, "x", True) for time in times], 1)
    assert [len(chunk) for chunk in sessions.chunks(iter(given))] == [1, 4, 1, 1]
