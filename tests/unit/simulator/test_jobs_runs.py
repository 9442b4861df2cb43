"""Job runs through the SDK: order, results, retries, time limits, cancelling, repair, queueing."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

FAILED = "Workload failed, see run output for details"


def test_tasks_run_in_order_from_the_wheel_that_was_uploaded(home, client):
    home.deploy(
        home.task("c", "ok", "third", after=("b",)),
        home.task("a", "ok", "first"),
        home.task("b", "where", after=("a",)),
    )
    started = client.jobs.run_now(7)
    run = home.ended(client, started.run_id)
    assert home.results(run) == {"a": "SUCCESS", "b": "SUCCESS", "c": "SUCCESS"}
    assert home.order() == ["ok first", "where", "ok third"]
    folder = home.path / "clusters" / str(started.run_id)
    assert (home.marks / "where").read_text() == str(folder / "site" / "acme_tasks" / "__init__.py")
    assert run.state.result_state.value == "SUCCESS"
    assert run.state.life_cycle_state.value == "TERMINATED"
    assert run.status.termination_details.code.value == "SUCCESS"
    assert home.output(client, run, "a").logs == "said on stdout\n"
    assert (run.run_name, run.job_id, run.number_in_job) == ("acme", 7, started.run_id)
    assert started.result().run_id == started.run_id  # the SDK's own way of waiting


def test_the_cluster_sees_what_its_job_declares_and_nothing_of_the_machine(home, client):
    variables = {
        "MLFLOW_REGISTRY_URI": "databricks-uc",
        "MEDALLION_EXPERIMENTS": "/Shared/medallion/",
        "MEDALLION_MODELS": "cat.models.",
        "MEDALLION_PUSHGATEWAY": "http://127.0.0.1:9091",
    }
    home.deploy(home.task("a", "where"), variables=variables)
    home.ended(client, client.jobs.run_now(7).run_id)
    env = ast.literal_eval((home.marks / "env").read_text())
    assert {name: value for name, value in env.items() if name.startswith("MEDALLION_")} == {
        "MEDALLION_CATALOG": "spark_catalog",
        "MEDALLION_VOLUMES": f"{home.path}/volumes/cat",
        "MEDALLION_EXPERIMENTS": "",
        "MEDALLION_MODELS": "",
        "MEDALLION_PUSHGATEWAY": "http://127.0.0.1:9091",
    }
    assert "MLFLOW_REGISTRY_URI" not in env
    assert env["MLFLOW_TRACKING_URI"] == f"sqlite:///{home.path}/mlflow/mlflow.db"
    assert env["_MLFLOW_SERVER_ARTIFACT_ROOT"] == (home.path / "mlflow" / "artifacts").as_uri()
    first, *behind = env["PYTHONPATH"].split(":")
    assert first.endswith("/clusters/1/site")
    assert behind == [home.environment["PYTHONPATH"]]
    assert env["SPARK_LOCAL_IP"] == "127.0.0.1"


def test_a_secret_reaches_the_cluster_and_is_written_nowhere(home):
    home.environment |= {"CLOUD_SECRET_LOGS_NAMES": "open sesame", "DATABRICKS_TOKEN": "a token"}
    client = home.session()
    variables = {"MEDALLION_PSEUDONYM_KEY": "{{secrets/logs/names}}"}
    home.deploy(home.task("a", "where"), home.task("b", "fail"), variables=variables)
    run = home.ended(client, client.jobs.run_now(7).run_id)
    assert home.results(run) == {"a": "SUCCESS", "b": "FAILED"}
    assert ast.literal_eval((home.marks / "env").read_text())["MEDALLION_PSEUDONYM_KEY"] == "open sesame"
    told = [json.dumps(run.as_dict()), json.dumps(home.output(client, run, "b").as_dict())]
    written = [path.read_bytes().decode(errors="replace") for path in home.path.rglob("*") if path.is_file()]
    assert len(written) > 3  # the cluster's log, the wheel, the history of runs
    assert [text for text in (*told, *written) if "open sesame" in text or "a token" in text] == []


def test_parameters_and_references_reach_the_task(home, client):
    home.deploy(
        home.task("a", "ok", "{{job.run_id}}", "{{job.parameters.year}}", "{{job.repair_count}}", "{{task.name}}"),
        parameters=[{"name": "year", "default": "2024"}],
    )
    first = client.jobs.run_now(7)
    home.ended(client, first.run_id)
    second = client.jobs.run_now(7, job_parameters={"year": "2026"})
    run = home.ended(client, second.run_id)
    assert home.order() == [f"ok {first.run_id} 2024 0 a", f"ok {second.run_id} 2026 0 a"]
    assert {p.name: (p.default, p.value) for p in run.job_parameters}["year"] == ("2024", "2026")


def test_what_cannot_be_started_is_refused(home, client, sdk):
    home.deploy(home.task("a"))
    with pytest.raises(sdk.errors.InvalidParameterValue, match=r"Job 8 does not exist\."):
        client.jobs.run_now(8)
    with pytest.raises(
        sdk.errors.InvalidParameterValue, match=r"Job 'acme' has no parameter 'yaer'; its parameters: marks\."
    ):
        client.jobs.run_now(7, job_parameters={"yaer": "1"})
    with pytest.raises(sdk.errors.InvalidParameterValue, match=r"Job 'acme' has no task 'z'\."):
        client.jobs.run_now(7, only=["z"])
    with pytest.raises(sdk.errors.InvalidParameterValue, match="at most 64 characters"):
        client.jobs.run_now(7, idempotency_token="x" * 65)
    with pytest.raises(sdk.errors.NotFound, match=r"Run 99 does not exist\."):
        client.jobs.get_run(99)
    with pytest.raises(sdk.errors.NotFound, match=r"Job 8 does not exist\."):
        client.jobs.get(8)
    assert list(client.jobs.list_runs()) == []


def test_jobs_are_found_by_name(home, client):
    home.deploy(home.task("a"), tags={"workload": "acme"})
    home.deploy(home.task("a"), job_id=8, name="other")
    assert [job.job_id for job in client.jobs.list()] == [8, 7]
    assert [job.job_id for job in client.jobs.list(name="ACME")] == [7]
    settings = client.jobs.get(7).settings
    assert (settings.name, settings.tags, settings.max_concurrent_runs) == ("acme", {"workload": "acme"}, 1)
    assert settings.tasks[0].python_wheel_task.entry_point == "task"
    assert settings.job_clusters[0].new_cluster.spark_env_vars["MEDALLION_CATALOG"] == "cat"


def test_a_failure_is_one_line_with_its_trace_and_skips_what_follows(home, client, sdk):
    home.deploy(home.task("a", "fail", "no such column"), home.task("b", after=("a",)), home.task("c", after=("b",)))
    started = client.jobs.run_now(7)
    run = home.ended(client, started.run_id)
    assert home.results(run) == {"a": "FAILED", "b": "UPSTREAM_FAILED", "c": "UPSTREAM_FAILED"}
    tasks = home.latest(run)
    assert (tasks["a"].state.life_cycle_state.value, tasks["a"].state.state_message) == ("TERMINATED", FAILED)
    assert (tasks["b"].state.life_cycle_state.value, tasks["b"].state.state_message) == (
        "SKIPPED",
        "An upstream task failed.",
    )
    assert run.state.life_cycle_state.value == "INTERNAL_ERROR"
    assert run.state.result_state.value == "FAILED"
    assert run.state.state_message == (
        f"Task a failed with message: {FAILED}. This caused all downstream tasks to get skipped."
    )
    output = home.output(client, run, "a")
    assert output.error == "ValueError: no such column"
    assert output.error_trace.startswith("Traceback (most recent call last)")
    assert output.error_trace.endswith("ValueError: no such column\n")
    assert output.metadata.job_run_id == started.run_id
    with pytest.raises(sdk.errors.OperationFailed, match="failed to reach TERMINATED or SKIPPED"):
        started.result()
    with pytest.raises(sdk.errors.InvalidParameterValue, match="output of runs with multiple tasks is not supported"):
        client.jobs.get_run_output(started.run_id)


def test_the_error_is_what_the_task_said(home, client):
    home.deploy(
        home.task("leaves", "leave", "nothing to read in landing/"),
        home.task("complains", "complain"),
        home.task("plain", "complain", entry_point="plain"),
        home.task("missing", entry_point="missing"),
        home.task("returns", entry_point="returns"),
        home.task("refers", "ok", "{{job.naem}}"),
    )
    run = home.ended(client, client.jobs.run_now(7).run_id)
    outputs = {key: home.output(client, run, key) for key in home.latest(run)}
    assert {key: output.error for key, output in outputs.items()} == {
        "leaves": "nothing to read in landing/",
        "complains": "a clear line",
        "plain": "a clear line",
        "missing": "package 'acme_tasks' has no entry point 'missing'",
        "returns": "the entry point returned 4; Databricks only sees an exception or an exit code",
        "refers": "Task 'refers': unknown reference {{job.naem}}.",
    }
    assert {output.error_trace for output in outputs.values()} == {None}
    assert set(home.results(run).values()) == {"FAILED"}


def test_the_output_of_a_run_with_one_task_is_the_tasks(home, client):
    home.deploy(home.task("a"))
    run = home.ended(client, client.jobs.run_now(7).run_id)
    assert client.jobs.get_run_output(run.run_id).logs == "said on stdout\n"


def test_an_entry_point_without_argv_reads_the_command_line(home, client):
    home.deploy(home.task("a", "ok", "one", entry_point="plain"), home.task("b", "ok", "two", entry_point="plain"))
    run = home.ended(client, client.jobs.run_now(7).run_id)
    assert home.results(run) == {"a": "SUCCESS", "b": "SUCCESS"}
    assert sorted(home.order()) == ["ok one", "ok two"]


def test_independent_tasks_run_at_the_same_time_in_one_driver(home, client):
    home.deploy(home.task("a", "meet", "a", "b"), home.task("b", "meet", "b", "a"))
    run = home.ended(client, client.jobs.run_now(7).run_id)
    assert home.results(run) == {"a": "SUCCESS", "b": "SUCCESS"}


def test_run_if_lets_a_task_handle_a_failure(home, client):
    home.deploy(
        home.task("a", "fail"),
        home.task("clean", "ok", "cleaned", after=("a",), runIf="AT_LEAST_ONE_FAILED"),
        home.task("never", after=("clean",), runIf="ALL_FAILED"),
    )
    run = home.ended(client, client.jobs.run_now(7).run_id)
    assert home.results(run) == {"a": "FAILED", "clean": "SUCCESS", "never": "EXCLUDED"}
    assert run.state.result_state.value == "SUCCESS_WITH_FAILURES"
    assert run.state.state_message == "Tasks failed: a."


def test_only_some_tasks(home, client):
    home.deploy(home.task("a", "fail"), home.task("b", "ok", "alone", after=("a",)), home.task("c", after=("b",)))
    run = home.ended(client, client.jobs.run_now(7, only=["b"]).run_id)
    assert home.results(run) == {"b": "SUCCESS"}
    assert home.order() == ["ok alone"]


def test_a_task_is_tried_again_as_often_as_it_may(home, client):
    home.deploy(home.task("a", "flaky", "2", maxRetries=2, minRetryIntervalMillis=5), home.task("b", after=("a",)))
    run = home.ended(client, client.jobs.run_now(7).run_id)
    assert [(t.task_key, t.attempt_number, t.state.result_state.value) for t in run.tasks] == [
        ("a", 0, "FAILED"),
        ("b", 0, "SUCCESS"),
        ("a", 1, "FAILED"),
        ("a", 2, "SUCCESS"),
    ]
    assert run.state.result_state.value == "SUCCESS"
    errors = [client.jobs.get_run_output(t.run_id).error for t in run.tasks if t.task_key == "a"]
    assert errors == ["ValueError: try 0", "ValueError: try 1", None]


def test_retries_come_to_an_end(home, client):
    home.deploy(home.task("a", "flaky", "9", maxRetries=1))
    run = home.ended(client, client.jobs.run_now(7).run_id)
    assert [t.state.result_state.value for t in run.tasks] == ["FAILED", "FAILED"]
    assert run.state.result_state.value == "FAILED"


def test_a_task_that_takes_too_long_is_ended_with_its_driver(home, client):
    home.deploy(home.task("a", "wait", "a", timeoutSeconds=1), home.task("b", after=("a",), runIf="ALL_DONE"))
    run = home.ended(client, client.jobs.run_now(7).run_id)
    assert home.results(run) == {"a": "TIMEDOUT", "b": "SUCCESS"}
    assert home.output(client, run, "a").error == "Run timed out after 1 seconds"
    assert home.latest(run)["a"].state.user_cancelled_or_timedout
    log = (home.path / "clusters" / str(run.run_id) / "driver.log").read_text()
    assert log.count("session {") == 2  # the driver that would not end the task was replaced


def test_a_run_that_takes_too_long_is_ended(home, client):
    home.deploy(home.task("a", "wait", "a"), home.task("b", after=("a",)), timeoutSeconds=1)
    run = home.ended(client, client.jobs.run_now(7).run_id)
    assert home.results(run) == {"a": "TIMEDOUT", "b": "TIMEDOUT"}
    assert (run.state.life_cycle_state.value, run.state.result_state.value) == ("TERMINATED", "TIMEDOUT")
    assert run.state.state_message == "Run timed out."


def test_cancel_ends_the_run_and_its_driver(home, client):
    home.deploy(home.task("a", "wait", "a"), home.task("b", after=("a",)))
    started = client.jobs.run_now(7)
    home.appears(home.marks / "a-runs")
    assert [run.run_id for run in client.jobs.list_runs(active_only=True)] == [started.run_id]
    run = client.jobs.cancel_run_and_wait(started.run_id)
    assert home.results(run) == {"a": "CANCELED", "b": "CANCELED"}
    assert (run.state.life_cycle_state.value, run.state.result_state.value) == ("TERMINATED", "CANCELED")
    assert run.state.state_message == "Run cancelled."
    assert run.status.termination_details.code.value == "USER_CANCELED"
    client.jobs.cancel_run(started.run_id)  # once more changes nothing
    assert client.jobs.get_run(started.run_id).state.state_message == "Run cancelled."


def test_an_idempotency_token_starts_one_run(home, client):
    home.deploy(home.task("a", "ok", "once"))
    first = client.jobs.run_now(7, idempotency_token="today").run_id
    home.ended(client, first)
    assert client.jobs.run_now(7, idempotency_token="today").run_id == first
    assert home.order() == ["ok once"]


def test_a_second_run_is_skipped_or_waits_for_the_first(home, client):
    home.deploy(home.task("a", "wait", "a"))
    first = client.jobs.run_now(7).run_id
    home.appears(home.marks / "a-runs")
    skipped = home.ended(client, client.jobs.run_now(7).run_id)
    assert skipped.state.life_cycle_state.value == "SKIPPED"
    assert skipped.state.result_state.value == "MAXIMUM_CONCURRENT_RUNS_REACHED"

    home.deploy(home.task("a", "wait", "a"), queue={"enabled": True})
    queued = client.jobs.run_now(7).run_id
    cancelled = client.jobs.run_now(7).run_id
    waiting = client.jobs.get_run(queued)
    assert waiting.state.life_cycle_state.value == "QUEUED"
    assert waiting.status.queue_details.code.value == "MAX_CONCURRENT_RUNS_REACHED"
    client.jobs.cancel_run(cancelled)
    assert home.ended(client, cancelled).state.result_state.value == "CANCELED"
    (home.marks / "a-ends").touch()
    assert home.ended(client, first).state.result_state.value == "SUCCESS"
    assert home.ended(client, queued).state.result_state.value == "SUCCESS"
    assert len(home.order()) == 2


def test_repair_runs_what_failed_again_with_the_time_of_the_run(home, client):
    stamp = "{{job.start_time.timestamp_ms}}"
    home.deploy(
        home.task("a", "ok", "a"),
        home.task("b", "flaky", "1", after=("a",)),
        home.task("c", "ok", stamp, "{{job.repair_count}}", "{{job.parameters.year}}", after=("b",)),
        parameters=[{"name": "year", "default": "2024"}],
    )
    started = client.jobs.run_now(7, job_parameters={"year": "2026"})
    before = home.ended(client, started.run_id)
    assert home.results(before) == {"a": "SUCCESS", "b": "FAILED", "c": "UPSTREAM_FAILED"}

    repair = client.jobs.repair_run(started.run_id, rerun_all_failed_tasks=True)
    run = home.ended(client, started.run_id)
    assert home.results(run) == {"a": "SUCCESS", "b": "SUCCESS", "c": "SUCCESS"}
    assert run.state.result_state.value == "SUCCESS"
    assert run.start_time == before.start_time
    assert home.order() == ["ok a", "flaky 1", "flaky 1", f"ok {before.start_time} 1 2026"]
    assert [(t.task_key, t.attempt_number) for t in run.tasks] == [("a", 0), ("b", 0), ("c", 0), ("b", 1), ("c", 1)]
    original, repaired = run.repair_history
    assert (original.type.value, original.id, original.state.result_state.value) == ("ORIGINAL", None, "FAILED")
    assert (repaired.type.value, repaired.id) == ("REPAIR", repair.response.repair_id)
    assert repaired.state.result_state.value == "SUCCESS"
    assert repaired.task_run_ids == [run.tasks[3].run_id, run.tasks[4].run_id]


def test_repair_of_named_tasks_and_of_a_repair(home, client, sdk):
    home.deploy(home.task("a", "ok", "a"), home.task("b", "ok", "b", after=("a",)))
    run_id = client.jobs.run_now(7).run_id
    home.ended(client, run_id)
    with pytest.raises(sdk.errors.InvalidParameterValue, match=f"Run {run_id} has no failed tasks to repair"):
        client.jobs.repair_run(run_id, rerun_all_failed_tasks=True)
    with pytest.raises(sdk.errors.InvalidParameterValue, match="has no task 'z'"):
        client.jobs.repair_run(run_id, rerun_tasks=["z"])
    with pytest.raises(sdk.errors.InvalidParameterValue, match="one of rerun_tasks and rerun_all_failed_tasks"):
        client.jobs.repair_run(run_id)
    first = client.jobs.repair_run(run_id, rerun_tasks=["a"]).response.repair_id
    home.ended(client, run_id)
    with pytest.raises(
        sdk.errors.InvalidParameterValue, match=f"The latest repair of run {run_id} is {first}, not None"
    ):
        client.jobs.repair_run(run_id, rerun_tasks=["a"])
    client.jobs.repair_run(run_id, rerun_tasks=["a"], rerun_dependent_tasks=True, latest_repair_id=first)
    home.ended(client, run_id)
    assert home.order() == ["ok a", "ok b", "ok a", "ok a", "ok b"]


def test_an_active_run_is_not_repaired(home, client, sdk):
    home.deploy(home.task("a", "wait", "a"))
    run_id = client.jobs.run_now(7).run_id
    with pytest.raises(sdk.errors.InvalidState, match=f"Run {run_id} is active: it can be repaired once it ended"):
        client.jobs.repair_run(run_id, rerun_all_failed_tasks=True)
    client.jobs.cancel_run_and_wait(run_id)


def test_runs_are_listed_newest_first_in_pages_and_the_last_keep_their_folders(home, client, monkeypatch):
    monkeypatch.setattr("simulator.runs.CLUSTER_FOLDERS_KEPT", 2)
    home.deploy(home.task("a"))
    ids = [home.ended(client, client.jobs.run_now(7).run_id).run_id for _ in range(3)]
    assert [run.run_id for run in client.jobs.list_runs(job_id=7, limit=2)] == ids[::-1]
    assert [len(run.tasks or []) for run in client.jobs.list_runs(expand_tasks=True)] == [1, 1, 1]
    assert [run.run_id for run in client.jobs.list_runs(job_id=8)] == []
    assert client.jobs.get_run(client.jobs.get_run(ids[0]).tasks[0].run_id).run_name == "a"
    assert sorted(int(folder.name) for folder in (home.path / "clusters").iterdir()) == ids[1:]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"wheel": "missing"},
            "Library installation failed: there is no wheel "
            "/Volumes/cat/models/files/wheels/acme_tasks-1.0-py3-none-any.whl: bring the stack up again",
        ),
        (
            {"wheel": "broken"},
            "Library installation failed: /Volumes/cat/models/files/wheels/acme_tasks-1.0-py3-none-any.whl is no wheel",
        ),
        ({"pypi": "no-such-thing==1.0"}, "Library installation failed: no-such-thing==1.0 is not installed in "),
        (
            {"catalog": "dog"},
            "The cluster's MEDALLION_CATALOG is 'dog', and there is no such catalog.",
        ),
        ({"catalog": ""}, "Job 'acme': its cluster declares no MEDALLION_CATALOG in spark_env_vars."),
        ({"cluster": "other"}, "Job 'acme': its tasks must share one declared job cluster, not ['other']."),
        (
            {"conf": {"acme.broken": "1"}},
            "Cluster did not start: No space left on device: free some disk space below ",
        ),
    ],
)
def test_a_cluster_that_cannot_be_set_up_fails_the_run_with_one_line(home, client, change, message):
    place = home.path / "lake" / "models" / "wheels" / Path(home.wheel).name
    if change.get("wheel") == "missing":
        place.unlink()
    elif change.get("wheel") == "broken":
        place.write_bytes(b"no zip")
    libraries = [{"whl": home.wheel}] + ([{"pypi": {"package": change["pypi"]}}] if "pypi" in change else [])
    variables = {"MEDALLION_CATALOG": change["catalog"]} if "catalog" in change else {}
    first = home.task("a", libraries=libraries, jobClusterKey=change.get("cluster", "main"))
    second = home.task("b", after=("a",), jobClusterKey=change.get("cluster", "main"))
    home.deploy(first, second, variables=variables, spark_conf=change.get("conf", {}))
    run = home.ended(client, client.jobs.run_now(7).run_id)
    assert home.results(run) == {"a": "FAILED", "b": "UPSTREAM_FAILED"}
    error = home.output(client, run, "a").error
    assert error.startswith(message)
    assert "\n" not in error
    assert run.state.life_cycle_state.value == "INTERNAL_ERROR"
    assert home.order() == []
