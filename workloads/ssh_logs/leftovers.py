"""Leftovers: messages that the catalogue lacks get templates from drain3, and are listed for whoever mends it.

drain3 groups what it is given in the order in which it is given; so it is always given all distinct masked leftovers,
sorted. The same set gives the same templates, however it arrived. This is work for one process, so it is bounded: the
first `LIMIT` masked texts of at most `LONGEST` characters are grouped (5,000 that have nothing in common take drain3
about 20 s); any other keeps its masked text as its template. Nothing is dropped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pyspark.sql import functions as fn

from workloads.ssh_logs.schemas import EVENTS, LEFTOVERS

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import Column, DataFrame

    from workloads.lakehouse.task import TaskContext

LIMIT = 5_000  # distinct masked texts
LONGEST = 1_000  # characters of a masked text
SHOWN = 100  # templates in the report of a run
EXAMPLE = 500  # characters
# Words that two messages of the same length must share to be of one template. Stricter than drain3's 0.4, at which two
# short messages that say different things become one.
SIMILARITY = 0.6
MARK = "<*>"

# What varies in messages that the catalogue lacks. Order matters: each sees what the one before has left.
MASKS = (
    r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b",
    r"\b[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]{0,40}:[0-9A-Fa-f]{0,4}\b",
    r"\b0x[0-9A-Fa-f]{1,64}\b",
    r"\b[0-9A-Fa-f]{8,64}\b",  # queue ids, hashes: hardly a word has eight such letters
    r"'[^']{0,200}'",
    r'"[^"]{0,200}"',
    r"\b\d{1,64}\b",
)


def masked(texts: pa.Array) -> pa.Array:
    """The messages with `<*>` for addresses, numbers and what is quoted."""
    import pyarrow.compute as pc

    for pattern in MASKS:
        texts = pc.replace_substring_regex(texts, pattern, MARK)
    return texts


def bounded(leftovers: DataFrame, column: str) -> list[str]:
    """Of the masked texts in that column, the distinct ones that `templates` may group, sorted."""
    texts = leftovers.where(fn.length(column) <= LONGEST).select(column).distinct()
    return [row[0] for row in texts.orderBy(column).limit(LIMIT).collect()]


def templates(texts: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Masked text → (event id, template), for each of `texts`, whatever their order.

    Those beyond the bounds stand for themselves.
    """
    ordered = sorted(set(texts))
    grouped = [text for text in ordered if len(text) <= LONGEST][:LIMIT]
    found = {text: text for text in ordered} | _drain(grouped)
    return {text: (event_id(template), template) for text, template in found.items()}


def event_id(template: str) -> str:
    """The id that goes with a template."""
    return f"unknown-{hashlib.sha256(template.encode()).hexdigest()[:12]}"


def event_id_of(template: Column) -> Column:
    """`event_id` of a column: for masked texts that `templates` was not given."""
    return fn.concat(fn.lit("unknown-"), fn.substring(fn.sha2(template, 256), 1, 12))


def _drain(texts: list[str]) -> dict[str, str]:
    """Masked text → template as it is after the last text."""
    from drain3.drain import Drain

    miner = Drain(sim_th=SIMILARITY)
    clusters = {text: miner.add_log_message(text)[0] for text in texts}
    return {text: cluster.get_template() for text, cluster in clusters.items()}


def assigned(forms: DataFrame, found: Mapping[str, tuple[str, str]]) -> DataFrame:
    """Adds `event_id` and `event_template` for the masked text in `form`. What `found` (of `templates`) lacks stands
    for itself."""
    rows = [(text, *pair) for text, pair in sorted(found.items())]
    looked_up = forms.sparkSession.createDataFrame(rows, "form STRING, event_id STRING, event_template STRING")
    joined = forms.join(fn.broadcast(looked_up), "form", "left")
    return joined.withColumns(
        {
            "event_id": fn.coalesce("event_id", event_id_of(fn.col("form"))),
            "event_template": fn.coalesce("event_template", "form"),
        }
    )


def described(events: DataFrame, listed: DataFrame) -> DataFrame:
    """The events with the ids and templates of the table of leftovers.

    In the table of events a leftover has a template of its own, which does not hang on what else there is.
    """
    told = listed.where("form <> event_template").selectExpr("form", "event_id AS found", "event_template AS shared")
    joined = events.join(fn.broadcast(told), ~fn.col("known") & (fn.col("event_template") == fn.col("form")), "left")
    described = {
        "event_id": fn.coalesce("found", "event_id"),
        "event_template": fn.coalesce("shared", "event_template"),
    }
    return joined.withColumns(described).select(events.columns)


def forms(events: DataFrame) -> DataFrame:
    """The masked texts of leftovers among events, one row each, with what is told of them."""
    return (
        events.where(~fn.col("known"))
        .groupBy(fn.col("event_template").alias("form"))
        .agg(
            fn.sum("repeat_count").alias("count"),
            fn.min("event_time").alias("first_seen"),
            fn.max("event_time").alias("last_seen"),
            fn.min(fn.substring("message", 1, EXAMPLE)).alias("example"),
            fn.bool_or("is_sshd").alias("is_sshd"),
        )
    )


def write(task: TaskContext) -> None:
    """Writes the table of leftovers, over all events, which are read once."""
    found = forms(task.table(EVENTS)).persist()
    task.replace(LEFTOVERS, task.marked(assigned(found, templates(bounded(found, "form")))))
    found.unpersist()


def publish(task: TaskContext) -> None:
    """Puts the first of the leftovers (of sshd, then by number) into the reports of the run.

    `medallion status` shows them. Where users are hashed, text stays in the table: it may hold names.
    """
    written = (
        task.table(LEFTOVERS)
        .groupBy("event_id", "event_template")
        .agg(fn.sum("count").alias("count"), fn.min("example").alias("example"), fn.bool_or("is_sshd").alias("is_sshd"))
    )
    shown = written.orderBy(fn.desc("is_sshd"), fn.desc("count"), "event_id").limit(SHOWN)
    total = written.agg(fn.count("*").alias("templates"), fn.sum("count").alias("messages")).collect()[0]
    text = ("event_template", "example") if task.parameters["pseudonyms"] == "off" else ()
    content = {
        "templates": total["templates"],
        "messages": total["messages"] or 0,
        "shown": [row.asDict() for row in shown.select("event_id", "count", "is_sshd", *text).collect()],
    }
    task.tell("leftovers", content)
