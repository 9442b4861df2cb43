"""The data lake: one ADLS Gen2 account and its containers.

Owns the account, its soft delete, its containers, what becomes of old files, and a lock that keeps it. Not who may use
it (components/identity.py) nor what Unity Catalog makes of it. There is no account key, no shared access signature and
no anonymous access: identities only. Accounts with a hierarchical namespace have soft delete, but no versions and no
point-in-time restore: data is protected instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pulumi
from pulumi import Output, ResourceOptions
from pulumi_azure_native import authorization, storage

from components.existing import look_up
from components.site import Site

FILE_CONTAINERS = ("bronze", "gold", "landing", "models", "quarantine", "reports", "silver")
"""Containers that hold files, each of which Unity Catalog shows as a volume."""

COOLING = tuple(f"{container}/" for container in FILE_CONTAINERS if container != "models")
"""Where files become cool: what came in, and exports. Never tables (their container is `catalog`), which Delta reads
again, nor models. Not to the archive: zone-redundant accounts have none."""

CATALOG_CONTAINER = "catalog"
"""The container of managed tables: apart from the others, for managed storage and volumes may not overlap."""


@dataclass(frozen=True)
class LakeArgs:
    """`redundancy` of blocks; days for which what was deleted can be had back, and after which files become cool."""

    redundancy: Literal["LRS", "ZRS", "GRS", "GZRS"]
    soft_delete_days: int
    cool_after_days: int


@dataclass(frozen=True)
class Lake:
    """A data lake, created or found: the account's name and id, and the address of its files."""

    name: Output[str]
    id: Output[str]
    endpoint: Output[str]

    def url(self, container: str) -> Output[str]:
        """The address of a container, as Spark and Unity Catalog take it."""
        return Output.concat("abfss://", container, "@", self.name, ".dfs.core.windows.net/")


class DataLake(pulumi.ComponentResource):
    """The data lake of this stack. `lake` is complete once all containers are there."""

    lake: Lake
    account: storage.StorageAccount
    containers: dict[str, storage.BlobContainer]

    def __init__(self, name: str, site: Site, args: LakeArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("medallion:components:DataLake", name, None, opts)
        child = ResourceOptions(parent=self, protect=site.protect)
        self.account = site.network.attach(
            storage.StorageAccount,
            f"{name}-account",
            account_name=site.names.of("data_lake"),
            resource_group_name=site.group,
            location=site.location,
            kind="StorageV2",
            sku={"name": f"Standard_{args.redundancy}"},
            access_tier=storage.AccessTier.HOT,
            is_hns_enabled=True,
            enable_https_traffic_only=True,
            minimum_tls_version="TLS1_2",
            allow_blob_public_access=False,
            allow_shared_key_access=False,
            allow_cross_tenant_replication=False,
            default_to_o_auth_authentication=True,
            is_local_user_enabled=False,
            tags=site.tags,
            opts=child,
        )
        retention = {"enabled": True, "days": args.soft_delete_days}
        storage.BlobServiceProperties(
            f"{name}-blob-service",
            account_name=self.account.name,
            resource_group_name=site.group,
            blob_services_name="default",
            delete_retention_policy=retention,
            container_delete_retention_policy=retention,
            opts=ResourceOptions(parent=self),
        )
        self.containers = {
            container: storage.BlobContainer(
                f"{name}-{container}",
                account_name=self.account.name,
                resource_group_name=site.group,
                container_name=container,
                public_access=storage.PublicAccess.NONE,
                opts=child,
            )
            for container in sorted((*FILE_CONTAINERS, CATALOG_CONTAINER))
        }
        storage.ManagementPolicy(
            f"{name}-lifecycle",
            account_name=self.account.name,
            resource_group_name=site.group,
            management_policy_name="default",
            policy={"rules": [lifecycle_rule(args.cool_after_days)]},
            opts=ResourceOptions(parent=self, depends_on=list(self.containers.values())),
        )
        if site.protect:
            authorization.ManagementLockByScope(
                f"{name}-lock",
                lock_name="data",
                scope=self.account.id,
                level="CanNotDelete",
                notes="The data lake: delete this lock first, if you mean it.",
                opts=ResourceOptions(parent=self, depends_on=list(self.containers.values())),
            )
        whole = Output.all(*(container.id for container in self.containers.values()))
        self.lake = Lake(
            name=Output.all(self.account.name, whole).apply(lambda values: values[0]),
            id=self.account.id,
            endpoint=self.account.primary_endpoints.dfs,
        )
        self.register_outputs({"name": self.account.name, "endpoint": self.lake.endpoint})

    @staticmethod
    def existing(name: str, *, group: str, owner: str) -> Lake:
        """The lake of that name. Raises ExistingError."""
        found = look_up(
            "data_lake",
            name,
            owner,
            lambda: storage.get_storage_account(account_name=name, resource_group_name=group),
        )
        return Lake(
            name=Output.from_input(found.name),
            id=Output.from_input(found.id),
            endpoint=Output.from_input(found.primary_endpoints.dfs),
        )


def lifecycle_rule(cool_after_days: int) -> dict:
    """The rule by which files become cool that nobody changed for so many days."""
    return {
        "name": "cool",
        "type": "Lifecycle",
        "enabled": True,
        "definition": {
            "filters": {"blob_types": ["blockBlob"], "prefix_match": list(COOLING)},
            "actions": {
                "base_blob": {"tier_to_cool": {"days_after_modification_greater_than": cool_after_days}},
            },
        },
    }
