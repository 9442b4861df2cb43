"""What a stack takes from a subscription, by its settings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medallion.demand import CLUSTER, WORKSPACE, Address, Machines, demand
from stacks.settings import Settings
from workloads.spec import Job, Task, Workload, find

EXISTING = {
    "resource_group": "rg",
    "data_lake": "lake",
    "workspace": "dbw",
    "catalog": "main",
    "interactive_cluster": "0101-000000-abc",
}


def workload(*jobs: Job) -> Workload:
    return Workload(name="w", title="W", description="w", input_path="landing/w", jobs=jobs)


BATCH = Job(key="batch", schedule="0 0 2 * * ?", tasks=(Task(key="t", layer="gold"),))
CONTINUOUS = Job(key="stream", continuous=True, tasks=(Task(key="s", layer="gold"),))


AKS = {
    "version": "1.35",
    "vm_size": "Standard_D2s_v3",
    "nodes": 3,
    "zones": ("1", "2", "3"),
    "user": {"vm_size": "Standard_D4s_v3", "fewest": 2, "most": 9},
    "spot": {"vm_size": "Standard_D4s_v3", "fewest": 0, "most": 9},
}
DATABRICKS = {"node_type": "Standard_DS3_v2", "workers": 4, "spot": False, "interactive": None}


def settings(record, **changes):
    """Those of prod, whose clusters are these; jobs are started by the data factory, which takes no cluster."""
    return record.settings("prod", data_factory={"orchestration": "databricks-job"}, **{"aks": AKS, **changes})


def test_production_takes_a_cluster_of_kubernetes_and_one_of_databricks(record):
    taken = demand(settings(record, databricks=DATABRICKS), [workload(BATCH)])
    assert taken.machines == (
        Machines("Databricks drivers", "databricks.node_type", "Standard_DS3_v2", 1, WORKSPACE),
        Machines("Databricks workers", "databricks.node_type", "Standard_DS3_v2", 4, WORKSPACE, falls_back=True),
        Machines("AKS system pool", "aks.vm_size", "Standard_D2s_v3", 3, CLUSTER, ("1", "2", "3")),
        Machines("AKS user pool", "aks.user.vm_size", "Standard_D4s_v3", 2, CLUSTER, ("1", "2", "3")),
        Machines("AKS spot pool", "aks.spot.vm_size", "Standard_D4s_v3", 1, CLUSTER, ("1", "2", "3"), spot=True),
    )
    assert taken.addresses == (Address("the way out of AKS", CLUSTER), Address("the way out of Databricks", WORKSPACE))
    assert taken.kubernetes == "1.35"


def test_spot_machines_are_workers_that_fall_back_and_the_spot_pool(record):
    taken = demand(settings(record, databricks={"spot": True}), [workload(BATCH)])
    spot = [(each.purpose, each.falls_back) for each in taken.machines if each.spot]
    assert spot == [("Databricks workers", True), ("AKS spot pool", False)]


def test_the_interactive_cluster_runs_beside_the_jobs(record):
    databricks = {**DATABRICKS, "interactive": {"workers": 2, "autotermination_minutes": 30}}
    drivers, workers, *_ = demand(settings(record, databricks=databricks), [workload(BATCH)]).machines
    assert (drivers.count, workers.count) == (2, 6)


@pytest.mark.parametrize(("schedules", "clusters"), [(True, 2), (False, 1)])
def test_a_continuous_job_has_a_cluster_beside_the_one_of_a_run(record, schedules, clusters):
    changed = settings(record, databricks={**DATABRICKS, "schedules": schedules})
    drivers, workers, *_ = demand(changed, [workload(BATCH, CONTINUOUS)]).machines
    assert (drivers.count, workers.count) == (clusters, clusters * 4)


@pytest.mark.parametrize(
    ("existing", "purposes", "kubernetes"),
    [
        (EXISTING, ["the way out of AKS"], "1.35"),
        ({"resource_group": "rg", "aks_cluster": "aks"}, ["the way out of Databricks"], None),
        ({**EXISTING, "aks_cluster": "aks"}, [], None),
    ],
)
def test_what_exists_takes_nothing_new(record, existing, purposes, kubernetes):
    taken = demand(record.settings("prod", existing=existing, aks={"version": "1.35"}), [])
    assert [each.purpose for each in taken.addresses] == purposes
    assert taken.kubernetes == kubernetes
    pools = [each for each in taken.machines if each.holder == CLUSTER]
    assert bool(pools) == (kubernetes is not None)


@pytest.fixture(scope="module")
def local(record):
    return record.settings("local").model_dump()


@given(workers=st.integers(1, 100), nodes=st.integers(1, 100), streams=st.integers(0, 5), spot=st.booleans())
def test_every_machine_of_the_settings_is_counted(local, workers, nodes, streams, spot):
    databricks = {**local["databricks"], "workers": workers, "spot": spot, "schedules": True, "interactive": None}
    aks = {**local["aks"], "nodes": nodes, "user": AKS["user"], "spot": None}
    factory = {"orchestration": "databricks-job"}
    settings = Settings.model_validate({**local, "databricks": databricks, "aks": aks, "data_factory": factory})
    machines = demand(settings, [workload(CONTINUOUS)] * streams).machines
    assert sum(each.count for each in machines) == (1 + streams) * (workers + 1) + nodes + AKS["user"]["fewest"]
    assert sum(each.count for each in machines if each.spot) == spot * (1 + streams) * workers


ASTRA = {"bundle": "/Volumes/c/models/files/astra.zip", "token": "scope/astra"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["Microsoft.DocumentDB", "Microsoft.EventHub"]),
        ({"serving_store": {"astra": ASTRA, "request_units": None, "zone_redundant": False}}, ["Microsoft.EventHub"]),
        ({"existing": {"resource_group": "rg", "serving_store": "a", "event_stream": "b"}}, []),
    ],
)
def test_providers_of_parts_are_needed_where_a_workload_needs_the_part_and_the_stack_creates_it(
    record, changes, expected
):
    assert sorted(demand(record.settings("prod", **changes), [find("cloud-usage")]).providers) == expected
    assert demand(record.settings("prod", **changes), [workload(BATCH)]).providers == {}
