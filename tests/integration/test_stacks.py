"""The stacks on the simulated cloud: up, no change after it, drift, down; with the real engine."""

import json
import subprocess

import pytest

from benchmarks.kill_up import difference, outcome
from benchmarks.platform import Platform
from simulator.state import cloud
from stacks import picture
from toolchain.touched_stacks import STACKS

pytestmark = pytest.mark.engine

DELETED = "azure-native:keyvault:DeletedVault"


def tracked_changes(root):
    return subprocess.run(["git", "status", "--porcelain"], cwd=root, capture_output=True, text=True, check=True).stdout


def there(home):
    with cloud(home) as now:
        return now.find()


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_goes_up_stays_as_it_is_and_goes_down(fresh, project_root, stack):
    before = tracked_changes(project_root)
    fresh.succeed("toolchain.stack", "up", "--stack", stack)
    fresh.succeed("toolchain.stack", "preview", "--stack", stack, "--expect-no-changes")
    assert tracked_changes(project_root) == before
    if stack == "prod":
        stale = picture.outdated(Platform(fresh.home, stack=stack).resources())
        assert list(stale) == [], "renew the pictures: see docs/architecture.md"
        refused = fresh.call("toolchain.stack", "down", "--stack", stack)
        assert refused.returncode != 0
        assert "protect" in refused.stdout + refused.stderr
        return
    fresh.succeed("toolchain.stack", "down", "--stack", stack)
    (kept,) = there(fresh.home)
    assert (kept.type, kept.inputs["tags"]["environment"]) == (DELETED, stack)  # soft delete keeps the vault
    assert [path for path in (fresh.home / "volumes").rglob("*") if path.is_symlink()] == []


def test_after_down_the_next_up_ends_in_the_same_state(fresh):
    fresh.up()
    first = outcome(fresh)
    fresh.succeed("toolchain.stack", "down", "--stack", "local")
    fresh.up()
    assert difference(first, outcome(fresh)) == ""


def test_the_cost_of_a_stack_that_is_up_is_that_of_its_export(standing, tmp_path):
    export = tmp_path / "export.json"
    export.write_text(standing.succeed("toolchain.stack", "export", "--stack", "local"), encoding="utf-8")
    found = json.loads(standing.succeed("medallion", "cost", "--json", "--against", str(export)))
    lines = {item["what"]: item["quantity"] for item in found["items"]}
    assert lines["pool system: VMs Standard_D2s_v3"] == 2 * 730
    assert found["not_priced"] == []
    assert found["against"]["changes"] == []


def test_drift_shows(fresh):
    fresh.up()
    fresh.succeed("simulator.drift", "list")
    with cloud(fresh.home) as now:
        account = now.find("azure-native:storage:StorageAccount")[0]
        deployment = now.find("kubernetes:apps/v1:Deployment")[0]
    fresh.succeed("simulator.drift", "set", account.key, "minimumTlsVersion", '"TLS1_0"')
    fresh.succeed("simulator.drift", "remove", deployment.key)
    shown = fresh.succeed("toolchain.stack", "refresh", "--stack", "local")
    assert "1 updated" in shown
    assert "1 deleted" in shown
    fresh.up()
    with cloud(fresh.home) as now:
        assert now.get(account.key).inputs["minimumTlsVersion"] == "TLS1_2"
        assert now.get(deployment.key) is not None
