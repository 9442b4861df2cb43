"""The simulated Azure's secrets, Cosmos DB accounts for Cassandra, and Event Hubs."""

import pytest

from simulator import azure_cosmos
from simulator.state import CloudError

SCHEMA, DEPLOYED = "resource.schema", "properties.template.resources[0]"
TWO = [{"locationName": "westeurope", "failoverPriority": 0}, {"locationName": "eastus", "failoverPriority": 1}]
SERVERLESS = {"accountName": "other", "capabilities": [{"name": "EnableCassandra"}, {"name": "EnableServerless"}]}
BASIC = {"namespaceName": "basic-x", "sku": {"name": "Basic"}, "kafkaEnabled": None}


@pytest.fixture
def subnet(azure):
    """The id of a subnet without service endpoints."""
    return azure.id("subnet")


@pytest.mark.parametrize(
    ("name", "changes", "property_", "message"),
    [
        ("secret", {"properties.value": ""}, "value", "it is needed, with 25600 bytes at most"),
        ("secret", {"properties.value": "x" * 25601}, "value", "it is needed, with 25600 bytes at most"),
        ("deployment", {"properties.mode": "Complete"}, "mode", "would delete all else in the group"),
        (
            "deployment",
            {f"{DEPLOYED}.type": "Microsoft.Web/sites"},
            "template",
            "deploys Microsoft.KeyVault/vaults/sec",
        ),
        (
            "deployment",
            {f"{DEPLOYED}.name": "store-key"},
            "template",
            "not Microsoft.KeyVault/vaults/secrets 'store-key'",
        ),
        ("deployment", {f"{DEPLOYED}.name": "no/store-key"}, "template", "the vault 'no' was not found"),
        ("deployment", {f"{DEPLOYED}.properties.value": "in plain"}, "template", "a value in plain would be seen"),
        (
            "deployment",
            {f"{DEPLOYED}.properties.value": "[listKeys('/no', '2024-11-15').primaryMasterKey]"},
            "template",
            "/no .*not found",
        ),
        ("store", {"locations": []}, "locations", "there must be some"),
        ("store", {"locations[0].failoverPriority": 1}, "locations", "priorities from 0, each its own"),
        ("store", SERVERLESS | {"locations": TWO}, "locations", "a serverless account has one region only"),
        ("store", {"minimalTlsVersion": "Tls11"}, "minimalTlsVersion", "Cassandra works with Tls12 only"),
        ("store", {"capabilities": [{"name": "EnableTable"}]}, "capabilities", "can be chosen for a new account only"),
        ("store", {"virtualNetworkRules": [{"id": "/no"}]}, "virtualNetworkRules", "Filter.*Enabled is off"),
        (
            "store",
            {"isVirtualNetworkFilterEnabled": True, "virtualNetworkRules": [{"id": "/no"}]},
            "virtualNetworkRules",
            "/no .*not found",
        ),
        ("keyspace", {"resource.id": "other"}, "resource.id", "'other' must be the keyspaceName, 'usage'"),
        ("keyspace", {"options.throughput": 400}, "options", "exclude each other"),
        ("keyspace", {"options.autoscaleSettings.maxThroughput": 1500}, "options", "1500 is not 1000 or more in steps"),
        ("table", {"resource.id": "other"}, "resource.id", "'other' must be the tableName, 'daily'"),
        ("table", {"resource.defaultTtl": -2}, "defaultTtl", "-2 is neither seconds nor -1"),
        ("table", {f"{SCHEMA}.columns[0].type": "string"}, "columns", "'string' of 'org_id' is no type of CQL 3.11"),
        ("table", {f"{SCHEMA}.columns[1].name": "org_id"}, "columns", "the column 'org_id' is there twice"),
        ("table", {f"{SCHEMA}.partitionKeys": []}, "partitionKeys", "at least one column"),
        ("table", {f"{SCHEMA}.partitionKeys[0].name": "no"}, "schema", "'no' of the primary key is no column"),
        ("table", {f"{SCHEMA}.clusterKeys[0].orderBy": "up"}, "clusterKeys", "'up' is neither Asc nor Desc"),
        ("table", {f"{SCHEMA}.clusterKeys": []}, "schema", "the primary key of a table cannot be changed"),
        ("events", {"sku.capacity": 41}, "sku.capacity", "41 units are not possible in the tier Standard"),
        ("events", BASIC | {"kafkaEnabled": True}, "kafkaEnabled", "needs Standard"),
        ("events", {"isAutoInflateEnabled": True}, "maximumThroughputUnits", "0 does not fit"),
        ("events", {"sku": {"name": "Premium"}}, "sku", "cannot go from Standard to Premium"),
        ("events firewall", {"ipRules": []}, "defaultAction", "closes the namespace to all"),
        (
            "events firewall",
            {"ipRules": [{"ipMask": f"203.0.113.{n}"} for n in range(129)]},
            "ipRules",
            "more than 128 rules",
        ),
        ("hub", {"partitionCount": 33}, "partitionCount", "33 is not 1 to 32, of the tier Standard"),
        ("hub", {"partitionCount": 8}, "partitionCount", "cannot be changed in the tier Standard"),
        ("hub", {"retentionDescription.retentionTimeInHours": 169}, "retentionTimeInHours", "169 is not 1 to 168"),
    ],
)
def test_azure_refuses(azure, name, changes, property_, message):
    azure.refuses(name, changes, property_, message)


@pytest.mark.parametrize(
    ("name", "changes", "path"),
    [
        ("store", {"isVirtualNetworkFilterEnabled": True}, "virtualNetworkRules[0].id"),
        ("events firewall", {"virtualNetworkRules": [{}]}, "virtualNetworkRules[0].subnet.id"),
    ],
)
def test_a_firewall_lets_in_subnets_that_have_the_services_endpoint(azure, subnet, name, changes, path):
    service = {"store": "Microsoft.AzureCosmosDB", "events firewall": "Microsoft.EventHub"}[name]
    wanted = {**changes, "virtualNetworkRules": [{}], path: subnet}
    azure.refuses(name, wanted, "virtualNetworkRules", f"has no service endpoint {service}")
    with azure.undone() as now:
        azure.put(now, "subnet", {"serviceEndpoints": [{"service": service}]})
        azure.put(now, name, wanted)


@pytest.mark.parametrize(("name", "property_"), [("store", "accountName"), ("events", "namespaceName")])
def test_names_are_taken_in_all_of_azure(azure, name, property_):
    with azure.undone() as now:
        azure.put(now, "group", {"resourceGroupName": "two"})
        with pytest.raises(CloudError, match=f"{azure.inputs(name)[property_]} is not available|is not available: it"):
            azure.put(now, name, {"resourceGroupName": "two"})


def test_what_is_not_for_cassandra_has_no_keyspace(azure):
    with azure.undone() as now:
        azure.put(now, "store", {"accountName": "plain", "capabilities": []})
        with pytest.raises(CloudError, match="is no account for Cassandra"):
            azure.put(now, "keyspace", {"accountName": "plain"})


def test_nothing_is_provisioned_where_each_request_is_paid(azure):
    with azure.undone() as now:
        azure.put(now, "store", SERVERLESS)
        azure.put(now, "keyspace", {"accountName": "other", "options": {}})
        with pytest.raises(CloudError, match="not supported for serverless accounts"):
            azure.put(now, "keyspace", {"accountName": "other"})


def test_twenty_five_tables_share_the_throughput_of_a_keyspace(azure):
    with azure.undone() as now:
        for number in range(24):
            azure.put(now, "table", {"tableName": f"t{number}", "resource.id": f"t{number}"})
        with pytest.raises(CloudError, match="has 25 tables that share it"):
            azure.put(now, "table", {"tableName": "more", "resource.id": "more"})


@pytest.mark.parametrize(("name", "most", "what"), [("hub", 10, "hubs"), ("consumers", 20, "consumer groups")])
def test_a_namespace_has_so_many_parts(azure, name, most, what):
    property_ = {"hub": "eventHubName", "consumers": "consumerGroupName"}[name]
    with azure.undone() as now:
        for number in range(most - 1):
            azure.put(now, name, {property_: f"n{number}"})
        with pytest.raises(CloudError, match=f"there are {most} {what}, and no more"):
            azure.put(now, name, {property_: "more"})


def test_the_tier_basic_has_one_consumer_group(azure):
    moved = {"namespaceName": "basic-x"}
    with azure.undone() as now:
        azure.put(now, "events", BASIC)
        azure.put(now, "hub", {**moved, "retentionDescription.retentionTimeInHours": 24})
        azure.put(now, "consumers", {**moved, "consumerGroupName": "$Default"})
        with pytest.raises(CloudError, match=r"has \$Default only"):
            azure.put(now, "consumers", moved)


def test_each_account_has_keys_of_its_own(azure):
    with azure.undone() as now:
        keys = azure_cosmos.account_keys(now.get(azure.id("store").lower()))
        other = azure_cosmos.account_keys(azure.put(now, "store", {"accountName": "other"}))
    assert set(keys) == set(azure_cosmos.KEYS)
    assert len({*keys.values(), *other.values()}) == 8


def test_a_deployment_puts_the_key_into_the_vault_and_says_nothing_of_it(azure):
    with azure.undone() as now:
        azure.delete(now, "deployment")
        azure.delete(now, "secret")
        key = azure_cosmos.account_keys(now.get(azure.id("store").lower()))["primaryMasterKey"]
        made = azure.put(now, "deployment")
        secret = now.get(azure.id("secret").lower())
        assert secret.inputs["properties"]["value"] == key
        assert secret.parent == azure.id("vault").lower()
        assert made.outputs["properties"]["outputResources"] == [{"id": azure.id("secret")}]
        assert key not in str(made.outputs) + str(secret.outputs)
        azure.delete(now, "deployment")
        assert now.get(secret.key) == secret  # what it made stays
        azure.delete(now, "vault")
        assert now.get(secret.key) is None


@pytest.mark.parametrize("key", ["primaryMasterKey", "noKey"])
def test_a_deployment_takes_keys_that_there_are(azure, key):
    value = f"[listKeys('{azure.id('store')}', '2024-11-15').{key}]"
    if key == "noKey":
        azure.refuses("deployment", {f"{DEPLOYED}.properties.value": value}, "noKey", "doesn't exist")
    else:
        with azure.undone() as now:
            azure.put(now, "deployment", {f"{DEPLOYED}.properties.value": value})


def test_the_value_of_a_secret_goes_in_and_never_comes_out(azure):
    with azure.undone() as now:
        first = azure.put(now, "secret")
        assert "canary" not in str(first.outputs)
        second = azure.put(now, "secret", {"properties.value": "another"})
    uris = [made.outputs["properties"]["secretUriWithVersion"] for made in (first, second)]
    assert uris[0] != uris[1]
    assert {uri.rpartition("/")[0] for uri in uris} == {"https://vault-x.vault.azure.net/secrets/store-key"}


def test_endpoints_lead_to_cassandra_and_to_the_namespace(azure):
    for name, group in (("store", "Cassandra"), ("events", "namespace")):
        to = "privateLinkServiceConnections[0]"
        wanted = {"privateEndpointName": f"pe-{name}", f"{to}.privateLinkServiceId": azure.id(name)}
        azure.refuses("endpoint", {**wanted, f"{to}.groupIds": ["vault"]}, "privateLinkServiceId", f"It has .*{group}")
        with azure.undone() as now:
            azure.put(now, "endpoint", {**wanted, f"{to}.groupIds": [group]})


def test_endpoints_of_an_account_are_those_of_cassandra(azure):
    with azure.undone() as now:
        store, events = (now.get(azure.id(name).lower()).outputs for name in ("store", "events"))
    assert store["documentEndpoint"] == "https://store-x.documents.azure.com:443/"
    assert events["serviceBusEndpoint"] == "https://events-x.servicebus.windows.net:443/"
