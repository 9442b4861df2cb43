"""The simulated Azure's storage: accounts, containers and their lifecycle. A container is a folder on disk."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simulator import azure_rules as rules
from simulator.azure_rules import GROUP, PLACE, refuse, wrong
from simulator.kinds import Kind
from simulator.state import Cloud, Resource

ACCOUNT = GROUP + "/providers/Microsoft.Storage/storageAccounts/{accountName}"
BLOBS = "azure-native:storage:BlobServiceProperties"
# https://learn.microsoft.com/azure/storage/blobs/lifecycle-management-policy-structure
MOST_RULES, MOST_PREFIXES = 100, 10
BLOB_TYPES, TIERED = ("blockBlob", "appendBlob"), ("tierToCool", "tierToCold", "tierToArchive", "tierToHot")
LAST_ACCESS = "daysAfterLastAccessTimeGreaterThan"


def _unique_account(cloud: Cloud, resource: Resource) -> None:
    rules.identities_exist(cloud, resource)
    name = resource.inputs["accountName"]
    if rules.taken(cloud, resource, "accountName"):
        raise refuse(409, "StorageAccountAlreadyTaken", f"The storage account named {name} is already taken.")


def _hierarchical(cloud: Cloud, resource: Resource) -> None:
    """https://learn.microsoft.com/azure/storage/blobs/storage-feature-support-in-storage-accounts"""
    account = cloud.get(resource.parent)
    wanted = resource.inputs
    features = {
        "versioning": wanted.get("isVersioningEnabled"),
        "change feed": (wanted.get("changeFeed") or {}).get("enabled"),
        "point-in-time restore": (wanted.get("restorePolicy") or {}).get("enabled"),
    }
    refused = [feature for feature, on in features.items() if on]
    if account and account.inputs.get("isHnsEnabled") and refused:
        message = f"{refused[0]} is not supported for an account with a hierarchical namespace."
        raise refuse(409, "FeatureNotSupportedForAccount", message)


def _public_access(cloud: Cloud, resource: Resource) -> None:
    account = cloud.get(resource.parent)
    if resource.inputs.get("publicAccess") not in (None, "None") and not (
        account and account.inputs.get("allowBlobPublicAccess")
    ):
        raise refuse(409, "PublicAccessNotPermitted", "Public access is not permitted on this storage account.")


def _lifecycle(cloud: Cloud, resource: Resource) -> None:
    """https://learn.microsoft.com/azure/storage/blobs/lifecycle-management-overview"""
    asked = resource.inputs["policy"]["rules"]
    names = [rule["name"] for rule in asked]
    if not 1 <= len(asked) <= MOST_RULES or len(set(names)) < len(names):
        message = f"there must be 1 to {MOST_RULES}, each with a name of its own."
        raise wrong(resource, "policy.rules", message, "InvalidPolicy")
    for rule in asked:
        reason = _wrong_in_rule(cloud, resource, rule)
        if reason:
            raise wrong(resource, "policy.rules", f"rule '{rule['name']}': {reason}.", "InvalidPolicy")


def _wrong_in_rule(cloud: Cloud, resource: Resource, rule: Mapping[str, Any]) -> str:
    """What is wrong with a rule of a lifecycle; empty if nothing is."""
    filters, actions = rule["definition"].get("filters") or {}, rule["definition"]["actions"]
    blob_types = filters.get("blobTypes") or []
    if not blob_types or not set(blob_types) <= set(BLOB_TYPES):
        return f"filters.blobTypes {blob_types} are not of {', '.join(BLOB_TYPES)}"
    prefixes = filters.get("prefixMatch") or []
    if len(prefixes) > MOST_PREFIXES or any(not re.match(r"[a-z0-9$]", prefix) for prefix in prefixes):
        return f"filters.prefixMatch has {MOST_PREFIXES} prefixes at most, each of which begins with a container"
    done = {name: days for on in actions.values() for name, days in (on or {}).items() if days}
    if not done:
        return "it has no action"
    if "appendBlob" in blob_types and any(name in done for name in TIERED):
        return "append blobs can be deleted, not tiered"
    return _wrong_for_account(cloud, resource, done)


def _wrong_for_account(cloud: Cloud, resource: Resource, done: Mapping[str, Any]) -> str:
    """https://learn.microsoft.com/azure/storage/blobs/access-tiers-overview#archive-access-tier"""
    account = cloud.get(resource.parent)
    redundancy = rules.text(account.inputs, "sku", "name").rpartition("_")[2] if account else ""
    if "tierToArchive" in done and redundancy.endswith("ZRS"):
        return f"tierToArchive is not supported for accounts that are zone-redundant ({redundancy})"
    service = next((child for child in cloud.children(resource.parent) if child.type == BLOBS), None)
    tracking = (service.inputs.get("lastAccessTimeTrackingPolicy") or {}).get("enable") if service else False
    if not tracking and any(LAST_ACCESS in days for days in done.values() if isinstance(days, dict)):
        return f"{LAST_ACCESS} needs lastAccessTimeTrackingPolicy of the account's blob service"
    return ""


def _account(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    name, services = resource.inputs["accountName"], ("blob", "dfs", "file", "queue", "table")
    return {
        **rules.tracked(cloud, resource),
        "primaryEndpoints": {service: f"https://{name}.{service}.core.windows.net/" for service in services},
        "primaryLocation": rules.location(cloud, resource),
        "statusOfPrimary": "available",
    }


def _container(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    return {**rules.common(cloud, resource), "deleted": False, "leaseState": "Available", "leaseStatus": "Unlocked"}


def _folder(cloud: Cloud, resource: Resource) -> Path:
    return cloud.lake_root(resource.inputs["accountName"]) / resource.inputs.get("containerName", "")


def _make_folder(cloud: Cloud, resource: Resource) -> None:
    _folder(cloud, resource).mkdir(parents=True, exist_ok=True)


def _remove_folder(cloud: Cloud, resource: Resource) -> None:
    cloud.remove(_folder(cloud, resource))


KINDS = (
    Kind(
        "azure-native:storage:StorageAccount",
        ACCOUNT,
        naming={"accountName": r"[a-z0-9]{3,24}"},
        replace=(*PLACE, "accountName", "isHnsEnabled", "enableNfsV3", "dnsEndpointType", "extendedLocation"),
        rules=_unique_account,
        outputs=_account,
        deleted=_remove_folder,
        computed=("identity",),
    ),
    Kind(
        BLOBS,
        ACCOUNT + "/blobServices/{blobServicesName}",
        naming={"blobServicesName": r"default"},
        replace=("resourceGroupName", "accountName", "blobServicesName"),
        rules=_hierarchical,
        outputs=rules.common,
        adopts=True,
    ),
    Kind(
        "azure-native:storage:BlobContainer",
        ACCOUNT + "/blobServices/default/containers/{containerName}",
        naming={"containerName": r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*|\$root|\$web"},
        replace=("resourceGroupName", "accountName", "containerName", "defaultEncryptionScope"),
        rules=_public_access,
        outputs=_container,
        written=_make_folder,
        deleted=_remove_folder,
    ),
    Kind(
        "azure-native:storage:ManagementPolicy",
        ACCOUNT + "/managementPolicies/{managementPolicyName}",
        naming={"managementPolicyName": r"default"},
        replace=("resourceGroupName", "accountName", "managementPolicyName"),
        rules=_lifecycle,
        outputs=rules.common,
    ),
)
