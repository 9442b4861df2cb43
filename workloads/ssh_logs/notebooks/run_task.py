# Databricks notebook source
# One task of `ssh-logs`, from a notebook: what the job runs is what this runs. The wheel `medallion_workloads` must be
# installed on the cluster, and the cluster must set the variables that the job declares (MEDALLION_VOLUMES, …).

# COMMAND ----------

from datetime import UTC, datetime

from workloads.lakehouse.task import main
from workloads.ssh_logs.spec import WORKLOAD

TASKS = [task.key for task in WORKLOAD.job().in_order()]
dbutils.widgets.dropdown("task", TASKS[0], TASKS)  # noqa: F821 - every notebook has dbutils
dbutils.widgets.text("run_id", f"notebook-{datetime.now(UTC):%Y%m%d-%H%M%S}")  # noqa: F821
for parameter in WORKLOAD.parameters:
    dbutils.widgets.text(parameter.name, parameter.text(parameter.default), parameter.meaning)  # noqa: F821

# COMMAND ----------

value = dbutils.widgets.get  # noqa: F821
arguments = ["--workload", WORKLOAD.name, "--task", value("task"), "--run-id", value("run_id")]
arguments += ["--ingest-time", datetime.now(UTC).isoformat()]
for parameter in WORKLOAD.parameters:
    arguments += ["--parameter", f"{parameter.name}={value(parameter.name)}"]
main(arguments)
