"""What serving store and event stream cost: quantities and dollars computed by hand, from the prices of the table."""

import pytest

from policies.pricing import stack
from policies.pricing.resources import Resource, Resources
from policies.pricing.usage import Usage

ACCOUNT, KEYSPACE = (
    "azure-native:cosmosdb:DatabaseAccount",
    "azure-native:cosmosdb:CassandraResourceCassandraKeyspace",
)
NAMESPACE = "azure-native:eventhub:Namespace"
SERVERLESS = [{"name": "EnableCassandra"}, {"name": "EnableServerless"}]
ZONES = [{"locationName": "eastus", "isZoneRedundant": True}]


def estimate(type_, inputs, **usage):
    return stack.price(Resources((Resource(type_, "it", inputs),)), Usage.model_validate(usage))


@pytest.mark.parametrize(
    ("type_", "inputs", "usage", "expected"),
    [
        (
            ACCOUNT,
            {"capabilities": SERVERLESS},
            {"serving_store": {"gigabytes": 4, "million_request_units": 100}},
            {"data": (4, 1.0), "requests": (100, 27.9)},
        ),
        (
            ACCOUNT,
            {"capabilities": SERVERLESS[:1], "locations": ZONES * 2},
            {"serving_store": {"gigabytes": 4}},
            {"data": (8, 2.0)},
        ),
        (
            KEYSPACE,
            {"options": {"autoscaleSettings": {"maxThroughput": 4000}}},
            {"serving_store": {"autoscale_share": 0.5}},
            {"throughput": (40 * 0.5 * 730, 175.2)},
        ),
        (
            KEYSPACE,
            {"options": {"autoscaleSettings": {"maxThroughput": 4000}}},
            {"serving_store": {"autoscale_share": 0}},
            {"throughput": (40 * 0.1 * 730, 35.04)},
        ),
        (KEYSPACE, {"options": {}}, {}, {}),
        (
            NAMESPACE,
            {"sku": {"name": "Standard", "capacity": 2}},
            {"event_stream": {"million_events": 100}},
            {"throughput units": (1460, 43.8), "events": (100, 2.8)},
        ),
    ],
)
def test_what_it_costs(type_, inputs, usage, expected):
    found = estimate(type_, inputs, **usage)
    assert found.unpriced == ()
    lines = {item.what: (item.quantity, item.usd) for item in found.items if item.resource == "it"}
    assert lines == {what: pytest.approx(value) for what, value in expected.items()}


@pytest.mark.parametrize(
    ("type_", "inputs", "why"),
    [
        (ACCOUNT, {"capabilities": SERVERLESS, "locations": ZONES}, "zone-redundant serverless account have no price"),
        (KEYSPACE, {"options": {"throughput": 400}}, "throughput that does not scale has no price here"),
        (NAMESPACE, {"sku": {"name": "Premium"}}, "the tier 'Premium' has no price here: only Standard has"),
    ],
)
def test_what_has_no_price_is_listed(type_, inputs, why):
    (unpriced,) = estimate(type_, inputs).unpriced
    assert why in unpriced.why
