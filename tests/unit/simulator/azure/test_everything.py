"""What holds for all types of the simulated Azure: ids, schemas, names, parents, lookups, deletion."""

import re

import pytest

from simulator import properties
from simulator.azure import Azure
from simulator.azure_rules import SUBSCRIPTION
from simulator.state import CloudError

IDS = {
    "lifecycle": "Microsoft.Storage/storageAccounts/lake/managementPolicies/default",
    "credential": "Microsoft.ManagedIdentity/userAssignedIdentities/id-x/federatedIdentityCredentials/pods",
    "nsg": "Microsoft.Network/networkSecurityGroups/nsg",
    "address": "Microsoft.Network/publicIPAddresses/ip",
    "nat": "Microsoft.Network/natGateways/nat",
    "vnet": "Microsoft.Network/virtualNetworks/net",
    "subnet": "Microsoft.Network/virtualNetworks/net/subnets/endpoints",
    "endpoint": "Microsoft.Network/privateEndpoints/pe-vault",
    "zone group": "Microsoft.Network/privateEndpoints/pe-vault/privateDnsZoneGroups/zones",
    "zone": "Microsoft.Network/privateDnsZones/privatelink.vaultcore.azure.net",
    "link": "Microsoft.Network/privateDnsZones/privatelink.vaultcore.azure.net/virtualNetworkLinks/net",
    "vault": "Microsoft.KeyVault/vaults/vault-x",
    "registry": "Microsoft.ContainerRegistry/registries/registryX",
    "logs": "Microsoft.OperationalInsights/workspaces/logs",
    "trigger": "Microsoft.DataFactory/factories/adf-x/triggers/daily",
    "runtime": "Microsoft.DataFactory/factories/adf-x/integrationRuntimes/inside",
    "managed network": "Microsoft.DataFactory/factories/adf-x/managedVirtualNetworks/default",
    "managed endpoint": "Microsoft.DataFactory/factories/adf-x/managedVirtualNetworks/default/managedPrivateEndpoints"
    "/to_lake",
    "pool": "Microsoft.ContainerService/managedClusters/aks/agentPools/spot",
    "maintenance": "Microsoft.ContainerService/managedClusters/aks/maintenanceConfigurations"
    "/aksManagedAutoUpgradeSchedule",
    "setting": "Microsoft.Storage/storageAccounts/lake/blobServices/default/providers/Microsoft.Insights"
    "/diagnosticSettings/to-logs",
    "alarm": "Microsoft.Insights/actionGroups/alarm",
    "metric": "Microsoft.Insights/metricAlerts/failed runs",
    "activity": "Microsoft.Insights/activityLogAlerts/deleted",
    "budget": "Microsoft.Consumption/budgets/monthly",
    "secret": "Microsoft.KeyVault/vaults/vault-x/secrets/store-key",
    "deployment": "Microsoft.Resources/deployments/keys",
    "store": "Microsoft.DocumentDB/databaseAccounts/store-x",
    "keyspace": "Microsoft.DocumentDB/databaseAccounts/store-x/cassandraKeyspaces/usage",
    "table": "Microsoft.DocumentDB/databaseAccounts/store-x/cassandraKeyspaces/usage/tables/daily",
    "events": "Microsoft.EventHub/namespaces/events-x",
    "events firewall": "Microsoft.EventHub/namespaces/events-x/networkRuleSets/default",
    "hub": "Microsoft.EventHub/namespaces/events-x/eventhubs/usage-events",
    "consumers": "Microsoft.EventHub/namespaces/events-x/eventhubs/usage-events/consumergroups/stream",
}
PARENTS = {
    "setting": "Microsoft.Storage/storageAccounts/lake",  # whose blob service is there with it
    "subnet": "Microsoft.Network/virtualNetworks/net",
    "zone group": "Microsoft.Network/privateEndpoints/pe-vault",
    "link": "Microsoft.Network/privateDnsZones/privatelink.vaultcore.azure.net",
    "managed endpoint": "Microsoft.DataFactory/factories/adf-x/managedVirtualNetworks/default",
    "managed network": "Microsoft.DataFactory/factories/adf-x",
    "pool": "Microsoft.ContainerService/managedClusters/aks",
    "lifecycle": "Microsoft.Storage/storageAccounts/lake",
    "credential": "Microsoft.ManagedIdentity/userAssignedIdentities/id-x",
    "secret": "Microsoft.KeyVault/vaults/vault-x",
    "keyspace": "Microsoft.DocumentDB/databaseAccounts/store-x",
    "table": "Microsoft.DocumentDB/databaseAccounts/store-x/cassandraKeyspaces/usage",
    "events firewall": "Microsoft.EventHub/namespaces/events-x",
    "hub": "Microsoft.EventHub/namespaces/events-x",
    "consumers": "Microsoft.EventHub/namespaces/events-x/eventhubs/usage-events",
}
PROVIDERS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers"


def test_ids_are_those_of_azure(azure):
    with azure.undone() as now:
        assert sorted(azure.id(name).lower() for name in azure.names) == sorted(found.key for found in now.find())
    assert {name: azure.id(name) for name in IDS} == {name: f"{PROVIDERS}/{id_}" for name, id_ in IDS.items()}


def test_one_of_everything_stands(azure):
    assert set(Azure.kinds) - set(azure.types.values()) == {"azure-native:authorization:ManagementLockByScope"}


def test_everything_belongs_to_what_takes_it_along(azure):
    with azure.undone() as now:
        found = {name: now.get(azure.id(name).lower()).parent for name in PARENTS}
    assert found == {name: f"{PROVIDERS}/{id_}".lower() for name, id_ in PARENTS.items()}


def test_tables_speak_of_properties_that_the_sdk_has():
    for kind in Azure.kinds.values():
        inputs, outputs = properties.fields_of(kind.type), properties.computed_names(kind.type)
        assert {*kind.naming, *(path.split(".")[0] for path in kind.replace)} <= inputs.keys(), kind.type
        assert set(kind.computed) <= inputs.keys() | outputs, kind.type
        assert set(kind.naming) <= set(kind.replace), kind.type


def test_unknown_properties_are_refused(azure):
    with azure.undone() as now:
        for name in azure.names:
            type_ = azure.types[name]
            assert azure.provider.check(now, type_, azure.inputs(name)) == [], name
            found = azure.provider.check(now, type_, azure.inputs(name, {"nonsense": 1}))
            assert found == [("nonsense", "unknown property")], name


@pytest.mark.parametrize(
    ("name", "path", "value", "message"),
    [
        ("lifecycle", "policy.rules[0].definition.filters.blobTypes", None, "required property is missing"),
        ("nsg", "securityRules", [{"name": "r", "access": "Allow", "protocol": "*"}], "required property is missing"),
        ("address", "publicIPAddressVersion", 4, "4 is not one of IPv4, IPv6"),
        ("vnet", "addressSpace.addressPrefixes", "10.1.0.0/16", "is not of type"),
        ("subnet", "networkSecurityGroup.id", 7, "7 is not of type"),
        ("endpoint", "privateLinkServiceConnections[0].groupIds", "vault", "'vault' is not of type"),
        ("vault", "properties.publicNetworkAccess", False, "False is not of type"),
        ("vault", "properties.createMode", "restore", "'restore' is not one of recover, default"),
        ("registry", "sku.name", None, "required property is missing"),
        ("cluster", "agentPoolProfiles[0].osDiskSizeGb", 48, "unknown property"),
        ("pool", "osDiskSizeGB", "48", "'48' is not of type"),
        ("maintenance", "maintenanceWindow.schedule", None, "required property is missing"),
        ("setting", "logs[0].enabled", None, "required property is missing"),
        ("metric", "criteria.odataType", "Nonsense", "'Nonsense' is none of"),
        ("metric", "criteria.allOf[0].metricName", None, "required property is missing"),
        ("trigger", "properties.type", "Cron", "'Cron' is none of"),
        ("trigger", "properties.recurrence", None, "required property is missing"),
        ("event", "properties.scope", None, "required property is missing"),
        ("runtime", "properties.type", "Shared", "'Shared' is none of"),
        ("budget", "timePeriod.startDate", None, "required property is missing"),
        ("secret", "properties.value", 7, "7 is not of type"),
        ("store", "locations", None, "required property is missing"),
        ("store", "minimalTlsVersion", 12, "12 is not one of Tls, Tls11, Tls12"),
        ("store", "consistencyPolicy.defaultConsistencyLevel", "Quorum", "'Quorum' is not one of"),
        ("keyspace", "resource.id", None, "required property is missing"),
        ("table", "resource.schema.columns[0].kind", "static", "unknown property"),
        ("events", "sku.name", None, "required property is missing"),
        ("hub", "partitionCount", "4", "'4' is not of type"),
    ],
)
def test_bad_properties_are_refused_by_path(azure, name, path, value, message):
    with azure.undone() as now:
        found = azure.provider.check(now, azure.types[name], azure.inputs(name, {path: value}))
    assert len(found) == 1
    assert found[0][0].startswith(path)
    assert message in found[0][1]


@pytest.mark.parametrize(
    ("name", "property_", "good", "bad"),
    [
        ("lifecycle", "managementPolicyName", ["default"], ["mine"]),
        ("credential", "federatedIdentityCredentialResourceName", ["abc", "a-b_c"], ["ab", "-abc", "a" * 121]),
        ("nsg", "networkSecurityGroupName", ["a", "a.b-c_", "a" * 80], ["-a", "a.", "a" * 81, ""]),
        ("address", "publicIpAddressName", ["ip", "9_"], ["_ip", "ip-"]),
        ("nat", "natGatewayName", ["n"], ["n.", "a" * 81]),
        ("vnet", "virtualNetworkName", ["ab", "a" * 64], ["a", "a" * 65, "ab-"]),
        ("subnet", "subnetName", ["s", "a" * 80], ["-s", "s."]),
        ("endpoint", "privateEndpointName", ["pe", "a" * 64], ["p", "a" * 65]),
        ("zone group", "privateDnsZoneGroupName", ["default"], ["a b"]),
        ("zone", "privateZoneName", ["a.b", "privatelink.dfs.core.windows.net"], ["a", "a..b", "a" * 64 + ".b"]),
        ("link", "virtualNetworkLinkName", ["l"], ["l/", "_l"]),
        ("vault", "vaultName", ["abc", "a-b-c", "a" * 24], ["ab", "1ab", "a--b", "ab-", "a" * 25, "a_b"]),
        ("registry", "registryName", ["abcde", "A1234"], ["abcd", "ab-cde", "a" * 51]),
        ("logs", "workspaceName", ["abcd", "a-b-c"], ["abc", "-abc", "abc-", "a" * 64, "a_bc"]),
        ("setting", "name", ["to logs"], ["a/b", "a?", "ends."]),
        ("alarm", "actionGroupName", ["on-call"], ["a&b", "ends ", "a" * 261]),
        ("metric", "ruleName", ["failed runs"], ["a%", "a{b}"]),
        ("activity", "activityLogAlertName", ["deleted"], ["a#b"]),
        ("budget", "budgetName", ["monthly_1"], ["a b", "a" * 64, "ä."]),
        ("trigger", "triggerName", ["daily run"], ["a.b", "-x"]),
        ("runtime", "integrationRuntimeName", ["abc", "a-b"], ["ab", "a--b", "a_b"]),
        ("managed endpoint", "managedPrivateEndpointName", ["to_lake", "to-lake"], ["-x", "a b"]),
        ("managed endpoint", "managedVirtualNetworkName", ["default"], ["mine"]),
        ("pool", "agentPoolName", ["a", "user1", "a" * 12], ["1a", "User", "a-b", "a" * 13]),
        ("maintenance", "configName", ["default", "aksManagedNodeOSUpgradeSchedule"], ["weekly"]),
        ("deployment", "deploymentName", ["a_b.(1)"], ["a b", "a" * 65]),
        ("secret", "secretName", ["a-B1", "a" * 127], ["a_b", "a.b", "a" * 128]),
        ("store", "accountName", ["abc", "a-b--c", "a" * 44], ["ab", "Abc", "-abc", "abc-", "a" * 45]),
        ("keyspace", "keyspaceName", ["cloud_usage", "A1"], ["1a", "a-b", "a" * 49]),
        ("table", "tableName", ["daily_speed"], ["_a", "a.b", "a" * 49]),
        ("events", "namespaceName", ["abcdef", "a-b-c-d"], ["abcde", "1bcdef", "abcde-", "a" * 51]),
        ("hub", "eventHubName", ["usage-events", "a.b_c"], ["-a", "a-", "a" * 257]),
        ("consumers", "consumerGroupName", ["stream", "a-b"], ["a/b", "a" * 51]),
    ],
)
def test_names_are_held_to_azure_s_rules(azure, name, property_, good, bad):
    type_ = azure.types[name]
    with azure.undone() as now:
        for value in good:
            assert azure.provider.check(now, type_, azure.inputs(name, {property_: value})) == []
        for value in bad:
            problems = azure.provider.check(now, type_, azure.inputs(name, {property_: value}))
            assert [path for path, _ in problems] == [property_], value
        unnamed = azure.provider.check(now, type_, azure.inputs(name, {property_: None}))
    assert (property_, "the simulated cloud needs it named explicitly") in unnamed


def test_nothing_is_created_without_its_parent(azure, row):
    moved = {"resourceGroupName": "no", "scope": f"{PROVIDERS}/No/no/no", "resourceUri": f"{PROVIDERS}/No/no/no"}
    message = r"(ResourceGroupNotFound|ParentResourceNotFound).* could not be found"
    for name in (each for each in azure.names if each != "group"):
        changes = {property_: value for property_, value in moved.items() if property_ in azure.inputs(name)}
        with row(name), azure.undone() as now, pytest.raises(CloudError, match=message):
            azure.put(now, name, changes)


def test_what_is_there_cannot_be_created(azure, row):
    for name in azure.names:
        if azure.provider.kind(azure.types[name]).adopts:  # it comes with what it belongs to
            continue
        message = f"cannot create already existing resource '{re.escape(azure.id(name))}'"
        with row(name), azure.undone() as now, pytest.raises(CloudError, match=message):
            azure.provider.create(now, azure.types[name], azure.inputs(name))


def test_an_equal_update_changes_nothing(azure, row):
    for name in azure.names:
        with row(name), azure.undone() as now:
            before = now.get(azure.id(name).lower())
            assert azure.put(now, name) == before


def test_lookups_find_it_by_the_arguments_of_the_sdk(azure, row):
    for name in azure.names:
        path = properties._module(azure.types[name])[0]
        source = path.with_name(f"get_{path.name}").read_text(encoding="utf-8")
        arguments = re.findall(r"__args__\['(\w+)'\]", source)
        module, _, type_ = azure.types[name].rpartition(":")
        given = {key: value for key, value in azure.inputs(name).items() if key in arguments}
        with row(name), azure.undone() as now:
            found = azure.provider.invoke(now, f"{module}:get{type_}", given)
            assert found["id"] == azure.id(name)


def test_a_resource_group_takes_all_its_children_and_a_vault_stays_softly(azure):
    with azure.undone() as now:
        azure.delete(now, "group")
        left = [resource.id for resource in now.find()]
    vaults = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.KeyVault/locations/westeurope/deletedVaults"
    assert left == [f"{vaults}/vault-x"]
