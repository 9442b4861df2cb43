"""The notebook that the data factory's activities run: its arguments, its order, how it fails."""

import json
import runpy
import sys
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.databricks_job import ClusterArgs, JobArgs, JobSite, job_settings
from components.runtimes import Runtime
from components.workload_wheel import ENTRY_POINT, PACKAGE, build
from workloads.lakehouse import task as entry
from workloads.spec import find

FILE = Path(__file__).parents[3] / "components" / "notebooks" / "run_task.py"
WHEEL = f"/Volumes/cat/models/files/wheels/{PACKAGE}-1.0+abc-py3-none-any.whl"
GIVEN = {
    "workload": "ssh-logs",
    "job": "batch",
    "tasks": "bronze",
    "run_id": "0f6c9a1e-run",
    "ingest_time": "2026-11-21T08:00:00.1234567Z",
    "parameters": "[]",
    "wheel": WHEEL,
}
NOTEBOOK = runpy.run_path(str(FILE))  # as a module: without dbutils, nothing runs


class Widgets:
    """The widgets of a notebook: a caller's value, or the default."""

    def __init__(self, given: dict[str, str]) -> None:
        self.given, self.shown = given, {}

    def text(self, name: str, default: str, label: str) -> None:
        self.shown[name] = (default, label)

    def get(self, name: str) -> str:
        return self.given.get(name, self.shown[name][0])


class Dbutils:
    def __init__(self, given: dict[str, str]) -> None:
        self.widgets = Widgets(given)


def notebook(**changes: str) -> Widgets:
    """Run the notebook as Databricks does, with these values of its caller."""
    dbutils = Dbutils({**GIVEN, **changes})
    runpy.run_path(str(FILE), init_globals={"dbutils": dbutils}, run_name="__main__")
    return dbutils.widgets


@pytest.fixture
def library(tmp_path, monkeypatch) -> None:
    """The workloads' wheel among the libraries of the cluster."""
    (tmp_path / "sources").mkdir()
    built = build(tmp_path / "sources", "1.0")
    place = tmp_path / built.filename
    place.write_bytes(built.data)
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.setitem(GIVEN, "wheel", f"/Volumes/cat/models/files/wheels/{built.filename}")


@pytest.fixture
def ran(library, monkeypatch) -> list[list[str]]:
    """The command lines that the entry point got."""
    lines: list[list[str]] = []
    monkeypatch.setattr(entry, "main", lines.append)
    return lines


def failure(**changes: str) -> str:
    with pytest.raises(Exception) as failed:
        notebook(**changes)
    assert type(failed.value).__name__ == "NotebookError"
    assert "\n" not in str(failed.value)
    return str(failed.value)


def test_the_notebook_is_one_to_databricks():
    assert FILE.read_text().startswith("# Databricks notebook source\n")
    assert FILE.read_text().count("\n# COMMAND ----------\n") == 2
    assert (NOTEBOOK["PACKAGE"], NOTEBOOK["ENTRY_POINT"]) == (PACKAGE, ENTRY_POINT)


def test_its_header_names_every_widget_and_none_has_a_default(ran):
    shown = notebook().shown
    assert {default for default, _ in shown.values()} == {""}
    header = FILE.read_text().partition("# COMMAND")[0]
    assert [name for name in shown if f"`{name}`" not in header] == []


def test_tasks_run_in_the_order_given(ran):
    notebook(tasks="gold, bronze,silver")
    assert [line[line.index("--task") + 1] for line in ran] == ["gold", "bronze", "silver"]


def test_a_task_gets_what_the_job_would_give_it(ran):
    workload = find("ssh-logs")
    runtime = Runtime(name="r", key="k", spark="4.0.0", python="3.12", end_of_support=date(2028, 1, 1))
    cluster = ClusterArgs(runtime=runtime, node_type="n", workers=1, spot=False, environment={}, project="p")
    arguments = JobArgs(cluster=cluster, schedules=False, continuous=False)
    settings = job_settings(workload, workload.job(), arguments, JobSite(WHEEL))
    values = {parameter.name: parameter.text(parameter.default) for parameter in workload.parameters}
    references = {
        "{{job.run_id}}": GIVEN["run_id"],
        "{{job.start_time.iso_datetime}}": GIVEN["ingest_time"],
        **{f"{{{{job.parameters.{name}}}}}": value for name, value in values.items()},
    }
    wanted = {}
    for task in settings["tasks"]:
        line = task["python_wheel_task"]["parameters"]
        for reference, value in references.items():
            line = [item.replace(reference, value) for item in line]
        wanted[task["task_key"]] = line
    parameters = json.dumps([f"{name}={values[name]}" for name in sorted(values)])
    notebook(tasks=",".join(wanted), parameters=parameters)
    assert ran == list(wanted.values())


@given(st.lists(st.tuples(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.text(max_size=8)), max_size=3))
def test_values_of_parameters_arrive_as_they_are(pairs):
    asked = {**GIVEN, "parameters": json.dumps([f"{name}={value}" for name, value in pairs])}
    line = NOTEBOOK["arguments"](asked, "bronze")
    assert line[8:] == [item for name, value in pairs for item in ("--parameter", f"{name}={value}")]
    assert [entry._pair(item) for item in line[9::2]] == pairs


# failure


def test_the_first_task_that_fails_ends_the_chain(library, monkeypatch, capsys):
    def main(line):
        print("error: no raw files in bronze/raw_logs", file=sys.stderr)
        raise SystemExit(1)

    monkeypatch.setattr(entry, "main", main)
    said = failure(tasks="bronze,silver,gold")
    assert said == "ssh-logs/batch/bronze failed: no raw files in bronze/raw_logs; not run: silver, gold"
    assert capsys.readouterr().err == "error: no raw files in bronze/raw_logs\n"


@pytest.mark.parametrize(
    ("raised", "why"),
    [
        (SystemExit("no such table"), "no such table"),
        (SystemExit(3), "exit code 3"),
        (ValueError("first line\nsecond line"), "ValueError: first line"),
        (KeyError("x"), "KeyError: 'x'"),
    ],
)
def test_the_reason_is_one_line(library, monkeypatch, raised, why):
    def main(line):
        raise raised

    monkeypatch.setattr(entry, "main", main)
    assert failure() == f"ssh-logs/batch/bronze failed: {why}"


@pytest.mark.parametrize("code", [0, None])
def test_a_task_that_exits_well_is_no_failure(library, monkeypatch, code):
    ended = []

    def main(line):
        ended.append(line[3])
        raise SystemExit(code)

    monkeypatch.setattr(entry, "main", main)
    notebook(tasks="bronze,silver")
    assert ended == ["bronze", "silver"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"tasks": "nope"}, "ssh-logs/batch/nope failed: workload 'ssh-logs' has no task 'nope'; it has bronze, "),
        ({"workload": "nope"}, "nope/batch/bronze failed: "),
        ({"run_id": "a/b"}, "ssh-logs/batch/bronze failed: --run-id takes letters, digits, dots and dashes, not 'a/b'"),
        ({"parameters": '["x"]'}, "ssh-logs/batch/bronze failed: --parameter takes NAME=VALUE, not 'x'"),
        ({"ingest_time": "now"}, "ssh-logs/batch/bronze failed: --ingest-time takes a moment in ISO 8601, not 'now'"),
    ],
)
def test_the_entry_point_s_own_refusals_are_told(library, changes, why):
    assert failure(**changes).startswith(why)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"tasks": "", "run_id": " "}, "the caller gave no tasks, run_id: all of workload, job, tasks, run_id, "),
        ({"tasks": "bronze,"}, "tasks takes keys separated by commas, not 'bronze,'"),
        ({"parameters": "{}"}, "parameters takes a JSON list of texts NAME=VALUE, not '{}'"),
        ({"parameters": "[1]"}, "parameters takes a JSON list of texts NAME=VALUE, not '[1]'"),
        ({"parameters": "year=1"}, "parameters takes a JSON list of texts NAME=VALUE, not 'year=1'"),
        ({"wheel": WHEEL}, f"the cluster has {PACKAGE} 1.0+"),
    ],
)
def test_what_the_caller_gives_is_checked(ran, changes, why):
    assert failure(**changes).startswith(why)
    assert ran == []


def test_a_running_cluster_with_the_wheel_of_before_is_told_apart(ran):
    assert failure(wheel=WHEEL).endswith(", not 1.0+abc: restart it")


def test_without_the_library_nothing_runs():
    assert failure() == f"the cluster has no library {PACKAGE}: {WHEEL} must be one of its libraries"
