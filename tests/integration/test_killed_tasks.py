"""Tasks that are killed at their writes, and run again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from workloads.ssh_logs.generate import generate

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("run_tasks.py")
# One after the other on the same lake: between two tables of a task, beside a half-published export, when the model
# is logged but no version stands, and between a task's write and its report.
MOMENTS = (
    ("after", "table", "bronze.ssh_logs_records"),
    ("before", "file", "gold/final_data/openssh_logs_final.csv"),
    ("before", "model", "ssh-anomaly-model"),
    ("after", "table", "gold.ssh_logs_scores"),
)


def run(home: Path, *arguments: str) -> int:
    """The exit code of the tasks on the lake below `home`."""
    environment = os.environ | {
        "MEDALLION_VOLUMES": str(home / "volumes"),
        "MEDALLION_CATALOG": "spark_catalog",
        "MEDALLION_EXPERIMENTS": "",
        "MEDALLION_MODELS": "",
        "MLFLOW_TRACKING_URI": f"sqlite:///{home}/mlflow.db",
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.run([sys.executable, str(SCRIPT), *arguments], env=environment, cwd=home, check=False).returncode


@pytest.mark.spark
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not list((ROOT / ".tools" / "jars").glob("*.jar")), reason="Delta's jars are not in .tools/jars")
def test_killed_at_its_writes_and_run_again_a_job_leaves_what_an_undisturbed_one_does(tmp_path: Path) -> None:
    states = []
    for name, moments in (("undisturbed", ()), ("killed", MOMENTS)):
        home = tmp_path / name
        sample = home / "volumes/bronze/files/raw_logs/sample.log"
        sample.parent.mkdir(parents=True)
        sample.write_text("".join(f"{line}\n" for line, _ in generate(600, seed=5)))
        for moment in moments:
            assert run(home, "-", *moment) == -signal.SIGKILL, moment
        assert run(home, str(home / "state.json")) == 0
        states.append(json.loads((home / "state.json").read_text()))
    undisturbed, killed = states
    assert undisturbed["versions"] == [1]
    assert killed == undisturbed
