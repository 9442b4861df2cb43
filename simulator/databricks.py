"""The simulated Databricks: the databricks provider's resource types, a row each."""

import itertools
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from simulator import databricks_rules as rules
from simulator import unity_catalog as uc
from simulator import uploads
from simulator.azure_rules import GUID, guid
from simulator.databricks_rules import (
    CLUSTER,
    CLUSTER_POLICY,
    JOB,
    NOTEBOOK,
    PERMISSIONS,
    PERMITTED,
    SECRET_ACL,
    SECRET_SCOPE,
)
from simulator.kinds import Kind, Package
from simulator.state import Cloud, CloudError
from simulator.unity_catalog import (
    CATALOG,
    CREDENTIAL,
    FILE,
    LOCATION,
    METASTORE,
    MODEL,
    SCHEMA,
    SECURABLES,
    SERVICE_CREDENTIAL,
    SERVICE_PRINCIPAL,
    UC_NAME,
    VOLUME,
    uc_key,
)

WORKSPACE = "azure-native:databricks:Workspace"

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
        SERVICE_CREDENTIAL,
        "{name}",
        naming={"name": UC_NAME},
        replace=("name", "purpose"),
        rules=uc.service_credential,
        outputs=uc.service_credential_outputs,
        computed=("metastoreId", "owner", "fullName"),
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
        defaults=uploads.with_md5,
        rules=uc.uploadable,
        outputs=uc.file,
        written=uc.upload,
        read=uc.as_it_lies,
        deleted=uc.remove_file,
        adopts=True,
    ),
    Kind(
        MODEL,
        "{catalogName}.{schemaName}.{name}",
        naming={"catalogName": UC_NAME, "schemaName": UC_NAME, "name": UC_NAME},
        replace=("catalogName", "schemaName", "name", "storageLocation"),
        parent=uc.schema_of,
        rules=uc.model_storage,
        outputs=uc.model,
        computed=("metastoreId", "owner", "fullName", "createdBy"),
    ),
    Kind(
        SECRET_SCOPE,
        "{name}",
        naming={"name": r"[-\w@.]{1,128}"},
        replace=("name", "backendType", "initialManagePrincipal", "keyvaultMetadata"),
        parent=rules.in_workspace,
        rules=rules.vault_exists,
        outputs=rules.secret_scope,
        computed=("backendType",),
        taken="Scope {name} already exists!",
    ),
    Kind(
        SECRET_ACL,
        "{scope}|||{principal}",
        replace=("scope", "principal", "permission"),
        parent=rules.scope_of_acl,
        rules=rules.acl,
        adopts=True,
    ),
    Kind(
        SERVICE_PRINCIPAL,
        "{applicationId}",
        naming={"applicationId": GUID},
        replace=("applicationId", "displayName"),
        parent=rules.in_workspace,
        outputs=rules.service_principal,
        computed=("aclPrincipalId", "home", "repos"),
        taken="Service principal with application ID {applicationId} already exists.",
    ),
    Kind(
        CLUSTER_POLICY,
        "{name}",
        naming={"name": r".{1,100}"},
        parent=rules.in_workspace,
        rules=rules.policy,
        outputs=rules.policy_id,
        taken="Cluster Policy with name `{name}` already exists",
    ),
    Kind(
        CLUSTER,
        "{clusterName}",
        naming={"clusterName": r".+"},
        replace=("idempotencyToken",),
        parent=rules.in_workspace,
        defaults=rules.with_autotermination,
        rules=rules.cluster,
        outputs=rules.cluster_outputs,
    ),
    Kind(
        NOTEBOOK,
        "{path}",
        naming={"path": r"(/(?!\.{1,2}(/|$))[^/]+)+"},
        replace=("path",),
        parent=rules.in_workspace,
        defaults=uploads.with_md5,
        rules=rules.notebook,
        outputs=rules.notebook_outputs,
        written=rules.import_notebook,
        read=rules.notebook_as_it_lies,
        deleted=rules.remove_notebook,
        computed=("objectId",),
        adopts=True,
    ),
    Kind(
        JOB,
        "{name}",
        naming={"name": r".{1,4096}"},
        parent=rules.in_workspace,
        rules=rules.job,
        outputs=rules.job_outputs,
    ),
    Kind(
        PERMISSIONS,
        rules.permissions_id,
        replace=tuple(PERMITTED),
        parent=rules.permitted_on,
        rules=rules.permissions,
        outputs=rules.permissions_outputs,
        computed=("objectType",),
    ),
)
IN_WORKSPACE = (CLUSTER, CLUSTER_POLICY, JOB, NOTEBOOK, PERMISSIONS, SECRET_ACL, SECRET_SCOPE, SERVICE_PRINCIPAL)


def _cluster_id(number: int) -> str:
    """`0914-200113-rc8v8keb`: month and day, time, a word."""
    return f"{number % 10**4:04}-{number // 10**4 % 10**6:06}-{number:032x}"[:20]


IDS: Mapping[str, Callable[[int], str]] = {  # the form of ids that are not the name
    CLUSTER: _cluster_id,
    CLUSTER_POLICY: lambda number: f"{number:032X}"[:16],
    JOB: lambda number: str(number % 10**15),
    SERVICE_PRINCIPAL: lambda number: str(number % 10**15),
}
SHARE_NAMES = (CLUSTER, JOB)
LOOKUPS = {  # function → type, argument, and what Databricks says where there is none
    "databricks:index/getCatalog:getCatalog": (CATALOG, "name", "Catalog '{}' does not exist."),
    "databricks:index/getCluster:getCluster": (CLUSTER, "clusterId", PERMITTED["clusterId"].missing),
}


class Databricks(Package):
    """The simulated databricks provider, for the workspace that its `host` names."""

    name = "databricks"
    kinds = {kind.type: kind for kind in KINDS}  # noqa: RUF012 - a constant table
    # for five minutes, after 1, 2, … 10, 10, … seconds and a bit (`backoff`), and its words (`TooManyRequests`):
    # https://github.com/databricks/databricks-sdk-go/blob/main/retries/retries.go, …/apierr/errors.go
    retries = 33
    throttled = "Current request has to be retried"

    def scope(self, cloud: Cloud, kind: Kind) -> str:
        host = re.sub(r"^https?://|/.*$", "", self.config.get("host") or "")
        id_ = (self.config.get("azureWorkspaceResourceId") or "").lower()
        for workspace in cloud.find(WORKSPACE):
            if host == workspace.computed["workspaceUrl"] or id_ == workspace.key:
                return workspace.key if kind.type in IN_WORKSPACE else METASTORE
        raise CloudError(f"there is no simulated Databricks workspace at host '{host or id_}'")

    def key(self, scope: str, kind: Kind, id_: str) -> str:
        if scope == METASTORE and kind.type != FILE:
            return uc_key(kind.type, id_)
        return super().key(scope, kind, id_.lower() if kind.type == SECRET_SCOPE else id_)

    def identify(self, cloud: Cloud, kind: Kind, inputs: Mapping[str, Any]) -> str:
        natural, form = kind.identify(inputs), IDS.get(kind.type)
        if form is None:
            return natural
        scope = self.scope(cloud, kind)
        ids = (form(uuid.UUID(guid(scope, natural, str(n))).int) for n in itertools.count())
        if kind.type not in SHARE_NAMES:
            return next(ids)
        return next(id_ for id_ in ids if not cloud.get(self.key(scope, kind, id_)))

    def invoke(self, cloud: Cloud, token: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if token not in LOOKUPS:
            return super().invoke(cloud, token, arguments)
        type_, argument, missing = LOOKUPS[token]
        found = self.read(cloud, type_, arguments[argument])
        if found is None:
            raise CloudError(missing.format(arguments[argument]))
        return {"id": found.id, argument: arguments[argument]}
