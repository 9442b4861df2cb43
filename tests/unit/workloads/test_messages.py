"""The catalogue of messages."""

from __future__ import annotations

import re

import pytest

from workloads.ssh_logs import messages

# OpenSSH says these with fewer words than three.
SHORT = {
    "connection-from",
    "disconnected-from",
    "disconnected-from-port",
    "disconnected-from-user",
    "exited-on-signal",
    "subsystem-request",
}


def find(text: str) -> tuple[str | None, dict[str, str]]:
    """Id and fields of the entry that reads `text`, as Python's own matcher sees it."""
    for entry in messages.catalogue():
        if match := re.fullmatch(entry.pattern.replace(r"\z", r"\Z"), text):
            return entry.id, dict(zip(entry.fields, match.groups(), strict=True))
    return None, {}


@pytest.mark.parametrize(
    ("text", "entry_id", "fields"),
    [
        (
            "Failed password for invalid user admin from 203.0.113.9 port 22 ssh2",
            "failed-password-invalid-user",
            {"user": "admin", "address": "203.0.113.9", "port": "22"},
        ),
        (
            "Failed password for root from fe80::1 port 50022 ssh2",
            "failed-password",
            {"user": "root", "address": "fe80::1", "port": "50022"},
        ),
        (
            "Failed password for invalid user  from 203.0.113.9 port 22 ssh2",
            "failed-password-invalid-user",
            {"user": "", "address": "203.0.113.9", "port": "22"},
        ),
        (
            "Failed password for invalid user x from 192.0.2.1 port 1 ssh2 from 203.0.113.9 port 22 ssh2",
            "failed-password-invalid-user",
            {"user": "x from 192.0.2.1 port 1 ssh2", "address": "203.0.113.9", "port": "22"},
        ),
        (
            "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=::1  user=root",
            "pam-authentication-failure-user",
            {"address": "::1", "user": "root"},
        ),
        (
            "Accepted publickey for git from 192.0.2.1 port 40 ssh2: ED25519 SHA256:abc",
            "accepted-key",
            {"method": "publickey", "user": "git", "address": "192.0.2.1", "port": "40"},
        ),
        (
            "Received disconnect from 192.0.2.1: 11: Bye Bye",
            "received-disconnect",
            {"address": "192.0.2.1", "reason": "Bye Bye"},
        ),
        ("the cat sat on the mat", None, {}),
    ],
)
def test_a_message_is_read(text: str, entry_id: str | None, fields: dict[str, str]) -> None:
    assert find(text) == (entry_id, fields)


def test_no_entry_is_a_catch_all() -> None:
    few = {
        entry.id
        for entry in messages.catalogue()
        if len(re.findall(r"[A-Za-z]{2,}", entry.template.replace("<*>", " "))) < 3
    }
    assert few <= SHORT


def test_templates_are_distinct_and_begin_with_constant_text() -> None:
    templates = [entry.template for entry in messages.catalogue()]
    assert len(set(templates)) == len(templates)
    assert not [template for template in templates if "<" in template[:3]]


def test_only_verdicts_have_an_outcome() -> None:
    beginnings = {entry.template.split()[0] for entry in messages.catalogue() if entry.outcome}
    assert beginnings == {"Accepted", "Failed"}


def test_an_unknown_placeholder_is_refused() -> None:
    with pytest.raises(ValueError, match="message 'x': there is no placeholder <nonsense>"):
        messages.message("x", "Hello <nonsense>")
