"""What Azure Monitor sees of a stack: logs in one place, and who is told when something is wrong.

Owns diagnostic settings, the action group, alerts and the budget. Not the log workspace (log_workspace.py), nor the
metrics of workloads, which go to Prometheus (kubernetes/). What is logged of a kind of resource stands in `LOGS`: the
categories that say who did what and what failed; never those that repeat each request of a busy resource (AKS'
`kube-audit`, reads of blobs).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pulumi
from pulumi import Input, Output, ResourceOptions
from pulumi_azure_native import consumption, monitor

from components.log_workspace import Logs
from components.site import Ground

LOGS: Mapping[str, tuple[str, ...]] = {
    "aks": ("cluster-autoscaler", "guard", "kube-audit-admin"),
    "container-registry": ("ContainerRegistryLoginEvents", "ContainerRegistryRepositoryEvents"),
    "data-factory": ("ActivityRuns", "PipelineRuns", "TriggerRuns"),
    "data-lake": ("StorageDelete", "StorageWrite"),
    "databricks": ("accounts", "clusters", "jobs", "secrets", "unityCatalog"),
    "event-stream": ("DiagnosticErrorLogs", "KafkaUserErrorLogs", "OperationalLogs"),
    "key-vault": ("AuditEvent",),
    "serving-store": ("ControlPlaneRequests",),
}
"""Resource → what is logged of it.
Source: https://learn.microsoft.com/azure/azure-monitor/reference/logs-index"""

PARTS: Mapping[str, str] = {"data-lake": "/blobServices/default"}
"""Where Azure keeps the logs of a part of a resource apart."""


@dataclass(frozen=True)
class Threshold:
    """A metric alert: which resource's metric, taken how, is wrong on which side of what value; the time looked at."""

    on: str
    metric: str
    aggregation: str
    operator: str
    value: float
    meaning: str
    severity: int
    window: str = "PT15M"


THRESHOLDS: Mapping[str, Threshold] = {
    "events-throttled": Threshold(
        "event-stream", "ThrottledRequests", "Total", "GreaterThan", 0, "The event stream refuses what is too much.", 2
    ),
    "lake-unavailable": Threshold(
        "data-lake", "Availability", "Average", "LessThan", 99.9, "The data lake does not answer every request.", 1
    ),
    "nodes-busy": Threshold(
        "aks", "node_cpu_usage_percentage", "Average", "GreaterThan", 90, "The cluster's nodes are at their limit.", 2
    ),
    "pipeline-failed": Threshold(
        "data-factory", "PipelineFailedRuns", "Total", "GreaterThan", 0, "A pipeline failed.", 1
    ),
    "serving-unavailable": Threshold(
        *("serving-store", "ServiceAvailability", "Average", "LessThan", 99.9),
        *("The serving store does not answer every request.", 2, "PT1H"),
    ),
    "vault-unavailable": Threshold(
        "key-vault", "Availability", "Average", "LessThan", 99.9, "The key vault does not answer every request.", 2
    ),
}
"""Metric alerts. Source of metrics: https://learn.microsoft.com/azure/azure-monitor/reference/metrics-index"""

ACTIVITIES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "lake-deleted": (
        "Somebody deletes the data lake.",
        {"category": "Administrative", "operationName": "Microsoft.Storage/storageAccounts/delete"},
    ),
    "lock-deleted": (
        "Somebody removes a lock.",
        {"category": "Administrative", "operationName": "Microsoft.Authorization/locks/delete"},
    ),
    "role-assigned": (
        "Somebody gives a role.",
        {"category": "Administrative", "operationName": "Microsoft.Authorization/roleAssignments/write"},
    ),
    "service-health": ("Azure itself has trouble.", {"category": "ServiceHealth"}),
}
"""Alerts on what is done to resources: meaning, and conditions on the activity log."""

SHARES = (50, 80, 100)
"""Percent of the budget that was spent, at which somebody is told; and once when all of it is going to be."""


@dataclass(frozen=True)
class MonitoringArgs:
    """Who is told (e-mail addresses), and the budget in the subscription's currency a month.

    `budget_start` is the first day of the month since which the budget counts.
    """

    notify: Sequence[str]
    budget: int
    budget_start: date


class Monitoring(pulumi.ComponentResource):
    """What is logged and watched of the resources of this stack: `watched` maps what they are to their ids."""

    def __init__(
        self,
        name: str,
        site: Ground,
        args: MonitoringArgs,
        logs: Logs,
        watched: Mapping[str, Input[str]],
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("medallion:components:Monitoring", name, None, opts)
        self._name, self._site, self._child = name, site, ResourceOptions(parent=self)
        self._scope = Output.concat("/subscriptions/", site.subscription, "/resourceGroups/", site.group)
        for what, id_ in watched.items():
            monitor.DiagnosticSetting(
                f"{name}-logs-of-{what}",
                name="medallion",
                resource_uri=Output.concat(id_, PARTS.get(what, "")),
                workspace_id=logs.id,
                log_analytics_destination_type="Dedicated",
                logs=[{"category": category, "enabled": True} for category in LOGS[what]],
                opts=self._child,
            )
        told = self._action_group(args.notify)
        for alert, threshold in THRESHOLDS.items():
            if threshold.on in watched:
                self._metric_alert(alert, threshold, watched[threshold.on], told)
        for alert, (meaning, conditions) in ACTIVITIES.items():
            self._activity_alert(alert, meaning, conditions, told)
        self._budget(args, told)
        self.register_outputs({})

    def _action_group(self, notify: Sequence[str]) -> Output[str]:
        """Who is told. Returns its id."""
        return monitor.ActionGroup(
            f"{self._name}-action-group",
            action_group_name=self._site.names.of("action_group"),
            group_short_name="medallion",
            resource_group_name=self._site.group,
            location="global",
            enabled=True,
            email_receivers=[
                {"name": address, "email_address": address, "use_common_alert_schema": True}
                for address in sorted(notify)
            ],
            tags=self._site.tags,
            opts=self._child,
        ).id

    def _metric_alert(self, alert: str, threshold: Threshold, on: Input[str], told: Output[str]) -> None:
        criterion = {
            "name": alert,
            "criterion_type": "StaticThresholdCriterion",
            "metric_name": threshold.metric,
            "time_aggregation": threshold.aggregation,
            "operator": threshold.operator,
            "threshold": threshold.value,
        }
        monitor.MetricAlert(
            f"{self._name}-{alert}",
            rule_name=alert,
            resource_group_name=self._site.group,
            location="global",
            description=threshold.meaning,
            severity=threshold.severity,
            enabled=True,
            scopes=[on],
            evaluation_frequency="PT5M",
            window_size=threshold.window,
            criteria=monitor.MetricAlertSingleResourceMultipleMetricCriteriaArgs(
                odata_type="Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria", all_of=[criterion]
            ),
            actions=[{"action_group_id": told}],
            tags=self._site.tags,
            opts=self._child,
        )

    def _activity_alert(self, alert: str, meaning: str, conditions: Mapping[str, str], told: Output[str]) -> None:
        # Azure's own troubles are those of the subscription, whatever is in the group.
        subscription = f"/subscriptions/{self._site.subscription}"
        monitor.ActivityLogAlert(
            f"{self._name}-{alert}",
            activity_log_alert_name=alert,
            resource_group_name=self._site.group,
            location="global",
            description=meaning,
            enabled=True,
            scopes=[subscription if conditions["category"] == "ServiceHealth" else self._scope],
            condition={"all_of": [{"field": field, "equals": value} for field, value in sorted(conditions.items())]},
            actions={"action_groups": [{"action_group_id": told}]},
            tags=self._site.tags,
            opts=self._child,
        )

    def _budget(self, args: MonitoringArgs, told: Output[str]) -> None:
        """Tells when shares of the budget are spent, and when it is going to be exceeded."""

        def notice(kind: str, share: int) -> dict:
            rule = {"enabled": True, "operator": "GreaterThanOrEqualTo", "threshold": share, "threshold_type": kind}
            return {**rule, "contact_emails": sorted(args.notify), "contact_groups": [told]}

        consumption.Budget(
            f"{self._name}-budget",
            budget_name=self._site.names.of("budget"),
            scope=self._scope,
            amount=args.budget,
            category="Cost",
            time_grain="Monthly",
            time_period={"start_date": f"{args.budget_start.isoformat()}T00:00:00Z"},
            notifications={
                **{f"spent-{share}": notice("Actual", share) for share in SHARES},
                "forecast-100": notice("Forecasted", 100),
            },
            opts=self._child,
        )
