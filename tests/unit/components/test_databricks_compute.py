"""The cluster policy, the interactive cluster, and who jobs are."""

import base64
import json

from components.databricks_compute import NOTEBOOK


def test_the_interactive_cluster_is_that_of_the_original(stacks):
    cluster = stacks["prod"].one("Cluster")
    assert cluster["clusterName"] == "medallion-prod"
    assert (cluster["nodeTypeId"], cluster["driverNodeTypeId"]) == ("Standard_DS3_v2", "Standard_DS3_v2")
    assert (cluster["numWorkers"], cluster["autoterminationMinutes"]) == (2, 30)
    assert cluster["sparkConf"] == {
        "spark.sql.adaptive.coalescePartitions.enabled": "true",
        "spark.sql.adaptive.enabled": "true",
    }
    assert cluster["dataSecurityMode"] == "USER_ISOLATION"
    assert cluster["policyId"] == "compute-policy-id"
    assert cluster["sparkVersion"] == "17.3.x-scala2.13"
    assert cluster["libraries"][0] == {"whl": stacks["prod"].outputs["wheel"]}


def test_the_interactive_cluster_is_an_option(changed):
    assert changed["prod"].of("Cluster") == []
    smaller = changed["dev"].one("Cluster")
    assert (smaller["numWorkers"], smaller["autoterminationMinutes"]) == (1, 15)


def test_the_policy_holds_every_cluster_of_ours(stacks):
    prod = stacks["prod"]
    policy = json.loads(prod.one("ClusterPolicy")["definition"])
    of_jobs = [job.inputs["jobClusters"][0]["newCluster"] for job in prod.of("Job")]
    for cluster in (prod.one("Cluster"), *of_jobs):
        assert cluster["sparkVersion"] == policy["spark_version"]["value"]
        assert cluster["nodeTypeId"] in policy["node_type_id"]["values"]
        assert cluster["dataSecurityMode"] == policy["data_security_mode"]["value"]
        assert cluster["numWorkers"] <= policy["num_workers"]["maxValue"]
        assert cluster["customTags"]["project"] == policy["custom_tags.project"]["value"]


def test_who_may_use_policy_and_cluster(changed):
    engine = changed["dev"]
    assert engine.inputs("compute-policy-permissions")["accessControls"] == [
        {"groupName": "engineers", "permissionLevel": "CAN_USE"},
        {"groupName": "readers", "permissionLevel": "CAN_USE"},
        {"servicePrincipalName": "jobs-identity-client", "permissionLevel": "CAN_USE"},
    ]
    assert engine.inputs("interactive-cluster-permissions")["accessControls"] == [
        {"groupName": "engineers", "permissionLevel": "CAN_RESTART"},
        {"groupName": "readers", "permissionLevel": "CAN_ATTACH_TO"},
    ]


def test_the_notebook_is_the_file(stacks):
    notebook = stacks["dev"].one("Notebook")
    assert notebook["path"] == "/Shared/medallion-dev/run_task"
    assert base64.b64decode(notebook["contentBase64"]) == NOTEBOOK.read_bytes()


def test_jobs_read_secrets_through_the_vault(stacks):
    dev = stacks["dev"]
    assert dev.one("SecretScope")["keyvaultMetadata"] == {
        "resourceId": "key-vault-vault-id",
        "dnsName": dev.outputs["key_vault_uri"],
    }
    assert dev.one("SecretAcl") == {
        "scope": "medallion-dev",
        "principal": "jobs-identity-client",
        "permission": "READ",
    }
