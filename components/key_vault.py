"""The key vault: where secrets are that no identity can replace.

Owns the vault and who may read it. Access is by roles in Azure; a deleted vault, or secret, can be had back for as long
as the retention says, and nobody can shorten that (purge protection). Secrets themselves are put in by people or by
those who issue them, never by this program: its state would hold them. Where one has to come from a resource of ours,
Azure itself is told to move it (serving_store.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
from pulumi import Output, ResourceOptions
from pulumi_azure_native import keyvault

from components.existing import look_up
from components.identity import Administrator, grant, grant_all
from components.site import Site


@dataclass(frozen=True)
class KeyVaultArgs:
    """Days for which what was deleted can be had back (7 to 90), administrators, and the object id of Databricks'.

    `recover` takes a deleted vault of the same name back instead of creating one, which Azure would refuse.
    `databricks_principal` is what the tenant calls the application AzureDatabricks; without it, its secret scope stands
    but cannot read.
    """

    soft_delete_days: int
    administrators: Mapping[str, Administrator] = field(default_factory=dict)
    databricks_principal: str | None = None
    recover: bool = False


@dataclass(frozen=True)
class Vault:
    """A key vault, created or found: name, id, and address."""

    name: Output[str]
    id: Output[str]
    uri: Output[str]


class KeyVault(pulumi.ComponentResource):
    """The key vault of this stack. `vault` is complete once Databricks may read it."""

    vault: Vault

    def __init__(self, name: str, site: Site, args: KeyVaultArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("medallion:components:KeyVault", name, None, opts)
        child = ResourceOptions(parent=self)
        vault = site.network.attach(
            keyvault.Vault,
            f"{name}-vault",
            vault_name=site.names.of("key_vault"),
            resource_group_name=site.group,
            location=site.location,
            properties={
                "tenant_id": site.tenant,
                "sku": {"family": "A", "name": "standard"},
                "enable_rbac_authorization": True,
                "enable_soft_delete": True,
                "enable_purge_protection": True,
                "soft_delete_retention_in_days": args.soft_delete_days,
                "create_mode": "recover" if args.recover else "default",
            },
            tags=site.tags,
            # how it came to be is of no interest later
            opts=ResourceOptions(parent=self, protect=site.protect, ignore_changes=["properties.createMode"]),
        )
        grant_all(
            site, args.administrators, role="Key Vault Secrets Officer", on="key-vault", scope=vault.id, opts=child
        )
        readable = []
        if args.databricks_principal:
            role = grant(
                site,
                who="databricks",
                role="Key Vault Secrets User",
                on="key-vault",
                principal_id=args.databricks_principal,
                scope=vault.id,
                opts=child,
            )
            readable.append(role.id)
        self.vault = Vault(
            name=vault.name,
            id=Output.all(vault.id, *readable).apply(lambda ids: ids[0]),
            uri=vault.properties.vault_uri,
        )
        self.register_outputs({"name": self.vault.name, "uri": self.vault.uri})

    @staticmethod
    def existing(name: str, *, group: str, owner: str) -> Vault:
        """The vault of that name. Raises ExistingError."""
        found = look_up(
            "key_vault", name, owner, lambda: keyvault.get_vault(vault_name=name, resource_group_name=group)
        )
        return Vault(
            name=Output.from_input(found.name),
            id=Output.from_input(found.id),
            uri=Output.from_input(found.properties.vault_uri),
        )
