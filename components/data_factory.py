"""The data factory: who starts the jobs from outside Databricks.

Owns the factory, its linked services and one pipeline for each workload. A pipeline does not draw the graph of tasks
again: it runs the one Databricks job, which knows it. The factory signs in as its managed identity everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi import Input, Output, ResourceOptions
from pulumi_azure_native import datafactory

from components.data_lake import Lake
from components.databricks_workspace import Workspace
from components.existing import look_up
from components.identity import grant
from components.site import Site
from workloads.spec import Job, Workload

DAY = 24 * 3600
LONGEST = 7 * DAY
RETRIES = 1
RETRY_INTERVAL_SECONDS = 60


def pipeline_activities(workload: Workload, job_ids: Mapping[str, Input[str]], linked_service: str) -> list[dict]:
    """The activities of a workload's pipeline: one for each of its jobs that ends, sorted by name.

    `job_ids` maps names of jobs to their ids. The pipeline's parameters go to the job as they are.
    """
    parameters = {
        parameter.name: {"value": f"@pipeline().parameters.{parameter.name}", "type": "Expression"}
        for parameter in sorted(workload.parameters, key=lambda parameter: parameter.name)
    }
    jobs = sorted((job for job in workload.jobs if not job.continuous), key=lambda job: job.key)
    return [
        {
            "name": f"Run_{workload.job_name(job.key).replace('-', '_')}",
            "type": "DatabricksJob",
            "job_id": job_ids[workload.job_name(job.key)],
            "job_parameters": parameters,
            "linked_service_name": {"reference_name": linked_service, "type": "LinkedServiceReference"},
            "policy": {
                "timeout": timespan(longest_run(job)),
                "retry": RETRIES,
                "retry_interval_in_seconds": RETRY_INTERVAL_SECONDS,
                "secure_input": True,
                "secure_output": True,
            },
        }
        for job in jobs
    ]


def longest_run(job: Job) -> int:
    """Seconds after which a run has certainly ended: every task timed out in every attempt, one after the other."""
    return min(LONGEST, sum(task.timeout_seconds * (1 + task.retries) for task in job.tasks))


def timespan(seconds: int) -> str:
    """A duration as the data factory writes it, `d.hh:mm:ss`."""
    days, rest = divmod(seconds, DAY)
    return f"{days}.{rest // 3600:02}:{rest % 3600 // 60:02}:{rest % 60:02}"


@dataclass(frozen=True)
class Factory:
    """A data factory, created or found: its name, and the group that holds it."""

    name: Output[str]
    group: Input[str]


class DataFactory(pulumi.ComponentResource):
    """The data factory of this stack, and what its identity may do."""

    factory: Factory

    def __init__(
        self, name: str, site: Site, lake: Lake, workspace: Workspace, opts: ResourceOptions | None = None
    ) -> None:
        super().__init__("medallion:components:DataFactory", name, None, opts)
        child = ResourceOptions(parent=self)
        factory = site.network.attach(
            datafactory.Factory,
            f"{name}-factory",
            factory_name=site.names.of("data_factory"),
            resource_group_name=site.group,
            location=site.location,
            identity={"type": "SystemAssigned"},
            tags=site.tags,
            opts=child,
        )
        principal = factory.identity.principal_id
        rights = (
            ("Contributor", "workspace", workspace.id),
            ("Storage Blob Data Reader", "data-lake", lake.id),
        )
        for role, on, scope in rights:
            grant(site, who="data-factory", role=role, on=on, principal_id=principal, scope=scope, opts=child)
        self.factory = Factory(name=factory.name, group=site.group)
        self.register_outputs({"name": factory.name})

    @staticmethod
    def existing(name: str, *, group: str, owner: str) -> Factory:
        """The factory of that name. Raises ExistingError."""
        found = look_up(
            "data_factory", name, owner, lambda: datafactory.get_factory(factory_name=name, resource_group_name=group)
        )
        return Factory(name=Output.from_input(found.name), group=group)


@dataclass(frozen=True)
class PipelinesArgs:
    """What pipelines are made of: `prefix` stands before all names, to tell stacks that share a factory apart."""

    prefix: str
    workloads: tuple[Workload, ...]
    job_ids: Mapping[str, Input[str]]


class Pipelines(pulumi.ComponentResource):
    """One pipeline for each workload. `names` maps workloads to their pipelines."""

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
        self._name, self._factory = name, factory
        databricks = self._linked_service(
            f"{args.prefix}_databricks",
            datafactory.AzureDatabricksLinkedServiceArgs(
                type="AzureDatabricks",
                domain=workspace.host,
                authentication="MSI",
                workspace_resource_id=workspace.id,
            ),
        )
        self._linked_service(
            f"{args.prefix}_lake", datafactory.AzureBlobFSLinkedServiceArgs(type="AzureBlobFS", url=lake.endpoint)
        )
        self.names = {
            workload.name: self._pipeline(workload, args, f"{args.prefix}_databricks", databricks)
            for workload in args.workloads
        }
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

    def _pipeline(self, workload: Workload, args: PipelinesArgs, service: str, needs: pulumi.Resource) -> Output[str]:
        """The pipeline of a workload. Returns its name."""
        activities = pipeline_activities(workload, args.job_ids, service)
        pipeline = datafactory.Pipeline(
            f"pipeline-{workload.name}",
            pipeline_name=f"{args.prefix}_{workload.folder}",
            factory_name=self._factory.name,
            resource_group_name=self._factory.group,
            description=workload.description,
            concurrency=1,
            parameters={
                parameter.name: {"type": "String", "default_value": parameter.text(parameter.default)}
                for parameter in workload.parameters
            },
            activities=[datafactory.DatabricksJobActivityArgs(**activity) for activity in activities],
            opts=ResourceOptions(parent=self, depends_on=[needs]),
        )
        return pipeline.name
