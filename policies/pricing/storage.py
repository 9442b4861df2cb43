"""Storage accounts with a hierarchical namespace: what lies in their containers, and how often it is touched.

Source: https://azure.microsoft.com/pricing/details/storage/data-lake/
"""

from __future__ import annotations

from collections.abc import Iterator

from policies.pricing import usage
from policies.pricing.estimate import Context, Line, NotPricedError
from policies.pricing.resources import Resource

ACCOUNT = "azure-native:storage:StorageAccount"
CONTAINER = "azure-native:storage:BlobContainer"
POLICY = "azure-native:storage:ManagementPolicy"
BLOB_SERVICE = "azure-native:storage:BlobServiceProperties"


def account(resource: Resource, context: Context) -> Iterator[Line]:
    """Operations on an account. What lies in it is priced at its containers."""
    redundancy, lake = _redundancy(resource), context.usage.lake
    for what, amount, key, name in (
        ("writes", lake.write_operations, f"lake write {redundancy}", "lake.write_operations"),
        ("reads", lake.read_operations, "lake read", "lake.read_operations"),
    ):
        yield Line(what, amount / 10_000, key, f"{amount:,.0f} operations a month", (name,))


def container(resource: Resource, context: Context) -> Iterator[Line]:
    """What lies in a container, hot and cool, with what soft delete keeps beside it."""
    owners = context.resources.of(ACCOUNT)
    owners = [found for found in owners if context.resources.needs(resource, found)] or owners
    if len(owners) != 1:
        raise NotPricedError("its storage account is none of this stack's")
    redundancy, lake = _redundancy(owners[0]), context.usage.lake
    name = resource.inputs.get("containerName") or resource.name
    stored = usage.of(lake.gigabytes, name)
    kept = lake.deleted_share if _keeps_deleted(owners[0], context) else 0.0
    cool = lake.cool_share if _cools(owners[0], name, context) else 0.0
    assumes = ["lake.gigabytes"] + ["lake.deleted_share"] * bool(kept) + ["lake.cool_share"] * bool(cool)
    for tier, share in (("hot", 1 - cool), ("cool", cool)):
        if share:
            how = f"{stored:g} GB" + f" × {share:g} {tier}" * bool(cool) + f" + {kept:.0%} soft-deleted" * bool(kept)
            yield Line(f"{tier} storage", stored * share * (1 + kept), f"lake {tier} {redundancy}", how, tuple(assumes))


def _redundancy(account: Resource) -> str:
    """How often each block is stored (`ZRS`). Raises NotPricedError for accounts that are no data lakes."""
    name = (account.inputs.get("sku") or {}).get("name") or ""
    performance, _, redundancy = name.partition("_")
    if account.inputs.get("isHnsEnabled") is not True or performance != "Standard":
        raise NotPricedError("only standard accounts with a hierarchical namespace have prices here")
    return redundancy.removeprefix("RA")


def _keeps_deleted(account: Resource, context: Context) -> bool:
    services = [found for found in context.resources.of(BLOB_SERVICE) if context.resources.needs(found, account)]
    return any((found.inputs.get("deleteRetentionPolicy") or {}).get("enabled") for found in services)


def _cools(account: Resource, container: str, context: Context) -> bool:
    """Whether a lifecycle rule of the account moves files of the container to the cool tier."""
    for policy in context.resources.of(POLICY):
        if not context.resources.needs(policy, account):
            continue
        for rule in (policy.inputs.get("policy") or {}).get("rules") or ():
            definition = rule.get("definition") or {}
            prefixes = (definition.get("filters") or {}).get("prefixMatch") or [container]
            cools = "tierToCool" in ((definition.get("actions") or {}).get("baseBlob") or {})
            if cools and any(prefix.partition("/")[0] == container for prefix in prefixes):
                return True
    return False


PRICERS = {ACCOUNT: account, CONTAINER: container}
