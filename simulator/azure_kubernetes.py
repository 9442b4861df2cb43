"""The simulated Azure's Kubernetes clusters, their node pools, and when they may be maintained."""

import base64
import ipaddress
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from simulator import azure_network as network
from simulator import azure_rules as rules
from simulator.azure_rules import GROUP, PLACE, TENANT, guid, refuse, text, wrong
from simulator.kinds import Kind
from simulator.state import Cloud, CloudError, Resource

CLUSTER = GROUP + "/providers/Microsoft.ContainerService/managedClusters/{resourceName}"
POOL = "azure-native:containerservice:AgentPool"
IN_CLUSTER = ("resourceGroupName", "resourceName")
NETWORK = ("networkPlugin", "networkPluginMode", "podCidr", "serviceCidr", "dnsServiceIP", "outboundType")
KUBERNETES_VERSIONS = ("1.34", "1.35", "1.36")
POOL_NAME = r"[a-z][a-z0-9]{0,11}"
TAINT = r"[-\w./]+(=[-\w.]*)?:(NoSchedule|PreferNoSchedule|NoExecute)"
ZONES = ("1", "2", "3")
SERVICE_CIDR = "10.0.0.0/16"  # unless another is given: https://learn.microsoft.com/azure/aks/configure-azure-cni
DEFAULT_DISK_GB = 128
CACHE_GB: Mapping[str, int] = {
    "Standard_D2s_v3": 50,
    "Standard_D4s_v3": 100,
    "Standard_D8s_v3": 200,
    "Standard_D16s_v3": 400,
    "Standard_DS2_v2": 86,
    "Standard_DS3_v2": 172,
    "Standard_DS4_v2": 344,
}
"""How much an ephemeral system disk may have, by VM size; of other sizes nothing is known here.
Sources: https://learn.microsoft.com/azure/virtual-machines/dsv3-series and .../dv2-dsv2-series (cache size)"""
STAYS = ("availabilityZones", "maxPods", "osDiskSizeGB", "osDiskType", "osType", "scaleSetPriority", "vnetSubnetID")
"""What of a pool never changes, although azure-native does not replace it.
Source: https://learn.microsoft.com/azure/aks/manage-node-pools#limitations"""
WITH_IDENTITY = ("azureKeyvaultSecretsProvider", "azurepolicy", "omsagent")
HOURS = range(4, 25)  # https://learn.microsoft.com/azure/aks/planned-maintenance


def _invalid(resource: Resource, property_: str, message: str, code: str = "InvalidParameter") -> CloudError:
    return wrong(resource, property_, message, code)


# node pools


def _pool(cloud: Cloud, resource: Resource, pool: Mapping[str, Any], name: str) -> None:
    """What AKS refuses of a pool, be it part of a cluster or a resource of its own."""
    longest = 6 if pool.get("osType") == "Windows" else 12
    if not re.fullmatch(POOL_NAME, name) or len(name) > longest:
        raise _invalid(resource, "name", f"The agent pool name '{name}' is invalid.")
    if not set(pool.get("availabilityZones") or ()) <= set(ZONES):
        raise _invalid(resource, "availabilityZones", f"{pool['availabilityZones']} are not all of 1, 2 and 3.")
    for taint in pool.get("nodeTaints") or ():
        if not re.fullmatch(TAINT, taint):
            raise _invalid(resource, "nodeTaints", f"'{taint}' is not of the form key=value:effect.")
    _scale(resource, pool)
    _spot(resource, pool)
    _system(resource, pool)
    _disk(resource, pool)
    for property_ in ("vnetSubnetID", "podSubnetID"):
        if pool.get(property_):
            rules.referenced(cloud, resource, property_, pool[property_], network.SUBNET_TYPE)


def _scale(resource: Resource, pool: Mapping[str, Any]) -> None:
    """https://learn.microsoft.com/azure/aks/cluster-autoscaler"""
    least, most, count = (pool.get(name) for name in ("minCount", "maxCount", "count"))
    if not pool.get("enableAutoScaling"):
        if least is not None or most is not None:
            raise _invalid(resource, "minCount", "it is given only where enableAutoScaling is on.")
        if count is None:
            raise _invalid(resource, "count", "Required parameter count is missing (null).")
    elif least is None or most is None or not least <= (least if count is None else count) <= most:
        message = f"minCount {least}, count {count} and maxCount {most} must be given, and rise."
        raise _invalid(resource, "minCount", message)


def _spot(resource: Resource, pool: Mapping[str, Any]) -> None:
    """https://learn.microsoft.com/azure/aks/spot-node-pool"""
    if pool.get("scaleSetPriority") != "Spot":
        for property_ in ("scaleSetEvictionPolicy", "spotMaxPrice"):
            if pool.get(property_) is not None:
                raise _invalid(resource, property_, "it cannot be given unless scaleSetPriority is 'Spot'.")
    elif pool.get("mode") != "User":
        message = "System node pools must be regular: a pool of scaleSetPriority Spot is of mode User."
        raise _invalid(resource, "scaleSetPriority", message, "SystemPoolMustBeRegular")


def _system(resource: Resource, pool: Mapping[str, Any]) -> None:
    """https://learn.microsoft.com/azure/aks/use-system-pools"""
    if pool.get("mode") != "System":
        return
    if pool.get("osType", "Linux") != "Linux":
        raise _invalid(resource, "osType", "System node pools must be Linux.", "SystemPoolMustBeLinux")
    for taint in pool.get("nodeTaints") or ():
        if not taint.startswith("CriticalAddonsOnly=") and not taint.endswith(":PreferNoSchedule"):
            message = (
                f"'{taint}': Placing custom taints on system pool is not supported (except 'CriticalAddonsOnly' taint"
                " or taint effect is 'PreferNoSchedule')."
            )
            raise _invalid(resource, "nodeTaints", message, "SystemPoolHasRestrictedTaint")


def _disk(resource: Resource, pool: Mapping[str, Any]) -> None:
    """https://learn.microsoft.com/azure/aks/concepts-storage#ephemeral-os-disk"""
    size, cache = pool.get("osDiskSizeGB") or DEFAULT_DISK_GB, CACHE_GB.get(pool.get("vmSize") or "")
    if pool.get("osDiskType") == "Ephemeral" and cache is not None and size > cache:
        message = (
            f"The virtual machine size {pool['vmSize']} has a cache size of {cache} GB, but the OS disk requires"
            f" {size} GB. Use a VM size with larger cache or disable ephemeral OS."
        )
        raise _invalid(resource, "osDiskSizeGB", message, "VMCacheSizeTooSmall")


def _pools(cloud: Cloud, cluster: Resource) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """All pools of a cluster by name: those that came with it, and those that are resources of their own."""
    for pool in cluster.inputs.get("agentPoolProfiles") or ():
        yield pool["name"], pool
    for child in cloud.children(cluster.key):
        if child.type == POOL:
            yield child.inputs["agentPoolName"], child.inputs


def _agent_pool(cloud: Cloud, resource: Resource) -> None:
    cluster, name, asked = cloud.get(resource.parent), resource.inputs["agentPoolName"], resource.inputs
    assert cluster is not None
    if name in [pool["name"] for pool in cluster.inputs.get("agentPoolProfiles") or ()]:
        raise CloudError(f"cannot create already existing resource '{resource.id}': it came with its cluster")
    if not asked.get("vmSize"):
        raise _invalid(resource, "vmSize", "Required parameter vmSize is missing (null).")
    rules.unchangeable(cloud, resource, *STAYS)
    _pool(cloud, resource, asked, name)
    _one_network(cloud, resource, [*dict(_pools(cloud, cluster)).values(), asked])
    version = asked.get("orchestratorVersion")
    current = cluster.computed["currentKubernetesVersion"]
    if version and _numbers(version) > _numbers(current):
        message = f"Node pool version {version} and control plane version {current} are incompatible."
        raise _invalid(resource, "orchestratorVersion", message, "NodePoolMcVersionIncompatible")


def _numbers(version: str) -> tuple[int, ...]:
    """Major and minor version, which are compared."""
    return tuple(int(part) for part in version.split(".")[:2])


def _one_network(cloud: Cloud, resource: Resource, pools: list[Mapping[str, Any]]) -> None:
    """https://learn.microsoft.com/azure/aks/node-pool-unique-subnet#limitations"""
    subnets = [pool.get("vnetSubnetID") or "" for pool in pools]
    if len({subnet.lower().rpartition("/subnets/")[0] for subnet in subnets}) > 1:
        message = "All node pools of a cluster must be in subnets of one virtual network, or none in any."
        raise _invalid(resource, "vnetSubnetID", message)


def _pool_not_last(cloud: Cloud, resource: Resource) -> None:
    cluster = cloud.get(resource.parent)
    assert cluster is not None
    systems = [name for name, pool in _pools(cloud, cluster) if pool.get("mode") == "System"]
    if systems == [resource.inputs["agentPoolName"]]:
        message = f"There has to be at least one system agent pool: {resource.id} is the last of its cluster."
        raise refuse(400, "OperationNotAllowed", message)


# clusters


def _cluster(cloud: Cloud, resource: Resource) -> None:
    """https://learn.microsoft.com/azure/aks/supported-kubernetes-versions and .../use-system-pools"""
    rules.identities_exist(cloud, resource)
    version = resource.inputs.get("kubernetesVersion") or KUBERNETES_VERSIONS[-1]
    if not version.startswith(KUBERNETES_VERSIONS):
        message = f"Managed cluster is on version {version}, which is not supported in this region."
        raise _invalid(resource, "kubernetesVersion", message, "K8sVersionNotSupported")
    pools = resource.inputs.get("agentPoolProfiles") or []
    if not any(pool.get("mode") == "System" for pool in pools):
        raise _invalid(resource, "agentPoolProfiles", "Must define at least one system pool.")
    for pool in pools:
        _pool(cloud, resource, pool, pool["name"])
    _pools_stay(cloud, resource, pools)
    _one_network(cloud, resource, pools)
    if not resource.inputs.get("dnsPrefix") and not resource.inputs.get("fqdnSubdomain"):
        raise _invalid(resource, "dnsPrefix", "Required parameter dnsPrefix is missing (null).")
    _addresses(cloud, resource, pools)
    _api_server(cloud, resource)
    _addons(cloud, resource)


def _pools_stay(cloud: Cloud, resource: Resource, pools: list[Mapping[str, Any]]) -> None:
    old = cloud.get(resource.key)
    before = {pool["name"]: pool for pool in (old.inputs.get("agentPoolProfiles") or ())} if old else {}
    for pool in pools:
        for name in (*STAYS, "vmSize"):
            if pool["name"] in before and before[pool["name"]].get(name) != pool.get(name):
                message = f"changing {name} of '{pool['name']}' is not allowed."
                raise wrong(resource, "agentPoolProfiles", message, "PropertyChangeNotAllowed")


def _addresses(cloud: Cloud, resource: Resource, pools: list[Mapping[str, Any]]) -> None:
    """Services' addresses are none of the network's, and an own gateway stands at the subnet."""
    profile = resource.inputs.get("networkProfile") or {}
    subnet = rules.find(cloud, next((pool["vnetSubnetID"] for pool in pools if pool.get("vnetSubnetID")), ""))
    if profile.get("outboundType") == "userAssignedNATGateway" and not (subnet and subnet.inputs.get("natGateway")):
        message = "outboundType userAssignedNATGateway needs a vnetSubnetID with a NAT gateway."
        raise _invalid(resource, "networkProfile", message)
    if subnet is None:
        return
    services = ipaddress.ip_network(profile.get("serviceCidr") or SERVICE_CIDR)
    for child in cloud.children(subnet.parent):
        taken = network.ranges(child, network.prefixes(child)) if child.type == network.SUBNET else []
        if network.overlap([services], taken):
            message = f"The specified service CIDR {services} is conflicted with an existing subnet CIDR {taken[0]}"
            raise _invalid(resource, "networkProfile.serviceCidr", message, "ServiceCidrOverlapExistingSubnetsCidr")


def _api_server(cloud: Cloud, resource: Resource) -> None:
    """https://learn.microsoft.com/azure/aks/private-clusters"""
    profile = resource.inputs.get("apiServerAccessProfile") or {}
    is_private, zone = profile.get("enablePrivateCluster"), profile.get("privateDNSZone")
    if is_private and profile.get("authorizedIPRanges"):
        message = "Authorized IP ranges cannot be used with a private cluster: they are for the public API server."
        raise _invalid(resource, "apiServerAccessProfile.authorizedIPRanges", message)
    if zone and not is_private:
        raise _invalid(resource, "apiServerAccessProfile.privateDNSZone", "only a private cluster has one.")
    if not zone or zone.lower() in ("system", "none"):
        return
    property_ = "apiServerAccessProfile.privateDNSZone"
    rules.referenced(cloud, resource, property_, zone, "Microsoft.Network/privateDnsZones")
    if "UserAssigned" not in text(resource.inputs, "identity", "type"):
        raise _invalid(resource, property_, "a private DNS zone of one's own needs a user-assigned identity.")


def _addons(cloud: Cloud, resource: Resource) -> None:
    for name, addon in (resource.inputs.get("addonProfiles") or {}).items():
        workspace = (addon.get("config") or {}).get("logAnalyticsWorkspaceResourceID")
        if addon["enabled"] and workspace:
            type_ = "Microsoft.OperationalInsights/workspaces"
            rules.referenced(cloud, resource, f"addonProfiles.{name}", workspace, type_)


def _maintenance(cloud: Cloud, resource: Resource) -> None:
    """https://learn.microsoft.com/azure/aks/planned-maintenance"""
    window, name = resource.inputs.get("maintenanceWindow"), resource.inputs["configName"]
    if name == "default":
        if window or not (resource.inputs.get("timeInWeek") or resource.inputs.get("notAllowedTime")):
            raise _invalid(resource, "timeInWeek", "the configuration 'default' has this, and no maintenanceWindow.")
        return
    if not window:
        raise _invalid(resource, "maintenanceWindow", f"the configuration '{name}' needs it.")
    if window.get("durationHours", 24) not in HOURS:
        message = f"durationHours: {window['durationHours']} is not 4 to 24."
        raise _invalid(resource, "maintenanceWindow", message)
    if len([kind for kind, schedule in window["schedule"].items() if schedule]) != 1:
        raise _invalid(resource, "maintenanceWindow", "schedule: there must be exactly one.")
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", window["startTime"]):
        raise _invalid(resource, "maintenanceWindow", f"startTime: '{window['startTime']}' is not of the form 02:00.")


# what Azure adds


def _managed_cluster(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    asked, location = resource.inputs, rules.location(cloud, resource)
    version = asked.get("kubernetesVersion") or KUBERNETES_VERSIONS[-1]
    group, name = asked["resourceGroupName"], asked["resourceName"]
    host = asked.get("fqdnSubdomain") or f"{asked['dnsPrefix']}-{guid(resource.id)[:8]}"
    outputs = {
        **rules.tracked(cloud, resource),
        "kubernetesVersion": version,
        "currentKubernetesVersion": version if version.count(".") == 2 else f"{version}.0",
        "fqdn": f"{host}.hcp.{location}.azmk8s.io",
        "azurePortalFQDN": f"{host}.portal.hcp.{location}.azmk8s.io",
        "nodeResourceGroup": asked.get("nodeResourceGroup") or f"MC_{group}_{name}_{location}",
        "powerState": {"code": "Running"},
        "maxAgentPools": 100,
        "identityProfile": asked.get("identityProfile")
        or {
            "kubeletidentity": {
                "clientId": guid(resource.id, "kubelet", "client"),
                "objectId": guid(resource.id, "kubelet", "object"),
            }
        },
    }
    if (asked.get("apiServerAccessProfile") or {}).get("enablePrivateCluster"):
        outputs["privateFQDN"] = f"{host}.{guid(resource.id, 'private')}.privatelink.{location}.azmk8s.io"
    if asked.get("addonProfiles"):
        outputs["addonProfiles"] = {
            name: addon | (_addon_identity(resource, outputs, name) if addon["enabled"] else {})
            for name, addon in asked["addonProfiles"].items()
        }
    if (asked.get("oidcIssuerProfile") or {}).get("enabled"):
        issuer = f"https://{location}.oic.prod-aks.azure.com/{TENANT}/{guid(resource.id, 'oidc')}/"
        outputs["oidcIssuerProfile"] = {"enabled": True, "issuerURL": issuer}
    return outputs


def _agent_pool_outputs(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    cluster = cloud.get(resource.parent)
    version = cluster.computed["currentKubernetesVersion"] if cluster else ""
    state = {"provisioningState": "Succeeded", "currentOrchestratorVersion": version}
    return {"name": resource.inputs["agentPoolName"], **state}


def _addon_identity(resource: Resource, outputs: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The identity that AKS makes for an add-on, in the group of the nodes."""
    if name not in WITH_IDENTITY:
        return {}
    group = f"{'/'.join(resource.id.split('/')[:3])}/resourceGroups/{outputs['nodeResourceGroup']}"
    identities = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
    ids = {which: guid(resource.id, name, which) for which in ("clientId", "objectId")}
    return {"identity": {**ids, "resourceId": f"{identities}/{name.lower()}-{resource.inputs['resourceName']}"}}


def kubeconfig(cluster: Resource) -> str:
    """The settings with which a person reaches a cluster through Entra ID, as AKS hands them out (format `exec`)."""
    name, group = cluster.inputs["resourceName"], cluster.inputs["resourceGroupName"]
    user = f"clusterUser_{group}_{name}"
    server_id, client_id = "6dae42f8-4368-4678-94ff-3960e28e3630", "80faf920-1908-4b52-b5ef-a8e7bedfc67a"
    arguments = ["get-token", "--login", "devicecode", "--environment", "AzurePublicCloud"]
    arguments += ["--server-id", server_id, "--client-id", client_id, "--tenant-id", TENANT]
    server = {
        "certificate-authority-data": base64.b64encode(b"simulated certificate authority").decode(),
        "server": f"https://{cluster.computed.get('privateFQDN') or cluster.computed['fqdn']}:443",
    }
    exec_ = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "kubelogin",
        "args": arguments,
        "env": None,
        "provideClusterInfo": False,
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": server}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
        "current-context": name,
        "preferences": {},
        "users": [{"name": user, "user": {"exec": exec_}}],
    }
    return json.dumps(config, indent=2) + "\n"  # JSON is YAML


KINDS = (
    Kind(
        "azure-native:containerservice:ManagedCluster",
        CLUSTER,
        naming={"resourceName": r"[A-Za-z0-9]([-\w]{0,61}[A-Za-z0-9])?"},
        replace=(
            *(*PLACE, "resourceName", "dnsPrefix", "fqdnSubdomain", "nodeResourceGroup", "diskEncryptionSetID"),
            *(f"networkProfile.{name}" for name in NETWORK),
        ),
        rules=_cluster,
        outputs=_managed_cluster,
        computed=(
            *("addonProfiles", "identity", "identityProfile", "kubernetesVersion", "nodeResourceGroup"),
            "oidcIssuerProfile",
        ),
    ),
    Kind(
        POOL,
        CLUSTER + "/agentPools/{agentPoolName}",
        naming={"agentPoolName": POOL_NAME},
        replace=(*IN_CLUSTER, "agentPoolName", "vmSize", "gpuInstanceProfile", "networkProfile.nodePublicIPTags"),
        rules=_agent_pool,
        outputs=_agent_pool_outputs,
        deletable=_pool_not_last,
    ),
    Kind(
        "azure-native:containerservice:MaintenanceConfiguration",
        CLUSTER + "/maintenanceConfigurations/{configName}",
        naming={"configName": r"default|aksManagedAutoUpgradeSchedule|aksManagedNodeOSUpgradeSchedule"},
        replace=(*IN_CLUSTER, "configName"),
        rules=_maintenance,
        outputs=rules.common,
    ),
)
