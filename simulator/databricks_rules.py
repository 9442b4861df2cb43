"""What a simulated Databricks workspace refuses, and what it adds to an object.

Unless another source is named, messages and outputs are those of the provider and of the API as they are found in
https://github.com/databricks/terraform-provider-databricks (each resource's Go file, and its issues).
"""

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from simulator import uploads
from simulator.azure_rules import GUID, guid, split, workspace_files
from simulator.state import Cloud, CloudError, Resource
from simulator.unity_catalog import OWNER, principals

VAULT = "azure-native:keyvault:Vault"
CLUSTER, CLUSTER_POLICY = "databricks:index/cluster:Cluster", "databricks:index/clusterPolicy:ClusterPolicy"
JOB, NOTEBOOK = "databricks:index/job:Job", "databricks:index/notebook:Notebook"
SECRET_SCOPE, SECRET_ACL = "databricks:index/secretScope:SecretScope", "databricks:index/secretAcl:SecretAcl"
PERMISSIONS = "databricks:index/permissions:Permissions"

POLICY_RULES = {  # type of a rule → what it needs
    # https://learn.microsoft.com/azure/databricks/admin/clusters/policy-definition
    "allowlist": ("values",),
    "blocklist": ("values",),
    "fixed": ("value",),
    "forbidden": (),
    "range": (),
    "regex": ("pattern",),
    "unlimited": (),
}
SPARK_VERSION = r"\d+\.\d+\.(x|\d+)(-[a-z0-9]+)*-scala\d+\.\d+"
ACCESS_MODES = (  # databricks.sdk.service.compute.DataSecurityMode
    *("DATA_SECURITY_MODE_AUTO", "DATA_SECURITY_MODE_DEDICATED", "DATA_SECURITY_MODE_STANDARD"),
    *("LEGACY_PASSTHROUGH", "LEGACY_SINGLE_USER", "LEGACY_SINGLE_USER_STANDARD", "LEGACY_TABLE_ACL"),
    *("NONE", "SINGLE_USER", "USER_ISOLATION"),
)
AUTOTERMINATION_MINUTES = range(10, 10_001)  # or 0; databricks.sdk.service.compute.CreateCluster
LANGUAGES = {".py": "PYTHON", ".r": "R", ".scala": "SCALA", ".sql": "SQL"}
ACL_PERMISSIONS = ("MANAGE", "READ", "WRITE")


class Permitted(NamedTuple):
    """Something that permissions can be set on."""

    type: str
    field: str  # as messages name the property
    object_type: str
    path: str
    levels: tuple[str, ...]
    missing: str


PERMITTED = {
    "clusterId": Permitted(
        CLUSTER,
        "cluster_id",
        "cluster",
        "clusters",
        ("CAN_ATTACH_TO", "CAN_MANAGE", "CAN_RESTART"),
        "Cluster {} does not exist",
    ),
    "clusterPolicyId": Permitted(
        CLUSTER_POLICY,
        "cluster_policy_id",
        "cluster-policy",
        "cluster-policies",
        ("CAN_USE",),
        "Can't find a cluster policy with id: {}.",
    ),
    "jobId": Permitted(
        JOB, "job_id", "job", "jobs", ("CAN_MANAGE", "CAN_MANAGE_RUN", "CAN_VIEW", "IS_OWNER"), "Job {} does not exist."
    ),
}


def in_workspace(cloud: Cloud, resource: Resource) -> str:
    return resource.scope


def _url(cloud: Cloud, resource: Resource, path: str) -> str:
    workspace = cloud.get(resource.scope)
    assert workspace is not None
    return f"https://{workspace.computed['workspaceUrl']}/{path}"


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    return f"expected {name} to be one of [{', '.join(allowed)}], got {value}"


def require_principal(cloud: Cloud, scope: str, name: str) -> None:
    """Raise CloudError if the workspace knows no service principal of that application id."""
    if not any(found.scope == scope for found in principals(cloud, name)):
        raise CloudError(f"Principal: ServicePrincipalName({name}) does not exist")


# secrets


def vault_exists(cloud: Cloud, resource: Resource) -> None:
    """https://learn.microsoft.com/azure/databricks/security/secrets/#akv-ss"""
    principal = resource.inputs.get("initialManagePrincipal")
    if principal not in (None, "users"):
        raise CloudError(f"initialManagePrincipal: {_one_of('it', principal, ('users',))}")
    wanted = resource.inputs.get("keyvaultMetadata")
    if not wanted:
        return
    vault = cloud.get(wanted["resourceId"].lower())
    type_, name = split(wanted["resourceId"])
    if vault is None or vault.type != VAULT:
        raise CloudError(
            f"Unable to grant read/list permission to Databricks service principal to KeyVault '{wanted['dnsName']}': "
            f"Status code 404, the Resource '{type_}/{name}' was not found ({wanted['resourceId']})"
        )
    address = f"https://{name}.vault.azure.net/"
    if wanted["dnsName"].lower().rstrip("/") != address.lower().rstrip("/"):
        raise CloudError(f"keyvaultMetadata.dnsName: '{wanted['dnsName']}' is not the address of '{name}', {address}")


def secret_scope(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    return {"backendType": "AZURE_KEYVAULT" if resource.inputs.get("keyvaultMetadata") else "DATABRICKS"}


def scope_of_acl(cloud: Cloud, resource: Resource) -> str:
    key = f"{resource.scope}/{SECRET_SCOPE}/{resource.inputs['scope'].lower()}"
    if not cloud.get(key):
        raise CloudError(f"Scope {resource.inputs['scope']} does not exist!")
    return key


def acl(cloud: Cloud, resource: Resource) -> None:
    if resource.inputs["permission"] not in ACL_PERMISSIONS:
        raise CloudError(_one_of("permission", resource.inputs["permission"], ACL_PERMISSIONS))
    if re.fullmatch(GUID, resource.inputs["principal"]):
        require_principal(cloud, resource.scope, resource.inputs["principal"])


# service principals


def service_principal(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    id_ = resource.inputs["applicationId"]
    return {"aclPrincipalId": f"servicePrincipals/{id_}", "home": f"/Users/{id_}", "repos": f"/Repos/{id_}"}


# cluster policies and clusters


def policy(cloud: Cloud, resource: Resource) -> None:
    """Databricks' words come from Jackson: https://github.com/databricks/terraform-provider-databricks/issues/763"""
    definition = resource.inputs.get("definition")
    if definition is None:
        raise CloudError("the simulated Databricks needs a cluster policy with a definition")
    try:
        rules = json.loads(definition)
    except json.JSONDecodeError as error:
        raise CloudError(f"definition: not JSON: {error}") from None
    if not isinstance(rules, dict):
        raise CloudError("definition: malformed policy definition: it must map paths of attributes to rules")
    known = ", ".join(POLICY_RULES)
    for path, rule in rules.items():
        type_ = rule.get("type") if isinstance(rule, dict) else None
        chain = f'(through reference chain: ClusterPolicyDefinition["{path}"])'
        if type_ is None:
            raise CloudError(f"definition: missing property 'type' that is to contain type id {chain}")
        if not isinstance(type_, str) or type_ not in POLICY_RULES:
            raise CloudError(f"definition: Could not resolve type id '{type_}': known type ids = [{known}] {chain}")
        missing = [name for name in POLICY_RULES[type_] if name not in rule]
        if missing:
            raise CloudError(f"definition: Missing required property '{missing[0]}' of type id '{type_}' {chain}")


def policy_id(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    return {"policyId": resource.id}


def _problems(cloud: Cloud, scope: str, cluster: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the specification of a cluster, interactive or of a job."""
    version, mode, policy = (cluster.get(name) for name in ("sparkVersion", "dataSecurityMode", "policyId"))
    if version and not re.fullmatch(SPARK_VERSION, version):
        yield f"Invalid spark version {version}."
    if mode and mode not in ACCESS_MODES:
        yield _one_of("data_security_mode", mode, ACCESS_MODES)
    if policy and not cloud.get(f"{scope}/{CLUSTER_POLICY}/{policy}"):
        yield PERMITTED["clusterPolicyId"].missing.format(policy)
    yield from _size(cluster)


def _size(cluster: Mapping[str, Any]) -> Iterator[str]:
    scale, workers = cluster.get("autoscale"), cluster.get("numWorkers") or 0
    if scale and workers:
        yield "num_workers and autoscale cannot be set both"
    if scale and scale.get("minWorkers", 0) > scale.get("maxWorkers", scale.get("minWorkers", 0)):
        yield f"min_workers {scale['minWorkers']} is greater than max_workers {scale['maxWorkers']}"
    conf, tags = cluster.get("sparkConf") or {}, cluster.get("customTags") or {}
    single = cluster.get("isSingleNode") or (
        conf.get("spark.databricks.cluster.profile") == "singleNode" and tags.get("ResourceClass") == "SingleNode"
    )
    if not scale and not workers and not single:
        yield (
            "NumWorkers could be 0 only for SingleNode clusters. "
            "See https://docs.databricks.com/clusters/single-node.html for more details"
        )


def with_autotermination(inputs: dict[str, Any]) -> dict[str, Any]:
    return {"autoterminationMinutes": 60, **inputs}


def cluster(cloud: Cloud, resource: Resource) -> None:
    for problem in _problems(cloud, resource.scope, resource.inputs):
        raise CloudError(problem)
    minutes = resource.inputs.get("autoterminationMinutes") or 0
    if minutes and minutes not in AUTOTERMINATION_MINUTES:
        raise CloudError(f"autotermination_minutes: the threshold must be between 10 and 10000 minutes, not {minutes}")


def cluster_outputs(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    tags = {"ClusterId": resource.id, "ClusterName": resource.inputs["clusterName"]}
    return {
        "clusterId": resource.id,
        "defaultTags": {**tags, "Creator": OWNER, "Vendor": "Databricks"},
        "state": "PENDING" if resource.inputs.get("noWait") else "RUNNING",
        "url": _url(cloud, resource, f"#setting/clusters/{resource.id}/configuration"),
    }


# notebooks


def _language(inputs: Mapping[str, Any]) -> str:
    if inputs.get("language"):
        return str(inputs["language"])
    if inputs.get("contentBase64"):
        raise CloudError('"content_base64": all of `content_base64,language` must be specified')
    return LANGUAGES.get(Path(inputs["source"]).suffix.lower(), "")


def notebook(cloud: Cloud, resource: Resource) -> None:
    uploads.content(resource.inputs)
    language, allowed = _language(resource.inputs), tuple(LANGUAGES.values())
    if language not in allowed:
        raise CloudError(_one_of("language", language, allowed))


def notebook_outputs(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    return {
        "format": "SOURCE",
        "language": _language(resource.inputs),
        "objectId": uuid.UUID(guid(resource.key)).int % 10**15,
        "url": _url(cloud, resource, f"#workspace{resource.id}"),
        "workspacePath": f"/Workspace{resource.id}",
    }


def _notebook_file(cloud: Cloud, resource: Resource) -> Path:
    workspace = cloud.get(resource.scope)
    assert workspace is not None
    return workspace_files(cloud, workspace) / resource.inputs["path"].lstrip("/")


def import_notebook(cloud: Cloud, resource: Resource) -> None:
    uploads.write(_notebook_file(cloud, resource), resource.inputs)


def notebook_as_it_lies(cloud: Cloud, resource: Resource) -> Resource | None:
    return uploads.as_it_lies(resource, _notebook_file(cloud, resource))


def remove_notebook(cloud: Cloud, resource: Resource) -> None:
    cloud.remove(_notebook_file(cloud, resource))


# jobs


def job(cloud: Cloud, resource: Resource) -> None:
    _tasks(resource.inputs)
    _continuous(resource.inputs)
    run_as = (resource.inputs.get("runAs") or {}).get("servicePrincipalName")
    if run_as:
        require_principal(cloud, resource.scope, run_as)
    clusters = [(item["jobClusterKey"], item.get("newCluster")) for item in resource.inputs.get("jobClusters") or []]
    for task in resource.inputs.get("tasks") or []:
        clusters.append((task["taskKey"], task.get("newCluster")))
        _task_runs_on(cloud, resource.scope, task)
    for name, wanted in clusters:
        for problem in _problems(cloud, resource.scope, wanted) if wanted else ():
            raise CloudError(f"Cluster validation error: {problem} ({name})")


def _tasks(inputs: Mapping[str, Any]) -> None:
    tasks = inputs.get("tasks") or []
    keys = [task["taskKey"] for task in tasks]
    clusters = {cluster["jobClusterKey"] for cluster in inputs.get("jobClusters") or []}
    needs = {task["taskKey"]: [on["taskKey"] for on in task.get("dependsOns") or []] for task in tasks}
    for task in tasks:
        key, cluster = task["taskKey"], task.get("jobClusterKey")
        if keys.count(key) > 1:
            raise CloudError(f"Duplicate task key: '{key}'")
        if cluster and cluster not in clusters:
            raise CloudError(f"Job cluster '{cluster}' is not defined in field 'job_clusters'.")
        for other in needs[key]:
            if other not in keys:
                raise CloudError(f"Invalid task dependency: task '{key}' depends on '{other}', which does not exist.")
    while needs:
        free = [key for key, others in needs.items() if not set(others) & needs.keys()]
        if not free:
            raise CloudError(f"Task dependencies form a cycle: {', '.join(needs)}")
        needs = {key: others for key, others in needs.items() if key not in free}


def _continuous(inputs: Mapping[str, Any]) -> None:
    """https://docs.databricks.com/jobs/continuous.html"""
    if inputs.get("continuous") is None:
        return
    if inputs.get("schedule") or inputs.get("trigger"):
        raise CloudError("A job can have only one of schedule, trigger and continuous.")
    if inputs.get("maxConcurrentRuns", 1) > 1:
        raise CloudError("A continuous job can have only one active run: max_concurrent_runs must be 1.")
    for task in inputs.get("tasks") or []:
        if task.get("maxRetries") or task.get("dependsOns"):
            what = "retry policies" if task.get("maxRetries") else "task dependencies"
            raise CloudError(f"Continuous jobs do not support {what} (task '{task['taskKey']}').")


def _task_runs_on(cloud: Cloud, scope: str, task: Mapping[str, Any]) -> None:
    """The interactive cluster and the notebook of a task. That a notebook is missing, Databricks says when the job
    runs; nothing would say it here, where no notebook runs."""
    cluster, notebook = task.get("existingClusterId"), task.get("notebookTask") or {}
    if cluster and not cloud.get(f"{scope}/{CLUSTER}/{cluster}"):
        raise CloudError(PERMITTED["clusterId"].missing.format(cluster))
    path = notebook.get("notebookPath")
    if not path or notebook.get("source") == "GIT":
        return
    if not path.startswith("/"):
        raise CloudError(
            f"Invalid notebook_path: {path}. Only absolute paths are currently supported. Paths must begin with '/'."
        )
    if not cloud.get(f"{scope}/{NOTEBOOK}/{path.removeprefix('/Workspace')}"):
        raise CloudError(
            f'Unable to access the notebook "{path}". Either it does not exist, or the identity used to run this job '
            f"lacks the required permissions (task '{task['taskKey']}')."
        )


def job_outputs(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    return {"url": _url(cloud, resource, f"#job/{resource.id}")}


# permissions


def _permitted(inputs: Mapping[str, Any]) -> tuple[Permitted, str]:
    named = [(PERMITTED[name], str(inputs[name])) for name in PERMITTED if inputs.get(name)]
    if len(named) != 1:
        raise CloudError(f"permissions are on exactly one of {', '.join(PERMITTED)}")
    return named[0]


def permissions_id(inputs: Mapping[str, Any]) -> str:
    what, id_ = _permitted(inputs)
    return f"/{what.path}/{id_}"


def permitted_on(cloud: Cloud, resource: Resource) -> str:
    what, id_ = _permitted(resource.inputs)
    key = f"{resource.scope}/{what.type}/{id_}"
    if not cloud.get(key):
        raise CloudError(what.missing.format(id_))
    return key


def permissions(cloud: Cloud, resource: Resource) -> None:
    """Rules of ownership: https://www.pulumi.com/registry/packages/databricks/api-docs/permissions/#job-usage"""
    what, _ = _permitted(resource.inputs)
    controls = resource.inputs["accessControls"]
    if not controls:
        raise CloudError("accessControls: at least one is needed")
    for control in controls:
        _control(cloud, resource.scope, what, control)
    if sum(control["permissionLevel"] == "IS_OWNER" for control in controls) > 1:
        raise CloudError(f"The {what.object_type} must have exactly one owner.")


def _control(cloud: Cloud, scope: str, what: Permitted, control: Mapping[str, Any]) -> None:
    names = ("groupName", "servicePrincipalName", "userName")
    group, principal, _ = (control.get(name) for name in names)
    level = control.get("permissionLevel")
    if sum(bool(control.get(name)) for name in names) != 1:
        raise CloudError(f"accessControls: exactly one of {', '.join(names)} is needed")
    if level not in what.levels:
        allowed = ", ".join(what.levels)
        raise CloudError(
            f"permission_level {level} is not supported with {what.field} objects; allowed levels: {allowed}"
        )
    if group and group.lower() == "admins":
        raise CloudError(f"it is not possible to modify admin permissions for {what.object_type} resources")
    if group and level == "IS_OWNER":
        raise CloudError(f"A {what.object_type} cannot have a group as an owner ('{group}').")
    if principal:
        require_principal(cloud, scope, principal)


def permissions_outputs(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    return {"objectType": _permitted(resource.inputs)[0].object_type}
