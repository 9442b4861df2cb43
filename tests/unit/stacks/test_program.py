"""The whole program on a mock engine: what each stack declares, and what each setting changes."""

import sys
from collections import Counter

import pulumi
import pytest

from stacks import program
from stacks.outputs import Outputs
from stacks.place import Place
from workloads.spec import discover

WORKLOADS = discover()
JOBS = [workload.job_name(job.key) for workload in WORKLOADS for job in workload.jobs]
SCHEDULED = [workload for workload in WORKLOADS if any(job.schedule for job in workload.jobs)]
SERVED = [workload for workload in WORKLOADS if workload.serving]
STREAMS = [(stream, workload) for workload in WORKLOADS for stream in workload.streams]
EVERYWHERE = {
    "azure-native:authorization:RoleAssignment": 6,
    "azure-native:consumption:Budget": 1,
    "azure-native:containerregistry:Registry": 1,
    "azure-native:containerservice:AgentPool": 2,
    "azure-native:containerservice:MaintenanceConfiguration": 2,
    "azure-native:containerservice:ManagedCluster": 1,
    "azure-native:cosmosdb:CassandraResourceCassandraKeyspace": len(SERVED),
    "azure-native:cosmosdb:CassandraResourceCassandraTable": sum(len(workload.stored) for workload in SERVED),
    "azure-native:cosmosdb:DatabaseAccount": 1,
    "azure-native:databricks:AccessConnector": 1,
    "azure-native:databricks:Workspace": 1,
    "azure-native:datafactory:Factory": 1,
    "azure-native:datafactory:LinkedService": 2,
    "azure-native:datafactory:Pipeline": len(WORKLOADS),
    "azure-native:datafactory:Trigger": len(WORKLOADS) + len(SCHEDULED),
    "azure-native:eventhub:ConsumerGroup": sum(job.continuous for _, workload in STREAMS for job in workload.jobs),
    "azure-native:eventhub:EventHub": len(STREAMS),
    "azure-native:eventhub:Namespace": 1,
    "azure-native:eventhub:NamespaceNetworkRuleSet": 1,
    "azure-native:keyvault:Vault": 1,
    "azure-native:managedidentity:FederatedIdentityCredential": 1,
    "azure-native:managedidentity:UserAssignedIdentity": 4,
    "azure-native:monitor:ActionGroup": 1,
    "azure-native:monitor:ActivityLogAlert": 4,
    "azure-native:monitor:DiagnosticSetting": 8,
    "azure-native:monitor:MetricAlert": 6,
    "azure-native:operationalinsights:Workspace": 1,
    "azure-native:resources:Deployment": 1,
    "azure-native:resources:ResourceGroup": 1,
    "azure-native:storage:BlobContainer": 8,
    "azure-native:storage:BlobServiceProperties": 1,
    "azure-native:storage:ManagementPolicy": 1,
    "azure-native:storage:StorageAccount": 1,
    "databricks:index/catalog:Catalog": 1,
    "databricks:index/cluster:Cluster": 1,
    "databricks:index/clusterPolicy:ClusterPolicy": 1,
    "databricks:index/credential:Credential": 1,
    "databricks:index/externalLocation:ExternalLocation": 8,
    "databricks:index/file:File": 1,
    "databricks:index/grants:Grants": 2,
    "databricks:index/job:Job": len(JOBS),
    "databricks:index/notebook:Notebook": 1,
    "databricks:index/permissions:Permissions": 1,
    "databricks:index/registeredModel:RegisteredModel": sum(len(workload.models) for workload in WORKLOADS),
    "databricks:index/schema:Schema": 8,
    "databricks:index/secretAcl:SecretAcl": 1,
    "databricks:index/secretScope:SecretScope": 1,
    "databricks:index/servicePrincipal:ServicePrincipal": 1,
    "databricks:index/storageCredential:StorageCredential": 1,
    "databricks:index/volume:Volume": 7,
    "kubernetes:apps/v1:Deployment": 3,
    "kubernetes:batch/v1:CronJob": 1,
    "kubernetes:core/v1:ConfigMap": 3,
    "kubernetes:core/v1:Namespace": 1,
    "kubernetes:core/v1:Service": 3,
    "kubernetes:core/v1:ServiceAccount": 1,
    "kubernetes:networking.k8s.io/v1:NetworkPolicy": 1,
    "pulumi:providers:databricks": 1,
    "pulumi:providers:kubernetes": 1,
}
PRIVATE = {
    "azure-native:datafactory:IntegrationRuntime": 1,
    "azure-native:datafactory:ManagedPrivateEndpoint": 2,
    "azure-native:resources:Resource": 1,
    "azure-native:authorization:RoleAssignment": 7,
    "azure-native:network:NatGateway": 1,
    "azure-native:network:NetworkSecurityGroup": 1,
    "azure-native:network:PrivateDnsZoneGroup": 9,
    "azure-native:network:PrivateEndpoint": 9,
    "azure-native:network:PublicIPAddress": 1,
    "azure-native:network:Subnet": 4,
    "azure-native:network:VirtualNetwork": 1,
    "azure-native:privatedns:PrivateZone": 8,
    "azure-native:privatedns:VirtualNetworkLink": 8,
}
LOCKED = {"azure-native:authorization:ManagementLockByScope": 1}
COUNTS = {
    "local": EVERYWHERE,
    "dev": EVERYWHERE,
    "staging": EVERYWHERE | PRIVATE,
    "prod": EVERYWHERE | PRIVATE | LOCKED,
}
TAGGED = 55


@pytest.mark.parametrize("stack", ["local", "dev", "staging", "prod"])
def test_every_stack_has_its_parts(stacks, stack):
    found = Counter(r.type for r in stacks[stack].resources if not r.type.startswith("medallion:"))
    assert found == COUNTS[stack]


@pytest.mark.parametrize("stack", ["local", "dev", "staging", "prod"])
def test_outputs_are_those_that_are_documented(stacks, stack):
    outputs = Outputs.model_validate(stacks[stack].outputs)
    assert outputs.environment == stack
    assert outputs.databricks_host == "https://adb-1.azuredatabricks.net"
    assert outputs.catalog == f"medallion_{stack}"
    assert outputs.volumes == f"/Volumes/medallion_{stack}"
    assert outputs.jobs == {name: f"job-{name}-id" for name in JOBS}
    assert outputs.pipelines == {workload.name: f"{stack}_{workload.folder}" for workload in WORKLOADS}
    assert outputs.lake_endpoint == f"https://{outputs.lake_account}.dfs.core.windows.net/"
    assert outputs.grafana_url == f"http://grafana-service.medallion-{stack}.svc.cluster.local:3000"


def test_every_output_is_described():
    assert all(field.description for field in Outputs.model_fields.values())


def test_stacks_differ_as_the_design_says(stacks):
    def differing(engine):
        cluster = engine.inputs("job-ssh-logs")["jobClusters"][0]["newCluster"]
        return {
            "redundancy": engine.one("StorageAccount")["sku"]["name"],
            "spot": cluster["azureAttributes"]["availability"] == "SPOT_WITH_FALLBACK_AZURE",
            "workers": cluster["numWorkers"],
            "schedules": engine.inputs("job-ssh-logs")["schedule"]["pauseStatus"],
            "streams": engine.inputs("job-cloud-usage-stream")["continuous"]["pauseStatus"],
            "allow-list": "authorizedIPRanges" in engine.one("ManagedCluster")["apiServerAccessProfile"],
            "request units": engine.inputs("serving-store-cloud-usage")["options"],
            "zones": engine.one("ManagedCluster")["agentPoolProfiles"][0].get("availabilityZones"),
            "tier": engine.one("ManagedCluster")["sku"]["tier"],
            "private": engine.one("Factory")["publicNetworkAccess"] == "Disabled",
        }

    keys = ("redundancy", "spot", "workers", "schedules", "streams", "allow-list", "request units")
    keys += ("zones", "tier", "private")
    scales = {"autoscaleSettings": {"maxThroughput": 4000}}
    rows = {
        "local": ("Standard_LRS", False, 1, "UNPAUSED", "UNPAUSED", False, {}, None, "Free", False),
        "dev": ("Standard_LRS", True, 2, "PAUSED", "PAUSED", True, {}, None, "Free", False),
        "staging": ("Standard_ZRS", True, 2, "UNPAUSED", "UNPAUSED", False, {}, ["1", "2"], "Standard", True),
        "prod": ("Standard_ZRS", False, 4, "UNPAUSED", "UNPAUSED", False, scales, ["1", "2", "3"], "Standard", True),
    }
    assert {stack: differing(engine) for stack, engine in stacks.items()} == {
        stack: dict(zip(keys, row, strict=True)) for stack, row in rows.items()
    }


def test_everything_that_can_be_tagged_names_stack_and_owner(stacks):
    tagged = [r for r in stacks["prod"].resources if r.type.startswith("azure-native:") and "location" in r.inputs]
    assert len(tagged) == TAGGED
    for resource in tagged:
        assert resource.inputs["tags"] == {
            "environment": "prod",
            "managed-by": "pulumi-medallion-prod",
            "project": "medallion",
        }


def test_own_tags_are_added_and_cannot_replace_ours(changed):
    assert changed["dev"].one("StorageAccount")["tags"] == {
        "environment": "dev",
        "managed-by": "pulumi-medallion-dev",
        "project": "medallion",
        "team": "data",
    }


def test_given_names_are_taken(changed):
    engine = changed["dev"]
    assert engine.one("ResourceGroup")["resourceGroupName"] == "de-log-processing-rg"
    assert engine.one("StorageAccount")["accountName"] == "delogprocessingdatalake"
    assert engine.outputs["resource_group"] == "de-log-processing-rg"


def test_location_is_that_of_the_settings(changed):
    locations = {r.inputs["location"] for r in changed["dev"].resources if "location" in r.inputs}
    assert locations == {"global", "westeurope"}


def test_administrators_may_declare_pods(changed):
    (role,) = [
        r.inputs
        for r in changed["dev"].of("RoleAssignment")
        if r.name.startswith("administrator") and r.name.endswith("on-aks")
    ]
    assert role["principalId"] == "00000000-1111-2222-3333-444444444444"
    assert role["principalType"] == "Group"
    assert role["roleDefinitionId"].endswith("/b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b")
    assert role["scope"] == "aks-cluster-id"


def test_groups_get_their_roles_in_the_catalog(record):
    groups = {"readers": "reader", "engineers": "engineer"}
    grants = record("dev", databricks={"grants": groups}).inputs("unity-grants")
    assert grants["catalog"] == "medallion_dev"
    assert [grant["principal"] for grant in grants["grants"]] == ["engineers", "readers", "jobs-identity-client"]
    assert "MODIFY" in grants["grants"][2]["privileges"]
    assert grants["grants"][1]["privileges"] == ["EXECUTE", "READ_VOLUME", "SELECT", "USE_CATALOG", "USE_SCHEMA"]


@pytest.fixture(scope="module")
def changed_jobs(record):
    """The jobs of `dev`, and the cluster of each, with other settings of Databricks."""
    settings = {
        "notify": ["a@b.org"],
        "pushgateway": "http://10.0.0.4:9091",
        "pseudonym_key": "logs/names",
        "runtime": "16.4",
    }
    jobs = [job.inputs for job in record("dev", databricks=settings).of("Job")]
    assert len(jobs) == len(JOBS)
    return [(job, job["jobClusters"][0]["newCluster"]) for job in jobs]


def test_failures_and_pushgateway_reach_every_job(changed_jobs):
    for job, cluster in changed_jobs:
        assert job["emailNotifications"]["onFailures"] == ["a@b.org"]
        assert cluster["sparkEnvVars"]["MEDALLION_PUSHGATEWAY"] == "http://10.0.0.4:9091"


def test_the_key_of_pseudonyms_reaches_every_job_as_a_reference(changed_jobs):
    for _, cluster in changed_jobs:
        assert cluster["sparkEnvVars"]["MEDALLION_PSEUDONYM_KEY"] == "{{secrets/logs/names}}"


def test_another_runtime_changes_every_cluster(changed_jobs):
    assert {cluster["sparkVersion"] for _, cluster in changed_jobs} == {"16.4.x-scala2.12"}


def test_the_validation_pod_waits_for_somebody_to_be(stacks, changed):
    assert stacks["dev"].one("CronJob")["spec"]["suspend"] is True
    job = changed["dev"].one("CronJob")["spec"]
    assert job["suspend"] is False
    assert job["schedule"] == "0 5 * * *"
    (container,) = job["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert {"name": "DATABRICKS_CLIENT_ID", "value": "00000000-1111-2222-3333-444444444444"} in container["env"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"databricks": {"runtime": "13"}}, "databricks.runtime: there is no runtime '13'; known are 17.3, 16.4"),
        ({"aks": {"vm_size": "Standard_B2s"}}, "aks.vm_size: 'Standard_B2s' is not in the table of sizes: Standard"),
        ({"names": {"data_lake": "No"}}, "names.data_lake: 'No' has 2 characters, not 3 to 24"),
        ({"names": {"lake": "x"}}, "names.lake: there is no such resource to name; there are access_connector"),
    ],
)
def test_a_mistake_is_found_before_anything_is_declared(engine, record, changes, message):
    place = Place(cloud="simulated", stack="dev", auth_type="azure-cli")
    with pytest.raises(program.MISTAKES) as mistake:
        engine.run(lambda: program.declare(record.settings("dev", **changes), place, discover()))
    assert str(mistake.value).startswith(message)
    assert engine.resources == []


def test_a_mistake_is_one_line_for_the_person_and_no_stack_trace(monkeypatch, engine):
    said = []
    monkeypatch.setenv("PULUMI_CONFIG", '{"medallion:loction": "eastus"}')
    monkeypatch.setattr(pulumi.log, "error", said.append)
    monkeypatch.setattr(program.os, "_exit", sys.exit)
    with pytest.raises(SystemExit) as end:
        program.main()
    assert end.value.code == 32
    assert len(said) == 1
    assert said[0].startswith("medallion:loction: there is no such setting; known here are administrators, ")
