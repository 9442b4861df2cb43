"""The serving store and the event stream: declared where a workload needs them, reached as little as can be."""

import pytest

from components.identity import ROLES
from components.serving_store import table_resource
from stacks import program
from stacks.place import Place
from stacks.settings import SettingsError
from workloads.spec import discover, find

USAGE = find("cloud-usage")
TOLD = ("MEDALLION_EVENT_CREDENTIAL", "MEDALLION_EVENT_STREAM", "MEDALLION_SERVING_KEY", "MEDALLION_SERVING_STORE")
WORKSPACE = {"resource_group": "rg", "data_lake": "l", "workspace": "w", "catalog": "c", "interactive_cluster": "i"}


def told(engine, job):
    """What a job's cluster is told of serving store and event stream."""
    variables = engine.inputs(job)["jobClusters"][0]["newCluster"]["sparkEnvVars"]
    return {name: value for name, value in variables.items() if name in TOLD}


@pytest.fixture(scope="module")
def astra(record):
    """What `dev` declares with AstraDB."""
    bundle = {"bundle": "/Volumes/medallion_dev/models/files/astra.zip", "token": "medallion-dev/astra-token"}
    return record("dev", serving_store={"astra": bundle})


@pytest.fixture(scope="module")
def injected(record):
    """What `prod` declares in a network of its own without private endpoints."""
    return record("prod", network={"isolation": "vnet-injected", "allowed_addresses": ["203.0.113.0/24"]})


def test_without_a_workload_that_needs_them_neither_is_there(engine, record):
    settings, place = record.settings("dev"), Place("simulated", "dev", "azure-cli")
    engine.run(lambda: program.declare(settings, place, (find("ssh-logs"),)), stack="dev")
    kinds = {resource.type for resource in engine.resources}
    assert not any(":cosmosdb:" in kind or ":eventhub:" in kind for kind in kinds)
    assert "azure-native:resources:Deployment" not in kinds
    assert engine.of("Credential") == []
    assert told(engine, "job-ssh-logs") == {}
    assert (engine.outputs["serving_store"], engine.outputs["event_stream"]) == (None, None)


def test_the_account_speaks_cassandra_encrypted_and_its_key_changes_no_tables(stacks):
    dev, prod = stacks["dev"].one("DatabaseAccount"), stacks["prod"].one("DatabaseAccount")
    assert [each["name"] for each in dev["capabilities"]] == ["EnableCassandra", "EnableServerless"]
    assert [each["name"] for each in prod["capabilities"]] == ["EnableCassandra"]
    assert [prod["locations"][0]["isZoneRedundant"], dev["locations"][0]["isZoneRedundant"]] == [True, False]
    for account in (dev, prod):
        assert account["minimalTlsVersion"] == "Tls12"
        assert account["disableLocalAuth"] is False  # the exception: docs/adr/0022-cassandra-key.md
        assert account["disableKeyBasedMetadataWriteAccess"] is True
        assert account["consistencyPolicy"] == {"defaultConsistencyLevel": "Strong"}


def test_every_declared_table_stands_in_the_workloads_keyspace(stacks):
    dev = stacks["dev"]
    assert dev.one("CassandraResourceCassandraKeyspace")["keyspaceName"] == "cloud_usage"
    tables = {r.inputs["tableName"]: r.inputs for r in dev.of("CassandraResourceCassandraTable")}
    assert sorted(tables) == [table.name for table in USAGE.stored]
    twins = [f"{table.name}_speed" for table in USAGE.serving if table.speed]
    assert set(tables) == {*(table.name for table in USAGE.serving), *twins, "serving_versions"}
    for table in tables.values():
        assert (table["keyspaceName"], table["resource"]["id"]) == ("cloud_usage", table["tableName"])
    assert {name for name, table in tables.items() if "defaultTtl" in table["resource"]} == set(twins)


def test_a_twin_is_told_in_the_words_of_cosmos_db():
    (revenue,) = [table for table in USAGE.serving if table.name == "genai_tokens_by_org_date"]
    columns = [{"name": column.name, "type": column.type} for column in revenue.columns]
    assert table_resource(revenue.speed_schema()) == {
        "id": "genai_tokens_by_org_date_speed",
        "default_ttl": 7 * 24 * 3600,
        "schema": {
            "columns": [*columns, {"name": "version", "type": "bigint"}],
            "partition_keys": [{"name": "org_id"}],
            "cluster_keys": [{"name": "version", "order_by": "Asc"}, {"name": "date", "order_by": "Asc"}],
        },
    }


def test_azure_itself_puts_the_key_into_the_vault(stacks):
    dev = stacks["dev"]
    properties = dev.inputs("serving-store-key")["properties"]
    assert properties["mode"] == "Incremental"
    (secret,) = properties["template"]["resources"]
    assert secret == {
        "type": "Microsoft.KeyVault/vaults/secrets",
        "apiVersion": "2023-07-01",
        "name": f"{dev.one('Vault')['vaultName']}/serving-store-key",
        "properties": {
            "contentType": "text/plain",
            "value": "[listKeys('serving-store-account-id', '2024-11-15').primaryMasterKey]",
        },
    }
    assert not [call for call in dev.calls if "eys" in call]  # the program never sees a key


def test_jobs_of_the_workload_and_the_shared_cluster_are_told_and_others_are_not(stacks):
    dev = stacks["dev"]
    account, namespace = (
        dev.one("DatabaseAccount")["accountName"],
        dev.inputs("event-stream-namespace")["namespaceName"],
    )
    expected = {
        "MEDALLION_EVENT_CREDENTIAL": "medallion-dev-events",
        "MEDALLION_EVENT_STREAM": f"{namespace}.servicebus.windows.net:9093",
        "MEDALLION_SERVING_KEY": "{{secrets/medallion-dev/serving-store-key}}",
        "MEDALLION_SERVING_STORE": f"cassandra://{account}@{account}.cassandra.cosmos.azure.com:10350/cloud_usage"
        "?tls=true",
    }
    for job in ("job-cloud-usage", "job-cloud-usage-stream"):
        assert told(dev, job) == expected
    assert {name: dev.one("Cluster")["sparkEnvVars"].get(name) for name in TOLD} == expected
    assert told(dev, "job-ssh-logs") == {}
    assert dev.outputs["serving_store"] == f"{account}.cassandra.cosmos.azure.com:10350"
    assert dev.outputs["event_stream"] == expected["MEDALLION_EVENT_STREAM"]


def test_astra_db_stands_instead_and_nothing_is_declared_for_it(astra):
    kinds = ("DatabaseAccount", "CassandraResourceCassandraKeyspace", "CassandraResourceCassandraTable")
    assert [astra.of(kind) for kind in kinds] == [[]] * 3
    assert "azure-native:resources:Deployment" not in {resource.type for resource in astra.resources}
    assert astra.outputs["serving_store"] is None
    variables = told(astra, "job-cloud-usage")
    assert variables["MEDALLION_SERVING_STORE"] == (
        "astra:///Volumes/medallion_dev/models/files/astra.zip?keyspace=cloud_usage"
    )
    assert variables["MEDALLION_SERVING_KEY"] == "{{secrets/medallion-dev/astra-token}}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"existing": {"resource_group": "rg", "serving_store": "x"}},
            "medallion:serving_store.key: with existing.serving_store, name the secret (scope/key) that holds the key"
            " of the serving store",
        ),
        (
            {"existing": WORKSPACE, "event_stream": {"credential": "events"}},
            "medallion:serving_store.key: with existing.workspace, name the secret (scope/key) that holds the key"
            " of the serving store",
        ),
        (
            {"existing": WORKSPACE, "serving_store": {"key": "a/b"}},
            "medallion:event_stream.credential: with existing.workspace, name the service credential that may read the"
            " event stream",
        ),
    ],
)
def test_what_somebody_else_keeps_has_to_be_named_before_anything_is_declared(engine, record, changes, message):
    settings, place = record.settings("dev", **changes), Place("simulated", "dev", "azure-cli")
    with pytest.raises(SettingsError) as error:
        engine.run(lambda: program.declare(settings, place, discover()), stack="dev")
    assert str(error.value) == message
    assert engine.resources == []


def test_the_namespace_knows_identities_only_and_speaks_kafka(stacks):
    namespace = stacks["prod"].inputs("event-stream-namespace")
    assert namespace["sku"] == {"name": "Standard", "tier": "Standard", "capacity": 1}
    assert (namespace["disableLocalAuth"], namespace["kafkaEnabled"]) == (True, True)
    assert namespace["minimumTlsVersion"] == "1.2"


def test_every_declared_stream_is_a_hub_with_a_group_for_the_streaming_job(stacks):
    dev = stacks["dev"]
    hub = dev.one("EventHub")
    (stream,) = USAGE.streams
    assert (hub["eventHubName"], hub["partitionCount"]) == (stream.name, stream.partitions)
    assert hub["retentionDescription"] == {"cleanupPolicy": "Delete", "retentionTimeInHours": stream.retention_hours}
    assert "captureDescription" not in hub
    assert dev.one("ConsumerGroup")["consumerGroupName"] == "cloud-usage-stream"


def test_jobs_read_events_by_the_connectors_identity(stacks):
    dev = stacks["dev"]
    role = dev.inputs("lake-identity-azure-event-hubs-data-receiver-on-event-stream")
    assert (role["principalId"], role["scope"]) == ("access-lake-identity-principal", "event-stream-namespace-id")
    assert role["roleDefinitionId"].endswith(ROLES["Azure Event Hubs Data Receiver"])
    credential = dev.one("Credential")
    assert (credential["name"], credential["purpose"]) == ("medallion-dev-events", "SERVICE")
    assert credential["azureManagedIdentity"] == dev.one("StorageCredential")["azureManagedIdentity"]
    assert dev.inputs("event-credential-grants") == {
        "credential": "medallion-dev-events",
        "grants": [{"principal": "jobs-identity-client", "privileges": ["ACCESS"]}],
    }


def test_what_takes_a_key_is_never_open_to_all(stacks, injected):
    addresses = {
        name: [rule["ipAddressOrRange"] for rule in engine.one("DatabaseAccount")["ipRules"]]
        for name, engine in {**stacks, "injected": injected}.items()
    }
    assert addresses == {
        "local": ["0.0.0.0"],
        "dev": ["0.0.0.0", "203.0.113.0/24"],
        "staging": ["203.0.113.0/24"],
        "prod": ["203.0.113.0/24"],
        "injected": ["203.0.113.0/24"],
    }


def test_networks_of_clusters_are_let_in_and_a_private_platform_lets_in_nobody_from_outside(stacks, injected):
    inside = [f"network-own-subnet-{name}-id" for name in ("databricks-host", "databricks-container", "aks")]
    account, rules = injected.one("DatabaseAccount"), injected.one("NamespaceNetworkRuleSet")
    assert account["isVirtualNetworkFilterEnabled"] is True
    assert [rule["id"] for rule in account["virtualNetworkRules"]] == inside
    assert rules["defaultAction"] == "Deny"
    assert [rule["subnet"]["id"] for rule in rules["virtualNetworkRules"]] == inside
    assert rules["ipRules"] == [{"ipMask": "203.0.113.0/24", "action": "Allow"}]
    public = stacks["dev"].one("NamespaceNetworkRuleSet")
    assert (public["defaultAction"], public["publicNetworkAccess"]) == ("Allow", "Enabled")
    for name in ("serving-store-account", "event-stream-namespace", "event-stream-firewall"):
        assert stacks["prod"].inputs(name)["publicNetworkAccess"] == "Disabled"
