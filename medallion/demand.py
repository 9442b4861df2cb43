"""What a stack takes from a subscription, as its settings say: machines, public addresses, a version of Kubernetes, and
the resource providers of what only some workloads need.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stacks.settings import NodePool, Settings
from workloads.spec import Part, Workload

CLUSTER = "Microsoft.ContainerService/managedClusters"
WORKSPACE = "Microsoft.Databricks/workspaces"
PARTS: Mapping[Part, tuple[str, str]] = {
    "event-stream": ("Microsoft.EventHub", "the event stream"),
    "serving-store": ("Microsoft.DocumentDB", "the serving store"),
}
"""Part of the platform that a workload may need → the resource provider to be registered for it, and what for."""


@dataclass(frozen=True)
class Machines:
    """Equal virtual machines of a size, which the key `setting` names.

    `holder` is the type of the resource that has them: where that stands, its machines may be counted as used already.
    A spot machine that `falls_back` becomes an ordinary one where no spot machine is to be had.
    """

    purpose: str
    setting: str
    size: str
    count: int
    holder: str
    zones: Sequence[str] = ()
    spot: bool = False
    falls_back: bool = False


@dataclass(frozen=True)
class Address:
    """A public address, and the type of the resource that has it, as for machines."""

    purpose: str
    holder: str


@dataclass(frozen=True)
class Demand:
    """What a stack takes. `kubernetes` is the minor version of a cluster that it creates, if it creates one.

    `providers` are resource providers that not every stack needs, and what for.
    """

    machines: tuple[Machines, ...]
    addresses: tuple[Address, ...]
    kubernetes: str | None
    providers: Mapping[str, str] = field(default_factory=dict)


def demand(settings: Settings, workloads: Sequence[Workload]) -> Demand:
    """What `up` and the runs after it take at once; nothing for what exists already and is only used.

    Of job clusters there is one for each continuous job that runs, and one for the run that somebody starts: batch jobs
    are taken to run one after the other. The interactive cluster may run beside them. Where all stands in a network of
    ours, the two addresses are one.
    """
    aks, databricks, existing = settings.aks, settings.databricks, settings.existing
    continuous = [job for workload in workloads for job in workload.jobs if job.continuous and databricks.schedules]
    clusters = 1 + len(continuous)

    workers = clusters * databricks.workers
    if databricks.interactive and not existing.workspace:
        clusters, workers = clusters + 1, workers + databricks.interactive.workers
    node_type = ("databricks.node_type", databricks.node_type)
    machines = [
        Machines("Databricks drivers", *node_type, clusters, WORKSPACE),
        Machines("Databricks workers", *node_type, workers, WORKSPACE, spot=databricks.spot, falls_back=True),
    ]
    addresses = []
    if not existing.aks_cluster:
        machines.append(Machines("AKS system pool", "aks.vm_size", aks.vm_size, aks.nodes, CLUSTER, aks.zones))
        machines.append(_pool("user", aks.user, aks.zones))
        if aks.spot:
            machines.append(_pool("spot", aks.spot, aks.zones, spot=True))
        # https://learn.microsoft.com/azure/aks/load-balancer-standard: one for the way out, unless told otherwise
        addresses.append(Address("the way out of AKS", CLUSTER))
    if not existing.workspace:
        # https://learn.microsoft.com/azure/databricks/security/network/classic/secure-cluster-connectivity: clusters
        # without public addresses leave through a NAT gateway
        addresses.append(Address("the way out of Databricks", WORKSPACE))
    kubernetes = None if existing.aks_cluster else aks.version
    return Demand(tuple(machines), tuple(addresses), kubernetes, _providers(settings, workloads))


def _providers(settings: Settings, workloads: Sequence[Workload]) -> dict[str, str]:
    """The resource providers of the parts that workloads need and the stack creates."""
    there: dict[Part, object] = {
        "event-stream": settings.existing.event_stream,
        "serving-store": settings.existing.serving_store or settings.serving_store.astra,
    }
    needed = {part for workload in workloads for part in workload.needs}
    return dict(PARTS[part] for part in sorted(needed) if not there[part])


def _pool(name: str, pool: NodePool, zones: Sequence[str], **more: bool) -> Machines:
    """A pool as it begins: its fewest nodes, but one at least (components/aks_node_pools.py). Growth is not counted."""
    count = max(pool.fewest, 1)
    return Machines(f"AKS {name} pool", f"aks.{name}.vm_size", pool.vm_size, count, CLUSTER, zones, **more)
