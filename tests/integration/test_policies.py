"""The policy pack, run by the real engine: in preview, in up, and over an exported state."""

import json
import subprocess

import pytest

from toolchain.engine import engine

pytestmark = pytest.mark.engine


@pytest.fixture
def analyze(standing, project_root, tmp_path, monkeypatch):
    """Runs the pack over the state of a stack that is up, after a change of its storage account."""
    monkeypatch.setenv("MEDALLION_HOME", str(standing.home))
    target = engine("local", "simulated")
    state = json.loads(standing.succeed("toolchain.stack", "export", "--stack", "local"))

    def run(**changes):
        for resource in state["deployment"]["resources"]:
            if resource["type"] == "azure-native:storage:StorageAccount":
                resource["inputs"] |= changes
                resource["outputs"] |= changes
        file = tmp_path / "state.json"
        file.write_text(json.dumps(state), encoding="utf-8")
        command = [target.executable, "policy", "analyze", "--policy-pack", "policies", "--file", file]
        return subprocess.run(command, cwd=project_root, env=target.environment, capture_output=True, text=True)

    return run


def test_the_state_of_our_own_stack_keeps_every_rule(analyze):
    done = analyze()
    assert done.returncode == 0
    assert "mandatory" not in done.stdout


def test_a_state_that_breaks_rules_is_told_rule_by_rule(analyze):
    done = analyze(allowSharedKeyAccess=True, tags={"environment": "local", "project": "medallion"})
    assert done.returncode != 0
    assert "data-lake-account: allowSharedKeyAccess must be false" in done.stdout
    assert "data-lake-account: the tag 'managed-by' is missing" in done.stdout


def test_an_ended_runtime_is_refused_in_preview_and_in_up(project_copy):
    settings = project_copy.root / "Pulumi.local.yaml"
    settings.write_text(settings.read_text(encoding="utf-8").replace('"17.3"', '"13.3"'), encoding="utf-8")
    for action in ("preview", "up"):
        done = project_copy.call("toolchain.stack", action, "--stack", "local")
        assert done.returncode != 0
        assert "'13.3.x-scala2.12' has been without support since 2026-08-22" in done.stdout + done.stderr
    assert not [r for r in project_copy.resources() if r["type"] == "databricks:index/job:Job"]
