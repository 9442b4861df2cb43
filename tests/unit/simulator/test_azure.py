"""The simulated Azure: what exists where, what is refused, what goes along."""

import base64
import json
from pathlib import Path

import pytest

from simulator.azure import Azure
from simulator.azure_rules import DEPLOYER, SUBSCRIPTION
from simulator.state import CloudError, cloud

GROUP, ACCOUNT = "azure-native:resources:ResourceGroup", "azure-native:storage:StorageAccount"
BLOBS, CONTAINER = "azure-native:storage:BlobServiceProperties", "azure-native:storage:BlobContainer"
IDENTITY, ROLE = "azure-native:managedidentity:UserAssignedIdentity", "azure-native:authorization:RoleAssignment"
CONNECTOR, WORKSPACE = "azure-native:databricks:AccessConnector", "azure-native:databricks:Workspace"
FACTORY, LINKED = "azure-native:datafactory:Factory", "azure-native:datafactory:LinkedService"
PIPELINE, CLUSTER = "azure-native:datafactory:Pipeline", "azure-native:containerservice:ManagedCluster"

IN_GROUP = {"resourceGroupName": "rg"}
IN_ACCOUNT = {**IN_GROUP, "accountName": "lake"}
IN_FACTORY = {**IN_GROUP, "factoryName": "adf-x"}
POOL = {"name": "system", "mode": "System", "count": 1, "vmSize": "Standard_D2s_v3"}
GUID = "11111111-2222-3333-4444-555555555555"
INPUTS = {
    GROUP: {**IN_GROUP, "location": "westeurope", "tags": {"environment": "local"}},
    ACCOUNT: {**IN_ACCOUNT, "kind": "StorageV2", "sku": {"name": "Standard_LRS"}, "isHnsEnabled": True},
    BLOBS: {**IN_ACCOUNT, "blobServicesName": "default"},
    CONTAINER: {**IN_ACCOUNT, "containerName": "bronze"},
    IDENTITY: {**IN_GROUP, "resourceName": "id-x"},
    CONNECTOR: {**IN_GROUP, "connectorName": "dbac", "identity": {"type": "SystemAssigned"}},
    WORKSPACE: {**IN_GROUP, "workspaceName": "dbw"},
    FACTORY: {**IN_FACTORY, "identity": {"type": "SystemAssigned"}},
    LINKED: {
        **IN_FACTORY,
        "linkedServiceName": "ls",
        "properties": {"type": "AzureDatabricks", "domain": "https://d", "existingClusterId": "x"},
    },
    PIPELINE: {
        **IN_FACTORY,
        "pipelineName": "p",
        "activities": [
            {
                "name": "run",
                "type": "DatabricksJob",
                "jobId": "1",
                "linkedServiceName": {"referenceName": "ls", "type": "LinkedServiceReference"},
            }
        ],
    },
    CLUSTER: {
        **IN_GROUP,
        "resourceName": "aks",
        "dnsPrefix": "aks",
        "kubernetesVersion": "1.35",
        "identity": {"type": "SystemAssigned"},
        "agentPoolProfiles": [POOL],
        "oidcIssuerProfile": {"enabled": True},
    },
}
BASE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
CONTRIBUTOR = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/" + (
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
)


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("MEDALLION_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def make(home):
    """Create a resource of a type, its inputs changed as asked; returns it."""

    def create(type_, **changes):
        inputs = {key: value for key, value in {**INPUTS.get(type_, {}), **changes}.items() if value is not None}
        with cloud() as now:
            return Azure({}).create(now, type_, inputs)

    return create


def everything():
    with cloud() as now:
        return [resource.id.removeprefix(BASE) for resource in now.find()]


def test_ids_are_those_of_azure(make):
    made = [make(type_).id.removeprefix(BASE) for type_ in INPUTS]
    assert made == [
        "",
        "/providers/Microsoft.Storage/storageAccounts/lake",
        "/providers/Microsoft.Storage/storageAccounts/lake/blobServices/default",
        "/providers/Microsoft.Storage/storageAccounts/lake/blobServices/default/containers/bronze",
        "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-x",
        "/providers/Microsoft.Databricks/accessConnectors/dbac",
        "/providers/Microsoft.Databricks/workspaces/dbw",
        "/providers/Microsoft.DataFactory/factories/adf-x",
        "/providers/Microsoft.DataFactory/factories/adf-x/linkedservices/ls",
        "/providers/Microsoft.DataFactory/factories/adf-x/pipelines/p",
        "/providers/Microsoft.ContainerService/managedClusters/aks",
    ]


def test_outputs_are_as_rich_as_the_program_needs(make):
    make(GROUP)
    account, workspace, cluster = make(ACCOUNT).outputs, make(WORKSPACE).outputs, make(CLUSTER).outputs
    assert account["primaryEndpoints"]["dfs"] == "https://lake.dfs.core.windows.net/"
    assert (account["name"], account["location"]) == ("lake", "westeurope")
    assert workspace["workspaceUrl"] == f"adb-{workspace['workspaceId']}.{int(workspace['workspaceId']) % 20}" + (
        ".azuredatabricks.net"
    )
    assert len(workspace["workspaceId"]) == 16
    assert cluster["fqdn"].startswith("aks-") and cluster["fqdn"].endswith(".hcp.westeurope.azmk8s.io")
    assert cluster["nodeResourceGroup"] == "MC_rg_aks_westeurope"
    assert cluster["oidcIssuerProfile"]["issuerURL"].startswith("https://westeurope.oic.prod-aks.azure.com/")
    assert set(cluster["identity"]) == {"type", "principalId", "tenantId"}


def test_a_user_assigned_identity_shows_in_what_bears_it(make):
    make(GROUP)
    identity = make(IDENTITY)
    connector = make(CONNECTOR, identity={"type": "UserAssigned", "userAssignedIdentities": [identity.id]}).outputs
    assert connector["identity"]["userAssignedIdentities"][identity.id] == {
        "clientId": identity.computed["clientId"],
        "principalId": identity.computed["principalId"],
    }


@pytest.mark.parametrize(
    ("type_", "name", "good", "bad"),
    [
        (GROUP, "resourceGroupName", ["rg", "a" * 90, "rg_1.(x)"], ["rg.", "a" * 91, "r g", ""]),
        (ACCOUNT, "accountName", ["abc", "a1" * 12], ["ab", "a" * 25, "Lake", "my-lake"]),
        (CONTAINER, "containerName", ["bronze", "a-b", "$web"], ["ab", "a" * 64, "a--b", "-ab", "Bronze"]),
        (IDENTITY, "resourceName", ["id-x", "abc"], ["ab", "-abc", "a.b"]),
        (WORKSPACE, "workspaceName", ["dbw", "a_b-c"], ["ab", "a" * 65, "a.b"]),
        (FACTORY, "factoryName", ["adf", "a-b-c"], ["ab", "a--b", "-ab", "a_b"]),
        (CLUSTER, "resourceName", ["a", "aks-1_x"], ["-aks", "aks-", "a" * 64]),
        (PIPELINE, "pipelineName", ["ssh_logs", "p 1"], ["a.b", "-x"]),
    ],
)
def test_names_are_held_to_azure_s_rules(home, type_, name, good, bad):
    with cloud() as now:
        for value in good:
            assert Azure({}).check(now, type_, {**INPUTS[type_], name: value}) == []
        for value in bad:
            problems = Azure({}).check(now, type_, {**INPUTS[type_], name: value})
            assert [path for path, _ in problems] == [name], value
        unnamed = {key: value for key, value in INPUTS[type_].items() if key != name}
        assert (name, "the simulated cloud needs it named explicitly") in Azure({}).check(now, type_, unnamed)


def test_nothing_is_created_without_its_parent(make, row):
    message = r"(ResourceGroupNotFound|ParentResourceNotFound).* could not be found"
    for type_ in (each for each in INPUTS if each != GROUP):
        with row(type_), pytest.raises(CloudError, match=message):
            make(type_)
    assert everything() == []


def test_what_is_there_cannot_be_created(make, row):
    for type_ in INPUTS:
        make(type_)
    for type_ in (each for each in INPUTS if each != BLOBS):
        with row(type_), pytest.raises(CloudError, match=f"cannot create already existing resource '{BASE}"):
            make(type_)


@pytest.mark.parametrize(
    ("type_", "code"), [(ACCOUNT, "StorageAccountAlreadyTaken"), (FACTORY, "DataFactoryNameInUse")]
)
def test_some_names_are_the_world_s(make, type_, code):
    make(GROUP)
    make(GROUP, resourceGroupName="other")
    make(type_)
    with pytest.raises(CloudError, match=code):
        make(type_, resourceGroupName="other")


REFUSED = [
    (BLOBS, {"isVersioningEnabled": True}, "versioning is not supported .* hierarchical namespace"),
    (BLOBS, {"changeFeed": {"enabled": True}}, "change feed is not supported"),
    (CONTAINER, {"publicAccess": "Blob"}, "PublicAccessNotPermitted"),
    (LINKED, {"properties": {"type": "AzureDatabricks"}}, "properties.domain: required property is missing"),
    (CLUSTER, {"kubernetesVersion": "1.29"}, "K8sVersionNotSupported"),
    (CLUSTER, {"agentPoolProfiles": [{**POOL, "mode": "User"}]}, "at least one system pool"),
    (CLUSTER, {"agentPoolProfiles": [{**POOL, "name": "System-1"}]}, "agent pool name 'System-1'"),
    (CLUSTER, {"dnsPrefix": None}, "dnsPrefix"),
    (GROUP, {"location": None, "resourceGroupName": "new"}, "LocationRequired"),
    (CONNECTOR, {"identity": {"type": "UserAssigned", "userAssignedIdentities": ["/no"]}}, "'/no' could not be"),
]


def test_azure_refuses(make, row):
    for parent in (GROUP, ACCOUNT, FACTORY):
        make(parent)
    for type_, changes, message in REFUSED:
        with row(type_, changes), pytest.raises(CloudError, match=message):
            make(type_, **changes)


def test_a_pipeline_and_its_linked_service_hold_each_other(make):
    for type_ in (GROUP, FACTORY):
        make(type_)
    with pytest.raises(CloudError, match="references ls of type LinkedService"):
        make(PIPELINE)
    linked = make(LINKED)
    make(PIPELINE)
    with cloud() as now, pytest.raises(CloudError, match="referenced by p"):
        Azure({}).delete(now, LINKED, linked.id)


def test_role_assignments(make):
    make(GROUP)
    role = {"scope": BASE, "roleDefinitionId": CONTRIBUTOR, "principalId": GUID, "roleAssignmentName": GUID}
    with pytest.raises(CloudError, match="PrincipalNotFound"):
        make(ROLE, **role)
    with pytest.raises(CloudError, match="ResourceGroupNotFound"):
        make(ROLE, **{**role, "scope": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/no"})
    assert make(ROLE, **{**role, "principalId": DEPLOYER}).id.startswith(f"{BASE}/providers/Microsoft.Authorization")
    with pytest.raises(CloudError, match="RoleAssignmentExists"):
        make(ROLE, **{**role, "principalId": DEPLOYER, "roleAssignmentName": GUID.replace("1", "2")})


def test_files_lie_where_the_environment_says(make, home):
    make(GROUP)
    make(ACCOUNT)
    make(CONTAINER)
    make(GROUP, resourceGroupName="dev", tags={"environment": "dev"})
    make(ACCOUNT, resourceGroupName="dev", accountName="devlake")
    make(CONTAINER, resourceGroupName="dev", accountName="devlake")
    assert (home / "lake" / "bronze").is_dir()
    assert (home / "lakes" / "devlake" / "bronze").is_dir()


def test_a_resource_group_takes_all_its_children(make, home):
    for type_ in INPUTS:
        make(type_)
    make(GROUP, resourceGroupName="other")
    (home / "lake" / "bronze" / "file").write_text("data")
    with cloud() as now:
        Azure({}).delete(now, GROUP, BASE)
        Azure({}).delete(now, GROUP, BASE)  # gone is gone
    assert everything() == [f"/subscriptions/{SUBSCRIPTION}/resourceGroups/other"]
    assert sorted(path.name for path in home.iterdir()) == ["cloud.sqlite"]


def test_lookups_find_what_is_there_and_say_what_is_not(make):
    make(GROUP)
    make(ACCOUNT)
    with cloud() as now:
        azure = Azure({})
        found = azure.invoke(now, "azure-native:storage:getStorageAccount", IN_ACCOUNT)
        assert (found["id"], found["name"]) == (f"{BASE}/providers/Microsoft.Storage/storageAccounts/lake", "lake")
        with pytest.raises(CloudError, match=r"'Microsoft\.Databricks/workspaces/no' under .* 'rg' was not"):
            azure.invoke(now, "azure-native:databricks:getWorkspace", {**IN_GROUP, "workspaceName": "no"})
        with pytest.raises(CloudError, match="Resource group 'no' could not be found"):
            azure.invoke(now, "azure-native:resources:getResourceGroup", {"resourceGroupName": "no"})
        with pytest.raises(CloudError, match="does not know the function azure-native:storage:listKeys"):
            azure.invoke(now, "azure-native:storage:listKeys", {})
        client = azure.invoke(now, "azure-native:authorization:getClientConfig", {})
    assert (client["objectId"], client["subscriptionId"]) == (DEPLOYER, SUBSCRIPTION)


def test_the_credentials_of_a_cluster_name_it_and_kubelogin(make):
    make(GROUP)
    cluster = make(CLUSTER)
    with cloud() as now:
        function = "azure-native:containerservice:listManagedClusterUserCredentials"
        (found,) = Azure({}).invoke(now, function, {**IN_GROUP, "resourceName": "aks"})["kubeconfigs"]
    config = json.loads(base64.b64decode(found["value"]))
    assert config["clusters"][0]["cluster"]["server"] == f"https://{cluster.computed['fqdn']}:443"
    assert config["users"][0]["user"]["exec"]["command"] == "kubelogin"
