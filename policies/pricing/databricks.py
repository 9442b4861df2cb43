"""Databricks: VMs and DBU of clusters by the hours that they run, and what a workspace brings with it.

A cluster costs its VMs and, for each node, DBU by tier of the workspace and kind of compute.
Source: https://azure.microsoft.com/pricing/details/databricks/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policies.pricing import quartz, usage
from policies.pricing.estimate import HOURS, Context, Line, NotPricedError
from policies.pricing.factory import PIPELINE, minutes_a_run, pipeline_runs, starts
from policies.pricing.resources import Resource

JOB = "databricks:index/job:Job"
CLUSTER = "databricks:index/cluster:Cluster"
WORKSPACE = "azure-native:databricks:Workspace"
ON_CLUSTER = ("DatabricksNotebook", "DatabricksSparkJar", "DatabricksSparkPython")
"""Activities of Data Factory that run on a cluster; `DatabricksJob` brings its own."""


@dataclass(frozen=True)
class Hours:
    """Hours a month that a cluster works, and that it starts before (VMs are paid, DBU are not); how they came about,
    and what was assumed."""

    working: float
    starting: float
    how: str
    assumes: tuple[str, ...]

    @property
    def up(self) -> float:
        """Hours for which VMs are paid."""
        return self.working + self.starting


def job(resource: Resource, context: Context) -> Iterator[Line]:
    """The job clusters of a job, for the time of its runs."""
    clusters = [cluster["newCluster"] for cluster in resource.inputs.get("jobClusters") or ()]
    clusters += [task["newCluster"] for task in resource.inputs.get("tasks") or () if task.get("newCluster")]
    if not clusters:
        raise NotPricedError("it has no cluster of its own: serverless compute or an existing cluster runs it")
    hours = _job_hours(resource, context)
    for cluster in clusters:
        yield from _cluster(cluster, "jobs", hours, context)


def interactive(resource: Resource, context: Context) -> Iterator[Line]:
    """An interactive cluster, for the hours that people and activities of Data Factory keep it up."""
    people = context.usage.interactive.hours_a_month
    hours, parts, assumes = people, [f"{people:g} h by people"], ["interactive.hours_a_month"]
    idle = resource.inputs.get("autoterminationMinutes") or 0
    for pipeline in context.resources.of(PIPELINE):
        if starts(pipeline, resource, context, *ON_CLUSTER):
            runs, minutes = pipeline_runs(pipeline, context), minutes_a_run(pipeline, context)
            hours += runs * (minutes + idle) / 60
            parts.append(f"{runs:.4g} runs of {pipeline.name} × ({minutes:g} + {idle:g} idle) min")
            assumes += ["jobs.minutes_a_run", "factory.runs_by_hand"]
    yield from _cluster(
        resource.inputs, "all-purpose", Hours(hours, 0.0, " + ".join(parts), tuple(dict.fromkeys(assumes))), context
    )


def workspace(resource: Resource, context: Context) -> Iterator[Line]:
    """The NAT gateway that Azure puts before clusters without public addresses, in the workspace's managed group.

    Source: https://learn.microsoft.com/azure/databricks/security/network/classic/secure-cluster-connectivity
    """
    if "customVirtualNetworkId" in (resource.inputs.get("parameters") or {}) or not _no_public_ip(resource):
        return
    data = context.usage.network.nat_gigabytes
    yield Line("managed NAT gateway", HOURS, "NAT gateway", f"{HOURS:g} h: no cluster node has a public address")
    yield Line("its public IP", HOURS, "public IP", f"{HOURS:g} h")
    yield Line("data through it", data, "NAT gateway data", f"{data:g} GB a month", ("network.nat_gigabytes",))


def _job_hours(resource: Resource, context: Context) -> Hours:
    """How long a job's clusters run: its runs by hand, schedule and Data Factory, times the minutes of a run."""
    jobs, name = context.usage.jobs, resource.inputs.get("name") or resource.name
    if (resource.inputs.get("continuous") or {"pauseStatus": "PAUSED"}).get("pauseStatus") != "PAUSED":
        return Hours(HOURS, 0.0, f"{HOURS:g} h: it runs without end", ())
    runs = {"by hand": usage.of(jobs.runs_by_hand, name)}
    schedule = resource.inputs.get("schedule") or {"pauseStatus": "PAUSED"}
    if schedule.get("pauseStatus") != "PAUSED":
        expression = schedule.get("quartzCronExpression") or ""
        try:
            runs[f"by schedule {expression!r}"] = quartz.runs_a_month(expression)
        except quartz.CronError as problem:
            raise NotPricedError(str(problem)) from None
    for pipeline in context.resources.of(PIPELINE):
        if starts(pipeline, resource, context, "DatabricksJob"):
            runs[f"by {pipeline.name}"] = pipeline_runs(pipeline, context)
    total, minutes = sum(runs.values()), usage.of(jobs.minutes_a_run, name)
    of = " + ".join(f"{count:.4g} {by}" for by, count in runs.items() if count)
    return Hours(
        working=total * minutes / 60,
        starting=total * jobs.start_minutes / 60,
        how=f"{total:.4g} runs ({of or 'none'}) × {minutes:g} min",
        assumes=("jobs.minutes_a_run", "jobs.runs_by_hand", "jobs.start_minutes"),
    )


def _cluster(cluster: Mapping[str, Any], kind: str, hours: Hours, context: Context) -> Iterator[Line]:
    """VMs and DBU of a cluster, and the public addresses of its nodes where they have any."""
    if cluster.get("runtimeEngine") == "PHOTON":
        raise NotPricedError("Photon uses DBU at rates that policies/prices.toml does not have")
    nodes = _nodes(cluster)
    up = f"{hours.how} and {context.usage.jobs.start_minutes:g} to start" if hours.starting else hours.how
    for (kind_of_vm, node), count in nodes.items():
        what = "spot VMs" if kind_of_vm == "spot" else "VMs"
        how = f"{count:g} × {hours.up:.4g} h: {up}"
        yield Line(f"{what} {node}", count * hours.up, f"{kind_of_vm} {node}", how, hours.assumes)
    if any(not _no_public_ip(found) for found in context.resources.of(WORKSPACE)):
        yield Line("public IPs of nodes", nodes.total() * hours.up, "public IP", up, hours.assumes)
    rates = {node: _dbu(node, context) for _, node in nodes}
    used = sum(count * rates[node] for (_, node), count in nodes.items())
    dbu = f"{_tier(context)} {kind}"
    how = f"{used:g} DBU × {hours.working:.4g} h: {hours.how}"
    yield Line(f"DBU {dbu}", used * hours.working, f"dbu {dbu}", how, hours.assumes)


def _nodes(cluster: Mapping[str, Any]) -> Counter[tuple[str, str]]:
    """Nodes of a cluster by kind (`vm`, `spot`) and type. The driver is the first; with autoscaling there are as many
    workers as lie in the middle. Raises NotPricedError."""
    worker = cluster.get("nodeTypeId")
    driver = cluster.get("driverNodeTypeId") or worker
    if not worker or not driver:
        raise NotPricedError("its node type is not known: an instance pool or a policy sets it")
    scale = cluster.get("autoscale")
    workers = (scale["minWorkers"] + scale["maxWorkers"]) / 2 if scale else cluster.get("numWorkers") or 0
    azure = cluster.get("azureAttributes") or {}
    firm = azure.get("firstOnDemand") or 0
    if "SPOT" not in (azure.get("availability") or ""):
        firm = 1 + workers
    found: Counter[tuple[str, str]] = Counter()
    found["vm" if firm else "spot", driver] += 1
    found["vm", worker] += min(workers, max(0, firm - 1))
    found["spot", worker] += workers - min(workers, max(0, firm - 1))
    return +found


def _dbu(node: str, context: Context) -> float:
    """DBU that a node uses in an hour. Raises NotPricedError."""
    if node not in context.prices.dbu:
        raise NotPricedError(f"policies/prices.toml does not say how many DBU {node} uses")
    return context.prices.dbu[node][0]


def _tier(context: Context) -> str:
    """The tier of the workspace; one that is not of this stack is taken to be premium, as all are since 2026-10-01."""
    tiers = {str((found.inputs.get("sku") or {}).get("name")) for found in context.resources.of(WORKSPACE)}
    if len(tiers) > 1 or not tiers <= {"standard", "premium"}:
        raise NotPricedError(f"the workspace's tier is {', '.join(sorted(tiers))}: standard and premium have prices")
    return tiers.pop() if tiers else "premium"


def _no_public_ip(workspace: Resource) -> bool:
    """Whether cluster nodes have no public addresses: so it is unless somebody says otherwise."""
    return ((workspace.inputs.get("parameters") or {}).get("enableNoPublicIp") or {}).get("value") is not False


PRICERS = {JOB: job, CLUSTER: interactive, WORKSPACE: workspace}
