"""The simulated Azure: the azure-native provider's resource types, a row each.

Name rules: https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules. What needs a new
resource: the create-only properties of Azure's REST specifications.
"""

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

from simulator import azure_rules as rules
from simulator.azure_rules import DEPLOYER, GUID, SUBSCRIPTION, TENANT, guid, parent_id, refuse
from simulator.kinds import Kind, Package
from simulator.state import Cloud, Resource

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
        rules=rules.located,
        outputs=rules.group,
    ),
    Kind(
        "azure-native:storage:StorageAccount",
        ACCOUNT,
        naming={"accountName": r"[a-z0-9]{3,24}"},
        replace=(*PLACE, "accountName", "isHnsEnabled", "enableNfsV3", "dnsEndpointType", "extendedLocation"),
        rules=rules.unique_account,
        outputs=rules.account,
        deleted=rules.remove_folder,
        computed=("identity",),
    ),
    Kind(
        "azure-native:storage:BlobServiceProperties",
        ACCOUNT + "/blobServices/{blobServicesName}",
        naming={"blobServicesName": r"default"},
        replace=("resourceGroupName", "accountName", "blobServicesName"),
        rules=rules.hierarchical,
        outputs=rules.common,
        adopts=True,
    ),
    Kind(
        "azure-native:storage:BlobContainer",
        ACCOUNT + "/blobServices/default/containers/{containerName}",
        naming={"containerName": r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*|\$root|\$web"},
        replace=("resourceGroupName", "accountName", "containerName", "defaultEncryptionScope"),
        rules=rules.public_access,
        outputs=rules.container,
        written=rules.make_folder,
        deleted=rules.remove_folder,
    ),
    Kind(
        "azure-native:managedidentity:UserAssignedIdentity",
        GROUP + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{resourceName}",
        naming={"resourceName": r"[A-Za-z0-9][-\w]{2,127}"},
        replace=(*PLACE, "resourceName"),
        outputs=rules.user_identity,
    ),
    Kind(
        "azure-native:authorization:RoleAssignment",
        "{scope}/providers/Microsoft.Authorization/roleAssignments/{roleAssignmentName}",
        naming={"roleAssignmentName": GUID},
        replace=("scope", "roleAssignmentName", "principalId", "principalType", "roleDefinitionId"),
        rules=rules.new_assignment,
        outputs=rules.common,
    ),
    Kind(
        "azure-native:databricks:Workspace",
        GROUP + "/providers/Microsoft.Databricks/workspaces/{workspaceName}",
        naming={"workspaceName": r"[-\w]{3,64}"},
        replace=(*PLACE, "workspaceName", "managedResourceGroupId", "computeMode", "parameters"),
        outputs=rules.workspace,
        computed=("managedResourceGroupId",),
    ),
    Kind(
        "azure-native:databricks:AccessConnector",
        GROUP + "/providers/Microsoft.Databricks/accessConnectors/{connectorName}",
        naming={"connectorName": r"[-\w.]{3,64}"},
        replace=(*PLACE, "connectorName"),
        rules=rules.identities_exist,
        outputs=rules.connector,
        computed=("identity",),
    ),
    Kind(
        "azure-native:datafactory:Factory",
        FACTORY,
        naming={"factoryName": r"(?=.{3,63}$)[A-Za-z0-9]+(-[A-Za-z0-9]+)*"},
        replace=(*PLACE, "factoryName"),
        rules=rules.unique_factory,
        outputs=rules.factory,
        computed=("identity",),
    ),
    Kind(
        "azure-native:datafactory:LinkedService",
        FACTORY + "/linkedservices/{linkedServiceName}",
        naming={"linkedServiceName": DOCUMENT},
        replace=("resourceGroupName", "factoryName", "linkedServiceName"),
        outputs=rules.part,
        deletable=rules.unreferenced,
    ),
    Kind(
        "azure-native:datafactory:Pipeline",
        FACTORY + "/pipelines/{pipelineName}",
        naming={"pipelineName": DOCUMENT},
        replace=("resourceGroupName", "factoryName", "pipelineName"),
        rules=rules.linked_services_exist,
        outputs=rules.part,
    ),
    Kind(
        "azure-native:containerservice:ManagedCluster",
        GROUP + "/providers/Microsoft.ContainerService/managedClusters/{resourceName}",
        naming={"resourceName": r"[A-Za-z0-9]([-\w]{0,61}[A-Za-z0-9])?"},
        replace=(
            *(*PLACE, "resourceName", "dnsPrefix", "fqdnSubdomain", "nodeResourceGroup", "diskEncryptionSetID"),
            *(f"networkProfile.{name}" for name in NETWORK),
        ),
        rules=rules.cluster,
        outputs=rules.managed_cluster,
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
        type_, name = rules.split(parent)
        if type_ == "Microsoft.Resources/resourceGroups":
            raise refuse(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")
        child = f"resource(s) of type '{rules.split(resource.id)[0].partition('/')[2]}'"
        message = f"Failed to perform 'write' on {child}, because the parent resource '{parent}' could not be found."
        raise refuse(404, "ParentResourceNotFound", message)

    def delete_before_replace(self, kind: Kind, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        return True  # as azure-native always does

    def same(self, path: str, old: Any, new: Any) -> bool:
        """Azure writes a location without blanks and capitals."""
        return (
            path == "location" and all(isinstance(v, str) for v in (old, new)) and rules.plain(old) == rules.plain(new)
        )

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
        azure_type, name = rules.split(id_)
        if azure_type == "Microsoft.Resources/resourceGroups":
            raise refuse(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")
        message = f"The Resource '{azure_type}/{name}' under resource group '{id_.split('/')[4]}' was not found."
        raise refuse(404, "ResourceNotFound", message)


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
