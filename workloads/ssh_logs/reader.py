"""What messages say, many at once, by Arrow's kernels: RE2 matches the patterns of the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import product

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workloads.ssh_logs import leftovers, messages
from workloads.ssh_logs.messages import FIELDS, FREEBSD, LEVEL, LEVELS, REPEATED, STAGES, WILDCARD, Fork, Message
from workloads.ssh_logs.schemas import EVENTS
from workloads.ssh_logs.sessions import Sessions, chunks

# Its offsets are of 64 bits: what is masked may be longer than what was said.
TEXT = pa.large_string()
NOTHING = pa.scalar("", TEXT)
COLUMNS = tuple(column.name for column in EVENTS.columns)
WRAPPERS = tuple(product(STAGES, (False, True)))  # numbered as `_unwrapped` tells them: 2 * stage + repeated


def events(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The events that records tell of, which come sorted by session and time (see `sessions`), with the
    columns of the table of events."""
    known = Sessions()
    for chunk in chunks(batches):
        told = read(chunk["message"], chunk["is_sshd"])
        named, none = told["source_address"], pa.scalar(None, TEXT)
        # All that the listener says has one process id, about one address after another.
        in_session = pc.and_not(pc.and_(chunk["is_sshd"], chunk["pid"].is_valid()), told["listener"].fill_null(False))
        carried = known.addresses(chunk, pc.if_else(in_session, named, none))
        source = pc.coalesce(named, pc.if_else(in_session, carried, none))
        told |= {"source_address": source, "address_carried": pc.and_(named.is_null(), source.is_valid())}
        yield pa.record_batch({name: told[name] if name in told else chunk[name] for name in COLUMNS})


def read(said: pa.Array, is_sshd: pa.Array) -> dict[str, pa.Array]:
    """The columns of events that messages tell of by themselves, and `listener`, which is null without an entry.

    Only what sshd says is looked up in the catalogue. What a field holds nothing of is null.
    """
    bare, stage, times = _unwrapped(said.cast(TEXT))
    entry, level, fields = _fields(bare, np.flatnonzero(pc.and_(is_sshd.fill_null(False), bare.is_valid())))
    event_id, template = _kinds(bare, entry, level, 2 * stage + np.asarray(times.is_valid()))
    return {
        "event_id": event_id,
        "event_template": template,
        "known": pa.array(entry >= 0),
        "repeat_count": times.fill_null(1),
        "outcome": _of_entry("outcome", entry),
        "user": fields["user"],
        "user_valid": _of_entry("user_valid", entry),
        "source_address": fields["address"],
        "source_port": fields["port"].cast(pa.int32()),
        "method": pc.coalesce(fields["method"], _of_entry("method", entry)),
        "key_fingerprint": fields["key"],
        "reason": pc.coalesce(fields["reason"], _of_entry("reason", entry)),
        "listener": _of_entry("listener", entry),
    }


def _unwrapped(said: pa.Array) -> tuple[pa.Array, np.ndarray, pa.Array]:
    """The messages without wrappers, the number of the stage at which they were said, and how often if repeated."""
    times, bare = pa.nulls(len(said), pa.int32()), said
    repeated = np.asarray(pc.match_substring_regex(said, REPEATED).fill_null(False))
    if repeated.any():
        found = pc.extract_regex(said.filter(repeated), REPEATED)
        times = pc.replace_with_mask(times, repeated, found.field("times").cast(pa.int32()))
        bare = pc.replace_with_mask(bare, repeated, found.field("inner"))
    stage = np.zeros(len(said), int)
    for number, end in tuple(enumerate(STAGES.values()))[1:]:
        ends = np.asarray(pc.ends_with(bare, end).fill_null(False)) & (stage == 0)
        if ends.any():
            short = pc.binary_slice(bare.filter(ends).cast(pa.large_binary()), 0, -len(end)).cast(TEXT)
            bare = pc.replace_with_mask(bare, ends, pc.ascii_rtrim(short, " "))
            stage[ends] = number
    if pc.any(pc.match_substring_regex(bare, FREEBSD)).as_py():
        bare = pc.replace_substring_regex(bare, FREEBSD, r"\1")
    return bare, stage, times


def _fields(bare: pa.Array, sshd: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, pa.Array]]:
    """The number of the entry that reads each message, -1 where there is none; the number of the level at which it was
    said, -1 where that is the entry's own; and what its fields hold."""
    numbers = {entry.id: number for number, entry in enumerate(messages.catalogue())}
    entries, levels = np.full(len(bare), -1), np.full(len(bare), -1)
    parts = {name: [(np.empty(0, int), pa.array([], TEXT))] for name in FIELDS}

    def look_up(texts: pa.Array, rows: np.ndarray) -> None:
        for entry, read, groups in _matches(texts, rows, messages.catalogue_tree()):
            entries[read] = numbers[entry.id]
            for name, values in zip(entry.fields, groups, strict=True):
                parts[name].append((read, values))

    look_up(bare.take(pa.array(sshd)), sshd)
    left = sshd[entries[sshd] < 0]
    texts = bare.take(pa.array(left))
    plain, said = pc.replace_substring_regex(texts, LEVEL, ""), np.zeros(len(left), int)
    for number, level in enumerate(LEVELS.values()):
        said[np.asarray(pc.starts_with(texts, level))] = number
    for number, level in enumerate(LEVELS.values()):
        if (unread := (entries[left] < 0) & (said != number)).any():
            look_up(pc.binary_join_element_wise(pa.scalar(level, TEXT), plain.filter(unread), NOTHING), left[unread])
    levels[left] = np.where(entries[left] < 0, -1, said)
    return entries, levels, {name: _placed(len(bare), found) for name, found in parts.items()}


def _placed(length: int, parts: list[tuple[np.ndarray, pa.Array]]) -> pa.Array:
    """An array of that length with values at the rows given; null elsewhere, and where a value is empty."""
    rows, values = zip(*parts, strict=True)
    values = pa.concat_arrays(values)
    at = np.full(length, -1)
    at[np.concatenate(rows)] = np.where(np.asarray(pc.binary_length(values)), np.arange(len(values)), -1)
    return values.take(pa.array(at, mask=at < 0))


def _matches(
    texts: pa.Array, rows: np.ndarray, node: Fork | tuple[Message, ...]
) -> Iterator[tuple[Message, np.ndarray, list[pa.Array]]]:
    """Entries with the rows that they read and what their groups hold; each is tried on what begins as it does."""
    if isinstance(node, Fork):
        rest = np.ones(len(rows), bool)
        for start, below in node.branches:
            begins = np.asarray(pc.starts_with(texts, start))
            if begins.any():
                yield from _matches(texts.filter(begins), rows[begins], below)
                rest &= ~begins
        node, texts, rows = node.otherwise, texts.filter(rest), rows[rest]
    for entry in node:
        if not len(rows):
            return
        read = np.asarray(pc.match_substring_regex(texts, entry.pattern))
        if read.any():
            # Most texts are not an entry's, and captures are found ten times more slowly than matches.
            groups = pc.extract_regex(texts.filter(read), entry.pattern).flatten() if entry.fields else []
            yield entry, rows[read], groups
            texts, rows = texts.filter(~read), rows[~read]


def _of_entry(name: str, entry: np.ndarray) -> pa.Array:
    """A property that the catalogue gives the entries; null where there is none."""
    values = _property(name)
    return values.take(pa.array(np.where(entry < 0, len(values) - 1, entry)))


@cache
def _property(name: str) -> pa.Array:
    """A property of all entries, and a null after them."""
    kind = pa.bool_() if name in ("user_valid", "listener") else TEXT
    return pa.array([*(getattr(entry, name) for entry in messages.catalogue()), None], kind)


def _kinds(bare: pa.Array, entry: np.ndarray, level: np.ndarray, wrapper: np.ndarray) -> tuple[pa.Array, pa.Array]:
    """Event ids and templates; both tell level and wrappers, too, so that they stand for one another."""
    ids, templates = _known_kinds()
    kind = np.where(entry < 0, -1, len(WRAPPERS) * entry + wrapper)
    for number, name in enumerate(LEVELS):
        if len(rows := np.flatnonzero(level == number)):
            kind[rows] += len(ids)
            ids, templates = map(pa.concat_arrays, zip((ids, templates), _known_kinds(name), strict=True))
    unknown = np.flatnonzero((entry < 0) & np.asarray(bare.is_valid()))
    if len(unknown):
        texts = bare.take(pa.array(unknown)).dictionary_encode()
        forms = leftovers.masked(texts.dictionary).dictionary_encode()
        form = forms.indices.to_numpy()[texts.indices.to_numpy()]
        codes, at = np.unique(len(WRAPPERS) * form + wrapper[unknown], return_inverse=True)
        kind[unknown] = len(ids) + at
        coded = [divmod(code, len(WRAPPERS)) for code in codes.tolist()]
        found = [_wrapped(forms.dictionary[form].as_py(), *WRAPPERS[around]) for form, around in coded]
        ids = pa.concat_arrays([ids, pa.array(map(leftovers.event_id, found), TEXT)])
        templates = pa.concat_arrays([templates, pa.array(found, TEXT)])
    at = pa.array(kind, mask=kind < 0)
    return ids.take(at), templates.take(at)


@cache
def _known_kinds(level: str | None = None) -> tuple[pa.Array, pa.Array]:
    """Ids and templates of all entries, said at that level instead of their own, of each with all wrappers."""
    ids, templates = [], []
    for entry in messages.catalogue():
        one = entry.said_at(level) if level is not None else entry
        for stage, repeated in WRAPPERS:
            ids.append(f"{one.id}{stage}{'-repeated' * repeated}")
            templates.append(_wrapped(one.template, stage, repeated))
    return pa.array(ids, TEXT), pa.array(templates, TEXT)


def _wrapped(template: str, stage: str, repeated: bool) -> str:
    """A template with the wrappers that were taken off before its message was read."""
    plain = template + STAGES[stage]
    return f"message repeated {WILDCARD} times: [ {plain}]" if repeated else plain
