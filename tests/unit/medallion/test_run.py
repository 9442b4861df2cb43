"""Parameters on the command line, and the report that is made of what tasks wrote."""

import io
import json
from types import SimpleNamespace

import pytest
from databricks.sdk.errors import NotFound
from databricks.sdk.service.jobs import Run, RunLifeCycleState, RunResultState, RunState, RunTask
from rich.console import Console

from medallion import report
from medallion.follow import succeeded
from medallion.run import parse
from toolchain.errors import UserError
from workloads import spec


def test_parameters_are_pairs():
    assert parse(["year=2024", "note=a=b", "empty="]) == {"year": "2024", "note": "a=b", "empty": ""}


@pytest.mark.parametrize("pair", ["year", "=2024", ""])
def test_what_is_no_pair_is_named(pair):
    with pytest.raises(UserError, match=f"takes NAME=VALUE, not '{pair}'"):
        parse([pair])


def test_a_parameter_is_given_once():
    with pytest.raises(UserError, match="--param year is given twice"):
        parse(["year=1", "year=2"])


def state(result):
    return RunState(life_cycle_state=RunLifeCycleState.TERMINATED, result_state=result)


@pytest.fixture
def connection():
    metrics = [
        {"name": "medallion_task_records_in", "value": 2000},
        {"name": "medallion_task_records_out", "value": 1999},
    ]
    model = {
        "name": "ssh-anomaly-model",
        "version": "3",
        "alias": "champion",
        "figures": {"rows": 12, "anomaly_rate": 0.05},
    }
    documents = {
        "/v/reports/files/runs/ssh-logs/9/bronze.metrics.json": {"metrics": metrics},
        "/v/reports/files/runs/ssh-logs/9/model.json": model,
    }

    def download(path):
        if path not in documents:
            raise NotFound(path)
        return SimpleNamespace(contents=io.BytesIO(json.dumps(documents[path]).encode()))

    files = SimpleNamespace(download=download)
    return SimpleNamespace(
        client=SimpleNamespace(files=files), container=lambda path: f"/v/{path.replace('/', '/files/', 1)}"
    )


def test_the_report_takes_the_last_attempt_and_invents_no_figure(connection):
    tasks = [
        RunTask(task_key="silver", state=state(RunResultState.UPSTREAM_FAILED)),
        RunTask(task_key="bronze", state=state(RunResultState.FAILED), attempt_number=0),
        RunTask(task_key="bronze", state=state(RunResultState.SUCCESS), attempt_number=1),
    ]
    run = Run(run_id=9, state=state(RunResultState.FAILED), tasks=tasks)
    result = report.collect(connection, spec.find("ssh-logs"), run)
    assert result["state"] == "FAILED"
    assert [(task["task"], task["state"], task["in"], task["out"], task["seconds"]) for task in result["tasks"]] == [
        ("bronze", "SUCCESS", 2000, 1999, None),
        ("silver", "UPSTREAM_FAILED", None, None, None),
    ]
    console = Console(file=io.StringIO(), width=120)
    report.show(result, console)
    text = console.file.getvalue()
    assert "2,000" in text
    assert "ssh-anomaly-model version 3, alias champion: rows 12, anomaly_rate 0.050" in text
    assert "–" in text


def test_leftovers_are_listed_with_their_template_or_without_where_it_is_withheld():
    shown = [
        {"event_id": "unknown-1", "event_template": "[x] <*>", "count": 1200, "is_sshd": True, "example": "[x] 1"},
        {"event_id": "unknown-2", "count": 3, "is_sshd": False},
    ]
    console = Console(file=io.StringIO(), width=120)
    console.print(report.leftovers_table({"templates": 2, "messages": 1203, "shown": shown}))
    lines = console.file.getvalue().splitlines()
    assert "2 templates, 1,203 messages" in lines[0]
    rows = [line.split() for line in lines if "unknown-" in line]
    assert rows == [["unknown-1", "yes", "1,200", "[x]", "<*>"], ["unknown-2", "no", "3", "–"]]


def test_only_a_run_without_a_failed_task_has_succeeded():
    assert succeeded(Run(state=state(RunResultState.SUCCESS)))
    assert not succeeded(Run(state=state(RunResultState.SUCCESS_WITH_FAILURES)))
    assert not succeeded(Run(state=RunState(life_cycle_state=RunLifeCycleState.INTERNAL_ERROR)))
