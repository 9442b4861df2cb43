"""Existing infrastructure, on the real engine: a second stack works on what a first one made, and leaves it alone."""

import json
from collections import Counter

import pytest

from benchmarks.kill_up import VOLATILE
from benchmarks.platform import without
from simulator.azure import Azure
from simulator.state import cloud
from workloads.spec import discover

pytestmark = pytest.mark.engine

FIRST, SECOND = "dev", "staging"
WORKLOADS = discover()
SCHEDULED = [workload for workload in WORKLOADS if any(job.schedule for job in workload.jobs)]
# What a stack declares of its own on existing infrastructure: linked services, pipelines, triggers; the wheel, jobs,
# the notebook of tasks; and what runs in the cluster.
WORKING = {
    "azure-native:datafactory:LinkedService": 2,
    "azure-native:datafactory:Pipeline": len(WORKLOADS),
    "azure-native:datafactory:Trigger": len(WORKLOADS) + len(SCHEDULED),
    "databricks:index/file:File": 1,
    "databricks:index/job:Job": sum(len(workload.jobs) for workload in WORKLOADS),
    "databricks:index/notebook:Notebook": 1,
    "kubernetes:apps/v1:Deployment": 3,
    "kubernetes:batch/v1:CronJob": 1,
    "kubernetes:core/v1:ConfigMap": 3,
    "kubernetes:core/v1:Namespace": 1,
    "kubernetes:core/v1:Service": 3,
    "kubernetes:core/v1:ServiceAccount": 1,
    "kubernetes:networking.k8s.io/v1:NetworkPolicy": 1,
}
PLATFORM = {  # setting → type, and the property that names what it takes
    "resource_group": ("azure-native:resources:ResourceGroup", "name"),
    "data_lake": ("azure-native:storage:StorageAccount", "name"),
    "key_vault": ("azure-native:keyvault:Vault", "name"),
    "container_registry": ("azure-native:containerregistry:Registry", "name"),
    "log_workspace": ("azure-native:operationalinsights:Workspace", "name"),
    "workspace": ("azure-native:databricks:Workspace", "name"),
    "catalog": ("databricks:index/catalog:Catalog", "name"),
    "interactive_cluster": ("databricks:index/cluster:Cluster", "clusterId"),
    "data_factory": ("azure-native:datafactory:Factory", "name"),
    "aks_cluster": ("azure-native:containerservice:ManagedCluster", "name"),
    "serving_store": ("azure-native:cosmosdb:DatabaseAccount", "name"),
    "event_stream": ("azure-native:eventhub:Namespace", "name"),
}
THEIRS = {  # what a stack has to be told of what is not its own
    "medallion:serving_store": {"key": f"medallion-{FIRST}/serving-store-key"},
    "medallion:event_stream": {"credential": f"medallion-{FIRST}-events"},
}


class Both:
    """The platform of the first stack, and settings for either."""

    def __init__(self, at) -> None:
        self.at = at
        self.original = {stack: self.settings(stack).read_text(encoding="utf-8") for stack in (FIRST, SECOND)}
        at.succeed("toolchain.stack", "up", "--stack", FIRST)
        made = {resource["type"]: resource["outputs"] for resource in self.state(FIRST)}
        self.existing = {setting: made[type_][property_] for setting, (type_, property_) in PLATFORM.items()}

    def settings(self, stack):
        return self.at.root / f"Pulumi.{stack}.yaml"

    def use(self, stack, existing) -> None:
        """Name what exists in the settings of a stack, and of no other."""
        for name, text in self.original.items():
            more = {"medallion:existing": existing, **THEIRS} if name == stack else {}
            lines = [f"  {key}: {json.dumps(value)}\n" for key, value in more.items()]
            self.settings(name).write_text(text + "".join(lines), encoding="utf-8")

    def state(self, stack) -> list[dict]:
        """The resources in a stack's state that are of a cloud."""
        export = json.loads(self.at.succeed("toolchain.stack", "export", "--stack", stack))
        found = without(export["deployment"].get("resources", []), VOLATILE)
        return [r for r in found if r["custom"] and not r["type"].startswith("pulumi:")]

    def there(self) -> dict[str, list]:
        """All that is in the cloud, by key."""
        with cloud(self.at.home) as now:
            found = {item.key: [item.type, item.id, item.parent, item.inputs, item.computed] for item in now.find()}
        return without(found, VOLATILE)

    def files(self) -> list[str]:
        """The files of lakes and workspaces."""
        folders = (self.at.home / name for name in ("lakes", "volumes", "workspace"))
        return sorted(str(path.relative_to(self.at.home)) for folder in folders for path in folder.rglob("*"))

    def refused(self, stack, existing) -> str:
        """How an `up` on what exists is refused, which leaves everything as it was."""
        self.use(stack, existing)
        before = self.there(), self.state(FIRST), self.state(SECOND), self.files()
        done = self.at.call("toolchain.stack", "up", "--stack", stack)
        assert done.returncode == 1
        assert "Traceback" not in done.stdout + done.stderr
        assert (self.there(), self.state(FIRST), self.state(SECOND), self.files()) == before
        (line,) = {line.strip() for line in done.stdout.splitlines() if line.strip().startswith("error: existing.")}
        return line


@pytest.fixture(scope="module")
def both(new_copy) -> Both:
    return Both(new_copy())


def test_a_second_stack_creates_no_platform_resource_and_goes_without_a_trace(both):
    both.use(SECOND, both.existing)
    there, first, files = both.there(), both.state(FIRST), both.files()
    both.at.succeed("toolchain.stack", "up", "--stack", SECOND)
    assert Counter(resource["type"] for resource in both.state(SECOND)) == WORKING
    assert both.state(FIRST) == first
    now = both.there()
    assert {key: item for key, item in now.items() if key in there} == there
    # the wheel is that of the first stack: the same bytes at the same place
    assert Counter(now[key][0] for key in now.keys() - there.keys()) == Counter(WORKING) - Counter(
        {"databricks:index/file:File": 1}
    )
    both.at.succeed("toolchain.stack", "preview", "--stack", SECOND, "--expect-no-changes")
    outputs = json.loads(both.at.succeed("toolchain.stack", "outputs", "--stack", SECOND))
    assert outputs["lake_account"] == both.existing["data_lake"]
    assert outputs["pipelines"] == {workload.name: f"staging_{workload.folder}" for workload in WORKLOADS}
    assert outputs["namespace"] == "medallion-staging"

    both.at.succeed("toolchain.stack", "down", "--stack", SECOND)
    assert both.there() == there
    assert both.state(FIRST) == first
    assert both.state(SECOND) == []
    assert both.files() == files


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ("key_vault", "The Resource 'Microsoft.KeyVault/vaults/nobody' under resource group"),
        ("catalog", "Catalog 'nobody' does not exist"),
    ],
)
def test_what_is_missing_is_refused_before_any_change(both, missing, reason):
    said = both.refused(SECOND, both.existing | {missing: "nobody"})
    assert said.startswith(f"error: existing.{missing}: 'nobody' cannot be used: ")
    assert reason in said


def test_a_stack_does_not_take_its_own_for_somebody_elses(both):
    assert both.refused(FIRST, both.existing).startswith(
        "error: existing.resource_group: this stack created 'rg-medallion-dev' itself and would delete it;"
    )


def test_a_stack_that_has_a_platform_does_not_leave_it_for_another(both):
    group = {"resourceGroupName": "rg-other", "location": "eastus"}
    with cloud(both.at.home) as now:
        other = Azure({}).create(now, "azure-native:resources:ResourceGroup", group)
    assert both.refused(FIRST, {"resource_group": "rg-other"}).startswith(
        "error: existing.resource_group: this stack created 'rg-medallion-dev' itself and would delete it;"
    )
    with cloud(both.at.home) as now:
        now.drop(other.key)
