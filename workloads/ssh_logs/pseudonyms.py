"""Pseudonyms: users (typed passwords end up among them) and addresses leave the lake as keyed hashes.

The parameter `pseudonyms` says whose. A pseudonym is the beginning of HMAC-SHA256 (RFC 2104), so that equal names stay
equal, and nobody without the key can try out names. The key is the environment's `MEDALLION_PSEUDONYM_KEY`, which a
cluster takes from a secret scope (setting `databricks.pseudonym_key`); it is never a parameter, for those are shown.
Spark's plans hold what is derived of the key: whoever may read them may read the raw logs, too.

In the text of a message, the user and address that the catalogue found are replaced. Of messages that it lacks nobody
can say where a name stands: their text and template are withheld. So is the text of entries that tell nothing but their
template, of what sshd says of its own failures and at DEBUG1 to DEBUG3 and of PAM's modules: it is full of paths,
prompts and names.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pyspark.sql import functions as fn

from workloads.lakehouse.errors import TaskError
from workloads.ssh_logs.leftovers import MASKS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from workloads.lakehouse.task import TaskContext

KEY = "MEDALLION_PSEUDONYM_KEY"
SHORTEST_KEY = 32  # bytes: as many as the hash has
BLOCK = 64  # bytes, of SHA-256
DIGITS = 20  # of a pseudonym: 80 bits, so that even 10⁹ names hardly meet
WITHHELD = "(withheld: names may stand anywhere in it)"
# The ids of entries that tell nothing but their template, those of debug.toml, pam.toml and failures.toml.
UNTOLD = "^(debug[123]|module|failure)-"

Scope = Literal["off", "users", "users-and-addresses"]
SCOPES: tuple[Scope, ...] = ("off", "users", "users-and-addresses")
# Columns of events and reports, by what stands in them.
USERS = ("user", "key_fingerprint")
TEXTS = ("message", "reason")
RAW_TEXTS = ("raw", "text", "message")  # of bronze


@dataclass(frozen=True)
class Pseudonyms:
    """Whose names are hashed, and the key; `off` hashes none and needs no key."""

    scope: Scope
    key: bytes = b""

    @classmethod
    def of(cls, scope: str, environ: Mapping[str, str] = os.environ) -> Pseudonyms:
        """As the parameter and the environment say. Raises TaskError where they do not fit."""
        if scope not in SCOPES:
            raise TaskError(f"parameter 'pseudonyms' takes {', '.join(SCOPES)}, not {scope!r}")
        if scope == "off":
            return cls("off")
        key = environ.get(KEY, "").encode()
        if len(key) < SHORTEST_KEY or key.startswith(b"{{"):
            raise TaskError(
                f"pseudonyms={scope} takes a key of {SHORTEST_KEY} bytes or more in {KEY}: put one into a secret scope "
                "and name it by the setting medallion:databricks.pseudonym_key"
            )
        return cls(scope, key)

    @property
    def hashes_users(self) -> bool:
        """Whether users are hashed."""
        return self.scope != "off"

    @property
    def hashes_addresses(self) -> bool:
        """Whether addresses are hashed, too."""
        return self.scope == "users-and-addresses"

    def fingerprint(self) -> str:
        """What tells these pseudonyms from others, and nothing of the key, which is too long to be tried out."""
        return f"{self.scope} {hmac.digest(self.key, b'fingerprint', 'sha256').hex()[:DIGITS]}"

    def user(self, name: Column) -> Column:
        """The pseudonym of a user, `user-…`; null for null."""
        return fn.concat(fn.lit("user-"), self._hash("user:", name))

    def address(self, name: Column) -> Column:
        """The pseudonym of an address, `address-…`; null for null."""
        return fn.concat(fn.lit("address-"), self._hash("address:", name))

    def hide(self, frame: DataFrame) -> DataFrame:
        """The same rows with pseudonyms in whatever columns of users, addresses and text the frame has."""
        if self.scope == "off":
            return frame
        hidden = {name: self._text(frame, fn.col(name)) for name in TEXTS if name in frame.columns}
        hidden |= {name: self.user(fn.col(name)) for name in USERS if name in frame.columns}
        if {"event_template", "known"} <= set(frame.columns):
            hidden["event_template"] = fn.when(fn.col("known"), fn.col("event_template")).otherwise(WITHHELD)
        if self.hashes_addresses:
            for name, kind in frame.dtypes:
                if (name, kind) == ("source_address", "string"):
                    hidden[name] = self.address(fn.col(name))
                elif (name, kind) == ("addresses", "array<string>"):  # in other reports, it is their number
                    hidden[name] = fn.sort_array(fn.transform(name, self.address))
                elif name == "campaign_id":  # a hash of addresses, which are few enough to be tried out
                    hidden[name] = self._hash("campaign:", fn.col(name))
        return frame.withColumns(hidden)

    def withhold(self, records: DataFrame) -> DataFrame:
        """Records of bronze without any text where names shall be hidden: nobody knows yet where in it they stand."""
        if not self.hashes_users:
            return records
        return records.withColumns({name: fn.lit(None).cast(records.schema[name].dataType) for name in RAW_TEXTS})

    def _hash(self, prefix: str, name: Column) -> Column:
        """HMAC-SHA256 out of Spark's own functions: the hash of the outer pad and the hash of inner pad and text."""
        padded = _block(self.key)
        inner, outer = (bytes(byte ^ pad for byte in padded) for pad in (0x36, 0x5C))
        text = fn.encode(fn.concat(fn.lit(prefix), name), "UTF-8")
        first = fn.unhex(fn.sha2(fn.concat(fn.lit(inner), text), 256))
        return fn.substring(fn.sha2(fn.concat(fn.lit(outer), first), 256), 1, DIGITS)

    def _text(self, frame: DataFrame, text: Column) -> Column:
        """A text of an event with pseudonyms for its own user and address."""
        names = set(frame.columns)
        if "user" in names:
            text = _replaced(text, fn.col("user"), self.user(fn.col("user")))
        if "key_fingerprint" in names:
            text = _replaced(text, fn.col("key_fingerprint"), self.user(fn.col("key_fingerprint")))
        if self.hashes_addresses:
            if "source_address" in names:
                text = _replaced(text, fn.col("source_address"), self.address(fn.col("source_address")))
            for mask in MASKS[:2]:
                text = fn.regexp_replace(text, mask, "<*>")
        if "known" not in names:
            return text
        return fn.when(fn.col("known") & ~fn.col("event_id").rlike(UNTOLD), text).otherwise(WITHHELD)


def hangs_on(task: TaskContext) -> dict[str, str]:
    """What a task that hides names hangs on beside tables, parameters and code: the key."""
    return {"pseudonyms": Pseudonyms.of(task.parameters["pseudonyms"]).fingerprint()}


def _block(key: bytes) -> bytes:
    from hashlib import sha256

    short = sha256(key).digest() if len(key) > BLOCK else key
    return short.ljust(BLOCK, b"\0")


def _replaced(text: Column, name: Column, pseudonym: Column) -> Column:
    """`text` with `pseudonym` wherever `name` stands as a word of its own."""
    quoted = fn.concat(
        fn.lit(r"(?<![\w])\Q"), fn.replace(name, fn.lit(r"\E"), fn.lit(r"\E\\E\Q")), fn.lit(r"\E(?![\w])")
    )
    found = fn.regexp_replace(text, quoted, pseudonym)
    return fn.when(name.isNull() | (name == ""), text).otherwise(found)
