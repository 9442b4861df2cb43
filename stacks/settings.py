"""What may be set for a stack in `Pulumi.<stack>.yaml`: every key, its type and what it means.

Keys stand under the project's name (`medallion:location`). A misspelt key or a bad value is one error that names it,
raised before any resource is registered. This module loads no Pulumi, so that commands can read settings too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

PROJECT = "medallion"

Guid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
Region = Annotated[str, StringConstraints(pattern=r"^[a-z]+[a-z0-9]*$")]


class SettingsError(Exception):
    """A setting is missing, misspelt or has a bad value; the text names the key and says what is wanted."""


class Section(BaseModel):
    """A frozen group of settings that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Network(Section):
    """How the platform can be reached. `public`: by its public addresses, from `allowed_addresses` where given."""

    isolation: Literal["public"] = "public"
    allowed_addresses: tuple[IPv4Network, ...] = ()


class Lake(Section):
    """The data lake: how often each block is stored, and for how many days what was deleted can be had back."""

    redundancy: Literal["LRS", "ZRS", "GRS", "GZRS"]
    soft_delete_days: int = Field(ge=1, le=365)


class Databricks(Section):
    """Job clusters (runtime, node type, number of workers, spot workers) and whether jobs run on their schedules."""

    runtime: str
    node_type: str
    workers: int = Field(ge=1, le=100)
    spot: bool
    schedules: bool
    notify: tuple[Email, ...] = ()
    pushgateway: Annotated[str, StringConstraints(pattern=r"^https?://")] | None = None
    pseudonym_key: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.@-]+/[A-Za-z0-9_.@-]+$")] | None = Field(
        default=None, description="the secret (scope/key) that pseudonyms of users and addresses are made with"
    )
    grants: dict[str, Literal["reader", "engineer"]] = Field(default={}, description="group → role in the catalog")


class Aks(Section):
    """The Kubernetes cluster: minor version, price tier, and the nodes of its system pool."""

    version: Annotated[str, StringConstraints(pattern=r"^1\.\d+$")]
    tier: Literal["Free", "Standard", "Premium"]
    vm_size: str
    nodes: int = Field(ge=1, le=100)
    zones: tuple[Literal["1", "2", "3"], ...] = ()

    @model_validator(mode="after")
    def _every_zone_has_a_node(self) -> Self:
        if len(self.zones) > self.nodes:
            raise ValueError(f"{len(self.zones)} zones need at least as many nodes, not {self.nodes}")
        return self


class Validation(Section):
    """The pod that checks outputs: its image, its hours (cron, UTC), and the service principal it is on Databricks.

    Without a service principal the cron job stands, suspended: it would be nobody.
    """

    image: str
    schedule: str = "0 4 * * *"
    service_principal: Guid | None = None


class Administrator(Section):
    """Somebody who administers the cluster: the object id of a group, user or service principal in Entra."""

    object_id: Guid
    type: Literal["Group", "User", "ServicePrincipal"] = "Group"


class Existing(Section):
    """Names of what is already there and is used, not created. All of it lies in `resource_group`.

    Unity Catalog's objects belong to workspace and lake: where one of these exists, `catalog` names an existing catalog
    with a schema and a volume `files` for each container.
    """

    resource_group: str | None = None
    data_lake: str | None = None
    workspace: str | None = None
    catalog: str | None = None
    data_factory: str | None = None
    aks_cluster: str | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        given = [key for key in ("data_lake", "workspace", "data_factory", "aks_cluster") if getattr(self, key)]
        if given and not self.resource_group:
            raise ValueError(f"{given[0]} needs resource_group, the group it lies in")
        if (self.data_lake or self.workspace) and not (self.data_lake and self.workspace and self.catalog):
            raise ValueError("data_lake, workspace and catalog are given together or not at all")
        if self.catalog and not self.workspace:
            raise ValueError("catalog needs workspace and data_lake")
        return self


class Settings(Section):
    """All settings of a stack."""

    location: Region
    protect: bool = Field(default=False, description="refuse to delete the data lake and what governs it")
    lake: Lake
    databricks: Databricks
    aks: Aks
    validation: Validation
    network: Network = Network()
    administrators: dict[str, Administrator] = Field(default={}, description="who administers the cluster, by any name")
    tags: dict[str, str] = Field(default={}, description="further tags of every resource")
    names: dict[str, str] = Field(default={}, description="kind of resource → its name, instead of a generated one")
    existing: Existing = Existing()

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> Self:
        """The settings in a stack's configuration: `medallion:<key>` → text (lists and mappings as JSON) or value.

        Keys of other namespaces (the providers') are left alone. Raises SettingsError, which names the first bad key.
        """
        prefix = f"{PROJECT}:"
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
    key = f"{PROJECT}:" + ".".join(path)
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
