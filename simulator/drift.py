"""Changes behind Pulumi's back: `python -m simulator.drift list`, `set ID PATH JSON` and `remove ID`.

ID is a resource's id, its key in the simulated cloud, or the name at the end of its id.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from simulator.kinds import package
from simulator.state import Cloud, CloudError, Resource, cloud

USAGE = "usage: python -m simulator.drift list | set ID PATH JSON | remove ID"


def _find(now: Cloud, id_: str) -> Resource:
    everything = now.find()
    found = [resource for resource in everything if id_ in (resource.id, resource.key)]
    found = found or [resource for resource in everything if id_ == resource.id.rpartition("/")[2]]
    if len(found) != 1:
        keys = ", ".join(resource.key for resource in found)
        raise CloudError(f"the simulated cloud holds {len(found)} resources '{id_}'{keys and ': ' + keys}")
    return found[0]


def _has(value: Any, names: Sequence[str]) -> bool:
    """Whether a property of nested properties is there."""
    return not names or (isinstance(value, dict) and names[0] in value and _has(value[names[0]], names[1:]))


def set_property(id_: str, path: str, value: Any) -> Resource:
    """Change a property (`tags.owner`) of the resource of that id or key, as somebody at the portal would."""
    with cloud() as now:
        resource = _find(now, id_)
        *outer, last = path.split(".")
        changed = replace(resource, inputs=dict(resource.inputs), computed=dict(resource.computed))
        both = (changed.inputs, changed.computed)
        halves = [half for half in both if _has(half, path.split("."))]  # what Azure alone sets is no input
        halves = halves or [half for half in both if path.split(".")[0] in half] or [changed.inputs]
        for place in halves:
            for name in outer:
                place[name] = dict(place.get(name) or {})
                place = place[name]
            place[last] = value
        now.put(changed)
        return changed


def remove(id_: str) -> None:
    """Delete the resource of that id or key with all that belongs to it, whatever rules stand against it."""
    with cloud() as now:
        resource = _find(now, id_)
        provider = package(resource.type.partition(":")[0], {})
        provider.erase(now, resource)


def main(arguments: Sequence[str]) -> None:
    try:
        match list(arguments):
            case ["list"]:
                with cloud() as now:
                    found = [{"key": r.key, "type": r.type, "id": r.id, "inputs": r.inputs} for r in now.find()]
                print(json.dumps(found, indent=2))
            case ["set", id_, path, value]:
                set_property(id_, path, json.loads(value))
            case ["remove", id_]:
                remove(id_)
            case _:
                sys.exit(USAGE)
    except CloudError as error:
        sys.exit(f"simulated cloud: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
