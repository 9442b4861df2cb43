"""The Kubernetes cluster, and the provider that works inside it.

Owns the cluster with its system pool, its identity, and the administrators' role. Not the pods (kubernetes/), and no
further node pools: those are resources of their own, for a change of an inline pool touches all of them. The system
pool has no taint `CriticalAddonsOnly` as long as it is the only one, else our pods would find no node.
Settings follow https://learn.microsoft.com/azure/aks/intro-aks-automatic: Entra and Azure RBAC, no local accounts,
OIDC issuer, workload identity, Azure Policy, Cilium overlay, ephemeral disks, upgrades of patch and node image.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import Input, Output, ResourceOptions
from pulumi_azure_native import containerservice

from components.existing import look_up
from components.identity import Identity, grant
from components.site import Site

OS_DISK_GB: Mapping[str, int] = {"Standard_D2s_v3": 48, "Standard_D4s_v3": 96, "Standard_D8s_v3": 192}
"""Size of the ephemeral system disk by VM size: what fits into its cache.
Source: https://learn.microsoft.com/azure/virtual-machines/dsv3-series"""


class AksError(ValueError):
    """A VM size without a known cache; the text names those that are known."""


@dataclass(frozen=True)
class AksArgs:
    """Minor version, price tier, the system pool, and the administrators: name → (object id, type in Entra)."""

    version: str
    tier: str
    vm_size: str
    nodes: int
    zones: Sequence[str] = ()
    administrators: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.vm_size not in OS_DISK_GB:
            raise AksError(f"aks.vm_size: {self.vm_size!r} is not in the table of sizes: {', '.join(OS_DISK_GB)}")


@dataclass(frozen=True)
class Cluster:
    """A Kubernetes cluster, created or found: its name and the (secret) configuration of clients.

    `ready` are resources to wait for before anything is declared inside: who deploys may not do so earlier.
    """

    name: Output[str]
    kubeconfig: Output[str]
    ready: Sequence[pulumi.Resource] = ()


class AksCluster(pulumi.ComponentResource):
    """The cluster of this stack."""

    cluster: Cluster

    def __init__(self, name: str, site: Site, args: AksArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("medallion:components:AksCluster", name, None, opts)
        child = ResourceOptions(parent=self)
        identity = Identity(f"{name}-control-plane", site, "aks_identity", opts=child)
        managed = site.network.attach(
            containerservice.ManagedCluster,
            f"{name}-cluster",
            resource_name_=site.names.of("aks_cluster"),
            resource_group_name=site.group,
            location=site.location,
            kubernetes_version=args.version,
            dns_prefix=site.names.of("aks_cluster"),
            sku={"name": "Base", "tier": args.tier},
            identity={"type": "UserAssigned", "user_assigned_identities": [identity.id]},
            agent_pool_profiles=[system_pool(args)],
            aad_profile={"managed": True, "enable_azure_rbac": True},
            enable_rbac=True,
            disable_local_accounts=True,
            oidc_issuer_profile={"enabled": True},
            security_profile={
                "workload_identity": {"enabled": True},
                "image_cleaner": {"enabled": True, "interval_hours": 168},
            },
            addon_profiles={"azurepolicy": {"enabled": True}},
            auto_upgrade_profile={"upgrade_channel": "patch", "node_os_upgrade_channel": "NodeImage"},
            network_profile={
                "network_plugin": "azure",
                "network_plugin_mode": "overlay",
                "network_dataplane": "cilium",
                "network_policy": "cilium",
                "pod_cidr": "10.244.0.0/16",
                "service_cidr": "10.0.0.0/16",
                "dns_service_ip": "10.0.0.10",
                "load_balancer_sku": "standard",
                "outbound_type": "loadBalancer",
            },
            tags=site.tags,
            opts=ResourceOptions(parent=self, ignore_changes=["agentPoolProfiles[0].count"]),
        )
        roles = [
            grant(
                site,
                who=f"administrator-{who}",
                role="Azure Kubernetes Service RBAC Cluster Admin",
                on="aks",
                principal_id=object_id,
                principal_type=principal_type,
                scope=managed.id,
                opts=child,
            )
            for who, (object_id, principal_type) in sorted(args.administrators.items())
        ]
        self.cluster = Cluster(
            name=managed.name, kubeconfig=_kubeconfig(site.group, managed.name), ready=(managed, *roles)
        )
        self.register_outputs({"name": managed.name})

    @staticmethod
    def existing(name: str, *, group: str, owner: str) -> Cluster:
        """The cluster of that name. Raises ExistingError."""
        found = look_up(
            "aks_cluster",
            name,
            owner,
            lambda: containerservice.get_managed_cluster(resource_name=name, resource_group_name=group),
        )
        return Cluster(name=Output.from_input(found.name), kubeconfig=_kubeconfig(group, found.name))


def system_pool(args: AksArgs) -> dict:
    """The properties of the system pool."""
    pool = {
        "name": "system",
        "mode": "System",
        "type": "VirtualMachineScaleSets",
        "count": args.nodes,
        "vm_size": args.vm_size,
        "os_type": "Linux",
        "os_sku": "AzureLinux",
        "os_disk_type": "Ephemeral",
        "os_disk_size_gb": OS_DISK_GB[args.vm_size],
        "max_pods": 110,
        "upgrade_settings": {"max_surge": "33%"},
    }
    return pool | ({"availability_zones": sorted(args.zones)} if args.zones else {})


def _kubeconfig(group: Input[str], name: Input[str]) -> Output[str]:
    """The clients' configuration, secret: it signs in as whoever deploys (kubelogin) and holds no password."""
    credentials = containerservice.list_managed_cluster_user_credentials_output(
        resource_group_name=group, resource_name=name, format="exec"
    )
    return Output.secret(credentials.kubeconfigs[0].value.apply(lambda value: base64.b64decode(value).decode()))


def provider(name: str, cluster: Cluster) -> kubernetes.Provider:
    """The provider that works inside a cluster."""
    return kubernetes.Provider(name, kubeconfig=cluster.kubeconfig, opts=ResourceOptions(depends_on=[*cluster.ready]))
