"""The serving store and the event stream: Cosmos DB by what is stored and asked of it, Event Hubs by units and events.

Sources: https://azure.microsoft.com/pricing/details/cosmos-db/autoscale-provisioned/,
https://azure.microsoft.com/pricing/details/cosmos-db/serverless/,
https://azure.microsoft.com/pricing/details/event-hubs/
"""

from __future__ import annotations

from collections.abc import Iterator

from policies.pricing.estimate import HOURS, Context, Line, NotPricedError
from policies.pricing.resources import Resource

LEAST_SHARE = 0.1
"""Share of the most request units that autoscale bills at least.
Source: https://learn.microsoft.com/azure/cosmos-db/provision-throughput-autoscale"""


def account(resource: Resource, context: Context) -> Iterator[Line]:
    """What an account stores, and what is asked of it where it is serverless."""
    store = context.usage.serving_store
    regions = len(resource.inputs.get("locations") or ("one",))
    yield Line(
        "data", store.gigabytes * regions, "cosmos storage", f"{store.gigabytes:g} GB", ("serving_store.gigabytes",)
    )
    has = {capability.get("name") for capability in resource.inputs.get("capabilities") or ()}
    if "EnableServerless" in has:
        if any(place.get("isZoneRedundant") for place in resource.inputs.get("locations") or ()):
            raise NotPricedError("request units of a zone-redundant serverless account have no price here")
        asked = store.million_request_units
        yield Line(
            "requests", asked, "cosmos request units", f"{asked:g} million request units a month",
            ("serving_store.million_request_units",),
        )  # fmt: skip


def keyspace(resource: Resource, context: Context) -> Iterator[Line]:
    """The request units that a keyspace scales to; without any, its account's requests are paid one by one.

    Several zones cost nothing more with autoscale.
    """
    options = resource.inputs.get("options") or {}
    if options.get("throughput"):
        raise NotPricedError("throughput that does not scale has no price here")
    most = (options.get("autoscaleSettings") or {}).get("maxThroughput")
    if most:
        share = max(LEAST_SHARE, context.usage.serving_store.autoscale_share)
        yield Line(
            "throughput", most / 100 * share * HOURS, "cosmos autoscale",
            f"{share:.0%} of {most} request units a second × {HOURS:g} h", ("serving_store.autoscale_share",),
        )  # fmt: skip


def namespace(resource: Resource, context: Context) -> Iterator[Line]:
    """A namespace by its throughput units, and the events that come in."""
    sku = resource.inputs.get("sku") or {}
    if sku.get("name") != "Standard":
        raise NotPricedError(f"the tier {sku.get('name')!r} has no price here: only Standard has")
    units, events = sku.get("capacity") or 1, context.usage.event_stream.million_events
    yield Line("throughput units", units * HOURS, "event hub unit", f"{units} × {HOURS:g} h")
    yield Line("events", events, "event hub events", f"{events:g} million a month", ("event_stream.million_events",))


PRICERS = {
    "azure-native:cosmosdb:CassandraResourceCassandraKeyspace": keyspace,
    "azure-native:cosmosdb:DatabaseAccount": account,
    "azure-native:eventhub:Namespace": namespace,
}
