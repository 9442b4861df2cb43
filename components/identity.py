"""Identities and what they may do.

Owns user-assigned identities, whom else they trust, and role assignments. Roles are given by name, from one table; an
assignment's own name is a GUID made of logical names, so that it is the same on every machine; `principal_type` is
always set, since Entra shows a new identity to Azure only after a while, and the type makes Azure wait for it.

| who | role | on | why |
| --- | --- | --- | --- |
| lake identity (access connector) | Storage Blob Data Contributor | data lake | Unity Catalog works through it |
| lake identity | Azure Event Hubs Data Receiver | event stream | and so do streaming jobs, by a service credential |
| data factory | Contributor | workspace | Databricks lets a managed identity in by this role only |
| data factory | Storage Blob Data Reader | data lake | its linked service may look at files, not change them |
| administrators | AKS RBAC Cluster Admin | cluster | local accounts are off: nobody else could declare pods |
| administrators | Key Vault Secrets Officer | key vault | somebody has to put the secrets in |
| Databricks (its application in Entra) | Key Vault Secrets User | key vault | the secret scope reads through it |
| pods' identity | Key Vault Secrets User | key vault | pods mount secrets by it |
| cluster's control plane | Network Contributor | its subnet | it puts nodes and load balancers there |
| cluster's kubelets | AcrPull | registry | nodes pull images |
| deploy identity (GitHub) | Contributor | resource group | it declares what this program declares |
| deploy identity (GitHub) | Role Based Access Control Administrator | resource group | and the roles in this table |
| jobs' identity | none in Azure | – | jobs reach data and events through Unity Catalog only |

Who deploys needs no role on the lake: files are uploaded through volumes, by Unity Catalog's identity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi import Input, Output, ResourceOptions
from pulumi_azure_native import authorization, managedidentity

from components.site import Ground

ROLES: Mapping[str, str] = {
    "AcrPull": "7f951dda-4ed3-4680-a7ca-43fe172d538d",
    "Azure Event Hubs Data Receiver": "a638d3c7-ab3a-418d-83e6-5f17a39d4fde",
    "Azure Kubernetes Service RBAC Cluster Admin": "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b",
    "Contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "Key Vault Secrets Officer": "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
    "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
    "Network Contributor": "4d97b98b-1d4f-4787-a291-c67834d212e7",
    "Role Based Access Control Administrator": "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
    "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "Storage Blob Data Reader": "2a2b9908-6ea1-4ae2-8e65-a390df84e7d1",
}
"""Azure's built-in roles that we give.
Source: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles"""


ENTRA = "api://AzureADTokenExchange"
"""The audience of tokens that Entra exchanges.
Source: https://learn.microsoft.com/entra/workload-id/workload-identity-federation"""


@dataclass(frozen=True)
class Administrator:
    """Somebody who administers the platform: the object id in Entra, and whether it is a group, user or other."""

    object_id: str
    type: str


class Identity(pulumi.ComponentResource):
    """A user-assigned identity; `kind` is its row in the table of names."""

    id: Output[str]
    principal_id: Output[str]
    client_id: Output[str]

    def __init__(self, name: str, site: Ground, kind: str, opts: ResourceOptions | None = None) -> None:
        super().__init__("medallion:components:Identity", name, None, opts)
        identity = managedidentity.UserAssignedIdentity(
            f"{name}-identity",
            resource_name_=site.names.of(kind),
            resource_group_name=site.group,
            location=site.location,
            tags=site.tags,
            opts=ResourceOptions(parent=self),
        )
        self._name, self._site, self._resource = name, site, identity
        self.id, self.principal_id, self.client_id = identity.id, identity.principal_id, identity.client_id
        self.register_outputs({"id": self.id, "principal_id": self.principal_id, "client_id": self.client_id})

    def trust(self, who: str, *, issuer: Input[str], subject: Input[str]) -> None:
        """Lets whoever holds a token of that issuer about that subject be this identity, without any secret."""
        managedidentity.FederatedIdentityCredential(
            f"{self._name}-trusts-{who}",
            federated_identity_credential_resource_name=who,
            resource_name_=self._resource.name,
            resource_group_name=self._site.group,
            issuer=issuer,
            subject=subject,
            audiences=[ENTRA],
            opts=ResourceOptions(parent=self),
        )


def deployer(site: Ground, environment: str, repository: str, opts: ResourceOptions | None = None) -> Identity:
    """The identity as which workflows of a repository on GitHub (`owner/name`) deploy, in that environment of it."""
    identity = Identity("deploy", site, "deploy_identity", opts)
    identity.trust(
        "github",
        issuer="https://token.actions.githubusercontent.com",
        subject=f"repo:{repository}:environment:{environment}",
    )
    scope = Output.concat("/subscriptions/", site.subscription, "/resourceGroups/", site.group)
    for role in ("Contributor", "Role Based Access Control Administrator"):
        grant(
            site,
            who="deploy-identity",
            role=role,
            on="resource-group",
            principal_id=identity.principal_id,
            scope=scope,
            opts=ResourceOptions(parent=identity),
        )
    return identity


def grant_all(
    site: Ground,
    administrators: Mapping[str, Administrator],
    *,
    role: str,
    on: str,
    scope: Input[str],
    opts: ResourceOptions,
) -> Sequence[authorization.RoleAssignment]:
    """Gives all administrators a role on a resource."""
    return [
        grant(
            site,
            who=f"administrator-{name}",
            role=role,
            on=on,
            principal_id=administrator.object_id,
            principal_type=administrator.type,
            scope=scope,
            opts=opts,
        )
        for name, administrator in sorted(administrators.items())
    ]


def grant(
    site: Ground,
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
