"""The simulated Databricks: the databricks provider's resource types, a row each, and the rules of jobs."""

import re
import uuid
from collections.abc import Mapping
from typing import Any

from simulator import unity_catalog as uc
from simulator.azure_rules import guid
from simulator.kinds import Kind, Package
from simulator.state import Cloud, CloudError, Resource
from simulator.unity_catalog import (
    CATALOG,
    CREDENTIAL,
    FILE,
    LOCATION,
    METASTORE,
    SCHEMA,
    SECURABLES,
    UC_NAME,
    VOLUME,
    uc_key,
)

WORKSPACE = "azure-native:databricks:Workspace"
JOB, PERMISSIONS = "databricks:index/job:Job", "databricks:index/permissions:Permissions"


def _job(cloud: Cloud, resource: Resource) -> None:
    tasks = resource.inputs.get("tasks") or []
    keys = [task["taskKey"] for task in tasks]
    clusters = {cluster["jobClusterKey"] for cluster in resource.inputs.get("jobClusters") or []}
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


def _job_exists(cloud: Cloud, resource: Resource) -> None:
    job = resource.inputs.get("jobId")
    if not job:
        raise CloudError("the simulated Databricks knows permissions on a job only: jobId is missing")
    if not cloud.get(f"{resource.scope}/{JOB}/{job}"):
        raise CloudError(f"Job {job} does not exist.")


def _job_outputs(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    workspace = cloud.get(resource.scope)
    assert workspace is not None
    return {"url": f"https://{workspace.computed['workspaceUrl']}/#job/{resource.id}"}


def _workspace_of(cloud: Cloud, resource: Resource) -> str:
    return resource.scope


def _job_of(cloud: Cloud, resource: Resource) -> str:
    return f"{resource.scope}/{JOB}/{resource.inputs['jobId']}"


KINDS = (
    Kind(
        CREDENTIAL,
        "{name}",
        naming={"name": UC_NAME},
        replace=("name",),
        rules=uc.connector_exists,
        outputs=uc.credential,
        deletable=uc.not_in_use,
        computed=("metastoreId", "owner"),
    ),
    Kind(
        LOCATION,
        "{name}",
        naming={"name": UC_NAME},
        replace=("name",),
        rules=uc.reachable,
        outputs=uc.external_location,
        deletable=uc.location_unused,
        computed=("metastoreId", "owner"),
    ),
    Kind(
        CATALOG,
        "{name}",
        naming={"name": UC_NAME},
        replace=("name", "storageRoot", "providerName", "shareName", "connectionName"),
        rules=uc.managed_storage,
        outputs=uc.catalog,
        deletable=uc.catalog_empty,
        deleted=uc.catalog_links,
        computed=("metastoreId", "owner", "isolationMode"),
    ),
    Kind(
        SCHEMA,
        "{catalogName}.{name}",
        naming={"name": UC_NAME},
        replace=("catalogName", "name", "storageRoot"),
        parent=uc.catalog_of,
        rules=uc.managed_storage,
        outputs=uc.schema,
        deletable=uc.schema_empty,
        deleted=uc.remove_tables,
        computed=("metastoreId", "owner"),
    ),
    Kind(
        VOLUME,
        "{catalogName}.{schemaName}.{name}",
        naming={"name": UC_NAME},
        replace=("catalogName", "schemaName", "name", "volumeType", "storageLocation"),
        parent=uc.schema_of,
        rules=uc.volume_storage,
        outputs=uc.volume,
        written=uc.make_link,
        deleted=uc.remove_link,
        computed=("owner",),
    ),
    Kind(
        "databricks:index/grants:Grants",
        uc.grants_id,
        replace=tuple(SECURABLES),
        parent=uc.granted_on,
        rules=uc.grantable,
    ),
    Kind(
        FILE,
        "{path}",
        naming={"path": r"/Volumes(/[^/]+){4,}"},
        replace=("path",),
        parent=uc.volume_of,
        defaults=uc.with_md5,
        rules=uc.uploadable,
        outputs=uc.file,
        written=uc.upload,
        read=uc.as_it_lies,
        deleted=uc.remove_file,
        adopts=True,
    ),
    Kind(JOB, "{name}", naming={"name": r".{1,4096}"}, parent=_workspace_of, rules=_job, outputs=_job_outputs),
    Kind(
        PERMISSIONS,
        "/jobs/{jobId}",
        replace=("jobId",),
        parent=_job_of,
        rules=_job_exists,
        computed=("objectType",),
        outputs=lambda _cloud, _resource: {"objectType": "job"},
    ),
)
IN_WORKSPACE = (JOB, PERMISSIONS)


class Databricks(Package):
    """The simulated databricks provider, for the workspace that its `host` names."""

    name = "databricks"
    kinds = {kind.type: kind for kind in KINDS}  # noqa: RUF012 - a constant table

    def scope(self, cloud: Cloud, kind: Kind) -> str:
        host = re.sub(r"^https?://|/.*$", "", self.config.get("host") or "")
        id_ = (self.config.get("azureWorkspaceResourceId") or "").lower()
        for workspace in cloud.find(WORKSPACE):
            if host == workspace.computed["workspaceUrl"] or id_ == workspace.key:
                return workspace.key if kind.type in IN_WORKSPACE else METASTORE
        raise CloudError(f"there is no simulated Databricks workspace at host '{host or id_}'")

    def key(self, scope: str, kind: Kind, id_: str) -> str:
        return uc_key(kind.type, id_) if scope == METASTORE and kind.type != FILE else super().key(scope, kind, id_)

    def identify(self, cloud: Cloud, kind: Kind, inputs: Mapping[str, Any]) -> str:
        if kind.type != JOB:
            return kind.identify(inputs)
        scope = self.scope(cloud, kind)
        same = len(cloud.find(JOB, name=inputs["name"]))
        ids = (str(uuid.UUID(guid(scope, inputs["name"], str(n))).int % 10**15) for n in range(same + 1))
        return next(id_ for id_ in ids if not cloud.get(self.key(scope, kind, id_)))  # jobs may share a name
