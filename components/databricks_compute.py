"""What clusters may be, and the one that people and the data factory share.

Owns the cluster policy, the interactive cluster (where a stack has one) with its rights, and the notebook that runs
tasks on it. Not job clusters, which come and go with their jobs (databricks_job.py).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pulumi_databricks as databricks
from pulumi import Input, InvokeOptions, Output, ResourceOptions

from components.databricks_job import ClusterArgs, access, cluster_settings, libraries
from components.existing import look_up

NOTEBOOK = Path(__file__).parent / "notebooks" / "run_task.py"
ADAPTIVE = {"spark.sql.adaptive.coalescePartitions.enabled": "true", "spark.sql.adaptive.enabled": "true"}
CLUSTER_RIGHTS: Mapping[str, str] = {"engineer": "CAN_RESTART", "reader": "CAN_ATTACH_TO"}


@dataclass(frozen=True)
class InteractiveArgs:
    """The interactive cluster: workers, and minutes without work after which it stops."""

    workers: int
    autotermination_minutes: int


@dataclass(frozen=True)
class ComputeArgs:
    """What clusters are made of, their names, the roles of groups, and the interactive cluster if there is one."""

    name: str
    cluster: ClusterArgs
    interactive: InteractiveArgs | None = None
    grants: Mapping[str, str] = field(default_factory=dict)


def policy_definition(args: ClusterArgs) -> dict[str, dict[str, Any]]:
    """What a cluster under the policy may be.

    Source: https://learn.microsoft.com/azure/databricks/admin/clusters/policy-definition
    """
    return {
        "spark_version": {"type": "fixed", "value": args.runtime.key},
        "node_type_id": {"type": "allowlist", "values": [args.node_type], "defaultValue": args.node_type},
        "num_workers": {"type": "range", "maxValue": max(args.workers, 8), "isOptional": True},
        "data_security_mode": {"type": "fixed", "value": "USER_ISOLATION"},
        # for clusters that stay: those of jobs end with them, and have no such setting
        "autotermination_minutes": {"type": "range", "minValue": 10, "maxValue": 120, "isOptional": True},
        "custom_tags.project": {"type": "fixed", "value": args.project},
    }


class ClusterPolicy(pulumi.ComponentResource):
    """The policy of all our clusters. `id` is complete once jobs may use it."""

    id: Output[str]

    def __init__(self, name: str, args: ComputeArgs, jobs: Input[str], opts: ResourceOptions) -> None:
        super().__init__("medallion:components:ClusterPolicy", name, None, opts)
        policy = databricks.ClusterPolicy(
            f"{name}-policy",
            name=args.name,
            description="What clusters of this stack may be.",
            definition=json.dumps(policy_definition(args.cluster), sort_keys=True),
            opts=ResourceOptions(parent=self),
        )
        may = databricks.Permissions(
            f"{name}-policy-permissions",
            cluster_policy_id=policy.id,
            access_controls=[
                *({"group_name": group, "permission_level": "CAN_USE"} for group in sorted(args.grants)),
                {"service_principal_name": jobs, "permission_level": "CAN_USE"},
            ],
            opts=ResourceOptions(parent=self),
        )
        self.id = Output.all(policy.id, may.id).apply(lambda ids: ids[0])
        self.register_outputs({"id": self.id})


class InteractiveCluster(pulumi.ComponentResource):
    """A cluster that starts when somebody asks and stops by itself."""

    id: Output[str]

    def __init__(
        self, name: str, args: ComputeArgs, policy: Input[str], wheel: Input[str], opts: ResourceOptions
    ) -> None:
        super().__init__("medallion:components:InteractiveCluster", name, None, opts)
        cluster = databricks.Cluster(
            f"{name}-cluster", **interactive_settings(args, policy, wheel), opts=ResourceOptions(parent=self)
        )
        if args.grants:
            databricks.Permissions(
                f"{name}-cluster-permissions",
                cluster_id=cluster.id,
                access_controls=access(args.grants, CLUSTER_RIGHTS),
                opts=ResourceOptions(parent=self),
            )
        self.id = cluster.id
        self.register_outputs({"id": self.id})

    @staticmethod
    def existing(id_: str, inside: databricks.Provider, *, owner: str) -> None:
        """Raises ExistingError where there is no cluster of that id."""
        options = InvokeOptions(provider=inside)
        look_up("interactive_cluster", id_, owner, lambda: databricks.get_cluster(cluster_id=id_, opts=options))


class TaskNotebook(pulumi.ComponentResource):
    """The notebook that runs tasks on a cluster that has the wheel. `path` is where it lies."""

    path: Output[str]

    def __init__(self, name: str, folder: str, opts: ResourceOptions) -> None:
        super().__init__("medallion:components:TaskNotebook", name, None, opts)
        notebook = databricks.Notebook(
            f"{name}-notebook",
            path=f"{folder}/run_task",
            language="PYTHON",
            content_base64=base64.b64encode(NOTEBOOK.read_bytes()).decode(),
            opts=ResourceOptions(parent=self),
        )
        self.path = notebook.path
        self.register_outputs({"path": self.path})


def interactive_settings(args: ComputeArgs, policy: Input[str], wheel: Input[str]) -> dict[str, Any]:
    """The properties of the interactive cluster: a job's, but with workers and an end of its own."""
    if args.interactive is None:
        raise ValueError("this stack has no interactive cluster")
    return {
        **cluster_settings(args.cluster, policy),
        "cluster_name": args.name,
        "driver_node_type_id": args.cluster.node_type,
        "num_workers": args.interactive.workers,
        "autotermination_minutes": args.interactive.autotermination_minutes,
        "spark_conf": ADAPTIVE,
        "libraries": libraries(wheel),
    }
