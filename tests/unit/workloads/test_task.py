"""The entry point of tasks: arguments, the balance of records, reports."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from workloads.lakehouse import task as entry
from workloads.lakehouse.errors import TaskError
from workloads.lakehouse.lake import Lake
from workloads.lakehouse.task import Counts

ARGUMENTS = ["--workload", "ssh-logs", "--task", "silver", "--run-id", "r-1", "--ingest-time", "2026-11-21T08:00:00Z"]


def run_with(monkeypatch: pytest.MonkeyPatch, run) -> None:
    """Lets the task silver do `run`."""
    real = entry.importlib.import_module
    monkeypatch.setattr(
        entry.importlib,
        "import_module",
        lambda name, *package: (
            SimpleNamespace(run=run) if name == "workloads.ssh_logs.silver" else real(name, *package)
        ),
    )


def reported(lake: Lake) -> tuple[dict[str, float], list[str]]:
    """Metrics by name, and the states of the lineage events."""
    folder = lake.path("reports/runs/ssh-logs/r-1")
    content = json.loads((folder / "silver.metrics.json").read_text())
    assert (content["workload"], content["task"], content["layer"], content["run_id"]) == (
        "ssh-logs", "silver", "silver", "r-1",
    )  # fmt: skip
    events = [json.loads(line)["eventType"] for line in (folder / "silver.lineage.jsonl").read_text().splitlines()]
    assert (folder / "silver.prom").read_text().count("# TYPE") == len(content["metrics"])
    return {metric["name"].removeprefix("medallion_task_"): metric["value"] for metric in content["metrics"]}, events


def test_a_task_reports_its_records(lake: Lake, monkeypatch, capsys) -> None:
    run_with(monkeypatch, lambda task: Counts(10, 7, 2, 1))
    entry.main(ARGUMENTS)
    metrics, events = reported(lake)
    assert metrics.pop("duration_seconds") >= 0
    assert metrics.pop("success_timestamp_seconds") > 1.7e9
    assert metrics == {
        "records_in": 10, "records_out": 7, "records_quarantined": 2, "records_duplicate": 1,
        "checks_passed": 1, "checks_failed": 0,
    }  # fmt: skip
    assert events == ["START", "COMPLETE"]
    assert capsys.readouterr().out == "ssh-logs/silver: 10 in = 7 out + 2 quarantined + 1 duplicates\n"


def test_a_task_that_loses_a_record_fails_and_says_so(lake: Lake, monkeypatch, capsys) -> None:
    run_with(monkeypatch, lambda task: Counts(10, 9))
    with pytest.raises(SystemExit) as exit_:
        entry.main(ARGUMENTS)
    assert exit_.value.code == 1
    assert capsys.readouterr().err == (
        "error: ssh-logs/silver lost or doubled records: not true that 10 in = 9 out + 0 quarantined + 0 duplicates\n"
    )
    metrics, events = reported(lake)
    assert (metrics["checks_failed"], "success_timestamp_seconds" in metrics) == (1, False)
    assert events == ["START", "FAIL"]


def test_an_error_that_nobody_foresaw_keeps_its_trace_and_is_reported(lake: Lake, monkeypatch) -> None:
    def run(task) -> Counts:
        raise RuntimeError("first line\nsecond line")

    run_with(monkeypatch, run)
    with pytest.raises(RuntimeError, match="first line"):
        entry.main(ARGUMENTS)
    told = lake.path("reports/runs/ssh-logs/r-1/silver.lineage.jsonl").read_text().splitlines()[-1]
    assert json.loads(told)["run"]["facets"]["errorMessage"]["message"] == "first line"


@pytest.mark.parametrize(
    ("replace", "message"),
    [
        ({"ssh-logs": "nonsense"}, "unknown workload 'nonsense'; there are: "),
        (
            {"silver": "tin"},
            "workload 'ssh-logs' has no task 'tin'; it has bronze, gold, maintain, report, score, silver, train, ",
        ),
        ({"2026-11-21T08:00:00Z": "noon"}, "--ingest-time takes a moment in ISO 8601, not 'noon'"),
        ({"r-1": "../x"}, "--run-id takes letters, digits, dots and dashes, not '../x'"),
    ],
)
def test_wrong_arguments_are_one_clear_error(lake: Lake, capsys, replace: dict[str, str], message: str) -> None:
    with pytest.raises(SystemExit) as exit_:
        entry.main([replace.get(argument, argument) for argument in ARGUMENTS])
    assert exit_.value.code == 1
    assert capsys.readouterr().err.startswith(f"error: {message}")


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ("yeer=1", "workload 'ssh-logs' has no parameter 'yeer'; it takes "),
        ("year=soon", "parameter 'year' takes an integer, not 'soon'"),
        ("year", "--parameter takes NAME=VALUE, not 'year'"),
    ],
)
def test_wrong_parameters_are_one_clear_error(lake: Lake, capsys, parameter: str, message: str) -> None:
    with pytest.raises(SystemExit):
        entry.main([*ARGUMENTS, "--parameter", parameter])
    assert capsys.readouterr().err.startswith(f"error: {message}")


def test_parameters_get_their_types_and_the_ingest_time_its_zone(lake: Lake) -> None:
    context = entry.context([*ARGUMENTS, "--parameter", "year=2020", "--parameter", "flag_share=0.1"])
    assert (context.parameters["year"], context.parameters["flag_share"]) == (2020, 0.1)
    plain = entry.context([*ARGUMENTS[:-1], "2026-11-21T08:00:00.123"])
    assert plain.ingest_time.isoformat() == "2026-11-21T08:00:00.123000+00:00"


def test_a_metric_outside_the_catalogue_is_refused(lake: Lake) -> None:
    context = entry.context(ARGUMENTS)
    context.report("medallion_nonsense", 1)
    with pytest.raises(ValueError, match="no metric of the catalogue"):
        context.samples()


def test_task_errors_are_one_line(lake: Lake, monkeypatch, capsys) -> None:
    def run(task) -> Counts:
        raise TaskError("there are no files")

    run_with(monkeypatch, run)
    with pytest.raises(SystemExit):
        entry.main(ARGUMENTS)
    assert capsys.readouterr().err == "error: there are no files\n"
