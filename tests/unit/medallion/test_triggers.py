"""`medallion triggers`: which triggers it stops and starts, and how it waits for them."""

import importlib
import json
from types import SimpleNamespace
from urllib.parse import urlparse

import pytest

from medallion.triggers import PAUSE, ROUNDS, Action, bring, triggers
from stacks.settings import Settings
from toolchain.errors import UserError

SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
FACTORY = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.DataFactory/factories/adf"
OUTPUTS = {"resource_group": "rg", "data_factory": "adf"}


class Factory:
    """A data factory with triggers: name → state. `slow` are rounds until a trigger is what it was told to be."""

    def __init__(self, resource_manager, states, slow=0, busy=0):
        self.states, self.told, self.slow, self.busy = dict(states), {}, slow, busy
        self.manager = resource_manager(self.answer)

    def answer(self, method, url):
        path = urlparse(url).path.removeprefix(f"{FACTORY}/triggers").strip("/").split("/")
        if path == [""]:
            return 200, {"value": [self.document(name) for name in self.states]}
        name = path[0]
        if method == "POST":
            if self.busy:
                self.busy -= 1
                return 400, {
                    "error": {"code": "BadRequest", "message": "Resource cannot be updated during provisioning"}
                }
            self.told[name] = ({"stop": "Stopped", "start": "Started"}[path[1]], self.slow)
            return 202, {}
        state, rounds = self.told[name]
        self.told[name] = (state, rounds - 1)
        if rounds <= 0:
            self.states[name] = state
        return 200, self.document(name)

    def document(self, name):
        properties = {"type": "ScheduleTrigger", "runtimeState": self.states[name], "pipelines": []}
        return {"id": f"{FACTORY}/triggers/{name}", "name": name, "properties": properties, "etag": "e"}

    def bring(self, action, waited=None):
        from azure.mgmt.resource.resources import ResourceManagementClient

        waits = [] if waited is None else waited
        with ResourceManagementClient(subscription_id=SUBSCRIPTION, **self.manager.clients()) as client:
            return bring(client, FACTORY, "prod_", action, wait=waits.append)

    def told_to(self):
        return [
            url.partition("/triggers/")[2].partition("?")[0] for method, url in self.manager.asked if method == "POST"
        ]


STATES = {"prod_a_schedule": "Started", "prod_a_arrival": "Stopped", "staging_a_schedule": "Started"}


@pytest.mark.parametrize(
    ("action", "changed", "states"),
    [
        (Action.STOP, ["prod_a_schedule"], ["Stopped", "Stopped", "Started"]),
        (Action.START, ["prod_a_arrival"], ["Started", "Started", "Started"]),
    ],
)
def test_triggers_of_the_stack_that_are_not_so_yet_are_brought_there(resource_manager, action, changed, states):
    factory = Factory(resource_manager, STATES)
    assert factory.bring(action) == changed
    assert list(factory.states.values()) == states
    assert factory.told_to() == [f"{name}/{action}" for name in changed]
    assert factory.bring(action) == []


def test_a_trigger_that_is_slow_is_told_once_and_waited_for(resource_manager):
    factory, waited = Factory(resource_manager, STATES, slow=3), []
    factory.bring(Action.START, waited)
    assert factory.told_to() == ["prod_a_arrival/start"]
    assert waited == [PAUSE] * 3


def test_a_trigger_that_is_busy_is_told_again(resource_manager):
    factory, waited = Factory(resource_manager, STATES, busy=2), []
    factory.told["prod_a_arrival"] = ("Stopped", 0)
    factory.bring(Action.START, waited)
    assert factory.told_to() == ["prod_a_arrival/start"] * 3
    assert waited == [PAUSE] * 2


def test_a_trigger_that_never_gets_there_is_one_line(resource_manager):
    factory, waited = Factory(resource_manager, STATES, slow=ROUNDS), []
    with pytest.raises(UserError) as error:
        factory.bring(Action.START, waited)
    assert str(error.value) == (
        f"{FACTORY}/triggers/prod_a_arrival: still not started; look at it in Azure Data Factory Studio"
    )
    assert len(waited) == ROUNDS


def test_what_azure_refuses_is_one_line(resource_manager):
    from azure.mgmt.resource.resources import ResourceManagementClient

    from medallion import azure

    refused = {"error": {"code": "AuthorizationFailed", "message": "The client 'x' has no right to start."}}
    manager = resource_manager(lambda method, url: (403, refused))
    with (
        pytest.raises(UserError, match=rf"^Azure, subscription {SUBSCRIPTION}: .*The client 'x' has no right to start"),
        azure.talk(SUBSCRIPTION),
        ResourceManagementClient(subscription_id=SUBSCRIPTION, **manager.clients()) as client,
    ):
        bring(client, FACTORY, "prod_", Action.START, wait=lambda _: None)


@pytest.fixture
def deployed(monkeypatch, project_root):
    """Gives a stack its outputs, its setting and its factory, and returns what the subcommand prints."""
    module = importlib.import_module("medallion.triggers")
    azure = importlib.import_module("medallion.azure")

    def deploy(outputs, factory=None, triggers=True):
        settings = Settings.load(project_root / "Pulumi.prod.yaml")
        section = settings.data_factory.model_copy(update={"triggers": triggers})
        settings = settings.model_copy(update={"data_factory": section})
        target = SimpleNamespace(capture=lambda *command: json.dumps(outputs))
        monkeypatch.setattr(module, "engine", lambda stack, cloud: target)
        monkeypatch.setattr(module, "_settings", lambda stack: settings)
        monkeypatch.setattr(azure, "subscription_of", lambda stack: SUBSCRIPTION)
        if factory:
            clients = {"subscription_id": SUBSCRIPTION, **factory.manager.clients()}
            monkeypatch.setattr(azure, "options", lambda subscription: clients)

    return deploy


def test_the_subcommand_says_what_it_did(deployed, resource_manager, capsys):
    deployed(OUTPUTS, Factory(resource_manager, STATES))
    triggers(Action.STOP, stack="prod", cloud="azure")
    assert capsys.readouterr().out == "stopped prod_a_schedule\n"
    triggers(Action.START, stack="prod", cloud="azure", json=True)
    names = ["prod_a_schedule", "prod_a_arrival"]
    assert json.loads(capsys.readouterr().out) == {"state": "started", "triggers": names}
    triggers(Action.START, stack="prod", cloud="azure")
    assert capsys.readouterr().out == "no trigger started: all of them are started\n"


@pytest.mark.parametrize(
    ("action", "cloud", "outputs", "on", "reason"),
    [
        (Action.STOP, "simulated", OUTPUTS, True, "no trigger stopped: stack prod is simulated"),
        (Action.STOP, "azure", {}, True, "no trigger stopped: stack prod has no data factory yet"),
        (Action.START, "azure", OUTPUTS, False, "no trigger started: data_factory.triggers is off in Pulumi.prod.yaml"),
    ],
)
def test_where_there_is_nothing_to_do_it_says_why(deployed, capsys, action, cloud, outputs, on, reason):
    deployed(outputs, triggers=on)
    triggers(action, stack="prod", cloud=cloud)
    assert capsys.readouterr().out == f"{reason}\n"
