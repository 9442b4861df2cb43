"""Rules for Cosmos DB accounts. What takes a key answers few, and the key opens as little as it can."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.rule import Properties, Rule

ACCOUNT = "azure-native:cosmosdb:DatabaseAccount"


def _not_open_to_all(properties: Properties) -> Iterator[str]:
    closed = properties.get("publicNetworkAccess") == "Disabled"
    if not closed and not properties.get("ipRules") and not properties.get("isVirtualNetworkFilterEnabled"):
        yield "ipRules, virtualNetworkRules or publicNetworkAccess Disabled must close it: the account answers all"


def _tls(properties: Properties) -> Iterator[str]:
    if properties.get("minimalTlsVersion") != "Tls12":
        yield "minimalTlsVersion must be Tls12: the account answers by protocols that can be broken"


def _key_changes_no_tables(properties: Properties) -> Iterator[str]:
    if properties.get("disableKeyBasedMetadataWriteAccess") is not True:
        yield "disableKeyBasedMetadataWriteAccess must be true: whoever holds the key may drop tables"


RULES = (
    Rule(
        name="cosmos-not-open-to-all",
        description="Cosmos DB accounts answer chosen networks and addresses only.",
        severity=Severity.HIGH,
        types=(ACCOUNT,),
        sources=("CKV_AZURE_99",),
        link="https://learn.microsoft.com/azure/cosmos-db/how-to-configure-firewall",
        violations=_not_open_to_all,
    ),
    Rule(
        name="cosmos-tls",
        description="Cosmos DB accounts take TLS 1.2 or later.",
        severity=Severity.CRITICAL,
        types=(ACCOUNT,),
        sources=("AZR-000415",),
        link="https://learn.microsoft.com/azure/cosmos-db/self-serve-minimum-tls-enforcement",
        violations=_tls,
    ),
    Rule(
        name="cosmos-key-changes-no-tables",
        description="The key of a Cosmos DB account reads and writes rows, and changes no tables.",
        severity=Severity.HIGH,
        types=(ACCOUNT,),
        sources=("CKV_AZURE_132",),
        link="https://learn.microsoft.com/azure/cosmos-db/audit-control-plane-logs",
        violations=_key_changes_no_tables,
    ),
)
