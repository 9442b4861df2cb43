"""A stack's own deleted vault is found, and nobody else's; who cannot say is told what to do."""

import json
import subprocess
from types import SimpleNamespace

import pytest

from components.site import owner
from toolchain import deleted_vaults
from toolchain.deleted_vaults import CLOUD, DELETED, VARIABLE
from toolchain.engine import Engine
from toolchain.errors import UserError


def row(stack, type_=DELETED):
    return {"type": type_, "inputs": {"vaultName": "kv", "tags": {"managed-by": f"pulumi-medallion-{stack}"}}}


@pytest.fixture
def engine(tmp_path):
    def of(cloud):
        return Engine("dev", cloud, tmp_path, tmp_path, tmp_path, {"PATH": "x"})

    return of


@pytest.fixture
def answers(monkeypatch):
    """What the command that is asked prints; the list of commands."""
    told = SimpleNamespace(output="[]", code=0, errors="", asked=[])

    def run(command, **_):
        told.asked.append(command)
        return SimpleNamespace(stdout=told.output, stderr=told.errors, returncode=told.code)

    monkeypatch.setattr(subprocess, "run", run)
    return told


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([], "false"),
        ([row("prod")], "false"),
        ([row("dev", "azure-native:keyvault:Vault")], "false"),
        ([row("prod"), row("dev")], "true"),
    ],
)
def test_in_the_simulated_cloud_by_the_owner_tag(engine, answers, tmp_path, rows, found):
    (tmp_path / CLOUD).touch()
    answers.output = json.dumps(rows)
    assert deleted_vaults.told(engine("simulated")).environment == {"PATH": "x", VARIABLE: found}


def test_a_cloud_that_nobody_used_holds_none(engine, answers):
    assert deleted_vaults.told(engine("simulated")).environment[VARIABLE] == "false"
    assert answers.asked == []


def test_a_stack_that_has_a_vault_asks_nobody(engine, answers, tmp_path):
    (tmp_path / CLOUD).touch()
    state = tmp_path / "state" / ".pulumi" / "stacks" / "medallion" / "dev.json"
    state.parent.mkdir(parents=True)
    state.write_text('{"type": "azure-native:keyvault:Vault"}', encoding="utf-8")
    assert deleted_vaults.told(engine("simulated")).environment[VARIABLE] == "false"
    assert answers.asked == []


@pytest.mark.parametrize(("output", "found"), [("[]", "false"), ('["kv-medallion-dev-1"]', "true")])
def test_azure_is_asked_for_vaults_of_the_owner(engine, answers, output, found):
    answers.output = output
    assert deleted_vaults.told(engine("azure")).environment[VARIABLE] == found
    (command,) = answers.asked
    assert command[:4] == ["az", "keyvault", "list-deleted", "--resource-type"]
    assert f"'{owner('medallion', 'dev')}'" in command[6]


def test_who_is_not_signed_in_gets_a_line(engine, answers):
    answers.code, answers.errors = 1, "ERROR: Please run 'az login'\nto setup account."
    with pytest.raises(UserError, match=r"^az keyvault list-deleted: Please run 'az login' to setup account\.$"):
        deleted_vaults.told(engine("azure"))


def test_without_az_it_says_what_for(engine, monkeypatch):
    def missing(*_, **__):
        raise FileNotFoundError

    monkeypatch.setattr(subprocess, "run", missing)
    with pytest.raises(UserError, match=r"^az is not installed: it tells whether a deleted key vault holds its name"):
        deleted_vaults.told(engine("azure"))
