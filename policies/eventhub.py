"""Rules for Event Hubs namespaces."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.rule import Properties, Rule

NAMESPACE = "azure-native:eventhub:Namespace"


def _no_keys(properties: Properties) -> Iterator[str]:
    if properties.get("disableLocalAuth") is not True:
        yield "disableLocalAuth must be true: whoever holds a key may send and read events, unseen"


def _tls(properties: Properties) -> Iterator[str]:
    if properties.get("minimumTlsVersion") not in ("1.2", "1.3"):
        yield "minimumTlsVersion must be 1.2 or later: the namespace answers by protocols that can be broken"


RULES = (
    Rule(
        name="eventhub-no-keys",
        description="Event Hubs are reached by identities, never by shared access keys.",
        severity=Severity.HIGH,
        types=(NAMESPACE,),
        sources=("AZR-000102",),
        link="https://learn.microsoft.com/azure/event-hubs/authenticate-shared-access-signature",
        violations=_no_keys,
    ),
    Rule(
        name="eventhub-tls",
        description="Event Hubs take TLS 1.2 or later.",
        severity=Severity.CRITICAL,
        types=(NAMESPACE,),
        sources=("CKV_AZURE_223",),
        link="https://learn.microsoft.com/azure/event-hubs/transport-layer-security-enforce-minimum-version",
        violations=_tls,
    ),
)
