"""The simulated Azure's storage lifecycle, identities, locks, vaults, registries and Databricks workspaces."""

import pytest

from simulator import drift
from simulator.azure_access import locked
from simulator.azure_rules import SUBSCRIPTION
from simulator.azure_vault import deleted_vault
from simulator.state import CloudError

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
VNET = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/net"
RULE, BLOB = "policy.rules[0]", "policy.rules[0].definition.actions.baseBlob"
NO_NETWORK = {"parameters": None, "publicNetworkAccess": None, "requiredNsgRules": None}
BASIC = {"sku.name": "Basic", "publicNetworkAccess": None, "policies": None}


REFUSED = [
    ("lifecycle", {"policy.rules": []}, "policy.rules", "there must be 1 to 100"),
    (
        "lifecycle",
        {f"{RULE}.definition.filters": None},
        "blobTypes",
        r"rule 'cool': filters.blobTypes \[\] are not",
    ),
    ("lifecycle", {f"{RULE}.definition.filters.blobTypes": ["page"]}, "blobTypes", "'page'"),
    ("lifecycle", {f"{RULE}.definition.filters.prefixMatch": ["/x"]}, "prefixMatch", "begins with a container"),
    ("lifecycle", {f"{RULE}.definition.filters.prefixMatch": ["x"] * 11}, "prefixMatch", "10 prefixes at most"),
    ("lifecycle", {f"{RULE}.definition.filters.blobTypes": ["appendBlob"]}, "rules", "deleted, not tiered"),
    ("lifecycle", {BLOB: {}}, "rules", "it has no action"),
    ("lifecycle", {BLOB: {"delete": {"daysAfterLastAccessTimeGreaterThan": 9}}}, "rules", "lastAccessTimeTracking"),
    ("credential", {"issuer": "http://oidc.example"}, "issuer", "'http://oidc.example' is not an https address"),
    ("credential", {"subject": ""}, "subject", "must have 1 to 600 characters"),
    ("credential", {"audiences": []}, "audiences", "exactly one, not 0"),
    ("credential", {"federatedIdentityCredentialResourceName": "two"}, "issuer", "are those of .*/pods already"),
    ("vault", {"properties.tenantId": "11111111-2222-3333-4444-555555555555"}, "tenantId", "is not the subscript"),
    ("vault", {"properties.enablePurgeProtection": False}, "enablePurgeProtection", "cannot be set to false"),
    ("vault", {"properties.enableSoftDelete": False}, "enableSoftDelete", "cannot be switched off"),
    ("vault", {"properties.softDeleteRetentionInDays": 6}, "softDeleteRetentionInDays", "6 is not 7 to 90"),
    ("vault", {"properties.softDeleteRetentionInDays": 7}, "softDeleteRetentionInDays", "can't be modified"),
    ("vault", {"properties.publicNetworkAccess": "off"}, "publicNetworkAccess", "'off' is not enabled or disabled"),
    ("vault", {"properties.enableRbacAuthorization": None}, "accessPolicies", "parameter is not specified"),
    ("vault", {"properties.networkAcls.virtualNetworkRules": [{"id": "/no"}]}, "networkAcls", "/no .*not found"),
    ("vault", {"vaultName": "other", "properties.createMode": "recover"}, "createMode", "SoftDeletedVaultDoesNot"),
    ("registry", {"sku.name": "Free"}, "sku", "'Free' is none of Basic"),
    ("registry", {"sku.name": "Basic", "policies": None}, "publicNetworkAccess", "DisablingPublicNetworkAccess"),
    ("registry", {"sku.name": "Standard", "publicNetworkAccess": None}, "retentionPolicy", "and needs Premium"),
    ("registry", BASIC | {"networkRuleSet": {"defaultAction": "Deny"}}, "networkRuleSet", "for the SKU Basic"),
    ("registry", BASIC | {"dataEndpointEnabled": True}, "dataEndpointEnabled", "for the SKU Basic"),
    ("registry", {"policies.retentionPolicy.days": 366}, "retentionPolicy.days", "366 is not 0 to 365"),
    (
        "registry",
        {"publicNetworkAccess": "Enabled", "policies.exportPolicy.status": "disabled"},
        "exportPolicy",
        "only with publicNetworkAccess Disabled",
    ),
    ("databricks", {**NO_NETWORK, "sku.name": "standard"}, "sku", "DatabricksStandardSkuNotSupported"),
    ("databricks", {"parameters.customVirtualNetworkId.value": "/no"}, "customVirtualNetworkId", "not found"),
    ("databricks", {"parameters.customVirtualNetworkId": None}, "parameters", "without a customVirtualNetworkId"),
    ("databricks", {"parameters.customPublicSubnetName": None}, "customPublicSubnetName", "it is needed"),
    ("databricks", {"parameters.customPublicSubnetName.value": "no"}, "customPublicSubnetName", "was not found"),
    ("databricks", {"parameters.customPrivateSubnetName.value": "public"}, "PrivateSubnetName", "must differ"),
    ("databricks", {"parameters.customPrivateSubnetName.value": "nodes"}, "SubnetName", "is not delegated to"),
    ("databricks", {"workspaceName": "two"}, "customPublicSubnetName", "is in use by .*/dbw: a workspace shares"),
    ("databricks", {"requiredNsgRules": "AllRules"}, "requiredNsgRules", "must be NoAzureDatabricksRules"),
    ("databricks", {"parameters.enableNoPublicIp.value": False}, "publicNetworkAccess", "and enableNoPublicIp"),
    ("databricks", NO_NETWORK | {"publicNetworkAccess": "Disabled"}, "publicNetworkAccess", "needs VNet injection"),
    (
        "databricks",
        NO_NETWORK | {"requiredNsgRules": "NoAzureDatabricksRules"},
        "requiredNsgRules",
        "needs VNet injection",
    ),
]


def test_azure_refuses(azure):
    for name, changes, property_, message in REFUSED:
        azure.refuses(name, changes, property_, message)


@pytest.mark.parametrize(("redundancy", "is_refused"), [("LRS", False), ("GRS", False), ("ZRS", True), ("GZRS", True)])
def test_zone_redundant_accounts_have_no_archive(azure, redundancy, is_refused):
    archive = {BLOB: {"tierToArchive": {"daysAfterModificationGreaterThan": 90}}}
    with azure.undone() as now:
        azure.put(now, "account", {"sku.name": f"Standard_{redundancy}"})
        if is_refused:
            with pytest.raises(CloudError, match=f"rule 'cool': tierToArchive is not supported .*{redundancy}"):
                azure.put(now, "lifecycle", archive)
        else:
            azure.put(now, "lifecycle", archive)


def test_the_time_of_last_access_counts_once_it_is_tracked(azure):
    with azure.undone() as now:
        azure.put(now, "blobs", {"lastAccessTimeTrackingPolicy": {"enable": True}})
        azure.put(now, "lifecycle", {BLOB: {"tierToCool": {"daysAfterLastAccessTimeGreaterThan": 9}}})


@pytest.mark.parametrize(
    ("subnet", "changes", "message"),
    [
        ("public", {"networkSecurityGroup": None}, "has no network security group"),
        ("public", {"addressPrefix": "10.1.9.0/27", "subnetName": "small"}, "is smaller than /26"),
    ],
)
def test_subnets_of_a_workspace_are_guarded_and_large_enough(azure, subnet, changes, message):
    with azure.undone() as now:
        azure.delete(now, "databricks")
        made = azure.put(now, subnet, changes)
        asked = {"parameters.customPublicSubnetName.value": made.inputs["subnetName"]}
        with pytest.raises(CloudError, match=message):
            azure.put(now, "databricks", asked)


def test_an_identity_has_twenty_federated_credentials(azure):
    with azure.undone() as now:
        for number in range(19):
            changes = {"federatedIdentityCredentialResourceName": f"fic{number}", "subject": f"repo:{number}"}
            azure.put(now, "credential", changes)
        with pytest.raises(CloudError, match="has 20 federated identity credentials"):
            azure.put(now, "credential", {"federatedIdentityCredentialResourceName": "one-more", "subject": "x"})


# locks

LOCKS = {"account": f"{GROUP}/providers/Microsoft.Storage/storageAccounts/lake", "group": GROUP}


def lock(azure, now, scope, level="CanNotDelete"):
    inputs = {"scope": scope, "lockName": "keep", "level": level}
    return azure.provider.create(now, "azure-native:authorization:ManagementLockByScope", inputs)


@pytest.mark.parametrize(
    ("locked_name", "name"),
    [
        ("account", "account"),
        ("account", "container"),
        ("account", "role"),
        ("account", "setting"),
        ("account", "group"),
        ("group", "vault"),
        ("group", "group"),
        ("group", "subnet"),
    ],
)
def test_a_lock_keeps_all_below_it_from_being_deleted(azure, locked_name, name):
    with azure.undone() as now:
        lock(azure, now, LOCKS[locked_name])
        with pytest.raises(CloudError) as refused:
            azure.delete(now, name)
    assert str(refused.value) == (
        f'Status=409 Code="ScopeLocked" Message="The scope \'{azure.id(name)}\' cannot perform delete operation because'
        f" following scope(s) are locked: '{LOCKS[locked_name]}'. Please remove the lock and try again.\""
    )


def test_a_lock_itself_goes_and_nothing_else_is_touched(azure):
    with azure.undone() as now:
        made = lock(azure, now, LOCKS["account"])
        azure.put(now, "account", {"tags": {"owner": "x"}})
        azure.delete(now, "vault")
        azure.provider.delete(now, made.type, made.id)
        azure.delete(now, "account")


def test_a_read_only_lock_keeps_things_as_they_are(azure):
    with azure.undone() as now:
        made = lock(azure, now, LOCKS["account"], "ReadOnly")
        for name, changes in (("account", {}), ("container", {"containerName": "new"}), ("role", {})):
            with pytest.raises(CloudError, match=r"cannot perform write operation .*storageAccounts/lake"):
                azure.put(now, name, changes)
        locked(now, f"{GROUP}/providers/Microsoft.Storage/storageAccounts/lake2", "write")
        azure.provider.delete(now, made.type, made.id)
        azure.put(now, "account")


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"level": "NotSpecified"}, "level of .*'NotSpecified' is none of"), ({"scope": f"{GROUP}/no"}, "not be found")],
)
def test_locks_are_of_two_kinds_and_on_what_is_there(azure, changes, message):
    inputs = {"scope": GROUP, "lockName": "keep", "level": "CanNotDelete"} | changes
    with azure.undone() as now, pytest.raises(CloudError, match=message):
        azure.provider.create(now, "azure-native:authorization:ManagementLockByScope", inputs)


# vaults

DELETED = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.KeyVault/locations/westeurope/deletedVaults/vault-x"


def test_a_deleted_vault_keeps_its_name_and_comes_back_only_when_asked_to(azure):
    with azure.undone() as now:
        made, secret = (now.get(azure.id(name).lower()) for name in ("vault", "secret"))
        azure.delete(now, "vault")
        assert deleted_vault(now, "VAULT-X").id == DELETED
        assert now.get(secret.key) is None
        with pytest.raises(CloudError, match=r"ConflictError.*exists in deleted state: vault-x.*properties.createMode"):
            azure.put(now, "vault")
        azure.put(now, "group", {"resourceGroupName": "other"})
        with pytest.raises(CloudError, match="ConflictError"):
            azure.put(now, "vault", {"resourceGroupName": "other", "properties.createMode": "recover"})
        back = azure.put(now, "vault", {"properties.createMode": "recover", "properties.enablePurgeProtection": None})
        assert deleted_vault(now, "vault-x") is None
        assert now.get(secret.key) == secret  # a vault comes back with its secrets
        assert back.outputs["properties"] == made.outputs["properties"] | {"createMode": "recover"}
        azure.put(now, "vault", {"properties.createMode": "recover"})  # a vault that is there takes it, too


def test_a_purged_vault_leaves_its_name(azure, tmp_path, monkeypatch):
    monkeypatch.setenv("MEDALLION_HOME", str(tmp_path))
    (tmp_path / "cloud.sqlite").write_bytes((azure.home / "cloud.sqlite").read_bytes())
    drift.remove(azure.id("vault"))
    drift.remove(DELETED)
    with drift.cloud() as now:
        assert azure.put(now, "vault").outputs["properties"]["vaultUri"] == "https://vault-x.vault.azure.net/"


def test_purge_protection_stays(azure):
    with azure.undone() as now:
        made = azure.put(now, "vault", {"properties.enablePurgeProtection": None})
    assert made.outputs["properties"]["enablePurgeProtection"] is True


@pytest.mark.parametrize(("name", "code"), [("vault", "VaultAlreadyExists"), ("registry", "AlreadyInUse")])
def test_some_names_are_the_world_s(azure, name, code):
    taken = {"vault": {"vaultName": "Vault-X"}, "registry": {"registryName": "REGISTRYX"}}[name]
    with azure.undone() as now:
        azure.put(now, "group", {"resourceGroupName": "other"})
        with pytest.raises(CloudError, match=code):
            azure.put(now, name, {"resourceGroupName": "other", **taken})


def test_outputs_are_as_rich_as_the_program_needs(azure):
    with azure.undone() as now:
        found = {name: now.get(azure.id(name).lower()).outputs for name in ("registry", "logs", "address", "endpoint")}
    assert found["registry"]["loginServer"] == "registryx.azurecr.io"
    assert len(found["logs"]["customerId"]) == 36
    assert found["address"]["ipAddress"].startswith("203.0.113.")
    assert found["endpoint"]["networkInterfaces"][0]["id"].startswith(f"{GROUP}/providers/Microsoft.Network/networkIn")
