"""The simulated Azure's Event Hubs: namespaces, their firewall, hubs and consumer groups. No event is kept anywhere.

Source: https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas
"""

from typing import Any

from simulator import azure_rules as rules
from simulator.azure_network import served
from simulator.azure_rules import GROUP, PLACE, refuse, text, wrong
from simulator.kinds import Kind
from simulator.state import Cloud, Resource

NAMESPACE = GROUP + "/providers/Microsoft.EventHub/namespaces/{namespaceName}"
HUB = NAMESPACE + "/eventhubs/{eventHubName}"
HUB_TYPE, CONSUMERS = "azure-native:eventhub:EventHub", "azure-native:eventhub:ConsumerGroup"
ENTITY = r"(?=.{1,%d}$)[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?"
UNITS = {"Basic": range(1, 41), "Standard": range(1, 41), "Premium": (1, 2, 4, 6, 8, 10, 12, 16)}
PARTITIONS = {"Basic": 32, "Standard": 32, "Premium": 100}
HOURS = {"Basic": 24, "Standard": 168, "Premium": 2160}
HUBS = {"Basic": 10, "Standard": 10, "Premium": 100}  # of a namespace; of a processing unit, in Premium
GROUPS = {"Basic": 1, "Standard": 20, "Premium": 100}
MOST_RULES = 128


def _sku(namespace: Resource) -> str:
    return text(namespace.inputs, "sku", "name") or "Standard"


def _namespace(cloud: Cloud, resource: Resource) -> None:
    rules.identities_exist(cloud, resource)
    asked, name, sku = resource.inputs, resource.inputs["namespaceName"], _sku(resource)
    if rules.taken(cloud, resource, "namespaceName"):
        raise refuse(409, "NamespaceUnavailable", f"Namespace name '{name}' is not available: it is in use already.")
    units = (asked.get("sku") or {}).get("capacity")
    if units is not None and units not in UNITS[sku]:
        raise wrong(resource, "sku.capacity", f"{units} units are not possible in the tier {sku}.")
    if sku == "Basic" and asked.get("kafkaEnabled"):
        raise wrong(resource, "kafkaEnabled", "the tier Basic has no Kafka: it needs Standard.")
    most = asked.get("maximumThroughputUnits") or 0
    if bool(asked.get("isAutoInflateEnabled")) != bool(most):
        message = f"{most} does not fit: it is the bound of isAutoInflateEnabled, and 0 without."
        raise wrong(resource, "maximumThroughputUnits", message)
    old = cloud.get(resource.key)
    if old and "Premium" in (_sku(old), sku) and _sku(old) != sku:
        raise wrong(resource, "sku", f"a namespace cannot go from {_sku(old)} to {sku}.")


def _firewall(cloud: Cloud, resource: Resource) -> None:
    asked = resource.inputs
    blocks, subnets = asked.get("ipRules") or (), asked.get("virtualNetworkRules") or ()
    if len(blocks) + len(subnets) > MOST_RULES:
        raise wrong(resource, "ipRules", f"there are more than {MOST_RULES} rules.")
    is_open = asked.get("publicNetworkAccess", "Enabled") == "Enabled"
    if asked.get("defaultAction") == "Deny" and is_open and not blocks and not subnets:
        message = "Deny without a rule closes the namespace to all: disable publicNetworkAccess instead."
        raise wrong(resource, "defaultAction", message)
    for rule in subnets:
        served(cloud, resource, "virtualNetworkRules", text(rule, "subnet", "id"), "Microsoft.EventHub")


def _hub(cloud: Cloud, resource: Resource) -> None:
    namespace = cloud.get(resource.parent)
    assert namespace is not None, "a parent is there"
    sku, asked = _sku(namespace), resource.inputs
    partitions = asked.get("partitionCount", 4)
    if not 1 <= partitions <= PARTITIONS[sku]:
        raise wrong(resource, "partitionCount", f"{partitions} is not 1 to {PARTITIONS[sku]}, of the tier {sku}.")
    hours = (asked.get("retentionDescription") or {}).get("retentionTimeInHours", 24)
    if not 1 <= hours <= HOURS[sku]:
        raise wrong(resource, "retentionTimeInHours", f"{hours} is not 1 to {HOURS[sku]}, of the tier {sku}.")
    if sku == "Basic" and (asked.get("captureDescription") or {}).get("enabled"):
        raise wrong(resource, "captureDescription", "the tier Basic captures nothing: it needs Standard.")
    _no_more_than(cloud, resource, HUBS[sku])
    old = cloud.get(resource.key)
    if old and sku != "Premium" and old.inputs.get("partitionCount", 4) != partitions:
        raise wrong(resource, "partitionCount", f"it cannot be changed in the tier {sku}.")


def _group(cloud: Cloud, resource: Resource) -> None:
    hub = cloud.get(resource.parent)
    namespace = hub and cloud.get(hub.parent)
    assert namespace is not None, "parents are there"
    if resource.inputs["consumerGroupName"].lower() == "$default":
        return
    if _sku(namespace) == "Basic":
        raise wrong(resource, "consumerGroupName", "the tier Basic has $Default only.")
    _no_more_than(cloud, resource, GROUPS[_sku(namespace)])


def _no_more_than(cloud: Cloud, resource: Resource, most: int) -> None:
    others = [c for c in cloud.children(resource.parent) if c.type == resource.type and c.key != resource.key]
    if len(others) >= most:
        what = "hubs" if resource.type == HUB_TYPE else "consumer groups"
        raise refuse(400, "MaxLimitReached", f"{resource.id}: there are {most} {what}, and no more.")


def _namespace_outputs(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    name = resource.inputs["namespaceName"].lower()
    return {**rules.tracked(cloud, resource), "serviceBusEndpoint": f"https://{name}.servicebus.windows.net:443/"}


def _hub_outputs(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    partitions = [str(number) for number in range(int(resource.inputs.get("partitionCount", 4)))]
    return {**rules.common(cloud, resource), "partitionIds": partitions}


KINDS = (
    Kind(
        "azure-native:eventhub:Namespace",
        NAMESPACE,
        naming={"namespaceName": r"(?=.{6,50}$)[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]"},
        replace=(*PLACE, "namespaceName"),
        rules=_namespace,
        outputs=_namespace_outputs,
        computed=("identity",),
    ),
    Kind(
        "azure-native:eventhub:NamespaceNetworkRuleSet",
        NAMESPACE + "/networkRuleSets/default",
        replace=("resourceGroupName", "namespaceName"),
        rules=_firewall,
        outputs=rules.common,
        adopts=True,
    ),
    Kind(
        HUB_TYPE,
        HUB,
        naming={"eventHubName": ENTITY % 256},
        replace=("resourceGroupName", "namespaceName", "eventHubName"),
        rules=_hub,
        outputs=_hub_outputs,
    ),
    Kind(
        CONSUMERS,
        HUB + "/consumergroups/{consumerGroupName}",
        naming={"consumerGroupName": rf"\$Default|{ENTITY % 50}"},
        replace=("resourceGroupName", "namespaceName", "eventHubName", "consumerGroupName"),
        rules=_group,
        outputs=rules.common,
    ),
)
