"""The simulated Databricks: Unity Catalog, files in volumes, jobs."""

import hashlib
from pathlib import Path

import pytest

from simulator.azure import Azure
from simulator.azure_rules import SUBSCRIPTION
from simulator.databricks import Databricks
from simulator.state import CloudError, cloud

CREDENTIAL, LOCATION = (
    "databricks:index/storageCredential:StorageCredential",
    ("databricks:index/externalLocation:ExternalLocation"),
)
CATALOG, SCHEMA = "databricks:index/catalog:Catalog", "databricks:index/schema:Schema"
VOLUME, FILE = "databricks:index/volume:Volume", "databricks:index/file:File"
GRANTS, JOB = "databricks:index/grants:Grants", "databricks:index/job:Job"
MODEL, PERMISSIONS = "databricks:index/registeredModel:RegisteredModel", "databricks:index/permissions:Permissions"
SERVICE = "databricks:index/credential:Credential"
SERVICE_PRINCIPAL = "databricks:index/servicePrincipal:ServicePrincipal"
APPLICATION = "99999999-2222-3333-4444-555555555555"
BASE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
CONNECTOR = f"{BASE}/providers/Microsoft.Databricks/accessConnectors/dbac"
ROLES = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions"
CONTRIBUTOR, READER = "ba92f5b4-2d11-453d-a403-e96b0029c9fe", "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
MODELS, TABLES = (f"abfss://{name}@lake.dfs.core.windows.net/" for name in ("models", "catalog"))
RUNTIME = "17.3.x-scala2.13"
WHEEL = "/Volumes/cat/models/files/wheels/w.whl"
SCHEDULE = {"quartzCronExpression": "0 0 2 * * ?", "timezoneId": "UTC"}
AFTER_A = [{"taskKey": "a"}]


@pytest.fixture
def azure(tmp_path, monkeypatch):
    """Azure with a lake of two containers, an access connector without rights, and a workspace."""
    monkeypatch.setenv("MEDALLION_HOME", str(tmp_path))
    rg, lake = {"resourceGroupName": "rg"}, {"resourceGroupName": "rg", "accountName": "lake"}
    local = {"location": "westeurope", "tags": {"environment": "local"}}
    hns = {"kind": "StorageV2", "sku": {"name": "Standard_LRS"}, "allowSharedKeyAccess": False}

    def create(type_, inputs):
        with cloud() as now:
            return Azure({}).create(now, f"azure-native:{type_}", inputs)

    create("resources:ResourceGroup", {**rg, **local})
    create("storage:StorageAccount", {**lake, **hns})
    for name in ("models", "catalog"):
        create("storage:BlobContainer", {**lake, "containerName": name})
    identity = {"type": "SystemAssigned"}
    create("databricks:AccessConnector", {**rg, "connectorName": "dbac", "identity": identity})
    create("databricks:Workspace", {**rg, "workspaceName": "dbw"})
    return create


@pytest.fixture
def allow(azure):
    """Give the connector a role on a scope below the resource group."""

    def assign(role=CONTRIBUTOR, scope="/providers/Microsoft.Storage/storageAccounts/lake"):
        with cloud() as now:
            principal = now.get(CONNECTOR.lower()).computed["identity"]["principalId"]
        inputs = {"scope": BASE + scope, "principalId": principal, "principalType": "ServicePrincipal"}
        name = {"roleAssignmentName": "11111111-2222-3333-4444-555555555555"}
        return azure("authorization:RoleAssignment", {**inputs, **name, "roleDefinitionId": f"{ROLES}/{role}"})

    return assign


@pytest.fixture
def workspace(azure):
    with cloud() as now:
        (found,) = now.find("azure-native:databricks:Workspace")
    return Databricks({"host": f"https://{found.computed['workspaceUrl']}/"})


@pytest.fixture
def make(workspace):
    def create(type_, **inputs):
        with cloud() as now:
            return workspace.create(now, type_, inputs)

    return create


@pytest.fixture
def delete(workspace):
    def remove(resource):
        with cloud() as now:
            workspace.delete(now, resource.type, resource.id)

    return remove


@pytest.fixture
def volume(allow, make):
    """The way from the workspace to the containers, and a volume on one of them."""
    allow()
    make(CREDENTIAL, name="cred", azureManagedIdentity={"accessConnectorId": CONNECTOR})
    make(LOCATION, name="models", url=MODELS, credentialName="cred")
    make(LOCATION, name="tables", url=TABLES, credentialName="cred")
    make(CATALOG, name="cat", storageRoot=TABLES)
    make(SCHEMA, catalogName="cat", name="models")
    external = {"volumeType": "EXTERNAL", "storageLocation": MODELS}
    return make(VOLUME, catalogName="cat", schemaName="models", name="files", **external)


@pytest.fixture
def source(tmp_path) -> Path:
    file = tmp_path / "w.whl"
    file.write_bytes(b"wheel")
    return file


def test_an_unknown_workspace_cannot_be_reached(azure):
    with cloud() as now, pytest.raises(CloudError, match="no simulated Databricks workspace at host 'adb-1'"):
        Databricks({"host": "https://adb-1"}).create(now, CATALOG, {"name": "cat", "storageRoot": TABLES})


def test_a_volume_is_a_link_into_the_lake(volume, tmp_path):
    assert volume.id == "cat.models.files"
    assert volume.computed["volumePath"] == "/Volumes/cat/models/files"
    assert (tmp_path / "volumes/cat/models/files").readlink() == tmp_path / "lake/models"


def test_an_upload_lands_in_the_lake(volume, make, source, tmp_path):
    made = make(FILE, path=WHEEL, source=str(source))
    assert made.id == WHEEL
    assert made.computed["fileSize"] == 5
    assert (tmp_path / "lake/models/wheels/w.whl").read_bytes() == b"wheel"
    assert [path.name for path in (tmp_path / "lake/models/wheels").iterdir()] == ["w.whl"]


def test_an_upload_overwrites_the_file_of_that_path(volume, make, source, tmp_path):
    make(FILE, path=WHEEL, source=str(source))
    source.write_bytes(b"another")
    assert make(FILE, path=WHEEL, source=str(source)).computed["fileSize"] == 7
    assert (tmp_path / "lake/models/wheels/w.whl").read_bytes() == b"another"


def test_a_changed_source_changes_the_inputs(workspace, source):
    kind = workspace.kind(FILE)
    before = kind.defaults({"path": WHEEL, "source": str(source)})
    assert before["md5"] == hashlib.md5(b"wheel").hexdigest()
    source.write_bytes(b"another")
    assert kind.defaults({"path": WHEEL, "source": str(source)})["md5"] != before["md5"]


def test_a_file_is_read_as_it_lies(volume, make, workspace, source, tmp_path):
    make(FILE, **workspace.kind(FILE).defaults({"path": WHEEL, "source": str(source)}))
    lying = tmp_path / "lake/models/wheels/w.whl"
    lying.write_bytes(b"tampered")
    with cloud() as now:
        found = workspace.read(now, FILE, WHEEL)
    assert found.inputs["md5"] == hashlib.md5(b"tampered").hexdigest()
    assert (found.computed["fileSize"], found.computed["remoteFileModified"]) == (8, True)
    lying.unlink()
    with cloud() as now:
        assert workspace.read(now, FILE, WHEEL) is None


@pytest.mark.parametrize("role", [None, READER])
def test_without_a_data_role_nothing_is_uploaded(azure, allow, make, source, role):
    if role:
        allow(role)
    make(CREDENTIAL, name="cred", azureManagedIdentity={"accessConnectorId": CONNECTOR})
    with pytest.raises(CloudError, match=r"not authorized .* \(403, AuthorizationPermissionMismatch\)"):
        make(LOCATION, name="models", url=MODELS, credentialName="cred")


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ("", True),
        ("/providers/Microsoft.Storage/storageAccounts/lake/blobServices/default/containers/models", True),
        ("/providers/Microsoft.Storage/storageAccounts/lake/blobServices/default/containers/catalog", False),
    ],
)
def test_a_role_holds_for_its_scope(allow, make, scope, allowed):
    allow(scope=scope)
    make(CREDENTIAL, name="cred", azureManagedIdentity={"accessConnectorId": CONNECTOR})
    if allowed:
        assert make(LOCATION, name="models", url=MODELS, credentialName="cred").id == "models"
    else:
        with pytest.raises(CloudError, match="AuthorizationPermissionMismatch"):
            make(LOCATION, name="models", url=MODELS, credentialName="cred")


def test_a_role_taken_away_stops_uploads(volume, make, source):
    with cloud() as now:
        (role,) = now.find("azure-native:authorization:RoleAssignment")
        Azure({}).delete(now, role.type, role.id)
    with pytest.raises(CloudError, match="needs the role Storage Blob Data Contributor on container 'models'"):
        make(FILE, path=WHEEL, source=str(source))


@pytest.mark.parametrize(
    ("type_", "inputs", "message"),
    [
        (CREDENTIAL, {"name": "c", "azureManagedIdentity": {"accessConnectorId": "/no"}}, "'/no' could not be found"),
        (
            SERVICE,
            {"name": "s", "purpose": "STORAGE"},
            "purpose 'STORAGE': the simulated Databricks has SERVICE here only",
        ),
        (SERVICE, {"name": "s", "purpose": "SERVICE"}, "needs a credential with azureManagedIdentity"),
        (LOCATION, {"name": "l", "url": MODELS + "x", "credentialName": "cred"}, "overlaps with .* 'models'"),
        (
            LOCATION,
            {"name": "l", "url": "abfss://no@lake.dfs.core.windows.net/", "credentialName": "cred"},
            "container does not exist: no",
        ),
        (LOCATION, {"name": "l", "url": "wasbs://x", "credentialName": "cred"}, "not of the form abfss://"),
        (CATALOG, {"name": "c"}, "Please provide a storage location"),
        (CATALOG, {"name": "c", "storageRoot": "abfss://a@b.dfs.core.windows.net/"}, "No parent external location"),
        (SCHEMA, {"catalogName": "no", "name": "s"}, "Catalog 'no' does not exist"),
        (
            VOLUME,
            {"catalogName": "cat", "schemaName": "no", "name": "v", "volumeType": "MANAGED"},
            r"Schema 'cat\.no' does not exist",
        ),
        (
            VOLUME,
            {"catalogName": "cat", "schemaName": "models", "name": "v", "volumeType": "EXTERNAL"},
            "needs a storageLocation",
        ),
        (
            VOLUME,
            {
                "catalogName": "cat",
                "schemaName": "models",
                "name": "v",
                "volumeType": "EXTERNAL",
                "storageLocation": TABLES + "v",
            },
            "overlaps with managed storage of 'cat'",
        ),
        (FILE, {"path": "/Volumes/cat/models/no/w.whl", "contentBase64": "eA=="}, r"'cat\.models\.no' does not exist"),
        (FILE, {"path": "/Volumes/cat/models/files/../../x", "contentBase64": "eA=="}, "not of the form /Volumes/"),
        (FILE, {"path": WHEEL, "source": "/no/such.whl"}, r"'/no/such\.whl' cannot be read: No such file"),
        (GRANTS, {"catalog": "no", "grants": []}, "Catalog 'no' does not exist"),
        (
            GRANTS,
            {"volume": "cat.models.files", "grants": [{"principal": "p", "privileges": ["SELECT"]}]},
            "SELECT is not applicable",
        ),
        (GRANTS, {"volume": "a", "schema": "b", "grants": []}, "exactly one of"),
        (GRANTS, {"model": "cat.models.no", "grants": []}, r"Registered Model 'cat\.models\.no' does not exist"),
        (
            GRANTS,
            {"schema": "cat.models", "grants": [{"principal": APPLICATION, "privileges": ["EXECUTE"]}]},
            f"Could not find principal with name {APPLICATION}",
        ),
        (MODEL, {"catalogName": "no", "schemaName": "s", "name": "m"}, r"Schema 'no\.s' does not exist"),
        (MODEL, {"catalogName": "cat", "name": "m"}, "schemaName: the simulated cloud needs it named explicitly"),
        (MODEL, {"catalogName": "cat", "schemaName": "models", "name": "a.b"}, r"name: 'a\.b' is not a name"),
        (
            MODEL,
            {
                "catalogName": "cat",
                "schemaName": "models",
                "name": "m",
                "storageLocation": "abfss://a@b.dfs.core.windows.net/",
            },
            "No parent external location",
        ),
        (FILE, {"path": WHEEL}, "exactly one of source and contentBase64"),
        (FILE, {"path": WHEEL, "source": "/a", "contentBase64": "eA=="}, "exactly one of source and contentBase64"),
        (FILE, {"path": WHEEL, "contentBase64": "x"}, "contentBase64: not Base64"),
        (JOB, {"name": "j", "tasks": [{"taskKey": "a"}, {"taskKey": "a"}]}, "Duplicate task key: 'a'"),
        (JOB, {"name": "j", "tasks": [{"taskKey": "a", "dependsOns": [{"taskKey": "b"}]}]}, "'b', which does not"),
        (JOB, {"name": "j", "tasks": [{"taskKey": "a", "dependsOns": [{"taskKey": "a"}]}]}, "form a cycle: a"),
        (JOB, {"name": "j", "continuous": {}, "schedule": SCHEDULE}, "only one of schedule, trigger and continuous"),
        (JOB, {"name": "j", "continuous": {}, "maxConcurrentRuns": 2}, "max_concurrent_runs must be 1"),
        (JOB, {"name": "j", "continuous": {}, "tasks": [{"taskKey": "a", "maxRetries": 1}]}, "support retry policies"),
        (
            JOB,
            {"name": "j", "continuous": {}, "tasks": [{"taskKey": "a"}, {"taskKey": "b", "dependsOns": AFTER_A}]},
            "support task dependencies",
        ),
        (JOB, {"name": "j", "tasks": [{"taskKey": "a", "jobClusterKey": "c"}]}, "'c' is not defined in field"),
    ],
)
def test_databricks_refuses(volume, make, type_, inputs, message):
    with pytest.raises(CloudError, match=message):
        make(type_, **inputs)


def test_ids_are_those_of_databricks(volume, make):
    grants = [{"principal": "account users", "privileges": ["READ_FILES"]}]
    assert make(GRANTS, externalLocation="models", grants=grants).id == "external_location/models"
    job = make(JOB, name="j")
    assert job.id.isdigit()
    controls = [{"groupName": "engineers", "permissionLevel": "CAN_MANAGE_RUN"}]
    assert make(PERMISSIONS, jobId=job.id, accessControls=controls).id == f"/jobs/{job.id}"
    assert make(JOB, name="j").id != job.id  # jobs may share a name


def test_a_model_is_granted_and_goes_with_its_versions(volume, make, delete):
    model = make(MODEL, catalogName="cat", schemaName="models", name="severity")
    assert (model.id, model.computed["fullName"]) == ("cat.models.severity", "cat.models.severity")
    make(SERVICE_PRINCIPAL, applicationId=APPLICATION)
    with pytest.raises(CloudError, match="SELECT is not applicable to this entity"):
        make(GRANTS, model=model.id, grants=[{"principal": "engineers", "privileges": ["SELECT"]}])
    grants = [{"principal": APPLICATION, "privileges": ["EXECUTE", "CREATE_MODEL_VERSION"]}]
    assert make(GRANTS, model=model.id, grants=grants).id == "model/cat.models.severity"
    with cloud() as now:
        (schema,) = now.find(SCHEMA)
    with pytest.raises(CloudError, match=r"has 0 tables\(s\), 1 functions\(s\), 1 volumes\(s\)"):
        delete(schema)
    delete(model)
    with cloud() as now:
        assert now.find(MODEL) == now.find(GRANTS) == []


def test_a_service_credential_is_granted_and_goes_with_its_grants(volume, make, delete):
    service = make(SERVICE, name="events", purpose="SERVICE", azureManagedIdentity={"accessConnectorId": CONNECTOR})
    assert (service.id, service.computed["fullName"]) == ("events", "events")
    with pytest.raises(CloudError, match="SELECT is not applicable to this entity"):
        make(GRANTS, credential="events", grants=[{"principal": "engineers", "privileges": ["SELECT"]}])
    granted = make(GRANTS, credential="events", grants=[{"principal": "engineers", "privileges": ["ACCESS"]}])
    assert granted.id == "credential/events"
    delete(service)
    with cloud() as now:
        assert now.find(SERVICE) == now.find(GRANTS) == []


def test_what_is_in_use_is_not_deleted(volume, make, delete, workspace):
    with cloud() as now:
        there = {resource.id: resource for resource in now.find("databricks:*")}
    for id_, message in [
        ("cred", "dependent external locations: models, tables"),
        ("models", r"is used by cat\.models\.files"),
        ("cat", r"has 1 schema\(s\)"),
        ("cat.models", r"has 0 tables\(s\), 0 functions\(s\), 1 volumes\(s\)"),
    ]:
        with pytest.raises(CloudError, match=message):
            delete(there[id_])


def test_a_schema_with_tables_is_deleted_by_force_only(volume, make, delete, workspace, tmp_path):
    table = tmp_path / "lake/catalog/gold.db/events"
    table.mkdir(parents=True)
    kept = make(SCHEMA, catalogName="cat", name="gold")
    with pytest.raises(CloudError, match=r"Schema 'cat\.gold' is not empty\. The schema has 1 tables\(s\)"):
        delete(kept)
    with cloud() as now:
        forced = workspace.update(now, SCHEMA, kept.id, {**kept.inputs, "forceDestroy": True})
    delete(forced)
    assert not table.exists()


def test_deleting_all_leaves_nothing(volume, make, delete, source, tmp_path):
    make(FILE, path=WHEEL, source=str(source))
    source.unlink()
    with cloud() as now:
        there = {resource.id: resource for resource in now.find("databricks:*")}
    for id_ in (WHEEL, "cat.models.files", "cat.models", "cat", "models", "tables", "cred"):
        delete(there[id_])
    assert (tmp_path / "lake/models").is_dir()  # an external volume's container stays
    with cloud() as now:
        Azure({}).delete(now, "azure-native:resources:ResourceGroup", BASE)
        assert now.find() == []
    assert [path.name for path in tmp_path.iterdir()] == ["cloud.sqlite"]


# lookups


@pytest.mark.parametrize(
    ("function", "argument", "there", "said"),
    [
        ("getCatalog", "name", "cat", r"Catalog 'nobody' does not exist\."),
        ("getCluster", "clusterId", None, "Cluster nobody does not exist"),
    ],
)
def test_a_lookup_finds_what_is_there_and_names_what_is_not(workspace, make, volume, function, argument, there, said):
    there = there or make("databricks:index/cluster:Cluster", clusterName="c", numWorkers=1, sparkVersion=RUNTIME).id
    token = f"databricks:index/{function}:{function}"
    with cloud() as now:
        assert workspace.invoke(now, token, {argument: there}) == {"id": there, argument: there}
        with pytest.raises(CloudError, match=f"^{said}$"):
            workspace.invoke(now, token, {argument: "nobody"})
