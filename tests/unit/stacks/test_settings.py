"""Settings: what is accepted, and how what is not is said."""

import subprocess
import sys

import pytest

from stacks.settings import Settings, SettingsError

GOOD = {
    "medallion:location": "eastus",
    "medallion:lake": '{"redundancy": "ZRS", "soft_delete_days": 7}',
    "medallion:databricks": '{"runtime": "17.3", "node_type": "n", "workers": 2, "spot": true, "schedules": false}',
    "medallion:aks": '{"version": "1.35", "tier": "Standard", "vm_size": "Standard_D2s_v3", "nodes": 2, '
    '"user": {"vm_size": "Standard_D2s_v3", "fewest": 1, "most": 3}}',
    "medallion:monitoring": '{"notify": ["a@example.com"], "budget": 900, "budget_start": "2026-11-01"}',
    "medallion:validation": '{"image": "validation:1"}',
}
DATABRICKS = '{"runtime": "17.3", "node_type": "n", "workers": 2, "spot": true, "schedules": false'
ASTRA = '{"bundle": "/Volumes/c/models/files/astra.zip", "token": "scope/astra"}'
USER = '"user": {"vm_size": "Standard_D2s_v3", "fewest": 1, "most": 3}'
AKS = '{"version": "1.35", "tier": "Standard", "vm_size": "Standard_D2s_v3", ' + USER
GUID = "00000000-1111-2222-3333-444444444444"


def refused(**changes):
    """The message about GOOD with changes; a key that is None is left out."""
    config = {**GOOD, **{f"medallion:{key}": value for key, value in changes.items()}}
    with pytest.raises(SettingsError) as error:
        Settings.read({key: value for key, value in config.items() if value is not None})
    return str(error.value)


def test_texts_of_the_engine_become_typed_values():
    settings = Settings.read({**GOOD, "medallion:protect": "true", "azure-native:location": "westus"})
    assert settings.protect is True
    assert settings.lake.redundancy == "ZRS"
    assert settings.databricks.workers == 2
    assert settings.databricks.spot is True
    assert settings.existing.resource_group is None


def test_a_secret_setting_is_refused_and_a_providers_is_its_own_affair():
    Settings.read(GOOD, ["azure-native:clientSecret"])
    with pytest.raises(SettingsError, match=r"^medallion:tags: a setting cannot be secret: put the value into the key"):
        Settings.read({**GOOD, "medallion:tags": '{"team": "data"}'}, ["azure-native:clientSecret", "medallion:tags"])


def test_the_file_of_every_stack_is_good(project_root):
    files = {path.name for path in project_root.glob("Pulumi.*.yaml")}
    assert files == {"Pulumi.local.yaml", "Pulumi.dev.yaml", "Pulumi.staging.yaml", "Pulumi.prod.yaml"}
    for file in files:
        assert Settings.load(project_root / file).location == "eastus"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"location": None}, "medallion:location: this setting is missing"),
        (
            {"loction": "eastus"},
            "medallion:loction: there is no such setting; known here are administrators, aks, container_registry,"
            " data_factory, databricks, event_stream, existing, github_repository, handover, key_vault, lake, location,"
            " monitoring, names, network, protect, serving_store, tags, usage, validation",
        ),
        (
            {"serving_store": '{"request_units": 1500}'},
            "medallion:serving_store.request_units: input should be a multiple of 1000, not 1500",
        ),
        (
            {"serving_store": f'{{"request_units": 4000, "astra": {ASTRA}}}'},
            "medallion:serving_store: astra and request_units exclude each other: AstraDB stands instead of Cosmos DB",
        ),
        (
            {"serving_store": f'{{"key": "a/b", "astra": {ASTRA}}}'},
            "medallion:serving_store: astra and key exclude each other: AstraDB stands instead of Cosmos DB",
        ),
        (
            {
                "serving_store": f'{{"astra": {ASTRA}}}',
                "existing": '{"resource_group": "rg", "serving_store": "cassandra"}',
            },
            "medallion: serving_store.astra and existing.serving_store exclude each other",
        ),
        (
            {"serving_store": '{"astra": {"bundle": "astra.zip", "token": "a/b"}}'},
            "medallion:serving_store.astra.bundle: string should match pattern '^/Volumes/[^?#]+\\.zip$', not"
            " 'astra.zip'",
        ),
        (
            {"databricks": DATABRICKS + ', "worker": 3}'},
            "medallion:databricks.worker: there is no such setting; known here are grants, interactive, node_type,"
            " notify, pseudonym_key, pushgateway, runtime, schedules, spot, workers",
        ),
        (
            {"administrators": f'{{"platform": {{"object_id": "{GUID}", "kind": "Group"}}}}'},
            "medallion:administrators.platform.kind: there is no such setting; known here are object_id, type",
        ),
        (
            {"lake": '{"redundancy": "RAGRS", "soft_delete_days": 7}'},
            "medallion:lake.redundancy: input should be 'LRS', 'ZRS', 'GRS' or 'GZRS', not 'RAGRS'",
        ),
        (
            {"lake": '{"redundancy": "ZRS", "soft_delete_days": 0}'},
            "medallion:lake.soft_delete_days: input should be greater than or equal to 1, not 0",
        ),
        (
            {"lake": '{"redundancy": "ZRS"}'},
            "medallion:lake.soft_delete_days: this setting is missing",
        ),
        (
            {"protect": "perhaps"},
            "medallion:protect: input should be a valid boolean, unable to interpret input, not 'perhaps'",
        ),
        (
            {"network": '{"isolation": "private"}'},
            "medallion:network.isolation: input should be 'public', 'vnet-injected' or 'private-link', not 'private'",
        ),
        (
            {"network": '{"allowed_addresses": ["10.0.0.1/8"]}'},
            "medallion:network.allowed_addresses.0: input is not a valid IPv4 network, not '10.0.0.1/8'",
        ),
        (
            {"aks": AKS + ', "nodes": 2, "zones": ["1", "2", "3"]}'},
            "medallion:aks: 3 zones need at least as many nodes, not 2",
        ),
        (
            {"existing": '{"data_factory": "adf"}'},
            "medallion:existing: data_factory needs resource_group, the group it lies in",
        ),
        (
            {"existing": '{"resource_group": "rg", "data_lake": "lake"}'},
            "medallion:existing: data_lake, workspace and catalog are given together or not at all",
        ),
        ({"existing": '{"catalog": "c"}'}, "medallion:existing: catalog needs workspace and data_lake"),
        (
            {"existing": '{"interactive_cluster": "c", "resource_group": "rg"}'},
            "medallion:existing: interactive_cluster needs workspace and data_lake",
        ),
        (
            {
                "existing": '{"resource_group": "rg", "data_lake": "lake", "workspace": "w", "catalog": "c"}',
            },
            "medallion: data_factory.orchestration 'notebooks' needs existing.interactive_cluster",
        ),
        (
            {"databricks": DATABRICKS + ', "interactive": null}'},
            "medallion: data_factory.orchestration 'notebooks' needs databricks.interactive",
        ),
        (
            {"aks": AKS + ', "nodes": 2, "spot": {"vm_size": "n", "fewest": 4, "most": 3}}'},
            "medallion:aks.spot: fewest (4) is more than most (3)",
        ),
        (
            {"monitoring": '{"notify": ["a@example.com"], "budget": 900, "budget_start": "2026-11-02"}'},
            "medallion:monitoring.budget_start: it must be the first day of a month, not '2026-11-02'",
        ),
        (
            {"key_vault": '{"soft_delete_days": 6}'},
            "medallion:key_vault.soft_delete_days: input should be greater than or equal to 7, not 6",
        ),
        (
            {"github_repository": "medallion"},
            "medallion:github_repository: string should match pattern '^[\\w.@-]+/[\\w.:@-]+$', not 'medallion'",
        ),
    ],
)
def test_a_bad_setting_is_one_line_that_names_its_key(changes, message):
    assert refused(**changes) == message


def test_a_broken_list_is_refused_by_name():
    assert refused(tags="{not json").startswith("medallion:tags: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("config: [", "is no YAML: "),
        ("secretsprovider: x", ": there is no mapping `config`"),
    ],
)
def test_a_broken_file_is_named(tmp_path, content, message):
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SettingsError) as error:
        Settings.load(path)
    assert str(error.value).startswith(f"{path}")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_a_stack_that_is_not_there(tmp_path):
    with pytest.raises(SettingsError, match=r"Pulumi\.qa\.yaml does not exist: there is no such stack$"):
        Settings.load(tmp_path / "Pulumi.qa.yaml")


def test_settings_and_outputs_load_no_pulumi():
    script = "import sys, stacks.settings, stacks.outputs; print('pulumi' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "False"
