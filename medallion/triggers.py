"""`medallion triggers`: stop the data factory's triggers before `up`, start them after it.

Azure refuses to change or delete a trigger that is started, and creates every trigger stopped.
Source: https://learn.microsoft.com/azure/data-factory/continuous-integration-delivery-sample-script
"""

from __future__ import annotations

import json as codec
import time
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from medallion import options
from medallion.console import emit
from stacks.settings import Settings, SettingsError
from toolchain.engine import engine, require, tracked
from toolchain.errors import UserError

if TYPE_CHECKING:
    from azure.mgmt.resource.resources import ResourceManagementClient

API = "2018-06-01"
ROUNDS, PAUSE = 60, 5.0
"""How often a trigger is looked at, and seconds between: one that waits for files subscribes to the events of the lake,
and is refused whatever one asks of it meanwhile. Margins, not measurements."""


class Action(StrEnum):
    """What to do with triggers."""

    STOP = "stop"
    START = "start"


STATES = {Action.STOP: "Stopped", Action.START: "Started"}


def triggers(
    action: Annotated[Action, typer.Argument(help="stop: before `up`; start: after it.")],
    stack: options.Stack = "local",
    cloud: options.Cloud = "simulated",
    json: options.Json = False,
) -> None:
    """Stop or start the triggers of a stack's data factory. Only settings with data_factory.triggers start any."""
    names, reason = _bring(action, stack, cloud)
    state = STATES[action].lower()

    def render(console: Console) -> None:
        for name in names:
            console.print(f"{state} {name}")
        if not names:
            console.print(f"no trigger {state}: {reason}")

    emit({"state": state, "triggers": names}, json, render)


def _bring(action: Action, stack: str, cloud: str) -> tuple[list[str], str]:
    """The names of the triggers that changed their state, and why there are none if there are none."""
    require(stack, cloud)
    if cloud == "simulated":
        return [], f"stack {stack} is simulated"
    if action is Action.START and not _settings(stack).data_factory.triggers:
        return [], f"data_factory.triggers is off in {tracked(stack).name}"
    # Untyped: what is deployed may be of older code than this.
    outputs = codec.loads(engine(stack, cloud).capture("stack", "output", "--json"))
    if "data_factory" not in outputs:
        return [], f"stack {stack} has no data factory yet"
    from azure.mgmt.resource.resources import ResourceManagementClient

    from medallion import azure

    subscription = azure.subscription_of(stack)
    group = f"/subscriptions/{subscription}/resourceGroups/{outputs['resource_group']}"
    factory = f"{group}/providers/Microsoft.DataFactory/factories/{outputs['data_factory']}"
    with azure.talk(subscription), ResourceManagementClient(**azure.options(subscription)) as client:
        names = bring(client, factory, f"{stack}_", action, wait=time.sleep)
    return names, f"all of them are {STATES[action].lower()}"


def _settings(stack: str) -> Settings:
    try:
        return Settings.load(tracked(stack))
    except SettingsError as error:
        raise UserError(str(error)) from None


def bring(
    client: ResourceManagementClient, factory: str, prefix: str, action: Action, wait: Callable[[float], None]
) -> list[str]:
    """Stop or start the triggers of a factory whose names begin with a prefix; the names of those that were not so yet.

    `factory` is the factory's id, `wait` waits for some seconds. Raises UserError where a trigger does not get there,
    and what the SDK raises. Source: https://learn.microsoft.com/rest/api/datafactory/triggers
    """
    from medallion.azure import items

    found = items(client, f"{factory}/triggers?api-version={API}")
    names = [
        each["name"]
        for each in found
        if each["name"].startswith(prefix) and each["properties"]["runtimeState"] != STATES[action]
    ]
    for name in names:
        _bring_one(client, f"{factory}/triggers/{name}", action, wait)
    return names


def _bring_one(client: ResourceManagementClient, trigger: str, action: Action, wait: Callable[[float], None]) -> None:
    from azure.core.rest import HttpRequest

    asked = False
    for _ in range(ROUNDS):
        if not asked:
            answer = client.send_request(HttpRequest("POST", f"{trigger}/{action}?api-version={API}"))
            busy = answer.status_code == 400 and "during provisioning" in answer.text()
            if not busy:
                answer.raise_for_status()
            asked = not busy
        state = client.send_request(HttpRequest("GET", f"{trigger}?api-version={API}"))
        state.raise_for_status()
        if state.json()["properties"]["runtimeState"] == STATES[action]:
            return
        wait(PAUSE)
    raise UserError(f"{trigger}: still not {STATES[action].lower()}; look at it in Azure Data Factory Studio")
