"""What the resource types of the simulated Azure have in common: ids, what Azure adds to a resource, how it refuses.

Ids, endpoints and principals follow from names, so that two runs give equal states; for the same reason nothing here
bears a time.
"""

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from simulator.state import Cloud, CloudError, Resource

NAMESPACE = uuid.UUID("6ba7b812-9dad-11d1-80b4-00c04fd430c8")  # RFC 9562: object identifiers
DATA_ROLES = {  # https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/storage
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
}
GUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
GROUP = "/subscriptions/{subscription}/resourceGroups/{resourceGroupName}"
PLACE = ("resourceGroupName", "location")
BLOB_SERVICE = "/blobServices/default"  # is there with its account


def guid(*parts: str) -> str:
    """The id that the simulated cloud gives to what these names name."""
    return str(uuid.uuid5(NAMESPACE, "medallion-simulated/" + "/".join(parts).lower()))


SUBSCRIPTION, TENANT, DEPLOYER = guid("subscription"), guid("tenant"), guid("deployer")


# ids


def parent_id(id_: str) -> str:
    """The id of the resource, resource group or subscription that a resource belongs to."""
    head, _, tail = id_.rpartition("/providers/")
    if not head:
        return id_.rpartition("/resourceGroups/")[0]
    parent = id_.rsplit("/", 2)[0] if tail.count("/") > 2 else head
    return parent.removesuffix(BLOB_SERVICE)


def split(id_: str) -> tuple[str, str]:
    """Azure's own name of a resource's type, and the resource's name."""
    if "/providers/" not in id_:
        return "Microsoft.Resources/resourceGroups", id_.rpartition("/")[2]
    namespace, *rest = id_.rpartition("/providers/")[2].split("/")
    return "/".join([namespace, *rest[::2]]), rest[-1]


def find(cloud: Cloud, id_: str) -> Resource | None:
    """The resource of that id, written in capitals or not; an account for its blob service."""
    return cloud.get(id_.rstrip("/").lower().removesuffix(BLOB_SERVICE.lower()))


def exists(cloud: Cloud, id_: str) -> bool:
    """Whether there is a subscription, resource group or resource of that id."""
    return bool(re.fullmatch(r"/subscriptions/[^/]+/?", id_, re.IGNORECASE)) or find(cloud, id_) is not None


def covers(scope: str, id_: str) -> bool:
    """Whether a scope is the resource itself or what it belongs to."""
    return (id_.lower() + "/").startswith(scope.rstrip("/").lower() + "/")


def text(value: Any, *path: str) -> str:
    """The text at a path of nested properties, empty if there is none."""
    for name in path:
        value = (value or {}).get(name)
    return value or ""


# how Azure refuses


def refuse(status: int, code: str, message: str) -> CloudError:
    return CloudError(f'Status={status} Code="{code}" Message="{message}"')


def wrong(resource: Resource, property_: str, message: str, code: str = "BadRequest") -> CloudError:
    """What is wrong with a property of a resource."""
    return refuse(400, code, f"{property_} of {resource.id}: {message}")


def referenced(cloud: Cloud, resource: Resource, property_: str, id_: str, type_: str) -> Resource:
    """The resource of Azure's type `type_` that a property names. Raises CloudError where there is none."""
    found = find(cloud, id_)
    if found is None or split(found.id)[0].lower() != type_.lower():
        message = f"the referenced resource {id_ or '(none)'} of type {type_} was not found."
        raise wrong(resource, property_, message, "InvalidResourceReference")
    return found


def taken(cloud: Cloud, resource: Resource, name: str) -> bool:
    """Whether another resource of the type, in whatever subscription, has the same name; capitals make no other one."""
    wanted = resource.inputs[name].lower()
    others = cloud.find(resource.type)
    return any(other.inputs[name].lower() == wanted for other in others if other.key != resource.key)


def unchangeable(cloud: Cloud, resource: Resource, *names: str) -> None:
    """Properties that Azure does not change once the resource is there, although the provider asks it to."""
    old = cloud.get(resource.key)
    for name in names:
        if old and old.inputs.get(name) != resource.inputs.get(name):
            raise wrong(resource, name, "changing this property is not allowed.", "PropertyChangeNotAllowed")


def identities_exist(cloud: Cloud, resource: Resource) -> None:
    for id_ in (resource.inputs.get("identity") or {}).get("userAssignedIdentities") or ():
        if not cloud.get(id_.lower()):
            raise refuse(400, "FailedIdentityOperation", f"The identity '{id_}' could not be found.")


# what Azure adds


def plain(location: str) -> str:
    """A location as Azure writes it: `West Europe` → `westeurope`."""
    return location.replace(" ", "").lower()


def location(cloud: Cloud, resource: Resource) -> str:
    """A resource without a location of its own lies where its resource group does."""
    group = cloud.get(resource.parent)
    return plain(resource.inputs.get("location") or (group.outputs["location"] if group else ""))


def common(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    type_, name = split(resource.id)
    return {"name": name, "type": type_}


def part(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    """What a part of a resource shows, which has no location of its own."""
    return {**common(cloud, resource), "etag": guid(resource.id, json.dumps(resource.inputs, sort_keys=True))}


def tracked(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    place = location(cloud, resource)
    outputs = {**common(cloud, resource), "location": place, "provisioningState": "Succeeded"}
    identity = resource.inputs.get("identity")
    return {**outputs, "identity": _identity(cloud, resource, identity)} if identity else outputs


def _identity(cloud: Cloud, resource: Resource, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The principals behind the identities of a resource."""
    identity: dict[str, Any] = {"type": asked["type"]}
    if "SystemAssigned" in asked["type"]:
        identity |= {"principalId": guid(resource.id, "principal"), "tenantId": TENANT}
    if asked.get("userAssignedIdentities"):
        named = {id_: cloud.get(id_.lower()) for id_ in asked["userAssignedIdentities"]}
        identity["userAssignedIdentities"] = {
            id_: {name: found.computed[name] for name in ("clientId", "principalId")}
            for id_, found in named.items()
            if found
        }
    return identity


# who is who


def principals(cloud: Cloud) -> Iterator[str]:
    """The object ids of all identities that Azure made."""
    for resource in cloud.find("azure-native:*"):
        yield resource.computed.get("principalId", "")
        yield (resource.computed.get("identity") or {}).get("principalId", "")


def principal_of(cloud: Cloud, connector: Resource, identity_id: str | None) -> str | None:
    """The principal as which an access connector reaches storage: a user-assigned identity's, or its own."""
    identity = connector.computed.get("identity") or {}
    if identity_id is None:
        return identity.get("principalId")
    assigned = {id_.lower(): who["principalId"] for id_, who in (identity.get("userAssignedIdentities") or {}).items()}
    return assigned.get(identity_id.lower())


def may_write(cloud: Cloud, principal: str | None, account: Resource, container: str) -> bool:
    """Whether a principal holds a data role on a container, its account, resource group or subscription."""
    target = f"{account.id}{BLOB_SERVICE}/containers/{container}"
    return any(
        assignment.inputs["roleDefinitionId"].rpartition("/")[2].lower() in DATA_ROLES
        and covers(assignment.inputs["scope"], target)
        for assignment in cloud.find("azure-native:authorization:RoleAssignment", principalId=principal)
    )


def workspace_files(cloud: Cloud, workspace: Resource) -> Path:
    """The folder of the notebooks of a Databricks workspace, by the first part of its address."""
    return cloud.home / "workspace" / workspace.computed["workspaceUrl"].partition(".")[0]
