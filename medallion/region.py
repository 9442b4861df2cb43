"""Whether a subscription, in a region, has what a stack takes: Azure's answers beside the demand. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medallion.demand import Address, Demand, Machines
from medallion.finding import Finding

if TYPE_CHECKING:
    from azure.mgmt.compute.models import ResourceSku, Usage
    from azure.mgmt.containerservice.models import KubernetesVersion

NAMESPACES: Mapping[str, str] = {
    "Microsoft.Authorization": "role assignments and locks",
    "Microsoft.Compute": "virtual machines of AKS and Databricks",
    "Microsoft.Consumption": "the budget",
    "Microsoft.ContainerRegistry": "the registry of images",
    "Microsoft.ContainerService": "AKS",
    "Microsoft.DataFactory": "the data factory",
    "Microsoft.Databricks": "the workspace",
    "Microsoft.EventGrid": "triggers of the data factory that wait for files",
    "Microsoft.Insights": "alerts and diagnostic settings",
    "Microsoft.KeyVault": "the key vault",
    "Microsoft.ManagedIdentity": "identities",
    "Microsoft.Network": "networks and addresses",
    "Microsoft.OperationalInsights": "the Log Analytics workspace",
    "Microsoft.PolicyInsights": "Azure Policy in AKS",
    "Microsoft.Resources": "resource groups",
    "Microsoft.Storage": "the data lake",
}
"""The resource providers that a subscription must have registered for any stack, and what for. Azure registers one at
the first request to it, for those who may, but not those that a service then needs behind it.
Source: https://learn.microsoft.com/azure/azure-resource-manager/management/azure-services-resource-providers"""

REGIONAL, SPOT = "cores", "lowPriorityCores"
"""Names of the quotas of all ordinary and of all spot vCPUs of a region; a spot machine counts for no family.
Source: https://learn.microsoft.com/azure/quotas/spot-quota"""

ADDRESSES = ("IPv4StandardSkuPublicIpAddresses", "StandardSkuPublicIpAddresses")
"""Names of the quota of public addresses (standard SKU, IPv4): the present one, and what Azure called it before.
Source: `az network list-usages`"""

OFFICIAL = "KubernetesOfficial"
"""The plan under which AKS supports a version without a surcharge."""


@dataclass(frozen=True)
class Answers:
    """What Azure said of a subscription and a region.

    `providers`: namespace in lower case → state of its registration. `standing`: types, in lower case, of the resources
    that the stack has already. The others are empty where their provider is not registered, and so was not asked.
    """

    subscription: str
    location: str
    providers: Mapping[str, str]
    standing: frozenset[str]
    sizes: Mapping[str, ResourceSku]
    compute: Sequence[Usage]
    network: Sequence[Usage]
    versions: Sequence[KubernetesVersion]

    def registered(self, namespace: str) -> bool:
        """Whether the subscription may use a resource provider."""
        return is_registered(self.providers, namespace)


def is_registered(providers: Mapping[str, str], namespace: str) -> bool:
    """Whether a provider is registered, by the states of registrations (namespace in lower case → state)."""
    return providers.get(namespace.lower()) == "Registered"


def findings(demand: Demand, answers: Answers) -> list[Finding]:
    """What was found, good or bad, a line each. Of a provider that is not registered, nothing else is said."""
    found = [*_registrations({**NAMESPACES, **demand.providers}, answers)]
    if answers.registered("Microsoft.Compute"):
        found += _sizes(demand.machines, answers)
        found += _vcpus(demand.machines, answers)
    if answers.registered("Microsoft.Network") and demand.addresses:
        found.append(_addresses(demand.addresses, answers))
    if answers.registered("Microsoft.ContainerService") and demand.kubernetes:
        found.append(_version(demand.kubernetes, answers))
    return found


def _registrations(needed: Mapping[str, str], answers: Answers) -> Iterator[Finding]:
    missing = [namespace for namespace in needed if not answers.registered(namespace)]
    for namespace in missing:
        state = answers.providers.get(namespace.lower(), "unknown to this subscription")
        text = f"{namespace} ({needed[namespace]}) is {state}: az provider register --namespace {namespace} --wait"
        yield Finding("Provider", False, f"{text} --subscription {answers.subscription}")
    if not missing:
        yield Finding("Provider", True, f"all {len(needed)} that are needed are registered")


def _sizes(machines: Sequence[Machines], answers: Answers) -> Iterator[Finding]:
    """One line for each size and setting: pools of one size differ in their zones."""
    for wanted in {(each.size, each.setting): each for each in machines}.values():
        problem = _refusal(wanted, answers)
        yield Finding("VM size", not problem, f"{wanted.setting}: {wanted.size} {problem or _offered(wanted, answers)}")


def _offered(wanted: Machines, answers: Answers) -> str:
    zones = f", zones {', '.join(sorted(wanted.zones))}" if wanted.zones else ""
    return f"is offered in {answers.location}{zones}"


def _refusal(wanted: Machines, answers: Answers) -> str | None:
    """Why the subscription cannot have machines of that size in that region and those zones."""
    size, location = answers.sizes.get(wanted.size), answers.location
    if size is None:
        sizes = f"az vm list-skus --location {location} --resource-type virtualMachines --output table"
        return f"is not offered in {location}: choose another; `{sizes}` lists them"
    offered = {zone for info in size.location_info or () for zone in info.zones or ()}
    for restriction in size.restrictions or ():
        if restriction.type == "Location":
            return (
                f"is closed to this subscription in {location} ({restriction['reasonCode']}): choose another, or ask"
                " for it, https://learn.microsoft.com/troubleshoot/azure/general/region-access-request-process"
            )
        offered -= set(restriction.restriction_info.zones or ())
    if lacking := sorted(set(wanted.zones) - offered):
        may_be = f"may be {', '.join(sorted(offered))}" if offered else "must be empty"
        return f"is not to be had in zone {', '.join(lacking)} of {location}: aks.zones {may_be} for this size"
    return None


def _vcpus(machines: Sequence[Machines], answers: Answers) -> Iterator[Finding]:
    """Quotas of spot vCPUs, of all ordinary ones, and of each family. Sizes that are not offered count nowhere."""
    counted = [(each, each.count * _cores(answers.sizes[each.size])) for each in machines if each.size in answers.sizes]
    spot = [item for item in counted if item[0].spot]
    ordinary = [item for item in counted if not item[0].spot]
    if spot:
        finding = _vcpu_quota(SPOT, spot, answers)
        if not finding.ok and _vcpu_quota(SPOT, [item for item in spot if not item[0].falls_back], answers).ok:
            text = f"{finding.text}; without it, workers are ordinary machines at their full price"
            finding = Finding(finding.name, True, text)
            ordinary += [item for item in spot if item[0].falls_back]
        yield finding
    yield _vcpu_quota(REGIONAL, ordinary, answers)
    families = {each.size: answers.sizes[each.size].family for each, _ in ordinary}
    for family in sorted(set(families.values())):
        yield _vcpu_quota(family, [item for item in ordinary if families[item[0].size] == family], answers)


def _vcpu_quota(name: str, counted: Sequence[tuple[Machines, int]], answers: Answers) -> Finding:
    takers = [(f"{each.count} {each.size} ({each.purpose})", each.holder, vcpus) for each, vcpus in counted]
    kind = "lowPriority" if name == SPOT else "dedicated"
    return _quota("Microsoft.Compute", (name,), kind, answers.compute, takers, answers)


def _addresses(addresses: Sequence[Address], answers: Answers) -> Finding:
    takers = [(each.purpose, each.holder, 1) for each in addresses]
    return _quota("Microsoft.Network", ADDRESSES, "PublicIpAddresses", answers.network, takers, answers)


def _quota(
    provider: str,
    names: Sequence[str],
    kind: str,
    usages: Iterable[Usage],
    takers: Sequence[tuple[str, str, int]],
    answers: Answers,
) -> Finding:
    """A quota, by the first of its names that Azure reports, beside those who take from it: (what, holder, how much).

    What stands already is in Azure's count of what is used, or is only now and then: it must be within the limit.
    """
    scope = f"/subscriptions/{answers.subscription}/providers/{provider}/locations/{answers.location}"
    reported = {_squeezed(usage.name.value): usage for usage in usages}
    usage = next((reported[name] for name in map(_squeezed, names) if name in reported), None)
    if usage is None:
        text = f"{names[0]}: Azure reports no such quota in {answers.location}: az quota list --scope {scope}"
        return Finding("Quota", False, text)
    total = sum(amount for *_, amount in takers)
    new = sum(amount for _, holder, amount in takers if holder.lower() not in answers.standing)
    free = usage.limit - usage.current_value
    fits = new <= max(free, 0) and total <= usage.limit
    needed = f"{total} needed" if new == total else f"{total} needed ({total - new} by what stands already)"
    text = f"{usage.name.value}: {needed}, {free} of {usage.limit} free in {answers.location}"
    if fits:
        return Finding("Quota", True, text)
    what = ", ".join(what for what, *_ in takers)
    ask = (
        f"az quota update --resource-name {usage.name.value} --resource-type {kind}"
        f" --limit-object value={max(total, usage.current_value + new)} --scope {scope}"
    )
    return Finding("Quota", False, f"{text}, for {what}: {ask}")


def _squeezed(name: str) -> str:
    """A quota's name as sizes and quotas both write it: they differ in capitals and blanks."""
    return name.replace(" ", "").lower()


def _cores(size: ResourceSku) -> int:
    """The vCPUs of a machine of that size, as quotas count them."""
    return int(next(each.value for each in size.capabilities if each.name == "vCPUs"))


def _version(version: str, answers: Answers) -> Finding:
    offered = [
        each.version
        for each in answers.versions
        if not each.is_preview and OFFICIAL in (each.capabilities.support_plan if each.capabilities else ())
    ]
    if version in offered:
        return Finding("Kubernetes", True, f"{version} is offered in {answers.location}")
    listed = ", ".join(sorted(offered, key=lambda each: tuple(map(int, each.split(".")))))
    return Finding("Kubernetes", False, f"aks.version: {version} is not offered in {answers.location}; take {listed}")
