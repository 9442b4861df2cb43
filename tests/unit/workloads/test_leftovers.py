"""Leftovers: templates from drain3 that hang on the set of texts alone."""

from __future__ import annotations

import sys

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.ssh_logs import leftovers

WORDS = st.sampled_from(("started", "session", "of", "user", "root", "anna", "<*>", "port", "7", ""))
TEXTS = st.lists(st.lists(WORDS, max_size=6).map(" ".join), max_size=30)


@given(TEXTS, st.randoms(use_true_random=False))
def test_every_text_has_one_template_in_whatever_order_and_ids_stand_for_templates(texts: list[str], random) -> None:
    found = leftovers.templates(texts)

    shuffled = texts + texts[:3]
    random.shuffle(shuffled)
    assert leftovers.templates(shuffled) == found
    assert set(found) == set(texts)
    pairs = set(found.values())
    assert len(pairs) == len({one for one, _ in pairs}) == len({template for _, template in pairs})
    for text, (_, template) in found.items():
        words, constant = text.split(), template.split()
        assert len(words) == len(constant)
        assert all(mark in (word, "<*>") for word, mark in zip(words, constant, strict=True))


def test_similar_texts_share_a_template_and_others_do_not() -> None:
    texts = ["Started session <*> of user anna.", "Started session <*> of user root.", "eth<*>: link up"]
    found = leftovers.templates(texts)

    assert found[texts[0]] == found[texts[1]]
    assert found[texts[0]][1] == "Started session <*> of user <*>"
    assert found[texts[2]] == (leftovers.event_id("eth<*>: link up"), "eth<*>: link up")


def test_what_is_beyond_the_bounds_stands_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "LIMIT", 2)
    texts = ["link of a is up", "link of b is up", "link of c is up", "long " * leftovers.LONGEST]
    found = leftovers.templates(texts)

    assert {template for _, template in (found[text] for text in texts[:2])} == {"link of <*> is up"}
    assert [found[text][1] for text in texts[2:]] == texts[2:]


@pytest.mark.parametrize(
    ("message", "masked"),
    [
        ("00006CF1EA: message-id=<00006CF1EA@example.com>", "<*>: message-id=<<*>@example.com>"),
        ("commit da39a3ee5e6b4b0d3255bfef95601890afd80709 of anna", "commit <*> of anna"),
        ("the decade faded, a cab defaced", "the decade faded, a cab defaced"),
        ("0x1f of 10.0.0.1 at fe80::1: 'a b' \"c\" 17", "<*> of <*> at <*>: <*> <*> <*>"),
    ],
)
def test_what_varies_is_masked_and_words_are_not(message: str, masked: str) -> None:
    assert leftovers.masked(pa.array([message])).to_pylist() == [masked]


def test_drain3_is_loaded_only_where_it_is_used() -> None:
    import subprocess

    code = "import sys, workloads.ssh_logs.leftovers; sys.exit('drain3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.spark
def test_forms_get_shared_templates_and_events_show_them(spark) -> None:
    from pyspark.sql import functions as fn

    messages = ["Session 7 of 'anna' from 10.0.0.1", '[0x1f] fe80::1 "a b"', "plain", "Session 8 of 'x' from 10.0.0.2"]
    masked = leftovers.masked(pa.array(messages)).to_pylist()
    rows = [
        (text, form, text == "plain", 2 if text[0] == "[" else 1, f"2026-03-02 08:00:0{n}")
        for n, (text, form) in enumerate(zip(messages, masked, strict=True))
    ]
    columns = "message STRING, event_template STRING, known BOOLEAN, repeat_count INT, moment STRING"
    frame = spark.createDataFrame(rows, columns)
    events = frame.select(
        "message",
        "repeat_count",
        "known",
        fn.col("moment").cast("timestamp").alias("event_time"),
        "event_template",
        leftovers.event_id_of(fn.col("event_template")).alias("event_id"),
        fn.lit(False).alias("is_sshd"),
    )
    forms = leftovers.forms(events)
    texts = leftovers.bounded(forms, "form")
    assert texts == ["Session <*> of <*> from <*>", "[<*>] <*> <*>"]

    listed = leftovers.assigned(forms, {texts[0]: ("unknown-x", "Session <*>")})
    by_form = {row["form"]: row for row in listed.collect()}
    assert {form: row["count"] for form, row in by_form.items()} == {texts[0]: 2, texts[1]: 2}
    assert (by_form[texts[0]]["event_id"], by_form[texts[0]]["event_template"]) == ("unknown-x", "Session <*>")
    assert by_form[texts[1]]["event_id"] == leftovers.event_id(texts[1])
    assert by_form[texts[0]]["example"] == messages[0]
    assert (by_form[texts[0]]["first_seen"].second, by_form[texts[0]]["last_seen"].second) == (0, 3)

    shown = leftovers.described(events, listed).select("message", "event_id", "event_template").collect()
    assert {row["message"]: (row["event_id"], row["event_template"]) for row in shown} == {
        messages[0]: ("unknown-x", "Session <*>"),
        messages[1]: (leftovers.event_id(texts[1]), texts[1]),
        messages[2]: (leftovers.event_id("plain"), "plain"),
        messages[3]: ("unknown-x", "Session <*>"),
    }
