"""The simulated Azure's container registries."""

from collections.abc import Callable, Mapping
from typing import Any

from simulator import azure_rules as rules
from simulator.azure_rules import GROUP, PLACE, refuse, text, wrong
from simulator.kinds import Kind
from simulator.state import Cloud, Resource

SKUS = ("Basic", "Standard", "Premium")
DAYS = range(366)  # https://learn.microsoft.com/azure/container-registry/container-registry-retention-policy

PREMIUM: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "dataEndpointEnabled": lambda asked: asked.get("dataEndpointEnabled"),
    "encryption": lambda asked: text(asked, "encryption", "status") == "enabled",
    "networkRuleSet": lambda asked: asked.get("networkRuleSet"),
    "policies.exportPolicy": lambda asked: text(asked, "policies", "exportPolicy", "status") == "disabled",
    "policies.retentionPolicy": lambda asked: text(asked, "policies", "retentionPolicy", "status") == "enabled",
    "policies.trustPolicy": lambda asked: text(asked, "policies", "trustPolicy", "status") == "enabled",
    "publicNetworkAccess": lambda asked: asked.get("publicNetworkAccess") == "Disabled",
}
"""What only a registry of the SKU Premium has. Private endpoints as well: azure_private_link.py.
Source: https://learn.microsoft.com/azure/container-registry/container-registry-skus"""


def _registry(cloud: Cloud, resource: Resource) -> None:
    rules.identities_exist(cloud, resource)
    asked, name, sku = resource.inputs, resource.inputs["registryName"], resource.inputs["sku"]["name"]
    if rules.taken(cloud, resource, "registryName"):
        message = f"The registry DNS name {name.lower()}.azurecr.io is already in use."
        raise refuse(409, "AlreadyInUse", message)
    if sku not in SKUS:
        raise wrong(resource, "sku", f"'{sku}' is none of {', '.join(SKUS)}.", "InvalidSku")
    for feature, is_asked in PREMIUM.items():
        if sku != "Premium" and is_asked(asked):
            code = "DisablingPublicNetworkAccessNotSupported" if feature == "publicNetworkAccess" else "NotSupported"
            raise wrong(resource, feature, f"it is not supported for the SKU {sku} and needs Premium.", code)
    if PREMIUM["policies.exportPolicy"](asked) and not PREMIUM["publicNetworkAccess"](asked):
        message = "it can be disabled only with publicNetworkAccess Disabled."
        raise wrong(resource, "policies.exportPolicy", message)
    days = ((asked.get("policies") or {}).get("retentionPolicy") or {}).get("days")
    if days is not None and days not in DAYS:
        raise wrong(resource, "policies.retentionPolicy.days", f"{days} is not 0 to 365.")


def _outputs(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    host = f"{resource.inputs['registryName'].lower()}.azurecr.io"
    return {**rules.tracked(cloud, resource), "loginServer": host}


KINDS = (
    Kind(
        "azure-native:containerregistry:Registry",
        GROUP + "/providers/Microsoft.ContainerRegistry/registries/{registryName}",
        naming={"registryName": r"[A-Za-z0-9]{5,50}"},
        replace=(*PLACE, "registryName"),
        rules=_registry,
        outputs=_outputs,
        computed=("identity",),
    ),
)
