"""The provider as the engine talks to it; Kubernetes; faults; what a killed engine left; drift."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from simulator import drift, faults, pending
from simulator.azure_kubernetes import kubeconfig
from simulator.azure_rules import SUBSCRIPTION
from simulator.faults import schedule_fault
from simulator.properties import UNKNOWN, from_struct, to_struct
from simulator.provider import Provider
from simulator.state import CloudError, cloud

GROUP, ACCOUNT = "azure-native:resources:ResourceGroup", "azure-native:storage:StorageAccount"
CLUSTER, JOB = "azure-native:containerservice:ManagedCluster", "databricks:index/job:Job"
NAMESPACE, CONFIG = "kubernetes:core/v1:Namespace", "kubernetes:core/v1:ConfigMap"
DEPLOYMENT, CRON = "kubernetes:apps/v1:Deployment", "kubernetes:batch/v1:CronJob"
BASE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
RG = {"resourceGroupName": "rg", "location": "West Europe", "tags": {"owner": "me"}}
LAKE = {"resourceGroupName": "rg", "accountName": "lake", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}
AKS = {
    "resourceGroupName": "rg",
    "resourceName": "aks",
    "dnsPrefix": "aks",
    "kubernetesVersion": "1.35",
    "agentPoolProfiles": [{"name": "system", "mode": "System", "count": 1}],
}
PODS = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}


def resources(pattern="*"):
    with cloud() as now:
        return now.find(pattern)


class RefusedError(Exception):
    """What the engine would show."""


def urn(type_: str) -> str:
    return f"urn:pulumi:local::medallion::medallion:components:Parent${type_}::name"


def refuse(code: grpc.StatusCode, message: str) -> None:
    raise RefusedError(message)


class Engine:
    """Asks a provider as the engine does."""

    def __init__(self, name: str) -> None:
        self.provider = Provider(name)

    def ask(self, method: str, request):
        return getattr(self.provider, method)(request, SimpleNamespace(abort=refuse))

    def check(self, type_, news):
        answer = self.ask("Check", provider_pb2.CheckRequest(urn=urn(type_), news=to_struct(news)))
        return [(failure.property, failure.reason) for failure in answer.failures]

    def create(self, type_, inputs, preview=False):
        request = provider_pb2.CreateRequest(urn=urn(type_), properties=to_struct(inputs), preview=preview)
        answer = self.ask("Create", request)
        return answer.id, from_struct(answer.properties)

    def update(self, type_, id_, olds, old_inputs, news, preview=False):
        states = {"olds": to_struct(olds), "old_inputs": to_struct(old_inputs), "news": to_struct(news)}
        request = provider_pb2.UpdateRequest(urn=urn(type_), id=id_, preview=preview, **states)
        return from_struct(self.ask("Update", request).properties)

    def diff(self, type_, old, new):
        request = provider_pb2.DiffRequest(urn=urn(type_), old_inputs=to_struct(old), news=to_struct(new))
        return self.ask("Diff", request)

    def read(self, type_, id_):
        answer = self.ask("Read", provider_pb2.ReadRequest(urn=urn(type_), id=id_))
        return answer.id, from_struct(answer.inputs), from_struct(answer.properties)

    def delete(self, type_, id_):
        self.ask("Delete", provider_pb2.DeleteRequest(urn=urn(type_), id=id_))


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("MEDALLION_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def azure() -> Engine:
    return Engine("azure-native")


@pytest.fixture
def kubernetes(azure) -> Engine:
    """The provider of a cluster in an otherwise empty cloud."""
    return provider_of_cluster(azure, AKS)


def provider_of_cluster(azure: Engine, aks: dict) -> Engine:
    azure.create(GROUP, RG)
    azure.create(CLUSTER, aks)
    (cluster,) = resources(CLUSTER)
    engine = Engine("kubernetes")
    settings = to_struct({"kubeconfig": kubeconfig(cluster)})
    engine.ask("Configure", provider_pb2.ConfigureRequest(args=settings))
    return engine


def thing(type_: str, name: str | None, namespace: str | None = None, **more) -> dict:
    group, _, kind = type_.removeprefix("kubernetes:").rpartition(":")
    metadata = {key: value for key, value in {"name": name, "namespace": namespace}.items() if value}
    return {"apiVersion": group.removeprefix("core/"), "kind": kind, "metadata": metadata, **more}


# the protocol


def test_check_names_every_problem(azure):
    assert azure.check(ACCOUNT, LAKE) == []
    assert azure.check(ACCOUNT, {**LAKE, "accountName": "My-Lake", "skuu": 1}) == [
        ("skuu", "unknown property"),
        ("accountName", "'My-Lake' is not a name that the cloud allows: it must match [a-z0-9]{3,24}"),
    ]


def test_a_type_without_a_row_is_named(azure):
    with pytest.raises(RefusedError, match="does not know the type azure-native:web:WebApp"):
        azure.check("azure-native:web:WebApp", {})


def test_create_checks_too_for_the_engine_may_have_skipped_it(azure):
    with pytest.raises(RefusedError, match=r"^simulated azure-native: tgas: unknown property"):
        azure.create(GROUP, {**RG, "tgas": {}})
    assert resources() == []


def test_a_preview_knows_inputs_only(azure, home):
    id_, outputs = azure.create(ACCOUNT, LAKE, preview=True)
    assert id_ == ""
    assert (outputs["accountName"], outputs["name"], outputs["identity"]) == ("lake", UNKNOWN, UNKNOWN)
    assert not (home / "cloud.sqlite").exists()


def test_a_resource_from_create_to_delete(azure):
    id_, outputs = azure.create(GROUP, RG)
    assert (id_, outputs["name"]) == (BASE, "rg")
    assert azure.read(GROUP, id_) == (BASE, RG, outputs)
    changed = {**RG, "tags": {"owner": "you"}}
    assert azure.update(GROUP, id_, outputs, RG, changed, preview=True) == {**outputs, "tags": {"owner": "you"}}
    assert azure.read(GROUP, id_)[1] == RG
    assert azure.update(GROUP, id_, outputs, RG, changed)["tags"] == {"owner": "you"}
    assert azure.read(GROUP, id_)[1] == changed
    azure.delete(GROUP, id_)
    assert azure.read(GROUP, id_) == ("", {}, {})
    azure.delete(GROUP, id_)


def test_updating_what_is_gone_fails(azure):
    with pytest.raises(RefusedError, match=f"'{BASE}' was not found"):
        azure.update(GROUP, BASE, {}, RG, RG)


@pytest.mark.parametrize(
    ("changes", "paths", "replaces", "first"),
    [
        ({}, {}, [], False),
        ({"location": "westeurope"}, {}, [], False),
        ({"tags": {"owner": "me", "a b": "c"}}, {'tags["a b"]': "ADD"}, [], False),
        ({"tags": None}, {"tags": "DELETE"}, [], False),
        ({"location": "northeurope"}, {"location": "UPDATE_REPLACE"}, ["location"], True),
        ({"resourceGroupName": UNKNOWN}, {"resourceGroupName": "UPDATE_REPLACE"}, ["resourceGroupName"], True),
    ],
)
def test_diff_knows_what_needs_a_new_resource(azure, changes, paths, replaces, first):
    answer = azure.diff(GROUP, RG, {**RG, **changes})
    kinds = provider_pb2.PropertyDiff.Kind
    assert {path: kinds.Name(found.kind) for path, found in answer.detailedDiff.items()} == paths
    assert (list(answer.replaces), answer.deleteBeforeReplace) == (replaces, first)
    assert answer.changes == (provider_pb2.DiffResponse.DIFF_SOME if paths else provider_pb2.DiffResponse.DIFF_NONE)


def test_databricks_deletes_first_only_what_would_have_the_same_id():
    databricks = Engine("databricks")
    file = {"path": "/Volumes/c/s/v/1.whl", "source": "/1.whl"}
    moved = databricks.diff("databricks:index/file:File", file, {**file, "path": "/Volumes/c/s/v/2.whl"})
    assert (list(moved.replaces), moved.deleteBeforeReplace) == (["path"], False)
    catalog = {"name": "c", "storageRoot": "abfss://a@b.dfs.core.windows.net/"}
    stays = databricks.diff("databricks:index/catalog:Catalog", catalog, {**catalog, "storageRoot": UNKNOWN})
    assert (list(stays.replaces), stays.deleteBeforeReplace) == (["storageRoot"], True)


def test_a_provider_s_settings_are_checked(azure):
    request = provider_pb2.CheckRequest(news=to_struct({"subscriptionId": "s", "subscription": "s"}))
    failures = azure.ask("CheckConfig", request).failures
    assert [(failure.property, failure.reason) for failure in failures] == [("subscription", "unknown property")]


# Kubernetes


def test_objects_are_held_to_kubernetes_schemas(kubernetes):
    spec = {"selector": {"matchLabels": {"app": "a"}}, "replicaas": 1}
    pods = {**PODS, "spec": {"containers": [{"image": 1}]}}
    found = kubernetes.check(DEPLOYMENT, thing(DEPLOYMENT, "a", spec={**spec, "template": pods}))
    assert [path for path, _ in found] == [
        "spec",
        "spec.template.spec.containers[0]",
        "spec.template.spec.containers[0].image",
    ]
    assert "'replicaas' was unexpected" in found[0][1]
    assert "'name' is a required property" in found[1][1]


def test_what_is_unknown_in_an_object_is_no_problem(kubernetes):
    ports = {"ports": [{"port": UNKNOWN, "targetPort": UNKNOWN}], "selector": UNKNOWN}
    service = "kubernetes:core/v1:Service"
    assert kubernetes.check(service, thing(service, "a", UNKNOWN, spec=ports)) == []


@pytest.mark.parametrize(
    ("type_", "name", "more", "message"),
    [
        (NAMESPACE, None, {}, "metadata.name: the simulated cloud needs it named explicitly"),
        (NAMESPACE, "My_Space", {}, "metadata.name: 'My_Space' is not a name that Kubernetes allows"),
        (CONFIG, "c", {"kind": "Secret"}, "kind: 'Secret' is not 'ConfigMap'"),
        (CONFIG, "c", {"data": {"a": "x" * (1 << 20) + "y"}}, "must have at most 1048576 bytes"),
        (
            DEPLOYMENT,
            "d",
            {"spec": {"selector": {"matchLabels": {"app": "b"}}, "template": PODS}},
            "`selector` does not match template `labels`",
        ),
        (CRON, "c", {"spec": {"schedule": "0 0 * *", "jobTemplate": {"spec": {"template": PODS}}}}, "exactly 5 fields"),
        (CRON, "c", {"spec": {"schedule": "@daily", "jobTemplate": {"spec": {"template": PODS}}}}, "restartPolicy"),
    ],
)
def test_the_api_server_refuses(kubernetes, type_, name, more, message):
    with pytest.raises(RefusedError) as refused:
        kubernetes.create(type_, {**thing(type_, name), **more})
    assert message in str(refused.value)


def test_a_private_cluster_answers_at_its_private_address(azure):
    access = {"enablePrivateCluster": True, "privateDNSZone": "system"}
    inside = provider_of_cluster(azure, {**AKS, "apiServerAccessProfile": access})
    assert ".privatelink." in inside.provider.package.config["kubeconfig"]
    assert inside.create(NAMESPACE, thing(NAMESPACE, "monitoring"))[0] == "monitoring"


def test_a_namespace_holds_its_objects(kubernetes):
    with pytest.raises(RefusedError, match='namespaces "monitoring" not found'):
        kubernetes.create(CONFIG, thing(CONFIG, "c", "monitoring"))
    kubernetes.create(NAMESPACE, thing(NAMESPACE, "monitoring"))
    id_, outputs = kubernetes.create(CONFIG, thing(CONFIG, "c", "monitoring"))
    assert (id_, outputs["metadata"]["resourceVersion"]) == ("monitoring/c", "1")
    assert kubernetes.create(CONFIG, thing(CONFIG, "c"))[0] == "default/c"
    kubernetes.delete(NAMESPACE, "monitoring")
    assert [resource.id for resource in resources("kubernetes:*")] == ["default/c"]


def test_a_cluster_takes_its_objects_and_its_api(azure, kubernetes):
    kubernetes.create(NAMESPACE, thing(NAMESPACE, "monitoring"))
    azure.delete(GROUP, BASE)
    assert resources() == []
    with pytest.raises(RefusedError, match="no simulated AKS cluster at https://aks-"):
        kubernetes.read(NAMESPACE, "monitoring")


# faults


@pytest.fixture
def killed(monkeypatch) -> Iterator[None]:
    """A kill that a test survives: the stack unwinds without a commit, as the process would end."""

    class Killed(BaseException):
        pass

    def die():
        raise Killed

    monkeypatch.setattr(faults, "kill", die)
    return Killed


def test_the_nth_matching_operation_fails(azure):
    schedule_fault("create", "*:StorageAccount", 2, "fail")
    azure.create(GROUP, RG)
    azure.create(ACCOUNT, LAKE)
    with pytest.raises(RefusedError, match="scheduled fault"):
        azure.create(ACCOUNT, {**LAKE, "accountName": "second"})
    azure.create(ACCOUNT, {**LAKE, "accountName": "second"})
    assert len(resources(ACCOUNT)) == 2


def seen() -> list[int]:
    with cloud() as now:
        return [count for (count,) in now.execute("SELECT seen FROM faults")]


def test_what_is_throttled_once_is_asked_again(azure):
    schedule_fault("create", GROUP, 1, "throttle")
    azure.create(GROUP, RG)
    assert seen() == [2]
    assert len(resources(GROUP)) == 1


@pytest.mark.parametrize(
    ("name", "type_", "asked", "said"),
    [
        ("azure-native", GROUP, 4, 'Status=429 Code="TooManyRequests"'),
        ("databricks", JOB, 34, "Current request has to be retried"),
        ("kubernetes", NAMESPACE, 11, "the server has received too many requests and has asked us to try again later"),
    ],
)
def test_what_is_throttled_on_is_given_up_as_the_real_provider_does(monkeypatch, name, type_, asked, said):
    monkeypatch.setattr(faults, "RETRY_AFTER", 0)
    schedule_fault("read", type_, 1, "throttle-on")
    with pytest.raises(RefusedError, match=f"^simulated {name}: scheduled fault .*429 .read of {type_}.: {said}"):
        Engine(name).read(type_, "x")
    assert seen() == [asked]


@pytest.mark.parametrize(("kind", "left"), [("kill-before-commit", 0), ("kill-after-commit", 1)])
def test_a_kill_leaves_what_was_committed(azure, killed, kind, left):
    schedule_fault("create", GROUP, 1, kind)
    with pytest.raises(killed):
        azure.create(GROUP, RG)
    assert len(resources()) == left


def test_faults_by_command(capsys):
    faults.main(["add", "--operation", "create", "--type", "*", "--nth", "3", "--kind", "slow"])
    scheduled = {"operation": "create", "type_pattern": "*", "nth": 3, "kind": "slow", "seen": 0}
    assert json.loads(capsys.readouterr().out) == [scheduled]
    faults.main(["clear"])
    assert json.loads(capsys.readouterr().out) == []


# what a killed engine left


def export(*creating, owned=()):
    operations = [
        {"type": "creating", "resource": {"urn": urn(type_), "type": type_, "inputs": inputs}}
        for type_, inputs in creating
    ]
    state = [{"urn": urn(type_), "type": type_, "id": id_} for type_, id_ in owned]
    return {"version": 3, "deployment": {"resources": state, "pending_operations": operations}}


def test_a_pending_create_is_found_by_its_name(azure):
    azure.create(GROUP, RG)
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "x"}
    with cloud() as now:
        found = pending.created(now, export((GROUP, {**RG, "tags": secret}), (ACCOUNT, LAKE)))
    assert found == [{"urn": urn(GROUP), "id": BASE}, {"urn": urn(ACCOUNT), "id": None}]


def test_objects_of_another_cluster_are_not_ours(azure, kubernetes):
    kubernetes.create(CONFIG, thing(CONFIG, "c"))
    (ours,) = resources(CLUSTER)
    wanted = (CONFIG, thing(CONFIG, "c"))
    with cloud() as now:
        assert pending.created(now, export(wanted, owned=[(CLUSTER, ours.id)]))[0]["id"] == "default/c"
        assert pending.created(now, export(wanted, owned=[(CLUSTER, ours.id + "-other")]))[0]["id"] is None


def test_pending_creates_by_command(azure):
    azure.create(GROUP, RG)
    command = [sys.executable, "-m", "simulator.pending"]
    done = subprocess.run(command, input=json.dumps(export((GROUP, RG))), capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [{"urn": urn(GROUP), "id": BASE}]


# drift


def test_a_property_changed_behind_pulumi_s_back_shows(azure):
    id_, _ = azure.create(GROUP, RG)
    drift.set_property(id_, "tags.owner", "intruder")
    _, inputs, outputs = azure.read(GROUP, id_)
    assert inputs["tags"] == outputs["tags"] == {"owner": "intruder"}


def test_a_resource_removed_behind_pulumi_s_back_is_gone(azure):
    id_, _ = azure.create(GROUP, RG)
    account, _ = azure.create(ACCOUNT, LAKE)
    drift.remove(id_)
    assert azure.read(ACCOUNT, account) == ("", {}, {})
    with pytest.raises(CloudError, match="holds 0 resources"):
        drift.remove(id_)


def test_a_resource_is_also_found_by_the_name_at_the_end_of_its_id(azure):
    azure.create(GROUP, RG)
    id_, _ = azure.create(ACCOUNT, LAKE)
    drift.set_property("lake", "minimumTlsVersion", "TLS1_0")
    assert azure.read(ACCOUNT, id_)[1]["minimumTlsVersion"] == "TLS1_0"
