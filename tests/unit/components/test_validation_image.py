"""The image of the validation pod runs the checks of every workload, in the runtime's line."""

import os
import re
import subprocess
import sys

from components.kubernetes.validation import USER
from components.runtimes import runtime
from workloads.spec import discover


def test_databricks_connect_is_of_the_runtime_of_the_clusters(project_root, stacks):
    locked = (project_root / "services" / "validation" / "requirements.txt").read_text(encoding="utf-8")
    (version,) = re.findall(r"^databricks-connect==(\d+\.\d+)\.", locked, re.MULTILINE)
    cluster = stacks["prod"].one("Job")["jobClusters"][0]["newCluster"]
    assert cluster["sparkVersion"] == runtime(version).key


def test_image_and_pod_agree_on_the_user_and_on_python(project_root):
    dockerfile = (project_root / "services" / "validation" / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"^USER (.+)$", dockerfile, re.MULTILINE) == [f"{USER}:{USER}"]
    assert f"FROM python:{runtime('17.3').python}-slim" in dockerfile
    for source in re.findall(r"^COPY (\S+) ", dockerfile, re.MULTILINE):
        assert (project_root / source).exists()


def test_there_is_a_test_for_every_check_of_every_workload(project_root):
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "--rootdir", "."]
    collected = subprocess.run(
        [*command, "test_outputs.py"],
        cwd=project_root / "services" / "validation",
        env={**os.environ, "PYTHONPATH": str(project_root)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = re.findall(r"test_outputs_hold\[(.+?): ", collected)
    assert set(found) == {workload.name for workload in discover()}
    assert len(re.findall(r"test_outputs_hold\[ssh-logs: ", collected)) >= 3
