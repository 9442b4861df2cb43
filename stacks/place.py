"""Where a stack stands and how this machine signs in: the environment of the program, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from stacks.settings import Settings, SettingsError


@dataclass(frozen=True)
class Place:
    """The cloud, the stack, the way of signing in to Databricks, and whether a deleted vault is to be taken back."""

    cloud: Literal["simulated", "azure"]
    stack: str
    auth_type: str
    recover_vault: bool = False

    @classmethod
    def read(cls, environ: Mapping[str, str], stack: str, settings: Settings) -> Place:
        """What the environment says. Raises SettingsError where it says nothing, or what cannot be."""
        cloud = environ.get("CLOUD")
        if cloud not in ("simulated", "azure"):
            raise SettingsError(f"CLOUD must be simulated or azure, not {cloud!r}: start Pulumi through make")
        if cloud == "azure" and stack == "local":
            raise SettingsError("the stack 'local' is always simulated: CLOUD=azure takes another STACK")
        if cloud == "azure" and not (settings.administrators or settings.existing.aks_cluster):
            raise SettingsError(
                "medallion:administrators: name the group that administers the cluster (object id in Entra);"
                " local accounts are off, so that nobody else could declare pods"
            )
        return cls(
            cloud=cloud,
            stack=stack,
            auth_type="github-oidc-azure" if "GITHUB_ACTIONS" in environ else "azure-cli",
            recover_vault=environ.get("RECOVER_VAULT") == "true",
        )
