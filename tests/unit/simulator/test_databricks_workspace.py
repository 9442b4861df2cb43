"""What lies in a simulated Databricks workspace: secrets, principals, policies, clusters, notebooks, permissions."""

import base64
import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi.runtime.proto import provider_pb2

from simulator import databricks_rules as rules
from simulator import pending
from simulator.azure import Azure
from simulator.azure_rules import SUBSCRIPTION
from simulator.databricks import Databricks
from simulator.databricks_rules import (
    CLUSTER,
    CLUSTER_POLICY,
    JOB,
    NOTEBOOK,
    PERMISSIONS,
    SECRET_ACL,
    SECRET_SCOPE,
)
from simulator.properties import to_struct
from simulator.provider import Provider
from simulator.state import Cloud, CloudError, Resource, cloud
from simulator.unity_catalog import SERVICE_PRINCIPAL

BASE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
GROUP, NAMED = {"resourceGroupName": "rg"}, {"workspaceName": "dbw"}
VAULT_ID = f"{BASE}/providers/Microsoft.KeyVault/vaults/kv"
VAULT = {"resourceId": VAULT_ID, "dnsName": "https://kv.vault.azure.net/"}
APPLICATION, STRANGER = (f"{digit * 8}-2222-3333-4444-555555555555" for digit in "12")
DEFINITION = {"autotermination_minutes": {"type": "range", "maxValue": 60}, "spark_version": {"type": "unlimited"}}
SMALL = {"sparkVersion": "17.3.x-scala2.13", "numWorkers": 1}
PATH = "/Shared/medallion/run_task"
CODE = b"# Databricks notebook source\n"


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


class Office:
    """A simulated workspace with one object of each type (`made`), and ways to change it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.made = folder, {}
        with cloud(folder) as now:
            for type_, more in (("resources:ResourceGroup", {"location": "we"}), ("databricks:Workspace", NAMED)):
                workspace = Azure({}).create(now, f"azure-native:{type_}", {**GROUP, **more})
            now.put(Resource(VAULT_ID.lower(), rules.VAULT, VAULT_ID, "", BASE.lower(), {"vaultName": "kv"}))
            self.host = workspace.computed["workspaceUrl"]
            self.package = Databricks({"host": f"https://{self.host}/"})
            self._furnish(now)
        self.notebooks = folder / "workspace" / self.host.partition(".")[0]

    def _furnish(self, now: Cloud) -> None:
        def make(type_: str, **inputs) -> str:
            self.made[type_] = self.package.create(now, type_, inputs)
            return self.made[type_].id

        make(SECRET_SCOPE, name="platform", keyvaultMetadata=VAULT)
        make(SERVICE_PRINCIPAL, applicationId=APPLICATION)
        policy = make(CLUSTER_POLICY, name="jobs", definition=json.dumps(DEFINITION))
        cluster = make(CLUSTER, clusterName="chain", policyId=policy, **SMALL)
        make(NOTEBOOK, path=PATH, language="PYTHON", contentBase64=encoded(CODE))
        task = {"taskKey": "a", "existingClusterId": cluster, "notebookTask": {"notebookPath": PATH}}
        make(JOB, name="j", tasks=[task], runAs={"servicePrincipalName": APPLICATION})
        make(SECRET_ACL, scope="platform", principal=APPLICATION, permission="READ")
        controls = [{"servicePrincipalName": APPLICATION, "permissionLevel": "CAN_RESTART"}]
        make(PERMISSIONS, clusterId=cluster, accessControls=controls)

    def make(self, type_: str, **inputs) -> Resource:
        with cloud(self.folder) as now:
            return self.package.create(now, type_, inputs)

    def update(self, resource: Resource, **changes) -> Resource:
        with cloud(self.folder) as now:
            return self.package.update(now, resource.type, resource.id, {**resource.inputs, **changes})

    def read(self, type_: str, id_: str) -> Resource | None:
        with cloud(self.folder) as now:
            return self.package.read(now, type_, id_)

    def delete(self, type_: str) -> None:
        with cloud(self.folder) as now:
            self.package.delete(now, type_, self.made[type_].id)

    def find(self, *types: str) -> list[Resource]:
        with cloud(self.folder) as now:
            return [found for type_ in types for found in now.find(type_)]


@pytest.fixture(scope="module")
def standing(tmp_path_factory) -> Office:
    """A workspace for tests that change nothing in it, for what they ask is refused."""
    return Office(tmp_path_factory.mktemp("standing"))


@pytest.fixture
def office(tmp_path) -> Office:
    return Office(tmp_path)


def property_of(type_: str) -> str:
    """The property of Permissions that names an object of that type."""
    return next(name for name, what in rules.PERMITTED.items() if what.type == type_)


# what is added


def test_ids_have_the_forms_of_databricks(standing):
    ids = {type_.rpartition(":")[2]: made.id for type_, made in standing.made.items()}
    cluster, policy = ids["Cluster"], ids["ClusterPolicy"]
    assert ids["SecretScope"] == "platform"
    assert ids["SecretAcl"] == f"platform|||{APPLICATION}"
    assert ids["Notebook"] == PATH
    assert ids["Permissions"] == f"/clusters/{cluster}"
    assert [len(part) for part in cluster.split("-")] == [4, 6, 8]
    assert len(policy) == 16
    assert set(policy) <= set("0123456789ABCDEF")
    assert ids["ServicePrincipal"].isdigit()


def test_outputs_are_those_of_the_provider(standing):
    computed = {type_.rpartition(":")[2]: made.computed for type_, made in standing.made.items()}
    cluster, notebook, host = standing.made[CLUSTER].id, computed["Notebook"], standing.host
    assert computed["SecretScope"] == {"backendType": "AZURE_KEYVAULT"}
    assert computed["ServicePrincipal"] == {
        "aclPrincipalId": f"servicePrincipals/{APPLICATION}",
        "home": f"/Users/{APPLICATION}",
        "repos": f"/Repos/{APPLICATION}",
    }
    assert computed["ClusterPolicy"] == {"policyId": standing.made[CLUSTER_POLICY].id}
    tags = {"ClusterId": cluster, "ClusterName": "chain", "Creator": "deployer@simulated.example"}
    assert computed["Cluster"] == {
        "clusterId": cluster,
        "defaultTags": {**tags, "Vendor": "Databricks"},
        "state": "RUNNING",
        "url": f"https://{host}/#setting/clusters/{cluster}/configuration",
    }
    assert (notebook["url"], notebook["workspacePath"]) == (f"https://{host}/#workspace{PATH}", f"/Workspace{PATH}")
    assert (notebook["language"], notebook["format"]) == ("PYTHON", "SOURCE")
    assert isinstance(notebook["objectId"], int)
    assert computed["Permissions"] == {"objectType": "cluster"}


def test_a_scope_without_a_vault_holds_its_secrets_itself(office):
    assert office.make(SECRET_SCOPE, name="own", initialManagePrincipal="users").computed == {
        "backendType": "DATABRICKS"
    }


def test_an_idle_cluster_ends_after_an_hour_unless_told_otherwise():
    kind = Databricks({}).kind(CLUSTER)
    assert kind.defaults(SMALL)["autoterminationMinutes"] == 60
    assert kind.defaults({**SMALL, "autoterminationMinutes": 0})["autoterminationMinutes"] == 0


@pytest.mark.parametrize(
    "size",
    [
        {"autoscale": {"minWorkers": 1, "maxWorkers": 3}},
        {"isSingleNode": True},
        {
            "sparkConf": {"spark.databricks.cluster.profile": "singleNode"},
            "customTags": {"ResourceClass": "SingleNode"},
        },
        {"numWorkers": 2, "autoterminationMinutes": 0, "dataSecurityMode": "USER_ISOLATION"},
        {"numWorkers": 2, "autoterminationMinutes": 10, "sparkVersion": "16.4.x-cpu-ml-scala2.12", "noWait": True},
    ],
)
def test_a_cluster_has_workers_or_is_a_single_node(office, size):
    made = office.make(CLUSTER, **{"clusterName": "c", "sparkVersion": SMALL["sparkVersion"], **size})
    assert made.computed["state"] == ("PENDING" if size.get("noWait") else "RUNNING")


# what Databricks refuses


@pytest.mark.parametrize(
    ("type_", "name", "wrong"),
    [
        (SECRET_SCOPE, "name", ["", "a b", "a/b", "ä,", "x" * 129]),
        (CLUSTER_POLICY, "name", ["", "x" * 101]),
        (SERVICE_PRINCIPAL, "applicationId", ["", "job-runner", APPLICATION[:-1]]),
        (CLUSTER, "clusterName", [""]),
        (NOTEBOOK, "path", ["", "run_task", "/", "/Shared/", "/Shared//x", "/Shared/../x", "/./x"]),
        (JOB, "name", ["", "x" * 4097]),
    ],
)
def test_names_follow_rules(type_, name, wrong):
    package = Databricks({})
    complete = {CLUSTER: SMALL, NOTEBOOK: {"path": PATH}}.get(type_, {})
    for value in wrong:
        problems = package.check(None, type_, {**complete, name: value})
        assert [path for path, reason in problems if "is not a name that the cloud allows" in reason] == [name]
    missing = package.check(None, type_, {key: value for key, value in complete.items() if key != name})
    assert name in [path for path, _ in missing]


@given(st.text("abcXYZ019-_@.", min_size=1, max_size=128), st.sampled_from(" /\\:;,+#?%&'\"\n"))
def test_names_of_secret_scopes(name, other):
    package = Databricks({})
    assert package.check(None, SECRET_SCOPE, {"name": name}) == []
    assert [path for path, _ in package.check(None, SECRET_SCOPE, {"name": name[:-1] + other})] == ["name"]


REFUSED = [
    (
        SECRET_SCOPE,
        {"name": "s", "keyvaultMetadata": {**VAULT, "resourceId": VAULT_ID + "2"}},
        "KeyVault 'https://kv.vault.azure.net/': Status code 404, "
        "the Resource 'Microsoft.KeyVault/vaults/kv2' was not found",
    ),
    (SECRET_SCOPE, {"name": "s", "keyvaultMetadata": {**VAULT, "resourceId": BASE}}, "Status code 404"),
    (
        SECRET_SCOPE,
        {"name": "s", "keyvaultMetadata": {**VAULT, "dnsName": "https://other.vault.azure.net/"}},
        "keyvaultMetadata.dnsName: 'https://other.vault.azure.net/' is not the address of 'kv'",
    ),
    (SECRET_SCOPE, {"name": "s", "initialManagePrincipal": "admins"}, "one of [users], got admins"),
    (SECRET_SCOPE, {"name": "Platform"}, "Scope Platform already exists!"),
    (SECRET_SCOPE, {"name": "s", "keyvaultMetadata": {"resourceId": VAULT_ID}}, "keyvaultMetadata.dnsName"),
    (SECRET_ACL, {"scope": "no", "principal": "engineers", "permission": "READ"}, "Scope no does not exist!"),
    (
        SECRET_ACL,
        {"scope": "platform", "principal": "engineers", "permission": "CAN_READ"},
        "expected permission to be one of [MANAGE, READ, WRITE], got CAN_READ",
    ),
    (
        SECRET_ACL,
        {"scope": "platform", "principal": STRANGER, "permission": "READ"},
        f"Principal: ServicePrincipalName({STRANGER}) does not exist",
    ),
    (
        SERVICE_PRINCIPAL,
        {"applicationId": APPLICATION},
        f"Service principal with application ID {APPLICATION} already exists.",
    ),
    (CLUSTER_POLICY, {"name": "jobs", "definition": "{}"}, "Cluster Policy with name `jobs` already exists"),
    (CLUSTER_POLICY, {"name": "p"}, "needs a cluster policy with a definition"),
    (CLUSTER_POLICY, {"name": "p", "definition": "{"}, "definition: not JSON: Expecting property name"),
    (CLUSTER_POLICY, {"name": "p", "definition": "[]"}, "definition: malformed policy definition"),
    (
        CLUSTER_POLICY,
        {"name": "p", "definition": '{"num_workers": {"value": 1}}'},
        "missing property 'type' that is to contain type id "
        '(through reference chain: ClusterPolicyDefinition["num_workers"])',
    ),
    (
        CLUSTER_POLICY,
        {"name": "p", "definition": '{"num_workers": {"type": "fix", "value": 1}}'},
        "Could not resolve type id 'fix': known type ids = "
        "[allowlist, blocklist, fixed, forbidden, range, regex, unlimited]",
    ),
    (CLUSTER_POLICY, {"name": "p", "definition": '{"a": {"type": "fixed"}}'}, "required property 'value'"),
    (CLUSTER_POLICY, {"name": "p", "definition": '{"a": {"type": "regex"}}'}, "required property 'pattern'"),
    (CLUSTER_POLICY, {"name": "p", "definition": '{"a": {"type": "allowlist"}}'}, "required property 'values'"),
    (CLUSTER, {**SMALL, "policyId": "A661B01246000002"}, "Can't find a cluster policy with id: A661B01246000002."),
    (CLUSTER, {**SMALL, "sparkVersion": "17.3"}, "Invalid spark version 17.3."),
    (CLUSTER, {**SMALL, "dataSecurityMode": "SHARED"}, "expected data_security_mode to be one of [DATA_SECURITY_"),
    (CLUSTER, {**SMALL, "autoterminationMinutes": 9}, "must be between 10 and 10000 minutes, not 9"),
    (CLUSTER, {**SMALL, "autoterminationMinutes": 10001}, "must be between 10 and 10000 minutes, not 10001"),
    (CLUSTER, {**SMALL, "numWorkers": 0}, "NumWorkers could be 0 only for SingleNode clusters."),
    (CLUSTER, {**SMALL, "autoscale": {"maxWorkers": 2}}, "num_workers and autoscale cannot be set both"),
    (
        CLUSTER,
        {"sparkVersion": SMALL["sparkVersion"], "autoscale": {"minWorkers": 3, "maxWorkers": 2}},
        "min_workers 3 is greater than max_workers 2",
    ),
    (CLUSTER, {**SMALL, "autotermination": 9}, "autotermination: unknown property"),
    (NOTEBOOK, {"path": "/n", "language": "PYTHON"}, "exactly one of source and contentBase64"),
    (NOTEBOOK, {"path": "/n", "contentBase64": "eA=="}, "all of `content_base64,language` must be specified"),
    (NOTEBOOK, {"path": "/n", "contentBase64": "x", "language": "PYTHON"}, "contentBase64: not Base64"),
    (NOTEBOOK, {"path": "/n", "source": "/no/such.py"}, "source: '/no/such.py' cannot be read: No such file"),
    (
        NOTEBOOK,
        {"path": "/n", "contentBase64": "eA==", "language": "JULIA"},
        "expected language to be one of [PYTHON, R, SCALA, SQL], got JULIA",
    ),
    (JOB, {"runAs": {"servicePrincipalName": STRANGER}}, f"ServicePrincipalName({STRANGER}) does not exist"),
    (
        JOB,
        {"tasks": [{"taskKey": "a", "notebookTask": {"notebookPath": "Shared/n"}}]},
        "Invalid notebook_path: Shared/n. Only absolute paths are currently supported.",
    ),
    (
        JOB,
        {"tasks": [{"taskKey": "a", "notebookTask": {"notebookPath": "/Shared/n"}}]},
        'Unable to access the notebook "/Shared/n". Either it does not exist',
    ),
    (JOB, {"tasks": [{"taskKey": "a", "existingClusterId": "0-0-0"}]}, "Cluster 0-0-0 does not exist"),
    (
        JOB,
        {"jobClusters": [{"jobClusterKey": "main", "newCluster": {**SMALL, "policyId": "P"}}]},
        "Cluster validation error: Can't find a cluster policy with id: P. (main)",
    ),
    (
        JOB,
        {"tasks": [{"taskKey": "a", "newCluster": {**SMALL, "numWorkers": 0}}]},
        "Cluster validation error: NumWorkers could be 0 only",
    ),
    (JOB, {"emailNotifications": {"onFailure": ["a@example.com"]}}, "emailNotifications.onFailure: unknown"),
    (JOB, {"queue": {}}, "queue.enabled: required property is missing"),
    (JOB, {"maxConcurrentRuns": "1"}, "maxConcurrentRuns: '1' is not of type int"),
]


def test_databricks_refuses(standing, row):
    for type_, inputs, message in REFUSED:
        named = {CLUSTER: {"clusterName": "c"}, JOB: {"name": "new"}}.get(type_, {})
        with row(type_, inputs), pytest.raises(CloudError) as refused:
            standing.make(type_, **{**named, **inputs})
        assert message in str(refused.value)


NOT_PERMITTED = [
    ({"clusterId": "0-0-0"}, [("groupName", "g", "CAN_MANAGE")], "Cluster 0-0-0 does not exist"),
    ({"clusterPolicyId": "P"}, [("groupName", "g", "CAN_USE")], "Can't find a cluster policy with id: P."),
    ({"jobId": "1"}, [("groupName", "g", "CAN_VIEW")], "Job 1 does not exist."),
    ({}, [("groupName", "g", "CAN_VIEW")], "permissions are on exactly one of clusterId, clusterPolicyId, jobId"),
    ({"jobId": "1", "clusterId": "2"}, [], "permissions are on exactly one of"),
    (JOB, [], "accessControls: at least one is needed"),
    (JOB, [("groupName", "g", "CAN_RUN")], "permission_level CAN_RUN is not supported with job_id objects"),
    (JOB, [("groupName", "g", "CAN_RESTART")], "allowed levels: CAN_MANAGE, CAN_MANAGE_RUN, CAN_VIEW, IS_OWNER"),
    (CLUSTER_POLICY, [("groupName", "g", "CAN_MANAGE")], "with cluster_policy_id objects; allowed levels: CAN_USE"),
    (JOB, [("servicePrincipalName", STRANGER, "CAN_VIEW")], f"ServicePrincipalName({STRANGER}) does not exist"),
    (JOB, [("groupName", "admins", "CAN_VIEW")], "not possible to modify admin permissions for job resources"),
    (JOB, [("groupName", "g", "IS_OWNER")], "A job cannot have a group as an owner ('g')."),
    (
        JOB,
        [("userName", "a@example.com", "IS_OWNER"), ("servicePrincipalName", APPLICATION, "IS_OWNER")],
        "The job must have exactly one owner.",
    ),
    (JOB, [("groupName", "", "CAN_VIEW")], "exactly one of groupName, servicePrincipalName, userName is needed"),
]


def test_permissions_are_refused(standing, row):
    for named, controls, message in NOT_PERMITTED:
        on = {property_of(named): standing.made[named].id} if isinstance(named, str) else named
        listed = [{kind: name, "permissionLevel": level} for kind, name, level in controls]
        with row(on, controls), pytest.raises(CloudError) as refused:
            standing.make(PERMISSIONS, **on, accessControls=listed)
        assert message in str(refused.value)


@pytest.mark.parametrize(
    ("type_", "levels", "id_"),
    [
        (JOB, ["CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE"], "/jobs/{}"),
        (CLUSTER_POLICY, ["CAN_USE"], "/cluster-policies/{}"),
    ],
)
def test_permissions_of_every_level(office, type_, levels, id_):
    controls = [{"groupName": f"g-{level}", "permissionLevel": level} for level in levels]
    if type_ == JOB:
        controls.append({"servicePrincipalName": APPLICATION.upper(), "permissionLevel": "IS_OWNER"})
    on = office.made[type_].id
    assert office.make(PERMISSIONS, **{property_of(type_): on}, accessControls=controls).id == id_.format(on)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "value", "a"]), inner),
    max_leaves=6,
)


@given(st.text(max_size=20) | JSON.map(json.dumps))
def test_any_definition_is_taken_or_refused_in_one_line(definition):
    resource = Resource("k", CLUSTER_POLICY, "i", "", "", {"name": "p", "definition": definition})
    try:
        rules.policy(None, resource)
    except CloudError as error:
        assert str(error).startswith("definition: ")
    else:
        assert all(rule["type"] in rules.POLICY_RULES for rule in json.loads(definition).values())


# how they live


@pytest.mark.parametrize(
    ("type_", "changes", "replaced"),
    [
        (SECRET_SCOPE, {"keyvaultMetadata": None}, {"keyvaultMetadata"}),
        (SECRET_SCOPE, {"keyvaultMetadata": {**VAULT, "dnsName": "x"}}, {"keyvaultMetadata"}),
        (SECRET_ACL, {"permission": "WRITE"}, {"permission"}),
        (SERVICE_PRINCIPAL, {"displayName": "jobs"}, {"displayName"}),
        (SERVICE_PRINCIPAL, {"allowClusterCreate": True}, set()),
        (CLUSTER_POLICY, {"definition": "{}", "name": "other"}, set()),
        (CLUSTER, {"numWorkers": 2, "clusterName": "other"}, set()),
        (NOTEBOOK, {"path": "/other"}, {"path"}),
        (NOTEBOOK, {"contentBase64": "eA=="}, set()),
        (PERMISSIONS, {"clusterId": None, "jobId": "1"}, {"clusterId", "jobId"}),
    ],
)
def test_what_needs_a_new_object(standing, type_, changes, replaced):
    old = standing.made[type_].inputs
    asked = {"old_inputs": to_struct(old), "news": to_struct({**old, **changes})}
    request = provider_pb2.DiffRequest(urn=f"urn:pulumi:s::p::{type_}::n", **asked)
    answer = Provider("databricks").Diff(request, None)
    assert answer.changes == provider_pb2.DiffResponse.DIFF_SOME
    assert set(answer.replaces) == replaced


def test_what_can_change_changes_in_place(office):
    policy, cluster = office.made[CLUSTER_POLICY], office.made[CLUSTER]
    assert office.update(policy, name="renamed").id == policy.id
    changed = office.update(cluster, clusterName="renamed")
    assert (changed.id, changed.computed["defaultTags"]["ClusterName"]) == (cluster.id, "renamed")
    controls = [{"groupName": "g", "permissionLevel": "CAN_MANAGE_RUN"}]
    with pytest.raises(CloudError, match="allowed levels: CAN_ATTACH_TO, CAN_MANAGE, CAN_RESTART"):
        office.update(office.made[PERMISSIONS], accessControls=controls)


def test_an_acl_is_put_over_the_one_that_was_there(office):
    office.make(SECRET_ACL, scope="platform", principal=APPLICATION, permission="MANAGE")
    assert [acl.inputs["permission"] for acl in office.find(SECRET_ACL)] == ["MANAGE"]


def test_clusters_may_share_a_name(office):
    assert office.make(CLUSTER, clusterName="chain", **SMALL).id != office.made[CLUSTER].id


def test_what_belongs_to_an_object_goes_with_it(office):
    office.delete(SECRET_SCOPE)
    office.delete(CLUSTER)
    assert office.find(SECRET_ACL, PERMISSIONS) == []


def test_a_notebook_lies_in_the_workspace_s_folder(standing):
    folder = standing.notebooks / "Shared" / "medallion"
    assert [(file.name, file.read_bytes()) for file in folder.iterdir()] == [("run_task", CODE)]


def test_a_notebook_is_imported_over_the_one_that_is_there(office, tmp_path):
    source = tmp_path / "n.SQL"
    source.write_text("-- Databricks notebook source\n")
    made, before = office.make(NOTEBOOK, path=PATH, source=str(source)), office.made[NOTEBOOK]
    assert (made.computed["language"], made.computed["objectId"]) == ("SQL", before.computed["objectId"])
    assert (office.notebooks / PATH[1:]).read_text() == "-- Databricks notebook source\n"


def test_drift_of_a_notebook_shows(office):
    asked = office.package.kind(NOTEBOOK).defaults(office.made[NOTEBOOK].inputs)
    assert asked["md5"] == hashlib.md5(CODE).hexdigest()
    lying = office.notebooks / PATH[1:]
    lying.write_bytes(b"edited by hand")
    assert office.read(NOTEBOOK, PATH).inputs["md5"] == hashlib.md5(b"edited by hand").hexdigest()
    lying.unlink()
    assert office.read(NOTEBOOK, PATH) is None


def test_a_deleted_notebook_leaves_no_folder(office):
    office.delete(NOTEBOOK)
    assert not (office.folder / "workspace").exists()


def test_everything_goes_with_the_workspace(office):
    with cloud(office.folder) as now:
        (found,) = now.find("azure-native:databricks:Workspace")
        Azure({}).delete(now, found.type, found.id)
    assert office.find("databricks:*") == []
    assert not (office.folder / "workspace").exists()


def test_workspaces_know_their_own_objects_only(office):
    with cloud(office.folder) as now:
        found = Azure({}).create(now, "azure-native:databricks:Workspace", {**GROUP, "workspaceName": "other"})
        other = Databricks({"azureWorkspaceResourceId": found.id})
        with pytest.raises(CloudError, match="does not exist"):
            other.create(now, JOB, {"name": "j", "runAs": {"servicePrincipalName": APPLICATION}})
        inputs = {"path": PATH, "language": "PYTHON", "contentBase64": encoded(b"other")}
        elsewhere = other.create(now, NOTEBOOK, inputs)
    assert elsewhere.computed["objectId"] != office.made[NOTEBOOK].computed["objectId"]
    assert (office.notebooks / PATH[1:]).read_bytes() == CODE


def test_a_killed_up_finds_what_it_had_made(standing):
    operations = [
        {"type": "creating", "resource": {"urn": type_, "type": type_, "inputs": made.inputs}}
        for type_, made in standing.made.items()
    ]
    with cloud(standing.folder) as now:
        found = pending.created(now, {"deployment": {"pending_operations": operations}})
    assert found == [{"urn": type_, "id": made.id} for type_, made in standing.made.items()]
