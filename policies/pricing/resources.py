"""The resources of a stack, from a document of the Pulumi engine: a preview's JSON, or an export of the state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What stands in a preview for a text that is not known yet.
Source: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/plugin/rpc.go"""

GOING = ("delete", "delete-replaced", "discard", "discard-replaced", "read", "read-discard", "read-replacement")
"""Steps of a preview after which the stack has no such resource of its own."""

Inputs = Mapping[str, Any]


class DocumentError(ValueError):
    """A document that holds no resources, or not all; the text says what to do."""


@dataclass(frozen=True)
class Resource:
    """A declared resource: its type, name and inputs (None where a preview does not know a value yet), and the URNs of
    what it depends on."""

    type: str
    name: str
    inputs: Inputs
    urn: str = ""
    dependencies: Sequence[str] = ()


@dataclass(frozen=True)
class Resources:
    """All resources of a stack."""

    all: Sequence[Resource]

    @cached_property
    def _by_urn(self) -> Mapping[str, Resource]:
        return {resource.urn: resource for resource in self.all if resource.urn}

    def of(self, type_: str) -> list[Resource]:
        """The resources of a type."""
        return [resource for resource in self.all if resource.type == type_]

    def needs(self, resource: Resource, other: Resource) -> bool:
        """Whether a resource depends on another, directly or through others."""
        seen: set[str] = set()
        todo = list(resource.dependencies)
        while todo:
            urn = todo.pop()
            if urn not in seen:
                seen.add(urn)
                todo += self._by_urn[urn].dependencies if urn in self._by_urn else ()
        return bool(other.urn) and other.urn in seen


def read(document: Mapping[str, Any]) -> Resources:
    """The resources that the stack has, or would have after the preview. Raises DocumentError."""
    return Resources(tuple(_resource(state) for state in _states(document)))


def _states(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The states of all resources that a provider owns: no components, no providers, nothing that only is looked up."""
    if "deployment" in document:
        states = [state for state in document["deployment"].get("resources") or () if not state.get("delete")]
    elif "steps" in document:
        states = list(_previewed(document))
    else:
        raise DocumentError("this is neither a preview (pulumi preview --json --show-sames) nor an export of a stack")
    for state in states:
        if state.get("custom") and not state.get("external") and not state["type"].startswith("pulumi:"):
            yield state


def _previewed(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    shown = sum(step["op"] == "same" for step in document["steps"])
    unchanged = (document.get("changeSummary") or {}).get("same", 0)
    if shown < unchanged:
        raise DocumentError(
            f"the preview leaves out {unchanged - shown} resources that do not change: write it with --show-sames"
        )
    kept = {step["urn"]: step["newState"] for step in document["steps"] if step["op"] not in GOING}
    yield from kept.values()


def _resource(state: Mapping[str, Any]) -> Resource:
    return Resource(
        type=state["type"],
        name=state["urn"].rpartition("::")[2],
        inputs=_known(state.get("inputs") or {}),
        urn=state["urn"],
        dependencies=tuple(state.get("dependencies") or ()),
    )


def _known(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _known(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_known(inner) for inner in value]
    return None if value == UNKNOWN else value
