"""Kubernetes: management of the cluster, its nodes with their disks, and what services and volumes bring with them.

Sources: https://azure.microsoft.com/pricing/details/kubernetes-service/,
https://azure.microsoft.com/pricing/details/load-balancer/ (the first five rules are one price),
https://azure.microsoft.com/pricing/details/managed-disks/ (a disk costs what the next larger size costs)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from policies.pricing.estimate import HOURS, Context, Line, NotPricedError
from policies.pricing.resources import Resource

CLUSTER = "azure-native:containerservice:ManagedCluster"
POOL = "azure-native:containerservice:AgentPool"
SERVICE = "kubernetes:core/v1:Service"
CLAIM = "kubernetes:core/v1:PersistentVolumeClaim"
STATEFUL = "kubernetes:apps/v1:StatefulSet"

DISK_SIZES = ((32, "4"), (64, "6"), (128, "10"), (256, "15"), (512, "20"), (1024, "30"))
"""Largest GiB of a disk → number of its size; P is premium SSD, E standard SSD."""

NODE_DISK_GB = 128
"""Size of a node's managed disk where none is given.
Source: https://learn.microsoft.com/azure/aks/concepts-storage"""

STORAGE_CLASSES: Mapping[str, str] = {
    "": "E",
    "default": "E",
    "managed-csi": "E",
    "managed-premium": "P",
    "managed-csi-premium": "P",
}
"""Storage class → kind of disk. Source: https://learn.microsoft.com/azure/aks/concepts-storage"""

GIB: Mapping[str, float] = {"Mi": 1 / 1024, "Gi": 1.0, "Ti": 1024.0}


def cluster(resource: Resource, context: Context) -> Iterator[Line]:
    """The cluster's management, the pools that are declared inside, and its load balancer."""
    tier = (resource.inputs.get("sku") or {}).get("tier") or "Free"
    if tier != "Free":
        yield Line(f"management, tier {tier}", HOURS, f"aks {tier}", f"{HOURS:g} h")
    yield from _way_out(resource, context)
    for pool in resource.inputs.get("agentPoolProfiles") or ():
        yield from _pool(pool, str(pool.get("name")), context)


def agent_pool(resource: Resource, context: Context) -> Iterator[Line]:
    """A pool that is a resource of its own."""
    yield from _pool(resource.inputs, str(resource.inputs.get("agentPoolName") or resource.name), context)


def service(resource: Resource, context: Context) -> Iterator[Line]:
    """The public address of a service that asks for a load balancer; other services cost nothing."""
    if _is_public(resource):
        yield Line("public IP", HOURS, "public IP", f"{HOURS:g} h: a service of type LoadBalancer")


def claim(resource: Resource, context: Context) -> Iterator[Line]:
    """The disk of a volume claim."""
    yield _disk(resource.inputs.get("spec") or {}, 1)


def stateful_set(resource: Resource, context: Context) -> Iterator[Line]:
    """The disks of a stateful set's volume claims, one a replica."""
    spec = resource.inputs.get("spec") or {}
    for template in spec.get("volumeClaimTemplates") or ():
        yield _disk(template.get("spec") or {}, spec.get("replicas") or 1)


def _way_out(resource: Resource, context: Context) -> Iterator[Line]:
    """The load balancer of a cluster, where nodes go out by one or services ask for one, and the address of its own."""
    outbound = (resource.inputs.get("networkProfile") or {}).get("outboundType") or "loadBalancer"
    asked = any(_asks(found) for found in context.resources.of(SERVICE))
    if outbound == "managedNATGateway":
        yield Line("managed NAT gateway", HOURS, "NAT gateway", f"{HOURS:g} h")
    if outbound == "loadBalancer" or asked:
        why = "nodes go out by it" if outbound == "loadBalancer" else "services ask for it"
        gigabytes = context.usage.network.load_balancer_gigabytes
        yield Line("load balancer", HOURS, "load balancer", f"{HOURS:g} h, up to five rules: {why}")
        yield Line(
            "data through it",
            gigabytes,
            "load balancer data",
            f"{gigabytes:g} GB a month",
            ("network.load_balancer_gigabytes",),
        )
    if outbound in ("loadBalancer", "managedNATGateway"):
        yield Line("public IP to go out", HOURS, "public IP", f"{HOURS:g} h")


def _pool(pool: Mapping[str, Any], name: str, context: Context) -> Iterator[Line]:
    """VMs of a pool and their managed disks. A pool that scales is priced at its smallest."""
    size = pool.get("vmSize")
    if not size:
        raise NotPricedError(f"the VM size of pool {name} is not known")
    assumes: tuple[str, ...] = ()
    if pool.get("enableAutoScaling"):
        least, most = pool.get("minCount") or 0, pool.get("maxCount") or 0
        hours, how = least * HOURS, f"{least} nodes × {HOURS:g} h: the fewest of {least} to {most}"
        if not least:
            hours, assumes = context.usage.kubernetes.idle_pool_node_hours, ("kubernetes.idle_pool_node_hours",)
            how = f"{hours:g} node hours a month: it has 0 to {most} nodes"
    else:
        count = pool.get("count") or 1
        hours, how = count * HOURS, f"{count} nodes × {HOURS:g} h"
    kind, label = ("spot", "spot VMs") if pool.get("scaleSetPriority") == "Spot" else ("vm", "VMs")
    yield Line(f"pool {name}: {label} {size}", hours, f"{kind} {size}", how, assumes)
    if pool.get("osDiskType") != "Ephemeral":
        premium = re.fullmatch(r"Standard_[A-Z]+\d+[a-z]*s[a-z]*(_v\d+)?|Standard_DS\d+(_v\d+)?", size)
        gigabytes = pool.get("osDiskSizeGB") or NODE_DISK_GB
        disk = _size("P" if premium else "E", gigabytes)
        yield Line(f"pool {name}: disks", hours / HOURS, f"disk {disk}", f"{gigabytes} GB a node; {how}", assumes)


def _disk(spec: Mapping[str, Any], count: int) -> Line:
    """The line of a volume claim. Raises NotPricedError for storage classes that are no disks."""
    storage_class = spec.get("storageClassName") or ""
    asked = str(((spec.get("resources") or {}).get("requests") or {}).get("storage"))
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(Mi|Gi|Ti)", asked)
    if storage_class not in STORAGE_CLASSES or not found:
        raise NotPricedError(f"a volume of {asked} in storage class {storage_class!r} has no price here")
    disk = _size(STORAGE_CLASSES[storage_class], float(found[1]) * GIB[found[2]])
    return Line("disks", count, f"disk {disk}", f"{count} × {asked}")


def _size(kind: str, gigabytes: float) -> str:
    """The size of a managed disk that holds so much, `P10`."""
    for most, number in DISK_SIZES:
        if gigabytes <= most:
            return f"{kind}{number}"
    raise NotPricedError(f"a disk of {gigabytes:g} GB is larger than policies/prices.toml knows")


def _asks(service: Resource) -> bool:
    return (service.inputs.get("spec") or {}).get("type") == "LoadBalancer"


def _is_public(service: Resource) -> bool:
    annotations = (service.inputs.get("metadata") or {}).get("annotations") or {}
    return _asks(service) and annotations.get("service.beta.kubernetes.io/azure-load-balancer-internal") != "true"


PRICERS = {CLUSTER: cluster, POOL: agent_pool, SERVICE: service, CLAIM: claim, STATEFUL: stateful_set}
