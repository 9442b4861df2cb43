"""What the types of resources have in common: the row of a table that describes one, and the life of a resource."""

import importlib
import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from simulator import properties
from simulator.state import Cloud, CloudError, Resource

CLASSES = {"azure-native": "Azure", "databricks": "Databricks", "kubernetes": "Kubernetes"}

Rule = Callable[[Cloud, Resource], None]


def _nothing(_cloud: Cloud, _resource: Resource) -> None:
    pass


def _no_outputs(_cloud: Cloud, _resource: Resource) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Kind:
    """What is special about one type of resource: a row of a provider's table."""

    type: str
    id: str | Callable[[Mapping[str, Any]], str]  # of the inputs, e.g. "{catalogName}.{name}": the natural key
    naming: Mapping[str, str] = field(default_factory=dict)  # property → regular expression of the names allowed
    replace: tuple[str, ...] = ()  # property paths whose change needs a new resource
    parent: Callable[[Cloud, Resource], str] = lambda _cloud, _resource: ""  # its key; raises if it does not exist
    defaults: Callable[[dict[str, Any]], dict[str, Any]] = dict  # the inputs completed, as the provider's Check does
    rules: Rule = _nothing  # raises CloudError for what the cloud refuses at create and update
    outputs: Callable[[Cloud, Resource], dict[str, Any]] = _no_outputs
    written: Rule = _nothing  # what creating or updating does outside the database
    deletable: Rule = _nothing  # raises CloudError for what the cloud refuses at delete
    deleted: Rule = _nothing  # what deleting does outside the database
    read: Callable[[Cloud, Resource], Resource | None] = lambda _cloud, resource: resource
    computed: tuple[str, ...] = ()  # inputs to which the cloud adds something, so that a preview cannot know them
    adopts: bool = False  # creating it takes over what is there: it came with its parent, or an upload overwrites it
    taken: str = "cannot create already existing resource '{id}'"  # what the cloud says of a second one, by its inputs

    def identify(self, inputs: Mapping[str, Any], **more: str) -> str:
        """The id (or natural key) that a resource with these inputs has."""
        if callable(self.id):
            return self.id(inputs)
        wanted = [name for _, name, _, _ in string.Formatter().parse(self.id) if name]
        values = {**inputs, **more}
        missing = [name for name in wanted if not isinstance(values.get(name), str | int)]
        if missing:
            raise CloudError(f"{missing[0]}: the simulated cloud needs it named explicitly")
        return self.id.format_map(values)


class Package:
    """The resource types of one provider, and the life of a resource among them."""

    name: str
    kinds: Mapping[str, Kind]
    retries: int  # how often the real provider asks again where the cloud throttles it
    throttled: str  # what it says when that was of no use

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config

    # what a provider says about its types; `resource` is a draft without computed properties

    def scope(self, cloud: Cloud, kind: Kind) -> str:
        """The key of what serves the API; raises CloudError where it cannot be reached."""
        return ""

    def identify(self, cloud: Cloud, kind: Kind, inputs: Mapping[str, Any]) -> str:
        return kind.identify(inputs)

    def key(self, scope: str, kind: Kind, id_: str) -> str:
        return f"{scope}/{kind.type}/{id_}"

    def parent(self, cloud: Cloud, kind: Kind, resource: Resource) -> str:
        """The key of what the resource belongs to; raises CloudError if that does not exist."""
        return kind.parent(cloud, resource)

    def problems(self, cloud: Cloud, kind: Kind, inputs: Mapping[str, Any]) -> list[properties.Problem]:
        """What is wrong with the inputs by themselves."""
        return properties.check(kind.type, inputs)

    def kind(self, type_: str) -> Kind:
        if type_ not in self.kinds:
            raise CloudError(f"the simulated {self.name} provider does not know the type {type_}")
        return self.kinds[type_]

    def check(self, cloud: Cloud, type_: str, inputs: Mapping[str, Any]) -> list[properties.Problem]:
        """All that is wrong with a resource's inputs, by property path."""
        kind = self.kind(type_)
        problems = self.problems(cloud, kind, inputs)
        for name, allowed in kind.naming.items():
            value = inputs.get(name)
            if value is None:
                problems.append((name, "the simulated cloud needs it named explicitly"))
            elif isinstance(value, str) and value != properties.UNKNOWN and not re.fullmatch(allowed, value):
                problems.append((name, f"'{value}' is not a name that the cloud allows: it must match {allowed}"))
        return problems

    def _draft(self, cloud: Cloud, type_: str, inputs: dict[str, Any], id_: str | None = None) -> Resource:
        problems = self.check(cloud, type_, inputs)
        if problems:
            raise CloudError("; ".join(f"{path}: {reason}" for path, reason in problems))
        kind = self.kind(type_)
        scope = self.scope(cloud, kind)
        id_ = id_ or self.identify(cloud, kind, inputs)
        return Resource(self.key(scope, kind, id_), type_, id_, scope, "", inputs)

    def create(self, cloud: Cloud, type_: str, inputs: dict[str, Any]) -> Resource:
        kind, draft = self.kind(type_), self._draft(cloud, type_, inputs)
        if cloud.get(draft.key) and not kind.adopts:
            raise CloudError(kind.taken.format_map({**draft.inputs, "id": draft.id}))
        return self._write(cloud, replace(draft, parent=self.parent(cloud, kind, draft)))

    def update(self, cloud: Cloud, type_: str, id_: str, inputs: dict[str, Any]) -> Resource:
        draft = self._draft(cloud, type_, inputs, id_)
        old = cloud.get(draft.key)
        if old is None:
            raise CloudError(f"'{id_}' was not found")
        return self._write(cloud, replace(draft, parent=old.parent, computed=old.computed))

    def _write(self, cloud: Cloud, draft: Resource) -> Resource:
        kind = self.kind(draft.type)
        kind.rules(cloud, draft)
        resource = replace(draft, computed=kind.outputs(cloud, draft))
        cloud.put(resource)
        kind.written(cloud, resource)
        return resource

    def read(self, cloud: Cloud, type_: str, id_: str) -> Resource | None:
        """The resource as it is now, or None if it is gone."""
        kind = self.kind(type_)
        resource = cloud.get(self.key(self.scope(cloud, kind), kind, id_))
        return resource and kind.read(cloud, resource)

    def delete(self, cloud: Cloud, type_: str, id_: str) -> None:
        """Delete a resource and all that belongs to it; what is gone already stays gone."""
        kind = self.kind(type_)
        resource = cloud.get(self.key(self.scope(cloud, kind), kind, id_))
        if resource is None:
            return
        kind.deletable(cloud, resource)
        self.erase(cloud, resource)

    def erase(self, cloud: Cloud, resource: Resource) -> None:
        """Take a resource, all that belongs to it, and their files out of the cloud."""
        members = (*cloud.family(resource.key), resource)
        for member in members:
            if member.type in self.kinds:  # a cluster's objects leave nothing outside the database
                self.kind(member.type).deleted(cloud, member)
        for member in members:
            cloud.drop(member.key)

    def invoke(self, cloud: Cloud, token: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The result of a function of the provider."""
        raise CloudError(f"the simulated {self.name} provider does not know the function {token}")

    def unknown_before_create(self, kind: Kind) -> frozenset[str]:
        """The properties that a preview cannot know."""
        return properties.computed_names(kind.type).union(kind.computed)

    def delete_before_replace(self, kind: Kind, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        """Whether a replacement must wait for the old one to go: if both would have the same id."""
        return properties.has_unknown(new) or kind.identify(old) == kind.identify(new)

    def moved(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
        """The settings of the provider whose change means another cloud, so that all its resources are replaced."""
        return ()

    def same(self, path: str, old: Any, new: Any) -> bool:
        """Whether the cloud takes two different values for the same one."""
        return False


def package(name: str, config: Mapping[str, Any]) -> Package:
    """The resource types of one provider, configured."""
    module = importlib.import_module(f"simulator.{name.partition('-')[0]}")
    configured: Package = getattr(module, CLASSES[name])(config)
    return configured
