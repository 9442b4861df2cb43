"""Identities and what they may do.

Owns user-assigned identities and role assignments. Roles are given by name, from one table; an assignment's own name is
a GUID made of logical names, so that it is the same on every machine; `principal_type` is always set, since Entra shows
a new identity to Azure only after a while, and the type makes Azure wait for it.

| who | role | on | why |
| --- | --- | --- | --- |
| lake identity (access connector) | Storage Blob Data Contributor | data lake | Unity Catalog works through it |
| data factory | Contributor | workspace | Databricks lets a managed identity in by this role only |
| data factory | Storage Blob Data Reader | data lake | its linked service may look at files, not change them |
| administrators | AKS RBAC Cluster Admin | cluster | local accounts are off: nobody else could declare pods |

Who deploys needs no role on the lake: files are uploaded through volumes, by Unity Catalog's identity.
"""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi import Input, Output, ResourceOptions
from pulumi_azure_native import authorization, managedidentity

from components.site import Site

ROLES: Mapping[str, str] = {
    "Azure Kubernetes Service RBAC Cluster Admin": "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b",
    "Contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "Storage Blob Data Reader": "2a2b9908-6ea1-4ae2-8e65-a390df84e7d1",
}
"""Azure's built-in roles that we give.
Source: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles"""


class Identity(pulumi.ComponentResource):
    """A user-assigned identity; `kind` is its row in the table of names."""

    id: Output[str]
    principal_id: Output[str]
    client_id: Output[str]

    def __init__(self, name: str, site: Site, kind: str, opts: ResourceOptions | None = None) -> None:
        super().__init__("medallion:components:Identity", name, None, opts)
        identity = managedidentity.UserAssignedIdentity(
            f"{name}-identity",
            resource_name_=site.names.of(kind),
            resource_group_name=site.group,
            location=site.location,
            tags=site.tags,
            opts=ResourceOptions(parent=self),
        )
        self.id, self.principal_id, self.client_id = identity.id, identity.principal_id, identity.client_id
        self.register_outputs({"id": self.id, "principal_id": self.principal_id, "client_id": self.client_id})


def grant(
    site: Site,
    *,
    who: str,
    role: str,
    on: str,
    principal_id: Input[str],
    scope: Input[str],
    principal_type: str = "ServicePrincipal",
    opts: ResourceOptions,
) -> authorization.RoleAssignment:
    """Gives `who` a role, by its name, on a resource. `who` and `on` are logical names and never change."""
    definition = f"/subscriptions/{site.subscription}/providers/Microsoft.Authorization/roleDefinitions/{ROLES[role]}"
    return authorization.RoleAssignment(
        f"{who}-{role.lower().replace(' ', '-')}-on-{on}",
        role_assignment_name=site.names.guid("role-assignment", who, role, on),
        role_definition_id=definition,
        principal_id=principal_id,
        principal_type=principal_type,
        scope=scope,
        opts=opts,
    )
