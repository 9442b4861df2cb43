"""The virtual network of a stack: its subnets, and the way out.

Owns the network, a security group and subnets for what stands in it, and the NAT gateway by which all of it reaches the
internet from one address. Not who stands there, nor private endpoints (private_link.py).

A subnet is a sixteenth of the address space. Subnets are declared one after the other, for Azure changes a network by
one request at a time. The security group holds no rules of ours: Azure's own let the network talk to itself and out,
nobody in; Databricks adds those that it needs to the subnets delegated to it.
"""

from __future__ import annotations

from ipaddress import IPv4Network

import pulumi
from pulumi import Output, ResourceOptions
from pulumi_azure_native import network

from components.site import Ground

DATABRICKS = ("databricks-host", "databricks-container")
CLUSTER, ENDPOINTS = "aks", "endpoints"
SUBNETS = (*DATABRICKS, CLUSTER, ENDPOINTS)
POD_CIDR, SERVICE_CIDR = "10.244.0.0/16", "10.0.0.0/16"
"""Addresses of pods and services, which exist inside the cluster only."""
PARTS = 4  # bits by which a subnet's prefix is longer than the network's
DELEGATED_TO = "Microsoft.Databricks/workspaces"
REACHED_BY_SUBNET = ("Microsoft.AzureCosmosDB", "Microsoft.EventHub", "Microsoft.KeyVault", "Microsoft.Storage")
"""Services whose firewalls can name a subnet (service endpoints)."""


class VirtualNetwork(pulumi.ComponentResource):
    """A virtual network. `subnets` maps their names to their ids."""

    id: Output[str]
    subnets: dict[str, Output[str]]

    def __init__(
        self, name: str, ground: Ground, address_space: IPv4Network, opts: ResourceOptions | None = None
    ) -> None:
        super().__init__("medallion:components:VirtualNetwork", name, None, opts)
        self._name, self._ground = name, ground
        whole = network.VirtualNetwork(
            f"{name}-network",
            virtual_network_name=ground.names.of("virtual_network"),
            address_space={"address_prefixes": [str(address_space)]},
            **self._place(),
        )
        guard = network.NetworkSecurityGroup(
            f"{name}-security-group",
            network_security_group_name=ground.names.of("network_security_group"),
            **self._place(),
        )
        way_out = self._nat_gateway()
        blocks = address_space.subnets(prefixlen_diff=PARTS)
        self.id, self.subnets, previous = whole.id, {}, []
        for subnet, block in zip(SUBNETS, blocks, strict=False):
            previous = [self._subnet(subnet, block, whole, guard, way_out, previous)]
            self.subnets[subnet] = previous[0].id
        self.register_outputs({"id": self.id, "subnets": self.subnets})

    def _place(self) -> dict:
        """What all resources share that have a location."""
        ground = self._ground
        return {
            "resource_group_name": ground.group,
            "location": ground.location,
            "tags": ground.tags,
            "opts": ResourceOptions(parent=self),
        }

    def _nat_gateway(self) -> network.NatGateway:
        """The way out, by one fixed address."""
        address = network.PublicIPAddress(
            f"{self._name}-outbound-address",
            public_ip_address_name=self._ground.names.of("public_ip"),
            public_ip_allocation_method="Static",
            public_ip_address_version="IPv4",
            sku={"name": "Standard"},
            **self._place(),
        )
        return network.NatGateway(
            f"{self._name}-nat-gateway",
            nat_gateway_name=self._ground.names.of("nat_gateway"),
            public_ip_addresses=[{"id": address.id}],
            sku={"name": "Standard"},
            idle_timeout_in_minutes=4,
            **self._place(),
        )

    def _subnet(
        self,
        name: str,
        block: IPv4Network,
        whole: network.VirtualNetwork,
        guard: network.NetworkSecurityGroup,
        way_out: network.NatGateway,
        previous: list[network.Subnet],
    ) -> network.Subnet:
        """A subnet; only what runs in one needs a way out and a way to the services."""
        inputs: dict = {}
        if name != ENDPOINTS:
            inputs["nat_gateway"] = {"id": way_out.id}
            inputs["service_endpoints"] = [{"service": service} for service in REACHED_BY_SUBNET]
        if name in DATABRICKS:
            inputs["delegations"] = [{"name": "databricks", "service_name": DELEGATED_TO}]
        return network.Subnet(
            f"{self._name}-subnet-{name}",
            subnet_name=name,
            virtual_network_name=whole.name,
            resource_group_name=self._ground.group,
            address_prefix=str(block),
            network_security_group={"id": guard.id},
            default_outbound_access=False,
            **inputs,
            opts=ResourceOptions(parent=self, depends_on=previous),
        )
