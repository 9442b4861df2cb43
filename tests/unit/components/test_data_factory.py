"""The pipelines of the data factory."""

import pytest

from components.data_factory import longest_run, pipeline_activities, timespan
from workloads.spec import Job, Parameter, Task, Workload

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


def test_a_pipeline_runs_each_job_that_ends_and_hands_parameters_on():
    ids = {"two-jobs": "11", "two-jobs-again": "12", "two-jobs-stream": "13"}

    def activity(name, job_id, timeout):
        return {
            "name": name,
            "type": "DatabricksJob",
            "job_id": job_id,
            "job_parameters": {"year": {"value": "@pipeline().parameters.year", "type": "Expression"}},
            "linked_service_name": {"reference_name": "dev_databricks", "type": "LinkedServiceReference"},
            "policy": {
                "timeout": timeout,
                "retry": 1,
                "retry_interval_in_seconds": 60,
                "secure_input": True,
                "secure_output": True,
            },
        }

    assert pipeline_activities(WORKLOAD, ids, "dev_databricks") == [
        activity("Run_two_jobs_again", "12", "0.00:01:30"),
        activity("Run_two_jobs", "11", "0.02:00:00"),
    ]


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
    }
    lake = dev.outputs["lake_account"]
    assert dev.inputs("pipelines-dev_lake")["properties"] == {
        "type": "AzureBlobFS",
        "url": f"https://{lake}.dfs.core.windows.net/",
    }


def test_the_pipeline_of_ssh_logs_runs_the_deployed_job(stacks):
    pipeline = stacks["dev"].one("Pipeline")
    assert pipeline["pipelineName"] == "dev_ssh_logs"
    assert [activity["jobId"] for activity in pipeline["activities"]] == ["job-ssh-logs-id"]
    assert pipeline["parameters"]["seed"] == {"type": "String", "defaultValue": "7"}
    assert pipeline["concurrency"] == 1
