"""What may be set for a stack in `Pulumi.<stack>.yaml`: every key, its type and what it means.

Keys stand under the project's name (`medallion:location`). A misspelt key or a bad value is one error that names it,
raised before any resource is registered. This module loads no Pulumi, so that commands can read settings too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from policies.pricing.usage import Usage

PROJECT = "medallion"

Guid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
Region = Annotated[str, StringConstraints(pattern=r"^[a-z]+[a-z0-9]*$")]
Secret = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.@-]+/[A-Za-z0-9_.@-]+$")]
"""A secret of the workspace, as `scope/key`."""


class SettingsError(Exception):
    """A setting is missing, misspelt or has a bad value; the text names the key and says what is wanted."""


class Section(BaseModel):
    """A frozen group of settings that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Network(Section):
    """How the platform can be reached (components/network.py says what the levels mean).

    `allowed_addresses` are those from which public endpoints answer (none: from all); `address_space` is that of the
    virtual network, where the level has one.
    """

    isolation: Literal["public", "vnet-injected", "private-link"] = "public"
    allowed_addresses: tuple[IPv4Network, ...] = ()
    address_space: IPv4Network = IPv4Network("10.20.0.0/16")


class Lake(Section):
    """The data lake: how often each block is stored, for how many days what was deleted can be had back, and after how
    many days without a change files become cool.
    """

    redundancy: Literal["LRS", "ZRS", "GRS", "GZRS"]
    soft_delete_days: int = Field(ge=1, le=365)
    cool_after_days: int = Field(default=30, ge=1, le=3650)


class KeyVault(Section):
    """The key vault: days that what was deleted can be had back, and the object id of AzureDatabricks in the tenant.

    Without that id, Databricks' secret scope stands but may not read: `az ad sp show --id
    2ff814a6-3304-4ab8-85cb-cd0e6f879c1d --query id` tells it.
    """

    soft_delete_days: int = Field(default=90, ge=7, le=90)
    databricks_principal: Guid | None = None


class ContainerRegistry(Section):
    """The container registry: days after which images go that no tag names any more (tier Premium)."""

    retention_days: int = Field(default=7, ge=0, le=365)


class InteractiveCluster(Section):
    """The cluster that people and the data factory share: workers, and minutes without work until it stops."""

    workers: int = Field(default=2, ge=1, le=100)
    autotermination_minutes: int = Field(default=30, ge=10, le=120)


class DataFactory(Section):
    """How pipelines run workloads (components/pipelines.py), and whether their triggers run instead of job schedules.

    Triggers are created stopped: who deploys starts them (docs/azure.md).
    """

    orchestration: Literal["notebooks", "databricks-job"] = "notebooks"
    triggers: bool = False


class Databricks(Section):
    """Job clusters (runtime, node type, number of workers, spot workers) and whether jobs run on their schedules."""

    runtime: str
    node_type: str
    workers: int = Field(ge=1, le=100)
    spot: bool
    schedules: bool
    notify: tuple[Email, ...] = ()
    interactive: InteractiveCluster | None = InteractiveCluster()
    pushgateway: Annotated[str, StringConstraints(pattern=r"^https?://")] | None = None
    pseudonym_key: Secret | None = Field(
        default=None, description="the secret (scope/key) that pseudonyms of users and addresses are made with"
    )
    grants: dict[str, Literal["reader", "engineer"]] = Field(default={}, description="group → role in the catalog")


class Astra(Section):
    """AstraDB as the serving store: the path of its secure-connect bundle on a volume, and the secret (scope/key) of
    its token. The keyspace, named after the workload's folder, and its tables have to be there.
    """

    bundle: Annotated[str, StringConstraints(pattern=r"^/Volumes/[^?#]+\.zip$")]
    token: Secret


class ServingStore(Section):
    """The serving store, where a workload serves something: Cosmos DB for Apache Cassandra, or AstraDB instead.

    With `request_units`, the most a second, it scales from a tenth of them; without, it is serverless. `key` is the
    secret (scope/key) that holds the account's key, where it is not this stack that puts the key into the vault.
    """

    request_units: int | None = Field(default=None, ge=1000, le=1_000_000, multiple_of=1000)
    zone_redundant: bool = False
    key: Secret | None = None
    astra: Astra | None = None

    @model_validator(mode="after")
    def _is_one_store(self) -> Self:
        others = [key for key in ("request_units", "zone_redundant", "key") if getattr(self, key)]
        if self.astra and others:
            raise ValueError(f"astra and {others[0]} exclude each other: AstraDB stands instead of Cosmos DB")
        return self


class EventStream(Section):
    """The event stream (Event Hubs), where a workload reads one: throughput units of 1 MB or 1,000 events a second.

    `credential` is the service credential of Unity Catalog that may read it, where the workspace is not this stack's.
    """

    throughput_units: int = Field(default=1, ge=1, le=40)
    credential: Annotated[str, StringConstraints(pattern=r"^[\w-]+$")] | None = None


class NodePool(Section):
    """A pool of nodes that grows and shrinks."""

    vm_size: str
    fewest: int = Field(ge=0, le=1000)
    most: int = Field(ge=1, le=1000)

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> Self:
        if self.fewest > self.most:
            raise ValueError(f"fewest ({self.fewest}) is more than most ({self.most})")
        return self


class Aks(Section):
    """The Kubernetes cluster: minor version, price tier, the nodes of its system pool, the user pool, and a spot pool
    for what may be stopped at any time.
    """

    version: Annotated[str, StringConstraints(pattern=r"^1\.\d+$")]
    tier: Literal["Free", "Standard", "Premium"]
    vm_size: str
    nodes: int = Field(ge=1, le=100)
    zones: tuple[Literal["1", "2", "3"], ...] = ()
    user: NodePool
    spot: NodePool | None = None

    @model_validator(mode="after")
    def _every_zone_has_a_node(self) -> Self:
        if len(self.zones) > self.nodes:
            raise ValueError(f"{len(self.zones)} zones need at least as many nodes, not {self.nodes}")
        return self


class Validation(Section):
    """The pod that checks outputs: its image in the stack's registry, its hours (cron, UTC), and the service principal
    that it is on Databricks.

    Without a service principal the cron job stands, suspended: it would be nobody.
    """

    image: str
    schedule: str = "0 4 * * *"
    service_principal: Guid | None = None


class Administrator(Section):
    """Somebody who administers the cluster: the object id of a group, user or service principal in Entra."""

    object_id: Guid
    type: Literal["Group", "User", "ServicePrincipal"] = "Group"


class Monitoring(Section):
    """Azure Monitor: days that logs are kept, who is told, and the budget a month (in the subscription's currency).

    `budget_start` is the first of a month; Azure refuses a budget that begins before the present one when it is new.
    """

    log_retention_days: int = Field(default=30, ge=30, le=730)
    notify: tuple[Email, ...] = Field(min_length=1)
    budget: int = Field(gt=0)
    budget_start: date

    @field_validator("budget_start")
    @classmethod
    def _is_the_first(cls, day: date) -> date:
        if day.day != 1:
            raise ValueError("it must be the first day of a month")
        return day


class Existing(Section):
    """Names of what is already there and is used, not created. All of it lies in `resource_group`.

    Unity Catalog's objects belong to workspace and lake: where one of these exists, `catalog` names an existing catalog
    with a schema and a volume `files` for each container and a schema `speed`, and `interactive_cluster` is the id of
    the cluster on which notebooks run. A serving store has its keyspaces and tables, an event stream its hubs already.
    """

    resource_group: str | None = None
    data_lake: str | None = None
    key_vault: str | None = None
    container_registry: str | None = None
    log_workspace: str | None = None
    workspace: str | None = None
    catalog: str | None = None
    interactive_cluster: str | None = None
    data_factory: str | None = None
    aks_cluster: str | None = None
    serving_store: str | None = None
    event_stream: str | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        inside = [key for key in type(self).model_fields if key not in ("resource_group", "catalog")]
        given = [key for key in inside if getattr(self, key)]
        if given and not self.resource_group:
            raise ValueError(f"{given[0]} needs resource_group, the group it lies in")
        if (self.data_lake or self.workspace) and not (self.data_lake and self.workspace and self.catalog):
            raise ValueError("data_lake, workspace and catalog are given together or not at all")
        if (self.catalog or self.interactive_cluster) and not self.workspace:
            raise ValueError(f"{'catalog' if self.catalog else 'interactive_cluster'} needs workspace and data_lake")
        return self


class Settings(Section):
    """All settings of a stack."""

    location: Region = Field(description="the Azure region, as `az account list-locations` names it")
    protect: bool = Field(default=False, description="refuse to delete the data lake and what governs it")
    github_repository: Annotated[str, StringConstraints(pattern=r"^[\w.@-]+/[\w.:@-]+$")] | None = Field(
        default=None,
        description="the repository (owner/name, as its tokens tell it) whose workflows deploy; the environment there"
        " is named as the stack",
    )
    lake: Lake
    databricks: Databricks
    aks: Aks
    validation: Validation
    monitoring: Monitoring
    network: Network = Network()
    key_vault: KeyVault = KeyVault()
    container_registry: ContainerRegistry = ContainerRegistry()
    data_factory: DataFactory = DataFactory()
    serving_store: ServingStore = ServingStore()
    event_stream: EventStream = EventStream()
    administrators: dict[str, Administrator] = Field(default={}, description="who administers the cluster, by any name")
    tags: dict[str, str] = Field(default={}, description="further tags of every resource")
    names: dict[str, str] = Field(default={}, description="kind of resource → its name, instead of a generated one")
    existing: Existing = Existing()
    handover: str | None = Field(
        default=None, description="who takes over what this stack created: the new value of its owner tag"
    )
    usage: Usage = Field(default=Usage(), description="what `medallion cost` assumes; changes no resource")

    @model_validator(mode="after")
    def _notebooks_have_a_cluster(self) -> Self:
        if self.data_factory.orchestration == "notebooks":
            if self.existing.workspace and not self.existing.interactive_cluster:
                raise ValueError("data_factory.orchestration 'notebooks' needs existing.interactive_cluster")
            if not self.existing.workspace and not self.databricks.interactive:
                raise ValueError("data_factory.orchestration 'notebooks' needs databricks.interactive")
        return self

    @model_validator(mode="after")
    def _there_is_one_serving_store(self) -> Self:
        if self.serving_store.astra and self.existing.serving_store:
            raise ValueError("serving_store.astra and existing.serving_store exclude each other")
        return self

    @classmethod
    def read(cls, config: Mapping[str, Any], secret: Iterable[str] = ()) -> Self:
        """The settings in a stack's configuration: `medallion:<key>` → text (lists and mappings as JSON) or value.

        `secret` are the keys whose values are encrypted: of ours, none may be, for what a stack declares with them can
        be read in its resources. Keys of other namespaces (the providers') are left alone. Raises SettingsError, which
        names the first bad key.
        """
        prefix = f"{PROJECT}:"
        for key in sorted(secret):
            if key.startswith(prefix):
                raise SettingsError(f"{key}: a setting cannot be secret: put the value into the key vault instead")
        own = {key.removeprefix(prefix): _value(value) for key, value in config.items() if key.startswith(prefix)}
        try:
            return cls.model_validate(own)
        except ValidationError as error:
            raise SettingsError(_explain(error)) from None

    @classmethod
    def load(cls, path: Path) -> Self:
        """The settings in a file `Pulumi.<stack>.yaml`. Raises SettingsError."""
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise SettingsError(f"{path} does not exist: there is no such stack") from None
        except yaml.YAMLError as error:
            raise SettingsError(f"{path} is no YAML: {error}".replace("\n", " ")) from None
        if not isinstance(content, dict) or not isinstance(content.get("config"), dict):
            raise SettingsError(f"{path}: there is no mapping `config`")
        return cls.read(content["config"])


def _value(value: Any) -> Any:
    """A value of the configuration; lists and mappings arrive as JSON."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value


def _explain(error: ValidationError) -> str:
    """One of the errors as one line that names the key: a misspelt key if there is one, for it hides a missing one."""
    errors = error.errors()
    first = next((each for each in errors if each["type"] == "extra_forbidden"), errors[0])
    path = [str(part) for part in first["loc"]]
    key = ".".join([f"{PROJECT}:{path[0]}", *path[1:]]) if path else PROJECT
    if first["type"] == "extra_forbidden":
        known = ", ".join(sorted(_section(path[:-1]).model_fields))
        return f"{key}: there is no such setting; known here are {known}"
    if first["type"] == "missing":
        return f"{key}: this setting is missing"
    message = first["msg"].removeprefix("Value error, ")
    given = "" if isinstance(first["input"], dict | BaseModel) else f", not {first['input']!r}"
    return f"{key}: {message[:1].lower()}{message[1:]}{given}"


def _section(path: list[str]) -> type[BaseModel]:
    """The model at that path of keys."""
    section: type[BaseModel] = Settings
    for part in path:
        if part in section.model_fields:
            annotation = section.model_fields[part].annotation
            if isinstance(annotation, type) and issubclass(annotation, BaseModel):
                section = annotation
            elif part == "administrators":
                section = Administrator
    return section
