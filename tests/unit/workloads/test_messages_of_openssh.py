"""The catalogue against the formats of OpenSSH's sources."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.ssh_inventory import EXAMPLES, Format, formats, unlisted
from workloads.ssh_logs import messages

FORMATS = tuple(formats())
WITH_USER = tuple(one for one in FORMATS if "user" in one.fields)
# Formats of which the catalogue knows forms by their method: what their general entries read is another method's.
BY_METHOD = {"failed", "failed-invalid-user"}
HOSTILE = (
    "",
    "a b",
    "[x]",
    "(x=0)",
    "x from 198.51.100.9 port 22",
    "x from 198.51.100.9 port 22 ssh2",
    "x from 198.51.100.9 port 22 ssh2 from 198.51.100.9 port 22 ssh2",
    "root 198.51.100.9 port 22",
    "x rhost=198.51.100.9  user=root",
    "' OR 1=1 --",
    "$(reboot)\\1 .*",
    "пользователь",
    "\ufffd\u2028\x85",
)
ANYTHING = st.text(st.characters(exclude_characters="\n", exclude_categories=("Cs",)), max_size=60)


def blanks(text: str) -> str:
    """Runs of blanks as single ones: that is how templates see them."""
    return re.sub(" +", " ", text).strip(" ")


def said(one: Format, values: dict[str, str]) -> dict[str, str]:
    """The fields that a message of a format tells."""
    return {name: values[name] for name in one.fields if name in messages.FIELDS}


def test_a_message_of_openssh_is_read_by_its_entry() -> None:
    read = {one.text: (entry.id, fields) for one in FORMATS for entry, fields in [messages.find(one.message())]}
    assert read == {one.text: (one.entry, said(one, EXAMPLES)) for one in FORMATS}


def test_no_entry_reads_two_messages_of_openssh() -> None:
    read = defaultdict(set)
    for one in FORMATS:
        entry, _ = messages.find(one.message()) or pytest.fail(one.text)
        read[entry.id].add(one.text)
    assert {entry: texts for entry, texts in read.items() if len(texts) > 1} == {}


def test_what_is_left_to_the_parser_of_leftovers_is_read_by_no_entry() -> None:
    found = {text: messages.find(text) for text in unlisted()}
    assert len(found) > 200
    assert {text: match[0].id for text, match in found.items() if match} == {}


def test_every_entry_is_of_openssh_or_named_here() -> None:
    elsewhere = {entry.id for entry in messages.catalogue()} - {one.entry for one in FORMATS}
    assert elsewhere == {
        "accepted-protocol-unnumbered",
        "accepted-without-port",
        "accepted-without-protocol",
        "address-maps-elsewhere-breakin",
        "aix-login-restricted",
        "aix-password-unchangeable",
        "buffer-string-length",
        "certificate-name-not-a-listed-principal",
        "command-terminated",
        "could-not-reverse-map",
        "esxi-fips-mode",
        "esxi-map-lookup",
        "esxi-new-subrequest",
        "esxi-running-command",
        "esxi-session-closed",
        "esxi-session-opened",
        "failed-illegal-user",
        "failed-protocol-unnumbered",
        "failed-protocol-unnumbered-illegal-user",
        "failed-protocol-unnumbered-invalid-user",
        "failed-solaris-invalid-user",
        "failed-without-port",
        "failed-without-port-invalid-user",
        "fatal-closed-by-remote",
        "hpn-authentication-name",
        "hpn-key-exchange",
        "hpn-version",
        "illegal-user",
        "illegal-user-port",
        "input-userauth-request-illegal-user",
        "junos-login-attempts",
        "junos-login-failed",
        "junos-login-failed-sentence",
        "junos-pam-chain",
        "kerberos-authorized-command",
        "key-read-uudecode",
        "lastlog-unseen",
        "nss-ldap-could-not-search",
        "nss-ldap-reconnected",
        "nss-ldap-reconnecting",
        "nss-ldap-reconnecting-later",
        "old-pam-dlerror",
        "old-pam-error",
        "old-pam-no-password",
        "old-pam-session-opened-plain",
        "openpam-group",
        "openpam-kerberos-principal",
        "openpam-module-missing",
        "os-login-granted",
        "os-login-permission",
        "pam-abl-blocking",
        "pam-abl-blocking-module",
        "pam-authentication-error-illegal-user-via",
        "pam-authentication-error-via",
        "pam-authentication-failure-short",
        "pam-cannot-release",
        "pam-ldap-no-server",
        "pam-ldap-reconnecting",
        "pam-ldap-reconnecting-later",
        "pam-ldap-starttls",
        "pam-putenv",
        "pam-session-opened-plain",
        "pam-systemd-moving",
        "pam-vas-authentication",
        "pam-winbind-module-error",
        "pam-winbind-ok",
        "pam-winbind-request-failed",
        "postponed-without-protocol",
        "read-error-plain",
        "reverse-mapping-failed-breakin",
        "reverse-mapping-failed-without-address",
        "rsa-algorithm-disabled",
        "selinux-change-context",
        "selinux-copy-context",
        "solaris-pam-failed",
        "tacacs-read-failed",
        "wrappers-address-mismatch",
        "wrappers-cannot-verify",
        "wrappers-name-mismatch",
        "write-failed-unreachable",
    }


def test_a_user_name_of_any_kind_changes_neither_entry_nor_address() -> None:
    wrong = [(user, one.text) for user in HOSTILE for one in WITH_USER if not holds(one, user)]
    assert wrong == []


@given(st.sampled_from(WITH_USER), ANYTHING)
def test_a_user_name_comes_back(one: Format, user: str) -> None:
    assert holds(one, user)


def holds(one: Format, user: str) -> bool:
    """Whether a message about `user` is read by its entry, and gives back its fields."""
    values = EXAMPLES | {"user": user}
    found = messages.find(one.message(values))
    return (
        found is not None
        and found[0].id == one.entry
        and {name: blanks(text) for name, text in found[1].items()} == said(one, values | {"user": blanks(user)})
    )


@given(ANYTHING)
def test_anything_is_read_without_an_error(text: str) -> None:
    messages.find(text)


def test_the_tree_finds_what_all_entries_tried_in_order_find() -> None:
    begin_alike = defaultdict(list)  # all begin with three constant characters
    for entry in messages.catalogue():
        begin_alike[entry.template[:3]].append(entry)
    texts = [one.message() for one in FORMATS] + [one.message(EXAMPLES | {"user": "a from b"}) for one in WITH_USER]
    for text in texts:
        first = next(entry for entry in begin_alike[text[:3]] if messages.compiled(entry.pattern).match(text))
        found, _ = messages.find(text) or pytest.fail(text)
        assert found is first


@pytest.mark.real_data
def test_a_real_log_is_read_as_its_truth_says(real_data) -> None:
    from benchmarks import ssh_parsing

    folder = real_data / "openssh"
    truth = ssh_parsing.Truth.read(folder / "OpenSSH_2k.log_structured_corrected.csv")
    read = ssh_parsing.by_catalogue(truth.contents)
    assert all(ssh_parsing.grouped(read, truth.labels))
    assert all(ssh_parsing.agreeing(ssh_parsing.as_loghub(read, truth), truth.labels))
