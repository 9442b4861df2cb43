"""How resources can be reached. This is the only module that compares the level of isolation.

Owns what stands around resources (firewall rules now, endpoints and subnets where a level needs them); not the
resources, which their components create through `attach`: it gives each the inputs that its level asks for.

Level `public`: public addresses, no public IP on cluster nodes, TLS and Entra identities only. An allow-list closes the
cluster's API server to other addresses. It cannot close the data lake: job clusters stand in a network of Databricks'
own and reach storage of their region by addresses that no firewall rule can name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pulumi

Declared = TypeVar("Declared", bound=pulumi.Resource)
Inputs = dict[str, Any]


@dataclass(frozen=True)
class Network:
    """A level of isolation, and the addresses (CIDR) from which public endpoints are reached (empty: from all)."""

    isolation: str
    allowed_addresses: Sequence[str] = ()

    def attach(
        self, kind: Callable[..., Declared], name: str, /, *, opts: pulumi.ResourceOptions, **inputs: Any
    ) -> Declared:
        """Declares a resource of that kind, as this network lets it be reached. Raises KeyError for an unknown kind."""
        rules = _LEVELS[self.isolation][kind.__name__](self)
        return kind(name, **inputs, **rules, opts=opts)


def _storage_account(network: Network) -> Inputs:
    return {
        "public_network_access": "Enabled",
        "network_rule_set": {"default_action": "Allow", "bypass": "AzureServices"},
    }


def _workspace(network: Network) -> Inputs:
    return {"public_network_access": "Enabled", "parameters": {"enable_no_public_ip": {"value": True}}}


def _factory(network: Network) -> Inputs:
    return {"public_network_access": "Enabled"}


def _managed_cluster(network: Network) -> Inputs:
    profile: Inputs = {"disable_run_command": True}
    if network.allowed_addresses:
        profile["authorized_ip_ranges"] = list(network.allowed_addresses)
    return {"api_server_access_profile": profile}


_LEVELS: Mapping[str, Mapping[str, Callable[[Network], Inputs]]] = {
    "public": {
        "StorageAccount": _storage_account,
        "Workspace": _workspace,
        "Factory": _factory,
        "ManagedCluster": _managed_cluster,
    },
}
