"""The recipes of docs/how-to/change-what-stands.md, followed as they stand there; what they show is what is printed."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from benchmarks.platform import Platform
from simulator.kinds import package
from simulator.state import Resource, cloud
from stacks.settings import Existing

pytestmark = pytest.mark.engine

PAGE = Path("docs/how-to/change-what-stands.md")
SETTINGS, PROGRAM, IMPORTS = Path("Pulumi.dev.yaml"), Path("stacks/foundation.py"), Path("import.json")
DONE = re.compile(r" *(\+\+|--|\+-|[~+=-]) +(\S+:\S+) (\S+) (created|updated|deleted|replaced|imported)\b.*")

GROUP, ACCOUNT = "azure-native:resources:ResourceGroup", "azure-native:storage:StorageAccount"
CONTAINER, VAULT = "azure-native:storage:BlobContainer", "azure-native:keyvault:Vault"
LAKE = "data-lake-account"
DATA = ("azure-native:storage:", "azure-native:keyvault:", "azure-native:databricks:", "azure-native:datafactory:")


def names(line: str) -> str:
    """What a line of the page says, as a pattern: blanks do not count, `…` is anything."""
    return ".*".join(re.escape(part.strip()) for part in " ".join(line.split()).split("…"))


def done(output: str) -> set[tuple[str, str, str]]:
    """What an operation did to resources, components and the stack aside: (sign, type, name)."""
    found = (match.groups() for line in output.splitlines() if (match := DONE.fullmatch(line)))
    return {each[:3] for each in found if not each[1].startswith(("medallion:", "pulumi:pulumi:"))}


def entries(document: str) -> list[dict]:
    """The resources of an import file, without what a person fills in, and the version of the provider."""
    read = json.loads(document)["resources"]
    return [{key: value for key, value in entry.items() if key not in ("id", "version")} for entry in read]


@dataclass(frozen=True)
class Reader:
    """Somebody who follows the page in a copy of the project; `settings` are those of the stack before a recipe."""

    platform: Platform
    page: str
    settings: str

    def at(self, file: Path) -> Path:
        """A file of the copy."""
        return self.platform.root / file

    def follow(self, title: str) -> Iterator[str]:
        """Do what a recipe says, block by block; each gives what was printed."""
        recipe = self.page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
        does = {"console": self.type, "yaml": self.set, "json": self.fill_in, "diff": self.edit}
        for language, text in re.findall(r"^```(\w+)\n(.*?)^```$", recipe, re.MULTILINE | re.DOTALL):
            yield does[language](text)

    def type(self, transcript: str) -> str:
        """Type what stands after `$`; all that is shown below must be printed."""
        preamble = re.search(r"^```sh\n(.*?)^```$", self.page, re.MULTILINE | re.DOTALL)[1]
        lines = transcript.splitlines()
        typed = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        ended = subprocess.run(
            ["sh", "-eu", "-c", "\n".join([preamble, *typed])],
            cwd=self.platform.root,
            env=self.platform.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout[-8000:]
        printed = [" ".join(line.split()) for line in ended.stdout.splitlines()]
        shown = [line for line in lines if not line.startswith("$ ") and line.strip() != "…"]
        missing = [line for line in shown if not any(re.fullmatch(names(line), real) for real in printed)]
        assert missing == [], ended.stdout[-8000:]
        return ended.stdout

    def set(self, text: str) -> str:
        """Put settings into the stack's file, instead of those that the recipe had before."""
        document = yaml.safe_load(self.settings)
        document["config"] |= yaml.safe_load(text)
        self.at(SETTINGS).write_text(yaml.safe_dump(document), encoding="utf-8")
        return text

    def fill_in(self, text: str) -> str:
        """Reduce the import file that Pulumi wrote to what the page shows of it."""
        written = entries(self.at(IMPORTS).read_text(encoding="utf-8"))
        assert [entry for entry in entries(text) if entry not in written] == []
        self.at(IMPORTS).write_text(text, encoding="utf-8")
        return text

    def edit(self, diff: str) -> str:
        """Change a file of the program."""
        file = self.at(Path(re.search(r"^\+\+\+ (.*)$", diff, re.MULTILINE)[1]))
        text = file.read_text(encoding="utf-8")
        hunks = re.findall(r"((?:^-(?!-- ).*\n)+)((?:^\+(?!\+\+ ).*\n)+)", diff, re.MULTILINE)
        for old, new in hunks:
            before, after = (re.sub(r"^[-+]", "", lines, flags=re.MULTILINE) for lines in (old, new))
            assert text.count(before) == 1, before
            text = text.replace(before, after)
        file.write_text(text, encoding="utf-8")
        return diff

    def there(self) -> dict[str, Resource]:
        """All that the simulated cloud holds, by key."""
        with cloud(self.platform.home) as now:
            return {resource.key: resource for resource in now.find()}

    def one(self, type_: str) -> Resource:
        """The only resource of a type in the simulated cloud."""
        (found,) = (resource for resource in self.there().values() if resource.type == type_)
        return found

    def export(self) -> list[dict]:
        """The stack's state."""
        return json.loads(self.platform.succeed("toolchain.stack", "export", "--stack", "dev"))["deployment"][
            "resources"
        ]

    def state(self) -> dict[str, str]:
        """The ids of the stack's resources, by URN."""
        return {each["urn"]: each["id"] for each in self.export() if "id" in each}


def stood_before(home: Path) -> list[str]:
    """Makes a resource group with a lake by hand, a file in it; returns the ids."""
    place = {"resourceGroupName": "de-log-processing-rg", "location": "eastus"}
    lake = {**place, "accountName": "delogprocessingdatalake", "kind": "StorageV2", "isHnsEnabled": True}
    inside = {"resourceGroupName": place["resourceGroupName"], "accountName": lake["accountName"]}
    azure = package("azure-native", {})
    with cloud(home) as now:
        made = [
            azure.create(now, GROUP, place),
            azure.create(now, ACCOUNT, {**lake, "sku": {"name": "Standard_LRS"}, "tags": {"made": "by hand"}}),
            *(azure.create(now, CONTAINER, {**inside, "containerName": name}) for name in ("bronze", "gold")),
        ]
    a_file(home).write_text("a line", encoding="utf-8")
    return [resource.id for resource in made]


def a_file(home: Path) -> Path:
    """The file that lies in the lake since before the stack."""
    return home / "lakes" / "delogprocessingdatalake" / "bronze" / "before.log"


@dataclass(frozen=True)
class Imported:
    """The recipe with which the stack began: what stood before, what each step printed, and the reader afterwards."""

    ids: list[str]
    printed: list[str]
    reader: Reader


@pytest.fixture(scope="module")
def imported(new_copy) -> Imported:
    """The stack `dev`, up, over what stood before."""
    at = new_copy()
    ids = stood_before(at.home)
    page = (at.root / PAGE).read_text(encoding="utf-8")
    reader = Reader(at, page, (at.root / SETTINGS).read_text(encoding="utf-8"))
    printed = list(reader.follow("Import what was there before"))
    return Imported(ids, printed, Reader(at, page, reader.at(SETTINGS).read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def snapshot(imported, tmp_path_factory) -> Path:
    """The state folder of the stack that is up."""
    folder = tmp_path_factory.mktemp("snapshot") / "home"
    imported.reader.platform.snapshot(folder)
    return folder


@pytest.fixture
def reader(imported, snapshot) -> Iterator[Reader]:
    """Somebody with the stack that is up, who leaves it as it was."""
    reader = imported.reader
    program = reader.at(PROGRAM).read_text(encoding="utf-8")
    yield reader
    reader.platform.restore(snapshot)
    reader.at(SETTINGS).write_text(reader.settings, encoding="utf-8")
    reader.at(PROGRAM).write_text(program, encoding="utf-8")


def test_what_stood_before_is_the_stacks_own_and_was_only_updated(imported):
    up = done(imported.printed[-1])
    mine = {name for _, _, name in done(imported.printed[-2])}
    assert mine == {"group-group", LAKE, "data-lake-bronze", "data-lake-gold"}
    assert {(sign, name) for sign, _, name in up if name in mine} == {("~", name) for name in mine}
    assert {sign for sign, _, name in up if name not in mine} == {"+"}
    state, there = imported.reader.state(), imported.reader.there()
    assert set(imported.ids) <= set(state.values())
    assert there[imported.ids[1].lower()].inputs["tags"]["managed-by"] == "pulumi-medallion-dev"
    assert there[imported.ids[1].lower()].inputs["allowSharedKeyAccess"] is False
    assert a_file(imported.reader.platform.home).read_text(encoding="utf-8") == "a line"


def test_drift_of_each_provider_is_reported_without_a_change_and_then_undone(reader):
    before, state = reader.there(), reader.export()
    steps = reader.follow("See what changed behind Pulumi's back")
    next(steps)
    drifted = reader.there()
    types = {before[key].type.partition(":")[0] for key in before if drifted.get(key) != before[key]}
    assert types == {"azure-native", "databricks", "kubernetes"}
    next(steps)
    assert reader.there() == drifted
    assert reader.export() == state
    assert done(next(steps)) >= {("+", "kubernetes:apps/v1:Deployment", "grafana-deployment"), ("~", ACCOUNT, LAKE)}
    assert [key for key in before if reader.there()[key].inputs != before[key].inputs] == []
    assert len(list(steps)) == 1  # nothing is left: else its exit code were not 0


def test_a_renamed_component_is_another_one_unless_an_alias_says_what_it_was(reader):
    _, without, _, with_alias = reader.follow("Rename a component")
    assert re.search(r"^ \+- databricks:index:Catalog unity-catalog replace", without, re.MULTILINE)
    assert not re.search(r"^ *(\+\+|--|\+-|[~+=-]) ", with_alias, re.MULTILINE)


def test_replacing_the_cluster_touches_no_data(reader):
    before, state = reader.there(), reader.state()
    cluster = reader.one("azure-native:containerservice:ManagedCluster").key
    (printed,) = reader.follow("Replace the Kubernetes cluster")
    did = done(printed)
    assert {sign for sign, _, name in did if name == "aks-cluster"} == {"--", "++", "+-"}
    assert [name for _, type_, name in did if type_.startswith((*DATA, "databricks:"))] == []
    elsewhere = {key: resource for key, resource in before.items() if not key.startswith(cluster)}
    assert {key: reader.there().get(key) for key in elsewhere} == elsewhere
    assert {urn: id_ for urn, id_ in reader.state().items() if ":providers:" not in urn} == {
        urn: id_ for urn, id_ in state.items() if ":providers:" not in urn
    }
    assert a_file(reader.platform.home).exists()


def test_a_deleted_vault_comes_back_with_its_roles(reader):
    before = reader.there()
    vault = reader.one(VAULT)
    steps = reader.follow("Have a deleted key vault back")
    next(steps)
    assert vault.key not in reader.there()
    assert reader.one("azure-native:keyvault:DeletedVault").inputs["vaultId"] == vault.id
    *_, up = steps
    assert {sign for sign, _, _ in done(up)} == {"+"}
    assert set(reader.there()) == set(before)
    assert reader.one(VAULT).inputs["properties"]["createMode"] == "recover"


def test_what_is_handed_over_is_used_and_no_longer_owned(reader):
    before, state = reader.there(), reader.state()
    _, up, _, existing, printed = reader.follow("Hand over what the stack created")
    assert {sign for sign, _, _ in done(up)} == {"~"}
    assert set(yaml.safe_load(existing)["medallion:existing"]) == set(Existing.model_fields)
    assert reader.one("azure-native:keyvault:Secret").inputs["secretName"] == "serving-store-key"
    after = reader.there()
    assert set(after) == set(before)
    assert reader.one(ACCOUNT).inputs["tags"]["managed-by"] == "platform-team"
    gone = {name for sign, _, name in done(printed) if sign == "-"}
    assert {"group-group", LAKE, "key-vault-vault", "aks-cluster", "unity-catalog"} <= gone
    kept = reader.state()
    assert {urn: id_ for urn, id_ in state.items() if urn in kept} == kept
    types = {urn.split("::")[2].rpartition("$")[2] for urn in kept}
    assert {type_ for type_ in types if not type_.startswith(("kubernetes:", "pulumi:providers:"))} == {
        "azure-native:datafactory:LinkedService",
        "azure-native:datafactory:Pipeline",
        "azure-native:datafactory:Trigger",
        "databricks:index/file:File",
        "databricks:index/job:Job",
        "databricks:index/notebook:Notebook",
    }
    reader.platform.succeed("toolchain.stack", "down", "--stack", "dev")
    left = reader.there()
    deleted = {resource.type for key, resource in after.items() if key not in left}
    assert {type_ for type_ in deleted if not type_.startswith("kubernetes:")} == {
        *(type_ for type_ in types if type_.startswith(("azure-native:", "databricks:"))),
    } - {"databricks:index/file:File"}  # the wheel stays for runs in flight
    assert not any(resource.type.startswith("kubernetes:") for resource in left.values())
