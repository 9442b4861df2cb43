"""How a data factory reaches resources that have no public address: by endpoints in a network that Azure manages.

Owns that network, the integration runtime in it, and the endpoints. The owner of each target has to approve its
connection once (docs/azure.md). Azure never deletes the network but with its factory, so it is retained; azure-native
has no type for it, but a generic one.
Source: https://learn.microsoft.com/azure/data-factory/managed-virtual-network-private-endpoint
"""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi import Input, Output, ResourceOptions
from pulumi_azure_native import datafactory, resources

NETWORK, RUNTIME = "default", "managed"


class FactoryNetwork(pulumi.ComponentResource):
    """The managed network of a factory. `runtime` is what linked services go through.

    `targets` maps names to the id of a resource and what of it is reached (its group).
    """

    runtime: Output[str]

    def __init__(
        self,
        name: str,
        group: Input[str],
        factory: datafactory.Factory,
        targets: Mapping[str, tuple[Input[str], str]],
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("medallion:components:FactoryNetwork", name, None, opts)
        place = {"factory_name": factory.name, "resource_group_name": group}
        network = resources.Resource(
            f"{name}-network",
            resource_group_name=group,
            resource_provider_namespace="Microsoft.DataFactory",
            parent_resource_path=Output.concat("factories/", factory.name),
            resource_type="managedVirtualNetworks",
            resource_name_=NETWORK,
            api_version="2018-06-01",
            properties={},
            opts=ResourceOptions(parent=self, retain_on_delete=True),
        )
        inside = ResourceOptions(parent=self, depends_on=[network])
        runtime = datafactory.IntegrationRuntime(
            f"{name}-runtime",
            integration_runtime_name=RUNTIME,
            properties=datafactory.ManagedIntegrationRuntimeArgs(
                type="Managed",
                managed_virtual_network={"reference_name": NETWORK, "type": "ManagedVirtualNetworkReference"},
                compute_properties={"location": "AutoResolve"},
            ),
            **place,
            opts=inside,
        )
        for target, (id_, reached) in targets.items():
            datafactory.ManagedPrivateEndpoint(
                f"{name}-to-{target}",
                managed_private_endpoint_name=target,
                managed_virtual_network_name=NETWORK,
                properties={"private_link_resource_id": id_, "group_id": reached},
                **place,
                opts=inside,
            )
        self.runtime = runtime.name
        self.register_outputs({"runtime": self.runtime})
