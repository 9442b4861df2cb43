"""Unity Catalog over the lake: who may see which data, and where it lies.

Owns storage credential, external locations, the catalog with its schemas, the volumes, the registered models and the
grants. Not tables, versions of models and their aliases: runs create those. Managed tables lie in the container
`catalog`; every other container has a schema of its name with the volume `files` at its root, and the speed layer,
which has tables only, has a schema without files. Managed storage and external locations do not overlap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_databricks as databricks
from pulumi import Input, InvokeOptions, ResourceOptions

from components.data_lake import CATALOG_CONTAINER, FILE_CONTAINERS, Lake
from components.databricks_workspace import AccessConnector
from components.existing import look_up

VOLUME = "files"
MODELS = "models"
TABLE_SCHEMAS = ("speed",)
"""Layers that have tables, but no container of files."""

PRIVILEGES: Mapping[str, tuple[str, ...]] = {
    "reader": ("EXECUTE", "READ_VOLUME", "SELECT", "USE_CATALOG", "USE_SCHEMA"),
    "engineer": (
        "CREATE_MODEL",
        "CREATE_TABLE",
        "EXECUTE",
        "MODIFY",
        "READ_VOLUME",
        "SELECT",
        "USE_CATALOG",
        "USE_SCHEMA",
        "WRITE_VOLUME",
    ),
}
"""What a role may do in the whole catalog, sorted, since the provider compares the list in order."""


@dataclass(frozen=True)
class CatalogArgs:
    """Name of the catalog, whether its data is protected from deletion, its models, and the roles of groups in it."""

    catalog: str
    protect: bool
    models: Sequence[str] = ()
    grants: Mapping[str, str] = field(default_factory=dict)


class UnityCatalog(pulumi.ComponentResource):
    """A catalog over a lake, in which `jobs` is who jobs run as.

    `volumes` are the resources to wait for before a file is uploaded.
    """

    catalog: databricks.Catalog
    volumes: dict[str, databricks.Volume]

    def __init__(
        self,
        name: str,
        args: CatalogArgs,
        lake: Lake,
        connector: AccessConnector,
        jobs: Input[str],
        opts: ResourceOptions,
    ) -> None:
        super().__init__("medallion:components:UnityCatalog", name, None, opts)
        self._name, self._args, self._lake = name, args, lake
        credential = databricks.StorageCredential(
            f"{name}-credential",
            name=args.catalog,
            azure_managed_identity={
                "access_connector_id": connector.id,
                "managed_identity_id": connector.identity_id,
            },
            comment="The lake, by the identity of the access connector.",
            # the identity's role may take minutes to work; what needs it waits and tries again
            skip_validation=True,
            force_destroy=not args.protect,
            opts=ResourceOptions(parent=self),
        )
        locations = {
            container: self._location(container, credential)
            for container in sorted((*FILE_CONTAINERS, CATALOG_CONTAINER))
        }
        self.catalog = databricks.Catalog(
            f"{name}-catalog",
            name=args.catalog,
            storage_root=lake.url(CATALOG_CONTAINER),
            comment="All tables, files and models of this stack.",
            force_destroy=not args.protect,
            opts=ResourceOptions(parent=self, protect=args.protect, depends_on=[locations[CATALOG_CONTAINER]]),
        )
        self.volumes = {container: self._volume(container, locations[container]) for container in FILE_CONTAINERS}
        for layer in TABLE_SCHEMAS:
            self._schema(layer, f"Tables of the layer {layer}.")
        for model in args.models:
            databricks.RegisteredModel(
                f"{name}-model-{model}",
                catalog_name=self.catalog.name,
                schema_name=self.volumes[MODELS].schema_name,
                name=model,
                opts=ResourceOptions(parent=self, protect=args.protect),
            )
        groups = sorted(args.grants.items())
        databricks.Grants(
            f"{name}-grants",
            catalog=self.catalog.name,
            grants=[
                {"principal": principal, "privileges": list(PRIVILEGES[role])}
                for principal, role in (*groups, (jobs, "engineer"))
            ],
            opts=ResourceOptions(parent=self),
        )
        self.register_outputs({"catalog": self.catalog.name})

    @staticmethod
    def existing(name: str, inside: databricks.Provider, *, owner: str) -> None:
        """Raises ExistingError where there is no catalog of that name."""
        look_up("catalog", name, owner, lambda: databricks.get_catalog(name=name, opts=InvokeOptions(provider=inside)))

    def _location(self, container: str, credential: databricks.StorageCredential) -> databricks.ExternalLocation:
        """The external location of a container."""
        return databricks.ExternalLocation(
            f"{self._name}-location-{container}",
            name=f"{self._args.catalog}_{container}",
            url=self._lake.url(container),
            credential_name=credential.name,
            comment=f"The container {container}.",
            skip_validation=True,
            force_destroy=not self._args.protect,
            opts=ResourceOptions(parent=self),
        )

    def _schema(self, name: str, comment: str) -> databricks.Schema:
        return databricks.Schema(
            f"{self._name}-schema-{name}",
            catalog_name=self.catalog.name,
            name=name,
            comment=comment,
            force_destroy=not self._args.protect,
            opts=ResourceOptions(parent=self, protect=self._args.protect),
        )

    def _volume(self, container: str, location: databricks.ExternalLocation) -> databricks.Volume:
        """The schema of a container, and the volume with its files."""
        schema = self._schema(
            container, f"Tables and models of {container}, and the files of the container of that name."
        )
        return databricks.Volume(
            f"{self._name}-volume-{container}",
            catalog_name=self.catalog.name,
            schema_name=schema.name,
            name=VOLUME,
            volume_type="EXTERNAL",
            storage_location=location.url,
            comment=f"The files of the container {container}.",
            opts=ResourceOptions(parent=self),
        )
