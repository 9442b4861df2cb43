"""What Azure Monitor knows of each type: the categories of its logs, and its metrics. Data, as Microsoft lists it.

Logs: https://learn.microsoft.com/azure/azure-monitor/reference/logs-index. Metrics:
https://learn.microsoft.com/azure/azure-monitor/reference/metrics-index (a page for each type). Category groups:
https://learn.microsoft.com/azure/azure-monitor/platform/diagnostic-settings; which types have `audit` is in the
built-in initiative "Enable audit category group resource logging for supported resources to Log Analytics"
(github.com/Azure/azure-policy), apart from storage and AKS, whose own pages name it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

_DATABRICKS = """
    accounts Apps BrickStoreHttpGateway BudgetPolicyCentral capsule8Dataplane clamAVScan CloudStorageMetadata
    clusterLibraries ClusterPolicies clusters Dashboards databrickssql DataMonitoring DataRooms dbfs deltaPipelines
    featureStore Files Filesystem genie gitCredentials globalInitScripts Groups iamRole Ingestion instancePools jobs
    LakeviewConfig LineageTracking MarketplaceConsumer MarketplaceProvider mlflowAcledArtifact mlflowExperiment
    modelRegistry notebook OnlineTables partnerHub PredictiveOptimization RBAC RemoteHistoryService repos RFA secrets
    serverlessRealTimeInference sqlanalytics sqlPermissions ssh unityCatalog VectorSearch WebhookNotifications
    webTerminal workspace WorkspaceFiles
"""
_FACTORY = """
    ActivityRuns AirflowDagProcessingLogs AirflowSchedulerLogs AirflowTaskLogs AirflowWebLogs AirflowWorkerLogs
    PipelineRuns SandboxActivityRuns SandboxPipelineRuns SSISIntegrationRuntimeLogs SSISPackageEventMessageContext
    SSISPackageEventMessages SSISPackageExecutableStatistics SSISPackageExecutionComponentPhases
    SSISPackageExecutionDataStatistics TriggerRuns
"""
_FACTORY_METRICS = """
    ActivityCancelledRuns ActivityFailedRuns ActivitySucceededRuns FactorySizeInGbUnits
    IntegrationRuntimeAvailableMemory IntegrationRuntimeAvailableNodeNumber IntegrationRuntimeAverageTaskPickupDelay
    IntegrationRuntimeCpuPercentage IntegrationRuntimeQueueLength MaxAllowedFactorySizeInGbUnits MaxAllowedResourceCount
    MVNetIRCopyAvailableCapacityPCT MVNetIRCopyCapacityUtilization MVNetIRCopyWaitingQueueLength
    MVNetIRExternalAvailableCapacityPCT MVNetIRExternalCapacityUtilization MVNetIRExternalWaitingQueueLength
    MVNetIRPipelineAvailableCapacityPCT MVNetIRPipelineCapacityUtilization MVNetIRPipelineWaitingQueueLength
    PipelineCancelledRuns PipelineElapsedTimeRuns PipelineFailedRuns PipelineSucceededRuns ResourceCount
    SSISIntegrationRuntimeStartCancel SSISIntegrationRuntimeStartFailed SSISIntegrationRuntimeStartSucceeded
    SSISIntegrationRuntimeStopStuck SSISIntegrationRuntimeStopSucceeded SSISPackageExecutionCancel
    SSISPackageExecutionFailed SSISPackageExecutionSucceeded TriggerCancelledRuns TriggerFailedRuns TriggerSucceededRuns
"""
_CLUSTER = """
    cloud-controller-manager cluster-autoscaler csi-azuredisk-controller csi-azurefile-controller
    csi-snapshot-controller fleet-mcs-controller-manager fleet-member-agent fleet-member-net-controller-manager guard
    karpenter-events kube-apiserver kube-audit kube-audit-admin kube-controller-manager kube-scheduler
"""
_CLUSTER_METRICS = """
    apiserver_cpu_usage_percentage apiserver_current_inflight_requests apiserver_memory_usage_percentage
    cluster_autoscaler_cluster_safe_to_autoscale cluster_autoscaler_scale_down_in_cooldown
    cluster_autoscaler_unneeded_nodes_count cluster_autoscaler_unschedulable_pods_count etcd_cpu_usage_percentage
    etcd_database_usage_percentage etcd_memory_usage_percentage kube_node_status_allocatable_cpu_cores
    kube_node_status_allocatable_memory_bytes kube_node_status_condition kube_pod_status_phase kube_pod_status_ready
    node_cpu_usage_millicores node_cpu_usage_percentage node_disk_usage_bytes node_disk_usage_percentage
    node_memory_rss_bytes node_memory_rss_percentage node_memory_working_set_bytes node_memory_working_set_percentage
    node_network_in_bytes node_network_out_bytes
"""
_TRANSACTIONS = "Availability Egress Ingress SuccessE2ELatency SuccessServerLatency Transactions"
_DDOS = """
    BytesDroppedDDoS BytesForwardedDDoS BytesInDDoS DDoSTriggerSYNPackets DDoSTriggerTCPPackets DDoSTriggerUDPPackets
    IfUnderDDoSAttack PacketsDroppedDDoS PacketsForwardedDDoS PacketsInDDoS TCPBytesDroppedDDoS TCPBytesForwardedDDoS
    TCPBytesInDDoS TCPPacketsDroppedDDoS TCPPacketsForwardedDDoS TCPPacketsInDDoS UDPBytesDroppedDDoS
    UDPBytesForwardedDDoS UDPBytesInDDoS UDPPacketsDroppedDDoS UDPPacketsForwardedDDoS UDPPacketsInDDoS
"""

_COSMOS = """
    CassandraRequests ControlPlaneRequests DataPlaneRequests DataPlaneRequests15M DataPlaneRequests5M GremlinRequests
    MongoRequests PartitionKeyRUConsumption PartitionKeyStatistics QueryRuntimeStatistics TableApiRequests
"""
_COSMOS_METRICS = """
    AvailableStorage CassandraConnectionClosures CassandraKeyspaceDelete CassandraKeyspaceUpdate CassandraRequestCharges
    CassandraRequests CassandraTableDelete CassandraTableUpdate DataUsage DocumentCount DocumentQuota IndexUsage
    MetadataRequests NormalizedRUConsumption ProvisionedThroughput ReplicationLatency ServerSideLatency
    ServerSideLatencyDirect ServerSideLatencyGateway ServiceAvailability TotalRequests TotalRequestUnits
"""
_EVENTS = """
    ApplicationMetricsLogs ArchiveLogs AutoScaleLogs CustomerManagedKeyUserLogs DataDRLogs DiagnosticErrorLogs
    EventHubVNetConnectionEvent KafkaCoordinatorLogs KafkaUserErrorLogs OperationalLogs RuntimeAuditLogs
"""
_EVENTS_METRICS = """
    ActiveConnections CaptureBacklog CapturedBytes CapturedMessages ConnectionsClosed ConnectionsOpened IncomingBytes
    IncomingMessages IncomingRequests NamespaceCpuUsage NamespaceMemoryUsage OutgoingBytes OutgoingMessages
    QuotaExceededErrors ReplicationLagCount ReplicationLagDuration ServerErrors Size SuccessfulRequests
    ThrottledRequests UserErrors
"""


@dataclass(frozen=True)
class Monitored:
    """What one type shows: categories of logs and of metrics for diagnostic settings, and metrics for alerts."""

    logs: tuple[str, ...] = ()
    has_audit: bool = False  # whether its logs have the category group `audit` beside `allLogs`
    exported: tuple[str, ...] = ()  # categories of metrics that a diagnostic setting may send
    metrics: tuple[str, ...] = ()

    @property
    def groups(self) -> tuple[str, ...]:
        """The category groups of its logs."""
        return ("allLogs", "audit")[: 1 + self.has_audit] if self.logs else ()


def _row(logs: str = "", metrics: str = "", *, has_audit: bool = False, exported: str = "AllMetrics") -> Monitored:
    return Monitored(tuple(logs.split()), has_audit, tuple(exported.split()), tuple(metrics.split()))


MONITORED: Mapping[str, Monitored] = {
    "Microsoft.Storage/storageAccounts": _row(
        metrics=_TRANSACTIONS + " UsedCapacity ReplicationLagSeconds", exported="AllMetrics Capacity Transaction"
    ),
    "Microsoft.Storage/storageAccounts/blobServices": _row(
        "StorageDelete StorageRead StorageWrite",
        _TRANSACTIONS + " BlobCapacity BlobCount BlobProvisionedSize ContainerCount IndexCapacity",
        has_audit=True,
        exported="AllMetrics Capacity Transaction",
    ),
    "Microsoft.KeyVault/vaults": _row(
        "AuditEvent AzurePolicyEvaluationDetails",
        "Availability SaturationShoebox ServiceApiHit ServiceApiLatency ServiceApiResult",
        has_audit=True,
    ),
    "Microsoft.ContainerRegistry/registries": _row(
        "ContainerRegistryLoginEvents ContainerRegistryRepositoryEvents",
        "AgentPoolCPUTime RunDuration StorageUsed SuccessfulPullCount SuccessfulPushCount TotalPullCount"
        " TotalPushCount",
        has_audit=True,
    ),
    "Microsoft.DataFactory/factories": _row(_FACTORY, _FACTORY_METRICS),
    "Microsoft.Databricks/workspaces": _row(_DATABRICKS, exported=""),
    "Microsoft.ContainerService/managedClusters": _row(_CLUSTER, _CLUSTER_METRICS, has_audit=True),
    "Microsoft.DocumentDB/databaseAccounts": _row(
        _COSMOS, _COSMOS_METRICS, has_audit=True, exported="AllMetrics Requests SLI"
    ),
    "Microsoft.EventHub/namespaces": _row(_EVENTS, _EVENTS_METRICS, has_audit=True),
    "Microsoft.OperationalInsights/workspaces": _row(
        "Audit SummaryLogs", "BytesExported ExportFailed Heartbeat RecordsExported", has_audit=True
    ),
    "Microsoft.Network/networkSecurityGroups": _row(
        "NetworkSecurityGroupEvent NetworkSecurityGroupRuleCounter", exported=""
    ),
    "Microsoft.Network/publicIPAddresses": _row(
        "DDoSMitigationFlowLogs DDoSMitigationReports DDoSProtectionNotifications",
        _DDOS + " ByteCount PacketCount SynCount VipAvailability",
        has_audit=True,
    ),
    "Microsoft.Network/natGateways": _row(
        "NatGatewayFlowlogsV1",  # of the SKU StandardV2 only
        "ByteCount DatapathAvailability PacketCount PacketDropCount SNATConnectionCount TotalConnectionCount",
        exported="",
    ),
    "Microsoft.Network/virtualNetworks": _row(
        "VMProtectionAlerts", _DDOS + " PingMeshAverageRoundtripMs PingMeshProbesFailedPercent"
    ),
    "Microsoft.Network/privateEndpoints": _row(metrics="PEBytesIn PEBytesOut", exported=""),
}
_BY_LOWER = {type_.lower(): row for type_, row in MONITORED.items()}


def monitored(type_: str) -> Monitored:
    """What Azure Monitor knows of Azure's type of that name; nothing for a type of which it knows nothing."""
    return _BY_LOWER.get(type_.lower(), Monitored())
