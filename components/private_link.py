"""Private endpoints: addresses inside the virtual network for resources that have none outside.

Owns endpoints and the private DNS zones that lead names to them; a zone is declared with the first endpoint that needs
it. Zones and groups: https://learn.microsoft.com/azure/private-link/private-endpoint-dns
"""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi import Input, Output, ResourceOptions
from pulumi_azure_native import network, privatedns

from components.site import Ground

ZONES: Mapping[str, str] = {
    "Cassandra": "privatelink.cassandra.cosmos.azure.com",
    "blob": "privatelink.blob.core.windows.net",
    "browser_authentication": "privatelink.azuredatabricks.net",
    "databricks_ui_api": "privatelink.azuredatabricks.net",
    "dataFactory": "privatelink.datafactory.azure.net",
    "dfs": "privatelink.dfs.core.windows.net",
    "namespace": "privatelink.servicebus.windows.net",
    "registry": "privatelink.azurecr.io",
    "vault": "privatelink.vaultcore.azure.net",
}
"""What an endpoint leads to (its group) → the DNS zone of its name."""


class PrivateLink(pulumi.ComponentResource):
    """The private endpoints of a stack, in one subnet of its network."""

    def __init__(
        self,
        name: str,
        ground: Ground,
        virtual_network: Input[str],
        subnet: Input[str],
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("medallion:components:PrivateLink", name, None, opts)
        self._name, self._ground, self._network, self._subnet = name, ground, virtual_network, subnet
        self._zones: dict[str, privatedns.PrivateZone] = {}
        self.register_outputs({})

    def endpoint(self, name: str, group: str, target: Input[str], opts: ResourceOptions) -> pulumi.Resource:
        """Declares an endpoint that leads to `group` of a resource. Returns what to wait for until its name does."""
        ground = self._ground
        own = ground.names.of("private_endpoint", name)
        endpoint = network.PrivateEndpoint(
            f"{name}-endpoint",
            private_endpoint_name=own,
            resource_group_name=ground.group,
            location=ground.location,
            subnet={"id": self._subnet},
            private_link_service_connections=[
                {"name": name, "group_ids": [group], "private_link_service_id": target},
            ],
            custom_network_interface_name=f"nic-{own}",
            tags=ground.tags,
            opts=opts,
        )
        zone = ZONES[group]
        return network.PrivateDnsZoneGroup(
            f"{name}-endpoint-name",
            private_dns_zone_group_name="default",
            private_endpoint_name=endpoint.name,
            resource_group_name=ground.group,
            private_dns_zone_configs=[{"name": zone.replace(".", "-"), "private_dns_zone_id": self._zone(zone)}],
            opts=opts,
        )

    def _zone(self, zone: str) -> Output[str]:
        """The id of a zone, in which the network looks names up."""
        if zone not in self._zones:
            self._zones[zone] = privatedns.PrivateZone(
                f"{self._name}-{zone}",
                private_zone_name=zone,
                resource_group_name=self._ground.group,
                location="global",
                tags=self._ground.tags,
                opts=ResourceOptions(parent=self),
            )
            privatedns.VirtualNetworkLink(
                f"{self._name}-{zone}-link",
                virtual_network_link_name="network",
                private_zone_name=self._zones[zone].name,
                resource_group_name=self._ground.group,
                location="global",
                registration_enabled=False,
                virtual_network={"id": self._network},
                tags=self._ground.tags,
                opts=ResourceOptions(parent=self),
            )
        return self._zones[zone].id
