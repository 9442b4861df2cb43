"""The simulated Azure's deployments of templates, as far as our program has some: secrets of a vault that hold a key.

Azure itself works out what stands in square brackets, so that a key goes from its account into the vault and nowhere
else; what a deployment made stays when the deployment goes. Sources:
https://learn.microsoft.com/azure/azure-resource-manager/templates/deployment-modes,
https://learn.microsoft.com/azure/azure-resource-manager/templates/template-functions-resource#list
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from simulator import azure_rules as rules
from simulator.azure_cosmos import account_keys
from simulator.azure_rules import GROUP, refuse, wrong
from simulator.azure_vault import SECRET, secret, secret_outputs
from simulator.kinds import Kind
from simulator.state import Cloud, Resource

DEPLOYED = "Microsoft.KeyVault/vaults/secrets"
LIST_KEYS = re.compile(r"\[listKeys\('([^']+)', '\d{4}-\d\d-\d\d(?:-preview)?'\)\.(\w+)\]")


def _secrets(cloud: Cloud, resource: Resource) -> Iterator[Resource]:
    """The secrets that a template makes. Raises CloudError for whatever else it wants, and for what is not there."""
    properties = resource.inputs["properties"]
    if properties["mode"] != "Incremental":
        raise wrong(resource, "mode", f"'{properties['mode']}' would delete all else in the group.", "InvalidTemplate")
    for wanted in (properties.get("template") or {}).get("resources") or ():
        if wanted.get("type") != DEPLOYED or wanted.get("name", "").count("/") != 1:
            message = f"the simulated Azure deploys {DEPLOYED} only, not {wanted.get('type')} {wanted.get('name')!r}."
            raise wrong(resource, "template", message, "InvalidTemplate")
        vault, name = wanted["name"].split("/")
        group = resource.id.rpartition("/providers/")[0]
        id_ = f"{group}/providers/Microsoft.KeyVault/vaults/{vault}/secrets/{name}"
        if not rules.exists(cloud, rules.parent_id(id_)):
            raise wrong(resource, "template", f"the vault '{vault}' was not found.", "ParentResourceNotFound")
        value = _value(cloud, resource, wanted["properties"]["value"])
        inputs = {"resourceGroupName": resource.inputs["resourceGroupName"], "vaultName": vault, "secretName": name}
        inputs |= {"properties": {**wanted["properties"], "value": value}}
        made = Resource(id_.lower(), SECRET, id_, resource.scope, rules.parent_id(id_).lower(), inputs)
        secret(cloud, made)
        yield made


def _value(cloud: Cloud, resource: Resource, expression: str) -> str:
    found = LIST_KEYS.fullmatch(expression)
    if not found:
        message = "the simulated Azure works out listKeys('ID', 'VERSION').KEY only: a value in plain would be seen."
        raise wrong(resource, "template", message, "InvalidTemplate")
    account = rules.referenced(cloud, resource, "template", found[1], "Microsoft.DocumentDB/databaseAccounts")
    if found[2] not in account_keys(account):
        message = f"the language expression property '{found[2]}' doesn't exist."
        raise refuse(400, "InvalidTemplate", f"{resource.id}: {message}")
    return account_keys(account)[found[2]]


def _deployment(cloud: Cloud, resource: Resource) -> None:
    list(_secrets(cloud, resource))


def _deploy(cloud: Cloud, resource: Resource) -> None:
    for made in _secrets(cloud, resource):
        cloud.put(replace(made, computed=secret_outputs(cloud, made)))


def _outputs(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    made = [{"id": each.id} for each in _secrets(cloud, resource)]
    properties = {"mode": "Incremental", "outputResources": made, "provisioningState": "Succeeded"}
    return {**rules.common(cloud, resource), "properties": properties}


KINDS = (
    Kind(
        "azure-native:resources:Deployment",
        GROUP + "/providers/Microsoft.Resources/deployments/{deploymentName}",
        naming={"deploymentName": r"[-\w._()]{1,64}"},
        replace=("resourceGroupName", "deploymentName", "location"),
        rules=_deployment,
        outputs=_outputs,
        written=_deploy,
        computed=("properties",),
    ),
)
