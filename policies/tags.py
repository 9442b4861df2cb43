"""Rules for what can be tagged: who answers for a resource must be seen on the resource."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import Severity

from policies.rule import Properties, Rule

REQUIRED = ("environment", "managed-by", "project")

TAGGED = (
    "azure-native:containerregistry:Registry",
    "azure-native:containerservice:AgentPool",
    "azure-native:containerservice:ManagedCluster",
    "azure-native:cosmosdb:DatabaseAccount",
    "azure-native:databricks:AccessConnector",
    "azure-native:databricks:Workspace",
    "azure-native:datafactory:Factory",
    "azure-native:eventhub:Namespace",
    "azure-native:keyvault:Vault",
    "azure-native:managedidentity:UserAssignedIdentity",
    "azure-native:monitor:ActionGroup",
    "azure-native:monitor:ActivityLogAlert",
    "azure-native:monitor:MetricAlert",
    "azure-native:network:NatGateway",
    "azure-native:network:NetworkSecurityGroup",
    "azure-native:network:PrivateEndpoint",
    "azure-native:network:PublicIPAddress",
    "azure-native:network:VirtualNetwork",
    "azure-native:operationalinsights:Workspace",
    "azure-native:privatedns:PrivateZone",
    "azure-native:privatedns:VirtualNetworkLink",
    "azure-native:resources:ResourceGroup",
    "azure-native:storage:StorageAccount",
)


def _required_tags(properties: Properties) -> Iterator[str]:
    tags = properties.get("tags") or {}
    for tag in REQUIRED:
        if not tags.get(tag):
            yield f"the tag {tag!r} is missing"


RULES = (
    Rule(
        name="required-tags",
        description=f"Resources carry the tags {', '.join(REQUIRED)}.",
        severity=Severity.MEDIUM,
        types=TAGGED,
        sources=("AZR-000166",),
        link="https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources",
        violations=_required_tags,
    ),
)
