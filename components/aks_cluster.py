"""The Kubernetes cluster, and the provider that works inside it.

Owns the cluster with its system pool, its identities and their roles, and when it is maintained. Not the pods
(kubernetes/), and no further node pools (aks_node_pools.py): those are resources of their own, for a change of an
inline pool touches all of them. Only what keeps the cluster going runs in the system pool (`CriticalAddonsOnly`).
Settings follow https://learn.microsoft.com/azure/aks/intro-aks-automatic: Entra and Azure RBAC, no local accounts,
OIDC issuer, workload identity, Azure Policy, Cilium overlay, ephemeral disks, upgrades of patch and node image.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import Input, Output, ResourceOptions
from pulumi_azure_native import containerservice

from components.existing import look_up
from components.identity import Administrator, Identity, grant, grant_all
from components.site import Site
from components.virtual_network import CLUSTER, POD_CIDR, SERVICE_CIDR
from components.vm_sizes import OS_DISK_GB, require_known

SYSTEM_ONLY = "CriticalAddonsOnly=true:NoSchedule"

MAINTENANCE: Mapping[str, str] = {
    "aksManagedAutoUpgradeSchedule": "Saturday",
    "aksManagedNodeOSUpgradeSchedule": "Sunday",
}
"""What AKS may do when: upgrades of Kubernetes, and of node images, on days of their own, from 01:00 UTC.
Source: https://learn.microsoft.com/azure/aks/planned-maintenance"""


@dataclass(frozen=True)
class AksArgs:
    """Minor version, price tier, the system pool, and the administrators."""

    version: str
    tier: str
    vm_size: str
    nodes: int
    zones: Sequence[str] = ()
    administrators: Mapping[str, Administrator] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_known(self.vm_size, "aks.vm_size")


@dataclass(frozen=True)
class Cluster:
    """A Kubernetes cluster, created or found: name, id, the (secret) configuration of clients, and who issues the
    tokens of its service accounts.

    `ready` are resources to wait for before anything is declared inside: who deploys may not do so earlier.
    """

    name: Output[str]
    id: Output[str]
    kubeconfig: Output[str]
    issuer: Output[str]
    ready: Sequence[pulumi.Resource] = ()

    def after(self, resource: pulumi.Resource) -> Cluster:
        """The same cluster, inside which nothing is declared before that resource is there."""
        return replace(self, ready=(*self.ready, resource))


class AksCluster(pulumi.ComponentResource):
    """The cluster of this stack."""

    cluster: Cluster

    def __init__(
        self, name: str, site: Site, args: AksArgs, registry: Input[str], opts: ResourceOptions | None = None
    ) -> None:
        super().__init__("medallion:components:AksCluster", name, None, opts)
        child = ResourceOptions(parent=self)
        identity = Identity(f"{name}-control-plane", site, "aks_identity", opts=child)
        in_place = _may_use_subnet(site, identity, child)
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
            addon_profiles={
                "azurepolicy": {"enabled": True},
                "azureKeyvaultSecretsProvider": {
                    "enabled": True,
                    "config": {"enableSecretRotation": "true", "rotationPollInterval": "2m"},
                },
            },
            auto_upgrade_profile={"upgrade_channel": "patch", "node_os_upgrade_channel": "NodeImage"},
            network_profile={
                "network_plugin": "azure",
                "network_plugin_mode": "overlay",
                "network_dataplane": "cilium",
                "network_policy": "cilium",
                "pod_cidr": POD_CIDR,
                "service_cidr": SERVICE_CIDR,
                "dns_service_ip": "10.0.0.10",
                "load_balancer_sku": "standard",
            },
            tags=site.tags,
            opts=ResourceOptions(
                parent=self,
                depends_on=in_place,
                ignore_changes=["agentPoolProfiles[0].count"],
                delete_before_replace=True,  # its name is taken as long as it is there, also by `pulumi up --replace`
            ),
        )
        roles = grant_all(
            site,
            args.administrators,
            role="Azure Kubernetes Service RBAC Cluster Admin",
            on="aks",
            scope=managed.id,
            opts=child,
        )
        pulls = grant(
            site,
            who="aks-kubelets",
            role="AcrPull",
            on="container-registry",
            principal_id=managed.identity_profile.apply(lambda profile: profile["kubeletidentity"].object_id),
            scope=registry,
            opts=child,
        )
        for schedule, day in MAINTENANCE.items():
            _maintenance(f"{name}-{schedule}", site, managed, schedule, day, child)
        self.cluster = Cluster(
            name=managed.name,
            id=managed.id,
            kubeconfig=_kubeconfig(site.group, managed.name),
            issuer=managed.oidc_issuer_profile.issuer_url,
            ready=(managed, pulls, *roles),
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
        return Cluster(
            name=Output.from_input(found.name),
            id=Output.from_input(found.id),
            kubeconfig=_kubeconfig(group, found.name),
            issuer=Output.from_input(found.oidc_issuer_profile.issuer_url),
        )


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
        "node_taints": [SYSTEM_ONLY],
        "upgrade_settings": {"max_surge": "33%"},
    }
    return pool | ({"availability_zones": sorted(args.zones)} if args.zones else {})


def _may_use_subnet(site: Site, identity: Identity, opts: ResourceOptions) -> list[pulumi.Resource]:
    """The right to put nodes into a subnet of ours, where they stand in one."""
    subnet = site.network.subnet(CLUSTER)
    if subnet is None:
        return []
    may = grant(
        site,
        who="aks-identity",
        role="Network Contributor",
        on="aks-subnet",
        principal_id=identity.principal_id,
        scope=subnet,
        opts=opts,
    )
    return [may]


def _maintenance(
    name: str,
    site: Site,
    cluster: containerservice.ManagedCluster,
    schedule: str,
    day: str,
    opts: ResourceOptions,
) -> None:
    """When AKS may do what `schedule` names: weekly, for eight hours from 01:00 UTC."""
    containerservice.MaintenanceConfiguration(
        name,
        config_name=schedule,
        resource_name_=cluster.name,
        resource_group_name=site.group,
        maintenance_window={
            "schedule": {"weekly": {"interval_weeks": 1, "day_of_week": day}},
            "start_time": "01:00",
            "duration_hours": 8,
            "utc_offset": "+00:00",
        },
        opts=opts,
    )


def _kubeconfig(group: Input[str], name: Input[str]) -> Output[str]:
    """The clients' configuration, secret: it signs in as whoever deploys (kubelogin) and holds no password."""
    credentials = containerservice.list_managed_cluster_user_credentials_output(
        resource_group_name=group, resource_name=name, format="exec"
    )
    return Output.secret(credentials.kubeconfigs[0].value.apply(lambda value: base64.b64decode(value).decode()))


def provider(name: str, cluster: Cluster) -> kubernetes.Provider:
    """The provider that works inside a cluster."""
    return kubernetes.Provider(name, kubeconfig=cluster.kubeconfig, opts=ResourceOptions(depends_on=[*cluster.ready]))
