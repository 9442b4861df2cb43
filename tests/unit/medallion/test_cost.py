"""`medallion cost`: from a document of the engine to figures, and what of it is printed."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from medallion import cost
from policies.pricing import resources, stack
from policies.pricing.usage import Usage
from stacks.settings import Settings, SettingsError
from toolchain.engine import Engine
from toolchain.errors import UserError

PREVIEW = Path(__file__).parent / "recorded" / "preview_prod.json"
"""What `pulumi preview --json` said of `prod`, with nothing up, less what prices do not look at."""

MONTH = 365 / 12  # days


@pytest.fixture(scope="module")
def recorded():
    return json.loads(PREVIEW.read_text(encoding="utf-8"))


@pytest.fixture
def ask(capsys, project_root):
    """Calls the command and returns its JSON."""

    def call(document=PREVIEW, settings=project_root / "Pulumi.prod.yaml", **more):
        cost.cost(document=document, settings=settings, json=True, **more)
        return json.loads(capsys.readouterr().out)

    return call


def written(path, document):
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def exported(document):
    """The export of a stack in the state that a preview describes."""
    return {"deployment": {"resources": [dict(step["newState"]) for step in document["steps"]]}}


def test_a_preview_is_priced_by_hand(ask):
    found = ask()
    by_line = {(item["resource"], item["what"]): item["usd"] for item in found["items"]}
    runs = MONTH + 4  # daily, and by hand
    expected = {
        ("aks-cluster", "pool system: VMs Standard_D2s_v3"): 3 * 730 * 0.096,
        ("aks-cluster", "management, tier Standard"): 73,
        ("databricks-workspace", "managed NAT gateway"): 32.85,
        ("job-ssh-logs", "VMs Standard_DS3_v2"): 5 * runs * 20 / 60 * 0.229,
        ("job-ssh-logs", "DBU premium jobs"): 5 * 0.75 * runs * 15 / 60 * 0.30,
        ("data-lake-catalog", "hot storage"): 105 * 0.026,
        ("data-lake-account", "writes"): 100 * 0.0813,
        ("pipeline-ssh-logs", "activity runs"): 0,
    }
    assert {line: by_line[line] for line in expected} == pytest.approx(expected, abs=1e-3)
    assert found["usd"] == 384.05
    assert found["services"] == {
        "kubernetes": 305.19,
        "databricks": 61.57,
        "storage": 17.23,
        "datafactory": 0.07,
        "network": 0.0,
    }
    assert found["not_priced"] == []


def test_the_document_has_one_form(ask):
    found = ask(against=PREVIEW)
    assert set(found) == {
        *("of", "location", "prices_of", "currency", "usd", "services"),
        *("items", "free", "not_priced", "assumptions", "against"),
    }
    item = found["items"][0]
    assert {key: type(value) for key, value in item.items()} == {
        **dict.fromkeys(("resource", "type", "what", "unit", "how", "source", "source_says", "date"), str),
        **dict.fromkeys(("quantity", "unit_price", "usd"), float),
        "assumes": list,
        "checked": bool,
        "free": int,
    }
    assert item["usd"] == pytest.approx(item["quantity"] * item["unit_price"])
    assert set(found["free"][0]) == {"type", "resources", "why", "source"}
    assert set(found["assumptions"][0]) == {"key", "value", "default", "meaning", "used"}
    assert found["against"] == {
        "document": str(PREVIEW),
        "usd": found["usd"],
        "difference": 0.0,
        "changes": [],
        "not_priced_before": [],
    }


def test_a_price_that_was_not_read_has_no_date(ask):
    items = ask()["items"]
    assert {item["checked"] for item in items} == {True, False}
    assert all((item["date"] is None) is not item["checked"] for item in items)


def test_an_export_is_priced_like_a_preview(ask, recorded, tmp_path):
    assert ask(written(tmp_path / "export.json", exported(recorded)))["usd"] == ask()["usd"]


def test_what_goes_and_what_is_only_looked_up_costs_nothing(recorded):
    def usd(document):
        return stack.price(resources.read(document), Usage()).usd

    steps = [step | {"op": "delete"} if "ManagedCluster" in step["urn"] else step for step in recorded["steps"]]
    without = usd({"steps": steps})
    assert usd(recorded) - without == pytest.approx(305.19, abs=0.005)
    export = exported(recorded)
    for state in export["deployment"]["resources"]:
        if "ManagedCluster" in state["urn"]:
            state |= {"external": True}
    assert usd(export) == pytest.approx(without)


def test_a_replacement_counts_once(recorded):
    step = next(step for step in recorded["steps"] if "ManagedCluster" in step["urn"])
    ways = [step | {"op": op} for op in ("create-replacement", "replace", "delete-replaced")]
    document = {"steps": [*ways, *(other for other in recorded["steps"] if other is not step)]}
    assert len(resources.read(document).all) == len(resources.read(recorded).all)


def test_against_another_document_the_difference_is_told(ask, recorded, tmp_path):
    before = json.loads(json.dumps(recorded))
    pool = next(s["newState"] for s in before["steps"] if "ManagedCluster" in s["urn"])["inputs"]["agentPoolProfiles"]
    pool[0]["count"] = 2
    found = ask(against=written(tmp_path / "before.json", before))["against"]
    assert found["difference"] == 70.08
    assert found["usd"] == 313.97
    assert found["changes"] == [
        {"resource": "aks-cluster", "what": "pool system: VMs Standard_D2s_v3", "before": 140.16, "after": 210.24}
    ]


def test_a_type_without_a_price_is_listed(ask, recorded, tmp_path):
    urn = "urn:pulumi:prod::medallion::azure-native:sql:Server::sql"
    state = {"urn": urn, "custom": True, "type": "azure-native:sql:Server", "inputs": {}}
    document = recorded | {"steps": [*recorded["steps"], {"op": "create", "urn": urn, "newState": state}]}
    path = written(tmp_path / "p.json", document)
    expected = {
        "resource": "sql",
        "type": "azure-native:sql:Server",
        "why": "nobody has said what this type costs",
    }
    assert ask(path)["not_priced"] == [expected]
    assert ask(against=path)["against"]["not_priced_before"] == [expected]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "this is no JSON"),
        ("{}", "this is neither a preview .* nor an export of a stack"),
        ('{"steps": [], "changeSummary": {"same": 3}}', "the preview leaves out 3 resources .* --show-sames"),
    ],
)
def test_what_is_no_whole_document_is_refused(ask, tmp_path, content, problem):
    path = tmp_path / "x.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=f"x.json: {problem}"):
        ask(path)


def test_files_that_are_not_there_are_named(ask, tmp_path):
    with pytest.raises(UserError, match=r"none.json: there is no such file"):
        ask(tmp_path / "none.json")
    with pytest.raises(UserError, match=r"none.yaml does not exist"):
        ask(settings=tmp_path / "none.yaml")


# --- what is assumed


def settings_with(project_root, usage):
    config = {"medallion:usage": usage}
    tracked = Settings.load(project_root / "Pulumi.dev.yaml").model_dump(mode="json", exclude={"usage"})
    return Settings.read({**{f"medallion:{key}": value for key, value in tracked.items()}, **config})


def test_assumptions_are_settings_that_stand_over_defaults(project_root):
    usage = settings_with(project_root, '{"lake": {"gigabytes": {"gold": 7}}, "jobs": {"start_minutes": 2}}').usage
    assert usage.lake.gigabytes["gold"] == 7
    assert usage.lake.gigabytes["bronze"] == Usage().lake.gigabytes["bronze"]
    assert usage.jobs.start_minutes == 2


@pytest.mark.parametrize(
    ("usage", "message"),
    [
        (
            '{"lakes": {}}',
            "medallion:usage.lakes: there is no such setting; known here are event_stream, factory, interactive, ",
        ),
        ('{"lake": {"cool_shares": 1}}', "medallion:usage.lake.cool_shares: there is no such setting; known here are "),
        ('{"lake": {"cool_share": 2}}', "medallion:usage.lake.cool_share: input should be less than or equal to 1"),
        ('{"lake": {"gigabytes": {"gold": -1}}}', "medallion:usage.lake.gigabytes.gold: input should be greater than"),
        ('{"lake": {"gigabytes": 5}}', "medallion:usage.lake.gigabytes: input should be a valid dictionary, not 5"),
    ],
)
def test_a_bad_assumption_is_named(project_root, usage, message):
    with pytest.raises(SettingsError) as error:
        settings_with(project_root, usage)
    assert str(error.value).startswith(message)


def test_every_assumption_that_a_price_rests_on_is_shown_with_its_default(ask):
    shown = {row["key"]: row for row in ask()["assumptions"]}
    assumed = {name for item in ask()["items"] for name in item["assumes"]}
    assert {key for key, row in shown.items() if row["used"]} == assumed
    assert len(assumed) > 10
    assert all(row["meaning"] and row["value"] == row["default"] for row in shown.values())


# --- what is printed


def printed(result):
    console = Console(file=io.StringIO(), width=140)
    cost.show(result, console)
    return console.file.getvalue()


def test_the_largest_lines_are_explained(ask):
    text = printed(ask())
    assert f"{PREVIEW}: 384.05 USD a month in Azure, by list prices" in text
    assert "kubernetes 305.19   databricks 61.57   storage 17.23   datafactory 0.07" in text
    assert "210.24  aks-cluster: pool system: VMs Standard_D2s_v3\n      3 nodes × 730 h" in text
    assert "2,190 × 0.096 per hour" in text
    assert "100 × 0.0813 per 10,000 operations*" in text
    assert "* a price from memory or a guess: policies/prices.toml says which" in text
    assert "jobs.runs_by_hand = default 4: runs a month beside those of schedules, by job" in text
    assert "45 resources of 18 types cost nothing by themselves" in text


def test_what_is_elsewhere_or_unknown_is_said(ask):
    found = ask(against=PREVIEW)
    found |= {"location": "westeurope", "not_priced": [{"resource": "a", "type": "b:c:D", "why": "why not"}]}
    found["assumptions"][0]["value"] = {"default": 99}
    found["against"]["changes"] = [{"resource": "r", "what": "w", "before": 1.0, "after": 3.5}]
    text = printed(found)
    assert "Prices are of eastus, the stack is in westeurope: take it as a hint." in text
    assert "not priced: a (b:c:D): why not" in text
    assert "jobs.minutes_a_run = default 99  (set): " in text
    assert f"+0.00 a month against {PREVIEW}" in text
    assert "r: w     1.00   3.50        +2.50" in text


# --- where the preview comes from


@pytest.fixture
def engine(monkeypatch, tmp_path):
    """A simulated stack whose engine answers with the recorded preview, and notes what it was asked."""
    asked = []

    def capture(self, *arguments):
        asked.append(arguments)
        return PREVIEW.read_text(encoding="utf-8")

    def make(stack, cloud):
        return Engine(stack, cloud, tmp_path, Path("pulumi"), tmp_path / "stacks" / f"Pulumi.{stack}.yaml", {})

    monkeypatch.setattr(Engine, "capture", capture)
    monkeypatch.setattr(cost, "engine", make)
    monkeypatch.setattr(cost, "prepare", lambda target: asked.append(("prepare", target.stack)))
    return asked


def test_without_a_document_the_whole_stack_is_previewed(engine, capsys, tmp_path):
    cost.cost(stack="prod", cloud="simulated", json=True)
    assert json.loads(capsys.readouterr().out)["usd"] == 384.05
    settings = str(tmp_path / "stacks" / "Pulumi.prod.yaml")
    assert engine == [("prepare", "prod"), ("preview", "--json", "--show-sames", "--config-file", settings)]


def test_other_settings_are_previewed_from_a_copy(engine, capsys, tmp_path, project_root):
    given = project_root / "docs" / "original" / "Pulumi.original.yaml"
    cost.cost(stack="local", cloud="simulated", settings=given, json=True)
    copy = tmp_path / "stacks" / "Pulumi.local.cost.yaml"
    assert engine[-1][-1] == str(copy)
    assert Settings.load(copy) == Settings.load(given)


def test_a_real_stack_is_previewed_with_its_own_settings(engine, project_root):
    with pytest.raises(UserError, match="--settings goes with CLOUD=simulated"):
        cost.cost(stack="dev", cloud="azure", settings=project_root / "Pulumi.dev.yaml")
    assert engine == []
