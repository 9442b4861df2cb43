"""The image of the validation pod runs the checks of every workload, in the runtime's line."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from components.kubernetes.validation import USER
from components.runtimes import runtime
from workloads.spec import discover


def test_databricks_connect_is_of_the_runtime_of_the_clusters(project_root, stacks):
    locked = (project_root / "services" / "validation" / "requirements.txt").read_text(encoding="utf-8")
    (version,) = re.findall(r"^databricks-connect==(\d+\.\d+)\.", locked, re.MULTILINE)
    cluster = stacks["prod"].inputs("job-ssh-logs")["jobClusters"][0]["newCluster"]
    assert cluster["sparkVersion"] == runtime(version).key


def test_image_and_pod_agree_on_the_user_and_on_python(project_root):
    dockerfile = (project_root / "services" / "validation" / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"^USER (.+)$", dockerfile, re.MULTILINE) == [f"{USER}:{USER}"]
    assert f"FROM python:{runtime('17.3').python}-slim" in dockerfile
    for source in re.findall(r"^COPY (\S+) ", dockerfile, re.MULTILINE):
        assert (project_root / source).exists()


def test_what_the_image_takes_is_sent_and_nothing_else(project_root):
    ignored, *sent = [
        line
        for line in (project_root / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if not line.startswith(("#", "**/"))
    ]
    assert (ignored, sent) == ("*", ["!services/validation", "!workloads"])
    dockerfile = (project_root / "services" / "validation" / "Dockerfile").read_text(encoding="utf-8")
    sources = re.findall(r"^COPY (\S+) ", dockerfile, re.MULTILINE)
    assert sources
    assert all(source.startswith(tuple(folder.removeprefix("!") for folder in sent)) for source in sources)


@pytest.fixture
def build(tmp_path, project_root):
    """Runs build.sh in a checkout with these outputs of the stack; `az` prints its arguments, one a line."""
    shutil.copytree(project_root / "services" / "validation", tmp_path / "services" / "validation")
    shutil.copy(project_root / "Pulumi.dev.yaml", tmp_path)

    def run(outputs, *arguments, **environment):
        (tmp_path / "outputs.json").write_text(json.dumps(outputs), encoding="utf-8")
        for path, script in (
            (
                ".venv/bin/python",
                f'case "$*" in *toolchain.stack*) cat outputs.json;; *) exec {sys.executable} "$@";; esac',
            ),
            ("bin/az", 'printf "%s\\n" "$@"'),
        ):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
            (tmp_path / path).chmod(0o755)
        environment |= {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "PYTHONPATH": str(project_root)}
        command = ["sh", str(tmp_path / "services" / "validation" / "build.sh"), *arguments]
        return subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.mark.parametrize("pool", [None, "in network"])
def test_the_image_of_the_settings_is_built_in_the_registry_of_the_stack(build, pool):
    done = build({"container_registry": "crmedallion.azurecr.io"}, "dev", **({"ACR_AGENT_POOL": pool} if pool else {}))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        *("acr", "build", "--registry", "crmedallion", "--image", "medallion-validation:0.1.0"),
        *("--file", "services/validation/Dockerfile"),
        *(["--agent-pool", pool] if pool else []),
        ".",
    ]


def test_a_stack_without_a_registry_is_one_line(build):
    done = build({"resource_group": "rg"}, "dev")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: stack dev has no container registry yet: make up STACK=dev CLOUD=azure\n"
    assert "say which stack" in build({}).stderr


def test_there_is_a_test_for_every_check_of_every_workload(project_root):
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "--rootdir", "."]
    collected = subprocess.run(
        [*command, "test_outputs.py"],
        cwd=project_root / "services" / "validation",
        env={**os.environ, "PYTHONPATH": str(project_root), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = re.findall(r"test_outputs_hold\[(.+?): ", collected)
    assert set(found) == {workload.name for workload in discover()}
    assert len(re.findall(r"test_outputs_hold\[ssh-logs: ", collected)) >= 3
