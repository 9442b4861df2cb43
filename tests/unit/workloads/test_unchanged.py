"""A task runs again when something that it hangs on, or something that it made, is not as it left it, and only then."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count

import pytest

from workloads.lakehouse import exports, tables, tracking, unchanged
from workloads.lakehouse import task as entry
from workloads.lakehouse.errors import TaskError
from workloads.lakehouse.lake import Lake
from workloads.lakehouse.task import Counts, TaskContext

PLACE, FOLDER = "gold/report.csv", "models/files"


@dataclass
class Stage:
    """A task that writes one file, in a lake whose tables have the versions given."""

    lake: Lake
    versions: dict[str, str]
    beside: dict[str, int] = field(default_factory=lambda: {"champion": 1})
    gives: Counts = field(default_factory=lambda: Counts(2, 2))
    champion: int = 0
    runs: int = 0

    EXPORTS = (PLACE, FOLDER)
    MODELS = ("model",)

    def hangs_on(self, _: TaskContext) -> dict[str, int]:
        return self.beside

    def run(self, task: TaskContext) -> Counts:
        self.runs += 1
        exports.text(task.lake, PLACE, "a,b\n")
        exports.text(task.lake, f"{FOLDER}/model", "m")
        self.champion = 1
        task.report("medallion_model_prediction_count", 7)
        task.tell("alerts", {"budget": 20})
        self.versions[task.task.writes[0]] = f"{self.runs} of now"
        return self.gives


@pytest.fixture
def stage(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Stage:
    versions = {"silver.ssh_logs_events": "1", "gold.ssh_logs_scores": "1"}
    made = Stage(lake, versions)
    real = entry.importlib.import_module
    monkeypatch.setattr(
        entry.importlib,
        "import_module",
        lambda name, *of: made if name == "workloads.ssh_logs.report" else real(name, *of),
    )
    monkeypatch.setattr(tracking, "registered", lambda lake, model: {model: made.champion})
    monkeypatch.setattr(tables, "version", lambda spark, lake, name: versions.get(name))
    monkeypatch.setattr(TaskContext, "spark", None)
    return made


ARGUMENTS = ["--workload", "ssh-logs", "--task", "report", "--ingest-time", "2026-11-21T08:00:00Z", "--run-id"]
RUNS = (f"r-{number}" for number in count(1))


def carry_out(lake: Lake, run_id: str = "", **parameters: str) -> dict[str, float]:
    """Carries the task out, in a run of its own unless one is named; the metrics that it published, but for times."""
    run_id = run_id or next(RUNS)
    given = [f"--parameter={name}={value}" for name, value in parameters.items()]
    entry.carry_out(entry.context([*ARGUMENTS, run_id, *given]))
    folder = lake.path(f"reports/runs/ssh-logs/{run_id}")
    assert json.loads((folder / "alerts.json").read_text()) == {"budget": 20}
    content = json.loads((folder / "report.metrics.json").read_text())
    return {one["name"]: one["value"] for one in content["metrics"] if not one["name"].endswith("_seconds")}


def test_where_nothing_changed_the_task_only_reports_what_it_reported(stage: Stage, lake: Lake) -> None:
    first = carry_out(lake)
    again = carry_out(lake)
    assert stage.runs == 1
    assert again == first
    assert again["medallion_model_prediction_count"] == 7
    assert again["medallion_task_records_out"] == 2
    assert again["medallion_task_checks_passed"] == 1


CHANGES: dict[str, Callable[[Stage], object]] = {
    "a table that it reads": lambda stage: stage.versions.update({"silver.ssh_logs_events": "2"}),
    "a table that it wrote": lambda stage: stage.versions.update({"gold.ssh_logs_activity": "9"}),
    "a table that it wrote is gone": lambda stage: stage.versions.pop("gold.ssh_logs_activity"),
    "a file that it wrote": lambda stage: exports.text(stage.lake, PLACE, "a\n"),
    "the time of a file that it wrote": lambda stage: os.utime(stage.lake.path(PLACE), ns=(1, 1)),
    "a file that it wrote is gone": lambda stage: stage.lake.path(PLACE).unlink(),
    "a file of a folder that it wrote": lambda stage: exports.text(stage.lake, f"{FOLDER}/model", "n"),
    "a file beside those of a folder": lambda stage: exports.text(stage.lake, f"{FOLDER}/other", "n"),
    "a folder that it wrote is gone": lambda stage: shutil.rmtree(stage.lake.path(FOLDER)),
    "a model that it registered": lambda stage: setattr(stage, "champion", 2),
    "what else it hangs on": lambda stage: stage.beside.update(champion=2),
    "its code": lambda stage: None,
}


@pytest.mark.parametrize("changed", CHANGES)
def test_whatever_changed_the_task_runs_again(stage, lake, monkeypatch, changed: str) -> None:
    carry_out(lake)
    stage.beside = dict(stage.beside)
    CHANGES[changed](stage)
    if changed == "its code":
        monkeypatch.setattr(unchanged, "_code", lambda folder: "other")
    carry_out(lake)
    assert stage.runs == 2
    carry_out(lake)
    assert stage.runs == 2


def test_what_changes_while_the_task_runs_is_news_to_the_next(stage, lake, monkeypatch) -> None:
    run = Stage.run

    def slow(self: Stage, task: TaskContext) -> Counts:
        given = run(self, task)
        self.versions["silver.ssh_logs_events"] = "2"
        return given

    monkeypatch.setattr(Stage, "run", slow)
    carry_out(lake)
    carry_out(lake)
    assert stage.runs == 2


def test_a_run_asks_for_the_version_of_a_table_once_and_of_what_it_wrote_anew(stage, lake, monkeypatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(tables, "version", lambda spark, lake, name: asked.append(name) or stage.versions.get(name))
    reads, writes = entry.context([*ARGUMENTS, "r"]).task.reads, entry.context([*ARGUMENTS, "r"]).task.writes
    carry_out(lake, "r")
    assert sorted(asked) == sorted([*reads, *writes])  # there was no note to compare with
    asked.clear()
    carry_out(lake, "r")
    assert asked == []
    assert stage.runs == 1
    stage.versions["gold.ssh_logs_activity"] = "9"
    carry_out(lake, "s")
    assert sorted(asked) == sorted([*reads, *writes, *writes])  # before it ran, and what it wrote after it, too
    assert stage.runs == 2


def test_a_retry_of_a_task_that_failed_after_it_wrote_runs_again(stage, lake, monkeypatch) -> None:
    carry_out(lake)
    stage.beside = {"champion": 2}
    run = Stage.run

    def failing(self: Stage, task: TaskContext) -> Counts:
        run(self, task)
        raise TaskError("the disk is full")

    with monkeypatch.context() as patch, pytest.raises(TaskError, match="the disk is full"):
        patch.setattr(Stage, "run", failing)
        carry_out(lake, "r")
    carry_out(lake, "r")
    assert stage.runs == 3


def test_a_parameter_counts(stage: Stage, lake: Lake) -> None:
    carry_out(lake)
    carry_out(lake, seed="8")
    assert stage.runs == 2


def test_a_run_that_was_killed_before_it_came_to_its_end_left_no_note(stage, lake, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(unchanged, "note", lambda *_: None)
        carry_out(lake)
    carry_out(lake)
    assert stage.runs == 2


def test_a_run_that_lost_records_left_no_note(stage: Stage, lake: Lake) -> None:
    stage.gives = Counts(2, 1)
    with pytest.raises(TaskError, match="lost or doubled records"):
        carry_out(lake)
    stage.gives = Counts(2, 2)
    carry_out(lake)
    assert stage.runs == 2


def test_a_task_that_does_not_say_what_it_hangs_on_runs_every_time(stage, lake, monkeypatch) -> None:
    monkeypatch.delattr(Stage, "hangs_on")
    carry_out(lake)
    carry_out(lake)
    assert stage.runs == 2


@pytest.mark.spark
def test_every_commit_gives_a_table_another_version(spark, lake, empty_catalog) -> None:
    numbers = tables.Table("silver.numbers", "Numbers.", (tables.Column("n", "BIGINT", "A number"),))
    seen = [tables.version(spark, lake, numbers.name)]
    assert seen == [None]
    for _ in range(2):
        tables.replace(spark.range(2).toDF("n"), lake, numbers)
        seen.append(tables.version(spark, lake, numbers.name))
        assert tables.version(spark, lake, numbers.name) == seen[-1]
    spark.sql("DROP TABLE silver.numbers")
    tables.replace(spark.range(2).toDF("n"), lake, numbers)
    seen.append(tables.version(spark, lake, numbers.name))
    assert len(set(seen)) == 4


@pytest.mark.spark
def test_tending_a_table_keeps_its_rows_and_its_version(spark, lake, empty_catalog, monkeypatch) -> None:
    numbers = tables.Table("silver.numbers", "Numbers.", (tables.Column("n", "BIGINT", "A number"),))
    tables.replace(spark.range(30).toDF("n").repartition(3), lake, numbers)
    before = tables.version(spark, lake, numbers.name)
    heard: list[str] = []
    monkeypatch.setattr(sys, "audit", lambda event, *told: heard.append(told[2]) if told[:1] == ("before",) else None)

    tables.tend(spark, lake, numbers, tables.VACUUM_HOURS)
    assert heard == []

    monkeypatch.setattr(tables, "MANY_FILES", 3)
    tables.tend(spark, lake, numbers, tables.VACUUM_HOURS)
    assert heard == ["compaction of silver.numbers"]
    assert spark.sql("DESCRIBE DETAIL silver.numbers").head()["numFiles"] == 1

    commits = tables._commits
    monkeypatch.setattr(tables, "_commits", lambda *of: [
        commit if commit.operation in tables.VACUUM else replace(commit, moment=commit.moment - timedelta(hours=200))
        for commit in commits(*of)
    ])  # fmt: skip
    spark.sparkContext.setJobGroup("vacuum", "")
    for _ in range(2):  # once a day
        tables.tend(spark, lake, numbers, tables.VACUUM_HOURS)
        assert heard == ["compaction of silver.numbers", "vacuum of silver.numbers"]
    spark.sparkContext.setLocalProperty("spark.jobGroup.id", None)  # the session is that of all tests
    told = spark.sparkContext.statusTracker()
    stages = {stage for job in told.getJobIdsForGroup("vacuum") for stage in told.getJobInfo(job).stageIds}
    tasks = [info.numTasks for info in map(told.getStageInfo, stages) if info]  # None: it was not needed
    assert len(tasks) >= 1
    assert max(tasks) <= 10, "a small table is no work for thousands of tasks"

    monkeypatch.setattr(tables, "_commits", commits)
    assert tables.version(spark, lake, numbers.name) == before
    assert sorted(row["n"] for row in tables.read(spark, lake, numbers).collect()) == list(range(30))


def test_files_are_kept_as_long_as_delta_asks(lake: Lake) -> None:
    from workloads.ssh_logs import maintain

    arguments = ["--workload", "ssh-logs", "--task", "maintain", "--run-id", "r", "--ingest-time", "2026-11-21"]
    with pytest.raises(TaskError, match="parameter 'vacuum_hours' takes 168 hours or more, not 1"):
        maintain.run(entry.context([*arguments, "--parameter", "vacuum_hours=1"]))


@pytest.mark.parametrize("key", ["bronze", "silver", "gold", "train", "score", "report", "validate"])
def test_tasks_of_ssh_logs_say_what_they_hang_on(key: str, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "champion_version", lambda lake, model: 3)
    module = entry.importlib.import_module(f"workloads.ssh_logs.{key}")
    arguments = ["--workload", "ssh-logs", "--task", key, "--run-id", "r", "--ingest-time", "2026-11-21T08:00:00Z"]
    task = entry.context(arguments)
    said = module.hangs_on(task)
    assert said == json.loads(json.dumps(said))
    assert isinstance(module.EXPORTS, tuple)
    files = {
        "bronze": "bronze/raw_logs/a.log",
        "train": "landing/feedback/ssh-logs/one.csv",
        "score": "landing/feedback/ssh-logs/one.csv",
        "validate": "models/anomaly_model.pkl",
    }
    if key in files:
        exports.text(lake, files[key], "one,two,three\n")
    else:
        monkeypatch.setenv("MEDALLION_PSEUDONYM_KEY", "k" * 32)
        task = replace(task, parameters={**task.parameters, "pseudonyms": "users"})
    assert module.hangs_on(task) != said


@pytest.mark.parametrize("parameter", ["rebuild=2026-11-01", "retention_days=30"])
def test_bronze_runs_every_time_where_it_rebuilds_or_takes_files_away(lake: Lake, parameter: str) -> None:
    from workloads.ssh_logs import bronze

    arguments = ["--workload", "ssh-logs", "--task", "bronze", "--run-id", "r", "--ingest-time", "2026-11-21"]
    assert bronze.hangs_on(entry.context([*arguments, "--parameter", parameter])) is None


def test_a_task_that_says_that_it_shall_run_runs(stage: Stage, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    carry_out(lake)
    monkeypatch.setattr(Stage, "hangs_on", lambda *_: None)
    carry_out(lake)
    assert stage.runs == 2


def test_what_such_a_task_wrote_is_asked_anew(stage: Stage, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    carry_out(lake, "r")
    with monkeypatch.context() as patch:
        patch.setattr(Stage, "hangs_on", lambda *_: None)
        carry_out(lake, "r")
    carry_out(lake, "r")
    assert stage.runs == 3
