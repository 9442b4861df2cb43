"""A cloud that refuses, throttles or is slow, under the real engine: what is said of it, and the `up` after it."""

import re
from dataclasses import dataclass

import pytest

from benchmarks.kill_up import difference, outcome
from simulator.faults import SLOW_SECONDS, schedule_fault
from simulator.state import cloud
from workloads.spec import discover

pytestmark = pytest.mark.engine

KINDS = ("fail", "throttle-on", "slow")
TYPES = {
    "azure-native": (
        "azure-native:storage:StorageAccount",
        "azure-native:keyvault:Vault",
        "azure-native:containerregistry:Registry",
    ),
    "databricks": (
        "databricks:index/cluster:Cluster",
        "databricks:index/job:Job",
        "databricks:index/notebook:Notebook",
    ),
    "kubernetes": ("kubernetes:core/v1:Namespace", "kubernetes:core/v1:ConfigMap", "kubernetes:apps/v1:Deployment"),
}
PLACED = [(place, type_) for types in TYPES.values() for place, type_ in enumerate(types)]
REFUSED = "scheduled fault (simulated): the cloud refuses the create of "
GIVEN_UP = {
    "azure-native": 'Status=429 Code="TooManyRequests"',
    "databricks": "Current request has to be retried",
    "kubernetes": "the server has received too many requests and has asked us to try again later",
}
# Resources that hang on nothing that goes wrong, so that no fault hides another; a further set of them each round.
PROGRAM = """
import base64, os
import pulumi_azure_native as azure, pulumi_databricks as databricks, pulumi_kubernetes as kubernetes
from pulumi import Output, ResourceOptions
from pulumi_azure_native import authorization, containerregistry, containerservice, keyvault, storage

place = {
    "resource_group_name": azure.resources.ResourceGroup("group", resource_group_name="rg", location="westeurope").name,
    "location": "westeurope",
}
tenant = authorization.get_client_config().tenant_id
workspace = azure.databricks.Workspace(
    "workspace", workspace_name="dbw", sku={"name": "premium"}, compute_mode="Hybrid", **place,
    managed_resource_group_id=f"/subscriptions/{authorization.get_client_config().subscription_id}/resourceGroups/dbw",
)
cluster = containerservice.ManagedCluster(
    "aks", resource_name_="aks", dns_prefix="aks", kubernetes_version="1.35", identity={"type": "SystemAssigned"},
    agent_pool_profiles=[{"name": "system", "mode": "System", "count": 1, "vm_size": "Standard_D2s_v3"}], **place,
)
users = containerservice.list_managed_cluster_user_credentials_output(
    resource_group_name=place["resource_group_name"], resource_name=cluster.name, format="exec"
)
config = users.kubeconfigs[0].value.apply(lambda value: base64.b64decode(value).decode())
in_workspace = ResourceOptions(
    provider=databricks.Provider("in-workspace", host=Output.concat("https://", workspace.workspace_url))
)
in_cluster = ResourceOptions(provider=kubernetes.Provider("in-cluster", kubeconfig=config))

for n in range(int(os.environ["ROUNDS"])):
    storage.StorageAccount(
        f"account-{n}", account_name=f"account{n}", kind="StorageV2", sku={"name": "Standard_LRS"}, **place
    )
    properties = {"tenant_id": tenant, "sku": {"family": "A", "name": "standard"}, "enable_rbac_authorization": True}
    keyvault.Vault(f"vault-{n}", vault_name=f"vault-{n}", properties=properties, **place)
    containerregistry.Registry(f"registry-{n}", registry_name=f"registry{n}", sku={"name": "Basic"}, **place)
    databricks.Cluster(
        f"cluster-{n}", cluster_name=f"cluster-{n}", spark_version="17.3.x-scala2.13", node_type_id="Standard_DS3_v2",
        num_workers=1, opts=in_workspace,
    )
    databricks.Job(f"job-{n}", name=f"job-{n}", opts=in_workspace)
    databricks.Notebook(
        f"notebook-{n}", path=f"/Shared/notebook-{n}", language="PYTHON",
        content_base64=base64.b64encode(b"1").decode(), opts=in_workspace,
    )
    kubernetes.core.v1.Namespace(f"namespace-{n}", metadata={"name": f"namespace-{n}"}, opts=in_cluster)
    kubernetes.core.v1.ConfigMap(f"configmap-{n}", metadata={"name": f"map-{n}"}, data={"a": "b"}, opts=in_cluster)
    labels = {"app": f"app-{n}"}
    kubernetes.apps.v1.Deployment(
        f"deployment-{n}", metadata={"name": f"app-{n}"}, opts=in_cluster,
        spec={
            "selector": {"match_labels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
        },
    )
"""


def name(type_: str, number: int) -> str:
    """The name of the resource of that type in a round."""
    return f"{'account' if type_.endswith('Account') else type_.rpartition(':')[2].lower()}-{number}"


def kind(place: int, number: int) -> str:
    """What happens in a round to a type: each suffers each kind of fault, in a round of its own."""
    return KINDS[(place + number) % len(KINDS)]


CASES = [
    pytest.param(provider, type_, kind(place, number), number, id=f"{type_}-{kind(place, number)}")
    for provider, types in TYPES.items()
    for place, type_ in enumerate(types)
    for number in range(len(KINDS))
]


@dataclass(frozen=True)
class Round:
    """What an `up` with faults said, the resources after it and after the next one, in which all is throttled once.

    `asked` says how often that one created each type.
    """

    said: str
    left: dict[str, str]
    finished: dict[str, str]
    asked: dict[str, int]


@pytest.fixture(scope="module")
def rounds(new_project) -> list[Round]:
    project, done = new_project(PROGRAM), []
    up = ("up", "--yes", "--skip-preview")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDALLION_HOME", str(project.home))
        for number in range(len(KINDS)):
            for place, type_ in PLACED:
                schedule_fault("create", type_, 1, kind(place, number))
            said = project.call(*up, "--continue-on-error", fails=True, ROUNDS=str(number + 1))
            left = project.ids()
            with cloud() as now:
                now.execute("DELETE FROM faults")
            for _, type_ in PLACED:
                schedule_fault("create", type_, 1, "throttle")
            project.call(*up, ROUNDS=str(number + 1))
            with cloud() as now:
                asked = dict(now.execute("SELECT type_pattern, seen FROM faults"))
                now.execute("DELETE FROM faults")
            done.append(Round(said, left, project.ids(), asked))
    return done


@pytest.mark.parametrize(("provider", "type_", "kind", "number"), CASES)
def test_a_fault_is_told_with_the_resource_and_the_next_up_finishes(rounds, provider, type_, kind, number):
    resource, happened = name(type_, number), rounds[number]
    error = re.search(rf" \({resource}\):\n    error: simulated {provider}: (.*)\n", happened.said)
    if kind == "slow":
        assert error is None
        took = re.search(rf" {resource} created \((\d+)s\)", happened.said)
        assert int(took[1]) >= SLOW_SECONDS
    else:
        assert (REFUSED + type_ if kind == "fail" else GIVEN_UP[provider]) in error[1]
    assert (resource in happened.left) == (kind == "slow")
    assert resource in happened.finished


def test_what_is_throttled_once_is_asked_again_and_goes_through(rounds):
    for number, happened in enumerate(rounds):
        assert happened.asked == {type_: 0 if kind(place, number) == "slow" else 2 for place, type_ in PLACED}


def test_an_up_of_the_platform_says_what_failed_and_the_next_ends_in_the_same_state(fresh, standing, monkeypatch):
    monkeypatch.setenv("MEDALLION_HOME", str(fresh.home))
    again = "then `make up STACK=local` goes on"
    schedule_fault("create", "*:StorageAccount", 1, "fail")
    schedule_fault("create", "*:Job", 1, "throttle-on")
    schedule_fault("create", "*:Deployment", 1, "slow")
    first = fresh.call("toolchain.stack", "up", "--stack", "local")
    assert first.stderr.splitlines()[-1] == (
        "error: stack local is not finished, for azure-native:storage:StorageAccount data-lake-account failed;"
        f" put right what it says above, {again}"
    )
    second = fresh.call("toolchain.stack", "up", "--stack", "local")
    names = sorted(workload.job_name(job.key) for workload in discover() for job in workload.jobs)
    jobs = ", ".join(f"databricks:index/job:Job job-{name}" for name in names)
    assert second.stderr.splitlines()[-1] == (
        f"error: stack local is not finished, for {jobs} failed;"
        f" the cloud had too many requests: wait some minutes, {again}"
    )
    assert "Traceback" not in first.stdout + first.stderr + second.stdout + second.stderr
    with cloud() as now:
        now.execute("DELETE FROM faults")
    fresh.up()
    assert difference(outcome(standing), outcome(fresh)) == ""
