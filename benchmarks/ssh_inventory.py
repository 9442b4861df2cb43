"""What OpenSSH's sources say: the formats of `benchmarks/ssh_messages/`, and messages made of them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).with_name("ssh_messages")
VERSIONS = range(5, 11)
OPENSSH, MODULES, FAILURES, DEBUG = "openssh.toml", "pam.toml", "failures.toml", "debug.toml"
# What conversions are filled with unless a test says otherwise.
EXAMPLES = {
    "user": "alice",
    "address": "192.0.2.7",
    "port": "50022",
    "method": "gssapi-with-mic",
    "reason": "No route to host",
    "key": "SHA256:4nBNLJrzSEl0ZR2sBNbPzK2oFqQkbWbQjjeLXQuHhXM",
    "word": "sshd:auth",
    "maybe": "ssh",
    "number": "17",
    "text": "alice@EXAMPLE.ORG",
}
_CONVERSION = re.compile(r"%[-#0 +]*\d*(?:\.\d+)?(?:hh|h|ll|l|z|j)?([diuxXosc])")
_NAMED = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True)
class Format:
    """A format of OpenSSH's sources: the entry that is to read its messages, and the major versions that say it."""

    entry: str
    source: str
    versions: frozenset[int]
    text: str

    @property
    def fields(self) -> tuple[str, ...]:
        """What its conversions stand for."""
        return tuple(_NAMED.findall(self.text))

    def message(self, values: Mapping[str, str] = EXAMPLES) -> str:
        """A message of it."""
        return self.text % values


def formats(*files: str) -> Iterator[Format]:
    """The formats in some files, or in all, that the catalogue is written after."""
    for file in files or (OPENSSH, MODULES, FAILURES, DEBUG):
        for source, entries in tomllib.loads((FOLDER / file).read_text()).items():
            for entry, (versions, text) in entries.items():
                first, _, last = versions.partition("-")
                yield Format(entry, source, frozenset(range(int(first), int(last or first) + 1)), text)


def unlisted() -> Iterator[str]:
    """Messages of the formats that the catalogue leaves to the parser of leftovers."""
    for line in (FOLDER / "unlisted.txt").read_text().splitlines():
        if not line.startswith("#"):
            yield _CONVERSION.sub(lambda found: "thing" if found[1] in "sc" else "17", line)
