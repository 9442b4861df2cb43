"""Adding a workload is adding one folder: job, pipeline, dashboard and metrics follow, and nothing else changes."""

import json
import shutil
from pathlib import Path

import pytest

pytestmark = [pytest.mark.engine, pytest.mark.spark]

FIXTURE = Path(__file__).parent / "fixtures" / "word_count"


def by_name(resources):
    return {item["urn"].rpartition("::")[2]: item for item in resources}


def test_a_copied_in_folder_is_a_workload(project_copy):
    project_copy.up()
    before = by_name(project_copy.resources())
    shutil.copytree(FIXTURE, project_copy.root / "workloads" / "word_count")
    project_copy.up()
    after = by_name(project_copy.resources())

    new = sorted(name for name in after.keys() - before.keys() if after[name]["custom"])
    assert new == ["job-word-count", "pipeline-word-count", "trigger-word-count-arrival"]
    assert after["job-word-count"]["inputs"]["name"] == "word-count"
    changed = {
        name
        for name in before.keys() & after.keys()
        if before[name]["custom"]
        and not before[name]["type"].startswith("pulumi:providers:")  # its secret is encrypted anew each time
        and before[name].get("inputs") != after[name].get("inputs")
    }
    # The wheel holds the new folder, so all that runs it names the new wheel; the dashboards have new rows, and
    # Grafana's pod carries their hash, to start again with them.
    runs_the_wheel = {"interactive-cluster"} | {name for name in before if name.startswith(("job-", "pipeline-"))}
    assert changed == {"wheel-file", *runs_the_wheel, "grafana-dashboards", "grafana-deployment"}
    assert "word-count" in json.dumps(after["grafana-dashboards"]["inputs"])

    project_copy.succeed(
        "medallion", "generate", "word-count", "--lines", "5", "--output", str(project_copy.home / "s")
    )
    project_copy.succeed("medallion", "upload", "word-count", str(project_copy.home / "s" / "data"))
    report = json.loads(project_copy.succeed("medallion", "run", "word-count", "--json"))
    assert report["state"] == "SUCCESS"
    assert [(task["task"], task["in"], task["out"]) for task in report["tasks"]] == [("count", 5, 5)]
    reports = project_copy.home / "lake/reports/runs/word-count" / str(report["run_id"])
    emitted = json.loads((reports / "count.metrics.json").read_text())["metrics"]
    assert {"name": "medallion_task_records_in", "value": 5.0} in [
        {"name": metric["name"], "value": metric["value"]} for metric in emitted
    ]
