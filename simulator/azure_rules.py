"""What the simulated Azure refuses, and what it adds to a resource.

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
KUBERNETES_VERSIONS = ("1.34", "1.35", "1.36")
GUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


def guid(*parts: str) -> str:
    """The id that the simulated cloud gives to what these names name."""
    return str(uuid.uuid5(NAMESPACE, "medallion-simulated/" + "/".join(parts).lower()))


SUBSCRIPTION, TENANT, DEPLOYER = guid("subscription"), guid("tenant"), guid("deployer")


def refuse(status: int, code: str, message: str) -> CloudError:
    return CloudError(f'Status={status} Code="{code}" Message="{message}"')


def parent_id(id_: str) -> str:
    """The id of the resource, resource group or subscription that a resource belongs to."""
    head, _, tail = id_.rpartition("/providers/")
    if not head:
        return id_.rpartition("/resourceGroups/")[0]
    if tail.count("/") > 2:
        parent = id_.rsplit("/", 2)[0]
        return parent.removesuffix("/blobServices/default")  # which is there with its account
    return head


def split(id_: str) -> tuple[str, str]:
    """Azure's own name of a resource's type, and the resource's name."""
    if "/providers/" not in id_:
        return "Microsoft.Resources/resourceGroups", id_.rpartition("/")[2]
    namespace, *rest = id_.rpartition("/providers/")[2].split("/")
    return "/".join([namespace, *rest[::2]]), rest[-1]


def plain(location: str) -> str:
    """A location as Azure writes it: `West Europe` → `westeurope`."""
    return location.replace(" ", "").lower()


def _location(cloud: Cloud, resource: Resource) -> str:
    """A resource without a location of its own lies where its resource group does."""
    group = cloud.get(resource.parent)
    return plain(resource.inputs.get("location") or (group.outputs["location"] if group else ""))


def common(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    type_, name = split(resource.id)
    return {"name": name, "type": type_}


def _tracked(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    location = _location(cloud, resource)
    outputs = {**common(cloud, resource), "location": location, "provisioningState": "Succeeded"}
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


def principal_of(cloud: Cloud, connector: Resource, identity_id: str | None) -> str | None:
    """The principal as which an access connector reaches storage: a user-assigned identity's, or its own."""
    identity = connector.computed.get("identity") or {}
    if identity_id is None:
        return identity.get("principalId")
    assigned = {id_.lower(): who["principalId"] for id_, who in (identity.get("userAssignedIdentities") or {}).items()}
    return assigned.get(identity_id.lower())


def may_write(cloud: Cloud, principal: str | None, account: Resource, container: str) -> bool:
    """Whether a principal holds a data role on a container, its account, resource group or subscription."""
    target = f"{account.id}/blobServices/default/containers/{container}".lower()
    return any(
        assignment.inputs["roleDefinitionId"].rpartition("/")[2].lower() in DATA_ROLES
        and (target + "/").startswith(assignment.inputs["scope"].rstrip("/").lower() + "/")
        for assignment in cloud.find("azure-native:authorization:RoleAssignment", principalId=principal)
    )


# what Azure refuses


def identities_exist(cloud: Cloud, resource: Resource) -> None:
    for id_ in (resource.inputs.get("identity") or {}).get("userAssignedIdentities") or ():
        if not cloud.get(id_.lower()):
            raise refuse(400, "FailedIdentityOperation", f"The identity '{id_}' could not be found.")


def located(cloud: Cloud, resource: Resource) -> None:
    if not resource.inputs.get("location"):
        raise refuse(400, "LocationRequired", "The location property is required for this definition.")


def unique_account(cloud: Cloud, resource: Resource) -> None:
    identities_exist(cloud, resource)
    name = resource.inputs["accountName"]
    if any(other.key != resource.key for other in cloud.find(resource.type, accountName=name)):
        raise refuse(409, "StorageAccountAlreadyTaken", f"The storage account named {name} is already taken.")


def unique_factory(cloud: Cloud, resource: Resource) -> None:
    identities_exist(cloud, resource)
    name = resource.inputs["factoryName"]
    if any(other.key != resource.key for other in cloud.find(resource.type, factoryName=name)):
        raise refuse(409, "DataFactoryNameInUse", f"The Data Factory name '{name}' is already in use.")


def hierarchical(cloud: Cloud, resource: Resource) -> None:
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


def public_access(cloud: Cloud, resource: Resource) -> None:
    account = cloud.get(resource.parent)
    if resource.inputs.get("publicAccess") not in (None, "None") and not (
        account and account.inputs.get("allowBlobPublicAccess")
    ):
        raise refuse(409, "PublicAccessNotPermitted", "Public access is not permitted on this storage account.")


def new_assignment(cloud: Cloud, resource: Resource) -> None:
    wanted = {name: resource.inputs[name] for name in ("principalId", "roleDefinitionId", "scope")}
    if any(other.key != resource.key for other in cloud.find(resource.type, **wanted)):
        raise refuse(409, "RoleAssignmentExists", "The role assignment already exists.")
    if not re.fullmatch(rf".*/providers/Microsoft\.Authorization/roleDefinitions/{GUID}", wanted["roleDefinitionId"]):
        raise refuse(400, "InvalidRoleDefinitionId", f"'{wanted['roleDefinitionId']}' is not the id of a role.")
    if not re.fullmatch(GUID, wanted["principalId"]):
        raise refuse(400, "InvalidPrincipalId", f"'{wanted['principalId']}' is not a GUID.")
    # without a principal type, Azure looks the principal up
    if not resource.inputs.get("principalType") and wanted["principalId"] not in {DEPLOYER, *_principals(cloud)}:
        message = f"Principal {wanted['principalId']} does not exist in the directory {TENANT}."
        raise refuse(400, "PrincipalNotFound", message)


def _principals(cloud: Cloud) -> Iterator[str]:
    for resource in cloud.find("azure-native:*"):
        yield resource.computed.get("principalId", "")
        yield (resource.computed.get("identity") or {}).get("principalId", "")


def _linked(value: Any) -> Iterator[str]:
    """The names of all linked services that a part of a pipeline refers to."""
    if isinstance(value, dict):
        reference = value.get("linkedServiceName")
        if isinstance(reference, dict):
            yield reference["referenceName"]
        for part in value.values():
            yield from _linked(part)
    elif isinstance(value, list):
        for part in value:
            yield from _linked(part)


def linked_services_exist(cloud: Cloud, resource: Resource) -> None:
    there = {child.inputs.get("linkedServiceName") for child in cloud.children(resource.parent)}
    for name in _linked(resource.inputs.get("activities")):
        if name not in there:
            message = (
                f"The document cannot be created since it references {name} of type LinkedService, which is not there."
            )
            raise refuse(400, "BadRequest", message)


def unreferenced(cloud: Cloud, resource: Resource) -> None:
    for other in cloud.children(resource.parent):
        if resource.inputs["linkedServiceName"] in _linked(other.inputs.get("activities")):
            message = f"The document cannot be deleted since it is referenced by {other.inputs['pipelineName']}."
            raise refuse(400, "BadRequest", message)


def cluster(cloud: Cloud, resource: Resource) -> None:
    """https://learn.microsoft.com/azure/aks/supported-kubernetes-versions and .../use-system-pools"""
    identities_exist(cloud, resource)
    version = resource.inputs.get("kubernetesVersion") or KUBERNETES_VERSIONS[-1]
    if not version.startswith(KUBERNETES_VERSIONS):
        message = f"Managed cluster is on version {version}, which is not supported in this region."
        raise refuse(400, "K8sVersionNotSupported", message)
    pools = resource.inputs.get("agentPoolProfiles") or []
    if not any(pool.get("mode") == "System" for pool in pools):
        raise refuse(400, "InvalidParameter", "Must define at least one system pool.")
    for pool in pools:
        if not re.fullmatch(r"[a-z][a-z0-9]{0,11}", pool["name"]):
            raise refuse(400, "InvalidParameter", f"The agent pool name '{pool['name']}' is invalid.")
    if not resource.inputs.get("dnsPrefix") and not resource.inputs.get("fqdnSubdomain"):
        raise refuse(400, "InvalidParameter", "Required parameter dnsPrefix is missing (null).")


# what Azure adds


def group(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    state = {"provisioningState": "Succeeded"}
    return {**common(cloud, resource), "location": _location(cloud, resource), "properties": state}


def account(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    name, services = resource.inputs["accountName"], ("blob", "dfs", "file", "queue", "table")
    return {
        **_tracked(cloud, resource),
        "primaryEndpoints": {service: f"https://{name}.{service}.core.windows.net/" for service in services},
        "primaryLocation": _location(cloud, resource),
        "statusOfPrimary": "available",
    }


def container(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    return {**common(cloud, resource), "deleted": False, "leaseState": "Available", "leaseStatus": "Unlocked"}


def user_identity(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    ids = {name: guid(resource.id, name) for name in ("clientId", "principalId")}
    return {**common(cloud, resource), **ids, "location": _location(cloud, resource), "tenantId": TENANT}


def workspace(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    number = uuid.UUID(guid(resource.id)).int % 10**16
    group = (
        f"/subscriptions/{resource.id.split('/')[2]}/resourceGroups/databricks-rg-{resource.inputs['workspaceName']}"
    )
    return {
        **_tracked(cloud, resource),
        "workspaceId": f"{number:016}",
        "workspaceUrl": f"adb-{number:016}.{number % 20}.azuredatabricks.net",
        "managedResourceGroupId": resource.inputs.get("managedResourceGroupId") or group,
        "isUcEnabled": True,
    }


def connector(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    outputs = _tracked(cloud, resource)
    return {**outputs, "properties": {"provisioningState": outputs.pop("provisioningState")}}


def factory(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    return {**_tracked(cloud, resource), "version": "2018-06-01"}


def part(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    return {**common(cloud, resource), "etag": guid(resource.id, json.dumps(resource.inputs, sort_keys=True))}


def managed_cluster(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    asked, location = resource.inputs, _location(cloud, resource)
    version = asked.get("kubernetesVersion") or KUBERNETES_VERSIONS[-1]
    group, name = asked["resourceGroupName"], asked["resourceName"]
    host = asked.get("fqdnSubdomain") or f"{asked['dnsPrefix']}-{guid(resource.id)[:8]}"
    outputs = {
        **_tracked(cloud, resource),
        "kubernetesVersion": version,
        "currentKubernetesVersion": version if version.count(".") == 2 else f"{version}.0",
        "fqdn": f"{host}.hcp.{location}.azmk8s.io",
        "azurePortalFQDN": f"{host}.portal.hcp.{location}.azmk8s.io",
        "nodeResourceGroup": asked.get("nodeResourceGroup") or f"MC_{group}_{name}_{location}",
        "powerState": {"code": "Running"},
        "maxAgentPools": 100,
        "identityProfile": asked.get("identityProfile")
        or {
            "kubeletidentity": {
                "clientId": guid(resource.id, "kubelet", "client"),
                "objectId": guid(resource.id, "kubelet", "object"),
            }
        },
    }
    if (asked.get("oidcIssuerProfile") or {}).get("enabled"):
        issuer = f"https://{location}.oic.prod-aks.azure.com/{TENANT}/{guid(resource.id, 'oidc')}/"
        outputs["oidcIssuerProfile"] = {"enabled": True, "issuerURL": issuer}
    return outputs


# what happens to files


def _folder(cloud: Cloud, resource: Resource) -> Path:
    return cloud.lake_root(resource.inputs["accountName"]) / resource.inputs.get("containerName", "")


def make_folder(cloud: Cloud, resource: Resource) -> None:
    _folder(cloud, resource).mkdir(parents=True, exist_ok=True)


def remove_folder(cloud: Cloud, resource: Resource) -> None:
    cloud.remove(_folder(cloud, resource))
