"""The simulated Azure's data factories: what refers to what, triggers, and the managed network."""

from dataclasses import replace

import pytest

from simulator import drift
from simulator.azure_rules import SUBSCRIPTION
from simulator.state import CloudError, cloud

PROVIDERS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers"
LINKED = {"referenceName": "no", "type": "LinkedServiceReference"}
SECRET = {
    "type": "AzureKeyVaultSecret",
    "secretName": "s",
    "store": {"referenceName": "no", "type": "LinkedServiceReference"},
}
IF = {
    "name": "if",
    "type": "IfCondition",
    "expression": {"type": "Expression", "value": "@true"},
    "ifTrueActivities": [{"name": "run", "type": "DatabricksJob", "jobId": "1", "linkedServiceName": LINKED}],
}
RECURRENCE = "properties.recurrence"


REFUSED = [
    ("pipeline", {"activities[0].linkedServiceName": LINKED}, "LinkedService", "references no of type LinkedServ"),
    ("pipeline", {"activities": [IF]}, "LinkedService", "references no of type LinkedService"),
    (
        "pipeline",
        {
            "activities": [
                {
                    "name": "next",
                    "type": "ExecutePipeline",
                    "pipeline": {"referenceName": "other", "type": "PipelineReference"},
                }
            ]
        },
        "Pipeline",
        "references other of type Pipeline",
    ),
    ("linked", {"properties.accessToken": SECRET}, "LinkedService", "references no of type LinkedService"),
    (
        "linked",
        {"properties.connectVia": {"referenceName": "no", "type": "IntegrationRuntimeReference"}},
        "IntegrationRuntime",
        "references no of type IntegrationRuntime",
    ),
    (
        "runtime",
        {"properties.managedVirtualNetwork.referenceName": "mine"},
        "ManagedVirtualNetwork",
        "references mine of type ManagedVirtualNetwork",
    ),
    (
        "trigger",
        {"properties.pipelines[0].pipelineReference.referenceName": "no"},
        "Pipeline",
        "references no of type Pipeline",
    ),
    ("trigger", {f"{RECURRENCE}.frequency": "Year"}, RECURRENCE, "frequency: 'Year' is none of Minute, Hour"),
    ("trigger", {f"{RECURRENCE}.interval": 0}, RECURRENCE, "interval: 0 is not 1 or more"),
    ("trigger", {f"{RECURRENCE}.startTime": None}, RECURRENCE, "startTime: 'None' is not of the form"),
    ("trigger", {f"{RECURRENCE}.endTime": "2025-01-01T00:00:00Z"}, RECURRENCE, "endTime: .* is not after"),
    ("event", {"properties.scope": "/no"}, "properties.scope", "/no .*was not found"),
    ("event", {"properties.scope": f"{PROVIDERS}/Microsoft.KeyVault/vaults/vault-x"}, "scope", "was not found"),
    ("event", {"properties.blobPathBeginsWith": None}, "blobPathBeginsWith", "blobPathEndsWith must be provided"),
    ("event", {"properties.blobPathBeginsWith": "landing/"}, "blobPathBeginsWith", "not of the form /container/bl"),
    ("event", {"properties.events": []}, "events", "there must be one at least"),
    ("managed endpoint", {"properties.privateLinkResourceId": "/no"}, "privateLinkResourceId", "resource /no was"),
    ("managed endpoint", {"properties.groupId": "vault"}, "GroupId", "GroupId: vault. It has blob, "),
    ("managed network", {"resourceType": "adfcdcs"}, "resourceType", "knows one generic resource only"),
    ("managed network", {"resourceName": "mine"}, "resourceType", "knows one generic resource only"),
]


def test_a_factory_refuses(azure):
    for name, changes, property_, message in REFUSED:
        azure.refuses(name, changes, property_, message)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("linked", "is referenced by p"),
        ("pipeline", "is referenced by daily"),
        ("managed network", "cannot be deleted; it goes with its factory"),
    ],
)
def test_what_others_refer_to_stays(azure, name, message):
    azure.keeps(name, message)


def test_references_are_found_whatever_their_capitals_and_depth(azure):
    with azure.undone() as now:
        found = azure.put(now, "pipeline", {"activities[0].linkedServiceName.referenceName": "LS"})
        auto = {"referenceName": "AutoResolveIntegrationRuntime", "type": "IntegrationRuntimeReference"}
        azure.put(now, "linked", {"properties.connectVia": auto})
        own = {"referenceName": "inside", "type": "IntegrationRuntimeReference"}
        azure.put(now, "linked", {"properties.connectVia": own})
        with pytest.raises(CloudError, match="is referenced by ls"):
            azure.delete(now, "runtime")
    assert found.inputs["activities"][0]["linkedServiceName"]["referenceName"] == "LS"


def test_a_trigger_is_made_stopped_and_cannot_be_touched_while_it_runs(azure):
    with azure.undone() as now:
        trigger = now.get(azure.id("trigger").lower())
        assert trigger.outputs["properties"]["runtimeState"] == "Stopped"
        started = {"properties": trigger.computed["properties"] | {"runtimeState": "Started"}}
        now.put(replace(trigger, computed=trigger.computed | started))
        for touch in (azure.put, azure.delete):
            with pytest.raises(CloudError, match=r"TriggerEnabledCannotUpdate.*disabled first: .*triggers/daily"):
                touch(now, "trigger")
        now.put(trigger)
        azure.delete(now, "trigger")
        azure.delete(now, "event")
        azure.delete(now, "pipeline")


def test_starting_a_trigger_behind_pulumi_s_back_changes_no_input(azure, tmp_path, monkeypatch):
    monkeypatch.setenv("MEDALLION_HOME", str(tmp_path))
    (tmp_path / "cloud.sqlite").write_bytes((azure.home / "cloud.sqlite").read_bytes())
    changed = drift.set_property(azure.id("trigger"), "properties.runtimeState", "Started")
    assert changed.inputs == azure.inputs("trigger")
    with cloud() as now, pytest.raises(CloudError, match="TriggerEnabledCannotUpdate"):
        azure.put(now, "trigger", {"properties.description": "x"})


def test_an_endpoint_of_the_managed_network_waits_for_the_owner_of_its_target(azure):
    with azure.undone() as now:
        made = now.get(azure.id("managed endpoint").lower())
        assert made.outputs["properties"]["connectionState"] == {"status": "Pending"}
        azure.delete(now, "managed endpoint")
        azure.delete(now, "runtime")
        azure.delete(now, "factory")
        assert now.find("azure-native:datafactory:*") + now.find("azure-native:resources:Resource") == []
