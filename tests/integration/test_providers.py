"""The simulated providers under the real engine, with a program of their own: import, replacement, refusal."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from toolchain import pulumi, simulated
from toolchain.engine import simulated_environment

pytestmark = pytest.mark.engine

PROGRAM = """
import os
import pulumi_azure_native as azure
group = azure.resources.ResourceGroup("group", resource_group_name="rg-x", location="West Europe")
account = azure.storage.StorageAccount(
    "lake", account_name=os.environ["ACCOUNT"], resource_group_name=group.name, kind="StorageV2",
    sku={"name": "Standard_LRS"}, is_hns_enabled=True,
)
azure.storage.BlobContainer(
    "bronze", container_name="bronze", account_name=account.name, resource_group_name=group.name
)
"""


class Project:
    """A small program and its stack."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "Pulumi.yaml").write_text("name: small\nruntime: python\n")
        (folder / "__main__.py").write_text(PROGRAM)
        self.home = folder / "home"
        (self.home / "state").mkdir(parents=True)
        (self.home / "passphrase").write_text("test")
        self.executable = pulumi.find()
        self.environment = simulated_environment(self.home, self.executable, simulated.install(), os.environ)
        self.call("stack", "init", "test")

    def call(self, *arguments: str, account: str = "lakeone", fails: bool = False) -> str:
        done = subprocess.run(
            [str(self.executable), *arguments, "--non-interactive"],
            cwd=self.folder,
            env={**self.environment, "ACCOUNT": account},
            capture_output=True,
            text=True,
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    def ids(self) -> dict[str, str]:
        resources = json.loads(self.call("stack", "export"))["deployment"]["resources"]
        return {resource["urn"].rpartition("::")[2]: resource["id"] for resource in resources if resource["custom"]}


@pytest.fixture
def project(tmp_path) -> Project:
    return Project(tmp_path)


def test_a_resource_that_is_there_is_imported_and_then_without_change(project):
    project.call("up", "--yes", "--skip-preview")
    before = project.ids()
    urn = "urn:pulumi:test::small::azure-native:storage:BlobContainer::bronze"
    project.call("state", "delete", "--yes", urn)
    again = project.call("up", "--yes", "--skip-preview", fails=True)
    assert f"cannot create already existing resource '{before['bronze']}'" in again
    container = "azure-native:storage:BlobContainer"
    project.call("import", "--yes", "--generate-code=false", "--protect=false", container, "bronze", before["bronze"])
    assert project.ids() == before
    project.call("preview", "--expect-no-changes")


def test_a_new_name_replaces_the_account_and_what_lies_in_it(project):
    project.call("up", "--yes", "--skip-preview")
    project.call("up", "--yes", "--skip-preview", account="laketwo")
    assert {name: id_.rpartition("/")[2] for name, id_ in project.ids().items() if name in ("lake", "bronze")} == {
        "lake": "laketwo",
        "bronze": "bronze",
    }
    assert sorted(path.name for path in (project.home / "lakes").iterdir()) == ["laketwo"]
    project.call("preview", "--expect-no-changes", account="laketwo")


def test_a_name_that_azure_would_refuse_is_refused_by_the_preview(project):
    said = project.call("preview", account="My-Lake", fails=True)
    assert "accountName" in said
    assert "'My-Lake' is not a name that the cloud allows: it must match [a-z0-9]{3,24}" in said
    assert not (project.home / "lakes").exists()
