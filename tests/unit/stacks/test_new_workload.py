"""Adding a workload is adding one folder: job, pipeline and dashboard follow, and nothing else changes."""

import json
import shutil
import sys

import pytest
import yaml

import workloads
from workloads import spec

SPEC = """
from workloads.spec import Job, Task, Workload

WORKLOAD = Workload(
    name="door-bells",
    title="Door bells",
    description="Who rang.",
    input_path="landing/door_bells",
    jobs=(
        Job(
            schedule="0 0 3 * * ?",
            tasks=(
                Task(key="bronze", layer="bronze", writes=("bronze.door_bells",)),
                Task(key="gold", layer="gold", depends_on=("bronze",), reads=("bronze.door_bells",)),
            ),
        ),
    ),
)
"""


@pytest.fixture(scope="module")
def with_folder(project_root, record, tmp_path_factory):
    """What `dev` declares where one more folder was put into a copy of the workloads."""
    copy = shutil.copytree(project_root / "workloads", tmp_path_factory.mktemp("with folder") / "workloads")
    (copy / "door_bells").mkdir()
    (copy / "door_bells" / "__init__.py").touch()
    (copy / "door_bells" / "spec.py").write_text(SPEC, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spec, "__file__", str(copy / "spec.py"))
        patch.setattr(workloads, "__path__", [*workloads.__path__, str(copy)])
        yield record("dev")
    sys.modules.pop("workloads.door_bells.spec", None)
    sys.modules.pop("workloads.door_bells", None)


def by_name(engine):
    return {(r.type, r.name): r.inputs for r in engine.resources}


def test_a_folder_brings_job_pipeline_row_and_alert_and_nothing_else(stacks, with_folder):
    before, after = by_name(stacks["dev"]), by_name(with_folder)
    wheel = {("databricks:index/file:File", "wheel-file")}
    assert set(after) - set(before) == {
        ("medallion:components:DatabricksJobs", "door-bells"),
        ("databricks:index/job:Job", "job-door-bells"),
        ("azure-native:datafactory:Pipeline", "pipeline-door-bells"),
        ("azure-native:datafactory:Trigger", "trigger-door-bells-arrival"),
        ("azure-native:datafactory:Trigger", "trigger-door-bells-schedule"),
    }
    assert set(before) - set(after) == set()
    changed = {key for key in before if before[key] != after[key]} - wheel
    assert changed == {
        ("kubernetes:core/v1:ConfigMap", "grafana-dashboards"),
        ("kubernetes:apps/v1:Deployment", "grafana-deployment"),
        ("kubernetes:core/v1:ConfigMap", "prometheus-config"),
        ("kubernetes:apps/v1:Deployment", "prometheus-deployment"),
    }


def test_what_it_brings_is_its_own(stacks, record, with_folder):
    engine = record("dev")
    for output, own in (("jobs", "job-door-bells-id"), ("pipelines", "dev_door_bells")):
        assert engine.outputs[output] == stacks["dev"].outputs[output] | {"door-bells": own}
    assert [task["taskKey"] for task in engine.inputs("job-door-bells")["tasks"]] == ["bronze", "gold"]
    board = json.loads(engine.inputs("grafana-dashboards")["data"]["pipeline-processing-time.json"])
    titles = [panel["title"] for panel in board["panels"]]
    begin = titles.index("Door bells")
    row = ["Door bells", "Whole run", "Since last success", "Bronze layer", "Gold layer"]
    assert titles[begin : begin + len(row)] == row
    rules = yaml.safe_load(engine.inputs("prometheus-config")["data"]["rules.yml"])["groups"][0]["rules"]
    assert [rule["expr"] for rule in rules if rule["alert"] == "TaskLate"] == [
        f'time() - medallion_task_success_timestamp_seconds{{layer!="speed",workload="{workload.name}"}} > 93600'
        for workload in spec.discover()
        if any(job.schedule for job in workload.jobs)
    ]
