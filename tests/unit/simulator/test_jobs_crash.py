"""What dies, and how it is found again: drivers, sessions, two sessions at once."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

INTERRUPTED = "interrupted: the process that held the run ended; repair the run to go on"
SESSION = """
import json, sys
from simulator.jobs_api import Workspace
home, environment = sys.argv[1], json.loads(sys.argv[2])
print(Workspace(session="no_spark:Session", environment=environment).start(home), flush=True)
sys.stdin.read()
"""


def test_a_killed_driver_fails_the_run_without_a_retry(home, client):
    home.deploy(home.task("a", "die", maxRetries=3), home.task("b", after=("a",), runIf="ALL_DONE"))
    run = home.ended(client, client.jobs.run_now(7).run_id)
    assert home.results(run) == {"a": "FAILED", "b": "FAILED"}
    assert [t.task_key for t in run.tasks] == ["a", "b"]
    folder = home.path / "clusters" / str(run.run_id)
    died = f"driver died (killed by signal 9), see {folder / 'driver.log'}"
    assert home.output(client, run, "a").error == died
    assert run.state.life_cycle_state.value == "INTERNAL_ERROR"
    assert run.state.state_message == f"Task a failed with message: {died}."
    assert run.status.termination_details.code.value == "DRIVER_ERROR"
    assert home.order() == ["die"]

    home.deploy(home.task("a", "ok", "again"), home.task("b", after=("a",), runIf="ALL_DONE"))
    client.jobs.repair_run(run.run_id, rerun_all_failed_tasks=True)
    repaired = home.ended(client, run.run_id)
    assert home.results(repaired) == {"a": "SUCCESS", "b": "SUCCESS"}
    assert home.order() == ["die", "ok again", "ok"]


def test_a_driver_that_ends_is_replaced_for_the_retry(home, client):
    home.deploy(home.task("a", "quit_once", maxRetries=1), home.task("b", after=("a",)))
    run = home.ended(client, client.jobs.run_now(7).run_id)
    assert home.results(run) == {"a": "SUCCESS", "b": "SUCCESS"}
    first = next(task for task in run.tasks if task.task_key == "a")
    folder = home.path / "clusters" / str(run.run_id)
    error = client.jobs.get_run_output(first.run_id).error
    assert error == f"driver died (exit code 5), see {folder / 'driver.log'}"
    assert run.state.result_state.value == "SUCCESS"


def test_a_stopped_session_leaves_a_run_that_can_be_repaired(home):
    first = home.session()
    home.deploy(home.task("a", "ok"), home.task("b", "hold", after=("a",)), home.task("c", after=("b",)))
    os.mkfifo(home.marks / "pipe")
    run_id = first.jobs.run_now(7).run_id
    with (home.marks / "pipe").open("rb") as pipe:
        assert pipe.read(1) == b"x"
        home.appears(home.marks / "held")
        home.open.pop().stop()
        assert pipe.read() == b""  # the driver is gone
    second = home.session()
    run = second.jobs.get_run(run_id)
    assert home.results(run) == {"a": "SUCCESS", "b": "FAILED", "c": "UPSTREAM_FAILED"}
    assert run.state.state_message == INTERRUPTED
    second.jobs.repair_run(run_id, rerun_all_failed_tasks=True)
    assert home.results(home.ended(second, run_id)) == {"a": "SUCCESS", "b": "SUCCESS", "c": "SUCCESS"}


def test_a_killed_session_takes_its_driver_along_and_the_run_can_be_repaired(home, sdk, project_root: Path):
    environment = json.dumps({"PATH": os.environ["PATH"], "PYTHONPATH": home.environment["PYTHONPATH"]})
    command = [sys.executable, "-c", SESSION, str(home.path), environment]
    child = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ) | {"PYTHONPATH": str(project_root)},
    )
    try:
        client = sdk.WorkspaceClient(host=child.stdout.readline().strip(), token="simulated")
        home.deploy(home.task("a", "hold"), home.task("b", after=("a",)))
        os.mkfifo(home.marks / "pipe")
        run_id = client.jobs.run_now(7).run_id
        with (home.marks / "pipe").open("rb") as pipe:
            assert pipe.read(1) == b"x"
            home.appears(home.marks / "held")
            child.send_signal(signal.SIGKILL)
            assert pipe.read() == b""  # the driver ends itself
    finally:
        child.kill()
        child.communicate()
    client = home.session()
    before = client.jobs.get_run(run_id)
    assert before.state.life_cycle_state.value == "INTERNAL_ERROR"
    assert before.state.state_message == INTERRUPTED
    assert home.results(before) == {"a": "FAILED", "b": "UPSTREAM_FAILED"}
    assert home.output(client, before, "a").error == INTERRUPTED
    client.jobs.repair_run(run_id, rerun_all_failed_tasks=True)
    after = home.ended(client, run_id)
    assert home.results(after) == {"a": "SUCCESS", "b": "SUCCESS"}
    assert after.start_time == before.start_time


def test_one_session_at_a_time_carries_out_runs(home, sdk):
    home.deploy(home.task("a", "wait", "a"))
    first = home.session()
    run_id = first.jobs.run_now(7).run_id
    home.appears(home.marks / "a-runs")
    second = home.session()
    assert second.jobs.get_run(run_id).state.life_cycle_state.value == "RUNNING"  # no orphan
    message = f"run {run_id} of acme is in progress in another session \\(process {os.getpid()}\\)"
    with pytest.raises(sdk.errors.ResourceConflict, match=message):
        second.jobs.run_now(7)
    with pytest.raises(sdk.errors.ResourceConflict, match=message):
        second.jobs.cancel_run(run_id)
    (home.marks / "a-ends").touch()
    home.ended(first, run_id)
    other = home.ended(second, second.jobs.run_now(7).run_id)
    assert other.state.result_state.value == "SUCCESS"


def test_queued_runs_of_a_stopped_session_are_ended(home):
    home.deploy(home.task("a", "wait", "a"), queue={"enabled": True})
    first = home.session()
    running, queued = first.jobs.run_now(7).run_id, first.jobs.run_now(7).run_id
    home.appears(home.marks / "a-runs")
    home.open.pop().stop()
    second = home.session()
    for run_id in (running, queued):
        assert second.jobs.get_run(run_id).state.state_message == INTERRUPTED


def test_a_run_that_cannot_be_recorded_does_not_look_alive(home, client, monkeypatch):
    def full(_history, _task):
        raise sqlite3.OperationalError("database or disk is full")

    home.deploy(home.task("a", "wait", "a"))
    run_id = client.jobs.run_now(7).run_id
    home.appears(home.marks / "a-runs")
    with monkeypatch.context() as broken:
        broken.setattr("simulator.history.History.save_task", full)
        (home.marks / "a-ends").touch()
        run = home.ended(client, run_id)
    assert run.state.life_cycle_state.value == "INTERNAL_ERROR"
    assert run.state.state_message == "The run could not go on: OperationalError: database or disk is full"
    client.jobs.repair_run(run_id, rerun_all_failed_tasks=True)
    assert home.ended(client, run_id).state.result_state.value == "SUCCESS"
