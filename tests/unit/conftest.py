"""A mock engine that records what a program declares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import grpc
import pulumi
import pytest
from pulumi.runtime import mocks
from pulumi.runtime.proto import source_pb2

import stacks.quick_start  # as in the program: before SDKs are loaded
from stacks.settings import Settings

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
TENANT = "66666666-7777-8888-9999-000000000000"
KUBECONFIG = "e30="  # {} in base64

Inputs = Mapping[str, Any]

STACKS = ("local", "dev", "staging", "prod")
ADMINISTRATORS = {"platform": {"object_id": "00000000-1111-2222-3333-444444444444"}}
# Stack → section → settings other than its own; which of them does what, tests say. All in one, since they do not get
# in each other's way and a stack takes its time.
CHANGES: Mapping[str, Mapping[str, Any]] = {
    "dev": {
        "location": "westeurope",
        "tags": {"team": "data", "environment": "other"},
        "names": {"resource_group": "de-log-processing-rg", "data_lake": "delogprocessingdatalake"},
        "administrators": ADMINISTRATORS,
        "github_repository": "acme/medallion",
        "lake": {"cool_after_days": 10},
        "key_vault": {"databricks_principal": "00000000-1111-2222-3333-444444444444", "soft_delete_days": 7},
        "databricks": {
            "runtime": "16.4",
            "interactive": {"workers": 1, "autotermination_minutes": 15},
            "grants": {"readers": "reader", "engineers": "engineer"},
            "notify": ["a@b.org"],
            "pushgateway": "http://10.0.0.4:9091",
            "pseudonym_key": "logs/names",
        },
        "data_factory": {"orchestration": "databricks-job"},
        "aks": {"spot": None},
        "validation": {"service_principal": "00000000-1111-2222-3333-444444444444", "schedule": "0 5 * * *"},
        "monitoring": {
            "budget": 700,
            "budget_start": "2026-12-01",
            "notify": ["b@example.com", "a@example.com"],
            "log_retention_days": 90,
        },
    },
    "prod": {
        "administrators": ADMINISTRATORS,
        "github_repository": "acme/medallion",
        "key_vault": {"databricks_principal": "00000000-1111-2222-3333-444444444444"},
        "data_factory": {"orchestration": "databricks-job", "triggers": True},  # before what needs it
        "databricks": {"interactive": None},
        "container_registry": {"retention_days": 30},
    },
}


class NotFoundError(grpc.RpcError):
    """What the engine answers where a lookup finds nothing."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNKNOWN

    def details(self) -> str:
        return "invocation of a lookup returned an error: not found\nmore about it"


@dataclass(frozen=True)
class Declared:
    """A resource as a program declared it."""

    type: str
    name: str
    inputs: Inputs


@dataclass
class Engine(mocks.Mocks):
    """Records every resource and every lookup; `existing` maps a lookup's token to what it may find, by name or id."""

    existing: Mapping[str, Sequence[Inputs]] = field(default_factory=dict)
    resources: list[Declared] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    outputs: Mapping[str, Any] = field(default_factory=dict)

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict]:
        """Answers with an id, and with the properties that the cloud would add."""
        self.resources.append(Declared(args.typ, args.name, args.inputs))
        return f"{args.name}-id", {**args.inputs, **self._added(args)}

    def call(self, args: mocks.MockCallArgs) -> Inputs:
        """Answers a lookup, or refuses it as the engine does where nothing is found."""
        self.calls.append(args.token)
        known = {
            "azure-native:authorization:getClientConfig": {"subscriptionId": SUBSCRIPTION, "tenantId": TENANT},
            "azure-native:containerservice:listManagedClusterUserCredentials": {
                "kubeconfigs": [{"name": "user", "value": KUBECONFIG}]
            },
        }
        if args.token in known:
            return known[args.token]
        asked = set(args.args.values())
        for found in self.existing.get(args.token, ()):
            if found.get("name", found["id"]) in asked:
                return found
        raise NotFoundError

    @staticmethod
    def _added(args: mocks.MockResourceArgs) -> dict[str, Any]:
        kind = args.typ.split(":")[-1]
        key = {
            "CassandraResourceCassandraKeyspace": "keyspaceName",
            "ManagedCluster": "resourceName",
            "UserAssignedIdentity": "resourceName",
        }.get(kind)
        named = args.inputs.get(key or f"{kind[:1].lower()}{kind[1:]}Name", args.inputs.get("accountName"))
        added: dict[str, Any] = {"name": named} if args.typ.startswith("azure-native") and named else {}
        identity = args.inputs.get("identity") or {}
        if "userAssignedIdentities" in identity:
            added["identity"] = {**identity, "userAssignedIdentities": {}}
        return added | {
            "StorageAccount": {"primaryEndpoints": {"dfs": f"https://{named}.dfs.core.windows.net/"}},
            "Workspace": {"workspaceUrl": "adb-1.azuredatabricks.net"},
            "Vault": {
                "properties": {**args.inputs.get("properties", {}), "vaultUri": f"https://{named}.vault.azure.net/"}
            },
            "Registry": {"loginServer": f"{named}.azurecr.io"},
            "ManagedCluster": {
                "identityProfile": {"kubeletidentity": {"objectId": "kubelet-principal"}},
                "oidcIssuerProfile": {"enabled": True, "issuerURL": "https://issuer.example/"},
            },
            "Factory": {"identity": {"type": "SystemAssigned", "principalId": "factory-principal"}},
            "UserAssignedIdentity": {"principalId": f"{args.name}-principal", "clientId": f"{args.name}-client"},
        }.get(kind, {})

    def run(self, program: Callable[[], Mapping[str, Any] | None], *, stack: str = "local") -> Engine:
        """Runs a program to its end and keeps what it returns. Raises what the program raises."""
        mocks.set_mocks(self, project="medallion", stack=stack)

        def keep(outputs: Mapping[str, Any]) -> None:
            self.outputs = outputs

        # Without a state and an engine nobody wants former names of types, a dozen for each resource, nor the lines of
        # the program that declare it, nor notes on every value: they cost most of the time.
        with (
            mock.patch("pulumi.resource.collapse_alias_to_urn"),
            mock.patch("pulumi.runtime.resource._get_stack_trace", lambda: source_pb2.StackTrace()),
            mock.patch("pulumi.log.debug", lambda *_, **__: None),
        ):
            pulumi.runtime.test(lambda: pulumi.Output.all(**(program() or {})).apply(keep))()
        return self

    def of(self, kind: str) -> list[Declared]:
        """The resources (components aside) whose type ends in that kind, by name."""
        real = (r for r in self.resources if not r.type.startswith("medallion:"))
        return sorted((r for r in real if r.type.endswith(f":{kind}")), key=lambda r: r.name)

    def one(self, kind: str) -> Inputs:
        """The inputs of the only resource of a kind."""
        (only,) = self.of(kind)
        return only.inputs

    def inputs(self, name: str) -> Inputs:
        """The inputs of the resource of that name that is no component."""
        (only,) = [r for r in self.resources if r.name == name and not r.type.startswith("medallion:")]
        return only.inputs


@dataclass(frozen=True)
class Recorder:
    """Runs the whole program of a stack on a mock engine."""

    own: Mapping[str, Settings]

    def settings(self, stack: str, **changes: Any) -> Settings:
        """The settings of a stack, with changes: section → new values of its keys, or a value."""
        settings = self.own[stack]
        for key, change in changes.items():
            old = getattr(settings, key)
            changed = {**old.model_dump(), **change} if hasattr(old, "model_dump") else change
            settings = Settings.model_validate(settings.model_dump() | {key: changed})
        return settings

    def __call__(self, stack: str = "local", *, recover_vault: bool = False, **changes: Any) -> Engine:
        """What the stack declares with these settings, and its outputs."""
        from stacks.place import Place
        from stacks.program import declare
        from workloads.spec import discover

        place = Place(cloud="simulated", stack=stack, auth_type="azure-cli", recover_vault=recover_vault)
        settings = self.settings(stack, **changes)
        return Engine().run(lambda: declare(settings, place, discover()), stack=stack)


@pytest.fixture(scope="session")
def record(project_root: Path) -> Recorder:
    """Runs the program of a stack, with changed settings where asked, and returns what it declared."""
    return Recorder({stack: Settings.load(project_root / f"Pulumi.{stack}.yaml") for stack in STACKS})


@pytest.fixture(scope="session")
def stacks(record: Recorder) -> Mapping[str, Engine]:
    """What each of the four stacks declares; only to be read, as `changed` is."""
    return {stack: record(stack) for stack in STACKS}


@pytest.fixture(scope="session")
def changed(record: Recorder) -> Mapping[str, Engine]:
    """What stacks declare with the other settings of CHANGES, and where a deleted vault is to be had back."""
    return {stack: record(stack, recover_vault=True, **changes) for stack, changes in CHANGES.items()}


@contextmanager
def _row(*values: Any) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        error.add_note(f"in the row {values!r}")
        raise


@pytest.fixture(scope="session")
def row() -> Callable[..., AbstractContextManager[None]]:
    """Names the row of a table in whatever fails with it: `with row(*values):`."""
    return _row


@pytest.fixture(scope="session")
def sdk() -> ModuleType:
    """The SDK of Databricks' workspaces, which takes a second to load: only in one worker (tests/conftest.py)."""
    import databricks.sdk

    return databricks.sdk


@pytest.fixture(scope="session")
def pd() -> ModuleType:
    """Pandas, likewise."""
    import pandas

    return pandas


@pytest.fixture(scope="session")
def mlflow() -> ModuleType:
    """MLflow, likewise."""
    import mlflow

    return mlflow


@pytest.fixture
def engine() -> Engine:
    """A mock engine, to run a part of a program."""
    return Engine()
