"""The wiring of the platform: what stands whatever workloads there are, and what each part takes from the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pulumi import Input, Output, ResourceOptions
from pulumi_azure_native import authorization

from components.aks_cluster import AksCluster, Cluster
from components.aks_node_pools import NodePools
from components.container_registry import ContainerRegistry, Registry
from components.data_factory import DataFactory, Factory
from components.data_lake import DataLake, Lake
from components.databricks_compute import ClusterPolicy
from components.databricks_workspace import AccessConnector, DatabricksWorkspace, Workspace, provider
from components.identity import deployer
from components.jobs_identity import JobsIdentity
from components.key_vault import KeyVault, Vault
from components.log_workspace import Logs, LogWorkspace
from components.monitoring import Monitoring
from components.naming import Names
from components.network import Network
from components.pods_identity import pods_identity
from components.resource_group import ResourceGroup
from components.site import Ground, Site, owner
from components.unity_catalog import UnityCatalog
from stacks import arguments, needs
from stacks.existing import Found, find
from stacks.needs import Inside, Parts
from stacks.place import Place
from stacks.settings import PROJECT, Settings
from workloads.spec import Workload


@dataclass(frozen=True)
class Platform:
    """The parts of a platform, created or found.

    `databricks` is for what is declared inside the workspace, once its volumes are there; `policy`, `jobs` and `pods`
    are the cluster policy, and who jobs and pods are, where the stack has them; `identities` are the application ids of
    all of ours; `parts` are what only some workloads need.
    """

    group: Input[str]
    lake: Lake
    vault: Vault
    registry: Registry
    logs: Logs
    workspace: Workspace
    factory: Factory
    cluster: Cluster
    databricks: ResourceOptions
    policy: Output[str] | None
    jobs: Output[str] | None
    pods: Output[str] | None
    identities: Mapping[str, Output[str]]
    parts: Parts


def declare(settings: Settings, place: Place, catalog: str, workloads: tuple[Workload, ...]) -> Platform:
    """Declares what of the platform is not there already.

    Raises NamingError, ExistingError and what the arguments raise, before it declares anything.
    """
    needs.check(settings, workloads)
    site, found = _site(settings, place)
    scope = f"{PROJECT}-{place.stack}"

    logs = found.log_workspace or LogWorkspace("logs", site, settings.monitoring.log_retention_days).logs
    vault_args = arguments.key_vault(settings, recover=place.recover_vault)
    vault = found.key_vault or KeyVault("key-vault", site, vault_args).vault
    lake = found.data_lake or DataLake("data-lake", site, arguments.lake(settings)).lake
    registry = found.container_registry or _registry(settings, site)
    workspace = found.workspace or DatabricksWorkspace("databricks", site).workspace
    databricks = found.inside or provider("databricks", workspace, auth_type=place.auth_type)
    inside, policy, jobs, own = ResourceOptions(provider=databricks), None, None, None
    if found.workspace is None:
        jobs = JobsIdentity("jobs", site, vault, scope, inside).application_id
        compute = arguments.compute(settings, place.stack, arguments.cluster(settings, catalog))
        policy = ClusterPolicy("compute", compute, jobs, inside).id
        connector = AccessConnector("access", site, lake)
        unity = UnityCatalog("unity", arguments.catalog(settings, catalog, workloads), lake, connector, jobs, inside)
        own = Inside(jobs, connector, inside)
        inside = ResourceOptions(provider=databricks, depends_on=[unity.volumes["models"]])
    parts = needs.declare(settings, site, found, vault, workloads, scope=scope, inside=own)
    factory = found.data_factory or DataFactory("data-factory", site, lake, workspace).factory
    cluster, pods = found.aks_cluster, None
    if cluster is None:
        cluster = AksCluster("aks", site, arguments.aks(settings), registry.id).cluster
        pools = NodePools("node-pools", site, cluster, arguments.node_pools(settings))
        cluster = cluster.after(pools.user)
        pods = pods_identity(site, vault, cluster, scope).client_id

    deploys = deployer(site, place.stack, settings.github_repository) if settings.github_repository else None
    if found.log_workspace is None:
        watched = {
            "aks": (found.aks_cluster, cluster.id),
            "container-registry": (found.container_registry, registry.id),
            "data-factory": (found.data_factory, factory.id),
            "data-lake": (found.data_lake, lake.id),
            "databricks": (found.workspace, workspace.id),
            "key-vault": (found.key_vault, vault.id),
        }
        ours = {what: id_ for what, (there, id_) in watched.items() if there is None}
        Monitoring("monitoring", site, arguments.monitoring(settings), logs, {**ours, **parts.ours})
    identities = {"deploy": deploys and deploys.client_id, "jobs": jobs, "pods": pods}
    return Platform(
        *(site.group, lake, vault, registry, logs, workspace, factory, cluster, inside, policy, jobs, pods),
        identities={name: id_ for name, id_ in identities.items() if id_ is not None},
        parts=parts,
    )


def _site(settings: Settings, place: Place) -> tuple[Site, Found]:
    """Where everything goes, and what is there already.

    What can be wrong with settings is found out here, before the first resource.
    """
    client = authorization.get_client_config()
    names = Names(PROJECT, place.stack, client.subscription_id, settings.names)
    network, tags = arguments.network(settings), arguments.tags(settings, place.stack)
    arguments.aks(settings)
    arguments.node_pools(settings)
    found = find(settings.existing, names, owner=owner(PROJECT, place.stack), auth_type=place.auth_type)
    group = (
        found.group
        or ResourceGroup(
            "group",
            group_name=names.of("resource_group"),
            location=settings.location,
            tags=tags,
            protect=settings.protect,
        ).group
    )
    ids = (client.subscription_id, client.tenant_id)
    ground = Ground(names, settings.location, tags, *ids, group.name, settings.protect)
    return Site(**vars(ground), network=Network("network", ground, network)), found


def _registry(settings: Settings, site: Site) -> Registry:
    days = settings.container_registry.retention_days
    return ContainerRegistry("container-registry", site, retention_days=days).registry
