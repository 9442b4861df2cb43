"""What the validation pod runs: the checks of every workload (`workloads/*/checks.py`), one test each.

With `DATABRICKS_HOST` set it looks at the catalog through Databricks Connect, as whoever the environment says it is;
else through the Spark session of this process. Checks of files take the volumes, which only a cluster or a laptop has.
"""

import importlib
import os

import pytest

from workloads.lakehouse.checks import Check, Outputs, run
from workloads.lakehouse.lake import Lake
from workloads.spec import discover

CHECKS = [
    pytest.param(check, id=f"{workload.name}: {check.name}")
    for workload in discover()
    for check in importlib.import_module(f"workloads.{workload.folder}.checks").CHECKS
]


@pytest.fixture(scope="session")
def outputs() -> Outputs:
    """The outputs of the stack that the environment names."""
    if "DATABRICKS_HOST" in os.environ:
        from databricks.connect import DatabricksSession

        return Outputs(Lake.from_environment(), DatabricksSession.builder.getOrCreate())
    from pyspark.sql import SparkSession

    return Outputs(Lake.from_environment(), SparkSession.builder.getOrCreate())


@pytest.mark.parametrize("check", CHECKS)
def test_outputs_hold(check: Check, outputs: Outputs) -> None:
    """The check holds; where it does not, the message says how often it is broken."""
    if check.on == "files" and not outputs.lake.volumes.is_dir():
        pytest.skip("there are no volumes here: the validate task checks files on the cluster")
    (result,) = run([check], outputs)
    assert result.passed, str(result)
