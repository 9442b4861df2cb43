"""The simulated Azure's Kubernetes clusters, node pools and maintenance windows."""

import base64
import json

import pytest

from simulator.azure_rules import SUBSCRIPTION
from simulator.state import CloudError

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
NETWORK = f"{GROUP}/providers/Microsoft.Network"
SYSTEM = "agentPoolProfiles[0]"
REGULAR = {"scaleSetPriority": None, "scaleSetEvictionPolicy": None, "spotMaxPrice": None}
FIXED = {"enableAutoScaling": None, "minCount": None, "maxCount": None}
NEW = {"agentPoolName": "new"}
WINDOW = "maintenanceWindow"


REFUSED = [
    ("pool", NEW | {"vmSize": None}, "vmSize", "Required parameter vmSize is missing"),
    ("pool", {"agentPoolName": "system"}, "agentPools/system", "already existing .*: it came with its cluster"),
    ("pool", NEW | {"osType": "Windows", "agentPoolName": "toolong"}, "name", "'toolong' is invalid"),
    ("pool", NEW | {"availabilityZones": ["4"]}, "availabilityZones", r"\['4'\] are not all of 1, 2 and 3"),
    ("pool", {"nodeTaints": ["nonsense"]}, "nodeTaints", "'nonsense' is not of the form key=value:effect"),
    ("pool", {"minCount": None}, "minCount", "must be given, and rise"),
    ("pool", {"minCount": 2}, "minCount", "minCount 2, count 1 and maxCount 3"),
    ("pool", {"enableAutoScaling": False}, "minCount", "only where enableAutoScaling is on"),
    ("pool", FIXED | {"count": None}, "count", "Required parameter count is missing"),
    ("pool", NEW | {"scaleSetPriority": "Regular"}, "scaleSetEvictionPolicy", "unless scaleSetPriority is 'Spot'"),
    ("pool", NEW | REGULAR | {"spotMaxPrice": 1.0}, "spotMaxPrice", "unless scaleSetPriority is 'Spot'"),
    ("pool", NEW | {"mode": "System"}, "scaleSetPriority", "SystemPoolMustBeRegular"),
    ("pool", NEW | REGULAR | {"mode": "System"}, "nodeTaints", "SystemPoolHasRestrictedTaint.*scalesetpriority"),
    (
        "pool",
        {**REGULAR, "agentPoolName": "win", "mode": "System", "osType": "Windows", "nodeTaints": []},
        "osType",
        "SystemPoolMustBeLinux",
    ),
    (
        "pool",
        NEW | {"osDiskType": "Ephemeral"},
        "osDiskSizeGB",
        "cache size of 100 GB, but the OS disk requires 128",
    ),
    ("pool", NEW | {"vnetSubnetID": "/no"}, "vnetSubnetID", "/no .*was not found"),
    ("pool", NEW | {"podSubnetID": "/no"}, "podSubnetID", "/no .*was not found"),
    ("pool", NEW | {"vnetSubnetID": None}, "vnetSubnetID", "in subnets of one virtual network"),
    ("pool", NEW | {"orchestratorVersion": "1.36"}, "orchestratorVersion", "NodePoolMcVersionIncompatible"),
    ("pool", {"osDiskSizeGB": 64}, "osDiskSizeGB", "PropertyChangeNotAllowed"),
    ("pool", {"maxPods": 50}, "maxPods", "PropertyChangeNotAllowed"),
    ("cluster", {f"{SYSTEM}.osDiskSizeGB": 60}, "osDiskSizeGB", "cache size of 50 GB, but the OS disk requires 60"),
    ("cluster", {f"{SYSTEM}.vmSize": "Standard_D4s_v3"}, "agentPoolProfiles", "changing vmSize of 'system'"),
    ("cluster", {f"{SYSTEM}.availabilityZones": ["3"]}, "agentPoolProfiles", "changing availabilityZones"),
    ("cluster", {f"{SYSTEM}.nodeTaints": ["a=b:NoSchedule"]}, "nodeTaints", "SystemPoolHasRestrictedTaint"),
    ("cluster", {f"{SYSTEM}.vnetSubnetID": "/no"}, "vnetSubnetID", "/no .*was not found"),
    ("cluster", {f"{SYSTEM}.mode": "User"}, "agentPoolProfiles", "at least one system pool"),
    (
        "cluster",
        {"networkProfile.serviceCidr": "10.1.0.0/20"},
        "serviceCidr",
        "conflicted with .* subnet CIDR 10.1.",
    ),
    (
        "cluster",
        {f"{SYSTEM}.vnetSubnetID": f"{NETWORK}/virtualNetworks/net/subnets/endpoints", "resourceName": "two"},
        "outboundType",
        "needs a vnetSubnetID with a NAT gateway",
    ),
    (
        "cluster",
        {"apiServerAccessProfile.authorizedIPRanges": ["1.1.1.1/32"]},
        "authorizedIPRanges",
        "private clus",
    ),
    ("cluster", {"apiServerAccessProfile.privateDNSZone": "/no"}, "privateDNSZone", "/no .*was not found"),
    ("cluster", {"apiServerAccessProfile.enablePrivateCluster": False}, "privateDNSZone", "only a private cluster"),
    (
        "cluster",
        {
            "apiServerAccessProfile.privateDNSZone": f"{NETWORK}/privateDnsZones/privatelink.vaultcore.azure.net",
            "identity": {"type": "SystemAssigned"},
        },
        "privateDNSZone",
        "needs a user-assigned identity",
    ),
    (
        "cluster",
        {"addonProfiles.omsagent.config.logAnalyticsWorkspaceResourceID": "/no"},
        "addonProfiles.omsagent",
        "/no .*was not found",
    ),
    ("maintenance", {WINDOW: None}, WINDOW, "'aksManagedAutoUpgradeSchedule' needs it"),
    ("maintenance", {f"{WINDOW}.durationHours": 3}, WINDOW, "durationHours: 3 is not 4 to 24"),
    ("maintenance", {f"{WINDOW}.schedule": {}}, WINDOW, "schedule: there must be exactly one"),
    ("maintenance", {f"{WINDOW}.startTime": "2:00"}, WINDOW, "'2:00' is not of the form"),
    ("maintenance", {"configName": "default"}, "timeInWeek", "and no maintenanceWindow"),
]


def test_aks_refuses(azure):
    for name, changes, property_, message in REFUSED:
        azure.refuses(name, changes, property_, message)


def test_pools_come_and_go_but_for_the_last_that_runs_the_system(azure):
    second = REGULAR | {
        "agentPoolName": "second",
        "mode": "System",
        "nodeTaints": ["CriticalAddonsOnly=true:NoSchedule"],
    }
    with azure.undone() as now:
        azure.put(now, "pool", second)
        azure.delete(now, "pool", second)  # the cluster's own is left
        azure.delete(now, "pool")
        azure.put(now, "pool", second)
        azure.provider.delete(now, azure.types["cluster"], azure.id("cluster"))
        assert now.find("azure-native:containerservice:*") == []


def test_the_last_system_pool_stays(azure):
    with azure.undone() as now:
        second = REGULAR | {"agentPoolName": "second", "mode": "System", "nodeTaints": []}
        azure.put(now, "pool", second)
        cluster = now.get(azure.id("cluster").lower())
        cluster.inputs["agentPoolProfiles"] = []
        now.put(cluster)
        with pytest.raises(CloudError, match=r"There has to be at least one system agent pool: .*agentPools/second"):
            azure.delete(now, "pool", second)


def test_a_taken_range_is_refused_for_a_network_that_takes_the_default(azure):
    with azure.undone() as now:
        azure.put(now, "vnet", {"addressSpace.addressPrefixes": ["10.1.0.0/16", "10.0.0.0/16"]})
        azure.put(now, "subnet", {"subnetName": "clash", "addressPrefix": "10.0.0.0/24"})
        with pytest.raises(CloudError, match=r"ServiceCidrOverlapExistingSubnetsCidr.*10.0.0.0/16 .*10.0.0.0/24"):
            azure.put(now, "cluster", {"networkProfile.serviceCidr": None})


def test_a_cluster_shows_its_private_name_and_the_identities_of_add_ons(azure):
    with azure.undone() as now:
        cluster = now.get(azure.id("cluster").lower())
        pool = now.get(azure.id("pool").lower())
        function = "azure-native:containerservice:listManagedClusterUserCredentials"
        arguments = {"resourceGroupName": "rg", "resourceName": "aks"}
        (found,) = azure.provider.invoke(now, function, arguments)["kubeconfigs"]
    server = json.loads(base64.b64decode(found["value"]))["clusters"][0]["cluster"]["server"]
    assert cluster.computed["privateFQDN"].endswith(".privatelink.westeurope.azmk8s.io")
    assert server == f"https://{cluster.computed['privateFQDN']}:443"
    addons = cluster.outputs["addonProfiles"]
    identity = addons["azureKeyvaultSecretsProvider"]["identity"]
    assert identity["resourceId"] == (
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/MC_rg_aks_westeurope/providers/Microsoft.ManagedIdentity"
        "/userAssignedIdentities/azurekeyvaultsecretsprovider-aks"
    )
    assert len(identity["clientId"]) == len(identity["objectId"]) == 36
    assert addons["azureKeyvaultSecretsProvider"]["config"] == {"enableSecretRotation": "true"}
    assert "identity" not in addons["azurepolicy"]
    assert pool.outputs["currentOrchestratorVersion"] == "1.35.0"
