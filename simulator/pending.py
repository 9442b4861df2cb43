"""What of a killed `pulumi up` went through: `python -m simulator.pending < deployment-export.json`.

Prints `[{"urn": …, "id": … or null}]`: for every create that the engine had begun and not seen the end of, the id of
what it made in the simulated cloud, found by its natural key: the names in its inputs, which are never secret.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from simulator.kinds import CLASSES, Kind, package
from simulator.state import Cloud, CloudError, cloud


def created(now: Cloud, export: Mapping[str, Any]) -> list[dict[str, str | None]]:
    """The pending creates of a deployment, each with the id of the resource that it made, or None.

    Raises CloudError where the cloud holds several that it may have been.
    """
    deployment = export["deployment"]
    resources = deployment.get("resources") or []
    return [
        {"urn": operation["resource"]["urn"], "id": _made(now, operation["resource"], resources)}
        for operation in deployment.get("pending_operations") or []
        if operation["type"] == "creating"
    ]


def _natural_key(kind: Kind, inputs: Mapping[str, Any]) -> str:
    return kind.identify(inputs, subscription="")


def _made(now: Cloud, wanted: Mapping[str, Any], resources: Sequence[Mapping[str, Any]]) -> str | None:
    type_ = wanted["type"]
    name = type_.partition(":")[0]
    if name not in CLASSES:  # a provider or a component: nothing in a cloud
        return None
    kind = package(name, {}).kind(type_)
    key = _natural_key(kind, wanted.get("inputs") or {})
    in_state = {r["id"] for r in resources if r["type"] == type_ and r.get("id") and not r.get("pendingReplacement")}
    found = [
        resource.id
        for resource in now.find(type_)
        if _natural_key(kind, resource.inputs) == key
        and resource.id not in in_state
        and _ours(now, resource.scope, resources)
    ]
    if len(found) > 1:
        raise CloudError(f"the simulated cloud holds several that {wanted['urn']} may have made: {', '.join(found)}")
    return found[0] if found else None


def _ours(now: Cloud, scope: str, resources: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a workspace or cluster is the stack's own; one that the stack only uses is none of its resources."""
    owner = now.get(scope)
    own = [str(r.get("id")).lower() for r in resources if owner and r["type"] == owner.type]
    return not own or scope in own


def main() -> None:
    try:
        with cloud() as now:
            found = created(now, json.load(sys.stdin))
    except CloudError as error:
        sys.exit(f"simulated cloud: {error}")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
