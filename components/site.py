"""Where a component's resources go: what all components of a stack share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pulumi import Input

from components.naming import Names
from components.network import Network

OWNER_TAG = "managed-by"
"""The tag that says which stack created a resource, and so would delete it."""


@dataclass(frozen=True)
class Site:
    """Names, region, tags and network of a stack; `subscription` is its id, `group` the resource group's name.

    `protect` keeps data from being deleted.
    """

    names: Names
    location: str
    tags: Mapping[str, str]
    network: Network
    subscription: str
    group: Input[str]
    protect: bool


def owner(project: str, stack: str) -> str:
    """The value of the owner tag of a stack's resources."""
    return f"pulumi-{project}-{stack}"
