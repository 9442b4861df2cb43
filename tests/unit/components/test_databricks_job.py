"""The Databricks job of a workload, property by property."""

from datetime import date

from components.databricks_job import (
    LIBRARIES,
    ClusterArgs,
    JobArgs,
    JobSite,
    cluster_settings,
    environment,
    job_settings,
)
from components.runtimes import Runtime
from workloads.spec import Job, Parameter, Task, Workload, discover

RUNTIME = Runtime(name="17.3", key="17.3.x-scala2.13", spark="4.0.0", python="3.12", end_of_support=date(2028, 10, 22))
WHEEL = "/Volumes/c/models/files/wheels/w.whl"
WORKLOAD = Workload(
    name="two-steps",
    title="Two steps",
    description="A second step that needs the first.",
    input_path="landing/two",
    jobs=(
        Job(
            schedule="0 0 2 * * ?",
            tasks=(
                Task(key="zeta", layer="silver", depends_on=("beta", "alpha"), retries=3, timeout_seconds=120),
                Task(key="beta", layer="bronze", depends_on=("alpha",)),
                Task(key="alpha", layer="bronze", retries=0, timeout_seconds=600),
            ),
        ),
        Job(key="stream", continuous=True, tasks=(Task(key="listen", layer="bronze"),)),
    ),
    parameters=(
        Parameter(name="year", type="integer", default=0, meaning="A year."),
        Parameter(name="exact", type="boolean", default=True, meaning="Whether."),
    ),
)


def cluster(**changes):
    known = {"node_type": "Standard_DS3_v2", "workers": 2, "spot": True, "environment": {"B": "2"}, "project": "p"}
    return ClusterArgs(runtime=RUNTIME, **(known | changes))


def settings(key="batch", site=None, **changes):
    arguments = JobArgs(**({"cluster": cluster(), "schedules": True, "continuous": True} | changes))
    return job_settings(WORKLOAD, WORKLOAD.job(key), arguments, site or JobSite(WHEEL))


def test_the_job_is_complete_and_exact():
    libraries = [{"whl": WHEEL}, *({"pypi": {"package": library}} for library in LIBRARIES)]

    def task(key, retries, timeout, **depends):
        return {
            "task_key": key,
            **depends,
            "run_if": "ALL_SUCCESS",
            "job_cluster_key": "main",
            "python_wheel_task": {
                "package_name": "medallion_workloads",
                "entry_point": "task",
                "parameters": [
                    *("--workload", "two-steps", "--task", key),
                    *("--run-id", "{{job.run_id}}", "--ingest-time", "{{job.start_time.iso_datetime}}"),
                    *("--parameter", "exact={{job.parameters.exact}}"),
                    *("--parameter", "year={{job.parameters.year}}"),
                ],
            },
            "libraries": libraries,
            "max_retries": retries,
            "min_retry_interval_millis": 5_000,
            "timeout_seconds": timeout,
        }

    assert settings() == {
        "name": "two-steps",
        "description": "A second step that needs the first.",
        "tags": {"job": "batch", "workload": "two-steps"},
        "job_clusters": [
            {
                "job_cluster_key": "main",
                "new_cluster": {
                    "spark_version": "17.3.x-scala2.13",
                    "node_type_id": "Standard_DS3_v2",
                    "num_workers": 2,
                    "data_security_mode": "USER_ISOLATION",
                    "azure_attributes": {
                        "availability": "SPOT_WITH_FALLBACK_AZURE",
                        "first_on_demand": 1,
                        "spot_bid_max_price": -1,
                    },
                    "spark_env_vars": {"B": "2"},
                    "custom_tags": {"project": "p"},
                },
            }
        ],
        "tasks": [
            task("alpha", 0, 600),
            task("beta", 1, 3600, depends_ons=[{"task_key": "alpha"}]),
            task("zeta", 3, 120, depends_ons=[{"task_key": "alpha"}, {"task_key": "beta"}]),
        ],
        "parameters": [{"name": "exact", "default": "true"}, {"name": "year", "default": "0"}],
        "max_concurrent_runs": 1,
        "queue": {"enabled": True},
        "schedule": {"quartz_cron_expression": "0 0 2 * * ?", "timezone_id": "UTC", "pause_status": "UNPAUSED"},
    }


def test_schedules_are_paused_where_the_settings_say_so():
    assert settings(schedules=False)["schedule"]["pause_status"] == "PAUSED"
    assert settings("stream", schedules=False)["continuous"] == {"pause_status": "UNPAUSED"}
    assert settings("stream", continuous=False)["continuous"] == {"pause_status": "PAUSED"}


def test_a_continuous_job_has_its_own_name_and_cluster_and_neither_schedule_nor_retries():
    stream = settings("stream")
    assert stream["name"] == "two-steps-stream"
    assert stream["tags"] == {"job": "stream", "workload": "two-steps"}
    assert stream["continuous"] == {"pause_status": "UNPAUSED"}
    assert stream["max_concurrent_runs"] == 1
    assert "schedule" not in stream
    (task,) = stream["tasks"]
    assert task["job_cluster_key"] == stream["job_clusters"][0]["job_cluster_key"]
    assert {"max_retries", "min_retry_interval_millis", "depends_ons"} & set(task) == set()
    assert task["timeout_seconds"] == 3600


def test_each_job_takes_all_parameters_of_its_workload_with_their_defaults(stacks):
    for workload in discover():
        for job in workload.jobs:
            declared = stacks["dev"].inputs(f"job-{workload.job_name(job.key)}")
            assert {item["name"]: item["default"] for item in declared["parameters"]} == {
                parameter.name: parameter.text(parameter.default) for parameter in workload.parameters
            }
            assert ("schedule" in declared, "continuous" in declared) == (bool(job.schedule), job.continuous)


def test_failures_are_told_to_those_who_are_named():
    assert "email_notifications" not in settings()
    assert settings(notify=["z@example.com", "a@example.com"])["email_notifications"] == {
        "on_failures": ["a@example.com", "z@example.com"],
        "no_alert_for_skipped_runs": True,
    }


def test_workers_are_on_demand_without_spot():
    assert cluster_settings(cluster(spot=False), None)["azure_attributes"]["availability"] == "ON_DEMAND_AZURE"


def test_policy_and_principal_are_set_where_the_workspace_has_them():
    whole = settings(site=JobSite(WHEEL, policy="policy-1", run_as="app-1"))
    assert whole["job_clusters"][0]["new_cluster"]["policy_id"] == "policy-1"
    assert whole["run_as"] == {"service_principal_name": "app-1"}
    assert "run_as" not in settings()


def test_jobs_run_as_our_identity_under_our_policy(stacks):
    prod = stacks["prod"]
    for job in (each.inputs for each in prod.of("Job")):
        assert job["runAs"] == {"servicePrincipalName": "jobs-identity-client"}
        assert job["jobClusters"][0]["newCluster"]["policyId"] == "compute-policy-id"
    assert prod.one("ServicePrincipal")["applicationId"] == "jobs-identity-client"


def test_groups_may_do_with_jobs_what_their_roles_say(changed):
    permissions = changed["dev"].inputs("job-ssh-logs-permissions")
    assert permissions["accessControls"] == [
        {"groupName": "engineers", "permissionLevel": "CAN_MANAGE_RUN"},
        {"groupName": "readers", "permissionLevel": "CAN_VIEW"},
    ]


def test_the_environment_tells_workloads_where_they_are():
    without = {
        "MEDALLION_CATALOG": "medallion_dev",
        "MEDALLION_VOLUMES": "/Volumes/medallion_dev",
        "MEDALLION_EXPERIMENTS": "/Shared/medallion/",
        "MEDALLION_MODELS": "medallion_dev.models.",
        "MLFLOW_REGISTRY_URI": "databricks-uc",
    }
    assert environment("medallion_dev", None) == without
    assert environment("medallion_dev", "http://push:9091") == {**without, "MEDALLION_PUSHGATEWAY": "http://push:9091"}


def test_libraries_have_the_versions_of_the_lock_file(project_root):
    lines = (project_root / "requirements.txt").read_text(encoding="utf-8").splitlines()
    locked = {line.split()[0] for line in lines if "==" in line and not line.startswith((" ", "#"))}
    assert {library.replace("[databricks]", "") for library in LIBRARIES} <= locked
