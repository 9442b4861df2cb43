"""The network: gateways and endpoints by the hour and by what goes through, addresses, and private DNS.

Sources: https://azure.microsoft.com/pricing/details/azure-nat-gateway/,
https://azure.microsoft.com/pricing/details/private-link/, https://azure.microsoft.com/pricing/details/ip-addresses/,
https://azure.microsoft.com/pricing/details/dns/, https://azure.microsoft.com/pricing/details/bandwidth/
"""

from __future__ import annotations

from collections.abc import Iterator

from policies.pricing import usage
from policies.pricing.estimate import HOURS, Context, Line
from policies.pricing.resources import Resource


def nat_gateway(resource: Resource, context: Context) -> Iterator[Line]:
    """A NAT gateway, and what goes through it. Its addresses are resources of their own."""
    gigabytes = context.usage.network.nat_gigabytes
    yield Line("NAT gateway", HOURS, "NAT gateway", f"{HOURS:g} h")
    yield Line("data", gigabytes, "NAT gateway data", f"{gigabytes:g} GB a month", ("network.nat_gigabytes",))


def public_ip(resource: Resource, context: Context) -> Iterator[Line]:
    """A public address."""
    yield Line("public IP", HOURS, "public IP", f"{HOURS:g} h")


def private_endpoint(resource: Resource, context: Context) -> Iterator[Line]:
    """A private endpoint, and what goes through it in both directions."""
    connections = resource.inputs.get("privateLinkServiceConnections") or ()
    groups = [group for connection in connections for group in connection.get("groupIds") or ()]
    group = groups[0] if groups else usage.DEFAULT
    gigabytes = usage.of(context.usage.network.endpoint_gigabytes, group)
    yield Line("private endpoint", HOURS, "private endpoint", f"{HOURS:g} h")
    yield Line(
        "data",
        gigabytes,
        "private endpoint data",
        f"{gigabytes:g} GB a month to {group}",
        ("network.endpoint_gigabytes",),
    )


def private_zone(resource: Resource, context: Context) -> Iterator[Line]:
    """A private DNS zone, and the queries to it."""
    queries = context.usage.network.dns_queries
    yield Line("DNS zone", 1, "private DNS zone", "1 zone")
    yield Line(
        "queries", queries / 1_000_000, "private DNS queries", f"{queries:,.0f} a month", ("network.dns_queries",)
    )


def outbound(context: Context) -> Iterator[Line]:
    """What leaves Azure, of all resources together."""
    gigabytes = context.usage.network.outbound_gigabytes
    yield Line(
        "data to the internet",
        gigabytes,
        "outbound data",
        f"{gigabytes:g} GB a month, of which 100 are free",
        ("network.outbound_gigabytes",),
    )


PRICERS = {
    "azure-native:network:NatGateway": nat_gateway,
    "azure-native:network:PrivateEndpoint": private_endpoint,
    "azure-native:network:PublicIPAddress": public_ip,
    "azure-native:privatedns:PrivateZone": private_zone,
}
