"""Existing infrastructure is used, not created; and a stack does not take its own for somebody else's."""

import pytest

from components.existing import ExistingError
from components.naming import Names
from stacks import program
from stacks.place import Place
from workloads.spec import discover

LOOKUPS = {
    "resource_group": ("azure-native:resources:getResourceGroup", {"name": "de-log-processing-rg", "id": "group-id"}),
    "data_lake": (
        "azure-native:storage:getStorageAccount",
        {
            "name": "delogprocessingdatalake",
            "id": "lake-id",
            "primaryEndpoints": {"dfs": "https://delogprocessingdatalake.dfs.core.windows.net/"},
        },
    ),
    "workspace": (
        "azure-native:databricks:getWorkspace",
        {"name": "de-log-processing-databricks", "id": "workspace-id", "workspaceUrl": "adb-7.azuredatabricks.net"},
    ),
    "data_factory": ("azure-native:datafactory:getFactory", {"name": "de-log-processing-adf", "id": "factory-id"}),
    "aks_cluster": (
        "azure-native:containerservice:getManagedCluster",
        {
            "name": "de-log-processing-aks",
            "id": "aks-id",
            "oidcIssuerProfile": {"enabled": True, "issuerURL": "https://issuer.example/"},
        },
    ),
    "key_vault": (
        "azure-native:keyvault:getVault",
        {
            "name": "de-log-processing-kv",
            "id": "vault-id",
            "properties": {
                "vaultUri": "https://de-log-processing-kv.vault.azure.net/",
                "sku": {"family": "A", "name": "standard"},
                "tenantId": "66666666-7777-8888-9999-000000000000",
            },
        },
    ),
    "container_registry": (
        "azure-native:containerregistry:getRegistry",
        {"name": "delogprocessingacr", "id": "registry-id", "loginServer": "delogprocessingacr.azurecr.io"},
    ),
    "serving_store": (
        "azure-native:cosmosdb:getDatabaseAccount",
        {"name": "de-log-processing-cassandra", "id": "store-id"},
    ),
    "event_stream": ("azure-native:eventhub:getNamespace", {"name": "de-log-processing-events", "id": "stream-id"}),
    "log_workspace": (
        "azure-native:operationalinsights:getWorkspace",
        {"name": "de-log-processing-logs", "id": "logs-id"},
    ),
}
INSIDE = {
    "catalog": ("databricks:index/getCatalog:getCatalog", {"name": "logs", "id": "logs"}),
    "interactive_cluster": ("databricks:index/getCluster:getCluster", {"id": "0101-000000-abc"}),
}
EXISTING = {key: found.get("name", found["id"]) for key, (_, found) in (LOOKUPS | INSIDE).items()}
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"  # that of the mock engine
OWN = {"managed-by": "pulumi-medallion-dev"}


def facts(**tags):
    """What lookups find; `tags` maps settings to tags of what they name."""
    return {token: [{**found, "tags": tags.get(key, {})}] for key, (token, found) in (LOOKUPS | INSIDE).items()}


def run(engine, record, known, existing=EXISTING):
    """Runs the program of `dev` where those lookups find something."""
    engine.existing = known
    theirs = {"serving_store": {"key": "logs/cassandra"}, "event_stream": {"credential": "events"}}
    settings = record.settings("dev", existing=existing, **theirs)
    place = Place(cloud="simulated", stack="dev", auth_type="azure-cli")
    return engine.run(lambda: program.declare(settings, place, discover()), stack="dev")


def refusal(engine, record, known):
    """The message with which the program refuses, before it has declared anything."""
    with pytest.raises(ExistingError) as error:
        run(engine, record, known)
    assert {r.type for r in engine.resources} <= {"pulumi:providers:databricks"}
    return str(error.value)


def test_only_code_jobs_pipelines_and_pods_are_declared_on_what_exists(engine, record):
    run(engine, record, facts())
    declared = {r.type for r in engine.resources if not r.type.startswith(("medallion:", "kubernetes:"))}
    assert declared == {
        "azure-native:datafactory:LinkedService",
        "azure-native:datafactory:Pipeline",
        "azure-native:datafactory:Trigger",
        "databricks:index/file:File",
        "databricks:index/job:Job",
        "databricks:index/notebook:Notebook",
        "pulumi:providers:databricks",
        "pulumi:providers:kubernetes",
    }
    assert engine.outputs["resource_group"] == "de-log-processing-rg"
    assert engine.outputs["lake_account"] == "delogprocessingdatalake"
    assert engine.outputs["databricks_host"] == "https://adb-7.azuredatabricks.net"
    assert engine.outputs["catalog"] == "logs"
    assert engine.outputs["aks_cluster"] == "de-log-processing-aks"
    assert engine.outputs["key_vault_uri"] == "https://de-log-processing-kv.vault.azure.net/"
    assert engine.outputs["container_registry"] == "delogprocessingacr.azurecr.io"
    assert engine.outputs["identities"] == {}
    store = "de-log-processing-cassandra"
    assert engine.outputs["serving_store"] == f"{store}.cassandra.cosmos.azure.com:10350"
    assert engine.outputs["event_stream"] == "de-log-processing-events.servicebus.windows.net:9093"
    told = engine.inputs("job-cloud-usage-stream")["jobClusters"][0]["newCluster"]["sparkEnvVars"]
    assert {name: value for name, value in told.items() if name.startswith(("MEDALLION_EV", "MEDALLION_SERV"))} == {
        "MEDALLION_EVENT_CREDENTIAL": "events",
        "MEDALLION_EVENT_STREAM": "de-log-processing-events.servicebus.windows.net:9093",
        "MEDALLION_SERVING_KEY": "{{secrets/logs/cassandra}}",
        "MEDALLION_SERVING_STORE": f"cassandra://{store}@{store}.cassandra.cosmos.azure.com:10350/cloud_usage?tls=true",
    }
    assert engine.inputs("pipelines-dev_databricks")["properties"]["existingClusterId"] == "0101-000000-abc"
    assert engine.outputs["wheel"].startswith("/Volumes/logs/models/files/wheels/")
    places = {(r.inputs["factoryName"], r.inputs["resourceGroupName"]) for r in engine.of("Pipeline")}
    assert places == {("de-log-processing-adf", "de-log-processing-rg")}


@pytest.mark.parametrize("missing", sorted(EXISTING))
def test_what_is_not_there_is_one_line_before_anything_is_declared(engine, record, missing):
    known = {token: found for token, found in facts().items() if token != (LOOKUPS | INSIDE)[missing][0]}
    name = EXISTING[missing]
    assert refusal(engine, record, known) == f"existing.{missing}: {name!r} cannot be used: not found"


@pytest.mark.parametrize("own", sorted(LOOKUPS))
def test_what_this_stack_created_is_refused(engine, record, own):
    message = refusal(engine, record, facts(**{own: OWN}))
    assert message == (
        f"existing.{own}: this stack created {EXISTING[own]!r} itself and would delete it; hand it over first, by the"
        " setting `handover` (docs/how-to/change-what-stands.md)"
    )


@pytest.mark.parametrize("own", sorted(LOOKUPS))
def test_what_this_stack_had_in_its_place_so_far_is_not_deleted(engine, record, own):
    name = Names("medallion", "dev", SUBSCRIPTION).of(own)
    token, found = LOOKUPS[own]
    known = facts()
    known[token] = [*known[token], {**found, "name": name, "tags": OWN}]
    assert refusal(engine, record, known).startswith(f"existing.{own}: this stack created {name!r} itself")


def test_what_another_stack_created_may_be_used(engine, record):
    run(engine, record, facts(**{key: {"managed-by": "pulumi-medallion-staging"} for key in LOOKUPS}))
    assert engine.of("StorageAccount") == []


def test_a_part_that_exists_is_used_by_those_that_do_not(engine, record):
    run(engine, record, facts(), {"resource_group": "de-log-processing-rg"})
    assert engine.of("ResourceGroup") == []
    assert engine.one("StorageAccount")["resourceGroupName"] == "de-log-processing-rg"
