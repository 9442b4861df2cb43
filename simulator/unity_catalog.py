"""The simulated Unity Catalog, which all simulated workspaces share: what it refuses and adds, and its files.

Permissions on files are those of the real chain: volume → external location → storage credential → access connector →
role assignment on the storage account.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simulator import uploads
from simulator.azure_rules import GUID, guid, may_write, principal_of
from simulator.state import Cloud, CloudError, Resource

CREDENTIAL, LOCATION = (
    "databricks:index/storageCredential:StorageCredential",
    "databricks:index/externalLocation:ExternalLocation",
)
CATALOG, SCHEMA, VOLUME = (
    "databricks:index/catalog:Catalog",
    "databricks:index/schema:Schema",
    "databricks:index/volume:Volume",
)
SERVICE_CREDENTIAL = "databricks:index/credential:Credential"
FILE, MODEL = "databricks:index/file:File", "databricks:index/registeredModel:RegisteredModel"
SERVICE_PRINCIPAL = "databricks:index/servicePrincipal:ServicePrincipal"
METASTORE = "unity-catalog"
OWNER = "deployer@simulated.example"
UC_NAME = r"[^./\s\x00-\x1f\x7f]{1,255}"
SECURABLES = {  # property of Grants → resource type of what it grants on
    "catalog": CATALOG,
    "schema": SCHEMA,
    "volume": VOLUME,
    "model": MODEL,
    "externalLocation": LOCATION,
    "storageCredential": CREDENTIAL,
    "credential": SERVICE_CREDENTIAL,
}
GRANTED = {  # https://learn.microsoft.com/azure/databricks/data-governance/unity-catalog/manage-privileges/privileges
    "volume": "ALL_PRIVILEGES APPLY_TAG MANAGE READ_VOLUME WRITE_VOLUME",
    "model": "ALL_PRIVILEGES APPLY_TAG CREATE_MODEL_VERSION EXECUTE MANAGE",
    "externalLocation": "ALL_PRIVILEGES BROWSE CREATE_EXTERNAL_TABLE CREATE_EXTERNAL_VOLUME CREATE_FOREIGN_SECURABLE "
    "CREATE_MANAGED_STORAGE MANAGE READ_FILES WRITE_FILES EXTERNAL_USE_LOCATION",
    "storageCredential": "ALL_PRIVILEGES CREATE_EXTERNAL_LOCATION CREATE_EXTERNAL_TABLE MANAGE READ_FILES WRITE_FILES",
    "credential": "ACCESS ALL_PRIVILEGES CREATE_CONNECTION MANAGE",
    "schema": "ALL_PRIVILEGES APPLY_TAG CREATE_FUNCTION CREATE_MATERIALIZED_VIEW CREATE_MODEL CREATE_MODEL_VERSION "
    "CREATE_TABLE CREATE_VOLUME EXECUTE EXTERNAL_USE_SCHEMA MANAGE MODIFY READ_VOLUME REFRESH SELECT USE_SCHEMA "
    "WRITE_VOLUME",
}
GRANTED["catalog"] = f"{GRANTED['schema']} BROWSE CREATE_SCHEMA USE_CATALOG"


def uc_key(type_: str, name: str) -> str:
    """The key of an object of Unity Catalog, whose names take no account of capitals."""
    return f"{METASTORE}/{type_}/{name.lower()}"


def _there(cloud: Cloud, type_: str, name: str) -> Resource:
    found = cloud.get(uc_key(type_, name))
    if not found:
        what = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type_.rpartition(":")[2])
        raise CloudError(f"{what} '{name}' does not exist.")
    return found


# what Databricks refuses


def connector_exists(cloud: Cloud, resource: Resource) -> None:
    identity = resource.inputs.get("azureManagedIdentity")
    if not identity:
        raise CloudError("the simulated Databricks needs a credential with azureManagedIdentity")
    connector = cloud.get(identity["accessConnectorId"].lower())
    if not connector:
        raise CloudError(f"Access connector '{identity['accessConnectorId']}' could not be found.")
    if principal_of(cloud, connector, identity.get("managedIdentityId")) is None:
        raise CloudError(f"The access connector '{connector.id}' does not have the managed identity asked for.")


def service_credential(cloud: Cloud, resource: Resource) -> None:
    """https://learn.microsoft.com/azure/databricks/connect/unity-catalog/cloud-services/service-credentials"""
    if resource.inputs["purpose"] != "SERVICE":
        message = f"purpose '{resource.inputs['purpose']}': the simulated Databricks has SERVICE here only"
        raise CloudError(message)
    connector_exists(cloud, resource)


def _covers(outer: str, inner: str) -> bool:
    return (inner.rstrip("/") + "/").startswith(outer.rstrip("/") + "/")


def _location(cloud: Cloud, url: str) -> Resource:
    """The external location that a path lies in."""
    for location in cloud.find(LOCATION):
        if _covers(location.inputs["url"], url):
            return location
    raise CloudError(f"PERMISSION_DENIED: No parent external location was found for path '{url}'.")


def authorize(cloud: Cloud, url: str, credential_name: str) -> None:
    """Refuse, with storage's own words, if the credential's identity holds no data role on the container."""
    match = re.fullmatch(r"abfss://([^@/]+)@([^./]+)\.dfs\.core\.windows\.net(/.*)?", url)
    if not match:
        raise CloudError(f"'{url}' is not of the form abfss://container@account.dfs.core.windows.net/path")
    container, account_name = match[1], match[2]
    accounts = cloud.find("azure-native:storage:StorageAccount", accountName=account_name)
    there = (
        [c for c in cloud.children(accounts[0].key) if c.inputs.get("containerName") == container] if accounts else []
    )
    if not there:
        raise CloudError(
            f"The specified container does not exist: {container} in {account_name} (404, ContainerNotFound)"
        )
    identity = _there(cloud, CREDENTIAL, credential_name).inputs["azureManagedIdentity"]
    connector = cloud.get(identity["accessConnectorId"].lower())
    principal = connector and principal_of(cloud, connector, identity.get("managedIdentityId"))
    if principal is None or not may_write(cloud, principal, accounts[0], container):
        raise CloudError(
            "This request is not authorized to perform this operation using this permission. "
            f"(403, AuthorizationPermissionMismatch): the identity of storage credential '{credential_name}' needs the "
            f"role Storage Blob Data Contributor on container '{container}' of '{account_name}'"
        )


def reachable(cloud: Cloud, resource: Resource) -> None:
    url = resource.inputs["url"]
    for other in cloud.find(LOCATION):
        theirs = other.inputs["url"]
        if other.key != resource.key and (_covers(theirs, url) or _covers(url, theirs)):
            raise CloudError(f"Input path url '{url}' overlaps with external location '{other.id}'.")
    _there(cloud, CREDENTIAL, resource.inputs["credentialName"])
    if not resource.inputs.get("skipValidation"):
        authorize(cloud, url, resource.inputs["credentialName"])


def managed_storage(cloud: Cloud, resource: Resource) -> None:
    root = resource.inputs.get("storageRoot")
    if root:
        _location(cloud, root)
    elif resource.type == CATALOG:
        raise CloudError(
            "Metastore storage root URL does not exist. Please provide a storage location for the catalog."
        )


def volume_storage(cloud: Cloud, resource: Resource) -> None:
    location = resource.inputs.get("storageLocation")
    if (resource.inputs["volumeType"] == "EXTERNAL") != bool(location):
        raise CloudError("An EXTERNAL volume needs a storageLocation, and a MANAGED volume takes none.")
    if location:
        _location(cloud, location)
        for catalog in cloud.find(CATALOG):
            root = catalog.inputs.get("storageRoot", "")
            if root and (_covers(root, location) or _covers(location, root)):
                raise CloudError(f"Input path url '{location}' overlaps with managed storage of '{catalog.id}'.")


def model_storage(cloud: Cloud, resource: Resource) -> None:
    if resource.inputs.get("storageLocation"):
        _location(cloud, resource.inputs["storageLocation"])


def principals(cloud: Cloud, name: str) -> list[Resource]:
    """The service principals of that application id, one for each workspace that knows it."""
    return [found for found in cloud.find(SERVICE_PRINCIPAL) if found.inputs["applicationId"].lower() == name.lower()]


def _securable(inputs: Mapping[str, Any]) -> tuple[str, str]:
    named = [(name, inputs[name]) for name in SECURABLES if inputs.get(name)]
    if len(named) != 1:
        raise CloudError(f"grants are on exactly one of {', '.join(SECURABLES)}")
    return named[0]


def grantable(cloud: Cloud, resource: Resource) -> None:
    securable, name = _securable(resource.inputs)
    _there(cloud, SECURABLES[securable], name)
    for grant in resource.inputs["grants"]:
        wrong = [privilege for privilege in grant["privileges"] if privilege not in GRANTED[securable].split()]
        if wrong:
            raise CloudError(f"Privilege {wrong[0]} is not applicable to this entity [{securable} {name}].")
        # the words of https://github.com/databricks/terraform-provider-databricks/issues/3220; users and groups are
        # not simulated, and an id of Entra ID's that is no application id is a frequent mistake
        if re.fullmatch(GUID, grant["principal"]) and not principals(cloud, grant["principal"]):
            raise CloudError(f"Could not find principal with name {grant['principal']}")


def not_in_use(cloud: Cloud, resource: Resource) -> None:
    users = [location.id for location in cloud.find(LOCATION, credentialName=resource.inputs["name"])]
    if users and not resource.inputs.get("forceDestroy"):
        raise CloudError(f"Storage credential '{resource.id}' has dependent external locations: {', '.join(users)}")


def location_unused(cloud: Cloud, resource: Resource) -> None:
    places = (
        (user.id, user.inputs.get(name))
        for type_, name in ((CATALOG, "storageRoot"), (SCHEMA, "storageRoot"), (VOLUME, "storageLocation"))
        for user in cloud.find(type_)
    )
    users = [id_ for id_, place in places if place and _covers(resource.inputs["url"], place)]
    if users and not resource.inputs.get("forceDestroy"):
        raise CloudError(f"External location '{resource.id}' is used by {', '.join(users)}")


def catalog_empty(cloud: Cloud, resource: Resource) -> None:
    schemas = [child.id for child in cloud.children(resource.key) if child.type == SCHEMA]
    if schemas and not resource.inputs.get("forceDestroy"):
        raise CloudError(f"Catalog '{resource.id}' is not empty. The catalog has {len(schemas)} schema(s)")


def schema_empty(cloud: Cloud, resource: Resource) -> None:
    """Databricks counts models as functions: https://github.com/databricks/terraform-provider-databricks/issues/4046"""
    held = [child.type for child in cloud.children(resource.key)]
    numbers = {
        "tables": len(list(_tables(cloud, resource))),
        "functions": held.count(MODEL),
        "volumes": held.count(VOLUME),
    }
    if any(numbers.values()) and not resource.inputs.get("forceDestroy"):
        counted = ", ".join(f"{number} {what}(s)" for what, number in numbers.items())
        raise CloudError(f"Schema '{resource.id}' is not empty. The schema has {counted}")


# what Databricks adds


def _uc(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    return {"metastoreId": guid(METASTORE), "owner": resource.inputs.get("owner") or OWNER}


def credential(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    return {**_uc(cloud, resource), "storageCredentialId": guid(resource.key)}


def service_credential_outputs(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    return {**_uc(cloud, resource), "credentialId": guid(resource.key), "fullName": resource.inputs["name"]}


def external_location(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    credential = guid(uc_key(CREDENTIAL, resource.inputs["credentialName"]))
    return {**_uc(cloud, resource), "credentialId": credential, "createdBy": OWNER}


def catalog(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    root = resource.inputs.get("storageRoot")
    return {
        **_uc(cloud, resource),
        "catalogType": "MANAGED_CATALOG",
        "fullName": resource.id,
        "securableType": "CATALOG",
        "storageLocation": root,
        "isolationMode": resource.inputs.get("isolationMode") or "OPEN",
    }


def schema(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    return {**_uc(cloud, resource), "schemaId": guid(resource.key)}


def volume(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    return {"owner": resource.inputs.get("owner") or OWNER, "volumePath": "/Volumes/" + resource.id.replace(".", "/")}


def model(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    return {**_uc(cloud, resource), "fullName": resource.id, "createdBy": OWNER}


# files


def _in_volume(path: str) -> tuple[str, str, str, str]:
    """Catalog, schema, volume and path below it of `/Volumes/<catalog>/<schema>/<volume>/<path>`."""
    match = re.fullmatch(r"/Volumes/([^/]+)/([^/]+)/([^/]+)/(.+)", path)
    if not match or ".." in path.split("/"):
        raise CloudError(f"path: '{path}' is not of the form /Volumes/catalog/schema/volume/path")
    return match[1].lower(), match[2].lower(), match[3].lower(), match[4]


def _local(cloud: Cloud, path: str) -> Path:
    return cloud.home.joinpath("volumes", *_in_volume(path))


def uploadable(cloud: Cloud, resource: Resource) -> None:
    catalog, schema, volume, _ = _in_volume(resource.inputs["path"])
    found = _there(cloud, VOLUME, f"{catalog}.{schema}.{volume}")
    url = found.inputs.get("storageLocation") or _there(cloud, CATALOG, catalog).inputs["storageRoot"]
    authorize(cloud, url, _location(cloud, url).inputs["credentialName"])


def file(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    modified = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    return {
        "fileSize": len(uploads.content(resource.inputs)),
        "modificationTime": modified,
        "remoteFileModified": False,
    }


def upload(cloud: Cloud, resource: Resource) -> None:
    uploads.write(_local(cloud, resource.inputs["path"]), resource.inputs)


def as_it_lies(cloud: Cloud, resource: Resource) -> Resource | None:
    file = _local(cloud, resource.inputs["path"])
    found = uploads.as_it_lies(resource, file)
    if found is None:
        return None
    modified = found.inputs["md5"] != resource.inputs.get("md5")
    changed = {"fileSize": file.stat().st_size, "remoteFileModified": modified}
    return replace(found, computed={**found.computed, **changed})


def remove_file(cloud: Cloud, resource: Resource) -> None:
    _local(cloud, resource.inputs["path"]).unlink(missing_ok=True)


def _link(cloud: Cloud, resource: Resource) -> Path:
    return cloud.home.joinpath("volumes", *resource.id.lower().split("."))


def _volume_folder(cloud: Cloud, resource: Resource) -> Path:
    location = resource.inputs.get("storageLocation")
    if location:
        return cloud.folder(location)
    root = cloud.folder(_there(cloud, CATALOG, resource.inputs["catalogName"]).inputs["storageRoot"])
    return root / "__volumes" / resource.inputs["schemaName"] / resource.inputs["name"]


def make_link(cloud: Cloud, resource: Resource) -> None:
    folder, link = _volume_folder(cloud, resource), _link(cloud, resource)
    folder.mkdir(parents=True, exist_ok=True)
    link.parent.mkdir(parents=True, exist_ok=True)
    draft = link.with_name(f".{link.name}")
    draft.unlink(missing_ok=True)
    draft.symlink_to(folder, target_is_directory=True)
    draft.replace(link)


def remove_link(cloud: Cloud, resource: Resource) -> None:
    """An external volume's files stay in the container; a managed volume's go with it."""
    if resource.inputs["volumeType"] == "MANAGED" and _link(cloud, resource).exists():
        cloud.remove(_link(cloud, resource).resolve())
    cloud.remove(_link(cloud, resource))


def _schema_folder(cloud: Cloud, schema: Resource) -> Path | None:
    """The folder of a schema's managed tables, if its storage is still there."""
    catalog = cloud.get(uc_key(CATALOG, schema.inputs["catalogName"]))
    root = schema.inputs.get("storageRoot") or (catalog.inputs.get("storageRoot") if catalog else None)
    try:
        return cloud.folder(root) / f"{schema.inputs['name']}.db" if root else None
    except CloudError:  # the account was deleted before: its files are gone
        return None


def _tables(cloud: Cloud, schema: Resource) -> Iterator[Path]:
    folder = _schema_folder(cloud, schema)
    return iter(sorted(folder.iterdir()) if folder and folder.is_dir() else ())


def remove_tables(cloud: Cloud, resource: Resource) -> None:
    folder = _schema_folder(cloud, resource)
    if folder:
        cloud.remove(folder)
    cloud.remove(cloud.home.joinpath("volumes", *resource.id.lower().split(".")))


def catalog_links(cloud: Cloud, resource: Resource) -> None:
    cloud.remove(cloud.home / "volumes" / resource.id.lower())


# what a resource belongs to


def catalog_of(cloud: Cloud, resource: Resource) -> str:
    return _there(cloud, CATALOG, resource.inputs["catalogName"]).key


def schema_of(cloud: Cloud, resource: Resource) -> str:
    return _there(cloud, SCHEMA, f"{resource.inputs['catalogName']}.{resource.inputs['schemaName']}").key


def volume_of(cloud: Cloud, resource: Resource) -> str:
    return _there(cloud, VOLUME, ".".join(_in_volume(resource.inputs["path"])[:3])).key


def granted_on(cloud: Cloud, resource: Resource) -> str:
    securable, name = _securable(resource.inputs)
    return _there(cloud, SECURABLES[securable], name).key


def grants_id(inputs: Mapping[str, Any]) -> str:
    securable, name = _securable(inputs)
    return f"{re.sub('[A-Z]', lambda m: '_' + m[0].lower(), securable)}/{name}"
