"""`medallion validate`: check the outputs of a workload as they are now."""

from __future__ import annotations

from medallion import options
from medallion.connection import connect
from medallion.run import conclude
from toolchain.errors import UserError
from workloads import spec


def validate(
    workload: options.WorkloadName,
    stack: options.Stack = "local",
    cloud: options.Cloud = "simulated",
    json: options.Json = False,
) -> None:
    """Run the workload's own checks over its tables and exports."""
    declared = spec.find(workload)
    checks = [task.key for task in declared.job().tasks if task.layer == "quality"]
    if not checks:
        raise UserError(f"workload {workload!r} has no task of layer 'quality', so nothing to validate")
    with connect(stack, cloud) as connection:
        started = connection.client.jobs.run_now(connection.job_id(declared), only=checks)
        conclude(connection, declared, started.run_id, json)
