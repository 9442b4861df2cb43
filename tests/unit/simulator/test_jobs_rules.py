"""The rules of Databricks Jobs: settings, parameters, references, run_if, final states."""

from __future__ import annotations

from typing import Any

import pytest

from simulator import job_rules
from simulator.job_rules import Context, RequestError

START = 1_767_323_045_678  # 2026-01-02T03:04:05.678Z


def context(**changes: Any) -> Context:
    values = {
        "job_id": 7,
        "job_name": "acme",
        "job_run_id": 41,
        "repair_count": 2,
        "start_time": START,
        "parameters": {"year": "2026", "day": "{{job.start_time.iso_date}}", "self": "{{job.parameters.self}}"},
        "task_name": "silver",
        "task_run_id": 43,
        "execution_count": 3,
        "results": {"bronze": "SUCCESS"},
    }
    return Context(**values | changes)


@pytest.mark.parametrize(
    ("text", "resolved"),
    [
        ("{{job.run_id}}", "41"),
        ("run-{{ job.run_id }}-{{task.run_id}}", "run-41-43"),
        ("{{job.id}}/{{job.name}}/{{task.name}}", "7/acme/silver"),
        ("{{job.repair_count}} {{task.execution_count}}", "2 3"),
        ("{{job.start_time.iso_datetime}}", "2026-01-02T03:04:05.678Z"),
        ("{{job.start_time.iso_date}} {{job.start_time.iso_weekday}}", "2026-01-02 5"),
        ("{{job.start_time.year}}-{{job.start_time.month}}-{{job.start_time.day}}", "2026-1-2"),
        ("{{job.start_time.is_weekday}} {{job.start_time.timestamp_ms}}", f"true {START}"),
        ("{{job.parameters.year}} {{job.parameters.`year`}}", "2026 2026"),
        ("{{job.parameters.day}}", "2026-01-02"),
        ("{{job.parameters.self}}", "{{job.parameters.self}}"),
        ("{{tasks.bronze.result_state}}", "success"),
        ("{{job.trigger.type}}", "one_time"),
        # What is no reference stays as it is.
        ("{{other.name}} {{job.run_id} {job.run_id}}", "{{other.name}} {{job.run_id} {job.run_id}}"),
    ],
)
def test_references_are_replaced(text, resolved):
    assert job_rules.resolve(text, context()) == resolved


@pytest.mark.parametrize(
    "name",
    [
        "job.naem",
        "job.parameters.month",
        "job.start_time.iso",
        "task.values.x",
        "tasks.gold.result_state",
        "workspace.x",
    ],
)
def test_an_unknown_reference_is_refused_by_name(name):
    with pytest.raises(RequestError) as refused:
        job_rules.resolve(f"a {{{{{name}}}}}", context())
    assert str(refused.value) == f"Task 'silver': unknown reference {{{{{name}}}}}."
    assert (refused.value.status, refused.value.code) == (400, "INVALID_PARAMETER_VALUE")


def test_arguments_are_listed_then_named():
    wheel = {"parameters": ["--run-id", "{{job.run_id}}"], "named_parameters": {"year": "{{job.parameters.year}}"}}
    assert job_rules.arguments({"python_wheel_task": wheel}, context()) == ["--run-id", "41", "--year=2026"]


def test_settings_take_the_names_of_the_api_and_leave_the_users_words():
    settings = job_rules.settings_of(
        {
            "name": "acme",
            "__defaults": [],
            "timeoutSeconds": 60.0,
            "tags": {"workloadName": "x"},
            "description": None,
            "tasks": [
                {"taskKey": "b", "dependsOns": [{"taskKey": "a"}], "minRetryIntervalMillis": 5, "runIf": "ALL_DONE"},
                {"taskKey": "a", "pythonWheelTask": {"packageName": "p", "namedParameters": {"aB": "1"}}},
            ],
            "jobClusters": [
                {"jobClusterKey": "main", "newCluster": {"sparkConf": {"spark.aB": "1"}, "sparkEnvVars": {"aB": "c"}}}
            ],
        }
    )
    assert settings == {
        "name": "acme",
        "timeout_seconds": 60,
        "tags": {"workloadName": "x"},
        "max_concurrent_runs": 1,
        "tasks": [
            {
                "task_key": "a",
                "python_wheel_task": {"package_name": "p", "named_parameters": {"aB": "1"}},
                "run_if": "ALL_SUCCESS",
            },
            {
                "task_key": "b",
                "depends_on": [{"task_key": "a"}],
                "min_retry_interval_millis": 5,
                "run_if": "ALL_DONE",
            },
        ],
        "job_clusters": [
            {
                "job_cluster_key": "main",
                "new_cluster": {"spark_conf": {"spark.aB": "1"}, "spark_env_vars": {"aB": "c"}},
            }
        ],
    }


def wheel_task(key: str, *needs: str, **more: Any) -> dict[str, Any]:
    depends = [{"task_key": need} for need in needs]
    return {"task_key": key, "depends_on": depends, "python_wheel_task": {}, "run_if": "ALL_SUCCESS"} | more


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([], "Job 'acme' has no tasks."),
        ([wheel_task("a", "z")], "Task 'a' depends on 'z', which is no task of job 'acme'."),
        ([wheel_task("a", run_if="NEVER")], "Task 'a': run_if takes one of ALL_SUCCESS, ALL_DONE, NONE_FAILED, "),
        ([{"task_key": "a", "run_if": "ALL_DONE"}], "Task 'a': the simulated cluster runs python_wheel_task only."),
        ([wheel_task("a", "b"), wheel_task("b", "a")], "The tasks of job 'acme' depend on each other: "),
    ],
)
def test_a_job_that_cannot_run_is_refused(tasks, message):
    with pytest.raises(RequestError) as refused:
        job_rules.require_runnable({"name": "acme", "tasks": tasks})
    assert str(refused.value).startswith(message)


def test_parameters_are_the_defaults_overridden():
    settings = {"name": "acme", "parameters": [{"name": "year", "default": 2024}, {"name": "limit", "default": "5"}]}
    assert job_rules.run_parameters(settings, {"year": "2026"}) == {"year": "2026", "limit": "5"}
    with pytest.raises(RequestError) as unknown:
        job_rules.run_parameters(settings, {"yaer": "2026"})
    assert str(unknown.value) == "Job 'acme' has no parameter 'yaer'; its parameters: limit, year."
    with pytest.raises(RequestError) as number:
        job_rules.run_parameters(settings, {"year": 2026})
    assert str(number.value) == "Job parameter 'year' must be text, not 2026."
    assert number.value.code == "MALFORMED_REQUEST"


S, F, C, X, U, T, V = "SUCCESS", "FAILED", "CANCELED", "EXCLUDED", "UPSTREAM_FAILED", "TIMEDOUT", "UPSTREAM_CANCELED"


@pytest.mark.parametrize(
    ("run_if", "results", "expected"),
    [
        ("ALL_SUCCESS", [], "RUN"),
        ("ALL_SUCCESS", [S, S], "RUN"),
        ("ALL_SUCCESS", [S, X], "RUN"),
        ("ALL_SUCCESS", [S, F], U),
        ("ALL_SUCCESS", [S, T], U),
        ("ALL_SUCCESS", [S, U], U),
        ("ALL_SUCCESS", [S, C], V),
        ("ALL_SUCCESS", [C, F], U),
        ("ALL_DONE", [F, C, U], "RUN"),
        ("ALL_DONE", [X, X], X),
        ("NONE_FAILED", [S, X], "RUN"),
        ("NONE_FAILED", [S, F], U),
        ("AT_LEAST_ONE_SUCCESS", [F, S], "RUN"),
        ("AT_LEAST_ONE_SUCCESS", [F, C], U),
        ("AT_LEAST_ONE_SUCCESS", [], "RUN"),
        ("ALL_FAILED", [F, C, U], "RUN"),
        ("ALL_FAILED", [F, S], X),
        ("AT_LEAST_ONE_FAILED", [S, F], "RUN"),
        ("AT_LEAST_ONE_FAILED", [S, C], "RUN"),
        ("AT_LEAST_ONE_FAILED", [S, S], X),
        ("AT_LEAST_ONE_FAILED", [X], X),
    ],
)
def test_run_if(run_if, results, expected):
    assert job_rules.verdict(run_if, results) == expected


CHAIN = [wheel_task("a"), wheel_task("b", "a"), wheel_task("c", "b")]


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        ({"a": (S, ""), "b": (S, ""), "c": (S, "")}, ("TERMINATED", "SUCCESS", "")),
        ({"a": (S, ""), "b": (F, "bad"), "c": (S, "")}, ("TERMINATED", "SUCCESS_WITH_FAILURES", "Tasks failed: b.")),
        ({"a": (S, ""), "b": (S, ""), "c": (X, "")}, ("TERMINATED", "SUCCESS", "")),
        (
            {"a": (F, "bad."), "b": (U, "An upstream task failed."), "c": (U, "An upstream task failed.")},
            (
                "INTERNAL_ERROR",
                "FAILED",
                "Task a failed with message: bad. This caused all downstream tasks to get skipped.",
            ),
        ),
        # Only some tasks of the job were asked for.
        ({"a": (F, "bad")}, ("INTERNAL_ERROR", "FAILED", "Task a failed with message: bad.")),
    ],
)
def test_the_leaves_decide_how_a_run_ended(ended, expected):
    assert job_rules.run_result(CHAIN, ended) == expected


def test_downstream_reaches_far():
    assert job_rules.downstream(CHAIN, {"a"}) == {"a", "b", "c"}
    assert job_rules.downstream(CHAIN, {"c"}) == {"c"}
