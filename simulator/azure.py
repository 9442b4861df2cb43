"""The simulated Azure: what the azure-native provider's resource types are, and what Azure refuses.

Name rules: https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules. What needs a new
resource: the create-only properties of Azure's REST specifications. Ids, endpoints and principals follow from names,
so that two runs give equal states.
"""

import base64
import json
import re
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simulator.state import Cloud, CloudError, Kind, Package, Resource

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


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


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


def _split(id_: str) -> tuple[str, str]:
    """Azure's own name of a resource's type, and the resource's name."""
    if "/providers/" not in id_:
        return "Microsoft.Resources/resourceGroups", id_.rpartition("/")[2]
    namespace, *rest = id_.rpartition("/providers/")[2].split("/")
    return "/".join([namespace, *rest[::2]]), rest[-1]


def _location(cloud: Cloud, resource: Resource) -> str:
    """A resource without a location of its own lies where its resource group does."""
    group = cloud.get(resource.parent)
    return resource.inputs.get("location") or (group.outputs["location"] if group else "")


def _common(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    type_, name = _split(resource.id)
    return {"name": name, "type": type_}


def _tracked(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    location = _location(cloud, resource)
    outputs = {**_common(cloud, resource), "location": location, "provisioningState": "Succeeded"}
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


def _identities_exist(cloud: Cloud, resource: Resource) -> None:
    for id_ in (resource.inputs.get("identity") or {}).get("userAssignedIdentities") or ():
        if not cloud.get(id_.lower()):
            raise refuse(400, "FailedIdentityOperation", f"The identity '{id_}' could not be found.")


def _unique_account(cloud: Cloud, resource: Resource) -> None:
    _identities_exist(cloud, resource)
    name = resource.inputs["accountName"]
    if any(other.key != resource.key for other in cloud.find(resource.type, accountName=name)):
        raise refuse(409, "StorageAccountAlreadyTaken", f"The storage account named {name} is already taken.")


def _unique_factory(cloud: Cloud, resource: Resource) -> None:
    _identities_exist(cloud, resource)
    name = resource.inputs["factoryName"]
    if any(other.key != resource.key for other in cloud.find(resource.type, factoryName=name)):
        raise refuse(409, "DataFactoryNameInUse", f"The Data Factory name '{name}' is already in use.")


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


def _new_assignment(cloud: Cloud, resource: Resource) -> None:
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


def _linked_services_exist(cloud: Cloud, resource: Resource) -> None:
    there = {child.inputs.get("linkedServiceName") for child in cloud.children(resource.parent)}
    for name in _linked(resource.inputs.get("activities")):
        if name not in there:
            message = (
                f"The document cannot be created since it references {name} of type LinkedService, which is not there."
            )
            raise refuse(400, "BadRequest", message)


def _unreferenced(cloud: Cloud, resource: Resource) -> None:
    for other in cloud.children(resource.parent):
        if resource.inputs["linkedServiceName"] in _linked(other.inputs.get("activities")):
            message = f"The document cannot be deleted since it is referenced by {other.inputs['pipelineName']}."
            raise refuse(400, "BadRequest", message)


def _cluster(cloud: Cloud, resource: Resource) -> None:
    """https://learn.microsoft.com/azure/aks/supported-kubernetes-versions and .../use-system-pools"""
    _identities_exist(cloud, resource)
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


def _group(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    return {**_common(cloud, resource), "properties": {"provisioningState": "Succeeded"}}


def _account(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    name, services = resource.inputs["accountName"], ("blob", "dfs", "file", "queue", "table")
    return {
        **_tracked(cloud, resource),
        "primaryEndpoints": {service: f"https://{name}.{service}.core.windows.net/" for service in services},
        "primaryLocation": _location(cloud, resource),
        "statusOfPrimary": "available",
        "creationTime": _once(cloud, resource, "creationTime"),
    }


def _once(cloud: Cloud, resource: Resource, name: str) -> str:
    """The time at which the resource came to be, through all its changes."""
    old = cloud.get(resource.key)
    return old.computed[name] if old else now()


def _container(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    return {**_common(cloud, resource), "deleted": False, "leaseState": "Available", "leaseStatus": "Unlocked"}


def _user_identity(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    ids = {name: guid(resource.id, name) for name in ("clientId", "principalId")}
    return {**_common(cloud, resource), **ids, "location": _location(cloud, resource), "tenantId": TENANT}


def _workspace(cloud: Cloud, resource: Resource) -> dict[str, Any]:
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
        "createdDateTime": _once(cloud, resource, "createdDateTime"),
    }


def _connector(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    outputs = _tracked(cloud, resource)
    return {**outputs, "properties": {"provisioningState": outputs.pop("provisioningState")}}


def _factory(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    created = _once(cloud, resource, "createTime")
    return {**_tracked(cloud, resource), "version": "2018-06-01", "createTime": created}


def _part(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    return {**_common(cloud, resource), "etag": guid(resource.id, json.dumps(resource.inputs, sort_keys=True))}


def _managed_cluster(cloud: Cloud, resource: Resource) -> dict[str, Any]:
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


def _make_folder(cloud: Cloud, resource: Resource) -> None:
    _folder(cloud, resource).mkdir(parents=True, exist_ok=True)


def _remove_folder(cloud: Cloud, resource: Resource) -> None:
    cloud.remove(_folder(cloud, resource))


GROUP = "/subscriptions/{subscription}/resourceGroups/{resourceGroupName}"
ACCOUNT = GROUP + "/providers/Microsoft.Storage/storageAccounts/{accountName}"
FACTORY = GROUP + "/providers/Microsoft.DataFactory/factories/{factoryName}"
PLACE = ("resourceGroupName", "location")
NETWORK = ("networkPlugin", "networkPluginMode", "podCidr", "serviceCidr", "dnsServiceIP", "outboundType")
DOCUMENT = r"[A-Za-z0-9_][^<>*#.%&:\\+?/]{0,259}"

KINDS = (
    Kind(
        "azure-native:resources:ResourceGroup",
        GROUP,
        naming={"resourceGroupName": r"[-\w.()]{0,89}[-\w()]"},
        replace=PLACE,
        outputs=_group,
    ),
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
        "azure-native:storage:BlobServiceProperties",
        ACCOUNT + "/blobServices/{blobServicesName}",
        naming={"blobServicesName": r"default"},
        replace=("resourceGroupName", "accountName", "blobServicesName"),
        rules=_hierarchical,
        outputs=_common,
        always_there=True,
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
        "azure-native:managedidentity:UserAssignedIdentity",
        GROUP + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{resourceName}",
        naming={"resourceName": r"[A-Za-z0-9][-\w]{2,127}"},
        replace=(*PLACE, "resourceName"),
        outputs=_user_identity,
    ),
    Kind(
        "azure-native:authorization:RoleAssignment",
        "{scope}/providers/Microsoft.Authorization/roleAssignments/{roleAssignmentName}",
        naming={"roleAssignmentName": GUID},
        replace=("scope", "roleAssignmentName", "principalId", "principalType", "roleDefinitionId"),
        rules=_new_assignment,
        outputs=_common,
    ),
    Kind(
        "azure-native:databricks:Workspace",
        GROUP + "/providers/Microsoft.Databricks/workspaces/{workspaceName}",
        naming={"workspaceName": r"[-\w]{3,64}"},
        replace=(*PLACE, "workspaceName", "managedResourceGroupId", "computeMode", "parameters"),
        outputs=_workspace,
        computed=("managedResourceGroupId",),
    ),
    Kind(
        "azure-native:databricks:AccessConnector",
        GROUP + "/providers/Microsoft.Databricks/accessConnectors/{connectorName}",
        naming={"connectorName": r"[-\w.]{3,64}"},
        replace=(*PLACE, "connectorName"),
        rules=_identities_exist,
        outputs=_connector,
        computed=("identity",),
    ),
    Kind(
        "azure-native:datafactory:Factory",
        FACTORY,
        naming={"factoryName": r"(?=.{3,63}$)[A-Za-z0-9]+(-[A-Za-z0-9]+)*"},
        replace=(*PLACE, "factoryName"),
        rules=_unique_factory,
        outputs=_factory,
        computed=("identity",),
    ),
    Kind(
        "azure-native:datafactory:LinkedService",
        FACTORY + "/linkedservices/{linkedServiceName}",
        naming={"linkedServiceName": DOCUMENT},
        replace=("resourceGroupName", "factoryName", "linkedServiceName"),
        outputs=_part,
        deletable=_unreferenced,
    ),
    Kind(
        "azure-native:datafactory:Pipeline",
        FACTORY + "/pipelines/{pipelineName}",
        naming={"pipelineName": DOCUMENT},
        replace=("resourceGroupName", "factoryName", "pipelineName"),
        rules=_linked_services_exist,
        outputs=_part,
    ),
    Kind(
        "azure-native:containerservice:ManagedCluster",
        GROUP + "/providers/Microsoft.ContainerService/managedClusters/{resourceName}",
        naming={"resourceName": r"[A-Za-z0-9]([-\w]{0,61}[A-Za-z0-9])?"},
        replace=(
            *(*PLACE, "resourceName", "dnsPrefix", "fqdnSubdomain", "nodeResourceGroup", "diskEncryptionSetID"),
            *(f"networkProfile.{name}" for name in NETWORK),
        ),
        rules=_cluster,
        outputs=_managed_cluster,
        computed=("identity", "identityProfile", "kubernetesVersion", "nodeResourceGroup", "oidcIssuerProfile"),
    ),
)


class Azure(Package):
    """The simulated azure-native provider."""

    name = "azure-native"
    kinds = {kind.type: kind for kind in KINDS}  # noqa: RUF012 - a constant table

    @property
    def subscription(self) -> str:
        return self.config.get("subscriptionId") or SUBSCRIPTION

    def identify(self, cloud: Cloud, kind: Kind, inputs: Mapping[str, Any]) -> str:
        return kind.identify(inputs, subscription=self.subscription)

    def key(self, scope: str, kind: Kind, id_: str) -> str:
        return id_.lower()

    def parent(self, cloud: Cloud, kind: Kind, resource: Resource) -> str:
        parent = parent_id(resource.id)
        if re.fullmatch(r"/subscriptions/[^/]+", parent) or cloud.get(parent.lower()):
            return parent.lower()
        type_, name = _split(parent)
        if type_ == "Microsoft.Resources/resourceGroups":
            raise refuse(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")
        child = f"resource(s) of type '{_split(resource.id)[0].partition('/')[2]}'"
        message = f"Failed to perform 'write' on {child}, because the parent resource '{parent}' could not be found."
        raise refuse(404, "ParentResourceNotFound", message)

    def delete_before_replace(self, kind: Kind, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        return True  # as azure-native always does

    def same(self, path: str, old: Any, new: Any) -> bool:
        """Azure writes a location without blanks and capitals."""
        return path == "location" and all(isinstance(v, str) for v in (old, new)) and _plain(old) == _plain(new)

    def invoke(self, cloud: Cloud, token: str, arguments: dict[str, Any]) -> dict[str, Any]:
        module, _, function = token.rpartition(":")
        if function == "getClientConfig":
            client = {"clientId": guid("client"), "objectId": DEPLOYER}
            return {**client, "subscriptionId": self.subscription, "tenantId": TENANT}
        if function == "listManagedClusterUserCredentials":
            cluster = self._lookup(cloud, "azure-native:containerservice:ManagedCluster", arguments)
            content = base64.b64encode(kubeconfig(cluster).encode()).decode()
            return {"kubeconfigs": [{"name": "clusterUser", "value": content}]}
        if function.startswith("get") and f"{module}:{function[3:]}" in self.kinds:
            found = self._lookup(cloud, f"{module}:{function[3:]}", arguments)
            return {"id": found.id, **found.outputs}
        return super().invoke(cloud, token, arguments)

    def _lookup(self, cloud: Cloud, type_: str, arguments: dict[str, Any]) -> Resource:
        id_ = self.identify(cloud, self.kind(type_), arguments)
        found = self.read(cloud, type_, id_)
        if found:
            return found
        azure_type, name = _split(id_)
        if azure_type == "Microsoft.Resources/resourceGroups":
            raise refuse(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")
        message = f"The Resource '{azure_type}/{name}' under resource group '{id_.split('/')[4]}' was not found."
        raise refuse(404, "ResourceNotFound", message)


def _plain(location: str) -> str:
    return location.replace(" ", "").lower()


def kubeconfig(cluster: Resource) -> str:
    """The settings with which a person reaches a cluster through Entra ID, as AKS hands them out (format `exec`)."""
    name, group = cluster.inputs["resourceName"], cluster.inputs["resourceGroupName"]
    user = f"clusterUser_{group}_{name}"
    server_id, client_id = "6dae42f8-4368-4678-94ff-3960e28e3630", "80faf920-1908-4b52-b5ef-a8e7bedfc67a"
    arguments = ["get-token", "--login", "devicecode", "--environment", "AzurePublicCloud"]
    arguments += ["--server-id", server_id, "--client-id", client_id, "--tenant-id", TENANT]
    server = {
        "certificate-authority-data": base64.b64encode(b"simulated certificate authority").decode(),
        "server": f"https://{cluster.computed['fqdn']}:443",
    }
    exec_ = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "kubelogin",
        "args": arguments,
        "env": None,
        "provideClusterInfo": False,
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": server}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
        "current-context": name,
        "preferences": {},
        "users": [{"name": user, "user": {"exec": exec_}}],
    }
    return json.dumps(config, indent=2) + "\n"  # JSON is YAML
