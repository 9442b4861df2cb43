"""The catalogue of messages."""

from __future__ import annotations

import re

import pytest

from workloads.ssh_logs import messages

LEVEL = re.compile("^(error|fatal): ")
WORD = re.compile(r"[A-Za-z][\w'-]+")
DEBUG = re.compile("^debug[123]: ")
PART = re.compile("[A-Za-z]{2,}")


def find(text: str) -> tuple[str | None, dict[str, str]]:
    """Id and fields of the entry that reads `text`."""
    entry, fields = messages.find(text) or (None, {})
    return (entry.id if entry else None), fields


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
            {
                "method": "publickey",
                "user": "git",
                "address": "192.0.2.1",
                "port": "40",
                "key": "SHA256:abc",
            },
        ),
        (
            "Accepted publickey for x from 192.0.2.1 port 40 ssh2: RSA 43:51:43:a1:b5:fc:8b:b7:0a:3a:a9:b1:0f:66:73:a8",
            "accepted-key",
            {
                "method": "publickey",
                "user": "x",
                "address": "192.0.2.1",
                "port": "40",
                "key": "43:51:43:a1:b5:fc:8b:b7:0a:3a:a9:b1:0f:66:73:a8",
            },
        ),
        (
            "Accepted publickey for x from 192.0.2.1 port 4 ssh2: RSA-CERT SHA256:abc ID me (serial 7) CA RSA x:y",
            "accepted-certificate",
            {"method": "publickey", "user": "x", "address": "192.0.2.1", "port": "4", "key": "SHA256:abc"},
        ),
        (
            "Received disconnect from 192.0.2.1: 11: Bye Bye",
            "received-disconnect-bye-bye",
            {"address": "192.0.2.1"},
        ),
        (
            "Received disconnect from 192.0.2.1 port 40:11:",
            "received-disconnect-port",
            {"address": "192.0.2.1", "port": "40", "reason": ""},
        ),
        ("debug1: restore_uid: 0/0", "debug1-restore-uid", {}),
        ("debug2: channel 0: read<=0 rfd -1 len 0", "debug2-channel-read-0-rfd-len", {}),
        ("debug2: kex_parse_kexinit:", "debug2-kex-parse-kexinit", {}),
        ('debug1: PAM: setting PAM_RHOST to "192.0.2.1"', "debug1-pam-setting-pam-rhost-to", {"address": "192.0.2.1"}),
        (
            "debug1: userauth-request for user alice service ssh-connection method none",
            "debug1-userauth-request-for-user-service-method",
            {"user": "alice", "method": "none"},
        ),
        ("debug2: reserved 0", None, {}),
        ("the cat sat on the mat", None, {}),
    ],
)
def test_a_message_is_read(text: str, entry_id: str | None, fields: dict[str, str]) -> None:
    assert find(text) == (entry_id, fields)


def test_the_blanks_before_a_stage_are_no_part_of_a_message() -> None:
    assert messages.unwrapped("debug2: first_kex_follows 0  [preauth]") == (
        "debug2: first_kex_follows 0",
        "-preauth",
        None,
    )
    assert messages.unwrapped("Received disconnect from 192.0.2.1: 11:  [preauth]")[0].endswith(": 11:")


def test_names_of_functions_are_freebsd_s_no_less_than_others() -> None:
    said = "error: Fssh_kex_exchange_identification: read: Connection reset by peer"
    assert messages.unwrapped(said)[0] == "error: kex_exchange_identification: read: Connection reset by peer"


@pytest.mark.parametrize(
    ("text", "entry_id", "template"),
    [
        ("Bind to port 22 on :: failed: Address in use", "bind-failed-plain", "Bind to port <*> on <*> failed: <*>"),
        ("error: Cannot bind any address.", "cannot-bind-any-error", "error: Cannot bind any address."),
        ("fatal: Connection from 192.0.2.1 port 5", "connection-from-fatal", "fatal: Connection from <*> port <*>"),
    ],
)
def test_a_message_may_be_said_at_another_level(text: str, entry_id: str, template: str) -> None:
    entry, fields = messages.find(text) or pytest.fail(text)
    assert (entry.id, entry.template) == (entry_id, template)
    assert fields.keys() == set(entry.fields)


def test_a_message_for_debugging_is_of_its_own_level_alone() -> None:
    assert messages.find("debug1: Cannot bind any address.") is None
    assert messages.find("restore_uid: 0/0") is None


def test_every_entry_has_three_constant_words() -> None:
    constant = {entry.id: LEVEL.sub("", entry.template.replace("<*>", " ")) for entry in messages.catalogue()}
    few = {entry: text for entry, text in constant.items() if len(WORD.findall(text)) < 3}
    assert {entry: text for entry, text in few.items() if not DEBUG.match(text)} == {}
    # Half of what sshd says to be debugged with is the name of a function and a word.
    assert {entry: text for entry, text in few.items() if len(PART.findall(text)) < 3} == {}


def test_templates_are_distinct_and_begin_with_constant_text() -> None:
    templates = [entry.template for entry in messages.catalogue()]
    assert len(set(templates)) == len(templates) == len({entry.id for entry in messages.catalogue()})
    assert not [template for template in templates if "<" in template[:3]]


def test_only_verdicts_have_an_outcome() -> None:
    beginnings = {entry.template.split()[0] for entry in messages.catalogue() if entry.outcome}
    assert beginnings == {"Accepted", "Failed"}


def test_an_entry_says_a_field_itself_or_finds_it() -> None:
    both = [entry.id for entry in messages.catalogue() if entry.constants.keys() & set(entry.fields)]
    assert both == []
    entry, _ = messages.find("Received disconnect from 192.0.2.1: 11: Bye Bye") or pytest.fail()
    assert entry.constants == {"reason": "Bye Bye"}


def test_the_tree_keeps_the_order_of_what_can_match() -> None:
    general = messages.message("general", "Failed <method> for <user>")
    special = messages.message("special", "Failed password for <user>")
    other = messages.message("other", "Failed login of <user>")
    assert messages.tree([special, other, general]) == messages.Fork(
        (("Failed login of", (other, general)), ("Failed password for", (special, general))), (general,)
    )


def test_an_unknown_placeholder_is_refused() -> None:
    with pytest.raises(ValueError, match="message 'x': there is no placeholder <nonsense>"):
        messages.message("x", "Hello <nonsense>")
