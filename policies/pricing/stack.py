"""The cost of a stack: all pricers together. `policies/prices.toml` has the prices, `usage.py` what is assumed."""

from __future__ import annotations

from collections.abc import Mapping

from policies.pricing import databricks, factory, kubernetes, network, prices, services, serving, storage
from policies.pricing.estimate import Context, Estimate, Pricer, add_up
from policies.pricing.resources import Resources
from policies.pricing.usage import Usage

PRICERS: Mapping[str, Pricer] = {
    **databricks.PRICERS,
    **factory.PRICERS,
    **kubernetes.PRICERS,
    **network.PRICERS,
    **services.PRICERS,
    **serving.PRICERS,
    **storage.PRICERS,
}
"""Type of resource → what prices it. Other types are free (`prices.toml` says why), or listed as not priced."""


def price(resources: Resources, usage: Usage, table: prices.Prices | None = None) -> Estimate:
    """What resources cost in a month, when they are used like that."""
    return add_up(Context(resources, usage, table or prices.load()), PRICERS, network.outbound)
