"""The simulated providers under the real engine, with a program of their own: import, replacement, refusal."""

import pytest

pytestmark = pytest.mark.engine

PROGRAM = """
import os
import pulumi_azure_native as azure
group = azure.resources.ResourceGroup("group", resource_group_name="rg-x", location="West Europe")
account = azure.storage.StorageAccount(
    "lake", account_name=os.environ.get("ACCOUNT", "lakeone"), resource_group_name=group.name, kind="StorageV2",
    sku={"name": "Standard_LRS"}, is_hns_enabled=True,
)
azure.storage.BlobContainer(
    "bronze", container_name="bronze", account_name=account.name, resource_group_name=group.name
)
"""


@pytest.fixture
def project(new_project):
    return new_project(PROGRAM)


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
    project.call("up", "--yes", "--skip-preview", ACCOUNT="laketwo")
    assert {name: id_.rpartition("/")[2] for name, id_ in project.ids().items() if name in ("lake", "bronze")} == {
        "lake": "laketwo",
        "bronze": "bronze",
    }
    assert sorted(path.name for path in (project.home / "lakes").iterdir()) == ["laketwo"]
    project.call("preview", "--expect-no-changes", ACCOUNT="laketwo")


def test_a_name_that_azure_would_refuse_is_refused_by_the_preview(project):
    said = project.call("preview", ACCOUNT="My-Lake", fails=True)
    assert "accountName" in said
    assert "'My-Lake' is not a name that the cloud allows: it must match [a-z0-9]{3,24}" in said
    assert not (project.home / "lakes").exists()
