"""Rules for storage accounts and their containers. What is not set is not safe: defaults change with API versions."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.rule import Properties, Rule

ACCOUNT = "azure-native:storage:StorageAccount"
CONTAINER = "azure-native:storage:BlobContainer"


def _https_only(properties: Properties) -> Iterator[str]:
    if properties.get("enableHttpsTrafficOnly") is not True:
        yield "enableHttpsTrafficOnly must be true: the account answers unencrypted requests"


def _no_public_blobs(properties: Properties) -> Iterator[str]:
    if "publicAccess" in properties:
        if properties["publicAccess"] not in (None, "None"):
            yield "publicAccess must be None: anybody can read the container"
    elif "containerName" not in properties and properties.get("allowBlobPublicAccess") is not False:
        yield "allowBlobPublicAccess must be false: containers could be opened to anybody"


def _no_shared_key(properties: Properties) -> Iterator[str]:
    if properties.get("allowSharedKeyAccess") is not False:
        yield "allowSharedKeyAccess must be false: whoever holds the account's key may do anything, unseen"


RULES = (
    Rule(
        name="storage-https-only",
        description="Storage accounts answer encrypted requests only.",
        severity=Severity.HIGH,
        types=(ACCOUNT,),
        sources=("AZR-000196", "CKV_AZURE_3"),
        link="https://learn.microsoft.com/azure/storage/common/storage-require-secure-transfer",
        violations=_https_only,
    ),
    Rule(
        name="storage-no-public-blobs",
        description="No container can be read by anybody without an identity.",
        severity=Severity.CRITICAL,
        types=(ACCOUNT, CONTAINER),
        sources=("AZR-000198", "AZR-000199", "CKV_AZURE_34", "CKV_AZURE_190"),
        link="https://learn.microsoft.com/azure/storage/blobs/anonymous-read-access-prevent",
        violations=_no_public_blobs,
    ),
    Rule(
        name="storage-no-shared-key",
        description="Storage accounts are reached by identities, never by account keys.",
        severity=Severity.HIGH,
        types=(ACCOUNT,),
        sources=("CKV2_AZURE_40",),
        link="https://learn.microsoft.com/azure/storage/common/shared-key-authorization-prevent",
        violations=_no_shared_key,
    ),
)
