"""The catalogue of messages: templates, and the patterns that they stand for.

`messages.toml` has what sshd says at level INFO or above, and PAM for it, where it is the cause or the consequence of
what peers do; `pam.toml` and `failures.toml` what else they say, and `debug.toml` what sshd says at DEBUG1 to DEBUG3.

The patterns mean the same to RE2, which Arrow reads batches with, and to Python: bounded by the ends of the message, no
group repeated, characters of ASCII only.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import groupby
from pathlib import Path

CATALOGUE = tuple(
    Path(__file__).with_name(name) for name in ("messages.toml", "pam.toml", "failures.toml", "debug.toml")
)

WILDCARD = "<*>"
# What stands around messages: syslog's word for repetitions, and OpenSSH's for what a process without privileges said,
# before the login or after it.
REPEATED = r"(?s)\Amessage repeated (?P<times>\d{1,6}) times: \[ ?(?P<inner>.*?) ?\]\z"
PREAUTH = " [preauth]"
# FreeBSD names the functions of its sshd so, and with them what they say.
FREEBSD = r"\A((?:error|fatal|debug[123]): )?Fssh_"
STAGES = {"": "", "-preauth": PREAUTH, "-postauth": " [postauth]"}  # end of an event's id → end of its messages
# The levels that sshd names before what it says. Its standard error stream lacks them, and from version to version they
# change: what no entry reads may be said at another level than its entry's. End of the event's id → level.
LEVELS = {"-plain": "", "-error": "error: ", "-fatal": "fatal: "}
LEVEL = rf"\A(?:{'|'.join(filter(None, LEVELS.values()))})"
FIELDS = ("user", "address", "port", "method", "reason", "key")
_NO_BLANK = r"[^\s\x0b]"  # to RE2 alone, \s lacks the vertical tab
PLACEHOLDERS = {
    "user": ".*",  # what somebody typed, or nothing; of what looks like the rest of the message, the last is
    "address": rf"{_NO_BLANK}*",
    "port": r"\d{1,5}",
    "method": r"[\w/.-]{1,64}",
    "reason": ".*?",
    "key": r"[\w+/=:-]{8,}",  # SHA256:…, or the MD5 sum in hexadecimal of before 6.8
    "word": rf"{_NO_BLANK}+",
    "maybe": rf"{_NO_BLANK}*",
    "number": r"-?\d+",
    "text": ".*",
}
FEW = 2  # entries that are as quickly tried one by one
_PLACEHOLDER = re.compile("<([a-z_]+)>")
_SPECIAL = re.compile(r"([\\.\[\]{}()*+?^$|])")


@dataclass(frozen=True)
class Message:
    """An entry. `pattern` matches whole messages; `fields` are the names of its groups, in order.

    A `listener` is the process that waits for connections: what it says is of no session, whatever it says before.
    """

    id: str
    template: str
    pattern: str
    fields: tuple[str, ...]
    outcome: str | None
    method: str | None
    reason: str | None
    user_valid: bool | None
    listener: bool

    @property
    def constants(self) -> dict[str, str]:
        """Fields that the entry itself tells."""
        return {name: value for name in ("method", "reason") if (value := getattr(self, name))}

    @cached_property
    def start(self) -> str:
        """What every message of the entry begins with: its constant text up to a placeholder or the end of a sentence.

        (Only between sentences does OpenSSH write two blanks, for which a template's single one stands, too. Where
        nothing comes after it, the blank before the end has been taken off.)
        """
        found = re.split(r"<\*>|\. ", self.template, maxsplit=1)[0]
        return found.rstrip(" ") if self.template == found + WILDCARD else found

    def said_at(self, level: str) -> Message:
        """The kind of message that this one is when it is said at that level (a key of `LEVELS`)."""
        bare = self.template.removeprefix(LEVELS[level_of(self.template)])
        return replace(self, id=self.id + level, template=LEVELS[level] + bare)


@dataclass(frozen=True)
class Fork:
    """Entries by how messages begin. `branches` are beginnings with what stands below them; no two fit one message."""

    branches: tuple[tuple[str, Fork | tuple[Message, ...]], ...]
    otherwise: tuple[Message, ...]


@cache
def catalogue() -> tuple[Message, ...]:
    """All entries, file by file, those with more constant text first: what peers cause is by far the most of a log.

    Raises ValueError for an entry that is written wrongly.
    """
    found = []
    for file in CATALOGUE:
        entries = tomllib.loads(file.read_text()).items()
        read = [message(key, **entry) if isinstance(entry, dict) else message(key, entry) for key, entry in entries]
        found += sorted(read, key=lambda one: (-len(one.template.replace(WILDCARD, "")), one.id))
    return tuple(found)


def tree(entries: Iterable[Message], start: str = "") -> Fork | tuple[Message, ...]:
    """The few of `entries` that can match a message that begins with `start`, in their order, by how it goes on."""
    entries = tuple(entries)
    further = [entry for entry in entries if not start.startswith(entry.start)]
    if len(further) <= FEW:
        return entries
    shared = _common([entry.start for entry in further])
    general = [entry for entry in entries if shared.startswith(entry.start)]
    place = {entry.id: number for number, entry in enumerate(entries)}
    branches = []
    for _, group in groupby(sorted(further, key=lambda one: one.start), key=lambda one: one.start[: len(shared) + 1]):
        members = list(group)
        beginning = _common([entry.start for entry in members])
        if beginning != shared:
            fitting = sorted([*members, *general], key=lambda one: place[one.id])
            branches.append((beginning, tree(fitting, beginning)))
    return Fork(tuple(branches), tuple(general)) if branches else entries


def _common(texts: list[str]) -> str:
    """What all texts begin with."""
    first, last = min(texts), max(texts)
    unlike = (at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    return first[: next(unlike, len(first))]


def unwrapped(text: str) -> tuple[str, str, int | None]:
    """A message without its wrappers, the stage at which it was said (a key of `STAGES`), and how often if repeated."""
    repeated = compiled(REPEATED).match(text)
    inner, times = (repeated["inner"], int(repeated["times"])) if repeated else (text, None)
    stage = next((key for key, end in STAGES.items() if end and inner.endswith(end)), "")
    bare = inner.removesuffix(STAGES[stage]).rstrip(" ") if stage else inner
    return compiled(FREEBSD).sub(r"\1", bare), stage, times


def find(text: str) -> tuple[Message, dict[str, str]] | None:
    """The entry that reads a message, without its wrappers, and its fields; none if the catalogue lacks it.

    What none reads as it stands may be one's at another level (`Message.said_at`).
    """
    for leveled in at_any_level(text):
        if found := _find(leveled):
            entry, fields = found
            return (entry if leveled == text else entry.said_at(level_of(text))), fields
    return None


def level_of(text: str) -> str:
    """The level that a message names, a key of `LEVELS`."""
    return next(key for key, level in reversed(LEVELS.items()) if text.startswith(level))


def at_any_level(text: str) -> Iterator[str]:
    """A message as it stands, and as it would be said at other levels."""
    own = LEVELS[level_of(text)]
    yield text
    yield from (level + text.removeprefix(own) for level in LEVELS.values() if level != own)


def _find(text: str) -> tuple[Message, dict[str, str]] | None:
    """The entry that reads a message as it stands."""
    node = catalogue_tree()
    while isinstance(node, Fork):
        node = next((below for beginning, below in node.branches if text.startswith(beginning)), node.otherwise)
    for entry in node:
        if match := compiled(entry.pattern).match(text):
            return entry, dict(zip(entry.fields, match.groups(), strict=True))
    return None


@cache
def catalogue_tree() -> Fork | tuple[Message, ...]:
    """The whole catalogue by how messages begin."""
    return tree(catalogue())


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern of the catalogue, for Python: its end of text is written otherwise than RE2's."""
    return re.compile(pattern.replace(r"\z", r"\Z"), re.ASCII)


def fingerprint() -> str:
    """What tells one state of the catalogue from another."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in CATALOGUE)).hexdigest()[:16]


def message(
    id: str,  # noqa: A002 - the name that it has everywhere
    template: str,
    outcome: str | None = None,
    method: str | None = None,
    reason: str | None = None,
    user_valid: bool | None = None,
    listener: bool = False,
) -> Message:
    """An entry as the catalogue writes it. Raises ValueError for a placeholder that does not exist."""
    fields = []

    def group(match: re.Match[str]) -> str:
        name = match[1]
        if name not in PLACEHOLDERS:
            raise ValueError(f"message {id!r}: there is no placeholder <{name}>")
        if name not in FIELDS:
            return PLACEHOLDERS[name]
        fields.append(name)
        return f"(?P<{name}>{PLACEHOLDERS[name]})"

    constants = _SPECIAL.sub(r"\\\1", template).replace(" ", " +")
    pattern = _PLACEHOLDER.sub(group, constants)
    # What may be empty at the end has lost the blank before it to whoever takes off trailing blanks.
    pattern = re.sub(r" \+((?:\(\?P<\w+>)?\.\*\??\)?)\Z", r" *\1", pattern)
    shown = _PLACEHOLDER.sub(WILDCARD, template)
    return Message(id, shown, rf"(?s)\A{pattern}\z", tuple(fields), outcome, method, reason, user_valid, listener)
