"""Where a component's resources go: what all components of a stack share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pulumi import Input

from components.naming import Names

if TYPE_CHECKING:
    from components.network import Network

OWNER_TAG = "managed-by"
"""The tag that says which stack created a resource, and so would delete it."""


@dataclass(frozen=True)
class Ground:
    """Names, region and tags of a stack; ids of its subscription and tenant in Entra; `group`, the resource group.

    `protect` keeps data from being deleted.
    """

    names: Names
    location: str
    tags: Mapping[str, str]
    subscription: str
    tenant: str
    group: Input[str]
    protect: bool


@dataclass(frozen=True)
class Site(Ground):
    """A ground with its network: what the components of resources that can be reached take."""

    network: Network


def owner(project: str, stack: str) -> str:
    """The value of the owner tag of a stack's resources."""
    return f"pulumi-{project}-{stack}"
