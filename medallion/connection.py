"""The way from the command to a stack's workspace: the same SDK client for the simulated cloud and for Azure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from databricks.sdk import WorkspaceClient
from simulator.jobs_api import Workspace
from stacks.outputs import Outputs

from toolchain import paths, stack
from toolchain.problem import Problem
from workloads.spec import Workload


@dataclass(frozen=True)
class Connection:
    """A stack that is up: its typed outputs and a client of its workspace."""

    stack: str
    outputs: Outputs
    client: WorkspaceClient

    def job_id(self, workload: Workload, job: str = "batch") -> int:
        """The id under which the stack declared the job. Raises Problem where it did not."""
        name = workload.job_name(job)
        if name not in self.outputs.jobs:
            raise Problem(f"stack {self.stack!r} declares no job {name!r}: run `make up STACK={self.stack}`")
        return int(self.outputs.jobs[name])

    def container(self, path: str) -> str:
        """The volume path of `<container>/<path>` in the lake."""
        container, _, rest = path.partition("/")
        return f"{self.outputs.volumes}/{container}/files/{rest}".rstrip("/")


@contextmanager
def connect(stack_name: str, cloud: str | None) -> Iterator[Connection]:
    """A connection to a stack that is up. The simulated workspace serves for the length of the block.

    Raises Problem where the stack is not up.
    """
    outputs = Outputs.model_validate(stack.outputs(stack_name, cloud))
    if not outputs.simulated:
        yield Connection(stack_name, outputs, WorkspaceClient(host=outputs.databricks_host))
        return
    workspace = Workspace()
    url = workspace.start(paths.home())
    try:
        yield Connection(stack_name, outputs, WorkspaceClient(host=url, token="any"))  # noqa: S106 (it takes any)
    finally:
        workspace.stop()
