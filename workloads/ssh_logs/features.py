"""What a source address did, in every ten minutes in which it is named: the rows that the model looks at.

Each measure is taken over the ten minutes themselves and over the hour and the day that end with them, so a window
hangs on nothing older than a day. Spark brings the events together by address, once; its workers measure many addresses
at a time. What trails is not gathered anew for each window: counts are differences of running totals, and what counts
once, however often it is there, is added where it comes and taken away where it leaves the span. All are whole numbers,
so that the totals are exact however long the log.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from workloads.lakehouse.batches import mapped, whole_groups
from workloads.ssh_logs.schemas import FEATURES, SPANS, WINDOW_KEY, WINDOW_SECONDS

DAY_SECONDS = 86_400
TICKS = 100  # a second; waits are counted in them, and the squares of those of a day fit an int64 many times
LENGTHS = {suffix: seconds // WINDOW_SECONDS for suffix, seconds in SPANS.items()}  # in windows
FAR = 2**62  # windows away
# A wait of so many seconds is a pause. Who pauses equally long, at least so often, and tries little in between, is a
# clock: a job that fails, rather than somebody who guesses.
PAUSE_SECONDS = 60
CLOCK_PAUSES, CLOCK_TRIES, CLOCK_VARIATION = 3, 4, 0.1

BATCH_ROWS = 65_536  # measured together at least, for each call of NumPy has its price
# Names are of use only to be told apart; a user may be called as a kind of message is.
NARROW = (
    "xxhash64(source_address) AS address",  # Spark sorts by one number much faster than by text
    "source_address",
    "unix_micros(event_time) AS micros",
    "xxhash64(user IS NULL, coalesce(user, event_id)) AS name",
    "xxhash64(host) AS host",
    "user IS NOT NULL AS is_user",
    "user IS NOT NULL AND coalesce(NOT user_valid, false) AS is_invalid",
    "coalesce(outcome = 'failure', false) AS failed",
    "coalesce(outcome = 'success', false) AS succeeded",
    "CAST(repeat_count AS BIGINT) AS events",
)
FLAGS = ("is_user", "is_invalid", "failed", "succeeded")
COUNTS = ("events", "failures", "successes")
MEASURED = ", ".join(f"{column.name} {column.type}" for column in (*WINDOW_KEY, *FEATURES))
ARROW = pa.schema(
    {
        "source_address": pa.string(),
        "window_start": pa.timestamp("us", "UTC"),
        **{feature.name: pa.float64() for feature in FEATURES},
    }
)

Arrays = dict[str, np.ndarray]


def windows(events: DataFrame) -> DataFrame:
    """One row for each address and window, with the columns of `schemas.FEATURES`; a message repeated N times counts N.

    `events` needs source_address, event_time, outcome, user, user_valid, host, event_id and repeat_count.
    """
    narrow = events.where("source_address IS NOT NULL").selectExpr(*NARROW)
    return mapped(narrow.repartition("address").sortWithinPartitions("address"), _windows, MEASURED)


def _windows(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for rows in whole_groups(batches, "address", BATCH_ROWS):
        yield measured(rows)


def measured(events: pa.Table) -> pa.RecordBatch:
    """The windows of some addresses, from all of their events: rows with the columns of NARROW, in any order."""
    address, addresses = _coded(events["source_address"])
    tick = events["micros"].to_numpy() // (1_000_000 // TICKS)
    window = tick // (TICKS * WINDOW_SECONDS)
    # Places are numbers of windows. Addresses lie further apart than any span: none reaches from one to another.
    first = window.min()
    apart = window.max() - first + 1 + max(LENGTHS.values())
    order = np.lexsort((tick * 2 + events["succeeded"].to_numpy(), address))  # of one tick, failures come first
    rows = {name: events[name].to_numpy()[order] for name in ("name", "host", "events", *FLAGS)}
    rows |= {"tick": tick[order], "place": (address * apart + window - first)[order]}
    rows |= {"failures": rows["events"] * rows["failed"], "successes": rows["events"] * rows["succeeded"]}
    found = Windows.of(rows["place"])
    address, window = np.divmod(found.places, apart)
    begin = (window + first) * WINDOW_SECONDS
    features = _features(rows, found) | _time_of_day(begin)
    return pa.record_batch(
        [
            addresses.take(pa.array(address)),
            pa.array(begin * 1_000_000).cast(ARROW.field("window_start").type),
            *(pa.array(features[feature.name].astype(float)) for feature in FEATURES),
        ],
        schema=ARROW,
    )


@dataclass(frozen=True)
class Windows:
    """Windows in order of their `places`; the rows of number n are those from `bounds[n]` to before `bounds[n + 1]`."""

    places: np.ndarray
    bounds: np.ndarray

    @classmethod
    def of(cls, places: np.ndarray) -> Windows:
        """The windows of rows that are in order of their places."""
        begins = np.flatnonzero(_changes(places))
        return cls(places[begins], np.append(begins, len(places)))

    def span(self, length: int) -> tuple[np.ndarray, np.ndarray]:
        """For each window, the first row, and the end of the rows, of the `length` windows that end with it."""
        since = np.searchsorted(self.places, self.places - length, side="right")
        return self.bounds[since], self.bounds[1:]

    def standing(self, begin: np.ndarray, end: np.ndarray, weights: np.ndarray | int = 1) -> np.ndarray:
        """For each window, the sum of the weights of what stands there: from place `begin` to before place `end`."""
        is_there = begin < end
        weights = np.broadcast_to(weights, len(begin))[is_there]
        changes = np.zeros(len(self.places) + 1, np.int64)
        np.add.at(changes, np.searchsorted(self.places, begin[is_there]), weights)
        np.subtract.at(changes, np.searchsorted(self.places, end[is_there]), weights)
        return np.cumsum(changes)[:-1]

    def distinct(self, ids: np.ndarray, places: np.ndarray, length: int) -> np.ndarray:
        """For each window, how many ids its address has in the span; `ids` and `places` are in order of both."""
        # An id stands for a span, or until it is there again.
        again = np.append(np.where(_changes(ids)[1:], FAR, places[1:]), FAR)[: len(ids)]
        return self.standing(places, np.minimum(places + length, again))


def _features(rows: Arrays, found: Windows) -> Arrays:
    names = _once(rows, "name", "is_user", "is_invalid", "failures", "successes")
    hosts, tries = _once(rows, "host"), _tries(rows)
    spans = {
        suffix: _sums(rows, COUNTS, *found.span(length))
        | _waits(tries, *found.span(length))
        | _present(names, found, length)
        | {"hosts": found.distinct(hosts["host"], hosts["place"], length)}
        for suffix, length in LENGTHS.items()
    }
    is_clock, after_failure, own = _is_clock(spans["_day"]), _after_failure(rows, found), spans[""]
    features = {}
    for suffix, span in spans.items():
        span["unscheduled_failures"] = np.where(is_clock, 0, span["unproven_failures"])
        span["successes_after_failures"] = np.where(span["failures"] > own["failures"], own["successes"], after_failure)
        features |= {f"{name}{suffix}": values for name, values in (span | _measures(span)).items()}
    return features


def _once(rows: Arrays, name: str, *summed: str) -> Arrays:
    """A row for each value of `name` and window, in order of both, with sums; of flags, how many are set."""
    order = np.argsort(rows[name], kind="stable")  # the rows are in order of their places
    ids, places = rows[name][order], rows["place"][order]
    first = np.flatnonzero(_changes(ids) | _changes(places))
    sums = {column: np.add.reduceat(rows[column][order], first) for column in summed}
    return {name: ids[first], "place": places[first]} | sums


def _present(names: Arrays, found: Windows, length: int) -> Arrays:
    """The users and the kinds of messages without one that an address names in a span; and what was failed there, but
    that of users who logged in there, too.
    """
    ids, places = names["name"], names["place"]
    is_user, is_invalid, succeeded = (names[name] > 0 for name in ("is_user", "is_invalid", "successes"))
    is_proven = is_user & succeeded

    def distinct(of: np.ndarray) -> np.ndarray:
        return found.distinct(ids[of], places[of], length)

    # A user is unproven from where the last success leaves the span until the next one.
    since = _last(is_proven, places, ids) + length
    until = -_last(is_proven[::-1], -places[::-1], ids[::-1])[::-1]
    failures = found.standing(np.maximum(places, since), np.minimum(places + length, until), names["failures"])
    users = distinct(is_user)
    return {
        "distinct_users": users,
        "invalid_users": distinct(is_invalid),
        "unproven_users": users - distinct(is_proven),
        "unproven_failures": failures,
        "kinds": distinct(~is_user),
    }


def _tries(rows: Arrays) -> Arrays:
    """How many tries there are `before` each row and in all; and what the wait from each to the next one adds."""
    is_try = rows["failed"] | rows["succeeded"]
    tick = rows["tick"][is_try]
    wait = np.diff(tick, append=tick[-1:])
    waits = {"waits": np.ones_like(wait), "waited": wait, "waited_squared": wait * wait}
    is_pause = wait >= PAUSE_SECONDS * TICKS
    pauses = zip(("pauses", "paused", "paused_squared"), waits.values(), strict=True)
    return {"before": _running(is_try)} | waits | {name: values * is_pause for name, values in pauses}


def _waits(tries: Arrays, first: np.ndarray, end: np.ndarray) -> Arrays:
    """What the waits between those tries add that lie from row `first` to before row `end`."""
    first, end = tries["before"][first], tries["before"][end]
    names = [name for name in tries if name != "before"]
    # The last try's wait leads out of the span.
    return _sums(tries, names, first, np.maximum(end - 1, first))


def _after_failure(rows: Arrays, found: Windows) -> np.ndarray:
    """For each window, how many of its tries succeeded after one that failed."""
    failed = _running(rows["failed"])
    first, end = found.span(1)
    is_after = failed[:-1] > np.repeat(failed[first], end - first)
    return _sums({"": rows["succeeded"] & is_after}, [""], first, end)[""]


def _measures(span: Arrays) -> Arrays:
    attempts, waits = span["failures"] + span["successes"], span["waits"]
    is_silent = (attempts == 0) & (span["distinct_users"] == 0)
    return {
        "attempts": attempts,
        "failure_share": _ratio(span["failures"], attempts),
        "distinct_hosts": span["hosts"],
        "wait_mean": _ratio(span["waited"], waits) / TICKS,
        "wait_variation": _variation(waits, span["waited"], span["waited_squared"]),
        "silent_events": span["events"] * is_silent,
        "silent_kinds": span["kinds"] * is_silent,
        "silent_hosts": span["hosts"] * is_silent,
    }


def _is_clock(day: Arrays) -> np.ndarray:
    """Whether the tries of the day come by a clock."""
    pauses = day["pauses"]
    few = day["waits"] <= CLOCK_TRIES * (pauses + 1)
    variation = _variation(pauses, day["paused"], day["paused_squared"])
    return (pauses >= CLOCK_PAUSES) & few & (variation < CLOCK_VARIATION)


def _variation(number: np.ndarray, total: np.ndarray, squared: np.ndarray) -> np.ndarray:
    """The coefficient of variation, from a number of values, their total, and the total of their squares."""
    mean = _ratio(total, number)
    deviation = np.sqrt(np.maximum(_ratio(squared, number) - mean * mean, 0.0))
    return np.where(number > 1, _ratio(deviation, mean), 0.0)


def _time_of_day(begin: np.ndarray) -> Arrays:
    turn = (begin % DAY_SECONDS) * (2 * math.pi / DAY_SECONDS)
    return {"day_sine": np.sin(turn), "day_cosine": np.cos(turn)}


def _coded(values: pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """Values as numbers, and what these stand for."""
    coded = values.dictionary_encode().combine_chunks()
    return coded.indices.to_numpy().astype(np.int64), coded.dictionary


def _changes(values: np.ndarray) -> np.ndarray:
    """Whether each value is another than the one before; the first is."""
    return np.append(True, values[1:] != values[:-1])[: len(values)]


def _last(is_one: np.ndarray, places: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """The place of the last one of the same id up to each, itself included; far before all where there is none."""
    number = np.arange(len(ids))
    last = np.maximum.accumulate(np.where(is_one, number, -1))
    first = np.maximum.accumulate(np.where(_changes(ids), number, 0))
    return np.where(last >= first, places[last], -FAR)


def _running(values: np.ndarray) -> np.ndarray:
    """The sum of the values before each, and of all."""
    return np.append(0, np.cumsum(values))


def _sums(values: Arrays, names: Iterable[str], first: np.ndarray, end: np.ndarray) -> Arrays:
    """Sums from `first` to before `end`. Running totals may overflow: what they differ by is right all the same."""
    totals = {name: _running(values[name]) for name in names}
    return {name: total[end] - total[first] for name, total in totals.items()}


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """One by the other, 0 where there is no whole."""
    return np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)
