"""The node pools in which our pods run, each a resource of its own.

Owns the user pool, which grows and shrinks with what is asked for, and the optional spot pool for what may be stopped
at any time: batch and test pods, which tolerate its taint (`SPOT_TOLERATION`). Not the system pool (aks_cluster.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi import ResourceOptions
from pulumi_azure_native import containerservice

from components.aks_cluster import Cluster
from components.site import Site
from components.vm_sizes import OS_DISK_GB, require_known

SPOT = "kubernetes.azure.com/scalesetpriority"
"""The label and the taint that AKS gives to spot nodes.
Source: https://learn.microsoft.com/azure/aks/spot-node-pool"""

SPOT_TOLERATION = {"key": SPOT, "operator": "Equal", "value": "spot", "effect": "NoSchedule"}


@dataclass(frozen=True)
class PoolArgs:
    """A pool: the setting that names it, VM size, and the fewest and most nodes."""

    setting: str
    vm_size: str
    fewest: int
    most: int

    def __post_init__(self) -> None:
        require_known(self.vm_size, self.setting)


@dataclass(frozen=True)
class NodePoolsArgs:
    """The user pool, the spot pool if there is one, and the zones that nodes are spread over."""

    user: PoolArgs
    spot: PoolArgs | None = None
    zones: Sequence[str] = ()


class NodePools(pulumi.ComponentResource):
    """The node pools of a cluster. `user` is to wait for before a pod is declared."""

    user: containerservice.AgentPool

    def __init__(
        self, name: str, site: Site, cluster: Cluster, args: NodePoolsArgs, opts: ResourceOptions | None = None
    ) -> None:
        super().__init__("medallion:components:NodePools", name, None, opts)
        self._site, self._cluster, self._zones = site, cluster, args.zones
        self.user = self._pool("user", args.user)
        if args.spot:
            self._pool(
                "spot",
                args.spot,
                scale_set_priority="Spot",
                scale_set_eviction_policy="Delete",
                spot_max_price=-1,
                node_labels={SPOT: "spot"},
                node_taints=[f"{SPOT}=spot:NoSchedule"],
            )
        self.register_outputs({})

    def _pool(self, name: str, args: PoolArgs, **more: object) -> containerservice.AgentPool:
        """A pool that grows and shrinks by itself, so that its present count is none of ours."""
        zones = {"availability_zones": sorted(self._zones)} if self._zones else {}
        surge = {} if more else {"upgrade_settings": {"max_surge": "33%"}}  # spot pools take none
        return self._site.network.attach(
            containerservice.AgentPool,
            f"node-pool-{name}",
            agent_pool_name=name,
            resource_name_=self._cluster.name,
            resource_group_name=self._site.group,
            mode="User",
            type="VirtualMachineScaleSets",
            vm_size=args.vm_size,
            count=max(args.fewest, 1),
            enable_auto_scaling=True,
            min_count=args.fewest,
            max_count=args.most,
            os_type="Linux",
            os_sku="AzureLinux",
            os_disk_type="Ephemeral",
            os_disk_size_gb=OS_DISK_GB[args.vm_size],
            max_pods=110,
            **surge,
            **zones,
            **more,
            tags=self._site.tags,
            opts=ResourceOptions(parent=self, depends_on=[*self._cluster.ready], ignore_changes=["count"]),
        )
