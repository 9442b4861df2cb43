"""The way from the command to a stack's registry of models: MLflow beside the simulated cloud, or Unity Catalog's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from medallion.connection import Connection
from toolchain import paths
from toolchain.errors import UserError
from workloads.spec import Workload

if TYPE_CHECKING:
    from mlflow import MlflowClient


def client(connection: Connection) -> MlflowClient:
    """A client of the stack's registry; in Azure it takes the rights of whoever runs the command."""
    # Set before MLflow is imported, which takes a second: only the commands that need it wait for it.
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    from mlflow import MlflowClient

    if connection.outputs.simulated:
        store = paths.home() / "mlflow" / "mlflow.db"
        if not store.is_file():
            raise UserError("nothing was trained yet: medallion run")
        return MlflowClient(f"sqlite:///{store}")
    os.environ["DATABRICKS_HOST"] = connection.outputs.databricks_host
    return MlflowClient("databricks", "databricks-uc")


def model_name(connection: Connection, workload: Workload) -> str:
    """The full name of the workload's model. Raises UserError where it has none."""
    if not workload.models:
        raise UserError(f"workload {workload.name!r} registers no model")
    prefix = "" if connection.outputs.simulated else f"{connection.outputs.catalog}.models."
    return prefix + workload.models[0]
