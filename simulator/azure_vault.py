"""The simulated Azure's key vaults. A deleted one keeps its name, and comes back only for who asks it to.

Deleting is soft, and a vault comes back with its secrets. To create a vault of that name is a conflict then, for
azure-native recovers none by itself, unless the vault's `createMode` is `recover`; that in turn fails where there is
nothing to recover. No time passes in the simulated cloud: what was deleted stays until somebody purges it
(`python -m simulator.drift remove ID`). Sources:
https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview,
https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/create-or-update.
"""

from dataclasses import replace
from typing import Any

from simulator import azure_rules as rules
from simulator.azure_network import SUBNET_TYPE
from simulator.azure_rules import GROUP, PLACE, TENANT, guid, refuse, text, wrong
from simulator.kinds import Kind
from simulator.state import Cloud, CloudError, Resource

VAULT, DELETED = "azure-native:keyvault:Vault", "azure-native:keyvault:DeletedVault"
SECRET = "azure-native:keyvault:Secret"  # noqa: S105 - a type
VAULT_ID = GROUP + "/providers/Microsoft.KeyVault/vaults/{vaultName}"
RETENTION = range(7, 91)  # days
LONGEST_SECRET = 25 << 10  # bytes


def deleted_vault(cloud: Cloud, name: str) -> Resource | None:
    """The softly deleted vault that holds a name, in whatever subscription; `vaultId` says which one it was."""
    return next((v for v in cloud.find(DELETED) if v.inputs["vaultName"].lower() == name.lower()), None)


def _vault(cloud: Cloud, resource: Resource) -> None:
    if not cloud.get(resource.key):
        _name_is_free(cloud, resource)
    asked = resource.inputs["properties"]
    if asked["tenantId"].lower() != TENANT:
        raise _bad(resource, "tenantId", f"the tenant {asked['tenantId']} is not the subscription's, {TENANT}.")
    if asked.get("enablePurgeProtection") is False:
        message = (
            'The property "enablePurgeProtection" cannot be set to false. Enabling the purge protection for a vault is'
            " an irreversible action: leave it out."
        )
        raise _bad(resource, "enablePurgeProtection", message)
    if asked.get("enableSoftDelete") is False:
        raise _bad(resource, "enableSoftDelete", "soft delete cannot be switched off.")
    if asked.get("softDeleteRetentionInDays", 90) not in RETENTION:
        message = f"{asked['softDeleteRetentionInDays']} is not 7 to 90 days."
        raise _bad(resource, "softDeleteRetentionInDays", message)
    if str(asked.get("publicNetworkAccess", "enabled")).lower() not in ("enabled", "disabled"):
        raise _bad(resource, "publicNetworkAccess", f"'{asked['publicNetworkAccess']}' is not enabled or disabled.")
    if not asked.get("enableRbacAuthorization") and asked.get("accessPolicies") is None:
        raise _bad(resource, "accessPolicies", "the parameter is not specified, and enableRbacAuthorization is not on.")
    for rule in (asked.get("networkAcls") or {}).get("virtualNetworkRules") or ():
        rules.referenced(cloud, resource, "networkAcls", rule["id"], SUBNET_TYPE)
    _retention_stays(cloud, resource)


def _bad(resource: Resource, property_: str, message: str) -> CloudError:
    return wrong(resource, f"properties.{property_}", message)


def _name_is_free(cloud: Cloud, resource: Resource) -> None:
    name = resource.inputs["vaultName"]
    if rules.taken(cloud, resource, "vaultName"):
        message = f"The vault name '{name}' is already in use. Vault names are globally unique."
        raise refuse(409, "VaultAlreadyExists", message)
    deleted = deleted_vault(cloud, name)
    recovers = text(resource.inputs, "properties", "createMode") == "recover"
    if deleted and not (recovers and deleted.inputs["vaultId"].lower() == resource.id.lower()):
        message = (
            f"A vault with the same name already exists in deleted state: {name}, once {deleted.inputs['vaultId']}. You"
            " need to either recover (properties.createMode) or purge existing key vault."
        )
        raise refuse(409, "ConflictError", message)
    if recovers and not deleted:
        message = f"A soft deleted vault with the given name does not exist: {name} (properties.createMode is recover)."
        raise refuse(404, "SoftDeletedVaultDoesNotExist", message)


def _retention_stays(cloud: Cloud, resource: Resource) -> None:
    old, name = cloud.get(resource.key), "softDeleteRetentionInDays"
    if old and old.inputs["properties"].get(name, 90) != resource.inputs["properties"].get(name, 90):
        raise _bad(resource, name, "the property has been set already and it can't be modified.")


def _outputs(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    outputs = rules.tracked(cloud, resource)
    before = cloud.get(resource.key) or deleted_vault(cloud, resource.inputs["vaultName"])
    was = before.computed.get("properties") or before.inputs["properties"] if before else {}
    kept = {"enablePurgeProtection": True} if was.get("enablePurgeProtection") else {}
    added = {
        "provisioningState": outputs.pop("provisioningState"),
        "vaultUri": f"https://{resource.inputs['vaultName']}.vault.azure.net/",
    }
    return {**outputs, "properties": {**resource.inputs["properties"], **kept, **added}}


def _recover(cloud: Cloud, resource: Resource) -> None:
    deleted = deleted_vault(cloud, resource.inputs["vaultName"])
    if deleted:
        for kept in deleted.inputs["secrets"]:
            found = Resource(kept["id"].lower(), SECRET, kept["id"], resource.scope, resource.key, kept["inputs"])
            cloud.put(replace(found, computed=secret_outputs(cloud, found)))
        cloud.drop(deleted.key)


def _delete_softly(cloud: Cloud, resource: Resource) -> None:
    name, subscription = resource.inputs["vaultName"], "/".join(resource.id.split("/")[:3])
    location = resource.computed["location"]
    id_ = f"{subscription}/providers/Microsoft.KeyVault/locations/{location}/deletedVaults/{name}"
    kept = {"properties": resource.outputs["properties"], "tags": resource.inputs.get("tags") or {}}
    secrets = [{"id": each.id, "inputs": each.inputs} for each in cloud.children(resource.key) if each.type == SECRET]
    inputs = {"vaultName": name, "vaultId": resource.id, "secrets": secrets, **kept}
    cloud.put(Resource(id_.lower(), DELETED, id_, "", subscription.lower(), inputs))


def secret(cloud: Cloud, resource: Resource) -> None:
    """https://learn.microsoft.com/azure/key-vault/secrets/about-secrets"""
    value = resource.inputs["properties"].get("value")
    if not value or len(value.encode()) > LONGEST_SECRET:
        raise _bad(resource, "value", f"it is needed, with {LONGEST_SECRET} bytes at most.")


def secret_outputs(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    """All but the value, which the resource manager takes and never tells."""
    outputs, asked = rules.common(cloud, resource), resource.inputs["properties"]
    uri = f"https://{resource.inputs['vaultName']}.vault.azure.net/secrets/{resource.inputs['secretName']}"
    version = guid(resource.id, asked["value"]).replace("-", "")
    told = {name: value for name, value in asked.items() if name != "value"}
    return {**outputs, "properties": {**told, "secretUri": uri, "secretUriWithVersion": f"{uri}/{version}"}}


KINDS = (
    Kind(
        VAULT,
        VAULT_ID,
        naming={"vaultName": r"(?=.{3,24}$)[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*"},
        replace=(*PLACE, "vaultName"),
        rules=_vault,
        outputs=_outputs,
        written=_recover,
        deleted=_delete_softly,
        computed=("properties",),
    ),
    Kind(
        SECRET,
        VAULT_ID + "/secrets/{secretName}",
        naming={"secretName": r"[A-Za-z0-9-]{1,127}"},
        replace=("resourceGroupName", "vaultName", "secretName"),
        rules=secret,
        outputs=secret_outputs,
        computed=("properties",),
    ),
)
