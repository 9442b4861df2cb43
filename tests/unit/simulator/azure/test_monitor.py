"""The simulated Azure's monitoring: diagnostic settings, alerts and budgets."""

import pytest

from simulator.azure_monitor_tables import MONITORED, monitored
from simulator.azure_rules import SUBSCRIPTION
from simulator.state import CloudError

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
PROVIDERS = f"{GROUP}/providers"
NOTE = "notifications.half"
TOLD = {"enabled": True, "operator": "GreaterThan", "threshold": 80, "contactEmails": ["on-call@acme.example"]}
CRITERION = "criteria.allOf[0]"
SEVERAL = [f"{PROVIDERS}/Microsoft.DataFactory/factories/adf-x", f"{PROVIDERS}/Microsoft.KeyVault/vaults/vault-x"]


def on(name, kind="logs", **category):
    """A diagnostic setting on the thing of that name, of one category."""
    settings = {"logs": [], "metrics": []} | {kind: [category | {"enabled": True}]}
    return {"resourceUri": name, "name": f"on-{name.rpartition('/')[2]}", **settings}


REFUSED = [
    ("logs", {"sku.name": "Free"}, "sku", "'Free' is not available for new workspaces"),
    ("logs", {"retentionInDays": 29}, "retentionInDays", "29 is not allowed .*30 to 730"),
    ("setting", {"workspaceId": "/no"}, "workspaceId", "/no .*was not found"),
    ("setting", {"storageAccountId": "/no"}, "storageAccountId", "/no .*was not found"),
    ("setting", {"workspaceId": None}, "workspaceId", "at least one data sink"),
    ("setting", {"logs": None, "metrics": None}, "logs", "at least one category"),
    ("setting", {"logs[0].category": "StorageRead"}, "logs", "either a category or a categoryGroup"),
    ("setting", {"logs[0]": {"category": "Reads", "enabled": True}}, "logs", "Category 'Reads' .*StorageDelete"),
    ("setting", {"logs[0].categoryGroup": "all"}, "logs", "Category group 'all' .* allLogs, audit"),
    ("setting", {"metrics[0].category": "Reads"}, "metrics", "'Reads' is not supported, supported .*AllMetrics, C"),
    ("setting", {"name": "again"}, "workspaceId", "Data sink .* is already used in .* 'to-logs' for category"),
    ("alarm", {"groupShortName": "a" * 13}, "groupShortName", "must have 1 to 12 characters"),
    ("alarm", {"emailReceivers[0].emailAddress": "nobody"}, "emailReceivers", "'nobody' is not a valid email"),
    (
        "alarm",
        {"webhookReceivers": [{"name": "on-call", "serviceUri": "https://x"}]},
        "receivers",
        "'on-call' is used more than once",
    ),
    ("metric", {"location": "westeurope"}, "location", "List of available regions for it is 'global'"),
    ("metric", {"scopes": ["/no"]}, "scopes", "the resource /no was not found"),
    ("metric", {"scopes": []}, "scopes", "was not found"),
    ("metric", {"severity": 5}, "severity", "5 is not 0 to 4"),
    ("metric", {"evaluationFrequency": "PT2M"}, "evaluationFrequency", "'PT2M' is none of PT1M"),
    ("metric", {"windowSize": "PT1M"}, "windowSize", "less than the evaluationFrequency"),
    ("metric", {"scopes": SEVERAL}, "criteria", "several scopes take MultipleResource criteria"),
    ("metric", {f"{CRITERION}.metricName": "Failed"}, "criteria", "Couldn't find a metric named Failed"),
    ("metric", {"criteria.allOf": []}, "criteria", "has 1 to 5 criteria"),
    ("metric", {"actions[0].actionGroupId": "/no"}, "actions", "/no .*was not found"),
    ("activity", {"location": "eastus"}, "location", "'global,westeurope,northeurope"),
    ("activity", {"scopes": [f"{GROUP}-no"]}, "scopes", "was not found"),
    ("activity", {"condition.allOf": []}, "condition", "exactly one condition on the field 'category'"),
    ("activity", {"condition.allOf[0].equals": None}, "condition", "has a field and 'equals'"),
    ("activity", {"actions.actionGroups[0].actionGroupId": "/no"}, "actions", "/no .*was not found"),
    ("budget", {"amount": 0}, "amount", "0 is not more than 0"),
    ("budget", {"category": "Usage"}, "category", "'Usage' is not Cost"),
    ("budget", {"timeGrain": "Daily"}, "timeGrain", "'Daily' is none of Monthly, Quarterly, Annually"),
    ("budget", {"timePeriod.startDate": "2026-01-02"}, "timePeriod", "is not the first day of a month"),
    ("budget", {"timePeriod.endDate": "2025-12-01"}, "timePeriod", "is not after startDate"),
    ("budget", {f"{NOTE}.threshold": 1001}, "notifications", "half: threshold 1001 is not 0 to 1000"),
    ("budget", {f"{NOTE}.contactGroups": []}, "notifications", "at least one contact email or contact group"),
    ("budget", {f"{NOTE}.contactGroups": ["/no"]}, "notifications", "/no .*was not found"),
    ("budget", {f"notifications.n{number}": TOLD for number in range(5)}, "notifications", "5 at most, not 6"),
]


def test_azure_monitor_refuses(azure):
    for name, changes, property_, message in REFUSED:
        azure.refuses(name, changes, property_, message)


TARGETS = {
    "account": ({"kind": "metrics", "category": "Transaction"}, {"categoryGroup": "allLogs"}),
    "vault": ({"category": "AuditEvent"}, {"category": "StorageRead"}),
    "registry": ({"categoryGroup": "audit"}, {"category": "AuditEvent"}),
    "factory": ({"category": "PipelineRuns"}, {"categoryGroup": "audit"}),
    "databricks": ({"categoryGroup": "allLogs"}, {"kind": "metrics", "category": "AllMetrics"}),
    "cluster": ({"category": "kube-audit-admin"}, {"category": "kubelet"}),
    "nsg": ({"category": "NetworkSecurityGroupEvent"}, {"kind": "metrics", "category": "AllMetrics"}),
    "address": ({"kind": "metrics", "category": "AllMetrics"}, {"category": "NetworkSecurityGroupEvent"}),
    "vnet": ({"category": "VMProtectionAlerts"}, {"categoryGroup": "audit"}),
    "logs": ({"category": "Audit"}, {"category": "AuditEvent"}),
}


@pytest.mark.parametrize("target", TARGETS)
def test_a_setting_sends_what_its_target_has(azure, target):
    good, bad = TARGETS[target]
    with azure.undone() as now:
        azure.put(now, "setting", on(azure.id(target), **good))
        with pytest.raises(CloudError, match="is not supported, supported"):
            azure.put(now, "setting", on(azure.id(target), **bad))


@pytest.mark.parametrize("target", ["endpoint", "zone", "identity", "subnet", "group"])
def test_some_types_have_no_diagnostic_settings(azure, target):
    with azure.undone() as now, pytest.raises(CloudError, match=r"ResourceTypeNotSupported.*does not support diagnost"):
        azure.put(now, "setting", on(azure.id(target), categoryGroup="allLogs"))


@pytest.mark.parametrize(("sku", "is_refused"), [("Standard", True), ("StandardV2", False)])
def test_only_the_newer_gateways_log(azure, sku, is_refused):
    flows = {"category": "NatGatewayFlowlogsV1"}
    with azure.undone() as now:
        made = azure.put(now, "nat", {"natGatewayName": "new", "publicIpAddresses": None, "sku.name": sku})
        if is_refused:
            with pytest.raises(CloudError, match="Category 'NatGatewayFlowlogsV1' is not supported"):
                azure.put(now, "setting", on(made.id, **flows))
        else:
            azure.put(now, "setting", on(made.id, **flows))


def test_a_resource_has_five_settings(azure):
    categories = ("PipelineRuns", "ActivityRuns", "TriggerRuns", "SandboxPipelineRuns", "SandboxActivityRuns")
    factory = azure.id("factory")
    with azure.undone() as now:
        for category in categories:
            azure.put(now, "setting", on(factory, category=category) | {"name": category})
        with pytest.raises(CloudError, match="has 5 diagnostic settings"):
            azure.put(now, "setting", on(factory, category="AirflowWebLogs"))


def test_settings_with_nothing_in_common_share_a_workspace(azure):
    vault = azure.id("vault")
    with azure.undone() as now:
        azure.put(now, "setting", on(vault, category="AuditEvent"))
        azure.put(now, "setting", on(vault, "metrics", category="AllMetrics") | {"name": "metrics"})
        with pytest.raises(CloudError, match="'on-vault-x' for category 'auditevent'"):
            azure.put(now, "setting", on(vault, categoryGroup="allLogs") | {"name": "all"})


def test_an_alert_on_metrics_of_ones_own_or_on_many_resources_is_taken(azure):
    with azure.undone() as now:
        azure.put(now, "metric", {f"{CRITERION}.metricName": "mine", f"{CRITERION}.metricNamespace": "acme/x"})
        azure.put(now, "metric", {f"{CRITERION}.metricName": "mine", f"{CRITERION}.skipMetricValidation": True})
        several = {
            "scopes": SEVERAL,
            "targetResourceType": "Microsoft.DataFactory/factories",
            "targetResourceRegion": "westeurope",
            "criteria.odataType": "Microsoft.Azure.Monitor.MultipleResourceMultipleMetricCriteria",
        }
        assert azure.put(now, "metric", several).outputs["name"] == "failed runs"


def test_a_budget_may_be_the_subscription_s(azure):
    subscription = f"/subscriptions/{SUBSCRIPTION}"
    with azure.undone() as now:
        made = azure.put(now, "budget", {"scope": subscription, "timePeriod.endDate": "2027-01-01T00:00:00Z"})
    assert made.parent == subscription


def test_the_tables_speak_of_types_that_the_cloud_has(azure):
    with azure.undone() as now:
        known = {azure.provider.kind(r.type).type: r.id for r in now.find()}
        types = {id_.partition("/providers/")[2].split("/")[0] for id_ in known.values()}
    assert {type_.split("/")[0] for type_ in MONITORED} <= types
    assert monitored("microsoft.keyvault/VAULTS").groups == ("allLogs", "audit")
    assert monitored("Microsoft.Nothing/atAll").groups == ()
