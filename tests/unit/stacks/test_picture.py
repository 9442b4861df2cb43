"""The pictures of the architecture page."""

import pytest

from stacks import picture
from workloads import spec

STACK = "urn:pulumi:local::medallion::pulumi:pulumi:Stack::medallion-local"


def resource(type_, name, parent=STACK, custom=True, **more):
    urn = f"urn:pulumi:local::medallion::{type_}::{name}"
    return {"urn": urn, "type": type_, "custom": custom, "parent": parent, **more}


def component(name):
    return resource("medallion:components:C", name, custom=False)


def test_components_show_what_they_declare_and_whom_they_need():
    group, lake, job = component("group"), component("lake"), component("job")
    rg = resource("azure-native:resources:ResourceGroup", "rg", group["urn"])
    account = resource("azure-native:storage:StorageAccount", "st", lake["urn"], dependencies=[rg["urn"]])
    boxes = [
        resource("azure-native:storage:BlobContainer", name, lake["urn"], dependencies=[account["urn"], rg["urn"]])
        for name in ("a", "b")
    ]
    provider = resource("pulumi:providers:databricks", "p", dependencies=[account["urn"]])
    work = resource(
        "databricks:index/job:Job", "j", job["urn"], provider=f"{provider['urn']}::id", dependencies=[rg["urn"]]
    )
    platform = picture.Platform.of([group, lake, job, rg, account, *boxes, provider, work])
    assert picture.components(platform).splitlines() == [
        "5 resources in 3 components:",
        "",
        "```mermaid",
        "flowchart LR",
        "  subgraph Azure",
        '    group["group · 1"]',
        '    lake["lake · 3"]',
        "  end",
        "  subgraph Databricks",
        '    job["job · 1"]',
        "  end",
        "  subgraph Kubernetes",
        "  end",
        "  group --> lake",
        "  lake --> job",
        "```",
    ]
    assert picture.table(platform).splitlines()[2:] == [
        "| group | Azure | ResourceGroup |",
        "| job | Databricks | Job |",
        "| lake | Azure | 2 BlobContainer, StorageAccount |",
    ]


def test_a_workload_shows_tasks_and_tables():
    drawn = picture.workload(spec.find("ssh-logs")).splitlines()
    assert '  input[/"bronze/raw_logs"/]' in drawn
    assert "  bronze --> bronze_ssh_logs_records" in drawn
    assert "  train -.-> score" in drawn


def test_a_place_without_a_picture_is_named():
    with pytest.raises(ValueError, match="there is no picture 'lake'; there are a"):
        picture.renew("<!-- picture lake -->\n<!-- end -->\n", {"a": "flowchart LR"})


def test_a_picture_is_replaced_where_it_stands():
    page = "before\n<!-- picture a -->\nold\n<!-- end -->\nbetween\n<!-- picture b -->\n<!-- end -->\nafter\n"
    once = picture.renew(page, {"a": "new", "b": "other"})
    assert once == (
        "before\n<!-- picture a -->\nnew\n<!-- end -->\nbetween\n<!-- picture b -->\nother\n<!-- end -->\nafter\n"
    )
    assert picture.renew(once, {"a": "new", "b": "other"}) == once
