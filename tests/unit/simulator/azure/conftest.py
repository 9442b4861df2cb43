"""A simulated Azure in which one of everything stands, and what can be tried on it without a trace."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from simulator.azure import Azure
from simulator.azure_rules import SUBSCRIPTION, TENANT
from simulator.state import Cloud, CloudError, Resource, cloud

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
PLACES = {"{group}": GROUP, "{subscription}": SUBSCRIPTION, "{tenant}": TENANT}


def read_world() -> Mapping[str, Mapping[str, Any]]:
    """Types and inputs of what stands there, by a name for tables of tests, in an order of making."""
    text = Path(__file__).with_name("world.json").read_text(encoding="utf-8")
    for place, value in PLACES.items():
        text = text.replace(place, value)
    world: Mapping[str, Mapping[str, Any]] = json.loads(text)
    return world


WORLD = read_world()
TYPES = {name: f"azure-native:{thing['type']}" for name, thing in WORLD.items()}


class Undone(Exception):  # noqa: N818 - not an error: it ends a transaction
    """Ends a transaction without a trace."""


def changed(inputs: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs with the properties at some paths (`sku.name`, `rules[0].name`) changed; None takes one away."""
    result = copy.deepcopy(dict(inputs))
    for path, value in changes.items():
        *outer, last = (int(step) if step.isdigit() else step for step in re.findall(r"[^.\[\]]+", path))
        place: Any = result
        for step in outer:
            place = place[step] if isinstance(step, int) else place.setdefault(step, {})
        if value is None:
            place.pop(last, None)
        else:
            place[last] = value
    return result


class World:
    """The simulated Azure in which one of everything stands."""

    names = tuple(WORLD)
    types = TYPES

    def __init__(self, home: Path, row: Callable[..., AbstractContextManager[None]]) -> None:
        self.home, self.row, self.provider = home, row, Azure({})

    def inputs(self, name: str, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What makes the thing of that name, with some properties changed."""
        return changed(WORLD[name]["inputs"], changes or {})

    def id(self, name: str, changes: Mapping[str, Any] | None = None) -> str:
        """The id of the thing of that name."""
        inputs = self.inputs(name, changes)
        return self.provider.kind(TYPES[name]).identify(inputs, subscription=SUBSCRIPTION)

    @contextmanager
    def undone(self) -> Iterator[Cloud]:
        """The cloud, of which nothing done inside stays."""
        with pytest.raises(Undone), cloud(self.home) as now:
            yield now
            raise Undone

    def put(self, now: Cloud, name: str, changes: Mapping[str, Any] | None = None) -> Resource:
        """Create the thing of that name with some properties changed, or update it if it is there."""
        inputs, id_ = self.inputs(name, changes), self.id(name, changes)
        if now.get(id_.lower()):
            return self.provider.update(now, TYPES[name], id_, inputs)
        return self.provider.create(now, TYPES[name], inputs)

    def delete(self, now: Cloud, name: str, changes: Mapping[str, Any] | None = None) -> None:
        """Delete the thing of that name."""
        self.provider.delete(now, TYPES[name], self.id(name, changes))

    def refuses(self, name: str, changes: Mapping[str, Any], property_: str, message: str) -> None:
        """Assert that it is refused, in words that name the resource and the property."""
        with self.row(name, changes):
            with self.undone() as now, pytest.raises(CloudError, match=message) as refused:
                self.put(now, name, changes)
            said = str(refused.value)
            assert property_.lower() in said.lower()
            assert self.id(name, changes).rpartition("/")[2].lower() in said.lower()

    def keeps(self, name: str, message: str, changes: Mapping[str, Any] | None = None) -> None:
        """Assert that the thing of that name cannot be deleted, in words that name it."""
        with self.undone() as now, pytest.raises(CloudError, match=message) as refused:
            self.delete(now, name, changes)
        assert self.id(name, changes).rpartition("/")[2].lower() in str(refused.value).lower()


@pytest.fixture(scope="session")
def azure(tmp_path_factory: pytest.TempPathFactory, row: Callable[..., AbstractContextManager[None]]) -> World:
    """The simulated Azure in which one of everything stands, the same for all tests of a worker."""
    world = World(tmp_path_factory.mktemp("azure"), row)
    with cloud(world.home) as now:
        for name in world.names:
            world.put(now, name)
    return world
