"""What runs in the data factory: who starts the workloads from outside Databricks.

Owns linked services, one pipeline for each workload, and its triggers; not the factory (data_factory.py). There are two
ways to run a workload, by the settings' `orchestration`:

- `databricks-job`: one activity starts the Databricks job, which knows its graph of tasks;
- `notebooks`: a chain of notebook activities on the interactive cluster, which they share, for each would otherwise
  start one of its own. The workload's spec says which tasks an activity runs.

Triggers are created stopped, and Azure refuses to change a started one: who deploys stops and starts them
(docs/azure.md). As long as they do not run, the jobs' own schedules do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi import Input, Output, ResourceOptions
from pulumi_azure_native import datafactory

from components.activities import job_activities, notebook_activities
from components.data_factory import Factory
from components.data_lake import Lake
from components.databricks_workspace import Workspace
from components.schedules import Recurrence
from workloads.spec import Workload


@dataclass(frozen=True)
class Notebooks:
    """How notebook activities run: the id of the cluster that they share, the notebook's path, and the wheel's."""

    cluster: Input[str]
    path: Input[str]
    wheel: Input[str]


@dataclass(frozen=True)
class PipelinesArgs:
    """What pipelines are made of: `prefix` stands before all names, to tell stacks that share a factory apart.

    `recurrences` are the hours of those workloads that have some. With `notebooks`, they are chains of activities;
    without, they start the jobs.
    """

    prefix: str
    workloads: tuple[Workload, ...]
    job_ids: Mapping[str, Input[str]]
    recurrences: Mapping[str, Recurrence]
    notebooks: Notebooks | None = None


class Pipelines(pulumi.ComponentResource):
    """One pipeline for each workload, with its triggers. `names` maps workloads to their pipelines."""

    names: dict[str, Output[str]]

    def __init__(
        self,
        name: str,
        factory: Factory,
        lake: Lake,
        workspace: Workspace,
        args: PipelinesArgs,
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("medallion:components:Pipelines", name, None, opts)
        self._name, self._factory, self._lake, self._args = name, factory, lake, args
        shared = {} if args.notebooks is None else {"existing_cluster_id": args.notebooks.cluster}
        way = {} if factory.runtime is None else {"connect_via": _through(factory.runtime)}
        databricks = self._linked_service(
            f"{args.prefix}_databricks",
            datafactory.AzureDatabricksLinkedServiceArgs(
                type="AzureDatabricks",
                domain=workspace.host,
                authentication="MSI",
                workspace_resource_id=workspace.id,
                **shared,
                **way,
            ),
        )
        self._linked_service(
            f"{args.prefix}_lake",
            datafactory.AzureBlobFSLinkedServiceArgs(type="AzureBlobFS", url=lake.endpoint, **way),
        )
        self.names = {workload.name: self._pipeline(workload, databricks) for workload in args.workloads}
        self.register_outputs({"names": self.names})

    def _linked_service(self, name: str, properties: Any) -> datafactory.LinkedService:
        """A linked service of the factory."""
        return datafactory.LinkedService(
            f"{self._name}-{name}",
            linked_service_name=name,
            factory_name=self._factory.name,
            resource_group_name=self._factory.group,
            properties=properties,
            opts=ResourceOptions(parent=self),
        )

    def _activities(self, workload: Workload) -> list[Any]:
        service = f"{self._args.prefix}_databricks"
        if self._args.notebooks is None:
            found = job_activities(workload, self._args.job_ids, service)
            return [datafactory.DatabricksJobActivityArgs(**activity) for activity in found]
        found = notebook_activities(workload, self._args.notebooks.path, self._args.notebooks.wheel, service)
        return [datafactory.DatabricksNotebookActivityArgs(**activity) for activity in found]

    def _pipeline(self, workload: Workload, needs: pulumi.Resource) -> Output[str]:
        """The pipeline of a workload with its triggers. Returns its name."""
        pipeline = datafactory.Pipeline(
            f"pipeline-{workload.name}",
            pipeline_name=f"{self._args.prefix}_{workload.folder}",
            factory_name=self._factory.name,
            resource_group_name=self._factory.group,
            description=workload.description,
            concurrency=1,
            parameters={
                parameter.name: {"type": "String", "default_value": parameter.text(parameter.default)}
                for parameter in workload.parameters
            },
            activities=self._activities(workload),
            opts=ResourceOptions(parent=self, depends_on=[needs]),
        )
        for kind, properties in self._triggers(workload, pipeline).items():
            datafactory.Trigger(
                f"trigger-{workload.name}-{kind}",
                trigger_name=f"{self._args.prefix}_{workload.folder}_{kind}",
                factory_name=self._factory.name,
                resource_group_name=self._factory.group,
                properties=properties,
                opts=ResourceOptions(parent=self),
            )
        return pipeline.name

    def _triggers(self, workload: Workload, pipeline: datafactory.Pipeline) -> dict[str, Any]:
        """What starts a workload's pipeline: the hours of its batch job, and a file that comes in."""
        starts = [
            {"pipeline_reference": {"type": "PipelineReference", "reference_name": pipeline.name}, "parameters": {}}
        ]
        container, _, folder = workload.input_path.partition("/")
        triggers: dict[str, Any] = {
            "arrival": datafactory.BlobEventsTriggerArgs(
                type="BlobEventsTrigger",
                scope=self._lake.id,
                events=["Microsoft.Storage.BlobCreated"],
                blob_path_begins_with=f"/{container}/blobs/{folder}/",
                ignore_empty_blobs=True,
                pipelines=starts,
            )
        }
        if hours := self._args.recurrences.get(workload.name):
            triggers["schedule"] = datafactory.ScheduleTriggerArgs(
                type="ScheduleTrigger", recurrence=hours, pipelines=starts
            )
        return triggers


def _through(runtime: Input[str]) -> datafactory.IntegrationRuntimeReferenceArgs:
    return datafactory.IntegrationRuntimeReferenceArgs(reference_name=runtime, type="IntegrationRuntimeReference")
