"""The simulated Azure's identities, what they may do, and the locks that keep everybody from deleting."""

import re
from typing import Any, Literal

from simulator import azure_rules as rules
from simulator.azure_rules import DEPLOYER, GROUP, GUID, PLACE, TENANT, guid, refuse, wrong
from simulator.kinds import Kind
from simulator.state import Cloud, Resource

IDENTITY = GROUP + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{resourceName}"
LOCK = "azure-native:authorization:ManagementLockByScope"
LEVELS = ("CanNotDelete", "ReadOnly")
CREDENTIAL, CREDENTIAL_NAME = (
    "azure-native:managedidentity:FederatedIdentityCredential",
    "federatedIdentityCredentialResourceName",
)
# https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations and
# https://learn.microsoft.com/graph/api/resources/federatedidentitycredential
MOST_CREDENTIALS, LONGEST = 20, 600


def _new_assignment(cloud: Cloud, resource: Resource) -> None:
    wanted = {name: resource.inputs[name] for name in ("principalId", "roleDefinitionId", "scope")}
    if any(other.key != resource.key for other in cloud.find(resource.type, **wanted)):
        raise refuse(409, "RoleAssignmentExists", "The role assignment already exists.")
    if not re.fullmatch(rf".*/providers/Microsoft\.Authorization/roleDefinitions/{GUID}", wanted["roleDefinitionId"]):
        raise refuse(400, "InvalidRoleDefinitionId", f"'{wanted['roleDefinitionId']}' is not the id of a role.")
    if not re.fullmatch(GUID, wanted["principalId"]):
        raise refuse(400, "InvalidPrincipalId", f"'{wanted['principalId']}' is not a GUID.")
    # without a principal type, Azure looks the principal up
    if not resource.inputs.get("principalType") and wanted["principalId"] not in {DEPLOYER, *rules.principals(cloud)}:
        message = f"Principal {wanted['principalId']} does not exist in the directory {TENANT}."
        raise refuse(400, "PrincipalNotFound", message)


def _credential(cloud: Cloud, resource: Resource) -> None:
    asked = resource.inputs
    others = [c for c in cloud.children(resource.parent) if c.type == CREDENTIAL and c.key != resource.key]
    if len(others) >= MOST_CREDENTIALS:
        message = f"{resource.id}: the identity has {MOST_CREDENTIALS} federated identity credentials, and no more."
        raise refuse(400, "FederatedIdentityCredentialCountLimitReached", message)
    for name in ("issuer", "subject"):
        if not 1 <= len(asked[name]) <= LONGEST:
            raise wrong(resource, name, f"it must have 1 to {LONGEST} characters.")
    if not re.fullmatch(r"https://[^\s/]+(/\S*)?", asked["issuer"]):
        raise wrong(resource, "issuer", f"'{asked['issuer']}' is not an https address.")
    if len(asked["audiences"]) != 1:
        raise wrong(resource, "audiences", f"there must be exactly one, not {len(asked['audiences'])}.")
    for other in others:
        if all(other.inputs[name] == asked[name] for name in ("issuer", "subject")):
            message = f"issuer and subject of {resource.id} are those of {other.id} already."
            raise refuse(409, "Conflict", message)


def _lock(cloud: Cloud, resource: Resource) -> None:
    level = resource.inputs["level"]
    if level not in LEVELS:
        raise wrong(resource, "level", f"'{level}' is none of {', '.join(LEVELS)}.", "InvalidLockLevel")


def locked(cloud: Cloud, id_: str, operation: Literal["delete", "write"]) -> None:
    """Raises CloudError where a lock forbids it: its own, that of what it belongs to, or, to delete, of a part of it.

    Locks hold for everything below their scope, role assignments and diagnostic settings as well, and for everybody;
    only locks themselves can always be deleted. https://learn.microsoft.com/azure/azure-resource-manager/management/lock-resources
    """
    levels = LEVELS if operation == "delete" else ("ReadOnly",)
    scopes = {
        lock.inputs["scope"]
        for lock in cloud.find(LOCK)
        if lock.inputs["level"] in levels
        and (rules.covers(lock.inputs["scope"], id_) or (operation == "delete" and rules.covers(id_, lock.id)))
    }
    if scopes:
        message = (
            f"The scope '{id_}' cannot perform {operation} operation because following scope(s) are locked:"
            f" '{', '.join(sorted(scopes))}'. Please remove the lock and try again."
        )
        raise refuse(409, "ScopeLocked", message)


def _user_identity(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    ids = {name: guid(resource.id, name) for name in ("clientId", "principalId")}
    return {**rules.common(cloud, resource), **ids, "location": rules.location(cloud, resource), "tenantId": TENANT}


KINDS = (
    Kind(
        "azure-native:managedidentity:UserAssignedIdentity",
        IDENTITY,
        naming={"resourceName": r"[A-Za-z0-9][-\w]{2,127}"},
        replace=(*PLACE, "resourceName"),
        outputs=_user_identity,
    ),
    Kind(
        CREDENTIAL,
        IDENTITY + "/federatedIdentityCredentials/{federatedIdentityCredentialResourceName}",
        naming={CREDENTIAL_NAME: r"[A-Za-z0-9][-\w]{2,119}"},
        replace=("resourceGroupName", "resourceName", CREDENTIAL_NAME),
        rules=_credential,
        outputs=rules.common,
    ),
    Kind(
        "azure-native:authorization:RoleAssignment",
        "{scope}/providers/Microsoft.Authorization/roleAssignments/{roleAssignmentName}",
        naming={"roleAssignmentName": GUID},
        replace=("scope", "roleAssignmentName", "principalId", "principalType", "roleDefinitionId"),
        rules=_new_assignment,
        outputs=rules.common,
    ),
    Kind(
        LOCK,
        "{scope}/providers/Microsoft.Authorization/locks/{lockName}",
        naming={"lockName": r"[-\w.()]{0,89}[-\w()]"},
        replace=("scope", "lockName"),
        rules=_lock,
        outputs=rules.common,
    ),
)
