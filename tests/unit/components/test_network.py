"""What each level of isolation puts around resources."""

from ipaddress import IPv4Network
from typing import get_args

import pytest

from components.network import LEADING_TO, LEVELS, NetworkArgs, NetworkError
from components.private_link import ZONES
from components.virtual_network import SUBNETS
from stacks.settings import Network


@pytest.fixture(scope="module")
def levels(stacks, record):
    """What stacks declare at each level, with one address on the allow-list."""
    injected = record("prod", network={"isolation": "vnet-injected"})
    return {"public": stacks["dev"], "vnet-injected": injected, "private-link": stacks["prod"]}


def test_the_settings_know_the_same_levels(record):
    assert get_args(Network.model_fields["isolation"].annotation) == LEVELS
    given = [record.settings(stack).network for stack in ("dev", "prod")]
    assert [network.isolation for network in given] == ["public", "private-link"]
    assert {network.allowed_addresses for network in given} == {(IPv4Network("203.0.113.0/24"),)}


def test_a_public_platform_has_no_network_of_its_own(levels):
    public = levels["public"]
    assert [public.of(kind) for kind in ("VirtualNetwork", "Subnet", "NatGateway", "PrivateEndpoint")] == [[]] * 4
    assert public.one("StorageAccount")["networkRuleSet"]["defaultAction"] == "Allow"
    assert public.one("Vault")["properties"]["networkAcls"] == {
        "bypass": "AzureServices",
        "defaultAction": "Deny",
        "ipRules": [{"value": "203.0.113.0/24"}],
        "virtualNetworkRules": [],
    }
    assert public.one("ManagedCluster")["networkProfile"]["outboundType"] == "loadBalancer"
    assert public.one("Registry")["sku"] == {"name": "Standard"}
    assert "policies" not in public.one("Registry")


def test_a_vault_is_open_where_there_is_no_allow_list(stacks):
    acls = stacks["local"].one("Vault")["properties"]["networkAcls"]
    assert (acls["defaultAction"], acls["ipRules"]) == ("Allow", [])


@pytest.mark.parametrize("level", ["vnet-injected", "private-link"])
def test_all_nodes_stand_in_our_network_and_leave_it_by_one_address(levels, level):
    engine = levels[level]
    subnets = {r.inputs["subnetName"]: r.inputs for r in engine.of("Subnet")}
    assert sorted(subnets) == sorted(SUBNETS)
    assert {name: subnet["addressPrefix"] for name, subnet in subnets.items()} == {
        "databricks-host": "10.20.0.0/20",
        "databricks-container": "10.20.16.0/20",
        "aks": "10.20.32.0/20",
        "endpoints": "10.20.48.0/20",
    }
    for name in ("databricks-host", "databricks-container"):
        (delegation,) = subnets[name]["delegations"]
        assert delegation["serviceName"] == "Microsoft.Databricks/workspaces"
    assert sorted(name for name, subnet in subnets.items() if "natGateway" in subnet) == [
        *("aks", "databricks-container", "databricks-host")
    ]
    assert all("networkSecurityGroup" in subnet for subnet in subnets.values())
    pools = [*engine.one("ManagedCluster")["agentPoolProfiles"], *(r.inputs for r in engine.of("AgentPool"))]
    assert {pool.get("vnetSubnetID") or pool["vnetSubnetId"] for pool in pools} == {"network-own-subnet-aks-id"}
    assert engine.one("ManagedCluster")["networkProfile"]["outboundType"] == "userAssignedNATGateway"
    (role,) = [r.inputs for r in engine.of("RoleAssignment") if "aks-subnet" in r.name]
    assert role["scope"] == "network-own-subnet-aks-id"


def test_an_injected_platform_lets_in_its_network_and_the_allow_list(levels):
    engine = levels["vnet-injected"]
    lake = engine.one("StorageAccount")
    inside = [f"network-own-subnet-{name}-id" for name in ("databricks-host", "databricks-container", "aks")]
    assert lake["publicNetworkAccess"] == "Enabled"
    assert lake["networkRuleSet"] == {
        "bypass": "AzureServices",
        "defaultAction": "Deny",
        "ipRules": [{"iPAddressOrRange": "203.0.113.0/24"}],
        "virtualNetworkRules": [{"virtualNetworkResourceId": id_} for id_ in inside],
    }
    assert [rule["id"] for rule in engine.one("Vault")["properties"]["networkAcls"]["virtualNetworkRules"]] == inside
    assert engine.one("ManagedCluster")["apiServerAccessProfile"]["authorizedIPRanges"] == ["203.0.113.0/24"]
    (workspace,) = [r.inputs for r in engine.of("Workspace") if r.type.startswith("azure-native:databricks")]
    assert (workspace["publicNetworkAccess"], workspace["requiredNsgRules"]) == ("Enabled", "AllRules")


def test_a_private_platform_has_an_endpoint_for_each_way_in_and_no_public_address(levels):
    engine = levels["private-link"]
    (workspace,) = [r.inputs for r in engine.of("Workspace") if r.type.startswith("azure-native:databricks")]
    assert workspace["parameters"]["enableNoPublicIp"] == {"value": True}
    assert workspace["requiredNsgRules"] == "NoAzureDatabricksRules"
    closed = [engine.one("StorageAccount"), engine.one("Registry"), engine.one("Factory"), workspace]
    assert {r["publicNetworkAccess"] for r in [*closed, engine.one("Vault")["properties"]]} == {"Disabled"}
    assert engine.one("ManagedCluster")["apiServerAccessProfile"] == {
        "disableRunCommand": True,
        "enablePrivateCluster": True,
        "privateDNSZone": "system",
    }
    connections = [r.inputs["privateLinkServiceConnections"][0] for r in engine.of("PrivateEndpoint")]
    assert {(c["privateLinkServiceId"], *c["groupIds"]) for c in connections} == {
        ("data-lake-account-id", "blob"),
        ("data-lake-account-id", "dfs"),
        ("key-vault-vault-id", "vault"),
        ("container-registry-registry-id", "registry"),
        ("data-factory-factory-id", "dataFactory"),
        ("databricks-workspace-id", "databricks_ui_api"),
        ("databricks-workspace-id", "browser_authentication"),
        ("serving-store-account-id", "Cassandra"),
        ("event-stream-namespace-id", "namespace"),
    }
    names = {r.name: r.inputs["privateDnsZoneConfigs"][0]["privateDnsZoneId"] for r in engine.of("PrivateDnsZoneGroup")}
    assert names["data-lake-account-dfs-endpoint-name"] == "network-link-privatelink.dfs.core.windows.net-id"
    assert len(names) == 9
    assert {r.inputs["privateZoneName"] for r in engine.of("PrivateZone")} == set(ZONES.values())
    assert engine.one("Registry")["sku"] == {"name": "Premium"}
    assert engine.one("Registry")["policies"]["retentionPolicy"] == {"days": 7, "status": "enabled"}


def test_a_private_factory_goes_through_a_network_that_azure_manages(levels):
    engine = levels["private-link"]
    endpoints = {
        r.inputs["managedPrivateEndpointName"]: r.inputs["properties"] for r in engine.of("ManagedPrivateEndpoint")
    }
    assert endpoints == {
        "lake": {"privateLinkResourceId": "data-lake-account-id", "groupId": "dfs"},
        "databricks": {"privateLinkResourceId": "databricks-workspace-id", "groupId": "databricks_ui_api"},
    }
    runtime = engine.one("IntegrationRuntime")["properties"]
    assert runtime["managedVirtualNetwork"]["referenceName"] == "default"
    ways = [r.inputs["properties"]["connectVia"]["referenceName"] for r in engine.of("LinkedService")]
    assert ways == ["managed", "managed"]
    open_ways = [r.inputs["properties"] for r in levels["public"].of("LinkedService")]
    assert not any("connectVia" in properties for properties in open_ways)


def test_every_group_has_a_zone():
    assert {group for groups in LEADING_TO.values() for group in groups} == set(ZONES)


def test_another_address_space_moves_the_subnets(record):
    engine = record("prod", network={"isolation": "vnet-injected", "address_space": "192.168.0.0/22"})
    assert engine.one("VirtualNetwork")["addressSpace"] == {"addressPrefixes": ["192.168.0.0/22"]}
    assert engine.inputs("network-own-subnet-aks")["addressPrefix"] == "192.168.0.128/26"


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ("10.20.0.0/23", "network.address_space: 10.20.0.0/23 is smaller than a /22"),
        ("10.244.4.0/22", "network.address_space: 10.244.4.0/22 overlaps with 10.244.0.0/16, the cluster's own"),
        ("10.0.0.0/8", "network.address_space: 10.0.0.0/8 overlaps with 10.244.0.0/16, the cluster's own"),
    ],
)
def test_an_address_space_that_cannot_be_ours_is_refused(space, message):
    with pytest.raises(NetworkError) as error:
        NetworkArgs("public", (), IPv4Network(space))
    assert str(error.value) == message
