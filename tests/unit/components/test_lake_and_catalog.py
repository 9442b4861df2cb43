"""The data lake, who may use it, and Unity Catalog over it."""

import pytest

from components.data_lake import CATALOG_CONTAINER, FILE_CONTAINERS
from components.identity import ROLES
from components.unity_catalog import PRIVILEGES
from workloads.spec import discover

MODEL = ("catalogName", "schemaName", "name")


def test_the_account_takes_identities_only_and_answers_encrypted(stacks):
    account = stacks["prod"].one("StorageAccount")
    for key, value in {
        "kind": "StorageV2",
        "isHnsEnabled": True,
        "enableHttpsTrafficOnly": True,
        "minimumTlsVersion": "TLS1_2",
        "allowBlobPublicAccess": False,
        "allowSharedKeyAccess": False,
        "defaultToOAuthAuthentication": True,
        "isLocalUserEnabled": False,
        "allowCrossTenantReplication": False,
    }.items():
        assert account[key] == value


def test_what_was_deleted_can_be_had_back(stacks):
    service = stacks["staging"].one("BlobServiceProperties")
    kept = {"enabled": True, "days": 14}
    assert service["deleteRetentionPolicy"] == service["containerDeleteRetentionPolicy"] == kept
    assert "isVersioningEnabled" not in service  # refused where there is a hierarchical namespace


def test_every_container_is_private(stacks):
    containers = stacks["local"].of("BlobContainer")
    assert [c.inputs["containerName"] for c in containers] == [
        *("bronze", "catalog", "gold", "landing", "models", "quarantine", "reports", "silver")
    ]
    assert {c.inputs["publicAccess"] for c in containers} == {"None"}


def test_roles_are_given_by_name_on_one_resource_each(stacks):
    given = {
        r.name: (r.inputs["roleDefinitionId"].rsplit("/", 1)[1], r.inputs["principalId"], r.inputs["scope"])
        for r in stacks["dev"].of("RoleAssignment")
    }
    assert given == {
        "lake-identity-storage-blob-data-contributor-on-data-lake": (
            ROLES["Storage Blob Data Contributor"],
            "access-lake-identity-principal",
            "data-lake-account-id",
        ),
        "lake-identity-azure-event-hubs-data-receiver-on-event-stream": (
            ROLES["Azure Event Hubs Data Receiver"],
            "access-lake-identity-principal",
            "event-stream-namespace-id",
        ),
        "data-factory-storage-blob-data-reader-on-data-lake": (
            ROLES["Storage Blob Data Reader"],
            "factory-principal",
            "data-lake-account-id",
        ),
        "data-factory-contributor-on-workspace": (
            ROLES["Contributor"],
            "factory-principal",
            "databricks-workspace-id",
        ),
        "aks-kubelets-acrpull-on-container-registry": (
            ROLES["AcrPull"],
            "kubelet-principal",
            "container-registry-registry-id",
        ),
        "pods-identity-key-vault-secrets-user-on-key-vault": (
            ROLES["Key Vault Secrets User"],
            "pods-identity-principal",
            "key-vault-vault-id",
        ),
    }


def test_old_files_become_cool_and_tables_never(changed):
    (rule,) = changed["dev"].one("ManagementPolicy")["policy"]["rules"]
    assert rule["definition"] == {
        "filters": {
            "blobTypes": ["blockBlob"],
            "prefixMatch": ["bronze/", "gold/", "landing/", "quarantine/", "reports/", "silver/"],
        },
        "actions": {"baseBlob": {"tierToCool": {"daysAfterModificationGreaterThan": 10}}},
    }


def test_a_lock_keeps_the_lake_where_data_is_protected(stacks):
    lock = stacks["prod"].one("ManagementLockByScope")
    assert (lock["level"], lock["scope"]) == ("CanNotDelete", "data-lake-account-id")
    assert stacks["dev"].of("ManagementLockByScope") == []


def test_models_of_workloads_are_registered_in_the_catalog(stacks):
    registered = {tuple(r.inputs[key] for key in MODEL) for r in stacks["dev"].of("RegisteredModel")}
    assert registered == {("medallion_dev", "models", name) for workload in discover() for name in workload.models}


def test_every_layer_in_which_tasks_write_tables_has_a_schema(stacks):
    tasks = [task for workload in discover() for job in workload.jobs for task in job.tasks]
    layers = {table.partition(".")[0] for task in tasks for table in (*task.reads, *task.writes)}
    assert layers <= {r.inputs["name"] for r in stacks["dev"].of("Schema")}


def test_the_credential_is_the_identity_of_the_connector(stacks):
    dev = stacks["dev"]
    assert dev.one("StorageCredential")["azureManagedIdentity"] == {
        "accessConnectorId": "access-connector-id",
        "managedIdentityId": "access-lake-identity-id",
    }
    assert dev.one("AccessConnector")["identity"] == {
        "type": "UserAssigned",
        "userAssignedIdentities": ["access-lake-identity-id"],
    }


def test_each_container_has_a_location_and_each_but_the_catalogs_a_schema_and_a_volume(stacks):
    dev = stacks["dev"]
    account = dev.outputs["lake_account"]

    def url(container):
        return f"abfss://{container}@{account}.dfs.core.windows.net/"

    assert {r.inputs["name"]: r.inputs["url"] for r in dev.of("ExternalLocation")} == {
        f"medallion_dev_{container}": url(container) for container in (*FILE_CONTAINERS, CATALOG_CONTAINER)
    }
    assert {r.inputs["name"] for r in dev.of("Schema")} == {*FILE_CONTAINERS, "speed"}
    assert {
        (r.inputs["schemaName"], r.inputs["name"], r.inputs["volumeType"], r.inputs["storageLocation"])
        for r in dev.of("Volume")
    } == {(container, "files", "EXTERNAL", url(container)) for container in FILE_CONTAINERS}
    assert dev.one("Catalog")["storageRoot"] == url("catalog")


@pytest.mark.parametrize(("stack", "may_go"), [("dev", True), ("prod", False)])
def test_data_goes_with_its_stack_only_where_it_is_not_protected(stacks, stack, may_go):
    engine = stacks[stack]
    governed = [engine.of(kind) for kind in ("Catalog", "ExternalLocation", "Schema", "StorageCredential")]
    assert {r.inputs["forceDestroy"] for each in governed for r in each} == {may_go}


def test_privileges_are_sorted_for_the_provider_compares_them_in_order():
    for privileges in PRIVILEGES.values():
        assert list(privileges) == sorted(privileges)
    assert set(PRIVILEGES["reader"]) < set(PRIVILEGES["engineer"])


def test_the_workspace_is_premium_without_public_addresses_of_nodes(stacks):
    workspace = stacks["dev"].inputs("databricks-workspace")
    assert workspace["sku"] == {"name": "premium"}
    assert workspace["parameters"] == {"enableNoPublicIp": {"value": True}}
    assert workspace["managedResourceGroupId"].endswith("/resourceGroups/rg-dbw-medallion-dev")


def test_the_databricks_provider_is_explicit(stacks):
    (provider,) = [r for r in stacks["dev"].resources if r.type == "pulumi:providers:databricks"]
    assert provider.inputs == {
        "host": "https://adb-1.azuredatabricks.net",
        "azureWorkspaceResourceId": "databricks-workspace-id",
        "authType": "azure-cli",
    }
