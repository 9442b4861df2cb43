"""The way from the command to Azure's resource manager, and what it says of a subscription and a region.

The SDK's clients register a provider by themselves where Azure says that it is missing. Asking shall change nothing, so
a provider that is not registered is not asked. The SDK is slow to import: import this module where it is used.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.core.rest import HttpRequest
from azure.identity import AzureCliCredential
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.compute.models import Usage
from azure.mgmt.containerservice import ContainerServiceClient
from azure.mgmt.resource.resources import ResourceManagementClient

from medallion.region import Answers, is_registered
from toolchain import settings_copy
from toolchain.engine import tracked
from toolchain.errors import UserError

OWNER_TAG, OWNER = "managed-by", "pulumi-medallion-{stack}"
"""The tag of what a stack created, and its value (components/site.py)."""

NETWORK_API = "2024-05-01"
"""Version of the Microsoft.Network API. Its SDK package is 16 MB, for the one list that is read."""

INSTALL = "install it, https://learn.microsoft.com/cli/azure/install-azure-cli"
SIGN_IN = "sign in with `az login`"


def subscription_of(stack: str) -> str:
    """The subscription that `up` goes to, found as azure-native finds it: settings, ARM_SUBSCRIPTION_ID, Azure CLI.

    Raises UserError where there is none.
    Source: https://www.pulumi.com/registry/packages/azure-native/installation-configuration/
    """
    configured = settings_copy.read(tracked(stack)).get("config", {}).get("azure-native:subscriptionId")
    found = configured or os.environ.get("ARM_SUBSCRIPTION_ID") or _subscription_of_cli()
    try:
        return str(UUID(found))
    except ValueError:
        raise UserError(f"subscription {found!r}: that is no id; `az account list` shows them") from None


def _subscription_of_cli() -> str:
    show = ["az", "account", "show", "--output", "json"]
    try:
        shown = subprocess.run(show, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UserError(f"there is no Azure CLI (az) on PATH: {INSTALL}, and {SIGN_IN}") from None
    if shown.returncode != 0:
        raise UserError(f"nobody is signed in to Azure: {SIGN_IN}, and choose with `az account set --subscription ID`")
    return json.loads(shown.stdout)["id"]


@contextmanager
def talk(subscription: str) -> Iterator[None]:
    """Whatever the SDK raises in the block becomes a UserError: nobody is signed in, or Azure refuses or is silent."""
    try:
        yield
    except ClientAuthenticationError as error:
        raise UserError(f"Azure refuses subscription {subscription}: {SIGN_IN} ({_first_line(error)})") from None
    except AzureError as error:
        raise UserError(f"Azure, subscription {subscription}: {_first_line(error)}") from None


def _first_line(error: AzureError) -> str:
    return error.message.strip().partition("\n")[0]


def options(subscription: str) -> dict[str, Any]:
    """What every client of the SDK takes: who asks, about which subscription, and how patiently."""
    credential = AzureCliCredential(subscription=subscription)
    return {"credential": credential, "subscription_id": subscription, "retry_total": 2}


def items(client: ResourceManagementClient, url: str) -> Iterator[dict[str, Any]]:
    """The items of a list, page by page, where the SDK has a package of its own for it that we do without."""
    while url:
        response = client.send_request(HttpRequest("GET", url))
        response.raise_for_status()
        page = response.json()
        yield from page["value"]
        url = page.get("nextLink")


def ask(subscription: str, location: str, stack: str, **client: Any) -> Answers:
    """What Azure says of a subscription and a region. `client` goes to every client of the SDK (in tests: `transport`).

    Raises UserError where it says nothing.
    """
    clients = {**options(subscription), **client}
    with (
        talk(subscription),
        ResourceManagementClient(**clients) as resources,
        ComputeManagementClient(**clients) as compute,
        ContainerServiceClient(**clients) as containers,
    ):
        providers = {each.namespace.lower(): each.registration_state for each in resources.providers.list()}
        machines, networks, clusters = (
            is_registered(providers, f"Microsoft.{name}") for name in ("Compute", "Network", "ContainerService")
        )
        owner = OWNER.format(stack=stack)
        owned = resources.resources.list(filter=f"tagName eq '{OWNER_TAG}' and tagValue eq '{owner}'")
        skus = compute.resource_skus.list(filter=f"location eq '{location}'") if machines else ()
        # https://learn.microsoft.com/rest/api/virtualnetwork/usages/list: of the form of compute's
        path = f"/subscriptions/{subscription}/providers/Microsoft.Network/locations/{location}/usages"
        network = items(resources, f"{path}?api-version={NETWORK_API}") if networks else ()
        return Answers(
            subscription=subscription,
            location=location,
            providers=providers,
            standing=frozenset(each.type.lower() for each in owned),
            sizes={each.name: each for each in skus if each.resource_type == "virtualMachines"},
            compute=[*compute.usage.list(location)] if machines else [],
            network=[Usage(each) for each in network],
            versions=containers.managed_clusters.list_kubernetes_versions(location).values_property if clusters else [],
        )
