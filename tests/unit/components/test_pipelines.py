"""The pipelines of the data factory, and what starts them."""

import pytest

from components.activities import job_activities, longest_run, notebook_activities, timespan
from workloads.spec import Job, Parameter, Task, Workload, discover

WORKLOAD = Workload(
    name="two-jobs",
    title="Two jobs",
    description="A nightly job, a job when asked, and a continuous one.",
    input_path="landing/two",
    jobs=(
        Job(tasks=(Task(key="one", layer="bronze", retries=1, timeout_seconds=3600),)),
        Job(key="again", tasks=(Task(key="two", layer="bronze", retries=0, timeout_seconds=90),)),
        Job(key="stream", continuous=True, tasks=(Task(key="listen", layer="bronze"),)),
    ),
    parameters=(Parameter(name="year", type="integer", default=0, meaning="A year."),),
)


def policy(timeout):
    return {
        "timeout": timeout,
        "retry": 1,
        "retry_interval_in_seconds": 60,
        "secure_input": True,
        "secure_output": True,
    }


def test_a_pipeline_runs_each_job_that_ends_and_hands_parameters_on():
    ids = {"two-jobs": "11", "two-jobs-again": "12", "two-jobs-stream": "13"}

    def activity(name, job_id, timeout):
        return {
            "name": name,
            "type": "DatabricksJob",
            "job_id": job_id,
            "job_parameters": {"year": {"value": "@pipeline().parameters.year", "type": "Expression"}},
            "linked_service_name": {"reference_name": "dev_databricks", "type": "LinkedServiceReference"},
            "policy": policy(timeout),
        }

    assert job_activities(WORKLOAD, ids, "dev_databricks") == [
        activity("Run_two_jobs_again", "12", "0.00:01:30"),
        activity("Run_two_jobs", "11", "0.02:00:00"),
    ]


def test_a_chain_runs_task_by_task_on_one_notebook():
    first, second = notebook_activities(WORKLOAD, "/Shared/x/run_task", "/Volumes/w.whl", "dev_databricks")
    assert second == {
        "name": "one",
        "type": "DatabricksNotebook",
        "notebook_path": "/Shared/x/run_task",
        "base_parameters": {
            "workload": "two-jobs",
            "job": "batch",
            "tasks": "one",
            "run_id": {"value": "@pipeline().RunId", "type": "Expression"},
            "ingest_time": {"value": "@pipeline().TriggerTime", "type": "Expression"},
            "parameters": {
                "value": "@string(createArray(concat('year=', pipeline().parameters.year)))",
                "type": "Expression",
            },
            "wheel": "/Volumes/w.whl",
        },
        "depends_on": [],
        "linked_service_name": {"reference_name": "dev_databricks", "type": "LinkedServiceReference"},
        "policy": policy("0.02:00:00"),
    }
    assert (first["name"], first["depends_on"]) == ("two", [])


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0.00:00:00"), (3661, "0.01:01:01"), (90_000, "1.01:00:00"), (604_800, "7.00:00:00")]
)
def test_durations_are_written_as_the_factory_reads_them(seconds, text):
    assert timespan(seconds) == text


def test_a_timeout_is_never_above_the_seven_days_that_the_factory_allows():
    job = Job(tasks=(Task(key="slow", layer="bronze", retries=10, timeout_seconds=86_400),))
    assert longest_run(job) == 7 * 86_400


def test_the_factory_signs_in_as_itself(stacks):
    dev = stacks["dev"]
    assert dev.one("Factory")["identity"] == {"type": "SystemAssigned"}
    assert dev.inputs("pipelines-dev_databricks")["properties"] == {
        "type": "AzureDatabricks",
        "authentication": "MSI",
        "domain": "https://adb-1.azuredatabricks.net",
        "workspaceResourceId": "databricks-workspace-id",
        "existingClusterId": "interactive-cluster-id",
    }
    lake = dev.outputs["lake_account"]
    assert dev.inputs("pipelines-dev_lake")["properties"] == {
        "type": "AzureBlobFS",
        "url": f"https://{lake}.dfs.core.windows.net/",
    }


def test_the_pipeline_of_ssh_logs_is_the_chain_of_the_original(stacks):
    pipeline = stacks["dev"].inputs("pipeline-ssh-logs")
    assert pipeline["pipelineName"] == "dev_ssh_logs"
    names = ["Bronze_Layer_Processing", "Silver_Layer_Processing", "Gold_Layer_Processing", "ML_Model_Training"]
    assert [activity["name"] for activity in pipeline["activities"]] == names
    assert [activity["baseParameters"]["tasks"] for activity in pipeline["activities"]] == [
        *("bronze", "silver", "gold", "train,score,report,validate,maintain")
    ]
    assert [activity["dependsOn"] for activity in pipeline["activities"]] == [
        [],
        *([{"activity": name, "dependencyConditions": ["Succeeded"]}] for name in names[:-1]),
    ]
    assert {activity["notebookPath"] for activity in pipeline["activities"]} == {"/Shared/medallion-dev/run_task"}
    assert pipeline["parameters"]["seed"] == {"type": "String", "defaultValue": "7"}
    assert pipeline["concurrency"] == 1


def test_the_chain_of_a_workload_runs_the_jobs_that_end_and_no_other(stacks):
    for workload in discover():
        activities = stacks["dev"].inputs(f"pipeline-{workload.name}")["activities"]
        run = {(a["baseParameters"]["job"], a["baseParameters"]["tasks"]) for a in activities}
        ends = [job for job in workload.jobs if not job.continuous]
        assert run == {(job.key, ",".join(step.tasks)) for job in ends for step in job.chain()}


def test_a_pipeline_may_start_the_jobs_as_a_whole(record):
    engine = record("dev", data_factory={"orchestration": "databricks-job"})
    for workload in discover():
        started = [activity["jobId"] for activity in engine.inputs(f"pipeline-{workload.name}")["activities"]]
        assert started == [f"job-{workload.job_name(job.key)}-id" for job in workload.jobs if not job.continuous]
    assert "existingClusterId" not in engine.inputs("pipelines-dev_databricks")["properties"]
    assert engine.of("Notebook") == []


def test_hours_and_files_that_come_in_start_the_pipeline(stacks):
    dev = stacks["dev"]
    starts = [{"pipelineReference": {"type": "PipelineReference", "referenceName": "dev_ssh_logs"}, "parameters": {}}]
    assert dev.inputs("trigger-ssh-logs-schedule")["properties"] == {
        "type": "ScheduleTrigger",
        "recurrence": {
            "frequency": "Day",
            "interval": 1,
            "startTime": "2026-01-01T00:00:00Z",
            "timeZone": "UTC",
            "schedule": {"hours": [2], "minutes": [0]},
        },
        "pipelines": starts,
    }
    assert dev.inputs("trigger-ssh-logs-arrival")["properties"] == {
        "type": "BlobEventsTrigger",
        "scope": "data-lake-account-id",
        "events": ["Microsoft.Storage.BlobCreated"],
        "blobPathBeginsWith": "/bronze/blobs/raw_logs/",
        "ignoreEmptyBlobs": True,
        "pipelines": starts,
    }


def schedules(engine):
    return {job.inputs["schedule"]["pauseStatus"] for job in engine.of("Job") if "schedule" in job.inputs}


def test_where_triggers_run_schedules_rest_and_continuous_jobs_do_not(stacks, record):
    assert schedules(stacks["prod"]) == {"UNPAUSED"}
    rests = record("prod", data_factory={"triggers": True})
    assert schedules(rests) == {"PAUSED"}
    assert rests.inputs("job-cloud-usage-stream")["continuous"] == {"pauseStatus": "UNPAUSED"}
