"""The simulated Azure's data factories: what they hold refers to each other by name."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from simulator import azure_rules as rules
from simulator.azure_private_link import target
from simulator.azure_rules import GROUP, PLACE, refuse, wrong
from simulator.kinds import Kind
from simulator.state import Cloud, CloudError, Resource

FACTORY = GROUP + "/providers/Microsoft.DataFactory/factories/{factoryName}"
MANAGED_NETWORK = FACTORY + "/managedVirtualNetworks/{managedVirtualNetworkName}"
IN_FACTORY = ("resourceGroupName", "factoryName")
DOCUMENT = r"[A-Za-z0-9_][^<>*#.%&:\\+?/]{0,259}"
HYPHENATED = r"(?=.{3,63}$)[A-Za-z0-9]+(-[A-Za-z0-9]+)*"
TRIGGER, GENERIC = "azure-native:datafactory:Trigger", "azure-native:resources:Resource"
FREQUENCIES = ("Minute", "Hour", "Day", "Week", "Month")

NAMED: Mapping[str, tuple[str, str]] = {
    "azure-native:datafactory:IntegrationRuntime": ("IntegrationRuntimeReference", "integrationRuntimeName"),
    "azure-native:datafactory:LinkedService": ("LinkedServiceReference", "linkedServiceName"),
    "azure-native:datafactory:Pipeline": ("PipelineReference", "pipelineName"),
    GENERIC: ("ManagedVirtualNetworkReference", "resourceName"),
}
"""How a part of a factory is referred to by another: the type of the reference, and the property with the name."""
ALWAYS_THERE = ("IntegrationRuntimeReference", "autoresolveintegrationruntime")


# references


def _references(value: Any) -> Iterator[tuple[str, str]]:
    """What a part of a factory refers to, however deep: type of the reference, and name."""
    if isinstance(value, dict):
        type_, name = value.get("type"), value.get("referenceName")
        if isinstance(name, str) and isinstance(type_, str) and type_.endswith("Reference"):
            yield type_, name
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _references(part)


def _named(part: Resource) -> tuple[str, str]:
    """How others refer to a part of a factory, in small letters; of no type if they cannot."""
    type_, property_ = NAMED.get(part.type, ("", ""))
    return type_, str(part.inputs.get(property_, "")).lower()


def _refers_to_what_is_there(cloud: Cloud, resource: Resource) -> None:
    there = {ALWAYS_THERE, *map(_named, cloud.children(resource.parent))}
    for type_, name in _references(resource.inputs):
        if (type_, name.lower()) not in there:
            message = (
                f"The document cannot be created since it references {name} of type {type_.removesuffix('Reference')},"
                f" which is not there: {resource.id}."
            )
            raise refuse(400, "BadRequest", message)


def _unreferenced(cloud: Cloud, resource: Resource) -> None:
    for other in cloud.children(resource.parent):
        used = {(type_, name.lower()) for type_, name in _references(other.inputs)}
        if other.key != resource.key and _named(resource) in used:
            name = rules.split(other.id)[1]
            message = f"The document cannot be deleted since it is referenced by {name}: {resource.id}."
            raise refuse(400, "BadRequest", message)


# what Azure refuses


def _bad(resource: Resource, property_: str, message: str) -> CloudError:
    return wrong(resource, f"properties.{property_}", message)


def _unique_factory(cloud: Cloud, resource: Resource) -> None:
    rules.identities_exist(cloud, resource)
    if rules.taken(cloud, resource, "factoryName"):
        message = f"The Data Factory name '{resource.inputs['factoryName']}' is already in use."
        raise refuse(409, "DataFactoryNameInUse", message)


def _trigger(cloud: Cloud, resource: Resource) -> None:
    """https://learn.microsoft.com/azure/data-factory/concepts-pipeline-execution-triggers"""
    old = cloud.get(resource.key)
    if old:
        _stopped(cloud, old)
    _refers_to_what_is_there(cloud, resource)
    asked = resource.inputs["properties"]
    if asked["type"] == "ScheduleTrigger":
        _schedule(resource, asked["recurrence"])
    elif asked["type"] == "BlobEventsTrigger":
        _blob_events(cloud, resource, asked)


def _schedule(resource: Resource, recurrence: Mapping[str, Any]) -> None:
    """https://learn.microsoft.com/azure/data-factory/how-to-create-schedule-trigger"""
    if recurrence.get("frequency") not in FREQUENCIES:
        message = f"frequency: '{recurrence.get('frequency')}' is none of {', '.join(FREQUENCIES)}."
        raise _bad(resource, "recurrence", message)
    if (recurrence.get("interval") or 0) < 1:
        raise _bad(resource, "recurrence", f"interval: {recurrence.get('interval')} is not 1 or more.")
    start, end = recurrence.get("startTime"), recurrence.get("endTime")
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?Z?", start or ""):
        raise _bad(resource, "recurrence", f"startTime: '{start}' is not of the form 2026-01-01T00:00:00.")
    if start and end and end <= start:
        raise _bad(resource, "recurrence", f"endTime: '{end}' is not after startTime '{start}'.")


def _blob_events(cloud: Cloud, resource: Resource, asked: Mapping[str, Any]) -> None:
    """https://learn.microsoft.com/azure/data-factory/how-to-create-event-trigger"""
    rules.referenced(cloud, resource, "properties.scope", asked["scope"], "Microsoft.Storage/storageAccounts")
    begins, ends = asked.get("blobPathBeginsWith"), asked.get("blobPathEndsWith")
    if not begins and not ends:
        raise _bad(resource, "blobPathBeginsWith", "at least one of it and blobPathEndsWith must be provided.")
    if begins and not re.fullmatch(r"/[^/]+/(blobs/.*)?|/", begins):
        raise _bad(resource, "blobPathBeginsWith", f"'{begins}' is not of the form /container/blobs/folder.")
    if not asked["events"]:
        raise _bad(resource, "events", "there must be one at least.")


def _stopped(cloud: Cloud, resource: Resource) -> None:
    if resource.computed["properties"]["runtimeState"] == "Started":
        message = f"Cannot update enabled Trigger; the trigger needs to be disabled first: {resource.id}."
        raise refuse(400, "TriggerEnabledCannotUpdate", message)


def _private_endpoint(cloud: Cloud, resource: Resource) -> None:
    """https://learn.microsoft.com/azure/data-factory/managed-virtual-network-private-endpoint"""
    asked = resource.inputs["properties"]
    id_, group = (asked.get(name) or "" for name in ("privateLinkResourceId", "groupId"))
    target(cloud, resource, "properties.privateLinkResourceId", id_, group)


def _managed_network(cloud: Cloud, resource: Resource) -> None:
    asked = resource.inputs
    type_ = f"{asked['resourceProviderNamespace']}/{asked['parentResourcePath'].split('/')[0]}/{asked['resourceType']}"
    if type_ != "Microsoft.DataFactory/factories/managedVirtualNetworks" or asked["resourceName"] != "default":
        message = (
            f"resourceType of {resource.id}: the simulated cloud knows one generic resource only, the managed virtual"
            " network 'default' of a data factory, which azure-native has no type for."
        )
        raise refuse(400, "NotSupported", message)


def _for_ever(cloud: Cloud, resource: Resource) -> None:
    """There is no such operation: https://learn.microsoft.com/rest/api/datafactory/managed-virtual-networks"""
    message = f"{resource.id} cannot be deleted; it goes with its factory (retain it when it is no longer declared)."
    raise refuse(405, "MethodNotAllowed", message)


# what Azure adds


def _factory(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    return {**rules.tracked(cloud, resource), "version": "2018-06-01"}


def _trigger_outputs(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    properties = {**resource.inputs["properties"], "runtimeState": "Stopped"}  # a new one does not run yet
    return {**rules.part(cloud, resource), "properties": properties}


def _private_endpoint_outputs(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    """The owner of the target approves the connection: https://learn.microsoft.com/azure/data-factory/managed-virtual-network-private-endpoint#managed-private-endpoints"""
    state = {"connectionState": {"status": "Pending"}, "isReserved": False, "provisioningState": "Succeeded"}
    return {**rules.part(cloud, resource), "properties": {**resource.inputs["properties"], **state}}


KINDS = (
    Kind(
        "azure-native:datafactory:Factory",
        FACTORY,
        naming={"factoryName": HYPHENATED},
        replace=(*PLACE, "factoryName"),
        rules=_unique_factory,
        outputs=_factory,
        computed=("identity",),
    ),
    Kind(
        "azure-native:datafactory:LinkedService",
        FACTORY + "/linkedservices/{linkedServiceName}",
        naming={"linkedServiceName": DOCUMENT},
        replace=(*IN_FACTORY, "linkedServiceName"),
        rules=_refers_to_what_is_there,
        outputs=rules.part,
        deletable=_unreferenced,
    ),
    Kind(
        "azure-native:datafactory:Pipeline",
        FACTORY + "/pipelines/{pipelineName}",
        naming={"pipelineName": DOCUMENT},
        replace=(*IN_FACTORY, "pipelineName"),
        rules=_refers_to_what_is_there,
        outputs=rules.part,
        deletable=_unreferenced,
    ),
    Kind(
        TRIGGER,
        FACTORY + "/triggers/{triggerName}",
        naming={"triggerName": DOCUMENT},
        replace=(*IN_FACTORY, "triggerName"),
        rules=_trigger,
        outputs=_trigger_outputs,
        deletable=_stopped,
        computed=("properties",),
    ),
    Kind(
        "azure-native:datafactory:IntegrationRuntime",
        FACTORY + "/integrationRuntimes/{integrationRuntimeName}",
        naming={"integrationRuntimeName": HYPHENATED},
        replace=(*IN_FACTORY, "integrationRuntimeName"),
        rules=_refers_to_what_is_there,
        outputs=rules.part,
        deletable=_unreferenced,
    ),
    Kind(
        GENERIC,
        GROUP + "/providers/{resourceProviderNamespace}/{parentResourcePath}/{resourceType}/{resourceName}",
        naming={"resourceName": r"\w+"},
        replace=(
            *(*PLACE, "resourceProviderNamespace", "parentResourcePath", "resourceType", "resourceName"),
            "apiVersion",
        ),
        rules=_managed_network,
        outputs=rules.part,
        deletable=_for_ever,
    ),
    Kind(
        "azure-native:datafactory:ManagedPrivateEndpoint",
        MANAGED_NETWORK + "/managedPrivateEndpoints/{managedPrivateEndpointName}",
        naming={"managedVirtualNetworkName": r"default", "managedPrivateEndpointName": r"[A-Za-z0-9_][-\w]{0,127}"},
        replace=(*IN_FACTORY, "managedVirtualNetworkName", "managedPrivateEndpointName"),
        rules=_private_endpoint,
        outputs=_private_endpoint_outputs,
        computed=("properties",),
    ),
)
