"""How resources can be reached. This is the only module that compares the level of isolation.

Owns what stands around resources (firewall rules, the virtual network and private endpoints where a level has them);
not the resources, which their components create through `attach`: it gives each what its level asks for.

| level | what it means |
| --- | --- |
| `public` | public addresses, no public IP on cluster nodes, TLS and Entra identities only. An allow-list closes vault and the cluster's API server to other addresses. It cannot close data lake and event stream: job clusters stand in a network of Databricks' own and reach them by addresses that no firewall rule can name. The serving store, which takes a key, is open to Azure's own addresses, where these clusters are, and to the allow-list, never to all |
| `vnet-injected` | all nodes stand in our network and leave it by one address; lake, vault, serving store and event stream let in that network and the allow-list only |
| `private-link` | and nothing has a public address: endpoints inside the network lead to lake, vault, registry, factory, workspace, serving store and event stream. Who deploys needs a machine in the network |

The registry's firewall comes with its price tier Premium, which the level therefore chooses. Of the endpoints for
signing in by browser (`browser_authentication`), Databricks takes one for all workspaces of a region and network.
"""  # noqa: E501 (a table)

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Network
from typing import Any, TypeVar

import pulumi
from pulumi import Input, Output, ResourceOptions
from pulumi_azure_native import datafactory

from components.factory_network import FactoryNetwork
from components.private_link import PrivateLink
from components.site import Ground
from components.virtual_network import CLUSTER, DATABRICKS, ENDPOINTS, POD_CIDR, SERVICE_CIDR, VirtualNetwork

Declared = TypeVar("Declared", bound=pulumi.Resource)
Inputs = dict[str, Any]

PUBLIC, INJECTED, PRIVATE = LEVELS = ("public", "vnet-injected", "private-link")
SMALLEST = 22
"""The longest prefix of an address space: each of its subnets is a sixteenth, and Databricks takes none beyond a /26.
Source: https://learn.microsoft.com/azure/databricks/security/network/classic/vnet-inject"""
INNER = (POD_CIDR, SERVICE_CIDR)
AZURE = "0.0.0.0"  # noqa: S104 - no address to listen on
"""What Cosmos DB's firewall calls all addresses of Azure's own.
Source: https://learn.microsoft.com/azure/cosmos-db/how-to-configure-firewall"""
LEADING_TO: Mapping[str, tuple[str, ...]] = {
    "DatabaseAccount": ("Cassandra",),
    "Factory": ("dataFactory",),
    "Namespace": ("namespace",),
    "Registry": ("registry",),
    "StorageAccount": ("blob", "dfs"),
    "Vault": ("vault",),
    "Workspace": ("databricks_ui_api", "browser_authentication"),
}
"""The endpoints that a kind of resource has where it has no public address."""


class NetworkError(ValueError):
    """An address space that cannot be ours; the text says why."""


@dataclass(frozen=True)
class NetworkArgs:
    """The level of isolation, addresses that reach public endpoints (none: all), and the network's address space."""

    isolation: str
    allowed_addresses: tuple[IPv4Network, ...]
    address_space: IPv4Network

    def __post_init__(self) -> None:
        if self.address_space.prefixlen > SMALLEST:
            raise NetworkError(f"network.address_space: {self.address_space} is smaller than a /{SMALLEST}")
        for inner in INNER:
            if self.address_space.overlaps(IPv4Network(inner)):
                raise NetworkError(
                    f"network.address_space: {self.address_space} overlaps with {inner}, the cluster's own"
                )


class Network(pulumi.ComponentResource):
    """The surroundings of a stack's resources. What nobody needs is not declared."""

    def __init__(self, name: str, ground: Ground, args: NetworkArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("medallion:components:Network", name, None, opts)
        self._name, self._ground, self._level = name, ground, args.isolation
        self._space, self.allowed = args.address_space, [str(block) for block in args.allowed_addresses]
        self._endpoints: dict[pulumi.Resource, list[pulumi.Resource]] = {}
        self.register_outputs({})

    def attach(self, kind: Callable[..., Declared], name: str, /, *, opts: ResourceOptions, **inputs: Any) -> Declared:
        """Declares a resource of that kind, as this network lets it be reached. Raises KeyError for an unknown kind."""
        declared = kind(name, **_RULES[kind.__name__](self, inputs), opts=opts)
        if self.is_private:
            beside = ResourceOptions(parent=opts.parent)
            self._endpoints[declared] = [
                self._link.endpoint(f"{name}-{group.lower().replace('_', '-')}", group, declared.id, beside)
                for group in LEADING_TO.get(kind.__name__, ())
            ]
        return declared

    def ways_to(self, declared: pulumi.Resource) -> list[pulumi.Resource]:
        """What to wait for before an attached resource can be reached by its name."""
        return self._endpoints.get(declared, [])

    def let_reach(
        self,
        name: str,
        factory: datafactory.Factory,
        targets: Mapping[str, tuple[Input[str], str]],
        opts: ResourceOptions,
    ) -> Output[str] | None:
        """Lets a data factory reach resources that have no public address. Returns what it has to go through."""
        return FactoryNetwork(name, self._ground.group, factory, targets, opts).runtime if self.is_private else None

    def subnet(self, name: str) -> Output[str] | None:
        """The id of a subnet, where nodes stand in a network of ours."""
        return None if self._level == PUBLIC else self._own.subnets[name]

    @property
    def is_private(self) -> bool:
        """Whether resources have addresses inside the network only."""
        return self._level == PRIVATE

    @cached_property
    def _own(self) -> VirtualNetwork:
        return VirtualNetwork(f"{self._name}-own", self._ground, self._space, ResourceOptions(parent=self))

    @cached_property
    def _link(self) -> PrivateLink:
        inside = ResourceOptions(parent=self)
        return PrivateLink(f"{self._name}-link", self._ground, self._own.id, self._own.subnets[ENDPOINTS], inside)

    @property
    def access(self) -> str:
        """Whether there is a public address, in Azure's words."""
        return "Disabled" if self.is_private else "Enabled"

    def firewall(self, *, address: str, subnet: str, open_to_all: bool) -> Inputs:
        """A firewall. `address` and `subnet` are what Azure calls a block of addresses and the id of a subnet there."""
        subnets = [self.subnet(name) for name in (*DATABRICKS, CLUSTER)] if self._level == INJECTED else []
        return {
            "bypass": "AzureServices",
            "default_action": "Allow" if open_to_all else "Deny",
            "ip_rules": [] if open_to_all else [{address: block} for block in self.allowed],
            "virtual_network_rules": [{subnet: id_} for id_ in subnets],
        }


def _storage_account(network: Network, inputs: Inputs) -> Inputs:
    open_to_all = network.subnet(CLUSTER) is None
    words = {"address": "i_p_address_or_range", "subnet": "virtual_network_resource_id"}
    rules = network.firewall(**words, open_to_all=open_to_all)
    return {**inputs, "public_network_access": network.access, "network_rule_set": rules}


def _vault(network: Network, inputs: Inputs) -> Inputs:
    open_to_all = network.subnet(CLUSTER) is None and not network.allowed
    rules = network.firewall(address="value", subnet="id", open_to_all=open_to_all)
    properties = {**inputs["properties"], "public_network_access": network.access, "network_acls": rules}
    return {**inputs, "properties": properties}


def _registry(network: Network, inputs: Inputs) -> Inputs:
    if not network.is_private:
        # no firewall in this tier, and no policies
        basic = {name: value for name, value in inputs.items() if name != "policies"}
        return {**basic, "sku": {"name": "Standard"}, "public_network_access": network.access}
    return {**inputs, "sku": {"name": "Premium"}, "public_network_access": network.access}


def _workspace(network: Network, inputs: Inputs) -> Inputs:
    parameters: Inputs = {"enable_no_public_ip": {"value": True}}
    host, container = (network.subnet(name) for name in DATABRICKS)
    rules = {}
    if host is not None and container is not None:
        parameters |= {
            "custom_virtual_network_id": {"value": host.apply(lambda id_: id_.rpartition("/subnets/")[0])},
            "custom_public_subnet_name": {"value": host.apply(_last)},
            "custom_private_subnet_name": {"value": container.apply(_last)},
        }
        rules["required_nsg_rules"] = "NoAzureDatabricksRules" if network.is_private else "AllRules"
    return {**inputs, **rules, "public_network_access": network.access, "parameters": parameters}


def _last(id_: str) -> str:
    return id_.rpartition("/")[2]


def _with_access(network: Network, inputs: Inputs) -> Inputs:
    return {**inputs, "public_network_access": network.access}


def _database_account(network: Network, inputs: Inputs) -> Inputs:
    rules = network.firewall(address="ip_address_or_range", subnet="id", open_to_all=False)
    clusters = [{"ip_address_or_range": AZURE}] if network.subnet(CLUSTER) is None else []
    return {
        **inputs,
        "public_network_access": network.access,
        "ip_rules": [*clusters, *rules["ip_rules"]],
        "is_virtual_network_filter_enabled": bool(rules["virtual_network_rules"]),
        "virtual_network_rules": rules["virtual_network_rules"],
    }


def _namespace_rules(network: Network, inputs: Inputs) -> Inputs:
    open_to_all = network.subnet(CLUSTER) is None
    rules = network.firewall(address="ip_mask", subnet="id", open_to_all=open_to_all)
    return {
        **inputs,
        "public_network_access": network.access,
        "trusted_service_access_enabled": True,
        "default_action": rules["default_action"],
        "ip_rules": [{**rule, "action": "Allow"} for rule in rules["ip_rules"]],
        "virtual_network_rules": [{"subnet": rule} for rule in rules["virtual_network_rules"]],
    }


def _managed_cluster(network: Network, inputs: Inputs) -> Inputs:
    profile: Inputs = {"disable_run_command": True}
    if network.is_private:
        profile |= {"enable_private_cluster": True, "private_dns_zone": "system"}
    elif network.allowed:
        profile["authorized_ip_ranges"] = network.allowed
    own = network.subnet(CLUSTER) is not None
    outbound = "userAssignedNATGateway" if own else "loadBalancer"
    return {
        **inputs,
        "api_server_access_profile": profile,
        "network_profile": {**inputs["network_profile"], "outbound_type": outbound},
        "agent_pool_profiles": [_agent_pool(network, pool) for pool in inputs["agent_pool_profiles"]],
    }


def _agent_pool(network: Network, inputs: Inputs) -> Inputs:
    subnet = network.subnet(CLUSTER)
    return inputs if subnet is None else {**inputs, "vnet_subnet_id": subnet}


_RULES: Mapping[str, Callable[[Network, Inputs], Inputs]] = {
    "AgentPool": _agent_pool,
    "DatabaseAccount": _database_account,
    "Factory": _with_access,
    "ManagedCluster": _managed_cluster,
    "Namespace": _with_access,
    "NamespaceNetworkRuleSet": _namespace_rules,
    "Registry": _registry,
    "StorageAccount": _storage_account,
    "Vault": _vault,
    "Workspace": _workspace,
}
