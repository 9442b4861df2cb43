"""The way from the command to a stack's workspace: the same SDK client for the simulated cloud and for Azure."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from medallion import services
from simulator.jobs_api import Workspace
from stacks.outputs import Outputs
from toolchain import class_data, java, paths
from toolchain.engine import engine, state_file
from toolchain.errors import UserError
from workloads.spec import Workload

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient


@dataclass(frozen=True)
class Connection:
    """A stack that is up: its typed outputs and a client of its workspace."""

    stack: str
    outputs: Outputs
    client: WorkspaceClient

    def job_id(self, workload: Workload, job: str = "batch") -> int:
        """The id under which the stack declared the job. Raises UserError where it did not."""
        name = workload.job_name(job)
        if name not in self.outputs.jobs:
            raise UserError(f"stack {self.stack!r} declares no job {name!r}: run `make up STACK={self.stack}`")
        return int(self.outputs.jobs[name])

    def container(self, path: str) -> str:
        """The volume path of `<container>/<path>` in the lake."""
        container, _, rest = path.partition("/")
        return f"{self.outputs.volumes}/{container}/files/{rest}".rstrip("/")


def deployed(stack: str, cloud: str) -> Outputs:
    """The typed outputs of a stack. Raises UserError where it is not up, or was deployed by other code."""
    target = engine(stack, cloud)
    missing = UserError(f"stack {stack!r} is not up in the {cloud} cloud: run `make up STACK={stack} CLOUD={cloud}`")
    if target.is_simulated and not state_file(target).is_file():
        raise missing
    document = json.loads(target.capture("stack", "output", "--json"))
    if not document:
        raise missing
    try:
        return Outputs.model_validate(document)
    except ValidationError as error:
        field = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise UserError(f"stack {stack!r} has no fitting output {field!r}: run `make up`") from None


def driver_environment(workload: Workload | None = None) -> dict[str, str]:
    """The environment of Spark drivers: Java, its archive of classes and the jars that set-up found.

    What is missing is left out: only a run needs it, and says so.
    """
    environment = dict(os.environ)
    if home := java.search():
        environment["JAVA_HOME"] = str(home)
        given = environment.get("MEDALLION_DRIVER_OPTIONS", "")
        environment["MEDALLION_DRIVER_OPTIONS"] = f"{class_data.options(home)} {given}".strip()
    if found := services.spark_jars(workload):
        environment[services.JARS] = ":".join(found)
    return environment


@contextmanager
def connect(stack: str, cloud: str, runs: Workload | None = None) -> Iterator[Connection]:
    """A connection to a stack that is up. The simulated workspace serves for the length of the block, and so do the
    servers that the workload needs which `runs` meanwhile.

    Raises UserError where the stack is not up, and with what the workspace said where it refuses something.
    """
    outputs = deployed(stack, cloud)
    # The SDK takes two seconds to import: only those who talk to a workspace wait for it.
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.errors import DatabricksError

    try:
        if not outputs.simulated:
            yield Connection(stack, outputs, WorkspaceClient(host=outputs.databricks_host))
            return
        with services.stand_ins(runs) if runs else nullcontext({}) as variables:
            workspace = Workspace(environment=driver_environment(runs) | variables)
            url = workspace.start(paths.home())
            try:
                yield Connection(stack, outputs, WorkspaceClient(host=url, token="any"))  # noqa: S106 (it takes any)
            finally:
                workspace.stop()
    except DatabricksError as error:
        raise UserError(str(error)) from None
