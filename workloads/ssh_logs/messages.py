"""The catalogue of messages, `messages.toml`: templates, and the patterns that they stand for.

The patterns mean the same to Java and to Python: bounded by the ends of the message, no group repeated.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CATALOGUE = Path(__file__).with_name("messages.toml")

WILDCARD = "<*>"
FIELDS = ("user", "address", "port", "method", "reason")
PLACEHOLDERS = {
    "user": ".*?",  # what somebody typed: anything, nothing, even text that looks like the rest of the message
    "address": r"\S*",
    "port": r"\d{1,5}",
    "method": r"[\w/.-]{1,64}",
    "reason": ".*",
    "word": r"\S+",
    "maybe": r"\S*",
    "number": r"\d+",
    "text": ".*",
}
_PLACEHOLDER = re.compile("<([a-z]+)>")
_SPECIAL = re.compile(r"([\\.\[\]{}()*+?^$|])")


@dataclass(frozen=True)
class Message:
    """An entry. `pattern` matches whole messages; `fields` are the names of its groups, in order."""

    id: str
    template: str
    pattern: str
    fields: tuple[str, ...]
    outcome: str | None
    method: str | None
    user_valid: bool | None


@cache
def catalogue() -> tuple[Message, ...]:
    """All entries, those with more constant text first. Raises ValueError for one that is written wrongly."""
    entries = tomllib.loads(CATALOGUE.read_text())
    found = [message(key, **entry) for key, entry in entries.items()]
    return tuple(sorted(found, key=lambda one: (-len(one.template.replace(WILDCARD, "")), one.id)))


def message(
    id: str,  # noqa: A002 - the name that it has everywhere
    template: str,
    outcome: str | None = None,
    method: str | None = None,
    user_valid: bool | None = None,
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
        return f"({PLACEHOLDERS[name]})"

    constants = _SPECIAL.sub(r"\\\1", template).replace(" ", " +")
    pattern = _PLACEHOLDER.sub(group, constants)
    return Message(
        id, _PLACEHOLDER.sub(WILDCARD, template), rf"(?s)\A{pattern}\z", tuple(fields), outcome, method, user_valid
    )
