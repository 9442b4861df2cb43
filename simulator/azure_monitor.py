"""The simulated Azure's monitoring: where logs go, what raises an alarm and whom it reaches, and what may be spent."""

import re
from typing import Any

from simulator import azure_rules as rules
from simulator.azure_monitor_tables import Monitored, monitored
from simulator.azure_rules import GROUP, PLACE, guid, refuse, text, wrong
from simulator.kinds import Kind
from simulator.state import Cloud, Resource

INSIGHTS = GROUP + "/providers/Microsoft.Insights/"
LABEL = r"(?=.{1,260}$)[^*#&+:<>?@%{}\\/|]*[^*#&+:<>?@%{}\\/|. ]"
SETTING = "azure-native:monitor:DiagnosticSetting"
ACTION_GROUP = "Microsoft.Insights/actionGroups"
DESTINATIONS = {  # property of a diagnostic setting → Azure's type of what it names
    "workspaceId": "Microsoft.OperationalInsights/workspaces",
    "storageAccountId": "Microsoft.Storage/storageAccounts",
}
MOST_SETTINGS = 5  # https://learn.microsoft.com/azure/azure-monitor/platform/diagnostic-settings#multiple-destinations
SHORT_NAME = 12  # https://learn.microsoft.com/rest/api/monitor/action-groups/create-or-update
RETENTION = range(30, 731)  # https://learn.microsoft.com/azure/azure-monitor/logs/data-retention-configure
RECEIVERS = ("emailReceivers", "smsReceivers", "webhookReceivers", "armRoleReceivers")
# https://learn.microsoft.com/rest/api/monitor/metric-alerts/create-or-update
FREQUENCIES = {"PT1M": 1, "PT5M": 5, "PT15M": 15, "PT30M": 30, "PT1H": 60}
WINDOWS = {**FREQUENCIES, "PT6H": 360, "PT12H": 720, "P1D": 1440}
SEVERITIES, MOST_CRITERIA = range(5), 5
SINGLE = "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria"
# https://learn.microsoft.com/rest/api/consumption/budgets/create-or-update
TIME_GRAINS = ("Monthly", "Quarterly", "Annually")
MOST_NOTIFICATIONS, MOST_PER_CENT = 5, 1000


def _at_home(resource: Resource, *places: str) -> None:
    """What watches the whole cloud lies in no region."""
    place = resource.inputs.get("location") or ""
    if place.lower() not in places:
        message = f"'{place}' is not available for the type. List of available regions for it is '{','.join(places)}'."
        raise wrong(resource, "location", message, "LocationNotAvailableForResourceType")


# where logs go


def _workspace(cloud: Cloud, resource: Resource) -> None:
    """https://learn.microsoft.com/azure/azure-monitor/logs/cost-logs: what can still be chosen is PerGB2018."""
    sku = text(resource.inputs, "sku", "name") or "PerGB2018"
    if sku not in ("PerGB2018", "CapacityReservation", "LACluster"):
        raise wrong(resource, "sku", f"Pricing tier '{sku}' is not available for new workspaces.")
    days = resource.inputs.get("retentionInDays")
    if days is not None and days not in RETENTION:
        raise wrong(resource, "retentionInDays", f"{days} is not allowed for SKU {sku}: it must be 30 to 730.")


def _setting(cloud: Cloud, resource: Resource) -> None:
    target = resource.inputs["resourceUri"]
    type_ = rules.split(target)[0]
    known = monitored(type_)
    if not known.logs and not known.exported:
        message = f"The resource type '{type_}' does not support diagnostic settings."
        raise wrong(resource, "resourceUri", message, "ResourceTypeNotSupported")
    for property_, wanted in DESTINATIONS.items():
        if resource.inputs.get(property_):
            rules.referenced(cloud, resource, property_, resource.inputs[property_], wanted)
    if not any(resource.inputs.get(name) for name in (*DESTINATIONS, "eventHubAuthorizationRuleId")):
        raise wrong(resource, "workspaceId", "at least one data sink needs to be specified.")
    _categories(cloud, resource, known)
    others = [each for each in cloud.children(resource.parent) if each.type == SETTING and each.key != resource.key]
    same = [each for each in others if text(each.inputs, "resourceUri").lower() == target.lower()]
    if len(same) >= MOST_SETTINGS:
        raise wrong(resource, "resourceUri", f"{target} has {MOST_SETTINGS} diagnostic settings, and may have no more.")
    for other in same:
        _share_no_sink(resource, other, known)


def _categories(cloud: Cloud, resource: Resource, known: Monitored) -> None:
    logs, metrics = (resource.inputs.get(name) or [] for name in ("logs", "metrics"))
    if not logs and not metrics:
        raise wrong(resource, "logs", "at least one category of logs or metrics needs to be specified.")
    target = rules.find(cloud, resource.inputs["resourceUri"])
    plain_gateway = target and target.type.endswith(":NatGateway") and text(target.inputs, "sku", "name") == "Standard"
    categories, groups = ((), ()) if plain_gateway else (known.logs, known.groups)
    for log in logs:
        category, group = log.get("category"), log.get("categoryGroup")
        if bool(category) == bool(group):
            raise wrong(resource, "logs", "each log names either a category or a categoryGroup.")
        if category and category.lower() not in {each.lower() for each in categories}:
            message = f"Category '{category}' is not supported, supported categories are: {', '.join(categories)}."
            raise wrong(resource, "logs", message)
        if group and group.lower() not in {each.lower() for each in groups}:
            message = f"Category group '{group}' is not supported, supported groups are: {', '.join(groups)}."
            raise wrong(resource, "logs", message)
    for metric in metrics:
        if metric.get("category") not in known.exported:
            supported = ", ".join(known.exported) or "none"
            message = f"Metric category '{metric.get('category')}' is not supported, supported categories: {supported}."
            raise wrong(resource, "metrics", message)


def _sends(setting: Resource, known: Monitored) -> set[str]:
    """The categories that a setting sends."""
    sent = {metric["category"] for metric in setting.inputs.get("metrics") or () if metric["enabled"]}
    for log in setting.inputs.get("logs") or ():
        if log["enabled"]:
            sent |= {log["category"]} if log.get("category") else set(known.logs)
    return {category.lower() for category in sent}


def _share_no_sink(resource: Resource, other: Resource, known: Monitored) -> None:
    twice = sorted(_sends(resource, known) & _sends(other, known))
    for property_ in DESTINATIONS:
        sink = text(resource.inputs, property_)
        if twice and sink and sink.lower() == text(other.inputs, property_).lower():
            message = (
                f"{property_} of {resource.id}: Data sink '{sink}' is already used in diagnostic setting"
                f" '{other.inputs['name']}' for category '{twice[0]}'. Data sinks can't be reused in different settings"
                " on the same category for the same resource."
            )
            raise refuse(409, "Conflict", message)


# what raises an alarm


def _action_group(cloud: Cloud, resource: Resource) -> None:
    short = resource.inputs["groupShortName"]
    if not 1 <= len(short) <= SHORT_NAME:
        raise wrong(resource, "groupShortName", f"'{short}' must have 1 to {SHORT_NAME} characters.")
    names = [receiver["name"] for kind in RECEIVERS for receiver in resource.inputs.get(kind) or ()]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise wrong(resource, "receivers", f"Receiver name '{min(twice)}' is used more than once.")
    for receiver in resource.inputs.get("emailReceivers") or ():
        if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", receiver["emailAddress"]):
            raise wrong(resource, "emailReceivers", f"'{receiver['emailAddress']}' is not a valid email address.")


def _scopes(cloud: Cloud, resource: Resource) -> list[str]:
    scopes: list[str] = resource.inputs["scopes"]
    missing = [scope for scope in scopes if not rules.exists(cloud, scope)]
    if missing or not scopes:
        message = f"scopes of {resource.id}: the resource {', '.join(missing) or '(none)'} was not found."
        raise refuse(404, "ResourceNotFound", message)
    return scopes


def _metric_alert(cloud: Cloud, resource: Resource) -> None:
    _at_home(resource, "global")
    inputs, scopes = resource.inputs, _scopes(cloud, resource)
    if inputs["severity"] not in SEVERITIES:
        raise wrong(resource, "severity", f"{inputs['severity']} is not 0 to 4.")
    frequency, window = FREQUENCIES.get(inputs["evaluationFrequency"]), WINDOWS.get(inputs["windowSize"])
    if frequency is None:
        message = f"'{inputs['evaluationFrequency']}' is none of {', '.join(FREQUENCIES)}."
        raise wrong(resource, "evaluationFrequency", message)
    if window is None or window < frequency:
        message = f"'{inputs['windowSize']}' is none of {', '.join(WINDOWS)}, or less than the evaluationFrequency."
        raise wrong(resource, "windowSize", message)
    several = len(scopes) > 1
    if several and (inputs["criteria"].get("odataType") == SINGLE or not inputs.get("targetResourceType")):
        raise wrong(resource, "criteria", "several scopes take MultipleResource criteria and a targetResourceType.")
    _criteria(resource, [rules.split(scope)[0] for scope in scopes])
    for action in inputs.get("actions") or ():
        rules.referenced(cloud, resource, "actions", text(action, "actionGroupId"), ACTION_GROUP)


def _criteria(resource: Resource, types: list[str]) -> None:
    criteria = resource.inputs["criteria"].get("allOf") or []
    names = [criterion["name"] for criterion in criteria]
    if not 1 <= len(criteria) <= MOST_CRITERIA or len(set(names)) < len(names):
        raise wrong(resource, "criteria", f"an alert has 1 to {MOST_CRITERIA} criteria, each with a name of its own.")
    for criterion in criteria:
        namespace = criterion.get("metricNamespace") or types[0]
        if namespace.lower() not in {type_.lower() for type_ in types} or criterion.get("skipMetricValidation"):
            continue  # metrics of somebody's own, which Azure cannot know either
        if criterion["metricName"] not in monitored(namespace).metrics:
            message = f"Couldn't find a metric named {criterion['metricName']} ({namespace})."
            raise wrong(resource, "criteria", message)


def _activity_alert(cloud: Cloud, resource: Resource) -> None:
    """https://learn.microsoft.com/rest/api/monitor/activity-log-alerts/create-or-update"""
    _at_home(resource, "global", "westeurope", "northeurope", "eastus2euap")
    _scopes(cloud, resource)
    conditions = resource.inputs["condition"]["allOf"]
    if sum((condition.get("field") or "").lower() == "category" for condition in conditions) != 1:
        raise wrong(resource, "condition", "allOf must have exactly one condition on the field 'category'.")
    for condition in conditions:
        compares = condition.get("field") and (condition.get("equals") or condition.get("containsAny"))
        if not compares and not condition.get("anyOf"):
            raise wrong(resource, "condition", "each condition has a field and 'equals' or 'containsAny', or anyOf.")
    for group in resource.inputs["actions"].get("actionGroups") or ():
        rules.referenced(cloud, resource, "actions", group["actionGroupId"], ACTION_GROUP)


# what may be spent


def _budget(cloud: Cloud, resource: Resource) -> None:
    inputs = resource.inputs
    if inputs["timeGrain"] not in TIME_GRAINS:
        raise wrong(resource, "timeGrain", f"'{inputs['timeGrain']}' is none of {', '.join(TIME_GRAINS)}.")
    if inputs["category"] != "Cost":
        raise wrong(resource, "category", f"'{inputs['category']}' is not Cost.")
    if inputs["amount"] <= 0:
        raise wrong(resource, "amount", f"{inputs['amount']} is not more than 0.")
    start, end = inputs["timePeriod"]["startDate"], inputs["timePeriod"].get("endDate")
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])-01(T00:00:00Z?)?", start):
        raise wrong(resource, "timePeriod", f"startDate: '{start}' is not the first day of a month.")
    if end and end[:10] <= start[:10]:
        raise wrong(resource, "timePeriod", f"endDate: '{end}' is not after startDate '{start}'.")
    _notifications(cloud, resource)


def _notifications(cloud: Cloud, resource: Resource) -> None:
    notifications = resource.inputs.get("notifications") or {}
    if len(notifications) > MOST_NOTIFICATIONS:
        raise wrong(resource, "notifications", f"a budget has {MOST_NOTIFICATIONS} at most, not {len(notifications)}.")
    for name, notification in notifications.items():
        if not 0 <= notification["threshold"] <= MOST_PER_CENT:
            raise wrong(resource, "notifications", f"{name}: threshold {notification['threshold']} is not 0 to 1000.")
        if not notification["contactEmails"] and not notification.get("contactGroups"):
            raise wrong(resource, "notifications", f"{name}: at least one contact email or contact group is needed.")
        for group in notification.get("contactGroups") or ():
            rules.referenced(cloud, resource, "notifications", group, ACTION_GROUP)


# what Azure adds


def _workspace_outputs(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    return {**rules.tracked(cloud, resource), "customerId": guid(resource.id, "customer")}


def _setting_outputs(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    return {"type": rules.split(resource.id)[0]}


KINDS = (
    Kind(
        "azure-native:operationalinsights:Workspace",
        GROUP + "/providers/Microsoft.OperationalInsights/workspaces/{workspaceName}",
        naming={"workspaceName": r"[A-Za-z0-9][-A-Za-z0-9]{2,61}[A-Za-z0-9]"},
        replace=(*PLACE, "workspaceName"),
        rules=_workspace,
        outputs=_workspace_outputs,
    ),
    Kind(
        SETTING,
        "{resourceUri}/providers/Microsoft.Insights/diagnosticSettings/{name}",
        naming={"name": LABEL},
        replace=("resourceUri", "name"),
        rules=_setting,
        outputs=_setting_outputs,
    ),
    Kind(
        "azure-native:monitor:ActionGroup",
        INSIGHTS + "actionGroups/{actionGroupName}",
        naming={"actionGroupName": LABEL},
        replace=(*PLACE, "actionGroupName"),
        rules=_action_group,
        outputs=rules.common,
    ),
    Kind(
        "azure-native:monitor:MetricAlert",
        INSIGHTS + "metricAlerts/{ruleName}",
        naming={"ruleName": LABEL},
        replace=(*PLACE, "ruleName"),
        rules=_metric_alert,
        outputs=rules.common,
    ),
    Kind(
        "azure-native:monitor:ActivityLogAlert",
        INSIGHTS + "activityLogAlerts/{activityLogAlertName}",
        naming={"activityLogAlertName": LABEL},
        replace=(*PLACE, "activityLogAlertName"),
        rules=_activity_alert,
        outputs=rules.common,
    ),
    Kind(
        "azure-native:consumption:Budget",
        "{scope}/providers/Microsoft.Consumption/budgets/{budgetName}",
        naming={"budgetName": r"[-\w]{1,63}"},
        replace=("scope", "budgetName"),
        rules=_budget,
        outputs=rules.part,
    ),
)
