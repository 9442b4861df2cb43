"""Key Vault, the container registry, events and Azure Monitor.

Sources: https://azure.microsoft.com/pricing/details/key-vault/,
https://azure.microsoft.com/pricing/details/container-registry/, https://azure.microsoft.com/pricing/details/event-grid/,
https://azure.microsoft.com/pricing/details/monitor/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from policies.pricing.estimate import DAYS, Context, Line, NotPricedError
from policies.pricing.resources import Resource

REGISTRY_GB: Mapping[str, float] = {"Basic": 10, "Standard": 100, "Premium": 500}
"""GB of images that a tier of the registry includes.
Source: https://learn.microsoft.com/azure/container-registry/container-registry-skus"""

RETENTION_DAYS = 31
"""Days for which logs are kept without a price of its own.
Source: https://learn.microsoft.com/azure/azure-monitor/logs/cost-logs"""


def vault(resource: Resource, context: Context) -> Iterator[Line]:
    """Operations on a vault; the vault itself costs nothing."""
    operations = context.usage.key_vault.operations
    yield Line(
        "operations",
        operations / 10_000,
        "key vault operations",
        f"{operations:,.0f} operations a month",
        ("key_vault.operations",),
    )


def registry(resource: Resource, context: Context) -> Iterator[Line]:
    """A container registry by its tier, images beyond what that includes, and builds."""
    tier = (resource.inputs.get("sku") or {}).get("name")
    if tier not in REGISTRY_GB:
        raise NotPricedError(f"the tier {tier!r} is none of {', '.join(REGISTRY_GB)}")
    stored, build = context.usage.registry.gigabytes, context.usage.registry.build_vcpu_minutes
    yield Line(f"registry, tier {tier}", DAYS, f"registry {tier}", f"{DAYS:.4g} days")
    yield Line(
        "images",
        max(0.0, stored - REGISTRY_GB[tier]),
        "registry storage",
        f"{stored:g} GB, of which {REGISTRY_GB[tier]:g} are included",
        ("registry.gigabytes",),
    )
    yield Line(
        "builds", build * 60, "registry build", f"{build:g} vCPU minutes a month", ("registry.build_vcpu_minutes",)
    )


def event_topic(resource: Resource, context: Context) -> Iterator[Line]:
    """Events of a storage account: one for each write at most."""
    writes = context.usage.lake.write_operations
    yield Line(
        "events",
        writes / 100_000,
        "event operations",
        f"at most one for each of {writes:,.0f} writes; 100,000 are free",
        ("lake.write_operations",),
    )


def logs(resource: Resource, context: Context) -> Iterator[Line]:
    """A Log Analytics workspace: what comes in, up to its daily cap, and what is kept for longer than 31 days."""
    tier = (resource.inputs.get("sku") or {}).get("name") or "PerGB2018"
    if tier.lower() != "pergb2018":
        raise NotPricedError(f"the tier {tier} has no price here: only PerGB2018 has")
    a_day = context.usage.monitor.gigabytes_a_day
    cap = (resource.inputs.get("workspaceCapping") or {}).get("dailyQuotaGb") or -1
    taken = min(a_day, cap) if cap > 0 else a_day
    a_month = taken * DAYS
    of = f"{taken:g} GB a day × {DAYS:.4g} days"
    yield Line("logs taken in", a_month, "log ingestion", f"{of}, of which 5 GB are free", ("monitor.gigabytes_a_day",))
    longer = max(0, (resource.inputs.get("retentionInDays") or 30) - RETENTION_DAYS)
    if longer:
        yield Line(
            "logs kept", taken * longer, "log retention", f"{taken:g} GB a day × {longer} days beyond the first 31",
            ("monitor.gigabytes_a_day",),
        )  # fmt: skip


def diagnostics(resource: Resource, context: Context) -> Iterator[Line]:
    """Diagnostic settings cost nothing where they lead to Log Analytics, which prices what comes in."""
    for target in ("storageAccountId", "eventHubAuthorizationRuleId", "marketplacePartnerId"):
        if target in resource.inputs:
            raise NotPricedError(f"exports to {target} are priced by the GB, which is not assumed")
    yield from ()


def metric_alert(resource: Resource, context: Context) -> Iterator[Line]:
    """A metric alert: one time series for each criterion and scope."""
    criteria = len((resource.inputs.get("criteria") or {}).get("allOf") or ("one",))
    scopes = len(resource.inputs.get("scopes") or ("one",))
    yield Line("time series", criteria * scopes, "metric alert", f"{criteria} criteria × {scopes} scopes")


def log_alert(resource: Resource, context: Context) -> Iterator[Line]:
    """A rule over logs, by how often it is asked."""
    every = resource.inputs.get("evaluationFrequency") or ""
    found = re.fullmatch(r"PT(?:(\d+)H)?(?:(\d+)M)?|P(\d+)D", every)
    if not found or not any(found.groups()):
        raise NotPricedError(f"how often it is asked is not known ({every!r})")
    hours, minutes, days = (int(number or 0) for number in found.groups())
    total = days * 1_440 + hours * 60 + minutes
    often = next((n for n in (15, 10, 5) if total >= n), 1)
    yield Line("rule", 1, f"log alert every {f'{often} minutes' if often > 1 else 'minute'}", f"asked every {every}")


PRICERS = {
    "azure-native:containerregistry:Registry": registry,
    "azure-native:eventgrid:SystemTopic": event_topic,
    "azure-native:keyvault:Vault": vault,
    "azure-native:monitor:DiagnosticSetting": diagnostics,
    "azure-native:monitor:MetricAlert": metric_alert,
    "azure-native:monitor:ScheduledQueryRule": log_alert,
    "azure-native:operationalinsights:Workspace": logs,
}
