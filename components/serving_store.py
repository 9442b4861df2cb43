"""The serving store: Cosmos DB for Apache Cassandra, where answers to a workload's queries are.

Owns the account, a keyspace for each workload that serves something, named after its folder, and the tables that the
workload declares (workloads/spec.py says how they are stored); not their rows, which tasks write and can write anew: so
nothing here is protected. Tables are changed by this program only: the account's key cannot.

The account is serverless unless the settings give it request units: a batch a night, trickles of a stream and people's
questions leave it idle for most of the day, and each request is paid by itself then. Its price is that nobody promises
a throughput (5,000 request units a second for each table) and that requests beyond it are refused; with autoscale, the
tables of a keyspace share what is paid for, from a tenth of the most up.
Source: https://learn.microsoft.com/azure/cosmos-db/throughput-serverless

Reads are strong: who reads that a version is shown also reads its rows. In one region that costs dearer reads only.
It speaks CQL 3.11; whoever signs in takes the account's key (docs/adr/0022-cassandra-key.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi import Output, ResourceOptions
from pulumi_azure_native import cosmosdb, resources

from components.existing import look_up
from components.key_vault import Vault
from components.site import Site
from workloads.spec import StoredTable, Workload

HOST, PORT = "cassandra.cosmos.azure.com", 10350
"""Source: https://learn.microsoft.com/azure/cosmos-db/cassandra/introduction"""

KEY = "serving-store-key"
"""The secret that holds the account's key, in the vault."""
TEMPLATE = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"


@dataclass(frozen=True)
class StoreArgs:
    """The most request units a second, which a keyspace's tables share (None: serverless), and whether the account
    stands in several zones."""

    request_units: int | None
    zone_redundant: bool


@dataclass(frozen=True)
class Store:
    """A serving store, created or found: name and id of the account."""

    name: Output[str]
    id: Output[str]

    @property
    def address(self) -> Output[str]:
        """Host and port, as drivers take them."""
        return Output.concat(self.name, f".{HOST}:{PORT}")

    def url(self, keyspace: str) -> Output[str]:
        """Where a workload's tables are. The user's name is the account's."""
        return Output.concat("cassandra://", self.name, "@", self.address, f"/{keyspace}?tls=true")


class ServingStore(pulumi.ComponentResource):
    """The serving store of this stack. `store` is complete once all tables are there.

    `key` is the name of the secret in the vault that holds the account's key; None where no vault is given.
    """

    store: Store
    key: Output[str] | None

    def __init__(
        self,
        name: str,
        site: Site,
        args: StoreArgs,
        workloads: Sequence[Workload],
        vault: Vault | None,
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("medallion:components:ServingStore", name, None, opts)
        self._name, self._site, self._args = name, site, args
        self.account = site.network.attach(
            cosmosdb.DatabaseAccount,
            f"{name}-account",
            account_name=site.names.of("serving_store"),
            resource_group_name=site.group,
            location=site.location,
            kind="GlobalDocumentDB",
            database_account_offer_type="Standard",
            locations=[
                {
                    "location_name": site.location,
                    "failover_priority": 0,
                    "is_zone_redundant": args.zone_redundant,
                }
            ],
            capabilities=[
                {"name": "EnableCassandra"},
                *([{"name": "EnableServerless"}] if args.request_units is None else []),
            ],
            consistency_policy={"default_consistency_level": "Strong"},
            minimal_tls_version="Tls12",
            disable_local_auth=False,
            disable_key_based_metadata_write_access=True,
            tags=site.tags,
            opts=ResourceOptions(parent=self),
        )
        tables = [table for workload in workloads if workload.stored for table in self._keyspace(workload)]
        ways = [way.id for way in site.network.ways_to(self.account)]
        whole = Output.all(self.account.name, *(table.id for table in tables), *ways)
        self.store = Store(name=whole.apply(lambda values: values[0]), id=self.account.id)
        self.key = None if vault is None else self._keep_key(vault)
        self.register_outputs({"name": self.account.name})

    def _keep_key(self, vault: Vault) -> Output[str]:
        """Has Azure put the account's key into a vault, so that it comes by nobody else. Returns the secret's name."""
        secret = {
            "type": "Microsoft.KeyVault/vaults/secrets",
            "apiVersion": "2023-07-01",
            "name": Output.concat(vault.name, "/", KEY),
            "properties": {
                "contentType": "text/plain",
                "value": Output.concat("[listKeys('", self.account.id, "', '2024-11-15').primaryMasterKey]"),
            },
        }
        deployment = resources.Deployment(
            f"{self._name}-key",
            deployment_name=KEY,
            resource_group_name=self._site.group,
            properties={
                "mode": "Incremental",
                "template": {"$schema": TEMPLATE, "contentVersion": "1.0.0.0", "resources": [secret]},
            },
            opts=ResourceOptions(parent=self),
        )
        return deployment.id.apply(lambda _: KEY)

    def _keyspace(self, workload: Workload) -> list[cosmosdb.CassandraResourceCassandraTable]:
        """The keyspace of a workload. Returns its tables."""
        place = {"account_name": self.account.name, "resource_group_name": self._site.group}
        scales = self._args.request_units and {"autoscale_settings": {"max_throughput": self._args.request_units}}
        keyspace = cosmosdb.CassandraResourceCassandraKeyspace(
            f"{self._name}-{workload.name}",
            keyspace_name=workload.folder,
            resource={"id": workload.folder},
            options=scales or {},
            **place,
            opts=ResourceOptions(parent=self),
        )
        return [
            cosmosdb.CassandraResourceCassandraTable(
                f"{self._name}-{workload.name}-{table.name}",
                table_name=table.name,
                keyspace_name=keyspace.name,
                resource=table_resource(table),
                **place,
                # Cosmos DB changes no keys of a table; the next run fills the new one
                opts=ResourceOptions(
                    parent=self,
                    delete_before_replace=True,
                    replace_on_changes=["resource.schema.clusterKeys", "resource.schema.partitionKeys"],
                ),
            )
            for table in workload.stored
        ]

    @staticmethod
    def existing(name: str, *, group: str, owner: str) -> Store:
        """The account of that name. Raises ExistingError."""
        found = look_up(
            "serving_store",
            name,
            owner,
            lambda: cosmosdb.get_database_account(account_name=name, resource_group_name=group),
        )
        return Store(name=Output.from_input(found.name), id=Output.from_input(found.id))


def table_resource(table: StoredTable) -> dict[str, Any]:
    """A table in Cosmos DB's words."""
    expires = {} if table.time_to_live_seconds is None else {"default_ttl": table.time_to_live_seconds}
    return {
        "id": table.name,
        **expires,
        "schema": {
            "columns": [{"name": column.name, "type": column.type} for column in table.columns],
            "partition_keys": [{"name": name} for name in table.partition_key],
            "cluster_keys": [{"name": name, "order_by": "Asc"} for name in table.clustering],
        },
    }
