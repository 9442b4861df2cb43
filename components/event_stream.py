"""The event stream: Event Hubs, to which others send events and from which jobs read them as from Kafka.

Owns the namespace, a hub for each stream that a workload declares, with a consumer group for each of its continuous
jobs, and the way by which clusters read: a service credential of Unity Catalog, which jobs may use, over the identity
of the access connector. A cluster has no identity of its own that Entra knows, and whoever a job runs as lends it none.
There are no keys (tier Standard, local authentication off), and nothing is captured: events lie in the lake once a job
has read them. Who sends gets the role Azure Event Hubs Data Sender from whoever owns the sender.
Source: https://learn.microsoft.com/azure/databricks/connect/streaming/kafka/authentication
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_databricks as databricks
from pulumi import Input, Output, ResourceOptions
from pulumi_azure_native import eventhub

from components.databricks_workspace import AccessConnector
from components.existing import look_up
from components.identity import grant
from components.site import Ground, Site
from workloads.spec import Workload

HOST, PORT = "servicebus.windows.net", 9093
"""Source: https://learn.microsoft.com/azure/event-hubs/azure-event-hubs-apache-kafka-overview"""


@dataclass(frozen=True)
class Stream:
    """An event stream, created or found: name and id of the namespace."""

    name: Output[str]
    id: Output[str]

    @property
    def address(self) -> Output[str]:
        """Host and port, as Kafka's clients take them."""
        return Output.concat(self.name, f".{HOST}:{PORT}")


class EventStream(pulumi.ComponentResource):
    """The event stream of this stack, with so many throughput units. `stream` is complete once all hubs are there."""

    stream: Stream

    def __init__(
        self,
        name: str,
        site: Site,
        throughput_units: int,
        workloads: Sequence[Workload],
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("medallion:components:EventStream", name, None, opts)
        self._name, self._site = name, site
        child = ResourceOptions(parent=self)
        self.namespace = site.network.attach(
            eventhub.Namespace,
            f"{name}-namespace",
            namespace_name=site.names.of("event_stream"),
            resource_group_name=site.group,
            location=site.location,
            sku={"name": "Standard", "tier": "Standard", "capacity": throughput_units},
            kafka_enabled=True,
            disable_local_auth=True,
            minimum_tls_version="1.2",
            is_auto_inflate_enabled=False,
            tags=site.tags,
            opts=child,
        )
        rules = site.network.attach(
            eventhub.NamespaceNetworkRuleSet,
            f"{name}-firewall",
            namespace_name=self.namespace.name,
            resource_group_name=site.group,
            opts=child,
        )
        parts = [part for workload in workloads for part in self._hubs(workload)]
        ways = site.network.ways_to(self.namespace)
        whole = Output.all(self.namespace.name, *(part.id for part in (rules, *parts, *ways)))
        self.stream = Stream(name=whole.apply(lambda values: values[0]), id=self.namespace.id)
        self.register_outputs({"name": self.namespace.name})

    def _hubs(self, workload: Workload) -> list[eventhub.EventHub | eventhub.ConsumerGroup]:
        """The hubs of a workload, and their consumer groups."""
        place = {"namespace_name": self.namespace.name, "resource_group_name": self._site.group}
        readers = [workload.job_name(job.key) for job in workload.jobs if job.continuous]
        declared: list[eventhub.EventHub | eventhub.ConsumerGroup] = []
        for stream in workload.streams:
            hub = eventhub.EventHub(
                f"{self._name}-{stream.name}",
                event_hub_name=stream.name,
                partition_count=stream.partitions,
                retention_description={"cleanup_policy": "Delete", "retention_time_in_hours": stream.retention_hours},
                **place,
                opts=ResourceOptions(parent=self),
            )
            groups = [
                eventhub.ConsumerGroup(
                    f"{self._name}-{stream.name}-{reader}",
                    consumer_group_name=reader,
                    event_hub_name=hub.name,
                    **place,
                    opts=ResourceOptions(parent=self),
                )
                for reader in readers
            ]
            declared += [hub, *groups]
        return declared

    @staticmethod
    def existing(name: str, *, group: str, owner: str) -> Stream:
        """The namespace of that name. Raises ExistingError."""
        found = look_up(
            "event_stream",
            name,
            owner,
            lambda: eventhub.get_namespace(namespace_name=name, resource_group_name=group),
        )
        return Stream(name=Output.from_input(found.name), id=Output.from_input(found.id))


class StreamCredential(pulumi.ComponentResource):
    """The service credential by which `jobs` read an event stream. `name` is complete once they may."""

    name: Output[str]

    def __init__(
        self,
        name: str,
        site: Ground,
        credential: str,
        stream: Stream,
        connector: AccessConnector,
        jobs: Input[str],
        opts: ResourceOptions,
    ) -> None:
        super().__init__("medallion:components:StreamCredential", name, None, opts)
        child = ResourceOptions(parent=self)
        role = grant(
            site,
            who="lake-identity",
            role="Azure Event Hubs Data Receiver",
            on="event-stream",
            principal_id=connector.principal_id,
            scope=stream.id,
            opts=child,
        )
        service = databricks.Credential(
            f"{name}-service",
            name=credential,
            purpose="SERVICE",
            azure_managed_identity={
                "access_connector_id": connector.id,
                "managed_identity_id": connector.identity_id,
            },
            comment="The event stream, by the identity of the access connector.",
            skip_validation=True,
            force_destroy=True,
            opts=ResourceOptions(parent=self, depends_on=[role]),
        )
        use = databricks.Grants(
            f"{name}-grants",
            credential=service.name,
            grants=[{"principal": jobs, "privileges": ["ACCESS"]}],
            opts=child,
        )
        self.name = Output.all(service.name, use.id).apply(lambda values: values[0])
        self.register_outputs({"name": self.name})
