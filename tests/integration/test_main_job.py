"""The main job as a user runs it: files in, tables, exports, a model and reports out, with nothing lost."""

import csv
import gzip
import json
import re
import shutil
from collections import Counter

import pytest
from deltalake import DeltaTable
from mlflow.tracking import MlflowClient

from dashboards import grafana
from workloads import spec
from workloads.lakehouse import metrics

pytestmark = [pytest.mark.engine, pytest.mark.spark]

LINE = "Dec  9 06:5{}:46 web1 sshd[24200]: Failed password for root from 203.0.113.{} port 4242 ssh2\n"
LOGHUB = ["LineId", "Date", "Day", "Time", "Component", "Pid", "Content", "EventId", "EventTemplate"]
TRUTH = "OpenSSH_2k.log_structured_corrected.csv"
FILES = ("plain.log", "packed.log.gz", "empty.log", "windows.log", "damaged.log", "binary.log", "again.log")


def rows(platform, table):
    layer, name = table.split(".")
    return DeltaTable(platform.home / "lake" / "catalog" / f"{layer}.db" / name).to_pandas()


def run(platform, folder):
    platform.succeed("medallion", "upload", "ssh-logs", str(folder), "--replace")
    report = json.loads(platform.succeed("medallion", "run", "ssh-logs", "--json"))
    assert report["state"] == "SUCCESS"
    for task in report["tasks"]:
        assert task["in"] == task["out"] + task["quarantined"] + task["duplicates"], task
        assert task["seconds"] > 0
    return report


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A folder of files as they come, and how many lines each has."""
    folder = tmp_path_factory.mktemp("mixed logs")
    lines = [LINE.format(i % 10, i % 7) for i in range(300)]
    contents = {
        "plain.log": "".join(lines[:200]).encode(),
        "empty.log": b"",
        "windows.log": "".join(lines[200:240]).replace("\n", "  \r\n").encode(),
        "damaged.log": b"".join(line.encode().replace(b"root", b"r\xff\xfet") for line in lines[240:260])[:-1],
        "binary.log": b"\x00\x01\x02\n\x7fELF\x00" + bytes(range(256)),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "packed.log.gz").write_bytes(gzip.compress("".join(lines[260:]).encode(), mtime=0))
    shutil.copy(folder / "plain.log", folder / "again.log")
    unpacked = contents | {"packed.log.gz": "".join(lines[260:]).encode(), "again.log": contents["plain.log"]}
    return folder, {name: data.count(b"\n") + bool(data.rpartition(b"\n")[2]) for name, data in unpacked.items()}


@pytest.fixture(scope="module")
def report(standing, mixed):
    return run(standing, mixed[0])


def test_every_line_of_every_file_is_a_record_or_in_quarantine_or_a_duplicate(standing, mixed, report):
    _, lines = mixed
    records = rows(standing, "bronze.ssh_logs_records").groupby("file").size().to_dict()
    quarantined = rows(standing, "quarantine.ssh_logs_records").groupby("file").size().to_dict()
    files = rows(standing, "bronze.ssh_logs_files").set_index("file")
    assert sorted(files.index) == sorted(FILES)
    for name in FILES:
        duplicate = files.loc[name, "duplicate_of"]
        if isinstance(duplicate, str):
            assert files.loc[name, "lines"] == lines[name]
            assert name not in records
        else:
            assert records.get(name, 0) + quarantined.get(name, 0) == lines[name], name
    assert records == {"again.log": 200, "windows.log": 40, "damaged.log": 20, "packed.log.gz": 40}
    bronze = report["tasks"][0]
    assert (bronze["in"], bronze["duplicates"]) == (sum(lines.values()), 200)
    assert bronze["quarantined"] == lines["binary.log"]


def test_records_keep_their_exact_bytes(standing, mixed, report):
    folder, _ = mixed
    records = rows(standing, "bronze.ssh_logs_records")
    damaged = records[records["file"] == "damaged.log"].sort_values("line")
    exact = [text.encode() if raw is None else raw for raw, text in zip(damaged["raw"], damaged["text"], strict=True)]
    assert b"\n".join(exact) == (folder / "damaged.log").read_bytes()
    assert damaged["damaged_text"].all()
    windows = records[records["file"] == "windows.log"].sort_values("line")
    assert windows["raw"].isna().all()
    assert all(text.endswith("  \r") for text in windows["text"])
    assert not any(message.endswith((" ", "\r")) for message in windows["message"])


def test_the_exports_stand_where_the_original_has_them(standing, report):
    lake = standing.home / "lake"
    with (lake / "gold/final_data/openssh_logs_final.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert list(table[0])[:9] == LOGHUB
    assert [int(row["LineId"]) for row in table] == list(range(1, 301))
    assert table[0]["Component"] == "web1"
    assert len((lake / "silver/structured_logs/structured_logs.json").read_text().splitlines()) == 300
    assert (lake / "bronze/processed/raw_logs.parquet").exists()
    assert (lake / "models/anomaly_model.pkl").is_file()


def test_the_model_is_tracked_registered_and_champion(standing, report):
    registry = MlflowClient(f"sqlite:///{standing.home / 'mlflow' / 'mlflow.db'}")
    version = registry.get_model_version_by_alias("ssh-anomaly-model", "champion")
    experiment = registry.get_experiment_by_name("ssh-anomaly-detection")
    assert registry.get_run(version.run_id).info.experiment_id == experiment.experiment_id
    told = {key: report["model"][key] for key in ("name", "version", "alias")}
    assert told == {"name": "ssh-anomaly-model", "version": version.version, "alias": "champion"}
    scores = rows(standing, "gold.ssh_logs_scores")
    assert len(scores) == len(rows(standing, "gold.ssh_logs_features"))
    assert {int(found) for found in scores["model_version"]} == {int(version.version)}


def test_the_run_emits_every_metric_of_the_catalogue_and_the_dashboards_read_no_other(standing, report):
    folder = standing.home / "lake/reports/runs/ssh-logs" / str(report["run_id"])
    emitted = {
        metric["name"] for file in folder.glob("*.metrics.json") for metric in json.loads(file.read_text())["metrics"]
    }
    # Those of streams are emitted by `cloud-usage` (test_cloud_usage.py).
    of_streams = {metric.name for metric in metrics.CATALOGUE if metric.kind == "stream"}
    assert emitted == {metric.name for metric in metrics.CATALOGUE} - of_streams
    read = set(re.findall(r"\bmedallion_\w+", json.dumps(grafana.files(spec.discover()))))
    assert read <= emitted | of_streams


def test_every_task_states_its_lineage(standing, report):
    folder = standing.home / "lake/reports/runs/ssh-logs" / str(report["run_id"])
    events = [json.loads(line) for line in (folder / "silver.lineage.jsonl").read_text().splitlines()]
    assert [event["eventType"] for event in events] == ["START", "COMPLETE"]
    (silver,) = (task for job in spec.find("ssh-logs").jobs for task in job.tasks if task.key == "silver")
    assert [dataset["name"] for dataset in events[1]["inputs"]] == [f"spark_catalog.{name}" for name in silver.reads]
    assert [dataset["name"] for dataset in events[1]["outputs"]] == [f"spark_catalog.{name}" for name in silver.writes]


def test_the_outputs_are_valid_and_validating_changes_nothing(standing, report):
    before = len(rows(standing, "silver.ssh_logs_events"))
    result = json.loads(standing.succeed("medallion", "validate", "ssh-logs", "--json"))
    assert [(task["task"], task["state"]) for task in result["tasks"]] == [("validate", "SUCCESS")]
    assert len(rows(standing, "silver.ssh_logs_events")) == before


def test_status_shows_the_newest_run(standing, report):
    status = json.loads(standing.succeed("medallion", "status", "ssh-logs", "--json"))
    assert report["run_id"] in [item["run_id"] for item in status["runs"]]
    assert status["outputs"]["cloud"] == "simulated"


@pytest.mark.real_data
def test_a_real_log_replaces_what_was_there_and_a_copy_that_is_added_is_a_duplicate(
    standing, report, real_data, tmp_path
):
    log = real_data / "openssh" / "OpenSSH_2k.log"
    result = run(standing, log)
    assert {task["task"]: (task["in"], task["out"]) for task in result["tasks"]} == {
        "bronze": (2_000, 2_000), "silver": (2_000, 2_000), "gold": (2_000, 2_000),
        "train": (54, 54), "score": (54, 54), "report": (241, 241), "validate": (2_000, 2_000),
        "maintain": (16, 16),
    }  # fmt: skip
    assert {(task["quarantined"], task["duplicates"]) for task in result["tasks"]} == {(0, 0)}
    with (real_data / "openssh" / TRUTH).open(newline="", encoding="utf-8") as file:
        truth = list(csv.DictReader(file))
    with (standing.home / "lake/gold/final_data/openssh_logs_final.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    same = [*LOGHUB[:6], "Content"]
    assert list(table[0])[:9] == list(truth[0])[:9]
    assert [[row[name] for name in same] for row in table] == [[row[name].strip() for name in same] for row in truth]
    assert {row["EventId"] for row in table if row["EventId"].startswith("unknown")} == set()
    failures = Counter()
    for row in table:
        if row["Outcome"] == "failure" and row["Method"] == "password":
            failures[row["SourceAddress"]] += int(row["RepeatCount"])
    assert sum(1 for row in table if "Failed password" in row["Content"]) == 520
    assert len([address for address, number in failures.items() if number >= 5]) == 12
    assert [row["SourceAddress"] for row in table if row["Outcome"] == "success"] == ["119.137.62.142"]
    newest = json.loads(standing.succeed("medallion", "status", "ssh-logs", "--json"))["newest"]
    assert newest["model"]["version"] == result["model"]["version"]
    standing.succeed("toolchain.stack", "preview", "--stack", "local", "--expect-no-changes")

    standing.succeed("medallion", "upload", "ssh-logs", str(log))
    shutil.copy(log, tmp_path / "the same.log")
    standing.succeed("medallion", "upload", "ssh-logs", str(tmp_path / "the same.log"))
    (bronze,) = json.loads(standing.succeed("medallion", "run", "ssh-logs", "--task", "bronze", "--json"))["tasks"]
    assert (bronze["in"], bronze["out"], bronze["duplicates"]) == (4000, 2000, 2000)
