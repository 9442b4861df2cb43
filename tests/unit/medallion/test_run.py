"""Parameters on the command line, and the report that is made of what tasks wrote."""

import io
import json
from types import SimpleNamespace

import pytest
from rich.console import Console
from typer.testing import CliRunner

from medallion import report
from medallion.__main__ import app
from medallion.follow import succeeded
from medallion.run import choose, parse, seconds
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


USAGE = spec.find("cloud-usage")


@pytest.fixture
def jobs(sdk):
    return sdk.service.jobs


def test_a_task_is_run_in_its_job_and_a_stream_is_a_job():
    assert choose(USAGE, "batch", None, False).key == "batch"
    assert choose(USAGE, "batch", "gold", False).key == "batch"
    assert choose(USAGE, "batch", "speed", False).key == "stream"
    assert choose(USAGE, "batch", None, True).key == "stream"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("batch", "golden", False),
            "workload 'cloud-usage' has no task 'golden'; it has bronze, silver, anomalies, gold",
        ),
        (("batch", "gold", True), "--stream runs the streaming job: it goes with neither --task nor --job"),
        (("stream", None, True), "it goes with neither --task nor --job"),
    ],
)
def test_what_cannot_be_run_is_named(arguments, said):
    with pytest.raises(UserError) as error:
        choose(USAGE, *arguments)
    assert said in str(error.value)


def test_a_workload_without_a_stream_says_so():
    with pytest.raises(UserError, match="workload 'ssh-logs' has no streaming job"):
        choose(spec.find("ssh-logs"), "batch", None, True)


def test_times_are_seconds_minutes_or_hours():
    assert [seconds(text) for text in ("90", "90s", "2m", "1h")] == [90, 90, 120, 3600]


@pytest.mark.parametrize("text", ["", "0", "0m", "2 m", "1.5h", "-1", "1d", "m"])
def test_what_is_no_time_is_named(text):
    with pytest.raises(UserError, match=f"--for takes a time such as 90s, 2m or 1h, not '{text}'"):
        seconds(text)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--for", "2m"], "--for says how long to stream: it goes with --stream"),
        (
            ["--stream", "--for", "2m", "-p", "stop_after_seconds=1"],
            "--for and --param stop_after_seconds say the same",
        ),
    ],
)
def test_how_long_to_stream_is_said_once_and_of_a_stream(options, said):
    done = CliRunner().invoke(app, ["run", "cloud-usage", *options])
    assert isinstance(done.exception, UserError)
    assert said in str(done.exception)


@pytest.fixture
def state(jobs):
    """The state of what has ended with a result."""
    terminated = jobs.RunLifeCycleState.TERMINATED
    return lambda result: jobs.RunState(terminated, result_state=jobs.RunResultState[result])


@pytest.fixture
def connection(sdk):
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
            raise sdk.errors.NotFound(path)
        return SimpleNamespace(contents=io.BytesIO(json.dumps(documents[path]).encode()))

    files = SimpleNamespace(download=download)
    return SimpleNamespace(
        client=SimpleNamespace(files=files), container=lambda path: f"/v/{path.replace('/', '/files/', 1)}"
    )


def test_the_report_takes_the_last_attempt_and_invents_no_figure(connection, jobs, state):
    tasks = [
        jobs.RunTask(task_key="silver", state=state("UPSTREAM_FAILED")),
        jobs.RunTask(task_key="bronze", state=state("FAILED"), attempt_number=0),
        jobs.RunTask(task_key="bronze", state=state("SUCCESS"), attempt_number=1),
    ]
    run = jobs.Run(run_id=9, state=state("FAILED"), tasks=tasks)
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


def test_only_a_run_without_a_failed_task_has_succeeded(jobs, state):
    assert succeeded(jobs.Run(state=state("SUCCESS")))
    assert not succeeded(jobs.Run(state=state("SUCCESS_WITH_FAILURES")))
    assert not succeeded(jobs.Run(state=jobs.RunState(jobs.RunLifeCycleState.INTERNAL_ERROR)))
